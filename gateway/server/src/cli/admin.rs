//! Asking a running gateway, over its Unix socket.
//!
//! HTTP/1.0: one request a connection, no chunks to put together. That is all there is to it, so no client library is needed.

use super::{Failure, Running};
use crate::environment;
use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longer than any question takes that asks a target.
const TIMEOUT: Duration = Duration::from_secs(150);
/// Larger than any answer.
const MAX_ANSWER: u64 = 256 << 20;

/// Why there is no answer.
#[derive(Debug)]
pub enum Trouble {
    /// No gateway runs there.
    NotRunning(String),
    /// It answered that this cannot be done, or something went wrong on the way.
    Failed(String),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::NotRunning(text) | Trouble::Failed(text) => Failure(text),
        }
    }
}

impl Running {
    /// Where the socket is: as told, or as the configuration says, or where it is by default. A configuration with mistakes
    /// will do, since the running gateway may have read an earlier one.
    fn path(&self) -> PathBuf {
        if let Some(told) = &self.socket {
            return PathBuf::from(told);
        }
        let file = self.file.config.as_deref().unwrap_or("chartgate.toml");
        let said = crate::config::admin_socket(Path::new(file));
        let folder = Path::new(file).parent().unwrap_or(Path::new(""));
        folder.join(said.as_deref().unwrap_or("chartgate.sock"))
    }

    /// Asks for something.
    pub fn get(&self, path: &str) -> Result<Value, Trouble> {
        self.ask("GET", path, None)
    }

    /// Orders something.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Trouble> {
        self.ask("POST", path, Some(body))
    }

    /// Takes something away.
    pub fn delete(&self, path: &str) -> Result<Value, Trouble> {
        self.ask("DELETE", path, None)
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Trouble> {
        let socket = self.path();
        let shown = socket.display();
        let mut stream = UnixStream::connect(&socket).map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                let hint = "start one by `chartgate serve`, or name its socket by --socket";
                Trouble::NotRunning(format!("no gateway runs here: nothing answers on {shown}\n  hint: {hint}"))
            }
            ErrorKind::PermissionDenied => {
                Trouble::Failed(format!("{shown} may be opened by the gateway's own user and by root only"))
            }
            other => Trouble::Failed(format!("{shown}: {other}")),
        })?;
        let lost =
            |error: std::io::Error| Trouble::Failed(format!("the gateway's answer did not come: {}", error.kind()));
        stream.set_read_timeout(Some(TIMEOUT)).and_then(|()| stream.set_write_timeout(Some(TIMEOUT))).map_err(lost)?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let head = format!(
            "{method} /admin{path} HTTP/1.0\r\nHost: chartgate\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).map_err(lost)?;
        let mut answer = Vec::new();
        stream.take(MAX_ANSWER).read_to_end(&mut answer).map_err(lost)?;
        read(&answer)
    }
}

fn read(answer: &[u8]) -> Result<Value, Trouble> {
    let strange = || Trouble::Failed("the answer on the socket is no gateway's".to_owned());
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(strange)?;
    let head = std::str::from_utf8(answer.get(..end).unwrap_or_default()).map_err(|_| strange())?;
    let status: u16 = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(strange)?;
    let body = answer.get(end + 4..).unwrap_or_default();
    let value = if body.is_empty() { Value::Null } else { serde_json::from_slice(body).map_err(|_| strange())? };
    if (200..300).contains(&status) {
        return Ok(value);
    }
    let detail = value.get("detail").and_then(Value::as_str).unwrap_or("it did not say why");
    Err(Trouble::Failed(format!("the gateway refused ({status}): {detail}")))
}

/// A query of those that are given: `?a=1&b=2`.
pub fn query(pairs: &[(&str, Option<String>)]) -> String {
    let given: Vec<String> =
        pairs.iter().filter_map(|(name, value)| Some(format!("{name}={}", escape(value.as_deref()?)))).collect();
    if given.is_empty() { String::new() } else { format!("?{}", given.join("&")) }
}

/// A text as one segment of a path, or one value of a query (RFC 3986, section 2.1).
pub fn escape(text: &str) -> String {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~".contains(&octet);
    text.bytes()
        .map(|octet| if plain(octet) { char::from(octet).to_string() } else { format!("%{octet:02X}") })
        .collect()
}

/// Who gives the orders, for the audit of what is done without a running gateway.
pub fn operator() -> String {
    environment::variable("USER").map_or_else(|| "offline".to_owned(), |name| format!("offline:{name}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_and_a_refusal_is_its_detail() {
        let ok = read(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n[1]").unwrap();
        let Err(Trouble::Failed(refused)) = read(b"HTTP/1.0 404 Not Found\r\n\r\n{\"detail\":\"no target x\"}") else {
            panic!("a refusal is no answer")
        };

        assert_eq!(ok, serde_json::json!([1]));
        assert_eq!(refused, "the gateway refused (404): no target x");
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for strange in ["", "HTTP/1.0 200", "\r\n\r\n", "220 smtp\r\n\r\nx", "HTTP/1.0 200 OK\r\n\r\n<html>"] {
            assert!(matches!(read(strange.as_bytes()), Err(Trouble::Failed(_))), "{strange:?}");
        }
    }

    #[test]
    fn a_query_is_escaped() {
        assert_eq!(query(&[("a", None), ("b", Some("x y/ü".to_owned()))]), "?b=x%20y%2F%C3%BC");
        assert_eq!(query(&[("a", None)]), "");
    }
}
