//! Targets that are not quite as the model: one that works changes off later, one whose connector does something after each, one
//! that takes some accounts into no group.

use async_trait::async_trait;
use connector_spi::{
    AccountState, Attrs, Change, ConnError, Connector, Created, Ctx, Delta, Effect, Entitlement, Kind, NativeId,
    PartFailure, Pending, Result, TargetSchema, TicketState, Tickets, Updated, Value,
};
use connector_testkit::odd::{Odd, Oddity};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A desk at which people carry changes out: every change is taken on, and done when somebody gets round to it.
pub struct Desk(Tray, Option<Verdicts>);

/// What a desk says when it is asked about tickets; it is silent about those that are not here.
pub type Verdicts = Arc<Mutex<HashMap<String, TicketState>>>;

/// The changes that wait on a desk.
pub type Tray = Arc<Mutex<Vec<Task>>>;

/// One change that waits.
pub enum Task {
    Create(Ctx, Kind, Attrs, AccountState, Vec<Entitlement>),
    Update(Ctx, Kind, NativeId, Change),
}

impl Desk {
    pub fn before(inside: Arc<dyn Connector>, tray: &Tray) -> Arc<dyn Connector> {
        Odd::around(inside, Desk(Arc::clone(tray), None))
    }

    /// One that tells what became of its tickets, which are called `T1`, `T2` and so on.
    pub fn telling(inside: Arc<dyn Connector>, tray: &Tray, verdicts: &Verdicts) -> Arc<dyn Connector> {
        Odd::around(inside, Desk(Arc::clone(tray), Some(Arc::clone(verdicts))))
    }

    fn take_on(&self, task: Task) -> Option<Pending> {
        let mut tray = self.0.lock().unwrap();
        tray.push(task);
        Some(Pending { ticket: format!("T{}", tray.len()), poll_after: Duration::from_secs(1) })
    }
}

#[async_trait]
impl Oddity for Desk {
    async fn create(
        &self,
        _: &dyn Connector,
        cx: &Ctx,
        kind: &Kind,
        attrs: &Attrs,
        state: AccountState,
        held: &[Entitlement],
    ) -> Result<Created> {
        let task = Task::Create(cx.clone(), kind.clone(), attrs.clone(), state, held.to_vec());
        Ok(Created { pending: self.take_on(task), ..Created::new("") })
    }
    async fn update(
        &self,
        _: &dyn Connector,
        cx: &Ctx,
        kind: &Kind,
        id: &NativeId,
        change: &Change,
    ) -> Result<Updated> {
        let task = Task::Update(cx.clone(), kind.clone(), id.clone(), change.clone());
        Ok(Updated { pending: self.take_on(task), ..Updated::default() })
    }
    fn tickets<'a>(&'a self, _: &'a dyn Connector) -> Option<&'a dyn Tickets> {
        self.1.as_ref().map(|_| self as &dyn Tickets)
    }
}

#[async_trait]
impl Tickets for Desk {
    async fn ticket(&self, _: &Ctx, _: &Kind, ticket: &str) -> Result<TicketState> {
        let told = self.1.as_ref().and_then(|verdicts| verdicts.lock().unwrap().get(ticket).cloned());
        told.ok_or_else(|| ConnError::not_found("nobody knows of it"))
    }
}

/// Somebody works the desk off.
pub async fn work_off(tray: &Tray, target: &Arc<dyn Connector>) {
    let tasks = std::mem::take(&mut *tray.lock().unwrap());
    for task in tasks {
        match task {
            Task::Create(mut cx, kind, attrs, state, held) => {
                cx.deadline = tokio::time::Instant::now() + Duration::from_secs(5);
                target.create(&cx, &kind, &attrs, state, &held).await.unwrap();
            }
            Task::Update(mut cx, kind, id, change) => {
                cx.deadline = tokio::time::Instant::now() + Duration::from_secs(5);
                target.update(&cx, &kind, &id, &change).await.unwrap();
            }
        }
    }
}

/// Something that the connector does after each change: it fails while it is told to.
#[derive(Default)]
pub struct Notice {
    pub fails: AtomicBool,
    pub given: AtomicUsize,
}

/// A connector that gives notice after each change.
pub struct Notifying(Arc<Notice>);

impl Notifying {
    pub fn around(inside: Arc<dyn Connector>, notice: &Arc<Notice>) -> Arc<dyn Connector> {
        Odd::around(inside, Notifying(Arc::clone(notice)))
    }

    fn give(&self) -> Vec<PartFailure> {
        if self.0.fails.load(Ordering::SeqCst) {
            let error = ConnError::transient("nobody answers").effect(Effect::Partial);
            return vec![PartFailure { part: "after:notice".to_owned(), error }];
        }
        self.0.given.fetch_add(1, Ordering::SeqCst);
        Vec::new()
    }
}

#[async_trait]
impl Oddity for Notifying {
    fn schema(&self, mut inside: TargetSchema) -> TargetSchema {
        inside.kinds.values_mut().for_each(|kind| kind.caps.follow_ups = true);
        inside
    }
    async fn create(
        &self,
        inside: &dyn Connector,
        cx: &Ctx,
        kind: &Kind,
        attrs: &Attrs,
        state: AccountState,
        held: &[Entitlement],
    ) -> Result<Created> {
        let created = inside.create(cx, kind, attrs, state, held).await?;
        Ok(Created { failed: self.give(), ..created })
    }
    async fn update(
        &self,
        inside: &dyn Connector,
        cx: &Ctx,
        kind: &Kind,
        id: &NativeId,
        change: &Change,
    ) -> Result<Updated> {
        let updated = inside.update(cx, kind, id, change).await?;
        Ok(Updated { failed: self.give(), ..updated })
    }
}

/// A target that takes some accounts into no group, and says so of the whole call.
pub struct Doorman(Arc<Mutex<HashSet<String>>>);

impl Doorman {
    pub fn before(inside: Arc<dyn Connector>, banned: &Arc<Mutex<HashSet<String>>>) -> Arc<dyn Connector> {
        Odd::around(inside, Doorman(Arc::clone(banned)))
    }
}

#[async_trait]
impl Oddity for Doorman {
    async fn update(
        &self,
        inside: &dyn Connector,
        cx: &Ctx,
        kind: &Kind,
        id: &NativeId,
        change: &Change,
    ) -> Result<Updated> {
        let added = change.attrs.values().flat_map(|delta| match delta {
            Delta::Patch { add, .. } => add.as_slice(),
            Delta::Set(_) | Delta::Clear => &[],
        });
        let is_banned = |value: &Value| self.0.lock().unwrap().contains(value.as_text().unwrap_or_default());
        if kind.as_str() == "group" && added.into_iter().any(is_banned) {
            return Err(ConnError::invalid("somebody is not let in"));
        }
        inside.update(cx, kind, id, change).await
    }
}
