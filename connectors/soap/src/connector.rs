//! The contract, carried out by requests.

use crate::{
    exchange::{Answer, Exchange},
    plan::{KindPlan, Plan, same_names},
    run::Run,
    service::Service,
    template::Filling,
    variables::{entitlement, sent},
    work::{Sender, taken_on},
};
use async_trait::async_trait;
use connector_declared::{
    Steps, Worked,
    change::{side_effects, whole_list, work_out},
    check_new, order, state_name,
};
use connector_spi::entitlement::in_order;
use connector_spi::{
    AccountState, Attrs, Change, Class, ConnError, Connector, Created, Ctx, Delta, Effect, EffectFacet, Entitlement,
    EntitlementChange, Health, Kind, Lister, NativeId, PartFailure, Passwords, Record, Result, TargetSchema, Tickets,
    Updated, Value,
};
use serde_json::json;
use std::collections::BTreeMap;

/// Records on a page of a look-up.
pub(crate) const PAGE_SIZE: u32 = 100;

/// One target.
pub(crate) struct SoapConnector {
    pub(crate) services: BTreeMap<String, Service>,
    pub(crate) plan: Plan,
}

impl SoapConnector {
    pub(crate) fn exchange<'a>(&'a self, cx: &'a Ctx) -> Exchange<'a> {
        Exchange { services: &self.services, plan: &self.plan, cx }
    }

    pub(crate) fn kind(&self, kind: &Kind) -> Result<&KindPlan> {
        self.plan.kinds.get(kind).ok_or_else(|| ConnError::unsupported(format!("the target has no kind {kind}")))
    }

    /// The variables that every request of a change has.
    pub(crate) fn filling(&self, cx: &Ctx, id: &NativeId) -> Filling {
        Filling::new(json!({"id": id.as_str(), "op": &*cx.op_id, "leaver": cx.leaver}))
    }

    /// The variables of a create.
    fn newborn(&self, cx: &Ctx, kind: &KindPlan, attrs: &Attrs, state: AccountState, with: &[Entitlement]) -> Filling {
        let born = kind.config.create.as_ref().map(|create| create.born.as_slice()).unwrap_or_default();
        let state = if born.contains(&state) { state } else { born.first().copied().unwrap_or(state) };
        let calendar = &self.plan.reader.calendar;
        let carried = with.iter().map(|one| entitlement(calendar, one)).collect();
        let attrs = attrs.iter().map(|(name, values)| (name.as_str(), Some(values.as_slice())));
        let known = [
            ("op", json!(&*cx.op_id)),
            ("leaver", json!(cx.leaver)),
            ("state", json!(state_name(state))),
            ("entitlements", carried),
            ("steps", json!({})),
        ];
        Filling::default().with(known.into_iter().chain(sent(kind, attrs)))
    }
}

#[async_trait]
impl Connector for SoapConnector {
    async fn check(&self, cx: &Ctx) -> Result<Health> {
        let mut warnings = Vec::new();
        for request in &self.plan.check {
            let filling = Filling::new(json!({"op": &*cx.op_id}));
            warnings.append(&mut self.exchange(cx).read(request, &filling).await?.warnings);
        }
        Ok(Health { server: None, warnings })
    }

    async fn schema(&self, _: &Ctx) -> Result<TargetSchema> {
        Ok(self.plan.schema.clone())
    }

