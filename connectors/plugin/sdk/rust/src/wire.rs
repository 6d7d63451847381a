//! What is said on the wire: each method's parameters and result, and the limits that both ends keep.
//!
//! These types are the protocol. Both ends use them, and its JSON Schema ([`protocol`]) is made of them, so the trait of the
//! contract, the wire and its description cannot drift apart. Unknown members are ignored everywhere.

mod describe;

pub use describe::protocol;

use connector_spi::{
    AccountState, Attrs, BatchOp, Change, ConfigIssue, ConnError, Ctx, Cursor, Entitlement, Kind, NativeId, Outcome,
    SecretRef, SyncEvent, SyncToken, Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};
use tokio::time::Instant;

/// Longest message in octets, its line feed included.
pub const MAX_FRAME: usize = 4 << 20;
/// Most requests under way in one direction.
pub const IN_FLIGHT: usize = 64;

/// The failure has a [`ConnError`] in `data`.
pub const CODE_CONTRACT: i64 = -32_000;
/// No version of the contract in common.
pub const CODE_VERSION: i64 = -32_001;
/// The request came before `initialize`, or a call before `open`.
pub const CODE_TOO_EARLY: i64 = -32_002;
/// Not a request (JSON-RPC 2.0 section 5.1).
pub const CODE_INVALID_REQUEST: i64 = -32_600;
/// No such method, or a facet that the connector has not (JSON-RPC 2.0 section 5.1).
pub const CODE_NO_METHOD: i64 = -32_601;
/// The parameters do not fit the method (JSON-RPC 2.0 section 5.1).
pub const CODE_PARAMS: i64 = -32_602;

/// A name and a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The version.
    pub version: String,
}

/// What a connector can do besides the plain calls: the facets of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Feature {
    /// `list`.
    List,
    /// `latest` and `changes`.
    Sync,
    /// `apply`.
    Batch,
    /// `set_password`.
    Passwords,
    /// `discover`.
    Discover,
    /// `effective` and `revoke_sessions`.
    Effect,
    /// `ticket`.
    Tickets,
    /// One that this version does not know.
    #[serde(other)]
    Other,
}

impl Feature {
    /// All that this version knows.
    pub const ALL: [Feature; 7] = [
        Feature::List,
        Feature::Sync,
        Feature::Batch,
        Feature::Passwords,
        Feature::Discover,
        Feature::Effect,
        Feature::Tickets,
    ];
}

/// The first request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Initialize {
    /// The major versions of the contract that the host speaks.
    pub spi: Vec<u16>,
    /// The host.
    pub host: Named,
}

/// The answer to [`Initialize`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Initialized {
    /// The version that is spoken from now on: major, minor.
    pub spi: (u16, u16),
    /// The plugin's name.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// What it is built with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk: Option<Named>,
    /// JSON Schema of the plugin's own settings. Places of secrets have `"x-secret": true`.
    pub config_schema: serde_json::Value,
    /// The facets that it may have.
    #[serde(default)]
    pub features: BTreeSet<Feature>,
}

/// Asks what is wrong with settings, without a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckConfig<'a> {
    /// The plugin's own settings.
    pub config: Cow<'a, serde_json::Value>,
}

/// The answer to [`CheckConfig`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckedConfig {
    /// What is wrong.
    pub issues: Vec<Issue>,
}

/// One thing that is wrong with settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Issue {
    /// JSON pointer to the setting.
    pub pointer: String,
    /// What is wrong; never the value of a secret.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl From<ConfigIssue> for Issue {
    fn from(issue: ConfigIssue) -> Self {
        Self { pointer: issue.pointer, message: issue.message, hint: issue.hint }
    }
}
impl From<Issue> for ConfigIssue {
    fn from(issue: Issue) -> Self {
        Self { pointer: issue.pointer, message: issue.message, hint: issue.hint }
    }
}

/// Opens the connector; once for each process or connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Open<'a> {
    /// The plugin's own settings.
    pub config: Cow<'a, serde_json::Value>,
    /// The target's name in the gateway, for logs.
    pub target: Cow<'a, str>,
}

/// The answer to [`Open`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Opened {
    /// The facets that the opened connector has, where that is less than `initialize` said. Absent: all of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<BTreeSet<Feature>>,
}

/// What comes with every call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallCx<'a> {
    /// The same over all attempts of one change, another for the next.
    pub op_id: Cow<'a, str>,
    /// 1 on the first attempt.
    pub attempt: u32,
    /// Milliseconds until the host gives up.
    pub deadline_ms: u64,
    /// Validate and tell what would be sent; write nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// The call closes access.
    #[serde(default)]
    pub leaver: bool,
    /// The call belongs to bulk work.
    #[serde(default)]
    pub bulk: bool,
}

