//! Resource ids and instants as columns.

use crate::error::{Result, StoreError};
use gateway_domain::ResourceId;
use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use uuid::Uuid;

/// A resource's id as the tables hold it: 16 octets where it is a UUID in its canonical spelling, which halves three indexes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum IdKey {
    /// A UUID.
    Uuid([u8; 16]),
    /// Any other text.
    Text(String),
}

impl IdKey {
    /// The column's form of this id.
    pub(super) fn of(text: &str) -> Self {
        let canonical = text.len() == 36 && !text.bytes().any(|b| b.is_ascii_uppercase());
        match canonical.then(|| Uuid::try_parse(text)) {
            Some(Ok(uuid)) => IdKey::Uuid(uuid.into_bytes()),
            _ => IdKey::Text(text.to_owned()),
        }
    }
}

impl From<&ResourceId> for IdKey {
    fn from(id: &ResourceId) -> Self {
        IdKey::of(id.as_str())
    }
}

impl ToSql for IdKey {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            IdKey::Uuid(bytes) => ValueRef::Blob(bytes),
            IdKey::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

/// The id in this column.
pub(super) fn id(row: &Row<'_>, column: usize) -> Result<ResourceId> {
    match row.get_ref(column)? {
        ValueRef::Blob(bytes) => {
            let uuid = Uuid::from_slice(bytes).map_err(|_| corrupt("an id"))?;
            let mut buffer = Uuid::encode_buffer();
            Ok(ResourceId::from(&*uuid.hyphenated().encode_lower(&mut buffer)))
        }
        ValueRef::Text(text) => Ok(ResourceId::from(std::str::from_utf8(text).map_err(|_| corrupt("an id"))?)),
        _ => Err(corrupt("an id")),
    }
}

/// The instant in this column.
pub(super) fn at(row: &Row<'_>, column: usize) -> Result<Timestamp> {
    instant(row.get(column)?)
}

/// The instant in this column, where there is one.
pub(super) fn at_maybe(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?.map(instant).transpose()
}

/// The instant of so many microseconds.
pub(super) fn instant(micros: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|_| corrupt("an instant"))
}

/// A count that is never negative.
pub(super) fn count(row: &Row<'_>, column: usize) -> Result<u64> {
    u64::try_from(row.get::<_, i64>(column)?).map_err(|_| corrupt("a count"))
}

/// A number on its way into a column. SQLite ends at 63 bits; nothing here is counted that far.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The text in this column, borrowed.
pub(super) fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r str> {
    row.get_ref(column)?.as_str().map_err(|_| corrupt("a text"))
}

/// The text in this column, where there is one.
pub(super) fn text_maybe<'r>(row: &'r Row<'_>, column: usize) -> Result<Option<&'r str>> {
    row.get_ref(column)?.as_str_or_null().map_err(|_| corrupt("a text"))
}

/// The JSON in this column.
pub(super) fn json<'r, T: serde::Deserialize<'r>>(row: &'r Row<'_>, column: usize) -> Result<T> {
    serde_json::from_str(text(row, column)?).map_err(|_| corrupt("a document"))
}

/// The JSON in this column, where there is one.
pub(super) fn json_maybe<'r, T: serde::Deserialize<'r>>(row: &'r Row<'_>, column: usize) -> Result<Option<T>> {
    text_maybe(row, column)?.map(serde_json::from_str).transpose().map_err(|_| corrupt("a document"))
}

/// A value as JSON text.
pub(super) fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|_| corrupt("a document of ours"))
}

/// Something stored that cannot be understood.
pub(super) fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(format!("{what} is malformed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_canonical_uuid_becomes_sixteen_octets() {
        assert!(matches!(IdKey::of("0192f0c1-2345-7890-abcd-ef0123456789"), IdKey::Uuid(_)));
        assert!(matches!(IdKey::of("0192F0C1-2345-7890-abcd-ef0123456789"), IdKey::Text(_)));
        assert!(matches!(IdKey::of("0192f0c123457890abcdef0123456789"), IdKey::Text(_)));
        assert!(matches!(IdKey::of("u1"), IdKey::Text(_)));
    }
}
