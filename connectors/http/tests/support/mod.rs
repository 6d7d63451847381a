//! A server that does as it is told, and a gateway that knows one secret.
#![allow(dead_code, reason = "each test file uses its part")]

use async_trait::async_trait;
use connector_http::{Door, HttpConfig};
use connector_spi::{ConnError, Host, HttpRequest, HttpResponse, Level, Result, Secret, SecretRef};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// What the server does with one request.
#[derive(Clone)]
pub enum Act {
    /// Sends this and closes.
    Answer(String),
    /// Reads the request and says nothing.
    Hang,
    /// Sends a head, then one octet of body every 20 ms.
    Trickle,
    /// Sends a head without length, then body without end.
    Flood,
    /// Reads the request, then resets the connection.
    Cut,
    /// Sends half of a body and closes.
    Truncate,
}

/// A server on the loopback; the last act repeats.
pub struct Server {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub async fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let acts = Arc::new(Mutex::new(acts.into_iter().collect::<VecDeque<_>>()));
        let log = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, acts.clone(), log.clone()));
            }
        });
        Self { address, seen }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, acts: Arc<Mutex<VecDeque<Act>>>, seen: Arc<Mutex<Vec<String>>>) {
    let Some(request) = read_request(&mut stream).await else { return };
    seen.lock().unwrap().push(request);
    let act = {
        let mut acts = acts.lock().unwrap();
        if acts.len() > 1 { acts.pop_front().unwrap() } else { acts.front().unwrap().clone() }
    };
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\n";
    match act {
        Act::Answer(text) => {
            say(&mut stream, &text).await;
        }
        Act::Hang => sleep(Duration::from_secs(60)).await,
        Act::Trickle => {
            say(&mut stream, &format!("{head}content-length: 10000\r\n\r\n")).await;
            while stream.write_all(b" ").await.is_ok() {
                sleep(Duration::from_millis(20)).await;
            }
        }
        Act::Flood => {
            say(&mut stream, &format!("{head}\r\n")).await;
            let block = vec![b'x'; 64 << 10];
            while stream.write_all(&block).await.is_ok() {}
        }
        Act::Cut => {
            #[allow(deprecated, reason = "a reset is what this is for; the socket is non-blocking and empty")]
            stream.set_linger(Some(Duration::ZERO)).unwrap();
        }
        Act::Truncate => {
            say(&mut stream, &format!("{head}content-length: 100\r\n\r\n{{\"half\":")).await;
        }
    }
}

/// A client that is gone by now is no fault of the server's: what it made of that is for the test to judge.
async fn say(stream: &mut TcpStream, text: &str) {
    drop(stream.write_all(text.as_bytes()).await);
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut got = Vec::new();
    let mut block = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&got).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return Some(text);
            }
        }
        match stream.read(&mut block).await {
            Ok(n) if n > 0 => got.extend_from_slice(&block[..n]),
            _ => return None,
        }
    }
}

/// A whole answer with this status, further header lines and body.
pub fn answer(status: u16, headers: &[&str], body: &str) -> Act {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    Act::Answer(format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{lines}\r\n{body}"))
}

/// A gateway whose secrets come off a list; the last one repeats.
pub struct Gateway(pub Mutex<VecDeque<String>>);

impl Gateway {
    pub fn with(secrets: &[&str]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(secrets.iter().map(|text| (*text).to_owned()).collect())))
    }
}

#[async_trait]
impl Host for Gateway {
    async fn secret(&self, _: &SecretRef) -> Result<Secret> {
        let mut secrets = self.0.lock().unwrap();
        let next = if secrets.len() > 1 { secrets.pop_front() } else { secrets.front().cloned() };
        next.map(Secret::new).ok_or_else(|| ConnError::config("no such secret"))
    }
    async fn http(&self, _: HttpRequest) -> Result<HttpResponse> {
        Err(ConnError::unsupported("not here"))
    }
    fn event(&self, _: Level, _: &str, _: &[(&str, &str)]) {}
}

/// Settings for a server on the loopback, with `more` on top.
pub fn settings(url: &str, more: serde_json::Value) -> HttpConfig {
    let mut all = serde_json::json!({
        "url": url, "allow_plaintext": true, "allow_networks": ["127.0.0.0/8"], "timeout": 2, "connect_timeout": 1,
    });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

pub async fn door(url: &str, more: serde_json::Value, secrets: &[&str]) -> Door {
    Door::open(settings(url, more), Gateway::with(secrets)).await.unwrap()
}

/// One request to `path` with limits of its own choice.
pub async fn ask(door: &Door, method: &str, path: &str) -> Result<HttpResponse> {
    let url = door.base().join(path).unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_millis(700);
    door.send(door.request(method, &url, deadline)).await
}
