//! Targets that are down, slow or say no, and gateways that are ended under load: nobody else waits, nothing is lost, and
//! what is not done is told.

use fixtures::ehr_rest::{EhrRest, Options};
use fixtures::faults::Fault;
use harness::hospital::Wiring;
use harness::{Client, Gateway, Hospital, TestDirectory};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SYNC: &str = "urn:chartgate:params:scim:schemas:extension:sync:1.0:User";
/// A target that was down is tried again soon.
const SOON: &str = "[target.layers.breaker]\nopen = 1\n";

fn ehr() -> EhrRest {
    EhrRest::start(Options { rate_limit: None, maintenance: false, ..Options::default() }).unwrap()
}

fn person(name: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": name, "name": { "familyName": "Example", "givenName": "Test" },
    })
}

async fn hire(client: &Client, name: &str) -> String {
    let answer = client.post("/Users", &person(name)).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    answer.id()
}

/// What the Sync extension says of a target.
async fn sync(client: &Client, id: &str, target: &str) -> Value {
    let user = client.get(&format!("/Users/{id}?attributes={SYNC}")).await;
    let targets = user.body[SYNC]["targets"].as_array().unwrap_or_else(|| panic!("no Sync in {:?}", user.body));
    targets.iter().find(|one| one["target"] == target).unwrap_or_else(|| panic!("no {target} in {targets:?}")).clone()
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..150 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{what}: not within 30 s");
}

