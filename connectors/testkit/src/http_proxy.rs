//! A proxy that does harm to a target over HTTP, without TLS of its own: one request on each connection. It counts the writes that reach the
//! target, which is a look at the target for whoever has no other.

use crate::faults::{Fault, FaultProxy};
use crate::subject::StateProbe;
use async_trait::async_trait;
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};

/// Largest request that is passed on, in octets.
const LARGEST: usize = 16 << 20;

/// Octets that are missing of a page that is cut.
const CUT: usize = 20;

/// How often a port is tried to be let go or had again, and the pause in between: five seconds in all.
const PORT_TRIES: u32 = 500;
const PORT_PAUSE: Duration = Duration::from_millis(10);

/// Whether a request, from its first line to the end of its body, writes.
type Writes = dyn Fn(&[u8]) -> bool + Send + Sync;

/// A proxy that understands as much of HTTP as it takes to do harm. Point the connector's address at [`url`](HttpProxy::url).
///
/// For [`Fault::TruncatedPage`] it ends the answer to whatever reads before its last octets.
pub struct HttpProxy {
    here: SocketAddr,
    line: Arc<Line>,
    listening: Mutex<Option<JoinHandle<()>>>,
}

/// What every connection needs to know.
struct Line {
    there: SocketAddr,
    names: Option<Names>,
    writes: Box<Writes>,
    passed: AtomicU64,
    fault: Mutex<Fault>,
}

/// What the target is called by itself and by the connector, as `host:port` of an `https` address: requests carry the target's
/// own name, since many hosts share one address by it, and the addresses in heads of answers lead back to the connector's.
#[derive(Debug, Clone)]
pub struct Names {
    /// The target's own.
    pub there: String,
    /// What the connector was given.
    pub here: String,
}

impl HttpProxy {
    /// Starts before a target. `writes` tells requests that write from those that read, for [`Fault::ResetAfterSend`].
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn before(
        there: SocketAddr,
        writes: impl Fn(&[u8]) -> bool + Send + Sync + 'static,
    ) -> io::Result<Arc<Self>> {
        Self::between(there, None, writes).await
    }

    /// As [`before`](Self::before), where something else takes TLS off before it and puts TLS on behind it.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn between(
        there: SocketAddr,
        names: Option<Names>,
        writes: impl Fn(&[u8]) -> bool + Send + Sync + 'static,
    ) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let here = listener.local_addr()?;
        let (passed, fault) = (AtomicU64::new(0), Mutex::new(Fault::Off));
        let line = Line { there, names, writes: Box::new(writes), passed, fault };
        let proxy = Self { here, line: Arc::new(line), listening: Mutex::default() };
        proxy.listen(listener);
        Ok(Arc::new(proxy))
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.here
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.here)
    }

    fn listen(&self, listener: TcpListener) {
        let line = Arc::clone(&self.line);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let line = Arc::clone(&line);
                tokio::spawn(async move { serve(client, &line).await });
            }
        });
        *self.listening() = Some(task);
    }

    fn listening(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody listens any more: a client is refused before it can send.
    ///
    /// A child that somebody starts in this process has the listening socket too, from its birth until its program runs, so
    /// the port may live on for a moment.
    async fn refuse(&self) {
        let Some(task) = self.listening().take() else { return };
        task.abort();
        let _cancelled = task.await;
        for _ in 0..PORT_TRIES {
            if TcpStream::connect(self.here).await.is_err() {
                return;
            }
            sleep(PORT_PAUSE).await;
        }
    }

    /// Somebody listens again, for the reason above not always at the first try.
    async fn welcome(&self) {
        for _ in 0..PORT_TRIES {
            if self.listening().is_some() {
                return;
            }
            match TcpListener::bind(self.here).await {
                Ok(listener) => self.listen(listener),
                Err(_) => sleep(PORT_PAUSE).await,
            }
        }
    }
}

#[async_trait]
impl FaultProxy for HttpProxy {
    fn supports(&self, _: Fault) -> bool {
        true
    }

    async fn set(&self, fault: Fault) {
        *self.line.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
        if fault == Fault::ResetBeforeSend { self.refuse().await } else { self.welcome().await }
    }
}

/// Two equal states: no write reached the target in between.
#[async_trait]
impl StateProbe for HttpProxy {
    async fn state(&self) -> String {
        self.line.passed.load(Ordering::SeqCst).to_string()
    }
}

