//! The contract, carried out by requests.

use crate::{
    config::Pointer,
    exchange::{Answer, Exchange},
    plan::{KindPlan, Plan, same_names},
    record,
    run::{Run, entitlement_vars, sending, wired},
    template::{Filling, Request},
    work::{Sender, taken_on},
};
use async_trait::async_trait;
use connector_declared::{
    Steps, Worked,
    change::{side_effects, whole_list, work_out},
    check_new, order,
    rules::scrubbed,
    state_name,
};
use connector_expr::Vars;
use connector_http::Door;
use connector_spi::{
    AccountState, Attrs, Change, Class, ConnError, Connector, Created, Ctx, Delta, Effect, EffectFacet, Entitlement,
    EntitlementChange, Health, Kind, Lister, NativeId, PartFailure, Record, Result, TargetSchema, Tickets, Updated,
    Value,
};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// Records on a page of a look-up or of a list of entitlements.
pub(crate) const PAGE_SIZE: u32 = 100;

/// One target.
pub(crate) struct RestConnector {
    door: Door,
    pub(crate) plan: Plan,
}

impl RestConnector {
    pub(crate) fn new(door: Door, plan: Plan) -> Self {
        Self { door, plan }
    }

    pub(crate) fn exchange<'a>(&'a self, cx: &'a Ctx) -> Exchange<'a> {
        Exchange { door: &self.door, plan: &self.plan, cx }
    }

    pub(crate) fn kind(&self, kind: &Kind) -> Result<&KindPlan> {
        self.plan.kinds.get(kind).ok_or_else(|| ConnError::unsupported(format!("the target has no kind {kind}")))
    }

    /// Sends a request that reads and needs no more than variables.
    pub(crate) async fn ask(&self, cx: &Ctx, kind: Option<&KindPlan>, request: &Request, vars: Json) -> Result<Answer> {
        let exchange = self.exchange(cx);
        let vars = Vars::new(vars);
        let ready = request.fill(exchange.base(), &Filling { vars: &vars, sending: &[], record: None })?;
        exchange.read(kind, request, ready).await
    }
}

#[async_trait]
impl Connector for RestConnector {
    async fn check(&self, cx: &Ctx) -> Result<Health> {
        let answer = self.ask(cx, None, &self.plan.check, json!({})).await?;
        let server = answer.response.header("server").map(|text| scrubbed(text, &[]));
        Ok(Health { server, warnings: answer.warnings })
    }

    async fn schema(&self, _: &Ctx) -> Result<TargetSchema> {
        Ok(self.plan.schema.clone())
    }

