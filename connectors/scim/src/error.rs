//! What a refusal means (RFC 7644, section 3.12; RFC 9865, section 2.1). Pure.

use crate::{
    config::ErrorRule,
    path::{member, text_of},
};
use connector_http::{is_safe, refusal, retry_after};
use connector_spi::{Class, ConnError, Effect, HttpResponse};
use serde_json::Value as Json;

/// Longest piece of a server's words that is passed on, in characters.
const QUOTED: usize = 200;

/// An answer as the table sees it.
pub(crate) struct Answered<'a> {
    pub(crate) method: &'a str,
    /// Method and endpoint, free of values.
    pub(crate) label: &'a str,
    pub(crate) response: &'a HttpResponse,
    /// The body, where it is JSON.
    pub(crate) body: Option<&'a Json>,
    /// What was sent, to be taken out of the server's words; `None` where they are not passed on.
    pub(crate) quote: Option<&'a [String]>,
}

/// What the answer means if it is no success.
///
/// | `scimType` | class |
/// |---|---|
/// | `uniqueness` | AlreadyExists |
/// | `invalidValue`, `mutability`, `invalidSyntax`, `invalidPath`, `invalidFilter`, `noTarget`, `tooMany`, `invalidCursor`, `invalidCount` | Invalid |
/// | `expiredCursor` | StaleVersion: begin again |
/// | `invalidVers` | Config |
/// | `sensitive` | Forbidden |
///
/// The status decides where there is no `scimType` that is known, except that 409 is a conflict on anything but POST.
pub(crate) fn refused(rules: &[ErrorRule], answered: &Answered<'_>) -> Option<ConnError> {
    let mut error = refusal(answered.method, answered.response)?;
    let status = answered.response.status;
    let object = answered.body.and_then(Json::as_object);
    let text = |name: &str| object.and_then(|object| member(object, name)).and_then(text_of);
    let scim_type = text("scimType").map(|text| short(&text)).filter(|text| !text.is_empty());
    let rule = rules.iter().find(|rule| {
        rule.status.is_none_or(|wanted| wanted == status)
            && rule.scim_type.as_ref().is_none_or(|wanted| scim_type.as_ref() == Some(wanted))
    });
    // A busy or broken server is that, whatever its body says.
    let by_type = scim_type.as_deref().filter(|_| matches!(status, 400 | 403 | 409)).and_then(class_of);
    if let Some(class) = rule.map(|rule| rule.class).or(by_type) {
        let words = if class == error.class { error.message.clone() } else { words(class).to_owned() };
        error = ConnError::new(class, words);
        if is_safe(answered.method) {
            error.effect = Effect::None;
        }
        if let Some(wait) = retry_after(answered.response) {
            error = error.retry_after(wait);
        }
    }
    error.message = format!("{} ({})", error.message, answered.label);
    if let (Some(sent), Some(detail)) = (answered.quote, text("detail")) {
        error.message = format!("{}: {}", error.message, scrubbed(&detail, sent));
    }
    error.native_code = Some(scim_type.unwrap_or_else(|| status.to_string()));
    Some(error)
}

fn class_of(scim_type: &str) -> Option<Class> {
    match scim_type {
        "uniqueness" => Some(Class::AlreadyExists),
        "invalidValue" | "mutability" | "invalidSyntax" | "invalidPath" | "invalidFilter" | "noTarget" | "tooMany"
        | "invalidCursor" | "invalidCount" => Some(Class::Invalid),
        "expiredCursor" => Some(Class::StaleVersion),
        "invalidVers" => Some(Class::Config),
        "sensitive" => Some(Class::Forbidden),
        _ => None,
    }
}

fn words(class: Class) -> &'static str {
    match class {
        Class::AlreadyExists => "a value that must be unique is taken",
        Class::Invalid => "the server refuses a value or a path",
        Class::StaleVersion => "the list must be begun again",
        Class::Config => "the server speaks another version of SCIM",
        Class::Forbidden => "the server does not let this be asked",
        _ => "the server refuses the request",
    }
}

/// Whether the server says that what was to be removed is not there.
pub(crate) fn is_absent(error: &ConnError) -> bool {
    error.native_code.as_deref() == Some("noTarget")
}

/// A code from outside, cut to what one can be.
fn short(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).take(40).collect()
}

/// A server's words without the values that were sent, without control characters, and not too long.
pub(crate) fn scrubbed(words: &str, sent: &[String]) -> String {
    let mut clean: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut longest: Vec<&String> = sent.iter().filter(|value| value.chars().count() > 1).collect();
    longest.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for value in longest {
        clean = clean.replace(value.as_str(), "***");
    }
    clean.chars().take(QUOTED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal_of(method: &str, status: u16, body: Json, rules: &[ErrorRule]) -> ConnError {
        let response = HttpResponse { status, headers: Vec::new(), body: Vec::new() };
        let sent = ["Testperson 12 Example".to_owned()];
        let answered =
            Answered { method, label: "POST /Users", response: &response, body: Some(&body), quote: Some(&sent) };
        refused(rules, &answered).unwrap()
    }

    #[test]
    fn the_scim_type_decides_where_there_is_one() {
        let class =
            |method: &str, status: u16, ty: &str| refusal_of(method, status, json!({"scimType": ty}), &[]).class;
        assert_eq!(class("PATCH", 409, "uniqueness"), Class::AlreadyExists);
        assert_eq!(class("POST", 400, "uniqueness"), Class::AlreadyExists);
        assert_eq!(class("PATCH", 400, "mutability"), Class::Invalid);
        assert_eq!(class("GET", 400, "expiredCursor"), Class::StaleVersion);
        assert_eq!(class("GET", 403, "sensitive"), Class::Forbidden);
        assert_eq!(class("GET", 400, "invalidVers"), Class::Config);
    }

    #[test]
    fn the_status_decides_where_there_is_none() {
        let class = |method: &str, status: u16| refusal_of(method, status, json!({"scimType": "odd"}), &[]).class;
        assert_eq!(class("POST", 409), Class::AlreadyExists);
        assert_eq!(class("PATCH", 409), Class::Conflict);
        assert_eq!(class("PATCH", 412), Class::StaleVersion);
        assert_eq!(class("PATCH", 501), Class::Unsupported);
        let busy = refusal_of("POST", 503, json!({"scimType": "uniqueness"}), &[]);
        assert_eq!(busy.class, Class::Transient);
    }

    #[test]
    fn a_rule_of_the_file_goes_before_the_table() {
        let rule = ErrorRule { status: Some(400), scim_type: Some("uniqueness".into()), class: Class::Conflict };
        assert_eq!(refusal_of("POST", 400, json!({"scimType": "uniqueness"}), &[rule]).class, Class::Conflict);
    }

    #[test]
    fn what_was_sent_is_taken_out_of_the_servers_words() {
        let error = refusal_of("POST", 409, json!({"detail": "Testperson 12 Example is\r\nthere"}), &[]);
        assert!(error.message.ends_with(": *** is  there"), "{}", error.message);
        assert_eq!(error.native_code.as_deref(), Some("409"));
    }
}
