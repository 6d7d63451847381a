//! Messages: one JSON object on one line.

use crate::wire::MAX_FRAME;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// A buffer that a large message made is given back when it is larger than this.
const KEPT: usize = 256 << 10;

/// A failure as JSON-RPC tells it (JSON-RPC 2.0 section 5.1).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RpcError {
    /// What sort of failure; see the codes in [`crate::wire`].
    pub code: i64,
    /// Words for whoever reads the log.
    #[serde(default)]
    pub message: String,
    /// With [`crate::wire::CODE_CONTRACT`], a [`connector_spi::ConnError`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
}

/// One message that came in.
#[derive(Debug, Deserialize)]
pub(crate) struct Incoming<'a> {
    #[serde(default)]
    pub id: Option<u64>,
    #[serde(default)]
    pub method: Option<String>,
    #[serde(default, borrow)]
    pub params: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    pub result: Option<&'a RawValue>,
    #[serde(default)]
    pub error: Option<RpcError>,
}

/// A `null` is a result too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

#[derive(Serialize)]
struct Outgoing<'a, P: ?Sized> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    method: &'a str,
    params: &'a P,
}

#[derive(Serialize)]
struct Answer<'a> {
    jsonrpc: &'static str,
    id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RpcError>,
}

const VERSION: &str = "2.0";

/// A request, or without an id a notification. `None` when it cannot be written as JSON or is too long.
pub(crate) fn request<P: Serialize + ?Sized>(id: Option<u64>, method: &str, params: &P) -> Option<Vec<u8>> {
    framed(&Outgoing { jsonrpc: VERSION, id, method, params })
}

/// An answer. `None` when it is too long.
pub(crate) fn answer(id: u64, outcome: &Result<Box<RawValue>, RpcError>) -> Option<Vec<u8>> {
    framed(&match outcome {
        Ok(result) => Answer { jsonrpc: VERSION, id, result: Some(result), error: None },
        Err(error) => Answer { jsonrpc: VERSION, id, result: None, error: Some(error) },
    })
}

fn framed<T: Serialize>(message: &T) -> Option<Vec<u8>> {
    let mut frame = Vec::with_capacity(1024);
    serde_json::to_writer(&mut frame, message).ok()?;
    frame.push(b'\n');
    (frame.len() <= MAX_FRAME).then_some(frame)
}

/// Why nothing more can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The other end closed.
    Ended,
    /// A message was longer than [`MAX_FRAME`].
    TooLong,
    /// Octets that are no UTF-8.
    NotText,
}

/// Reads messages.
pub(crate) struct Frames<R> {
    from: BufReader<R>,
    frame: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    pub fn new(from: R) -> Self {
        Self { from: BufReader::with_capacity(64 << 10, from), frame: Vec::new() }
    }

    /// The next line, without its end.
    pub async fn next(&mut self) -> Result<&str, Broken> {
        self.frame.clear();
        self.frame.shrink_to(KEPT);
        let mut bounded = (&mut self.from).take(MAX_FRAME as u64);
        // A connection that fails has ended, whatever the reason.
        let read = bounded.read_until(b'\n', &mut self.frame).await.unwrap_or(0);
        match self.frame.split_last() {
            Some((b'\n', line)) => std::str::from_utf8(line).map_err(|_| Broken::NotText),
            Some(_) if read == MAX_FRAME => Err(Broken::TooLong),
            // Half a message is none.
            Some(_) | None => Err(Broken::Ended),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn first(octets: &[u8]) -> Result<String, Broken> {
        Frames::new(octets).next().await.map(str::to_owned)
    }

    #[tokio::test]
    async fn a_message_ends_with_its_line() {
        assert_eq!(first(b"{}\n{\"a\":1}\n").await, Ok("{}".to_owned()));
        assert_eq!(first(b"{\"half\":").await, Err(Broken::Ended));
        assert_eq!(first(b"").await, Err(Broken::Ended));
    }

    #[tokio::test]
    async fn the_longest_message_passes_and_one_octet_more_does_not() {
        let mut line = vec![b' '; MAX_FRAME - 1];
        line.push(b'\n');
        assert!(first(&line).await.is_ok());
        line.insert(0, b' ');
        assert_eq!(first(&line).await, Err(Broken::TooLong));
    }

    #[tokio::test]
    async fn octets_that_are_no_text_are_not_repaired() {
        assert_eq!(first(b"{\"a\":\"\xff\"}\n").await, Err(Broken::NotText));
    }

    #[test]
    fn a_null_is_a_result() {
        let incoming: Incoming<'_> = serde_json::from_str(r#"{"id":1,"result":null}"#).unwrap();
        assert_eq!(incoming.result.map(RawValue::get), Some("null"));
    }
}
