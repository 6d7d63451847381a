//! What a connector may ask of the gateway: secrets, and a line in the log.

use crate::secrets;
use async_trait::async_trait;
use connector_spi::{ConnError, Effect, Host, HttpRequest, HttpResponse, Level, Result, Secret, SecretRef};
use std::sync::Arc;

/// The gateway as one target's connector sees it.
#[derive(Debug)]
pub struct TargetHost {
    target: Arc<str>,
}

impl TargetHost {
    /// The host of the target of this name.
    #[must_use]
    pub fn new(target: &str) -> Self {
        Self { target: target.into() }
    }
}

#[async_trait]
impl Host for TargetHost {
    async fn secret(&self, reference: &SecretRef) -> Result<Secret> {
        let reference = reference.clone();
        // A secret may lie on a network file system that does not answer: not on a thread that others need.
        let read = tokio::task::spawn_blocking(move || secrets::read(&reference)).await;
        match read {
            Ok(Ok(secret)) => Ok(secret),
            Ok(Err(why)) => Err(ConnError::config(why).effect(Effect::None)),
            Err(_) => Err(ConnError::transient("the secret was not read: the gateway is ending").effect(Effect::None)),
        }
    }

    async fn http(&self, _: HttpRequest) -> Result<HttpResponse> {
        // Connectors of this program that speak HTTP open their own door, with their own settings for it. This one is for
        // connectors out of process, and stays shut until their settings say where they may go.
        let refused = "no network is configured for this connector's requests through the gateway";
        Err(ConnError::config(refused).effect(Effect::None))
    }

    fn event(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        let target = &*self.target;
        let fields = fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        match level {
            Level::Debug => tracing::debug!(target: "gateway_server::connector", name = target, fields, "{message}"),
            Level::Info => tracing::info!(target: "gateway_server::connector", name = target, fields, "{message}"),
            Level::Warn => tracing::warn!(target: "gateway_server::connector", name = target, fields, "{message}"),
            Level::Error => tracing::error!(target: "gateway_server::connector", name = target, fields, "{message}"),
        }
    }
}
