//! Replies that never come: every request that writes, and each time one account, no false failure, nothing done twice.

use crate::support::{account, grant, person};
use crate::{Stage, give, set, state, take};
use async_trait::async_trait;
use connector_spi::{AccountState, Change, Delta, Entitlement, NativeId};
use connector_testkit::lost::{Line, Losing, times};
use fixtures::ehr_rest::Options;
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, time::Duration};

/// A target that does the work and then hangs up, and a gateway with patience: nothing here is a matter of speed.
async fn stage() -> Stage {
    let options = Options { rate_limit: None, silence: Duration::from_millis(5), ..Options::default() };
    Stage::with(options, json!({"http": {"timeout": 60, "requests_per_second": 10_000}})).await
}

/// The simulator withholds its replies, and counts the changes of each person.
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
    let connectors = vec![stage.target.clone(); 16];
    Losing { connectors, host: stage.host.clone(), kind: account(), line: stage }
}

/// What each type of entitlement gives and takes, with the operations that do it.
const HELD: [(&str, &str, &str, &str); 8] = [
    ("position", "RN", "UpdatePersonnel", "UpdatePersonnel"),
    ("organization-group", "EAST_ALL", "PutOrganizationGroup", "DeleteOrganizationGroup"),
    ("organization", "WEST", "PutOrganization", "DeleteOrganization"),
    ("personnel-group", "CS_RX", "PutPersonnelGroup", "DeletePersonnelGroup"),
    ("role-profile", "CLINICIAN", "PutRoleProfile", "DeleteRoleProfile"),
    ("relationship", "NURSE", "PutRelationship", "DeleteRelationship"),
    ("credential", "BOARD-1", "PutCredential", "DeleteCredential"),
    ("prescribing", "GRANTED", "PutPrescribing", "DeletePrescribing"),
];

fn held() -> Vec<(Entitlement, &'static str, &'static str)> {
    HELD.map(|(kind, value, put, delete)| (grant(kind, value), put, delete)).to_vec()
}

fn clear(name: &str) -> Change {
    Change { attrs: [(name.to_owned(), Delta::Clear)].into(), ..Change::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_whose_reply_is_lost_makes_one_account() {
    let stage = &stage().await;
    let with = [grant("position", "RN"), grant("organization", "EAST")];
    losing(stage).create("CreatePersonnel", person, "employeeNumber", &with).await;
    assert_eq!(stage.accounts().len(), times() as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_attribute_and_state_is_changed_once_however_often_the_reply_is_lost() {
    let stage = &stage().await;
    let losing = losing(stage);
    let ids = made(stage, &losing, &[]).await;
    let own = |name: &'static str, first: u32| move |number: u32| set(name, &(first + number).to_string());
    losing.change("UpdatePersonnel", &ids, &set("familyName", "Changed"), true).await;
    losing.change("UpdatePersonnel", &ids, &clear("endEffective"), true).await;
    losing.changes("PutAlias", &ids, own("employeeNumber", 500_000), true).await;
    losing.changes("PutAlias", &ids, own("npi", 1_900_000_000), true).await;
    losing.change("DeleteAlias", &ids, &clear("npi"), true).await;
    losing.change("DisablePersonnel", &ids, &state(AccountState::Disabled), true).await;
    losing.change("EnablePersonnel", &ids, &state(AccountState::Enabled), true).await;
    assert_eq!(stage.accounts().len(), times() as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_of_entitlement_is_given_and_taken_once_however_often_the_reply_is_lost() {
    let stage = &stage().await;
    let losing = losing(stage);
    let ids = made(stage, &losing, &[]).await;
    for (one, put, _) in held() {
        losing.change(put, &ids, &give(vec![one]), true).await;
    }
    assert!(stage.accounts().iter().all(|account| account["links"].as_array().unwrap().len() == HELD.len() - 1));
    for (one, _, delete) in held() {
        losing.change(delete, &ids, &take(vec![one]), true).await;
    }
    assert!(stage.accounts().iter().all(|account| account["links"] == json!([])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_is_lost_in_the_middle_of_a_leaving_leaves_nothing_open() {
    let stage = &stage().await;
    let losing = losing(stage);
    let with = [grant("position", "RN"), grant("organization", "EAST"), grant("personnel-group", "CS_RX")];
    let ids = made(stage, &losing, &with).await;
    let leaving = Change { state: Some(AccountState::Disabled), ..take(with.to_vec()) };
    for operation in ["DisablePersonnel", "UpdatePersonnel", "DeleteOrganization", "DeletePersonnelGroup"] {
        losing.change(operation, &ids, &leaving, false).await;
        let back = Change { state: Some(AccountState::Enabled), ..give(with.to_vec()) };
        let back = losing.each(async |target, number| {
            target.update(&losing.cx("back", number, 1), &account(), &ids[number as usize], &back).await
        });
        assert!(back.await.into_iter().all(|updated| updated.unwrap().failed.is_empty()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_end_however_often_the_reply_is_lost() {
    let stage = &stage().await;
    let losing = losing(stage);
    let ids = made(stage, &losing, &[grant("position", "RN"), grant("organization", "EAST")]).await;
    for number in 0..times() {
        stage.login(&format!("t{number}")).await;
    }
    losing.end_sessions("EndSessions", &ids).await;
    assert_eq!(stage.sessions(), 0);
    assert!(stage.accounts().iter().all(|account| account["active"] == Json::Bool(true)));
}

/// Makes an account for each number; no reply is lost.
async fn made(stage: &Stage, losing: &Losing<'_>, with: &[Entitlement]) -> Vec<NativeId> {
    let made = losing.each(async |target, number| {
        let cx = losing.cx("made", number, 1);
        target.create(&cx, &account(), &person(number), AccountState::Enabled, with).await.unwrap()
    });
    let made = made.await;
    assert!(made.iter().all(|one| one.failed.is_empty()));
    assert_eq!(stage.accounts().len(), made.len());
    made.into_iter().map(|one| one.id).collect()
}
