//! Everything that is not a success, as SCIM says it.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, http::StatusCode};
use gateway_engine::Error as EngineError;
use gateway_store::StoreError;
use scim::{ScimError, ScimType};
use std::time::Duration;

/// How long a client waits before it asks a store again that does not answer.
const OUTAGE: Duration = Duration::from_secs(5);
/// How long a client waits before it asks again when the intake is full.
const FULL: Duration = Duration::from_secs(1);

/// An answer that is not a success: the SCIM error and what the status asks for beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Error {
    /// Status, keyword and sentence.
    pub scim: ScimError,
    /// With 429 and 503: when to come back.
    pub retry_after: Option<Duration>,
    /// With 405: what is allowed.
    pub allow: Option<&'static str>,
    /// With 401: how to say who one is.
    pub challenge: Option<&'static str>,
    /// The connection cannot be used again: part of the request is still on its way.
    pub close: bool,
}

impl Error {
    /// 405.
    pub fn not_allowed(allow: &'static str) -> Self {
        let detail = if allow.is_empty() {
            "Nothing can be done here.".to_owned()
        } else {
            format!("This endpoint takes {allow}.")
        };
        Self { allow: Some(allow), ..ScimError::method_not_allowed(detail).into() }
    }

    /// 401.
    pub fn unauthorized(challenge: &'static str, detail: &str) -> Self {
        Self { challenge: Some(challenge), ..ScimError::unauthorized(detail).into() }
    }

    /// 429.
    pub fn too_many(after: Duration) -> Self {
        let detail = "More requests than agreed for this source. Wait as long as Retry-After says.";
        Self { retry_after: Some(after), ..ScimError::too_many_requests(detail).into() }
    }

    /// 503.
    pub fn unavailable(after: Duration, detail: &str) -> Self {
        Self { retry_after: Some(after), ..ScimError::unavailable(detail).into() }
    }

    /// 408: the body did not arrive in time.
    pub fn slow_body() -> Self {
        let detail = "The body did not arrive in time. Send it without pauses, or send less.";
        Self { close: true, ..ScimError::new(408, None, detail).into() }
    }

    /// 413.
    pub fn too_large(limit: usize) -> Self {
        let detail = format!("The body is larger than {limit} bytes. Send less in one request.");
        Self { close: true, ..ScimError::payload_too_large(detail).into() }
    }

    /// 415.
    pub fn media_type(detail: &str) -> Self {
        ScimError::new(415, None, detail).into()
    }

    /// 500: a mistake of ours. The log has the rest under the request's number.
    pub fn internal() -> Self {
        let detail = "The gateway made a mistake; it is logged. The request may be sent again.";
        ScimError::new(500, None, detail).into()
    }

    /// The answer.
    pub fn respond(&self) -> HttpResponse {
        let status = StatusCode::from_u16(self.scim.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = HttpResponse::build(status);
        answer.insert_header((header::CONTENT_TYPE, HeaderValue::from_static(crate::answer::SCIM_JSON)));
        if let Some(after) = self.retry_after {
            answer.insert_header((header::RETRY_AFTER, HeaderValue::from(seconds(after))));
        }
        if let Some(allow) = self.allow {
            answer.insert_header((header::ALLOW, HeaderValue::from_static(allow)));
        }
        if let Some(challenge) = self.challenge {
            answer.insert_header((header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge)));
        }
        if self.scim.status == 415 {
            answer.insert_header((header::ACCEPT, HeaderValue::from_static("application/scim+json, application/json")));
            answer.insert_header((header::ACCEPT_ENCODING, HeaderValue::from_static("identity")));
        }
        if self.close {
            answer.force_close();
        }
        answer.body(self.scim.to_json().to_string())
    }
}

/// Whole seconds, rounded up: a client that waits as long as it is told is not early.
fn seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

impl From<ScimError> for Error {
    fn from(scim: ScimError) -> Self {
        Self { scim, retry_after: None, allow: None, challenge: None, close: false }
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Scim(scim) => scim.into(),
            EngineError::Busy(after) => {
                Self::unavailable(after, "The gateway has more to do than it takes. Try again.")
            }
            EngineError::Unavailable => outage(),
            EngineError::Unknown(what) => ScimError::not_found(format!("There is no {what}.")).into(),
            EngineError::Target(why) => ScimError::new(502, None, why).into(),
            EngineError::Internal(why) => {
                tracing::error!(why, "The engine made a mistake.");
                Self::internal()
            }
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => ScimError::not_found("There is no such resource.").into(),
            StoreError::Stale => ScimError::conflict("The resource changed meanwhile. Try again.").into(),
            StoreError::Uniqueness { attribute } => {
                ScimError::uniqueness(format!("Another resource has this value of {attribute}.")).into()
            }
            StoreError::UnknownMember(_) => {
                ScimError::bad_request(ScimType::InvalidValue, "A member of the group is no resource.").into()
            }
            StoreError::Cycle => {
                ScimError::bad_request(ScimType::InvalidValue, "The group would contain itself.").into()
            }
            StoreError::Full => Self::unavailable(FULL, "The gateway has more to do than it takes. Try again."),
            StoreError::TooSlow => {
                let detail = "The query takes too long. Filter by an attribute that is looked up by value, such as \
                              userName, externalId or id, or ask for fewer resources.";
                ScimError::bad_request(ScimType::TooMany, detail).into()
            }
            StoreError::Unavailable(why) => {
                tracing::warn!(%why, "The store does not answer.");
                outage()
            }
            StoreError::Corrupt(why) => {
                tracing::error!(%why, "The store cannot be read.");
                Self::internal()
            }
        }
    }
}

fn outage() -> Error {
    Error::unavailable(OUTAGE, "The gateway's store does not answer. Nothing was changed; try again.")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use actix_web::body::MessageBody;
    use serde_json::Value;

    fn body(error: &Error) -> (HttpResponse, Value) {
        let answer = error.respond();
        let (answer, body) = answer.into_parts();
        let value = serde_json::from_slice(&body.try_into_bytes().unwrap()).unwrap();
        (answer.map_into_boxed_body().set_body(actix_web::body::BoxBody::new(())), value)
    }

    #[test]
    fn an_error_names_its_status_twice_and_its_media_type_once() {
        let (answer, value) = body(&ScimError::uniqueness("Another resource has this value of userName.").into());

        assert_eq!(answer.status(), 409);
        assert_eq!(answer.headers().get("content-type").unwrap(), "application/scim+json;charset=utf-8");
        assert_eq!(value["status"], "409");
        assert_eq!(value["scimType"], "uniqueness");
        assert_eq!(value["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:Error");
    }

    #[test]
    fn the_stores_outage_is_503_and_says_when_to_come_back() {
        let (answer, value) = body(&StoreError::Unavailable("disk full".into()).into());

        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers().get("retry-after").unwrap(), "5");
        assert!(!value["detail"].as_str().unwrap().contains("disk"), "what is wrong inside is for the log");
    }

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        let (answer, _) = body(&Error::too_many(Duration::from_millis(1_200)));

        assert_eq!(answer.status(), 429);
        assert_eq!(answer.headers().get("retry-after").unwrap(), "2");
    }

    #[test]
    fn a_query_that_takes_too_long_is_the_callers_to_mend() {
        let (answer, value) = body(&StoreError::TooSlow.into());

        assert_eq!((answer.status().as_u16(), value["scimType"].as_str()), (400, Some("tooMany")));
    }
}
