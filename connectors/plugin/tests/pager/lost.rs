//! Replies of the service that never come: every request of the sample plugins that writes, and each time one subscriber, no
//! false failure, nothing done twice.

use super::*;
use connector_spi::{AccountState, Attrs, Change, Delta, NativeId, Value};
use connector_testkit::lost::{Line, Losing, times};
use std::{collections::BTreeMap, time::Duration};

/// The service does the work and then hangs up.
#[async_trait]
impl Line for Desk {
    async fn lose(&self, operation: &str) {
        self.service.fail(operation, "timeout-after-commit".parse().unwrap(), times());
    }

    async fn keep(&self) {
        self.service.faults().clear();
    }

    async fn asked(&self, operation: &str) -> u64 {
        self.service.journal().count_of(operation) as u64
    }

    async fn seen(&self, ids: &[NativeId]) -> Vec<String> {
        let all: BTreeMap<String, String> =
            self.subscribers().iter().map(|one| (one["id"].as_str().unwrap().to_owned(), one.to_string())).collect();
        ids.iter().map(|id| all[id.as_str()].clone()).collect()
    }
}

pub fn person(number: u32) -> Attrs {
    let one = |text: String| vec![Value::from(text)];
    Attrs::from([
        ("login".to_owned(), one(format!("t{number}"))),
        ("staffNumber".to_owned(), one(format!("N-{number}"))),
        ("displayName".to_owned(), one(format!("Testperson {number} Example"))),
        ("phones".to_owned(), one("555-1".to_owned())),
    ])
}

fn set(name: &str, delta: Delta) -> Change {
    Change { attrs: [(name.to_owned(), delta)].into(), ..Change::default() }
}

/// `at_once`: calls under way at a time.
async fn every_write_survives(settings: Settings, at_once: usize) {
    let desk = &Desk::set(settings, Options { silence: Duration::from_millis(5), ..Options::default() }).await;
    let losing = Losing {
        connectors: vec![Arc::clone(&desk.target); at_once],
        host: Arc::clone(&desk.host) as Arc<dyn Host>,
        kind: "subscriber".into(),
        line: desk,
    };
    let mut placed = Entitlement::new("pool", "stroke");
    placed.scope.insert("site".to_owned(), "EAST".to_owned());

    let ids = losing.create("CreateSubscriber", person, "login", &[Entitlement::new("pool", "transport")]).await;
    assert_eq!(desk.subscribers().len(), times() as usize);

    let state = |state| Change { state: Some(state), ..Change::default() };
    let phones = Delta::Patch { add: vec!["555-2".into()], remove: vec!["555-1".into()] };
    for change in [
        set("title", Delta::Set(vec!["Dr".into()])),
        set("title", Delta::Clear),
        set("phones", phones),
        state(AccountState::Disabled),
        state(AccountState::Enabled),
    ] {
        losing.change("ChangeSubscriber", &ids, &change, true).await;
    }
    for pool in [Entitlement::new("pool", "cardiology"), placed] {
        let (mut give, mut take) = (Change::default(), Change::default());
        give.entitlements.add = vec![pool.clone()];
        take.entitlements.remove = vec![pool];
        losing.change("JoinPool", &ids, &give, true).await;
        losing.change("LeavePool", &ids, &take, true).await;
    }
    for number in 0..times() {
        let signed_in = desk.ask("POST", "/v1/sessions", json!({ "login": format!("t{number}") })).await;
        assert_eq!(signed_in.status, 201);
    }
    losing.end_sessions("EndSessions", &ids).await;
    assert!(desk.subscribers().iter().all(|one| one["sessions"] == json!(0)));
    losing.delete("DeleteSubscriber", &ids).await;
    assert_eq!(desk.subscribers(), [Json::Null; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_write_of_the_sample_in_rust_survives_lost_replies() {
    every_write_survives(support::settings(&support::child("pager")), 16).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_write_of_the_sample_in_python_survives_lost_replies() {
    let Some(settings) = python() else { return };
    every_write_survives(settings, 16).await;
}
