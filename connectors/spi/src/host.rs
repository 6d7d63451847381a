//! Everything a connector may ask of the gateway.

use crate::{Result, Secret, SecretRef};
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
    /// The body.
    #[serde(default)]
    pub body: HttpBody,
    /// Longest time until the body of the answer is read.
    pub timeout: Duration,
    /// Largest body of the answer in octets.
    pub max_body: usize,
}

/// A body, as octets (text on the wire of a plugin).
pub type HttpBody = Vec<u8>;

/// The answer to an [`HttpRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: HttpBody,
}

impl HttpResponse {
    /// The first header field of this name (given in lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
