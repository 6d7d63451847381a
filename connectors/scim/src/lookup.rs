//! Reading: one record by id, records by natural key, an account's groups.

use crate::config::Memberships;
use crate::{
    connector::ScimConnector,
    exchange::{Answer, Exchange},
    page::{self, Place},
    path::{Path, text_of},
    plan::{GROUP, KindPlan, Plan, Sort},
    record,
};
use connector_spi::{Attrs, Class, ConnError, Ctx, Cursor, Effect, Entitlement, NativeId, Record, Result, Value};
use scim::{AttrPath, Filter, Literal, Op};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Most pages that one look-up may have.
const PAGES: u32 = 50;

/// A record as it came, with the document it was read from.
pub(crate) struct Fetched {
    pub(crate) record: Record,
    pub(crate) raw: Json,
}

impl ScimConnector {
    /// Reads one resource.
    pub(crate) async fn fetch(&self, cx: &Ctx, plan: &Plan, kind: &KindPlan, id: &NativeId) -> Result<Option<Fetched>> {
        let exchange = self.exchange(cx);
        let Ok(mut url) = exchange.address(&kind.resource.endpoint, Some(id.as_str())) else { return Ok(None) };
        if kind.sort == Sort::GroupCatalogue && plan.excluded {
            url.query_pairs_mut().append_pair("excludedAttributes", "members");
        }
        let Answer { body, etag, .. } = match exchange.read(&label(kind, true), url).await {
            Ok(answer) => answer,
            Err(error) if error.class == Class::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let lost = |why: &str| ConnError::unknown(why).effect(Effect::None);
        let record =
            record::read(plan, kind, &body, etag.as_deref()).ok_or_else(|| lost("the answer holds no resource"))?;
        if record.id != *id {
            return Err(lost("the answer holds another resource than the one asked for"));
        }
        Ok(Some(Fetched { record, raw: body }))
    }

    /// Reads one resource with everything that it holds.
    pub(crate) async fn fetch_whole(
        &self,
        cx: &Ctx,
        plan: &Plan,
        kind: &KindPlan,
        id: &NativeId,
    ) -> Result<Option<Fetched>> {
        let Some(mut fetched) = self.fetch(cx, plan, kind, id).await? else { return Ok(None) };
        self.complete(cx, plan, kind, &mut fetched.record).await?;
        Ok(Some(fetched))
    }

    /// Adds the groups of an account that does not show them itself.
    pub(crate) async fn complete(&self, cx: &Ctx, plan: &Plan, kind: &KindPlan, record: &mut Record) -> Result<()> {
        let group = plan.kinds.get(&GROUP.into());
        let (Sort::Account, Some(Memberships::Groups), Some(group)) = (kind.sort, plan.memberships, group) else {
            return Ok(());
        };
        let filter = Filter::Compare {
            path: AttrPath { urn: None, name: "members".to_owned(), sub: Some("value".to_owned()) },
            op: Op::Eq,
            value: Literal::Text(record.id.0.clone()),
        };
        let mut found = Vec::new();
        for body in self.pages(cx, plan, group, &filter).await? {
            for raw in listed(&body)? {
                match record::id_of(raw) {
                    Some(id) => found.push(Entitlement::new(GROUP, id)),
                    None => record.incomplete = true,
                }
            }
        }
        record.entitlements.get_or_insert_default().append(&mut found);
        Ok(())
    }

    /// All pages of a search.
    async fn pages(&self, cx: &Ctx, plan: &Plan, kind: &KindPlan, filter: &Filter) -> Result<Vec<Json>> {
        let exchange = self.exchange(cx);
        let (mut found, mut cursor): (Vec<Json>, Option<Cursor>) = (Vec::new(), None);
        for _ in 0..PAGES {
            let place = page::place(cursor.as_ref(), plan.by_cursor)?;
            let body = ask(&exchange, plan, kind, &place, plan.page, Some(filter)).await?;
            let read = page::read(&place, &body, record::id_of)?;
            let (next, whole) = (read.next, read.whole);
            found.push(body);
            if !whole {
                return Err(ConnError::transient("the list changed while it was read").effect(Effect::None));
            }
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(found),
            }
        }
        Err(ConnError::unknown(format!("more than {PAGES} pages ({})", label(kind, false))).effect(Effect::None))
    }

    /// All records with this natural key, in whatever state.
    pub(crate) async fn search(
        &self,
        cx: &Ctx,
        plan: &Plan,
        kind: &KindPlan,
        key: &BTreeMap<String, Value>,
    ) -> Result<Vec<Record>> {
        let filter = filter_of(kind, key)?;
        let mut found: Vec<Record> = Vec::new();
        for body in self.pages(cx, plan, kind, &filter).await? {
            for raw in listed(&body)? {
                let lost = || ConnError::unknown("a resource without id was found").effect(Effect::None);
                let mut record = record::read(plan, kind, raw, None).ok_or_else(lost)?;
                // By index the last resource of a page is seen twice.
                if !agrees(kind, &record, key) || found.iter().any(|other| other.id == record.id) {
                    continue;
                }
                if kind.sort == Sort::Account && !self.config.account.lists_whole {
                    // Gone between the search and the reading: then it is not there.
                    let Some(whole) = self.fetch(cx, plan, kind, &record.id).await? else { continue };
                    record = whole.record;
                }
                self.complete(cx, plan, kind, &mut record).await?;
                found.push(record);
            }
        }
        Ok(found)
    }

