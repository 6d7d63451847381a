//! Users, groups and whatever resource types a deployment adds: one set of handlers for all of them.

use super::Visit;
use super::compose::{Frame, needs};
use super::condition::{self, Early, etag};
use crate::answer;
use crate::error::Error;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use gateway_domain::ResourceId;
use gateway_engine::Saved;
use gateway_store::{Needs, View};
use scim::{Context, ListQuery, Patch, Projection, Resource, ResourceType, ScimError};
use std::sync::Arc;

const PROJECTION: [&str; 2] = ["attributes", "excludedAttributes"];

/// POST (RFC 7644, section 3.3).
pub(crate) async fn create(visit: &mut Visit<'_>, ty: &Arc<ResourceType>) -> Result<HttpResponse, Error> {
    let projection = projection(visit, ty)?;
    let body = visit.json(visit.house.limits.body).await?;
    let projection = projection.with_written(&body, ty, visit.aliases());
    let parsed = Resource::parse(body, ty, visit.dialect(), Context::Create, visit.aliases())?;
    visit.count_breaches(&parsed.breaches);
    let saved = visit.house.engine.create(visit.caller, ty, parsed, needs(ty, &projection)).await?;
    Ok(show(visit, StatusCode::CREATED, saved.view, ty, &projection))
}

/// GET (RFC 7644, section 3.4.1); HEAD is the same, and the server leaves the body out.
pub(crate) async fn read(visit: &Visit<'_>, ty: &ResourceType, id: &ResourceId) -> Result<HttpResponse, Error> {
    let projection = projection(visit, ty)?;
    let view = visit.house.engine.store().view(&ty.name, id, needs(ty, &projection)).await?;
    let view = view.ok_or_else(|| missing(ty))?;
    match condition::before_read(visit.headers(), view.resource.version) {
        Some(Early::NotModified) => Ok(answer::empty(StatusCode::NOT_MODIFIED, Some(&etag(view.resource.version)))),
        Some(Early::Failed) => {
            Err(ScimError::precondition_failed("The resource has another version than If-Match names.").into())
        }
        None => Ok(show(visit, StatusCode::OK, view, ty, &projection)),
    }
}

/// PUT (RFC 7644, section 3.5.1).
pub(crate) async fn replace(
    visit: &mut Visit<'_>,
    ty: &Arc<ResourceType>,
    id: &ResourceId,
) -> Result<HttpResponse, Error> {
    let projection = projection(visit, ty)?;
    let when = condition::before_write(visit.headers());
    let body = visit.json(visit.house.limits.body).await?;
    let projection = projection.with_written(&body, ty, visit.aliases());
    let parsed = Resource::parse(body, ty, visit.dialect(), Context::Replace, visit.aliases())?;
    visit.count_breaches(&parsed.breaches);
    let saved = visit.house.engine.replace(visit.caller, ty, id, when, parsed, needs(ty, &projection)).await?;
    Ok(show(visit, StatusCode::OK, saved.view, ty, &projection))
}

/// PATCH (RFC 7644, section 3.5.2). A group is answered 204 unless the client names the attributes it wants back: its members
/// may be many, and identity providers change them one by one.
pub(crate) async fn patch(
    visit: &mut Visit<'_>,
    ty: &Arc<ResourceType>,
    id: &ResourceId,
) -> Result<HttpResponse, Error> {
    let projection = projection(visit, ty)?;
    let silent = ty.accepts_members() && !projection.is_asked();
    let when = condition::before_write(visit.headers());
    let body = visit.json(visit.house.limits.body).await?;
    let projection = projection.with_written(&body, ty, visit.aliases());
    let patch = Patch::parse(body, ty, visit.dialect(), visit.aliases())?;
    visit.count_breaches(patch.breaches());
    let needs = if silent { Needs::default() } else { needs(ty, &projection) };
    let Saved { view, .. } = visit.house.engine.patch(visit.caller, ty, id, when, patch, needs).await?;
    if silent {
        return Ok(answer::empty(StatusCode::NO_CONTENT, Some(&etag(view.resource.version))));
    }
    Ok(show(visit, StatusCode::OK, view, ty, &projection))
}

/// DELETE (RFC 7644, section 3.6).
pub(crate) async fn delete(visit: &Visit<'_>, ty: &Arc<ResourceType>, id: &ResourceId) -> Result<HttpResponse, Error> {
    let when = condition::before_write(visit.headers());
    visit.house.engine.delete(visit.caller, ty, id, when).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT, None))
}

/// What the request wants to see.
pub(crate) fn projection(visit: &Visit<'_>, ty: &ResourceType) -> Result<Projection, Error> {
    if visit.http.query_string().is_empty() {
        return Ok(Projection::default());
    }
    let mut pairs = visit.parameters()?;
    // Whatever else stands behind the question mark means something to queries only.
    pairs.retain(|(name, _)| PROJECTION.iter().any(|known| known.eq_ignore_ascii_case(name)));
    Ok(ListQuery::from_query_aliased(&pairs, Some(ty), visit.dialect(), visit.aliases())?.projection)
}

fn show(visit: &Visit<'_>, status: StatusCode, view: View, ty: &ResourceType, projection: &Projection) -> HttpResponse {
    let base = visit.base();
    let policy = visit.house.engine.policy();
    let frame = Frame { base: &base, source: visit.source(), types: visit.house.engine.types(), policy: &policy };
    let etag = etag(view.resource.version);
    let location = frame.location(ty, view.resource.id.as_str());
    let document = frame.compose(view, ty, projection);
    answer::resource(visit.headers(), status, &document, &etag, &location)
}

fn missing(ty: &ResourceType) -> Error {
    ScimError::not_found(format!("There is no {} of this id.", ty.name)).into()
}
