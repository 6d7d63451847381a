//! Rows of links: reading them, and writing what a change wants of them.

use super::ids::{IdKey, at_maybe, corrupt, count, id, json_maybe, number, text, to_json};
use super::names::{Names, Sort};
use super::roll::{self, Kept};
use super::tally::Standing;
use super::turn::Turn;
use crate::change::LinkWrite;
use crate::error::{Result, StoreError};
use gateway_domain::{Lane, Link, LinkKey, LinkState, Parked};
use rusqlite::{Connection, OptionalExtension, Params, Row};

/// A link's state as a number. Links in states below 10 may be worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StateCode(pub(super) i64);

impl StateCode {
    pub(super) const UNLINKED: Self = Self(0);
    pub(super) const LINKED: Self = Self(1);
    pub(super) const TOMBSTONE: Self = Self(2);
    pub(super) const REFUSED: Self = Self(10);
    pub(super) const DISPUTED: Self = Self(20);
    pub(super) const DETACHED: Self = Self(30);

    /// The number of this state.
    pub(super) fn of(state: &LinkState) -> Self {
        match state {
            LinkState::Unlinked => Self::UNLINKED,
            LinkState::Linked => Self::LINKED,
            LinkState::Tombstone => Self::TOMBSTONE,
            LinkState::Parked(Parked::Refused) => Self::REFUSED,
            LinkState::Parked(Parked::Mapping) => Self(11),
            LinkState::Parked(Parked::Adoption) => Self(12),
            LinkState::Parked(Parked::Brake) => Self(13),
            LinkState::Disputed => Self::DISPUTED,
            LinkState::Detached => Self::DETACHED,
        }
    }

    /// The state of this number.
    pub(super) fn state(self) -> Result<LinkState> {
        Ok(match self.0 {
            0 => LinkState::Unlinked,
            1 => LinkState::Linked,
            2 => LinkState::Tombstone,
            10 => LinkState::Parked(Parked::Refused),
            11 => LinkState::Parked(Parked::Mapping),
            12 => LinkState::Parked(Parked::Adoption),
            13 => LinkState::Parked(Parked::Brake),
            20 => LinkState::Disputed,
            30 => LinkState::Detached,
            _ => return Err(corrupt("a link's state")),
        })
    }

    /// Whether it may be worked: it is not parked, disputed or detached.
    pub(super) fn workable(self) -> bool {
        self.0 < 10
    }
}

/// The columns of [`link`], in its order.
pub(super) const COLUMNS: &str = "id, resource, target, kind, purpose, state, lane, generation, applied, fence, attempt, due, \
    leased, success, pending, native, error, wanted, sent, seen";

/// The link in this row.
pub(super) fn link(row: &Row<'_>, names: &Names) -> Result<Link> {
    let lane = u8::try_from(row.get::<_, i64>(6)?).ok().and_then(Lane::of_rank).ok_or_else(|| corrupt("a lane"))?;
    Ok(Link {
        id: row.get(0)?,
        key: LinkKey {
            resource: id(row, 1)?,
            target: names.text(Sort::Target, row.get(2)?)?.as_ref().into(),
            kind: names.text(Sort::Kind, row.get(3)?)?.as_ref().into(),
            purpose: text(row, 4)?.to_owned(),
        },
        state: StateCode(row.get(5)?).state()?,
        lane,
        generation: count(row, 7)?,
        applied_generation: count(row, 8)?,
        fence: count(row, 9)?,
        attempt: u32::try_from(row.get::<_, i64>(10)?).map_err(|_| corrupt("a count"))?,
        due_at: at_maybe(row, 11)?,
        leased_until: at_maybe(row, 12)?,
        last_success: at_maybe(row, 13)?,
        pending_since: at_maybe(row, 14)?,
        native_id: row.get::<_, Option<String>>(15)?.map(Into::into),
        last_error: json_maybe(row, 16)?,
        wanted: json_maybe(row, 17)?,
        sent: json_maybe(row, 18)?,
        seen: json_maybe(row, 19)?,
        members: None,
    })
}

