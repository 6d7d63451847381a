//! One change of one resource with everything that follows from it: the unit of [`crate::Store::commit`].

use gateway_domain::{AuditEntry, Link, ResourceId, SourceId};
use jiff::Timestamp;
use scim::{MemberOp, Object};
use std::collections::BTreeMap;

use crate::work::SweepCause;

pub use gateway_domain::index::{Index, Unique};
pub use gateway_domain::link::LinkWrite;
pub use gateway_domain::resolve::{Assertion, GroupRef};

/// A resource as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its id.
    pub id: ResourceId,
    /// Its resource type's name.
    pub ty: String,
    /// Counts its changes; the ETag.
    pub version: u64,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
    /// Canonical attributes, as [`scim::Resource`] holds them: without id, meta, externalId, members, groups.
    pub attrs: Object,
    /// Each source's own name of it.
    pub external_ids: BTreeMap<SourceId, String>,
}

/// What a decision about one resource is computed from.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The resource.
    pub resource: Option<Stored>,
    /// What each source said of it.
    pub assertions: Vec<Assertion>,
    /// Groups it belongs to, directly or through other groups, ordered by id.
    pub groups: Vec<GroupRef>,
    /// Its links, tombstones included.
    pub links: Vec<Link>,
    /// The policy in force.
    pub policy_epoch: u64,
}

/// What the resource must still look like when the change is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Expect {
    /// It does not exist.
    Absent,
    /// It has this version and, where given, exactly these groups.
    Version {
        /// The version.
        version: u64,
        /// Groups as in the snapshot; `None` when the policy does not look at groups.
        groups: Option<Vec<GroupRef>>,
    },
}

/// What becomes of the resource's row.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Stored with these attributes, as the next version.
    Put {
        /// Canonical attributes.
        attrs: Object,
        /// Index entries to add (the whole new set less the old).
        index: Vec<Index>,
        /// Index entries to remove (the old set less the new).
        unindex: Vec<Index>,
    },
    /// The row stays; only `members` change. The next version, when at least one row of membership really changed.
    Members,
    /// Nothing of the resource changes: links only (sweeps). The version stays.
    Keep,
    /// The row, its index, assertions and memberships go. Links stay and become what `links` says.
    Delete,
}

/// What one source says after the change.
#[derive(Debug, Clone, PartialEq)]
pub enum AssertionWrite {
    /// This.
    Put {
        /// The attributes it asserts.
        attrs: Object,
        /// Its own name of the resource.
        external_id: Option<String>,
    },
    /// Nothing any more.
    Withdraw,
}

/// A change with all that follows from it.
#[derive(Debug, Clone)]
pub struct Change {
    /// The resource type's name.
    pub ty: String,
    /// The resource.
    pub id: ResourceId,
    /// What it was computed from.
    pub expect: Expect,
    /// The policy it was computed with; `Stale` when another one is in force.
    pub policy_epoch: u64,
    /// The resource's row.
    pub write: Write,
    /// Who speaks.
    pub source: SourceId,
    /// What the source says from now on; `None` leaves it.
    pub assertion: Option<AssertionWrite>,
    /// Changes of a group's members, in order.
    pub members: Vec<MemberOp>,
    /// Membership of users matters to the policy: a sweep over the users whose membership really changed is written.
    pub sweep_members: bool,
    /// A sweep to write beside it (a group renamed or deleted).
    pub sweep: Option<SweepCause>,
    /// Links.
    pub links: Vec<LinkWrite>,
    /// When the resource must be looked at again without a request.
    pub next_change_at: Option<Timestamp>,
    /// The audit row.
    pub audit: AuditEntry,
    /// The gateway's clock.
    pub now: Timestamp,
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// The resource's version now (of a deleted one, its last).
    pub version: u64,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
    /// Whether anything changed: `Members` that were all so already change nothing.
    pub changed: bool,
    /// The store's numbers of the links written, in order of `links`, and behind them those of a group that are due because
    /// its members changed.
    pub links: Vec<i64>,
}
