//! SQLite: a file on this machine.

use crate::{
    config,
    database::{Bound, Cell, Database, Done, Purpose, Session},
    error::Failure,
    pool::{Lease, Opens, Pool},
    session::{self, begin, run},
    statement::Statement,
};
use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::{
    Arguments, ConnectOptions, Connection, Row as _, TypeInfo, ValueRef,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteQueryResult, SqliteRow},
};
use std::time::Duration;

/// Longest wait for another writer.
const BUSY: Duration = Duration::from_secs(5);

/// A database file.
pub(crate) struct Sqlite {
    pool: Pool<Opener>,
}

impl Sqlite {
    pub(crate) fn new(config: &config::Database) -> Self {
        Self { pool: Pool::new(Opener { config: config.clone() }, &config.pool) }
    }
}

struct Opener {
    config: config::Database,
}

#[async_trait]
impl Opens for Opener {
    type Connection = SqliteConnection;

    async fn open(&self) -> Result<SqliteConnection, Failure> {
        // A file that is not there is a wrong setting, never a new and empty target. How the file keeps its journal is its
        // owner's affair; foreign keys are checked only where a connection asks for it.
        let options = SqliteConnectOptions::new()
            .filename(self.config.path.as_deref().unwrap_or_else(|| std::path::Path::new("")))
            .create_if_missing(false)
            .foreign_keys(true)
            .busy_timeout(BUSY.min(Duration::from_secs(self.config.pool.statement_timeout.into())))
            .disable_statement_logging();
        options.connect().await.map_err(failure).map_err(session::opening)
    }
}

#[async_trait]
impl Database for Sqlite {
    async fn begin(&self, purpose: Purpose) -> Result<Box<dyn Session>, Failure> {
        // A write that begins as a reader may find, too late, that another one wrote.
        let text = match purpose {
            Purpose::Read => "BEGIN DEFERRED",
            Purpose::Write => "BEGIN IMMEDIATE",
        };
        let lease = begin!(self.pool, [text], failure);
        Ok(Box::new(Transaction { lease }))
    }
}

struct Transaction {
    lease: Lease<SqliteConnection>,
}

#[async_trait]
impl Session for Transaction {
    async fn run(&mut self, statement: &Statement, values: &[Bound], most: usize) -> Result<Done, Failure> {
        let allocated = |result: &SqliteQueryResult| Some(result.last_insert_rowid());
        Ok(run!(self.lease.connection, SqliteArguments, statement, values, most, bind, cell, failure, allocated))
    }

    /// Whoever writes is alone already.
    async fn lock(&mut self, _: &[String]) -> Result<(), Failure> {
        Ok(())
    }

    async fn now(&mut self) -> Result<Timestamp, Failure> {
        let query = sqlx::query_scalar::<_, String>("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')");
        let text = query.fetch_one(&mut self.lease.connection).await.map_err(failure)?;
        text.parse().map_err(|_| Failure::Strange("the clock cannot be read".to_owned()))
    }

    async fn server(&mut self) -> Result<String, Failure> {
        let query = sqlx::query_scalar::<_, String>("SELECT sqlite_version()");
        // The first look at the file itself: whether it is a database at all shows here.
        sqlx::Executor::execute(&mut self.lease.connection, sqlx::raw_sql("SELECT count(*) FROM sqlite_schema"))
            .await
            .map_err(failure)?;
        let version = query.fetch_one(&mut self.lease.connection).await.map_err(failure)?;
        Ok(format!("SQLite {version}"))
    }

    async fn commit(mut self: Box<Self>) -> Result<(), Failure> {
        let ended = sqlx::Executor::execute(&mut self.lease.connection, sqlx::raw_sql("COMMIT")).await;
        ended.map_err(failure)?;
        self.lease.give_back();
        Ok(())
    }

    async fn rollback(mut self: Box<Self>) {
        let ended = sqlx::Executor::execute(&mut self.lease.connection, sqlx::raw_sql("ROLLBACK")).await;
        if ended.is_ok() {
            self.lease.give_back();
        } else {
            drop(self.lease.connection.close().await);
        }
    }
}

/// Days and times are text, in the form that SQLite's own functions write.
fn bind(arguments: &mut SqliteArguments, value: &Bound) -> Option<()> {
    let added = match value {
        Bound::Text(text) => arguments.add(text.clone()),
        Bound::Int(number) => arguments.add(*number),
        Bound::Bool(truth) => arguments.add(*truth),
        Bound::Bytes(octets) => arguments.add(octets.clone()),
        Bound::Day(day) => arguments.add(day.map(|day| day.to_string())),
        Bound::Instant(at) => arguments.add(at.map(|at| written(jiff::tz::TimeZone::UTC.to_datetime(at)))),
        Bound::Local(at) => arguments.add(at.map(written)),
    };
    added.ok()
}

fn written(at: jiff::civil::DateTime) -> String {
    let format = if at.subsec_nanosecond() == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S%.6f" };
    at.strftime(format).to_string()
}

pub(crate) fn cell(row: &SqliteRow, at: usize) -> Cell {
    let Ok(raw) = row.try_get_raw(at) else { return Cell::Strange("unknown".to_owned()) };
    if raw.is_null() {
        return Cell::Null;
    }
    let of = raw.type_info().name().to_owned();
    let known = match of.as_str() {
        "INTEGER" | "BOOLEAN" => row.try_get_unchecked(at).ok().map(Cell::Int),
        "TEXT" => row.try_get_unchecked(at).ok().map(Cell::Text),
        "BLOB" => row.try_get_unchecked(at).ok().map(Cell::Bytes),
        _ => None,
    };
    known.unwrap_or(Cell::Strange(of))
}

fn failure(error: sqlx::Error) -> Failure {
    session::failure(error, |error| {
        let code = error.code().map(|code| code.into_owned()).unwrap_or_default();
        // Extended codes hold the primary one in their lowest octet.
        let primary = code.parse::<u32>().ok().map(|number| (number & 0xff).to_string());
        Failure::Server { codes: [Some(code), primary].into_iter().flatten().collect(), constraint: None, column: None }
    })
}
