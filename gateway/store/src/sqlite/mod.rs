//! The store in one SQLite file: nothing to install, one thread that writes, many that read.
//!
//! - **One writer** (`writer`): all writes that wait share a transaction and its fsync; nothing else ever writes, so there is
//!   no upgrade of a lock and no `SQLITE_BUSY`. Texts are made on the callers' threads (`prepare`); the writer only binds.
//! - **Order without indexes**: a resource's key is (type, growing number), so a listing in order of creation is a range of the
//!   table; `block` counts each 1,024 of them, so that any `startIndex` is found by adding up a few hundred numbers.
//! - **One look-up table** for uniqueness, filters and order. Filters choose candidates there and [`scim::matches`] decides:
//!   what a filter means is written down once, not again in SQL.
//! - **The link row is the queue**: a partial index holds exactly what may be claimed.
//! - **Members of groups in targets are rows of their own** (`roll`), and a partial index holds exactly those that differ.
//!
//! Why not an ORM or sqlx here: the same create costs nine times the CPU through sqlx's worker thread.

mod assignments;
mod candidates;
mod carry;
mod checkpoint;
mod claim;
mod commit;
mod ids;
mod links;
mod list;
mod lock;
mod members;
mod names;
mod open;
mod order;
mod page;
mod prepare;
mod readers;
mod roll;
mod schema;
mod sorted;
mod status;
mod store;
mod sweeps;
mod tally;
mod tokens;
mod turn;
mod views;
mod writer;

use checkpoint::Beside;
use lock::Lock;
use readers::Readers;
use rusqlite::Connection;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use turn::Shared;
use writer::Writer;

/// A store in one SQLite file, or in memory. Closing is dropping: what waits is written, the log is moved into the file.
pub struct Sqlite {
    writer: Writer,
    beside: Vec<Beside>,
    readers: Arc<Readers>,
    scans: Arc<Semaphore>,
    shared: Arc<Shared>,
    write_connection: Arc<Mutex<Connection>>,
    lock: Option<Mutex<Lock>>,
}

/// Sizes.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most connections that read at a time; each holds up to `reader_cache_kib`.
    pub readers: usize,
    /// A reading connection's page cache in KiB. The operating system caches the file too; this one saves calls to it.
    pub reader_cache_kib: u32,
    /// The writing connection's page cache in KiB.
    pub writer_cache_kib: u32,
    /// The most 4 KiB pages the file may have; from then on writes are refused as with a full disk.
    pub max_pages: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self { readers: 8, reader_cache_kib: 2_048, writer_cache_kib: 16_384, max_pages: None }
    }
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sqlite").field("file", &self.lock.is_some()).finish_non_exhaustive()
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.writer.stop();
        for thread in &mut self.beside {
            thread.stop();
        }
        self.readers.close();
        if let Some(lock) = &self.lock
            && checkpoint::finish(&self.write_connection)
            && let Err(error) = lock.lock().unwrap_or_else(PoisonError::into_inner).mark_closed()
        {
            tracing::warn!(%error, "The data base is closed, but the next start will check it.");
        }
    }
}

impl From<rusqlite::Error> for crate::StoreError {
    /// By SQLite's code. Its texts name tables and columns, never values; those of the binding may quote one and stay out.
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match &error {
            rusqlite::Error::SqliteFailure(code, text) => {
                let text = text.clone().unwrap_or_else(|| code.to_string());
                match code.code {
                    DatabaseCorrupt | NotADatabase => Self::Corrupt(text),
                    _ => Self::Unavailable(text),
                }
            }
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..) => Self::Corrupt("a column holds something else than it should".into()),
            _ => Self::Unavailable("the data base refused a statement".into()),
        }
    }
}
