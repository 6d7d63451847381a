//! Names that occur in many rows, as small numbers.
//!
//! They are few (resource types, sources, targets, kinds, index keys) and never go, so all of them stay in memory. A new one is
//! written by a turn of its own before the change that needs it: a number is known only when it is durable, and no change
//! that fails can take one back.

use crate::error::{Result, StoreError};
use rusqlite::Connection;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// What a name names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Sort {
    /// A resource type.
    Type,
    /// A source.
    Source,
    /// A target.
    Target,
    /// A target's kind of object.
    Kind,
    /// An index key of the type of this number.
    Key(i64),
}

impl Sort {
    fn number(self) -> i64 {
        match self {
            Sort::Type => 1,
            Sort::Source => 2,
            Sort::Target => 3,
            Sort::Kind => 4,
            // Every type has its own keys, so that `User.displayName` and `Group.displayName` stay apart.
            Sort::Key(ty) => 1_000 + ty,
        }
    }

    fn of_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Sort::Type),
            2 => Some(Sort::Source),
            3 => Some(Sort::Target),
            4 => Some(Sort::Kind),
            key if key > 1_000 => Some(Sort::Key(key - 1_000)),
            _ => None,
        }
    }

    /// The highest number: what `resource.seq` and `assertion.id` have bits for.
    fn limit(self) -> i64 {
        match self {
            Sort::Type => 2_047,
            Sort::Source => 4_095,
            Sort::Target | Sort::Kind | Sort::Key(_) => 1_000_000,
        }
    }
}

/// A name with what it names.
pub(super) type Name = (Sort, String);

#[derive(Default)]
struct Known {
    ids: HashMap<Sort, HashMap<String, i64>>,
    texts: HashMap<(Sort, i64), Arc<str>>,
    keys: i64,
}

/// All names.
#[derive(Default)]
pub(super) struct Names(RwLock<Known>);

impl Names {
    /// Reads them.
    pub(super) fn load(conn: &Connection) -> Result<Self> {
        let names = Names::default();
        let mut rows = conn.prepare("SELECT sort, id, text FROM name")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            if let Some(sort) = Sort::of_number(row.get(0)?) {
                names.publish(&[((sort, row.get(2)?), row.get(1)?)]);
            }
        }
        Ok(names)
    }

    /// The number of a name.
    pub(super) fn id(&self, sort: Sort, text: &str) -> Option<i64> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).ids.get(&sort)?.get(text).copied()
    }

    /// The name of a number.
    pub(super) fn text(&self, sort: Sort, id: i64) -> Result<Arc<str>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.texts.get(&(sort, id)).cloned().ok_or_else(|| StoreError::Corrupt("a name's number is unknown".into()))
    }

    /// All names of a sort.
    pub(super) fn all(&self, sort: Sort) -> Vec<(i64, Arc<str>)> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.texts.iter().filter(|((of, _), _)| *of == sort).map(|((_, id), text)| (*id, text.clone())).collect()
    }

    /// Gives new names their numbers and writes them; they count once they are [`Names::publish`]ed.
    ///
    /// `before` are those that the same transaction gave already.
    pub(super) fn write(&self, conn: &Connection, new: &[Name], before: &[(Name, i64)]) -> Result<Vec<(Name, i64)>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut given: Vec<(Name, i64)> = Vec::new();
        let mut next: HashMap<Sort, i64> = HashMap::new();
        let mut keys = known.keys;
        for ((sort, _), id) in before {
            match sort {
                Sort::Key(_) => keys = keys.max(*id),
                _ => *next.entry(*sort).or_default() = *id,
            }
        }
        for (sort, text) in new {
            let there = known.ids.get(sort).is_some_and(|ids| ids.contains_key(text));
            if there || before.iter().chain(&given).any(|((s, t), _)| s == sort && t == text) {
                continue;
            }
            let id = if matches!(sort, Sort::Key(_)) {
                // Keys of all types are counted together: the look-up table tells them apart by this number alone.
                keys += 1;
                keys
            } else {
                let taken = || known.ids.get(sort).map_or(0, |ids| ids.values().copied().max().unwrap_or(0));
                let id = next.entry(*sort).or_insert_with(taken);
                *id += 1;
                *id
            };
            if id > sort.limit() {
                return Err(StoreError::Unavailable("there are too many different names".into()));
            }
            conn.prepare_cached("INSERT INTO name (sort, id, text) VALUES (?1, ?2, ?3)")?.execute((
                sort.number(),
                id,
                text,
            ))?;
            given.push(((*sort, text.clone()), id));
        }
        Ok(given)
    }

    /// Makes written names known.
    pub(super) fn publish(&self, given: &[(Name, i64)]) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for ((sort, text), id) in given {
            if matches!(sort, Sort::Key(_)) {
                known.keys = known.keys.max(*id);
            }
            known.ids.entry(*sort).or_default().insert(text.clone(), *id);
            known.texts.insert((*sort, *id), text.as_str().into());
        }
    }
}
