//! What operators ask about links, and what they do to them.

use super::ids::{IdKey, at_maybe, count, id, instant};
use super::links::{self, StateCode};
use super::names::Sort;
use super::tally::Standing;
use super::turn::{Shared, Turn};
use crate::error::Result;
use crate::work::{LinkFilter, TargetStatus};
use gateway_domain::{AuditEntry, Lane, Link, LinkKey, LinkState, TargetId};
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use std::collections::{BTreeMap, HashSet};

/// The link by key.
pub(super) fn link(conn: &Connection, shared: &Shared, key: &LinkKey) -> Result<Option<Link>> {
    let names = &shared.names;
    let numbers = names.id(Sort::Target, key.target.as_str()).zip(names.id(Sort::Kind, key.kind.as_str()));
    let Some((target, kind)) = numbers else { return Ok(None) };
    let found = links::select(
        conn,
        names,
        "WHERE resource = ?1 AND target = ?2 AND kind = ?3 AND purpose = ?4",
        (IdKey::from(&key.resource), target, kind, &key.purpose),
    )?;
    Ok(found.into_iter().next())
}

/// Conditions of a [`LinkFilter`] with their values.
struct Where {
    sql: String,
    values: Vec<Value>,
    /// Only links that are parked, disputed or detached.
    held: bool,
}

impl Where {
    fn and(&mut self, condition: &str, value: Option<Value>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        if let Some(value) = value {
            self.values.push(value);
            self.sql.push_str(&self.values.len().to_string());
        }
    }

    /// `None` when nothing can be there.
    fn of(shared: &Shared, filter: &LinkFilter) -> Option<Self> {
        let mut made = Where { sql: "WHERE id > ?1".into(), values: vec![Value::Integer(filter.after)], held: false };
        if let Some(target) = &filter.target {
            let number = shared.names.id(Sort::Target, target.as_str())?;
            made.and("target = ?", Some(Value::Integer(number)));
        }
        if let Some(resource) = &filter.resource {
            let value = match IdKey::from(resource) {
                IdKey::Uuid(bytes) => Value::Blob(bytes.to_vec()),
                IdKey::Text(text) => Value::Text(text),
            };
            made.and("resource = ?", Some(value));
        }
        made.held = matches!(filter.state.as_deref(), Some("parked" | "disputed" | "detached"));
        match filter.state.as_deref() {
            None => {}
            Some("due") => made.and("state < 10 AND (due IS NOT NULL OR generation <> applied)", None),
            Some("unlinked") => made.and("state = 0", None),
            Some("linked") => made.and("state = 1", None),
            Some("tombstone") => made.and("state = 2", None),
            Some("parked") => made.and("state >= 10 AND state < 20", None),
            Some("disputed") => made.and("state >= 10 AND state = 20", None),
            Some("detached") => made.and("state >= 10 AND state = 30", None),
            Some(_) => return None,
        }
        Some(made)
    }
}

/// Links by what is asked, in order of id.
pub(super) fn links(conn: &Connection, shared: &Shared, filter: &LinkFilter) -> Result<Vec<Link>> {
    let Some(made) = Where::of(shared, filter) else { return Ok(Vec::new()) };
    let limit = if filter.limit == 0 { 1_000 } else { filter.limit };
    // Few links are held: their own index is read instead of the whole table.
    let by = if made.held && filter.resource.is_none() { "INDEXED BY link_held " } else { "" };
    let rest = format!("{by}{} ORDER BY id LIMIT {limit}", made.sql);
    links::select(conn, &shared.names, &rest, params_from_iter(made.values))
}

