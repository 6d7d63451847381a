//! What a refusal means. Pure.

use crate::{
    config::{ErrorRule, Errors},
    exchange::Answer,
    plan::KindPlan,
    record::text_of,
    template::Request,
};
use connector_declared::rules::{scrubbed, short};
use connector_http::{is_safe, refusal, retry_after};
use connector_spi::{ConnError, Effect, HttpResponse};
use serde_json::Value as Json;

/// An answer as the rules see it.
pub(crate) struct Answered<'a> {
    pub(crate) request: &'a Request,
    pub(crate) kind: Option<&'a KindPlan>,
    pub(crate) response: &'a HttpResponse,
    /// The body, where it is JSON.
    pub(crate) body: Option<&'a Json>,
    /// What was sent, to be taken out of the target's words.
    pub(crate) sent: &'a dyn Fn() -> Vec<String>,
}

/// What the answer means if it is no success.
pub(crate) fn refused(errors: &Errors, answered: &Answered<'_>) -> Option<ConnError> {
    let config = &answered.request.config;
    let method = config.method.name();
    let status = answered.response.status;
    let by_status = refusal(method, answered.response);
    let inside = by_status.is_none()
        && errors.error_at.as_ref().zip(answered.body).and_then(|(at, body)| at.read(body)).is_some_and(is_error);
    if (by_status.is_none() && !inside) || config.also_ok.contains(&status) {
        return None;
    }
    let code = code(errors, answered.body);
    if code.as_ref().is_some_and(|code| config.also_ok_codes.contains(code)) {
        return None;
    }
    let by_default = || ConnError::permanent("the target reports an error inside a success");
    Some(meaning(errors, answered, by_status, by_default))
}

/// The error by the file's rules, else by the status, else this one; with what the answer tells of it.
fn meaning(
    errors: &Errors,
    answered: &Answered<'_>,
    by_status: Option<ConnError>,
    otherwise: impl FnOnce() -> ConnError,
) -> ConnError {
    let status = answered.response.status;
    let code = code(errors, answered.body);
    let words = errors.message_at.as_ref().zip(answered.body).and_then(|(at, body)| at.read(body)).and_then(text_of);
    let rule = errors.rules.iter().find(|rule| rule.fits(status, code.as_deref(), words.as_deref()));
    let mut error = match (rule, by_status) {
        (Some(rule), _) => by_rule(rule, answered, is_safe(answered.request.config.method.name())),
        (None, Some(error)) => error,
        (None, None) => otherwise(),
    };
    error.message = format!("{} ({})", error.message, answered.request.label);
    if errors.quote_message
        && let Some(words) = words
    {
        error.message = format!("{}: {}", error.message, scrubbed(&words, &(answered.sent)()));
    }
    error.native_code = code.map(|code| short(&code)).or(error.native_code);
    if error.attribute.is_none() {
        error.attribute = errors.field_at.as_ref().zip(answered.body).and_then(|(at, body)| {
            let field = at.read(body).and_then(text_of).filter(|field| !field.is_empty())?;
            Some(answered.kind.map_or_else(|| short(&field), |kind| attribute_at(kind, &field)))
        });
    }
    error
}

/// What it means that a ticket was refused: the answer itself is a success.
pub(crate) fn declined(errors: &Errors, kind: &KindPlan, request: &Request, answer: &Answer) -> ConnError {
    let answered =
        Answered { request, kind: Some(kind), response: &answer.response, body: Some(&answer.body), sent: &Vec::new };
    let by_default = || ConnError::permanent("the target did not carry out what it had taken on");
    meaning(errors, &answered, None, by_default)
}

fn by_rule(rule: &ErrorRule, answered: &Answered<'_>, safe: bool) -> ConnError {
    let mut error = rule.error().code(answered.response.status);
    if rule.effect.is_none() && safe {
        error.effect = Effect::None;
    }
    match retry_after(answered.response) {
        Some(wait) => error.retry_after(wait),
        None => error,
    }
}

fn code(errors: &Errors, body: Option<&Json>) -> Option<String> {
    errors.code_at.iter().find_map(|at| at.read(body?).and_then(text_of))
}

/// Whether what stands at `error_at` is an error rather than the word for none.
fn is_error(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => false,
        Json::Bool(true) => true,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => !text.is_empty(),
        Json::Array(items) => !items.is_empty(),
        Json::Object(members) => !members.is_empty(),
    }
}

/// Our name of the attribute that a target's field belongs to; the field itself where none does.
fn attribute_at(kind: &KindPlan, field: &str) -> String {
    let attributes = &kind.config.attributes;
    let within = |at: &str| field == at || field.strip_prefix(at).is_some_and(|rest| rest.starts_with('/'));
    let exact = attributes.iter().find(|(_, attribute)| attribute.at.as_str() == field);
    let part = || {
        attributes
            .iter()
            .filter(|(_, attribute)| {
                let at = attribute.at.as_str();
                !at.is_empty() && (within(at) || at.starts_with(&format!("{field}/")))
            })
            .max_by_key(|(_, attribute)| attribute.at.as_str().len())
    };
    exact.or_else(part).map_or_else(|| short(field), |(name, _)| name.clone())
}
