//! Writing a change. Everything that can refuse it is looked at first, as far as that costs nothing extra.

use super::ids::{instant, number};
use super::links;
use super::members::{self, Touched};
use super::prepare::{Entry, Prepared, Row, Said, decode, encode, external};
use super::roll;
use super::turn::{SOURCE_BITS, Turn, type_of};
use crate::change::{Committed, Expect};
use crate::error::{Result, StoreError};
use rusqlite::OptionalExtension;

/// What of the stored resource a change needs to know.
struct Held {
    seq: i64,
    version: i64,
    created: i64,
    modified: i64,
    next_change: Option<i64>,
    external: Option<String>,
    keys: Vec<u8>,
}

/// Writes it, see [`crate::Store::commit`].
pub(super) fn commit(turn: &mut Turn<'_>, change: &Prepared) -> Result<Committed> {
    if turn.state.epoch != change.policy_epoch {
        return Err(StoreError::Stale);
    }
    let held = held(turn, change)?;
    match (&held, &change.expect, &change.row) {
        (None, Expect::Absent, Row::Put { .. } | Row::Keep) => {}
        (Some(held), Expect::Version { version, groups }, _) => {
            let same_groups = match groups {
                Some(groups) => members::groups_of(turn.conn, held.seq)? == *groups,
                None => true,
            };
            if held.version != number(*version) || type_of(held.seq) != change.ty || !same_groups {
                return Err(StoreError::Stale);
            }
        }
        _ => return Err(StoreError::Stale),
    }
    let ops = members::find(turn.conn, held.as_ref().map(|held| held.seq), change.ty, &change.members)?;
    let now = change.now.as_microsecond();
    let Some(held) = held else {
        return match &change.row {
            Row::Put { .. } => create(turn, change, &ops),
            _ => {
                let links = write_links(turn, change, now)?;
                finish(turn, change)?;
                Ok(Committed { version: 0, created: change.now, modified: change.now, changed: true, links })
            }
        };
    };
    if let Row::Put { index, names, .. } = &change.row {
        free(turn, index, names, held.seq)?;
    }
    let deleted = matches!(change.row, Row::Delete);
    let reach = if deleted || !ops.is_empty() { Some(roll::reach(turn, held.seq, deleted)?) } else { None };
    let mut touched = members::apply(turn, held.seq, &ops)?;
    let members: Vec<i64> = touched.members().collect();
    let mut committed = Committed {
        version: u64::try_from(held.version).unwrap_or(0),
        created: instant(held.created)?,
        modified: instant(held.modified)?,
        changed: true,
        links: Vec::new(),
    };
    match &change.row {
        Row::Members if members.is_empty() && change.said.is_none() && change.links.is_empty() => {
            committed.changed = false;
            return Ok(committed);
        }
        Row::Put { .. } => put(turn, change, &held)?,
        Row::Members if !members.is_empty() => bump(turn, change, &held)?,
        Row::Members | Row::Keep => keep(turn, change, &held)?,
        Row::Delete => touched = delete(turn, change, &held)?,
    }
    if matches!(change.row, Row::Put { .. }) || (matches!(change.row, Row::Members) && !members.is_empty()) {
        committed.version += 1;
        committed.modified = change.now;
    }
    if let Some(said) = &change.said
        && !matches!(change.row, Row::Delete)
    {
        say(turn, held.seq, said, now)?;
    }
    sweep_touched(turn, change, &members)?;
    let due = reach.map_or(Ok(Vec::new()), |reach| roll::changed(turn, &reach, &touched))?;
    committed.links = write_links(turn, change, now)?;
    if deleted {
        roll::forget(turn, &change.id, held.seq)?;
    } else {
        let more: Vec<i64> = due.into_iter().filter(|link| !committed.links.contains(link)).collect();
        committed.links.extend(more);
    }
    finish(turn, change)?;
    Ok(committed)
}

