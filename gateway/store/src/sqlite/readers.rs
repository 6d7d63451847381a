//! Connections that read.
//!
//! A short read runs on the caller's own thread: handing it to another one would cost more than the read. What may take long
//! goes to a thread for blocking work and gives up at its deadline.

use super::schema;
use super::writer::lock;
use crate::error::{Result, StoreError};
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// All of them.
pub(super) enum Readers {
    /// Beside the writer: a write-ahead log lets both work at a time.
    Pool(Pool),
    /// The writer's own: a data base in memory has one connection.
    Shared(Arc<Mutex<Connection>>),
}

/// Connections that are opened when first needed.
pub(super) struct Pool {
    path: PathBuf,
    cache_kib: u32,
    most: usize,
    idle: Mutex<Idle>,
    back: Condvar,
}

#[derive(Default)]
struct Idle {
    free: Vec<Connection>,
    open: usize,
}

impl Pool {
    /// At most `most` connections to this file.
    pub(super) fn new(path: PathBuf, cache_kib: u32, most: usize) -> Self {
        Self { path, cache_kib, most: most.max(1), idle: Mutex::default(), back: Condvar::new() }
    }

    fn take(&self) -> Result<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            // The last one given back comes first: its page cache is the warmest.
            if let Some(conn) = idle.free.pop() {
                return Ok(conn);
            }
            if idle.open < self.most {
                idle.open += 1;
                break;
            }
            idle = self.back.wait(idle).unwrap_or_else(PoisonError::into_inner);
        }
        drop(idle);
        schema::open_reader(&self.path, self.cache_kib).inspect_err(|_| self.give(None))
    }

    fn give(&self, conn: Option<Connection>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        match conn {
            Some(conn) => idle.free.push(conn),
            None => idle.open -= 1,
        }
        drop(idle);
        self.back.notify_one();
    }
}

/// A connection that goes back to its pool however its use ends.
struct Lent<'p> {
    pool: &'p Pool,
    conn: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        // One that a panic left inside a transaction is not used again.
        self.pool.give(self.conn.take().filter(Connection::is_autocommit));
    }
}

impl Readers {
    /// Reads with one statement, or with several that need not agree.
    pub(super) fn read<T>(&self, act: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        match self {
            Readers::Shared(conn) => act(&lock(conn)),
            Readers::Pool(pool) => {
                let lent = Lent { pool, conn: Some(pool.take()?) };
                let Some(conn) = &lent.conn else { return Err(StoreError::Unavailable("no connection".into())) };
                act(conn)
            }
        }
    }

    /// Reads with several statements that all see one state.
    pub(super) fn consistent<T>(&self, act: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.read(|conn| {
            conn.prepare_cached("BEGIN")?.execute([])?;
            let outcome = act(conn);
            conn.prepare_cached("COMMIT")?.execute([])?;
            outcome
        })
    }

    /// Closes those that are idle.
    pub(super) fn close(&self) {
        if let Readers::Pool(pool) = self {
            let mut idle = pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.open -= idle.free.len();
            idle.free.clear();
        }
    }
}
