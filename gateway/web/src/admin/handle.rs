//! What operators ask. Bodies and answers are plain JSON; an error is `{"status": 404, "detail": "…"}`.

use super::{BODY, BODY_DEADLINE, Operator};
use crate::answer;
use crate::body;
use crate::error::Error;
use crate::place;
use crate::scim::query::{self, Pairs, first};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::FutureExt;
use gateway_domain::{ResourceId, TargetId};
use gateway_engine::Engine;
use gateway_store::LinkFilter;
use jiff::Timestamp;
use scim::{ScimError, ScimType};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::panic::AssertUnwindSafe;

/// One request of an operator.
pub(crate) struct Desk<'a> {
    pub engine: &'a Engine,
    pub http: &'a HttpRequest,
    pub payload: web::Payload,
}

/// Which links to try again at once. At least one must be named, so that a slip does not set everything off.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Retry {
    target: Option<String>,
    resource: Option<String>,
    state: Option<String>,
}

/// A token to make.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewToken {
    source: String,
    expires: Option<Timestamp>,
}

impl Desk<'_> {
    /// The answer to it, whatever happens.
    pub async fn answer(mut self) -> HttpResponse {
        match AssertUnwindSafe(self.route()).catch_unwind().await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => plain(&error),
            Err(_) => {
                tracing::error!("A handler of the administration API panicked.");
                plain(&Error::internal())
            }
        }
    }

    async fn route(&mut self) -> Result<HttpResponse, Error> {
        let http = self.http;
        let segments = place::segments(http.path()).ok_or_else(nowhere)?;
        let path: Vec<&str> = segments.iter().map(Cow::as_ref).collect();
        let ["admin", path @ ..] = path.as_slice() else { return Err(nowhere()) };
        let allowed = allowed(path).ok_or_else(nowhere)?;
        match (path, http.method()) {
            (["status"], &Method::GET) => ok(&self.engine.status().await?),
            (["sources"], &Method::GET) => ok(&self.engine.manners()),
            (["links"], &Method::GET) => self.links().await,
            (["retry"], &Method::POST) => self.retry().await,
            (["plan", user], &Method::GET) => ok(&self.engine.plan(&ResourceId::from(*user)).await?),
            (["targets", name, "test"], &Method::POST) => ok(&self.engine.test_target(name).await?),
            (["targets", name, "catalogue"], &Method::GET) => ok(&self.engine.catalogue(name).await?),
            (["tokens"], &Method::POST) => self.create_token().await,
            (["tokens"], &Method::GET) => self.tokens().await,
            (["tokens", id], &Method::DELETE) => self.revoke_token(id).await,
            _ => Err(Error::not_allowed(allowed)),
        }
    }

    /// GET /admin/links?target=&state=&resource=&after=&limit=
    async fn links(&self) -> Result<HttpResponse, Error> {
        let pairs = query::pairs(self.http.query_string())?;
        let text = |name| first(&pairs, name).filter(|value| !value.is_empty());
        let filter = LinkFilter {
            target: text("target").map(|name| self.target(name)),
            resource: text("resource").map(ResourceId::from),
            state: text("state").map(str::to_owned),
            after: number(&pairs, "after")?.unwrap_or(0),
            limit: number(&pairs, "limit")?.unwrap_or(0),
        };
        ok(&self.engine.link_reports(filter).await?)
    }

    /// POST /admin/retry {"target": …, "resource": …, "state": …}
    async fn retry(&mut self) -> Result<HttpResponse, Error> {
        let ask: Retry = self.order().await?;
        if ask.target.is_none() && ask.resource.is_none() && ask.state.is_none() {
            return Err(mend("Name a target, a resource or a state."));
        }
        let filter = LinkFilter {
            target: ask.target.as_deref().map(|name| self.target(name)),
            resource: ask.resource.map(ResourceId::from),
            state: ask.state,
            ..LinkFilter::default()
        };
        let count = self.engine.retry(filter, &self.operator()).await?;
        ok(&json!({ "links": count }))
    }

    /// POST /admin/tokens {"source": …, "expires": …}: the only time that the token is shown.
    async fn create_token(&mut self) -> Result<HttpResponse, Error> {
        let ask: NewToken = self.order().await?;
        let token = self.engine.create_token(&ask.source, ask.expires, &self.operator()).await?;
        Ok(answer::json(StatusCode::CREATED, &json!({ "source": ask.source, "token": token, "expires": ask.expires })))
    }

    /// GET /admin/tokens?source=: what is known of them, which is not the tokens.
    async fn tokens(&self) -> Result<HttpResponse, Error> {
        let pairs = query::pairs(self.http.query_string())?;
        let policy = self.engine.policy();
        let asked = first(&pairs, "source").filter(|name| !name.is_empty());
        let names = match asked {
            Some(name) => vec![name],
            None => policy.sources.iter().map(|source| source.name.as_str()).collect(),
        };
        let mut listed = Vec::new();
        for name in names {
            for token in self.engine.tokens(name).await? {
                listed.push(json!({
                    "id": token.id, "source": name, "created": token.created, "expires": token.expires,
                }));
            }
        }
        ok(&listed)
    }

    /// DELETE /admin/tokens/{id}
    async fn revoke_token(&self, id: &str) -> Result<HttpResponse, Error> {
        self.engine.revoke_token(id, &self.operator()).await?;
        Ok(answer::empty(StatusCode::NO_CONTENT, None))
    }

    async fn order<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        let bytes = body::read(self.http.headers(), &mut self.payload, BODY, BODY_DEADLINE).await?;
        let value: Value = scim::parse_json(&bytes)?;
        serde_json::from_value(value).map_err(|error| mend(&error.to_string()))
    }

    /// The id of a target by its name. One that left the configuration still has links, under its id.
    fn target(&self, name: &str) -> TargetId {
        self.engine.policy().target(name).map_or_else(|| TargetId::from(name), |target| target.id.clone())
    }

    fn operator(&self) -> String {
        self.http.conn_data::<Operator>().map_or_else(|| "unknown".to_owned(), |operator| operator.0.clone())
    }
}

/// What a path takes, as `Allow` says it.
fn allowed(path: &[&str]) -> Option<&'static str> {
    match path {
        ["status" | "sources" | "links"] | ["plan", _] | ["targets", _, "catalogue"] => Some("GET"),
        ["retry"] | ["targets", _, "test"] => Some("POST"),
        ["tokens"] => Some("GET, POST"),
        ["tokens", _] => Some("DELETE"),
        _ => None,
    }
}

fn ok(body: &impl serde::Serialize) -> Result<HttpResponse, Error> {
    Ok(answer::json(StatusCode::OK, body))
}

fn number<T: std::str::FromStr>(pairs: &Pairs, name: &str) -> Result<Option<T>, Error> {
    first(pairs, name)
        .filter(|text| !text.is_empty())
        .map(|text| text.parse().map_err(|_| mend(&format!("{name} must be a number."))))
        .transpose()
}

fn mend(detail: &str) -> Error {
    ScimError::bad_request(ScimType::InvalidValue, detail).into()
}

fn nowhere() -> Error {
    ScimError::not_found("There is no such endpoint.").into()
}

fn plain(error: &Error) -> HttpResponse {
    let status = StatusCode::from_u16(error.scim.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer::json(status, &json!({ "status": error.scim.status, "detail": error.scim.detail }))
}
