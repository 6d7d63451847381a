//! Records of a target, and changes to them.

use crate::{ConnError, Entitlement, EntitlementChange, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, time::Duration};

macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use text_newtype;

text_newtype!(
    /// The sort of a record or of an entitlement: `account`, `provider`, `group`, `security-class`.
    Kind
);
text_newtype!(
    /// The target's own id of a record, opaque to the gateway. The target may change it (see [`Updated::new_id`]).
    NativeId
);

/// Attributes by the target's own names, always multi-valued. Secrets never travel here.
pub type Attrs = BTreeMap<String, Vec<Value>>;

/// Whether an account can be used, in the target's terms. SCIM's `active: false` becomes one of the others by policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccountState {
    /// Usable, as far as the record says.
    Enabled,
    /// Switched off; charts may call it inactive.
    Disabled,
    /// Refused for a reason (security, leave), whatever else the record says.
    Blocked,
    /// Its end date has passed.
    Expired,
    /// The record does not say.
    Unknown,
}

impl AccountState {
    /// The states in which nobody is let in.
    pub const CLOSING: [Self; 3] = [Self::Disabled, Self::Blocked, Self::Expired];
}

/// What a target holds of one object, as read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Its sort.
    pub kind: Kind,
    /// The target's id of it.
    pub id: NativeId,
    /// The values of its natural keys, as the target holds them.
    #[serde(default)]
    pub natural_key: BTreeMap<String, Value>,
    /// Its attributes.
    #[serde(default)]
    pub attrs: Attrs,
    /// Whether it can be used.
    pub state: AccountState,
    /// `None`: not read. `Some(empty)`: read, and it has none.
    #[serde(default)]
    pub entitlements: Option<Vec<Entitlement>>,
    /// Parts of it could not be read: nothing may be removed on its word.
    #[serde(default)]
    pub incomplete: bool,
    /// The target's version mark (ETag, row version), where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// What is to become of one attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Delta {
    /// These values and no others.
    Set(Vec<Value>),
    /// Add some and remove some, leaving the rest.
    Patch {
        /// Values to add; one that is there already is success.
        add: Vec<Value>,
        /// Values to remove; one that is absent is success.
        remove: Vec<Value>,
    },
    /// No value at all.
    Clear,
}

/// One change of one record, carried out by one call of [`crate::Connector::update`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Attributes to change; those not named stay.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attrs: BTreeMap<String, Delta>,
    /// Entitlements to give and take.
    #[serde(default)]
    pub entitlements: EntitlementChange,
    /// The state to bring it to. A closing state comes before everything else, `Enabled` after everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<AccountState>,
    /// Refuse with [`crate::Class::StaleVersion`] when the target's version differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_version: Option<String>,
    /// What is done after a change and outside of it (a notification, the end of sessions) failed at an earlier attempt or may
    /// have: it is done again for the record as it is now, also when nothing else differs. Nothing to do for a kind without
    /// [`crate::KindCaps::follow_ups`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

impl Change {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.attrs.is_empty() && self.entitlements.is_empty() && self.state.is_none() && !self.again
    }
}

/// The outcome of a create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    /// The id the target gave.
    pub id: NativeId,
    /// The record was there already and was taken over.
    #[serde(default)]
    pub adopted: bool,
    /// The record as the target returned it, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
    /// Parts that failed while the whole succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<PartFailure>,
    /// The target works on it and will tell later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// Warnings that came with a success, free of personal data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Created {
    /// A plain success.
    pub fn new(id: impl Into<NativeId>) -> Self {
        Self { id: id.into(), adopted: false, record: None, failed: Vec::new(), pending: None, warnings: Vec::new() }
    }
}

/// The outcome of an update.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Updated {
    /// The record's new id, where the change gave it one (a rename in a target whose ids are names).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_id: Option<NativeId>,
    /// Attributes that the target changed on its own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub side_effects: Attrs,
    /// Parts that failed while the rest succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<PartFailure>,
    /// The target works on it and will tell later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// Warnings that came with a success, free of personal data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Work that an asynchronous or human-worked target has taken on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// The target's mark of the work.
    pub ticket: String,
    /// Ask again after this long; whole milliseconds on the wire.
    #[serde(rename = "pollAfterMs", with = "crate::plain::millis")]
    #[schemars(with = "u64")]
    pub poll_after: Duration,
}

/// What became of work that a target has taken on. The target's word is no proof: what it did is read before it is believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TicketState {
    /// It is still worked on.
    Open,
    /// It was carried out.
    Done {
        /// The record, where the target tells it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<NativeId>,
    },
    /// It was not and will not be. The error is treated as the answer to the call that was taken on.
    Refused(ConnError),
}

/// One part of a change that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartFailure {
    /// The attribute, the entitlement as `type:value`, `state`, or `after:NAME` for what is done after a change and outside of it
    /// (see [`Change::again`]).
    pub part: String,
    /// Why.
    pub error: ConnError,
}

/// What an account can do at this moment, as the target itself answers, whatever its record says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Effective {
    /// Whether a login would be let in; `None` when the target cannot tell.
    pub can_login: Option<bool>,
    /// Sessions open now; `None` when the target cannot tell.
    pub sessions: Option<u32>,
    /// The target's reasons.
    #[serde(default)]
    pub why: Vec<String>,
}

/// A target's answer to a health check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Vendor and version, where the target tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// What works less well than it should, in words for an operator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}
