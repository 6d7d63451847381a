//! Reading: one record by id, records by natural key, an account's groups.

use crate::config::Memberships;
use crate::{
    connector::ScimConnector,
    exchange::{Answer, Exchange},
    page::{self, Place},
    plan::{GROUP, KindPlan, Plan, Sort},
    record,
    search::{Way, agrees},
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
        let mut found: Vec<Entitlement> = Vec::new();
        self.pages(cx, plan, group, Some(&filter), |page| {
            for raw in page {
                match record::id_of(raw) {
                    // By index the last resource of a page is seen twice.
                    Some(id) if found.iter().any(|other| other.value.as_str() == id) => {}
                    Some(id) => found.push(Entitlement::new(GROUP, id)),
                    None => record.incomplete = true,
                }
            }
            Ok(())
        })
        .await?;
        record.entitlements.get_or_insert_default().append(&mut found);
        Ok(())
    }

    /// Reads a search, or the whole list, page by page.
    async fn pages(
        &self,
        cx: &Ctx,
        plan: &Plan,
        kind: &KindPlan,
        filter: Option<&Filter>,
        mut take: impl FnMut(&[Json]) -> Result<()> + Send,
    ) -> Result<()> {
        let exchange = self.exchange(cx);
        let most = if filter.is_some() { PAGES } else { plan.search.scan_pages() };
        let mut cursor: Option<Cursor> = None;
        for _ in 0..most {
            let place = page::place(cursor.as_ref(), plan.by_cursor)?;
            let body = ask(&exchange, plan, kind, &place, plan.page, filter).await?;
            let read = page::read(&place, &body, record::id_of)?;
            let (next, whole) = (read.next, read.whole);
            take(listed(&body)?)?;
            if !whole {
                return Err(ConnError::transient("the list changed while it was read").effect(Effect::None));
            }
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
        Err(ConnError::unknown(format!("more than {most} pages ({})", label(kind, false))).effect(Effect::None))
    }

    /// All records with this natural key, in whatever state.
    pub(crate) async fn search(
        &self,
        cx: &Ctx,
        plan: &Plan,
        kind: &KindPlan,
        key: &BTreeMap<String, Value>,
    ) -> Result<Vec<Record>> {
        let way = plan.search.way(kind, key)?;
        let way = way.ok_or_else(|| ConnError::unsupported("the server cannot be searched by this key"))?;
        self.along(cx, plan, kind, key, &way).await
    }

    /// The records with this natural key that a way leads to.
    async fn along(
        &self,
        cx: &Ctx,
        plan: &Plan,
        kind: &KindPlan,
        key: &BTreeMap<String, Value>,
        way: &Way,
    ) -> Result<Vec<Record>> {
        let partial = kind.sort == Sort::Account && !self.config.account.lists_whole;
        // What a partial list does not show is looked for in the whole resource.
        let hidden: Vec<String> = if partial { key.keys().cloned().collect() } else { way.compared.clone() };
        let mut found: Vec<Record> = Vec::new();
        self.pages(cx, plan, kind, way.filter.as_ref(), |page| {
            for raw in page {
                let lost = || ConnError::unknown("a resource without id was found").effect(Effect::None);
                let record = record::read(plan, kind, raw, None).ok_or_else(lost)?;
                // By index the last resource of a page is seen twice.
                if agrees(kind, &record, key, &hidden) && found.iter().all(|other| other.id != record.id) {
                    found.push(record);
                }
            }
            Ok(())
        })
        .await?;
        let mut whole = Vec::with_capacity(found.len());
        for mut record in found {
            if partial {
                // Gone between the search and the reading: then it is not there.
                let Some(fetched) = self.fetch(cx, plan, kind, &record.id).await? else { continue };
                record = fetched.record;
                if !agrees(kind, &record, key, &way.compared) {
                    continue;
                }
            }
            self.complete(cx, plan, kind, &mut record).await?;
            whole.push(record);
        }
        Ok(whole)
    }

    /// The first record that has one of these natural keys of `attrs`.
    pub(crate) async fn taken_by(
        &self,
        cx: &Ctx,
        plan: &Plan,
        kind: &KindPlan,
        attrs: &Attrs,
        keys: &[Vec<String>],
    ) -> Result<Option<NativeId>> {
        for set in keys {
            let key: BTreeMap<String, Value> =
                set.iter().filter_map(|name| Some((name.clone(), attrs.get(name)?.first()?.clone()))).collect();
            if key.len() == set.len()
                && plan.search.can(&kind.attrs, set)
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
        let Some(value) = attrs.get(mark).and_then(|values| values.first()) else { return Ok(None) };
        if !plan.search.can(&kind.attrs, &[mark.to_owned()]) {
            return Ok(None);
        }
        let key = BTreeMap::from([(mark.to_owned(), value.clone())]);
        let unasked = plan.search.way(kind, &key)?.is_some_and(|way| way.filter.is_none());
        let mut found = match plan.search.hint(kind, attrs).filter(|_| unasked) {
            // What the create carried is what the account is likely to have still.
            Some(hint) => self.along(cx, plan, kind, &key, &hint).await?,
            None => Vec::new(),
        };
        if found.is_empty() {
            found = self.search(cx, plan, kind, &key).await?;
        }
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
