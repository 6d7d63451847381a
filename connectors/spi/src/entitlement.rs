//! Something grantable in a target.

use crate::record::{Kind, NativeId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One entitlement of one account: a security class at a facility, a group, the second of three ordered templates.
///
/// Two entitlements are the same grant when type, value and scope agree ([`Entitlement::same_grant`]); order and dates are
/// properties of it that may change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entitlement {
    /// What sort of thing it is, as the target's schema names it. "type" on the wire and in configuration.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The target's own name or id of it.
    pub value: NativeId,
    /// Where it holds: facility, department, pool. Empty means everywhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scope: BTreeMap<String, String>,
    /// Its place, from 1, where the target keeps an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<u32>,
    /// First instant at which it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub valid_from: Option<Timestamp>,
    /// First instant at which it no longer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub valid_to: Option<Timestamp>,
}

impl Entitlement {
    /// An unscoped, unordered, undated entitlement.
    pub fn new(kind: impl Into<Kind>, value: impl Into<NativeId>) -> Self {
        Self {
            kind: kind.into(),
            value: value.into(),
            scope: BTreeMap::new(),
            order: None,
            valid_from: None,
            valid_to: None,
        }
    }

    /// Whether both speak of the same grant: type, value and scope agree.
    #[must_use]
    pub fn same_grant(&self, other: &Self) -> bool {
        self.kind == other.kind && self.value == other.value && self.scope == other.scope
    }
}

/// What is to happen to an account's entitlements. Both forms are always filled consistently: a target that adds and removes
/// reads `add` and `remove`, a target that replaces the list reads `whole`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntitlementChange {
    /// To be given. Giving what is held already is success.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<Entitlement>,
    /// To be taken. Taking what is absent is success.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<Entitlement>,
    /// The last complete read plus the above; `None` when no complete read exists, and then a list-replacing target must be
    /// read before it may be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<Vec<Entitlement>>,
}

impl EntitlementChange {
    /// Whether nothing is to be given or taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

/// A whole list in the order in which it is written, numbered without gaps from 1.
///
/// What the change gives (`add`) takes the place that it asks for; what was there before fills the places between, in the
/// order that it had. So an order that was asked for is the order that is read back, as long as the list is long enough; in a
/// shorter one everything moves up.
#[must_use]
pub fn in_order(whole: Vec<Entitlement>, add: &[Entitlement]) -> Vec<Entitlement> {
    let asked = |one: &Entitlement| add.iter().any(|new| new.same_grant(one)) && one.order.is_some();
    let (mut fixed, mut rest): (Vec<_>, Vec<_>) = whole.into_iter().partition(asked);
    fixed.sort_by_key(|one| one.order);
    rest.sort_by_key(|one| one.order.unwrap_or(u32::MAX));
    let (mut fixed, mut rest) = (fixed.into_iter().peekable(), rest.into_iter());
    let mut made: Vec<Entitlement> = Vec::new();
    loop {
        let place = u32::try_from(made.len()).unwrap_or(u32::MAX).saturating_add(1);
        let due = fixed.next_if(|one| one.order.is_some_and(|order| order <= place));
        match due.or_else(|| rest.next()).or_else(|| fixed.next()) {
            Some(next) => made.push(next),
            None => return made,
        }
    }
}
