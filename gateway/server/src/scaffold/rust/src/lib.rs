//! @NAME@: a connector for Chartgate.
//!
//! What stands here works already, against `shelf.rs`: a stand-in that keeps accounts in a file. Put your target in its place;
//! the places where you write are marked with "here".

mod connector;
mod kinds;
mod shelf;

use async_trait::async_trait;
use connector_spi::{Connector, ConnectorType, Host, Result, SecretRef};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{path::PathBuf, sync::Arc};

/// How @NAME@ is reached.
// Here: what somebody must say who sets your target up. The texts are its documentation.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the stand-in keeps its accounts.
    pub file: PathBuf,
    /// The token that lets us in.
    pub token: SecretRef,
}

/// The kind of connector.
pub struct @CLASS@;

#[async_trait]
impl ConnectorType for @CLASS@ {
    type Config = Settings;
    const NAME: &'static str = "@NAME@";

    async fn open(settings: Settings, _: Arc<dyn Host>) -> Result<Arc<dyn Connector>> {
        // Connect when you are called, not here: a target that is down must not hold up the start.
        Ok(Arc::new(connector::Target::new(settings)))
    }
}
