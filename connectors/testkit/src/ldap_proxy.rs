//! A proxy that does harm to a directory over LDAP, without TLS. It counts the writes that reach the directory.

use crate::faults::{Fault, FaultProxy};
use crate::subject::StateProbe;
use async_trait::async_trait;
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

/// Tags of requests (RFC 4511, section 4): bind, search, modify, add, delete, modify DN.
const BIND: u8 = 0x60;
const SEARCH: u8 = 0x63;
const WRITES: [u8; 4] = [0x66, 0x68, 0x4a, 0x6c];
/// Tags of the answers to writes, and of the end of a search.
const WRITTEN: [u8; 4] = [0x67, 0x69, 0x6b, 0x6d];
const SEARCHED: u8 = 0x65;

/// Largest message that is passed on, in octets.
const LARGEST: usize = 16 << 20;

/// A sort of write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LdapWrite {
    /// Of an entry's attributes, a group's members among them.
    Modify,
    /// A new entry.
    Add,
    /// The end of an entry.
    Delete,
    /// Another name or place.
    Rename,
}

impl LdapWrite {
    fn tag(self) -> u8 {
        match self {
            Self::Modify => 0x66,
            Self::Add => 0x68,
            Self::Delete => 0x4a,
            Self::Rename => 0x6c,
        }
    }
}

/// A proxy that knows where a message of LDAP begins and ends, and no more. Point the connector's address at
/// [`addr`](LdapProxy::addr).
pub struct LdapProxy {
    here: SocketAddr,
    shared: Arc<Shared>,
    cut: watch::Sender<u32>,
    listening: JoinHandle<()>,
}

struct Shared {
    there: SocketAddr,
    fault: Mutex<Fault>,
    passed: AtomicU64,
    /// As `passed`, by the tag of the request.
    by_sort: [AtomicU64; 4],
    /// The tag of the request to which the replies are lost.
    lost: Mutex<Option<u8>>,
}

impl Shared {
    fn fault(&self) -> Fault {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lost(&self) -> Option<u8> {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LdapProxy {
    /// Starts before a directory.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn before(there: SocketAddr) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let here = listener.local_addr()?;
        let shared = Arc::new(Shared {
            there,
            fault: Mutex::new(Fault::Off),
            passed: AtomicU64::new(0),
            by_sort: Default::default(),
            lost: Mutex::default(),
        });
        let (cut, cuts) = watch::channel(0);
        let accepting = Arc::clone(&shared);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if accepting.fault() == Fault::ResetBeforeSend {
                    continue;
                }
                let (shared, mut cuts) = (Arc::clone(&accepting), cuts.clone());
                tokio::spawn(async move {
                    cuts.mark_unchanged();
                    tokio::select! {
                        _ = cuts.changed() => {}
                        _ = converse(client, &shared) => {}
                    }
                });
            }
        });
        Ok(Arc::new(Self { here, shared, cut, listening }))
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.here
    }

    /// From now on the directory carries out writes of this sort, and the connection is cut before the answer; all the rest
    /// passes unharmed. `None`: nothing is lost any more.
    pub fn lose(&self, sort: Option<LdapWrite>) {
        *self.shared.lost.lock().unwrap_or_else(PoisonError::into_inner) = sort.map(LdapWrite::tag);
    }

    /// How many writes of this sort reached the directory.
    #[must_use]
    pub fn passed(&self, sort: LdapWrite) -> u64 {
        let at = WRITES.iter().position(|tag| *tag == sort.tag());
        at.and_then(|at| self.shared.by_sort.get(at)).map_or(0, |count| count.load(Ordering::SeqCst))
    }
}

impl Drop for LdapProxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

#[async_trait]
impl FaultProxy for LdapProxy {
    fn supports(&self, fault: Fault) -> bool {
        // LDAP has no answer that names a time to wait.
        !matches!(fault, Fault::Throttled { .. })
    }

