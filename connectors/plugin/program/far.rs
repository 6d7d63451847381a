//! A connector to a target behind `host.http`: each call of the contract is one request, whose body is the call's parameters as
//! on the plugin's own wire. The test at the other end has the model answer it.

use async_trait::async_trait;
use chartgate_plugin::wire::{
    Applied, Apply, CallCx, Changed, Changes, Create, Done, Find, Latest, List, One, Plain, SetPassword, Ticket, Update,
};
use connector_spi::{
    AccountState, Attrs, BatchOp, Batcher, Change, ConfigIssue, ConnError, Connector, ConnectorType, Created, Ctx,
    Cursor, Discoverer, EffectFacet, Effective, Entitlement, Health, Host, HttpRequest, Kind, Level, Lister, NativeId,
    Op, Outcome, Page, Passwords, Record, Result, Secret, SecretRef, SyncEvent, SyncToken, Syncer, TargetSchema,
    TicketState, Tickets, Updated, Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// Settings, as the model's.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where it is.
    address: String,
    /// What lets the plugin in.
    secret: SecretRef,
    /// Any number.
    #[serde(default)]
    #[allow(dead_code)]
    max_calls: u32,
}

/// The kind.
pub struct Far;

#[async_trait]
impl ConnectorType for Far {
    type Config = Settings;
    const NAME: &'static str = "far";

    fn check_config(config: &Settings) -> Vec<ConfigIssue> {
        let wrong = !config.address.starts_with("http");
        let issue = || ConfigIssue { pointer: "/address".to_owned(), message: "is no address".to_owned(), hint: None };
        wrong.then(issue).into_iter().collect()
    }

    async fn open(config: Settings, _: Arc<dyn Host>) -> Result<Arc<dyn Connector>> {
        Ok(Arc::new(FarConnector(config)))
    }
}

struct FarConnector(Settings);

