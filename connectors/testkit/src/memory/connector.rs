//! The contract over the model.

use super::{
    Memory,
    plan::{Call, Mishap},
    table::Table,
};
use crate::faults::Fault;
use async_trait::async_trait;
use connector_spi::{
    AccountState, Attrs, BatchOp, Batcher, Change, ConnError, Connector, Created, Ctx, Cursor, Discoverer, Effect,
    EffectFacet, Effective, Entitlement, Health, Kind, Level, Lister, NativeId, Op, Outcome, Page, Passwords, Record,
    Result, Secret, SyncEvent, SyncToken, Syncer, TargetSchema, Updated, Value,
};
use std::{collections::BTreeMap, future::pending};
use tokio::time::{Instant, sleep, sleep_until};

/// What a call did to the state.
struct Done<T> {
    answer: T,
    changed: bool,
    id: Option<NativeId>,
}

impl<T> Done<T> {
    fn read(answer: T) -> Self {
        Self { answer, changed: false, id: None }
    }
}

impl Memory {
    /// Runs one call: latency and mishaps first, then the work under the lock, then what the wire does to the answer.
    async fn run<T>(
        &self,
        cx: &Ctx,
        op: Op,
        of: Option<(&Kind, Option<&NativeId>)>,
        work: impl FnOnce(&mut Table) -> Result<Done<T>>,
    ) -> Result<T> {
        let (seq, mishap, fault) = self.arrive(cx, op, of);
        let outcome = self.answer(cx, op, seq, mishap, fault, of.map(|(kind, _)| kind), work).await;
        let class = outcome.as_ref().err().map(|error| error.class);
        self.lock().log.amend(seq, |call| call.outcome = Some(class));
        outcome
    }

    fn arrive(&self, cx: &Ctx, op: Op, of: Option<(&Kind, Option<&NativeId>)>) -> (u64, Option<Mishap>, Option<Fault>) {
        let mut inner = self.lock();
        let seq = inner.log.enter(Call {
            seq: 0,
            op,
            kind: of.map(|(kind, _)| kind.clone()),
            id: of.and_then(|(_, id)| id.cloned()),
            op_id: cx.op_id.to_string(),
            attempt: cx.attempt,
            leaver: cx.leaver,
            bulk: cx.bulk,
            dry_run: cx.dry_run,
            outcome: None,
            changed: false,
            state: None,
        });
        let outage = inner.plan.outage.clone().map(|error| Mishap::Fail(Box::new(error)));
        let mishap = outage.or_else(|| inner.plan.draw(op, of.map(|(kind, _)| kind)));
        (seq, mishap, inner.plan.fault)
    }

    #[allow(clippy::too_many_arguments)]
    async fn answer<T>(
        &self,
        cx: &Ctx,
        op: Op,
        seq: u64,
        mishap: Option<Mishap>,
        fault: Option<Fault>,
        kind: Option<&Kind>,
        work: impl FnOnce(&mut Table) -> Result<Done<T>>,
    ) -> Result<T> {
        self.wait(cx).await?;
        match mishap {
            Some(Mishap::Fail(error)) => return Err(*error),
            Some(Mishap::Hang) => return pending().await,
            Some(Mishap::Panic) => panic_on_command(),
            Some(Mishap::LoseReply) | None => {}
        }
        match fault {
            Some(Fault::Throttled { retry_after }) => {
                return Err(ConnError::throttled("too many requests").code(429).retry_after(retry_after));
            }
            Some(Fault::Unavailable) => return Err(ConnError::transient("service unavailable").code(503)),
            Some(Fault::ResetBeforeSend) => return Err(ConnError::transient("connection refused")),
            Some(Fault::SlowBody) => {
                sleep_until(cx.deadline).await;
                return Err(ConnError::timeout("the answer did not end in time"));
            }
            Some(Fault::Html) => return Err(ConnError::unknown("the answer is a web page")),
            Some(Fault::Unauthorized) => return Err(ConnError::auth("the credentials are refused").code(401)),
            Some(Fault::ResetAfterSend | Fault::TruncatedPage | Fault::Off) | None => {}
        }
        let done = self.work(cx, op, seq, kind, work)?;
        let lost = matches!(mishap, Some(Mishap::LoseReply)) || (fault == Some(Fault::ResetAfterSend) && op.writes());
        if lost && !cx.dry_run {
            return Err(ConnError::timeout("connection lost after the request was sent"));
        }
        Ok(done)
    }

