//! Reading: one record by id, records by natural key, lists over several pages.

use crate::{
    connector::{PAGE_SIZE, RestConnector, unsupported},
    page,
    plan::{KindPlan, Search},
    record,
    template::{Filling, Request},
};
use connector_declared::wire;
use connector_expr::Vars;
use connector_spi::{Attrs, Class, ConnError, Ctx, Effect, NativeId, Record, Result, Value};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// Most pages that one look-up or one list of entitlements may have.
const PAGES: u32 = 50;

/// A record as it came, with the document it was read from.
pub(crate) struct Fetched {
    pub(crate) record: Record,
    pub(crate) raw: Json,
}

impl RestConnector {
    pub(crate) async fn fetch(&self, cx: &Ctx, kind: &KindPlan, id: &NativeId) -> Result<Option<Fetched>> {
        let request = kind.get.as_ref().ok_or_else(|| unsupported(kind, "be read by id"))?;
        let answer = match self.ask(cx, Some(kind), request, json!({"id": id.as_str()})).await {
            Ok(answer) => answer,
            Err(error) if error.class == Class::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(raw) = request.config.record_at.read(&answer.body).cloned() else { return Ok(None) };
        let record = record::read(kind, &raw, answer.etag()).ok_or_else(|| {
            ConnError::unknown(format!("the answer holds no record ({})", request.label)).effect(Effect::None)
        })?;
        if record.id != *id {
            let message = format!("the answer holds another record than the one asked for ({})", request.label);
            return Err(ConnError::unknown(message).effect(Effect::None));
        }
        Ok(Some(Fetched { record, raw }))
    }

    /// Reads the entitlements that have requests of their own. A type that cannot be read makes the record incomplete.
    pub(crate) async fn complete(&self, cx: &Ctx, kind: &KindPlan, fetched: &mut Fetched) -> Result<()> {
        if fetched.record.entitlements.is_some() {
            return Ok(());
        }
        let mut found = Vec::new();
        for (name, entitlement) in &kind.entitlements {
            let Some(read) = &entitlement.config.read else {
                fetched.record.incomplete = true;
                continue;
            };
            let documents = match &entitlement.read {
                None => vec![fetched.raw.clone()],
                Some(request) => {
                    let vars = json!({"id": fetched.record.id.as_str()});
                    let count = |body: &Json| read.at.read(body).and_then(Json::as_array).map_or(0, Vec::len);
                    self.pages(cx, kind, request, vars, &read.pages, count).await?
                }
            };
            for document in documents {
                match record::entitlements(name, read, &document) {
                    Some(more) => found.extend(more),
                    None => fetched.record.incomplete = true,
                }
            }
        }
        fetched.record.entitlements = Some(found);
        Ok(())
    }

    /// All pages of an answer; `count` says how many records a page has.
    async fn pages(
        &self,
        cx: &Ctx,
        kind: &KindPlan,
        request: &Request,
        vars: Json,
        pages: &crate::config::Pages,
        count: impl Fn(&Json) -> usize,
    ) -> Result<Vec<Json>> {
        let exchange = self.exchange(cx);
        let vars = Vars::new(vars);
        let mut found = Vec::new();
        let mut cursor = None;
        for _ in 0..PAGES {
            let mut ready = request.fill(exchange.base(), &Filling { vars: &vars, sending: &[], record: None })?;
            page::ask(pages, &mut ready.url, exchange.base(), cursor.as_ref(), PAGE_SIZE)?;
            let asked = ready.url.clone();
            let answer = exchange.read(Some(kind), request, ready).await?;
            let page = page::Page {
                body: &answer.body,
                link: answer.response.header("link"),
                count: count(&answer.body) as u64,
                total: None,
            };
            let next = page::next(pages, &asked, exchange.base(), cursor.as_ref(), &page)?;
            found.push(answer.body);
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(found),
            }
        }
        Err(ConnError::unknown(format!("more than {PAGES} pages ({})", request.label)).effect(Effect::None))
    }

    pub(crate) async fn search(
        &self,
        cx: &Ctx,
        kind: &KindPlan,
        search: &Search,
        key: &BTreeMap<String, Value>,
    ) -> Result<Vec<Record>> {
        let wired: serde_json::Map<_, _> = key.iter().map(|(name, value)| (name.clone(), wire(value))).collect();
        let count = |body: &Json| listed(search, body).len();
        let answers = match self.pages(cx, kind, &search.request, json!({"key": wired}), &search.pages, count).await {
            Err(error) if error.class == Class::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut found = Vec::new();
        for body in &answers {
            for raw in listed(search, body) {
                let lost = || ConnError::unknown("a record without id was found").effect(Effect::None);
                let mut fetched = Fetched { record: record::read(kind, raw, None).ok_or_else(lost)?, raw: raw.clone() };
                if !agrees(kind, &fetched.record, key) {
                    continue;
                }
                if search.then_get {
                    let id = fetched.record.id.clone();
                    // Gone between the search and the reading: then it is not there.
                    let Some(whole) = self.fetch(cx, kind, &id).await? else { continue };
                    fetched = whole;
                }
                self.complete(cx, kind, &mut fetched).await?;
                found.push(fetched.record);
            }
        }
        Ok(found)
    }

    /// The first record that has one of the natural keys of `attrs`.
    pub(crate) async fn taken_by(&self, cx: &Ctx, kind: &KindPlan, attrs: &Attrs) -> Result<Option<NativeId>> {
        for search in &kind.find {
            let key: BTreeMap<String, Value> =
                search.key.iter().filter_map(|name| Some((name.clone(), attrs.get(name)?.first()?.clone()))).collect();
            if key.len() == search.key.len()
                && let Some(record) = self.search(cx, kind, search, &key).await?.into_iter().next()
            {
                return Ok(Some(record.id));
            }
        }
        Ok(None)
    }
}

fn listed<'b>(search: &Search, body: &'b Json) -> Vec<&'b Json> {
    match &search.items {
        Some(items) => {
            items.read(body).and_then(Json::as_array).map(|items| items.iter().collect()).unwrap_or_default()
        }
        None => search.request.config.record_at.read(body).into_iter().collect(),
    }
}

/// Whether a record that a search found has the key: a search may be looser than it looks. What a record does not show is
/// not held against it.
fn agrees(kind: &KindPlan, record: &Record, key: &BTreeMap<String, Value>) -> bool {
    key.iter().all(|(name, wanted)| {
        let exact = kind.config.attributes.get(name).is_some_and(|attribute| attribute.case_exact);
        record.attrs.get(name).is_none_or(|held| {
            held.iter().any(|value| match (value, wanted) {
                (Value::Text(one), Value::Text(other)) if !exact => one.to_lowercase() == other.to_lowercase(),
                (one, other) => one == other,
            })
        })
    })
}
