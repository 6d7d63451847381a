//! The conformance kit over the SOAP connector, the shipped profile and the simulator, with a proxy between that does harm.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use async_trait::async_trait;
use connector_soap::Soap;
use connector_spi::{Entitlement, Erase};
use connector_testkit::{Fixture, HttpProxy, StateProbe, Subject, assert_required, run};
use fixtures::ehr_soap::{EhrSoap, Options};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use support::{grant, placed};

struct Look(Arc<EhrSoap>);

#[async_trait]
impl StateProbe for Look {
    async fn state(&self) -> String {
        let state = self.0.state();
        json!([state["accounts"], state["providers"], state["sessions"]]).to_string()
    }
}

fn fixture() -> Fixture {
    let department = |order| Entitlement { order: Some(order), ..grant("department", "10410") };
    let values: Json = json!({
        "account": {
            "kind": "account", "text": "comment", "absent": "E9{n}",
            "multi": ["userGroups", ["A", "B", "C"]],
            "attrs": {
                "employeeNumber": ["{n}"], "externalId": ["x{n}"], "login": ["kit{n}"], "givenName": ["Testperson {n}"],
                "familyName": ["Example"], "middleName": ["Q"], "suffix": ["Jr"], "degree": ["RN"], "comment": ["made by the kit"],
                "startDate": ["2026-07-01"], "endDate": ["2029-06-30"],
                "userGroups": ["D", "E"], "reportGroupers": ["F"],
            },
        },
        "other": {
            "kind": "provider", "text": "specialty", "absent": "P9{n}",
            "attrs": {
                "npi": ["19{n}"], "givenName": ["Testperson {n}"], "familyName": ["Example"], "middleName": ["Q"],
                "suffix": ["Jr"], "degree": ["MD"], "providerType": ["PHYSICIAN"], "specialty": ["EM"],
                "startDate": ["2026-07-01"], "endDate": ["2029-06-30"],
            },
        },
        "entitlements": [
            grant("in-basket-class", "RESULTS"), grant("in-basket-class", "RXREFILL"), placed("template", "T9100", 1),
            department(1), grant("department", "20120"),
        ],
        "ordered": [placed("sub-template", "ST310", 1), placed("sub-template", "ST311", 2)],
        "unknown_entitlement": grant("in-basket-class", "NO_SUCH"),
    });
    serde_json::from_value(values).unwrap()
}

#[tokio::test]
async fn the_connector_keeps_the_contract() {
    // given the simulator behind a proxy
    let ehr = Arc::new(EhrSoap::start(Options { rate_limit: None, ..Options::default() }).unwrap());
    let writes = |request: &[u8]| {
        let body = String::from_utf8_lossy(request);
        !(request.starts_with(b"GET ") || ["ViewUser", "ViewProvider", "GetRecords"].iter().any(|op| body.contains(op)))
    };
    let proxy = HttpProxy::before(ehr.addr(), writes).await.unwrap();
    let secret = json!({"env": "EHR_SECRET"});
    // A provider belongs to one account, so the kit cannot give every account the same one: linking is tested in tests/ehr.
    let secrets = json!({
        "services": {"personnel": {"username_token": {"password": secret}}, "core": {"auth": {"password": secret}}},
        "kinds": {"account": {"attributes": {"provider": {"creatable": false}}}},
    });
    let config = support::profile(&proxy.url(), secrets.clone());
    let mut subject = Subject::new(Arc::new(Erase::<Soap>::new()), config, fixture());
    subject.wrong_host = Some(support::profile("http://127.0.0.1:1", secrets));
    subject.secrets = [("EHR_SECRET".to_owned(), "test-only".to_owned())].into();
    subject.faults = Some(proxy);
    subject.probe = Some(Arc::new(Look(ehr)));

    // when the kit runs
    let report = run(&subject).await;

    // then everything that a SOAP connector must do is done
    println!("{report}");
    assert_required("soap", &report);
}
