//! Members of groups in targets: who should be in. What is sent of it, see `carry`.
//!
//! A group's link says nothing about its members; each is a row of its own in `roll`. The rows follow from two sides, and both
//! write them in the transaction of their own change: membership (a request adds or removes members, deletes a group) and
//! accounts (one is made, closed, gets another id). Members that are groups count through their users, as they do for rules.
//!
//! Without any `[target.group]` there is no row in `roster`, and nothing here costs more than a comparison.

use super::carry;
use super::ids::IdKey;
use super::links::{HELD_BY_ID, Held, StateCode};
use super::members::{Touched, ancestors, direct, parents};
use super::turn::{Turn, type_of};
use crate::error::Result;
use gateway_domain::Lane;
use rusqlite::{Connection, OptionalExtension};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

/// The id of an account `l` as a member: none once its access ended, unless the target's policy lets it keep what it holds.
const AS_MEMBER: &str = "iif(l.closing = 0 OR json_extract(l.wanted, '$.closing.strip') = 'none', l.native, NULL)";

/// A group's link as far as members are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Roster {
    link: i64,
    group: i64,
    target: i64,
    kind: i64,
}

/// What a write of a link says about members.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    /// The kind of the accounts.
    pub(super) kind: i64,
    /// The object is not being closed.
    pub(super) open: bool,
}

