//! Reading: one record by id, records by natural key, over several pages.

use crate::{
    config::{Pages, Place},
    connector::{PAGE_SIZE, SoapConnector, unsupported},
    document::Element,
    exchange::Answer,
    plan::{KindPlan, Search},
    request::Request,
    template::Filling,
};
use connector_declared::wire;
use connector_spi::{Attrs, Class, ConnError, Ctx, Cursor, Effect, NativeId, Record, Result, Value};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// Most pages that one look-up may have.
const PAGES: u32 = 50;

impl SoapConnector {
    /// One record by id.
    pub(crate) async fn fetch(&self, cx: &Ctx, kind: &KindPlan, id: &NativeId) -> Result<Option<Record>> {
        let request = kind.get.as_ref().ok_or_else(|| unsupported(kind, "be read by id"))?;
        let answer = match self.exchange(cx).read(request, &self.filling(cx, id)).await {
            Ok(answer) => answer,
            Err(error) if error.class == Class::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(raw) = self.items(request, &answer).first().copied().cloned() else { return Ok(None) };
        let record = self.plan.reader.record(kind, &raw).ok_or_else(|| {
            ConnError::unknown(format!("the answer holds no record ({})", request.label)).effect(Effect::None)
        })?;
        if record.id != *id {
            let message = format!("the answer holds another record than the one asked for ({})", request.label);
            return Err(ConnError::unknown(message).effect(Effect::None));
        }
        Ok(Some(record))
    }

    /// The elements at a request's `record_at`.
    pub(crate) fn items<'a>(&self, request: &Request, answer: &'a Answer) -> Vec<&'a Element> {
        if answer.payload == Element::default() {
            return Vec::new();
        }
        self.plan.reader.names.elements(&request.config.record_at, &answer.payload)
    }

    /// All records with a natural key.
    pub(crate) async fn search(
        &self,
        cx: &Ctx,
        kind: &KindPlan,
        search: &Search,
        key: &BTreeMap<String, Value>,
    ) -> Result<Vec<Record>> {
        let wired: Map<String, Json> = key.iter().map(|(name, value)| (name.clone(), wire(value))).collect();
        let filling = Filling::new(json!({"key": wired, "op": &*cx.op_id}));
        let mut found = Vec::new();
        let mut cursor = None;
        for _ in 0..PAGES {
            let page = filling.with([("page", page(&search.pages, cursor.as_ref(), PAGE_SIZE)?)]);
            let answer = match self.exchange(cx).read(&search.request, &page).await {
                Err(error) if error.class == Class::NotFound => return Ok(found),
                other => other?,
            };
            let items = self.items(&search.request, &answer);
            for raw in &items {
                let lost = || ConnError::unknown("a record without id was found").effect(Effect::None);
                let mut record = self.plan.reader.record(kind, raw).ok_or_else(lost)?;
                if search.then_get {
                    // Gone between the search and the reading: then it is not there.
                    let Some(whole) = self.fetch(cx, kind, &record.id).await? else { continue };
                    record = whole;
                }
                if agrees(kind, &record, key) {
                    found.push(record);
                }
            }
            let next_at = self.mark(&search.pages, &answer);
            match next(&search.pages, cursor.as_ref(), items.len(), None, next_at)? {
                Some(further) => cursor = Some(further),
                None => return Ok(found),
            }
        }
        Err(ConnError::unknown(format!("more than {PAGES} pages ({})", search.request.label)).effect(Effect::None))
    }

    /// The mark of the next page, where pages have marks.
    pub(crate) fn mark(&self, pages: &Pages, answer: &Answer) -> Option<String> {
        let at: &Place = match pages {
            Pages::Cursor { next_at } => next_at,
            Pages::One {} | Pages::Offset { .. } => return None,
        };
        self.plan.reader.text(at, &answer.payload).filter(|text| !text.is_empty())
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

/// The variable `page`.
///
/// # Errors
/// `Invalid` for a cursor that this listing cannot have given.
pub(crate) fn page(pages: &Pages, cursor: Option<&Cursor>, size: u32) -> Result<Json> {
    let foreign = || ConnError::invalid("the cursor is not one of this listing");
    match (pages, cursor) {
        (Pages::One {}, Some(_)) => Err(foreign()),
        (Pages::One {}, None) => Ok(json!({"size": size})),
        (Pages::Offset { first }, None) => Ok(json!({"size": size, "offset": first})),
        (Pages::Offset { .. }, Some(cursor)) => {
            let offset: u32 = cursor.as_str().parse().map_err(|_| foreign())?;
            Ok(json!({"size": size, "offset": offset}))
        }
        (Pages::Cursor { .. }, cursor) => Ok(json!({"size": size, "cursor": cursor.map(Cursor::as_str)})),
    }
}

/// Where the next page begins, after one with `count` items; `total` is the number of all, where the target tells.
///
/// # Errors
/// `Unknown` when the answer leads to the page it is: a listing that does not end is not a listing.
pub(crate) fn next(
    pages: &Pages,
    cursor: Option<&Cursor>,
    count: usize,
    total: Option<u64>,
    mark: Option<String>,
) -> Result<Option<Cursor>> {
    let found = match pages {
        Pages::One {} => None,
        Pages::Offset { first } => {
            let at = cursor.and_then(|cursor| cursor.as_str().parse::<u64>().ok()).unwrap_or(*first);
            let seen = at.saturating_sub(*first) + count as u64;
            let all = total.is_some_and(|total| seen >= total);
            (count > 0 && !all).then(|| Cursor((at + count as u64).to_string()))
        }
        Pages::Cursor { .. } => mark.map(Cursor),
    };
    if found.is_some() && found.as_ref() == cursor {
        return Err(ConnError::unknown("the listing leads nowhere").effect(Effect::None));
    }
    Ok(found)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_moves_by_what_came_and_ends_at_the_total_or_at_an_empty_page() {
        let pages = Pages::Offset { first: 1 };
        let after = |cursor: Option<&str>, count, total| {
            next(&pages, cursor.map(Cursor::from).as_ref(), count, total, None).unwrap().map(|cursor| cursor.0)
        };
        assert_eq!(after(None, 50, Some(60)).as_deref(), Some("51"));
        assert_eq!(after(Some("51"), 10, Some(60)), None);
        assert_eq!(after(Some("51"), 10, None).as_deref(), Some("61"));
        assert_eq!(after(Some("61"), 0, None), None);
    }

    #[test]
    fn a_mark_that_stands_still_is_no_listing() {
        let pages = Pages::Cursor { next_at: Place::default() };
        let cursor = Cursor::from("a");
        assert!(next(&pages, Some(&cursor), 1, None, Some("a".into())).is_err());
        assert_eq!(next(&pages, Some(&cursor), 1, None, None).unwrap(), None);
    }

    #[test]
    fn a_cursor_from_elsewhere_is_refused() {
        let foreign = Cursor::from("x");
        assert!(page(&Pages::One {}, Some(&foreign), 10).is_err());
        assert!(page(&Pages::Offset { first: 0 }, Some(&foreign), 10).is_err());
    }
}
