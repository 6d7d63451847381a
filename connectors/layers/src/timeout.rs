//! The innermost layer: no call outlives its time, and a panic stays inside.
//!
//! A read that meets a passing fault is tried again here, at most twice, within the same time. A write never is: the due link
//! is its retry, and knows to look before it writes again.

use crate::around::{Around, Call, Judge};
use connector_spi::{Class, ConnError, Connector, Ctx, Effect, Op, Result};
use futures_util::{FutureExt, future::BoxFuture};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout_at};

/// What sort of call it is, as far as time goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpClass {
    /// Asks whether the target is there.
    Probe,
    /// Reads one thing.
    Read,
    /// Writes one thing.
    Write,
    /// Reads or writes many.
    Bulk,
}

impl OpClass {
    /// All of them.
    pub const ALL: [OpClass; 4] = [OpClass::Probe, OpClass::Read, OpClass::Write, OpClass::Bulk];

    /// The class of a call.
    #[must_use]
    pub fn of(op: Op) -> Self {
        match op {
            Op::Check => OpClass::Probe,
            Op::Schema | Op::Get | Op::Find | Op::Latest | Op::Discover | Op::Effective | Op::Ticket => OpClass::Read,
            Op::Create | Op::Update | Op::Delete | Op::SetPassword | Op::RevokeSessions => OpClass::Write,
            Op::List | Op::Changes | Op::Apply => OpClass::Bulk,
        }
    }
}

/// Longest time of a call by its class, in seconds. The caller's deadline holds besides.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// A health check.
    pub probe: u64,
    /// A read of one record, a search by key, a schema.
    pub read: u64,
    /// A write of one record. Small real systems hash passwords for seconds: not below 10.
    pub write: u64,
    /// A page of a listing, a batch.
    pub bulk: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { probe: 5, read: 10, write: 30, bulk: 120 }
    }
}

impl Timeouts {
    /// The time of this class.
    #[must_use]
    pub fn of(&self, class: OpClass) -> Duration {
        Duration::from_secs(match class {
            OpClass::Probe => self.probe,
            OpClass::Read => self.read,
            OpClass::Write => self.write,
            OpClass::Bulk => self.bulk,
        })
    }
}

/// Repetitions of a read, after the first try.
const READ_RETRIES: u32 = 2;
/// Wait before the first repetition; doubled for the second.
const READ_WAIT: Duration = Duration::from_millis(100);

pub(crate) struct Timeout {
    inner: Arc<dyn Connector>,
    limits: Timeouts,
}

impl Timeout {
    pub fn new(inner: Arc<dyn Connector>, limits: Timeouts) -> Self {
        Self { inner, limits }
    }
}

impl Around for Timeout {
    fn inner(&self) -> &Arc<dyn Connector> {
        &self.inner
    }

    async fn run<'a, T, F>(&'a self, call: Call<'a>, _: Judge<T>, work: F) -> Result<T>
    where
        T: Send + 'a,
        F: Fn(Ctx) -> BoxFuture<'a, Result<T>> + Send + Sync + 'a,
    {
        let (op, class) = (call.op, OpClass::of(call.op));
        let deadline = call.cx.deadline.min(Instant::now() + self.limits.of(class));
        let cx = Ctx { deadline, ..call.cx };
        let repetitions = if op.writes() || class == OpClass::Probe { 0 } else { READ_RETRIES };
        if Instant::now() >= deadline {
            return Err(ConnError::timeout("no time left to begin").effect(Effect::None));
        }
        let mut tried = 0;
        loop {
            let outcome = once(op, deadline, work(cx.clone())).await;
            let wait = READ_WAIT * (1 << tried);
            match outcome {
                Err(error) if error.class == Class::Transient && tried < repetitions => {
                    if Instant::now() + wait >= deadline {
                        return Err(error);
                    }
                    sleep(wait).await;
                    tried += 1;
                }
                settled => return settled,
            }
        }
    }
}

async fn once<T>(op: Op, deadline: Instant, work: BoxFuture<'_, Result<T>>) -> Result<T> {
    // A read changes nothing, however it ends.
    let effect = if op.writes() { Effect::Maybe } else { Effect::None };
    match timeout_at(deadline, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_panic)) => Err(ConnError::unknown("the connector panicked").effect(effect)),
        Err(_elapsed) => Err(ConnError::timeout("no answer in time").effect(effect)),
    }
}

#[cfg(test)]
mod tests;
