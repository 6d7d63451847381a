//! What others gave stays, through a thousand changes of ours.

use crate::Stage;
use crate::support::{account, grant, person};
use async_trait::async_trait;
use connector_spi::{Entitlement, NativeId};
use connector_testkit::foreign::{Foreign, OtherHand};
use fixtures::ehr_rest::Options;
use serde_json::json;

/// Somebody in the hospital.
#[async_trait]
impl OtherHand for Stage {
    async fn give(&self, id: &NativeId, one: &Entitlement) {
        let segment = match one.kind.as_str() {
            "prescribing" => "prescribing".to_owned(),
            kind => format!("{kind}s"),
        };
        self.ehr.give(id.as_str(), &segment, one.value.as_str(), Some("2099-06-30T23:59:59-04:00")).unwrap();
    }

    async fn held(&self, id: &NativeId) -> Vec<(String, String)> {
        self.ehr.held(id.as_str())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_foreign_entitlements_survive_a_thousand_changes() {
    let options = Options { rate_limit: None, groups: vec![("WEST_ALL", &["WEST"])], ..Options::default() };
    let stage = Stage::with(options, json!({"http": {"timeout": 60, "requests_per_second": 10_000}})).await;
    let catalogue = [
        ("position", &["RN", "RESIDENT_IM", "RESIDENT_ED", "HOSPITALIST", "ATTENDING_IM"][..]),
        ("organization", &["EAST", "WEST"]),
        ("organization-group", &["EAST_ALL", "WEST_ALL"]),
        ("personnel-group", &["CS_RX", "CS_APPR", "BG_ED"]),
        ("role-profile", &["CLINICIAN", "REGISTRAR"]),
        ("relationship", &["ATTENDING", "CONSULTING", "NURSE"]),
        ("credential", &["BOARD-1", "BOARD-2", "BOARD-3", "BOARD-4"]),
        ("prescribing", &["GRANTED"]),
    ];
    let catalogue = catalogue.iter().flat_map(|(kind, values)| values.iter().map(|value| grant(kind, value)));
    let suite = Foreign {
        connector: stage.target.clone(),
        host: stage.host.clone(),
        kind: account(),
        person: &person,
        key: "employeeNumber",
        text: "logicalDomain",
        catalogue: catalogue.collect(),
        single: &["position", "prescribing"],
        each: 8,
        at_once: 8,
        hand: &stage,
    };
    suite.survive().await.unwrap();
}
