//! The SQL connector: a target that is a database is described in a file, and this crate carries the description out, alike for
//! PostgreSQL, MariaDB and MySQL, SQLite and SQL Server. No target has code of its own here.
//!
//! The parts, from pure to impure: [`Config`] is what is written in the file; `statement` turns a named statement into an engine's
//! placeholders and an ordered list of parameters; `plan` is the whole file, checked and compiled; `value` turns values into
//! columns and back, days and ends of access among them; `check` refuses what does not fit before anything is sent; `error` says
//! what an engine's code means; `parts` puts a change into the order that the contract asks for. `database` says what is asked of
//! an engine; `postgres`, `mysql`, `sqlite` and `mssql` answer it, over the connections of `pool`. `transaction` runs statements
//! with arguments and deadlines; `record`, `create`, `change`, `after` are what a transaction is made of; `queue` tells what became of
//! requests that the target works off later; `connector`, `facet` and `sync` are the contract itself. `sandbox` is no part of them: a database for one case of a target's file.
//!
//! Decisions:
//!
//! * **Named statements with bound parameters, and nothing else.** No statement is composed from values, and none from names
//!   that arrive with a call. What would be pasted (a parameter in quotes, a brace, a second statement) is refused when the file
//!   is read. An SQL builder would have to know every target's odd tables; a file's author knows them.
//! * **One change is one transaction.** A part that the database refuses is taken out and the transaction is begun anew without
//!   it, so what is committed is whole, and what failed is told by name. Before the commit nothing has happened, whatever breaks;
//!   only a commit whose answer is lost leaves it open, and then the gateway reads before it sends again.
//! * **Looking and making are one step.** All natural keys are looked up in the transaction that inserts, under a lock of their
//!   names that every gateway takes: a correlation key without a unique constraint cannot be made twice, nor a name.
//! * **How many rows were touched is part of the answer.** None where one was meant is a stale version or a missing record,
//!   two are an error of the file; both are undone.
//! * **A write to a table is not proof that access ended.** What the target makes of its rows, and when, is declared
//!   (`takes_effect`, `session_revocation`) and not assumed; where it is unknown the connector answers no question about it, and a
//!   closing stays unverified. What ends sessions by statement belongs into the closing's own transaction. What needs a call
//!   comes after the commit, and a lost answer to the commit loses it too: the gateway's own order (end sessions, then look at
//!   what is effective) makes up for that.
//! * **The clock is the database's.** `:today` and `:now` come from the server that compares them, in the target's zone.
//! * **A table of requests is a target too** (`queue`): there a change is done when the target's own job has run, not when the row
//!   stands. The ticket is the change's own id, so no number has to come back from the insert, and nothing is lost with an answer.
//! * **A database's words are never passed on:** they quote the values that were sent. The code, the statement's name in the
//!   file and the attribute say enough.
//! * **The pool is our own**, a hundred lines: a password is read anew for each connection, a refused connection is told at
//!   once and not retried in silence, and a connection that was left in the middle of anything is closed.

mod after;
mod change;
mod check;
pub mod config;
mod connector;
mod create;
mod database;
mod error;
mod facet;
mod mssql;
mod mysql;
mod parts;
mod plan;
mod pool;
mod postgres;
mod queue;
mod record;
mod sandbox;
mod secrets;
mod session;
mod sqlite;
mod statement;
mod sync;
mod transaction;
mod value;

pub use config::Config;
pub use sandbox::Sandbox;

use async_trait::async_trait;
use config::{Database, Engine};
use connector_http::Door;
use connector_spi::{ConfigIssue, ConnError, Connector, ConnectorType, Declared, Host, Result};
use std::{collections::BTreeMap, sync::Arc};

/// Target files that come with the gateway, as `(profile, TOML)`: everything of a target but its database and its secrets.
pub const PROFILES: [(&str, &str); 1] = [("meditech-like", include_str!("../../profiles/meditech-like.toml"))];

/// `kind = "sql"`.
#[derive(Debug, Clone, Copy)]
pub struct Sql;

#[async_trait]
impl ConnectorType for Sql {
    type Config = Config;
    const NAME: &'static str = "sql";

    fn check_config(config: &Config) -> Vec<ConfigIssue> {
        plan::Plan::compile(config).err().unwrap_or_default()
    }

    fn declared(config: &Config) -> Declared {
        plan::Plan::declared(config)
    }

    async fn open(config: Config, host: Arc<dyn Host>) -> Result<Arc<dyn Connector>> {
        let plan = plan::Plan::compile(&config).map_err(|issues| {
            let first = issues.into_iter().next();
            let text = first.map(|issue| format!("{}: {}", issue.pointer, issue.message)).unwrap_or_default();
            ConnError::config(text)
        })?;
        let mut doors = BTreeMap::new();
        for (name, http) in &config.http {
            doors.insert(name.clone(), Door::open(http.clone(), Arc::clone(&host)).await?);
        }
        let database = open(&config.database, &host);
        let replica = config.replica.as_ref().map(|replica| open(&replica.database, &host));
        Ok(Arc::new(connector::SqlConnector::new(&config, plan, database, replica, doors)))
    }
}

/// The engine's way of answering; nothing is connected yet.
fn open(config: &Database, host: &Arc<dyn Host>) -> Box<dyn database::Database> {
    let host = Arc::clone(host);
    match config.engine {
        Engine::Postgres => Box::new(postgres::Postgres::new(config, host)),
        Engine::Mysql => Box::new(mysql::Mysql::new(config, host)),
        Engine::Sqlite => Box::new(sqlite::Sqlite::new(config)),
        Engine::Mssql => Box::new(mssql::Mssql::new(config, host)),
    }
}
