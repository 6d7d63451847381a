//! A proxy that does harm to a target over HTTP, without TLS: one request on each connection. It counts the writes that reach the
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
    there: SocketAddr,
    writes: Arc<Writes>,
    passed: Arc<AtomicU64>,
    fault: Arc<Mutex<Fault>>,
    listening: Mutex<Option<JoinHandle<()>>>,
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
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let here = listener.local_addr()?;
        let fault = Arc::new(Mutex::new(Fault::Off));
        let (writes, passed) = (Arc::new(writes), Arc::default());
        let proxy = Self { here, there, writes, passed, fault, listening: Mutex::default() };
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
        let (there, fault) = (self.there, Arc::clone(&self.fault));
        let (writes, passed) = (Arc::clone(&self.writes), Arc::clone(&self.passed));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (writes, passed, fault) = (Arc::clone(&writes), Arc::clone(&passed), Arc::clone(&fault));
                tokio::spawn(serve(client, there, writes, passed, fault));
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
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
        if fault == Fault::ResetBeforeSend { self.refuse().await } else { self.welcome().await }
    }
}

/// Two equal states: no write reached the target in between.
#[async_trait]
impl StateProbe for HttpProxy {
    async fn state(&self) -> String {
        self.passed.load(Ordering::SeqCst).to_string()
    }
}

async fn serve(
    mut client: TcpStream,
    there: SocketAddr,
    writes: Arc<Writes>,
    passed: Arc<AtomicU64>,
    fault: Arc<Mutex<Fault>>,
) -> Option<()> {
    let request = read_request(&mut client).await?;
    let fault = *fault.lock().unwrap_or_else(PoisonError::into_inner);
    let writes = writes(&request);
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
            let mut target = TcpStream::connect(there).await.ok()?;
            passed.fetch_add(u64::from(writes), Ordering::SeqCst);
            target.write_all(&request).await.ok()?;
            let mut answer = Vec::new();
            target.read_to_end(&mut answer).await.ok()?;
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

/// The whole request, told to close its connection.
async fn read_request(client: &mut TcpStream) -> Option<Vec<u8>> {
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
                let mut whole = head.into_bytes();
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