/// Who holds a native id; one that lives comes before a tombstone.
pub(super) fn holder(
    conn: &Connection,
    shared: &Shared,
    target: &TargetId,
    kind: &str,
    native: &str,
) -> Result<Option<LinkKey>> {
    let numbers = shared.names.id(Sort::Target, target.as_str()).zip(shared.names.id(Sort::Kind, kind));
    let Some((target_number, kind_number)) = numbers else { return Ok(None) };
    let mut statement = conn.prepare_cached(
        "SELECT resource, purpose FROM link WHERE target = ?1 AND kind = ?2 AND native = ?3 ORDER BY state = 2, id LIMIT 1",
    )?;
    let mut rows = statement.query((target_number, kind_number, native))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(LinkKey { resource: id(row, 0)?, target: target.clone(), kind: kind.into(), purpose: row.get(1)? }))
}

/// Makes links due at once. What is parked or disputed may be worked again: an operator says so. What is detached stays.
pub(super) fn retry(turn: &mut Turn<'_>, filter: &LinkFilter, audit: &AuditEntry) -> Result<u64> {
    let Some(mut made) = Where::of(turn.shared, filter) else {
        turn.audit(audit)?;
        return Ok(0);
    };
    made.and("state <> 30", None);
    if filter.limit > 0 {
        made.sql.push_str(&format!(" ORDER BY id LIMIT {}", filter.limit));
    }
    made.values.push(Value::Integer(turn.now()));
    let now = made.values.len();
    let targets: HashSet<i64> = {
        let sql = format!("SELECT DISTINCT target FROM (SELECT target FROM link {})", made.sql);
        let mut statement = turn.conn.prepare(&sql)?;
        let values = made.values.iter().take(now - 1);
        statement.query_map(params_from_iter(values), |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
    };
    let sql = format!(
        "UPDATE link SET due = ?{now}, attempt = 0, pending = coalesce(pending, ?{now}), dirty = leased IS NOT NULL, \
         state = iif(state >= 10, native IS NOT NULL, state) WHERE id IN (SELECT id FROM link {})",
        made.sql
    );
    let forgive =
        format!("UPDATE roll SET refused = 0 WHERE refused = 1 AND link IN (SELECT id FROM link {})", made.sql);
    turn.conn.prepare(&forgive)?.execute(params_from_iter(made.values.iter().take(now - 1)))?;
    let retried = turn.conn.prepare(&sql)?.execute(params_from_iter(made.values))?;
    for target in targets {
        turn.state.tally.recount(turn.conn, target)?;
    }
    turn.audit(audit)?;
    Ok(retried as u64)
}

/// When the earliest link becomes due that is not leased, or whose lease ends.
pub(super) fn next_due(conn: &Connection, shared: &Shared, target: &TargetId) -> Result<Option<Timestamp>> {
    let Some(target) = shared.names.id(Sort::Target, target.as_str()) else { return Ok(None) };
    let mut earliest: Option<i64> = conn
        .prepare_cached("SELECT min(leased) FROM link WHERE target = ?1 AND leased IS NOT NULL")?
        .query_row([target], |row| row.get(0))?;
    let mut due = conn.prepare_cached(
        "SELECT due FROM link INDEXED BY link_due WHERE target = ?1 AND lane = ?2 \
         AND due IS NOT NULL AND leased IS NULL AND state < 10 ORDER BY due LIMIT 1",
    )?;
    for lane in Lane::ALL {
        if let Some(at) = due.query_row((target, lane.rank()), |row| row.get::<_, i64>(0)).optional()? {
            earliest = Some(earliest.map_or(at, |so_far| so_far.min(at)));
        }
    }
    earliest.map(instant).transpose()
}

/// Per target, what stands and what does not.
pub(super) fn status(conn: &Connection, shared: &Shared) -> Result<Vec<TargetStatus>> {
    let mut by_target: BTreeMap<i64, TargetStatus> = BTreeMap::new();
    let mut statement = conn.prepare_cached("SELECT target, bucket, count FROM tally WHERE count > 0")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let target: i64 = row.get(0)?;
        let standing = Standing::of_bucket(target, row.get(1)?);
        add(by_target.entry(target).or_default(), standing, count(row, 2)?)?;
    }
    for (target, status) in &mut by_target {
        status.target = shared.names.text(Sort::Target, *target)?.to_string();
        status.pending_since = pending_since(conn, *target)?;
        let mut newest = conn.prepare_cached("SELECT at FROM success WHERE target = ?1")?;
        let newest: Option<i64> = newest.query_row([target], |row| row.get(0)).optional()?;
        status.last_success = newest.map(instant).transpose()?;
    }
    let mut all: Vec<_> = by_target.into_values().collect();
    all.sort_by(|a, b| a.target.cmp(&b.target));
    Ok(all)
}

