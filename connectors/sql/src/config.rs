//! What is written in a target's file.
//!
//! A **statement** is one SQL statement whose values are parameters, `:name`. Nothing else can be filled in: quotes with a
//! parameter inside, an engine's own placeholders, comments and a second statement are refused when the file is read. Where
//! engines differ it is a table by engine: `{ any = "… LIMIT :size", mssql = "… FETCH NEXT :size ROWS ONLY" }`.
//!
//! Its parameters are the attributes of the kind by their names, `constants`, and these:
//!
//! | parameter | where | what |
//! |---|---|---|
//! | `:id` | everywhere but find, list | the record's id |
//! | `:version` | writes | the version that was read; no row then means that the record changed since |
//! | `:today`, `:now` | everywhere | the day in `zone`, and the time in `naive_zone`, by the database's own clock |
//! | `:op` | writes | the change's own id, the same for every attempt |
//! | `:state` | create, states, after | `enabled`, `disabled`, `blocked`, `expired` |
//! | `:name` | `name.taken` | the name that is tried |
//! | `:after`, `:size` | list | the last id of the page before, null at first; the most records |
//! | `:first`, `:last` | entitlements.read | the first and the last id of a range of records |
//! | `:since` | changes | the instant from which on changes are told |
//! | `:ticket` | queue.ticket | the `:op` of the change whose requests are asked about |
//! | `:value`, `:scope_NAME`, `:place`, `:valid_from`, `:valid_to` | entitlements.add, .remove | the entitlement |
//!
//! An absent value is a NULL of the parameter's type. What a statement that reads answers is known by the names of its columns
//! (any case): `id`, `state` (one of the names above), `version`, and the attributes; for entitlements `id` (the account),
//! `value`, `scope_NAME`, `place`, `valid_from`, `valid_to`.

mod database;
mod kind;

pub use database::{Database, Engine, Pool, Replica, Tls};
pub use kind::{
    After, Attribute, Caps, Changes, Collision, Create, Effective, Entitlement, EntitlementRead, Find, Flag, Form,
    HttpStep, Id, Kind, List, Name, Queue, Rows, States, Step, When,
};

use connector_http::HttpConfig;
use connector_spi::{Class, Effect};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};
use std::collections::BTreeMap;

/// A target that is a database.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The major version of the connector contract that the file is written for: `"1"`.
    #[serde(default = "one")]
    pub spi: String,
    /// How the database is reached.
    pub database: Database,
    /// A copy of the database from which listings and changes are read. Reading by id and by key, on which decisions rest, and
    /// everything inside a change goes to `database`.
    #[serde(default)]
    pub replica: Option<Replica>,
    /// The time zone of days: `America/New_York`. Take the one in which the target itself counts days.
    #[serde(default = "utc")]
    pub zone: String,
    /// The time zone of columns that hold a time without one.
    #[serde(default = "utc")]
    pub naive_zone: String,
    /// When a write takes effect in the target. It is not known unless somebody tried it out.
    #[serde(default)]
    pub takes_effect: TakesEffect,
    /// How open sessions are ended.
    #[serde(default)]
    pub session_revocation: SessionRevocation,
    /// Texts for statements, by the parameter's name: the mark by which the gateway's own rows are known, for instance.
    #[serde(default)]
    pub constants: BTreeMap<String, String>,
    /// Places that are called over HTTP after a write, by name.
    #[serde(default)]
    pub http: BTreeMap<String, HttpConfig>,
    /// What the database's refusals mean, besides the table of the engine. The first that fits decides.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
    /// Refuses every write, whatever else the file says.
    #[serde(default)]
    pub read_only: bool,
    /// The kinds of records, by name.
    pub kinds: BTreeMap<String, Kind>,
}

