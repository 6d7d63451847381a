//! oracle-health-like: its REST face and its XML face.

use crate::scene::Scene;
use fixtures::ehr_rest::{EhrRest, Options};
use serde_json::{Value, json};

fn person(number: u32) -> Value {
    json!({
        "username": [format!("t{number}")], "givenName": [format!("Testperson {number}")], "familyName": ["Example"],
        "employeeNumber": [format!("{}", 100_000 + number)], "endEffective": [{"at": "2099-06-30T23:59:59Z"}],
    })
}

fn make(number: u32, holds: Value) -> Value {
    json!({"op": "create", "kind": "account", "attrs": person(number), "state": "enabled", "entitlements": holds})
}

/// What both faces can do, in the same words.
async fn both(scene: &mut Scene, ehr: &EhrRest, operations: [&str; 2]) {
    let plan = |operation: &str, fault: &str| ehr.faults().plan(operation, fault.parse().unwrap(), 1);
    scene.case("the target is there", json!({"op": "check"})).await;
    let holds = json!([
        {"type": "position", "value": "RN"}, {"type": "organization", "value": "EAST"},
        {"type": "personnel-group", "value": "BG_ED", "validTo": "2029-07-01T00:00:00Z"},
    ]);
    scene.case("an account is made and then given what it holds", make(1, holds)).await;
    scene.given("other", make(2, json!([]))).await;
    let key = json!({"op": "find", "kind": "account", "key": {"employeeNumber": "100001"}});
    let found = scene.case("an account is found by its employee number", key).await;
    let id = found.expect.result.as_ref().unwrap()[0]["id"].as_str().unwrap().to_owned();
    scene.case("an account is read with what it holds", json!({"op": "get", "kind": "account", "id": id})).await;
    scene.case("nobody has this id", json!({"op": "get", "kind": "account", "id": "999999"})).await;
    let key = json!({"op": "find", "kind": "account", "key": {"username": "nobody"}});
    scene.case("nobody has this user name", key).await;
    let mut namesake = person(3);
    namesake["username"] = json!(["t1"]);
    let refused = json!({"op": "create", "kind": "account", "attrs": namesake, "state": "enabled"});
    scene.case("a user name that is taken names who has it", refused).await;
    let unknown = json!([{"type": "organization", "value": "NOWHERE"}, {"type": "position", "value": "RN"}]);
    scene.case("what the target does not know is refused and the rest is done", make(4, unknown)).await;
    let update = |change: Value| json!({"op": "update", "kind": "account", "id": id, "change": change});
    let change = update(json!({"attrs": {"familyName": {"set": ["Example-After"]}, "npi": {"set": ["1900000013"]}}}));
    scene.case("each attribute goes by its own path", change).await;
    let change = json!({
        "add": [{"type": "position", "value": "HOSPITALIST"}, {"type": "organization-group", "value": "EAST_ALL"}],
        "remove": [{"type": "position", "value": "RN"}, {"type": "organization", "value": "EAST"}],
    });
    scene.case("a position is replaced and an organisation taken", update(json!({"entitlements": change}))).await;
    scene.case("who is complete can log in", json!({"op": "effective", "kind": "account", "id": id})).await;
    scene.case("a leaver is disabled", update(json!({"state": "disabled"}))).await;
    scene.case("a closed account says why", json!({"op": "effective", "kind": "account", "id": id})).await;
    scene.case("accounts are listed page by page", json!({"op": "list", "kind": "account", "size": 2})).await;
    scene.case("an account is never deleted", json!({"op": "delete", "kind": "account", "id": "$other"})).await;
    let [create, read] = operations;
    plan(create, "timeout-after-commit");
    scene.case("a create whose answer is lost may have happened", make(5, json!([]))).await;
    plan(create, "malformed");
    scene.case("an answer that is cut off says nothing", make(6, json!([]))).await;
    plan(read, "throttle");
    scene
        .case(
            "a target that wants fewer calls says how long to wait",
            json!({"op": "get", "kind": "account", "id": id}),
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oracle_health_like_file_is_tested_by_what_its_system_says() {
    let ehr = EhrRest::start(Options { rate_limit: None, ..Options::default() }).unwrap();
    let mut scene = Scene::new(
        "oracle-health-like",
        "test-only",
        json!({"http": {
            "url": ehr.base_url(), "allow_plaintext": true, "allow_networks": ["127.0.0.0/8"], "timeout": 1,
            "headers": {"X-Target-Id": "EAST-PROD"}, "requests_per_second": 2000,
            "auth": {"client_id": "gateway", "client_secret": {"env": "EHR"}},
        }}),
    );
    scene.setup.settings = json!({"http": {"headers": {"X-Target-Id": "EAST-PROD"}}}).as_object().unwrap().clone();
    both(&mut scene, &ehr, ["CreatePersonnel", "ViewPersonnel"]).await;
    scene.case("sessions are ended", json!({"op": "revoke_sessions", "kind": "account", "id": "$other"})).await;
    let stale = json!({
        "op": "update", "kind": "account", "id": "$other",
        "change": {"attrs": {"familyName": {"set": ["Late"]}}, "ifVersion": "\"0\""},
    });
    scene.case("a record that changed since it was read is left alone", stale).await;
    scene.case("positions are the catalogue", json!({"op": "list", "kind": "position", "size": 3})).await;
    scene.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_spml_file_is_tested_by_what_its_system_says() {
    let ehr = EhrRest::start(Options { rate_limit: None, ..Options::default() }).unwrap();
    let mut scene = Scene::new(
        "oracle-health-like-spml",
        "test-only",
        json!({
            "http": {
                "url": ehr.base_url(), "allow_plaintext": true, "allow_networks": ["127.0.0.0/8"], "timeout": 1,
                "requests_per_second": 2000, "auth": {"client_id": "gateway", "client_secret": {"env": "EHR"}},
            },
            "tables": {"target": {"id": "EAST-PROD"}},
        }),
    );
    scene.setup.settings = json!({"tables": {"target": {"id": "EAST-PROD"}}}).as_object().unwrap().clone();
    both(&mut scene, &ehr, ["addRequest", "lookupRequest"]).await;
    scene.end();
}
