//! Not too many calls at a time, and not too many a second.
//!
//! One slot and a share of the rate are the leaver's own; one slot is never bulk's. A target that says "too many" halves the
//! rate and is left alone, as a whole, for as long as it asked; the rate comes back a little with every second
//! (additive increase, multiplicative decrease).

mod gauge;

use crate::{
    around::{Around, Call, Judge, verdict},
    refusal,
};
use connector_spi::{Class, Connector, Ctx, Result};
use futures_util::future::BoxFuture;
pub(crate) use gauge::{Gauge, Lane};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

/// How much a target is asked to do at a time.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitConfig {
    /// Calls at a time. With 3 or more, one of them is the leaver lane's own and one is never given to bulk work; with fewer
    /// there is nothing to keep apart.
    pub slots: u32,
    /// Calls a second, at most. A target that says "too many" is asked less.
    pub rate: f64,
    /// Calls that may come at once after a pause. A fifth of them, at least one, is the leaver lane's own.
    pub burst: u32,
    /// Longest pause in seconds that a target may ask for. What it asks beyond that is taken for a mistake.
    pub longest_pause: u64,
}

impl Default for LimitConfig {
    fn default() -> Self {
        Self { slots: 8, rate: 50.0, burst: 20, longest_pause: 3600 }
    }
}

/// What `chartgate status` shows of a target's limits.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitStatus {
    /// Calls at a time, at most.
    pub slots: u32,
    /// Calls now under way.
    pub in_flight: u32,
    /// Calls a second that are allowed at present.
    pub rate: f64,
    /// The target asked to be left alone until then.
    pub paused_until: Option<Instant>,
}

/// The limits of one target; shared between the layer and whoever watches it.
pub(crate) struct Limits {
    gauge: Mutex<Gauge>,
    freed: Notify,
}

impl Limits {
    pub fn new(config: &LimitConfig) -> Arc<Self> {
        Arc::new(Self { gauge: Mutex::new(Gauge::new(config, Instant::now())), freed: Notify::new() })
    }

    pub fn gauge(&self) -> MutexGuard<'_, Gauge> {
        self.gauge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a slot and a place in the rate, but never longer than half of the time that is left: a call that starts with
    /// no time to end does more harm than one that does not start.
    async fn enter(&self, lane: Lane, deadline: Instant) -> Result<Slot<'_>> {
        let now = Instant::now();
        let give_up = now + deadline.saturating_duration_since(now) / 2;
        let _waiting = (lane == Lane::Leaver).then(|| Waiting::enter(self));
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            let wake = match self.gauge().take(lane, Instant::now()) {
                Ok(()) => return Ok(Slot { limits: self, lane }),
                Err(not_before) => not_before,
            };
            if wake.is_some_and(|wake| wake > give_up) || Instant::now() >= give_up {
                let wait = wake.map_or(Duration::from_secs(1), |wake| wake.saturating_duration_since(Instant::now()));
                return Err(refusal("every slot of the target is taken, or it asked for a pause").retry_after(wait));
            }
            // Either something changed or the time came: both are looked at in the next turn.
            let _ = timeout_at(wake.unwrap_or(give_up), freed).await;
        }
    }
}

/// A leaver stands in the queue: others let it pass.
struct Waiting<'a>(&'a Limits);

impl<'a> Waiting<'a> {
    fn enter(limits: &'a Limits) -> Self {
        limits.gauge().leavers_waiting += 1;
        Self(limits)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.gauge().leavers_waiting -= 1;
        self.0.freed.notify_waiters();
    }
}

/// One slot, given back when dropped: also when the caller walks away.
struct Slot<'a> {
    limits: &'a Limits,
    lane: Lane,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.limits.gauge().give_back(self.lane);
        self.limits.freed.notify_waiters();
    }
}

pub(crate) struct Limit {
    inner: Arc<dyn Connector>,
    limits: Arc<Limits>,
}

impl Limit {
    pub fn new(inner: Arc<dyn Connector>, limits: Arc<Limits>) -> Self {
        Self { inner, limits }
    }
}

impl Around for Limit {
    fn inner(&self) -> &Arc<dyn Connector> {
        &self.inner
    }

    async fn run<'a, T, F>(&'a self, call: Call<'a>, judge: Judge<T>, work: F) -> Result<T>
    where
        T: Send + 'a,
        F: Fn(Ctx) -> BoxFuture<'a, Result<T>> + Send + Sync + 'a,
    {
        let slot = self.limits.enter(Lane::of(&call.cx), call.cx.deadline).await?;
        let outcome = work(call.cx).await;
        if let Some(error) = verdict(&outcome, judge).filter(|error| error.class == Class::Throttled) {
            let asked = error.retry_after_ms.map(Duration::from_millis);
            self.limits.gauge().throttled(asked, Instant::now());
        }
        drop(slot);
        outcome
    }
}

#[cfg(test)]
mod tests;
