//! Pages of resources.

use super::candidates::Choice;
use super::names::Sort;
use super::page::{Cut, Cutter, Place};
use super::sorted::{Order, Walk};
use super::turn::{Shared, TYPE_BITS, type_of};
use super::{members, views};
use crate::change::Stored;
use crate::error::{Result, StoreError};
use crate::query::{ListPage, ListRequest, View};
use gateway_domain::{SourceId, index};
use rusqlite::Connection;
use scim::{AttrPath, Doc, Member, Meta, ResourceType, SortKey, Type};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most matches that are sorted in memory: about 30 MB.
const SORTED: usize = 250_000;
/// A page of at most so many whole resources is read on the caller's thread.
const SHORT: u32 = 256;

/// When a query gives up.
pub(super) struct Deadline(Instant);

impl Deadline {
    /// After so long from now.
    pub(super) fn after(budget: Duration) -> Self {
        Self(Instant::now() + budget)
    }

    /// Looks at the clock once in a while.
    pub(super) fn check(&self, done: usize) -> Result<()> {
        if done.is_multiple_of(64) && Instant::now() > self.0 { Err(StoreError::TooSlow) } else { Ok(()) }
    }
}

/// How long a page that should be cheap may take on the caller's thread before it goes to another one.
pub(super) const INLINE: Duration = Duration::from_millis(5);

/// Whether a page should be so cheap that it is read where it is asked for.
pub(super) fn quick(request: &ListRequest) -> bool {
    let light = request.count <= SHORT && !request.needs.members;
    match (&request.filter, &request.sort) {
        (None, None) => light,
        (Some(filter), None) => {
            let few = |ty: &Arc<ResourceType>| Choice::of(filter, ty, &request.source).is_some_and(|way| way.few());
            light && request.types.iter().all(few)
        }
        (_, Some(_)) => false,
    }
}

/// A page, see [`crate::Store::list`].
pub(super) fn list(conn: &Connection, shared: &Shared, request: &ListRequest, budget: Duration) -> Result<ListPage> {
    let deadline = Deadline::after(budget);
    // A type of which nothing was ever stored has no number.
    let mut types: Vec<(i64, &Arc<ResourceType>)> = request
        .types
        .iter()
        .filter_map(|ty| shared.names.id(Sort::Type, &ty.name).map(|number| (number, ty)))
        .collect();
    types.sort_by_key(|(number, _)| *number);
    types.dedup_by_key(|(number, _)| *number);
    let listing = Listing { conn, shared, request, deadline, types, found: RefCell::default() };
    let cut = listing.cut()?;
    listing.page(cut)
}

struct Listing<'a> {
    conn: &'a Connection,
    shared: &'a Shared,
    request: &'a ListRequest,
    deadline: Deadline,
    types: Vec<(i64, &'a Arc<ResourceType>)>,
    /// What an index led to and the filter let pass, so that the page need not read it a second time. No more than a page's
    /// worth.
    found: RefCell<HashMap<i64, Stored>>,
}

impl Listing<'_> {
    fn cut(&self) -> Result<Cut> {
        let request = self.request;
        let descending = request.sort.as_ref().is_some_and(|sort| sort.descending);
        if let Some(order) = self.held_order() {
            let walk = Walk { conn: self.conn, deadline: &self.deadline, order, descending };
            return walk.cut(&request.page, request.count);
        }
        let mut cutter = Cutter::new(&request.page, descending, request.count);
        let mut sorted: Vec<Place> = Vec::new();
        for (number, ty) in &self.types {
            self.matching(*number, ty, &mut |place| {
                if request.sort.is_none() {
                    cutter.offer(place);
                } else if sorted.len() < SORTED {
                    sorted.push(place);
                } else {
                    return Err(StoreError::TooSlow);
                }
                Ok(())
            })?;
        }
        sorted.sort_unstable_by(|a, b| a.compare(b, descending));
        sorted.into_iter().for_each(|place| cutter.offer(place));
        Ok(cutter.finish())
    }

    /// The order of the whole, where the tables hold it.
    fn held_order(&self) -> Option<Order> {
        match (&self.request.filter, &self.request.sort) {
            (None, None) => Some(Order::Created(self.types.iter().map(|(number, _)| *number).collect())),
            (None, Some(sort)) => {
                let [(number, ty)] = self.types.as_slice() else { return None };
                let key = single(ty, &sort.by, &self.request.source)?;
                Some(Order::Key { ty: *number, key: self.shared.names.id(Sort::Key(*number), &key) })
            }
            (Some(_), _) => None,
        }
    }

    /// Hands over each resource of a type that matches, in order of creation.
    fn matching(&self, number: i64, ty: &ResourceType, take: &mut dyn FnMut(Place) -> Result<()>) -> Result<()> {
        let reader = Reader::new(self, ty);
        let choice = self.request.filter.as_ref().and_then(|filter| Choice::of(filter, ty, &self.request.source));
        let mut looked = 0;
        let by_index = choice.is_some();
        let mut judge = |seq: i64, mut stored: Stored| {
            looked += 1;
            self.deadline.check(looked)?;
            let Some(place) = reader.judge(seq, &mut stored)? else { return Ok(()) };
            let mut found = self.found.borrow_mut();
            if by_index && found.len() < self.request.count as usize {
                found.insert(seq, stored);
            }
            take(place)
        };
        if let Some(choice) = choice {
            let mut statement = self.conn.prepare_cached(
                "SELECT seq, id, version, created, modified, external, attrs FROM resource WHERE seq = ?1",
            )?;
            for seq in choice.seqs(self.conn, self.shared, number, &self.deadline)? {
                let mut rows = statement.query([seq])?;
                if let Some(row) = rows.next()? {
                    let (seq, stored) = views::stored(row, &ty.name)?;
                    judge(seq, stored)?;
                }
            }
            return Ok(());
        }
        let mut statement = self.conn.prepare_cached(
            "SELECT seq, id, version, created, modified, external, attrs FROM resource \
             WHERE seq > ?1 AND seq < ?2 ORDER BY seq",
        )?;
        let mut rows = statement.query((number << TYPE_BITS, (number + 1) << TYPE_BITS))?;
        while let Some(row) = rows.next()? {
            let (seq, stored) = views::stored(row, &ty.name)?;
            judge(seq, stored)?;
        }
        Ok(())
    }

    fn page(&self, cut: Cut) -> Result<ListPage> {
        let mut items: Vec<View> = Vec::with_capacity(cut.places.len());
        let mut statement = self.conn.prepare_cached(
            "SELECT seq, id, version, created, modified, external, attrs FROM resource WHERE seq = ?1",
        )?;
        for place in &cut.places {
            self.deadline.check(items.len())?;
            if let Some(stored) = self.found.borrow_mut().remove(&place.seq) {
                items.push(views::complete(self.conn, self.shared, place.seq, stored, self.request.needs)?);
                continue;
            }
            let mut rows = statement.query([place.seq])?;
            let Some(row) = rows.next()? else { continue };
            let ty = self.types.iter().find(|(number, _)| *number == type_of(place.seq));
            let (seq, stored) = views::stored(row, ty.map_or("", |(_, ty)| &ty.name))?;
            items.push(views::complete(self.conn, self.shared, seq, stored, self.request.needs)?);
        }
        let edge = |there: bool, place: Option<&Place>| place.filter(|_| there).map(Place::position);
        Ok(ListPage {
            items,
            total: cut.total,
            next: edge(cut.after, cut.places.last()),
            previous: edge(cut.before, cut.places.first()),
        })
    }
}

