//! The end of access in a target's own hands: it gets there as the target understands it, once, and moves with its reason.

use crate::holdings::{resident, with_epic};
use fixtures::ehr_rest::{EhrRest, Options};
use fixtures::ehr_soap::{self, EhrSoap};
use fixtures::ehr_sql::EhrSql;
use fixtures::faults::Fault;
use harness::hospital::Wiring;
use harness::{Client, Gateway, Hospital, TestDirectory};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const CLINICAL: &str = "urn:chartgate:params:scim:schemas:extension:clinical:1.0:User";
/// Calls are given up soon.
const IMPATIENT: &str = "[target.layers.timeout]\nread = 2\nwrite = 2\n";
const ZONE: &str = "\n[facility.EAST]\nzone = \"America/New_York\"\n";

async fn hired(client: &Client, dates: Value) -> String {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", CLINICAL],
        "userName": "tp1", "active": true, "name": { "familyName": "Example", "givenName": "Testperson 1" }, CLINICAL: dates,
    });
    let answer = client.post("/Users", &body).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    answer.id()
}

async fn patched(client: &Client, id: &str, op: Value) {
    let answer = client.patch(&format!("/Users/{id}"), json!([op])).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_date_reaches_the_ehr_as_its_own_instant_and_is_not_written_twice() {
    let ehr = EhrRest::start(Options { rate_limit: None, maintenance: false, ..Options::default() }).unwrap();
    let wiring = Wiring { ehr: Some(&ehr), ehr_more: IMPATIENT, more: ZONE, ..Wiring::default() };
    let hospital = Hospital::new(&wiring);
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));
    let until =
        || -> Option<Timestamp> { ehr.state()["accounts"][0]["endEffective"].as_str().map(|at| at.parse().unwrap()) };
    let settled = || gateway.settled(Duration::from_secs(60));

    // The answer is lost, so the account is read back: what was read must be what was wanted.
    ehr.faults().plan("CreatePersonnel", Fault::TimeoutAfterCommit, 1);
    let id = hired(&client, json!({ "startDate": "2020-01-01", "endDate": "2099-06-30" })).await;
    settled().await;
    assert_eq!(until(), Some("2099-07-01T04:00:00Z".parse().unwrap()));
    assert_eq!(ehr.journal().count_of("UpdatePersonnel"), 0, "{:?}", ehr.journal().entries());

    ehr.faults().plan("UpdatePersonnel", Fault::TimeoutAfterCommit, 1);
    patched(&client, &id, json!({ "op": "replace", "path": format!("{CLINICAL}:endDate"), "value": "2099-09-30" }))
        .await;
    settled().await;
    assert_eq!(until(), Some("2099-10-01T04:00:00Z".parse().unwrap()));
    assert_eq!(ehr.journal().count_of("UpdatePersonnel"), 1, "{:?}", ehr.journal().entries());

    patched(&client, &id, json!({ "op": "remove", "path": format!("{CLINICAL}:endDate") })).await;
    settled().await;
    assert_eq!(until(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_date_reaches_the_directory_as_its_own_time_and_is_not_written_twice() {
    let tree = TestDirectory::small().await;
    let TestDirectory::Small(small) = &tree else { unreachable!("the small one was asked for") };
    let wiring = Wiring {
        directory: Some(tree.url()),
        directory_more: IMPATIENT,
        directory_settings: "message_timeout_ms = 500\noperation_timeout_ms = 1500\n",
        more: ZONE,
        ..Wiring::default()
    };
    let hospital = Hospital::new(&wiring);
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));

    let written = || {
        let journal = small.journal().entries();
        journal.iter().filter(|entry| entry.op == "modify" && entry.key.contains("uid=tp1")).count()
    };

    let id = hired(&client, json!({ "endDate": "2099-06-30" })).await;
    gateway.settled(Duration::from_secs(60)).await;
    let found = tree.search("ou=people,dc=hosp,dc=example", "(uid=tp1)", &["clinAccessEnd"]).await;
    assert_eq!(found[0].attrs["clinAccessEnd"], ["20990701040000Z"]);

    // The answer to another change is lost, so the account is read back: what was read must be what was wanted.
    let before = written();
    small.faults().plan("modify", Fault::TimeoutAfterCommit, 1);
    patched(&client, &id, json!({ "op": "replace", "path": "name.familyName", "value": "Changed" })).await;
    gateway.settled(Duration::from_secs(60)).await;
    assert_eq!(written() - before, 1, "{:?}", small.journal().entries());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_date_reaches_an_ehr_that_keeps_days_as_the_last_day_and_is_not_written_twice() {
    let ehr = EhrSoap::start(ehr_soap::Options { rate_limit: None, ..ehr_soap::Options::default() }).unwrap();
    let hospital = with_epic(&ehr);
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));

    ehr.faults().plan("CreateUser", Fault::TimeoutAfterCommit, 1);
    let body = resident(json!({ "npi": "1900000013", "endDate": "2099-07-01T00:00:00Z" }));
    assert_eq!(client.post("/Users", &body).await.status, 201);
    gateway.settled(Duration::from_secs(60)).await;

    assert_eq!(ehr.state()["accounts"][0]["end"], "2099-06-30", "{:#}", ehr.state());
    assert_eq!(ehr.journal().count_of("UpdateUser"), 0, "{:?}", ehr.journal().entries());
}