/// The links that a query on [`COLUMNS`] finds.
pub(super) fn select(conn: &Connection, names: &Names, rest: &str, params: impl Params) -> Result<Vec<Link>> {
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM link {rest}"))?;
    let mut rows = statement.query(params)?;
    let mut links = Vec::new();
    while let Some(row) = rows.next()? {
        links.push(link(row, names)?);
    }
    Ok(links)
}

/// All links of a resource, in order of their numbers.
pub(super) fn of_resource(conn: &Connection, names: &Names, resource: &IdKey) -> Result<Vec<Link>> {
    let mut links = select(conn, names, "WHERE resource = ?1", (resource,))?;
    links.sort_by_key(|link| link.id);
    Ok(links)
}

/// A [`LinkWrite`] with everything that is slow done beforehand.
pub(super) struct Prepared {
    resource: IdKey,
    target: i64,
    kind: i64,
    purpose: String,
    expect: i64,
    wanted: Option<(String, bool)>,
    state: Option<StateCode>,
    lane: u8,
    due: Option<i64>,
    error: Option<String>,
    order_key: String,
    members: Option<Kept>,
}

impl Prepared {
    /// Prepares one; `target`, `kind` and `member_kind` are the names' numbers.
    pub(super) fn new(write: &LinkWrite, target: i64, kind: i64, member_kind: Option<i64>) -> Result<Self> {
        let wanted = match &write.wanted {
            // What is kept as it is asks for no proof.
            Some(wanted) => Some((to_json(wanted)?, wanted.closing.is_some_and(|closing| !closing.keep))),
            None => None,
        };
        Ok(Self {
            resource: IdKey::from(&write.key.resource),
            target,
            kind,
            purpose: write.key.purpose.clone(),
            expect: number(write.expect_generation),
            wanted,
            state: write.state.as_ref().map(StateCode::of),
            lane: write.lane.rank(),
            due: write.due_at.map(|at| at.as_microsecond()),
            error: write.error.as_ref().map(to_json).transpose()?,
            order_key: write.order_key.clone(),
            members: write
                .wanted
                .as_ref()
                .zip(member_kind)
                .map(|(wanted, kind)| Kept { kind, open: wanted.closing.is_none() }),
        })
    }
}

/// What of a stored link a write needs to know.
pub(super) struct Held {
    pub(super) id: i64,
    pub(super) target: i64,
    pub(super) state: StateCode,
    pub(super) generation: i64,
    pub(super) applied: i64,
    pub(super) fence: i64,
    pub(super) due: Option<i64>,
    pub(super) leased: Option<i64>,
    pub(super) dirty: bool,
    pub(super) pending: Option<i64>,
    pub(super) closing: bool,
    pub(super) verified: bool,
    pub(super) native: bool,
}

/// The columns of [`Held::of`] by the link's key.
const HELD_BY_KEY: &str = "SELECT id, target, state, generation, applied, fence, due, leased, dirty, pending, closing, \
    verified, native IS NOT NULL FROM link WHERE resource = ?1 AND target = ?2 AND kind = ?3 AND purpose = ?4";
/// The same by its number.
pub(super) const HELD_BY_ID: &str = "SELECT id, target, state, generation, applied, fence, due, leased, dirty, pending, \
    closing, verified, native IS NOT NULL FROM link WHERE id = ?1";

impl Held {
    pub(super) fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            target: row.get(1)?,
            state: StateCode(row.get(2)?),
            generation: row.get(3)?,
            applied: row.get(4)?,
            fence: row.get(5)?,
            due: row.get(6)?,
            leased: row.get(7)?,
            dirty: row.get(8)?,
            pending: row.get(9)?,
            closing: row.get(10)?,
            verified: row.get(11)?,
            native: row.get(12)?,
        })
    }

    /// Whether wanted and seen differ.
    pub(super) fn is_pending(&self) -> bool {
        self.due.is_some() || self.generation != self.applied
    }

    /// How it counts.
    pub(super) fn standing(&self) -> Standing {
        let pending = self.is_pending();
        Standing {
            target: self.target,
            state: self.state,
            pending,
            unverified: self.closing && !self.verified && self.native && !pending,
        }
    }
}

