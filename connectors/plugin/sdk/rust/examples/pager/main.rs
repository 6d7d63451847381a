//! A connector for the pager service: subscribers are accounts, pools are entitlements, a pool's site is their scope.
//!
//! Everything goes through the gateway's own door to the network ([`Host::http`]), so the process needs no network of its own.

mod words;

use async_trait::async_trait;
use connector_spi::{
    AccountState, AttrSchema, Attrs, Change, Class, ConfigIssue, ConnError, Connector, ConnectorType, Created, Ctx,
    Cursor, Delta, Effect, EffectFacet, Effective, Entitlement, Health, Host, HttpRequest, HttpResponse, Kind,
    KindCaps, KindRole, KindSchema, Level, Lister, NativeId, Page, PartFailure, Record, Result, SecretRef, SyncEvent,
    SyncToken, Syncer, TargetSchema, Updated, Value,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use std::{collections::BTreeMap, process::ExitCode, sync::Arc, time::Duration};
use words::{code, encoded, good, odd, plain, pool, subscriber};

#[allow(dead_code, reason = "this file is also a part of the program that the conformance kit runs over")]
fn main() -> ExitCode {
    chartgate_plugin::serve::<Pager>()
}

/// How the pager service is reached.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the service listens, such as https://pager.hosp.example; without a slash at the end.
    address: String,
    /// The bearer token.
    token: SecretRef,
    /// Longest wait for one answer, in seconds.
    #[serde(default = "thirty")]
    timeout: u32,
}

fn thirty() -> u32 {
    30
}

/// The pager service of a hospital's switchboard.
pub struct Pager {
    settings: Settings,
}

#[async_trait]
impl ConnectorType for Pager {
    type Config = Settings;
    const NAME: &'static str = "pager";

    fn check_config(settings: &Settings) -> Vec<ConfigIssue> {
        let issue = |pointer: &str, message: &str| ConfigIssue {
            pointer: pointer.to_owned(),
            message: message.to_owned(),
            hint: None,
        };
        let mut found = Vec::new();
        if !settings.address.starts_with("https://") && !settings.address.starts_with("http://") {
            found.push(issue("/address", "it begins with https:// or http://"));
        }
        if !(1..=300).contains(&settings.timeout) {
            found.push(issue("/timeout", "must be from 1 to 300"));
        }
        found
    }

    async fn open(settings: Settings, _: Arc<dyn Host>) -> Result<Arc<dyn Connector>> {
        if let Some(issue) = Self::check_config(&settings).into_iter().next() {
            return Err(ConnError::config(issue.message).attribute(issue.pointer));
        }
        Ok(Arc::new(Pager { settings }))
    }
}

/// Most records on one page of the service.
const PAGE: u32 = 200;
/// Its errors are small, and so are its pages.
const MAX_BODY: usize = 2 << 20;

fn schema() -> TargetSchema {
    let text = |max_length| AttrSchema { max_length, ..AttrSchema::default() };
    let exact = |max_length| AttrSchema { case_exact: true, ..text(max_length) };
    let attrs = BTreeMap::from([
        ("login".to_owned(), AttrSchema { required: true, ..text(Some(64)) }),
        ("staffNumber".to_owned(), AttrSchema { updatable: false, ..exact(Some(20)) }),
        ("displayName".to_owned(), AttrSchema { required: true, sensitive: true, ..exact(Some(80)) }),
        ("title".to_owned(), exact(Some(120))),
        ("pagerNumber".to_owned(), AttrSchema { sensitive: true, ..exact(None) }),
        ("phones".to_owned(), AttrSchema { multi: true, sensitive: true, ..exact(Some(40)) }),
    ]);
    let natural_keys = vec![vec!["login".to_owned()], vec!["staffNumber".to_owned()]];
    let caps = KindCaps {
        create: true,
        update: true,
        delete: true,
        disable: true,
        list: true,
        sync: true,
        find_by: natural_keys.clone(),
        conditional_update: true,
        idempotency_key: true,
        patch_multi: true,
        max_page: PAGE,
        effective: true,
        revoke_sessions: true,
        ..KindCaps::default()
    };
    let kind = |role, attrs, natural_keys, caps| KindSchema {
        role,
        attrs,
        natural_keys,
        depends_on: Vec::new(),
        caps,
        provenance: Default::default(),
    };
    let id = AttrSchema { creatable: false, updatable: false, ..exact(None) };
    let keys = vec![vec!["id".to_owned()]];
    let pool = KindCaps { list: true, find_by: keys.clone(), max_page: PAGE, ..KindCaps::default() };
    let kinds = BTreeMap::from([
        (Kind::from("subscriber"), kind(KindRole::Account, attrs, natural_keys, caps)),
        (Kind::from("pool"), kind(KindRole::Entitlement, BTreeMap::from([("id".to_owned(), id)]), keys, pool)),
    ]);
    TargetSchema { revision: "1".to_owned(), kinds }
}

