//! Microsoft SQL Server, by the Tabular Data Stream (MS-TDS).
//!
//! A connection does one thing at a time, and a call that is dropped in the middle leaves its answer in the stream: such a
//! connection is closed, never reused, like every other that was not given back.
//!
//! A look is not one snapshot here, as it is with the other engines: the server has snapshots only where its owner switched them
//! on, and without them a reader that wants one holds writers up. So a record and what it holds may be a moment apart.

use crate::{
    config,
    database::{Bound, Cell, Database, Done, Purpose, Row, Session},
    error::Failure,
    plan::fnv1a,
    pool::{Lease, Opens, Pool},
    session,
    statement::Statement,
};
use async_trait::async_trait;
use connector_spi::Host;
use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{self, Date, DateTime},
    tz::TimeZone,
};
use std::{borrow::Cow, sync::Arc, time::Duration};
use tiberius::{AuthMethod, Client, ColumnData, ColumnType, EncryptionLevel, IsolationLevel, ToSql, error::Error};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

/// Milliseconds to wait for a lock by name.
const LOCK_WAIT: i32 = 10_000;
/// Times are written with this many digits of a second, the most that the server keeps.
const SCALE: u8 = 7;

type Connection = Client<Compat<TcpStream>>;

/// A database of SQL Server.
pub(crate) struct Mssql {
    pool: Pool<Opener>,
}

impl Mssql {
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
    type Connection = Connection;

    async fn open(&self) -> Result<Connection, Failure> {
        let own = &self.config;
        let secrets = crate::secrets::read(own, self.host.as_ref()).await?;
        let password = secrets.password.as_ref().map(connector_spi::Secret::expose).unwrap_or_default();
        let host = own.host.as_deref().unwrap_or_default();
        let mut config = tiberius::Config::new();
        config.host(host);
        config.port(own.port.unwrap_or(1433));
        config.database(own.name.as_deref().unwrap_or_default());
        config.application_name("chartgate");
        config.authentication(AuthMethod::sql_server(own.user.as_deref().unwrap_or_default(), password));
        config.encryption(if own.allow_plaintext { EncryptionLevel::NotSupported } else { EncryptionLevel::Required });
        config.handshake_timeout(Some(Duration::from_secs(own.pool.connect_timeout.into())));
        config.command_timeout(Some(Duration::from_secs(own.pool.statement_timeout.into())));
        if let Some(path) = &own.tls.ca_file {
            let bundle = tokio::fs::read(path).await;
            let bundle =
                bundle.map_err(|_| Failure::Setup("the file of certificate authorities cannot be read".into()));
            config.trust_cert_ca_bundle(bundle?);
        }
        let tcp = TcpStream::connect((host, own.port.unwrap_or(1433))).await.map_err(|_| Failure::Refused)?;
        tcp.set_nodelay(true).map_err(|_| Failure::Refused)?;
        Client::connect(config, tcp.compat_write()).await.map_err(failure).map_err(session::opening)
    }
}

#[async_trait]
impl Database for Mssql {
    async fn begin(&self, _: Purpose) -> Result<Box<dyn Session>, Failure> {
        loop {
            let mut lease = self.pool.take().await?;
            match lease
                .connection
                .begin_transaction_with_isolation(IsolationLevel::ReadCommitted)
                .await
                .map_err(failure)
            {
                Ok(()) => return Ok(Box::new(Transaction { lease })),
                Err(Failure::Lost) if !lease.fresh => {}
                Err(failure) => return Err(session::opening(failure)),
            }
        }
    }

    /// Columns count UTF-16 code units.
    fn length(&self, text: &str) -> usize {
        text.encode_utf16().count()
    }
}

struct Transaction {
    lease: Lease<Connection>,
}

#[async_trait]
impl Session for Transaction {
    async fn run(&mut self, statement: &Statement, values: &[Bound], most: usize) -> Result<Done, Failure> {
        let mut parameters = Vec::with_capacity(values.len());
        for value in values {
            parameters.push(Parameter(data(value).ok_or_else(|| Failure::Strange("a value cannot be sent".into()))?));
        }
        let parameters: Vec<&dyn ToSql> = parameters.iter().map(|parameter| parameter as &dyn ToSql).collect();
        let connection = &mut self.lease.connection;
        if !statement.returns {
            let done = connection.execute(statement.text.as_ref(), &parameters).await.map_err(failure)?;
            return Ok(Done { affected: done.total(), ..Done::default() });
        }
        let stream = connection.query(statement.text.as_ref(), &parameters).await.map_err(failure)?;
        let mut rows = stream.into_row_stream();
        let mut done = Done::default();
        while let Some(found) = futures_util::StreamExt::next(&mut rows).await {
            let found = found.map_err(failure)?;
            if done.rows.len() < most {
                let next = row(&found, done.rows.last());
                done.rows.push(next);
            } else {
                done.cut = true;
            }
        }
        Ok(done)
    }

