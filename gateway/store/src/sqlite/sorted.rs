//! Whole types in order, without a filter: what need not be counted or sorted to find a page of it.

use super::candidates::{bound, entries};
use super::list::Deadline;
use super::page::{Cut, Place};
use super::prepare::decode;
use super::turn::{BLOCK_BITS, TYPE_BITS};
use crate::error::Result;
use crate::query::PageAsk;
use rusqlite::Connection;
use scim::SortKey;

/// An order that the tables hold.
#[derive(Debug, Clone)]
pub(super) enum Order {
    /// Of creation; types after each other by their numbers, which are in order.
    Created(Vec<i64>),
    /// Of an index key of one type with at most one value for each resource; those without a value are last.
    Key {
        /// The type's number.
        ty: i64,
        /// The key's number; `None` when no resource has a value.
        key: Option<i64>,
    },
}

/// Where a walk begins.
#[derive(Debug, Clone, Copy)]
enum From<'a> {
    /// After so many.
    Skip(u64),
    /// Behind this place.
    Behind(&'a Place),
}

/// A walk through an order.
pub(super) struct Walk<'a> {
    pub(super) conn: &'a Connection,
    pub(super) deadline: &'a Deadline,
    pub(super) order: Order,
    pub(super) descending: bool,
}

impl Walk<'_> {
    /// The page that was asked for.
    pub(super) fn cut(&self, ask: &PageAsk, count: u32) -> Result<Cut> {
        let total = self.total()?;
        let take = u64::from(count);
        if take == 0 {
            return Ok(Cut { total, ..Cut::default() });
        }
        let (from, backwards) = match ask {
            PageAsk::First => (None, false),
            PageAsk::Index(start) => {
                let skip = start.saturating_sub(1);
                let places = self.forward(self.descending, From::Skip(skip), take)?;
                let after = skip.saturating_add(places.len() as u64) < total;
                return Ok(Cut { before: skip > 0 && total > 0, after, places, total });
            }
            PageAsk::After(position) => (Some(Place::at(position)), false),
            PageAsk::Before(position) => (Some(Place::at(position)), true),
        };
        let start = from.as_ref().map_or(From::Skip(0), From::Behind);
        let mut places = self.forward(self.descending != backwards, start, take + 1)?;
        let more = places.len() as u64 > take;
        places.truncate(count as usize);
        // On the other side there is at least what the position stood for, unless it was deleted meanwhile.
        let other = match (places.first(), &from) {
            (_, None) => false,
            (Some(first), _) => !self.forward(self.descending == backwards, From::Behind(first), 1)?.is_empty(),
            (None, Some(from)) => !self.forward(self.descending == backwards, From::Behind(from), 1)?.is_empty(),
        };
        let (before, after) = if backwards { (more, other) } else { (other, more) };
        if backwards {
            places.reverse();
        }
        Ok(Cut { places, total, before, after })
    }

    /// How many there are in all.
    pub(super) fn total(&self) -> Result<u64> {
        match &self.order {
            Order::Created(types) => types.iter().map(|ty| total(self.conn, *ty)).sum(),
            Order::Key { ty, .. } => total(self.conn, *ty),
        }
    }

    fn forward(&self, descending: bool, from: From<'_>, take: u64) -> Result<Vec<Place>> {
        match &self.order {
            Order::Created(types) => self.created(types, descending, from, take),
            Order::Key { ty, key } => self.keyed(*ty, *key, descending, from, take),
        }
    }

    fn created(&self, types: &[i64], descending: bool, from: From<'_>, take: u64) -> Result<Vec<Place>> {
        let mut places = Vec::new();
        let mut skip = match from {
            From::Skip(skip) => skip,
            From::Behind(_) => 0,
        };
        let mut ordered = types.to_vec();
        if descending {
            ordered.reverse();
        }
        for ty in ordered {
            let (mut low, mut high) = (ty << TYPE_BITS, (ty + 1) << TYPE_BITS);
            match from {
                From::Behind(place) if descending => high = high.min(place.seq),
                From::Behind(place) => low = low.max(place.seq),
                From::Skip(_) => {}
            }
            if skip > 0 {
                let (start, rest) = self.block(ty, descending, skip)?;
                skip = rest;
                match start {
                    Some(block) if descending => high = high.min((block + 1) << BLOCK_BITS),
                    Some(block) => low = low.max((block << BLOCK_BITS) - 1),
                    None => continue,
                }
            }
            let left = take - places.len() as u64;
            if left == 0 {
                break;
            }
            let sql = if descending {
                "SELECT seq FROM resource WHERE seq > ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3 OFFSET ?4"
            } else {
                "SELECT seq FROM resource WHERE seq > ?1 AND seq < ?2 ORDER BY seq LIMIT ?3 OFFSET ?4"
            };
            let mut statement = self.conn.prepare_cached(sql)?;
            let mut rows = statement.query((low, high, bound(left), bound(skip)))?;
            while let Some(row) = rows.next()? {
                places.push(Place::of(row.get(0)?));
            }
            skip = 0;
        }
        Ok(places)
    }

    /// The block in which the place after `skip` resources lies, and how many to skip within it; `None` and what is left to
    /// skip when the type has not so many.
    fn block(&self, ty: i64, descending: bool, mut skip: u64) -> Result<(Option<i64>, u64)> {
        let sql = if descending {
            "SELECT id, count FROM block WHERE id >= ?1 AND id < ?2 ORDER BY id DESC"
        } else {
            "SELECT id, count FROM block WHERE id >= ?1 AND id < ?2 ORDER BY id"
        };
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(blocks(ty))?;
        while let Some(row) = rows.next()? {
            let count = u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
            if skip < count {
                return Ok((Some(row.get(0)?), skip));
            }
            skip -= count;
        }
        Ok((None, skip))
    }

    /// Those with a value in its order, then those without; in descending order the other way round.
    fn keyed(&self, ty: i64, key: Option<i64>, descending: bool, from: From<'_>, take: u64) -> Result<Vec<Place>> {
        // Counting an index's entries is linear, so it is only done where a walk crosses from one part to the other.
        let present = || key.map_or(Ok(0), |key| entries(self.conn, key));
        let missing = || Ok::<_, crate::StoreError>(total(self.conn, ty)?.saturating_sub(present()?));
        let with = |from, take| key.map_or_else(|| Ok(Vec::new()), |key| self.with(key, descending, from, take));
        let without = |from, take| match missing()? {
            0 => Ok(Vec::new()),
            _ => self.without(ty, key, descending, from, take),
        };
        let in_second = match from {
            From::Skip(_) => false,
            From::Behind(place) => (place.key == SortKey::Missing) != descending,
        };
        if in_second {
            return if descending { with(from, take) } else { without(from, take) };
        }
        let mut places = match from {
            // Skipping all those without a value would look at every resource.
            From::Skip(skip) if descending && skip >= missing()? => Vec::new(),
            _ if descending => without(from, take)?,
            _ => with(from, take)?,
        };
        let left = take - places.len() as u64;
        if left > 0 {
            let skip = match from {
                From::Skip(skip) => skip.saturating_sub(if descending { missing()? } else { present()? }),
                From::Behind(_) => 0,
            };
            places.extend(if descending { with(From::Skip(skip), left)? } else { without(From::Skip(skip), left)? });
        }
        Ok(places)
    }

    fn with(&self, key: i64, descending: bool, from: From<'_>, take: u64) -> Result<Vec<Place>> {
        let (sql, value, seq, skip) = match from {
            From::Skip(skip) if descending => (
                "SELECT value, resource FROM lookup WHERE key = ?1 AND ?2 = '' AND ?3 = 0 \
                 ORDER BY value DESC, holder DESC LIMIT ?4 OFFSET ?5",
                "",
                0,
                skip,
            ),
            From::Skip(skip) => (
                "SELECT value, resource FROM lookup WHERE key = ?1 AND ?2 = '' AND ?3 = 0 \
                 ORDER BY value, holder LIMIT ?4 OFFSET ?5",
                "",
                0,
                skip,
            ),
            From::Behind(place) if descending => (
                "SELECT value, resource FROM lookup WHERE key = ?1 AND (value, holder) <= (?2, ?3) \
                 AND (value, resource) < (?2, ?3) \
                 ORDER BY value DESC, holder DESC LIMIT ?4 OFFSET ?5",
                text(&place.key),
                place.seq,
                0,
            ),
            From::Behind(place) => (
                "SELECT value, resource FROM lookup WHERE key = ?1 AND (value, holder) > (?2, ?3) \
                 ORDER BY value, holder LIMIT ?4 OFFSET ?5",
                text(&place.key),
                place.seq,
                0,
            ),
        };
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query((key, value, seq, bound(take), bound(skip)))?;
        let mut places = Vec::new();
        while let Some(row) = rows.next()? {
            places.push(Place { key: SortKey::Text(row.get(0)?), seq: row.get(1)? });
        }
        Ok(places)
    }

    /// Resources without a value. No index holds what is absent: they are found by their own list of keys.
    fn without(&self, ty: i64, key: Option<i64>, descending: bool, from: From<'_>, take: u64) -> Result<Vec<Place>> {
        let (mut low, mut high) = (ty << TYPE_BITS, (ty + 1) << TYPE_BITS);
        let mut skip = match from {
            From::Skip(skip) => skip,
            From::Behind(place) => {
                if descending {
                    high = high.min(place.seq);
                } else {
                    low = low.max(place.seq);
                }
                0
            }
        };
        let sql = if descending {
            "SELECT seq, keys FROM resource WHERE seq > ?1 AND seq < ?2 ORDER BY seq DESC"
        } else {
            "SELECT seq, keys FROM resource WHERE seq > ?1 AND seq < ?2 ORDER BY seq"
        };
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query((low, high))?;
        let (mut places, mut looked) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            looked += 1;
            self.deadline.check(looked)?;
            let keys = row.get_ref(1)?.as_blob().map_err(|_| super::ids::corrupt("a resource's list of keys"))?;
            if decode(keys)?.iter().any(|entry| Some(entry.key) == key) {
                continue;
            }
            if skip > 0 {
                skip -= 1;
                continue;
            }
            places.push(Place::of(row.get(0)?));
            if places.len() as u64 == take {
                break;
            }
        }
        Ok(places)
    }
}

fn text(key: &SortKey) -> &str {
    match key {
        SortKey::Text(text) => text,
        SortKey::Flag(_) | SortKey::Number(_) | SortKey::Instant(_) | SortKey::Missing => "",
    }
}

fn blocks(ty: i64) -> (i64, i64) {
    (ty << (TYPE_BITS - BLOCK_BITS), (ty + 1) << (TYPE_BITS - BLOCK_BITS))
}

/// How many resources of a type there are.
pub(super) fn total(conn: &Connection, ty: i64) -> Result<u64> {
    let mut statement = conn.prepare_cached("SELECT coalesce(sum(count), 0) FROM block WHERE id >= ?1 AND id < ?2")?;
    Ok(statement.query_row(blocks(ty), |row| row.get::<_, i64>(0)).map(|many| u64::try_from(many).unwrap_or(0))?)
}
