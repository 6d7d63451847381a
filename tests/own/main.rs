//! The gateway with one more kind of connector: what somebody builds who links the gateway as a library. The connector is the one
//! that `chartgate connector new --kind rust` writes, compiled in.

#[path = "../../gateway/server/src/scaffold/rust/src/connector.rs"]
mod connector;
#[path = "../../gateway/server/src/scaffold/rust/src/kinds.rs"]
mod kinds;
#[path = "../../gateway/server/src/scaffold/rust/src/shelf.rs"]
mod shelf;

use async_trait::async_trait;
use connector_spi::{Connector, ConnectorType, Host, Result, SecretRef};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{path::PathBuf, process::ExitCode, sync::Arc};

/// How the shelf is reached.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where it keeps its accounts.
    pub file: PathBuf,
    /// The token that lets us in.
    pub token: SecretRef,
}

/// The kind of connector.
pub struct Shelves;

#[async_trait]
impl ConnectorType for Shelves {
    type Config = Settings;
    const NAME: &'static str = "shelf";

    async fn open(settings: Settings, _: Arc<dyn Host>) -> Result<Arc<dyn Connector>> {
        Ok(Arc::new(connector::Target::new(settings)))
    }
}

fn main() -> ExitCode {
    gateway_server::builder().register::<Shelves>().run()
}
