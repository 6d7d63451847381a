//! A real target with a recorder in front of it: connector, recorder, door, target.

use super::stand::{aim, within_deployment};
use crate::kinds::Kinds;
use async_trait::async_trait;
use connector_cases::{
    Answer, Call, Case, Circumstances, Exchange, Forward, Heard, Prefixes, Recorder, Recording, carry_out, expected,
};
use connector_http::{Door, HttpConfig};
use connector_spi::{ConnError, Connector, Host, HttpResponse, Result, Secret, SecretRef};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// Longest time that a call may take.
const LIMIT: Duration = Duration::from_secs(120);
/// What stands in recordings in place of the target's own address.
const SOMEWHERE: &str = "https://target.example/";

/// Which requests are sent on.
#[derive(Debug, Clone)]
pub enum Sending {
    /// All.
    All,
    /// Only these; others are shown and not sent.
    Only(Vec<Exchange>),
}

/// A target that is called, and listened in on.
pub struct Live {
    kind: String,
    connector: Arc<dyn Connector>,
    recorder: Option<Recorder>,
    host: Arc<dyn Host>,
    prefixes: Prefixes,
    /// Doors that are the recorder's alone: their requests go to the target's own address.
    borrowed: Vec<String>,
}

impl Live {
    /// Opens it. The settings are whole, with address and credentials.
    ///
    /// # Errors
    /// What is wrong with the settings, in words.
    pub async fn open(
        kind: &str,
        settings: &Value,
        kinds: &Kinds,
        host: Arc<dyn Host>,
        sending: Sending,
    ) -> std::result::Result<Self, String> {
        let of = kinds.named(kind).ok_or_else(|| format!("there is no kind of connector {kind:?}"))?;
        let prefixes = super::prefixes(settings);
        let mut settings = settings.clone();
        let mut doors: BTreeMap<String, Arc<dyn Forward>> = BTreeMap::new();
        for (name, connection) in connections(kind, &settings) {
            let said = |error: &dyn std::fmt::Display| format!("{name}: {error}");
            let config: HttpConfig = serde_json::from_value(connection).map_err(|error| said(&error))?;
            let door = Door::open(config, Arc::clone(&host)).await.map_err(|error| said(&error))?;
            let forward = Through { door, sending: sending.clone(), prefixes: prefixes.clone() };
            doors.insert(name, Arc::new(forward));
        }
        let own = super::doors(kind, &settings);
        let borrowed = doors.keys().filter(|door| !own.contains(door)).cloned().collect();
        let recorder = if doors.is_empty() {
            None
        } else {
            let recorder = Recorder::start(doors).await.map_err(|error| format!("no port on the loopback: {error}"))?;
            // A UsernameToken is written by the connector itself, so that part of the settings stays.
            let tokens = within_deployment(&settings, "username_token");
            aim(kind, &mut settings, recorder.addresses());
            for (service, token) in tokens {
                if let Some(service) =
                    settings.pointer_mut(&format!("/services/{service}")).and_then(Value::as_object_mut)
                {
                    service.insert("username_token".to_owned(), token);
                }
            }
            Some(recorder)
        };
        let opened = of.open_json(settings, Arc::clone(&host)).await;
        let connector = opened.map_err(|error| error.to_string())?;
        Ok(Self { kind: kind.to_owned(), connector, recorder, host, prefixes, borrowed })
    }

    /// What the target consists of.
    ///
    /// # Errors
    /// As the connector says.
    pub async fn schema(&self) -> Result<connector_spi::TargetSchema> {
        let cx = Circumstances::default().ctx(LIMIT, Arc::clone(&self.host));
        self.connector.schema(&cx).await
    }

    /// Carries a call out, and tells what was asked and said on the way.
    pub async fn call(&self, call: &Call, cx: &Circumstances) -> (Answer, Vec<Recording>) {
        let recorded = || self.recorder.as_ref().map(Recorder::recordings).unwrap_or_default();
        let before = recorded().len();
        let answer = carry_out(self.connector.as_ref(), &cx.ctx(LIMIT, Arc::clone(&self.host)), call).await;
        let mut new: Vec<Recording> = recorded().into_iter().skip(before).collect();
        // A SOAP connector sends nothing but POST; what it asks otherwise is the time, for a token that cases do not have.
        new.retain(|one| self.kind != "soap" || one.heard.method == "POST");
        for one in &mut new {
            if self.borrowed.contains(&one.heard.door) {
                "http".clone_into(&mut one.heard.door);
            }
        }
        (answer, new)
    }

    /// What was recorded, as it is written in a file.
    #[must_use]
    pub fn exchanges(&self, call: &Call, recordings: &[Recording]) -> Vec<Exchange> {
        // The only call that is judged by the time of the answer.
        let dated = matches!(call, Call::Effective { .. });
        recordings.iter().map(|one| one.exchange(&self.prefixes, dated)).collect()
    }

    /// Carries a call out and makes a case of it.
    pub async fn record(&self, name: &str, call: Call, cx: Circumstances) -> Case {
        let (answer, recordings) = self.call(&call, &cx).await;
        Case {
            name: name.to_owned(),
            settings: Map::new(),
            exchange: self.exchanges(&call, &recordings),
            call,
            cx,
            sql: None,
            expect: expected(&answer),
            after: Vec::new(),
        }
    }
}

