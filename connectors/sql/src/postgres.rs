//! PostgreSQL.

use crate::{
    config,
    database::{Bound, Cell, Database, Done, Purpose, Session},
    error::Failure,
    plan::fnv1a,
    pool::{Lease, Opens, Pool},
    session::{self, begin, from_date, from_offset, from_primitive, run, to_date, to_offset, to_primitive},
    statement::Statement,
};
use async_trait::async_trait;
use connector_spi::Host;
use jiff::Timestamp;
use sqlx::{
    Arguments, ConnectOptions, Connection, Row as _, TypeInfo, ValueRef,
    postgres::{
        PgArguments, PgConnectOptions, PgConnection, PgDatabaseError, PgQueryResult, PgRow, PgSslMode, PgTypeKind,
    },
};
use std::sync::Arc;

/// A database of PostgreSQL.
pub(crate) struct Postgres {
    pool: Pool<Opener>,
}

impl Postgres {
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
    type Connection = PgConnection;

    async fn open(&self) -> Result<PgConnection, Failure> {
        let config = &self.config;
        let secrets = crate::secrets::read(config, self.host.as_ref()).await?;
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(config.host.as_deref().unwrap_or_default())
            .port(config.port.unwrap_or(5432))
            .database(config.name.as_deref().unwrap_or_default())
            .username(config.user.as_deref().unwrap_or_default())
            .password(secrets.password.as_ref().map(connector_spi::Secret::expose).unwrap_or_default())
            .application_name("chartgate")
            .ssl_mode(if config.allow_plaintext { PgSslMode::Disable } else { PgSslMode::VerifyFull })
            .disable_statement_logging();
        if let Some(path) = &config.tls.ca_file {
            options = options.ssl_root_cert(path);
        }
        if let (Some(path), Some(key)) = (&config.tls.client_certificate, &secrets.client_key) {
            options = options.ssl_client_cert(path).ssl_client_key_from_pem(key.expose());
        }
        let opened = options.connect().await.map_err(failure).map_err(session::opening);
        let mut connection = opened?;
        // So that a server does not work on for a caller who is gone.
        let limit = format!("{}s", config.pool.statement_timeout);
        let settings = sqlx::query(
            "SELECT set_config('statement_timeout', $1, false), set_config('idle_in_transaction_session_timeout', $1, false)",
        );
        let settled = sqlx::Executor::execute(&mut connection, settings.bind(limit)).await;
        settled.map_err(failure).map_err(session::opening)?;
        Ok(connection)
    }
}

#[async_trait]
impl Database for Postgres {
    async fn begin(&self, purpose: Purpose) -> Result<Box<dyn Session>, Failure> {
        let text = match purpose {
            Purpose::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            Purpose::Write => "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE",
        };
        let lease = begin!(self.pool, [text], failure);
        Ok(Box::new(Transaction { lease }))
    }
}

struct Transaction {
    lease: Lease<PgConnection>,
}

#[async_trait]
impl Session for Transaction {
    async fn run(&mut self, statement: &Statement, values: &[Bound], most: usize) -> Result<Done, Failure> {
        let none = |_: &PgQueryResult| None;
        Ok(run!(self.lease.connection, PgArguments, statement, values, most, bind, cell, failure, none))
    }

    async fn lock(&mut self, names: &[String]) -> Result<(), Failure> {
        for name in names {
            let number = i64::from_ne_bytes(fnv1a(name.as_bytes()).to_ne_bytes());
            let query = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(number);
            sqlx::Executor::execute(&mut self.lease.connection, query).await.map_err(failure)?;
        }
        Ok(())
    }

    async fn now(&mut self) -> Result<Timestamp, Failure> {
        let query = sqlx::query_scalar::<_, time::OffsetDateTime>("SELECT CURRENT_TIMESTAMP");
        let at = query.fetch_one(&mut self.lease.connection).await.map_err(failure)?;
        from_offset(at).ok_or_else(|| Failure::Strange("the clock cannot be read".to_owned()))
    }

    async fn server(&mut self) -> Result<String, Failure> {
        let query = sqlx::query_scalar::<_, String>("SELECT current_setting('server_version')");
        let version = query.fetch_one(&mut self.lease.connection).await.map_err(failure)?;
        Ok(format!("PostgreSQL {version}"))
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

fn bind(arguments: &mut PgArguments, value: &Bound) -> Option<()> {
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

fn cell(row: &PgRow, at: usize) -> Cell {
    let Ok(raw) = row.try_get_raw(at) else { return Cell::Strange("unknown".to_owned()) };
    if raw.is_null() {
        return Cell::Null;
    }
    let of = raw.type_info();
    let known = match of.name() {
        "BOOL" => row.try_get(at).ok().map(Cell::Bool),
        "INT2" => row.try_get::<i16, _>(at).ok().map(|number| Cell::Int(number.into())),
        "INT4" => row.try_get::<i32, _>(at).ok().map(|number| Cell::Int(number.into())),
        "INT8" => row.try_get(at).ok().map(Cell::Int),
        "TEXT" | "VARCHAR" | "NAME" | "UNKNOWN" => row.try_get(at).ok().map(Cell::Text),
        // Blank-padded: the blanks at the end are none of the value's.
        "BPCHAR" | "CHAR" => {
            row.try_get::<String, _>(at).ok().map(|text| Cell::Text(text.trim_end_matches(' ').to_owned()))
        }
        "DATE" => row.try_get(at).ok().and_then(from_date).map(Cell::Day),
        "TIMESTAMP" => row.try_get(at).ok().and_then(from_primitive).map(Cell::Local),
        "TIMESTAMPTZ" => row.try_get(at).ok().and_then(from_offset).map(Cell::Instant),
        "BYTEA" => row.try_get(at).ok().map(Cell::Bytes),
        _ if matches!(of.kind(), PgTypeKind::Enum(_)) => row.try_get_unchecked(at).ok().map(Cell::Text),
        _ => None,
    };
    known.unwrap_or_else(|| Cell::Strange(of.name().to_owned()))
}

fn failure(error: sqlx::Error) -> Failure {
    session::failure(error, |error| {
        let own = error.try_downcast_ref::<PgDatabaseError>();
        Failure::Server {
            codes: error.code().map(|code| code.into_owned()).into_iter().collect(),
            constraint: error.constraint().map(str::to_owned),
            column: own.and_then(PgDatabaseError::column).map(str::to_owned),
        }
    })
}
