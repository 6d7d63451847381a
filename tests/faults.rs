//! A target does what it was asked and its answer is lost: nothing is done twice, and nothing is reported as failed.

use fixtures::ehr_rest::{EhrRest, Options};
use fixtures::faults::Fault;
use fixtures::journal::Journal;
use harness::hospital::Wiring;
use harness::{Client, Gateway, Hospital, TestDirectory};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often each operation's answer is lost: once for each of so many people.
const LOST: u32 = 20;

/// Calls are given up soon, and lost answers never close the way to the target.
const IMPATIENT: &str =
    "[target.layers.timeout]\nread = 2\nwrite = 2\n[target.layers.breaker]\nin_a_row = 1000\nleast_calls = 100000\n";

/// A change of each person, and the target's operation whose answers are lost meanwhile.
type Step = (&'static str, &'static str, fn(u32) -> Value);

fn title(title: &str) -> Value {
    json!([{ "op": "replace", "path": "title", "value": title }])
}

fn active(active: bool) -> Value {
    json!([{ "op": "replace", "path": "active", "value": active }])
}

fn family_name(_person: u32) -> Value {
    json!([{ "op": "replace", "path": "name.familyName", "value": "Changed" }])
}

fn user_name(person: u32) -> Value {
    json!([{ "op": "replace", "path": "userName", "value": format!("renamed{person}") }])
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_the_ehr_never_sent_double_nothing_and_fail_nothing() {
    let ehr = ehr();
    let hospital = Hospital::new(&Wiring { ehr: Some(&ehr), ehr_more: IMPATIENT, ..Wiring::default() });
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));

    ehr.faults().plan("CreatePersonnel", Fault::TimeoutAfterCommit, LOST);
    let people = hire(&client).await;
    settled_without_failure(&gateway).await;
    assert_eq!(lost(ehr.journal(), "CreatePersonnel"), LOST as usize);
    each_once(&ehr.state(), true);

    let steps: [Step; 6] = [
        ("change", "UpdatePersonnel", family_name),
        ("give", "PutOrganization", |_| title("Registered Nurse")),
        ("take", "DeleteOrganization", |_| title("Clerk")),
        ("end sessions", "EndSessions", |_| active(false)),
        ("enable", "EnablePersonnel", |_| active(true)),
        ("disable", "DisablePersonnel", |_| active(false)),
    ];
    for (name, operation, change) in steps {
        ehr.faults().plan(operation, Fault::TimeoutAfterCommit, LOST);
        change_all(&client, &people, change).await;
        settled_without_failure(&gateway).await;
        assert_eq!(lost(ehr.journal(), operation), LOST as usize, "{name}: {operation}");
        each_once(&ehr.state(), !name.starts_with("end") && !name.starts_with("disable"));
    }
    for account in ehr.state()["accounts"].as_array().unwrap() {
        assert_eq!(account["name"]["last"], "Changed");
        assert_eq!(account["links"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_the_directory_never_sent_double_nothing_and_fail_nothing() {
    let tree = TestDirectory::small().await;
    let TestDirectory::Small(small) = &tree else { unreachable!("the small one was asked for") };
    let wiring = Wiring {
        directory: Some(tree.url()),
        directory_more: IMPATIENT,
        directory_settings: "message_timeout_ms = 500\noperation_timeout_ms = 1500\n",
        ..Wiring::default()
    };
    let hospital = Hospital::new(&wiring);
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));

    small.faults().plan("add", Fault::TimeoutAfterCommit, LOST);
    let people = hire(&client).await;
    settled_without_failure(&gateway).await;
    assert_eq!(lost(small.journal(), "add"), LOST as usize);
    entries_each_once(&tree, "person", true).await;

    let steps: [Step; 6] = [
        ("change", "modify", family_name),
        ("give", "modify", |_| title("Registered Nurse")),
        ("rename", "modifydn", user_name),
        ("take", "modify", |_| title("Clerk")),
        ("disable", "modify", |_| active(false)),
        ("enable", "modify", |_| active(true)),
    ];
    let mut modified = 0;
    let mut user = "person";
    for (name, operation, change) in steps {
        small.faults().plan(operation, Fault::TimeoutAfterCommit, LOST);
        change_all(&client, &people, change).await;
        settled_without_failure(&gateway).await;
        if operation == "modify" {
            modified += LOST as usize;
            assert_eq!(lost(small.journal(), operation), modified, "{name}");
        } else {
            user = "renamed";
            assert_eq!(lost(small.journal(), operation), LOST as usize, "{name}");
        }
        entries_each_once(&tree, user, name != "disable").await;
    }
}

fn ehr() -> EhrRest {
    EhrRest::start(Options { rate_limit: None, maintenance: false, ..Options::default() }).unwrap()
}

/// Creates the people, all at once; their ids.
async fn hire(client: &Client) -> Vec<String> {
    let all = (0..LOST).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            let body = json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                "userName": format!("person{number}"), "title": "Clerk", "active": true,
                "name": { "familyName": "Example", "givenName": "Test" },
            });
            let answer = client.post("/Users", &body).await;
            assert_eq!(answer.status, 201, "{:?}", answer.body);
            answer.id()
        })
    });
    futures_util::future::try_join_all(all).await.unwrap()
}

async fn change_all(client: &Client, people: &[String], change: fn(u32) -> Value) {
    for (number, id) in people.iter().enumerate() {
        let answer = client.patch(&format!("/Users/{id}"), change(number as u32)).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
    }
}

/// Waits until nothing is due; then no link tells of a failure, and none waits for somebody.
async fn settled_without_failure(gateway: &Gateway) {
    gateway.settled(Duration::from_secs(90)).await;
    for link in gateway.links(&[]) {
        assert_eq!((&link["state"], &link["lastError"]), (&json!("linked"), &Value::Null), "{link:#}");
    }
}

/// How many answers of an operation were lost after it was done.
fn lost(journal: &Journal, operation: &str) -> usize {
    let entries = journal.entries();
    entries.iter().filter(|entry| entry.op == operation && entry.outcome.contains("timeout-after-commit")).count()
}

/// Everybody has one account in the EHR.
fn each_once(state: &Value, enabled: bool) {
    let accounts = state["accounts"].as_array().unwrap();
    assert_eq!(accounts.len(), LOST as usize);
    let wrong = accounts.iter().filter(|account| account["active"] != enabled).count();
    assert_eq!(wrong, 0, "{accounts:#?}");
}

/// Everybody has one entry in the directory, and is a member of the staff group as long as they are here.
async fn entries_each_once(tree: &TestDirectory, user: &str, enabled: bool) {
    let attributes = ["uid", "clinGatewayId", "clinAccountStatus", "memberOf"];
    let entries = tree.search("ou=people,dc=hosp,dc=example", "(clinGatewayId=*)", &attributes).await;
    let mut by_person: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in &entries {
        *by_person.entry(&entry.attrs["clinGatewayId"][0]).or_default() += 1;
        let status = if enabled { "active" } else { "ended" };
        assert_eq!(entry.attrs["clinAccountStatus"], [status], "{entry:?}");
        assert!(entry.attrs["uid"][0].starts_with(user), "{entry:?}");
        let staff = entry.attrs.get("memberOf").is_some_and(|of| of.iter().any(|dn| dn.starts_with("cn=ehr-login,")));
        assert_eq!(staff, enabled, "{entry:?}");
    }
    assert_eq!((by_person.len(), entries.len()), (LOST as usize, LOST as usize));
}