    async fn lock(&mut self, names: &[String]) -> Result<(), Failure> {
        for name in names {
            let short = format!("chartgate:{:016x}", fnv1a(name.as_bytes()));
            let text = "DECLARE @got int; EXEC @got = sp_getapplock @Resource = @P1, @LockMode = 'Exclusive', \
                        @LockOwner = 'Transaction', @LockTimeout = @P2; SELECT @got AS got";
            let stream = self.lease.connection.query(text, &[&short, &LOCK_WAIT]).await.map_err(failure)?;
            let found = stream.into_row().await.map_err(failure)?;
            let got = found.and_then(|found| row(&found, None).get("got").and_then(crate::value::integer));
            if got.is_none_or(|got| got < 0) {
                // The number of a wait for a lock that took too long.
                return Err(Failure::Server { codes: vec!["1222".to_owned()], constraint: None, column: None });
            }
        }
        Ok(())
    }

    async fn now(&mut self) -> Result<Timestamp, Failure> {
        let strange = || Failure::Strange("the clock cannot be read".to_owned());
        match self.first("SELECT SYSUTCDATETIME() AS now", "now").await? {
            Cell::Local(at) => TimeZone::UTC.to_timestamp(at).map_err(|_| strange()),
            _ => Err(strange()),
        }
    }

    async fn server(&mut self) -> Result<String, Failure> {
        let text = "SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)) AS version";
        let version = crate::value::text(&self.first(text, "version").await?).unwrap_or_default();
        Ok(format!("SQL Server {version}"))
    }

    async fn commit(mut self: Box<Self>) -> Result<(), Failure> {
        self.lease.connection.commit_transaction().await.map_err(failure)?;
        self.lease.give_back();
        Ok(())
    }

    async fn rollback(mut self: Box<Self>) {
        if self.lease.connection.rollback_transaction().await.is_ok() {
            self.lease.give_back();
        }
    }
}

impl Transaction {
    async fn first(&mut self, text: &str, column: &str) -> Result<Cell, Failure> {
        let stream = self.lease.connection.simple_query(text).await.map_err(failure)?;
        let found = stream.into_row().await.map_err(failure)?;
        Ok(found.and_then(|found| row(&found, None).get(column).cloned()).unwrap_or(Cell::Null))
    }
}

/// A parameter. The driver declares the type of each by its kind, so that a NULL has one too: an absent text is declared
/// `nvarchar(4000)`.
struct Parameter(ColumnData<'static>);

impl ToSql for Parameter {
    fn to_sql(&self) -> ColumnData<'_> {
        self.0.clone()
    }
}

fn data(value: &Bound) -> Option<ColumnData<'static>> {
    Some(match value {
        Bound::Text(text) => ColumnData::String(text.clone().map(Cow::Owned)),
        Bound::Int(number) => ColumnData::I64(*number),
        Bound::Bool(truth) => ColumnData::Bit(*truth),
        Bound::Bytes(octets) => ColumnData::Binary(octets.clone().map(Cow::Owned)),
        Bound::Day(None) => ColumnData::Date(None),
        Bound::Day(Some(day)) => ColumnData::Date(Some(to_date(*day)?)),
        Bound::Local(None) => ColumnData::DateTime2(None),
        Bound::Local(Some(at)) => ColumnData::DateTime2(Some(to_datetime(*at)?)),
        Bound::Instant(None) => ColumnData::DateTimeOffset(None),
        Bound::Instant(Some(at)) => {
            let at = to_datetime(TimeZone::UTC.to_datetime(*at))?;
            ColumnData::DateTimeOffset(Some(tiberius::time::DateTimeOffset::new(at, 0)))
        }
    })
}

/// The first day that the server can hold.
fn first_day() -> Date {
    civil::date(1, 1, 1)
}

fn to_date(day: Date) -> Option<tiberius::time::Date> {
    let days = first_day().until(day).ok()?.get_days();
    u32::try_from(days).ok().map(tiberius::time::Date::new)
}

fn to_datetime(at: DateTime) -> Option<tiberius::time::DateTime2> {
    let since = at.time().duration_since(civil::Time::midnight()).as_nanos();
    let clock = tiberius::time::Time::new(u64::try_from(since / 100).ok()?, SCALE);
    Some(tiberius::time::DateTime2::new(to_date(at.date())?, clock))
}

