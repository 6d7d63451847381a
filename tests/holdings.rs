//! What an operator and a source are told of a target's state: whose doing each entitlement is, and what a target remarked.

use fixtures::ehr_rest::{EhrRest, Options};
use fixtures::ehr_soap::{self, EhrSoap};
use fixtures::faults::Fault;
use harness::hospital::Wiring;
use harness::{Client, Gateway, Hospital};
use serde_json::{Value, json};
use std::time::Duration;

const CLINICAL: &str = "urn:chartgate:params:scim:schemas:extension:clinical:1.0:User";
const SYNC: &str = "urn:chartgate:params:scim:schemas:extension:sync:1.0:User";
/// Calls are given up soon.
const IMPATIENT: &str = "[target.layers.timeout]\nread = 2\nwrite = 2\n";

async fn patched(client: &Client, id: &str, path: &str, value: &str) {
    let answer =
        client.patch(&format!("/Users/{id}"), json!([{ "op": "replace", "path": path, "value": value }])).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
}

fn shown(gateway: &Gateway, user: &str) -> String {
    let out = gateway.cli(&["links", "--resource", user]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn owned_shared_and_foreign_entitlements_of_a_person_are_told_apart_with_their_reasons() {
    let ehr = EhrRest::start(Options { rate_limit: None, maintenance: false, ..Options::default() }).unwrap();
    let hospital = Hospital::new(&Wiring { ehr: Some(&ehr), ehr_more: IMPATIENT, ..Wiring::default() });
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));
    let settled = || gateway.settled(Duration::from_secs(60));
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "tp1", "title": "Clerk",
        "name": { "familyName": "Example", "givenName": "Testperson 1" },
    });
    let user = client.post("/Users", &body).await.id();
    settled().await;
    let native = gateway.links(&[])[0]["nativeId"].as_str().unwrap().to_owned();
    // Somebody in the hospital gives two by hand, and the account is read after an answer that was lost.
    ehr.give(&native, "organizations", "EAST", None).unwrap();
    ehr.give(&native, "personnel-groups", "CS_RX", None).unwrap();
    ehr.faults().plan("UpdatePersonnel", Fault::TimeoutAfterCommit, 1);
    patched(&client, &user, "name.familyName", "Changed").await;
    settled().await;

    patched(&client, &user, "title", "Registered Nurse").await;
    settled().await;

    let links = gateway.links(&["--resource", &user]);
    let reason = json!(["role nurse-ehr"]);
    assert_eq!(
        links[0]["entitlements"],
        json!({
            "owned": [{ "id": "ehr:position:RN", "because": reason }],
            "shared": [{ "id": "ehr:organization:EAST", "because": reason }],
            "foreign": [{ "id": "ehr:personnel-group:CS_RX", "because": [] }],
        }),
        "{links:#?}"
    );
    let text = shown(&gateway, &user);
    for line in [
        "owned    ehr:position:RN, because of role nurse-ehr",
        "shared   ehr:organization:EAST, because of role nurse-ehr",
        "foreign  ehr:personnel-group:CS_RX\n",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    assert!(gateway.links(&[])[0].get("entitlements").is_none(), "told of one person only");
    let planned = gateway.cli(&["plan", &user, "--json"]);
    let planned: Value = serde_json::from_slice(&planned.stdout).unwrap();
    let target = &planned["targets"][0];
    assert_eq!(
        (&target["shared"], &target["foreign"]),
        (&json!(["organization:EAST"]), &json!(["personnel-group:CS_RX"]))
    );
}

const EPIC: &str = r#"
[[target]]
name = "epic"
kind = "soap"
profile = "epic-like"

[target.layers.timeout]
read = 2
write = 2

[target.settings.http]
url = "@URL@"
allow_networks = ["127.0.0.0/8"]
allow_plaintext = true
requests_per_second = 2000

[target.settings.services.personnel.username_token]
user = "local:gateway"
password = { file = "@DIR@/ehr.secret" }

[target.settings.services.core]
requests_per_second = 2000
auth = { type = "basic", user = "gateway", password = { file = "@DIR@/ehr.secret" } }

[target.account]
when = "true"
key = ["employeeNumber"]
strong = ["employeeNumber"]

[target.account.attributes]
login = "user.userName"
givenName = "user.name.givenName"
familyName = "user.name.familyName"
employeeNumber = "user.enterprise.employeeNumber"
endDate = "access.lastDay"
provider = { link = "provider" }

[target.object.provider]
key = ["npi"]
strong = ["npi"]
attributes = { npi = "user.clinician.npi", givenName = "user.name.givenName", familyName = "user.name.familyName", providerType = "'PHYSICIAN'" }

[[role]]
name = "resident"
when = "user.title == 'Resident'"
entitlements = ["epic:template:T9200"]
"#;

/// A hospital whose EHR is the epic-like one.
pub fn with_epic(ehr: &EhrSoap) -> Hospital {
    let hospital = Hospital::new(&Wiring::default());
    let text = std::fs::read_to_string(&hospital.config).unwrap();
    let epic = EPIC.replace("@URL@", &ehr.base_url()).replace("@DIR@", &hospital.folder.path().display().to_string());
    std::fs::write(&hospital.config, text + &epic).unwrap();
    hospital
}

/// Somebody who has a provider record and an account there.
pub fn resident(clinical: Value) -> Value {
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", enterprise, CLINICAL], "userName": "tp1",
        "title": "Resident", "name": { "familyName": "Example", "givenName": "Testperson 1" },
        enterprise: { "employeeNumber": "100001" }, CLINICAL: clinical,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_target_remarked_on_a_write_that_it_took_is_shown_until_the_next_write() {
    let ehr = EhrSoap::start(ehr_soap::Options { rate_limit: None, ..ehr_soap::Options::default() }).unwrap();
    let hospital = with_epic(&ehr);
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));
    let user = client.post("/Users", &resident(json!({ "npi": "1900000013" }))).await.id();
    gateway.settled(Duration::from_secs(60)).await;

    let warnings = || {
        let links = gateway.links(&["--target", "epic"]);
        links.iter().find(|link| link["key"]["kind"] == "account").unwrap()["warnings"].clone()
    };
    let warning = json!(["Template T9200 will be retired on 2027-01-31"]);
    assert_eq!(warnings(), warning, "{:#?}", gateway.links(&[]));
    assert!(shown(&gateway, &user).contains("warning  Template T9200 will be retired on 2027-01-31"));
    let sync = client.get(&format!("/Users/{user}?attributes={SYNC}:targets")).await.body;
    let account = |sync: &Value| -> Value {
        let targets = sync[SYNC]["targets"].as_array().unwrap();
        targets.iter().find(|target| target["kind"] == "account").unwrap().clone()
    };
    assert_eq!(account(&sync)["warnings"], warning, "{sync:#}");

    patched(&client, &user, "title", "Fellow").await;
    gateway.settled(Duration::from_secs(60)).await;
    assert_eq!(warnings(), json!([]));
    let sync = client.get(&format!("/Users/{user}?attributes={SYNC}:targets")).await.body;
    assert!(account(&sync).get("warnings").is_none(), "{sync:#}");
}
