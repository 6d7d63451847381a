//! epic-like, over SOAP.

use crate::scene::Scene;
use connector_cases::Circumstances;
use fixtures::ehr_soap::{EhrSoap, Options};
use serde_json::{Value, json};

fn person(number: u32) -> Value {
    json!({
        "login": [format!("t{number}")], "givenName": [format!("Testperson {number}")], "familyName": ["Example"],
        "employeeNumber": [format!("{}", 100_000 + number)], "endDate": ["2029-06-30"],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_epic_like_file_is_tested_by_what_its_system_says() {
    let ehr = EhrSoap::start(Options { rate_limit: None, ..Options::default() }).unwrap();
    let password = json!({"env": "EHR"});
    let mut scene = Scene::new(
        "epic-like",
        "test-only",
        json!({
            "http": {
                "url": ehr.base_url(), "allow_plaintext": true, "allow_networks": ["127.0.0.0/8"], "timeout": 1,
                "requests_per_second": 5000,
            },
            "services": {
                "personnel": {"username_token": {"user": "local:gateway", "password": password}},
                "core": {
                    "auth": {"type": "basic", "user": "gateway", "password": password}, "requests_per_second": 5000,
                },
            },
        }),
    );
    let plan = |operation: &str, fault: &str| ehr.faults().plan(operation, fault.parse().unwrap(), 1);

    scene.case("the target is there when both of its services answer", json!({"op": "check"})).await;
    let provider = json!({
        "npi": ["1900000001"], "givenName": ["Testperson 1"], "familyName": ["Example"], "providerType": ["PHYSICIAN"],
    });
    let make = json!({"op": "create", "kind": "provider", "attrs": provider, "state": "enabled"});
    scene.given("doctor", make.clone()).await;
    scene.case("a second provider of the same number is refused", make).await;
    let key = json!({"op": "find", "kind": "provider", "key": {"npi": "1900000001"}});
    scene.case("a provider is found by its number", key).await;

    let mut first = person(1);
    first["provider"] = json!(["$doctor"]);
    let holds = json!([
        {"type": "template", "value": "T9200", "order": 1}, {"type": "sub-template", "value": "ST310", "order": 1},
        {"type": "department", "value": "10501", "order": 1}, {"type": "in-basket-class", "value": "RESULTS"},
    ]);
    let make = json!({"op": "create", "kind": "account", "attrs": first, "state": "enabled", "entitlements": holds});
    scene.case("an account is made in one request, and the target warns of a template", make).await;
    scene.given("other", json!({"op": "create", "kind": "account", "attrs": person(2), "state": "enabled"})).await;
    let key = json!({"op": "find", "kind": "account", "key": {"employeeNumber": "100001"}});
    scene.given("", key.clone()).await;
    let found = scene.case("an account is found by its employee number", key).await;
    let id = found.expect.result.as_ref().unwrap()[0]["id"].as_str().unwrap().to_owned();
    scene.case("an account is read with what it holds", json!({"op": "get", "kind": "account", "id": id})).await;
    scene.case("nobody has this id", json!({"op": "get", "kind": "account", "id": "E999999"})).await;
    let key = json!({"op": "find", "kind": "account", "key": {"login": "nobody"}});
    scene.case("nobody has this login", key).await;

    let refused = json!({"op": "create", "kind": "account", "attrs": person(1), "state": "enabled"});
    scene.case("an employee number that is taken names who has it", refused).await;
    let unknown = json!([{"type": "template", "value": "T0000", "order": 1}]);
    let make =
        json!({"op": "create", "kind": "account", "attrs": person(3), "state": "enabled", "entitlements": unknown});
    scene.case("a template that the target does not know is a mistake of the mapping", make).await;
    let update = |change: Value| json!({"op": "update", "kind": "account", "id": id, "change": change});
    let change = update(json!({"attrs": {"middleName": {"set": ["Q"]}, "comment": {"set": ["made by rule"]}}}));
    scene.case("a part of a name is written with the parts that stay", change).await;
    let change = update(json!({"attrs": {"endDate": "clear"}}));
    scene.case("an end that is cleared is the end of days", change).await;
    let change = update(json!({"entitlements": {"add": [{"type": "sub-template", "value": "ST311", "order": 2}]}}));
    scene.case("a list is read before it is written, where nobody says what is in it", change).await;
    let leaver = Circumstances { leaver: true, ..Circumstances::default() };
    scene
        .case_with(
            "a leaver is blocked, logged out and inactive, in this order",
            update(json!({"state": "disabled"})),
            leaver,
        )
        .await;
    scene.case("a closed account says why", json!({"op": "effective", "kind": "account", "id": id})).await;
    scene.case("sessions are ended", json!({"op": "revoke_sessions", "kind": "account", "id": "$other"})).await;
    scene
        .case("accounts are listed by id and read one by one", json!({"op": "list", "kind": "account", "size": 2}))
        .await;
    scene.case("departments are the catalogue", json!({"op": "list", "kind": "department", "size": 3})).await;
    scene.case("an account is never deleted", json!({"op": "delete", "kind": "account", "id": "$other"})).await;

    let make = |number| json!({"op": "create", "kind": "account", "attrs": person(number), "state": "enabled"});
    plan("CreateUser", "timeout-after-commit");
    scene.case("a create whose answer is lost may have happened", make(4)).await;
    plan("CreateUser", "malformed");
    scene.case("an answer that is cut off says nothing", make(5)).await;
    plan("CreateUser", "fault:RECORD-LOCKED");
    scene.case("a record that somebody has open is tried again later", make(6)).await;
    plan("ViewUser", "throttle");
    scene.case("a target that is busy says so", json!({"op": "get", "kind": "account", "id": "$other"})).await;
    scene.end();
}
