//! What the three engines that sqlx speaks to have in common.

use crate::{
    database::{Cell, Row},
    error::Failure,
    statement::Statement,
};
use jiff::{
    Timestamp,
    civil::{Date, DateTime},
};
use sqlx::{AssertSqlSafe, Column};
use std::{io, sync::Arc};
use time::{Month, OffsetDateTime, PrimitiveDateTime};

/// The text of a statement as sqlx takes it. The one place that says it is safe: it was written in a file, read by
/// [`crate::statement`], and no value ever stood in it.
pub(crate) fn constant(statement: &Statement) -> AssertSqlSafe<Arc<str>> {
    AssertSqlSafe(Arc::clone(&statement.text))
}

/// A failure that is not the database's own word.
pub(crate) fn failure(error: sqlx::Error, server: impl Fn(&dyn sqlx::error::DatabaseError) -> Failure) -> Failure {
    use sqlx::Error;
    match error {
        Error::Database(error) => server(error.as_ref()),
        // rustls tells a certificate that it does not trust as invalid data.
        Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => Failure::Trust,
        Error::Io(_) | Error::WorkerCrashed | Error::PoolClosed | Error::PoolTimedOut => Failure::Lost,
        Error::Tls(_) => Failure::Trust,
        Error::Configuration(_) | Error::InvalidArgument(_) => {
            Failure::Setup("the settings of the database cannot work".to_owned())
        }
        Error::TypeNotFound { .. } => Failure::Setup("the database does not know a type of the statement".to_owned()),
        Error::Protocol(_) => Failure::Strange("the answer is not the database's protocol".to_owned()),
        _ => Failure::Strange("the answer cannot be understood".to_owned()),
    }
}

/// A failure while a connection is made: nothing was sent yet.
pub(crate) fn opening(failure: Failure) -> Failure {
    match failure {
        Failure::Lost | Failure::Late => Failure::Refused,
        other => other,
    }
}

pub(crate) fn to_date(day: Date) -> Option<time::Date> {
    let month = Month::try_from(u8::try_from(day.month()).ok()?).ok()?;
    time::Date::from_calendar_date(day.year().into(), month, u8::try_from(day.day()).ok()?).ok()
}

pub(crate) fn to_primitive(at: DateTime) -> Option<PrimitiveDateTime> {
    let part = |number: i8| u8::try_from(number).ok();
    let nano = u32::try_from(at.subsec_nanosecond()).ok()?;
    let clock = time::Time::from_hms_nano(part(at.hour())?, part(at.minute())?, part(at.second())?, nano).ok()?;
    Some(PrimitiveDateTime::new(to_date(at.date())?, clock))
}

pub(crate) fn to_offset(at: Timestamp) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(at.as_nanosecond()).ok()
}

pub(crate) fn from_date(day: time::Date) -> Option<Date> {
    let month = i8::try_from(u8::from(day.month())).ok()?;
    Date::new(i16::try_from(day.year()).ok()?, month, i8::try_from(day.day()).ok()?).ok()
}

pub(crate) fn from_primitive(at: PrimitiveDateTime) -> Option<DateTime> {
    let part = |number: u8| i8::try_from(number).ok();
    let nano = i32::try_from(at.nanosecond()).ok()?;
    let clock = jiff::civil::Time::new(part(at.hour())?, part(at.minute())?, part(at.second())?, nano).ok()?;
    Some(from_date(at.date())?.to_datetime(clock))
}

pub(crate) fn from_offset(at: OffsetDateTime) -> Option<Timestamp> {
    Timestamp::from_nanosecond(at.unix_timestamp_nanos()).ok()
}

/// A row as one of sqlx's engines answered it; `cell` reads the column at a place.
pub(crate) fn row<R: sqlx::Row>(row: &R, cell: impl Fn(&R, usize) -> Cell, before: Option<&Row>) -> Row {
    let columns = row.columns();
    let cells = columns.iter().map(|column| cell(row, column.ordinal())).collect();
    Row::new(columns.iter().map(Column::name), cells, before)
}

/// Runs a statement on a connection of sqlx's and gathers what it did. A macro, since the three engines' connections have no
/// common type that says all of this.
macro_rules! run {
    ($connection:expr, $arguments:ty, $statement:expr, $values:expr, $most:expr, $bind:path, $cell:path, $failure:path, $allocated:expr) => {{
        let mut arguments = <$arguments>::default();
        for value in $values {
            $bind(&mut arguments, value)
                .ok_or_else(|| $crate::error::Failure::Strange("a value cannot be sent".to_owned()))?;
        }
        let query = sqlx::query_with($crate::session::constant($statement), arguments);
        let mut stream = sqlx::Executor::fetch_many(&mut $connection, query);
        let mut done = $crate::database::Done::default();
        while let Some(step) = futures_util::StreamExt::next(&mut stream).await {
            match step.map_err($failure)? {
                sqlx::Either::Left(result) => {
                    done.affected += result.rows_affected();
                    done.allocated = $allocated(&result);
                }
                sqlx::Either::Right(row) if done.rows.len() < $most => {
                    let next = $crate::session::row(&row, $cell, done.rows.last());
                    done.rows.push(next);
                }
                sqlx::Either::Right(_) => done.cut = true,
            }
        }
        done
    }};
}
pub(crate) use run;

/// Begins a transaction on a connection from the pool. One that died there is replaced: a beginning changes nothing, so it may be
/// tried again.
macro_rules! begin {
    ($pool:expr, $texts:expr, $failure:path) => {{
        loop {
            let mut lease = $pool.take().await?;
            let mut outcome = Ok(());
            for text in $texts {
                outcome = sqlx::Executor::execute(&mut lease.connection, sqlx::raw_sql(text)).await.map(drop);
                if outcome.is_err() {
                    break;
                }
            }
            match outcome.map_err($failure) {
                Ok(()) => break lease,
                Err($crate::error::Failure::Lost) if !lease.fresh => {}
                Err(failure) => return Err($crate::session::opening(failure)),
            }
        }
    }};
}
pub(crate) use begin;
