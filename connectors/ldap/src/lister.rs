//! Listing, page by page (RFC 2696).
//!
//! A server keeps the place of a paged search with its connection, so each listing has one of its own between two pages.
//! The cursor also names the last record given: after a restart the listing is walked again up to that record. Where it
//! is gone by then, the listing ends as incomplete, and an incomplete listing removes nothing.

use crate::{
    ber,
    directory::Directory,
    dn::Filter,
    groups,
    pool::Apart,
    read,
    session::{Entry, Found, Query},
    shape,
    subschema::control,
};
use async_trait::async_trait;
use connector_spi::{ConnError, Ctx, Cursor, Kind, Lister, Page, Record, Result};
use ldap3::{Scope, controls::PagedResults, controls::RawControl};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Listings kept open between two pages; the oldest goes first.
const MOST_WALKS: usize = 8;
/// Longest time between two pages.
const IDLE: Duration = Duration::from_secs(120);
/// Longest mark of a place in a listing that is taken from a server. Real ones have a few octets.
const LONGEST_COOKIE: usize = 64 << 10;
/// Records whose entitlements are read at the same time.
const AT_ONCE: usize = 16;

/// Listings under way, by the cursor that goes on with them.
#[derive(Default)]
pub struct Walks(Mutex<HashMap<String, Walk>>);

struct Walk {
    apart: Apart,
    cookie: Vec<u8>,
    since: Instant,
}

impl Walks {
    fn take(&self, cursor: &Cursor) -> Option<Walk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(cursor.as_str()).filter(|walk| walk.apart.usable())
    }

    fn keep(&self, cursor: &Cursor, walk: Walk) {
        let mut walks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        walks.retain(|_, walk| walk.since.elapsed() < IDLE);
        while walks.len() >= MOST_WALKS {
            let oldest = walks.iter().min_by_key(|(_, walk)| walk.since).map(|(cursor, _)| cursor.clone());
            let Some(oldest) = oldest else { break };
            walks.remove(&oldest);
        }
        walks.insert(cursor.0.clone(), walk);
    }
}

/// One page of entries, as the server gave it.
struct Leaf {
    entries: Vec<Entry>,
    next: Option<Vec<u8>>,
    total: Option<u64>,
    complete: bool,
}

#[async_trait]
impl Lister for Directory {
    async fn list(&self, cx: &Ctx, kind: &Kind, cursor: Option<&Cursor>, size: u32) -> Result<Page<Record>> {
        let size = size.clamp(1, self.config.page_size);
        let (mut walk, last) = match cursor.and_then(|cursor| self.walks.take(cursor)) {
            Some(walk) => (walk, None),
            None => {
                let last = cursor.map(last_given).transpose()?;
                (Walk { apart: self.pool.apart(cx).await?, cookie: Vec::new(), since: Instant::now() }, last)
            }
        };
        let mut leaf = self.leaf(cx, kind, &walk, size).await?;
        if let Some(last) = last {
            // Walk again to the record that was given last.
            loop {
                let at = leaf.entries.iter().position(|entry| self.key(kind, entry).as_deref() == Some(&*last));
                if let Some(at) = at {
                    leaf.entries.drain(..=at);
                    break;
                }
                match leaf.next {
                    Some(cookie) => walk.cookie = cookie,
                    None => return Ok(Page { items: Vec::new(), next: None, total_hint: leaf.total, complete: false }),
                }
                leaf = self.leaf(cx, kind, &walk, size).await?;
            }
        }
        let ends_with = leaf.entries.last().and_then(|entry| self.key(kind, entry));
        let ends_with = ends_with.or_else(|| cursor.and_then(|cursor| last_given(cursor).ok()));
        let (items, whole) = self.records(cx, kind, &leaf.entries).await?;
        let next = match (leaf.next, ends_with) {
            (Some(cookie), Some(last)) => {
                let next = Cursor(format!("{}/{last}", self.proofs.random()?));
                self.walks.keep(&next, Walk { cookie, since: Instant::now(), apart: walk.apart });
                Some(next)
            }
            // A first page without a record, and more to come: a cursor cannot say where.
            (Some(_), None) => return Ok(Page { items, next: None, total_hint: leaf.total, complete: false }),
            (None, _) => None,
        };
        Ok(Page { items, next, total_hint: leaf.total, complete: leaf.complete && whole })
    }
}

