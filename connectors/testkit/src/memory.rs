//! The model: a complete connector over nothing but memory.
//!
//! It is the contract made executable. The kit runs its checks over it, the engine's tests use it as a target, and an
//! integrator can read it to see what a sentence of the contract means. It loses nothing by itself; what goes wrong, goes
//! wrong on command: [`Memory::fail_next`], [`Memory::lose_next_reply`], [`Memory::outage`], [`Memory::set_latency`].
//!
//! A `Memory` is a handle: clones share one target, so a "restarted" connector finds what was there before.

mod connector;
mod hospital;
mod kind;
mod plan;
mod subject;
mod table;
mod values;

pub use hospital::Catalogue;
pub use kind::{MemoryFaults, MemoryKind, SECRET};
pub use plan::{Call, LOG_LIMIT};

use crate::faults::Fault;
use connector_spi::{ConnError, Connector, Kind, NativeId, Op, Record, TargetSchema};
use plan::{Log, Mishap, Plan};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use table::Table;

/// An in-memory target and its connector.
#[derive(Clone)]
pub struct Memory {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    table: Table,
    plan: Plan,
    log: Log,
}

/// Everything the model holds, sorted: for assertions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// All records, by kind and id.
    pub records: BTreeMap<(Kind, NativeId), Record>,
    /// Open sessions of accounts that have any.
    pub sessions: BTreeMap<NativeId, u32>,
    /// How often a password was set; never the password.
    pub passwords_set: BTreeMap<NativeId, u32>,
}

