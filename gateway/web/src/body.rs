//! Reading a request's body: in time, within a size, of a type that is understood.

use crate::error::Error;
use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use scim::{ScimError, ScimType};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// What is set aside for a body before it arrives, whatever its announced length.
const AHEAD: usize = 64 << 10;

/// Reads the body whole.
///
/// # Errors
/// 415 for a type other than JSON and for any content coding: a compressed body could be a thousand times its size, and no
/// identity provider is known to send one. 413 as soon as the announced length or what came is beyond `limit`. 408 when it is
/// not there in time.
pub(crate) async fn read(
    headers: &HeaderMap,
    payload: &mut Payload,
    limit: usize,
    deadline: Duration,
) -> Result<Bytes, Error> {
    media_type(headers)?;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|text| text.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(Error::too_large(limit));
    }
    let mut body = BytesMut::with_capacity(announced.unwrap_or(0).min(AHEAD));
    let arrival = async {
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Error { close: true, ..cut_short().into() })?;
            if body.len() + chunk.len() > limit {
                return Err(Error::too_large(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(())
    };
    match tokio::time::timeout(deadline, arrival).await {
        Ok(Ok(())) => Ok(body.freeze()),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(Error::slow_body()),
    }
}

fn cut_short() -> ScimError {
    ScimError::bad_request(ScimType::InvalidSyntax, "The body ended before it was complete.")
}

/// `application/scim+json` and `application/json`, with any parameters; UTF-8 only. A request that names no type is read as
/// JSON (RFC 9110, section 8.3, leaves it to the recipient).
fn media_type(headers: &HeaderMap) -> Result<(), Error> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(Error::media_type("The body is compressed. Send it as it is."));
    }
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let given = given.to_str().unwrap_or_default();
    let mut parts = given.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    if !essence.eq_ignore_ascii_case("application/scim+json") && !essence.eq_ignore_ascii_case("application/json") {
        return Err(Error::media_type("The body must be application/scim+json or application/json."));
    }
    let charset = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.eq_ignore_ascii_case("charset"));
    match charset {
        Some((_, name)) if !["utf-8", "utf8"].iter().any(|utf8| name.trim_matches('"').eq_ignore_ascii_case(utf8)) => {
            Err(Error::media_type("The body must be in UTF-8."))
        }
        _ => Ok(()),
    }
}

/// Keeps the request's body until the answer is sent.
///
/// The framework reads an abandoned body of no announced length to its end, however long that takes. One that is still held
/// counts as unread instead, and the connection is closed behind the answer.
pub(crate) fn hold(answer: HttpResponse, request: Payload) -> HttpResponse {
    answer.map_body(|_, body| BoxBody::new(Holding { body, _request: request }))
}

struct Holding {
    body: BoxBody,
    _request: Payload,
}

impl MessageBody for Holding {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(cx)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn both_json_types_are_read_with_or_without_parameters() {
        for given in [
            "application/scim+json",
            "application/json",
            "Application/SCIM+JSON; charset=utf-8",
            "application/json;charset=UTF-8; profile=\"x\"",
            "application/scim+json; charset=\"utf-8\"",
        ] {
            assert_eq!(media_type(&headers(&[("content-type", given)])), Ok(()), "{given}");
        }
        assert_eq!(media_type(&headers(&[])), Ok(()));
    }

    #[test]
    fn other_types_and_charsets_are_415() {
        for given in [
            "text/xml",
            "application/x-www-form-urlencoded",
            "application/jsonp",
            "",
            "application/json;charset=utf-16",
        ] {
            assert_eq!(media_type(&headers(&[("content-type", given)])).unwrap_err().scim.status, 415, "{given}");
        }
    }

    #[test]
    fn a_compressed_body_is_415_before_a_byte_of_it_is_read() {
        let given = headers(&[("content-type", "application/json"), ("content-encoding", "gzip")]);

        assert_eq!(media_type(&given).unwrap_err().scim.status, 415);
    }
}
