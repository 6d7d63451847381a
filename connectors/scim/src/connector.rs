//! The contract, carried out by requests.

use crate::{
    config::Config,
    discovery::{self, Documents},
    edit,
    exchange::{Answer, Exchange, Ready},
    lookup::{self, label},
    members,
    page::Place,
    plan::{ACCOUNT, KindPlan, MEMBERS, Plan, Sort},
    record,
    run::{self, Act, Run, Sense, What},
};
use async_trait::async_trait;
use connector_http::Door;
use connector_spi::{
    AccountState, Attrs, Change, Class, ConnError, Connector, Created, Ctx, Delta, Effect, EffectFacet, Entitlement,
    Health, Kind, Lister, NativeId, PartFailure, Record, Result, TargetSchema, Updated, Value,
};
use scim::Filter;
use serde_json::{Map, Value as Json, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};
use tokio::sync::Mutex;

/// A value of a natural key that no account has: what `check` asks for.
const NOBODY: &str = "chartgate-check-finds-nobody";

/// One server.
pub(crate) struct ScimConnector {
    door: Door,
    pub(crate) config: Config,
    plan: RwLock<Option<Arc<Plan>>>,
    /// One asks; the others wait for what it finds.
    asking: Mutex<()>,
}

impl ScimConnector {
    pub(crate) fn new(door: Door, config: Config) -> Self {
        Self { door, config, plan: RwLock::new(None), asking: Mutex::new(()) }
    }

    pub(crate) fn exchange<'a>(&'a self, cx: &'a Ctx) -> Exchange<'a> {
        Exchange { door: &self.door, config: &self.config, cx }
    }

    /// What the connector does with this server; asked for when it is first needed.
    pub(crate) async fn plan(&self, cx: &Ctx) -> Result<Arc<Plan>> {
        if let Some(plan) = self.known() {
            return Ok(plan);
        }
        let _turn = self.asking.lock().await;
        match self.known() {
            Some(plan) => Ok(plan),
            None => self.discover(cx).await.map(|(plan, _)| plan),
        }
    }

