//! A connector's own request.

use connector_spi::{ConnError, HttpRequest, Result};
use std::time::Duration;
use url::Url;

/// A request through the door. As [`HttpRequest`], but its address is read already: a connector that made it need not have it
/// written and read once more.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method, upper case.
    pub method: String,
    /// The whole address.
    pub url: Url,
    /// Header fields in order.
    pub headers: Vec<(String, String)>,
    /// The body; empty is none.
    pub body: Vec<u8>,
    /// Longest time until the body of the answer is read.
    pub timeout: Duration,
    /// Largest body of the answer in octets.
    pub max_body: usize,
}

impl TryFrom<HttpRequest> for Request {
    type Error = ConnError;

    /// # Errors
    /// `Config` for an address that is none.
    fn try_from(request: HttpRequest) -> Result<Self> {
        let HttpRequest { method, url, headers, body, timeout, max_body } = request;
        let url = Url::parse(&url).map_err(|_| ConnError::config("a request's address is no address"))?;
        Ok(Self { method, url, headers, body, timeout, max_body })
    }
}