impl Directory {
    async fn leaf(&self, cx: &Ctx, kind: &Kind, walk: &Walk, size: u32) -> Result<Leaf> {
        let facts = self.facts(cx).await?;
        let (base, tests, wanted) = match shape::entitlement(&self.config, kind) {
            Some(config) => {
                let class = ("objectClass".to_owned(), config.object_class.clone().into_bytes());
                (&config.base, vec![class], read::catalogue_attributes(config))
            }
            None => {
                let shape = self.shape(kind)?;
                (&shape.base, shape.recognised_by(), self.wanted(shape, &facts))
            }
        };
        let filter = if tests.is_empty() { Filter::Present("objectClass".into()) } else { Filter::All(tests) };
        let mut controls = Vec::new();
        if facts.has(control::PAGED) {
            let size = i32::try_from(size).unwrap_or(i32::MAX);
            let mut page = RawControl::from(PagedResults { size, cookie: walk.cookie.clone() });
            page.crit = true;
            controls.push(page);
        }
        let paged = !controls.is_empty();
        let query = Query { base, scope: Scope::Subtree, filter: &filter, attributes: &wanted, limit: 0, controls };
        let mut session = self.pool.resume(&walk.apart, cx);
        let found = session.find(query).await?;
        match found.result.rc {
            0 => Ok(leaf(found, paged)),
            // The server's own limits: what came is true, and not all.
            3 | 4 | 10 | 11 => Ok(Leaf { next: None, complete: false, ..leaf(found, false) }),
            32 => Err(ConnError::config("the base of the listing does not exist").code(32)),
            code => Err(session.refused(code, &found.result, "listing")),
        }
    }

    async fn records(&self, cx: &Ctx, kind: &Kind, entries: &[Entry]) -> Result<(Vec<Record>, bool)> {
        if let Some(config) = shape::entitlement(&self.config, kind) {
            let items: Vec<_> = entries.iter().filter_map(|entry| read::catalogue_record(config, entry)).collect();
            let whole = items.len() == entries.len();
            return Ok((items, whole));
        }
        let (shape, facts) = (self.shape(kind)?, self.facts(cx).await?);
        // Without its lasting id a record cannot be told from another: it is left out, and the page says so.
        let told: Vec<&Entry> = entries.iter().filter(|entry| entry.text(&shape.id).is_some()).collect();
        let whole = told.len() == entries.len();
        let reads = told.into_iter().map(|entry| self.record(cx, shape, &facts, entry)).collect();
        let items = groups::some_at_once(reads, AT_ONCE).await.into_iter().collect::<Result<_>>()?;
        Ok((items, whole))
    }

    /// What tells an entry from others of its kind.
    fn key(&self, kind: &Kind, entry: &Entry) -> Option<String> {
        let attribute = match shape::entitlement(&self.config, kind) {
            Some(config) => &config.value,
            None => &self.shape(kind).ok()?.id,
        };
        entry.text(attribute).map(str::to_owned)
    }
}

fn leaf(found: Found, paged: bool) -> Leaf {
    let control = found.result.ctrls.iter().find(|control| control.1.ctype == control::PAGED);
    let place = control.and_then(|control| ber::paged(control.1.val.as_deref()?));
    let place = place.filter(|(_, cookie)| cookie.len() <= LONGEST_COOKIE);
    let (total, cookie) = place.clone().map_or((0, Vec::new()), |place| place);
    Leaf {
        entries: found.entries,
        next: (!cookie.is_empty()).then_some(cookie),
        total: (total > 0).then_some(total),
        // A server that took a critical control must answer it: without that answer nobody knows whether there is more.
        complete: !found.elsewhere && (!paged || place.is_some()),
    }
}

fn last_given(cursor: &Cursor) -> Result<String> {
    let last = cursor.as_str().split_once('/').map(|(_, last)| last.to_owned());
    last.ok_or_else(|| ConnError::permanent("not a cursor of this connector"))
}
