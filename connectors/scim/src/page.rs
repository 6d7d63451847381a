//! The place in a long list (RFC 7644, section 3.4.2.4; RFC 9865). Pure.
//!
//! Our cursor is `c:` and the server's, or `i:` with the index of the last resource and its id. By index the last resource is
//! asked for again: when another one stands there, something was inserted or deleted, and resources may have been missed.

use crate::path::member;
use connector_spi::{ConnError, Cursor, Effect, Result};
use serde_json::{Map, Value as Json};
use url::Url;

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// By index, at the beginning.
    FirstByIndex,
    /// By index, at the last resource of the page before.
    After { index: u64, id: String },
    /// By cursor; empty at the beginning.
    Cursor(String),
}

/// What a page is.
#[derive(Debug, PartialEq)]
pub(crate) struct Read<'a> {
    pub(crate) resources: Vec<&'a Json>,
    pub(crate) next: Option<Cursor>,
    pub(crate) total: Option<u64>,
    /// Nothing is known to be missing.
    pub(crate) whole: bool,
}

/// Where the page at `cursor` begins.
///
/// # Errors
/// `Invalid` for a cursor that is not one of ours.
pub(crate) fn place(cursor: Option<&Cursor>, by_cursor: bool) -> Result<Place> {
    let foreign = || ConnError::invalid("the cursor is not one of this listing");
    let Some(cursor) = cursor else {
        return Ok(if by_cursor { Place::Cursor(String::new()) } else { Place::FirstByIndex });
    };
    match cursor.as_str().split_once(':').ok_or_else(foreign)? {
        ("c", theirs) if !theirs.is_empty() => Ok(Place::Cursor(theirs.to_owned())),
        ("i", rest) => {
            let (index, id) = rest.split_once(':').ok_or_else(foreign)?;
            let index = index.parse().ok().filter(|index| *index > 0).ok_or_else(foreign)?;
            Ok(Place::After { index, id: id.to_owned() })
        }
        _ => Err(foreign()),
    }
}

/// Asks for a page of at most `size` new resources; the server gives at most `most` (0: it states no limit).
pub(crate) fn ask(place: &Place, url: &mut Url, size: u32, most: u32) {
    let cap = |count: u32| if most == 0 { count } else { count.min(most) }.max(1);
    let mut query = url.query_pairs_mut();
    match place {
        Place::Cursor(theirs) => query.append_pair("cursor", theirs).append_pair("count", &cap(size).to_string()),
        Place::FirstByIndex => query.append_pair("startIndex", "1").append_pair("count", &cap(size).to_string()),
        Place::After { index, .. } => query
            .append_pair("startIndex", &index.to_string())
            .append_pair("count", &cap(size.saturating_add(1)).max(2).to_string()),
    };
}