/// The index key that holds the sort order of an attribute: one with a single value, whose texts are what is compared.
fn single(ty: &ResourceType, path: &AttrPath, source: &SourceId) -> Option<String> {
    let found = ty.resolve(path)?;
    let plain = !found.attribute.multi && found.leaf().ty == Type::String;
    // A multi-valued attribute has several entries, and only one of them is sorted by.
    plain.then(|| index::key(ty, path, source)).flatten()
}

/// Looks at resources of one type the way a filter and a sort order do.
struct Reader<'a> {
    listing: &'a Listing<'a>,
    ty: &'a ResourceType,
    external: bool,
    groups: bool,
    members: bool,
}

impl<'a> Reader<'a> {
    fn new(listing: &'a Listing<'a>, ty: &'a ResourceType) -> Self {
        let request = listing.request;
        let named = |name: &str| {
            request.filter.as_ref().is_some_and(|filter| filter.names(name))
                || request.sort.as_ref().is_some_and(|sort| sort.by.name.eq_ignore_ascii_case(name))
        };
        Self {
            listing,
            ty,
            external: named("externalId"),
            groups: named("groups"),
            members: named("members") && ty.accepts_members(),
        }
    }

    /// Its place, when it matches. The resource is as before afterwards.
    fn judge(&self, seq: i64, stored: &mut Stored) -> Result<Option<Place>> {
        let Listing { conn, shared, request, .. } = self.listing;
        if self.external
            && let Some(external) = stored.external_ids.get(&request.source)
        {
            stored.attrs.insert("externalId".into(), Value::String(external.clone()));
        }
        if self.groups {
            let groups = members::groups_of(conn, seq)?;
            let groups = groups.into_iter().map(|group| {
                let how = if group.direct { "direct" } else { "indirect" };
                json!({ "value": group.id, "display": group.display, "type": how })
            });
            stored.attrs.insert("groups".into(), groups.collect());
        }
        let members: Vec<Member> = if self.members {
            let mut type_name = |number| shared.names.text(Sort::Type, number);
            let rows = members::members_of(conn, seq, &mut type_name)?;
            rows.into_iter()
                .map(|row| Member { value: row.id.to_string(), display: row.display, kind: Some(row.ty) })
                .collect()
        } else {
            Vec::new()
        };
        let version = format!("W/\"{}\"", stored.version);
        // The base URL is not known here; a filter on `meta.location` finds nothing.
        let meta = Meta { created: stored.created, last_modified: stored.modified, location: "", version: &version };
        let doc = Doc { id: stored.id.as_str(), attrs: &stored.attrs, meta, members: &members };
        let hit = request.filter.as_ref().is_none_or(|filter| scim::matches(filter, self.ty, &doc));
        let place = hit.then(|| Place { key: self.key(&doc), seq });
        // What was put in for the filter is each caller's own or kept as rows.
        for (put_in, name) in [(self.external, "externalId"), (self.groups, "groups")] {
            if put_in {
                stored.attrs.remove(name);
            }
        }
        Ok(place)
    }

    fn key(&self, doc: &Doc<'_>) -> SortKey {
        match &self.listing.request.sort {
            Some(sort) => SortKey::of(&sort.by, self.ty, doc),
            None => SortKey::Missing,
        }
    }
}
