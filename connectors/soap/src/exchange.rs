//! Sending one request.

use crate::{
    config::Version,
    document::{self, Element},
    envelope::{Inside, opened, wrapped, written},
    error::{Refused, meant, not_understood, reading, wrapping},
    fault::{Said, said},
    plan::Plan,
    request::Request,
    service::Service,
    template::Filling,
};
use connector_declared::rules::scrubbed;
use connector_http::{refusal, retry_after, told};
use connector_spi::{Class, ConnError, Ctx, HttpResponse, Level, Result, Secret};
use jiff::Timestamp;
use std::{collections::BTreeMap, time::Duration};

/// Most warnings that are passed on.
const WARNINGS: usize = 20;

/// One call's way to the target.
pub(crate) struct Exchange<'a> {
    pub(crate) services: &'a BTreeMap<String, Service>,
    pub(crate) plan: &'a Plan,
    pub(crate) cx: &'a Ctx,
}

/// An answer that is a success.
pub(crate) struct Answer {
    /// The element of the body.
    pub(crate) payload: Element,
    pub(crate) warnings: Vec<String>,
    /// When it was, by the target's clock.
    pub(crate) date: Option<Timestamp>,
    /// How long to wait before asking again, where it says so.
    pub(crate) wait: Option<Duration>,
}

/// A request that was sent.
struct Once {
    outcome: Result<Answer>,
    /// What it was proved with, where that was a UsernameToken.
    password: Option<Secret>,
    clock_was_set: bool,
}

