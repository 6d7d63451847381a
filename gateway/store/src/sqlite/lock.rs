//! One gateway for one file, and whether the last one ended well.
//!
//! The lock is the operating system's, on a file beside the data base, and so ends with the process however it ends. The file's
//! content tells how the last holder left: `open` after a crash. Then the write-ahead log must be there; without it answered
//! changes are missing, and the store is refused instead of opened without them.

use crate::error::{Result, StoreError};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const OPEN: &str = "open\n";
const CLOSED: &str = "closed\n";

/// The lock on a data base's file.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    /// The last holder did not close it.
    pub(super) unclean: bool,
}

impl Lock {
    /// Takes it.
    ///
    /// # Errors
    /// `Unavailable` when another process holds it, `Corrupt` when the write-ahead log of a crash is gone.
    pub(super) fn take(path: &Path) -> Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(beside(path, "-lock"))
            .map_err(|error| StoreError::Unavailable(format!("the lock file cannot be opened: {}", error.kind())))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Unavailable("another process uses this data base: stop it first".into()));
            }
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        let mut mark = String::new();
        file.read_to_string(&mut mark).map_err(|error| failed(&error))?;
        let log = std::fs::metadata(beside(path, "-wal"));
        let crashed = mark == OPEN;
        if crashed && log.is_err() {
            return Err(StoreError::Corrupt(
                "the last process ended without closing the data base and its -wal file is gone: answered changes are \
                 missing. Put the -wal file back, or restore a backup; to accept the loss remove the -lock file"
                    .into(),
            ));
        }
        let unclean = crashed || log.is_ok_and(|log| log.len() > 0);
        Ok(Self { file, unclean })
    }

    /// Notes that the data base is in use. Called once the write-ahead log exists.
    pub(super) fn mark_open(&mut self) -> Result<()> {
        self.mark(OPEN)
    }

    /// Notes that all is in the main file.
    pub(super) fn mark_closed(&mut self) -> Result<()> {
        self.mark(CLOSED)
    }

    fn mark(&mut self, mark: &str) -> Result<()> {
        let mut write = || {
            self.file.seek(SeekFrom::Start(0))?;
            self.file.set_len(0)?;
            self.file.write_all(mark.as_bytes())?;
            self.file.sync_all()
        };
        write().map_err(|error| failed(&error))
    }
}

fn failed(error: &std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("the lock file: {}", error.kind()))
}

/// The path of a file that stands beside the data base.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