async fn serve(mut client: TcpStream, line: &Line) -> Option<()> {
    let request = read_request(&mut client, line.names.as_ref()).await?;
    let fault = *line.fault.lock().unwrap_or_else(PoisonError::into_inner);
    let writes = (line.writes)(&request);
    let canned = |status: &str, kind: &str, more: &str, body: &str| {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: {kind}\r\n{more}content-length: {length}\r\n\r\n{body}"
        )
    };
    let answer = match fault {
        Fault::Throttled { retry_after } => {
            canned("429 Slow Down", "text/html", &format!("retry-after: {}\r\n", retry_after.as_secs()), "<p>slow")
        }
        Fault::Unavailable => canned("503 Busy", "text/html", "", "<p>busy"),
        Fault::Html => canned("200 OK", "text/html", "", "<!doctype html><title>Sign in</title>"),
        Fault::Unauthorized => canned("401 No", "text/html", "", ""),
        Fault::SlowBody => {
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 100000\r\n\r\n{";
            client.write_all(head.as_bytes()).await.ok()?;
            while client.write_all(b" ").await.is_ok() {
                sleep(Duration::from_millis(100)).await;
            }
            return None;
        }
        // A connection from before nobody listened ends without an answer.
        Fault::ResetBeforeSend => return None,
        Fault::Off | Fault::ResetAfterSend | Fault::TruncatedPage => {
            let mut target = TcpStream::connect(line.there).await.ok()?;
            line.passed.fetch_add(u64::from(writes), Ordering::SeqCst);
            target.write_all(&request).await.ok()?;
            let mut answer = Vec::new();
            target.read_to_end(&mut answer).await.ok()?;
            if let Some(names) = &line.names {
                answer = led_back(answer, names);
            }
            if fault == Fault::TruncatedPage && !writes {
                answer.truncate(answer.len().saturating_sub(CUT));
            }
            if !(fault == Fault::ResetAfterSend && writes) {
                client.write_all(&answer).await.ok()?;
            }
            return client.shutdown().await.ok();
        }
    };
    client.write_all(answer.as_bytes()).await.ok()?;
    client.shutdown().await.ok()
}

/// The answer, with the target's own address in its head made the connector's.
fn led_back(answer: Vec<u8>, names: &Names) -> Vec<u8> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return answer };
    let (head, rest) = answer.split_at(end);
    let Ok(head) = std::str::from_utf8(head) else { return answer };
    let head = head.replace(&format!("https://{}/", names.there), &format!("https://{}/", names.here));
    [head.as_bytes(), rest].concat()
}

/// The head of a request with the target's own name in place of the connector's.
fn named(head: &str, names: &Names) -> String {
    let line = |line: &str| match line.split_once(':') {
        Some((name, _)) if name.eq_ignore_ascii_case("host") => format!("{name}: {}", names.there),
        _ => line.to_owned(),
    };
    head.split("\r\n").map(line).collect::<Vec<_>>().join("\r\n")
}

/// The whole request, told to close its connection.
async fn read_request(client: &mut TcpStream, names: Option<&Names>) -> Option<Vec<u8>> {
    let mut got = Vec::new();
    let mut block = vec![0; 16_384];
    loop {
        if let Some(end) = got.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(got.get(..end)?).into_owned();
            let stated = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok()
            });
            let length = stated.unwrap_or(0);
            if got.len() >= end + 4 + length {
                let mut whole = names.map_or_else(|| head.clone(), |names| named(&head, names)).into_bytes();
                whole.extend_from_slice(b"\r\nconnection: close\r\n\r\n");
                whole.extend_from_slice(got.get(end + 4..)?);
                return Some(whole);
            }
        }
        match client.read(&mut block).await {
            Ok(count) if count > 0 && got.len() < LARGEST => got.extend_from_slice(block.get(..count)?),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_carries_the_targets_name_and_an_answers_head_leads_back() {
        let names = Names { there: "ehr.hosp.example".into(), here: "127.0.0.1:7".into() };
        assert_eq!(
            named("GET / HTTP/1.1\r\nHost: 127.0.0.1:7\r\nx: y", &names),
            "GET / HTTP/1.1\r\nHost: ehr.hosp.example\r\nx: y"
        );
        let answer =
            b"HTTP/1.1 201 x\r\nlocation: https://ehr.hosp.example/a\r\n\r\nhttps://ehr.hosp.example/a".to_vec();
        assert_eq!(
            led_back(answer, &names),
            b"HTTP/1.1 201 x\r\nlocation: https://127.0.0.1:7/a\r\n\r\nhttps://ehr.hosp.example/a"
        );
    }
}
