//! Membership as rows: changing it, and walking it.

use super::ids::{IdKey, at, id, number, text_maybe};
use super::turn::{Turn, type_of};
use crate::change::GroupRef;
use crate::error::{Result, StoreError};
use crate::query::MemberRow;
use crate::work::SweepCause;
use gateway_domain::ResourceId;
use rusqlite::{Connection, OptionalExtension};
use scim::{AttrPath, Doc, Filter, Literal, Member, MemberOp, Meta, Object, Op, ResourceType, Types};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, LazyLock};

/// Most ids in one sweep row.
const SWEPT: usize = 500;
/// How many members one change may add: what `membership.added` has bits for below the change's number.
const ADDED_BITS: u32 = 20;

/// A filter in `members[…]` is judged by the type that has members.
static GROUP: LazyLock<Arc<ResourceType>> = LazyLock::new(|| Types::built_in().group().clone());

/// A [`MemberOp`] whose members have been found.
pub(super) enum Found<'o> {
    Add(Vec<i64>),
    Remove(Vec<i64>),
    RemoveWhere(&'o Filter),
    ReplaceAll(Vec<i64>),
    RemoveAll,
}

/// Finds the members that the operations name, and refuses what may not be, before anything is written.
///
/// # Errors
/// `UnknownMember`, `Cycle`.
pub(super) fn find<'o>(conn: &Connection, group: Option<i64>, ty: i64, ops: &'o [MemberOp]) -> Result<Vec<Found<'o>>> {
    let mut above: Option<HashSet<i64>> = None;
    let mut known = |members: &[Member]| -> Result<Vec<i64>> {
        let mut seqs = Vec::with_capacity(members.len());
        for member in members {
            let seq = seq_of(conn, &member.value)?.ok_or_else(|| StoreError::UnknownMember(member.value.clone()))?;
            // Only what can have members itself can close a circle.
            if type_of(seq) == ty
                && let Some(group) = group
            {
                if above.is_none() {
                    above = Some(ancestors(conn, group)?);
                }
                if seq == group || above.as_ref().is_some_and(|above| above.contains(&seq)) {
                    return Err(StoreError::Cycle);
                }
            }
            seqs.push(seq);
        }
        Ok(seqs)
    };
    ops.iter()
        .map(|op| {
            Ok(match op {
                MemberOp::Add(members) => Found::Add(known(members)?),
                MemberOp::ReplaceAll(members) => Found::ReplaceAll(known(members)?),
                MemberOp::RemoveAll => Found::RemoveAll,
                MemberOp::Remove(ids) => Found::Remove(present(conn, ids.iter().map(String::as_str))?),
                MemberOp::RemoveWhere(filter) => match value_of(filter) {
                    Some(id) => Found::Remove(present(conn, std::iter::once(id))?),
                    None => Found::RemoveWhere(filter),
                },
            })
        })
        .collect()
}

/// The id in a filter that is just `value eq "…"`.
fn value_of(filter: &Filter) -> Option<&str> {
    match filter {
        Filter::Compare { path, op: Op::Eq, value: Literal::Text(text) }
            if path.urn.is_none() && path.sub.is_none() && path.name.eq_ignore_ascii_case("value") =>
        {
            Some(text)
        }
        _ => None,
    }
}

fn present<'i>(conn: &Connection, ids: impl Iterator<Item = &'i str>) -> Result<Vec<i64>> {
    ids.filter_map(|id| seq_of(conn, id).transpose()).collect()
}

/// The seq of the resource with this id.
pub(super) fn seq_of(conn: &Connection, id: &str) -> Result<Option<i64>> {
    let mut statement = conn.prepare_cached("SELECT seq FROM resource WHERE id = ?1")?;
    Ok(statement.query_row([IdKey::of(id)], |row| row.get(0)).optional()?)
}

/// Membership rows that a change really made (+1) or took away (-1), by member.
#[derive(Default)]
pub(super) struct Touched(BTreeMap<i64, i8>);

impl Touched {
    fn note(&mut self, member: i64, by: i8) {
        *self.0.entry(member).or_default() += by;
    }

    /// These left.
    pub(super) fn left(members: &[i64]) -> Self {
        Self(members.iter().map(|member| (*member, -1)).collect())
    }