/// A departmental database whose accounts end by their date.
fn ward(folder: &Path) -> String {
    format!(
        r#"
[[target]]
name = "ward"
kind = "sql"
profile = "meditech-like"

[target.settings]
zone = "America/New_York"
database = {{ engine = "sqlite", path = "{}" }}

[target.account]
when = "true"
key = ["employeeNumber"]
strong = ["employeeNumber"]
on_leave = {{ end = "expire" }}

[target.account.attributes]
givenName = "user.name.givenName"
familyName = "user.name.familyName"
employeeNumber = "user.userName"
endDate = "access.ends"

[facility.EAST]
zone = "America/New_York"
"#,
        folder.join("ward.db").display()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_a_departmental_database_ends_by_its_date_alone() {
    let folder = tempfile::tempdir().unwrap();
    let ehr = EhrSql::load(&format!("sqlite://{}?mode=rwc", folder.path().join("ward.db").display())).await.unwrap();
    let more = ward(folder.path());
    let hospital = Hospital::new(&Wiring { more: &more, ..Wiring::default() });
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));
    let row = || async { ehr.state().await.unwrap()["user_dict"][0].clone() };

    let id = hired(&client, json!({ "endDate": "2099-06-30" })).await;
    gateway.settled(Duration::from_secs(60)).await;
    let begun = row().await;
    let link = &gateway.links(&[])[0];
    assert_eq!((&begun["status"], &begun["end_date"]), (&json!("A"), &json!("2099-07-01")), "{link:#}");

    patched(&client, &id, json!({ "op": "replace", "path": "active", "value": false })).await;
    gateway.settled(Duration::from_secs(60)).await;
    let ended = row().await;
    assert_eq!(ended["status"], "A", "it is not switched off");
    assert!(ended["end_date"].as_str().unwrap() < "2099", "{ended}");
    let link = &gateway.links(&[])[0];
    assert_eq!((&link["verified"], &link["state"]), (&json!(true), &json!("linked")), "{link:#}");
}

#[test]
fn an_end_that_the_target_has_no_state_for_is_refused_by_check() {
    let ehr = EhrRest::start(Options::default()).unwrap();
    let hospital = Hospital::new(&Wiring { ehr: Some(&ehr), ..Wiring::default() });
    let text = std::fs::read_to_string(&hospital.config).unwrap();
    let text = text.replace("[target.account]\n", "[target.account]\non_leave = { end = \"expire\" }\n");
    std::fs::write(&hospital.config, text).unwrap();

    let out = harness::gateway::command(&["check", "--config", hospital.config.to_str().unwrap()]);

    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(!out.status.success(), "{said}");
    assert!(
        said.contains("the target has no way to bring an account to expired") && said.contains("disable"),
        "{said}"
    );
}
