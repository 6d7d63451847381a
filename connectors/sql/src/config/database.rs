//! How a database is reached.

use connector_spi::SecretRef;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// The engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// PostgreSQL 12 and later.
    Postgres,
    /// MariaDB 10.5 and later, MySQL 8 and later.
    Mysql,
    /// SQLite, a file on this machine.
    Sqlite,
    /// Microsoft SQL Server 2012 and later.
    Mssql,
}

/// How the database is reached.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The engine. It also decides which text of a statement counts.
    pub engine: Engine,
    /// Name or address of the host. Not for SQLite.
    #[serde(default)]
    pub host: Option<String>,
    /// The port; the engine's usual one without it.
    #[serde(default)]
    pub port: Option<u16>,
    /// The database's name on the server. Not for SQLite.
    #[serde(default)]
    pub name: Option<String>,
    /// The file. For SQLite only; it must be there.
    #[serde(default)]
    pub path: Option<PathBuf>,
    /// The gateway's login. Give it rights on the tables of the statements and on nothing else.
    #[serde(default)]
    pub user: Option<String>,
    /// The login's password. It is read anew for every connection, so that a rotated one is noticed without a restart.
    #[serde(default)]
    pub password: Option<SecretRef>,
    /// Whom the gateway trusts, and its own certificate.
    #[serde(default)]
    pub tls: Tls,
    /// Goes without TLS. Credentials and personal data then travel unprotected: for tests and for a server on the same host.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// Connections, and how long anything may take.
    #[serde(default)]
    pub pool: Pool,
}

/// Whom the gateway trusts, and its own certificate. There is no switch that turns verification off.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// A PEM file with certificate authorities to trust besides the public ones. A hospital's own authority stands here.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// A PEM file with the gateway's own certificate and its chain, for mutual TLS. Not for SQL Server.
    #[serde(default)]
    pub client_certificate: Option<PathBuf>,
    /// The private key of `client_certificate`, PEM.
    #[serde(default)]
    pub client_key: Option<SecretRef>,
}

/// Connections, and how long anything may take.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pool {
    /// Most connections at a time, 1 to 64. Keep it above the number of calls that the gateway makes at a time: the slot that is
    /// kept for leavers is worth nothing when calls wait here.
    #[schemars(range(min = 1, max = 64))]
    pub connections: u32,
    /// Seconds until a connection must stand, 1 to 60.
    #[schemars(range(min = 1, max = 60))]
    pub connect_timeout: u32,
    /// Seconds after which a statement is given up, 1 to 600, by the server too where it can.
    #[schemars(range(min = 1, max = 600))]
    pub statement_timeout: u32,
    /// Seconds after which an idle connection is closed, 1 to 3600.
    #[schemars(range(min = 1, max = 3600))]
    pub idle_timeout: u32,
}

impl Default for Pool {
    fn default() -> Self {
        Self { connections: 16, connect_timeout: 10, statement_timeout: 30, idle_timeout: 300 }
    }
}

/// A copy of the database that lags behind it. What is read from it is marked incomplete: nothing is removed on its word, and a
/// finding is confirmed at the database itself before anything is corrected.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replica {
    /// How it is reached; the engine must be the same.
    pub database: Database,
    /// How far it may be behind, in seconds; `check` says when it cannot be reached.
    pub lag: u32,
}
