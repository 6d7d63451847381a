//! Pages of a long answer. Pure.

use crate::config::Pages;
use connector_spi::{ConnError, Cursor, Result};
use serde_json::Value as Json;
use url::Url;

/// Puts the place and size of a page into the address of a request.
///
/// # Errors
/// `Invalid` for a cursor that this target cannot have given.
pub(crate) fn ask(pages: &Pages, url: &mut Url, base: &Url, cursor: Option<&Cursor>, size: u32) -> Result<()> {
    let foreign = || ConnError::invalid("the cursor is not one of this listing");
    let number = |first: u64| match cursor {
        None => Ok(first),
        Some(cursor) => cursor.as_str().parse::<u64>().map_err(|_| foreign()),
    };
    match pages {
        Pages::One {} if cursor.is_some() => return Err(foreign()),
        Pages::One {} => {}
        Pages::Offset { offset, limit, first } => {
            let at = number(*first)?.to_string();
            url.query_pairs_mut().append_pair(offset, &at).append_pair(limit, &size.to_string());
        }
        Pages::Page { page, limit, first } => {
            let at = number(*first)?.to_string();
            url.query_pairs_mut().append_pair(page, &at).append_pair(limit, &size.to_string());
        }
        Pages::Cursor { cursor: member, limit, .. } => {
            url.query_pairs_mut().append_pair(limit, &size.to_string());
            if let Some(cursor) = cursor {
                url.query_pairs_mut().append_pair(member, cursor.as_str());
            }
        }
        Pages::Link { limit } => match cursor {
            None => {
                url.query_pairs_mut().append_pair(limit, &size.to_string());
            }
            Some(cursor) => *url = below(base, cursor.as_str()).ok_or_else(foreign)?,
        },
    }
    Ok(())
}

/// Where the next page begins, after one with `count` records; `total` is the number of all, where the target tells.
///
/// # Errors
/// `Unknown` when the answer leads to the page it is, or away from the target: a listing that does not end is not a listing.
pub(crate) fn next(
    pages: &Pages,
    asked: &Url,
    base: &Url,
    cursor: Option<&Cursor>,
    answer: &Page<'_>,
) -> Result<Option<Cursor>> {
    let lost = || ConnError::unknown("the listing leads nowhere").effect(connector_spi::Effect::None);
    // A page may hold fewer than were asked for, so only an empty page or a known total says that it was the last.
    let counted = |first: u64, step: u64, seen: u64| {
        let at = cursor.and_then(|cursor| cursor.as_str().parse().ok()).unwrap_or(first);
        let all = answer.total.is_some_and(|total| at.saturating_sub(first) + seen >= total);
        (answer.count > 0 && !all).then(|| Cursor((at + step).to_string()))
    };
    let found = match pages {
        Pages::One {} => None,
        Pages::Offset { first, .. } => counted(*first, answer.count, answer.count),
        Pages::Page { first, .. } if answer.count > 0 => {
            let at = cursor.and_then(|cursor| cursor.as_str().parse::<u64>().ok()).unwrap_or(*first);
            Some(Cursor((at + 1).to_string()))
        }
        Pages::Page { .. } => None,
        Pages::Cursor { next_at, .. } => {
            next_at.read(answer.body).and_then(crate::record::text_of).filter(|text| !text.is_empty()).map(Cursor)
        }
        Pages::Link { .. } => match answer.link.and_then(next_link) {
            None => None,
            Some(target) => {
                let url = asked.join(&target).map_err(|_| lost())?;
                let url = below(base, url.as_str()).ok_or_else(lost)?;
                if url == *asked {
                    return Err(lost());
                }
                Some(Cursor(url.to_string()))
            }
        },
    };
    if found.is_some() && found.as_ref() == cursor {
        return Err(lost());
    }
    Ok(found)
}

/// One page as `next` needs it.
pub(crate) struct Page<'a> {
    pub(crate) body: &'a Json,
    pub(crate) link: Option<&'a str>,
    pub(crate) count: u64,
    pub(crate) total: Option<u64>,
}

