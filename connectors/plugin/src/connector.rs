//! The contract, forwarded call by call.

mod facets;

use crate::{
    answers::{self, Checked},
    keeper::Keeper,
};
use async_trait::async_trait;
use chartgate_plugin::{
    line::CallError,
    wire::{CODE_NO_METHOD, CODE_PARAMS, CallCx, Create, Done, Feature, Find, One, Plain, Update},
};
use connector_spi::{
    AccountState, Attrs, Batcher, Change, ConnError, Connector, Created, Ctx, Discoverer, Effect, EffectFacet,
    Entitlement, Health, Kind, Lister, NativeId, Op, PartFailure, Passwords, Record, Result, Syncer, TargetSchema,
    Tickets, Updated, Value,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};
use tokio::{sync::Semaphore, time::timeout_at};

/// A target behind a plugin.
pub(crate) struct PluginConnector {
    keeper: Arc<Keeper>,
    turns: Semaphore,
}

impl PluginConnector {
    /// At most `at_a_time` calls are under way in the plugin.
    pub fn new(keeper: Arc<Keeper>, at_a_time: u32) -> Self {
        Self { keeper, turns: Semaphore::new(usize::try_from(at_a_time).unwrap_or(1)) }
    }

    fn has(&self, feature: Feature) -> bool {
        self.keeper.running().is_some_and(|session| session.features.contains(&feature))
    }

    /// One call: a turn, a plugin that runs, the request, the answer; all of it within the deadline.
    async fn call<'a, P, T>(&self, cx: &'a Ctx, op: Op, params: impl FnOnce(CallCx<'a>) -> P) -> Result<T>
    where
        P: Serialize + Sync,
        T: DeserializeOwned,
    {
        let turn = timeout_at(cx.deadline, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(self.keeper.about(ConnError::timeout("no turn for the call in time").effect(Effect::None)));
        };
        let session = self.keeper.session(cx.deadline).await?;
        let params = params(CallCx::of(cx));
        let effect = if op.writes() { Effect::Maybe } else { Effect::None };
        match timeout_at(cx.deadline, session.line.call(op.name(), &params)).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(error)) => Err(self.failed(error, op, effect)),
            Err(_elapsed) => Err(self.keeper.about(ConnError::timeout("no answer in time").effect(effect))),
        }
    }

    fn failed(&self, error: CallError, op: Op, effect: Effect) -> ConnError {
        let refusal = match error {
            CallError::Refused(refusal) => refusal,
            CallError::TooLong => return self.keeper.about(ConnError::invalid(error.to_string())),
            CallError::NotSent(why) => return self.keeper.about(ConnError::transient(&*why)),
            CallError::Lost(_) | CallError::Odd(_) => {
                return self.keeper.about(ConnError::unknown(error.to_string()).effect(effect));
            }
        };
        if let Some(mut told) = refusal.data.and_then(|data| serde_json::from_str::<ConnError>(data.get()).ok()) {
            if !op.writes() {
                told.effect = Effect::None;
            }
            return self.keeper.clean(told);
        }
        self.keeper.about(match refusal.code {
            CODE_NO_METHOD => ConnError::unsupported(format!("it has no {op}")),
            CODE_PARAMS => ConnError::permanent(format!("it does not take the parameters of {op}")),
            _ => ConnError::unknown(format!("{} ({})", refusal.message, refusal.code)).effect(effect),
        })
    }

    /// An answer of the right form that cannot be the answer to this call.
    fn believe(&self, op: Op, checked: Checked) -> Result<()> {
        let effect = if op.writes() { Effect::Maybe } else { Effect::None };
        checked.map_err(|why| self.keeper.about(ConnError::unknown(why).effect(effect)))
    }

    /// What comes with a success, made fit for a log.
    fn tidy(&self, warnings: &mut Vec<String>, failed: &mut [PartFailure]) {
        warnings.truncate(WARNINGS);
        for warning in warnings {
            *warning = self.keeper.clean_text(warning);
        }
        for part in failed {
            part.error = self.keeper.clean(part.error.clone());
        }
    }
}

