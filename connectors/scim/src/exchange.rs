//! Sending one request.

use crate::{
    config::Config,
    error::{Answered, refused},
};
use connector_http::{Door, is_safe};
use connector_spi::{ConnError, Ctx, Effect, Level, Result};
use serde_json::Value as Json;
use url::Url;

/// The media type of SCIM (RFC 7644, section 8.1).
const SCIM: &str = "application/scim+json";

/// One call's way to the server.
pub(crate) struct Exchange<'a> {
    pub(crate) door: &'a Door,
    pub(crate) config: &'a Config,
    pub(crate) cx: &'a Ctx,
}

/// A request that is ready to go.
pub(crate) struct Ready<'a> {
    pub(crate) method: &'static str,
    /// Method and endpoint, free of values: for reports.
    pub(crate) label: String,
    pub(crate) url: Url,
    pub(crate) body: Option<&'a Json>,
    /// For `If-Match`.
    pub(crate) version: Option<&'a str>,
}

/// An answer that is a success.
pub(crate) struct Answer {
    /// The body; null where there is none.
    pub(crate) body: Json,
    pub(crate) etag: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) server: Option<String>,
}

impl Exchange<'_> {
    /// The address of an endpoint, or of one resource below it.
    ///
    /// # Errors
    /// `Invalid` for an id that would lead elsewhere: no resource has it.
    pub(crate) fn address(&self, endpoint: &[String], id: Option<&str>) -> Result<Url> {
        if id.is_some_and(|id| matches!(id, "" | "." | "..")) {
            return Err(ConnError::invalid("an id that no resource has"));
        }
        let mut url = self.door.base().clone();
        url.path_segments_mut()
            .map_err(|()| ConnError::config("the base address has no path"))?
            .pop_if_empty()
            .extend(endpoint)
            .extend(id);
        Ok(url)
    }

    /// Sends a request that writes; `None` in a dry run, which says what it would have sent.
    ///
    /// # Errors
    /// As [`Exchange::send`].
    pub(crate) async fn write(&self, ready: Ready<'_>) -> Result<Option<Answer>> {
        if self.cx.dry_run {
            // Names of members only: values are personal data, and events go to the log.
            let members = ready.body.map(members).unwrap_or_default().join(" ");
            let fields = [("request", ready.label.as_str()), ("members", members.as_str()), ("op", &self.cx.op_id)];
            self.cx.host.event(Level::Info, "Dry run: this would be sent.", &fields);
            return Ok(None);
        }
        self.send(ready).await.map(Some)
    }

    /// Reads an address.
    ///
    /// # Errors
    /// As [`Exchange::send`].
    pub(crate) async fn read(&self, label: &str, url: Url) -> Result<Answer> {
        self.send(Ready { method: "GET", label: format!("GET {label}"), url, body: None, version: None }).await
    }

    /// Sends a request and understands the answer.
    ///
    /// # Errors
    /// What the table of errors says; `Unknown` for a success that is not JSON; what [`Door::send`] says.
    async fn send(&self, ready: Ready<'_>) -> Result<Answer> {
        let mut outgoing = self.door.request(ready.method, &ready.url, self.cx.deadline);
        outgoing.headers.push(("accept".to_owned(), format!("{SCIM}, application/json;q=0.9")));
        if let Some(version) = ready.version {
            outgoing.headers.push(("if-match".to_owned(), version.to_owned()));
        }
        if let Some(body) = ready.body {
            outgoing.headers.push(("content-type".to_owned(), SCIM.to_owned()));
            outgoing.body = serde_json::to_vec(body)
                .map_err(|_| ConnError::invalid(format!("the body cannot be written ({})", ready.label)))?;
        }
        let response = self.door.send(outgoing).await?;
        let body = match response.body.as_slice() {
            octets if octets.iter().all(u8::is_ascii_whitespace) => Some(Json::Null),
            octets => serde_json::from_slice::<Json>(octets).ok(),
        };
        let sent = if self.config.quote_detail { Some(texts(&ready)) } else { None };
        let answered = Answered {
            method: ready.method,
            label: &ready.label,
            response: &response,
            body: body.as_ref(),
            quote: sent.as_deref(),
        };
        if let Some(error) = refused(&self.config.errors, &answered) {
            return Err(error);
        }
        let Some(body) = body else {
            let error = ConnError::unknown(format!("the answer is not JSON ({})", ready.label)).code(response.status);
            return Err(if is_safe(ready.method) { error.effect(Effect::None) } else { error });
        };
        let field = |name: &str| response.header(name).map(str::to_owned);
        Ok(Answer { body, etag: field("etag"), location: field("location"), server: field("server") })
    }
}

/// The texts that a request carries.
fn texts(ready: &Ready<'_>) -> Vec<String> {
    let mut found: Vec<String> = ready.url.query_pairs().map(|(_, value)| value.into_owned()).collect();
    let mut open: Vec<&Json> = ready.body.into_iter().collect();
    while let Some(next) = open.pop() {
        match next {
            Json::String(text) => found.push(text.clone()),
            Json::Array(items) => open.extend(items),
            Json::Object(members) => open.extend(members.values()),
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
    found
}

/// The pointers of a body's members, without values; of a PATCH, what each operation does.
fn members(body: &Json) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(operations) = body.get("Operations").and_then(Json::as_array) {
        for operation in operations.iter().take(64) {
            let text = |name: &str| operation.get(name).and_then(Json::as_str).unwrap_or_default();
            // A filter in a path holds a value.
            let path = text("path").split('[').next().unwrap_or_default();
            found.push(format!("{}:{path}", text("op")));
        }
        return found;
    }
    let mut open = vec![(String::new(), body)];
    while let Some((at, next)) = open.pop() {
        match next {
            Json::Object(members) if !members.is_empty() => {
                open.extend(members.iter().rev().map(|(name, value)| (format!("{at}/{name}"), value)));
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) | Json::Object(_) => {
                found.push(at);
            }
        }
    }
    found.truncate(64);
    found
}
