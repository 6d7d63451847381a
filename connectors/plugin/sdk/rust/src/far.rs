//! The gateway, as the connector sees it through the wire.

use crate::{
    line::{CallError, Line},
    wire::{HostEvent, HostHttp, HostSecret, HostSecretGiven},
};
use async_trait::async_trait;
use connector_spi::{ConnError, Effect, Host, HttpRequest, HttpResponse, Level, Result, Secret, SecretRef};
use std::borrow::Cow;

/// Asks the gateway over the connection. `call` is the call that it asks for, if any.
pub(crate) struct FarHost {
    pub line: Line,
    pub call: Option<u64>,
}

#[async_trait]
impl Host for FarHost {
    async fn secret(&self, reference: &SecretRef) -> Result<Secret> {
        let asked = HostSecret { reference: Cow::Borrowed(reference), call: self.call };
        let given: HostSecretGiven =
            self.line.call("host.secret", &asked).await.map_err(|error| refused(error, Effect::None))?;
        Ok(Secret::new(given.secret))
    }

    async fn http(&self, request: HttpRequest) -> Result<HttpResponse> {
        let reads = matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE");
        let effect = if reads { Effect::None } else { Effect::Maybe };
        let asked = HostHttp { request, call: self.call };
        self.line.call("host.http", &asked).await.map_err(|error| refused(error, effect))
    }

    fn event(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let event = HostEvent { level, message: message.to_owned(), fields, call: self.call };
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
