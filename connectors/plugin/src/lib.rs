//! The gateway's side of plugin processes: a connector that its author wrote in any language, out of the gateway's process.
//!
//! What crosses the process boundary is the contract itself, as JSON-RPC 2.0 with one message on a line ([`wire`], with its
//! schema in `connectors/plugin/protocol`). From the inside out: [`Settings`] is what is written in the target's
//! configuration; `reach` and `child` start or dial a plugin; `session` greets and opens it and asks whether it lives;
//! `keeper` starts it again; `connector` is the contract, forwarded; `answers` decides whether an answer is believed; `gateway`
//! serves what a plugin asks; [`PluginKind`] is a plugin for tools.
//!
//! Decisions:
//!
//! * **A plugin is trusted with its target and with nothing else.** It sees the secrets that its settings name, reaches the
//!   hosts that its `http` settings name, and its words are bounded and scrubbed before they reach a log.
//! * **What it says is held against what it was asked.** Another account's record is `Unknown`, not data. An answer that nobody
//!   asked for, a message that is too long or no text, and a ping without an answer end the process: every call under way is
//!   then `Unknown`, and a write among them may have happened.
//! * **It is started when it is needed**, by the call that needs it, so nothing runs beside the calls and no restart is owned
//!   by a task that could be lost. What keeps ending is started less and less often, and then is a configuration to mend.
//! * **No unsafe code.** Limits are set from outside right after the start (see `child`).
//! * **Two forms.** Over a socket the plugin is a service of its own, under its own user; the kernel says who is at the other
//!   end. As a child it has the gateway's user, and what holds it are the digest, an empty environment and limits: choose the
//!   socket for code that you did not write.

mod answers;
mod aside;
mod child;
mod config;
mod connector;
mod gateway;
mod group;
mod keeper;
mod kind;
mod reach;
mod said;
mod scrub;
mod secrets;
mod session;

pub use chartgate_plugin::wire;
pub use config::{Limits, Settings};
pub use kind::PluginKind;

use async_trait::async_trait;
use connector_http::HttpConfig;
use connector_spi::{ConfigIssue, ConnError, Connector, ConnectorType, Host, Result};
use serde_json::Value as Json;
use std::sync::Arc;

/// The name of the kind.
pub(crate) const NAME: &str = "plugin";

/// `kind = "plugin"`.
#[derive(Debug, Clone, Copy)]
pub struct Plugin;

#[async_trait]
impl ConnectorType for Plugin {
    type Config = Settings;
    const NAME: &'static str = NAME;

    fn check_config(config: &Settings) -> Vec<ConfigIssue> {
        config.issues()
    }

    async fn open(mut config: Settings, host: Arc<dyn Host>) -> Result<Arc<dyn Connector>> {
        kind::refuse_issues(&config)?;
        let own = Json::Object(std::mem::take(&mut config.config));
        kind::open(&config, own, host, NAME).await.map_err(|mut error: ConnError| {
            // The plugin's pointers are relative to its own settings.
            error.attribute = error.attribute.map(|pointer| format!("/config{pointer}"));
            error
        })
    }
}

/// The `http` of settings of this kind: where the plugin may go through the gateway's own door. The gateway builds the
/// plugin's [`Host`] with it.
#[must_use]
pub fn network(settings: &Json) -> Option<HttpConfig> {
    serde::Deserialize::deserialize(settings.get("http")?).ok()
}