fn from_date(day: tiberius::time::Date) -> Option<Date> {
    first_day().checked_add(i64::from(day.days()).days()).ok()
}

fn from_datetime(at: tiberius::time::DateTime2) -> Option<DateTime> {
    let digits = u32::from(9_u8.checked_sub(at.time().scale())?);
    let nanos = i64::try_from(at.time().increments()).ok()?.checked_mul(10_i64.checked_pow(digits)?)?;
    from_date(at.date())?.to_datetime(civil::Time::midnight()).checked_add(SignedDuration::from_nanos(nanos)).ok()
}

fn row(row: &tiberius::Row, before: Option<&Row>) -> Row {
    let value = |(column, data): (&tiberius::Column, &ColumnData<'static>)| {
        match cell(data) {
            // Blank-padded: the blanks at the end are none of the value's.
            Cell::Text(text) if matches!(column.column_type(), ColumnType::BigChar | ColumnType::NChar) => {
                Cell::Text(text.trim_end_matches(' ').to_owned())
            }
            other => other,
        }
    };
    Row::new(row.columns().iter().map(tiberius::Column::name), row.cells().map(value).collect(), before)
}

fn cell(data: &ColumnData<'static>) -> Cell {
    let known = match data {
        ColumnData::U8(number) => number.map(|number| Cell::Int(number.into())),
        ColumnData::I16(number) => number.map(|number| Cell::Int(number.into())),
        ColumnData::I32(number) => number.map(|number| Cell::Int(number.into())),
        ColumnData::I64(number) => number.map(Cell::Int),
        ColumnData::Bit(truth) => truth.map(Cell::Bool),
        ColumnData::String(text) => text.as_ref().map(|text| Cell::Text(text.to_string())),
        ColumnData::Binary(octets) => octets.as_ref().map(|octets| Cell::Bytes(octets.to_vec())),
        ColumnData::Guid(guid) => guid.map(|guid| Cell::Text(guid.to_string())),
        ColumnData::Date(day) => day.map(|day| from_date(day).map_or_else(|| strange("date"), Cell::Day)),
        ColumnData::DateTime2(at) => at.map(|at| from_datetime(at).map_or_else(|| strange("datetime2"), Cell::Local)),
        ColumnData::DateTimeOffset(at) => at.map(|at| {
            let utc = from_datetime(at.datetime2()).and_then(|at| TimeZone::UTC.to_timestamp(at).ok());
            utc.map_or_else(|| strange("datetimeoffset"), Cell::Instant)
        }),
        ColumnData::DateTime(at) => at.map(|at| {
            let day = civil::date(1900, 1, 1).checked_add(i64::from(at.days()).days());
            // In three-hundredths of a second.
            let nanos = i64::from(at.seconds_fragments()) * 10_000_000 / 3;
            let local = day.map(|day| day.to_datetime(civil::Time::midnight()));
            let local = local.and_then(|at| at.checked_add(SignedDuration::from_nanos(nanos)));
            local.map_or_else(|_| strange("datetime"), Cell::Local)
        }),
        ColumnData::F32(None) | ColumnData::F64(None) | ColumnData::Numeric(None) => None,
        ColumnData::F32(_) | ColumnData::F64(_) => Some(strange("float")),
        ColumnData::Numeric(_) => Some(strange("numeric")),
        ColumnData::Xml(_) => Some(strange("xml")),
        ColumnData::SmallDateTime(_) => Some(strange("smalldatetime")),
        ColumnData::Time(_) => Some(strange("time")),
    };
    known.unwrap_or(Cell::Null)
}

fn strange(of: &str) -> Cell {
    Cell::Strange(of.to_owned())
}

fn failure(error: Error) -> Failure {
    match error {
        Error::Server(error) => {
            let code = error.code();
            let mut codes = vec![code.to_string()];
            // One number stands for foreign keys and for checks; the words tell which, and name the constraint in quotes.
            if code == 547 && error.message().contains("CHECK constraint") {
                codes.insert(0, "547-CHECK".to_owned());
            }
            let constraint = error.message().split('"').nth(1).filter(|_| code == 547).map(str::to_owned);
            Failure::Server { codes, constraint, column: None }
        }
        Error::Io { .. } => Failure::Lost,
        Error::Tls(_) => Failure::Trust,
        Error::Routing { .. } => Failure::Setup("the server sends its callers to another address: set that one".into()),
        _ => Failure::Strange("the answer is not the database's protocol".to_owned()),
    }
}
