//! The conformance kit over the REST connector, the shipped profile and the simulator, with a proxy between that does harm.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use async_trait::async_trait;
use connector_rest::Rest;
use connector_spi::{Entitlement, Erase};
use connector_testkit::{Fixture, HttpProxy, StateProbe, Subject, assert_required, run};
use fixtures::ehr_rest::{EhrRest, Options};
use serde_json::{Value as Json, json};
use std::sync::Arc;

struct Look(Arc<EhrRest>);

#[async_trait]
impl StateProbe for Look {
    async fn state(&self) -> String {
        let state = self.0.state();
        json!([state["accounts"], state["sessions"]]).to_string()
    }
}

fn fixture() -> Fixture {
    let at = |text: &str| json!({ "at": text });
    let group = |value: &str| Entitlement::new("personnel-group", value);
    let values: Json = json!({
        "account": {
            "kind": "account", "text": "logicalDomain", "absent": "9{n}",
            "attrs": {
                "username": ["kit{n}"], "givenName": ["Testperson {n}"], "familyName": ["Example"],
                "employeeNumber": ["{n}"], "npi": ["19{n}"], "logicalDomain": ["EAST"], "physician": [true],
                "confidentialityLevel": ["ROUTINE"],
                "beginEffective": [at("2026-07-01T04:00:00Z")], "endEffective": [at("2029-07-01T03:59:59Z")],
            },
        },
        "entitlements": [group("CS_RX"), group("CS_APPR"), Entitlement::new("organization", "EAST"), Entitlement::new("position", "RN")],
        "unknown_entitlement": group("NO_SUCH"),
    });
    serde_json::from_value(values).unwrap()
}

#[tokio::test]
async fn the_connector_keeps_the_contract() {
    // given the simulator behind a proxy
    let ehr = Arc::new(EhrRest::start(Options { rate_limit: None, ..Options::default() }).unwrap());
    let writes = |request: &[u8]| !request.starts_with(b"GET ") && !request.starts_with(b"POST /oauth2/");
    let proxy = HttpProxy::before(ehr.addr(), writes).await.unwrap();
    let secret = json!({"http": {"auth": {"client_secret": {"env": "EHR_SECRET"}}}});
    let config = support::profile(&proxy.url(), secret.clone());
    let mut subject = Subject::new(Arc::new(Erase::<Rest>::new()), config, fixture());
    subject.wrong_host = Some(support::profile("http://127.0.0.1:1", secret));
    subject.secrets = [("EHR_SECRET".to_owned(), "test-only".to_owned())].into();
    subject.faults = Some(proxy);
    subject.probe = Some(Arc::new(Look(ehr)));

    // when the kit runs
    let report = run(&subject).await;

    // then everything that a REST connector must do is done
    println!("{report}");
    assert_required("rest", &report);
}
