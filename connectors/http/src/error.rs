//! What a failed exchange means.

use crate::{address::Refused, wait::retry_after};
use connector_spi::{Class, ConnError, Effect, HttpResponse};
use std::io;

/// Whether the method only reads (RFC 9110 section 9.2.1): then no failure can have changed the target.
#[must_use]
pub fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
}

/// What the status of an answer means, by the table of the contract; `None` for 2xx.
///
/// | status | class |
/// |---|---|
/// | 3xx | Config: the target is elsewhere |
/// | 400, 413, 414, 422, 431 | Invalid |
/// | 401 | Auth |
/// | 403 | Forbidden |
/// | 404, 410 | NotFound |
/// | 405, 501 | Unsupported |
/// | 407, 421, 511 | Config |
/// | 408, 425 | Transient |
/// | 409 | AlreadyExists on POST, else Conflict |
/// | 412, 428 | StaleVersion |
/// | 423 | Transient: locked by somebody |
/// | 429, 503 with Retry-After | Throttled |
/// | 502, 503 | Transient; 502 on a write may have changed the target |
/// | 504 | Timeout |
/// | other 5xx | Transient on a read, Unknown on a write |
/// | anything else | Permanent |
#[must_use]
pub fn refusal(method: &str, response: &HttpResponse) -> Option<ConnError> {
    let safe = is_safe(method);
    let wait = retry_after(response);
    let (class, message) = match response.status {
        200..=299 => return None,
        300..=399 => (Class::Config, "the target answers with a redirect, which is not followed"),
        400 | 413 | 414 | 422 | 431 => (Class::Invalid, "the target refuses the request's content"),
        401 => (Class::Auth, "the target refuses the gateway's credentials"),
        403 => (Class::Forbidden, "the gateway may not do this in the target"),
        404 | 410 => (Class::NotFound, "the target does not know this"),
        405 | 501 => (Class::Unsupported, "the target cannot do this"),
        407 => (Class::Config, "the proxy asks for credentials"),
        421 | 511 => (Class::Config, "the request reached a server that is not the target"),
        408 | 425 => (Class::Transient, "the target asks for the request again"),
        409 if method == "POST" => (Class::AlreadyExists, "the target has this already"),
        409 => (Class::Conflict, "the target's other data stands against it"),
        412 | 428 => (Class::StaleVersion, "the record changed since it was read"),
        423 => (Class::Transient, "the record is locked"),
        429 => (Class::Throttled, "the target asks for fewer requests"),
        503 if wait.is_some() => (Class::Throttled, "the target asks to be called later"),
        502 | 503 => (Class::Transient, "the target is not available"),
        504 => (Class::Timeout, "a gateway in front of the target got no answer"),
        500..=599 if safe => (Class::Transient, "the target has an internal fault"),
        500..=599 => (Class::Unknown, "the target has an internal fault"),
        _ => (Class::Permanent, "the target answers with an unexpected status"),
    };
    let mut error = ConnError::new(class, message).code(response.status);
    if safe {
        error.effect = Effect::None;
    } else if response.status == 502 {
        error.effect = Effect::Maybe;
    }
    Some(match wait {
        Some(wait) => error.retry_after(wait),
        None => error,
    })
}

/// What a failure below HTTP means. The address is left out of the words: a path or query may name a person.
pub(crate) fn broken(error: &reqwest::Error, safe: bool) -> ConnError {
    let causes: Vec<&(dyn std::error::Error + 'static)> = causes(error);
    if let Some(refused) = causes.iter().find_map(|cause| cause.downcast_ref::<Refused>()) {
        return ConnError::config(refused.to_string());
    }
    if let Some(fault) = causes.iter().find_map(|cause| tls_fault(*cause)) {
        return ConnError::config(format!("TLS with the target fails: {fault}"))
            .effect(if error.is_connect() || safe { Effect::None } else { Effect::Maybe });
    }
    if error.is_builder() {
        return ConnError::invalid("the request cannot be put on the wire: a value does not fit its place");
    }
    if error.is_connect() {
        let why = if error.is_timeout() {
            "no connection to the target in time"
        } else if error.is_dns() {
            "the target's name cannot be resolved"
        } else {
            "no connection to the target"
        };
        return ConnError::transient(why);
    }
    let why = if error.is_timeout() {
        "no answer from the target in time"
    } else {
        "the connection was lost before the answer was complete"
    };
    lost(why, safe)
}

/// The request may have reached the target and no usable answer came.
pub(crate) fn lost(why: &str, safe: bool) -> ConnError {
    ConnError::timeout(why).effect(if safe { Effect::None } else { Effect::Maybe })
}

fn causes<'e>(error: &'e (dyn std::error::Error + 'static)) -> Vec<&'e (dyn std::error::Error + 'static)> {
    // An io::Error hides what it wraps from `source`, so it is asked for both.
    let mut found = Vec::new();
    let mut open = vec![error];
    while let Some(next) = open.pop() {
        if found.len() > 16 {
            break;
        }
        found.push(next);
        open.extend(next.source());
        if let Some(inner) = next.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            open.push(inner);
        }
    }
    found
}

fn tls_fault<'e>(cause: &'e (dyn std::error::Error + 'static)) -> Option<&'e rustls::Error> {
    cause.downcast_ref::<rustls::Error>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry: Option<&str>) -> HttpResponse {
        let headers = retry.map(|text| ("retry-after".to_owned(), text.to_owned())).into_iter().collect();
        HttpResponse { status, headers, body: Vec::new() }
    }

    #[test]
    fn each_status_has_the_class_of_the_contract() {
        let cases = [
            (301, Class::Config),
            (400, Class::Invalid),
            (401, Class::Auth),
            (403, Class::Forbidden),
            (404, Class::NotFound),
            (405, Class::Unsupported),
            (409, Class::AlreadyExists),
            (412, Class::StaleVersion),
            (418, Class::Permanent),
            (421, Class::Config),
            (422, Class::Invalid),
            (429, Class::Throttled),
            (500, Class::Unknown),
            (502, Class::Transient),
            (503, Class::Transient),
            (504, Class::Timeout),
        ];
        for (status, class) in cases {
            assert_eq!(refusal("POST", &answer(status, None)).unwrap().class, class, "{status}");
        }
        assert_eq!(refusal("GET", &answer(204, None)), None);
    }

    #[test]
    fn a_read_changes_nothing_whatever_the_status() {
        for status in 300..600 {
            assert_eq!(refusal("GET", &answer(status, None)).unwrap().effect, Effect::None, "{status}");
        }
    }

    #[test]
    fn a_write_answered_by_a_broken_gateway_may_have_happened() {
        for status in [500, 502, 504] {
            assert_eq!(refusal("PATCH", &answer(status, None)).unwrap().effect, Effect::Maybe, "{status}");
        }
        assert_eq!(refusal("PATCH", &answer(503, None)).unwrap().effect, Effect::None);
    }

    #[test]
    fn a_wish_to_wait_is_carried_along() {
        let error = refusal("PATCH", &answer(503, Some("7"))).unwrap();
        assert_eq!((error.class, error.retry_after_ms), (Class::Throttled, Some(7000)));
    }
}
