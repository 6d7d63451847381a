//! The outermost layer: every call has a span, is counted and timed, and its error says which target and call it was.
//!
//! Labels and fields are ours: names of targets, kinds and calls. No id of a record, no attribute, no person.

use crate::around::{Around, Call, Judge, verdict};
use connector_spi::{Class, Connector, Ctx, Kind, Result};
use futures_util::future::BoxFuture;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use std::sync::Arc;
use tokio::time::Instant;
use tracing::Instrument;

/// Labels of one sort of call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallLabels {
    /// The target's name.
    pub target: Arc<str>,
    /// The kind of connector.
    pub connector: Arc<str>,
    /// The kind of record; empty where the call is about none.
    pub kind: String,
    /// The call.
    pub op: &'static str,
    /// `ok`, or the class of the error.
    pub class: &'static str,
}

/// Label of one target.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TargetLabel {
    /// The target's name.
    pub target: Arc<str>,
}

/// Figures of all targets; made once and shared by all connectors.
#[derive(Clone, Debug)]
pub struct Metrics {
    calls: Family<CallLabels, Counter>,
    seconds: Family<CallLabels, Histogram, fn() -> Histogram>,
    in_flight: Family<TargetLabel, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { calls: Family::default(), seconds: Family::new_with_constructor(seconds), in_flight: Family::default() }
    }
}

/// From 5 ms, a local directory, to 120 s, the longest call of all.
fn seconds() -> Histogram {
    Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0])
}

impl Metrics {
    /// Puts the figures into the registry; once per process.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("connector_calls", "Calls to targets by outcome", self.calls.clone());
        registry.register_with_unit(
            "connector_call_duration",
            "Time of calls to targets, waiting for a slot included",
            Unit::Seconds,
            self.seconds.clone(),
        );
        registry.register("connector_calls_in_flight", "Calls to targets under way", self.in_flight.clone());
    }
}

pub(crate) struct Trace {
    inner: Arc<dyn Connector>,
    target: Arc<str>,
    connector: Arc<str>,
    metrics: Metrics,
    in_flight: Gauge,
}

impl Trace {
    pub fn new(inner: Arc<dyn Connector>, target: &str, connector: &str, metrics: Metrics) -> Self {
        let target: Arc<str> = target.into();
        let in_flight = metrics.in_flight.get_or_create_owned(&TargetLabel { target: Arc::clone(&target) });
        Self { inner, target, connector: connector.into(), metrics, in_flight }
    }

    fn record(&self, kind: &str, op: &'static str, class: Option<Class>, begun: Instant) {
        let labels = CallLabels {
            target: Arc::clone(&self.target),
            connector: Arc::clone(&self.connector),
            kind: kind.to_owned(),
            op,
            class: class.map_or("ok", Class::name),
        };
        self.metrics.calls.get_or_create(&labels).inc();
        self.metrics.seconds.get_or_create(&labels).observe(begun.elapsed().as_secs_f64());
    }
}

/// Counts a call as under way until it is dropped: also when its caller walks away.
struct UnderWay(Gauge);

impl UnderWay {
    fn enter(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Around for Trace {
    fn inner(&self) -> &Arc<dyn Connector> {
        &self.inner
    }

    async fn run<'a, T, F>(&'a self, call: Call<'a>, judge: Judge<T>, work: F) -> Result<T>
    where
        T: Send + 'a,
        F: Fn(Ctx) -> BoxFuture<'a, Result<T>> + Send + Sync + 'a,
    {
        let kind = call.kind.map_or("", Kind::as_str);
        let (op, begun, _under_way) = (call.op.name(), Instant::now(), UnderWay::enter(&self.in_flight));
        let span = tracing::info_span!(
            "target_call",
            target = %self.target,
            connector = %self.connector,
            op,
            kind,
            op_id = %call.cx.op_id,
            attempt = call.cx.attempt,
            leaver = call.cx.leaver,
            dry_run = call.cx.dry_run,
            class = tracing::field::Empty,
        );
        let outcome = work(call.cx).instrument(span.clone()).await;
        let failure = verdict(&outcome, judge);
        self.record(kind, op, failure.map(|error| error.class), begun);
        span.in_scope(|| match failure {
            None => {
                span.record("class", "ok");
                tracing::debug!("Target called.");
            }
            Some(error) => {
                span.record("class", error.class.name());
                let code = error.native_code.as_deref().unwrap_or("");
                tracing::warn!(class = %error.class, effect = ?error.effect, code, message = %error.message, "Target call failed.");
            }
        });
        outcome.map_err(|mut error| {
            let of = if kind.is_empty() { op.to_owned() } else { format!("{op} {kind}") };
            error.message = format!("{}: {of}: {}", self.target, error.message);
            error
        })
    }
}

#[cfg(test)]
mod tests;
