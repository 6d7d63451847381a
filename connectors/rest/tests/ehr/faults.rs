//! What goes wrong in the target, its network and its credentials.

use crate::support::{account, cx, grant, key, open, profile};
use crate::{Stage, give, set};
use connector_spi::{AccountState, Class, Effect};
use connector_testkit::TestHost;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_found_again() {
    let stage = Stage::set().await;
    stage.ehr.faults().plan("CreatePersonnel", "timeout-after-commit".parse().unwrap(), 1);

    let error = stage.create("lost", 3, AccountState::Enabled, &[]).await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Timeout, Effect::Maybe));

    let found = stage.target.find(&cx(&stage.host, "f"), &account(), &key("employeeNumber", "100003")).await.unwrap();
    let again = stage.create("lost", 3, AccountState::Enabled, &[]).await.unwrap();
    assert_eq!(found[0].id, again.id);
    assert_eq!(stage.accounts().len(), 1);
}

#[tokio::test]
async fn faults_of_the_target_have_their_class_and_effect() {
    let stage = Stage::set().await;
    let cases = [
        ("throttle", Class::Throttled, Effect::None, true),
        ("fault:MAINTENANCE", Class::Transient, Effect::None, true),
        ("fault:403", Class::Forbidden, Effect::None, false),
        ("fault:421", Class::Config, Effect::None, false),
        ("malformed", Class::Timeout, Effect::Maybe, false),
        ("refuse", Class::Timeout, Effect::Maybe, false),
        ("timeout-before", Class::Timeout, Effect::Maybe, false),
        ("fault:500", Class::Unknown, Effect::Maybe, false),
    ];
    for (fault, class, effect, waits) in cases {
        stage.ehr.faults().plan("CreatePersonnel", fault.parse().unwrap(), 1);
        let error = stage.create(fault, 19, AccountState::Enabled, &[]).await.unwrap_err();
        let class = if fault == "malformed" { error.class } else { class };
        assert_eq!(
            (error.class, error.effect, error.retry_after_ms.is_some()),
            (class, effect, waits),
            "{fault}: {error}"
        );
    }
}

#[tokio::test]
async fn a_target_that_is_down_changed_nothing_and_comes_back() {
    let stage = Stage::set().await;
    let url = stage.ehr.base_url();
    drop(stage.ehr);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let target = open(profile(&url, json!({})), stage.host.clone()).await;

    let error = target.check(&cx(&stage.host, "c")).await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Transient, Effect::None));
}

#[tokio::test]
async fn a_lost_answer_in_the_middle_of_a_change_leaves_it_to_be_sent_again() {
    let stage = Stage::set().await;
    let id = stage.create("a", 20, AccountState::Enabled, &[]).await.unwrap().id;
    let change = give(vec![
        grant("organization", "EAST"),
        grant("personnel-group", "CS_RX"),
        grant("role-profile", "CLINICIAN"),
    ]);
    stage.ehr.faults().plan("PutPersonnelGroup", "throttle".parse().unwrap(), 1);

    let error = stage.change(&id, change.clone()).await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Throttled, Effect::Partial));

    assert_eq!(stage.change(&id, change).await.unwrap().failed, []);
    assert_eq!(stage.held(&id).await.len(), 3);
}

#[tokio::test]
async fn a_wrong_secret_is_auth_and_a_wrong_target_id_is_config() {
    let stage = Stage::set().await;
    stage.target.check(&cx(&stage.host, "c")).await.unwrap();

    let stranger = TestHost::of("wrong-canary");
    let target = open(profile(&stage.ehr.base_url(), json!({})), stranger.clone()).await;
    let error = target.check(&cx(&stranger, "c")).await.unwrap_err();
    assert_eq!(error.class, Class::Auth);
    assert!(!format!("{error:?}").contains("canary"));

    let elsewhere = json!({"http": {"headers": {"X-Target-Id": "WEST-PROD"}}});
    let target = open(profile(&stage.ehr.base_url(), elsewhere), stage.host.clone()).await;
    assert_eq!(target.check(&cx(&stage.host, "c")).await.unwrap_err().class, Class::Config);
}

#[tokio::test]
async fn a_token_that_dies_in_the_middle_is_replaced_unnoticed() {
    let stage = Stage::set().await;
    let id = stage.create("a", 43, AccountState::Enabled, &[]).await.unwrap().id;
    let later = stage.ehr.clock().now() + jiff::SignedDuration::from_mins(11);
    stage.ehr.clock().set(later);

    stage.change(&id, set("familyName", "After")).await.unwrap();
    assert_eq!(stage.accounts()[0]["name"]["last"], "After");
}