    async fn wait(&self, cx: &Ctx) -> Result<()> {
        let latency = self.lock().plan.latency;
        if Instant::now() >= cx.deadline {
            return Err(ConnError::timeout("no time left").effect(Effect::None));
        }
        if latency.is_zero() {
            return Ok(());
        }
        if Instant::now() + latency >= cx.deadline {
            sleep_until(cx.deadline).await;
            return Err(ConnError::timeout("no answer in time"));
        }
        sleep(latency).await;
        Ok(())
    }

    fn work<T>(
        &self,
        cx: &Ctx,
        op: Op,
        seq: u64,
        kind: Option<&Kind>,
        work: impl FnOnce(&mut Table) -> Result<Done<T>>,
    ) -> Result<T> {
        let mut inner = self.lock();
        if cx.dry_run && op.writes() {
            let mut trial = inner.table.clone();
            drop(inner);
            let done = work(&mut trial)?;
            let kind = kind.map_or("", Kind::as_str);
            cx.host.event(Level::Info, "Dry run: nothing was sent.", &[("op", op.name()), ("kind", kind)]);
            return Ok(done.answer);
        }
        let done = work(&mut inner.table)?;
        let id = done.id.clone();
        let state = kind.zip(id.as_ref()).and_then(|(kind, id)| inner.table.row(kind, id)).map(|row| row.record.state);
        inner.log.amend(seq, |call| {
            call.changed = done.changed;
            call.id = id.or(call.id.take());
            call.state = state.filter(|_| done.changed);
        });
        Ok(done.answer)
    }
}

/// For the tests of what surrounds a connector: one that panics must be contained.
#[allow(clippy::panic)]
fn panic_on_command() -> ! {
    panic!("the model panics on command")
}

#[async_trait]
impl Connector for Memory {
    async fn check(&self, cx: &Ctx) -> Result<Health> {
        self.run(cx, Op::Check, None, |_| {
            Ok(Done::read(Health { server: Some("in-memory model".to_owned()), warnings: Vec::new() }))
        })
        .await
    }

    async fn schema(&self, cx: &Ctx) -> Result<TargetSchema> {
        self.run(cx, Op::Schema, None, |table| Ok(Done::read(table.schema.clone()))).await
    }

    async fn get(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Option<Record>> {
        self.run(cx, Op::Get, Some((kind, Some(id))), |table| {
            table.able(kind, "get", |_| true)?;
            Ok(Done::read(table.get(kind, id)))
        })
        .await
    }

    async fn find(&self, cx: &Ctx, kind: &Kind, key: &BTreeMap<String, Value>) -> Result<Vec<Record>> {
        self.run(cx, Op::Find, Some((kind, None)), |table| Ok(Done::read(table.find(kind, key)?))).await
    }

    async fn create(
        &self,
        cx: &Ctx,
        kind: &Kind,
        attrs: &Attrs,
        state: AccountState,
        entitlements: &[Entitlement],
    ) -> Result<Created> {
        self.run(cx, Op::Create, Some((kind, None)), |table| {
            let (answer, changed) = table.create(&cx.op_id, kind, attrs, state, entitlements)?;
            Ok(Done { changed, id: Some(answer.id.clone()), answer })
        })
        .await
    }

    async fn update(&self, cx: &Ctx, kind: &Kind, id: &NativeId, change: &Change) -> Result<Updated> {
        self.run(cx, Op::Update, Some((kind, Some(id))), |table| {
            let (answer, changed) = table.update(kind, id, change)?;
            Ok(Done { changed, id: answer.new_id.clone().or_else(|| Some(id.clone())), answer })
        })
        .await
    }

    async fn delete(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        self.run(cx, Op::Delete, Some((kind, Some(id))), |table| {
            let changed = table.delete(kind, id)?;
            Ok(Done { answer: (), changed, id: Some(id.clone()) })
        })
        .await
    }

    fn lister(&self) -> Option<&dyn Lister> {
        Some(self)
    }
    fn syncer(&self) -> Option<&dyn Syncer> {
        Some(self)
    }
    fn batcher(&self) -> Option<&dyn Batcher> {
        Some(self)
    }
    fn passwords(&self) -> Option<&dyn Passwords> {
        Some(self)
    }
    fn discoverer(&self) -> Option<&dyn Discoverer> {
        Some(self)
    }
    fn effect(&self) -> Option<&dyn EffectFacet> {
        Some(self)
    }
}

#[async_trait]
impl Lister for Memory {
    async fn list(&self, cx: &Ctx, kind: &Kind, cursor: Option<&Cursor>, size: u32) -> Result<Page<Record>> {
        let cut = self.lock().plan.fault == Some(Fault::TruncatedPage);
        self.run(cx, Op::List, Some((kind, None)), |table| {
            let mut page = table.list(kind, cursor, size)?;
            if cut {
                page.items.truncate(page.items.len() / 2);
                (page.next, page.complete) = (None, false);
            }
            Ok(Done::read(page))
        })
        .await
    }
}

#[async_trait]
impl Syncer for Memory {
    async fn latest(&self, cx: &Ctx, kind: &Kind) -> Result<SyncToken> {
        self.run(cx, Op::Latest, Some((kind, None)), |table| Ok(Done::read(table.latest(kind)?))).await
    }

