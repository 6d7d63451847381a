//! Keeps one plugin running.
//!
//! It is started by the first call that needs it, and again by the first call after it ended: after a pause that grows from one
//! second to a minute while it keeps ending. A call waits for the pause if it has the time. Five ends within a minute are a
//! crash loop: then the calls fail with `Config`, which opens the target's breaker at once, until a minute has passed.

use crate::{
    gateway::Gateway,
    reach::Way,
    secrets,
    session::{Raw, Session},
};
use connector_spi::{Class, ConnError, Effect, Host, Result};
use serde_json::Value as Json;
use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until, timeout_at},
};

/// The first pause, and the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// So many ends within this time are a crash loop.
const ENDS: usize = 5;
const WITHIN: Duration = Duration::from_secs(60);

/// One target's plugin.
pub(crate) struct Keeper {
    way: Box<dyn Way>,
    gateway: Arc<Gateway>,
    config: Json,
    target: String,
    start: Duration,
    name: OnceLock<String>,
    current: RwLock<Option<Arc<Session>>>,
    record: Mutex<Record>,
}

/// How it went so far.
#[derive(Default)]
struct Record {
    ends: VecDeque<Instant>,
    pause: Duration,
    not_before: Option<Instant>,
    why: String,
    crash_loop: bool,
}

impl Record {
    /// It ended, after having run for this long.
    fn ended(&mut self, ran: Duration, why: String, now: Instant) {
        self.pause = if ran >= WITHIN { PAUSE } else { (self.pause * 2).clamp(PAUSE, LONGEST_PAUSE) };
        self.ends.push_back(now);
        if self.ends.len() > ENDS {
            self.ends.pop_front();
        }
        self.crash_loop = self.ends.len() == ENDS
            && self.ends.front().is_some_and(|first| now.saturating_duration_since(*first) < WITHIN);
        self.not_before = Some(now + if self.crash_loop { WITHIN } else { self.pause });
        self.why = why;
    }
}

impl Keeper {
    pub fn new(way: Box<dyn Way>, host: Arc<dyn Host>, config: Json, target: String, start: Duration) -> Self {
        let gateway = Arc::new(Gateway::new(host, secrets::references(&config)));
        Self {
            way,
            gateway,
            config,
            target,
            start,
            name: OnceLock::new(),
            current: RwLock::default(),
            record: Mutex::default(),
        }
    }

    /// Its name, as it says itself, or how it is reached.
    pub fn name(&self) -> String {
        self.name.get().cloned().unwrap_or_else(|| self.way.shown())
    }

    /// An error of ours, with the plugin's name in front.
    pub fn about(&self, mut error: ConnError) -> ConnError {
        error = self.gateway.scrubber.error(error);
        error.message = format!("plugin {}: {}", self.name(), error.message);
        error
    }

    /// An error of the plugin's own, made fit for a log.
    pub fn clean(&self, error: ConnError) -> ConnError {
        self.gateway.scrubber.error(error)
    }

    /// A text of the plugin's own, made fit for a log.
    pub fn clean_text(&self, text: &str) -> String {
        self.gateway.scrubber.clean(text)
    }

    /// The session that runs, if one does.
    pub fn running(&self) -> Option<Arc<Session>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().filter(|session| session.line.over().is_none()).cloned()
    }

    /// The session that runs, or a new one.
    ///
    /// # Errors
    /// `Config` when an operator must act: another file, wrong settings, a crash loop. `Transient` when it does not start now.
    /// Nothing was sent to the target then.
    pub async fn session(&self, deadline: Instant) -> Result<Arc<Session>> {
        if let Some(session) = self.running() {
            return Ok(session);
        }
        let starting = || ConnError::transient("it is being started");
        let work = async {
            let mut record = self.record.lock().await;
            if let Some(session) = self.running() {
                return Ok(session);
            }
            self.note(&mut record);
            self.wait(&record, deadline).await?;
            self.begin(&mut record).await
        };
        let outcome = timeout_at(deadline, work).await.unwrap_or_else(|_| Err(starting()));
        outcome.map_err(|error| self.about(error.effect(Effect::None)))
    }

    /// Takes note of a session that ended.
    fn note(&self, record: &mut Record) {
        let ended = self.current.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(ended) = ended else { return };
        let why = ended.line.over().map_or_else(String::new, |why| why.to_string());
        self.gateway.log(connector_spi::Level::Warn, "The plugin ended.", &[("plugin", &self.name()), ("why", &why)]);
        let now = Instant::now();
        record.ended(now.saturating_duration_since(ended.began), why, now);
    }

    async fn wait(&self, record: &Record, deadline: Instant) -> Result<()> {
        let now = Instant::now();
        let Some(not_before) = record.not_before.filter(|not_before| *not_before > now) else { return Ok(()) };
        let (wait, why) = (not_before.saturating_duration_since(now), &record.why);
        if record.crash_loop {
            let message = format!("it ended {ENDS} times within a minute ({why}); it is not started again for a while");
            return Err(ConnError::config(message).retry_after(wait));
        }
        if not_before >= deadline {
            return Err(ConnError::transient(format!("it ended ({why}) and is started again soon")).retry_after(wait));
        }
        sleep_until(not_before).await;
        Ok(())
    }

    async fn begin(&self, record: &mut Record) -> Result<Arc<Session>> {
        let until = Instant::now() + self.start;
        let begun = Raw::begin(self.way.as_ref(), Arc::clone(&self.gateway), &self.config, &self.target, until).await;
        match begun {
            Ok(session) => {
                // What it says of itself later, after an update, is told by the log.
                let _first = self.name.set(self.gateway.scrubber.clean(&session.greeting.name));
                let session = Arc::new(session);
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&session));
                Ok(session)
            }
            Err(error) => {
                // What an operator must put right is no crash: as soon as it is right, it may start.
                if error.class != Class::Config && error.class != Class::Auth {
                    record.ended(Duration::ZERO, error.message.clone(), Instant::now());
                }
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests;
