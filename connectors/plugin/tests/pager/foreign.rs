//! What others gave stays, through a thousand changes of ours.

use super::*;
use crate::lost::person;
use connector_spi::NativeId;
use connector_testkit::foreign::{Foreign, OtherHand};

/// Somebody at the switchboard.
#[async_trait]
impl OtherHand for Desk {
    async fn give(&self, id: &NativeId, one: &Entitlement) {
        let site = one.scope.get("site").map(|site| format!("?site={site}")).unwrap_or_default();
        let path = format!("/v1/subscribers/{id}/pools/{}{site}", one.value);
        assert_eq!(self.ask("PUT", &path, json!({})).await.status, 204);
    }

    async fn held(&self, id: &NativeId) -> Vec<(String, String)> {
        let all = self.subscribers();
        let one = all.iter().find(|one| one["id"] == id.as_str()).unwrap();
        let place = |place: &Json| {
            let site = place["site"].as_str().map(|site| format!("@{site}")).unwrap_or_default();
            (format!("pool:{}{site}", place["pool"].as_str().unwrap()), String::new())
        };
        one["pools"].as_array().unwrap().iter().map(place).collect()
    }
}

async fn survive(settings: Settings) {
    let pools: Vec<(String, Vec<String>)> = (0..8)
        .map(|number| {
            let sites: &[&str] = if number % 2 == 0 { &["EAST", "WEST"] } else { &[] };
            (format!("pool-{number}"), sites.iter().map(|site| (*site).to_owned()).collect())
        })
        .collect();
    let places = pools.iter().flat_map(|(pool, sites)| {
        let sites = if sites.is_empty() { vec![None] } else { sites.iter().map(Some).collect() };
        sites.into_iter().map(move |site| {
            let mut place = Entitlement::new("pool", pool.as_str());
            place.scope.extend(site.map(|site| ("site".to_owned(), site.clone())));
            place
        })
    });
    let catalogue = places.collect();
    let desk = Desk::set(settings, Options { pools: pools.clone(), ..Options::default() }).await;
    let suite = Foreign {
        connector: Arc::clone(&desk.target),
        host: Arc::clone(&desk.host) as Arc<dyn Host>,
        kind: "subscriber".into(),
        person: &person,
        key: "login",
        text: "title",
        catalogue,
        single: &[],
        each: 5,
        at_once: 8,
        hand: &desk,
    };
    suite.survive().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_foreign_entitlements_survive_a_thousand_changes_by_the_sample_in_rust() {
    survive(support::settings(&support::child("pager"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_foreign_entitlements_survive_a_thousand_changes_by_the_sample_in_python() {
    let Some(settings) = python() else { return };
    survive(settings).await;
}
