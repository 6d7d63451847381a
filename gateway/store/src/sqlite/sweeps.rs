//! Sweeps, resources to look at again, and the policy's epoch.

use super::ids::{corrupt, id, instant, number, to_json};
use super::members::{direct, leaves, seq_of};
use super::names::Sort;
use super::turn::{Shared, TYPE_BITS, Turn, type_of};
use crate::error::Result;
use crate::work::{Sweep, SweepCause, Swept};
use gateway_domain::ResourceId;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

/// Whose wanted states a sweep computes.
const USERS: &str = "User";
/// What a policy is about besides.
const GROUPS: &str = "Group";

/// Writes a sweep that has yet to begin.
pub(super) fn write(conn: &Connection, cause: &SweepCause) -> Result<()> {
    conn.prepare_cached("INSERT INTO sweep (cause, cursor) VALUES (?1, 0)")?.execute([to_json(cause)?])?;
    Ok(())
}

/// The oldest one.
pub(super) fn next(conn: &Connection) -> Result<Option<Sweep>> {
    let row = conn
        .prepare_cached("SELECT id, cause, cursor FROM sweep ORDER BY id LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?)))
        .optional()?;
    let Some((id, cause, cursor)) = row else { return Ok(None) };
    let cause = serde_json::from_str(&cause).map_err(|_| corrupt("a sweep"))?;
    Ok(Some(Sweep { id, cause, cursor }))
}

/// The next resources of a sweep. The cursor is the seq of the last one; `None` when none are left.
pub(super) fn swept(
    conn: &Connection,
    shared: &Shared,
    sweep: &Sweep,
    limit: u32,
) -> Result<(Vec<Swept>, Option<i64>)> {
    let ty = shared.names.id(Sort::Type, USERS).unwrap_or(-1);
    let seqs = match &sweep.cause {
        SweepCause::Policy { .. } => {
            let mut types: Vec<i64> = [USERS, GROUPS].iter().filter_map(|ty| shared.names.id(Sort::Type, ty)).collect();
            types.sort_unstable();
            everybody(conn, &types, sweep.cursor, limit)?
        }
        SweepCause::Group { id } => {
            let from = seq_of(conn, id.as_str())?.map(|group| direct(conn, group)).transpose()?.unwrap_or_default();
            some(leaves(conn, from, ty)?, sweep.cursor, limit)
        }
        SweepCause::Users { ids } => {
            let from: Result<Vec<i64>> = ids.iter().filter_map(|id| seq_of(conn, id.as_str()).transpose()).collect();
            some(leaves(conn, from?, ty)?, sweep.cursor, limit)
        }
    };
    let cursor = seqs.last().copied();
    let mut found = Vec::with_capacity(seqs.len());
    let mut statement = conn.prepare_cached("SELECT id FROM resource WHERE seq = ?1")?;
    for seq in seqs {
        let mut rows = statement.query([seq])?;
        if let Some(row) = rows.next()? {
            let ty = if type_of(seq) == ty { USERS } else { GROUPS };
            found.push(Swept { ty: ty.to_owned(), id: id(row, 0)? });
        }
    }
    Ok((found, cursor))
}

/// All of these types, in order of their numbers.
fn everybody(conn: &Connection, types: &[i64], cursor: i64, limit: u32) -> Result<Vec<i64>> {
    let mut statement =
        conn.prepare_cached("SELECT seq FROM resource WHERE seq > ?1 AND seq < ?2 ORDER BY seq LIMIT ?3")?;
    let mut all = Vec::new();
    for ty in types {
        let left = i64::from(limit).saturating_sub_unsigned(all.len() as u64);
        let (from, to) = (cursor.max(ty << TYPE_BITS), (ty + 1) << TYPE_BITS);
        if left > 0 && from < to {
            let found = statement.query_map((from, to, left), |row| row.get(0))?;
            all.extend(found.collect::<rusqlite::Result<Vec<i64>>>()?);
        }
    }
    Ok(all)
}

/// The smallest ones after the cursor.
fn some(all: impl IntoIterator<Item = i64>, cursor: i64, limit: u32) -> Vec<i64> {
    let mut left: Vec<i64> = all.into_iter().filter(|seq| *seq > cursor).collect();
    left.sort_unstable();
    left.truncate(limit as usize);
    left
}

/// Moves a sweep's cursor, or ends it.
pub(super) fn advance(turn: &Turn<'_>, id: i64, cursor: Option<i64>) -> Result<()> {
    match cursor {
        Some(cursor) => {
            turn.conn.prepare_cached("UPDATE sweep SET cursor = ?2 WHERE id = ?1")?.execute((id, cursor))?
        }
        None => turn.conn.prepare_cached("DELETE FROM sweep WHERE id = ?1")?.execute([id])?,
    };
    Ok(())
}

/// Resources whose `next_change_at` has come, the longest due first.
pub(super) fn changes_due(conn: &Connection, now: Timestamp, limit: u32) -> Result<Vec<ResourceId>> {
    let mut statement = conn.prepare_cached(
        "SELECT id FROM resource WHERE next_change IS NOT NULL AND next_change <= ?1 ORDER BY next_change LIMIT ?2",
    )?;
    let mut rows = statement.query((now.as_microsecond(), limit))?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        due.push(id(row, 0)?);
    }
    Ok(due)
}

/// The earliest `next_change_at`.
pub(super) fn next_change(conn: &Connection) -> Result<Option<Timestamp>> {
    let mut statement = conn.prepare_cached("SELECT min(next_change) FROM resource WHERE next_change IS NOT NULL")?;
    statement.query_row([], |row| row.get::<_, Option<i64>>(0))?.map(instant).transpose()
}

/// Puts a policy in force, see [`crate::Store::set_policy`].
pub(super) fn set_policy(turn: &mut Turn<'_>, hash: &str) -> Result<u64> {
    let last: Option<String> = turn
        .conn
        .prepare_cached("SELECT value FROM meta WHERE name = 'policy'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    if last.as_deref() == Some(hash) {
        return Ok(turn.state.epoch);
    }
    let epoch = turn.state.epoch + 1;
    let mut keep = turn.conn.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?;
    keep.execute(("policy", hash))?;
    keep.execute(("epoch", number(epoch)))?;
    // One over everybody makes those of earlier policies idle.
    turn.conn.prepare_cached("DELETE FROM sweep WHERE cause LIKE '{\"policy\"%'")?.execute([])?;
    write(turn.conn, &SweepCause::Policy { epoch })?;
    turn.state.epoch = epoch;
    Ok(epoch)
}