fn held(turn: &Turn<'_>, change: &Prepared) -> Result<Option<Held>> {
    let mut statement = turn.conn.prepare_cached(
        "SELECT seq, version, created, modified, next_change, external, keys FROM resource WHERE id = ?1",
    )?;
    let held = statement.query_row([&change.id], |row| {
        Ok(Held {
            seq: row.get(0)?,
            version: row.get(1)?,
            created: row.get(2)?,
            modified: row.get(3)?,
            next_change: row.get(4)?,
            external: row.get(5)?,
            keys: row.get(6)?,
        })
    });
    Ok(held.optional()?)
}

fn create(turn: &mut Turn<'_>, change: &Prepared, ops: &[members::Found<'_>]) -> Result<Committed> {
    let Row::Put { attrs, display, index, names, .. } = &change.row else { return Err(StoreError::Stale) };
    let now = change.now.as_microsecond();
    let seq = turn.new_seq(change.ty);
    enter(turn, index, names, seq)?;
    let external = change.said.as_ref().map(|said| external(None, said)).transpose()?.flatten();
    turn.conn
        .prepare_cached(
            "INSERT INTO resource (seq, id, version, created, modified, next_change, display, external, keys, attrs) \
             VALUES (?1, ?2, 1, ?3, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute((seq, &change.id, now, change.next_change, display, external, encode(&once(index)), attrs))?;
    turn.counted(seq, 1);
    if let Some(said) = &change.said {
        say(turn, seq, said, now)?;
    }
    let touched: Touched = members::apply(turn, seq, ops)?;
    sweep_touched(turn, change, &touched.members().collect::<Vec<_>>())?;
    let links = write_links(turn, change, now)?;
    finish(turn, change)?;
    Ok(Committed { version: 1, created: change.now, modified: change.now, changed: true, links })
}

/// A value may stand twice in a resource (an e-mail address as work and home); it is entered once.
fn once(index: &[Entry]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::with_capacity(index.len());
    for entry in index {
        if !entries.contains(entry) {
            entries.push(entry.clone());
        }
    }
    entries
}

/// Refuses what is taken before anything is written.
fn free(turn: &Turn<'_>, index: &[Entry], names: &[String], seq: i64) -> Result<()> {
    for (entry, name) in index.iter().zip(names).filter(|(entry, _)| entry.unique) {
        if holder(turn, entry)?.is_some_and(|holder| holder != seq) {
            return Err(StoreError::Uniqueness { attribute: name.clone() });
        }
    }
    Ok(())
}

fn holder(turn: &Turn<'_>, entry: &Entry) -> Result<Option<i64>> {
    let mut statement =
        turn.conn.prepare_cached("SELECT resource FROM lookup WHERE key = ?1 AND value = ?2 AND holder = 0")?;
    Ok(statement.query_row((entry.key, &entry.value), |row| row.get(0)).optional()?)
}

fn enter(turn: &Turn<'_>, index: &[Entry], names: &[String], seq: i64) -> Result<()> {
    let mut insert = turn.conn.prepare_cached(
        "INSERT INTO lookup (key, value, holder, resource) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?;
    for (entry, name) in index.iter().zip(names) {
        let held_by = if entry.unique { 0 } else { seq };
        let entered = insert.execute((entry.key, &entry.value, held_by, seq))?;
        if entered == 0 && entry.unique && holder(turn, entry)? != Some(seq) {
            return Err(StoreError::Uniqueness { attribute: name.clone() });
        }
    }
    Ok(())
}

fn leave(turn: &Turn<'_>, entries: &[Entry], seq: i64) -> Result<()> {
    let mut delete = turn
        .conn
        .prepare_cached("DELETE FROM lookup WHERE key = ?1 AND value = ?2 AND holder = ?3 AND resource = ?4")?;
    for entry in entries {
        delete.execute((entry.key, &entry.value, if entry.unique { 0 } else { seq }, seq))?;
    }
    Ok(())
}

fn put(turn: &mut Turn<'_>, change: &Prepared, held: &Held) -> Result<()> {
    let Row::Put { attrs, display, index, unindex, names } = &change.row else { return Ok(()) };
    let keys = if index.is_empty() && unindex.is_empty() {
        None
    } else {
        leave(turn, unindex, held.seq)?;
        enter(turn, index, names, held.seq)?;
        let mut entries = decode(&held.keys)?;
        entries.retain(|entry| !unindex.contains(entry));
        entries.extend(index.iter().cloned());
        Some(encode(&once(&entries)))
    };
    turn.conn
        .prepare_cached(
            "UPDATE resource SET version = ?2, modified = ?3, next_change = ?4, display = ?5, external = ?6, \
             keys = coalesce(?7, keys), attrs = ?8 WHERE seq = ?1",
        )?
        .execute((
            held.seq,
            held.version + 1,
            change.now.as_microsecond(),
            change.next_change,
            display,
            renamed(change, held)?,
            keys,
            attrs,
        ))?;
    Ok(())
}

/// The sources' own names of the resource after the change.
fn renamed(change: &Prepared, held: &Held) -> Result<Option<String>> {
    match &change.said {
        Some(said) => external(held.external.as_deref(), said),
        None => Ok(held.external.clone()),
    }
}

fn bump(turn: &mut Turn<'_>, change: &Prepared, held: &Held) -> Result<()> {
    turn.conn
        .prepare_cached(
            "UPDATE resource SET version = ?2, modified = ?3, next_change = ?4, external = ?5 WHERE seq = ?1",
        )?
        .execute((
            held.seq,
            held.version + 1,
            change.now.as_microsecond(),
            change.next_change,
            renamed(change, held)?,
        ))?;
    Ok(())
}

fn keep(turn: &mut Turn<'_>, change: &Prepared, held: &Held) -> Result<()> {
    let external = renamed(change, held)?;
    if held.next_change != change.next_change || held.external != external {
        turn.conn.prepare_cached("UPDATE resource SET next_change = ?2, external = ?3 WHERE seq = ?1")?.execute((
            held.seq,
            change.next_change,
            external,
        ))?;
    }
    Ok(())
}

/// Deletes the row and what hangs on it; those who were in it left.
fn delete(turn: &mut Turn<'_>, change: &Prepared, held: &Held) -> Result<Touched> {
    leave(turn, &decode(&held.keys)?, held.seq)?;
    let members = members::forget(turn.conn, held.seq)?;
    // The rows that a later sweep would walk are gone, so it names the members itself.
    if change.sweep_members || change.sweep_self {
        members::sweep(turn.conn, &members)?;
    }
    turn.conn.prepare_cached("DELETE FROM resource WHERE seq = ?1")?.execute([held.seq])?;
    let first = held.seq << SOURCE_BITS;
    turn.conn
        .prepare_cached("DELETE FROM assertion WHERE id >= ?1 AND id < ?2")?
        .execute((first, first + (1 << SOURCE_BITS)))?;
    turn.counted(held.seq, -1);
    Ok(Touched::left(&members))
}

fn say(turn: &Turn<'_>, seq: i64, said: &Said, now: i64) -> Result<()> {
    let id = (seq << SOURCE_BITS) | said.source;
    match &said.put {
        Some((attrs, external)) => turn
            .conn
            .prepare_cached("INSERT OR REPLACE INTO assertion (id, observed, external, attrs) VALUES (?1, ?2, ?3, ?4)")?
            .execute((id, now, external, attrs))?,
        None => turn.conn.prepare_cached("DELETE FROM assertion WHERE id = ?1")?.execute([id])?,
    };
    Ok(())
}

fn sweep_touched(turn: &Turn<'_>, change: &Prepared, members: &[i64]) -> Result<()> {
    if change.sweep_members && !matches!(change.row, Row::Delete) {
        members::sweep(turn.conn, members)?;
    }
    Ok(())
}

fn write_links(turn: &mut Turn<'_>, change: &Prepared, now: i64) -> Result<Vec<i64>> {
    change.links.iter().map(|link| links::write(turn, link, now)).collect()
}

fn finish(turn: &mut Turn<'_>, change: &Prepared) -> Result<()> {
    if let Some(cause) = &change.sweep
        && !(change.sweep_self && matches!(change.row, Row::Delete))
    {
        super::sweeps::write(turn.conn, cause)?;
    }
    turn.audit(&change.audit)
}