/// A request that is being put together.
struct Ask<'a> {
    method: &'a str,
    path: String,
    body: Option<Json>,
    headers: Vec<(String, String)>,
}

impl<'a> Ask<'a> {
    fn new(method: &'a str, path: String) -> Self {
        Self { method, path, body: None, headers: Vec::new() }
    }
    fn body(mut self, body: Json) -> Self {
        self.body = Some(body);
        self
    }
    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Pager {
    /// The answer, whatever its status.
    async fn send(&self, cx: &Ctx, ask: Ask<'_>) -> Result<HttpResponse> {
        // Read anew for every request: a token that was replaced works at once.
        let token = cx.host.secret(&self.settings.token).await?;
        let mut headers = ask.headers;
        headers.push(("authorization".to_owned(), format!("Bearer {}", token.expose())));
        if ask.body.is_some() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        let request = HttpRequest {
            method: ask.method.to_owned(),
            url: format!("{}{}", self.settings.address.trim_end_matches('/'), ask.path),
            headers,
            body: ask.body.map(|body| body.to_string().into_bytes()).unwrap_or_default(),
            timeout: Duration::from_secs(self.settings.timeout.into()),
            max_body: MAX_BODY,
        };
        cx.host.http(request).await
    }

    /// The answer's body; a refusal is an error.
    async fn ask(&self, cx: &Ctx, ask: Ask<'_>) -> Result<Json> {
        let reads = ask.method == "GET";
        good(&self.send(cx, ask).await?, reads)
    }

    async fn page(&self, cx: &Ctx, kind: &Kind, cursor: Option<&Cursor>, size: u32) -> Result<Page<Record>> {
        let noun = if kind.as_str() == "pool" { "pools" } else { "subscribers" };
        let mut path = format!("/v1/{noun}?include=inactive&limit={}", size.clamp(1, PAGE));
        if let Some(cursor) = cursor {
            path.push_str(&format!("&cursor={}", encoded(cursor.as_str())));
        }
        let page = self.ask(cx, Ask::new("GET", path)).await?;
        let items = page.get("items").and_then(Json::as_array).ok_or_else(odd)?;
        let read = if kind.as_str() == "pool" { pool } else { subscriber };
        let next = page.get("next").and_then(Json::as_str).map(Cursor::from);
        Ok(Page { items: items.iter().map(read).collect::<Result<_>>()?, next, total_hint: None, complete: true })
    }

    async fn pools(&self, cx: &Ctx) -> Result<Vec<Record>> {
        let (kind, mut all, mut cursor) = (Kind::from("pool"), Vec::new(), None);
        loop {
            let page = self.page(cx, &kind, cursor.as_ref(), PAGE).await?;
            all.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                return Ok(all);
            }
        }
    }

    async fn join(&self, cx: &Ctx, id: &NativeId, pools: &[Entitlement]) -> Result<Vec<PartFailure>> {
        let mut failed = Vec::new();
        for pool in pools {
            let joined = async { self.ask(cx, Ask::new("PUT", place(id, pool)?)).await.map(drop) };
            part(&mut failed, &named(pool), joined.await)?;
        }
        Ok(failed)
    }

