//! HTTP/1.1 on the loopback (RFC 9112): as much of a server as a replay and a recording need.

use std::io;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// Longest line of a request's head in octets.
const LINE: usize = 64 << 10;
/// Most header fields.
const FIELDS: usize = 200;
/// Largest body in octets.
const BODY: usize = 16 << 20;

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The setting whose address was called.
    pub door: String,
    /// The method.
    pub method: String,
    /// The path as it was sent.
    pub path: String,
    /// Members of the query in order, decoded.
    pub query: Vec<(String, String)>,
    /// The query as it was sent.
    pub raw_query: Option<String>,
    /// Header fields in order; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Heard {
    /// The first header field of this name (in lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Method and path.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// An answer as it goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// One connection.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self(BufReader::new(stream))
    }

    /// The next request; `None` when the other side is done.
    pub(crate) async fn hear(&mut self, door: &str) -> io::Result<Option<Heard>> {
        let Some(first) = self.line().await? else { return Ok(None) };
        let mut words = first.split(' ');
        let (Some(method), Some(target)) = (words.next(), words.next()) else { return Err(strange()) };
        let (path, raw_query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let mut headers: Vec<(String, String)> = Vec::new();
        loop {
            let line = self.line().await?.ok_or_else(strange)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(strange)?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            if headers.len() > FIELDS {
                return Err(strange());
            }
        }
        let field = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let body = match (field("transfer-encoding"), field("content-length")) {
            (Some(_), _) => self.chunks().await?,
            (None, Some(length)) => {
                let length: usize = length.parse().map_err(|_| strange())?;
                self.octets(length).await?
            }
            (None, None) => Vec::new(),
        };
        let query = raw_query.map(|query| url::form_urlencoded::parse(query.as_bytes()).into_owned().collect());
        Ok(Some(Heard {
            door: door.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.unwrap_or_default(),
            raw_query: raw_query.map(str::to_owned),
            headers,
            body,
        }))
    }

    pub(crate) async fn say(&mut self, said: &Said) -> io::Result<()> {
        let mut head = format!("HTTP/1.1 {} -\r\n", said.status);
        for (name, value) in &said.headers {
            let clean = |text: &str| text.replace(['\r', '\n'], " ");
            head.push_str(&format!("{}: {}\r\n", clean(name), clean(value)));
        }
        if !matches!(said.status, 100..=199 | 204 | 304) {
            head.push_str(&format!("content-length: {}\r\n", said.body.len()));
        }
        head.push_str("\r\n");
        let stream = self.0.get_mut();
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&said.body).await?;
        stream.flush().await
    }

    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let read = (&mut self.0).take(LINE as u64).read_until(b'\n', &mut line).await?;
        if read == 0 {
            return Ok(None);
        }
        if line.pop() != Some(b'\n') {
            return Err(strange());
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }

    async fn octets(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length > BODY {
            return Err(strange());
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        Ok(body)
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await?.ok_or_else(strange)?;
            let size = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16);
            let size = size.map_err(|_| strange())?;
            if body.len().saturating_add(size) > BODY {
                return Err(strange());
            }
            body.extend(self.octets(size).await?);
            self.line().await?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
}

fn strange() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "no request of HTTP/1.1 within limits")
}
