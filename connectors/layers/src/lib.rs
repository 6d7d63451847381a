//! What stands around every connector, so that no connector needs to think of it.
//!
//! Five layers, from the outside in, each one file with one function: `trace` (span, figures, error context), `guard`
//! (capabilities, time left), `breaker` (a target that is down is left alone), `limit` (slots and rate, with a share of both
//! kept for leavers) and `timeout` (no call outlives its time, a panic stays inside). `around` forwards the contract once for
//! all of them.
//!
//! There is no retry layer. A write that failed is retried by the due link, which looks before it writes again; only a read may
//! be repeated, inside `timeout`.
//!
//! A decorator per layer instead of a tower of services: the results keep their types, facets that a connector lacks stay
//! visible, and every layer can be tested with a paused clock.
//!
//! The engine asks [`Layered::ready`] before it claims work: nothing is claimed for a target whose breaker is open or which
//! asked for a pause, so that no lease is spent on waiting.

mod around;
mod breaker;
mod guard;
mod limit;
mod timeout;
mod trace;

pub use breaker::{BreakerConfig, BreakerState, BreakerStatus};
pub use guard::Narrow;
pub use limit::{LimitConfig, LimitStatus};
pub use timeout::{OpClass, Timeouts};
pub use trace::{CallLabels, Metrics, TargetLabel};

use around::Layer;
use connector_spi::{ConnError, Connector, Effect, TargetSchema};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;
use tokio::time::Instant;

/// The code of a refusal that comes from the gateway's own breaker or limits: the target was not asked.
pub const REFUSAL: &str = "gateway-limit";

/// The class of such a refusal is `Transient`, its effect none: nothing was sent.
fn refusal(message: impl Into<String>) -> ConnError {
    ConnError::transient(message).effect(Effect::None).code(REFUSAL)
}

/// Whether the gateway itself refused the call, and the target was not asked.
#[must_use]
pub fn is_refusal(error: &ConnError) -> bool {
    error.native_code.as_deref() == Some(REFUSAL)
}

/// How a target is treated. Every part has defaults that suit a small real system.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LayerConfig {
    /// What is taken away from its capabilities.
    pub narrow: Narrow,
    /// When it counts as out of order.
    pub breaker: BreakerConfig,
    /// How much it is asked at a time.
    pub limit: LimitConfig,
    /// Longest time of its calls, in seconds.
    pub timeout: Timeouts,
}

/// Whether work may be claimed for a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Calls that could start now.
    pub slots: usize,
    /// When to ask again, where that is known and there are no slots.
    pub not_before: Option<Instant>,
    /// The breaker waits for a trying call: a leaver's own, or else [`Connector::check`], which the engine should make now.
    pub probe_due: bool,
}

/// A connector inside its layers, with what can be watched from outside.
#[derive(Clone)]
pub struct Layered {
    connector: Arc<dyn Connector>,
    guard: Arc<Layer<guard::Guard>>,
    switch: Arc<breaker::Switch>,
    limits: Arc<limit::Limits>,
}

/// Puts the layers around a connector. `target` is its name in the configuration, `kind` the kind of connector.
#[must_use]
pub fn wrap(inner: Arc<dyn Connector>, target: &str, kind: &str, config: LayerConfig, metrics: Metrics) -> Layered {
    let (switch, limits) = (breaker::Switch::new(config.breaker), limit::Limits::new(&config.limit));
    let timed = Arc::new(Layer(timeout::Timeout::new(inner, config.timeout)));
    let limited = Arc::new(Layer(limit::Limit::new(timed, Arc::clone(&limits))));
    let broken = Arc::new(Layer(breaker::Breaker::new(limited, Arc::clone(&switch))));
    let guard = Arc::new(Layer(guard::Guard::new(broken, config.narrow)));
    let traced = Layer(trace::Trace::new(Arc::clone(&guard) as Arc<dyn Connector>, target, kind, metrics));
    Layered { connector: Arc::new(traced), guard, switch, limits }
}

impl Layered {
    /// The connector to call.
    #[must_use]
    pub fn connector(&self) -> &Arc<dyn Connector> {
        &self.connector
    }

    /// Whether work may be claimed now, for leavers or for everybody else. A promise only for this instant: a call that finds
    /// no slot after all is refused as `Transient` with effect none (see [`is_refusal`]).
    #[must_use]
    pub fn ready(&self, leaver: bool) -> Ready {
        self.ready_in(if leaver { limit::Lane::Leaver } else { limit::Lane::Ordinary })
    }

    /// As [`Layered::ready`] for bulk work, which never gets the last slot.
    #[must_use]
    pub fn ready_for_bulk(&self) -> Ready {
        self.ready_in(limit::Lane::Bulk)
    }

    fn ready_in(&self, lane: limit::Lane) -> Ready {
        let now = Instant::now();
        let (breaker, probe_due) = {
            let circuit = self.switch.circuit();
            (circuit.status(now), circuit.probe_due(now))
        };
        let (slots, not_before) = self.limits.gauge().ready(lane, now);
        match breaker.state {
            BreakerState::Closed => Ready { slots, not_before, probe_due: false },
            BreakerState::Open => Ready { slots: 0, not_before: breaker.not_before.max(not_before), probe_due: false },
            BreakerState::HalfOpen if lane == limit::Lane::Leaver && probe_due => {
                Ready { slots: slots.min(1), not_before, probe_due }
            }
            BreakerState::HalfOpen => Ready { slots: 0, not_before, probe_due: probe_due && not_before.is_none() },
        }
    }

    /// The breaker, for status.
    #[must_use]
    pub fn breaker(&self) -> BreakerStatus {
        self.switch.circuit().status(Instant::now())
    }

    /// What the failure said that opened the breaker last, while it is not closed: free of secrets and of personal data, as
    /// every error of a connector.
    #[must_use]
    pub fn breaker_words(&self) -> Option<Arc<str>> {
        self.switch.words()
    }

    /// Lets the next health check or leaver's call try at once, if the breaker is open: for `target test`, and after a secret
    /// was replaced.
    pub fn try_again(&self) {
        self.switch.circuit().half_open(Instant::now());
    }

    /// Slots, rate and pause, for status.
    #[must_use]
    pub fn limits(&self) -> LimitStatus {
        self.limits.gauge().status(Instant::now())
    }

    /// Calls under way in the target.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.limits().in_flight
    }

    /// The schema that was learnt last, with what the configuration leaves of its capabilities; `None` before the first.
    #[must_use]
    pub fn schema(&self) -> Option<Arc<TargetSchema>> {
        self.guard.0.schema()
    }

    /// Tells the guard the schema that the gateway kept from before a restart. Returns it with what the configuration leaves
    /// of its capabilities. Every schema that is read through [`Layered::connector`] is learnt by itself.
    pub fn learn(&self, schema: TargetSchema) -> TargetSchema {
        self.guard.0.learn(schema)
    }
}

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
