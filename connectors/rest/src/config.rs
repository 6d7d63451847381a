//! What is written in a target's file.
//!
//! Three sorts of text stand in it, and each field says which it takes:
//!
//! * an **expression** (CEL) over the variables that the field names; a constant text is an expression in quotes: `"'LDAP'"`;
//! * a **pointer** (RFC 6901) into a JSON document: `/position/code`; the empty pointer is the whole document;
//! * a **path** with places in braces, each an expression: `/v1/personnel/{id}/aliases/{entitlement.scope.pool}`.
//!
//! The variables of a request: `id` (the record's id), `attrs` (the attributes being sent, by name; a list where the attribute
//! is `multi`), `key` (the natural key being looked up, by name), `state`, `version`, `entitlement` (`type`, `value`, `scope`,
//! `order`, `validFrom`, `validTo`, and `lastSecond`, the second before `validTo`), `entitlements` (the whole list, in `replace`), `op` (the change's own id),
//! `steps` (what the `first` requests of a create gave, by name), `ticket` (the mark of what the target has taken on).
//! An absent value is null: a query member, header field or body member whose expression is null is left out; a path with a
//! null in it is refused.

mod kind;
mod request;
mod work;

pub use connector_declared::{ErrorRule, Note};
pub use kind::{
    Attribute, Caps, Condition, Create, Effective, Entitlement, EntitlementRead, Find, Kind, List, Listed, RecordMap,
    StateRead, States, Step,
};
pub use request::{Base, Body, Method, Pages, Pointer, Request};
pub use work::{First, TakenOn, Ticket};

use connector_declared::Variables;
use connector_http::HttpConfig;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A target that speaks JSON over HTTP.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The major version of the connector contract that the file is written for: `"1"`.
    #[serde(default = "one")]
    pub spi: String,
    /// How the target is reached.
    pub http: HttpConfig,
    /// A request that changes nothing and succeeds when the target is there and lets us in.
    #[schemars(extend("x-variables" = VARIABLES.check))]
    pub check: Request,
    /// The header field for the target's idempotency key, such as `Idempotency-Key`. It is sent with every POST.
    #[serde(default)]
    pub idempotency_header: Option<String>,
    /// What the target's refusals mean.
    #[serde(default)]
    pub errors: Errors,
    /// Pointers to warnings inside a success: a text, or a list of texts.
    #[serde(default)]
    pub warnings_at: Vec<Pointer>,
    /// Tables for `lookup(table, key, default)` in expressions.
    #[serde(default)]
    pub tables: BTreeMap<String, BTreeMap<String, String>>,
    /// Refuses every write, whatever else the file says.
    #[serde(default)]
    pub read_only: bool,
    /// The kinds of records, by name.
    pub kinds: BTreeMap<String, Kind>,
}

/// What the target's refusals mean.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Errors {
    /// Where an error stands inside a success. Something there that is neither null, false, zero nor empty is a failure.
    #[serde(default)]
    pub error_at: Option<Pointer>,
    /// Where the target's error code stands; the first that is there is used.
    #[serde(default)]
    pub code_at: Vec<Pointer>,
    /// Where the refused field stands: a pointer into the request's body, or a name of ours.
    #[serde(default)]
    pub field_at: Option<Pointer>,
    /// Where the target's words stand.
    #[serde(default)]
    pub message_at: Option<Pointer>,
    /// The target's words hold no personal data and may be shown to operators; the values that were sent are taken out.
    #[serde(default)]
    pub quote_message: bool,
    /// Rules in order; the first that fits decides. Where none fits, the table of HTTP statuses does.
    #[serde(default)]
    pub rules: Vec<ErrorRule>,
}

/// Which variables each place has.
pub(crate) const VARIABLES: Variables = Variables {
    check: &[],
    get: &["id"],
    find: &["key"],
    list: &[],
    create: &["op", "state", "attrs", "entitlements", "steps"],
    update: &["id", "op", "version", "attrs"],
    when: &["id", "attrs"],
    state: &["id", "op", "version", "state"],
    held: &["id"],
    grant: &["id", "op", "version", "entitlement"],
    replace: &["id", "op", "version", "entitlements"],
    delete: &["id"],
    effective: &["id"],
    revoke_sessions: &["id", "op"],
    ticket: &["ticket"],
    set_password: &[],
};

fn one() -> String {
    "1".to_owned()
}
