//! What one call carries of a group's members, and what is known after it.
//!
//! What was sent and not confirmed is remembered (`sent`): an addition whose answer was lost is taken out again when its member
//! leaves meanwhile, and a removal whose answer was lost is no reason to believe that the member is still there.

use super::links::Held;
use super::roll::{differs, prune};
use super::turn::Turn;
use crate::error::Result;
use crate::work::Settle;
use gateway_domain::link::MEMBERS_AT_ONCE;
use gateway_domain::{Link, MemberDelta, MemberRef};
use rusqlite::Connection;

/// What a claimed link's call is to carry, noted as sent.
pub(super) fn hand_out(turn: &Turn<'_>, link: &Link) -> Result<Option<MemberDelta>> {
    if turn.state.rosters == 0 || !link.takes_members() {
        return Ok(None);
    }
    // Who leaves is taken out by a call of its own and first: that somebody else cannot be put in keeps nobody inside.
    let leaving = "SELECT account, wanted, seen FROM roll INDEXED BY roll_leaving \
                   WHERE link = ?1 AND wanted IS NULL AND refused = 0 LIMIT ?2";
    let all = "SELECT account, wanted, seen FROM roll INDEXED BY roll_due \
               WHERE link = ?1 AND (wanted IS NOT seen OR sent = 1) AND refused = 0 ORDER BY account LIMIT ?2";
    let mut delta = MemberDelta { refused: refused(turn.conn, link.id)?, ..MemberDelta::default() };
    for sql in [leaving, all] {
        gather(turn.conn, link, sql, &mut delta)?;
        if !delta.is_empty() {
            break;
        }
    }
    Ok((!delta.is_empty() || delta.refused > 0).then_some(delta))
}

/// Adds what a query finds to what a call carries.
fn gather(conn: &Connection, link: &Link, sql: &str, delta: &mut MemberDelta) -> Result<()> {
    let rows: Vec<(i64, Option<String>, Option<String>)> = {
        let mut statement = conn.prepare_cached(sql)?;
        let rows =
            statement.query_map((link.id, at_once(link.attempt)), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        rows.collect::<rusqlite::Result<_>>()?
    };
    for (account, wanted, seen) in rows {
        let one = |native: String| MemberRef { account, native_id: native.into() };
        match (wanted, seen) {
            // An account with another id leaves under the old one first; the next call puts it in again.
            (wanted, Some(seen)) if wanted.as_ref() != Some(&seen) => {
                if is_of_another(conn, link.id, account, &seen)? {
                    out(conn, link.id, account)?;
                } else {
                    note(conn, link.id, account, &seen)?;
                    delta.remove.push(one(seen));
                }
            }
            (Some(wanted), _) => {
                note(conn, link.id, account, &wanted)?;
                delta.add.push(one(wanted));
            }
            (None, _) => out(conn, link.id, account)?,
        }
    }
    Ok(())
}

/// How many members a call carries: fewer with every attempt that failed, so that one whom the target refuses is found.
fn at_once(attempt: u32) -> u32 {
    MEMBERS_AT_ONCE.checked_shr(attempt.saturating_mul(2)).unwrap_or(0).max(1)
}

/// How many members the target refused.
fn refused(conn: &Connection, link: i64) -> Result<u32> {
    let mut statement = conn.prepare_cached(
        "SELECT count(*) FROM roll INDEXED BY roll_due WHERE link = ?1 AND (wanted IS NOT seen OR sent = 1) AND refused = 1",
    )?;
    Ok(statement.query_row([link], |row| row.get(0))?)
}

/// Those whom the target refused may be tried again.
pub(super) fn forgive(conn: &Connection, link: i64) -> Result<()> {
    conn.prepare_cached("UPDATE roll SET refused = 0 WHERE link = ?1 AND refused = 1")?.execute([link])?;
    Ok(())
}

/// The id went to another account that is to be in the same group: taking it out would take that one out.
fn is_of_another(conn: &Connection, link: i64, account: i64, native: &str) -> Result<bool> {
    let mut statement = conn.prepare_cached(
        "SELECT 1 FROM link a CROSS JOIN link o ON o.target = a.target AND o.kind = a.kind AND o.native = ?3 \
         CROSS JOIN roll r ON r.link = ?1 AND r.account = o.id AND r.wanted = ?3 WHERE a.id = ?2 AND o.id <> ?2",
    )?;
    Ok(statement.exists((link, account, native))?)
}

/// It may be there from now on, or still.
fn note(conn: &Connection, link: i64, account: i64, native: &str) -> Result<()> {
    conn.prepare_cached("UPDATE roll SET seen = ?3, sent = 1 WHERE link = ?1 AND account = ?2")?
        .execute((link, account, native))?;
    Ok(())
}

/// It is not there.
fn out(conn: &Connection, link: i64, account: i64) -> Result<()> {
    conn.prepare_cached("DELETE FROM roll WHERE link = ?1 AND account = ?2 AND wanted IS NULL")?
        .execute((link, account))?;
    conn.prepare_cached("UPDATE roll SET seen = NULL, sent = 0 WHERE link = ?1 AND account = ?2")?
        .execute((link, account))?;
    Ok(())
}

/// A group's link was settled: what was carried is there, or gone. Whether more is to be carried.
pub(super) fn settled(turn: &Turn<'_>, held: &Held, settle: &Settle) -> Result<bool> {
    if turn.state.rosters == 0 {
        return Ok(false);
    }
    for one in settle.members.iter().flat_map(|members| &members.add) {
        turn.conn
            .prepare_cached("UPDATE roll SET sent = 0 WHERE link = ?1 AND account = ?2 AND seen = ?3")?
            .execute((settle.link, one.account, one.native_id.as_str()))?;
    }
    for one in settle.members.iter().flat_map(|members| &members.remove) {
        out(turn.conn, settle.link, one.account)?;
    }
    if let Some(one) = &settle.refused {
        turn.conn
            .prepare_cached("UPDATE roll SET refused = 1 WHERE link = ?1 AND account = ?2")?
            .execute((settle.link, one.account))?;
    }
    if held.native && settle.native_id.is_none() {
        // Another object will not have the members of the one that is gone.
        turn.conn.prepare_cached("UPDATE roll SET seen = NULL, sent = 0 WHERE link = ?1")?.execute([settle.link])?;
        prune(turn.conn, settle.link)?;
    }
    Ok(settle.native_id.is_some() && differs(turn.conn, settle.link)?)
}