    async fn leave(&self, cx: &Ctx, id: &NativeId, pools: &[Entitlement]) -> Result<Vec<PartFailure>> {
        let mut failed = Vec::new();
        for pool in pools {
            let left = async {
                let answer = self.send(cx, Ask::new("DELETE", place(id, pool)?)).await?;
                // To leave a pool that one is not in is an error here, and success in the contract.
                if code(&answer).as_deref() == Some("not-a-member") { Ok(()) } else { good(&answer, false).map(drop) }
            };
            part(&mut failed, &named(pool), left.await)?;
        }
        Ok(failed)
    }

    /// The new values of the attributes that change, and the version that they were worked out from.
    async fn changed(&self, cx: &Ctx, path: &str, change: &Change) -> Result<(Map<String, Json>, Option<String>)> {
        let (mut before, mut version) = (Attrs::new(), change.if_version.clone());
        if change.attrs.values().any(|delta| matches!(delta, Delta::Patch { .. })) {
            let answer = self.send(cx, Ask::new("GET", path.to_owned())).await?;
            before = subscriber(&good(&answer, true)?)?.attrs;
            version = version.or_else(|| answer.header("etag").map(str::to_owned));
        }
        let mut body = Map::new();
        for (name, delta) in &change.attrs {
            let values = match delta {
                Delta::Set(values) => values.clone(),
                Delta::Clear => Vec::new(),
                Delta::Patch { add, remove } => {
                    let mut values = before.remove(name).unwrap_or_default();
                    values.retain(|held| !remove.contains(held));
                    let new = add.iter().filter(|one| !values.contains(one)).cloned().collect::<Vec<_>>();
                    values.extend(new);
                    values
                }
            };
            body.insert(name.clone(), plain(name, &values));
        }
        Ok((body, version))
    }
}

/// Tells what would be sent.
fn would(cx: &Ctx, method: &str, path: &str) {
    cx.host.event(Level::Info, "would be sent", &[("method", method), ("path", path)]);
}

fn at(id: &NativeId) -> String {
    format!("/v1/subscribers/{}", encoded(id.as_str()))
}

#[async_trait]
impl Connector for Pager {
    async fn check(&self, cx: &Ctx) -> Result<Health> {
        let answer = self.ask(cx, Ask::new("GET", "/v1/health".to_owned())).await?;
        let word = |name: &str| answer.get(name).and_then(Json::as_str).ok_or_else(odd);
        Ok(Health { server: Some(format!("{} {}", word("service")?, word("version")?)), warnings: Vec::new() })
    }

    async fn schema(&self, _: &Ctx) -> Result<TargetSchema> {
        Ok(schema())
    }

