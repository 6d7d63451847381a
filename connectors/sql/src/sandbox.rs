//! A database of SQLite that a case of a target's file has to itself.

use crate::{database::Cell, sqlite};
use serde_json::{Value as Json, json};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Executor, Row,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use tokio::sync::Mutex;

/// Most rows that are looked at.
const ROWS: usize = 1_000;

/// The database: a file that is made here, and a connection beside the connector's own.
pub struct Sandbox {
    path: PathBuf,
    connection: Mutex<SqliteConnection>,
}

impl Sandbox {
    /// Makes the database at `path`, where nothing may be, and runs these statements in it. They are the author's own words,
    /// and may be several in one text.
    ///
    /// # Errors
    /// The database's words.
    pub async fn make(path: &Path, statements: &[&str]) -> Result<Self, String> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(|error| error.to_string())?;
        for text in statements {
            let text = AssertSqlSafe((*text).to_owned());
            connection
                .execute(sqlx::raw_sql(text))
                .await
                .map_err(|error| format!("the statements of the case: {error}"))?;
        }
        Ok(Self { path: path.to_owned(), connection: Mutex::new(connection) })
    }

    /// The settings that lead a connector to it, in place of `database`.
    #[must_use]
    pub fn settings(&self) -> Json {
        json!({ "engine": "sqlite", "path": self.path })
    }

    /// The rows of a query, at most a thousand, by the names of the columns. What is NULL is left out.
    ///
    /// # Errors
    /// The database's words.
    pub async fn rows(&self, query: &str) -> Result<Vec<BTreeMap<String, Json>>, String> {
        let mut connection = self.connection.lock().await;
        let text = sqlx::raw_sql(AssertSqlSafe(query.to_owned()));
        let rows = connection.fetch_all(text).await.map_err(|error| format!("{}: {error}", query.trim()))?;
        Ok(rows.iter().take(ROWS).map(shown).collect())
    }
}

fn shown(row: &SqliteRow) -> BTreeMap<String, Json> {
    let mut columns = BTreeMap::new();
    for (place, column) in row.columns().iter().enumerate() {
        let value = match sqlite::cell(row, place) {
            Cell::Null => continue,
            Cell::Text(text) => Json::from(text),
            Cell::Int(number) => Json::from(number),
            Cell::Bool(truth) => Json::from(truth),
            Cell::Bytes(octets) => Json::from(format!("{} octets", octets.len())),
            Cell::Day(day) => Json::from(day.to_string()),
            Cell::Instant(at) => Json::from(at.to_string()),
            Cell::Local(at) => Json::from(at.to_string()),
            Cell::Strange(of) => Json::from(format!("a value of type {of}")),
        };
        columns.insert(sqlx::Column::name(column).to_owned(), value);
    }
    columns
}