/// The settings of each connection over HTTP, by the name of the setting. Services of one target have credentials of their own,
/// so each gets a door of its own, also where they share an address.
fn connections(kind: &str, settings: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    match kind {
        "sql" => {
            for (name, http) in settings.get("http").and_then(Value::as_object).into_iter().flatten() {
                found.insert(format!("http.{name}"), http.clone());
            }
        }
        _ => {
            let Some(http) = settings.get("http") else { return found };
            found.insert("http".to_owned(), http.clone());
            for (name, service) in settings.get("services").and_then(Value::as_object).into_iter().flatten() {
                let mut merged = http.clone();
                for member in ["url", "auth", "tls", "requests_per_second", "max_concurrent"] {
                    if let (Some(merged), Some(own)) = (merged.as_object_mut(), service.get(member)) {
                        merged.insert(member.to_owned(), own.clone());
                    }
                }
                found.insert(format!("services.{name}"), merged);
            }
        }
    }
    found
}

/// Sends requests on through the door that the target's own settings describe.
struct Through {
    door: Door,
    sending: Sending,
    prefixes: Prefixes,
}

#[async_trait]
impl Forward for Through {
    async fn send(&self, heard: &Heard) -> Result<Option<HttpResponse>> {
        if let Sending::Only(these) = &self.sending {
            let this =
                Recording { heard: heard.clone(), answer: None, error: None }.exchange(&self.prefixes, false).request;
            let same = |one: &Exchange| {
                let bodies = (&one.request.json, &one.request.xml, &one.request.text);
                one.request.path == this.path
                    && one.request.method == this.method
                    && bodies == (&this.json, &this.xml, &this.text)
            };
            if !connector_http::is_safe(&heard.method) && !these.iter().any(same) {
                return Ok(None);
            }
        }
        let base = self.door.base();
        let mut url = base
            .join(heard.path.trim_start_matches('/'))
            .map_err(|_| ConnError::config("the path of a request is no path"))?;
        url.set_query(heard.raw_query.as_deref());
        let mut request = self.door.request(&heard.method, &url, Instant::now() + LIMIT);
        let ours = |name: &str| {
            matches!(
                name,
                "host" | "connection" | "content-length" | "transfer-encoding" | "te" | "upgrade" | "authorization"
            ) || name == "user-agent"
                || name == "accept-encoding"
        };
        request.headers = heard.headers.iter().filter(|(name, _)| !ours(name)).cloned().collect();
        request.body.clone_from(&heard.body);
        let mut response = self.door.send(request).await?;
        elsewhere(&mut response, base);
        Ok(Some(response))
    }
}

/// Takes the target's own address out of an answer. A connector that follows it stays with the recorder.
fn elsewhere(response: &mut HttpResponse, base: &Url) {
    for (name, value) in &mut response.headers {
        if matches!(name.as_str(), "location" | "link") {
            *value = value.replace(base.as_str(), "/");
        }
    }
    if let Ok(text) = std::str::from_utf8(&response.body)
        && text.contains(base.as_str())
    {
        response.body = text.replace(base.as_str(), SOMEWHERE).into_bytes();
    }
}

/// A host that remembers which secrets it gave, so that they can be taken out of what is written.
pub struct Remembering {
    inner: Arc<dyn Host>,
    given: Mutex<Vec<Secret>>,
    told: Mutex<Vec<Told>>,
}

/// What a connector told the gateway's log.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Told {
    /// Its words.
    pub message: String,
    /// Its fields.
    pub fields: BTreeMap<String, String>,
}

impl Remembering {
    /// Around another host.
    #[must_use]
    pub fn new(inner: Arc<dyn Host>) -> Arc<Self> {
        Arc::new(Self { inner, given: Mutex::default(), told: Mutex::default() })
    }

    /// What was told so far. A connector tells no secrets and no values.
    #[must_use]
    pub fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The case with every secret that was given taken out.
    #[must_use]
    pub fn redacted(&self, case: &Case) -> Case {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs = given.iter().map(|secret| (secret.expose().to_owned(), "[redacted]".to_owned())).collect();
        connector_cases::without(case, pairs)
    }
}

#[async_trait]
impl Host for Remembering {
    async fn secret(&self, reference: &SecretRef) -> Result<Secret> {
        let secret = self.inner.secret(reference).await?;
        self.given.lock().unwrap_or_else(PoisonError::into_inner).push(secret.clone());
        Ok(secret)
    }

    async fn http(&self, request: connector_spi::HttpRequest) -> Result<HttpResponse> {
        self.inner.http(request).await
    }

    fn event(&self, level: connector_spi::Level, message: &str, fields: &[(&str, &str)]) {
        let fields_of = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let told = Told { message: message.to_owned(), fields: fields_of };
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(told);
        self.inner.event(level, message, fields);
    }
}

/// The settings of a target that is only a replay, for a file that has no address.
#[must_use]
pub fn at(kind: &str, settings: &Value, addresses: &BTreeMap<String, String>) -> Value {
    let mut settings = settings.clone();
    aim(kind, &mut settings, addresses);
    if kind == "sql" {
        super::stand::into_sandbox(&mut settings, json!({ "engine": "sqlite", "path": "case.db" }));
    }
    settings
}