    /// The first record that has one of the natural keys of `attrs`.
    pub(crate) async fn taken_by(
        &self,
        cx: &Ctx,
        plan: &Plan,
        kind: &KindPlan,
        attrs: &Attrs,
    ) -> Result<Option<NativeId>> {
        for set in &kind.natural_keys {
            let key: BTreeMap<String, Value> =
                set.iter().filter_map(|name| Some((name.clone(), attrs.get(name)?.first()?.clone()))).collect();
            if key.len() == set.len()
                && let Some(record) = self.search(cx, plan, kind, &key).await?.into_iter().next()
            {
                return Ok(Some(record.id));
            }
        }
        Ok(None)
    }

    /// On a later attempt: the account that an earlier one made, known by the gateway's id in it.
    pub(crate) async fn recognise(
        &self,
        cx: &Ctx,
        plan: &Plan,
        kind: &KindPlan,
        attrs: &Attrs,
    ) -> Result<Option<Record>> {
        let mark = if kind.is_group() { "externalId" } else { &self.config.account.owned_mark };
        let Some(value) = attrs.get(mark).and_then(|values| values.first()).filter(|_| plan.filter) else {
            return Ok(None);
        };
        let key = BTreeMap::from([(mark.to_owned(), value.clone())]);
        let mut found = self.search(cx, plan, kind, &key).await?;
        match (found.pop(), found.is_empty()) {
            (Some(record), true) => Ok(Some(record)),
            (Some(_), false) => Err(ConnError::conflict("several resources carry this mark").attribute(mark)),
            (None, _) => Ok(None),
        }
    }
}

/// Asks for one page.
pub(crate) async fn ask(
    exchange: &Exchange<'_>,
    plan: &Plan,
    kind: &KindPlan,
    place: &Place,
    size: u32,
    filter: Option<&Filter>,
) -> Result<Json> {
    let mut url = exchange.address(&kind.resource.endpoint, None)?;
    if let Some(filter) = filter {
        url.query_pairs_mut().append_pair("filter", &filter.to_string());
    }
    if kind.sort == Sort::GroupCatalogue && plan.excluded {
        url.query_pairs_mut().append_pair("excludedAttributes", "members");
    }
    page::ask(place, &mut url, size, plan.page);
    Ok(exchange.read(&label(kind, false), url).await?.body)
}

/// An endpoint in reports: free of values.
pub(crate) fn label(kind: &KindPlan, one: bool) -> String {
    format!("/{}{}", kind.resource.endpoint.join("/"), if one { "/{id}" } else { "" })
}

fn listed(body: &Json) -> Result<&[Json]> {
    let all = body.as_object().and_then(|object| crate::path::member(object, "Resources"));
    Ok(all.and_then(Json::as_array).map_or(&[], Vec::as_slice))
}

/// `eq` and `and` only: some servers know no more.
fn filter_of(kind: &KindPlan, key: &BTreeMap<String, Value>) -> Result<Filter> {
    let mut terms = Vec::with_capacity(key.len());
    for (name, value) in key {
        let attribute = kind.attrs.get(name);
        let attribute = attribute.ok_or_else(|| ConnError::invalid(format!("{name} is no key")).attribute(name))?;
        let literal = match record::wire(name, attribute, value)? {
            Json::String(text) => Literal::Text(text),
            Json::Bool(truth) => Literal::Bool(truth),
            Json::Number(number) => Literal::Number(number),
            Json::Null | Json::Array(_) | Json::Object(_) => Literal::Null,
        };
        terms.push(term(&attribute.path, literal));
    }
    let and = |mut terms: Vec<Filter>| if terms.len() == 1 { terms.pop() } else { Some(Filter::And(terms)) };
    and(terms).ok_or_else(|| ConnError::invalid("a search needs a key"))
}

fn term(path: &Path, value: Literal) -> Filter {
    let attr = |name: &str, sub: Option<&str>| AttrPath {
        urn: path.urn.clone(),
        name: name.to_owned(),
        sub: sub.map(str::to_owned),
    };
    let plain = |name: &str, value: Literal| Filter::Compare { path: AttrPath::name(name), op: Op::Eq, value };
    match (&path.pick, &path.sub) {
        (Some(pick), Some(sub)) => {
            let picked = text_of(&pick.value).map_or(Literal::Null, Literal::Text);
            let picked = pick.value.as_bool().map_or(picked, Literal::Bool);
            let inner = Filter::And(vec![plain(&pick.sub, picked), plain(sub, value)]);
            Filter::ValuePath { path: attr(&path.name, None), inner: Box::new(inner) }
        }
        (_, sub) => Filter::Compare { path: attr(&path.name, sub.as_deref()), op: Op::Eq, value },
    }
}

/// Whether a resource that a search found has the key: a search may be looser than it looks. What a resource does not show is
/// not held against it.
fn agrees(kind: &KindPlan, record: &Record, key: &BTreeMap<String, Value>) -> bool {
    key.iter().all(|(name, wanted)| {
        let exact = kind.attrs.get(name).is_some_and(|attribute| attribute.schema.case_exact);
        record.attrs.get(name).is_none_or(|held| {
            held.iter().any(|value| match (value, wanted) {
                (Value::Text(one), Value::Text(other)) if !exact => one.to_lowercase() == other.to_lowercase(),
                (one, other) => one == other,
            })
        })
    })
}
