//! What the target never offered is refused here, before anything is sent; and so is a call that has no time left to end.
//!
//! The guard learns the schema from every schema that passes through it. While it knows none it lets calls pass: the connector
//! must refuse an undeclared operation by itself, and a leaver must not wait for a schema that cannot be read.

use crate::{
    around::{Around, Call, Judge},
    timeout::OpClass,
};
use connector_spi::{BatchOp, ConnError, Connector, Ctx, Effect, Kind, KindCaps, Op, Result, TargetSchema};
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};
use tokio::time::Instant;

/// What configuration takes away from a target. It never adds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Narrow {
    /// Nothing is written, not even for a leaver.
    pub read_only: bool,
    /// Operations that are switched off, by their names on the wire: `delete`, `set_password`.
    pub without: Vec<Op>,
}

impl Narrow {
    fn takes(&self, op: Op) -> bool {
        (self.read_only && op.writes()) || self.without.contains(&op)
    }

    /// The capabilities that are left.
    fn caps(&self, caps: &mut KindCaps) {
        caps.create &= !self.takes(Op::Create);
        caps.update &= !self.takes(Op::Update);
        caps.disable &= !self.takes(Op::Update);
        caps.delete &= !self.takes(Op::Delete);
        caps.list &= !self.takes(Op::List);
        caps.sync &= !self.takes(Op::Latest) && !self.takes(Op::Changes);
        caps.set_password &= !self.takes(Op::SetPassword);
        caps.effective &= !self.takes(Op::Effective);
        caps.revoke_sessions &= !self.takes(Op::RevokeSessions);
        if self.takes(Op::Apply) {
            caps.max_batch = 0;
        }
        if self.takes(Op::Find) {
            caps.find_by.clear();
        }
    }
}

/// Calls remembered for the time they usually take.
const SAMPLES: usize = 64;
/// Fewer say nothing.
const LEAST_SAMPLES: usize = 8;
/// Older ones say nothing: otherwise one slow minute would refuse every call for ever.
const SAMPLE_AGE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Durations(VecDeque<(Instant, Duration)>);

impl Durations {
    fn add(&mut self, now: Instant, took: Duration) {
        if self.0.len() == SAMPLES {
            self.0.pop_front();
        }
        self.0.push_back((now, took));
    }

    /// The time within which 95 of 100 calls end.
    fn p95(&self, now: Instant) -> Option<Duration> {
        let fresh = self.0.iter().filter(|(at, _)| now.saturating_duration_since(*at) < SAMPLE_AGE);
        let mut all: Vec<Duration> = fresh.map(|(_, took)| *took).collect();
        all.sort();
        (all.len() >= LEAST_SAMPLES).then(|| all.get(all.len() * 95 / 100).copied()).flatten()
    }
}

pub(crate) struct Guard {
    inner: Arc<dyn Connector>,
    narrow: Narrow,
    schema: RwLock<Option<Arc<TargetSchema>>>,
    usual: Mutex<[Durations; OpClass::ALL.len()]>,
}

impl Guard {
    pub fn new(inner: Arc<dyn Connector>, narrow: Narrow) -> Self {
        Self { inner, narrow, schema: RwLock::new(None), usual: Mutex::default() }
    }

    /// From now on this schema (the gateway keeps the last one over a restart). Returns it with what configuration leaves.
    pub fn learn(&self, mut schema: TargetSchema) -> TargetSchema {
        for kind in schema.kinds.values_mut() {
            self.narrow.caps(&mut kind.caps);
        }
        *self.schema.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(schema.clone()));
        schema
    }

    /// The schema that was learnt last.
    pub fn schema(&self) -> Option<Arc<TargetSchema>> {
        self.schema.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn allow(&self, call: &Call<'_>) -> Result<()> {
        if self.narrow.takes(call.op) {
            return Err(ConnError::unsupported(format!("{} is switched off for this target", call.op)));
        }
        let Some(schema) = self.schema() else { return Ok(()) };
        if let Some(kind) = call.kind {
            let state = call.change.is_some_and(|change| change.state.is_some());
            offered(&schema, kind, call.op, state)?;
        }
        for item in call.batch {
            let (kind, op, state) = match item {
                BatchOp::Create { kind, .. } => (kind, Op::Create, false),
                BatchOp::Update { kind, change, .. } => (kind, Op::Update, change.state.is_some()),
            };
            offered(&schema, kind, op, state)?;
            let most = schema.kinds.get(kind).map_or(0, |kind| kind.caps.max_batch);
            if call.batch.len() > usize::try_from(most).unwrap_or(usize::MAX) {
                return Err(ConnError::unsupported(format!("{kind}: at most {most} operations in one batch")));
            }
        }
        Ok(())
    }

    /// Closing is never refused for lack of time.
    fn in_time(&self, cx: &Ctx, class: OpClass, now: Instant) -> Result<()> {
        let usual = self.durations(class, |durations| durations.p95(now));
        match usual {
            Some(usual) if !cx.leaver && cx.deadline.saturating_duration_since(now) < usual => {
                Err(ConnError::timeout("less time is left than such a call usually takes").effect(Effect::None))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn durations<R>(&self, class: OpClass, with: impl FnOnce(&mut Durations) -> R) -> R {
        let mut all = self.usual.lock().unwrap_or_else(PoisonError::into_inner);
        let [probe, read, write, bulk] = &mut *all;
        with(match class {
            OpClass::Probe => probe,
            OpClass::Read => read,
            OpClass::Write => write,
            OpClass::Bulk => bulk,
        })
    }
}

fn offered(schema: &TargetSchema, kind: &Kind, op: Op, state: bool) -> Result<()> {
    let refuse = |what: &str| Err(ConnError::unsupported(format!("{kind}: {what}")));
    let Some(caps) = schema.kinds.get(kind).map(|kind| &kind.caps) else {
        return refuse("the target has no such kind");
    };
    let offered = match op {
        Op::Create => caps.create,
        Op::Update => caps.update,
        Op::Delete => caps.delete,
        Op::List => caps.list,
        Op::Latest | Op::Changes => caps.sync,
        Op::Find => !caps.find_by.is_empty(),
        Op::SetPassword => caps.set_password,
        Op::Effective => caps.effective,
        Op::RevokeSessions => caps.revoke_sessions,
        Op::Apply => caps.max_batch > 0,
        Op::Check | Op::Schema | Op::Get | Op::Discover | Op::Ticket => true,
    };
    if !offered {
        return refuse(&format!("{op} is not offered"));
    }
    if state && !caps.disable {
        return refuse("its state cannot be changed");
    }
    Ok(())
}

impl Around for Guard {
    fn inner(&self) -> &Arc<dyn Connector> {
        &self.inner
    }

    async fn run<'a, T, F>(&'a self, call: Call<'a>, _: Judge<T>, work: F) -> Result<T>
    where
        T: Send + 'a,
        F: Fn(Ctx) -> BoxFuture<'a, Result<T>> + Send + Sync + 'a,
    {
        let (begun, class) = (Instant::now(), OpClass::of(call.op));
        self.allow(&call)?;
        self.in_time(&call.cx, class, begun)?;
        let outcome = work(call.cx).await;
        if outcome.is_ok() {
            let now = Instant::now();
            self.durations(class, |durations| durations.add(now, now.saturating_duration_since(begun)));
        }
        outcome
    }

    fn narrow(&self, schema: TargetSchema) -> TargetSchema {
        self.learn(schema)
    }
}

#[cfg(test)]
mod tests;
