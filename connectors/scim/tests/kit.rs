//! The conformance kit over the connector and the simulator in its several positions, with a proxy between that does harm.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use async_trait::async_trait;
use connector_scim::Scim;
use connector_spi::{Entitlement, Erase, Kind};
use connector_testkit::{Fixture, HttpProxy, Report, StateProbe, Subject, Verdict, assert_required, required, run};
use fixtures::ehr_scim::{self, EhrScim};
use fixtures::scim_server::{Options, Paging, ScimServer};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// The second says whether the server may be filled: not where each account costs a search of its own.
struct Look(Arc<ScimServer>, bool);

#[async_trait]
impl StateProbe for Look {
    async fn state(&self) -> String {
        let state = self.0.state();
        json!([state["users"], state["groups"]]).to_string()
    }

    async fn seed(&self, kind: &Kind, count: u32) -> bool {
        let fills = self.1 && kind.as_str() == "account";
        if fills {
            self.0.seed_users(count);
        }
        fills
    }
}

const DEPARTMENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";

fn fixture(entitlements: &[Entitlement], scoped: &[Entitlement], unknown: &Entitlement, groups: bool) -> Fixture {
    let values: Json = json!({
        "account": {
            "kind": "account", "text": "title", "absent": "no-such-{n}",
            "multi": ["phoneNumbers.value", ["1{n}", "2{n}", "3{n}"]],
            "attrs": {
                "userName": ["kit{n}"], "externalId": ["Gate-{n}"], "displayName": ["Testperson {n} Example"],
                "name.givenName": ["Testperson {n}"], "name.familyName": ["Example"], "title": ["Dr {n}"],
                "emails[type eq \"work\"].value": ["kit{n}@hosp.example"], "phoneNumbers.value": ["+1 {n}", "+2 {n}"],
                DEPARTMENT: ["MED-{n}"],
            },
        },
        "entitlements": entitlements, "scoped": scoped, "unknown_entitlement": unknown,
    });
    let mut values = values;
    if groups {
        values["other"] = json!({
            "kind": "group", "text": "displayName", "absent": "no-such-{n}",
            "attrs": {"displayName": ["Kit {n}"], "externalId": ["Group-{n}"], "members": ["usr-first"]},
        });
    }
    serde_json::from_value(values).unwrap()
}

/// The attributes of the fixture, and what else the kit needs.
fn settings(more: Json) -> Json {
    let attributes = [
        "userName",
        "externalId",
        "displayName",
        "name.givenName",
        "name.familyName",
        "title",
        "emails[type eq \"work\"].value",
        "phoneNumbers.value",
        DEPARTMENT,
    ];
    let mut all = json!({"account": {"attributes": attributes, "allow_delete": true}});
    support::laid_over(&mut all, more);
    all
}

async fn verdict(options: Options, more: Json, fixture: Fixture) -> Report {
    let fills = options.groups_on_user;
    let server = Arc::new(ScimServer::start(options).unwrap());
    let proxy = HttpProxy::before(server.addr(), |request| !request.starts_with(b"GET ")).await.unwrap();
    let more = settings(more);
    let config = support::profile(&format!("{}/scim/v2", proxy.url()), more.clone());
    let mut subject = Subject::new(Arc::new(Erase::<Scim>::new()), config, fixture);
    subject.wrong_host = Some(support::profile("http://127.0.0.1:1", more));
    subject.secrets = [("SCIM_TOKEN".to_owned(), "test-only-token".to_owned())].into();
    subject.faults = Some(proxy);
    subject.probe = Some(Arc::new(Look(server, fills)));
    let report = run(&subject).await;
    println!("{report}");
    report
}

fn groups() -> Fixture {
    let group = |value: &str| Entitlement::new("group", value);
    fixture(&[group("grp-ward"), group("grp-er")], &[], &group("grp-nowhere"), false)
}

fn roles(and_groups: bool) -> Fixture {
    let role = |value: &str, ty: &str| {
        let mut role = Entitlement::new("role", value);
        if !ty.is_empty() {
            role.scope.insert("type".to_owned(), ty.to_owned());
        }
        role
    };
    let scoped = [role("attending", "EAST"), role("attending", "WEST")];
    fixture(&[role("nurse", ""), role("resident", "")], &scoped, &role("janitor", ""), and_groups)
}

