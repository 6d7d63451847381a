//! The relay between the server's socket and ldap3, with the BER guard in it.
//!
//! ldap3 gets one end of a Unix socket pair and never sees the network. So there is one TLS stack with one policy
//! ([`crate::endpoint`]), and nothing reaches the library's decoder that [`ber::inspect`] has not passed. The relay also knows,
//! for each request, whether it has left this machine: that is the difference between "nothing happened" and "nobody knows".

use crate::ber::{self, Violation, op};
use bytes::BytesMut;
use connector_spi::ConnError;
use futures_util::FutureExt;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, StdStream};
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::UnixStream,
    time::{Instant, timeout, timeout_at},
};

/// Bounds on what a server may send.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest message in octets.
    pub message: usize,
    /// Longest time from a message's first octet to its last.
    pub message_time: Duration,
    /// Most entries and references for one search.
    pub entries: usize,
    /// Most octets for one search.
    pub search: usize,
}

/// What the relay and the pool share about one connection.
#[derive(Debug, Default)]
pub struct Wire(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    waiting: HashMap<i32, Waiting>,
    highest: i32,
    ended: Option<Ending>,
}

#[derive(Debug)]
struct Waiting {
    request: u8,
    entries: usize,
    octets: usize,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The server closed it or the network broke.
    Lost,
    /// The server announced that it closes it (RFC 4511, section 4.4.1).
    Notice,
    /// The server broke the protocol.
    Violated(Violation),
    /// We closed it.
    Ours,
}

impl Wire {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<Ending> {
        self.inner().ended
    }

    /// Whether the request of this id may have reached the server. Wrong only to the safe side: ids are given in order, but
    /// two requests at once may leave in the other order.
    pub fn may_have_sent(&self, id: i32) -> bool {
        id <= self.inner().highest
    }

    fn sending(&self, message: &[u8]) -> bool {
        let Some((id, request)) = ber::request(message) else { return false };
        let mut inner = self.inner();
        inner.highest = inner.highest.max(id);
        if op::answer(request).is_some() {
            inner.waiting.insert(id, Waiting { request, entries: 0, octets: 0 });
        }
        true
    }

    /// Whether this answer may pass to the library.
    fn receiving(&self, message: &ber::Message, length: usize, limits: Limits) -> Result<(), Violation> {
        let mut inner = self.inner();
        let waiting = inner.waiting.get_mut(&message.id).ok_or(Violation::Unasked)?;
        if waiting.request == op::SEARCH && matches!(message.operation, op::ENTRY | op::REFERENCE) {
            waiting.entries += 1;
            waiting.octets = waiting.octets.saturating_add(length);
            if waiting.entries > limits.entries || waiting.octets > limits.search {
                return Err(Violation::Flood);
            }
            return Ok(());
        }
        if op::answer(waiting.request) != Some(message.operation) {
            return Err(Violation::Unasked);
        }
        inner.waiting.remove(&message.id);
        Ok(())
    }
}

/// Starts the relay over a ready stream and gives ldap3 the other end.
pub async fn attach<S>(server: S, limits: Limits) -> Result<(Ldap, Arc<Wire>), ConnError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let local = |error: io::Error| ConnError::transient(format!("local socket: {}", error.kind()));
    let (near, far) = UnixStream::pair().map_err(local)?;
    let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(far.into_std().map_err(local)?));
    let (connection, ldap) = LdapConnAsync::with_settings(settings, "ldapi://relay")
        .await
        .map_err(|error| ConnError::transient(format!("local socket: {error}")))?;
    let wire = Arc::new(Wire::default());
    let shared = wire.clone();
    tokio::spawn(async move {
        let ending = carry(server, near, &shared, limits).await;
        shared.inner().ended.get_or_insert(ending);
        tracing::debug!(?ending, "Connection to the directory ended.");
    });
    // The driver ends with the socket pair; its error says nothing that the relay does not know better.
    tokio::spawn(async move { drop(connection.drive().await) });
    Ok((ldap, wire))
}

