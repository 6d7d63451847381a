//! A plugin that runs: greeted, opened, and asked every ten seconds whether it still lives.

use crate::{
    gateway::Gateway,
    reach::{Reached, Way},
    said, secrets,
};
use chartgate_plugin::{
    line::{CallError, Line},
    wire::{CODE_VERSION, Done, Feature, IN_FLIGHT, Initialize, Initialized, Named, Open, Opened},
};
use connector_spi::{ConnError, Result, SPI};
use serde_json::Value as Json;
use std::{borrow::Cow, collections::BTreeSet, sync::Arc, time::Duration};
use tokio::{
    runtime::Handle,
    sync::oneshot,
    time::{Instant, sleep, timeout, timeout_at},
};

/// From one ping to the next.
const PING: Duration = Duration::from_secs(10);
/// A ping is answered within this time, or the plugin is ended.
const PONG: Duration = Duration::from_secs(3);
/// A plugin that was asked to end has this long.
const SHUTDOWN: Duration = Duration::from_secs(5);
/// How long to wait for a process's status when its output ends.
const STATUS: Duration = Duration::from_millis(500);
/// Requests of the plugin under way at a time; the SDKs keep to [`IN_FLIGHT`].
const SERVED: usize = IN_FLIGHT;

/// A plugin to talk to. When it is dropped the plugin is asked to end, and then ended.
pub(crate) struct Session {
    pub line: Line,
    pub greeting: Initialized,
    /// The facets that it has.
    pub features: BTreeSet<Feature>,
    pub began: Instant,
    // Dropped: the process is ended.
    held: Option<oneshot::Sender<()>>,
}

/// A plugin that was reached and not yet greeted.
pub(crate) struct Raw {
    pub line: Line,
    held: Option<oneshot::Sender<()>>,
}

impl Raw {
    /// Reaches a plugin.
    pub async fn reach(way: &dyn Way, gateway: Arc<Gateway>) -> Result<Self> {
        let Reached { from, to, said, fate } = way.reach().await?;
        if let Some(said) = said {
            tokio::spawn(said::log(said, Arc::clone(&gateway)));
        }
        let (status, told) = oneshot::channel();
        let told = Box::pin(async move { timeout(STATUS, told).await.ok()?.ok() });
        let line = Line::start(from, to, gateway, SERVED, told);
        let (held, let_go) = oneshot::channel::<()>();
        if let Some(mut fate) = fate {
            let line = line.clone();
            tokio::spawn(async move {
                tokio::select! {
                    how = fate.ended() => { let _nobody_asks = status.send(how); }
                    _ = let_go => {}
                    // It cannot be trusted any more, or does not answer.
                    _ = line.ended() => {}
                }
                fate.end().await;
            });
        }
        Ok(Self { line, held: Some(held) })
    }

    /// The handshake.
    pub async fn greet(&self) -> Result<Initialized> {
        let host = Named { name: "chartgate".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
        let hello = Initialize { spi: vec![SPI.0], host };
        let greeting: Initialized = self.line.call("initialize", &hello).await.map_err(|error| match error {
            CallError::Refused(refusal) if refusal.code == CODE_VERSION => {
                ConnError::config(format!("no contract in common: {}", refusal.message))
            }
            CallError::Refused(refusal) => ConnError::config(format!("it refuses the handshake: {}", refusal.message)),
            CallError::Odd(place) => {
                ConnError::config(format!("its handshake does not have the form of the contract{place}"))
            }
            lost => ConnError::transient(lost.to_string()),
        })?;
        match greeting.spi {
            (major, _) if major == SPI.0 => Ok(greeting),
            (major, minor) => Err(ConnError::config(format!("it speaks contract {major}.{minor}, not {}", SPI.0))),
        }
    }

    /// Opens the connector with its own settings.
    pub async fn open(mut self, greeting: Initialized, config: &Json, target: &str) -> Result<Session> {
        if let Some(literal) = secrets::literals(&greeting.config_schema, config).into_iter().next() {
            return Err(ConnError::config(literal.message).attribute(literal.pointer));
        }
        let asked = Open { config: Cow::Borrowed(config), target: Cow::Borrowed(target) };
        let opened: Opened = self.line.call("open", &asked).await.map_err(|error| match error {
            CallError::Refused(refusal) => {
                let told = refusal.data.and_then(|data| serde_json::from_str(data.get()).ok());
                told.unwrap_or_else(|| ConnError::config(format!("it does not open: {}", refusal.message)))
            }
            CallError::Odd(_) | CallError::TooLong => ConnError::config(error.to_string()),
            CallError::NotSent(_) | CallError::Lost(_) => ConnError::transient(error.to_string()),
        })?;
        let mut features = greeting.features.clone();
        if let Some(left) = opened.features {
            features.retain(|feature| left.contains(feature));
        }
        tokio::spawn(watch(self.line.clone()));
        Ok(Session { line: self.line.clone(), greeting, features, began: Instant::now(), held: self.held.take() })
    }

    /// Reaches, greets and opens, within a time.
    pub async fn begin(
        way: &dyn Way,
        gateway: Arc<Gateway>,
        config: &Json,
        target: &str,
        until: Instant,
    ) -> Result<Session> {
        let work = async {
            let raw = Raw::reach(way, gateway).await?;
            let greeting = raw.greet().await?;
            raw.open(greeting, config, target).await
        };
        let late = || ConnError::transient("it did not start in time");
        timeout_at(until, work).await.unwrap_or_else(|_| Err(late()))
    }
}

/// Asks whether it lives, until it is over.
async fn watch(line: Line) {
    loop {
        tokio::select! {
            _ = line.ended() => return,
            () = sleep(PING) => {}
        }
        match timeout(PONG, line.call::<_, Done>("ping", &Done {})).await {
            Ok(Ok(Done {})) => {}
            Ok(Err(_)) => line.end("it does not answer a ping as the contract says"),
            Err(_elapsed) => line.end("it does not answer a ping"),
        }
    }
}

/// Ends a plugin that is no longer needed: asked first, then its connection is closed, then its process is ended.
fn end(line: Line, held: Option<oneshot::Sender<()>>) {
    if line.over().is_some() {
        return;
    }
    let Ok(runtime) = Handle::try_current() else { return line.end("it is no longer needed") };
    runtime.spawn(async move {
        let asked = async {
            let _answer: std::result::Result<Done, CallError> = line.call("shutdown", &Done {}).await;
            line.ended().await
        };
        let _in_time = timeout(SHUTDOWN, asked).await;
        line.end("it is no longer needed");
        drop(held);
    });
}

impl Drop for Session {
    fn drop(&mut self) {
        end(self.line.clone(), self.held.take());
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // One that was opened is the session's.
        if let Some(held) = self.held.take() {
            end(self.line.clone(), Some(held));
        }
    }
}
