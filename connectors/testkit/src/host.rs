//! A gateway for tests: gives secrets, remembers events, opens no network unless another host is lent to it.

use async_trait::async_trait;
use connector_spi::{ConnError, Ctx, Host, HttpRequest, HttpResponse, Level, Result, Secret, SecretRef};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Events kept; older ones are dropped. The kit fails the checks of the log when a run told as many.
pub(crate) const EVENT_LIMIT: usize = 50_000;

/// Stands for every reference: neither a variable nor a file has no name.
const ANY: &str = "";

/// One event that a connector told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// How much it matters.
    pub level: Level,
    /// Its words.
    pub message: String,
    /// Its fields.
    pub fields: Vec<(String, String)>,
}

impl Event {
    /// The whole event as one line.
    #[must_use]
    pub fn line(&self) -> String {
        let fields: Vec<String> = self.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{} {}", self.message, fields.join(" "))
    }
}

/// The gateway as a test sees it.
#[derive(Default)]
pub struct TestHost {
    secrets: Mutex<BTreeMap<String, String>>,
    events: Mutex<VecDeque<Event>>,
    network: Option<Arc<dyn Host>>,
    calls: AtomicU64,
}

impl TestHost {
    /// Without secrets and without a network.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Gives these secrets, by the name of the variable or the path of the file that refers to them. `network` carries
    /// [`Host::http`] out; without it every request is `Config`.
    #[must_use]
    pub fn with(secrets: BTreeMap<String, String>, network: Option<Arc<dyn Host>>) -> Arc<Self> {
        Arc::new(Self { secrets: Mutex::new(secrets), network, ..Self::default() })
    }

    /// Gives this secret, whatever is referred to; no network.
    #[must_use]
    pub fn of(secret: &str) -> Arc<Self> {
        Self::with([(ANY.to_owned(), secret.to_owned())].into(), None)
    }

    /// From now on another value for every secret.
    pub fn replace_secrets(&self, with: impl Fn(&str) -> String) {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        for value in secrets.values_mut() {
            *value = with(value);
        }
    }

    /// The events so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// The events so far as lines.
    #[must_use]
    pub fn heard(&self) -> String {
        self.events().iter().map(Event::line).collect::<Vec<_>>().join("\n")
    }

    /// What comes with a call: an id of its own, ten seconds, first attempt.
    #[must_use]
    pub fn ctx(self: &Arc<Self>) -> Ctx {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        Ctx::new(
            format!("testkit-{number}"),
            Instant::now() + Duration::from_secs(10),
            Arc::clone(self) as Arc<dyn Host>,
        )
    }
}

#[async_trait]
impl Host for TestHost {
    async fn secret(&self, reference: &SecretRef) -> Result<Secret> {
        let (SecretRef::Env(name) | SecretRef::File(name)) = reference;
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let found = secrets.get(name).or_else(|| secrets.get(ANY)).cloned();
        found.map(Secret::new).ok_or_else(|| ConnError::config(format!("{reference} cannot be read")))
    }

    async fn http(&self, request: HttpRequest) -> Result<HttpResponse> {
        match &self.network {
            Some(network) => network.http(request).await,
            None => Err(ConnError::config("this host has no network")),
        }
    }

    fn event(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() == EVENT_LIMIT {
            events.pop_front();
        }
        events.push_back(Event { level, message: message.to_owned(), fields });
    }
}
