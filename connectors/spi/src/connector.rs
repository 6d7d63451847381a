//! The one trait.

use crate::{
    AccountState, Attrs, Change, ConnError, Created, Cursor, Effective, Entitlement, Health, Host, Kind, NativeId,
    Page, Record, Result, Secret, SyncEvent, SyncToken, TargetSchema, TicketState, Updated, Value,
};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};
use tokio::time::Instant;

/// What comes with every call.
#[derive(Clone)]
pub struct Ctx {
    /// Hash of link, generation and delta: the same over all attempts of one change, another for the next. Sent as the
    /// target's idempotency key where it has one.
    pub op_id: Arc<str>,
    /// 1 on the first attempt.
    pub attempt: u32,
    /// When the caller gives up.
    pub deadline: Instant,
    /// Validate and say what would be sent ([`Host::event`]); write nothing.
    pub dry_run: bool,
    /// The call closes access: it may use the slot and the share of the rate that are kept for leavers.
    pub leaver: bool,
    /// The call belongs to bulk work (a sweep, a reconciliation, an import): one slot is never given to it.
    pub bulk: bool,
    /// The gateway.
    pub host: Arc<dyn Host>,
}

impl Ctx {
    /// A first attempt of an ordinary call: no dry run, neither leaver nor bulk.
    pub fn new(op_id: impl Into<Arc<str>>, deadline: Instant, host: Arc<dyn Host>) -> Self {
        Self { op_id: op_id.into(), attempt: 1, deadline, dry_run: false, leaver: false, bulk: false, host }
    }
}

/// A target, through its protocol.
///
/// Every write may be run twice. No call retries a write, sleeps, or keeps state that a restart would lose.
#[async_trait]
pub trait Connector: Send + Sync + 'static {
    /// Asks whether the target is there and lets us in. Cheap.
    ///
    /// # Behaviour
    /// - Changes nothing.
    /// - A wrong secret is `Auth`, a wrong host is `Config` or `Transient`.
    async fn check(&self, cx: &Ctx) -> Result<Health>;

    /// What the target consists of; cached by its revision.
    async fn schema(&self, cx: &Ctx) -> Result<TargetSchema>;

    /// Reads one record by id.
    ///
    /// # Behaviour
    /// - An absent record is `None`.
    /// - Inactive records are found too.
    async fn get(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Option<Record>>;

    /// Reads all records with this natural key.
    ///
    /// # Behaviour
    /// - No record is an empty list.
    /// - Inactive records are found too: else a leaver's account would be made a second time.
    async fn find(&self, cx: &Ctx, kind: &Kind, key: &BTreeMap<String, Value>) -> Result<Vec<Record>>;

    /// Makes a record.
    ///
    /// # Behaviour
    /// - A taken natural key is `AlreadyExists`.
    /// - A value that the target refuses is `Invalid` and names the attribute.
    /// - An enabled account is enabled last.
    async fn create(
        &self,
        cx: &Ctx,
        kind: &Kind,
        attrs: &Attrs,
        state: AccountState,
        entitlements: &[Entitlement],
    ) -> Result<Created>;

    /// Changes a record: all of `change`, in an order that closes first and opens last.
    ///
    /// # Behaviour
    /// - What is so already is success.
    /// - A part that failed is listed in `failed`.
    async fn update(&self, cx: &Ctx, kind: &Kind, id: &NativeId, change: &Change) -> Result<Updated>;

    /// Removes a record.
    ///
    /// # Behaviour
    /// - Deleting a missing record succeeds.
    async fn delete(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()>;

    /// Lists all records and entitlements of a kind.
    fn lister(&self) -> Option<&dyn Lister> {
        None
    }
    /// Reports what changed in the target.
    fn syncer(&self) -> Option<&dyn Syncer> {
        None
    }
    /// Carries out several operations in one call.
    fn batcher(&self) -> Option<&dyn Batcher> {
        None
    }
    /// Sets passwords.
    fn passwords(&self) -> Option<&dyn Passwords> {
        None
    }
    /// Suggests values for the configuration.
    fn discoverer(&self) -> Option<&dyn Discoverer> {
        None
    }
    /// Answers who can log in, and ends sessions. Without it a closing is `unverified`, and says so.
    fn effect(&self) -> Option<&dyn Effect> {
        None
    }
    /// Tells what became of work that the target has taken on. Without it, the record alone tells.
    fn tickets(&self) -> Option<&dyn Tickets> {
        None
    }
}

/// Lists records, accounts and entitlements alike.
#[async_trait]
pub trait Lister: Send + Sync {
    /// The page at `cursor`, of at most `size` records. Memory does not grow with the number of records.
    async fn list(&self, cx: &Ctx, kind: &Kind, cursor: Option<&Cursor>, size: u32) -> Result<Page<Record>>;
}

/// Reports changes made in the target.
#[async_trait]
pub trait Syncer: Send + Sync {
    /// The newest point of the target's history.
    async fn latest(&self, cx: &Ctx, kind: &Kind) -> Result<SyncToken>;
    /// What happened since `token`, and the next token. An expired token gives [`SyncEvent::Resync`].
    async fn changes(&self, cx: &Ctx, kind: &Kind, token: &SyncToken) -> Result<(Vec<SyncEvent>, SyncToken)>;
}

/// One operation of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "op")]
pub enum BatchOp {
    /// As [`Connector::create`].
    #[serde(rename_all = "camelCase")]
    Create {
        /// The change's own id.
        op_id: String,
        /// Sort of record.
        kind: Kind,
        /// Attributes.
        attrs: Attrs,
        /// State.
        state: AccountState,
        /// Entitlements.
        entitlements: Vec<Entitlement>,
    },
    /// As [`Connector::update`].
    #[serde(rename_all = "camelCase")]
    Update {
        /// The change's own id.
        op_id: String,
        /// Sort of record.
        kind: Kind,
        /// The record.
        id: NativeId,
        /// The change.
        change: Box<Change>,
    },
}

/// The outcome of one operation of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Of a create.
    Created(Box<Created>),
    /// Of an update.
    Updated(Box<Updated>),
}

/// Carries out several operations in one call.
#[async_trait]
pub trait Batcher: Send + Sync {
    /// One answer for each operation, in the same order. When the whole call fails with an unknown effect, each answer is
    /// `Unknown` with effect `Maybe`.
    async fn apply(&self, cx: &Ctx, ops: &[BatchOp]) -> Vec<std::result::Result<Outcome, ConnError>>;
}

/// Sets passwords.
#[async_trait]
pub trait Passwords: Send + Sync {
    /// Sets the account's password. Passwords are made per attempt and never stored.
    async fn set_password(&self, cx: &Ctx, kind: &Kind, id: &NativeId, password: &Secret) -> Result<()>;
}

/// Suggests values for the configuration.
#[async_trait]
pub trait Discoverer: Send + Sync {
    /// Suggestions by configuration key, best first.
    async fn discover(&self, cx: &Ctx) -> Result<BTreeMap<String, Vec<String>>>;
}

/// Answers for what an account can really do.
#[async_trait]
pub trait Effect: Send + Sync {
    /// Whether a login would be let in, and which sessions are open.
    async fn effective(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Effective>;
    /// Ends the account's open sessions. None open is success.
    async fn revoke_sessions(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()>;
}

/// Tells what became of work that the target has taken on ([`crate::Pending`]).
#[async_trait]
pub trait Tickets: Send + Sync {
    /// What became of it. A ticket that the target does not know is `NotFound`: then the record alone tells.
    async fn ticket(&self, cx: &Ctx, kind: &Kind, ticket: &str) -> Result<TicketState>;
}
