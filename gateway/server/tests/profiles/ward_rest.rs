//! meditech-like, behind its SCIM-like interface.

use crate::scene::Scene;
use crate::scim::asked_of_itself;
use connector_cases::Circumstances;
use fixtures::ehr_scim::{EhrScim, Options};
use fixtures::faults::Fault;
use serde_json::{Value, json};

const EMPLOYEE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber";
const END: &str = "urn:example:ehr:meditech-like:scim:1:User:endDate";
const MAIL: &str = "emails[type eq \"work\"].value";

fn person(number: u32) -> Value {
    json!({
        "userName": [format!("TEXAMPLE{number}")], "name.givenName": [format!("Testperson {number}")],
        "name.familyName": ["Example"], MAIL: [format!("t{number}@hosp.example")], EMPLOYEE: [format!("{}", 100_000 + number)],
        END: [{"at": "2099-07-01T04:00:00Z"}],
    })
}

fn make(number: u32, holds: Value) -> Value {
    json!({"op": "create", "kind": "account", "attrs": person(number), "state": "enabled", "entitlements": holds})
}

fn menu(value: &str, facility: &str) -> Value {
    json!({"type": "role", "value": value, "scope": {"type": facility}})
}

fn settings(ehr: &EhrScim) -> Value {
    json!({"http": {
        "url": ehr.base_url(), "allow_plaintext": true, "allow_networks": ["127.0.0.0/8"], "timeout": 1,
        "auth": {"client_id": "gateway", "client_secret": {"env": "EHR"}},
    }})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_meditech_like_rest_file_is_tested_by_what_its_system_says() {
    let ehr = EhrScim::start(Options::default()).unwrap();
    let mut scene = Scene::new("meditech-like-rest", "test-only", settings(&ehr));
    asked_of_itself(&mut scene, "test-only").await;

    scene.case("the system is there", json!({"op": "check"})).await;
    let holds = json!([menu("NUR.VIEW", "EAST"), {"type": "group", "value": "CSRX"}]);
    scene.case("an account is made with its menu, given its access group and opened", make(1, holds)).await;
    scene.given("other", make(2, json!([]))).await;
    let key = |name: &str, value: &str| json!({"op": "find", "kind": "account", "key": {name: value}});
    let found = scene.case("an account is found by its employee number among all", key(EMPLOYEE, "100001")).await;
    let id = found.expect.result.as_ref().unwrap()[0]["id"].as_str().unwrap().to_owned();
    scene.case("nobody has this mnemonic", key("userName", "NOBODY")).await;
    scene.case("an account is read with what it holds", json!({"op": "get", "kind": "account", "id": id})).await;
    scene.case("nobody has this number", json!({"op": "get", "kind": "account", "id": "999"})).await;
    let mut twice = person(1);
    twice["userName"] = json!(["TEXAMPLE9"]);
    let twice = json!({"op": "create", "kind": "account", "attrs": twice, "state": "enabled"});
    scene.case("an employee number that is taken names who has it, and nothing is made", twice).await;
    let mut namesake = person(3);
    namesake["userName"] = json!(["TEXAMPLE1"]);
    let namesake = json!({"op": "create", "kind": "account", "attrs": namesake, "state": "enabled"});
    scene.case("a mnemonic that is taken names who has it", namesake).await;
    let update = |change: Value| json!({"op": "update", "kind": "account", "id": id, "change": change});
    let unknown = update(json!({"entitlements": {"add": [menu("NO.SUCH", "EAST")]}}));
    scene.case("a menu that there is not is refused", unknown).await;
    let change = json!({"attrs": {"name.familyName": {"set": ["Example-After"]}, END: {"set": [{"at": "2029-07-01T04:00:00Z"}]}}});
    scene.case("attributes are changed by one PATCH", update(change)).await;
    let stale = json!({"attrs": {"name.familyName": {"set": ["Late"]}}, "ifVersion": "W/\"0\""});
    scene.case("a record that changed since it was read is left alone", update(stale)).await;
    let change = json!({"add": [menu("NUR.VIEW", "WEST")], "remove": [menu("NUR.VIEW", "EAST")]});
    scene.case("a menu is given at one facility and ended at another", update(json!({"entitlements": change}))).await;
    scene
        .case(
            "who is active may be let in, which SCIM does not tell",
            json!({"op": "effective", "kind": "account", "id": id}),
        )
        .await;
    let change = json!({"remove": [menu("NUR.VIEW", "WEST"), {"type": "group", "value": "CSRX"}]});
    scene
        .case(
            "a leaver is inactive before anything is taken",
            update(json!({"state": "disabled", "entitlements": change})),
        )
        .await;
    scene.case("a closed account is not let in", json!({"op": "effective", "kind": "account", "id": id})).await;
    scene.case("accounts are listed", json!({"op": "list", "kind": "account", "size": 2})).await;
    scene.case("menus are the catalogue", json!({"op": "list", "kind": "role", "size": 2})).await;
    scene.case("access groups are the catalogue", json!({"op": "list", "kind": "group", "size": 2})).await;
    scene.case("an account is never deleted", json!({"op": "delete", "kind": "account", "id": "$other"})).await;
    ehr.fail("CreateUser", Fault::TimeoutAfterCommit, 1);
    scene.case("a create whose answer is lost may have happened", make(5, json!([]))).await;
    let again = Circumstances { attempt: 2, ..Circumstances::default() };
    scene
        .case_with("the next attempt finds it by the mail address and makes no second one", make(5, json!([])), again)
        .await;
    ehr.fail("CreateUser", Fault::Malformed, 1);
    scene.case("an answer that is cut off says nothing", make(6, json!([]))).await;
    ehr.fail("GetUser", Fault::Throttle, 1);
    scene
        .case("a system that wants fewer calls says so", json!({"op": "get", "kind": "account", "id": "$other"}))
        .await;

    // Whether the interface writes is not settled: where it does not, it says so, and nothing is taken for done.
    let reads = EhrScim::start(Options { read_only: true, ..Options::default() }).unwrap();
    let ward = "INSERT INTO user_dict (user_mnemonic, last_name, first_name, employee_no, begin_date, changed_by, changed_at) \
                VALUES ('TEXAMPLE1', 'Example', 'Testperson 1', '100001', '2026-07-01', 'WARDCLERK', '2026-07-01 00:00:00')";
    reads.run(ward).unwrap();
    scene.settings["http"]["url"] = json!(reads.base_url());
    scene.case("an interface that only reads lists", json!({"op": "list", "kind": "account", "size": 2})).await;
    scene.case("an interface that only reads refuses to make", make(7, json!([]))).await;
    scene.case("an interface that only reads refuses to close", update(json!({"state": "disabled"}))).await;
    scene.end();
}