impl Snapshot {
    /// The records of a kind.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Record> {
        self.records.values().filter(move |record| record.kind.as_str() == kind)
    }

    /// The records of a kind with this text in this attribute; letter case counts.
    #[must_use]
    pub fn with<'a>(&'a self, kind: &'a str, attribute: &str, text: &str) -> Vec<&'a Record> {
        let holds = |record: &&Record| {
            record.attrs.get(attribute).is_some_and(|values| values.iter().any(|value| value.as_text() == Some(text)))
        };
        self.of_kind(kind).filter(holds).collect()
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory {
    /// A small clinical system: accounts (`login`, `employeeNumber`, `displayName`, `title`, `phone`, `mail`), groups, and the
    /// catalogues `security-class` and `template`.
    #[must_use]
    pub fn new() -> Self {
        Self::with_schema(hospital::schema(), hospital::catalogue(), BTreeSet::from([Kind::from("group")]))
    }

    /// A target of another shape. `named` are the kinds whose id is made of their first natural key and changes with it.
    #[must_use]
    pub fn with_schema(schema: TargetSchema, catalogue: Catalogue, named: BTreeSet<Kind>) -> Self {
        let inner = Inner { table: Table::new(schema, catalogue, named), plan: Plan::default(), log: Log::default() };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// The connector; all connectors of one `Memory` share its state.
    #[must_use]
    pub fn connector(&self) -> Arc<dyn Connector> {
        Arc::new(self.clone())
    }

    /// The schema it declares.
    #[must_use]
    pub fn target_schema(&self) -> TargetSchema {
        self.lock().table.schema.clone()
    }

    /// Changes what the schema declares: to switch a capability off, or to require a provider record first.
    pub fn alter_schema(&self, alter: impl FnOnce(&mut TargetSchema)) {
        alter(&mut self.lock().table.schema);
    }

    /// Makes one more value grantable.
    pub fn add_to_catalogue(&self, kind: &str, value: &str) {
        self.lock().table.catalogue.entry(Kind::from(kind)).or_default().insert(NativeId::from(value));
    }

    /// Everything it holds now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let inner = self.lock();
        let mut snapshot = Snapshot::default();
        for row in inner.table.rows() {
            let id = &row.record.id;
            snapshot.records.insert((row.record.kind.clone(), id.clone()), row.record.clone());
            if row.sessions > 0 {
                snapshot.sessions.insert(id.clone(), row.sessions);
            }
            if row.passwords_set > 0 {
                snapshot.passwords_set.insert(id.clone(), row.passwords_set);
            }
        }
        snapshot
    }

    /// One record as it is now.
    #[must_use]
    pub fn record(&self, kind: &str, id: &NativeId) -> Option<Record> {
        self.lock().table.row(&Kind::from(kind), id).map(|row| row.record.clone())
    }

    /// How many records there are of all kinds.
    #[must_use]
    pub fn size(&self) -> usize {
        self.lock().table.rows().count()
    }

    /// Puts a record in place, whatever the rules say: a change made in the target behind the gateway's back.
    pub fn put(&self, record: Record) {
        self.lock().table.put(record);
    }

    /// Changes a record behind the gateway's back; `false` when there is none.
    pub fn tamper(&self, kind: &str, id: &NativeId, change: impl FnOnce(&mut Record)) -> bool {
        let mut inner = self.lock();
        let Some(mut record) = inner.table.row(&Kind::from(kind), id).map(|row| row.record.clone()) else {
            return false;
        };
        change(&mut record);
        inner.table.put(record);
        true
    }

    /// Removes a record behind the gateway's back; `false` when there is none.
    pub fn remove(&self, kind: &str, id: &NativeId) -> bool {
        self.lock().table.erase(&Kind::from(kind), id).is_some()
    }

    /// A person logs in: opens a session if the account is enabled. Disabling it later does not end the session.
    pub fn log_in(&self, kind: &str, id: &NativeId) -> bool {
        let mut inner = self.lock();
        let Some(row) = inner.table.row_mut(&Kind::from(kind), id) else { return false };
        let let_in = row.record.state == connector_spi::AccountState::Enabled;
        row.sessions += u32::from(let_in);
        let_in
    }

    /// Forgets the history of changes: every sync token handed out so far has expired.
    pub fn expire_sync_tokens(&self) {
        self.lock().table.expire_tokens();
    }

    /// The next call of `op` does nothing and fails with `error`. Several are used up in order.
    pub fn fail_next(&self, op: Op, error: ConnError) {
        self.lock().plan.add(op, Mishap::Fail(Box::new(error)));
    }

    /// As [`Memory::fail_next`] for the next `times` calls.
    pub fn fail_times(&self, op: Op, times: usize, error: &ConnError) {
        let mut inner = self.lock();
        for _ in 0..times {
            inner.plan.add(op, Mishap::Fail(Box::new(error.clone())));
        }
    }

    /// As [`Memory::fail_times`] for calls about one kind only.
    pub fn fail_kind(&self, kind: &str, op: Op, error: ConnError, times: usize) {
        let mut inner = self.lock();
        for _ in 0..times {
            inner.plan.add_of_kind(op, Kind::from(kind), Mishap::Fail(Box::new(error.clone())));
        }
    }

    /// The next call of `op` is carried out, but its caller is told `Timeout` with effect `Maybe`.
    pub fn lose_next_reply(&self, op: Op) {
        self.lock().plan.add(op, Mishap::LoseReply);
    }

    /// The next call of `op` does nothing and is never answered: the caller must give up by itself.
    pub fn hang_next(&self, op: Op) {
        self.lock().plan.add(op, Mishap::Hang);
    }

    /// The next call of `op` panics inside the connector, before anything is done.
    pub fn panic_next(&self, op: Op) {
        self.lock().plan.add(op, Mishap::Panic);
    }

    /// From now on every call fails with `error`, until [`Memory::heal`].
    pub fn outage(&self, error: ConnError) {
        self.lock().plan.outage = Some(error);
    }

    /// Ends an outage and drops every mishap in store. The latency stays.
    pub fn heal(&self) {
        self.lock().plan.clear();
    }

    /// From now on every call takes this long before it does anything; one that would pass its deadline ends there as
    /// `Timeout` with nothing done.
    pub fn set_latency(&self, latency: Duration) {
        self.lock().plan.latency = latency;
    }

    /// Sets a fault of the wire, as a [`crate::FaultProxy`] would.
    pub fn set_fault(&self, fault: Fault) {
        self.lock().plan.fault = (fault != Fault::Off).then_some(fault);
    }

    /// All calls so far, in the order of their arrival; at most the last [`LOG_LIMIT`].
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.lock().log.all()
    }

    /// How many calls of `op` arrived.
    #[must_use]
    pub fn count(&self, op: Op) -> usize {
        self.lock().log.all().iter().filter(|call| call.op == op).count()
    }

    /// The calls that changed something, in order.
    #[must_use]
    pub fn writes(&self) -> Vec<Call> {
        self.lock().log.all().into_iter().filter(|call| call.changed).collect()
    }

    /// Empties the log of calls; numbers go on.
    pub fn forget_calls(&self) {
        self.lock().log.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic on command must not take the model with it: each change of the state is whole before anything can panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
