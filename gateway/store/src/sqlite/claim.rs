//! Claims and settlements.

use super::ids::{number, to_json};
use super::links::{self, HELD_BY_ID, Held, StateCode};
use super::names::Sort;
use super::turn::Turn;
use super::{carry, order, roll};
use crate::error::{Result, StoreError};
use crate::work::{ClaimAsk, Settle, Settled};
use gateway_domain::{Lane, Link, LinkKey};
use rusqlite::OptionalExtension;
use std::collections::HashSet;

/// Links that one claim looks at in one lane. Ahead of what can be claimed stand only those that wait for another link of the
/// same natural key, so this many are never needed but when thousands share one.
const LOOKED_AT: u32 = 4_096;

/// Takes due links, see [`crate::Store::claim`].
pub(super) fn claim(turn: &mut Turn<'_>, ask: &ClaimAsk) -> Result<Vec<Link>> {
    let Some(target) = turn.shared.names.id(Sort::Target, ask.target.as_str()) else { return Ok(Vec::new()) };
    let now = turn.now();
    abandon(turn, target, now)?;
    let until = now.saturating_add(i64::try_from(ask.lease.as_micros()).unwrap_or(i64::MAX));
    let mut taken = Vec::new();
    let (mut left, mut other) = (ask.slots.total, ask.slots.other);
    for lane in Lane::ALL {
        let most = match lane {
            Lane::Leaver => left,
            Lane::BreakGlass | Lane::Interactive => left.min(other),
            Lane::Bulk => left.min(other).min(ask.slots.bulk),
        };
        let got = take(turn, ask, target, lane, most, (now, until), &mut taken)?;
        left -= got;
        if lane != Lane::Leaver {
            other -= got;
        }
    }
    Ok(taken)
}

/// Leases that ran out: the links are due again, and their fence stands until the next claim raises it.
fn abandon(turn: &mut Turn<'_>, target: i64, now: i64) -> Result<()> {
    turn.conn
        .prepare_cached("UPDATE link SET leased = NULL WHERE leased IS NOT NULL AND target = ?1 AND leased <= ?2")?
        .execute((target, now))?;
    Ok(())
}

fn take(
    turn: &mut Turn<'_>,
    ask: &ClaimAsk,
    target: i64,
    lane: Lane,
    most: u32,
    (now, until): (i64, i64),
    taken: &mut Vec<Link>,
) -> Result<u32> {
    let mut got = 0;
    while got < most {
        let due = free(turn, target, lane, most - got, now)?;
        if due.is_empty() {
            break;
        }
        for id in due {
            let Some(mut link) =
                links::select(turn.conn, &turn.shared.names, "WHERE id = ?1", (id,))?.into_iter().next()
            else {
                continue;
            };
            if order::waits(turn, &mut link)? {
                continue;
            }
            link.members = carry::hand_out(turn, &link)?;
            let sent = (ask.prepare)(&link);
            link.fence += 1;
            link.leased_until = Some(super::ids::instant(until)?);
            turn.conn
                .prepare_cached("UPDATE link SET fence = ?2, leased = ?3, sent = ?4, dirty = 0 WHERE id = ?1")?
                .execute((id, number(link.fence), until, to_json(&sent)?))?;
            link.sent = Some(sent);
            taken.push(link);
            got += 1;
        }
    }
    Ok(got)
}

/// Due links of a lane that wait for no other one of their natural key, the longest due first.
fn free(turn: &Turn<'_>, target: i64, lane: Lane, most: u32, now: i64) -> Result<Vec<i64>> {
    let mut due = turn.conn.prepare_cached(
        "SELECT id, kind, order_key FROM link INDEXED BY link_due \
         WHERE target = ?1 AND lane = ?2 AND due <= ?3 AND due IS NOT NULL AND leased IS NULL AND state < 10 \
         ORDER BY due LIMIT ?4",
    )?;
    let mut leased = turn.conn.prepare_cached(
        "SELECT 1 FROM link INDEXED BY link_leased \
         WHERE target = ?1 AND kind = ?2 AND order_key = ?3 AND leased IS NOT NULL",
    )?;
    let mut rows = due.query((target, lane.rank(), now, LOOKED_AT))?;
    let mut keys: HashSet<(i64, String)> = HashSet::new();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, kind, key): (i64, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        // A link without a natural key waits for nobody.
        if !key.is_empty() && (keys.contains(&(kind, key.clone())) || leased.exists((target, kind, &key))?) {
            continue;
        }
        keys.insert((kind, key));
        found.push(id);
        if found.len() as u64 == u64::from(most) {
            break;
        }
    }
    Ok(found)
}