#[tokio::test]
async fn a_server_that_can_do_everything() {
    let report = verdict(Options::default(), json!({}), groups()).await;
    assert_required("scim", &report);
}

#[tokio::test]
async fn a_server_with_the_limits_of_a_large_cloud_provider() {
    let report = verdict(Options::strict(), support::strict(), groups()).await;
    assert_required("scim", &report);
}

#[tokio::test]
async fn a_server_without_patch() {
    let report = verdict(Options::put_only(), json!({}), groups()).await;
    assert_required("scim", &report);
}

#[tokio::test]
async fn a_server_without_patch_and_without_entity_tags() {
    let report = verdict(Options { etag: false, ..Options::put_only() }, json!({}), groups()).await;
    assert_required("scim", &report);
}

#[tokio::test]
async fn a_server_that_pages_by_cursor_and_says_nothing_of_itself() {
    let options = Options { paging: Paging::Cursor, discovery: false, ..Options::default() };
    let report = verdict(options, json!({"without": {"index": true}}), groups()).await;
    assert_required("scim", &report);
}

#[tokio::test]
async fn roles_as_entitlements_and_groups_as_objects() {
    let more = json!({"groups": {"manage": "objects", "allow_delete": true}});
    let report = verdict(Options { paging: Paging::Both, ..Options::default() }, more, roles(true)).await;
    assert_required("scim", &report);
}

#[tokio::test]
async fn roles_as_entitlements_without_patch() {
    let more = json!({"groups": {"manage": "nothing"}});
    let report = verdict(Options::put_only(), more, roles(false)).await;
    assert_required("scim", &report);
}

/// The tables, with a provider that accounts can point at.
struct Tables(Arc<EhrScim>);

#[async_trait]
impl StateProbe for Tables {
    async fn state(&self) -> String {
        let mut state = self.0.state();
        for counted in ["requests", "log"] {
            state.as_object_mut().unwrap().remove(counted);
        }
        state.to_string()
    }

    async fn seed(&self, kind: &Kind, count: u32) -> bool {
        if kind.as_str() != "account" {
            return false;
        }
        let people = format!(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count}) \
             INSERT INTO user_dict (user_mnemonic, last_name, first_name, begin_date, changed_by, changed_at) \
             SELECT 'SEED' || n, 'Example', 'Testperson ' || n, '2026-07-01', 'SEED', '2026-07-01 00:00:00' FROM n \
             WHERE true ON CONFLICT DO NOTHING"
        );
        self.0.run(&people).is_ok()
    }
}

#[tokio::test]
async fn a_record_system_whose_filters_know_no_key() {
    let provider = "INSERT INTO provider_dict (provider_mnemonic, last_name, first_name, provider_type) \
                    VALUES ('KITPROVIDER', 'Example', 'Testperson', 'PHYSICIAN')";
    let options = ehr_scim::Options { seed: vec![provider.to_owned()], ..ehr_scim::Options::default() };
    let ehr = Arc::new(EhrScim::start(options).unwrap());
    let reads = |request: &[u8]| request.starts_with(b"GET ") || request.starts_with(b"POST /oauth2");
    let proxy = HttpProxy::before(ehr.addr(), move |request| !reads(request)).await.unwrap();
    let mut values: toml::Table =
        toml::from_str(include_str!("../../profiles/kit/meditech-like-rest/kit.toml")).unwrap();
    values.remove("harness");
    let fixture = values.try_into().unwrap();
    let config = support::meditech(&proxy.url(), json!({}));
    let mut subject = Subject::new(Arc::new(Erase::<Scim>::new()), config, fixture);
    subject.wrong_host = Some(support::meditech("http://127.0.0.1:1", json!({})));
    subject.secrets = [("SCIM_TOKEN".to_owned(), "test-only".to_owned())].into();
    subject.faults = Some(proxy);
    subject.probe = Some(Arc::new(Tables(ehr)));

    let report = run(&subject).await;

    println!("{report}");
    // Nobody is deleted there, and no attribute has several values; all else is as with any server.
    let without = ["delete.absent_is_ok", "update.patch_add_remove_one_call"];
    assert_eq!(report.failed(), [""; 0]);
    let left: Vec<&str> =
        required("scim").into_iter().filter(|check| report.verdict(check) != Some(&Verdict::Passed)).collect();
    assert_eq!(left, without);
}