impl<'a> CallCx<'a> {
    /// What is said of this call.
    #[must_use]
    pub fn of(cx: &'a Ctx) -> Self {
        let left = cx.deadline.saturating_duration_since(Instant::now());
        Self {
            op_id: Cow::Borrowed(&cx.op_id),
            attempt: cx.attempt,
            deadline_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
            dry_run: cx.dry_run,
            leaver: cx.leaver,
            bulk: cx.bulk,
        }
    }
}

/// Parameters of `check`, `schema` and `discover`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plain<'a> {
    /// The call.
    pub cx: CallCx<'a>,
}

/// Parameters of `get`, `delete`, `effective` and `revoke_sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct One<'a> {
    /// The call.
    pub cx: CallCx<'a>,
    /// The sort of record.
    pub kind: Cow<'a, Kind>,
    /// The record.
    pub id: Cow<'a, NativeId>,
}

/// Parameters of `find`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Find<'a> {
    /// The call.
    pub cx: CallCx<'a>,
    /// The sort of record.
    pub kind: Cow<'a, Kind>,
    /// The natural key.
    pub key: Cow<'a, BTreeMap<String, Value>>,
}

/// Parameters of `create`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Create<'a> {
    /// The call.
    pub cx: CallCx<'a>,
    /// The sort of record.
    pub kind: Cow<'a, Kind>,
    /// Attributes.
    pub attrs: Cow<'a, Attrs>,
    /// State.
    pub state: AccountState,
    /// Entitlements.
    #[serde(default)]
    pub entitlements: Cow<'a, [Entitlement]>,
}

/// Parameters of `update`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Update<'a> {
    /// The call.
    pub cx: CallCx<'a>,
    /// The sort of record.
    pub kind: Cow<'a, Kind>,
    /// The record.
    pub id: Cow<'a, NativeId>,
    /// The change.
    pub change: Cow<'a, Change>,
}

/// Parameters of `list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct List<'a> {
    /// The call.
    pub cx: CallCx<'a>,
    /// The sort of record.
    pub kind: Cow<'a, Kind>,
    /// Where to go on; null at the beginning.
    #[serde(default)]
    pub cursor: Option<Cow<'a, Cursor>>,
    /// Most records on the page.
    pub size: u32,
}

/// Parameters of `latest`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Latest<'a> {
    /// The call.
    pub cx: CallCx<'a>,
    /// The sort of record.
    pub kind: Cow<'a, Kind>,
}

/// Parameters of `changes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changes<'a> {
    /// The call.
    pub cx: CallCx<'a>,
    /// The sort of record.
    pub kind: Cow<'a, Kind>,
    /// Since when.
    pub token: Cow<'a, SyncToken>,
}

/// The answer to [`Changes`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// What happened.
    pub events: Vec<SyncEvent>,
    /// Where to go on.
    pub token: SyncToken,
}

/// Parameters of `apply`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Apply<'a> {
    /// The call.
    pub cx: CallCx<'a>,
    /// The operations.
    pub ops: Cow<'a, [BatchOp]>,
}

/// The outcome of one operation of a batch; as many as operations, in the same order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Applied {
    /// It was carried out.
    Ok(Outcome),
    /// It was not.
    Error(ConnError),
}

impl From<Result<Outcome, ConnError>> for Applied {
    fn from(outcome: Result<Outcome, ConnError>) -> Self {
        outcome.map_or_else(Applied::Error, Applied::Ok)
    }
}
impl From<Applied> for Result<Outcome, ConnError> {
    fn from(applied: Applied) -> Self {
        match applied {
            Applied::Ok(outcome) => Ok(outcome),
            Applied::Error(error) => Err(error),
        }
    }
}

/// Parameters of `set_password`.
// Not Debug: it holds the password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetPassword<'a> {
    /// The call.
    pub cx: CallCx<'a>,
    /// The sort of record.
    pub kind: Cow<'a, Kind>,
    /// The record.
    pub id: Cow<'a, NativeId>,
    /// The password.
    pub password: Cow<'a, str>,
}

/// Parameters of `ticket`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ticket<'a> {
    /// The call.
    pub cx: CallCx<'a>,
    /// The sort of record.
    pub kind: Cow<'a, Kind>,
    /// The target's mark of the work.
    pub ticket: Cow<'a, str>,
}

/// The answer where there is nothing to say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Done {}

/// A notification: the sender of request `id` no longer waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancel {
    /// The request.
    pub id: u64,
}

/// Parameters of `host.secret`: the plugin asks for a secret that its settings refer to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostSecret<'a> {
    /// The reference, as it stands in the settings.
    pub reference: Cow<'a, SecretRef>,
}

/// The answer to [`HostSecret`].
// Not Debug: it holds the secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostSecretGiven {
    /// The secret.
    pub secret: String,
}

/// Parameters of the notification `host.event`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostEvent {
    /// How much it matters.
    pub level: connector_spi::Level,
    /// Its words.
    pub message: String,
    /// Its fields: ids of ours, never a person's data.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
}
