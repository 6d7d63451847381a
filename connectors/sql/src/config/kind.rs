//! One kind of records: how it is read, made, changed, ended.

use super::Sql;
use connector_spi::{KindRole, ValueType};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One kind of records.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// What it is for.
    pub role: KindRole,
    /// Each list is a set of attributes that together identify a record. All are looked up before one is made, in the same
    /// transaction and under a lock: a column without a unique constraint can be a key too.
    #[serde(default)]
    pub natural_keys: Vec<Vec<String>>,
    /// Kinds that must stand before this one is made.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// The record's id.
    #[serde(default)]
    pub id: Id,
    /// The type of the version: `integer` or `text`.
    #[serde(default)]
    pub version: ValueType,
    /// Its attributes by our names.
    #[serde(default)]
    pub attributes: BTreeMap<String, Attribute>,
    /// `SELECT … FROM …` of a record, without `WHERE`. `get`, `find`, `list` and `changes` are the rest of this statement. It must
    /// show inactive records too.
    pub record: Sql,
    /// The rest of `record` that reads one by `:id`.
    #[serde(default)]
    #[schemars(extend("x-variables" = ["id", "today", "now", "constants"]))]
    pub get: Option<Sql>,
    /// The rest of `record` that looks one up by a natural key.
    #[serde(default)]
    pub find: Vec<Find>,
    /// The rest of `record` that reads the page after `:after`, in the order of the ids, at most `:size`.
    #[serde(default)]
    pub list: Option<List>,
    /// The rest of `record` that reads what changed.
    #[serde(default)]
    pub changes: Option<Changes>,
    /// Makes a record.
    #[serde(default)]
    pub create: Option<Create>,
    /// The first statement of every change: takes the row and raises its version.
    #[serde(default)]
    #[schemars(extend("x-variables" = ["id", "version", "op", "state", "today", "now", "the attributes", "constants"]))]
    pub touch: Option<Sql>,
    /// Changes attributes. Each statement gets the attributes that do not change with the values that were read in the same
    /// transaction.
    #[serde(default)]
    #[schemars(extend("x-variables" = ["id", "version", "op", "state", "today", "now", "the attributes", "constants"]))]
    pub update: Vec<Step>,
    /// Deletes a record. Leave it out for a system of charts: signatures point at the account for ever.
    #[serde(default)]
    #[schemars(extend("x-variables" = ["id", "version", "op", "state", "today", "now", "the attributes", "constants"]))]
    pub delete: Vec<Step>,
    /// Brings accounts into a state.
    #[serde(default)]
    pub states: States,
    /// What accounts of this kind can hold, by the kind of the entitlement.
    #[serde(default)]
    pub entitlements: BTreeMap<String, Entitlement>,
    /// Asks what an account can do now: a row with `can_login`, and if known `sessions` (their number) and `why` (words).
    #[serde(default)]
    pub effective: Option<Effective>,
    /// Ends the account's open sessions.
    #[serde(default)]
    #[schemars(extend("x-variables" = ["id", "op", "today", "now", "the attributes", "constants"]))]
    pub revoke_sessions: Vec<Step>,
    /// The statements that write change no record: they put the change into a table of requests.
    #[serde(default)]
    pub queue: Option<Queue>,
    /// What is done once a change is committed, in this order.
    #[serde(default)]
    pub after: Vec<After>,
    /// What the connector cannot know by itself.
    #[serde(default)]
    pub caps: Caps,
}

/// The record's id. Take the database's own number where there is one: names are given to other people later.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Id {
    /// `integer` or `text`.
    #[serde(default, rename = "type")]
    pub ty: ValueType,
    /// The id is this attribute. Without it the database allocates the id: the insert answers with a column `id`, or the engine
    /// knows the number that it gave.
    #[serde(default)]
    pub attribute: Option<String>,
}

/// One attribute.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// The type of the value.
    #[serde(default, rename = "type")]
    pub ty: ValueType,
    /// How the column holds it.
    #[serde(default, rename = "as")]
    pub form: Form,
    /// The two texts of a column that stands for true and false.
    #[serde(default)]
    pub flag: Option<Flag>,
    /// The column's name in the database, where it differs: refusals that name a column are then told as this attribute.
    #[serde(default)]
    pub column: Option<String>,
    /// A create without it is refused.
    #[serde(default)]
    pub required: bool,
    /// Letter case counts when values are compared. What a look-up finds is compared again here, since collations differ.
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
    /// Longest text in characters, as the column counts them. State it for every text: some engines cut what is too long.
    #[serde(default)]
    pub max_length: Option<u32>,
    /// The only values allowed; empty means any.
    #[serde(default)]
    pub allowed: Vec<String>,
    /// The kind that values refer to.
    #[serde(default)]
    pub references: Option<String>,
}

