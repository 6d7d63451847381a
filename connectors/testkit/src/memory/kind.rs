//! The model as a kind of connector with a configuration, and its fault proxy: what the kit opens.

use super::Memory;
use crate::faults::{Fault, FaultProxy};
use async_trait::async_trait;
use connector_spi::{ConfigIssue, ConnError, Connector, ConnectorType, Erase, ErasedType, Host, Result, SecretRef};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;
use std::sync::Arc;

/// The secret that the model lets in.
pub const SECRET: &str = "model-canary-7Q2v";

/// The address under which the model is found.
pub(super) const ADDRESS: &str = "memory:model";

/// Settings of the model.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Where it is: `memory:model`.
    address: String,
    /// What lets the gateway in.
    secret: SecretRef,
    /// Most calls at a time; 0 means any number. The model answers at once and takes any.
    #[serde(default)]
    #[allow(dead_code)]
    max_calls: u32,
}

/// The settings' type only: opening needs the shared state, which [`MemoryKind`] has.
struct Shape;

#[async_trait]
impl ConnectorType for Shape {
    type Config = Settings;
    const NAME: &'static str = "memory";

    fn check_config(config: &Settings) -> Vec<ConfigIssue> {
        let wrong = !config.address.starts_with("memory:");
        let issue = || ConfigIssue {
            pointer: "/address".to_owned(),
            message: "is no address of a model".to_owned(),
            hint: Some(format!("write {ADDRESS}")),
        };
        wrong.then(issue).into_iter().collect()
    }

    async fn open(_: Settings, _: Arc<dyn Host>) -> Result<Arc<dyn Connector>> {
        Err(ConnError::config("a model is opened through its handle"))
    }
}

/// The model as a kind of connector. Each connector that it opens shares the one state.
pub struct MemoryKind {
    memory: Memory,
    shape: Erase<Shape>,
}

impl Memory {
    /// The model as a kind that opens connectors over this state.
    #[must_use]
    pub fn kind(&self) -> Arc<dyn ErasedType> {
        Arc::new(MemoryKind { memory: self.clone(), shape: Erase::new() })
    }

    /// A fault proxy in front of this state.
    #[must_use]
    pub fn faults(&self) -> Arc<dyn FaultProxy> {
        Arc::new(MemoryFaults(self.clone()))
    }
}

#[async_trait]
impl ErasedType for MemoryKind {
    fn name(&self) -> &'static str {
        self.shape.name()
    }

    fn config_schema(&self) -> Json {
        self.shape.config_schema()
    }

    fn check_json(&self, config: &Json) -> Vec<ConfigIssue> {
        self.shape.check_json(config)
    }

    async fn open_json(&self, config: Json, host: Arc<dyn Host>) -> Result<Arc<dyn Connector>> {
        if let Some(issue) = self.check_json(&config).into_iter().next() {
            return Err(ConnError::config(issue.message).attribute(issue.pointer));
        }
        let settings: Settings =
            serde_json::from_value(config).map_err(|_| ConnError::config("the settings do not fit"))?;
        let refusal = if settings.address != ADDRESS {
            Some(ConnError::config("nothing is found at this address"))
        } else if host.secret(&settings.secret).await?.expose() != SECRET {
            Some(ConnError::auth("the credentials are refused"))
        } else {
            None
        };
        Ok(match refusal {
            None => self.memory.connector(),
            Some(error) => {
                // A target that does not let us in: every call says so. Opening itself needs no network.
                let shut = Memory::new();
                shut.outage(error);
                shut.connector()
            }
        })
    }
}

/// The faults of the wire, switched in the model itself.
pub struct MemoryFaults(Memory);

#[async_trait]
impl FaultProxy for MemoryFaults {
    fn supports(&self, _: Fault) -> bool {
        true
    }
    async fn set(&self, fault: Fault) {
        self.0.set_fault(fault);
    }
}
