//! What a source may ask for and what it is told of it: unknown entitlements, what is only stored, and what it takes back.

use fixtures::ehr_rest::{EhrRest, Options};
use harness::hospital::Wiring;
use harness::{Gateway, Hospital};
use serde_json::{Value, json};
use std::time::Duration;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const SYNC_USER: &str = "urn:chartgate:params:scim:schemas:extension:sync:1.0:User";
const SYNC_GROUP: &str = "urn:chartgate:params:scim:schemas:extension:sync:1.0:Group";
const CLINICAL: &str = "urn:chartgate:params:scim:schemas:extension:clinical:1.0:User";

const CATALOGUE: &str = "[[target.catalogue]]\ntype = \"position\"\nvalue = \"RN\"\n[[target.catalogue]]\ntype = \"organization\"\nvalue = \"EAST\"\n";

fn ehr() -> EhrRest {
    EhrRest::start(Options { rate_limit: None, maintenance: false, ..Options::default() }).unwrap()
}

fn person(name: &str) -> Value {
    json!({ "schemas": [USER], "userName": name, "name": { "familyName": "Example", "givenName": "Testperson 1" } })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entitlement_that_no_catalogue_knows_is_refused_or_only_recorded_as_the_source_is_set() {
    let ehr = ehr();
    let sources = "\n[[source]]\nname = \"strict\"\nunknown_entitlements = \"refuse\"\n\n[[source]]\nname = \"lenient\"\nunknown_entitlements = \"record\"\n";
    let wiring = Wiring { ehr: Some(&ehr), ehr_more: CATALOGUE, sources: Some(sources), ..Wiring::default() };
    let hospital = Hospital::new(&wiring);
    let gateway = Gateway::serve(&hospital.config);
    let strict = gateway.client(&gateway.token("strict"));
    let lenient = gateway.client(&gateway.token("lenient"));
    let asks = |name: &str, attribute: &str, value: &str| {
        let mut body = person(name);
        body[attribute] = json!([{ "value": value }]);
        body
    };

    for (attribute, value) in [("entitlements", "ehr:position:NO_SUCH"), ("roles", "no-such-role")] {
        let refused = strict.post("/Users", &asks("tp1", attribute, value)).await;
        assert_eq!((refused.status, &refused.body["scimType"]), (400, &json!("invalidValue")), "{:?}", refused.body);
        assert!(refused.body["detail"].as_str().unwrap().contains(value), "{:?}", refused.body);
    }
    let made = strict.post("/Users", &person("tp1")).await.id();
    let add = json!([{ "op": "add", "path": "entitlements", "value": [{ "value": "ehr:position:NO_SUCH" }] }]);
    let refused = strict.patch(&format!("/Users/{made}"), add).await;
    assert_eq!((refused.status, &refused.body["scimType"]), (400, &json!("invalidValue")), "{:?}", refused.body);
    assert!(strict.get(&format!("/Users/{made}")).await.body.get("entitlements").is_none(), "nothing was stored");

    let kept = lenient.post("/Users", &asks("tp2", "entitlements", "ehr:position:NO_SUCH")).await;
    assert_eq!((kept.status, &kept.body["entitlements"][0]["value"]), (201, &json!("ehr:position:NO_SUCH")));
    gateway.settled(Duration::from_secs(60)).await;
    let id = kept.id();
    let links = gateway.links(&["--resource", &id]);
    assert_eq!(links[0]["entitlements"]["owned"], json!([]), "it grants nothing: {links:#?}");
    let sync = lenient.get(&format!("/Users/{id}?attributes={SYNC_USER}:storedOnly")).await.body;
    let only = sync[SYNC_USER]["storedOnly"].as_array().unwrap();
    assert!(only.contains(&json!("entitlements[value eq \"ehr:position:NO_SUCH\"]")), "{sync:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_does_not_own_active_takes_back_what_it_said_and_ends_nobody() {
    let ehr = ehr();
    let sources = "\n[[source]]\nname = \"badge\"\nowns = [\"title\"]\n\n[[source]]\nname = \"hr\"\n";
    let hospital = Hospital::new(&Wiring { ehr: Some(&ehr), sources: Some(sources), ..Wiring::default() });
    let gateway = Gateway::serve(&hospital.config);
    let hr = gateway.client(&gateway.token("hr"));
    let badge = gateway.client(&gateway.token("badge"));
    let mut body = person("tp1");
    body["title"] = json!("Clerk");
    let id = hr.post("/Users", &body).await.id();
    let title = json!([{ "op": "replace", "path": "title", "value": "Registered Nurse" }]);
    assert_eq!(badge.patch(&format!("/Users/{id}"), title).await.status, 200);
    gateway.settled(Duration::from_secs(60)).await;
    let account = || ehr.state()["accounts"][0].clone();
    assert_eq!((&account()["active"], &account()["position"]["code"]), (&json!(true), &json!("RN")));

    assert_eq!(badge.delete(&format!("/Users/{id}")).await.status, 204);

    gateway.settled(Duration::from_secs(60)).await;
    let left = hr.get(&format!("/Users/{id}")).await;
    assert_eq!((left.status, &left.body["title"]), (200, &json!("Clerk")), "its own word is gone, the other stands");
    assert_eq!(account()["active"], true, "nobody's access ended");
    assert!(account()["position"].is_null(), "what hung on its word is gone: {}", account());

    assert_eq!(hr.delete(&format!("/Users/{id}")).await.status, 204);
    gateway.settled(Duration::from_secs(60)).await;
    assert_eq!(hr.get(&format!("/Users/{id}")).await.status, 404);
    assert_eq!(account()["active"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_target_takes_is_told_as_stored_only() {
    let ehr = ehr();
    let hospital = Hospital::new(&Wiring { ehr: Some(&ehr), ..Wiring::default() });
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));
    let mut body = person("tp1");
    body["schemas"] = json!([USER, CLINICAL]);
    body["title"] = json!("Clerk");
    body["nickName"] = json!("T");
    body[CLINICAL] = json!({ "npi": "1900000013", "endDate": "2099-06-30" });
    let id = client.post("/Users", &body).await.id();

    let sync = client.get(&format!("/Users/{id}?attributes={SYNC_USER}")).await.body;
    assert_eq!(
        sync[SYNC_USER]["storedOnly"],
        json!(["nickName", format!("{CLINICAL}:npi")]),
        "a role reads the title and the gates read the end date: {sync:#}"
    );
    assert!(client.get(&format!("/Users/{id}")).await.body.get(SYNC_USER).is_none(), "told when asked for");

    let group = json!({ "schemas": [GROUP], "displayName": "Ward", "members": [{ "value": id }] });
    let group = client.post("/Groups", &group).await.id();
    let sync = client.get(&format!("/Groups/{group}?attributes={SYNC_GROUP}")).await.body;
    assert_eq!(sync[SYNC_GROUP]["storedOnly"], json!(["displayName", "members"]), "no rule looks at groups: {sync:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_a_rule_looks_at_is_not_stored_only() {
    let ehr = ehr();
    let rule = "\n[[role]]\nname = \"ward\"\nwhen = \"user.groups.exists(g, g.display == 'Ward')\"\nentitlements = [\"ehr:organization:WEST\"]\n";
    let hospital = Hospital::new(&Wiring { ehr: Some(&ehr), more: rule, ..Wiring::default() });
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));

    let group = client.post("/Groups", &json!({ "schemas": [GROUP], "displayName": "Ward" })).await.id();

    let sync = client.get(&format!("/Groups/{group}?attributes={SYNC_GROUP}")).await.body;
    assert!(sync[SYNC_GROUP].get("storedOnly").is_none_or(|only| *only == json!([])), "{sync:#}");
}
