//! SCIM at the door: one visit of a source.

pub(crate) mod bulk;
pub(crate) mod catalogue;
pub(crate) mod compose;
pub(crate) mod condition;
pub(crate) mod cursor;
pub(crate) mod discovery;
pub(crate) mod list;
pub(crate) mod query;
pub(crate) mod resources;

use crate::body;
use crate::error::Error;
use crate::serve::House;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, web::Payload};
use gateway_domain::Source;
use gateway_engine::Caller;
use scim::{Aliases, Breach, Dialect, ListQuery, ResourceType};
use serde_json::Value;
use std::borrow::Cow;

/// One authenticated request.
pub(crate) struct Visit<'a> {
    pub house: &'a House,
    pub http: &'a HttpRequest,
    pub caller: &'a Caller,
    pub payload: &'a mut Payload,
}

impl Visit<'_> {
    pub fn source(&self) -> &Source {
        &self.caller.source
    }

    pub fn dialect(&self) -> Dialect {
        self.source().dialect
    }

    pub fn aliases(&self) -> &Aliases {
        &self.source().aliases
    }

    pub fn headers(&self) -> &HeaderMap {
        self.http.headers()
    }

    /// The body as JSON.
    pub async fn json(&mut self, limit: usize) -> Result<Value, Error> {
        let deadline = self.house.limits.body_deadline;
        let bytes = body::read(self.http.headers(), self.payload, limit, deadline).await?;
        Ok(scim::parse_json(&bytes)?)
    }

    /// The query of a GET.
    pub fn query(&self, ty: Option<&ResourceType>) -> Result<ListQuery, Error> {
        let query = ListQuery::from_query_aliased(&self.parameters()?, ty, self.dialect(), self.aliases());
        Ok(query.map_err(cursor::one_voice)?)
    }

    /// The query of a POST to `/.search`.
    pub async fn search_request(&mut self, ty: Option<&ResourceType>) -> Result<ListQuery, Error> {
        let body = self.json(self.house.limits.body).await?;
        let query = ListQuery::from_search_request_aliased(body, ty, self.dialect(), self.aliases());
        Ok(query.map_err(cursor::one_voice)?)
    }

    /// The parameters behind the question mark.
    pub fn parameters(&self) -> Result<query::Pairs, Error> {
        query::pairs(self.http.query_string())
    }

    /// The address of SCIM here, without a slash at the end: the configured one, else what the request's `Host` names.
    pub fn base(&self) -> Cow<'_, str> {
        if let Some(base) = &self.house.base {
            return Cow::Borrowed(base);
        }
        let config = self.http.app_config();
        let host = self.headers().get(header::HOST).and_then(|host| host.to_str().ok()).filter(|host| is_host(host));
        let scheme = if config.secure() { "https" } else { "http" };
        let path = crate::place::SCIM;
        Cow::Owned(match host {
            Some(host) => format!("{scheme}://{host}{path}"),
            None => format!("{scheme}://{}{path}", config.local_addr()),
        })
    }

    /// Counts where the request breaks the interoperability profile.
    pub fn count_breaches(&self, breaches: &[Breach]) {
        self.house.metrics.breaches(&self.source().name, breaches);
    }
}

/// A name or address with an optional port: what may stand in an address that we send out.
fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::is_host;

    #[test]
    fn a_host_that_is_none_never_gets_into_a_location() {
        assert!(is_host("scim.hosp.example:8480") && is_host("[::1]:8480"));
        for text in ["", "a/b", "a@b", "a?b", "a b", "a\"b", "ä.example"] {
            assert!(!is_host(text), "{text}");
        }
    }
}
