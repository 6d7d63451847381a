//! What goes wrong in the model, and the log of what was asked of it.

use crate::faults::Fault;
use connector_spi::{AccountState, Class, ConnError, Kind, NativeId, Op};
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

/// Calls remembered; older ones are dropped.
pub const LOG_LIMIT: usize = 200_000;

/// One call, as the model saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its place among all calls, from 1, in the order in which they arrived.
    pub seq: u64,
    /// Which.
    pub op: Op,
    /// The kind it spoke of.
    pub kind: Option<Kind>,
    /// The record it spoke of, or made.
    pub id: Option<NativeId>,
    /// The change's id.
    pub op_id: String,
    /// The attempt.
    pub attempt: u32,
    /// Made for a leaver.
    pub leaver: bool,
    /// Made by bulk work.
    pub bulk: bool,
    /// A dry run.
    pub dry_run: bool,
    /// How it ended for the caller: `None` while it runs (or when the caller walked away), `Some(None)` for success.
    pub outcome: Option<Option<Class>>,
    /// Whether the model's state changed, whatever the caller was told.
    pub changed: bool,
    /// The record's state afterwards, where the call changed it.
    pub state: Option<AccountState>,
}

/// What the next call of an operation meets.
#[derive(Debug, Clone)]
pub(super) enum Mishap {
    /// Nothing is done; this error.
    Fail(Box<ConnError>),
    /// Everything is done; the answer is lost.
    LoseReply,
    /// Nothing is done and no answer ever comes.
    Hang,
    /// The connector itself panics before anything is done.
    Panic,
}

/// Mishaps in store.
#[derive(Debug, Default)]
pub(super) struct Plan {
    next: HashMap<Op, VecDeque<Mishap>>,
    of_kind: HashMap<(Op, Kind), VecDeque<Mishap>>,
    /// Every call fails with this until healed.
    pub outage: Option<ConnError>,
    /// Time every call takes before it does anything.
    pub latency: Duration,
    /// What stands between the connector and the model.
    pub fault: Option<Fault>,
}

impl Plan {
    pub fn add(&mut self, op: Op, mishap: Mishap) {
        self.next.entry(op).or_default().push_back(mishap);
    }

    pub fn add_of_kind(&mut self, op: Op, kind: Kind, mishap: Mishap) {
        self.of_kind.entry((op, kind)).or_default().push_back(mishap);
    }

    /// The mishap of this call, used up.
    pub fn draw(&mut self, op: Op, kind: Option<&Kind>) -> Option<Mishap> {
        let of_kind = kind.and_then(|kind| self.of_kind.get_mut(&(op, kind.clone()))).and_then(VecDeque::pop_front);
        of_kind.or_else(|| self.next.get_mut(&op).and_then(VecDeque::pop_front))
    }

    pub fn clear(&mut self) {
        self.next.clear();
        self.of_kind.clear();
        self.outage = None;
        self.fault = None;
    }
}

/// The calls in the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct Log {
    calls: VecDeque<Call>,
    last: u64,
}

impl Log {
    /// Enters a call and returns its number.
    pub fn enter(&mut self, mut call: Call) -> u64 {
        self.last += 1;
        call.seq = self.last;
        if self.calls.len() == LOG_LIMIT {
            self.calls.pop_front();
        }
        self.calls.push_back(call);
        self.last
    }

    pub fn amend(&mut self, seq: u64, with: impl FnOnce(&mut Call)) {
        let first = self.calls.front().map_or(0, |call| call.seq);
        let at = seq.checked_sub(first).and_then(|offset| usize::try_from(offset).ok());
        if let Some(call) = at.and_then(|at| self.calls.get_mut(at)) {
            with(call);
        }
    }

    pub fn all(&self) -> Vec<Call> {
        self.calls.iter().cloned().collect()
    }

    pub fn clear(&mut self) {
        self.calls.clear();
    }
}
