//! Figures in the OpenMetrics form.

use super::health::Pulse;
use crate::error::Error;
use crate::serve::Trace;
use actix_web::HttpResponse;
use actix_web::http::header;
use gateway_engine::Engine;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use scim::Breach;
use std::fmt;
use std::time::Duration;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: &'static str,
    resource: String,
    status: u16,
    source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    method: &'static str,
    route: &'static str,
    resource: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BreachLabels {
    source: String,
    section: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LinkLabels {
    target: String,
    state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TargetLabels {
    target: String,
}

/// The door's own figures, and the registry with everybody else's.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<DurationLabels, Histogram, fn() -> Histogram>,
    breaches: Family<BreachLabels, Counter>,
}

/// From a quarter of a millisecond to eight seconds.
fn buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.000_25, 2.0, 16))
}

impl Metrics {
    /// Adds the door's figures to the registry.
    pub fn new(mut registry: Registry) -> Self {
        let requests = Family::<RequestLabels, Counter>::default();
        let durations =
            Family::<DurationLabels, Histogram, fn() -> Histogram>::new_with_constructor(buckets as fn() -> Histogram);
        let breaches = Family::<BreachLabels, Counter>::default();
        registry.register("chartgate_requests", "Requests answered", requests.clone());
        registry.register(
            "chartgate_request_duration_seconds",
            "Time from a request's head to its answer",
            durations.clone(),
        );
        registry.register(
            "chartgate_profile_breaches",
            "Where requests break the interoperability profile, by its section",
            breaches.clone(),
        );
        Self { registry, requests, durations, breaches }
    }

    /// Counts a request.
    pub fn request(&self, method: &'static str, trace: &Trace, status: u16, took: Duration) {
        let (route, resource) = (trace.pattern, trace.resource.clone().unwrap_or_default());
        let source = trace.source.as_ref().map(|source| source.name.clone()).unwrap_or_default();
        self.durations
            .get_or_create(&DurationLabels { method, route, resource: resource.clone() })
            .observe(took.as_secs_f64());
        self.requests.get_or_create(&RequestLabels { method, route, resource, status, source }).inc();
    }

    /// Counts where a request breaks the interoperability profile.
    pub fn breaches(&self, source: &str, breaches: &[Breach]) {
        for breach in breaches {
            self.breaches.get_or_create(&BreachLabels { source: source.to_owned(), section: breach.section }).inc();
        }
    }
}

/// GET /metrics: what was counted, and how the links stand at this moment.
pub(crate) async fn exposition(metrics: &Metrics, pulse: &Pulse, engine: &Engine) -> HttpResponse {
    let mut body = String::with_capacity(16 << 10);
    let now = standing(pulse, engine).await;
    let written = text::encode_registry(&mut body, &metrics.registry)
        .and_then(|()| text::encode_registry(&mut body, &now))
        .and_then(|()| text::encode_eof(&mut body));
    match written {
        Ok(()) => HttpResponse::Ok().insert_header((header::CONTENT_TYPE, OPEN_METRICS)).body(body),
        Err(fmt::Error) => Error::internal().respond(),
    }
}

/// How each target's links stand. Without the store the figures are left out, and `chartgate_store_up` is 0.
async fn standing(pulse: &Pulse, engine: &Engine) -> Registry {
    let mut registry = Registry::default();
    let links = Family::<LinkLabels, Gauge>::default();
    let up = Family::<TargetLabels, Gauge>::default();
    let store: Gauge = Gauge::default();
    let oldest = Family::<TargetLabels, Gauge>::default();
    registry.register("chartgate_links", "Links by target and state", links.clone());
    registry.register("chartgate_target_up", "Whether the target answers", up.clone());
    registry.register(
        "chartgate_oldest_pending_seconds",
        "Age of the oldest change that waits for the target",
        oldest.clone(),
    );
    registry.register("chartgate_store_up", "Whether the store answers and can write", store.clone());

    let health = pulse.feel(engine).await;
    store.set(i64::from(health.store.is_none()));
    for target in &health.targets {
        up.get_or_create(&TargetLabels { target: target.name.clone() }).set(i64::from(target.up));
    }
    let now = engine.clock().now();
    for report in engine.status().await.unwrap_or_default() {
        let status = &report.links;
        let say = |state: &str, count: u64| {
            let labels = LinkLabels { target: report.name.clone(), state: state.to_owned() };
            links.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        };
        say("linked", status.linked);
        say("due", status.due);
        say("disputed", status.disputed);
        say("detached", status.detached);
        say("tombstone", status.tombstones);
        say("unverified", status.unverified);
        for (cause, count) in &status.parked {
            say(&format!("parked-{cause}"), *count);
        }
        let age = status.pending_since.map_or(0, |since| now.duration_since(since).as_secs().max(0));
        oldest.get_or_create(&TargetLabels { target: report.name.clone() }).set(age);
    }
    registry
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_by_route_and_never_by_path() {
        let metrics = Metrics::new(Registry::default());
        let trace = Trace { pattern: "/scim/v2/{type}/{id}", resource: Some("User".into()), source: None };

        metrics.request("GET", &trace, 200, Duration::from_millis(3));

        let mut body = String::new();
        text::encode(&mut body, &metrics.registry).unwrap();
        let line = "chartgate_requests_total{method=\"GET\",route=\"/scim/v2/{type}/{id}\",resource=\"User\",\
                    status=\"200\",source=\"\"} 1";
        assert!(body.contains(line), "{body}");
    }
}