    async fn set(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
        if matches!(fault, Fault::ResetBeforeSend | Fault::Unauthorized | Fault::Off) {
            self.cut.send_modify(|cuts| *cuts += 1);
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Two equal states: no write reached the directory in between.
#[async_trait]
impl StateProbe for LdapProxy {
    async fn state(&self) -> String {
        self.shared.passed.load(Ordering::SeqCst).to_string()
    }
}

async fn converse(client: TcpStream, shared: &Shared) -> Option<()> {
    let (from_client, mut to_client) = client.into_split();
    let (from_server, mut to_server) = TcpStream::connect(shared.there).await.ok()?.into_split();
    let (mut from_client, mut from_server) = (Incoming::of(from_client), Incoming::of(from_server));
    loop {
        tokio::select! {
            request = from_client.message() => {
                let Message { whole, id, tag } = request?;
                match shared.fault() {
                    Fault::Unavailable if tag != BIND => to_client.write_all(&refusal(&id, tag, 52)).await.ok()?,
                    Fault::Unauthorized if tag == BIND => to_client.write_all(&refusal(&id, tag, 49)).await.ok()?,
                    Fault::Html => {
                        to_client.write_all(b"HTTP/1.1 200 OK\r\n\r\n<!DOCTYPE html><html></html>").await.ok()?;
                        return None;
                    }
                    Fault::SlowBody if tag != BIND => trickle(&mut to_client).await?,
                    _ => {
                        shared.passed.fetch_add(u64::from(WRITES.contains(&tag)), Ordering::SeqCst);
                        let sort = WRITES.iter().position(|write| *write == tag);
                        if let Some(count) = sort.and_then(|at| shared.by_sort.get(at)) {
                            count.fetch_add(1, Ordering::SeqCst);
                        }
                        to_server.write_all(&whole).await.ok()?;
                    }
                }
            }
            answer = from_server.message() => {
                let Message { mut whole, tag, .. } = answer?;
                if shared.lost().is_some_and(|request| answer_to(request) == tag) {
                    return None;
                }
                match shared.fault() {
                    // Done, and nobody is told.
                    Fault::ResetAfterSend if WRITTEN.contains(&tag) => return None,
                    // The result code of the page's end becomes 4, sizeLimitExceeded.
                    Fault::TruncatedPage if tag == SEARCHED => {
                        let code = whole.windows(3).position(|octets| octets == [0x0a, 0x01, 0x00]);
                        if let Some(code) = code.and_then(|at| whole.get_mut(at + 2)) {
                            *code = 4;
                        }
                    }
                    _ => {}
                }
                to_client.write_all(&whole).await.ok()?;
            }
        }
    }
}

/// One message: all of it, its id as encoded, and the tag of its operation.
struct Message {
    whole: Vec<u8>,
    id: Vec<u8>,
    tag: u8,
}

/// One end, and what came of a message that is not whole yet.
struct Incoming {
    from: OwnedReadHalf,
    came: Vec<u8>,
}

impl Incoming {
    fn of(from: OwnedReadHalf) -> Self {
        Self { from, came: Vec::new() }
    }

    /// The next message. What came is kept when this is dropped half-way: TLS before it cuts messages where it likes.
    async fn message(&mut self) -> Option<Message> {
        loop {
            if let Some(end) = whole(&self.came)? {
                let whole: Vec<u8> = self.came.drain(..end).collect();
                return Message::of(whole);
            }
            if self.from.read_buf(&mut self.came).await.ok()? == 0 {
                return None;
            }
        }
    }
}

/// Where the first message ends, once it is there; nothing at all of one that is too long.
#[allow(clippy::option_option, reason = "not yet is not never")]
fn whole(came: &[u8]) -> Option<Option<usize>> {
    let Some(first) = came.get(1) else { return Some(None) };
    let (head, length) = match *first {
        short @ 0..=0x7f => (2, usize::from(short)),
        long => {
            let head = 2 + usize::from(long & 0x7f).min(4);
            let Some(digits) = came.get(2..head) else { return Some(None) };
            (head, digits.iter().fold(0, |length, digit| (length << 8) | usize::from(*digit)))
        }
    };
    (length <= LARGEST).then(|| Some(head + length).filter(|end| came.len() >= *end))
}

impl Message {
    fn of(whole: Vec<u8>) -> Option<Self> {
        let head = match *whole.get(1)? {
            0..=0x7f => 2,
            long => 2 + usize::from(long & 0x7f).min(4),
        };
        let end = head + 2 + usize::from(*whole.get(head + 1)?);
        let (id, tag) = (whole.get(head..end)?.to_vec(), *whole.get(end)?);
        Some(Message { whole, id, tag })
    }
}

/// The refusal of a request with a result code and no words.
fn refusal(id: &[u8], request: u8, code: u8) -> Vec<u8> {
    let result = [answer_to(request), 7, 0x0a, 1, code, 4, 0, 4, 0];
    let length = u8::try_from(id.len() + result.len()).unwrap_or(u8::MAX);
    [&[0x30, length][..], id, &result].concat()
}

/// The tag of the answer to a request of this tag.
fn answer_to(request: u8) -> u8 {
    match request {
        SEARCH => SEARCHED,
        0x4a => 0x6b,
        other => other.saturating_add(1),
    }
}

async fn trickle(to: &mut OwnedWriteHalf) -> Option<()> {
    to.write_all(&[0x30, 0x83, 0x0f, 0xff, 0xff]).await.ok()?;
    loop {
        to.write_all(&[0x02]).await.ok()?;
        sleep(Duration::from_millis(50)).await;
    }
}