impl FarConnector {
    async fn ask<'a, P, T>(&self, cx: &'a Ctx, op: Op, params: impl FnOnce(CallCx<'a>) -> P) -> Result<T>
    where
        P: Serialize,
        T: DeserializeOwned,
    {
        let secret = cx.host.secret(&self.0.secret).await?;
        let params = params(CallCx::of(cx));
        if cx.dry_run && op.writes() {
            cx.host.event(Level::Info, "would be sent", &[("op", op.name())]);
        }
        let request = HttpRequest {
            method: if op.writes() { "POST" } else { "GET" }.to_owned(),
            url: format!("{}/{op}", self.0.address),
            headers: vec![("authorization".to_owned(), secret.expose().to_owned())],
            body: serde_json::to_vec(&params).unwrap(),
            timeout: cx.deadline.saturating_duration_since(tokio::time::Instant::now()),
            max_body: 3 << 20,
        };
        let response = cx.host.http(request).await?;
        match response.status {
            200 => Ok(serde_json::from_slice(&response.body).unwrap()),
            _ => Err(serde_json::from_slice(&response.body).unwrap()),
        }
    }
}

#[async_trait]
impl Connector for FarConnector {
    async fn check(&self, cx: &Ctx) -> Result<Health> {
        self.ask(cx, Op::Check, |cx| Plain { cx }).await
    }
    async fn schema(&self, cx: &Ctx) -> Result<TargetSchema> {
        self.ask(cx, Op::Schema, |cx| Plain { cx }).await
    }
    async fn get(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Option<Record>> {
        self.ask(cx, Op::Get, |cx| One { cx, kind: Cow::Borrowed(kind), id: Cow::Borrowed(id) }).await
    }
    async fn find(&self, cx: &Ctx, kind: &Kind, key: &BTreeMap<String, Value>) -> Result<Vec<Record>> {
        self.ask(cx, Op::Find, |cx| Find { cx, kind: Cow::Borrowed(kind), key: Cow::Borrowed(key) }).await
    }
    async fn create(
        &self,
        cx: &Ctx,
        kind: &Kind,
        attrs: &Attrs,
        state: AccountState,
        entitlements: &[Entitlement],
    ) -> Result<Created> {
        let (kind, attrs, entitlements) = (Cow::Borrowed(kind), Cow::Borrowed(attrs), Cow::Borrowed(entitlements));
        self.ask(cx, Op::Create, |cx| Create { cx, kind, attrs, state, entitlements }).await
    }
    async fn update(&self, cx: &Ctx, kind: &Kind, id: &NativeId, change: &Change) -> Result<Updated> {
        let (kind, id, change) = (Cow::Borrowed(kind), Cow::Borrowed(id), Cow::Borrowed(change));
        self.ask(cx, Op::Update, |cx| Update { cx, kind, id, change }).await
    }
    async fn delete(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        let (kind, id) = (Cow::Borrowed(kind), Cow::Borrowed(id));
        self.ask(cx, Op::Delete, |cx| One { cx, kind, id }).await.map(|Done {}| ())
    }
    fn lister(&self) -> Option<&dyn Lister> {
        Some(self)
    }
    fn syncer(&self) -> Option<&dyn Syncer> {
        Some(self)
    }
    fn batcher(&self) -> Option<&dyn Batcher> {
        Some(self)
    }
    fn passwords(&self) -> Option<&dyn Passwords> {
        Some(self)
    }
    fn discoverer(&self) -> Option<&dyn Discoverer> {
        Some(self)
    }
    fn effect(&self) -> Option<&dyn EffectFacet> {
        Some(self)
    }
    fn tickets(&self) -> Option<&dyn Tickets> {
        Some(self)
    }
}

#[async_trait]
impl Lister for FarConnector {
    async fn list(&self, cx: &Ctx, kind: &Kind, cursor: Option<&Cursor>, size: u32) -> Result<Page<Record>> {
        let (kind, cursor) = (Cow::Borrowed(kind), cursor.map(Cow::Borrowed));
        self.ask(cx, Op::List, |cx| List { cx, kind, cursor, size }).await
    }
}

#[async_trait]
impl Syncer for FarConnector {
    async fn latest(&self, cx: &Ctx, kind: &Kind) -> Result<SyncToken> {
        self.ask(cx, Op::Latest, |cx| Latest { cx, kind: Cow::Borrowed(kind) }).await
    }
    async fn changes(&self, cx: &Ctx, kind: &Kind, token: &SyncToken) -> Result<(Vec<SyncEvent>, SyncToken)> {
        let (kind, token) = (Cow::Borrowed(kind), Cow::Borrowed(token));
        let Changed { events, token } = self.ask(cx, Op::Changes, |cx| Changes { cx, kind, token }).await?;
        Ok((events, token))
    }
}

#[async_trait]
impl Batcher for FarConnector {
    async fn apply(&self, cx: &Ctx, ops: &[BatchOp]) -> Vec<std::result::Result<Outcome, ConnError>> {
        match self.ask(cx, Op::Apply, |cx| Apply { cx, ops: Cow::Borrowed(ops) }).await {
            Ok(applied) => Vec::<Applied>::into_iter(applied).map(Into::into).collect(),
            Err(error) => ops.iter().map(|_| Err(error.clone())).collect(),
        }
    }
}

#[async_trait]
impl Passwords for FarConnector {
    async fn set_password(&self, cx: &Ctx, kind: &Kind, id: &NativeId, password: &Secret) -> Result<()> {
        let (kind, id, password) = (Cow::Borrowed(kind), Cow::Borrowed(id), Cow::Borrowed(password.expose()));
        self.ask(cx, Op::SetPassword, |cx| SetPassword { cx, kind, id, password }).await.map(|Done {}| ())
    }
}

#[async_trait]
impl Discoverer for FarConnector {
    async fn discover(&self, cx: &Ctx) -> Result<BTreeMap<String, Vec<String>>> {
        self.ask(cx, Op::Discover, |cx| Plain { cx }).await
    }
}

#[async_trait]
impl EffectFacet for FarConnector {
    async fn effective(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Effective> {
        self.ask(cx, Op::Effective, |cx| One { cx, kind: Cow::Borrowed(kind), id: Cow::Borrowed(id) }).await
    }
    async fn revoke_sessions(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        let (kind, id) = (Cow::Borrowed(kind), Cow::Borrowed(id));
        self.ask(cx, Op::RevokeSessions, |cx| One { cx, kind, id }).await.map(|Done {}| ())
    }
}

#[async_trait]
impl Tickets for FarConnector {
    async fn ticket(&self, cx: &Ctx, kind: &Kind, ticket: &str) -> Result<TicketState> {
        let (kind, ticket) = (Cow::Borrowed(kind), Cow::Borrowed(ticket));
        self.ask(cx, Op::Ticket, |cx| Ticket { cx, kind, ticket }).await
    }
}
