//! One kind of records: how it is read, made, changed, ended.

use super::{First, Pages, Pointer, Request, Ticket, VARIABLES};
use connector_spi::{AccountState, KindRole, ValueType};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// One kind of records.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// What it is for.
    pub role: KindRole,
    /// Each list is a set of attributes that together identify a record.
    #[serde(default)]
    pub natural_keys: Vec<Vec<String>>,
    /// Kinds that must stand before this one is made.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// Its attributes by our names.
    #[serde(default)]
    pub attributes: BTreeMap<String, Attribute>,
    /// Where the parts of a record stand.
    pub record: RecordMap,
    /// Reads one record by `id`. It must find inactive ones too.
    #[serde(default)]
    #[schemars(extend("x-variables" = VARIABLES.get))]
    pub get: Option<Request>,
    /// Looks records up by natural key. It must find inactive ones too.
    #[serde(default)]
    pub find: Vec<Find>,
    /// Makes a record.
    #[serde(default)]
    pub create: Option<Create>,
    /// Changes attributes; each attribute belongs to the first step that takes it. Steps run in this order.
    #[serde(default)]
    pub update: Vec<Step>,
    /// Deletes a record. Leave it out for a system of charts: signatures point at the account for ever.
    #[serde(default)]
    #[schemars(extend("x-variables" = VARIABLES.delete))]
    pub delete: Option<Request>,
    /// Lists all records.
    #[serde(default)]
    pub list: Option<List>,
    /// Switches accounts on and off.
    #[serde(default)]
    pub states: States,
    /// What accounts of this kind can hold, by the kind of the entitlement.
    #[serde(default)]
    pub entitlements: BTreeMap<String, Entitlement>,
    /// Asks whether a login would be let in.
    #[serde(default)]
    pub effective: Option<Effective>,
    /// Ends the account's open sessions.
    #[serde(default)]
    #[schemars(extend("x-variables" = VARIABLES.revoke_sessions))]
    pub revoke_sessions: Option<Request>,
    /// Asks what became of work that the target has taken on (`taken_on` of a request).
    #[serde(default)]
    pub ticket: Option<Ticket>,
    /// Reads a record back after writing it, and reports what the target made of it.
    #[serde(default)]
    pub read_back: bool,
    /// What the connector cannot know by itself.
    #[serde(default)]
    pub caps: Caps,
}

/// What the connector cannot know by itself about a kind.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Caps {
    /// Milliseconds until a write can be read back; 0 means at once.
    #[serde(default)]
    pub read_after_write_ms: u32,
    /// A delete leaves a record behind that can be brought back.
    #[serde(default)]
    pub delete_is_soft: bool,
    /// The target ends access by itself at a given instant.
    #[serde(default)]
    pub end_date: bool,
}

/// One attribute.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// Where it stands in a record, when it is read and when it is written.
    pub at: Pointer,
    /// The attribute is one member of a list of objects at `at`.
    #[serde(default)]
    pub listed: Option<Listed>,
    /// The type of each value. An instant is written in RFC 3339, octets in base64.
    #[serde(default, rename = "type")]
    pub ty: ValueType,
    /// A create without it is refused.
    #[serde(default)]
    pub required: bool,
    /// May hold more than one value; at `at` stands a list.
    #[serde(default)]
    pub multi: bool,
    /// Letter case counts when values are compared.
    #[serde(default)]
    pub case_exact: bool,
    /// May be given on create.
    #[serde(default = "yes")]
    pub creatable: bool,
    /// May be changed later.
    #[serde(default = "yes")]
    pub updatable: bool,
    /// Can be read.
    #[serde(default = "yes")]
    pub readable: bool,
    /// Personal: masked in plans.
    #[serde(default)]
    pub sensitive: bool,
    /// Longest text in characters.
    #[serde(default)]
    pub max_length: Option<u32>,
    /// The only values allowed; empty means any.
    #[serde(default)]
    pub allowed: Vec<String>,
    /// The kind that values refer to.
    #[serde(default)]
    pub references: Option<String>,
}

/// An attribute that is one member of a list of objects: the value of the alias with this pool and type.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Members, by name, that pick the object; they are written along.
    pub with: BTreeMap<String, String>,
    /// Where the value stands in the object.
    pub value: Pointer,
}

/// Where the parts of a record stand.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordMap {
    /// The target's id.
    pub id: Pointer,
    /// The version, where it stands in the record; else the `ETag` header field of the answer to `get`.
    #[serde(default)]
    pub version: Option<Pointer>,
    /// Rules in order; the first that holds gives the state.
    #[serde(default)]
    pub state: Vec<StateRead>,
}

/// A rule that reads a state.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateRead {
    /// When the rule holds.
    pub when: Condition,
    /// The state.
    pub is: AccountState,
}

/// Something that holds of a JSON document.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Where to look.
    pub at: Pointer,
    /// What stands there equals this.
    #[serde(default)]
    pub equals: Option<Value>,
    /// What stands there is a list with this member.
    #[serde(default)]
    pub contains: Option<Value>,
    /// Something stands there (or nothing does).
    #[serde(default)]
    pub present: Option<bool>,
}

/// Looks records up by a natural key.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Find {
    /// The attributes of the key.
    pub key: Vec<String>,
    /// The request; the values are `key.NAME`.
    #[schemars(extend("x-variables" = VARIABLES.find))]
    pub request: Request,
    /// Where the list of records stands; without it the answer is one record, and 404 means none.
    #[serde(default)]
    pub items: Option<Pointer>,
    /// How the answer is cut into pages.
    #[serde(default)]
    pub pages: Pages,
    /// What the search finds is not the whole record: each one is read by id.
    #[serde(default)]
    pub then_get: bool,
}

