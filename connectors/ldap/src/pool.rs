//! Connections: opened when needed, logged in once, shared by many operations at a time.
//!
//! LDAP answers carry the id of their request, so one connection serves several operations under way. A pool of few
//! connections with many operations each costs the server little and keeps its queue full.

use crate::{
    config::Config,
    endpoint::Endpoint,
    error,
    relay::{Ending, Wire},
};
use backon::{ExponentialBuilder, Retryable};
use connector_spi::{Class, ConnError, Ctx, Effect, Host, Result, Secret, SecretRef};
use ldap3::{Ldap, LdapError};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Mutex, Semaphore, SemaphorePermit},
    time::{Instant, timeout, timeout_at},
};

/// The connections to one directory.
pub struct Pool {
    endpoint: Endpoint,
    host: Arc<dyn Host>,
    bind_dn: String,
    password: SecretRef,
    slots: Vec<Slot>,
    room: Semaphore,
    connect_time: Duration,
    operation_time: Duration,
    /// Overrides of result codes' classes.
    pub codes: BTreeMap<u32, Class>,
    one_domain: bool,
}

#[derive(Default)]
struct Slot {
    held: Mutex<Option<Arc<Connection>>>,
    load: AtomicUsize,
}

struct Connection {
    ldap: Ldap,
    wire: Arc<Wire>,
    // An operation on it timed out: nothing new is given to it.
    retired: AtomicBool,
}

impl Connection {
    fn usable(&self) -> bool {
        !self.retired.load(Ordering::Relaxed) && self.wire.ended().is_none()
    }
}

struct Load<'p>(&'p AtomicUsize);

impl<'p> Load<'p> {
    fn on(slot: &'p Slot) -> Self {
        slot.load.fetch_add(1, Ordering::Relaxed);
        Self(&slot.load)
    }
}

impl Drop for Load<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether an operation can change the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// It cannot.
    Reading,
    /// It can.
    Writing,
}

/// A place on a connection, for one operation after the other.
pub struct Session<'p> {
    ldap: Ldap,
    connection: Arc<Connection>,
    deadline: Instant,
    operation_time: Duration,
    /// Overrides of result codes' classes.
    pub codes: &'p BTreeMap<u32, Class>,
    /// Searches leave the other parts of an Active Directory out instead of referring to them.
    pub one_domain: bool,
    _place: Option<(SemaphorePermit<'p>, Load<'p>)>,
}

impl Pool {
    /// Prepares the pool; connects nothing.
    pub fn new(config: &Config, host: Arc<dyn Host>) -> Result<Self> {
        Ok(Self {
            endpoint: Endpoint::new(config)?,
            host,
            bind_dn: config.bind_dn.clone(),
            password: config.bind_password.clone(),
            slots: std::iter::repeat_with(Slot::default).take(config.connections).collect(),
            room: Semaphore::new(config.connections.saturating_mul(config.in_flight)),
            connect_time: Duration::from_millis(config.connect_timeout_ms),
            operation_time: Duration::from_millis(config.operation_timeout_ms),
            codes: config.result_codes.clone(),
            one_domain: config.active_directory,
        })
    }

