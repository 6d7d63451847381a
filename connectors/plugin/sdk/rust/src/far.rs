//! The gateway, as the connector sees it through the wire.

use crate::{
    line::{CallError, Line},
    wire::{HostEvent, HostSecret, HostSecretGiven},
};
use async_trait::async_trait;
use connector_spi::{ConnError, Effect, Host, HttpRequest, HttpResponse, Level, Secret, SecretRef};
use serde::{Serialize, de::DeserializeOwned};
use std::{borrow::Cow, sync::Arc};
use tokio::{sync::Semaphore, time::Instant};

/// Asks the gateway over the connection.
#[derive(Clone)]
pub(crate) struct FarHost {
    pub line: Line,
    /// When the call ends that it asks for, if it does for one.
    pub deadline: Option<Instant>,
    /// Requests to the gateway under way on this connection; more wait here, for the gateway would refuse them.
    pub turns: Arc<Semaphore>,
}

impl FarHost {
    async fn ask<P: Serialize + Sync, T: DeserializeOwned>(&self, method: &str, asked: &P) -> Result<T, CallError> {
        let _turn = self.turns.acquire().await.map_err(|_| CallError::NotSent("it was closed".into()))?;
        self.line.call(method, asked).await
    }
}

#[async_trait]
impl Host for FarHost {
    async fn secret(&self, reference: &SecretRef) -> connector_spi::Result<Secret> {
        let asked = HostSecret { reference: Cow::Borrowed(reference) };
        let given: HostSecretGiven =
            self.ask("host.secret", &asked).await.map_err(|error| refused(error, Effect::None))?;
        Ok(Secret::new(given.secret))
    }

    async fn http(&self, mut request: HttpRequest) -> connector_spi::Result<HttpResponse> {
        let reads = matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE");
        let effect = if reads { Effect::None } else { Effect::Maybe };
        if let Some(deadline) = self.deadline {
            request.timeout = request.timeout.min(deadline.saturating_duration_since(Instant::now()));
        }
        self.ask("host.http", &request).await.map_err(|error| refused(error, effect))
    }

    fn event(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let event = HostEvent { level, message: message.to_owned(), fields };
        // An event for which there is no room is lost: work does not wait for the log.
        self.line.tell("host.event", &event);
    }
}

/// What the gateway's refusal means; the gateway itself speaks in errors of the contract.
fn refused(error: CallError, effect: Effect) -> ConnError {
    match error {
        CallError::Refused(refusal) => match refusal.data.and_then(|data| serde_json::from_str(data.get()).ok()) {
            Some(error) => error,
            None => ConnError::config(format!("the gateway refuses: {}", refusal.message)),
        },
        CallError::TooLong => ConnError::invalid("the request is longer than a message to the gateway may be"),
        CallError::NotSent(why) => ConnError::transient(format!("the gateway is gone: {why}")),
        CallError::Lost(why) => ConnError::unknown(format!("the gateway is gone: {why}")).effect(effect),
        CallError::Odd(place) => {
            ConnError::unknown(format!("the gateway's answer does not have the form of the contract{place}"))
                .effect(effect)
        }
    }
}