/// Makes a record.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// Requests that come before it, in order.
    #[serde(default)]
    pub first: Vec<First>,
    /// The request.
    #[schemars(extend("x-variables" = VARIABLES.create))]
    pub request: Request,
    /// Where the new id stands in the answer; without it, the last segment of the `Location` header field.
    #[serde(default)]
    pub id: Option<Pointer>,
    /// The state in which the target makes accounts.
    #[serde(default = "enabled")]
    pub born: AccountState,
    /// Looks the natural keys up before: for targets that would make a second record without complaint.
    #[serde(default)]
    pub look_first: bool,
}

/// One request that changes attributes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The attributes that it takes; empty means all that no other step names.
    #[serde(default)]
    pub for_attributes: Vec<String>,
    /// A condition, as expression; where it does not hold, the step leaves its attributes to the next that takes them.
    #[serde(default)]
    #[schemars(extend("x-variables" = VARIABLES.when))]
    pub when: Option<String>,
    /// The request.
    #[schemars(extend("x-variables" = VARIABLES.update))]
    pub request: Request,
    /// Another request when all its attributes are cleared.
    #[serde(default)]
    #[schemars(extend("x-variables" = VARIABLES.update))]
    pub clear: Option<Request>,
}

/// Lists all records.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The request. It must list inactive records too.
    #[schemars(extend("x-variables" = VARIABLES.list))]
    pub request: Request,
    /// Where the list of records stands in the answer.
    #[serde(default)]
    pub items: Pointer,
    /// How the answer is cut into pages.
    #[serde(default)]
    pub pages: Pages,
    /// Where the number of all records stands.
    #[serde(default)]
    pub total_at: Option<Pointer>,
    /// Most records on one page; 0 means that the target states no limit.
    #[serde(default)]
    pub max_page: u32,
}

/// Requests that bring an account into a state.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct States {
    /// Switches on.
    #[serde(default)]
    #[schemars(extend("x-variables" = VARIABLES.state))]
    pub enabled: Option<Request>,
    /// Switches off.
    #[serde(default)]
    #[schemars(extend("x-variables" = VARIABLES.state))]
    pub disabled: Option<Request>,
    /// Blocks.
    #[serde(default)]
    #[schemars(extend("x-variables" = VARIABLES.state))]
    pub blocked: Option<Request>,
    /// Ends by date.
    #[serde(default)]
    #[schemars(extend("x-variables" = VARIABLES.state))]
    pub expired: Option<Request>,
}

/// How one type of entitlement is read, given and taken.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entitlement {
    /// An account holds at most one: giving another replaces it.
    #[serde(default)]
    pub single: bool,
    /// Where it is read. Without it, records are incomplete and nothing is removed on their word.
    #[serde(default)]
    pub read: Option<EntitlementRead>,
    /// Gives one.
    #[serde(default)]
    #[schemars(extend("x-variables" = VARIABLES.grant))]
    pub add: Option<Request>,
    /// Takes one.
    #[serde(default)]
    #[schemars(extend("x-variables" = VARIABLES.grant))]
    pub remove: Option<Request>,
    /// Writes the whole list (`entitlements`), for targets that cannot add and remove.
    #[serde(default)]
    #[schemars(extend("x-variables" = VARIABLES.replace))]
    pub replace: Option<Request>,
}

/// Where entitlements are read.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntitlementRead {
    /// A request of its own; without it, they stand in the record.
    #[serde(default)]
    #[schemars(extend("x-variables" = VARIABLES.held))]
    pub request: Option<Request>,
    /// How the answer to `request` is cut into pages.
    #[serde(default)]
    pub pages: Pages,
    /// Where they stand: a list, or a single one. Absent means none.
    #[serde(default)]
    pub at: Pointer,
    /// In each one, where the value stands.
    #[serde(default)]
    pub value: Pointer,
    /// In each one, where the parts of the scope stand, by our name.
    #[serde(default)]
    pub scope: BTreeMap<String, Pointer>,
    /// In each one, where its place stands.
    #[serde(default)]
    pub order: Option<Pointer>,
    /// In each one, where its first instant stands.
    #[serde(default)]
    pub valid_from: Option<Pointer>,
    /// In each one, where its end stands.
    #[serde(default)]
    pub valid_to: Option<Pointer>,
    /// The end as the target writes it is the last second at which the entitlement holds. Ours is the first instant at which
    /// it does not; `entitlement.lastSecond` is what to write to such a target.
    #[serde(default)]
    pub valid_to_included: bool,
    /// Counts only those of which this holds: what an account has through a group is the group's, not its own.
    #[serde(default)]
    pub only: Option<Condition>,
}

/// Asks whether a login would be let in.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Effective {
    /// The request.
    #[schemars(extend("x-variables" = VARIABLES.effective))]
    pub request: Request,
    /// By reason: a condition that must hold for a login. Where one does not, its name is the reason given.
    pub needs: BTreeMap<String, Condition>,
    /// Where the last instant stands at which a login is let in. It is measured against the answer's `Date`: the target's own
    /// clock is the one that counts.
    #[serde(default)]
    pub ends_at: Option<Pointer>,
    /// Where the instant stands from which on a login is let in.
    #[serde(default)]
    pub begins_at: Option<Pointer>,
    /// Where the number of open sessions stands, or their list.
    #[serde(default)]
    pub sessions_at: Option<Pointer>,
}

fn yes() -> bool {
    true
}
fn enabled() -> AccountState {
    AccountState::Enabled
}