/// A group's link was written: from its first write on it has rows, for all who are in the group now.
pub(super) fn keep(turn: &mut Turn<'_>, link: i64, group: &IdKey, target: i64, kept: Kept) -> Result<()> {
    let held: Option<i64> = turn
        .conn
        .prepare_cached("SELECT member_kind FROM roster WHERE link = ?1")?
        .query_row([link], |row| row.get(0))
        .optional()?;
    if held == Some(kept.kind) {
        let mut update = turn.conn.prepare_cached("UPDATE roster SET open = ?2 WHERE link = ?1 AND open <> ?2")?;
        update.execute((link, kept.open))?;
        return carry::forgive(turn.conn, link);
    }
    let Some(seq) = turn
        .conn
        .prepare_cached("SELECT seq FROM resource WHERE id = ?1")?
        .query_row([group], |row| row.get::<_, i64>(0))
        .optional()?
    else {
        return Ok(());
    };
    if held.is_some() {
        turn.conn.prepare_cached("UPDATE roll SET wanted = NULL WHERE link = ?1")?.execute([link])?;
    } else {
        turn.state.rosters += 1;
    }
    turn.conn
        .prepare_cached(
            "INSERT OR REPLACE INTO roster (link, grp, target, member_kind, open) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((link, seq, target, kept.kind, kept.open))?;
    fill(turn.conn, Roster { link, group: seq, target, kind: kept.kind })?;
    prune(turn.conn, link)
}

/// A row for each present member with an account.
fn fill(conn: &Connection, roster: Roster) -> Result<()> {
    conn.prepare_cached(&format!(
        "WITH RECURSIVE below (seq) AS (SELECT member FROM membership WHERE grp = ?1 \
           UNION SELECT m.member FROM below b JOIN membership m ON m.grp = b.seq) \
         INSERT INTO roll (link, account, wanted, seen, sent) \
         SELECT ?2, l.id, {AS_MEMBER}, NULL, 0 FROM below b CROSS JOIN resource r ON r.seq = b.seq \
           CROSS JOIN link l ON l.resource = r.id AND l.target = ?3 AND l.kind = ?4 AND l.purpose = '' \
         WHERE {AS_MEMBER} IS NOT NULL \
         ON CONFLICT (link, account) DO UPDATE SET wanted = excluded.wanted"
    ))?
    .execute((roster.group, roster.link, roster.target, roster.kind))?;
    Ok(())
}

/// Rows that say nothing any more go.
pub(super) fn prune(conn: &Connection, link: i64) -> Result<()> {
    conn.prepare_cached("DELETE FROM roll WHERE link = ?1 AND wanted IS NULL AND seen IS NULL")?.execute([link])?;
    Ok(())
}

/// The groups in targets that a change of a group's members reaches: its own, and those of the groups around it.
pub(super) struct Reach {
    group: i64,
    rosters: Vec<Roster>,
}

/// Asked for before the change, for a deleted group is in no other one any more; its own rows will go as a whole.
pub(super) fn reach(turn: &Turn<'_>, group: i64, deleted: bool) -> Result<Reach> {
    let mut reach = Reach { group, rosters: Vec::new() };
    if turn.state.rosters > 0 {
        if !deleted {
            reach.rosters = rosters(turn.conn, group)?;
        }
        for above in ancestors(turn.conn, group)? {
            reach.rosters.extend(rosters(turn.conn, above)?);
        }
    }
    Ok(reach)
}

fn rosters(conn: &Connection, group: i64) -> Result<Vec<Roster>> {
    let mut statement = conn.prepare_cached("SELECT link, grp, target, member_kind FROM roster WHERE grp = ?1")?;
    let found = statement.query_map([group], |row| {
        Ok(Roster { link: row.get(0)?, group: row.get(1)?, target: row.get(2)?, kind: row.get(3)? })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Members came and went. The group's own links that are due for that.
pub(super) fn changed(turn: &mut Turn<'_>, reach: &Reach, touched: &Touched) -> Result<Vec<i64>> {
    if reach.rosters.is_empty() {
        return Ok(Vec::new());
    }
    let mut above = Above::default();
    let mut moved: HashSet<i64> = HashSet::new();
    for (member, came) in touched.moved() {
        for user in users(turn.conn, member, type_of(reach.group))? {
            for roster in &reach.rosters {
                // Who left this group may be in it by another way, or in one around it.
                let stays = came || above.of(turn.conn, user)?.contains(&roster.group);
                if follow(turn.conn, *roster, user, stays)? {
                    moved.insert(roster.link);
                }
            }
        }
    }
    let mut due = Vec::new();
    for roster in reach.rosters.iter().filter(|roster| moved.contains(&roster.link)) {
        carry::forgive(turn.conn, roster.link)?;
        if wake(turn, roster.link)? && roster.group == reach.group {
            due.push(roster.link);
        }
    }
    Ok(due)
}

/// This one, or where it is a group everybody in it.
fn users(conn: &Connection, member: i64, groups: i64) -> Result<Vec<i64>> {
    let (mut found, mut seen, mut next) = (Vec::new(), HashSet::new(), vec![member]);
    while let Some(seq) = next.pop() {
        if seen.insert(seq) {
            if type_of(seq) == groups {
                next.extend(direct(conn, seq)?);
            } else {
                found.push(seq);
            }
        }
    }
    Ok(found)
}

/// The groups around users, each looked up once.
#[derive(Default)]
struct Above(HashMap<i64, HashSet<i64>>);

impl Above {
    fn of(&mut self, conn: &Connection, user: i64) -> Result<HashSet<i64>> {
        let mut all = HashSet::new();
        for group in parents(conn, user)? {
            let around = match self.0.entry(group) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(ancestors(conn, group)?),
            };
            all.insert(group);
            all.extend(around.iter());
        }
        Ok(all)
    }
}

/// Brings a user's row to whether they are in the group; whether that changed anything.
fn follow(conn: &Connection, roster: Roster, user: i64, is_in: bool) -> Result<bool> {
    let account: Option<(i64, Option<String>)> = conn
        .prepare_cached(&format!(
            "SELECT l.id, {AS_MEMBER} FROM link l WHERE l.resource = (SELECT id FROM resource WHERE seq = ?1) \
             AND l.target = ?2 AND l.kind = ?3 AND l.purpose = ''"
        ))?
        .query_row((user, roster.target, roster.kind), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match account {
        Some((account, native)) => want(conn, roster.link, account, native.as_deref().filter(|_| is_in)),
        None => Ok(false),
    }
}

fn want(conn: &Connection, link: i64, account: i64, native: Option<&str>) -> Result<bool> {
    let Some(native) = native else {
        let never_sent = conn
            .prepare_cached(
                "UPDATE roll SET wanted = NULL, refused = 0 WHERE link = ?1 AND account = ?2 AND wanted IS NOT NULL \
                 RETURNING seen IS NULL",
            )?
            .query_row((link, account), |row| row.get::<_, bool>(0))
            .optional()?;
        if never_sent == Some(true) {
            conn.prepare_cached("DELETE FROM roll WHERE link = ?1 AND account = ?2")?.execute((link, account))?;
        }
        return Ok(never_sent.is_some());
    };
    let changed = conn
        .prepare_cached(
            "INSERT INTO roll (link, account, wanted, seen, sent) VALUES (?1, ?2, ?3, NULL, 0) \
             ON CONFLICT DO UPDATE SET wanted = excluded.wanted, refused = 0 WHERE wanted IS NOT excluded.wanted",
        )?
        .execute((link, account, native))?;
    Ok(changed > 0)
}

/// An account was linked or unlinked, closed or opened again: it is put into the groups of its user, or taken out of them.
pub(super) fn account(turn: &mut Turn<'_>, account: i64) -> Result<()> {
    if turn.state.rosters == 0 {
        return Ok(());
    }
    let (target, kind, native, user): (i64, i64, Option<String>, Option<i64>) = turn
        .conn
        .prepare_cached(&format!(
            "SELECT l.target, l.kind, iif(l.purpose = '', {AS_MEMBER}, NULL), r.seq FROM link l \
             LEFT JOIN resource r ON r.id = l.resource WHERE l.id = ?1"
        ))?
        .query_row([account], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let mut belongs: HashSet<i64> = HashSet::new();
    if let (Some(_), Some(user)) = (&native, user) {
        for group in ancestors(turn.conn, user)? {
            let here = rosters(turn.conn, group)?;
            belongs.extend(here.iter().filter(|one| one.target == target && one.kind == kind).map(|one| one.link));
        }
    }
    let present: Vec<i64> = {
        let mut statement = turn.conn.prepare_cached("SELECT link FROM roll WHERE account = ?1")?;
        statement.query_map([account], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
    };
    let links: HashSet<i64> = belongs.iter().chain(&present).copied().collect();
    for link in links {
        let wanted = native.as_deref().filter(|_| belongs.contains(&link));
        if want(turn.conn, link, account, wanted)? {
            wake(turn, link)?;
        }
    }
    Ok(())
}

/// A resource is gone: a group's rows with it, and a user's account is in no group any more.
pub(super) fn forget(turn: &mut Turn<'_>, resource: &IdKey, seq: i64) -> Result<()> {
    if turn.state.rosters == 0 {
        return Ok(());
    }
    for roster in rosters(turn.conn, seq)? {
        turn.conn.prepare_cached("DELETE FROM roll WHERE link = ?1")?.execute([roster.link])?;
        turn.conn.prepare_cached("DELETE FROM roster WHERE link = ?1")?.execute([roster.link])?;
        turn.state.rosters -= 1;
    }
    let links: Vec<i64> = {
        let mut statement = turn.conn.prepare_cached("SELECT id FROM link WHERE resource = ?1")?;
        statement.query_map([resource], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
    };
    links.into_iter().try_for_each(|link| account(turn, link))
}

/// Makes a group's link due for its members, unless it is due, under way or at rest for another reason. Whether it now is. That the
/// target refused something of it before is no such reason: whoever leaves is taken out all the same.
fn wake(turn: &mut Turn<'_>, link: i64) -> Result<bool> {
    let mut held = turn.conn.prepare_cached(HELD_BY_ID)?.query_row([link], Held::of)?;
    let refused = held.state == StateCode::REFUSED && held.native;
    if !((held.state.workable() || refused) && differs(turn.conn, link)?) {
        return Ok(false);
    }
    if held.due.is_some() {
        return Ok(true);
    }
    let before = held.standing();
    let now = turn.now();
    held.due = Some(now);
    held.pending = held.pending.or(Some(now));
    if refused {
        held.state = StateCode::LINKED;
    }
    turn.conn
        .prepare_cached(
            "UPDATE link SET due = ?2, pending = ?3, lane = ?4, state = ?5, attempt = iif(?6, 0, attempt) WHERE id = ?1",
        )?
        .execute((link, held.due, held.pending, Lane::Interactive.rank(), held.state.0, refused))?;
    turn.state.tally.moved(Some(before), Some(held.standing()));
    Ok(true)
}

/// Whether an open group has members to carry.
pub(super) fn differs(conn: &Connection, link: i64) -> Result<bool> {
    let mut statement = conn.prepare_cached(
        "SELECT 1 FROM roster WHERE link = ?1 AND open = 1 AND EXISTS (SELECT 1 FROM roll INDEXED BY roll_due \
         WHERE link = ?1 AND (wanted IS NOT seen OR sent = 1) AND refused = 0)",
    )?;
    Ok(statement.exists([link])?)
}

/// The number of groups in targets.
pub(super) fn count(conn: &Connection) -> Result<u64> {
    let count: i64 = conn.query_row("SELECT count(*) FROM roster", [], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}
