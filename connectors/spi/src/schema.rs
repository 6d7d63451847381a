//! What a target consists of and what it can do.

use crate::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A target's kinds, as discovered or declared. A new revision is an event; it never changes behaviour by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetSchema {
    /// Changes when anything below does.
    pub revision: String,
    /// Its kinds by name.
    pub kinds: BTreeMap<Kind, KindSchema>,
}

/// One kind of record or entitlement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KindSchema {
    /// What it is for.
    pub role: KindRole,
    /// Its attributes by the target's names.
    pub attrs: BTreeMap<String, AttrSchema>,
    /// Each inner list is a set of attributes that together identify a record.
    pub natural_keys: Vec<Vec<String>>,
    /// Kinds that must stand before this one is made.
    #[serde(default)]
    pub depends_on: Vec<Kind>,
    /// What can be done with it.
    pub caps: KindCaps,
    /// Where the above comes from.
    #[serde(default)]
    pub provenance: Provenance,
}

/// What a kind is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KindRole {
    /// A login of a person or a service.
    Account,
    /// Something that accounts hold.
    Entitlement,
    /// Anything else: provider records, groups kept as objects.
    Other,
}

/// One attribute of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AttrSchema {
    /// Type of each value.
    pub ty: ValueType,
    /// A create without it is refused.
    pub required: bool,
    /// May hold more than one value.
    pub multi: bool,
    /// Letter case counts when values are compared.
    pub case_exact: bool,
    /// May be given on create.
    pub creatable: bool,
    /// May be changed later.
    pub updatable: bool,
    /// Can be read.
    pub readable: bool,
    /// Comes with every read.
    pub returned_by_default: bool,
    /// Personal or secret: never shown in logs, masked in plans.
    pub sensitive: bool,
    /// The only values allowed; empty means any.
    pub allowed: Vec<String>,
    /// The kind that values refer to.
    pub references: Option<Kind>,
    /// Longest text in characters; `None` means that the target states no limit.
    pub max_length: Option<u32>,
}

impl Default for AttrSchema {
    /// Optional, single, case-insensitive text that may be written and is read back.
    fn default() -> Self {
        Self {
            ty: ValueType::Text,
            required: false,
            multi: false,
            case_exact: false,
            creatable: true,
            updatable: true,
            readable: true,
            returned_by_default: true,
            sensitive: false,
            allowed: Vec::new(),
            references: None,
            max_length: None,
        }
    }
}

/// The type of a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// Unicode text.
    #[default]
    Text,
    /// Signed 64-bit integer.
    Integer,
    /// True or false.
    Boolean,
    /// Octets.
    Bytes,
    /// An instant.
    Timestamp,
}

/// What can be done with a kind. Configuration may narrow it, never widen it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct KindCaps {
    /// Records can be made.
    pub create: bool,
    /// Records can be changed.
    pub update: bool,
    /// Records can be deleted.
    pub delete: bool,
    /// Records can be switched off and on again.
    pub disable: bool,
    /// All records can be listed.
    pub list: bool,
    /// The target reports its own changes.
    pub sync: bool,
    /// Sets of attributes by which `find` works.
    pub find_by: Vec<Vec<String>>,
    /// `if_version` is honoured.
    pub conditional_update: bool,
    /// The target recognises a repeated `op_id` by itself.
    pub idempotency_key: bool,
    /// Single values of a multi-valued attribute can be added and removed.
    pub patch_multi: bool,
    /// The entitlement list is replaced as a whole.
    pub replaces_entitlements: bool,
    /// Most operations in one batch; 0 means no batches.
    pub max_batch: u32,
    /// Most records on one page; 0 means that the target states no limit.
    pub max_page: u32,
    /// When a write can be read back.
    pub read_after_write: ReadAfterWrite,
    /// A delete leaves a record behind that can be brought back.
    pub delete_is_soft: bool,
    /// Passwords can be set.
    pub set_password: bool,
    /// The target ends access by itself at a given instant.
    pub end_date: bool,
    /// Whether a login would be let in can be asked or proved.
    pub effective: bool,
    /// Open sessions can be ended.
    pub revoke_sessions: bool,
    /// Something is done after a change and outside of it, which can fail alone: see [`crate::Change::again`].
    pub follow_ups: bool,
}

/// When a write can be read back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ReadAfterWrite {
    /// At once.
    #[default]
    Immediate,
    /// After this many milliseconds.
    EventualMs(u32),
    /// Not at all.
    Never,
}

/// Where a statement about a target comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provenance {
    /// The connector's built-in knowledge.
    #[default]
    Default,
    /// Read from the target.
    Detected,
    /// Written in the configuration.
    Declared,
}