    fn known(&self) -> Option<Arc<Plan>> {
        self.plan.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the server what it can do. Also gives the name that it calls itself by.
    async fn discover(&self, cx: &Ctx) -> Result<(Arc<Plan>, Option<String>)> {
        let (config, schemas, types) = tokio::try_join!(
            self.document(cx, "ServiceProviderConfig"),
            self.document(cx, "Schemas"),
            self.document(cx, "ResourceTypes"),
        )?;
        let server = config.as_ref().and_then(|answer| answer.server.clone());
        let body = |answer: Option<Answer>| answer.map(|answer| answer.body);
        let documents = Documents { config: body(config), schemas: body(schemas), types: body(types) };
        let offer = discovery::understand(&documents, self.door.base().path());
        let plan = Arc::new(Plan::make(&self.config, offer));
        *self.plan.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&plan));
        Ok((plan, server))
    }

    /// One document of discovery; `None` where it is not served. A server that keeps them from its clients does not serve
    /// them either, unless it refuses the credentials.
    async fn document(&self, cx: &Ctx, name: &str) -> Result<Option<Answer>> {
        let exchange = self.exchange(cx);
        let url = exchange.address(&[name.to_owned()], None)?;
        match exchange.read(&format!("/{name}"), url).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error)
                if matches!(error.class, Class::NotFound | Class::Forbidden | Class::Unsupported | Class::Invalid) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn create_as(
        &self,
        cx: &Ctx,
        plan: &Plan,
        kind: &KindPlan,
        attrs: &Attrs,
        state: AccountState,
        entitlements: &[Entitlement],
    ) -> Result<Created> {
        let (mut plain, mut later) = (attrs.clone(), Vec::new());
        let mut first = Vec::new();
        if kind.sort == Sort::Group {
            let all = members::ids(&plain.remove(MEMBERS).unwrap_or_default())?;
            let most = usize::try_from(self.config.max_member_changes).unwrap_or(1).min(all.len());
            let (now, rest) = all.split_at(most);
            first = now.to_vec();
            later = rest.to_vec();
        }
        let edits = edit::of_new(kind, &plain)?;
        if cx.attempt > 1
            && let Some(record) = self.recognise(cx, plan, kind, attrs).await?
        {
            return Ok(Created { adopted: true, record: Some(record.clone()), ..Created::new(record.id.0) });
        }
        if let Some(id) = self.taken_by(cx, plan, kind, attrs, &kind.look_first).await? {
            return Err(ConnError::already_exists("a resource with this natural key is there").existing(id));
        }
        let mut document = Map::new();
        edit::apply(&mut document, &edits);
        let (inside, outside): (Vec<_>, Vec<_>) =
            entitlements.iter().cloned().partition(|one| plan.list(&one.kind).is_some());
        let mut born = state;
        if kind.sort == Sort::Account {
            for one in &inside {
                let Some(list) = plan.list(&one.kind) else { continue };
                let edit = edit::give(list, one, &Json::Object(document.clone()))?;
                edit::apply(&mut document, edit.as_slice());
            }
            if state == AccountState::Enabled && !outside.is_empty() && self.config.account.create_inactive {
                born = AccountState::Disabled;
            }
            if kind.caps.disable && born != AccountState::Unknown {
                document.insert("active".to_owned(), json!(born == AccountState::Enabled));
            }
        } else if !first.is_empty() {
            let all = first.iter().map(|id| json!({ "value": id })).collect();
            document.insert(MEMBERS.to_owned(), Json::Array(all));
        }
        let answer = match self.post(cx, kind, document).await {
            Err(error) if error.class == Class::AlreadyExists => {
                // Who stands in the way helps the gateway to adopt or dispute; not to find out is no second failure.
                let existing = self.taken_by(cx, plan, kind, attrs, &kind.natural_keys).await.ok().flatten();
                return Err(existing.into_iter().fold(error, ConnError::existing));
            }
            other => other?,
        };
        let Some(answer) = answer else { return Ok(Created::new("")) };
        let mut created = Created::new(new_id(&answer, kind)?);
        let mut acts: Vec<Act> = Vec::new();
        if !later.is_empty() {
            let add = later.into_iter().map(Value::from).collect();
            let what = What::Members(Delta::Patch { add, remove: Vec::new() });
            acts.push(Act { parts: vec![MEMBERS.to_owned()], sense: Sense::Changes, what });
        }
        acts.extend(outside.into_iter().map(|one| Act {
            parts: vec![run::part_of(&one)],
            sense: Sense::Changes,
            what: What::Give(one),
        }));
        if born != state {
            acts.push(Act { parts: vec!["state".to_owned()], sense: Sense::Opens, what: What::Active(true) });
        }
        if acts.is_empty() && self.config.account.lists_whole {
            created.record = record::read(plan, kind, &answer.body, answer.etag.as_deref());
        }
        let mut run = Run { connector: self, cx, plan, kind, id: created.id.clone(), raw: None, version: None };
        let through = run.through(&acts).await;
        created.failed = through.failed;
        if let Some((error, left)) = through.ended {
            // The resource stands: its id must not be lost, so what is left is reported part by part.
            created.failed.extend(left.into_iter().map(|part| PartFailure { part, error: error.clone() }));
        }
        Ok(created)
    }

    async fn post(&self, cx: &Ctx, kind: &KindPlan, document: Map<String, Json>) -> Result<Option<Answer>> {
        let exchange = self.exchange(cx);
        let body = edit::finished(document, &kind.resource);
        let url = exchange.address(&kind.resource.endpoint, None)?;
        let label = format!("POST {}", label(kind, false));
        exchange.write(Ready { method: "POST", label, url, body: Some(&body), version: None }).await
    }
}

#[async_trait]
impl Connector for ScimConnector {
    async fn check(&self, cx: &Ctx) -> Result<Health> {
        let (plan, server) = self.discover(cx).await?;
        let account = kind_of(&plan, &ACCOUNT.into())?;
        // The documents of discovery are often open to everybody, so something is asked that is not.
        let nobody = |name: &String| {
            let key = BTreeMap::from([(name.clone(), Value::from(NOBODY))]);
            // Simple is enough here, and more servers know it.
            let simple = |filter: &Filter| matches!(filter, Filter::Compare { .. });
            plan.search.way(account, &key).ok().flatten().and_then(|way| way.filter).filter(simple)
        };
        let filter = account.natural_keys.first().and_then(|key| key.first()).and_then(nobody);
        let place = if plan.by_cursor { Place::Cursor(String::new()) } else { Place::FirstByIndex };
        lookup::ask(&self.exchange(cx), &plan, account, &place, 1, filter.as_ref()).await?;
        Ok(Health { server: server.map(|text| crate::error::scrubbed(&text, &[])), warnings: plan.warnings.clone() })
    }

    async fn schema(&self, cx: &Ctx) -> Result<TargetSchema> {
        Ok(self.discover(cx).await?.0.schema.clone())
    }