    async fn get(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Option<Record>> {
        known(kind)?;
        if kind.as_str() == "pool" {
            return Ok(self.pools(cx).await?.into_iter().find(|pool| pool.id == *id));
        }
        let answer = self.send(cx, Ask::new("GET", at(id))).await?;
        match code(&answer).as_deref() {
            Some("no-such-subscriber") => Ok(None),
            _ => subscriber(&good(&answer, true)?).map(Some),
        }
    }

    async fn find(&self, cx: &Ctx, kind: &Kind, key: &BTreeMap<String, Value>) -> Result<Vec<Record>> {
        known(kind)?;
        if kind.as_str() == "pool" {
            let id = key.get("id").and_then(Value::as_text).unwrap_or_default();
            return Ok(self.pools(cx).await?.into_iter().filter(|pool| pool.id.as_str() == id).collect());
        }
        // Without `include` the service would keep silent about a leaver, who would then be made a second time.
        let mut path = "/v1/subscribers?include=inactive".to_owned();
        for (name, value) in key {
            path.push_str(&format!("&{}={}", encoded(name), encoded(&value.to_string())));
        }
        let answer = self.ask(cx, Ask::new("GET", path)).await?;
        answer.get("items").and_then(Json::as_array).ok_or_else(odd)?.iter().map(subscriber).collect()
    }

    async fn create(
        &self,
        cx: &Ctx,
        kind: &Kind,
        attrs: &Attrs,
        state: AccountState,
        entitlements: &[Entitlement],
    ) -> Result<Created> {
        writable(kind)?;
        let mut body: Map<String, Json> =
            attrs.iter().map(|(name, values)| (name.clone(), plain(name, values))).collect();
        body.insert("active".to_owned(), json!(state == AccountState::Enabled));
        if cx.dry_run {
            would(cx, "POST", "/v1/subscribers");
            return Ok(Created::new("dry-run"));
        }
        // The same key over all attempts of one change: a create whose answer was lost is recognised when it comes again.
        let ask = Ask::new("POST", "/v1/subscribers".to_owned()).body(Json::Object(body));
        let answer = self.ask(cx, ask.header("idempotency-key", &cx.op_id)).await?;
        let id = answer.get("id").and_then(Json::as_str).ok_or_else(|| odd().effect(Effect::Maybe))?;
        let mut created = Created::new(id);
        created.failed = self.join(cx, &created.id, entitlements).await?;
        Ok(created)
    }

    async fn update(&self, cx: &Ctx, kind: &Kind, id: &NativeId, change: &Change) -> Result<Updated> {
        writable(kind)?;
        let path = at(id);
        if cx.dry_run {
            would(cx, "PATCH", &path);
            return Ok(Updated::default());
        }
        let (mut body, version) = self.changed(cx, &path, change).await?;
        if change.state.is_some_and(|state| state != AccountState::Enabled) {
            body.insert("active".to_owned(), json!(false));
        }
        match (body.is_empty(), &version) {
            (false, _) => {
                let mut ask = Ask::new("PATCH", path.clone()).body(Json::Object(body));
                if let Some(version) = &version {
                    ask = ask.header("if-match", version);
                }
                self.ask(cx, ask).await?;
            }
            (true, Some(version)) => {
                let answer = self.send(cx, Ask::new("GET", path.clone())).await?;
                good(&answer, true)?;
                if answer.header("etag") != Some(version) {
                    return Err(ConnError::stale_version("the subscriber has changed since it was read"));
                }
            }
            (true, None) => {}
        }
        let mut updated =
            Updated { failed: self.leave(cx, id, &change.entitlements.remove).await?, ..Updated::default() };
        updated.failed.extend(self.join(cx, id, &change.entitlements.add).await?);
        // Opened last, and not while a part that closes has failed.
        if change.state == Some(AccountState::Enabled) && updated.failed.is_empty() {
            let opened = self.ask(cx, Ask::new("PATCH", path).body(json!({ "active": true }))).await;
            part(&mut updated.failed, "state", opened.map(drop))?;
        }
        Ok(updated)
    }

    async fn delete(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        writable(kind)?;
        if cx.dry_run {
            would(cx, "DELETE", &at(id));
            return Ok(());
        }
        let answer = self.send(cx, Ask::new("DELETE", at(id))).await?;
        if code(&answer).as_deref() == Some("no-such-subscriber") { Ok(()) } else { good(&answer, false).map(drop) }
    }

    fn lister(&self) -> Option<&dyn Lister> {
        Some(self)
    }
    fn syncer(&self) -> Option<&dyn Syncer> {
        Some(self)
    }
    fn effect(&self) -> Option<&dyn EffectFacet> {
        Some(self)
    }
}

#[async_trait]
impl Lister for Pager {
    async fn list(&self, cx: &Ctx, kind: &Kind, cursor: Option<&Cursor>, size: u32) -> Result<Page<Record>> {
        known(kind)?;
        self.page(cx, kind, cursor, size).await
    }
}

#[async_trait]
impl Syncer for Pager {
    async fn latest(&self, cx: &Ctx, kind: &Kind) -> Result<SyncToken> {
        writable(kind)?;
        let answer = self.ask(cx, Ask::new("GET", "/v1/changes".to_owned())).await?;
        answer.get("next").and_then(Json::as_str).map(SyncToken::from).ok_or_else(odd)
    }

