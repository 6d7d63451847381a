//! Large groups: what one more member costs, and whether any is lost when many add at once.

use crate::figure::{Figure, Goal, median, size};
use crate::load::{self, Door};
use crate::loading::Loaded;
use crate::people;
use serde_json::{Value, json};
use std::collections::HashSet;

const SMALL: usize = 1_000;
const GREAT: usize = 50_000;
const CLIENTS: usize = 8;

/// On a gateway that holds enough users.
pub fn measure(loaded: &Loaded) -> Vec<Figure> {
    let great = GREAT.min(loaded.ids.len() / 2);
    let (members, others) = loaded.ids.split_at(great);
    let door = &loaded.door;
    let runtime = load::runtime();
    let few = runtime.block_on(group(door, "Testgroup small", &members[..SMALL.min(great)]));
    let many = runtime.block_on(group(door, "Testgroup great", members));
    let block = size("BLOCK", 200).min(others.len() / 16);
    let mut rest = others.chunks(block);
    let mut p50 = |group: &str| {
        let add = |id: &String| door.request("PATCH", &format!("/Groups/{group}"), &people::add_member(id));
        let requests = rest.next().expect("enough users").iter().map(add).collect();
        load::p50(&runtime.block_on(door.drive(1, requests)).times)
    };
    p50(&few);
    p50(&many);
    let rounds: Vec<(f64, f64)> = (0..size("ROUNDS", 5)).map(|_| (p50(&few), p50(&many))).collect();
    let middle = |which: fn(&(f64, f64)) -> f64| median(&rounds.iter().map(which).collect::<Vec<_>>());
    let cost = Figure::of(
        format!("one member into a group of {great} / of {SMALL}"),
        Some(Goal::AtMost(1.5)),
        "",
        rounds.iter().map(|(few, many)| many / few).collect(),
    )
    .with(format!("{:.0} µs / {:.0} µs; blocks of {block}, one caller", middle(|r| r.1), middle(|r| r.0)));

    let added = rest.next().expect("enough users");
    let together = runtime.block_on(group(door, "Testgroup together", &members[..10]));
    let add = |id: &String| door.request("PATCH", &format!("/Groups/{together}"), &people::add_member(id));
    let outcome = runtime.block_on(door.drive(CLIENTS, added.iter().map(add).collect()));
    let held = runtime.block_on(door.once("GET", &format!("/Groups/{together}"), ""));
    let held: Value = serde_json::from_str(&held).expect("JSON");
    let held: HashSet<&str> =
        held["members"].as_array().into_iter().flatten().filter_map(|member| member["value"].as_str()).collect();
    let lost = added.iter().chain(&members[..10]).filter(|id| !held.contains(id.as_str())).count();
    let lost = Figure::of(
        format!("members lost when {CLIENTS} clients PATCH one group at once"),
        Some(Goal::AtMost(0.0)),
        "",
        vec![lost as f64],
    )
    .with(format!("{} PATCHes, {:.0}/s", added.len(), outcome.rate()));
    vec![cost, lost]
}

async fn group(door: &Door, name: &str, members: &[String]) -> String {
    let schemas = ["urn:ietf:params:scim:schemas:core:2.0:Group"];
    let body = json!({ "schemas": schemas, "displayName": name }).to_string();
    let made = door.drive(1, vec![door.request("POST", "/Groups", &body)]).await;
    let id = made.ids.into_iter().next().expect("an id");
    for part in members.chunks(5_000) {
        let values: Vec<Value> = part.iter().map(|member| json!({ "value": member })).collect();
        let operation = json!({ "op": "add", "path": "members", "value": values });
        let schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
        let body = json!({ "schemas": schemas, "Operations": [operation] }).to_string();
        door.drive(1, vec![door.request("PATCH", &format!("/Groups/{id}"), &body)]).await;
    }
    id
}
