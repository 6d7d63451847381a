//! The plugin's end: handshake, opening, calls.

mod calls;

use crate::{
    Plugin,
    far::FarHost,
    frame::RpcError,
    line::{Failure, Line, Service},
    wire::{
        CODE_CONTRACT, CODE_INVALID_REQUEST, CODE_NO_METHOD, CODE_PARAMS, CODE_TOO_EARLY, CODE_VERSION, CallCx,
        CheckConfig, CheckedConfig, Done, Feature, IN_FLIGHT, Initialize, Initialized, Named, Open, Opened,
    },
};
use async_trait::async_trait;
use connector_spi::{ConnError, Connector, Ctx, Host, Op, SPI};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Mutex, Semaphore},
    time::{Instant, sleep},
};

/// Calls under way have this long to end after `shutdown`; the host allows one second more.
const GRACE: Duration = Duration::from_secs(4);
/// Longer than any host waits: keeps the arithmetic of time from running over.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

type Outcome = Result<Box<RawValue>, RpcError>;

/// One connection's state.
pub(crate) struct Session {
    plugin: Arc<Plugin>,
    greeted: AtomicBool,
    opening: Mutex<()>,
    connector: OnceLock<Arc<dyn Connector>>,
    turns: Arc<Semaphore>,
}

impl Session {
    pub fn new(plugin: Arc<Plugin>) -> Self {
        let turns = Arc::new(Semaphore::new(IN_FLIGHT));
        Self { plugin, greeted: AtomicBool::new(false), opening: Mutex::default(), connector: OnceLock::new(), turns }
    }

    fn initialize(&self, params: &RawValue) -> Outcome {
        let Initialize { spi, .. } = read(params)?;
        let (major, minor) = SPI;
        if !spi.contains(&major) {
            let message = format!("this plugin speaks contract {major}.{minor}");
            return Err(RpcError { code: CODE_VERSION, message, data: None });
        }
        self.greeted.store(true, Ordering::Release);
        tell(&Initialized {
            spi: (major, minor),
            name: self.plugin.name.clone(),
            version: self.plugin.version.clone(),
            sdk: Some(Named { name: "chartgate-plugin".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }),
            config_schema: self.plugin.kind.config_schema(),
            features: Feature::ALL.into(),
        })
    }

    fn check_config(&self, params: &RawValue) -> Outcome {
        let CheckConfig { config } = read(params)?;
        let issues = self.plugin.kind.check_json(&config);
        tell(&CheckedConfig { issues: issues.into_iter().map(Into::into).collect() })
    }

    fn host(&self, line: &Line) -> FarHost {
        FarHost { line: line.clone(), deadline: None, turns: Arc::clone(&self.turns) }
    }

    async fn open(&self, line: &Line, params: &RawValue) -> Outcome {
        let Open { config, .. } = read(params)?;
        let _one_at_a_time = self.opening.lock().await;
        if self.connector.get().is_some() {
            return Err(refusal(CODE_INVALID_REQUEST, "the connector is open already"));
        }
        let host: Arc<dyn Host> = Arc::new(self.host(line));
        let opened = self.plugin.kind.open_json(config.into_owned(), host).await.map_err(|error| contract(&error))?;
        let features = Some(facets(opened.as_ref()));
        // Under the lock nobody else can have set it.
        let _first = self.connector.set(opened);
        tell(&Opened { features })
    }

    fn shutdown(line: &Line) -> Outcome {
        let line = line.clone();
        tokio::spawn(async move {
            let last = Instant::now() + GRACE;
            // The shutdown itself is one; it ends when its answer waits to be written.
            loop {
                sleep(Duration::from_millis(10)).await;
                if line.serving() == 0 || Instant::now() >= last {
                    break;
                }
            }
            line.end("the host asked it to end");
        });
        tell(&Done {})
    }
}

#[async_trait]
impl Service for Session {
    async fn answer(&self, line: &Line, _: u64, method: &str, params: &RawValue) -> Outcome {
        if method == "initialize" {
            return self.initialize(params);
        }
        if !self.greeted.load(Ordering::Acquire) {
            return Err(refusal(CODE_TOO_EARLY, "initialize comes first"));
        }
        match method {
            "check_config" => return self.check_config(params),
            "open" => return self.open(line, params).await,
            "ping" => return tell(&Done {}),
            "shutdown" => return Self::shutdown(line),
            _ => {}
        }
        let Some(op) = Op::ALL.into_iter().find(|op| op.name() == method) else {
            return Err(refusal(CODE_NO_METHOD, "there is no such method"));
        };
        let Some(connector) = self.connector.get() else {
            return Err(refusal(CODE_TOO_EARLY, "open comes first"));
        };
        calls::carry_out(connector.as_ref(), &self.host(line), op, params).await
    }

    // The only notification of the host, `cancel`, is the line's own affair.
    fn notice(&self, _: &Line, _: &str, _: &RawValue) {}

    fn failed(&self, failure: Failure) -> RpcError {
        contract(&match failure {
            Failure::TooMany => ConnError::throttled("more calls are under way than a plugin takes"),
            Failure::Panicked => ConnError::unknown("the connector panicked"),
            Failure::TooLong => ConnError::unknown("the answer is longer than a message may be"),
        })
    }
}

/// The facets that this connector has.
fn facets(connector: &dyn Connector) -> BTreeSet<Feature> {
    let has = |feature: &Feature| match feature {
        Feature::List => connector.lister().is_some(),
        Feature::Sync => connector.syncer().is_some(),
        Feature::Batch => connector.batcher().is_some(),
        Feature::Passwords => connector.passwords().is_some(),
        Feature::Discover => connector.discoverer().is_some(),
        Feature::Effect => connector.effect().is_some(),
        Feature::Tickets => connector.tickets().is_some(),
        Feature::Other => false,
    };
    Feature::ALL.into_iter().filter(has).collect()
}

/// What came with the call, as the connector sees it.
fn ctx(host: &FarHost, cx: &CallCx<'_>) -> Ctx {
    let deadline = Instant::now() + Duration::from_millis(cx.deadline_ms).min(LONGEST);
    Ctx {
        op_id: cx.op_id.as_ref().into(),
        attempt: cx.attempt,
        deadline,
        dry_run: cx.dry_run,
        leaver: cx.leaver,
        bulk: cx.bulk,
        host: Arc::new(FarHost { deadline: Some(deadline), ..host.clone() }),
    }
}

fn read<T: DeserializeOwned>(params: &RawValue) -> Result<T, RpcError> {
    serde_json::from_str(params.get())
        .map_err(|error| refusal(CODE_PARAMS, &format!("the parameters do not fit the method: {error}")))
}

fn tell<T: Serialize>(result: &T) -> Outcome {
    to_raw_value(result).map_err(|_| contract(&ConnError::unknown("the answer cannot be written as JSON")))
}

fn refusal(code: i64, message: &str) -> RpcError {
    RpcError { code, message: message.to_owned(), data: None }
}

/// An error of the contract on the wire.
fn contract(error: &ConnError) -> RpcError {
    RpcError { code: CODE_CONTRACT, message: error.message.clone(), data: to_raw_value(error).ok() }
}
