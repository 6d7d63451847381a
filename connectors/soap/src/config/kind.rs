//! One kind of records: how it is read, made, changed, ended.

use super::{First, Place, Request, Ticket, VARIABLES};
use connector_spi::{AccountState, KindRole, ValueType};
use schemars::JsonSchema;
use serde::Deserialize;
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
    /// Where the parts of a record stand. Left out for a kind that is never read, such as a catalogue that comes as a file.
    #[serde(default)]
    pub record: Option<RecordMap>,
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
    /// Switches records on and off.
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
    /// Sets a password: `password` is a further variable.
    #[serde(default)]
    #[schemars(extend("x-variables" = VARIABLES.set_password))]
    pub set_password: Option<Request>,
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
    /// The target ends access by itself at a given end.
    #[serde(default)]
    pub end_date: bool,
}

/// One attribute. It is read at its place; templates say where it is written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// Where it stands in a record. Left out for one that can only be written.
    #[serde(default)]
    pub at: Option<Place>,
    /// The type of each value. An instant is written in RFC 3339, octets in base64.
    #[serde(default, rename = "type")]
    pub ty: ValueType,
    /// A create without it is refused.
    #[serde(default)]
    pub required: bool,
    /// May hold more than one value: every element at `at` is one.
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

/// Where the parts of a record stand.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordMap {
    /// The target's id.
    pub id: Place,
    /// The version, where the target has one.
    #[serde(default)]
    pub version: Option<Place>,
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

/// Something that holds of an element. Without `equals` and `present`, something must stand there.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Where to look.
    pub at: Place,
    /// One of the texts there equals this, without the white space around it.
    #[serde(default)]
    pub equals: Option<String>,
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
    /// The request; the values are `key.NAME`. Every element at its `record_at` is a record; a refusal of class `NotFound`
    /// means none.
    #[schemars(extend("x-variables" = VARIABLES.find))]
    pub request: Request,
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
    /// Where the new id stands in the answer. In one by which the work is only taken on it may be absent.
    pub id: Place,
    /// The states in which the request itself can make a record; it sees the one that is wanted as `state`. The first is the
    /// one in which a record is made when another is wanted.
    #[serde(default = "enabled")]
    pub born: Vec<AccountState>,
    /// The types of entitlements that the request itself carries (`entitlements`); others are given afterwards.
    #[serde(default)]
    pub carries: Vec<String>,
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
    /// Where a record's id stands in an item, when that is not the place of `record.id`.
    #[serde(default)]
    pub id: Option<Place>,
    /// Items of the list are not the whole record: each one is read by id.
    #[serde(default)]
    pub then_get: bool,
    /// How the answer is cut into pages.
    #[serde(default)]
    pub pages: Pages,
    /// Where the number of all records stands.
    #[serde(default)]
    pub total_at: Option<Place>,
    /// Most records on one page; 0 means that the target states no limit.
    #[serde(default)]
    pub max_page: u32,
}

/// How a long answer is cut into pages. The request says where the page goes, by `page.size`, `page.cursor`, `page.offset`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum Pages {
    /// All in one answer.
    // With braces, since serde lets unknown members of a bare variant pass.
    One {},
    /// By the number of records to skip.
    Offset {
        /// The first record's number, 0 or 1.
        #[serde(default)]
        first: u64,
    },
    /// By a mark that the answer gives.
    Cursor {
        /// Where the next mark stands; absent or empty on the last page.
        next_at: Place,
    },
}

impl Default for Pages {
    fn default() -> Self {
        Pages::One {}
    }
}

/// Requests that bring a record into a state, each a list that is sent in order.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct States {
    /// Switches on.
    #[serde(default)]
    #[schemars(extend("x-variables" = VARIABLES.state))]
    pub enabled: Vec<Request>,
    /// Switches off.
    #[serde(default)]
    #[schemars(extend("x-variables" = VARIABLES.state))]
    pub disabled: Vec<Request>,
    /// Blocks.
    #[serde(default)]
    #[schemars(extend("x-variables" = VARIABLES.state))]
    pub blocked: Vec<Request>,
    /// Ends by date.
    #[serde(default)]
    #[schemars(extend("x-variables" = VARIABLES.state))]
    pub expired: Vec<Request>,
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

/// Where entitlements stand in a record.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntitlementRead {
    /// Where they stand: every element there is one. None there means none held.
    pub at: Place,
    /// In each one, where the value stands.
    #[serde(default)]
    pub value: Place,
    /// In the record, where the value of the one stands that counts as first. It has the order 1 and the others have none;
    /// where it is not in the list it is held all the same.
    #[serde(default)]
    pub first_at: Option<Place>,
    /// In each one, where the parts of the scope stand, by our name.
    #[serde(default)]
    pub scope: BTreeMap<String, Place>,
    /// In each one, where its place stands.
    #[serde(default)]
    pub order: Option<Place>,
    /// In each one, where its beginning stands: a day or an instant.
    #[serde(default)]
    pub valid_from: Option<Place>,
    /// In each one, where its end stands, as `end_date` means it.
    #[serde(default)]
    pub valid_to: Option<Place>,
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
    /// Where the beginning stands: a day or an instant.
    #[serde(default)]
    pub begins_at: Option<Place>,
    /// Where the end stands, as `end_date` means it. It is measured against the answer's `Date`: the target's own clock is
    /// the one that counts.
    #[serde(default)]
    pub ends_at: Option<Place>,
    /// Where the number of open sessions stands.
    #[serde(default)]
    pub sessions_at: Option<Place>,
}

fn yes() -> bool {
    true
}
fn enabled() -> Vec<AccountState> {
    vec![AccountState::Enabled]
}
