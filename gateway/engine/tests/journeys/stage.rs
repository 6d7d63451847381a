//! A gateway without doors: an engine over a store on disk and one target in memory.

use connector_layers::{BreakerConfig, LayerConfig, LimitConfig, Metrics, wrap};
use connector_spi::{Connector, Record};
use connector_testkit::host::TestHost;
use connector_testkit::memory::Memory;
use gateway_domain::link::Link;
use gateway_domain::policy::{
    AccountConfig, CatalogueConfig, DeliveryConfig, MappingConfig, OnLeave, Policy, PolicyConfig, RoleConfig,
    SourceConfig, TargetConfig,
};
use gateway_domain::{Clock, ResourceId, TargetId};
use gateway_engine::{Caller, Engine, Error, Parts, Precondition, Saved, Target, Workers};
use gateway_store::{LinkFilter, Needs, Sqlite};
use jiff::Timestamp;
use scim::{Context, Patch, Resource, ResourceType, Types};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// A clock that stands still until it is told to go on, on top of the time that really passes.
pub struct StageClock(AtomicI64);

impl Clock for StageClock {
    #[allow(clippy::disallowed_methods)] // the stage's clock runs beside the machine's
    fn now(&self) -> Timestamp {
        Timestamp::now() + jiff::SignedDuration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// Everything on the stage.
pub struct Stage {
    pub engine: Engine,
    pub ehr: Memory,
    pub clock: Arc<StageClock>,
    workers: Option<Workers>,
    folder: TempDir,
    config: PolicyConfig,
    layers: LayerConfig,
    wrapped: Wrapped,
}

/// What stands around the model's connector.
type Wrapped = Arc<dyn Fn(Arc<dyn Connector>) -> Arc<dyn Connector> + Send + Sync>;

/// The policy of the stage: one source `hr`, one target `ehr`, two roles.
pub fn policy() -> PolicyConfig {
    let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, MappingConfig> {
        pairs.iter().map(|(name, expr)| ((*name).to_owned(), MappingConfig::Expr((*expr).to_owned()))).collect()
    };
    let catalogue = ["RN", "MD", "ED"].map(|value| CatalogueConfig {
        ty: "security-class".to_owned(),
        value: value.to_owned(),
        ..CatalogueConfig::default()
    });
    let role = |name: &str, when: &str, value: &str| RoleConfig {
        name: name.to_owned(),
        when: Some(when.to_owned()),
        entitlements: vec![format!("ehr:security-class:{value}").into()],
        ..RoleConfig::default()
    };
    PolicyConfig {
        sources: vec![SourceConfig { name: "hr".to_owned(), ..SourceConfig::default() }],
        targets: vec![TargetConfig {
            name: "ehr".to_owned(),
            account: Some(AccountConfig {
                when: Some("true".to_owned()),
                key: vec!["login".to_owned()],
                strong: vec!["employeeNumber".to_owned()],
                attributes: map(&[
                    ("login", "user.userName"),
                    ("employeeNumber", "user.enterprise.employeeNumber"),
                    ("displayName", "user.displayName"),
                    ("title", "user.title"),
                ]),
                on_leave: OnLeave::default(),
                ..AccountConfig::default()
            }),
            catalogue: catalogue.to_vec(),
            ..TargetConfig::default()
        }],
        roles: vec![
            role("nurse", "user.title == 'Nurse'", "RN"),
            role("emergency", "user.groups.exists(g, g.display == 'ED staff')", "ED"),
        ],
        ..PolicyConfig::default()
    }
}

/// The same with `delivery = "confirm"`.
pub fn confirming() -> PolicyConfig {
    let mut config = policy();
    for source in &mut config.sources {
        source.delivery = DeliveryConfig::Confirm;
        source.confirm_timeout = Some(5);
    }
    config
}

impl Stage {
    pub async fn new() -> Stage {
        Stage::with(policy()).await
    }

    pub async fn with(config: PolicyConfig) -> Stage {
        Stage::layered(config, LayerConfig::default()).await
    }

    /// A stage whose target takes more calls in a second than most.
    pub async fn quick(config: PolicyConfig) -> Stage {
        let limit = LimitConfig { rate: 5_000.0, burst: 1_000, ..LimitConfig::default() };
        Stage::layered(config, LayerConfig { limit, ..LayerConfig::default() }).await
    }

    async fn layered(config: PolicyConfig, layers: LayerConfig) -> Stage {
        Stage::of(config, layers, Memory::new(), Arc::new(|plain| plain)).await
    }

    /// A stage whose target is not quite as the model.
    pub async fn odd(
        ehr: Memory,
        wrapped: impl Fn(Arc<dyn Connector>) -> Arc<dyn Connector> + Send + Sync + 'static,
    ) -> Stage {
        Stage::before(policy(), ehr, wrapped).await
    }

    /// The same with another policy.
    pub async fn before(
        config: PolicyConfig,
        ehr: Memory,
        wrapped: impl Fn(Arc<dyn Connector>) -> Arc<dyn Connector> + Send + Sync + 'static,
    ) -> Stage {
        Stage::of(config, LayerConfig::default(), ehr, Arc::new(wrapped)).await
    }

    async fn of(config: PolicyConfig, layers: LayerConfig, ehr: Memory, wrapped: Wrapped) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(StageClock(AtomicI64::new(0)));
        let engine = open(&folder, &config, wrapped(ehr.connector()), &clock, &layers).await;
        let workers = Some(engine.start().await.unwrap());
        Stage { engine, ehr, clock, workers, folder, config, layers, wrapped }
    }

    /// Ends the process's life without any farewell and starts another on the same store.
    pub async fn crash(&mut self) {
        drop(self.workers.take());
        self.reopen().await;
    }

    /// Another process on the same store with another policy.
    pub async fn reconfigure(&mut self, config: PolicyConfig) {
        self.config = config;
        if let Some(workers) = self.workers.take() {
            workers.stop(Duration::from_secs(5)).await;
        }
        self.reopen().await;
    }

    async fn reopen(&mut self) {
        // The store is closed when its last user is gone; tasks that were dropped let go a moment later.
        let engine = std::mem::replace(&mut self.engine, placeholder(&self.clock).await);
        drop(engine);
        let connector = (self.wrapped)(self.ehr.connector());
        self.engine = open(&self.folder, &self.config, connector, &self.clock, &self.layers).await;
        self.workers = Some(self.engine.start().await.unwrap());
    }

    pub fn caller(&self) -> Caller {
        Caller { source: Arc::clone(&self.engine.policy().sources[0]) }
    }

    pub fn users(&self) -> Arc<ResourceType> {
        Arc::clone(self.engine.types().user())
    }

    pub async fn create(&self, ty: &Arc<ResourceType>, body: Value) -> Result<Saved, Error> {
        let caller = self.caller();
        let parsed = Resource::parse(body, ty, caller.source.dialect, Context::Create, &caller.source.aliases)?;
        self.engine.create(&caller, ty, parsed, Needs::default()).await
    }

    pub async fn hire(&self, number: u32, title: &str) -> ResourceId {
        self.create(&self.users(), person(number, title)).await.unwrap().view.resource.id
    }

    pub async fn patch(&self, id: &ResourceId, operations: Value) -> Result<Saved, Error> {
        self.patch_type(&self.users(), id, operations).await
    }

    pub async fn patch_type(&self, ty: &Arc<ResourceType>, id: &ResourceId, operations: Value) -> Result<Saved, Error> {
        let caller = self.caller();
        let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
        let patch = Patch::parse(body, ty, caller.source.dialect, &caller.source.aliases)?;
        self.engine.patch(&caller, ty, id, Precondition::Any, patch, Needs::default()).await
    }

    pub async fn delete(&self, id: &ResourceId) {
        self.engine.delete(&self.caller(), &self.users(), id, Precondition::Any).await.unwrap();
    }

    pub async fn link(&self, id: &ResourceId) -> Link {
        let filter = LinkFilter { resource: Some(id.clone()), ..LinkFilter::default() };
        self.engine.links(filter).await.unwrap().pop().expect("the user has a link")
    }

    pub async fn links(&self) -> Vec<Link> {
        self.engine.links(LinkFilter::default()).await.unwrap()
    }

    /// Waits until no link is pending.
    pub async fn settled(&self) {
        self.until("every link is settled", |links| links.iter().all(|link| !link.pending())).await;
    }

    pub async fn until(&self, what: &str, holds: impl Fn(&[Link]) -> bool) {
        for _ in 0..1_500 {
            if holds(&self.links().await) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not within 15 s: {what}\n{:#?}", self.links().await);
    }

    /// The accounts in the target.
    pub fn accounts(&self) -> Vec<Record> {
        self.ehr.snapshot().of_kind("account").cloned().collect()
    }

    pub fn account(&self) -> Record {
        let mut all = self.accounts();
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }

    /// Lets time pass for everybody who asks the clock.
    pub fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

/// A visibly invented person.
pub fn person(number: u32, title: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        "userName": format!("tp{number}@hosp.example"),
        "externalId": format!("ext-{number}"),
        "displayName": format!("Testperson {number}"),
        "name": { "familyName": "Example", "givenName": format!("Test {number}") },
        "title": title,
        "active": true,
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "employeeNumber": format!("{number:06}") },
    })
}

/// The values of the entitlements of a record.
pub fn held(record: &Record) -> Vec<String> {
    let mut held: Vec<String> = record.entitlements.iter().flatten().map(|one| one.value.to_string()).collect();
    held.sort();
    held
}

async fn open(
    folder: &TempDir,
    config: &PolicyConfig,
    connector: Arc<dyn Connector>,
    clock: &Arc<StageClock>,
    layers: &LayerConfig,
) -> Engine {
    let types = Arc::new(Types::built_in());
    let clock: Arc<dyn Clock> = Arc::clone(clock) as Arc<dyn Clock>;
    let path = folder.path().join("stage.db");
    let mut store = Sqlite::open(&path, Arc::clone(&clock), gateway_store::sqlite::Options::default());
    for _ in 0..200 {
        if store.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        store = Sqlite::open(&path, Arc::clone(&clock), gateway_store::sqlite::Options::default());
    }
    let policy = Policy::compile(config, &types).unwrap();
    // The breaker counts in real seconds, which nobody here waits for.
    let breaker = BreakerConfig { open: 1, ..layers.breaker };
    let layers = LayerConfig { breaker, ..layers.clone() };
    let layered = wrap(connector, "ehr", "memory", layers, Metrics::default());
    let target =
        Target::new(TargetId::new("ehr"), "ehr", "memory", layered, TestHost::new(), Duration::from_secs(2), false);
    let parts =
        Parts { types, store: Arc::new(store.unwrap()), clock, policy, targets: vec![target], fixed_token: None };
    Engine::open(parts).await.unwrap()
}

/// An engine that stands in while the real one is closed.
async fn placeholder(clock: &Arc<StageClock>) -> Engine {
    let clock: Arc<dyn Clock> = Arc::clone(clock) as Arc<dyn Clock>;
    let types = Arc::new(Types::built_in());
    let policy = Policy::compile(&PolicyConfig::default(), &types).unwrap();
    let store = Arc::new(Sqlite::memory(Arc::clone(&clock), gateway_store::sqlite::Options::default()).unwrap());
    Engine::open(Parts { types, store, clock, policy, targets: Vec::new(), fixed_token: None }).await.unwrap()
}