async fn in_directory(tree: &TestDirectory) -> usize {
    tree.search("ou=people,dc=hosp,dc=example", "(clinGatewayId=*)", &["uid"]).await.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_down_is_named_everywhere_stops_nobody_and_heals() {
    let tree = TestDirectory::start("a target that is down").await;
    let ehr = ehr();
    let wiring = Wiring { directory: Some(tree.url()), ehr: Some(&ehr), ehr_more: SOON, ..Wiring::default() };
    let hospital = Hospital::new(&wiring);
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));
    let health = Client::new(gateway.base.trim_end_matches("/scim/v2"), "none");
    assert_eq!(health.get("/health/targets").await.status, 200);

    ehr.faults().plan("*", Fault::Down, 0);
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(hire(&client, &format!("person{number}")).await);
    }
    until("the other target's work is done", async || in_directory(&tree).await == 20).await;
    until("the breaker opens", async || gateway.target("ehr")["breaker"] != "closed").await;

    let status = gateway.target("ehr");
    assert_eq!((&status["linked"], &status["due"]), (&json!(0), &json!(20)), "{status:#}");
    assert!(status["pendingSince"].is_string(), "{status:#}");
    let told = sync(&client, &ids[0], "ehr").await;
    assert_eq!((&told["state"], &told["nativeId"]), (&json!("due"), &Value::Null), "{told:#}");
    assert!(told["pendingSince"].is_string(), "{told:#}");
    assert_eq!(sync(&client, &ids[0], "directory").await["state"], "linked");
    until("health tells it", async || health.get("/health/targets").await.status == 503).await;
    let targets = health.get("/health/targets").await;
    let state = |name: &str| {
        let all = targets.body["targets"].as_array().unwrap();
        all.iter().find(|target| target["name"] == name).unwrap()["status"].clone()
    };
    assert_eq!(
        (targets.status, state("ehr"), state("directory")),
        (503, json!("down"), json!("up")),
        "{:?}",
        targets.body
    );
    assert_eq!(health.get("/health/ready").await.status, 200, "a target's outage is not the gateway's");

    ehr.faults().clear();
    gateway.settled(Duration::from_secs(60)).await;
    assert_eq!(gateway.target("ehr")["linked"], 20);
    assert_eq!(ehr.state()["accounts"].as_array().unwrap().len(), 20);
    until("health tells it", async || health.get("/health/targets").await.status == 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_target_makes_neither_the_other_nor_the_caller_wait() {
    let tree = TestDirectory::start("a slow target").await;
    let ehr = ehr();
    // So slow that it finishes nothing before the test ends: what is done below did not wait for it.
    ehr.faults().plan("*", Fault::Slow(Duration::from_secs(300)), 0);
    let hospital = Hospital::new(&Wiring { directory: Some(tree.url()), ehr: Some(&ehr), ..Wiring::default() });
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));

    for number in 0..100 {
        hire(&client, &format!("person{number}")).await;
    }
    until("the other target's work is done", async || gateway.target("directory")["linked"] == 100).await;

    assert_eq!(in_directory(&tree).await, 100);
    let slow = gateway.target("ehr");
    assert_eq!((&slow["linked"], &slow["due"]), (&json!(0), &json!(100)), "{slow:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_on_the_link_in_status_and_in_sync_and_stops_nobody_else() {
    let tree = TestDirectory::start("a refusal").await;
    let ehr = ehr();
    let hospital = Hospital::new(&Wiring { directory: Some(tree.url()), ehr: Some(&ehr), ..Wiring::default() });
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));

    ehr.faults().plan("CreatePersonnel", Fault::Code("UNKNOWN_CODE".into()), 1);
    let refused = hire(&client, "refused").await;
    gateway.settled(Duration::from_secs(30)).await;
    let other = hire(&client, "other").await;
    gateway.settled(Duration::from_secs(30)).await;

    let links = gateway.links(&["--target", "ehr", "--state", "parked"]);
    let [link] = links.as_slice() else { panic!("one link is parked: {links:?}") };
    assert_eq!(
        (&link["key"]["resource"], &link["lastError"]["class"]),
        (&json!(refused), &json!("Invalid")),
        "{link:#}"
    );
    let status = gateway.target("ehr");
    assert_eq!((&status["parked"]["refused"], &status["linked"], &status["due"]), (&json!(1), &json!(1), &json!(0)));
    let told = sync(&client, &refused, "ehr").await;
    assert_eq!((&told["state"], &told["lastErrorClass"]), (&json!("parked"), &json!("Invalid")), "{told:#}");
    assert!(told["lastError"].as_str().is_some_and(|text| !text.is_empty()), "{told:#}");
    assert_eq!(sync(&client, &refused, "directory").await["state"], "linked");
    assert_eq!(sync(&client, &other, "ehr").await["state"], "linked");
    assert_eq!(ehr.journal().count_of("CreatePersonnel"), 2, "a refusal is not repeated");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_confirm_the_answer_is_the_targets_word() {
    let ehr = ehr();
    let wiring = Wiring { ehr: Some(&ehr), source: "delivery = \"confirm\"\nconfirm_timeout = 3", ..Wiring::default() };
    let hospital = Hospital::new(&wiring);
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));
    let refuse = |operation: &str| ehr.faults().plan(operation, Fault::Code("UNKNOWN_CODE".into()), 1);

    // Every target refuses a create: it is taken back, and the reason is the target's.
    refuse("CreatePersonnel");
    let answer = client.post("/Users", &person("unwanted")).await;
    assert_eq!((answer.status, &answer.body["scimType"]), (400, &json!("invalidValue")), "{:?}", answer.body);
    let left = client.get("/Users?filter=userName%20eq%20%22unwanted%22").await;
    assert_eq!(left.body["totalResults"], 0, "{:?}", left.body);

    // A refused change is stored and says who refused it.
    let id = hire(&client, "wanted").await;
    assert_eq!(sync(&client, &id, "ehr").await["state"], "linked", "the answer waited for the target");
    refuse("UpdatePersonnel");
    let change = json!([{ "op": "replace", "path": "name.familyName", "value": "Other" }]);
    let answer = client.patch(&format!("/Users/{id}"), change.clone()).await;
    let detail = answer.body["detail"].as_str().unwrap_or_default().to_owned();
    assert!(answer.status == 400 && detail.contains("ehr") && detail.contains("stored"), "{} {detail}", answer.status);
    assert_eq!(client.get(&format!("/Users/{id}")).await.body["name"]["familyName"], "Other");
    let again = client.patch(&format!("/Users/{id}"), change).await;
    assert_eq!(again.status, 200, "a repeat tries again: {:?}", again.body);
    assert_eq!(ehr.state()["accounts"][0]["name"]["last"], "Other");

    // An outage is nobody's error.
    ehr.faults().plan("*", Fault::Down, 0);
    let pending = hire(&client, "pending").await;
    assert_eq!(sync(&client, &pending, "ehr").await["state"], "due");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_asked_to_end_under_load_does_so_in_order_and_loses_nothing() {
    let tree = TestDirectory::start("an end under load").await;
    let ehr = ehr();
    ehr.faults().plan("CreatePersonnel", Fault::Slow(Duration::from_millis(300)), 0);
    let hospital = Hospital::new(&Wiring { directory: Some(tree.url()), ehr: Some(&ehr), ..Wiring::default() });
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));
    let (stop, made) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(BTreeSet::new())));
    let clients: Vec<_> = (0..8)
        .map(|number| {
            let (client, stop, made) = (client.clone(), Arc::clone(&stop), Arc::clone(&made));
            tokio::spawn(async move {
                for count in 0.. {
                    let name = format!("person{number}x{count}");
                    match client.send("POST", "/Users", Some(&person(&name))).await {
                        Ok(answer) if answer.status == 201 => drop(made.lock().unwrap().insert(name)),
                        Ok(answer) => assert_eq!(answer.status, 503, "{:?}", answer.body),
                        Err(_) => {}
                    }
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(2)).await;

    let (took, success) = tokio::task::spawn_blocking(move || gateway.terminate()).await.unwrap();
    stop.store(true, Ordering::SeqCst);
    futures_util::future::try_join_all(clients).await.unwrap();

    assert!(success && took < Duration::from_secs(10), "{took:?}, success: {success}");
    ehr.faults().clear();
    let gateway = Gateway::serve(&hospital.config);
    gateway.settled(Duration::from_secs(90)).await;
    let made = made.lock().unwrap().clone();
    assert!(made.len() >= 20, "there was load: {}", made.len());
    let state = ehr.state();
    let accounts: Vec<&str> =
        state["accounts"].as_array().unwrap().iter().map(|one| one["username"].as_str().unwrap()).collect();
    let distinct: BTreeSet<String> = accounts.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(distinct.len(), accounts.len(), "nobody twice");
    assert_eq!(made.difference(&distinct).count(), 0, "everybody acknowledged is there");
    assert_eq!(in_directory(&tree).await, accounts.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_is_ready_at_once_after_a_kill_however_much_is_due() {
    let tree = TestDirectory::start("a start with much to do").await;
    let ehr = ehr();
    ehr.faults().plan("*", Fault::Down, 0);
    let wiring = Wiring { directory: Some(tree.url()), ehr: Some(&ehr), ehr_more: SOON, ..Wiring::default() };
    let hospital = Hospital::new(&wiring);
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));
    for part in 0..4 {
        let operations: Vec<Value> = (0..500)
            .map(|number| {
                json!({
                    "method": "POST", "path": "/Users", "bulkId": format!("b{number}"),
                    "data": person(&format!("person{part}x{number}")),
                })
            })
            .collect();
        let schemas = ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"];
        let answer = client.post("/Bulk", &json!({ "schemas": schemas, "Operations": operations })).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let made = answer.body["Operations"].as_array().unwrap().iter().filter(|one| one["status"] == "201").count();
        assert_eq!(made, 500);
    }
    gateway.kill();

    let began = Instant::now();
    let gateway = Gateway::serve(&hospital.config);
    let ready = began.elapsed();

    assert!(ready < Duration::from_secs(5), "ready after {ready:?}");
    let due = gateway.target("ehr");
    assert_eq!((&due["due"], &due["linked"]), (&json!(2_000), &json!(0)), "{due:#}");
    ehr.faults().clear();
    gateway.settled(Duration::from_secs(120)).await;
    assert_eq!(ehr.state()["accounts"].as_array().unwrap().len(), 2_000);
    assert_eq!(in_directory(&tree).await, 2_000);
}
