//! MariaDB and MySQL.

use crate::{
    config,
    database::{Bound, Cell, Database, Done, Purpose, Session},
    error::Failure,
    plan::fnv1a,
    pool::{Lease, Opens, Pool},
    session::{self, begin, from_date, from_primitive, run, to_date, to_offset, to_primitive},
    statement::Statement,
};
use async_trait::async_trait;
use connector_spi::Host;
use jiff::{Timestamp, tz::TimeZone};
use sqlx::{
    Arguments, ConnectOptions, Connection, Row as _, TypeInfo, ValueRef,
    mysql::{
        MySqlArguments, MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlQueryResult, MySqlRow,
        MySqlSslMode,
    },
};
use std::sync::Arc;

/// Seconds to wait for a lock by name.
const LOCK_WAIT: u32 = 10;

/// A database of MariaDB or MySQL.
pub(crate) struct Mysql {
    pool: Pool<Opener>,
}

impl Mysql {
    pub(crate) fn new(config: &config::Database, host: Arc<dyn Host>) -> Self {
        Self { pool: Pool::new(Opener { config: config.clone(), host }, &config.pool) }
    }
}

struct Opener {
    config: config::Database,
    host: Arc<dyn Host>,
}

#[async_trait]
impl Opens for Opener {
    type Connection = MySqlConnection;

    async fn open(&self) -> Result<MySqlConnection, Failure> {
        let config = &self.config;
        let secrets = crate::secrets::read(config, self.host.as_ref()).await?;
        let mut options = MySqlConnectOptions::new()
            .host(config.host.as_deref().unwrap_or_default())
            .port(config.port.unwrap_or(3306))
            .database(config.name.as_deref().unwrap_or_default())
            .username(config.user.as_deref().unwrap_or_default())
            .charset("utf8mb4")
            .ssl_mode(if config.allow_plaintext { MySqlSslMode::Disabled } else { MySqlSslMode::VerifyIdentity })
            .disable_statement_logging();
        if let Some(password) = &secrets.password {
            options = options.password(password.expose());
        }
        if let Some(path) = &config.tls.ca_file {
            options = options.ssl_ca(path);
        }
        if let (Some(path), Some(key)) = (&config.tls.client_certificate, &secrets.client_key) {
            options = options.ssl_client_cert(path).ssl_client_key_from_pem(key.expose());
        }
        let opened = options.connect().await.map_err(failure).map_err(session::opening);
        let mut connection = opened?;
        // Without the strict mode a value that does not fit is cut, and the write is a success.
        let strict = "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES,ANSI_QUOTES')";
        let settled = sqlx::Executor::execute(&mut connection, sqlx::raw_sql(strict)).await;
        settled.map_err(failure).map_err(session::opening)?;
        // MariaDB's name of it; MySQL has a limit for reading only and does without.
        let limit = sqlx::query("SET SESSION max_statement_time = ?").bind(config.pool.statement_timeout);
        match sqlx::Executor::execute(&mut connection, limit).await.map_err(failure) {
            Ok(_) | Err(Failure::Server { .. }) => Ok(connection),
            Err(failure) => Err(session::opening(failure)),
        }
    }
}

#[async_trait]
impl Database for Mysql {
    async fn begin(&self, purpose: Purpose) -> Result<Box<dyn Session>, Failure> {
        let texts = match purpose {
            Purpose::Read => [
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            ],
            Purpose::Write => ["SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "START TRANSACTION READ WRITE"],
        };
        let lease = begin!(self.pool, texts, failure);
        Ok(Box::new(Transaction { lease, locked: false }))
    }
}

struct Transaction {
    lease: Lease<MySqlConnection>,
    locked: bool,
}

impl Transaction {
    /// Back into the pool. Locks by name outlive the transaction, so they are given back first.
    async fn end(mut self) {
        if self.locked {
            let text = sqlx::raw_sql("DO RELEASE_ALL_LOCKS()");
            if sqlx::Executor::execute(&mut self.lease.connection, text).await.is_err() {
                return;
            }
        }
        self.lease.give_back();
    }
}

#[async_trait]
impl Session for Transaction {
    async fn run(&mut self, statement: &Statement, values: &[Bound], most: usize) -> Result<Done, Failure> {
        let allocated =
            |result: &MySqlQueryResult| i64::try_from(result.last_insert_id()).ok().filter(|number| *number > 0);
        Ok(run!(self.lease.connection, MySqlArguments, statement, values, most, bind, cell, failure, allocated))
    }

