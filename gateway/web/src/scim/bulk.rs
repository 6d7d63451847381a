//! `/Bulk` (RFC 7644, section 3.7).

use super::Visit;
use super::compose::Frame;
use super::condition::etag;
use crate::answer;
use crate::error::Error;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use gateway_engine::BulkAnswer;
use scim::{BulkRequest, BulkResult, ScimError};

/// POST.
pub(crate) async fn run(visit: &mut Visit<'_>) -> Result<HttpResponse, Error> {
    let body = visit.json(visit.house.limits.bulk_body).await?;
    let request = BulkRequest::parse(body, visit.dialect())?;
    let most = visit.house.limits.bulk_operations;
    if request.operations.len() > most {
        return Err(ScimError::payload_too_large(format!("At most {most} operations are taken in one request.")).into());
    }
    let answers = visit.house.engine.bulk(visit.caller, request).await?;
    let (base, policy) = (visit.base(), visit.house.engine.policy());
    let frame = Frame { base: &base, source: visit.source(), types: visit.house.engine.types(), policy: &policy };
    let results = answers.into_iter().map(|answer| result(answer, &frame)).collect();
    Ok(answer::scim(visit.headers(), StatusCode::OK, &scim::bulk_response(results)))
}

fn result(answer: BulkAnswer, frame: &Frame<'_>) -> BulkResult {
    // Every operation but a failed POST has a place (RFC 7644, section 3.7.3).
    let location = answer.ty.zip(answer.id).map(|(ty, id)| frame.location(&ty, id.as_str()));
    BulkResult {
        method: answer.method,
        bulk_id: answer.bulk_id,
        version: answer.version.map(etag),
        location,
        status: answer.status,
        response: answer.error.map(|error| error.to_json()),
    }
}
