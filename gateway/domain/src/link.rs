//! Links: one object in one target, what it should look like and what it was last seen to look like.

use crate::{ResourceId, TargetId};
use connector_spi::{AccountState, Attrs, Change, ConnError, Entitlement, Kind, NativeId, Value};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What identifies a link.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LinkKey {
    /// The SCIM resource.
    pub resource: ResourceId,
    /// The target.
    pub target: TargetId,
    /// The target's kind of object.
    pub kind: Kind,
    /// Why there is more than one of the kind; empty for the only one.
    pub purpose: String,
}

/// A link. The row is the queue: `due_at`, `attempt`, `last_error` and `lane` say when and why it is worked next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// The store's number of it.
    pub id: i64,
    /// What it links.
    pub key: LinkKey,
    /// Where it stands.
    pub state: LinkState,
    /// How urgent it is.
    pub lane: Lane,
    /// Counts changes of `wanted`.
    pub generation: u64,
    /// The generation that the target was last brought to.
    pub applied_generation: u64,
    /// What the object should look like.
    pub wanted: Option<Wanted>,
    /// What the newest call was about to do, recorded before it was made.
    pub sent: Option<Sent>,
    /// What the target was last seen to hold.
    pub seen: Option<Seen>,
    /// The target's id of the object.
    pub native_id: Option<NativeId>,
    /// When it is worked next; `None` is not at all.
    pub due_at: Option<Timestamp>,
    /// Attempts at the present generation that did not succeed.
    pub attempt: u32,
    /// Why the newest attempt failed.
    pub last_error: Option<LastError>,
    /// When the target last accepted everything.
    pub last_success: Option<Timestamp>,
    /// Since when wanted and seen have differed.
    pub pending_since: Option<Timestamp>,
    /// Counts claims: only the holder of the newest may settle.
    pub fence: u64,
    /// Until when the present claim holds.
    pub leased_until: Option<Timestamp>,
    /// Members that this claim is to put in and take out. Only a claim fills it in; as read otherwise it is `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<MemberDelta>,
}

impl Link {
    /// Whether the target is known to differ from what is wanted and will be worked without anybody's doing.
    #[must_use]
    pub fn pending(&self) -> bool {
        match self.state {
            LinkState::Parked(_) | LinkState::Disputed | LinkState::Detached => false,
            LinkState::Unlinked | LinkState::Linked | LinkState::Tombstone => {
                self.generation != self.applied_generation || self.due_at.is_some()
            }
        }
    }

    /// Whether the next call can carry members: the object stands, is not being closed, and nothing has to be read first.
    #[must_use]
    pub fn takes_members(&self) -> bool {
        let open = self.wanted.as_ref().is_some_and(|wanted| wanted.members.is_some() && wanted.closing.is_none());
        open && self.native_id.is_some() && self.seen.is_some() && self.sent.is_none()
    }
}

/// Most members that one call puts in and takes out.
pub const MEMBERS_AT_ONCE: u32 = 500;

/// Members that one call puts into a group and takes out of it. At most [`MEMBERS_AT_ONCE`] in all; no account is in both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberDelta {
    /// To put in.
    pub add: Vec<MemberRef>,
    /// To take out.
    pub remove: Vec<MemberRef>,
    /// How many the target refused earlier: they are not carried until somebody asks for it.
    #[serde(default, skip_serializing_if = "is_none")]
    pub refused: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

impl MemberDelta {
    /// Whether there is nobody in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

/// A member of a group in a target: an account there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberRef {
    /// The number of the account's own link.
    pub account: i64,
    /// The target's id of the account. For one to take out: the id under which it was put in.
    pub native_id: NativeId,
}

/// Where a link stands. That it is pending is derived, see [`Link::pending`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "is", content = "because")]
pub enum LinkState {
    /// No object in the target yet.
    Unlinked,
    /// The object's id is known.
    Linked,
    /// Nothing more is tried until the wanted state changes or an operator says so.
    Parked(Parked),
    /// More than one object, or somebody else's, answers to the natural key. An operator decides.
    Disputed,
    /// The target left the configuration; nothing is sent.
    Detached,
    /// The resource is gone; the row keeps the native id, so that the account is never taken for another person's.
    Tombstone,
}

