//! Sending one request.

use crate::{
    error::{Answered, refused},
    plan::{KindPlan, Plan},
    template::{Prepared, Request},
};
use connector_declared::{fnv1a, rules::scrubbed};
use connector_http::{Door, is_safe};
use connector_spi::{ConnError, Ctx, Effect, HttpResponse, Level, Result};
use serde_json::Value as Json;
use url::Url;

/// One call's way to the target.
pub(crate) struct Exchange<'a> {
    pub(crate) door: &'a Door,
    pub(crate) plan: &'a Plan,
    pub(crate) cx: &'a Ctx,
}

/// An answer that is a success.
pub(crate) struct Answer {
    pub(crate) response: HttpResponse,
    /// The body; null where there is none.
    pub(crate) body: Json,
    pub(crate) warnings: Vec<String>,
}

impl Answer {
    pub(crate) fn etag(&self) -> Option<&str> {
        self.response.header("etag")
    }
}

impl Exchange<'_> {
    /// The base address.
    pub(crate) fn base(&self) -> &Url {
        self.door.base()
    }

    /// Sends a request that writes; `None` in a dry run, which says what it would have sent.
    ///
    /// # Errors
    /// As [`Exchange::read`]; also `Unsupported` when the target is read-only.
    pub(crate) async fn write(
        &self,
        kind: Option<&KindPlan>,
        request: &Request,
        ready: Prepared,
        version: Option<&str>,
    ) -> Result<Option<Answer>> {
        if self.plan.read_only {
            return Err(ConnError::unsupported("the target is read-only by its file"));
        }
        if self.cx.dry_run {
            // Names of members only: values are personal data, and events go to the log.
            let members = ready.body.as_ref().map(members).unwrap_or_default().join(" ");
            let fields = [("request", request.label.as_str()), ("members", members.as_str()), ("op", &self.cx.op_id)];
            self.cx.host.event(Level::Info, "Dry run: this would be sent.", &fields);
            return Ok(None);
        }
        self.send(kind, request, ready, version).await.map(Some)
    }

    /// Sends a request and understands the answer.
    ///
    /// # Errors
    /// What the file's rules and the status say; `Unknown` for a success that is not JSON; what [`Door::send`] says.
    pub(crate) async fn read(&self, kind: Option<&KindPlan>, request: &Request, ready: Prepared) -> Result<Answer> {
        // A look-up by POST changes nothing either.
        self.send(kind, request, ready, None).await.map_err(|error| error.effect(Effect::None))
    }

    async fn send(
        &self,
        kind: Option<&KindPlan>,
        request: &Request,
        ready: Prepared,
        version: Option<&str>,
    ) -> Result<Answer> {
        let method = request.config.method.name();
        let Prepared { url, headers, body: sending } = ready;
        let mut outgoing = self.door.request(method, &url, self.cx.deadline);
        outgoing.headers = headers;
        outgoing.headers.push(("accept".to_owned(), "application/json, application/problem+json;q=0.9".to_owned()));
        if let Some(version) = version.filter(|_| request.config.if_match) {
            outgoing.headers.push(("if-match".to_owned(), version.to_owned()));
        }
        if let (Some(name), "POST") = (&self.plan.idempotency_header, method) {
            outgoing.headers.push((name.clone(), self.key(&url)));
        }
        if let Some(body) = &sending {
            outgoing.body = serde_json::to_vec(body)
                .map_err(|_| ConnError::invalid(format!("{}: the body cannot be written", request.label)))?;
        }
        let response = self.door.send(outgoing).await?;
        let body = match response.body.as_slice() {
            _ if request.config.ignore_body => Some(Json::Null),
            octets if octets.iter().all(u8::is_ascii_whitespace) => Some(Json::Null),
            octets => serde_json::from_slice::<Json>(octets).ok(),
        };
        // Seldom asked for: what was sent is only taken out of a target's words.
        let sent = || texts(&url, sending.as_ref());
        let answered = Answered { request, kind, response: &response, body: body.as_ref(), sent: &sent };
        if let Some(error) = refused(&self.plan.errors, &answered) {
            return Err(error);
        }
        let elsewhere = !(200..300).contains(&response.status);
        let Some(body) = body.or(elsewhere.then_some(Json::Null)) else {
            let error = ConnError::unknown(format!("the answer is not JSON ({})", request.label)).code(response.status);
            return Err(if is_safe(method) { error.effect(Effect::None) } else { error });
        };
        let found: Vec<&str> =
            self.plan.warnings_at.iter().filter_map(|at| at.read(&body)).flat_map(words).take(20).collect();
        let sent = if found.is_empty() { Vec::new() } else { sent() };
        let warnings = found.into_iter().map(|text| scrubbed(text, &sent)).collect();
        Ok(Answer { response, body, warnings })
    }

    /// The key of one request of a change: a change may need several POSTs, and each is another request to the target.
    fn key(&self, url: &Url) -> String {
        format!("{}-{:08x}", self.cx.op_id, fnv1a(url.path().as_bytes()) >> 32)
    }
}

fn words(value: &Json) -> Vec<&str> {
    match value {
        Json::String(text) if !text.is_empty() => vec![text],
        Json::Array(items) => items.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The texts that a request carries.
fn texts(url: &Url, body: Option<&Json>) -> Vec<String> {
    let mut found: Vec<String> = url.query_pairs().map(|(_, value)| value.into_owned()).collect();
    let mut open: Vec<&Json> = body.into_iter().collect();
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

/// The pointers of a body's members, without values.
fn members(body: &Json) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), body)];
    while let Some((at, next)) = open.pop() {
        match next {
            Json::Object(members) if !members.is_empty() => {
                open.extend(members.iter().rev().map(|(name, value)| (format!("{at}/{name}"), value)));
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) | Json::Object(_) => {
                found.push(at)
            }
        }
    }
    found.truncate(64);
    found
}
