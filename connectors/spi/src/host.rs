//! Everything a connector may ask of the gateway.

use crate::{Result, Secret, SecretRef, plain};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The gateway, as a connector sees it.
#[async_trait]
pub trait Host: Send + Sync {
    /// Reads a secret anew. Fails with [`crate::Class::Config`] when it cannot be read.
    async fn secret(&self, reference: &SecretRef) -> Result<Secret>;

    /// Sends a request through the one door to the network: allow-list, TLS, size and time limits, rate.
    async fn http(&self, request: HttpRequest) -> Result<HttpResponse>;

    /// Tells something that is worth a line in the log. Fields hold our ids, never a person's data.
    fn event(&self, level: Level, message: &str, fields: &[(&str, &str)]);
}

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For somebody who looks for a fault.
    Debug,
    /// Worth knowing.
    Info,
    /// Needs a look.
    Warn,
    /// Needs a person.
    Error,
}

/// A request to a target over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpRequest {
    /// The method, upper case.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// Header fields in order.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body; absent is empty.
    #[serde(default, with = "plain::body", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "plain::body::Body")]
    pub body: HttpBody,
    /// Longest time until the body of the answer is read; whole milliseconds on the wire.
    #[serde(rename = "timeoutMs", with = "plain::millis")]
    #[schemars(with = "u64")]
    pub timeout: Duration,
    /// Largest body of the answer in octets.
    pub max_body: usize,
}

/// A body, as octets. On the wire of a plugin it is text where it is UTF-8, else `{"bytes": "<base64>"}`.
pub type HttpBody = Vec<u8>;

/// The answer to an [`HttpRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; absent is empty.
    #[serde(default, with = "plain::body", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "plain::body::Body")]
    pub body: HttpBody,
}

impl HttpResponse {
    /// The first header field of this name (given in lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{from_value, json, to_value};

    #[test]
    fn a_request_is_plain_on_the_wire() {
        let request = HttpRequest {
            method: "POST".to_owned(),
            url: "https://a.example/".to_owned(),
            headers: vec![("accept".to_owned(), "text/plain".to_owned())],
            body: b"x".to_vec(),
            timeout: Duration::from_millis(1500),
            max_body: 9,
        };

        let wire = to_value(&request).unwrap();

        assert_eq!((&wire["body"], &wire["timeoutMs"], &wire["maxBody"]), (&json!("x"), &json!(1500), &json!(9)));
        assert_eq!(from_value::<HttpRequest>(wire).unwrap(), request);
    }

    #[test]
    fn a_body_that_is_no_text_travels_as_octets_and_an_empty_one_not_at_all() {
        for body in [vec![0xff, 0x00], b"{}".to_vec(), Vec::new()] {
            let response = HttpResponse { status: 200, headers: Vec::new(), body };

            let wire = to_value(&response).unwrap();

            assert_eq!(wire.get("body").is_some(), !response.body.is_empty());
            assert_eq!(from_value::<HttpResponse>(wire).unwrap(), response);
        }
    }
}