/// Writes an outcome, see [`crate::Store::settle`].
pub(super) fn settle(turn: &mut Turn<'_>, settle: &Settle) -> Result<Settled> {
    let held = turn
        .conn
        .prepare_cached(HELD_BY_ID)?
        .query_row([settle.link], Held::of)
        .optional()?
        .ok_or(StoreError::NotFound)?;
    if held.fence != number(settle.fence) {
        return Ok(Settled::Superseded);
    }
    let before = held.standing();
    let now = settle.now.as_microsecond();
    let moved = held.dirty || held.generation != number(settle.generation);
    let more_members = carry::settled(turn, &held, settle)?;
    let native = native(turn, settle.link)?;
    let mut after = held;
    after.native = settle.native_id.is_some();
    after.state = state(&after, settle, moved);
    if settle.applied {
        after.applied = number(settle.generation);
        turn.succeeded(after.target, now);
    }
    // The newest write says whether it is due at all: one that the brake holds meanwhile is not.
    after.due = if moved { after.due.map(|_| turn.now()) } else { settle.due_at.map(|at| at.as_microsecond()) };
    if more_members && after.state.workable() {
        after.due = after.due.or(Some(turn.now()));
    }
    after.verified = !moved && settle.seen.as_ref().and_then(|seen| seen.verified) == Some(true);
    after.pending = after.is_pending().then(|| after.pending.unwrap_or(now));
    after.leased = None;
    write(turn, settle, &after, moved, now)?;
    if let Some(old) = &settle.heir_of {
        let_go(turn, old)?;
    }
    turn.state.tally.moved(Some(before), Some(after.standing()));
    if native.as_deref() != settle.native_id.as_ref().map(|id| id.as_str()) {
        roll::account(turn, settle.link)?;
    }
    order::wake(turn, settle.link)?;
    turn.audit(&settle.audit)?;
    Ok(if moved { Settled::MovedOn } else { Settled::Done })
}

/// A link of somebody who is gone gives its object up. A call that is under way for it settles nothing any more.
fn let_go(turn: &mut Turn<'_>, old: &LinkKey) -> Result<()> {
    let Some(held) = links::held(turn.conn, &turn.shared.names, old)?.filter(|held| held.state == StateCode::TOMBSTONE)
    else {
        return Ok(());
    };
    let before = held.standing();
    let id = held.id;
    let after = Held { native: false, due: None, leased: None, pending: None, applied: held.generation, ..held };
    turn.conn
        .prepare_cached(
            "UPDATE link SET native = NULL, seen = NULL, sent = NULL, error = NULL, due = NULL, leased = NULL, pending = NULL, \
             verified = 0, dirty = 0, applied = generation, fence = fence + 1 WHERE id = ?1",
        )?
        .execute([id])?;
    turn.state.tally.moved(Some(before), Some(after.standing()));
    roll::account(turn, id)
}

/// The target's id of the object so far.
fn native(turn: &Turn<'_>, link: i64) -> Result<Option<String>> {
    if turn.state.rosters == 0 {
        return Ok(None);
    }
    let mut statement = turn.conn.prepare_cached("SELECT native FROM link WHERE id = ?1")?;
    Ok(statement.query_row([link], |row| row.get(0))?)
}

/// The state after a settlement. A state that was written while the claim ran is newer than what the worker knew.
fn state(held: &Held, settle: &Settle, moved: bool) -> StateCode {
    let known = if held.native { StateCode::LINKED } else { StateCode::UNLINKED };
    match held.state {
        StateCode::DETACHED => StateCode::DETACHED,
        StateCode::UNLINKED | StateCode::LINKED if moved => known,
        newer if moved => newer,
        _ => StateCode::of(&settle.state),
    }
}

fn write(turn: &Turn<'_>, settle: &Settle, after: &Held, moved: bool, now: i64) -> Result<()> {
    turn.conn
        .prepare_cached(
            "UPDATE link SET state = ?2, applied = ?3, due = ?4, leased = NULL, dirty = 0, pending = ?5, verified = ?6, \
             success = coalesce(?7, success), attempt = ?8, native = ?9, error = ?10, sent = ?11, seen = ?12 WHERE id = ?1",
        )?
        .execute((
            after.id,
            after.state.0,
            after.applied,
            after.due,
            after.pending,
            after.verified,
            settle.applied.then_some(now),
            if moved { 0 } else { settle.attempt },
            settle.native_id.as_ref().map(|id| id.as_str()),
            settle.error.as_ref().map(to_json).transpose()?,
            settle.sent.as_ref().map(to_json).transpose()?,
            settle.seen.as_ref().map(to_json).transpose()?,
        ))?;
    Ok(())
}

/// Gives all leases back, see [`crate::Store::release_leases`].
pub(super) fn release(turn: &mut Turn<'_>) -> Result<u64> {
    let now = turn.now();
    let leased: Vec<i64> = {
        let mut statement = turn.conn.prepare_cached("SELECT id FROM link WHERE leased IS NOT NULL")?;
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
    };
    for id in &leased {
        let mut held = turn.conn.prepare_cached(HELD_BY_ID)?.query_row([id], Held::of)?;
        let before = held.standing();
        if held.state.workable() {
            held.due = Some(now);
            held.pending = held.pending.or(Some(now));
        }
        turn.conn
            .prepare_cached("UPDATE link SET leased = NULL, dirty = 0, due = ?2, pending = ?3 WHERE id = ?1")?
            .execute((id, held.due, held.pending))?;
        turn.state.tally.moved(Some(before), Some(held.standing()));
    }
    Ok(leased.len() as u64)
}
