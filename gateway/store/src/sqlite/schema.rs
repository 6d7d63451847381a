//! Settings of a connection, and the file's form: forward only, one transaction for each version.

use crate::error::{Result, StoreError};
use aws_lc_rs::digest;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// Every version of the file's form, oldest first. One that was released never changes: its checksum is kept in the file.
const MIGRATIONS: [&str; 3] = [
    include_str!("../../migrations/sqlite/0001_init.sql"),
    include_str!("../../migrations/sqlite/0002_members.sql"),
    include_str!("../../migrations/sqlite/0003_refused.sql"),
];

/// `application_id` of our files: "CGAT". Another program's data base is refused before anything is written to it.
const APPLICATION: i64 = 0x4347_4154;

/// The connection that writes. `None` is a data base in memory.
pub(super) fn open_writer(path: Option<&Path>, cache_kib: u32, max_pages: Option<u32>) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = match path {
        Some(path) => Connection::open_with_flags(path, flags)?,
        None => Connection::open_in_memory()?,
    };
    refuse_foreign(&conn)?;
    if path.is_some() {
        let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            return Err(StoreError::Unavailable(format!("the file system allows no write-ahead log, but `{mode}`")));
        }
    }
    // Checkpoints are made beside the writer, see `checkpoint.rs`.
    conn.execute_batch(&format!(
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY; \
         PRAGMA foreign_keys = OFF; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -{cache_kib};"
    ))?;
    if let Some(pages) = max_pages {
        conn.execute_batch(&format!("PRAGMA max_page_count = {pages}"))?;
    }
    settle(&conn)?;
    Ok(conn)
}

/// A connection that reads.
pub(super) fn open_reader(path: &Path, cache_kib: u32) -> Result<Connection> {
    // Opened for writing, because the last reader of a write-ahead log must be able to recover it; `query_only` refuses writes.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.execute_batch(&format!(
        "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{cache_kib};"
    ))?;
    settle(&conn)?;
    Ok(conn)
}

/// The connection that moves the write-ahead log into the file.
pub(super) fn open_checkpointer(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA cache_size = -64;")?;
    settle(&conn)?;
    Ok(conn)
}

fn settle(conn: &Connection) -> Result<()> {
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.set_prepared_statement_cache_capacity(128);
    Ok(())
}

fn refuse_foreign(conn: &Connection) -> Result<()> {
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let application: i64 = conn.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if tables > 0 && application != APPLICATION {
        return Err(StoreError::Corrupt("the file is another program's data base".into()));
    }
    Ok(())
}

/// Brings the file to the newest form.
///
/// # Errors
/// `Corrupt` when the file is newer than this program, or was made by another form of the same version.
pub(super) fn migrate(conn: &Connection) -> Result<()> {
    run(conn, &MIGRATIONS)
}

fn run(conn: &Connection, migrations: &[&str]) -> Result<()> {
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let made = conn.execute_batch(
        "CREATE TABLE IF NOT EXISTS migration (version INTEGER PRIMARY KEY, checksum TEXT NOT NULL) STRICT",
    );
    end(conn, made.map_err(Into::into))?;
    let newest: i64 = conn.query_row("SELECT coalesce(max(version), 0) FROM migration", [], |row| row.get(0))?;
    let ours = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    if newest > ours {
        return Err(StoreError::Corrupt(format!(
            "the file has version {newest}, this program knows versions up to {ours}: use the newer program"
        )));
    }
    for (version, sql) in (1_i64..).zip(migrations) {
        let checksum = checksum(sql);
        if version <= newest {
            let kept: String =
                conn.query_row("SELECT checksum FROM migration WHERE version = ?1", [version], |row| row.get(0))?;
            if kept != checksum {
                return Err(StoreError::Corrupt(format!("version {version} of the file has another form than ours")));
            }
            continue;
        }
        conn.execute_batch("BEGIN IMMEDIATE")?;
        let applied = apply(conn, version, sql, &checksum);
        end(conn, applied)?;
    }
    Ok(())
}

fn apply(conn: &Connection, version: i64, sql: &str, checksum: &str) -> Result<()> {
    conn.execute_batch(sql)?;
    conn.execute("INSERT INTO migration (version, checksum) VALUES (?1, ?2)", (version, checksum))?;
    conn.execute_batch(&format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {version}"))?;
    Ok(())
}

fn end(conn: &Connection, outcome: Result<()>) -> Result<()> {
    match outcome {
        Ok(()) => Ok(conn.execute_batch("COMMIT")?),
        Err(error) => {
            if !conn.is_autocommit() {
                conn.execute_batch("ROLLBACK")?;
            }
            Err(error)
        }
    }
}

fn checksum(sql: &str) -> String {
    digest::digest(&digest::SHA256, sql.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn memory() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    #[test]
    fn a_file_of_a_newer_program_is_refused() {
        let conn = memory();
        run(&conn, &["CREATE TABLE a (x)", "CREATE TABLE b (x)"]).unwrap();
        let refused = run(&conn, &["CREATE TABLE a (x)"]).unwrap_err();
        assert!(matches!(refused, StoreError::Corrupt(why) if why.contains("version 2")));
    }

    #[test]
    fn a_version_whose_form_was_edited_is_refused() {
        let conn = memory();
        run(&conn, &["CREATE TABLE a (x)"]).unwrap();
        assert!(run(&conn, &["CREATE TABLE a (y)"]).is_err());
    }

    #[test]
    fn a_migration_that_fails_leaves_the_version_before_it() {
        let conn = memory();
        assert!(run(&conn, &["CREATE TABLE a (x)", "CREATE TABLE b (x); nonsense"]).is_err());
        let tables: i64 =
            conn.query_row("SELECT count(*) FROM sqlite_schema WHERE name IN ('a', 'b')", [], |r| r.get(0)).unwrap();
        assert_eq!(tables, 1);
        run(&conn, &["CREATE TABLE a (x)", "CREATE TABLE b (x)"]).unwrap();
    }

    #[test]
    fn running_the_same_migrations_again_changes_nothing() {
        let conn = memory();
        migrate(&conn).unwrap();
        migrate(&conn).unwrap();
    }

    #[test]
    fn a_commit_waits_for_the_disk() {
        let dir = tempfile::TempDir::new().unwrap();
        let conn = open_writer(Some(&dir.path().join("store.db")), 64, None).unwrap();
        let full: i64 = conn.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
        assert_eq!(full, 2);
    }

    #[test]
    fn another_programs_data_base_is_refused() {
        let conn = memory();
        conn.execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert!(refuse_foreign(&conn).is_err());
    }
}