    /// The members whose membership is not what it was.
    pub(super) fn members(&self) -> impl Iterator<Item = i64> {
        self.moved().map(|(member, _)| member)
    }

    /// The same, with whether they came.
    pub(super) fn moved(&self) -> impl Iterator<Item = (i64, bool)> {
        self.0.iter().filter(|(_, by)| **by != 0).map(|(member, by)| (*member, *by > 0))
    }
}

/// Carries the operations out, in order.
pub(super) fn apply(turn: &Turn<'_>, group: i64, ops: &[Found<'_>]) -> Result<Touched> {
    let mut touched = Touched::default();
    let mut added = number(turn.audit_seq()) << ADDED_BITS;
    for op in ops {
        match op {
            Found::Add(members) => {
                for member in members {
                    add(turn.conn, group, *member, &mut added, &mut touched)?;
                }
            }
            Found::Remove(members) => {
                for member in members {
                    remove(turn.conn, group, *member, &mut touched)?;
                }
            }
            Found::RemoveWhere(filter) => {
                for member in matching(turn.conn, group, filter)? {
                    remove(turn.conn, group, member, &mut touched)?;
                }
            }
            Found::ReplaceAll(members) => {
                let wanted: HashSet<i64> = members.iter().copied().collect();
                for member in direct(turn.conn, group)? {
                    if !wanted.contains(&member) {
                        remove(turn.conn, group, member, &mut touched)?;
                    }
                }
                for member in members {
                    add(turn.conn, group, *member, &mut added, &mut touched)?;
                }
            }
            Found::RemoveAll => {
                for member in direct(turn.conn, group)? {
                    touched.note(member, -1);
                }
                turn.conn.prepare_cached("DELETE FROM membership WHERE grp = ?1")?.execute([group])?;
            }
        }
    }
    Ok(touched)
}

fn add(conn: &Connection, group: i64, member: i64, added: &mut i64, touched: &mut Touched) -> Result<()> {
    let new = conn
        .prepare_cached("INSERT INTO membership (grp, member, added) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute((group, member, *added))?;
    if new > 0 {
        *added += 1;
        touched.note(member, 1);
    }
    Ok(())
}

fn remove(conn: &Connection, group: i64, member: i64, touched: &mut Touched) -> Result<()> {
    let gone =
        conn.prepare_cached("DELETE FROM membership WHERE grp = ?1 AND member = ?2")?.execute((group, member))?;
    if gone > 0 {
        touched.note(member, -1);
    }
    Ok(())
}

/// The members that a filter on `value`, `display`, `type` finds. Judged as everywhere else, by [`scim::matches`].
fn matching(conn: &Connection, group: i64, filter: &Filter) -> Result<Vec<i64>> {
    let filter = Filter::ValuePath { path: AttrPath::name("members"), inner: Box::new(filter.clone()) };
    let attrs = Object::new();
    let mut statement = conn.prepare_cached(
        "SELECT m.member, r.id, r.display, r.created FROM membership m JOIN resource r ON r.seq = m.member \
         WHERE m.grp = ?1",
    )?;
    let mut rows = statement.query([group])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        // Groups hold users and groups; whatever is not of the groups' own type is written as a User.
        let kind = if type_of(seq) == type_of(group) { "Group" } else { "User" };
        let member = Member {
            value: id(row, 1)?.to_string(),
            display: text_maybe(row, 2)?.map(str::to_owned),
            kind: Some(kind.to_owned()),
        };
        let created = at(row, 3)?;
        let meta = Meta { created, last_modified: created, location: "", version: "" };
        let members = std::slice::from_ref(&member);
        if scim::matches(&filter, &GROUP, &Doc { id: "", attrs: &attrs, meta, members }) {
            found.push(seq);
        }
    }
    Ok(found)
}

/// Takes a resource that goes out of all groups, and all members out of it; the direct members it had.
pub(super) fn forget(conn: &Connection, seq: i64) -> Result<Vec<i64>> {
    let members = direct(conn, seq)?;
    if !members.is_empty() {
        conn.prepare_cached("DELETE FROM membership WHERE grp = ?1")?.execute([seq])?;
    }
    conn.prepare_cached("DELETE FROM membership WHERE member = ?1")?.execute([seq])?;
    Ok(members)
}