impl Exchange<'_> {
    /// Sends a request that writes; `None` in a dry run, which says what it would have sent.
    ///
    /// # Errors
    /// As [`Exchange::read`]; also `Unsupported` when the target is read-only.
    pub(crate) async fn write(&self, request: &Request, filling: &Filling) -> Result<Option<Answer>> {
        if self.plan.read_only {
            return Err(ConnError::unsupported("the target is read-only by its file"));
        }
        if self.cx.dry_run {
            // Names of elements only: values are personal data, and events go to the log.
            let elements = named(&request.template.fill(filling)?).join(" ");
            let fields = [("request", request.label.as_str()), ("elements", elements.as_str()), ("op", &self.cx.op_id)];
            self.cx.host.event(Level::Info, "Dry run: this would be sent.", &fields);
            return Ok(None);
        }
        self.send(request, filling).await.map(Some)
    }

    /// Sends a request that reads, and understands the answer.
    ///
    /// # Errors
    /// What the file's rules and the status say; `Unknown` for a success that is not understood; what the door says. The
    /// effect is none: a look-up by POST changes nothing.
    pub(crate) async fn read(&self, request: &Request, filling: &Filling) -> Result<Answer> {
        self.send(request, filling).await.map_err(reading)
    }

    fn service(&self, request: &Request) -> Result<&Service> {
        let service = self.services.get(&request.config.service);
        service.ok_or_else(|| ConnError::config("a request names a service that there is not"))
    }

    /// What the service of a request speaks.
    ///
    /// # Errors
    /// `Config` where there is no such service.
    pub(crate) fn version(&self, request: &Request) -> Result<Version> {
        self.service(request).map(Service::version)
    }

    async fn send(&self, request: &Request, filling: &Filling) -> Result<Answer> {
        let service = self.service(request)?;
        let first = self.once(service, request, filling).await?;
        match (first.outcome, first.password) {
            // Nothing was done: after a rotation of the secret, or when the target's clock was set and the token came out of
            // another time, the request may go once more.
            (Err(error), Some(refused)) if error.class == Class::Auth => {
                if service.renewed(&refused).await? || first.clock_was_set {
                    self.once(service, request, filling).await?.outcome
                } else {
                    Err(error)
                }
            }
            (outcome, _) => outcome,
        }
    }

    /// The outer result is that of the way there; the target's own stands inside.
    async fn once(&self, service: &Service, request: &Request, filling: &Filling) -> Result<Once> {
        let body = request.template.fill(filling)?;
        let action = request.config.action.as_deref();
        let (headers, password) = service.headers(&self.cx.op_id, action, self.cx.deadline).await?;
        let envelope = wrapped(service.version(), headers, body);
        let mut outgoing = self.door_request(service);
        outgoing.headers = service.version().fields(service.plan.config.content_type.as_deref(), action);
        outgoing
            .headers
            .push(("accept".to_owned(), "application/soap+xml, text/xml, application/xml;q=0.9".to_owned()));
        outgoing.body = written(&envelope, &self.plan.reader.names)?;
        let response = service.door.send(outgoing).await?;
        let clock_was_set = service.time.learn(&response);
        Ok(Once {
            outcome: self.understood(service, request, &response, &|| filling.personal()),
            password,
            clock_was_set,
        })
    }

    fn door_request(&self, service: &Service) -> connector_http::Request {
        service.door.request("POST", &service.url, self.cx.deadline)
    }

    fn understood(
        &self,
        service: &Service,
        request: &Request,
        response: &HttpResponse,
        sent: &dyn Fn() -> Vec<String>,
    ) -> Result<Answer> {
        let version = service.version();
        let refuse =
            |said: Said, is_fault: bool| meant(&self.plan.errors, Refused { request, response, said, is_fault, sent });
        let succeeded = (200..300).contains(&response.status);
        let inside = match document::parse(&response.body).and_then(|document| opened(version, document)) {
            Ok(Inside::Payload(payload)) if succeeded && !self.failed(&payload) => {
                return self.answered(request, response, payload, sent);
            }
            other => other,
        };
        let read = |at: &Element, is_fault| said(&self.plan.errors, &self.plan.reader.names, version, at, is_fault);
        let refused = match &inside {
            Ok(Inside::Fault(fault)) => refuse(read(fault, true), true),
            Ok(Inside::Payload(payload)) => refuse(read(payload, false), false),
            // The status is all that is understood.
            Err(_) if !succeeded => refuse(Said::default(), false),
            Err(why) => {
                let empty = response.body.iter().all(u8::is_ascii_whitespace);
                let words = if empty { "is empty" } else { why.words() };
                return Err(not_understood(request, response, words));
            }
        };
        match (refused, inside) {
            (Some(error), _) => Err(error),
            // A refusal that means success holds nothing to read.
            (None, Ok(_)) => {
                let (warnings, wait) = (Vec::new(), retry_after(response));
                Ok(Answer { payload: Element::default(), warnings, date: told(response), wait })
            }
            (None, Err(_)) => {
                Err(refusal("POST", response).unwrap_or_else(|| not_understood(request, response, wrapping(version))))
            }
        }
    }

    /// Whether an answer that looks like a success tells of a failure.
    fn failed(&self, payload: &Element) -> bool {
        self.plan.errors.failed_when.iter().any(|condition| self.plan.reader.holds(condition, payload))
    }

    fn answered(
        &self,
        request: &Request,
        response: &HttpResponse,
        payload: Element,
        sent: &dyn Fn() -> Vec<String>,
    ) -> Result<Answer> {
        let (namespace, name) = &request.answer;
        if payload.namespace.as_deref() != namespace.as_deref() || payload.name != *name {
            return Err(not_understood(request, response, "holds another element than the one that is expected"));
        }
        let places = self.plan.warnings_at.iter();
        let found =
            places.flat_map(|at| self.plan.reader.names.texts(at, &payload)).filter(|text| !text.trim().is_empty());
        let found: Vec<_> = found.take(WARNINGS).collect();
        let sent = if found.is_empty() { Vec::new() } else { sent() };
        let warnings = found.into_iter().map(|text| scrubbed(text.trim(), &sent)).collect();
        Ok(Answer { payload, warnings, date: told(response), wait: retry_after(response) })
    }
}

/// The names of a request's elements, without values.
fn named(body: &Element) -> Vec<String> {
    let mut found: Vec<String> = body.all().iter().map(|element| element.name.clone()).collect();
    found.sort();
    found.dedup();
    found.truncate(64);
    found
}