impl LinkState {
    /// The name in SCIM, status and the store.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            LinkState::Unlinked => "unlinked",
            LinkState::Linked => "linked",
            LinkState::Parked(_) => "parked",
            LinkState::Disputed => "disputed",
            LinkState::Detached => "detached",
            LinkState::Tombstone => "tombstone",
        }
    }
}

/// Why a link is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parked {
    /// The target refuses the change.
    Refused,
    /// An expression of the mapping failed, so nothing half-made is sent.
    Mapping,
    /// The account was there before and holds entitlements that we did not give.
    Adoption,
    /// The mass-change brake holds it.
    Brake,
}

impl Parked {
    /// The name in status and the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Parked::Refused => "refused",
            Parked::Mapping => "mapping",
            Parked::Adoption => "adoption",
            Parked::Brake => "brake",
        }
    }
}

/// How urgent a link's work is; earlier ones go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// Somebody's access ends.
    Leaver,
    /// Emergency access begins or ends.
    BreakGlass,
    /// Somebody waits for the answer.
    Interactive,
    /// Nobody waits: sweeps, reconciliation.
    Bulk,
}

impl Lane {
    /// All of them, in order of urgency.
    pub const ALL: [Lane; 4] = [Lane::Leaver, Lane::BreakGlass, Lane::Interactive, Lane::Bulk];

    /// The number in the store; smaller is more urgent.
    #[must_use]
    pub fn rank(self) -> u8 {
        match self {
            Lane::Leaver => 0,
            Lane::BreakGlass => 1,
            Lane::Interactive => 2,
            Lane::Bulk => 3,
        }
    }

    /// The lane of this number.
    #[must_use]
    pub fn of_rank(rank: u8) -> Option<Self> {
        Self::ALL.get(usize::from(rank)).copied()
    }

    /// The name in status and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Lane::Leaver => "leaver",
            Lane::BreakGlass => "break-glass",
            Lane::Interactive => "interactive",
            Lane::Bulk => "bulk",
        }
    }
}

/// What an object in a target should look like. Written by [`crate::resolve()`] at intake; workers only read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    /// The state it should be in.
    pub state: AccountState,
    /// Attributes to hold exactly these values. Those not named are not ours.
    #[serde(default, skip_serializing_if = "Attrs::is_empty")]
    pub attrs: Attrs,
    /// Attributes that are given on create only.
    #[serde(default, skip_serializing_if = "Attrs::is_empty")]
    pub initial: Attrs,
    /// The natural key under which the object is looked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub key: BTreeMap<String, Value>,
    /// Strong identifiers that must agree before an object found by name is taken for ours.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub strong: BTreeMap<String, Value>,
    /// Entitlements that we give, each with its reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entitlements: Vec<WantedEntitlement>,
    /// How to close it, when access has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<Closing>,
    /// Kinds that stand in an edge with this one: what opens waits for these to stand, what closes lets these go first. See
    /// [`crate::dependency`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Kind>,
    /// Attributes that hold the native id of another object of the same person, by the kind of that object.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub references: BTreeMap<String, Kind>,
    /// For an object that has members. Who they are is not here: members are rows of their own in the store, so that one more
    /// in a group of 50,000 costs what it costs in a group of 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Members>,
}

/// How an object in a target holds its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// The target's attribute whose values are their native ids.
    pub attribute: String,
    /// The kind of object that they are.
    pub of: Kind,
}

/// What ending an account means, by the target's policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Closing {
    /// Which entitlements are taken.
    pub strip: Strip,
    /// Open sessions are ended, where the target can.
    pub sessions: bool,
    /// The record itself is deleted. Off unless the target's policy says so: charts keep their authors.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delete: bool,
    /// The object stays as it is: there is nothing to do and nothing to prove.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
}

/// Which entitlements a closed account loses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Strip {
    /// None.
    None,
    /// Those that we gave.
    #[default]
    Owned,
    /// All, also those found there.
    All,
}

/// An entitlement and why it is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WantedEntitlement {
    /// What.
    pub entitlement: Entitlement,
    /// Why; never empty.
    pub origins: Vec<Origin>,
}