    /// A place on the connection that has least to do.
    pub async fn session(&self, cx: &Ctx) -> Result<Session<'_>> {
        let late = |_| ConnError::timeout("no time was left to send anything").effect(Effect::None);
        let room = timeout_at(cx.deadline, self.room.acquire())
            .await
            .map_err(late)?
            .map_err(|_| ConnError::transient("the connector is closed"))?;
        let slot = self
            .slots
            .iter()
            .min_by_key(|slot| slot.load.load(Ordering::Relaxed))
            .ok_or_else(|| ConnError::config("connections must be at least 1").attribute("connections"))?;
        let load = Load::on(slot);
        let mut held = timeout_at(cx.deadline, slot.held.lock()).await.map_err(late)?;
        let connection = match held.as_ref().filter(|connection| connection.usable()) {
            Some(connection) => connection.clone(),
            None => {
                *held = None;
                let fresh = Arc::new(timeout_at(cx.deadline, self.open()).await.map_err(late)??);
                *held = Some(fresh.clone());
                fresh
            }
        };
        drop(held);
        Ok(self.on(connection, cx.deadline, Some((room, load))))
    }

    /// A connection of its own, logged in, for what a server keeps per connection (paged results, RFC 2696).
    pub async fn apart(&self, cx: &Ctx) -> Result<Apart> {
        let late = |_| ConnError::timeout("no time was left to send anything").effect(Effect::None);
        Ok(Apart(Arc::new(timeout_at(cx.deadline, self.open()).await.map_err(late)??)))
    }

    /// A session on a connection of its own.
    pub fn resume(&self, apart: &Apart, cx: &Ctx) -> Session<'_> {
        self.on(apart.0.clone(), cx.deadline, None)
    }

    /// The result code of a login as somebody else, on a connection that serves nothing else.
    pub async fn login_as(&self, cx: &Ctx, dn: &str, password: &Secret) -> Result<u32> {
        let late = |_| ConnError::timeout("no time was left for a login").effect(Effect::None);
        if password.expose().is_empty() {
            return Err(ConnError::permanent("a login without a password proves nothing"));
        }
        let (ldap, wire) = timeout_at(cx.deadline, timeout(self.connect_time, self.endpoint.open()))
            .await
            .map_err(late)?
            .map_err(|_| ConnError::transient("connecting took too long"))??;
        let connection = Arc::new(Connection { ldap, wire, retired: AtomicBool::new(false) });
        let mut session = self.on(connection, cx.deadline, None);
        let outcome = session.ldap()?.simple_bind(dn, password.expose()).await;
        Ok(session.settle(outcome, Doing::Reading)?.rc)
    }

    fn on<'p>(
        &'p self,
        connection: Arc<Connection>,
        deadline: Instant,
        place: Option<(SemaphorePermit<'p>, Load<'p>)>,
    ) -> Session<'p> {
        Session {
            ldap: connection.ldap.clone(),
            connection,
            deadline,
            operation_time: self.operation_time,
            codes: &self.codes,
            one_domain: self.one_domain,
            _place: place,
        }
    }

    async fn open(&self) -> Result<Connection> {
        let password = self.host.secret(&self.password).await?;
        match self.login(&password).await {
            Err(refused) if refused.class == Class::Auth => {
                // The password may have been changed between reading and using it.
                let again = self.host.secret(&self.password).await?;
                if again == password { Err(refused) } else { self.login(&again).await }
            }
            outcome => outcome,
        }
    }

    async fn login(&self, password: &Secret) -> Result<Connection> {
        if password.expose().is_empty() {
            // RFC 4513, 5.1.2: the server would answer success, and we would be nobody.
            let message = format!("the password in {} is empty", self.password);
            return Err(ConnError::config(message).attribute("bind_password"));
        }
        let waits =
            ExponentialBuilder::default().with_min_delay(Duration::from_millis(50)).with_max_times(2).with_jitter();
        let once = || async {
            timeout(self.connect_time, self.connect(password))
                .await
                .map_err(|_| ConnError::transient("connecting took too long"))?
        };
        once.retry(waits).when(|error| error.class == Class::Transient).await
    }

    async fn connect(&self, password: &Secret) -> Result<Connection> {
        let (ldap, wire) = self.endpoint.open().await?;
        let mut binding = ldap.clone();
        let connection = Connection { ldap, wire, retired: AtomicBool::new(false) };
        binding.with_timeout(self.connect_time);
        let result = binding.simple_bind(&self.bind_dn, password.expose()).await.map_err(|_| {
            // Nothing of ours was under way: a server that fails to answer a login has changed nothing.
            match connection.wire.ended() {
                Some(Ending::Violated(violation)) => {
                    ConnError::transient(format!("login: the server sent {violation}"))
                }
                _ => ConnError::transient("login: the server did not answer"),
            }
        })?;
        match result.rc {
            0 => Ok(connection),
            code => Err(error::refused(code, &result.text, "login", &self.codes)),
        }
    }
}

/// A connection that only its holder uses.
pub struct Apart(Arc<Connection>);

impl Apart {
    /// Whether it is still there.
    pub fn usable(&self) -> bool {
        self.0.usable()
    }
}

impl Session<'_> {
    /// The library's handle, with the time set that the next operation may take.
    pub fn ldap(&mut self) -> Result<&mut Ldap> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ConnError::timeout("no time was left to send anything").effect(Effect::None));
        }
        self.ldap.with_timeout(left.min(self.operation_time));
        Ok(&mut self.ldap)
    }

    /// When this session's caller gives up.
    pub fn deadline(&self) -> Instant {
        self.deadline.min(Instant::now() + self.operation_time)
    }

    /// Turns the library's error into ours: whether anything can have happened depends on what the relay has sent.
    pub fn settle<T>(&mut self, outcome: std::result::Result<T, LdapError>, doing: Doing) -> Result<T> {
        let failure = match outcome {
            Ok(done) => return Ok(done),
            Err(failure) => failure,
        };
        let sent = self.connection.wire.may_have_sent(self.ldap.last_id());
        let maybe = if sent && doing == Doing::Writing { Effect::Maybe } else { Effect::None };
        match failure {
            LdapError::Timeout { .. } => Err(self.no_answer(maybe)),
            LdapError::ResultRecv { .. }
            | LdapError::OpSend { .. }
            | LdapError::IdScrubSend { .. }
            | LdapError::EndOfStream
            | LdapError::Io { .. } => Err(match (self.connection.wire.ended(), sent) {
                (Some(Ending::Violated(violation)), true) => {
                    ConnError::unknown(format!("the server sent {violation}")).effect(maybe)
                }
                (_, true) if doing == Doing::Writing => {
                    ConnError::timeout("the connection was lost before the answer came").effect(maybe)
                }
                (Some(Ending::Notice), _) => ConnError::transient("the server is closing its connections"),
                _ => ConnError::transient("the connection was lost"),
            }),
            // Nothing was sent: the library refused the request itself.
            other => Err(ConnError::permanent(format!("the request could not be made: {other}"))),
        }
    }

    /// The error of an operation without an answer in time. Its connection gets no more work.
    pub fn no_answer(&mut self, effect: Effect) -> ConnError {
        self.connection.retired.store(true, Ordering::Relaxed);
        ConnError::timeout("the server did not answer in time").effect(effect)
    }
}
