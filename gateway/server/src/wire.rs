//! Building everything, in order: store, targets, engine, doors. And taking it down again in the opposite order.

use crate::clock::SystemClock;
use crate::config::{Limits, Loaded, LoadedTarget, Tls};
use crate::host::TargetHost;
use crate::kinds::Kinds;
use crate::{late, secrets};
use connector_layers::{LayerConfig, Metrics, OpClass};
use connector_spi::{Host, Secret};
use gateway_domain::{Clock, TargetId};
use gateway_engine::{Engine, Parts, Target, Workers};
use gateway_store::{Sqlite, Store, StoreError};
use gateway_web::{Admin, Certificate, Options, Running};
use prometheus_client::registry::Registry;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, fs, io};

/// Requests and calls under way have this long to end. Together with closing the store that is less than the 10 s after which
/// a service manager grows impatient.
const GRACE: Duration = Duration::from_secs(7);

/// Why a gateway did not start. The text is for the operator and holds no secret.
#[derive(Debug)]
pub struct StartError(String);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

/// A gateway that runs.
pub struct Gateway {
    engine: Engine,
    workers: Workers,
    door: Running,
    admin: Option<Admin>,
    certificate: Option<(Tls, Arc<Certificate>)>,
}

impl Gateway {
    /// Starts everything. When this returns, requests are answered and due links are worked.
    ///
    /// # Errors
    /// When the address is taken, the store is in use or newer than this program, the certificate is none, or another gateway
    /// has the administration socket. A target that does not answer, or cannot be opened, is no reason: it is tried again.
    pub async fn start(loaded: Loaded, kinds: &Kinds) -> Result<Gateway, StartError> {
        let server = loaded.config.server.clone();
        let listener = listen(&server.listen)?;
        let certificate = server.tls.clone().map(|tls| shown(&tls).map(|shown| (tls, shown))).transpose()?;
        let metrics = Metrics::default();
        let engine = open(loaded, kinds, &metrics).await?;
        let workers = engine.start().await.map_err(stored)?;
        let mut registry = Registry::default();
        metrics.register(registry.sub_registry_with_prefix("chartgate"));
        let options = Options {
            tls: certificate.as_ref().map(|(_, shown)| Arc::clone(shown)),
            public_url: server.public_url.clone(),
            workers: server.workers,
            limits: limits(&server.limits),
            registry,
            ..Options::new(listener)
        };
        let admin =
            match server.admin_socket.as_str() {
                "" => None,
                path => Some(gateway_web::serve_admin(Path::new(path), engine.clone()).map_err(|error| {
                    StartError(format!("the administration socket {path} cannot be opened: {error}"))
                })?),
            };
        let door = gateway_web::serve(options, engine.clone())
            .map_err(|error| StartError(format!("the door cannot be opened: {error}")))?;
        Ok(Gateway { engine, workers, door, admin, certificate })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.door.addr()
    }

    /// The address of its SCIM service on this machine.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}/scim/v2", if self.certificate.is_some() { "https" } else { "http" }, self.addr())
    }

    /// Its engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Reads certificate and key anew and shows them to new connections. When they cannot be read the old ones stay.
    pub fn reload_certificate(&self) {
        let Some((tls, certificate)) = &self.certificate else { return };
        let replaced = pem(tls).and_then(|(chain, key)| {
            certificate.replace(&chain, key.expose().as_bytes()).map_err(|error| StartError(error.to_string()))
        });
        match replaced {
            Ok(()) => tracing::info!("The certificate was read anew."),
            Err(error) => tracing::error!(%error, "The certificate was not read anew; the old one stays."),
        }
    }

    /// Ends in order: takes nothing more, finishes what is under way, closes the store. Within 10 s; what a target has not
    /// answered by then is read there after the next start.
    pub async fn stop(self) {
        let Gateway { engine, workers, door, admin, certificate: _ } = self;
        let admin = async {
            if let Some(admin) = admin {
                admin.stop().await;
            }
        };
        tokio::join!(door.stop(), workers.stop(GRACE), admin);
        // The last one to hold the store closes it.
        drop(engine);
    }
}

/// Store, targets and engine, with nothing running yet.
///
/// # Errors
/// When the store cannot be used.
pub async fn open(loaded: Loaded, kinds: &Kinds, metrics: &Metrics) -> Result<Engine, StartError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = open_store(&loaded.config.store.url, Arc::clone(&clock))?;
    let mut targets = Vec::new();
    for target in loaded.targets {
        targets.push(open_target(target, kinds, metrics).await?);
    }
    let Loaded { types, policy, fixed_token, .. } = loaded;
    Engine::open(Parts { types, store, clock, policy, targets, fixed_token }).await.map_err(stored)
}

fn open_store(url: &str, clock: Arc<dyn Clock>) -> Result<Arc<dyn Store>, StartError> {
    Ok(Arc::new(Sqlite::open_url(url, clock, gateway_store::sqlite::Options::default()).map_err(stored)?))
}

async fn open_target(target: LoadedTarget, kinds: &Kinds, metrics: &Metrics) -> Result<Target, StartError> {
    let LoadedTarget { name, id, kind, settings, layers, adopt_entitled } = target;
    let connector_type = kinds.named(&kind).cloned();
    let connector_type = connector_type.ok_or_else(|| StartError(format!("there is no kind of connector {kind:?}")))?;
    let host: Arc<dyn Host> = Arc::new(TargetHost::new(&name, kinds.network(&kind, &settings)));
    let connector = late::open(connector_type, settings, Arc::clone(&host), &name).await;
    let call = longest_call(&layers);
    let layered = connector_layers::wrap(connector, &name, &kind, layers, metrics.clone());
    Ok(Target::new(TargetId::new(&id), &name, &kind, layered, host, call, adopt_entitled))
}

/// A claim reads and then writes; neither call may outlive it.
fn longest_call(layers: &LayerConfig) -> Duration {
    layers.timeout.of(OpClass::Read).max(layers.timeout.of(OpClass::Write))
}

fn listen(address: &str) -> Result<TcpListener, StartError> {
    let cannot = |why: &dyn fmt::Display| StartError(format!("nothing can listen on {address}: {why}"));
    let address: SocketAddr = address.parse().map_err(|error| cannot(&error))?;
    TcpListener::bind(address).map_err(|error| cannot(&error))
}

fn shown(tls: &Tls) -> Result<Arc<Certificate>, StartError> {
    let (chain, key) = pem(tls)?;
    let certificate = Certificate::from_pem(&chain, key.expose().as_bytes());
    certificate.map_err(|error: io::Error| StartError(error.to_string()))
}

fn pem(tls: &Tls) -> Result<(Vec<u8>, Secret), StartError> {
    let chain = fs::read(&tls.cert)
        .map_err(|error| StartError(format!("the certificate {} cannot be read: {}", tls.cert, error.kind())))?;
    Ok((chain, secrets::read(&tls.key).map_err(StartError)?))
}

fn limits(limits: &Limits) -> gateway_web::Limits {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    gateway_web::Limits {
        body: limits.body,
        bulk_body: limits.bulk_body,
        bulk_operations: limits.bulk_operations,
        connections: limits.connections,
        page: limits.page,
        max_page: limits.max_page,
        query: seconds(limits.query_seconds),
        body_deadline: seconds(limits.body_seconds),
        idle: seconds(limits.idle_seconds),
        stop: GRACE,
        ..gateway_web::Limits::default()
    }
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn stored(error: StoreError) -> StartError {
    StartError(error.to_string())
}
