//! What survives a restart.
//!
//! One trait at the level of what the gateway does ([`Store::commit`], [`Store::claim`], [`Store::settle`]), not of tables:
//! the two data bases differ exactly where their strength is needed. Each implementation has its own SQL and runs the one
//! suite in [`conformance`].
//!
//! The key decision: a request computes its whole [`Change`] before the writer sees it. The writer only checks that what the
//! change was computed from still holds (version, groups, policy epoch) and writes the rows; when it does not hold, the
//! answer is [`StoreError::Stale`] and the caller computes again. So nothing slow ever happens inside a write transaction,
//! and many requests share one fsync.

pub mod audit;
pub mod chain;
pub mod change;
pub mod conformance;
pub mod error;
pub mod query;
pub mod sqlite;
pub mod token;
pub mod work;

use async_trait::async_trait;
use gateway_domain::{AuditEntry, Link, LinkKey, ResourceId, SourceId, TargetId};
use jiff::Timestamp;

pub use audit::AuditRow;
pub use change::{
    Assertion, AssertionWrite, Change, Committed, Expect, GroupRef, Index, LinkWrite, Snapshot, Stored, Unique, Write,
};
pub use error::{Result, StoreError};
pub use query::{ListPage, ListRequest, MemberRow, Needs, PageAsk, Position, Sort, View};
pub use sqlite::Sqlite;
pub use token::Token;
pub use work::{Assignments, ClaimAsk, LinkFilter, Settle, Settled, Slots, Sweep, SweepCause, Swept, TargetStatus};

/// The gateway's memory.
///
/// # Behaviour
/// - What `commit`, `claim` or `settle` answered survives a crash: the answer comes after the fsync.
/// - A read that starts after a write was answered sees that write.
/// - A failed write leaves nothing behind.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Everything that a decision about one resource needs, from one consistent read. An absent resource has
    /// `resource: None` (its links may still be there as tombstones).
    async fn snapshot(&self, ty: &str, id: &ResourceId) -> Result<Snapshot>;

    /// One resource for an answer, with what `needs` asks for.
    async fn view(&self, ty: &str, id: &ResourceId, needs: Needs) -> Result<Option<View>>;

    /// A page of resources. Bounded by the request's deadline: [`StoreError::TooSlow`].
    async fn list(&self, request: ListRequest) -> Result<ListPage>;

    /// Writes a change, or nothing.
    ///
    /// # Behaviour
    /// - `Stale` when the version, the groups or the policy epoch are not those it was computed from.
    /// - `Uniqueness` when an index entry that must be unique belongs to another resource.
    /// - Concurrent callers share one transaction; each one's failure is its own.
    /// - A link whose wanted state has members has a row for each account of the group's users in its target, also of those in
    ///   groups inside it, from its first write on; the rows follow the group's members, and go when the group is deleted. A
    ///   link with rows that differ is due.
    /// - An account whose link is closed is no member, unless its closing strips nothing.
    async fn commit(&self, change: Change) -> Result<Committed>;

    /// Takes due links of one target, most urgent lane first, and records in the same transaction what each is about to send.
    ///
    /// # Behaviour
    /// - Never gives out two links of one (target, kind, natural key) at a time.
    /// - Never gives out more of a lane than `slots` says.
    /// - A link whose lease ran out is given out again with a higher fence.
    /// - A link that can take members ([`Link::takes_members`]) comes with the first of those that differ, at most
    ///   [`MEMBERS_AT_ONCE`], and what is handed out is remembered as sent until it is settled.
    ///
    /// [`MEMBERS_AT_ONCE`]: gateway_domain::link::MEMBERS_AT_ONCE
    async fn claim(&self, ask: ClaimAsk) -> Result<Vec<Link>>;

    /// Writes down the outcome of a claim.
    ///
    /// # Behaviour
    /// - `Superseded` and no change when the fence is not the newest.
    /// - When the link's generation moved on meanwhile, the link stays due at once.
    /// - Members that were carried are there, or gone; a link with more to carry is due at once, unless it failed.
    /// - A link that got another native id, or lost its own, moves the rows of the groups that its account is in.
    async fn settle(&self, settle: Settle) -> Result<Settled>;

    /// Gives all leases back that this process left behind. Called once after the start, before any claim; the links become
    /// due at once and are read before anything is sent.
    async fn release_leases(&self) -> Result<u64>;

    /// When the target's earliest link that is not leased becomes due.
    async fn next_due(&self, target: &TargetId) -> Result<Option<Timestamp>>;

    /// The link by key.
    async fn link(&self, key: &LinkKey) -> Result<Option<Link>>;

    /// Links by what is asked, in order of id.
    async fn links(&self, filter: LinkFilter) -> Result<Vec<Link>>;

    /// Who is linked to this native id, a tombstone included: an account is never adopted while somebody holds it.
    async fn holder(&self, target: &TargetId, kind: &str, native_id: &str) -> Result<Option<LinkKey>>;

    /// Makes the links due at once with their attempts forgotten, and tells how many. Writes `audit` for the act.
    async fn retry(&self, filter: LinkFilter, audit: AuditEntry) -> Result<u64>;

    /// Per target, what stands and what does not.
    async fn status(&self) -> Result<Vec<TargetStatus>>;

    /// How many people hold what is given. Reads every link: not for each request.
    async fn assignments(&self) -> Result<Assignments>;

    /// The oldest sweep that is not finished.
    async fn next_sweep(&self) -> Result<Option<Sweep>>;

    /// The next resources a sweep has to look at, after its cursor, at most `limit`, with the cursor that stands behind the
    /// last.
    async fn swept(&self, sweep: &Sweep, limit: u32) -> Result<(Vec<Swept>, Option<i64>)>;

    /// Moves a sweep's cursor, or ends it with `None`.
    async fn advance_sweep(&self, id: i64, cursor: Option<i64>) -> Result<()>;

    /// Users whose `next_change_at` has come, at most `limit`.
    async fn changes_due(&self, now: Timestamp, limit: u32) -> Result<Vec<ResourceId>>;

    /// The earliest `next_change_at`.
    async fn next_change(&self) -> Result<Option<Timestamp>>;

    /// Tells which policy is in force, by its hash. A policy other than the last one raises the epoch and writes a sweep over
    /// everybody. Returns the epoch.
    async fn set_policy(&self, hash: &str) -> Result<u64>;

    /// Links of targets that are not in `configured` become `Detached`; those of a target that came back are `Linked` or
    /// `Unlinked` again and due.
    async fn set_targets(&self, configured: &[TargetId]) -> Result<()>;

    /// The server's own key, made at random when the store was created: for cursors.
    fn server_key(&self) -> [u8; 32];

    /// Keeps a token's hash.
    async fn put_token(&self, token: Token, audit: AuditEntry) -> Result<()>;

    /// The token of this id.
    async fn token(&self, id: &str) -> Result<Option<Token>>;

    /// A source's tokens, newest first.
    async fn tokens(&self, source: &SourceId) -> Result<Vec<Token>>;

    /// Takes a token out of use; whether there was one.
    async fn revoke_token(&self, id: &str, audit: AuditEntry) -> Result<bool>;

    /// Audit rows after `seq`, at most `limit`.
    async fn audit(&self, after: u64, limit: u32) -> Result<Vec<AuditRow>>;

    /// Whether the store answers and can write; the text says what is wrong.
    async fn health(&self) -> std::result::Result<(), String>;
}