/// When a write to the tables takes effect. A row that says "inactive" is no proof that anything ended: systems keep what a
/// user may do in memory, and open sessions go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TakesEffect {
    /// With the target's next answer, also in open sessions.
    Immediate,
    /// With the next login; open sessions go on until they are ended.
    NextLogin,
    /// Nobody tried. The gateway then claims nothing: a closing stays unverified.
    #[default]
    Unknown,
}

/// How open sessions are ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionRevocation {
    /// They cannot be.
    #[default]
    None,
    /// By the statements of `revoke_sessions`.
    Sql,
    /// By a call over HTTP (`after` with `on = ["sessions"]`), after the statements of `revoke_sessions`, if there are any.
    Api,
}

/// One statement, or one for each engine that needs its own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Sql {
    /// For every engine.
    One(String),
    /// By engine.
    Each(Each),
}

/// Statements by engine.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Each {
    /// For every engine without its own.
    #[serde(default)]
    pub any: Option<String>,
    /// For PostgreSQL.
    #[serde(default)]
    pub postgres: Option<String>,
    /// For MariaDB and MySQL.
    #[serde(default)]
    pub mysql: Option<String>,
    /// For SQLite.
    #[serde(default)]
    pub sqlite: Option<String>,
    /// For SQL Server.
    #[serde(default)]
    pub mssql: Option<String>,
}

impl Sql {
    /// The statement for this engine, if there is one.
    #[must_use]
    pub fn of(&self, engine: Engine) -> Option<&str> {
        let each = match self {
            Sql::One(text) => return Some(text),
            Sql::Each(each) => each,
        };
        let own = match engine {
            Engine::Postgres => &each.postgres,
            Engine::Mysql => &each.mysql,
            Engine::Sqlite => &each.sqlite,
            Engine::Mssql => &each.mssql,
        };
        own.as_deref().or(each.any.as_deref())
    }
}

/// What one sort of refusal means. All conditions that are given must hold.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// The codes: SQLSTATE (`23514`, or `23*` for a whole class), MariaDB's, SQLite's or SQL Server's number. Empty means any.
    #[serde(default)]
    pub code: Vec<String>,
    /// The constraint that is violated, where the engine names it (PostgreSQL does).
    #[serde(default)]
    pub constraint: Option<String>,
    /// What was being done. Empty means anything.
    #[serde(default)]
    pub on: Vec<On>,
    /// The class.
    #[serde(deserialize_with = "known_class")]
    #[schemars(with = "String")]
    pub class: Class,
    /// The attribute that is refused.
    #[serde(default)]
    pub attribute: Option<String>,
    /// Whether the target may have changed, where that differs: for a procedure that commits by itself.
    #[serde(default, deserialize_with = "known_effect")]
    #[schemars(with = "Option<String>")]
    pub effect: Option<Effect>,
}

/// What was being done when the database refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// Reading.
    Read,
    /// Making a record.
    Create,
    /// Changing attributes.
    Update,
    /// Changing the state.
    State,
    /// Giving an entitlement.
    Give,
    /// Taking an entitlement.
    Take,
    /// Deleting.
    Delete,
    /// Ending sessions.
    Sessions,
}

// On the wire an unknown class or effect has a meaning (a newer plugin); in a file it is a slip of the pen.
fn known_class<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Class, D::Error> {
    let name = String::deserialize(deserializer)?;
    Class::ALL.into_iter().find(|class| class.name() == name).ok_or_else(|| {
        let names: Vec<_> = Class::ALL.into_iter().map(Class::name).collect();
        D::Error::custom(format!("there is no class {name}; one of {}", names.join(", ")))
    })
}

fn known_effect<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Effect>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "none" => Ok(Some(Effect::None)),
        "partial" => Ok(Some(Effect::Partial)),
        "maybe" => Ok(Some(Effect::Maybe)),
        other => Err(D::Error::custom(format!("there is no effect {other}; one of none, partial, maybe"))),
    }
}

fn one() -> String {
    "1".to_owned()
}
fn utc() -> String {
    "UTC".to_owned()
}