/// The address, if it lies below the target's base address.
fn below(base: &Url, text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (url.origin() == base.origin() && url.path().starts_with(base.path()) && url.username().is_empty()).then_some(url)
}

/// The target of the link with `rel="next"` (RFC 8288 section 3).
fn next_link(field: &str) -> Option<String> {
    let mut rest = field;
    while let Some(open) = rest.find('<') {
        let (target, after) = rest.get(open + 1..)?.split_once('>')?;
        let end = after.find(",").map_or(after.len(), |comma| {
            // A comma inside a quoted parameter does not end the link.
            let quoted = after.get(..comma).is_some_and(|text| text.matches('"').count() % 2 == 1);
            if quoted { after.find(", <").unwrap_or(after.len()) } else { comma }
        });
        let (parameters, tail) = after.split_at_checked(end)?;
        let is_next = parameters.split(';').any(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = value.trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel")
                && value.split_ascii_whitespace().any(|relation| relation.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Some(target.to_owned());
        }
        rest = tail;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn base() -> Url {
        Url::parse("https://ehr.example/api/").unwrap()
    }

    fn after(
        pages: &Pages,
        cursor: Option<&str>,
        body: &Json,
        link: Option<&str>,
        count: u64,
        total: Option<u64>,
    ) -> Result<Option<String>> {
        let asked = base().join("people?x=1").unwrap();
        let cursor = cursor.map(Cursor::from);
        let page = Page { body, link, count, total };
        next(pages, &asked, &base(), cursor.as_ref(), &page).map(|next| next.map(|cursor| cursor.0))
    }

    #[test]
    fn an_offset_moves_by_what_came_and_ends_at_the_total_or_at_an_empty_page() {
        let pages = Pages::Offset { offset: "o".into(), limit: "l".into(), first: 1 };
        assert_eq!(after(&pages, None, &json!({}), None, 50, Some(60)).unwrap().unwrap(), "51");
        assert_eq!(after(&pages, Some("51"), &json!({}), None, 10, Some(60)).unwrap(), None);
        assert_eq!(after(&pages, Some("51"), &json!({}), None, 10, None).unwrap().unwrap(), "61");
        assert_eq!(after(&pages, Some("61"), &json!({}), None, 0, None).unwrap(), None);
    }

    #[test]
    fn a_cursor_that_stands_still_is_no_listing() {
        let pages =
            Pages::Cursor { cursor: "c".into(), limit: "l".into(), next_at: "/next".to_owned().try_into().unwrap() };
        assert_eq!(after(&pages, Some("a"), &json!({"next": "b"}), None, 1, None).unwrap().unwrap(), "b");
        assert_eq!(after(&pages, Some("a"), &json!({"next": null}), None, 1, None).unwrap(), None);
        assert!(after(&pages, Some("a"), &json!({"next": "a"}), None, 1, None).is_err());
    }

    #[test]
    fn a_link_is_followed_only_below_the_base_address() {
        let pages = Pages::Link { limit: "l".into() };
        let go = |link: &str| after(&pages, None, &json!([]), Some(link), 1, None);
        let found = go("<people?p=1>; rel=\"prev first\", <people?p=3>; title=\"a, b\"; rel=\"next\"").unwrap();
        assert_eq!(found.unwrap(), "https://ehr.example/api/people?p=3");
        assert_eq!(go("<people?p=1>; rel=prev").unwrap(), None);
        for away in [
            "https://evil.example/api/x",
            "http://ehr.example/api/x",
            "/other",
            "https://u@ehr.example/api/x",
            "people?x=1",
        ] {
            assert!(go(&format!("<{away}>; rel=next")).is_err(), "{away}");
        }
    }

    #[test]
    fn a_cursor_from_elsewhere_is_refused() {
        let mut url = base();
        let foreign = Cursor::from("https://evil.example/");
        for pages in [
            Pages::One {},
            Pages::Link { limit: "l".into() },
            Pages::Page { page: "p".into(), limit: "l".into(), first: 1 },
        ] {
            assert!(ask(&pages, &mut url, &base(), Some(&foreign), 10).is_err());
        }
    }
}
