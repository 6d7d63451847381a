//! What others gave stays, through a thousand changes of ours.

use super::*;
use async_trait::async_trait;
use connector_testkit::foreign::{Foreign, OtherHand};

/// Somebody in the hospital.
#[async_trait]
impl OtherHand for Stage {
    async fn give(&self, id: &NativeId, one: &Entitlement) {
        let until = Some("2099-06-30T23:59:59-04:00");
        self.ehr.give(id.as_str(), &format!("{}s", one.kind), one.value.as_str(), until).unwrap();
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
        single: &["position"],
        each: 4,
        at_once: 8,
        hand: &stage,
    };
    suite.survive().await.unwrap();
}
