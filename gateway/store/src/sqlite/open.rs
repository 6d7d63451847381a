//! Opening a store.

use super::checkpoint::Beside;
use super::lock::Lock;
use super::names::Names;
use super::readers::{Pool, Readers};
use super::turn::{Shared, State};
use super::writer::{Pulse, Reopen, Writer};
use super::{Options, Sqlite, schema};
use crate::error::{Result, StoreError};
use aws_lc_rs::rand;
use gateway_domain::Clock;
use rusqlite::{Connection, OptionalExtension};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

impl Sqlite {
    /// Opens what a URL names: `sqlite:PATH`, or `sqlite::memory:` for one that ends with the process.
    ///
    /// # Errors
    /// As [`Sqlite::open`]; `Unavailable` for another kind of URL.
    pub fn open_url(url: &str, clock: Arc<dyn Clock>, options: Options) -> Result<Self> {
        match url.strip_prefix("sqlite:") {
            Some(":memory:") => Self::memory(clock, options),
            Some(path) if !path.is_empty() => {
                // `sqlite://PATH` is how other programs write it.
                Self::open(Path::new(path.strip_prefix("//").unwrap_or(path)), clock, options)
            }
            _ => Err(StoreError::Unavailable("the store's url must be sqlite:PATH or sqlite::memory:".into())),
        }
    }

    /// Opens a file, which is made when it is not there. After a crash it is ready at once, and checked in the background:
    /// see [`crate::Store::health`].
    ///
    /// # Errors
    /// `Unavailable` when the file cannot be opened or another process uses it; `Corrupt` when it is newer than this program,
    /// is another program's, or has lost its write-ahead log.
    pub fn open(path: &Path, clock: Arc<dyn Clock>, options: Options) -> Result<Self> {
        let mut lock = Lock::take(path)?;
        let writer = schema::open_writer(Some(path), options.writer_cache_kib, options.max_pages)?;
        schema::migrate(&writer)?;
        let readers = Readers::Pool(Pool::new(path.to_owned(), options.reader_cache_kib, options.readers.max(2)));
        let mut store = Self::start(Some(path), writer, |_| readers, clock, &options)?;
        let unclean = lock.unclean;
        lock.mark_open()?;
        store.lock = Some(Mutex::new(lock));
        if unclean {
            let shared = store.shared.clone();
            let check = Beside::check(schema::open_reader(path, options.reader_cache_kib)?, move |why| {
                *shared.damage.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
            })?;
            store.beside.push(check);
        }
        Ok(store)
    }

    /// A store in memory, for tests and trials: it ends with the value.
    ///
    /// # Errors
    /// `Unavailable` when there is no memory or no thread.
    pub fn memory(clock: Arc<dyn Clock>, options: Options) -> Result<Self> {
        let writer = schema::open_writer(None, options.writer_cache_kib, options.max_pages)?;
        schema::migrate(&writer)?;
        Self::start(None, writer, Readers::Shared, clock, &options)
    }

    fn start(
        path: Option<&Path>,
        conn: Connection,
        readers: impl FnOnce(Arc<Mutex<Connection>>) -> Readers,
        clock: Arc<dyn Clock>,
        options: &Options,
    ) -> Result<Self> {
        let state = State::load(&conn)?;
        let shared = Arc::new(Shared {
            names: Names::load(&conn)?,
            clock,
            epoch: AtomicU64::new(state.epoch),
            trouble: Mutex::default(),
            damage: Mutex::default(),
            key: server_key(&conn)?,
        });
        let conn = Arc::new(Mutex::new(conn));
        let pulse = Arc::new(Pulse::default());
        let mut beside = Vec::new();
        if let Some(path) = path {
            beside.push(Beside::checkpoints(schema::open_checkpointer(path)?, pulse.clone())?);
        }
        let reopen = Reopen {
            path: path.map(Path::to_owned),
            cache_kib: options.writer_cache_kib,
            max_pages: options.max_pages,
        };
        let writer = Writer::start(conn.clone(), state, shared.clone(), pulse, reopen)?;
        let readers = Arc::new(readers(conn.clone()));
        let scans = Arc::new(Semaphore::new((options.readers / 2).max(1)));
        Ok(Self { writer, beside, readers, scans, shared, write_connection: conn, lock: None })
    }
}

/// The server's own key; made when the store is.
fn server_key(conn: &Connection) -> Result<[u8; 32]> {
    let kept = conn.query_row("SELECT value FROM meta WHERE name = 'key'", [], |row| row.get(0)).optional()?;
    if let Some(key) = kept {
        return Ok(key);
    }
    let mut key = [0; 32];
    rand::fill(&mut key).map_err(|_| StoreError::Unavailable("the machine gives no random numbers".into()))?;
    conn.execute("INSERT INTO meta (name, value) VALUES ('key', ?1)", [key.as_slice()])?;
    Ok(key)
}