/// Writes sweeps over these members.
pub(super) fn sweep(conn: &Connection, members: &[i64]) -> Result<()> {
    for part in members.chunks(SWEPT) {
        let mut statement = conn.prepare_cached("SELECT id FROM resource WHERE seq = ?1")?;
        let mut ids: Vec<ResourceId> = Vec::with_capacity(part.len());
        for seq in part {
            let mut rows = statement.query([seq])?;
            if let Some(row) = rows.next()? {
                ids.push(id(row, 0)?);
            }
        }
        super::sweeps::write(conn, &SweepCause::Users { ids })?;
    }
    Ok(())
}

/// The direct members of a group.
pub(super) fn direct(conn: &Connection, group: i64) -> Result<Vec<i64>> {
    column(conn, "SELECT member FROM membership WHERE grp = ?1", group)
}

/// The groups that hold this resource by a row of their own.
pub(super) fn parents(conn: &Connection, member: i64) -> Result<Vec<i64>> {
    column(conn, "SELECT grp FROM membership WHERE member = ?1", member)
}

fn column(conn: &Connection, sql: &str, seq: i64) -> Result<Vec<i64>> {
    let mut statement = conn.prepare_cached(sql)?;
    Ok(statement.query_map([seq], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// All groups above this one.
pub(super) fn ancestors(conn: &Connection, seq: i64) -> Result<HashSet<i64>> {
    let mut above = HashSet::new();
    let mut next = parents(conn, seq)?;
    while let Some(group) = next.pop() {
        if above.insert(group) {
            next.extend(parents(conn, group)?);
        }
    }
    Ok(above)
}

/// Everything below these resources that has no members itself, and they themselves where they have none: the users of
/// groups in groups.
pub(super) fn leaves(conn: &Connection, from: Vec<i64>, user: i64) -> Result<HashSet<i64>> {
    let (mut found, mut seen, mut next) = (HashSet::new(), HashSet::new(), from);
    while let Some(seq) = next.pop() {
        if type_of(seq) == user {
            found.insert(seq);
        } else if seen.insert(seq) {
            next.extend(direct(conn, seq)?);
        }
    }
    Ok(found)
}

/// The groups that a resource belongs to, directly or through others, ordered by id.
pub(super) fn groups_of(conn: &Connection, seq: i64) -> Result<Vec<GroupRef>> {
    let mut next = parents(conn, seq)?;
    if next.is_empty() {
        return Ok(Vec::new());
    }
    let mut all: HashMap<i64, bool> = next.iter().map(|group| (*group, true)).collect();
    while let Some(group) = next.pop() {
        for above in parents(conn, group)? {
            if let Entry::Vacant(new) = all.entry(above) {
                new.insert(false);
                next.push(above);
            }
        }
    }
    let mut groups = Vec::with_capacity(all.len());
    let mut statement = conn.prepare_cached("SELECT id, display FROM resource WHERE seq = ?1")?;
    for (group, direct) in all {
        let mut rows = statement.query([group])?;
        if let Some(row) = rows.next()? {
            let display = text_maybe(row, 1)?.unwrap_or_default().to_owned();
            groups.push(GroupRef { id: id(row, 0)?, display, direct });
        }
    }
    groups.sort();
    Ok(groups)
}

/// A group's members in order of being added.
pub(super) fn members_of(
    conn: &Connection,
    seq: i64,
    type_name: &mut dyn FnMut(i64) -> Result<Arc<str>>,
) -> Result<Vec<MemberRow>> {
    let mut statement = conn.prepare_cached(
        "SELECT m.member, r.id, r.display FROM membership m JOIN resource r ON r.seq = m.member \
         WHERE m.grp = ?1 ORDER BY m.added",
    )?;
    let mut rows = statement.query([seq])?;
    let mut members = Vec::new();
    while let Some(row) = rows.next()? {
        let ty = type_name(type_of(row.get(0)?))?.to_string();
        members.push(MemberRow { id: id(row, 1)?, ty, display: text_maybe(row, 2)?.map(str::to_owned) });
    }
    Ok(members)
}
