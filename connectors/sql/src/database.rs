//! What the connector asks of an engine, and nothing of any engine.

use crate::{error::Failure, statement::Statement};
use async_trait::async_trait;
use jiff::{Timestamp, civil};
use std::sync::Arc;

/// A value that is bound to a parameter. The type is known also where there is none: a NULL without a type is refused by some
/// engines and guessed by others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bound {
    Text(Option<String>),
    Int(Option<i64>),
    Bool(Option<bool>),
    Bytes(Option<Vec<u8>>),
    Day(Option<civil::Date>),
    Instant(Option<Timestamp>),
    Local(Option<civil::DateTime>),
}

/// A value as an engine answered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    Text(String),
    Int(i64),
    Bool(bool),
    Bytes(Vec<u8>),
    Day(civil::Date),
    Instant(Timestamp),
    Local(civil::DateTime),
    /// Of a type that the connector does not read; its name. The statement must cast it.
    Strange(String),
}

/// A row by the names of its columns. The rows of one answer share the names: a full read has hundreds of thousands of them.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// In lower case.
    names: Arc<[String]>,
    cells: Vec<Cell>,
}

impl Row {
    /// These cells under these names, which the row before it had as a rule too.
    pub(crate) fn new<'n>(
        names: impl ExactSizeIterator<Item = &'n str> + Clone,
        cells: Vec<Cell>,
        before: Option<&Row>,
    ) -> Row {
        let had = |row: &&Row| {
            let known = row.names.iter().map(String::as_str);
            known.len() == names.len() && known.zip(names.clone()).all(|(known, name)| known.eq_ignore_ascii_case(name))
        };
        let names = match before.filter(had) {
            Some(row) => Arc::clone(&row.names),
            None => names.map(str::to_lowercase).collect(),
        };
        Row { names, cells }
    }

    /// The cell in the column of this name, in whatever letter case; of several the last.
    pub(crate) fn get(&self, name: &str) -> Option<&Cell> {
        self.cells.get(self.names.iter().rposition(|known| known.eq_ignore_ascii_case(name))?)
    }
}

/// What a statement did.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) rows: Vec<Row>,
    pub(crate) affected: u64,
    /// The number that the database allocated, where the engine tells it.
    pub(crate) allocated: Option<i64>,
    /// There were more rows than were asked for.
    pub(crate) cut: bool,
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// One consistent look.
    Read,
    /// A change: what others commit meanwhile is seen by the next statement.
    Write,
}

/// A database.
#[async_trait]
pub(crate) trait Database: Send + Sync {
    /// Begins a transaction. Nothing is retried but the beginning, on a fresh connection, when one from the pool turned out dead.
    async fn begin(&self, purpose: Purpose) -> Result<Box<dyn Session>, Failure>;
    /// The length of a text as its columns count it.
    fn length(&self, text: &str) -> usize {
        text.chars().count()
    }
}

/// One transaction on one connection. Dropped without [`Session::commit`] it ends its connection, and the database undoes it.
#[async_trait]
pub(crate) trait Session: Send {
    /// Runs a statement. At most `most` rows are kept.
    async fn run(&mut self, statement: &Statement, values: &[Bound], most: usize) -> Result<Done, Failure>;
    /// Waits for locks of these names, which the transaction then has until its end. They are known to the gateway only.
    async fn lock(&mut self, names: &[String]) -> Result<(), Failure>;
    /// The database's own clock.
    async fn now(&mut self) -> Result<Timestamp, Failure>;
    /// Product and version.
    async fn server(&mut self) -> Result<String, Failure>;
    /// Makes it last. When this fails with [`Failure::Lost`], nobody knows.
    async fn commit(self: Box<Self>) -> Result<(), Failure>;
    /// Undoes it, and keeps the connection where that goes.
    async fn rollback(self: Box<Self>);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(names: &[&'static str], before: Option<&Row>) -> Row {
        let cells = (1..).map(Cell::Int).take(names.len()).collect();
        Row::new(names.iter().copied(), cells, before)
    }

    #[test]
    fn a_column_is_found_in_any_letter_case_and_of_two_the_last() {
        let row = row(&["ID", "familyName", "id"], None);
        assert_eq!(row.get("FamilyName"), Some(&Cell::Int(2)));
        assert_eq!(row.get("id"), Some(&Cell::Int(3)));
        assert_eq!(row.get("absent"), None);
    }

    #[test]
    fn rows_share_their_names_and_a_row_of_another_answer_has_its_own() {
        let first = row(&["ID", "name"], None);
        assert!(Arc::ptr_eq(&first.names, &row(&["ID", "name"], Some(&first)).names));
        let other = row(&["ID", "state"], Some(&first));
        assert_eq!((other.get("state"), other.get("name")), (Some(&Cell::Int(2)), None));
        assert_eq!(row(&["ID"], Some(&first)).get("name"), None);
    }
}
