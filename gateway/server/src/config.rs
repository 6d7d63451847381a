//! The configuration: one TOML file, typed. Every setting's documentation is here and nowhere else; the reference in the
//! README and `chartgate describe-config` are made from it.
//!
//! Relative paths mean: relative to the folder that the file stands in (the program goes there before it opens anything).

mod catalogue;
pub(crate) mod files;
mod json_place;
mod load;
mod meaning;
mod nearest;
mod problem;
mod reference;
mod rows;
pub(crate) mod shape;
pub(crate) mod tree;

pub use catalogue::{read as read_catalogue, written as written_catalogue};
pub(crate) use load::pointer_of;
pub use load::{Loaded, LoadedTarget, Reading, admin_socket, load, one_target, plain, read};
pub use nearest::hint as nearest_hint;
pub use problem::Problem;
pub use reference::reference;
pub use rows::{Row, rows};

use connector_layers::LayerConfig;
use connector_spi::SecretRef;
use gateway_domain::policy::{AccountConfig, CatalogueConfig, GroupConfig, ObjectConfig, RoleConfig, SourceConfig};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The whole file.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the gateway listens.
    pub server: Server,
    /// Where it keeps what must survive a restart.
    pub store: StoreConfig,
    /// What it writes to the log.
    pub log: Log,
    /// Who pushes SCIM, in order of precedence.
    pub source: Vec<SourceConfig>,
    /// Systems that hold accounts.
    pub target: Vec<Target>,
    /// Who holds which role, and what it gives.
    pub role: Vec<RoleConfig>,
    /// Facilities by name, as users' `facility` says it.
    pub facility: BTreeMap<String, Facility>,
    /// Tables for `lookup(table, key, default)` in expressions, by name.
    pub lookup: BTreeMap<String, BTreeMap<String, Value>>,
    /// Files with resource types and extensions of your own.
    pub resource_types: Vec<ResourceTypes>,
}

/// `[server]`: where the gateway listens.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Address and port of the SCIM door. Port 0 takes any free one; the line `ready …` tells which. The environment variable
    /// `CHARTGATE_LISTEN` goes before.
    pub listen: String,
    /// What clients call this service, such as `https://scim.hosp.example`; addresses in answers are made of it. Without it
    /// they are made of each request's `Host` header. The environment variable `CHARTGATE_PUBLIC_URL` goes before.
    pub public_url: Option<String>,
    /// The certificate for HTTPS. Without it the door speaks plain HTTP, for a loopback address or behind a proxy.
    pub tls: Option<Tls>,
    /// The Unix socket on which `chartgate status`, `links`, `retry`, `plan`, `token` and `target test` reach the running
    /// gateway. Only its own user and root may open it. The environment variable `CHARTGATE_ADMIN_SOCKET` goes before.
    pub admin_socket: String,
    /// Threads that serve requests; 0 is one per processor.
    #[schemars(range(max = 256))]
    pub workers: usize,
    /// What is taken from one client.
    pub limits: Limits,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8480".to_owned(),
            public_url: None,
            tls: None,
            admin_socket: "chartgate.sock".to_owned(),
            workers: 0,
            limits: Limits::default(),
        }
    }
}

/// `[server.tls]`: the certificate for HTTPS. TLS 1.2 is the oldest version spoken.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file with the certificate, its chain behind it.
    pub cert: String,
    /// The private key, PEM.
    pub key: SecretRef,
}

/// `[server.limits]`: bounds on what one client can take from the others.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest body of a request, in octets.
    #[schemars(range(min = 1_024, max = 268_435_456))]
    pub body: usize,
    /// Largest body of a Bulk request, in octets.
    #[schemars(range(min = 1_024, max = 268_435_456))]
    pub bulk_body: usize,
    /// Most operations in a Bulk request.
    #[schemars(range(min = 1, max = 100_000))]
    pub bulk_operations: usize,
    /// Most connections at a time.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections: usize,
    /// Resources on a page where the client does not say.
    #[schemars(range(min = 1, max = 10_000))]
    pub page: u32,
    /// Most resources on a page.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_page: u32,
    /// Seconds that a listing may take before it is answered 400 `tooMany`.
    #[schemars(range(min = 1, max = 60))]
    pub query_seconds: u32,
    /// Seconds that a client may take to send a request's body.
    #[schemars(range(min = 1, max = 600))]
    pub body_seconds: u32,
    /// Seconds that a connection stays open between requests.
    #[schemars(range(min = 1, max = 3_600))]
    pub idle_seconds: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 8 << 20,
            bulk_body: 1 << 20,
            bulk_operations: 1_000,
            connections: 10_000,
            page: 100,
            max_page: 1_000,
            query_seconds: 5,
            body_seconds: 30,
            idle_seconds: 60,
        }
    }
}

