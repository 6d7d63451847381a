//! Claims, settlements and sweeps.

use connector_spi::{Entitlement, NativeId};
use gateway_domain::{
    AuditEntry, LastError, Link, LinkKey, LinkState, MemberDelta, MemberRef, ResourceId, Seen, Sent, TargetId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How many links of each lane may be taken. Lanes are filled in order of urgency; `total` bounds them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    /// Most links in all.
    pub total: u32,
    /// Most links that are not closings: the rest of `total` stays free for leavers.
    pub other: u32,
    /// Most links of the bulk lane.
    pub bulk: u32,
}

/// A request for work.
#[derive(Clone)]
pub struct ClaimAsk {
    /// For this target.
    pub target: TargetId,
    /// So many.
    pub slots: Slots,
    /// Until the claim counts as abandoned, on the store's clock.
    pub lease: Duration,
    /// Computes what is about to be sent; pure, quick.
    pub prepare: Arc<dyn Fn(&Link) -> Sent + Send + Sync>,
}

/// The outcome of a claim.
#[derive(Debug, Clone)]
pub struct Settle {
    /// The link.
    pub link: i64,
    /// The claim's fence.
    pub fence: u64,
    /// The generation the claim was for.
    pub generation: u64,
    /// Where the link stands now.
    pub state: LinkState,
    /// The target was brought to `generation`.
    pub applied: bool,
    /// The object's id; `None` when there is none (any more).
    pub native_id: Option<NativeId>,
    /// What was seen.
    pub seen: Option<Seen>,
    /// What was sent and not yet seen; kept for the next attempt. `None` forgets it.
    pub sent: Option<Sent>,
    /// When to work it next, unless the generation moved on.
    pub due_at: Option<Timestamp>,
    /// Attempts so far.
    pub attempt: u32,
    /// Why it failed; `None` clears.
    pub error: Option<LastError>,
    /// Members that were put in and taken out: what the claim handed out, when the target took it.
    pub members: Option<MemberDelta>,
    /// The one member that this call carried and that the target refused: the others are carried without it.
    pub refused: Option<MemberRef>,
    /// The link of a resource that is gone, whose object this link has taken over: it lets go of the object, so that its closing
    /// never reaches what is somebody's again. Left as it is when it is no tombstone.
    pub heir_of: Option<LinkKey>,
    /// The gateway's clock.
    pub now: Timestamp,
    /// The audit row.
    pub audit: AuditEntry,
}

/// What became of a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Written.
    Done,
    /// Written, and the link is due again: its wanted state changed meanwhile.
    MovedOn,
    /// Not written: the claim is no longer the newest.
    Superseded,
}

/// Which links.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkFilter {
    /// Of this target.
    pub target: Option<TargetId>,
    /// Of this resource.
    pub resource: Option<ResourceId>,
    /// In this state, by [`LinkState::name`]; `due` means pending.
    pub state: Option<String>,
    /// With an id above this.
    pub after: i64,
    /// At most so many; 0 means 1,000.
    pub limit: u32,
}

/// How many people hold something that we give, by what is wanted of links that are not closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assignments {
    /// By target, type, value and scope. Without a scope it is people who hold it in any.
    pub entitlements: Vec<(TargetId, Entitlement, u64)>,
    /// By role that gives an entitlement.
    pub roles: BTreeMap<String, u64>,
}

/// What stands and what does not in one target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetStatus {
    /// The target's id.
    pub target: String,
    /// Links in all, tombstones left out.
    pub links: u64,
    /// Links whose object stands.
    pub linked: u64,
    /// Links that are pending: those that wait for their turn, not those that wait for somebody.
    pub due: u64,
    /// Parked links by cause.
    pub parked: BTreeMap<String, u64>,
    /// Disputed links.
    pub disputed: u64,
    /// Detached links.
    pub detached: u64,
    /// Tombstones.
    pub tombstones: u64,
    /// Closings that nobody has proved.
    pub unverified: u64,
    /// Since when the oldest pending link waits.
    pub pending_since: Option<Timestamp>,
    /// The newest success.
    pub last_success: Option<Timestamp>,
}

/// Resources whose wanted states must be computed anew, worked off in chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// The store's number of it.
    pub id: i64,
    /// Whom it is about.
    pub cause: SweepCause,
    /// How far it got.
    pub cursor: i64,
}

/// A resource that a sweep has to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// Its resource type's name.
    pub ty: String,
    /// Its id.
    pub id: ResourceId,
}

/// Whom a sweep is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SweepCause {
    /// All users and all groups: the policy changed.
    Policy {
        /// To this epoch.
        epoch: u64,
    },
    /// All users in this group and in groups inside it.
    Group {
        /// The group.
        id: ResourceId,
    },
    /// These users (or the users of these groups).
    Users {
        /// Their ids.
        ids: Vec<ResourceId>,
    },
}