    async fn get(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Option<Record>> {
        let kind = self.kind(kind)?;
        let Some(mut fetched) = self.fetch(cx, kind, id).await? else { return Ok(None) };
        self.complete(cx, kind, &mut fetched).await?;
        Ok(Some(fetched.record))
    }

    async fn find(&self, cx: &Ctx, kind: &Kind, key: &BTreeMap<String, Value>) -> Result<Vec<Record>> {
        let kind = self.kind(kind)?;
        let names: Vec<String> = key.keys().cloned().collect();
        let search = kind.find.iter().find(|search| same_names(&search.key, &names));
        let search = search.ok_or_else(|| unsupported(kind, "be looked up by this key"))?;
        self.search(cx, kind, search, key).await
    }

    async fn create(
        &self,
        cx: &Ctx,
        kind: &Kind,
        attrs: &Attrs,
        state: AccountState,
        entitlements: &[Entitlement],
    ) -> Result<Created> {
        let kind = self.kind(kind)?;
        let request = kind.create.as_ref().ok_or_else(|| unsupported(kind, "be made"))?;
        let config = kind.config.create.as_ref().ok_or_else(|| unsupported(kind, "be made"))?;
        check_new(&kind.schema, attrs)?;
        if config.look_first
            && let Some(id) = self.taken_by(cx, kind, attrs).await?
        {
            return Err(ConnError::already_exists("a record with this natural key is there").existing(id));
        }
        let sending = sending(kind, attrs.iter().map(|(name, values)| (name.as_str(), Some(values.as_slice()))));
        let known = [
            ("op", json!(&*cx.op_id)),
            ("state", json!(state_name(state))),
            ("attrs", wired(&sending)),
            ("entitlements", entitlements.iter().map(entitlement_vars).collect()),
            ("steps", json!({})),
        ];
        let sender = Sender { connector: self, cx, kind, sending: &sending, vars: Vars::default().with(known) };
        let mut steps = Steps::of(&kind.first);
        sender.through(&mut steps).await?;
        let vars = sender.vars(&steps.given());
        let answer = match sender.write(request, &steps.given()).await {
            Ok(answer) => answer,
            Err(error) => {
                let error = sender.undone(&mut steps, error).await;
                if error.class != Class::AlreadyExists || error.existing.is_some() {
                    return Err(error);
                }
                // Who stands in the way helps the gateway to adopt or dispute; not to find out is no second failure.
                let existing = self.taken_by(cx, kind, attrs).await.ok().flatten();
                return Err(existing.into_iter().fold(error, ConnError::existing));
            }
        };
        if let Some((answer, pending)) = answer.as_ref().and_then(|answer| Some((answer, taken_on(request, answer)?))) {
            // Its id is believed where the file says where it stands; a `Location` is the ticket's.
            let id = config.id.as_ref().and_then(|at| answered_id(Some(at), answer)).unwrap_or_default();
            return Ok(Created { pending: Some(pending), warnings: answer.warnings.clone(), ..Created::new(id) });
        }
        let mut created = match &answer {
            Some(answer) => Created::new(new_id(config.id.as_ref(), request, answer)?),
            None => Created::new(""),
        };
        let wanted = (state != config.born && state != AccountState::Unknown).then_some(state);
        let change = EntitlementChange { add: entitlements.to_vec(), remove: Vec::new(), whole: None };
        let worked =
            Worked { attrs: &BTreeMap::new(), entitlements: &change, whole: Some(entitlements), state: wanted };
        let ordered = order(&kind.moves, &worked, &vars)?;
        if let Some(answer) = answer.as_ref().filter(|_| ordered.acts.is_empty()) {
            created.record =
                request.config.record_at.read(&answer.body).and_then(|raw| record::read(kind, raw, answer.etag()));
        }
        let version = answer.as_ref().and_then(|answer| answer.etag().map(str::to_owned));
        let mut run = Run {
            connector: self,
            cx,
            kind,
            id: created.id.clone(),
            raw: None,
            version,
            warnings: Vec::new(),
            pending: None,
        };
        let outcome = run.through(ordered).await;
        created.failed = outcome.failed;
        created.pending = run.pending.take();
        if let Some((error, rest)) = outcome.ended {
            // The record stands: its id must not be lost, so what is left is reported part by part.
            created.failed.extend(rest.into_iter().map(|part| PartFailure { part, error: error.clone() }));
        }
        created.warnings = answer.map(|answer| answer.warnings).unwrap_or_default();
        created.warnings.append(&mut run.warnings);
        if kind.config.read_back && !cx.dry_run && created.pending.is_none() {
            created.record = self.get(cx, &kind.name, &created.id).await.unwrap_or_default();
        }
        Ok(created)
    }

    async fn update(&self, cx: &Ctx, kind: &Kind, id: &NativeId, change: &Change) -> Result<Updated> {
        let kind = self.kind(kind)?;
        if change.is_empty() {
            return Ok(Updated::default());
        }
        let mut run = Run {
            connector: self,
            cx,
            kind,
            id: id.clone(),
            raw: None,
            version: change.if_version.clone(),
            warnings: Vec::new(),
            pending: None,
        };
        let replaces =
            |one: &Entitlement| kind.moves.entitlements.get(&one.kind).is_some_and(|giving| giving.replace.is_some());
        let rewrites = change.entitlements.add.iter().chain(&change.entitlements.remove).any(replaces);
        let patches = change.attrs.values().any(|delta| matches!(delta, Delta::Patch { .. }));
        let mut current = None;
        if patches || (rewrites && change.entitlements.whole.is_none()) {
            let mut fetched =
                self.fetch(cx, kind, id).await?.ok_or_else(|| ConnError::not_found("the record is not there"))?;
            run.compare(&fetched.record)?;
            if rewrites {
                self.complete(cx, kind, &mut fetched).await?;
            }
            run.raw = Some(fetched.raw.clone());
            current = Some(fetched.record);
        }
        let whole = match &change.entitlements.whole {
            Some(whole) => Some(whole.clone()),
            None => current.as_ref().and_then(|record| whole_list(record, &change.entitlements)),
        };
        let attrs = work_out(&change.attrs, current.as_ref());
        let sending = sending(kind, attrs.iter().map(|(name, values)| (name.as_str(), values.as_deref())));
        let vars = Vars::new(json!({"id": id.as_str(), "attrs": wired(&sending)}));
        let worked =
            Worked { attrs: &attrs, entitlements: &change.entitlements, whole: whole.as_deref(), state: change.state };
        let ordered = order(&kind.moves, &worked, &vars)?;
        if change.if_version.is_some()
            && current.is_none()
            && !ordered.acts.first().is_some_and(|act| act.request.config.if_match)
        {
            // The first request does not carry the version, so it is compared here, before anything is changed.
            let fetched =
                self.fetch(cx, kind, id).await?.ok_or_else(|| ConnError::not_found("the record is not there"))?;
            run.compare(&fetched.record)?;
        }
        let outcome = run.through(ordered).await;
        if let Some((error, _)) = outcome.ended {
            let partial = outcome.done > 0 && error.effect == Effect::None;
            return Err(if partial { error.effect(Effect::Partial) } else { error });
        }
        if outcome.done == 0
            && let Some(first) = outcome.failed.first()
        {
            let part = first.part.clone();
            let named = first.error.attribute.is_some();
            let error = first.error.clone();
            return Err(if named { error } else { error.attribute(part) });
        }
        let mut updated =
            Updated { failed: outcome.failed, warnings: run.warnings, pending: run.pending, ..Updated::default() };
        if kind.config.read_back
            && !cx.dry_run
            && updated.pending.is_none()
            && let Ok(Some(record)) = self.get(cx, &kind.name, id).await
        {
            updated.side_effects = side_effects(&attrs, &record);
        }
        Ok(updated)
    }

    async fn delete(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        let kind = self.kind(kind)?;
        let request = kind.delete.as_ref().ok_or_else(|| unsupported(kind, "be deleted"))?;
        let exchange = self.exchange(cx);
        let vars = Vars::new(json!({"id": id.as_str()}));
        let ready = request.fill(exchange.base(), &Filling { vars: &vars, sending: &[], record: None })?;
        match exchange.write(Some(kind), request, ready, None).await {
            Err(error) if error.class == Class::NotFound => Ok(()),
            other => other.map(drop),
        }
    }

    fn lister(&self) -> Option<&dyn Lister> {
        self.plan.kinds.values().any(|kind| kind.list.is_some()).then_some(self)
    }

    fn effect(&self) -> Option<&dyn EffectFacet> {
        self.plan.kinds.values().any(|kind| kind.effective.is_some() || kind.revoke_sessions.is_some()).then_some(self)
    }

    fn tickets(&self) -> Option<&dyn Tickets> {
        self.plan.kinds.values().any(|kind| kind.ticket.is_some()).then_some(self)
    }
}

pub(crate) fn unsupported(kind: &KindPlan, what: &str) -> ConnError {
    ConnError::unsupported(format!("records of kind {} cannot {what} by the target's file", kind.name))
}

fn new_id(at: Option<&Pointer>, request: &Request, answer: &Answer) -> Result<String> {
    let lost = || ConnError::unknown(format!("the answer to a create names no id ({})", request.label));
    answered_id(at, answer).ok_or_else(lost)
}

/// What an answer names at a place, or by its `Location`.
pub(crate) fn answered_id(at: Option<&Pointer>, answer: &Answer) -> Option<String> {
    let by_pointer = || at.and_then(|at| at.read(&answer.body)).and_then(record::text_of);
    let by_location = || {
        let path = answer.response.header("location")?.split(['?', '#']).next()?;
        let last = path.trim_end_matches('/').rsplit('/').next()?;
        // A segment of an address is percent-encoded; the id is not.
        let plain = url::form_urlencoded::parse(last.replace('+', "%2B").as_bytes()).next()?.0.into_owned();
        (!plain.is_empty()).then_some(plain)
    };
    if at.is_some() { by_pointer() } else { by_location() }
}