    async fn changes(&self, cx: &Ctx, kind: &Kind, token: &SyncToken) -> Result<(Vec<SyncEvent>, SyncToken)> {
        self.run(cx, Op::Changes, Some((kind, None)), |table| Ok(Done::read(table.changes(kind, token)?))).await
    }
}

#[async_trait]
impl Batcher for Memory {
    async fn apply(&self, cx: &Ctx, ops: &[BatchOp]) -> Vec<Result<Outcome>> {
        let whole = self.run(cx, Op::Apply, None, |table| {
            let mut changed = false;
            let mut one = |op| {
                one_of_batch(table, op).map(|(outcome, changes)| {
                    changed |= changes;
                    outcome
                })
            };
            let answer: Vec<Result<Outcome>> = ops.iter().map(&mut one).collect();
            Ok(Done { changed, id: None, answer })
        });
        match whole.await {
            Ok(answers) => answers,
            Err(error) => vec![Err(error); ops.len()],
        }
    }
}

fn one_of_batch(table: &mut Table, op: &BatchOp) -> Result<(Outcome, bool)> {
    match op {
        BatchOp::Create { op_id, kind, attrs, state, entitlements } => {
            table.able(kind, "batches", |caps| caps.max_batch > 0)?;
            table
                .create(op_id, kind, attrs, *state, entitlements)
                .map(|(created, changed)| (Outcome::Created(Box::new(created)), changed))
        }
        BatchOp::Update { kind, id, change, .. } => {
            table.able(kind, "batches", |caps| caps.max_batch > 0)?;
            table.update(kind, id, change).map(|(updated, changed)| (Outcome::Updated(Box::new(updated)), changed))
        }
    }
}

#[async_trait]
impl Passwords for Memory {
    async fn set_password(&self, cx: &Ctx, kind: &Kind, id: &NativeId, password: &Secret) -> Result<()> {
        self.run(cx, Op::SetPassword, Some((kind, Some(id))), |table| {
            table.able(kind, "set_password", |caps| caps.set_password)?;
            if password.expose().chars().count() < 8 {
                return Err(ConnError::invalid("shorter than eight characters").attribute("password"));
            }
            let row = table.row_mut(kind, id).ok_or_else(|| ConnError::not_found("no such record"))?;
            row.passwords_set += 1;
            Ok(Done { answer: (), changed: true, id: Some(id.clone()) })
        })
        .await
    }
}

#[async_trait]
impl Discoverer for Memory {
    async fn discover(&self, cx: &Ctx) -> Result<BTreeMap<String, Vec<String>>> {
        self.run(cx, Op::Discover, None, |_| {
            Ok(Done::read(BTreeMap::from([("address".to_owned(), vec!["memory:model".to_owned()])])))
        })
        .await
    }
}

#[async_trait]
impl EffectFacet for Memory {
    async fn effective(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Effective> {
        self.run(cx, Op::Effective, Some((kind, Some(id))), |table| {
            table.able(kind, "effective", |caps| caps.effective)?;
            let Some(row) = table.row(kind, id) else {
                let why = vec!["absent".to_owned()];
                return Ok(Done::read(Effective { can_login: Some(false), sessions: Some(0), why }));
            };
            let can_login = row.record.state == AccountState::Enabled;
            let why = if can_login { Vec::new() } else { vec![format!("{:?}", row.record.state).to_lowercase()] };
            Ok(Done::read(Effective { can_login: Some(can_login), sessions: Some(row.sessions), why }))
        })
        .await
    }

    async fn revoke_sessions(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        self.run(cx, Op::RevokeSessions, Some((kind, Some(id))), |table| {
            table.able(kind, "revoke_sessions", |caps| caps.revoke_sessions)?;
            let ended = table.row_mut(kind, id).map(|row| std::mem::take(&mut row.sessions)).unwrap_or_default();
            Ok(Done { answer: (), changed: ended > 0, id: Some(id.clone()) })
        })
        .await
    }
}