/// A reason to hold an entitlement or an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// The role of this name gives it.
    Role(String),
    /// This source asked for it, or for the role that gives it.
    Source(String),
    /// The target's own `when`.
    Target(String),
}

/// What a call was about to do, recorded before it was made: it recognises our own work after a crash or a lost reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    /// The generation it carried out.
    pub generation: u64,
    /// The change's own id: hash of link, generation and delta.
    pub op_id: String,
    /// What it did.
    pub delta: Delta,
    /// This or an earlier call whose outcome is not known may have made the object: what is found under the natural key may
    /// be ours.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub made: bool,
    /// An earlier call whose outcome is not known may have changed the object.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wrote: bool,
    /// Entitlements given by this or by earlier calls whose outcome is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gave: Vec<Entitlement>,
    /// The natural key under which this call makes the object, or to which it renames it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub key: BTreeMap<String, Value>,
    /// Natural keys under which earlier calls whose outcome is not known may have put the object. The person may have another
    /// name by now: what they made is found under these, and nowhere else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub under: Vec<BTreeMap<String, Value>>,
    /// What it may have done was looked for and is not there. What it may yet do is remembered, and holds up nothing more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub looked: bool,
    /// Until when its effect may still appear: before that, what is not there is not taken for never made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<Late>,
}

impl Sent {
    /// A call that remembers nothing of earlier ones.
    #[must_use]
    pub fn new(generation: u64, op_id: impl Into<String>, delta: Delta) -> Self {
        Self {
            generation,
            op_id: op_id.into(),
            delta,
            made: false,
            wrote: false,
            gave: Vec::new(),
            key: BTreeMap::new(),
            under: Vec::new(),
            looked: false,
            late: None,
        }
    }

    /// Whether what is found under this natural key is what a call of ours made or renamed whose outcome is not known.
    #[must_use]
    pub fn put_under(&self, key: &BTreeMap<String, Value>) -> bool {
        // Where no key was recorded, a create is all that can have been under way.
        if self.under.is_empty() { self.made } else { self.under.contains(key) }
    }
}

/// A call whose effect is still to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Late {
    /// The generation that the call carried out.
    #[serde(default)]
    pub generation: u64,
    /// After this instant it is taken for lost.
    pub until: Timestamp,
    /// Milliseconds between two looks; `None` is one look at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// The target's mark of the work, where it took it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
}

/// What a call does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Delta {
    /// Reads only: nothing is known of the target's state.
    Read,
    /// Makes the object as wanted.
    Create,
    /// Changes it.
    Update(Box<Change>),
    /// Deletes it.
    Delete,
    /// Nothing differs; at most the proof of a closing is missing.
    Verify,
}

/// What a target was last seen to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// Its state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<AccountState>,
    /// The attributes that we manage.
    #[serde(default, skip_serializing_if = "Attrs::is_empty")]
    pub attrs: Attrs,
    /// Its entitlements; `None` when they were never read whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entitlements: Option<Vec<Entitlement>>,
    /// Those of them that we gave. Found and wanted but not given by us is shared, and stays when our reason ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owned: Vec<Entitlement>,
    /// The target's version mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When it was read or written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// For a closed account: whether the target proved that no login is let in. `None`: not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// Warnings that came with a success.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What the target's connector does after a change (a notification, the end of sessions) failed or may have, and is to be
    /// done again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

/// The new state of one link, as one transaction writes it.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkWrite {
    /// Which.
    pub key: LinkKey,
    /// The generation that the write was computed from, 0 for a new link; the write is stale when it moved on.
    pub expect_generation: u64,
    /// The new wanted state; the generation is raised by one. `None` keeps wanted and generation.
    pub wanted: Option<Wanted>,
    /// The new state of the link; `None` keeps it.
    pub state: Option<LinkState>,
    /// Its lane from now on.
    pub lane: Lane,
    /// When to work it; `None` is not at all.
    pub due_at: Option<Timestamp>,
    /// Replaces the last error where given.
    pub error: Option<LastError>,
    /// The text by which work is serialised with other links of the same (target, kind): the natural key.
    pub order_key: String,
}

/// A failed attempt, as kept on the link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastError {
    /// What the connector said.
    pub error: ConnError,
    /// When.
    pub at: Timestamp,
}
