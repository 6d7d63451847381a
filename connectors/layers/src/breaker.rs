//! A target that does not answer is left alone, and asked now and then whether it is back.
//!
//! Fed by `Transient`, `Timeout` and `Unknown`; opened at once by `Auth` and `Config`, and then for longer: asking every
//! half minute with a wrong password locks the gateway's own account. While it is open nothing passes. When the time has come
//! one call may try: a health check, or a leaver's own call, because closing must not wait for a check.

mod circuit;

use crate::{
    around::{Around, Call, Judge, verdict},
    is_refusal, refusal,
};
pub(crate) use circuit::Circuit;
use circuit::{Gate, Verdict};
use connector_spi::{Class, Connector, Ctx, Op, Result};
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// When a target counts as out of order.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerConfig {
    /// Seconds over which failures are counted.
    pub window: u64,
    /// Calls in the window before a ratio means anything.
    pub least_calls: u32,
    /// Share of failed calls, from 0 to 1, at which it opens.
    pub ratio: f64,
    /// Failures in a row at which it opens, however few calls there are.
    pub in_a_row: u32,
    /// Seconds until it is tried again.
    pub open: u64,
    /// Seconds until it is tried again after refused credentials or a wrong configuration.
    pub open_after_refusal: u64,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { window: 30, least_calls: 10, ratio: 0.5, in_a_row: 5, open: 30, open_after_refusal: 300 }
    }
}

/// Whether calls pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// They do.
    Closed,
    /// They do not.
    Open,
    /// One may try: a health check or a leaver's call.
    HalfOpen,
}

/// What `chartgate status` shows of a target's breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerStatus {
    /// Whether calls pass.
    pub state: BreakerState,
    /// Since when.
    pub since: Instant,
    /// When it may be tried again, while it is open.
    pub not_before: Option<Instant>,
    /// The class of the failure that opened it.
    pub because: Option<Class>,
}

/// The breaker of one target; shared between the layer and whoever watches it.
pub(crate) struct Switch {
    circuit: Mutex<Circuit>,
    /// What the failure said that opened it last.
    words: Mutex<Option<Arc<str>>>,
}

impl Switch {
    pub fn new(config: BreakerConfig) -> Arc<Self> {
        let circuit = Mutex::new(Circuit::new(config, Instant::now()));
        Arc::new(Self { circuit, words: Mutex::default() })
    }

    pub fn circuit(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the last failure said that opened it, while it is not closed.
    pub fn words(&self) -> Option<Arc<str>> {
        let closed = self.circuit().status(Instant::now()).state == BreakerState::Closed;
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        words.clone().filter(|_| !closed)
    }

    /// Remembers what a failure said, if the breaker is not closed.
    fn because(&self, words: &str) {
        if self.circuit().status(Instant::now()).state != BreakerState::Closed {
            *self.words.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::from(words));
        }
    }
}

/// The one trying call; if its caller walks away, another may try.
struct Probe<'a> {
    switch: &'a Switch,
    settled: bool,
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.switch.circuit().settle(Verdict::None, true, Instant::now());
        }
    }
}

pub(crate) struct Breaker {
    inner: Arc<dyn Connector>,
    switch: Arc<Switch>,
}

impl Breaker {
    pub fn new(inner: Arc<dyn Connector>, switch: Arc<Switch>) -> Self {
        Self { inner, switch }
    }
}

impl Around for Breaker {
    fn inner(&self) -> &Arc<dyn Connector> {
        &self.inner
    }

    async fn run<'a, T, F>(&'a self, call: Call<'a>, judge: Judge<T>, work: F) -> Result<T>
    where
        T: Send + 'a,
        F: Fn(Ctx) -> BoxFuture<'a, Result<T>> + Send + Sync + 'a,
    {
        let now = Instant::now();
        let gate = self.switch.circuit().enter(call.op == Op::Check || call.cx.leaver, now);
        let mut probe = match gate {
            Gate::Pass => None,
            Gate::Probe => Some(Probe { switch: &self.switch, settled: false }),
            Gate::Refuse { until, because } => {
                let why = because.map_or("out of order", Class::name);
                let wait = until.saturating_duration_since(now);
                return Err(refusal(format!("the target is paused: {why}")).retry_after(wait));
            }
        };
        let outcome = work(call.cx).await;
        let failure = verdict(&outcome, judge);
        let verdict = match failure {
            // Our own limits say nothing about the target.
            Some(error) if is_refusal(error) => Verdict::None,
            Some(error) => Verdict::of(error.class),
            None => Verdict::Good,
        };
        if let Some(probe) = &mut probe {
            probe.settled = true;
        }
        self.switch.circuit().settle(verdict, probe.is_some(), Instant::now());
        if let (Some(error), Verdict::Bad(_) | Verdict::Refused(_)) = (failure, verdict) {
            self.switch.because(&error.message);
        }
        outcome
    }
}

#[cfg(test)]
mod tests;