    async fn changes(&self, cx: &Ctx, kind: &Kind, token: &SyncToken) -> Result<(Vec<SyncEvent>, SyncToken)> {
        writable(kind)?;
        let path = format!("/v1/changes?since={}", encoded(token.as_str()));
        let answer = self.send(cx, Ask::new("GET", path)).await?;
        // A place that is none of the service's own is as good as one that it has forgotten.
        if matches!(answer.status, 410 | 422) {
            return Ok((vec![SyncEvent::Resync], self.latest(cx, kind).await?));
        }
        let page = good(&answer, true)?;
        let event = |one: &Json| match one.get("subscriber") {
            Some(Json::Null) | None => {
                let id = one.get("id").and_then(Json::as_str).ok_or_else(odd)?;
                Ok(SyncEvent::Gone { kind: kind.clone(), id: id.into() })
            }
            Some(now) => Ok(SyncEvent::Upsert(Box::new(subscriber(now)?))),
        };
        let events = page.get("events").and_then(Json::as_array).ok_or_else(odd)?;
        let next = page.get("next").and_then(Json::as_str).ok_or_else(odd)?;
        Ok((events.iter().map(event).collect::<Result<_>>()?, next.into()))
    }
}

#[async_trait]
impl EffectFacet for Pager {
    async fn effective(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Effective> {
        writable(kind)?;
        let path = format!("/v1/can-sign-in/{}", encoded(id.as_str()));
        let answer = self.ask(cx, Ask::new("GET", path)).await?;
        let sessions = answer.get("sessions").and_then(Json::as_u64).and_then(|count| u32::try_from(count).ok());
        let reasons = answer.get("reasons").and_then(Json::as_array).into_iter().flatten();
        Ok(Effective {
            can_login: answer.get("allowed").and_then(Json::as_bool),
            sessions,
            why: reasons.filter_map(Json::as_str).map(str::to_owned).collect(),
        })
    }

    async fn revoke_sessions(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        writable(kind)?;
        let path = format!("/v1/sessions/{}", encoded(id.as_str()));
        if cx.dry_run {
            would(cx, "DELETE", &path);
            return Ok(());
        }
        self.ask(cx, Ask::new("DELETE", path)).await.map(drop)
    }
}

fn known(kind: &Kind) -> Result<()> {
    match kind.as_str() {
        "subscriber" | "pool" => Ok(()),
        _ => Err(ConnError::unsupported(format!("there is no kind {kind}"))),
    }
}

fn writable(kind: &Kind) -> Result<()> {
    match kind.as_str() {
        "subscriber" => Ok(()),
        _ => Err(ConnError::unsupported(format!("of {kind} only a list can be read"))),
    }
}

/// One part of a change. A refusal is that part's own; what may strike the next one too ends the call.
fn part(failed: &mut Vec<PartFailure>, part: &str, outcome: Result<()>) -> Result<()> {
    match outcome {
        Ok(()) => Ok(()),
        Err(error) if matches!(error.class, Class::Invalid | Class::Forbidden | Class::NotFound | Class::Conflict) => {
            failed.push(PartFailure { part: part.to_owned(), error });
            Ok(())
        }
        Err(error) => Err(error.effect(Effect::Maybe)),
    }
}

fn named(pool: &Entitlement) -> String {
    format!("{}:{}", pool.kind, pool.value)
}

fn place(id: &NativeId, pool: &Entitlement) -> Result<String> {
    if pool.kind.as_str() != "pool" || pool.scope.keys().any(|scope| scope != "site") {
        return Err(ConnError::invalid("only a pool is held, scoped by site and nothing else").attribute(named(pool)));
    }
    let site = pool.scope.get("site").map(|site| format!("?site={}", encoded(site))).unwrap_or_default();
    Ok(format!("{}/pools/{}{site}", at(id), encoded(pool.value.as_str())))
}
