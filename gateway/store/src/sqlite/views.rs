//! Reading one resource.

use super::ids::{IdKey, at, count, id, json, json_maybe, text_maybe};
use super::names::Sort;
use super::turn::{SOURCE_BITS, Shared, type_of};
use super::{links, members};
use crate::change::{Assertion, Snapshot, Stored};
use crate::error::Result;
use crate::query::{Needs, View};
use gateway_domain::ResourceId;
use rusqlite::{Connection, Row};
use std::sync::atomic::Ordering;

/// The resource in a row of `seq, id, version, created, modified, external, attrs`, and its seq.
pub(super) fn stored(row: &Row<'_>, ty: &str) -> Result<(i64, Stored)> {
    let external = json_maybe(row, 5)?.unwrap_or_default();
    let stored = Stored {
        id: id(row, 1)?,
        ty: ty.to_owned(),
        version: count(row, 2)?,
        created: at(row, 3)?,
        modified: at(row, 4)?,
        attrs: json(row, 6)?,
        external_ids: external,
    };
    Ok((row.get(0)?, stored))
}

/// The resource of this id, when it is of this type.
fn by_id(conn: &Connection, shared: &Shared, ty: &str, id: &ResourceId) -> Result<Option<(i64, Stored)>> {
    let Some(number) = shared.names.id(Sort::Type, ty) else { return Ok(None) };
    let mut statement =
        conn.prepare_cached("SELECT seq, id, version, created, modified, external, attrs FROM resource WHERE id = ?1")?;
    let mut rows = statement.query([IdKey::from(id)])?;
    match rows.next()? {
        Some(row) if type_of(row.get(0)?) == number => stored(row, ty).map(Some),
        _ => Ok(None),
    }
}

/// Everything that a decision about one resource needs.
pub(super) fn snapshot(conn: &Connection, shared: &Shared, ty: &str, id: &ResourceId) -> Result<Snapshot> {
    // Read first: an epoch that moves on meanwhile makes the commit stale, which is safe.
    let policy_epoch = shared.epoch.load(Ordering::Acquire);
    let found = by_id(conn, shared, ty, id)?;
    let links = links::of_resource(conn, &shared.names, &IdKey::from(id))?;
    let Some((seq, resource)) = found else { return Ok(Snapshot { links, policy_epoch, ..Snapshot::default() }) };
    Ok(Snapshot {
        assertions: assertions(conn, shared, seq)?,
        groups: members::groups_of(conn, seq)?,
        resource: Some(resource),
        links,
        policy_epoch,
    })
}

fn assertions(conn: &Connection, shared: &Shared, seq: i64) -> Result<Vec<Assertion>> {
    let mut statement = conn
        .prepare_cached("SELECT id, observed, external, attrs FROM assertion WHERE id >= ?1 AND id < ?2 ORDER BY id")?;
    let first = seq << SOURCE_BITS;
    let mut rows = statement.query((first, first + (1 << SOURCE_BITS)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let source = row.get::<_, i64>(0)? & ((1 << SOURCE_BITS) - 1);
        found.push(Assertion {
            source: shared.names.text(Sort::Source, source)?.as_ref().into(),
            observed_at: at(row, 1)?,
            external_id: text_maybe(row, 2)?.map(str::to_owned),
            attrs: json(row, 3)?,
        });
    }
    Ok(found)
}

/// One resource for an answer.
pub(super) fn view(
    conn: &Connection,
    shared: &Shared,
    ty: &str,
    id: &ResourceId,
    needs: Needs,
) -> Result<Option<View>> {
    let Some((seq, resource)) = by_id(conn, shared, ty, id)? else { return Ok(None) };
    complete(conn, shared, seq, resource, needs).map(Some)
}

/// A resource with what else is needed of it.
pub(super) fn complete(conn: &Connection, shared: &Shared, seq: i64, resource: Stored, needs: Needs) -> Result<View> {
    let names = &shared.names;
    let mut type_name = |number| names.text(Sort::Type, number);
    Ok(View {
        members: match needs.members {
            true => members::members_of(conn, seq, &mut type_name)?,
            false => Vec::new(),
        },
        groups: if needs.groups { members::groups_of(conn, seq)? } else { Vec::new() },
        links: match needs.links {
            true => links::of_resource(conn, names, &IdKey::from(&resource.id))?,
            false => Vec::new(),
        },
        resource,
    })
}
