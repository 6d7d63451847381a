//! Is it alive, can it work, which target is broken.

use crate::answer;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use gateway_engine::{Engine, Health, TargetHealth};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long what was found stays true enough. Finding out costs the store a real write, and anybody may ask.
const FRESH: Duration = Duration::from_secs(1);

/// Health, found out at most once in [`FRESH`], however many ask.
#[derive(Default)]
pub(crate) struct Pulse(Mutex<Option<(Instant, Arc<Health>)>>);

impl Pulse {
    /// Health as it is, or was a moment ago.
    pub async fn feel(&self, engine: &Engine) -> Arc<Health> {
        let mut felt = self.0.lock().await;
        if let Some((at, health)) = felt.as_ref()
            && at.elapsed() < FRESH
        {
            return Arc::clone(health);
        }
        let health = Arc::new(engine.health().await);
        *felt = Some((Instant::now(), Arc::clone(&health)));
        health
    }
}

/// The process runs and answers. Nothing is asked of anybody: an orchestrator that restarts on this must not restart because
/// a database is down.
pub(crate) fn live() -> HttpResponse {
    answer::json(StatusCode::OK, &json!({ "status": "up" }))
}

/// The gateway can take requests: its store answers and can write. A target's outage does not make it unready; it is named.
pub(crate) async fn ready(pulse: &Pulse, engine: &Engine) -> HttpResponse {
    let health = pulse.feel(engine).await;
    let broken: Vec<&str> =
        health.targets.iter().filter(|target| !target.up).map(|target| target.name.as_str()).collect();
    match &health.store {
        None => answer::json(StatusCode::OK, &json!({ "status": "up", "store": "up", "brokenTargets": broken })),
        Some(why) => answer::json(
            StatusCode::SERVICE_UNAVAILABLE,
            &json!({ "status": "down", "store": "down", "why": why, "brokenTargets": broken }),
        ),
    }
}

/// Each target by name, up or down, and why. 503 when one is down, so that a plain probe sees it.
pub(crate) async fn targets(pulse: &Pulse, engine: &Engine) -> HttpResponse {
    let health = pulse.feel(engine).await;
    let up = health.targets.iter().all(|target| target.up);
    let status = if up { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let targets: Vec<Value> = health.targets.iter().map(one).collect();
    answer::json(status, &json!({ "status": if up { "up" } else { "degraded" }, "targets": targets }))
}

fn one(target: &TargetHealth) -> Value {
    json!({ "name": target.name, "status": if target.up { "up" } else { "down" }, "why": target.why })
}