    async fn lock(&mut self, names: &[String]) -> Result<(), Failure> {
        for name in names {
            // Names have at most 64 characters.
            let short = format!("chartgate:{:016x}", fnv1a(name.as_bytes()));
            self.locked = true;
            let query = sqlx::query_scalar::<_, Option<i64>>("SELECT GET_LOCK(?, ?)").bind(short).bind(LOCK_WAIT);
            let got = query.fetch_one(&mut self.lease.connection).await.map_err(failure)?;
            if got != Some(1) {
                // The number of a wait for a lock that took too long.
                return Err(Failure::Server { codes: vec!["1205".to_owned()], constraint: None, column: None });
            }
        }
        Ok(())
    }

    async fn now(&mut self) -> Result<Timestamp, Failure> {
        let query = sqlx::query_scalar::<_, time::PrimitiveDateTime>("SELECT UTC_TIMESTAMP(6)");
        let at = query.fetch_one(&mut self.lease.connection).await.map_err(failure)?;
        let at = from_primitive(at).and_then(|at| TimeZone::UTC.to_timestamp(at).ok());
        at.ok_or_else(|| Failure::Strange("the clock cannot be read".to_owned()))
    }

    async fn server(&mut self) -> Result<String, Failure> {
        let query = sqlx::query_scalar::<_, String>("SELECT VERSION()");
        let version = query.fetch_one(&mut self.lease.connection).await.map_err(failure)?;
        Ok(if version.contains("MariaDB") { version } else { format!("MySQL {version}") })
    }

    async fn commit(mut self: Box<Self>) -> Result<(), Failure> {
        let ended = sqlx::Executor::execute(&mut self.lease.connection, sqlx::raw_sql("COMMIT")).await;
        ended.map_err(failure)?;
        self.end().await;
        Ok(())
    }

    async fn rollback(mut self: Box<Self>) {
        let ended = sqlx::Executor::execute(&mut self.lease.connection, sqlx::raw_sql("ROLLBACK")).await;
        if ended.is_ok() {
            self.end().await;
        } else {
            drop(self.lease.connection.close().await);
        }
    }
}

fn bind(arguments: &mut MySqlArguments, value: &Bound) -> Option<()> {
    let added = match value {
        Bound::Text(text) => arguments.add(text.as_deref()),
        Bound::Int(number) => arguments.add(*number),
        Bound::Bool(truth) => arguments.add(*truth),
        Bound::Bytes(octets) => arguments.add(octets.as_deref()),
        Bound::Day(None) => arguments.add(None::<time::Date>),
        Bound::Day(Some(day)) => arguments.add(to_date(*day)?),
        Bound::Instant(None) => arguments.add(None::<time::OffsetDateTime>),
        Bound::Instant(Some(at)) => arguments.add(to_offset(*at)?),
        Bound::Local(None) => arguments.add(None::<time::PrimitiveDateTime>),
        Bound::Local(Some(at)) => arguments.add(to_primitive(*at)?),
    };
    added.ok()
}

fn cell(row: &MySqlRow, at: usize) -> Cell {
    let Ok(raw) = row.try_get_raw(at) else { return Cell::Strange("unknown".to_owned()) };
    if raw.is_null() {
        return Cell::Null;
    }
    let of = raw.type_info().name().to_owned();
    let known = match of.as_str() {
        "BOOLEAN" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => row.try_get(at).ok().map(Cell::Int),
        name if name.ends_with("UNSIGNED") => {
            row.try_get::<u64, _>(at).ok().and_then(|number| i64::try_from(number).ok()).map(Cell::Int)
        }
        "VARCHAR" | "CHAR" | "TINYTEXT" | "TEXT" | "MEDIUMTEXT" | "LONGTEXT" | "ENUM" => {
            row.try_get_unchecked(at).ok().map(Cell::Text)
        }
        "DATE" => row.try_get(at).ok().and_then(from_date).map(Cell::Day),
        "DATETIME" => row.try_get(at).ok().and_then(from_primitive).map(Cell::Local),
        // Every session's zone is UTC.
        "TIMESTAMP" => {
            let read = row.try_get_unchecked::<time::OffsetDateTime, _>(at).ok();
            read.and_then(session::from_offset).map(Cell::Instant)
        }
        "BINARY" | "VARBINARY" | "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" => {
            row.try_get_unchecked(at).ok().map(Cell::Bytes)
        }
        _ => None,
    };
    known.unwrap_or(Cell::Strange(of))
}

fn failure(error: sqlx::Error) -> Failure {
    session::failure(error, |error| {
        let number = error.try_downcast_ref::<MySqlDatabaseError>().map(|error| error.number().to_string());
        let state = error.code().map(|code| code.into_owned());
        Failure::Server { codes: [number, state].into_iter().flatten().collect(), constraint: None, column: None }
    })
}