/// The link of this key, as far as a write needs to know it.
pub(super) fn held(conn: &Connection, names: &Names, key: &LinkKey) -> Result<Option<Held>> {
    let numbers = names.id(Sort::Target, key.target.as_str()).zip(names.id(Sort::Kind, key.kind.as_str()));
    let Some((target, kind)) = numbers else { return Ok(None) };
    let resource = IdKey::from(&key.resource);
    let mut statement = conn.prepare_cached(HELD_BY_KEY)?;
    Ok(statement.query_row((&resource, target, kind, &key.purpose), Held::of).optional()?)
}

/// Writes what a change wants of a link; the link's number.
///
/// # Errors
/// `Stale` when its generation moved on.
pub(super) fn write(turn: &mut Turn<'_>, write: &Prepared, now: i64) -> Result<i64> {
    let id = put(turn, write, now)?;
    if let Some(kept) = write.members {
        roll::keep(turn, id, &write.resource, write.target, kept)?;
    }
    Ok(id)
}

fn put(turn: &mut Turn<'_>, write: &Prepared, now: i64) -> Result<i64> {
    if write.expect == 0
        && let Some(id) = insert(turn, write, now)?
    {
        return Ok(id);
    }
    let held = turn
        .conn
        .prepare_cached(HELD_BY_KEY)?
        .query_row((&write.resource, write.target, write.kind, &write.purpose), Held::of)
        .optional()?
        .filter(|held| held.generation == write.expect)
        .ok_or(StoreError::Stale)?;
    update(turn, write, held, now)
}

/// A new link, unless there is one.
fn insert(turn: &mut Turn<'_>, write: &Prepared, now: i64) -> Result<Option<i64>> {
    let wanted = write.wanted.as_ref();
    let state = write.state.unwrap_or(StateCode::UNLINKED);
    let generation = i64::from(wanted.is_some());
    let pending = wanted.is_some() || write.due.is_some();
    let closing = wanted.is_some_and(|(_, closing)| *closing);
    let inserted = turn
        .conn
        .prepare_cached(
            "INSERT INTO link (resource, target, kind, purpose, state, lane, generation, applied, fence, attempt, due, \
             dirty, pending, closing, verified, order_key, error, wanted) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0, 0, ?8, 0, ?9, ?10, 0, ?11, ?12, ?13) ON CONFLICT DO NOTHING",
        )?
        .execute((
            &write.resource,
            write.target,
            write.kind,
            &write.purpose,
            state.0,
            write.lane,
            generation,
            write.due,
            pending.then_some(now),
            closing,
            &write.order_key,
            &write.error,
            wanted.map(|(wanted, _)| wanted),
        ))?;
    if inserted == 0 {
        return Ok(None);
    }
    let standing = Standing { target: write.target, state, pending, unverified: false };
    turn.state.tally.moved(None, Some(standing));
    Ok(Some(turn.conn.last_insert_rowid()))
}

fn update(turn: &mut Turn<'_>, write: &Prepared, held: Held, now: i64) -> Result<i64> {
    let before = held.standing();
    let was_closing = held.closing;
    let mut after = held;
    if let Some((_, closing)) = &write.wanted {
        after.generation += 1;
        after.closing = *closing;
        after.verified = false;
    }
    after.state = write.state.unwrap_or(after.state);
    after.due = write.due;
    after.pending = after.is_pending().then(|| after.pending.unwrap_or(now));
    turn.conn
        .prepare_cached(
            "UPDATE link SET state = ?2, lane = ?3, generation = ?4, due = ?5, pending = ?6, closing = ?7, verified = ?8, \
             order_key = ?9, error = coalesce(?10, error), wanted = coalesce(?11, wanted), \
             attempt = iif(?11 IS NULL, attempt, 0), dirty = leased IS NOT NULL WHERE id = ?1",
        )?
        .execute((
            after.id,
            after.state.0,
            write.lane,
            after.generation,
            after.due,
            after.pending,
            after.closing,
            after.verified,
            &write.order_key,
            &write.error,
            write.wanted.as_ref().map(|(wanted, _)| wanted),
        ))?;
    turn.state.tally.moved(Some(before), Some(after.standing()));
    // A closed account is in no group.
    if after.native && (was_closing || after.closing) {
        roll::account(turn, after.id)?;
    }
    Ok(after.id)
}
