//! What a refusal means. Pure.

use crate::{
    config::{Errors, Version},
    fault::{Said, usual},
    request::Request,
};
use connector_declared::{
    ErrorRule,
    rules::{scrubbed, short},
};
use connector_http::{refusal, retry_after};
use connector_spi::{ConnError, Effect, HttpResponse};

/// A refused request.
pub(crate) struct Refused<'a> {
    pub(crate) request: &'a Request,
    pub(crate) response: &'a HttpResponse,
    pub(crate) said: Said,
    /// It came as a fault of the envelope.
    pub(crate) is_fault: bool,
    /// What was sent, to be taken out of the target's words.
    pub(crate) sent: &'a dyn Fn() -> Vec<String>,
}

/// What a refusal means; `None` when the file says that it is a success.
pub(crate) fn meant(errors: &Errors, refused: Refused<'_>) -> Option<ConnError> {
    let Refused { request, response, said, is_fault, sent } = refused;
    if said.code.as_ref().is_some_and(|code| request.config.also_ok_codes.contains(code)) {
        return None;
    }
    let status = response.status;
    let by_status = refusal("POST", response);
    let rule = errors.rules.iter().find(|rule| rule.fits(status, said.code.as_deref(), said.words.as_deref()));
    let mut error = match (rule, by_status) {
        (Some(rule), _) => rule.error(),
        // Faults travel in 400 and 500 whatever they say; SOAP 1.1 knows 500 only.
        (None, Some(_)) if is_fault && matches!(status, 400 | 500) => usual(&said),
        (None, Some(error)) => error,
        (None, None) if is_fault => usual(&said),
        (None, None) => ConnError::permanent("the target reports an error inside a success"),
    };
    if let Some(wait) = retry_after(response) {
        error = error.retry_after(wait);
    }
    error.native_code = error.native_code.or_else(|| Some(status.to_string()));
    Some(detailed(error, errors, request, said, sent))
}

/// The error with what the target says of it.
fn detailed(
    mut error: ConnError,
    errors: &Errors,
    request: &Request,
    said: Said,
    sent: &dyn Fn() -> Vec<String>,
) -> ConnError {
    error.message = format!("{} ({})", error.message, request.label);
    if errors.quote_message
        && let Some(words) = &said.words
    {
        error.message = format!("{}: {}", error.message, scrubbed(words, &sent()));
    }
    error.native_code = said.code.as_deref().map(short).or(error.native_code);
    if error.attribute.is_none() {
        error.attribute = said
            .field
            .as_deref()
            .filter(|field| !field.is_empty())
            .map(|field| request.template.attribute_at(field).map_or_else(|| short(field), str::to_owned));
    }
    error
}

/// What it means that a ticket was refused: the answer itself is a success.
pub(crate) fn declined(errors: &Errors, request: &Request, said: Said) -> ConnError {
    let rule = errors.rules.iter().find(|rule| rule.fits(200, said.code.as_deref(), said.words.as_deref()));
    let by_default = || ConnError::permanent("the target did not carry out what it had taken on");
    detailed(rule.map_or_else(by_default, ErrorRule::error), errors, request, said, &Vec::new)
}

/// A success that cannot be understood: nobody knows what was done.
pub(crate) fn not_understood(request: &Request, response: &HttpResponse, why: &str) -> ConnError {
    ConnError::unknown(format!("the answer {why} ({})", request.label)).code(response.status)
}

/// Whether the request only reads by its version's own terms; a POST never says so by itself.
pub(crate) fn reading(error: ConnError) -> ConnError {
    error.effect(Effect::None)
}

/// The name of the thing that an answer is taken out of.
pub(crate) fn wrapping(version: Version) -> &'static str {
    match version {
        Version::Soap11 => "is no envelope of SOAP 1.1 with one element inside",
        Version::Soap12 => "is no envelope of SOAP 1.2 with one element inside",
        Version::Xml => "is no document with one element",
    }
}
