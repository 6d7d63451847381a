//! What is written in a target's file. The words are those of the REST connector wherever the thing is the same.
//!
//! Three sorts of text stand in it, and each field says which it takes:
//!
//! * an **expression** (CEL) over the variables that the field names; a constant text is an expression in quotes: `"'LDAP'"`;
//! * a **place** in an answer: `p:User/p:UserIDs[p:Type='EMPLOYEE']/p:ID`, steps from element to child by namespace and
//!   name, `@name` for an attribute at the end, a condition in brackets; empty is the element itself. Prefixes are those of
//!   `namespaces`; a step without one has no namespace, `*:Name` has any;
//! * a **template**: the XML of a request with places in braces, each an expression: `<p:ID>{id}</p:ID>`. It is read once,
//!   when the file is; what an expression gives becomes the text of an element or attribute and never markup. An element
//!   whose expressions are all null is left out. `t:if="…"` writes an element only where the condition holds, and
//!   `t:each="…"` once for every item of a list, as `item` with its number, from 1, as `index`; a brace is written twice.
//!
//! The variables of a request: `id` (the record's id), `attrs` (the attributes being sent, by name; a list where the
//! attribute is `multi`), `cleared` (by name, whether an attribute is being cleared), `held` (the attributes as the target
//! holds them, read just before), `key` (the natural key being looked up, by name), `state`, `leaver` (the change closes
//! access for good), `entitlement` (`type`, `value`, `scope`, `order`, `validFrom`, `validTo`, `lastSecond`, the second
//! before `validTo`, and by the zone of the target `firstDay`, `lastDay` and `endDay`, the day after the last), `entitlements`
//! (the whole list, in order; `order` counts from 1), `page` (`cursor`, `offset`, `size`), `op` (the change's own id), `steps` (what the `first`
//! requests of a create gave, by name), `ticket` (the mark of what the target has taken on).

mod kind;
mod request;
mod service;
mod work;

pub use kind::{
    Attribute, Caps, Condition, Create, Effective, Entitlement, EntitlementRead, Find, Kind, List, Pages, RecordMap,
    StateRead, States, Step,
};
pub(crate) use request::{Named, PlaceStep, Test};
pub use request::{Place, Request};
pub use service::{PasswordStyle, Service, UsernameToken, Version};
pub use work::{First, TakenOn, Ticket};

use connector_declared::{ErrorRule, Variables};
use connector_http::HttpConfig;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A target that speaks XML over HTTP: SOAP 1.1 or 1.2, or plain XML.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The major version of the connector contract that the file is written for: `"1"`.
    #[serde(default = "one")]
    pub spi: String,
    /// How the target is reached. A service may bring credentials and limits of its own.
    pub http: HttpConfig,
    /// Namespaces by prefix, for places and templates. `t` is taken by templates, `soap` by the envelope in `errors`.
    #[serde(default)]
    pub namespaces: BTreeMap<String, String>,
    /// The services by name.
    pub services: BTreeMap<String, Service>,
    /// The zone of the target's days, such as `America/New_York`; UTC if absent.
    #[serde(default)]
    pub zone: Option<String>,
    /// What the target's end dates mean.
    #[serde(default)]
    pub end_date: EndDate,
    /// Requests that change nothing and succeed when the target is there and lets us in: one for each service.
    #[schemars(extend("x-variables" = VARIABLES.check))]
    pub check: Vec<Request>,
    /// What the target's refusals mean.
    #[serde(default)]
    pub errors: Errors,
    /// Places of warnings inside a success.
    #[serde(default)]
    pub warnings_at: Vec<Place>,
    /// Tables for `lookup(table, key, default)` in expressions.
    #[serde(default)]
    pub tables: BTreeMap<String, BTreeMap<String, String>>,
    /// Refuses every write, whatever else the file says.
    #[serde(default)]
    pub read_only: bool,
    /// The kinds of records, by name.
    pub kinds: BTreeMap<String, Kind>,
}

/// What the target's end dates mean. The gateway's own end is the first instant at which something no longer holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndDate {
    /// The last day, which still belongs to it.
    InclusiveDay,
    /// The day after the last.
    ExclusiveDay,
    /// The first instant after it.
    #[default]
    Instant,
    /// The last second of it.
    LastSecond,
}

/// What the target's refusals mean. Places are below the `Fault`, or, without an envelope, below the answer's element.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Errors {
    /// An answer of which one of these holds is a failure although it says success, and is no fault.
    #[serde(default)]
    pub failed_when: Vec<Condition>,
    /// Where the target's error code stands; the first that is there is used. Without any, the fault's own (sub)code,
    /// without its prefix.
    #[serde(default)]
    pub code_at: Vec<Place>,
    /// Where the refused field stands: a path of element names in the request, or a name of ours.
    #[serde(default)]
    pub field_at: Option<Place>,
    /// Where the target's words stand.
    #[serde(default)]
    pub message_at: Option<Place>,
    /// The target's words hold no personal data and may be shown to operators; the values that were sent are taken out.
    #[serde(default)]
    pub quote_message: bool,
    /// Rules in order; the first that fits decides. Where none fits, the table of HTTP statuses does.
    #[serde(default)]
    pub rules: Vec<ErrorRule>,
}

/// Which variables each place has.
pub(crate) const VARIABLES: Variables = Variables {
    check: &["op"],
    get: &["id", "op", "leaver"],
    find: &["key", "page", "op"],
    list: &["page", "op"],
    create: &["op", "leaver", "state", "attrs", "cleared", "entitlements", "steps"],
    update: &["id", "op", "leaver", "attrs", "cleared", "held"],
    when: &["id", "op", "leaver", "attrs", "cleared"],
    state: &["id", "op", "leaver", "state", "held"],
    held: &["id", "op", "leaver"],
    grant: &["id", "op", "leaver", "entitlement", "held"],
    replace: &["id", "op", "leaver", "entitlements", "held"],
    delete: &["id", "op", "leaver"],
    effective: &["id", "op", "leaver"],
    revoke_sessions: &["id", "op", "leaver"],
    ticket: &["ticket", "op", "leaver"],
    set_password: &["id", "op", "leaver", "password"],
};

fn one() -> String {
    "1".to_owned()
}