/// How a column holds a value.
///
/// A day can be told as an instant (midnight at its beginning, in `zone`) or as text (`2026-09-20`), by the attribute's type. An
/// end told as an instant is the first at which access is gone; told as text it is the last day on which it is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// As its type says; an instant with its zone.
    #[default]
    Plain,
    /// An instant as a time without zone, in `naive_zone`.
    LocalTime,
    /// A day, from its beginning.
    Day,
    /// An end: the first day on which access is gone. An end within a day is the day after: the gateway ends it in time.
    ExclusiveDay,
    /// An end: the last day on which access is there.
    InclusiveDay,
}

/// The two texts of a column that stands for true and false.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flag {
    /// For true.
    pub yes: String,
    /// For false.
    pub no: String,
}

/// Looks a record up by a natural key.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Find {
    /// The attributes of the key.
    pub key: Vec<String>,
    /// The rest of `record`; the key's values are parameters of their names.
    #[schemars(extend("x-variables" = ["the attributes of the key", "today", "now", "constants"]))]
    pub sql: Sql,
}

/// Lists all records.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The rest of `record`: `WHERE :after IS NULL OR id > :after ORDER BY id LIMIT :size`.
    #[schemars(extend("x-variables" = ["after", "size", "today", "now", "constants"]))]
    pub sql: Sql,
    /// Most records on one page, 1 to 1000.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_page: u32,
}

/// Reads what changed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    /// The rest of `record`: `WHERE changed_at >= :since ORDER BY changed_at`. The statement must show a column `changed_at`.
    #[schemars(extend("x-variables" = ["since", "today", "now", "constants"]))]
    pub sql: Sql,
    /// How the column holds its instant: `plain` or `local_time`.
    #[serde(default, rename = "as")]
    pub form: Form,
    /// Seconds by which every look goes back, since a change that began earlier may be committed later. Longer than any
    /// transaction of the target lasts.
    #[serde(default = "minute")]
    pub overlap: u32,
}

/// Makes a record.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// The statement that makes it.
    #[schemars(extend("x-variables" = ["op", "state", "today", "now", "the attributes", "constants"]))]
    pub insert: Sql,
    /// What else belongs to making one.
    #[serde(default)]
    #[schemars(extend("x-variables" = ["id", "version", "op", "state", "today", "now", "the attributes", "constants"]))]
    pub then: Vec<Step>,
    /// Whether the record comes into being switched on. Where not, `states.enabled` switches it on as the last step.
    #[serde(default = "yes")]
    pub born_enabled: bool,
    /// A name that must be free.
    #[serde(default)]
    pub name: Option<Name>,
}

/// A name that must be free, and what happens when it is not.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// The attribute that holds it.
    pub attribute: String,
    /// An expression that makes it from `attrs` where the change does not bring one, such as
    /// `upper(ascii_fold(left(attrs.givenName, 1) + attrs.familyName))`.
    #[serde(default)]
    #[schemars(extend("x-variables" = ["attrs"]))]
    pub from: Option<String>,
    /// Answers with a row when `:name` is taken, by whomever and however long ago: a name is never given twice.
    #[schemars(extend("x-variables" = ["name", "today", "now", "constants"]))]
    pub taken: Sql,
    /// What happens then.
    pub on_collision: Collision,
}

/// What happens when a name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Collision {
    /// The first free one of the name with 2, 3, … at its end, cut so that it fits.
    Suffix,
    /// The create is refused, `AlreadyExists`.
    Dispute,
}

/// One statement of a change.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The statement.
    pub sql: Sql,
    /// How many rows it must touch. Another number undoes the change.
    #[serde(default)]
    pub rows: Rows,
    /// The statement that is run when this one touched no row; it must touch one. With it this is an upsert.
    #[serde(default)]
    pub or_else: Option<Sql>,
}

/// How many rows a statement must touch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rows {
    /// One: none means that the record is not there or changed since it was read, several that the statement is wrong.
    #[default]
    One,
    /// None or one.
    AtMostOne,
    /// Any number, and procedures, which tell none.
    Any,
}

/// Statements that bring an account into a state.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct States {
    /// Switch on.
    #[serde(default)]
    #[schemars(extend("x-variables" = ["id", "version", "op", "state", "today", "now", "the attributes", "constants"]))]
    pub enabled: Vec<Step>,
    /// Switch off. What ends the open sessions by statement belongs here too: it is then one transaction with it.
    #[serde(default)]
    #[schemars(extend("x-variables" = ["id", "version", "op", "state", "today", "now", "the attributes", "constants"]))]
    pub disabled: Vec<Step>,
    /// Block.
    #[serde(default)]
    #[schemars(extend("x-variables" = ["id", "version", "op", "state", "today", "now", "the attributes", "constants"]))]
    pub blocked: Vec<Step>,
    /// End by date.
    #[serde(default)]
    #[schemars(extend("x-variables" = ["id", "version", "op", "state", "today", "now", "the attributes", "constants"]))]
    pub expired: Vec<Step>,
}