fn add(status: &mut TargetStatus, standing: Standing, many: u64) -> Result<()> {
    // What is parked or disputed waits for somebody, not for its turn; it is counted by its cause.
    if standing.pending && standing.state.workable() {
        status.due += many;
    }
    if standing.unverified {
        status.unverified += many;
    }
    let state = standing.state.state()?;
    if state != LinkState::Tombstone {
        status.links += many;
    }
    match state {
        LinkState::Unlinked => {}
        LinkState::Linked => status.linked += many,
        LinkState::Parked(why) => *status.parked.entry(why.name().to_owned()).or_default() += many,
        LinkState::Disputed => status.disputed += many,
        LinkState::Detached => status.detached += many,
        LinkState::Tombstone => status.tombstones += many,
    }
    Ok(())
}

/// From the three small indexes of links that are not done, never from the rows.
fn pending_since(conn: &Connection, target: i64) -> Result<Option<Timestamp>> {
    let mut statement = conn.prepare_cached(OLDEST)?;
    let mut rows = statement.query([target])?;
    rows.next()?.map_or(Ok(None), |row| at_maybe(row, 0))
}

const OLDEST: &str = "SELECT min(since) FROM ( \
     SELECT min(pending) AS since FROM link INDEXED BY link_due \
       WHERE target = ?1 AND due IS NOT NULL AND leased IS NULL AND state < 10 \
     UNION ALL SELECT min(pending) FROM link INDEXED BY link_held WHERE target = ?1 AND state >= 10 \
     UNION ALL SELECT min(pending) FROM link INDEXED BY link_leased WHERE target = ?1 AND leased IS NOT NULL)";

/// Detaches links of targets that left the configuration and takes up those of targets that came back. Tombstones stay what
/// they are: of a target that is not configured nothing is ever claimed.
pub(super) fn set_targets(turn: &mut Turn<'_>, configured: &[TargetId]) -> Result<()> {
    let now = turn.now();
    for (number, name) in turn.shared.names.all(Sort::Target) {
        let there = configured.iter().any(|target| target.as_str() == name.as_ref());
        let moved = if there {
            turn.conn
                .prepare_cached(
                    "UPDATE link SET state = native IS NOT NULL, due = ?2, attempt = 0, pending = coalesce(pending, ?2) \
                     WHERE target = ?1 AND state >= 10 AND state = ?3",
                )?
                .execute((number, now, StateCode::DETACHED.0))?
        } else {
            turn.conn
                .prepare_cached("UPDATE link SET state = ?2 WHERE target = ?1 AND state NOT IN (?2, ?3)")?
                .execute((number, StateCode::DETACHED.0, StateCode::TOMBSTONE.0))?
        };
        if moved > 0 {
            turn.state.tally.recount(turn.conn, number)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_a_million_due_links_is_found_without_reading_their_rows() {
        let conn = Connection::open_in_memory().unwrap();
        super::super::schema::migrate(&conn).unwrap();
        let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {OLDEST}")).unwrap();
        let steps: Vec<String> = plan.query_map([1], |row| row.get(3)).unwrap().map(|step| step.unwrap()).collect();
        let due = steps.iter().find(|step| step.contains("link_due")).unwrap();
        assert!(due.contains("COVERING"), "{steps:?}");
    }
}