    async fn get(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Option<Record>> {
        self.fetch(cx, self.kind(kind)?, id).await
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
        let carries = |one: &&Entitlement| config.carries.contains(&one.kind.0);
        let carried: Vec<Entitlement> = entitlements.iter().filter(carries).cloned().collect();
        let carried = in_order(carried.clone(), &carried);
        let sender = Sender { connector: self, cx, filling: self.newborn(cx, kind, attrs, state, &carried) };
        let mut steps = Steps::of(&kind.first);
        sender.through(&mut steps).await?;
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
        let later = answer.as_ref().and_then(|answer| Some((answer, taken_on(&self.plan.reader, request, answer)?)));
        if let Some((answer, pending)) = later {
            let id = self.new_id(config, answer, &request.label).unwrap_or_else(|_| NativeId::from(""));
            return Ok(Created { pending: Some(pending), warnings: answer.warnings.clone(), ..Created::new(id) });
        }
        let mut created = Created::new(match &answer {
            Some(answer) => self.new_id(config, answer, &request.label)?,
            None => NativeId::from(""),
        });
        let given = EntitlementChange {
            add: entitlements.iter().filter(|one| !carries(one)).cloned().collect(),
            ..EntitlementChange::default()
        };
        let wanted = (state != AccountState::Unknown && !config.born.contains(&state)).then_some(state);
        let none = BTreeMap::new();
        let worked = Worked { attrs: &none, entitlements: &given, whole: Some(&given.add), state: wanted };
        let filling = self.filling(cx, &created.id);
        let ordered = order(&kind.moves, &worked, filling.vars())?;
        let mut run =
            Run { connector: self, cx, kind, id: created.id.clone(), held: None, warnings: Vec::new(), pending: None };
        let through = run.through(ordered).await;
        created.failed = through.failed;
        created.pending = run.pending.take();
        if let Some((error, rest)) = through.ended {
            // The record stands: its id must not be lost, so what is left is reported part by part.
            created.failed.extend(rest.into_iter().map(|part| PartFailure { part, error: error.clone() }));
        }
        created.warnings = answer.map(|answer| answer.warnings).unwrap_or_default();
        created.warnings.append(&mut run.warnings);
        if kind.config.read_back && !cx.dry_run && created.pending.is_none() {
            created.record = self.fetch(cx, kind, &created.id).await.unwrap_or_default();
        }
        Ok(created)
    }

    async fn update(&self, cx: &Ctx, kind: &Kind, id: &NativeId, change: &Change) -> Result<Updated> {
        let kind = self.kind(kind)?;
        if change.is_empty() {
            return Ok(Updated::default());
        }
        let replaces =
            |one: &Entitlement| kind.moves.entitlements.get(&one.kind).is_some_and(|giving| giving.replace.is_some());
        let rewrites = change.entitlements.add.iter().chain(&change.entitlements.remove).any(replaces);
        let patches = change.attrs.values().any(|delta| matches!(delta, Delta::Patch { .. }));
        let mut held = None;
        if patches || change.if_version.is_some() || (rewrites && change.entitlements.whole.is_none()) {
            let record = self.fetch(cx, kind, id).await?;
            let record = record.ok_or_else(|| ConnError::not_found("the record is not there"))?;
            if change.if_version.is_some() && record.version.is_some() && change.if_version != record.version {
                return Err(ConnError::stale_version("the record changed since it was read"));
            }
            held = Some(record);
        }
        let whole = match &change.entitlements.whole {
            Some(whole) => Some(whole.clone()),
            None => held.as_ref().and_then(|record| whole_list(record, &change.entitlements)),
        };
        let attrs = work_out(&change.attrs, held.as_ref());
        let worked =
            Worked { attrs: &attrs, entitlements: &change.entitlements, whole: whole.as_deref(), state: change.state };
        let sending = attrs.iter().map(|(name, values)| (name.as_str(), values.as_deref()));
        let filling = self.filling(cx, id).with(sent(kind, sending));
        let ordered = order(&kind.moves, &worked, filling.vars())?;
        let mut run = Run { connector: self, cx, kind, id: id.clone(), held, warnings: Vec::new(), pending: None };
        let through = run.through(ordered).await;
        if let Some((error, _)) = through.ended {
            let partial = through.done > 0 && error.effect == Effect::None;
            return Err(if partial { error.effect(Effect::Partial) } else { error });
        }
        if through.done == 0
            && let Some(first) = through.failed.first()
        {
            let named = first.error.attribute.is_some();
            let error = first.error.clone();
            return Err(if named { error } else { error.attribute(first.part.clone()) });
        }
        let mut updated =
            Updated { failed: through.failed, warnings: run.warnings, pending: run.pending, ..Updated::default() };
        if kind.config.read_back
            && !cx.dry_run
            && updated.pending.is_none()
            && let Ok(Some(record)) = self.fetch(cx, kind, id).await
        {
            updated.side_effects = side_effects(&attrs, &record);
        }
        Ok(updated)
    }

    async fn delete(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        let kind = self.kind(kind)?;
        let request = kind.delete.as_ref().ok_or_else(|| unsupported(kind, "be deleted"))?;
        match self.exchange(cx).write(request, &self.filling(cx, id)).await {
            Err(error) if error.class == Class::NotFound => Ok(()),
            other => other.map(drop),
        }
    }

    fn lister(&self) -> Option<&dyn Lister> {
        self.plan.kinds.values().any(|kind| kind.list.is_some()).then_some(self)
    }

    fn passwords(&self) -> Option<&dyn Passwords> {
        self.plan.kinds.values().any(|kind| kind.set_password.is_some()).then_some(self)
    }

    fn effect(&self) -> Option<&dyn EffectFacet> {
        self.plan.kinds.values().any(|kind| kind.effective.is_some() || kind.revoke_sessions.is_some()).then_some(self)
    }

    fn tickets(&self) -> Option<&dyn Tickets> {
        self.plan.kinds.values().any(|kind| kind.ticket.is_some()).then_some(self)
    }
}

impl SoapConnector {
    fn new_id(&self, config: &crate::config::Create, answer: &Answer, label: &str) -> Result<NativeId> {
        let found = self.plan.reader.text(&config.id, &answer.payload).filter(|text| !text.is_empty());
        let lost = || ConnError::unknown(format!("the answer to a create names no id ({label})"));
        found.map(NativeId).ok_or_else(lost)
    }
}

pub(crate) fn unsupported(kind: &KindPlan, what: &str) -> ConnError {
    ConnError::unsupported(format!("records of kind {} cannot {what} by the target's file", kind.name))
}
