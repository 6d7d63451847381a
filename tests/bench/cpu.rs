//! What a request costs the gateway's process in processor time, kernel included.

use crate::figure::{Figure, Goal, size};
use crate::load::{self, Door};
use crate::{people, process};
use harness::Gateway;
use serde_json::json;

const CALLERS: usize = 64;

/// Create, PATCH, get, filter.
pub fn measure() -> Vec<Figure> {
    let count = size("REQUESTS", 8_000);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.db");
    let store = format!("sqlite:{}", file.display());
    let gateway = Gateway::plain(&store, "test-only-token", &[], &file.with_extension("log"));
    let door = Door::new(&gateway.base, "test-only-token");
    let runtime = load::runtime();
    let warm = (0..500).map(|n| door.request("POST", "/Users", &people::user("w", n).to_string())).collect();
    runtime.block_on(door.drive(CALLERS, warm));

    let mut costs: [Vec<f64>; 4] = Default::default();
    for round in 0..size("ROUNDS", 5) {
        let batch = format!("r{round}x");
        let creates = (0..count).map(|n| door.request("POST", "/Users", &people::user(&batch, n).to_string()));
        let (cost, ids) = cost(&runtime, &gateway, &door, creates.collect());
        costs[0].push(cost);
        let patch = people::replace("title", &json!("Resident"));
        let patches = ids.iter().map(|id| door.request("PATCH", &format!("/Users/{id}"), &patch));
        costs[1].push(self::cost(&runtime, &gateway, &door, patches.collect()).0);
        let gets = ids.iter().map(|id| door.request("GET", &format!("/Users/{id}"), ""));
        costs[2].push(self::cost(&runtime, &gateway, &door, gets.collect()).0);
        let filters = (0..count).map(|n| {
            let name = people::user_name(&batch, n);
            door.request("GET", &format!("/Users?filter=userName%20eq%20%22{name}%22"), "")
        });
        costs[3].push(self::cost(&runtime, &gateway, &door, filters.collect()).0);
    }
    let goals = [("create", 150.0), ("PATCH", 150.0), ("get", 80.0), ("filter", 80.0)];
    let figures = goals.into_iter().zip(costs).map(|((name, goal), rounds)| {
        Figure::of(format!("processor time of a {name}"), Some(Goal::AtMost(goal)), "µs", rounds)
            .with(format!("{count} requests a round, {CALLERS} callers, user and system"))
    });
    figures.collect()
}

/// Microseconds a request, and the ids that came back.
fn cost(
    runtime: &tokio::runtime::Runtime,
    gateway: &Gateway,
    door: &Door,
    requests: Vec<Vec<u8>>,
) -> (f64, Vec<String>) {
    let before = process::cpu(gateway.pid());
    let outcome = runtime.block_on(door.drive(CALLERS, requests));
    let used = process::cpu(gateway.pid()) - before;
    (used / outcome.times.len() as f64, outcome.ids)
}
