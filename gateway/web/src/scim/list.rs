//! Queries: lists by GET and `/.search` by POST, of one type or of all, by index or by cursor (RFC 7644, section 3.4.2; RFC
//! 9865).

use super::Visit;
use super::compose::{Frame, needs};
use super::cursor::{Bound, Mark};
use crate::answer;
use crate::error::Error;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use gateway_store::{ListRequest, Needs, PageAsk, Position, Sort};
use scim::{Dialect, ListQuery, ListResponse, PageBy, ResourceType, ScimError, ScimType};
use std::sync::Arc;

/// GET of one type.
pub(crate) async fn list(visit: &Visit<'_>, ty: &Arc<ResourceType>) -> Result<HttpResponse, Error> {
    let query = visit.query(Some(ty))?;
    page(visit, vec![Arc::clone(ty)], query).await
}

/// POST to a type's `/.search`.
pub(crate) async fn search(visit: &mut Visit<'_>, ty: &Arc<ResourceType>) -> Result<HttpResponse, Error> {
    let query = visit.search_request(Some(ty)).await?;
    page(visit, vec![Arc::clone(ty)], query).await
}

/// GET at the root: all stored types. An attribute that a type does not have matches nothing in it.
pub(crate) async fn list_all(visit: &Visit<'_>) -> Result<HttpResponse, Error> {
    let query = visit.query(None)?;
    page(visit, stored_types(visit), query).await
}

/// POST to the root's `/.search`.
pub(crate) async fn search_all(visit: &mut Visit<'_>) -> Result<HttpResponse, Error> {
    let query = visit.search_request(None).await?;
    page(visit, stored_types(visit), query).await
}

fn stored_types(visit: &Visit<'_>) -> Vec<Arc<ResourceType>> {
    visit.house.engine.types().all().filter(|ty| !ty.catalogue).cloned().collect()
}

async fn page(visit: &Visit<'_>, types: Vec<Arc<ResourceType>>, query: ListQuery) -> Result<HttpResponse, Error> {
    let place: Vec<&str> = types.iter().map(|ty| ty.endpoint.as_str()).collect();
    let asked = Asked::read(visit, &place, &query)?;
    let wanted = types.iter().map(|ty| needs(ty, &query.projection)).fold(Needs::default(), |one, other| Needs {
        members: one.members || other.members,
        groups: one.groups || other.groups,
        links: one.links || other.links,
    });
    let request = ListRequest {
        types,
        filter: query.filter,
        sort: query.sort_by.map(|by| Sort { by, descending: query.descending }),
        page: asked.page.clone(),
        count: asked.count,
        source: visit.source().id.clone(),
        needs: wanted,
        budget: visit.house.limits.query,
    };
    let engine = &visit.house.engine;
    let found = engine.store().list(request).await?;

    let (base, policy) = (visit.base(), engine.policy());
    let frame = Frame { base: &base, source: visit.source(), types: engine.types(), policy: &policy };
    let resources: Vec<_> = found
        .items
        .into_iter()
        .filter_map(|view| {
            let ty = engine.types().by_name(&view.resource.ty)?;
            Some(frame.compose(view, ty, &query.projection))
        })
        .collect();
    let (next, previous) = (asked.cursor(visit, found.next, false)?, asked.cursor(visit, found.previous, true)?);
    let response = ListResponse {
        total_results: found.total,
        start_index: asked.start(),
        items_per_page: u32::try_from(resources.len()).ok(),
        resources,
        next_cursor: next,
        previous_cursor: previous,
    };
    Ok(answer::scim(visit.headers(), StatusCode::OK, &response.to_json()))
}

/// How a query wants its pages, whatever it is about.
pub(crate) struct Asked {
    /// Which part.
    pub page: PageAsk,
    /// Most resources on the page.
    pub count: u32,
    /// What its cursors are good for; `None` by index, where there are none.
    bound: Option<Bound>,
}

impl Asked {
    /// Reads it, a cursor opened and compared with the rest of the request. `place` is what is listed.
    pub fn read(visit: &Visit<'_>, place: &[&str], query: &ListQuery) -> Result<Self, Error> {
        let limits = &visit.house.limits;
        let count = query.count.unwrap_or(limits.page).min(limits.max_page);
        let cursor = match &query.page {
            PageBy::Index { start } => {
                return Ok(Self { page: PageAsk::Index((*start).max(1)), count, bound: None });
            }
            PageBy::Cursor(cursor) => cursor,
        };
        let bound = bound(place, query, visit.source().id.as_str());
        let Some(cursor) = cursor else {
            return Ok(Self { page: PageAsk::First, count, bound: Some(bound) });
        };
        let mark = visit.house.seal.open(cursor, &bound)?;
        let count = match query.count {
            // RFC 9865, section 2: the parameters are repeated unchanged. Where only the size is not, nothing can go wrong
            // by going on with it.
            None if visit.dialect() != Dialect::Rfc => mark.count,
            None | Some(_) => count,
        };
        if count != mark.count && visit.dialect() == Dialect::Rfc {
            let detail = "count differs from that of the request which gave the cursor. Repeat it unchanged.";
            return Err(ScimError::bad_request(ScimType::InvalidCount, detail).into());
        }
        let page = if mark.backwards { PageAsk::Before(mark.position) } else { PageAsk::After(mark.position) };
        Ok(Self { page, count, bound: Some(bound) })
    }

    #[cfg(test)]
    pub fn of(page: PageAsk, count: u32) -> Self {
        Self { page, count, bound: None }
    }

    /// The first place of the page, which only a page by index has.
    pub fn start(&self) -> Option<u64> {
        match self.page {
            PageAsk::Index(start) => Some(start),
            PageAsk::First | PageAsk::After(_) | PageAsk::Before(_) => None,
        }
    }

    /// The cursor from this position on. None by index, and none for pages of no size, which would go on for ever.
    pub fn cursor(&self, visit: &Visit<'_>, from: Option<Position>, backwards: bool) -> Result<Option<String>, Error> {
        let (Some(bound), Some(position)) = (&self.bound, from) else { return Ok(None) };
        if self.count == 0 {
            return Ok(None);
        }
        let mark = Mark { backwards, count: self.count, position };
        visit.house.seal.seal(&mark, bound).map(Some).map_err(|_| Error::internal())
    }
}

/// What a cursor of this query is good for. The page's size is not part of it: it stands in the cursor.
fn bound(place: &[&str], query: &ListQuery, source: &str) -> Bound {
    let filter = query.filter.as_ref().map(ToString::to_string).unwrap_or_default();
    let sort = query.sort_by.as_ref().map(ToString::to_string).unwrap_or_default();
    let order = if query.descending { "descending" } else { "ascending" };
    let place = place.join(" ");
    // Only compared with what this same program made of an earlier request: the form may change from version to version.
    let projection = format!("{:?}", query.projection);
    Bound::to(&[source, &place, &filter, &sort, order, &projection])
}
