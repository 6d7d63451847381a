//! The requests that a connector sends, heard on the wire and sent again by a client that does nothing else.

use reqwest::{Client, Method};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Fields that belong to the connection or to who asks.
const NOT_KEPT: [&str; 5] = ["host", "content-length", "connection", "user-agent", "accept"];

/// A request as it was.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: Method,
    /// With its query.
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What connections brought, each by itself: the octets of one are in order.
type Heard = Arc<Mutex<Vec<Arc<Mutex<Vec<u8>>>>>>;

/// Stands before a target and hears what it is asked.
pub struct Listener {
    pub addr: SocketAddr,
    heard: Heard,
}

impl Listener {
    pub async fn before(there: SocketAddr) -> Listener {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("a port");
        let heard = Heard::default();
        let connections = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let octets = Arc::new(Mutex::new(Vec::new()));
                connections.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&octets));
                tokio::spawn(pass(client, there, octets));
            }
        });
        Listener { addr, heard }
    }

    /// Everything that was asked, connection by connection.
    pub fn calls(&self) -> Vec<Call> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().flat_map(|octets| calls(&octets.lock().unwrap_or_else(PoisonError::into_inner))).collect()
    }
}

async fn pass(client: TcpStream, there: SocketAddr, octets: Arc<Mutex<Vec<u8>>>) {
    let server = TcpStream::connect(there).await.expect("the target listens");
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut block = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from_client.read(&mut block).await {
        octets.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&block[..count]);
        if to_server.write_all(&block[..count]).await.is_err() {
            break;
        }
    }
    back.abort();
}

fn calls(mut octets: &[u8]) -> Vec<Call> {
    let mut calls = Vec::new();
    while let Some(end) = octets.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&octets[..end]).into_owned();
        let mut lines = head.lines();
        let mut first = lines.next().expect("a request line").split(' ');
        let (method, path) = (first.next().expect("a method"), first.next().expect("a path").to_owned());
        let fields: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length = fields.iter().find(|(name, _)| name == "content-length");
        let length: usize = length.map_or(0, |(_, text)| text.parse().expect("a length"));
        let body = octets[end + 4..end + 4 + length].to_vec();
        octets = &octets[end + 4 + length..];
        calls.push(Call {
            method: method.parse().expect("a method"),
            path,
            headers: fields.into_iter().filter(|(name, _)| !NOT_KEPT.contains(&name.as_str())).collect(),
            body,
        });
    }
    calls
}

/// A client that sends calls again.
pub struct Again {
    client: Client,
    target: String,
    /// In place of the token that was given to somebody else.
    token: Option<String>,
}

impl Again {
    /// To the target at this address. A call for a token among those that were heard is made first.
    pub async fn to(addr: SocketAddr, heard: &[Call]) -> Again {
        let client = Client::builder().no_proxy().build().expect("a client");
        let mut again = Again { client, target: format!("http://{addr}"), token: None };
        if let Some(asks) = heard.iter().find(|call| call.asks_for_token()) {
            let granted: serde_json::Value = serde_json::from_str(&again.send(asks).await).expect("a token's answer");
            again.token = Some(format!("Bearer {}", granted["access_token"].as_str().expect("a token")));
        }
        again
    }

    /// Sends one, reads the answer to its end, and returns it.
    pub async fn send(&self, call: &Call) -> String {
        let mut request = self.client.request(call.method.clone(), format!("{}{}", self.target, call.path));
        for (name, value) in &call.headers {
            let ours = self.token.as_ref().filter(|_| name == "authorization");
            request = request.header(name, ours.unwrap_or(value));
        }
        let answer = request.body(call.body.clone()).send().await.expect("the target answers");
        let status = answer.status();
        let text = answer.text().await.expect("a whole answer");
        // A refusal may be what was asked for: a connector that wants to know the target's clock asks what is sure to be there.
        let served = !status.is_server_error() && status != 401 && status != 429;
        assert!(served, "{} {}: {status} {text}", call.method, call.path);
        text
    }
}

impl Call {
    pub fn asks_for_token(&self) -> bool {
        self.path.ends_with("/token")
    }
}