/// How one type of entitlement is read, given and taken.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entitlement {
    /// The names of the parts of its scope; each is a parameter and a column `scope_NAME`.
    #[serde(default)]
    pub scope: Vec<String>,
    /// How columns hold its first day or instant.
    #[serde(default)]
    pub begins_as: Form,
    /// How columns hold its end.
    #[serde(default)]
    pub ends_as: Form,
    /// Where it is read. Without it records are incomplete, and nothing is removed on their word.
    #[serde(default)]
    pub read: Option<EntitlementRead>,
    /// Gives one. It must succeed for one that is held.
    #[serde(default)]
    #[schemars(extend("x-variables" = ["id", "version", "op", "state", "value", "scope_NAME", "place", "valid_from", "valid_to", "today", "now", "constants"]))]
    pub add: Vec<Step>,
    /// Takes one. It must succeed for one that is not held.
    #[serde(default)]
    #[schemars(extend("x-variables" = ["id", "version", "op", "state", "value", "scope_NAME", "place", "valid_from", "valid_to", "today", "now", "constants"]))]
    pub remove: Vec<Step>,
}

/// Reads the entitlements of a range of records.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntitlementRead {
    /// The statement, for the records from `:first` to `:last`, with the columns `id` and `value`. It leaves out what has ended.
    #[schemars(extend("x-variables" = ["first", "last", "today", "now", "constants"]))]
    pub sql: Sql,
}

/// Asks what an account can do now.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Effective {
    /// The statement: no row means that the account is not there.
    #[schemars(extend("x-variables" = ["id", "today", "now", "constants"]))]
    pub sql: Sql,
}

/// A table of requests that the target works off in its own time. Every statement that makes or changes a record writes `:op` along;
/// a change that was refused and is tried again has the same one. What a new record is to hold is asked for when it is there.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Tells what became of the requests of the change `:ticket`, the newest where there are several: one row with `state` (`open`,
    /// `done` or `refused`), and if known the `id` of a record that was made, or the `class` of the refusal (`Invalid`, `Conflict`
    /// and so on; final without one), its `code` and the `attribute`. No row means that nobody knows: then the record alone tells.
    #[schemars(extend("x-variables" = ["ticket", "today", "now", "constants"]))]
    pub ticket: Sql,
    /// Seconds until it is worth asking.
    #[serde(default = "half_a_minute")]
    pub poll_after_seconds: u32,
}

/// What is done once a change is committed. It is told as a failed part when it fails, so that the change is sent again; a
/// repeated change does it again, so it must be harmless twice.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// Its name, in failures and events.
    pub name: String,
    /// After which changes.
    pub on: Vec<When>,
    /// A statement or a call of a procedure, in a transaction of its own.
    #[serde(default)]
    pub step: Option<Step>,
    /// A call over HTTP.
    #[serde(default)]
    pub http: Option<HttpStep>,
}

/// After which changes something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// A record was made.
    Created,
    /// Attributes were changed.
    Updated,
    /// An account was switched off, blocked or ended by date.
    Closed,
    /// An account was switched on.
    Opened,
    /// An entitlement was given.
    Given,
    /// An entitlement was taken.
    Taken,
    /// Sessions are to be ended.
    Sessions,
}

/// A call over HTTP. Any answer below 300 is success.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpStep {
    /// The place, one of `http`.
    pub place: String,
    /// The method: `POST`, `PUT` or `DELETE`.
    pub method: String,
    /// The path, with `{id}`, `{op}`, `{state}` and attributes in braces, each one a whole segment or query value.
    pub path: String,
    /// The members of a JSON body, by name, each one of the same names. Without it there is no body.
    #[serde(default)]
    pub body: BTreeMap<String, String>,
    /// Statuses that are success too: 404 for sessions that are gone.
    #[serde(default)]
    pub also_ok: Vec<u16>,
}

/// What the connector cannot know by itself about a kind.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Caps {
    /// A delete leaves a record behind that can be brought back.
    #[serde(default)]
    pub delete_is_soft: bool,
    /// The target ends access by itself at the end that its record says.
    #[serde(default)]
    pub end_date: bool,
}

fn yes() -> bool {
    true
}
fn hundred() -> u32 {
    100
}
fn half_a_minute() -> u32 {
    30
}
fn minute() -> u32 {
    60
}
