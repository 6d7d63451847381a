//! Replies that never come: every request of this face that writes, and each time one account, no false failure, nothing done
//! twice.

use super::*;
use async_trait::async_trait;
use connector_testkit::lost::{Line, Losing, times};
use std::{collections::BTreeMap, time::Duration};

/// A target that does the work and then hangs up, and a gateway with patience: nothing here is a matter of speed.
async fn stage() -> Stage {
    let options = Options { rate_limit: None, silence: Duration::from_millis(5), ..Options::default() };
    Stage::with(options, json!({"http": {"timeout": 60, "requests_per_second": 10_000}})).await
}

#[async_trait]
impl Line for Stage {
    async fn lose(&self, operation: &str) {
        self.ehr.faults().plan(operation, "timeout-after-commit".parse().unwrap(), times());
    }

    async fn keep(&self) {
        self.ehr.faults().clear();
    }

    async fn asked(&self, operation: &str) -> u64 {
        self.ehr.journal().count_of(operation) as u64
    }

    async fn seen(&self, ids: &[NativeId]) -> Vec<String> {
        let all: BTreeMap<String, String> =
            self.accounts().iter().map(|one| (one["id"].as_str().unwrap().to_owned(), one.to_string())).collect();
        ids.iter().map(|id| all[id.as_str()].clone()).collect()
    }
}

fn losing(stage: &Stage) -> Losing<'_> {
    Losing { connectors: vec![stage.target.clone(); 16], host: stage.host.clone(), kind: account(), line: stage }
}

fn set(name: &str, delta: Delta) -> Change {
    Change { attrs: [(name.to_owned(), delta)].into(), ..Change::default() }
}

fn state(state: AccountState) -> Change {
    Change { state: Some(state), ..Change::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_whose_reply_is_lost_makes_one_account() {
    let stage = &stage().await;
    let with = [grant("position", "RN"), grant("organization", "EAST")];
    losing(stage).create("addRequest", person, "employeeNumber", &with).await;
    assert_eq!(stage.accounts().len(), times() as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_is_made_once_however_often_the_reply_is_lost() {
    let stage = &stage().await;
    let losing = losing(stage);
    let made = losing.each(async |target, number| {
        let cx = losing.cx("made", number, 1);
        target.create(&cx, &account(), &person(number), AccountState::Enabled, &[]).await.unwrap().id
    });
    let ids = made.await;
    let own = |name: &'static str, first: u32| {
        move |number: u32| set(name, Delta::Set(vec![(first + number).to_string().as_str().into()]))
    };
    losing.change("modifyRequest", &ids, &set("familyName", Delta::Set(vec!["Changed".into()])), true).await;
    losing.change("modifyRequest", &ids, &set("endEffective", Delta::Clear), true).await;
    losing.changes("modifyRequest", &ids, own("employeeNumber", 500_000), true).await;
    losing.changes("modifyRequest", &ids, own("npi", 1_900_000_000), true).await;
    losing.change("modifyRequest", &ids, &set("npi", Delta::Clear), true).await;
    let all = [
        ("position", "RN"),
        ("organization-group", "EAST_ALL"),
        ("organization", "WEST"),
        ("personnel-group", "CS_RX"),
    ];
    for (kind, value) in all {
        losing.change("modifyRequest", &ids, &change(vec![grant(kind, value)], vec![]), true).await;
    }
    for (kind, value) in all {
        losing.change("modifyRequest", &ids, &change(vec![], vec![grant(kind, value)]), true).await;
    }
    losing.change("suspendRequest", &ids, &state(AccountState::Disabled), true).await;
    losing.change("resumeRequest", &ids, &state(AccountState::Enabled), true).await;
    assert_eq!(stage.accounts().len(), times() as usize);
    assert!(stage.accounts().iter().all(|account| account["links"] == json!([])));
}
