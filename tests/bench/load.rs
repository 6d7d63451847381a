//! Callers over HTTP/1.1 with as little of their own as can be: what a client costs is taken from the gateway's processors.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// Where the gateway is, and the token.
#[derive(Clone)]
pub struct Door {
    address: String,
    token: String,
}

/// What came of many requests.
pub struct Outcome {
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Of each request, in the order of the requests.
    pub times: Vec<Duration>,
    /// The ids in the answers' `Location`, in the order of the requests.
    pub ids: Vec<String>,
}

impl Outcome {
    /// Requests a second.
    pub fn rate(&self) -> f64 {
        self.times.len() as f64 / self.elapsed.as_secs_f64()
    }
}

/// The median in microseconds.
pub fn p50(times: &[Duration]) -> f64 {
    let micros: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e6).collect();
    crate::figure::median(&micros)
}

impl Door {
    /// The door of a gateway whose SCIM root is `base`.
    pub fn new(base: &str, token: &str) -> Door {
        let rest = base.strip_prefix("http://").expect("plain HTTP");
        let address = rest.split('/').next().expect("an address").to_owned();
        Door { address, token: token.to_owned() }
    }

    /// A request as it goes over the wire.
    pub fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let Door { address, token } = self;
        let length = body.len();
        format!(
            "{method} /scim/v2{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/scim+json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    /// Sends all requests, `callers` at a time, each caller one after the other on a connection of its own. The runtime must
    /// have one thread.
    pub async fn drive(&self, callers: usize, requests: Vec<Vec<u8>>) -> Outcome {
        let mut lines = Vec::new();
        for _ in 0..callers {
            lines.push(Line::open(&self.address).await);
        }
        let count = requests.len();
        let left = Rc::new(RefCell::new(requests.into_iter().enumerate()));
        let done = Rc::new(RefCell::new((vec![Duration::ZERO; count], vec![String::new(); count])));
        let began = Instant::now();
        let set = LocalSet::new();
        for mut line in lines {
            let (left, done) = (Rc::clone(&left), Rc::clone(&done));
            set.spawn_local(async move {
                loop {
                    let next = left.borrow_mut().next();
                    let Some((number, request)) = next else { break };
                    let asked = Instant::now();
                    let reply = line.ask(&request).await;
                    assert!((200..300).contains(&reply.status), "{}", String::from_utf8_lossy(&line.last));
                    let mut done = done.borrow_mut();
                    done.0[number] = asked.elapsed();
                    done.1[number] = reply.id;
                }
            });
        }
        set.await;
        let elapsed = began.elapsed();
        let (times, ids) = Rc::try_unwrap(done).expect("every caller ended").into_inner();
        Outcome { elapsed, times, ids }
    }

    /// One request and the whole answer's body.
    pub async fn once(&self, method: &str, path: &str, body: &str) -> String {
        let mut line = Line::open(&self.address).await;
        let reply = line.ask(&self.request(method, path, body)).await;
        let text = String::from_utf8_lossy(&line.last).into_owned();
        assert!((200..300).contains(&reply.status), "{text}");
        text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }
}

/// A runtime of one thread, for callers.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

struct Line {
    stream: TcpStream,
    last: Vec<u8>,
}

struct Reply {
    status: u16,
    id: String,
}

impl Line {
    async fn open(address: &str) -> Line {
        let stream = TcpStream::connect(address).await.expect("the gateway listens");
        stream.set_nodelay(true).expect("a socket");
        Line { stream, last: Vec::with_capacity(16 << 10) }
    }

    async fn ask(&mut self, request: &[u8]) -> Reply {
        self.stream.write_all(request).await.expect("the gateway reads");
        self.last.clear();
        loop {
            let read = self.stream.read_buf(&mut self.last).await.expect("the gateway answers");
            assert!(read > 0, "the gateway hung up: {}", String::from_utf8_lossy(&self.last));
            let Some(end) = self.last.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&self.last[..end]).expect("a head is text");
            let status = head[9..12].parse().expect("a status");
            let length: usize = field(head, "content-length").map_or(0, |text| text.parse().expect("a length"));
            let id = field(head, "location").and_then(|at| at.rsplit('/').next()).unwrap_or_default().to_owned();
            let whole = end + 4 + length;
            while self.last.len() < whole {
                let read = self.stream.read_buf(&mut self.last).await.expect("the gateway answers");
                assert!(read > 0, "the gateway hung up");
            }
            return Reply { status, id };
        }
    }
}

fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