/// Understands a page.
///
/// # Errors
/// `Unknown` for an answer that is no list, or one that leads to where it is: a listing that does not end is none.
pub(crate) fn read<'a>(place: &Place, body: &'a Json, id: impl Fn(&Json) -> Option<String>) -> Result<Read<'a>> {
    let lost = |why: &str| ConnError::unknown(why).effect(Effect::None);
    let object: &Map<String, Json> = body.as_object().ok_or_else(|| lost("the answer is no list"))?;
    let total = member(object, "totalResults").and_then(Json::as_u64);
    let mut resources: Vec<&Json> = match member(object, "Resources") {
        Some(Json::Array(all)) => all.iter().collect(),
        // A list of nothing may leave them out (RFC 7644, section 3.4.2).
        None | Some(Json::Null) if total.is_none_or(|total| total == 0) || *place != Place::FirstByIndex => Vec::new(),
        _ => return Err(lost("the answer holds no list")),
    };
    let theirs = member(object, "nextCursor").and_then(Json::as_str).filter(|text| !text.is_empty());
    let (mut seen, mut whole) = (0, true);
    if let (Place::After { index, id: last }, None) = (place, theirs) {
        seen = index - 1;
        whole = resources.first().and_then(|first| id(first)).as_ref() == Some(last);
        if whole {
            resources.remove(0);
            seen += 1;
        }
    }
    let next = match (theirs, place) {
        (Some(theirs), Place::Cursor(before)) if theirs == before => return Err(lost("the listing leads nowhere")),
        (Some(theirs), _) => Some(Cursor(format!("c:{theirs}"))),
        (None, Place::Cursor(_)) => None,
        (None, Place::FirstByIndex | Place::After { .. }) => {
            let index = seen + resources.len() as u64;
            match resources.last() {
                // What moved is told, and the listing goes on behind it.
                Some(last) if total.is_none_or(|total| index < total) => {
                    id(last).map(|id| Cursor(format!("i:{index}:{id}")))
                }
                Some(_) => None,
                None => {
                    whole &= total.is_none_or(|total| index >= total);
                    None
                }
            }
        }
    };
    if next.is_none() && *place == Place::FirstByIndex {
        whole &= total.is_none_or(|total| total <= resources.len() as u64);
    }
    Ok(Read { resources, next, total, whole })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn id(raw: &Json) -> Option<String> {
        raw["id"].as_str().map(str::to_owned)
    }

    fn page(ids: &[&str], total: Option<u64>, next: Option<&str>) -> Json {
        let all: Vec<Json> = ids.iter().map(|id| json!({"id": id})).collect();
        json!({"Resources": all, "totalResults": total, "nextCursor": next})
    }

    fn told(cursor: Option<&str>, body: &Json) -> (usize, Option<String>, bool) {
        let cursor = cursor.map(Cursor::from);
        let place = place(cursor.as_ref(), false).unwrap();
        let read = read(&place, body, id).unwrap();
        (read.resources.len(), read.next.map(|next| next.0), read.whole)
    }

    #[test]
    fn a_list_by_index_goes_on_at_the_last_resource_and_ends_at_the_total() {
        assert_eq!(told(None, &page(&["a", "b"], Some(5), None)), (2, Some("i:2:b".into()), true));
        assert_eq!(told(Some("i:2:b"), &page(&["b", "c", "d"], Some(5), None)), (2, Some("i:4:d".into()), true));
        assert_eq!(told(Some("i:4:d"), &page(&["d", "e"], Some(5), None)), (1, None, true));
        assert_eq!(told(None, &page(&[], Some(0), None)), (0, None, true));
    }

    #[test]
    fn a_list_that_slipped_is_not_complete() {
        // Something before was deleted: c stands where b stood.
        assert!(!told(Some("i:2:b"), &page(&["c", "d"], Some(4), None)).2);
        // Fewer than were counted.
        assert_eq!(told(Some("i:2:b"), &page(&[], Some(4), None)), (0, None, false));
        assert_eq!(told(Some("i:2:b"), &page(&["b"], Some(4), None)), (0, None, false));
    }

    #[test]
    fn a_cursor_is_followed_also_where_none_was_asked_for() {
        assert_eq!(told(None, &page(&["a"], None, Some("x:1"))), (1, Some("c:x:1".into()), true));
        assert_eq!(told(Some("c:x:1"), &page(&["b"], None, None)), (1, None, true));
        let place = Place::Cursor("x".into());
        assert!(read(&place, &page(&["b"], None, Some("x")), id).is_err());
    }

    #[test]
    fn what_is_no_list_is_not_taken_for_an_empty_one() {
        for body in [json!([]), json!({"totalResults": 3}), json!({"Resources": {}}), json!(null)] {
            assert!(read(&Place::FirstByIndex, &body, id).is_err(), "{body}");
        }
        for foreign in ["", "x", "i:0:a", "i:-1:a", "c:", "i:a"] {
            assert!(place(Some(&Cursor::from(foreign)), true).is_err(), "{foreign}");
        }
    }

    #[test]
    fn never_more_is_asked_for_than_the_server_gives() {
        let asked = |place: Place, size: u32, most: u32| {
            let mut url = Url::parse("https://scim.example/Users").unwrap();
            ask(&place, &mut url, size, most);
            url.query().unwrap().to_owned()
        };
        assert_eq!(asked(Place::FirstByIndex, 500, 100), "startIndex=1&count=100");
        assert_eq!(asked(Place::After { index: 7, id: "x".into() }, 2, 100), "startIndex=7&count=3");
        assert_eq!(asked(Place::Cursor(String::new()), 2, 0), "cursor=&count=2");
    }
}
