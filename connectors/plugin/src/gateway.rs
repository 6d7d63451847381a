//! What a plugin may ask of the gateway: secrets that its settings name, requests through the gateway's door, a line in the
//! log.

use crate::scrub::Scrubber;
use async_trait::async_trait;
use chartgate_plugin::{
    frame::RpcError,
    line::{Failure, Line, Service},
    wire::{CODE_CONTRACT, CODE_NO_METHOD, CODE_PARAMS, HostEvent, HostSecret, HostSecretGiven},
};
use connector_spi::{ConnError, Host, HttpRequest, Level, SecretRef};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::time::Instant;

/// Largest body that fits a message in its longest form: base64 takes a third more.
const BODY: usize = 3 << 20;
/// Lines in a burst, and lines in a second after that. More are dropped and counted.
const BURST: f64 = 200.0;
const PER_SECOND: f64 = 50.0;
/// Fields of one event.
const FIELDS: usize = 16;

type Outcome = Result<Box<RawValue>, RpcError>;

/// The gateway as one plugin sees it.
pub(crate) struct Gateway {
    host: Arc<dyn Host>,
    allowed: HashSet<SecretRef>,
    pub scrubber: Scrubber,
    lines: Mutex<Lines>,
}

/// How many lines the plugin may still write.
struct Lines {
    left: f64,
    at: Instant,
    dropped: u64,
}

impl Gateway {
    /// `allowed` are the references that stand in the plugin's settings.
    pub fn new(host: Arc<dyn Host>, allowed: HashSet<SecretRef>) -> Self {
        let lines = Mutex::new(Lines { left: BURST, at: Instant::now(), dropped: 0 });
        Self { host, allowed, scrubber: Scrubber::default(), lines }
    }

    /// Writes a line into the log, if the plugin has one left.
    pub fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        let dropped = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let fresh = now.saturating_duration_since(lines.at).as_secs_f64() * PER_SECOND;
            lines.left = (lines.left + fresh).min(BURST);
            lines.at = now;
            if lines.left < 1.0 {
                lines.dropped += 1;
                return;
            }
            lines.left -= 1.0;
            std::mem::take(&mut lines.dropped)
        };
        if dropped > 0 {
            self.host.event(Level::Warn, "The plugin said more than is logged.", &[("dropped", &dropped.to_string())]);
        }
        let clean: Vec<(String, String)> = fields
            .iter()
            .take(FIELDS)
            .map(|(name, value)| (self.scrubber.clean(name), self.scrubber.clean(value)))
            .collect();
        let fields: Vec<(&str, &str)> = clean.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.host.event(level, &self.scrubber.clean(message), &fields);
    }

    async fn secret(&self, params: &RawValue) -> Outcome {
        let HostSecret { reference } = read(params)?;
        if !self.allowed.contains(reference.as_ref()) {
            return Err(contract(&ConnError::config("the plugin's settings hold no such reference to a secret")));
        }
        let secret = self.host.secret(&reference).await.map_err(|error| contract(&error))?;
        self.scrubber.remember(&secret);
        tell(&HostSecretGiven { secret: secret.expose().to_owned() })
    }

    async fn http(&self, params: &RawValue) -> Outcome {
        let mut request: HttpRequest = read(params)?;
        request.max_body = request.max_body.min(BODY);
        let response = self.host.http(request).await.map_err(|error| contract(&error))?;
        tell(&response)
    }
}

#[async_trait]
impl Service for Gateway {
    async fn answer(&self, _: &Line, _: u64, method: &str, params: &RawValue) -> Outcome {
        match method {
            "host.secret" => self.secret(params).await,
            "host.http" => self.http(params).await,
            _ => Err(RpcError { code: CODE_NO_METHOD, message: "there is no such method".to_owned(), data: None }),
        }
    }

    fn notice(&self, _: &Line, method: &str, params: &RawValue) {
        if method != "host.event" {
            return;
        }
        // One that cannot be read is no event; the words of it are not looked at.
        let Ok(HostEvent { level, message, fields }) = serde_json::from_str(params.get()) else { return };
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.log(level, &message, &fields);
    }

    fn failed(&self, failure: Failure) -> RpcError {
        contract(&match failure {
            Failure::TooMany => ConnError::throttled("the plugin has too many requests to the gateway under way"),
            Failure::Panicked => ConnError::unknown("the gateway failed in this request"),
            Failure::TooLong => ConnError::unknown("the answer is longer than a message may be"),
        })
    }
}

fn read<T: DeserializeOwned>(params: &RawValue) -> Result<T, RpcError> {
    serde_json::from_str(params.get()).map_err(|_| RpcError {
        code: CODE_PARAMS,
        message: "the parameters do not fit the method".to_owned(),
        data: None,
    })
}

fn tell<T: Serialize>(result: &T) -> Outcome {
    to_raw_value(result).map_err(|_| contract(&ConnError::unknown("the answer cannot be written as JSON")))
}

fn contract(error: &ConnError) -> RpcError {
    RpcError { code: CODE_CONTRACT, message: error.message.clone(), data: to_raw_value(error).ok() }
}