/// Warnings of one call.
const WARNINGS: usize = 32;

#[async_trait]
impl Connector for PluginConnector {
    async fn check(&self, cx: &Ctx) -> Result<Health> {
        let mut health: Health = self.call(cx, Op::Check, |cx| Plain { cx }).await?;
        self.tidy(&mut health.warnings, &mut []);
        health.server = health.server.map(|server| self.keeper.clean_text(&server));
        Ok(health)
    }

    async fn schema(&self, cx: &Ctx) -> Result<TargetSchema> {
        let mut schema: TargetSchema = self.call(cx, Op::Schema, |cx| Plain { cx }).await?;
        if let Some(session) = self.keeper.running() {
            answers::narrow(&mut schema, &session.features);
        }
        Ok(schema)
    }

    async fn get(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Option<Record>> {
        let params = |cx| One { cx, kind: Cow::Borrowed(kind), id: Cow::Borrowed(id) };
        let found: Option<Record> = self.call(cx, Op::Get, params).await?;
        self.believe(Op::Get, answers::got(kind, id, found.as_ref()))?;
        Ok(found)
    }

    async fn find(&self, cx: &Ctx, kind: &Kind, key: &BTreeMap<String, Value>) -> Result<Vec<Record>> {
        let params = |cx| Find { cx, kind: Cow::Borrowed(kind), key: Cow::Borrowed(key) };
        let found: Vec<Record> = self.call(cx, Op::Find, params).await?;
        self.believe(Op::Find, answers::found(kind, key, &found))?;
        Ok(found)
    }

    async fn create(
        &self,
        cx: &Ctx,
        kind: &Kind,
        attrs: &Attrs,
        state: AccountState,
        entitlements: &[Entitlement],
    ) -> Result<Created> {
        let params = |cx| Create {
            cx,
            kind: Cow::Borrowed(kind),
            attrs: Cow::Borrowed(attrs),
            state,
            entitlements: Cow::Borrowed(entitlements),
        };
        let mut created: Created = self.call(cx, Op::Create, params).await?;
        self.believe(Op::Create, answers::created(kind, &created))?;
        self.tidy(&mut created.warnings, &mut created.failed);
        Ok(created)
    }

    async fn update(&self, cx: &Ctx, kind: &Kind, id: &NativeId, change: &Change) -> Result<Updated> {
        let params =
            |cx| Update { cx, kind: Cow::Borrowed(kind), id: Cow::Borrowed(id), change: Cow::Borrowed(change) };
        let mut updated: Updated = self.call(cx, Op::Update, params).await?;
        self.tidy(&mut updated.warnings, &mut updated.failed);
        Ok(updated)
    }

    async fn delete(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        let params = |cx| One { cx, kind: Cow::Borrowed(kind), id: Cow::Borrowed(id) };
        self.call(cx, Op::Delete, params).await.map(|Done {}| ())
    }

    fn lister(&self) -> Option<&dyn Lister> {
        self.has(Feature::List).then_some(self as &dyn Lister)
    }
    fn syncer(&self) -> Option<&dyn Syncer> {
        self.has(Feature::Sync).then_some(self as &dyn Syncer)
    }
    fn batcher(&self) -> Option<&dyn Batcher> {
        self.has(Feature::Batch).then_some(self as &dyn Batcher)
    }
    fn passwords(&self) -> Option<&dyn Passwords> {
        self.has(Feature::Passwords).then_some(self as &dyn Passwords)
    }
    fn discoverer(&self) -> Option<&dyn Discoverer> {
        self.has(Feature::Discover).then_some(self as &dyn Discoverer)
    }
    fn effect(&self) -> Option<&dyn EffectFacet> {
        self.has(Feature::Effect).then_some(self as &dyn EffectFacet)
    }
    fn tickets(&self) -> Option<&dyn Tickets> {
        self.has(Feature::Tickets).then_some(self as &dyn Tickets)
    }
}