async fn carry<S: AsyncRead + AsyncWrite + Unpin>(server: S, near: UnixStream, wire: &Wire, limits: Limits) -> Ending {
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let (mut from_ldap, mut to_ldap) = near.into_split();
    let ending = tokio::select! {
        ending = up(&mut from_ldap, &mut to_server, wire, limits) => ending,
        ending = down(&mut from_server, &mut to_ldap, wire, limits) => ending,
    };
    // Recorded before ldap3 learns of it, so that whoever gets the library's error finds the reason.
    wire.inner().ended.get_or_insert(ending);
    drop(to_ldap);
    let _ = timeout(Duration::from_secs(1), to_server.shutdown()).await;
    ending
}

async fn up(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    wire: &Wire,
    limits: Limits,
) -> Ending {
    let mut buffer = BytesMut::with_capacity(16 << 10);
    loop {
        match from.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return Ending::Ours,
            Ok(_) => {}
        }
        gather(from, &mut buffer).await;
        let mut whole = 0;
        loop {
            let rest = buffer.get(whole..).unwrap_or_default();
            match ber::frame(rest, limits.message) {
                Ok(Some(length)) if wire.sending(rest.get(..length).unwrap_or_default()) => whole += length,
                Ok(None) => break,
                // The library's own request, so never a server's doing; it is refused unsent.
                Ok(Some(_)) | Err(_) => return Ending::Ours,
            }
        }
        let batch = buffer.split_to(whole);
        if !batch.is_empty() && (to.write_all(&batch).await.is_err() || to.flush().await.is_err()) {
            return Ending::Lost;
        }
    }
}

async fn down(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    wire: &Wire,
    limits: Limits,
) -> Ending {
    let mut buffer = BytesMut::with_capacity(16 << 10);
    let mut begun: Option<Instant> = None;
    loop {
        let read = match begun {
            None => from.read_buf(&mut buffer).await,
            Some(begun) => match timeout_at(begun + limits.message_time, from.read_buf(&mut buffer)).await {
                Ok(read) => read,
                Err(_) => return Ending::Violated(Violation::Trickle),
            },
        };
        match read {
            Ok(0) | Err(_) => return Ending::Lost,
            Ok(_) => {}
        }
        gather(from, &mut buffer).await;
        let mut whole = 0;
        let verdict = loop {
            let rest = buffer.get_mut(whole..).unwrap_or_default();
            match ber::frame(rest, limits.message) {
                Ok(None) => break Ok(()),
                Err(violation) => break Err(Ending::Violated(violation)),
                Ok(Some(length)) => match pass(rest.get_mut(..length).unwrap_or_default(), wire, limits) {
                    Ok(()) => whole += length,
                    Err(ending) => break Err(ending),
                },
            }
        };
        // What was sound before a violation is still delivered: those operations are done, and known to be.
        let batch = buffer.split_to(whole);
        if !batch.is_empty() && to.write_all(&batch).await.is_err() {
            return Ending::Ours;
        }
        if let Err(ending) = verdict {
            return ending;
        }
        begun = match (buffer.is_empty(), begun) {
            (true, _) => None,
            (false, Some(begun)) if batch.is_empty() => Some(begun),
            (false, _) => Some(Instant::now()),
        };
    }
}

/// Lets others run once and takes what they brought meanwhile: under load many messages then share one write. Without load
/// it costs nothing.
async fn gather(from: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) {
    tokio::task::yield_now().await;
    // The end of the stream or an error shows again at the next read.
    let _ = from.read_buf(buffer).now_or_never();
}

fn pass(message: &mut [u8], wire: &Wire, limits: Limits) -> Result<(), Ending> {
    let found = ber::inspect(message).map_err(Ending::Violated)?;
    if found.id == 0 {
        return Err(Ending::Notice);
    }
    wire.receiving(&found, message.len(), limits).map_err(Ending::Violated)?;
    for range in found.text {
        if let Some(text) = message.get_mut(range) {
            ber::legible(text);
        }
    }
    Ok(())
}
