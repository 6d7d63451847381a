//! The declarative REST connector: a target that speaks JSON over HTTP is described in a file, and this crate carries the
//! description out. No target has code of its own here.
//!
//! The parts, from pure to impure: [`Config`] is what is written in the file; `plan` is the same, checked and compiled
//! (expressions by `connector-expr`, so a misspelt reference is found when the configuration loads); `template` turns one
//! compiled request and its values into an address, header fields and a body; `record` turns an answer into a
//! [`Record`](connector_spi::Record); `error` turns a refusal into a class; `run` carries the
//! requests of one change out, in the order that `connector-declared` gives; `work` knows what a target takes on for
//! later, and creates of several steps; `exchange` sends one request through `connector-http`; `lookup` reads; `connector` and `facet` are the contract itself.
//!
//! Decisions:
//!
//! * **One change is several requests, and each is a part.** Targets have an endpoint for the position, another for aliases,
//!   a third for switching off. A part that the target refuses is reported and the others go on; what concerns the whole
//!   target (no connection, wrong credentials, throttling) ends the change at once, since every part is safe to send again.
//! * **Closing first, opening last**, and nothing is opened while a part that closes has failed.
//! * **A value never becomes structure.** Paths, queries, JSON bodies and header fields are built by type. A JSON pointer says
//!   where an attribute stands, both when it is written and when it is read, so a mapping cannot be right one way only.
//! * **What an answer says is believed only in the places that the file names**: an error inside a 200, a field that was
//!   refused, a warning in a success. The content type is never asked.
//! * **A target's own words are not passed on** unless the file says that they hold no personal data, and even then the values
//!   that were sent are taken out.

pub mod config;
mod connector;
mod error;
mod exchange;
mod facet;
mod lookup;
mod page;
mod plan;
mod record;
mod run;
mod template;
mod work;

pub use config::Config;

use async_trait::async_trait;
use connector_http::Door;
use connector_spi::{ConfigIssue, ConnError, Connector, ConnectorType, Declared, Host, Result};
use std::sync::Arc;

/// Target files that come with the gateway, as `(profile, TOML)`: everything of a target but its address and its secrets.
pub const PROFILES: [(&str, &str); 1] =
    [("oracle-health-like", include_str!("../../profiles/oracle-health-like.toml"))];

/// `kind = "rest"`.
#[derive(Debug, Clone, Copy)]
pub struct Rest;

#[async_trait]
impl ConnectorType for Rest {
    type Config = Config;
    const NAME: &'static str = "rest";

    fn check_config(config: &Config) -> Vec<ConfigIssue> {
        plan::Plan::compile(config).err().unwrap_or_default()
    }

    fn declared(config: &Config) -> Declared {
        plan::Plan::declared(config)
    }

    async fn open(config: Config, host: Arc<dyn Host>) -> Result<Arc<dyn Connector>> {
        let plan = plan::Plan::compile(&config).map_err(|issues| {
            let first = issues.into_iter().next();
            let text = first.map(|issue| format!("{}: {}", issue.pointer, issue.message)).unwrap_or_default();
            ConnError::config(text)
        })?;
        let door = Door::open(config.http, host).await?;
        Ok(Arc::new(connector::RestConnector::new(door, plan)))
    }
}
