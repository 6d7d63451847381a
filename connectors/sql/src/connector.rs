//! The contract, carried out by transactions.

use crate::{
    config::{Config, On},
    database::{Database, Purpose},
    plan::{KindPlan, Plan, same_names},
    record::cannot,
    transaction::{Args, Tx},
};
use async_trait::async_trait;
use connector_http::Door;
use connector_spi::{
    AccountState, Attrs, Change, ConnError, Connector, Created, Ctx, EffectFacet, Entitlement, Health, Kind, KindCaps,
    Lister, NativeId, Record, Result, Syncer, TargetSchema, Tickets, Updated, Value,
};
use std::{collections::BTreeMap, time::Duration};

/// One target.
pub(crate) struct SqlConnector {
    pub(crate) plan: Plan,
    pub(crate) database: Box<dyn Database>,
    /// The copy that listings are read from.
    pub(crate) replica: Option<Box<dyn Database>>,
    pub(crate) doors: BTreeMap<String, Door>,
    pub(crate) statement_timeout: Duration,
    /// What works less well than it should, whatever the target answers.
    notes: Vec<String>,
}

impl SqlConnector {
    pub(crate) fn new(
        config: &Config,
        plan: Plan,
        database: Box<dyn Database>,
        replica: Option<Box<dyn Database>>,
        doors: BTreeMap<String, Door>,
    ) -> Self {
        Self {
            plan,
            database,
            replica,
            doors,
            statement_timeout: Duration::from_secs(config.database.pool.statement_timeout.into()),
            notes: notes(config),
        }
    }

    pub(crate) fn kind(&self, kind: &Kind) -> Result<&KindPlan> {
        self.plan.kinds.get(kind).ok_or_else(|| ConnError::unsupported(format!("the target has no kind {kind}")))
    }

    /// What can be done with a kind.
    pub(crate) fn caps(&self, kind: &KindPlan) -> KindCaps {
        self.plan.schema.kinds.get(&kind.name).map(|kind| kind.caps.clone()).unwrap_or_default()
    }

    async fn read(&self, cx: &Ctx, kind: &KindPlan, id: &NativeId) -> Result<Option<Record>> {
        let mut tx = Tx::begin(self, cx, Purpose::Read).await?;
        let Some(record) = tx.get(kind, id).await? else {
            tx.rollback().await;
            return Ok(None);
        };
        let mut records = [record];
        tx.entitlements(kind, &mut records).await?;
        tx.rollback().await;
        let [record] = records;
        Ok(Some(record))
    }
}

/// What an operator should know who looks at the target's health.
fn notes(config: &Config) -> Vec<String> {
    use crate::config::{SessionRevocation, TakesEffect};
    let mut notes = Vec::new();
    if config.session_revocation == SessionRevocation::None {
        notes.push("open sessions cannot be ended: a leaver may read on until logging out".to_owned());
    }
    if config.takes_effect == TakesEffect::Unknown {
        notes.push("it is not known when a write takes effect: closings stay unverified".to_owned());
    }
    if let Some(replica) = &config.replica {
        notes.push(format!("listings come from a copy that may be {} s behind", replica.lag));
    }
    notes
}

#[async_trait]
impl Connector for SqlConnector {
    async fn check(&self, cx: &Ctx) -> Result<Health> {
        let mut tx = Tx::begin(self, cx, Purpose::Read).await?;
        let server = tx.server().await?;
        tx.rollback().await;
        let mut warnings = self.notes.clone();
        if let Some(replica) = &self.replica {
            match Tx::begin_at(self, replica.as_ref(), cx, Purpose::Read).await {
                Ok(tx) => tx.rollback().await,
                Err(error) => warnings.push(format!("the copy for listings does not answer: {error}")),
            }
        }
        Ok(Health { server: Some(server), warnings })
    }

    async fn schema(&self, _: &Ctx) -> Result<TargetSchema> {
        Ok(self.plan.schema.clone())
    }

    async fn get(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Option<Record>> {
        let kind = self.kind(kind)?;
        self.read(cx, kind, id).await
    }

    async fn find(&self, cx: &Ctx, kind: &Kind, key: &BTreeMap<String, Value>) -> Result<Vec<Record>> {
        let kind = self.kind(kind)?;
        let names: Vec<String> = key.keys().cloned().collect();
        let search = kind.find.iter().position(|(known, _)| same_names(known, &names));
        let search = search.ok_or_else(|| cannot(kind, "be looked up by this key"))?;
        let mut tx = Tx::begin(self, cx, Purpose::Read).await?;
        let mut found = tx.find(kind, search, key).await?;
        for record in &mut found {
            tx.entitlements(kind, std::slice::from_mut(record)).await?;
        }
        tx.rollback().await;
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
        let kind = self.kind(kind)?;
        self.make(cx, kind, attrs, state, entitlements).await
    }

    async fn update(&self, cx: &Ctx, kind: &Kind, id: &NativeId, change: &Change) -> Result<Updated> {
        let kind = self.kind(kind)?;
        self.change(cx, kind, id, change).await
    }

    async fn delete(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        let kind = self.kind(kind)?;
        if self.plan.read_only || kind.delete.is_empty() {
            return Err(cannot(kind, "be deleted"));
        }
        self.steps(cx, kind, id, On::Delete, &kind.delete).await
    }

    fn lister(&self) -> Option<&dyn Lister> {
        self.plan.kinds.values().any(|kind| kind.list.is_some()).then_some(self)
    }

    fn syncer(&self) -> Option<&dyn Syncer> {
        self.plan.kinds.values().any(|kind| kind.changes.is_some()).then_some(self)
    }

    fn effect(&self) -> Option<&dyn EffectFacet> {
        let has = |kind: &KindPlan| {
            let caps = self.caps(kind);
            caps.effective || caps.revoke_sessions
        };
        self.plan.kinds.values().any(has).then_some(self)
    }

    fn tickets(&self) -> Option<&dyn Tickets> {
        self.plan.kinds.values().any(|kind| kind.ticket.is_some()).then_some(self)
    }
}

impl SqlConnector {
    /// Runs steps for a record in a transaction of their own; a record that is not there is success.
    pub(crate) async fn steps(
        &self,
        cx: &Ctx,
        kind: &KindPlan,
        id: &NativeId,
        on: On,
        steps: &[crate::plan::StepPlan],
    ) -> Result<()> {
        if cx.dry_run {
            let labels = steps.iter().map(|step| step.named.label.as_str()).collect::<Vec<_>>().join(" ");
            let fields = [("statements", labels.as_str()), ("op", &cx.op_id)];
            cx.host.event(connector_spi::Level::Info, "Dry run: these would be run.", &fields);
            return Ok(());
        }
        let mut tx = Tx::begin(self, cx, Purpose::Write).await?;
        let Some(record) = tx.get(kind, id).await? else {
            tx.rollback().await;
            return Ok(());
        };
        let mut args = Args { id: Some(id), version: record.version.as_deref(), ..Args::default() };
        for (name, held) in &record.attrs {
            args.attrs.extend(held.first().map(|value| (name.as_str(), value)));
        }
        for step in steps {
            if let Err(error) = tx.step(on, kind, step, &args).await {
                tx.rollback().await;
                return Err(error);
            }
        }
        tx.commit(on).await
    }
}
