//! Links that wait for another object of the same person, see [`gateway_domain::dependency`].
//!
//! A link that waits is not due: what it waits for makes it due again when it is settled. So a claim never looks twice at
//! what cannot be worked, however many accounts wait for one refused provider record.

use super::ids::json_maybe;
use super::links::{self, HELD_BY_ID, Held};
use super::names::Sort;
use super::turn::Turn;
use crate::error::Result;
use gateway_domain::{Link, Wanted, dependency};

/// The other links of the same resource in the same target.
const NEIGHBOURS: &str = "WHERE resource = (SELECT resource FROM link WHERE id = ?1) \
    AND target = (SELECT target FROM link WHERE id = ?1) AND id <> ?1";

/// Whether a due link has to wait; it is then not due any more. One that need not wait is given the ids that it refers to.
pub(super) fn waits(turn: &mut Turn<'_>, link: &mut Link) -> Result<bool> {
    if !dependency::is_ordered(link) {
        return Ok(false);
    }
    let others = links::select(turn.conn, &turn.shared.names, NEIGHBOURS, (link.id,))?;
    if dependency::waits_for(link, &others).is_none() {
        dependency::refer(link, &others);
        return Ok(false);
    }
    due(turn, link.id, None)?;
    Ok(true)
}

/// Makes links due that stand in an edge with one that was settled: whether they still wait, the next claim tells.
pub(super) fn wake(turn: &mut Turn<'_>, settled: i64) -> Result<()> {
    let waiting = {
        let mut statement = turn.conn.prepare_cached(
            "SELECT o.id, o.wanted, s.kind FROM link s JOIN link o ON o.resource = s.resource AND o.target = s.target \
             WHERE s.id = ?1 AND o.id <> s.id AND o.due IS NULL AND o.leased IS NULL AND o.state < 10",
        )?;
        let mut rows = statement.query([settled])?;
        let mut waiting = Vec::new();
        while let Some(row) = rows.next()? {
            let wanted: Option<Wanted> = json_maybe(row, 1)?;
            let kind = turn.shared.names.text(Sort::Kind, row.get(2)?)?;
            if wanted.is_some_and(|wanted| wanted.after.iter().any(|one| one.as_str() == kind.as_ref())) {
                waiting.push(row.get(0)?);
            }
        }
        waiting
    };
    let now = turn.now();
    waiting.into_iter().try_for_each(|id| due(turn, id, Some(now)))
}

fn due(turn: &mut Turn<'_>, id: i64, at: Option<i64>) -> Result<()> {
    let mut held = turn.conn.prepare_cached(HELD_BY_ID)?.query_row([id], Held::of)?;
    let before = held.standing();
    held.due = at;
    held.pending = held.is_pending().then(|| held.pending.unwrap_or(turn.now()));
    turn.conn.prepare_cached("UPDATE link SET due = ?2, pending = ?3 WHERE id = ?1")?.execute((
        id,
        held.due,
        held.pending,
    ))?;
    turn.state.tally.moved(Some(before), Some(held.standing()));
    Ok(())
}
