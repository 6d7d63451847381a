//! A plugin as a kind of connector of its own, for tools: its settings are the plugin's own settings, checked by the plugin
//! itself, and its protocol can be spoken by hand. The conformance kit runs over this.

use crate::{
    Settings,
    aside::Aside,
    connector::PluginConnector,
    gateway::Gateway,
    keeper::Keeper,
    reach::{Socket, Way},
    secrets,
    session::Raw,
};
use async_trait::async_trait;
use chartgate_plugin::wire::Initialized;
use connector_spi::{Class, ConfigIssue, ConnError, Connector, ErasedType, Host, Result};
use serde_json::Value as Json;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

/// A call by hand is answered within this time.
const BY_HAND: Duration = Duration::from_secs(30);

/// A plugin that has introduced itself.
pub struct PluginKind {
    settings: Settings,
    greeting: Initialized,
    aside: Aside,
}

impl PluginKind {
    /// Starts or dials the plugin of these settings once, for its handshake. Their `config` is not looked at; `command` or
    /// `socket`, and `limits`, are used for every process or connection from here on.
    ///
    /// # Errors
    /// `Config` when the settings have issues or the plugin is not what they say; `Transient` when it does not start.
    pub async fn greet(settings: Settings) -> Result<Self> {
        refuse_issues(&settings)?;
        let aside = Aside::new(settings.clone());
        let way = way(&settings)?;
        let shown = way.shown();
        let greet = async {
            let raw = Raw::reach(way.as_ref(), Arc::new(Gateway::new(Arc::new(Nobody), Default::default()))).await?;
            raw.greet().await
        };
        let limit = Duration::from_secs(settings.limits.start.into());
        let greeting = match timeout(limit, greet).await {
            Ok(greeting) => greeting,
            Err(_) => Err(ConnError::transient("no handshake in time")),
        };
        let greeting = greeting.map_err(|mut error| {
            error.message = format!("plugin {shown}: {}", error.message);
            error
        })?;
        Ok(Self { settings, greeting, aside })
    }

    /// What it said of itself.
    #[must_use]
    pub fn greeting(&self) -> &Initialized {
        &self.greeting
    }

    /// Sends this `initialize` to a fresh process or connection, and returns its answer.
    ///
    /// # Errors
    /// Its refusal, in words.
    pub async fn initialize(&self, params: &Json) -> std::result::Result<Json, String> {
        let raw = self.fresh(Arc::new(Nobody), &Json::Null).await.map_err(|error| error.to_string())?;
        let answer = timeout(BY_HAND, raw.line.call("initialize", params)).await;
        answer.map_err(|_| "no answer in time".to_owned())?.map_err(|error| error.to_string())
    }

    /// Sends one request to a process or connection of its own that was initialised, and opened with this `config`.
    ///
    /// # Errors
    /// Its refusal, in words.
    pub async fn request(
        &self,
        config: &Json,
        host: Arc<dyn Host>,
        method: &str,
        params: &Json,
    ) -> std::result::Result<Json, String> {
        let told = |error: ConnError| error.to_string();
        let raw = self.fresh(host, config).await.map_err(told)?;
        let greeting = raw.greet().await.map_err(told)?;
        let session = raw.open(greeting, config, "by hand").await.map_err(told)?;
        let answer = timeout(BY_HAND, session.line.call(method, params)).await;
        answer.map_err(|_| "no answer in time".to_owned())?.map_err(|error| error.to_string())
    }

    async fn fresh(&self, host: Arc<dyn Host>, config: &Json) -> Result<Raw> {
        let gateway = Gateway::new(host, secrets::references(config));
        Raw::reach(way(&self.settings)?.as_ref(), Arc::new(gateway)).await
    }
}

#[async_trait]
impl ErasedType for PluginKind {
    fn name(&self) -> &'static str {
        crate::NAME
    }

    fn config_schema(&self) -> Json {
        self.greeting.config_schema.clone()
    }

    /// Asks the plugin itself, and waits for its answer.
    fn check_json(&self, config: &Json) -> Vec<ConfigIssue> {
        let mut issues = secrets::literals(&self.greeting.config_schema, config);
        if issues.is_empty() {
            issues = self.aside.check(config.clone());
        }
        issues
    }

    async fn open_json(&self, config: Json, host: Arc<dyn Host>) -> Result<Arc<dyn Connector>> {
        open(&self.settings, config, host, &self.greeting.name).await
    }
}

/// Opens a connector over the plugin of these settings.
pub(crate) async fn open(
    settings: &Settings,
    config: Json,
    host: Arc<dyn Host>,
    target: &str,
) -> Result<Arc<dyn Connector>> {
    let start = Duration::from_secs(settings.limits.start.into());
    let keeper = Keeper::new(way(settings)?, host, config, target.to_owned(), start);
    // A plugin that is down does not hold up the start; one that says that its settings are wrong does.
    match keeper.session(Instant::now() + start).await {
        Ok(_) => {}
        Err(error) if matches!(error.class, Class::Transient | Class::Timeout | Class::Throttled) => {}
        Err(error) => return Err(error),
    }
    Ok(Arc::new(PluginConnector::new(keeper, settings.limits.max_concurrent)))
}

/// The way to the plugin of these settings.
pub(crate) fn way(settings: &Settings) -> Result<Box<dyn Way>> {
    if let (Some(path), Some(uid)) = (&settings.socket, settings.uid) {
        return Ok(Box::new(Socket { path: path.clone(), uid }));
    }
    match crate::child::Program::of(settings) {
        Some(program) => Ok(Box::new(program)),
        None => Err(ConnError::config("neither a command with its sha256 nor a socket with its uid is given")),
    }
}

pub(crate) fn refuse_issues(settings: &Settings) -> Result<()> {
    match settings.issues().into_iter().next() {
        None => Ok(()),
        Some(issue) => Err(ConnError::config(format!("{}: {}", issue.pointer, issue.message)).attribute(issue.pointer)),
    }
}

/// A gateway that gives nothing: a handshake needs nothing.
pub(crate) struct Nobody;

#[async_trait]
impl Host for Nobody {
    async fn secret(&self, _: &connector_spi::SecretRef) -> Result<connector_spi::Secret> {
        Err(ConnError::config("there are no secrets before a connector is open"))
    }
    async fn http(&self, _: connector_spi::HttpRequest) -> Result<connector_spi::HttpResponse> {
        Err(ConnError::config("there is no network before a connector is open"))
    }
    fn event(&self, _: connector_spi::Level, _: &str, _: &[(&str, &str)]) {}
}
