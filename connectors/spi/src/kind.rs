//! Kinds of connectors: a name, a configuration type and a way to open one.

use crate::{ConnError, Connector, Host, Result};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use std::{marker::PhantomData, sync::Arc};

/// Something to say about a configuration before anything is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigIssue {
    /// JSON pointer to the setting.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A kind of connector. Implemented once per protocol.
#[async_trait]
pub trait ConnectorType: Send + Sync + 'static {
    /// Its settings. `deny_unknown_fields`; doc comments become help text; secrets are [`crate::SecretRef`].
    type Config: DeserializeOwned + JsonSchema + Send;
    /// The `kind` of a target's configuration.
    const NAME: &'static str;
    /// The contract it was written for.
    const SPI: (u16, u16) = crate::SPI;

    /// What is wrong with the settings, as far as can be told without a network.
    fn check_config(_config: &Self::Config) -> Vec<ConfigIssue> {
        Vec::new()
    }

    /// Opens a connector. May fail with `Config`; connects lazily, so that a target that is down does not hold up the start.
    async fn open(config: Self::Config, host: Arc<dyn Host>) -> Result<Arc<dyn Connector>>;
}

/// A [`ConnectorType`] whose settings are JSON: for the registry, and for hosts of plugins.
#[async_trait]
pub trait ErasedType: Send + Sync {
    /// The `kind` of a target's configuration.
    fn name(&self) -> &'static str;
    /// The settings' JSON Schema.
    fn config_schema(&self) -> serde_json::Value;
    /// What is wrong with these settings; a setting that does not fit its type is one issue.
    fn check_json(&self, config: &serde_json::Value) -> Vec<ConfigIssue>;
    /// Opens a connector.
    async fn open_json(&self, config: serde_json::Value, host: Arc<dyn Host>) -> Result<Arc<dyn Connector>>;
}

/// Turns a [`ConnectorType`] into an [`ErasedType`].
pub struct Erase<T>(PhantomData<fn() -> T>);

impl<T> Erase<T> {
    /// The erased form of `T`.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for Erase<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl<T: ConnectorType> ErasedType for Erase<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn config_schema(&self) -> serde_json::Value {
        schemars::schema_for!(T::Config).to_value()
    }

    fn check_json(&self, config: &serde_json::Value) -> Vec<ConfigIssue> {
        match serde_json::from_value::<T::Config>(config.clone()) {
            Ok(config) => T::check_config(&config),
            Err(error) => vec![ConfigIssue { pointer: String::new(), message: error.to_string(), hint: None }],
        }
    }

    async fn open_json(&self, config: serde_json::Value, host: Arc<dyn Host>) -> Result<Arc<dyn Connector>> {
        let config = serde_json::from_value(config).map_err(|error| ConnError::config(error.to_string()))?;
        T::open(config, host).await
    }
}