    async fn get(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Option<Record>> {
        let plan = self.plan(cx).await?;
        let kind = kind_of(&plan, kind)?;
        if kind.sort == Sort::Catalogue {
            return Err(unsupported(kind, "be read by id"));
        }
        Ok(self.fetch_whole(cx, &plan, kind, id).await?.map(|fetched| fetched.record))
    }

    async fn find(&self, cx: &Ctx, kind: &Kind, key: &BTreeMap<String, Value>) -> Result<Vec<Record>> {
        let plan = self.plan(cx).await?;
        let kind = kind_of(&plan, kind)?;
        let same = |names: &Vec<String>| names.len() == key.len() && names.iter().all(|name| key.contains_key(name));
        if !kind.caps.find_by.iter().any(same) {
            return Err(unsupported(kind, "be looked up by this key"));
        }
        match self.search(cx, &plan, kind, key).await {
            Err(error) if error.class == Class::NotFound => Ok(Vec::new()),
            other => other,
        }
    }

    async fn create(
        &self,
        cx: &Ctx,
        kind: &Kind,
        attrs: &Attrs,
        state: AccountState,
        entitlements: &[Entitlement],
    ) -> Result<Created> {
        let plan = self.plan(cx).await?;
        let kind = kind_of(&plan, kind)?;
        if !kind.caps.create {
            return Err(unsupported(kind, "be made"));
        }
        self.create_as(cx, &plan, kind, attrs, state, entitlements).await
    }

    async fn update(&self, cx: &Ctx, kind: &Kind, id: &NativeId, change: &Change) -> Result<Updated> {
        let plan = self.plan(cx).await?;
        let kind = kind_of(&plan, kind)?;
        if !kind.caps.update || (change.state.is_some() && !kind.caps.disable) {
            return Err(unsupported(kind, "be changed like this"));
        }
        if change.is_empty() {
            return Ok(Updated::default());
        }
        if change.if_version.is_some() && !plan.etag {
            return Err(unsupported(kind, "be changed on condition of a version"));
        }
        let acts = run::acts(kind, change);
        let version = change.if_version.clone();
        let mut run = Run { connector: self, cx, plan: &plan, kind, id: id.clone(), raw: None, version };
        let carries = |act: &Act| matches!(act.what, What::Active(_) | What::Attributes(_));
        if change.if_version.is_some() && !acts.first().is_some_and(carries) {
            // The first request is not to the resource itself, so its version is compared here, before anything is changed.
            run.resource().await?;
        }
        let through = run.through(&acts).await;
        if let Some((error, _)) = through.ended {
            let partial = through.done > 0 && error.effect == Effect::None;
            return Err(if partial { error.effect(Effect::Partial) } else { error });
        }
        if through.done == 0
            && let Some(first) = through.failed.first()
        {
            let error = first.error.clone();
            return Err(if error.attribute.is_some() { error } else { error.attribute(first.part.clone()) });
        }
        Ok(Updated { failed: through.failed, ..Updated::default() })
    }

    async fn delete(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        let plan = self.plan(cx).await?;
        let kind = kind_of(&plan, kind)?;
        if !kind.caps.delete {
            return Err(unsupported(kind, "be deleted"));
        }
        let exchange = self.exchange(cx);
        let url = exchange.address(&kind.resource.endpoint, Some(id.as_str()))?;
        let label = format!("DELETE {}", label(kind, true));
        match exchange.write(Ready { method: "DELETE", label, url, body: None, version: None }).await {
            Err(error) if error.class == Class::NotFound => Ok(()),
            other => other.map(drop),
        }
    }

    fn lister(&self) -> Option<&dyn Lister> {
        Some(self)
    }

    fn effect(&self) -> Option<&dyn EffectFacet> {
        self.config.inactive_refuses_login.then_some(self)
    }
}

pub(crate) fn kind_of<'p>(plan: &'p Plan, kind: &Kind) -> Result<&'p KindPlan> {
    plan.kinds.get(kind).ok_or_else(|| ConnError::unsupported(format!("the server has no kind {kind}")))
}

pub(crate) fn unsupported(kind: &KindPlan, what: &str) -> ConnError {
    ConnError::unsupported(format!("resources of kind {} cannot {what}", kind.name))
}

/// The id that the server gave: in the body, else at the end of `Location`.
fn new_id(answer: &Answer, kind: &KindPlan) -> Result<String> {
    let by_location = || {
        let path = answer.location.as_deref()?.split(['?', '#']).next()?;
        let last = path.trim_end_matches('/').rsplit('/').next()?;
        // A segment of an address is percent-encoded; the id is not.
        let plain = url::form_urlencoded::parse(last.replace('+', "%2B").as_bytes()).next()?.0.into_owned();
        (!plain.is_empty()).then_some(plain)
    };
    let found = record::id_of(&answer.body).or_else(by_location);
    found.ok_or_else(|| ConnError::unknown(format!("the answer to a create names no id ({})", label(kind, false))))
}
