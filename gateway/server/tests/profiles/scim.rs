//! A SCIM server.

use crate::scene::Scene;
use connector_cases::{Call, Circumstances};
use fixtures::faults::Fault;
use fixtures::scim_server::{Options, ScimServer};
use gateway_server::target_file::live::{Live, Sending};
use serde_json::{Value, json};
use std::sync::Arc;

fn person(number: u32) -> Value {
    json!({
        "userName": [format!("t{number}")], "externalId": [format!("id-{number}")],
        "name.givenName": [format!("Testperson {number}")], "name.familyName": ["Example"],
    })
}

fn make(number: u32, holds: Value) -> Value {
    json!({"op": "create", "kind": "account", "attrs": person(number), "state": "enabled", "entitlements": holds})
}

/// What a server says of itself is asked before anything else, and stands once.
pub async fn asked_of_itself(scene: &mut Scene, secret: &'static str) {
    let host = Arc::new(crate::scene::Gateway(secret));
    let live = Live::open("scim", &scene.settings, &scene.kinds, host, Sending::All).await.unwrap();
    let asked =
        live.record("asked", Call::Get { kind: "account".into(), id: "nobody".into() }, Circumstances::default()).await;
    let discovery = ["/ServiceProviderConfig", "/Schemas", "/ResourceTypes"];
    let is_discovery = |path: &str| discovery.iter().any(|end| path.starts_with(end));
    scene.setup.standing = asked.exchange.into_iter().filter(|one| is_discovery(&one.request.path)).collect();
    // They are asked all at once.
    scene.setup.standing.sort_by(|one, other| one.request.path.cmp(&other.request.path));
    assert_eq!(scene.setup.standing.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scim_file_is_tested_by_what_a_server_says() {
    let server = ScimServer::start(Options::default()).unwrap();
    let mut scene = Scene::new(
        "scim",
        "test-only-token",
        json!({"http": {
            "url": server.base_url(), "allow_plaintext": true, "allow_networks": ["127.0.0.0/8"], "timeout": 1,
            "auth": {"type": "bearer", "token": {"env": "SCIM"}},
        }}),
    );
    asked_of_itself(&mut scene, "test-only-token").await;

    scene.case("the server is there", json!({"op": "check"})).await;
    scene.case("an account is made", make(1, json!([]))).await;
    let key = json!({"op": "find", "kind": "account", "key": {"externalId": "id-1"}});
    let found = scene.case("an account is found by our own id", key).await;
    let id = found.expect.result.as_ref().unwrap()[0]["id"].as_str().unwrap().to_owned();
    let update = |change: Value| json!({"op": "update", "kind": "account", "id": id, "change": change});
    let change = json!({"add": [{"type": "group", "value": "grp-ward"}, {"type": "role", "value": "nurse"}]});
    scene.case("an account is given a group and a role", update(json!({"entitlements": change}))).await;
    scene.case("an account is read with what it holds", json!({"op": "get", "kind": "account", "id": id})).await;
    scene.case("nobody has this id", json!({"op": "get", "kind": "account", "id": "nobody"})).await;
    scene.case("a user name that is taken names who has it", make(1, json!([]))).await;
    let change = update(json!({"attrs": {"name.familyName": {"set": ["Example-After"]}, "title": {"set": ["Nurse"]}}}));
    scene.case("attributes are changed by one PATCH", change).await;
    let change = json!({"remove": [{"type": "group", "value": "grp-ward"}, {"type": "role", "value": "nurse"}]});
    scene
        .case(
            "a leaver is inactive before anything is taken",
            update(json!({"state": "disabled", "entitlements": change})),
        )
        .await;
    scene.case("accounts are listed", json!({"op": "list", "kind": "account", "size": 2})).await;
    scene
        .case("an account is not deleted unless the file says so", json!({"op": "delete", "kind": "account", "id": id}))
        .await;
    server.fail("CreateUser", Fault::TimeoutAfterCommit, 1);
    scene.case("a create whose answer is lost may have happened", make(2, json!([]))).await;
    server.fail("CreateUser", Fault::Malformed, 1);
    scene.case("an answer that is cut off says nothing", make(3, json!([]))).await;
    server.fail("CreateUser", Fault::Throttle, 1);
    scene.case("a server that wants fewer calls says so", make(4, json!([]))).await;
    scene.end();
}
