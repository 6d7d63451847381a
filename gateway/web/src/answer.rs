//! Answers that succeed.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

/// What SCIM is sent as (RFC 7644, section 3.1).
pub(crate) const SCIM_JSON: &str = "application/scim+json;charset=utf-8";
const JSON: &str = "application/json;charset=utf-8";

/// A SCIM body. It is `application/scim+json`, but for a client that accepts `application/json` and nothing else (RFC 7644,
/// section 3.8). A client that accepts neither gets it all the same: RFC 9110, section 12.4.1, allows it, and an identity
/// provider that sends a wrong `Accept` would else be cut off.
pub(crate) fn scim(request: &HeaderMap, status: StatusCode, body: &impl Serialize) -> HttpResponse {
    finish(builder(status, media_type(request)), body)
}

/// The same with a version and a place.
pub(crate) fn resource(
    request: &HeaderMap,
    status: StatusCode,
    body: &impl Serialize,
    etag: &str,
    location: &str,
) -> HttpResponse {
    let mut answer = builder(status, media_type(request));
    answer.insert_header((header::ETAG, etag)).insert_header((header::LOCATION, location));
    finish(answer, body)
}

/// An answer without a body: 204 after a write, 304 after a read.
pub(crate) fn empty(status: StatusCode, etag: Option<&str>) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    if let Some(etag) = etag {
        answer.insert_header((header::ETAG, etag));
    }
    answer.finish()
}

/// JSON outside SCIM: health and administration.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    finish(builder(status, JSON), body)
}

fn builder(status: StatusCode, media_type: &'static str) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer.insert_header((header::CONTENT_TYPE, HeaderValue::from_static(media_type)));
    // People's data: never into a shared cache, and asked for again each time, so that an ETag is of use.
    answer.insert_header((header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")));
    answer
}

fn finish(mut answer: HttpResponseBuilder, body: &impl Serialize) -> HttpResponse {
    match serde_json::to_vec(body) {
        Ok(body) => answer.body(body),
        Err(error) => {
            tracing::error!(%error, "An answer could not be written.");
            crate::error::Error::internal().respond()
        }
    }
}

fn media_type(request: &HeaderMap) -> &'static str {
    let Some(accept) = request.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()) else { return SCIM_JSON };
    let names = |name: &str| {
        accept
            .split(',')
            .filter_map(|range| range.split(';').next())
            .any(|range| range.trim().eq_ignore_ascii_case(name))
    };
    if names("application/json") && !names("application/scim+json") && !names("*/*") && !names("application/*") {
        JSON
    } else {
        SCIM_JSON
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn answered(accept: Option<&str>) -> &'static str {
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
        }
        media_type(&headers)
    }

    #[test]
    fn answers_are_scim_json_unless_plain_json_is_all_that_is_accepted() {
        assert_eq!(answered(None), SCIM_JSON);
        assert_eq!(answered(Some("*/*")), SCIM_JSON);
        assert_eq!(answered(Some("application/scim+json, application/json;q=0.5")), SCIM_JSON);
        assert_eq!(answered(Some("application/json, */*")), SCIM_JSON);
        assert_eq!(answered(Some("application/json")), JSON);
        assert_eq!(answered(Some("application/json; charset=utf-8, text/html")), JSON);
    }

    #[test]
    fn a_client_that_accepts_nothing_we_have_is_answered_all_the_same() {
        assert_eq!(answered(Some("text/html")), SCIM_JSON);
    }
}