/// `[store]`: where the gateway keeps what must survive a restart.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// `sqlite:PATH`, one file with two more beside it while the gateway runs; or `sqlite::memory:`, which ends with the
    /// process. The environment variable `CHARTGATE_STORE` goes before.
    pub url: String,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { url: "sqlite:chartgate.db".to_owned() }
    }
}

/// `[log]`: what is written to standard error. Ids in it are ours; no person's data is.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// How much: `error`, `warn`, `info` or `debug`, and behind commas parts of the program with a level of their own, as in
    /// `info,connector_ldap=debug`. The environment variable `CHARTGATE_LOG` goes before.
    pub level: Option<String>,
    /// `text` or `json`. Without it: text on a terminal, JSON otherwise. The environment variable `CHARTGATE_LOG_FORMAT`
    /// goes before.
    pub format: Option<LogFormat>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// One `[[target]]`: a system that holds accounts.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Target {
    /// Its name in configuration, status and logs.
    pub name: String,
    /// Its immutable id; the name where it is not given. Keep it when the target is renamed.
    pub id: Option<String>,
    /// The kind of connector: `chartgate target describe` lists them.
    pub kind: String,
    /// The connector's own settings: `chartgate target describe KIND` tells them all.
    pub settings: Map<String, Value>,
    /// A TOML file with further settings of the connector, shared between deployments. What `settings` says goes before.
    pub file: Option<String>,
    /// The name of a built-in file of that sort. What `settings` says goes before.
    pub profile: Option<String>,
    /// How the target is treated: time-outs, slots, breaker, operations switched off.
    pub layers: LayerConfig,
    /// Who has an account in it and what it holds.
    pub account: Option<AccountConfig>,
    /// Further objects of a person with an account, by the target's kind of object: `[target.object.provider]`.
    pub object: BTreeMap<String, ObjectConfig>,
    /// Which groups it has as objects, with their members. Without it groups are only an input to rules.
    pub group: Option<GroupConfig>,
    /// What it can grant. Without any entry everything that roles name is taken for granted.
    pub catalogue: Vec<CatalogueConfig>,
    /// What it can grant, from a file that was exported there.
    pub catalogue_csv: Option<CatalogueCsv>,
    /// Take over an account that was there before also when it holds entitlements that were given elsewhere. Without it such
    /// an account waits for review.
    pub adopt_entitled: bool,
}

/// `[target.catalogue_csv]`: a catalogue from a CSV file (RFC 4180) whose first line names the columns.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CatalogueCsv {
    /// The file, UTF-8, at most 64 MiB. Columns `scope.NAME` say where an entitlement holds.
    pub file: String,
    /// The type of all its entitlements. Without it each line tells its own in the column `type`.
    #[serde(rename = "type", default)]
    pub ty: Option<String>,
    /// The column with the target's name or id of the entitlement.
    #[serde(default = "value_column")]
    pub value: String,
    /// The column with what people call it; the value where there is no such column.
    #[serde(default = "display_column")]
    pub display: String,
    /// The column with who answers for it.
    #[serde(default = "owner_column")]
    pub owner: String,
    /// The column that says `true`, `yes`, `y` or `1` where holding it needs care.
    #[serde(default = "sensitive_column")]
    pub sensitive: String,
    /// The column that says `retired` where the target gives it to nobody new.
    #[serde(default = "state_column")]
    pub state: String,
    /// The column that says `false`, `no`, `n` or `0` where the target gives it to nobody new.
    #[serde(default = "active_column")]
    pub active: String,
    /// The column with how many people may hold it, where that is limited.
    #[serde(default = "assignments_column")]
    pub assignments: String,
}

fn value_column() -> String {
    "value".to_owned()
}
fn display_column() -> String {
    "display".to_owned()
}
fn owner_column() -> String {
    "owner".to_owned()
}
fn state_column() -> String {
    "state".to_owned()
}
fn active_column() -> String {
    "active".to_owned()
}
fn assignments_column() -> String {
    "assignments".to_owned()
}
fn sensitive_column() -> String {
    "sensitive".to_owned()
}

/// `[facility.NAME]`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Facility {
    /// IANA name of its time zone, such as `America/New_York`. Dates are local days of the facility.
    pub zone: String,
}

/// One `[[resource_types]]`: a JSON file with resource types, schemas and extensions beside the built-in ones.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceTypes {
    /// The file: `{"schemas": […], "resourceTypes": […], "extensions": […]}`, the first two in the form that `/Schemas` and
    /// `/ResourceTypes` serve (RFC 7643, sections 6 and 7).
    pub file: String,
}
