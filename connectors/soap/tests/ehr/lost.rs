//! The lost reply: the work is done and nobody knows. A hundred times for each operation that writes, and each time: one
//! account, no false failure, nothing done twice.

use crate::support::{account, grant, key, orderer, person, placed, provider};
use crate::{Stage, clear, give, set, state, take};
use connector_spi::{AccountState, Change, Class, ConnError, Ctx, Kind, NativeId, Secret};
use connector_testkit::lost::{is_unknown, times};
use fixtures::ehr_soap::Options;
use futures_util::{StreamExt, stream};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// A target that does the work and then hangs up, and a gateway with patience: nothing here is a matter of speed.
async fn stage() -> Stage {
    let options = Options { rate_limit: None, silence: Duration::from_millis(5), ..Options::default() };
    Stage::with(options, json!({"http": {"timeout": 60}})).await
}

fn cx(stage: &Stage) -> Ctx {
    Ctx { deadline: Instant::now() + Duration::from_secs(60), ..crate::support::cx(&stage.host, "lost") }
}

/// Does something for each of a hundred, several at a time.
async fn each<T, F: Future<Output = T>>(what: impl Fn(u32) -> F) -> Vec<T> {
    stream::iter((0..times()).map(what)).buffered(16).collect().await
}

/// Does it a hundred times with the reply to `operation` lost each time.
async fn lost<T: std::fmt::Debug, F: Future<Output = Result<T, ConnError>>>(
    stage: &Stage,
    operation: &str,
    what: impl Fn(u32) -> F,
) {
    let before = stage.ehr.journal().count_of(operation);
    stage.ehr.faults().plan(operation, "timeout-after-commit".parse().unwrap(), times());
    for outcome in each(what).await {
        let error = outcome.unwrap_err();
        assert!(is_unknown(&error), "{operation}: {error}");
    }
    let sent = stage.ehr.journal().count_of(operation) - before;
    assert_eq!(sent, times() as usize, "{operation}: a connector repeats no write by itself");
}

/// What the gateway does about a create that may have happened: it looks it up by the natural key.
async fn found(stage: &Stage, kind: &Kind, name: &str, value: &str) -> NativeId {
    let found = stage.target.find(&cx(stage), kind, &key(name, value)).await.unwrap();
    assert_eq!(found.len(), 1, "{name} {value}");
    found[0].id.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_whose_reply_is_lost_makes_one_account_and_is_adopted() {
    let stage = &stage().await;
    let with = &[placed("template", "T9100", 1)];
    let create = async |number: u32| {
        stage.target.create(&cx(stage), &account(), &person(number), AccountState::Enabled, with).await
    };
    lost(stage, "CreateUser", create).await;
    each(async |number| {
        let id = found(stage, &account(), "employeeNumber", &(100_000 + number).to_string()).await;
        // Adopted, it is brought to what is wanted: here nothing differs.
        let record = stage.target.get(&cx(stage), &account(), &id).await.unwrap().unwrap();
        assert_eq!((record.entitlements.unwrap(), record.attrs), (with.to_vec(), person(number)));
        // A second try without looking is told who stands there.
        let again = create(number).await.unwrap_err();
        assert_eq!((again.class, again.existing), (Class::AlreadyExists, Some(id)));
    })
    .await;
    assert_eq!(stage.accounts().len(), times() as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_whose_reply_is_lost_is_made_once() {
    let stage = &stage().await;
    let create = async |number: u32| {
        stage.target.create(&cx(stage), &provider(), &orderer(number), AccountState::Enabled, &[]).await
    };
    lost(stage, "CreateProvider", create).await;
    each(async |number| found(stage, &provider(), "npi", &format!("19{number:08}")).await).await;
    assert_eq!(stage.ehr.state()["providers"].as_array().unwrap().len(), times() as usize);
}

/// Loses the reply to one operation of a change for each of a hundred, sends the change again, and compares all of them.
async fn survives(stage: &Stage, kind: &Kind, ids: &[NativeId], operation: &str, change: &Change) {
    let id = |number: u32| &ids[number as usize];
    let update = async |number: u32| stage.target.update(&cx(stage), kind, id(number), change).await;
    lost(stage, operation, update).await;
    let outcomes = each(async |number| {
        // The gateway reads before it sends anything again.
        stage.target.get(&cx(stage), kind, id(number)).await.unwrap().unwrap();
        assert_eq!(update(number).await.unwrap().failed, [], "{operation}");
        let record = stage.target.get(&cx(stage), kind, id(number)).await.unwrap().unwrap();
        (record.state, record.entitlements, record.attrs.get("comment").cloned(), record.attrs.get("degree").cloned())
    })
    .await;
    assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]), "{operation}");
}

/// An account for each number, with what a nurse has.
async fn nurses(stage: &Stage) -> Vec<NativeId> {
    let with = &[placed("template", "T9100", 1), placed("sub-template", "ST100", 1)];
    each(async |number| {
        let made = stage.target.create(&cx(stage), &account(), &person(number), AccountState::Enabled, with).await;
        made.unwrap().id
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_that_changes_what_an_account_is_and_holds_survives_lost_replies() {
    let stage = &stage().await;
    let ids = nurses(stage).await;
    let steps = [
        ("UpdateUser", set("comment", "changed")),
        ("UpdateUser", set("degree", "MD")),
        ("UpdateUser", give(vec![placed("department", "10410", 1), grant("department", "20120")])),
        ("UpdateUser", take(vec![grant("department", "20120")])),
        ("SetTemplates", give(vec![placed("template", "T9100", 1), grant("template", "T9300")])),
        ("SetSubTemplates", give(vec![placed("sub-template", "ST310", 2)])),
        ("SetInBasketClasses", give(vec![grant("in-basket-class", "RESULTS")])),
        ("LinkProvider", clear("provider")),
        ("SetSubTemplates", take(vec![grant("sub-template", "ST100")])),
    ];
    for (operation, change) in &steps {
        survives(stage, &account(), &ids, operation, change).await;
    }
    assert_eq!(stage.accounts().len(), times() as usize);
    let one = &stage.accounts()[7];
    assert_eq!(one["subTemplates"], json!(["ST310"]));
    assert_eq!((&one["departments"], &one["defaultDepartment"]), (&json!(["10410"]), &json!("10410")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_that_closes_and_opens_an_account_survives_lost_replies() {
    let stage = &stage().await;
    let ids = nurses(stage).await;
    for (operation, state_of) in [
        ("BlockUser", AccountState::Disabled),
        ("ForceLogout", AccountState::Disabled),
        ("InactivateUser", AccountState::Disabled),
        ("UnblockUser", AccountState::Enabled),
        ("ActivateUser", AccountState::Enabled),
        ("BlockUser", AccountState::Blocked),
        ("ForceLogout", AccountState::Blocked),
        ("UnblockUser", AccountState::Enabled),
    ] {
        survives(stage, &account(), &ids, operation, &state(state_of)).await;
    }
    assert_eq!(stage.accounts().len(), times() as usize);
    assert!(stage.accounts().iter().all(|one| one["active"] == json!(true) && one["blocked"] == json!(null)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_that_changes_a_provider_survives_a_hundred_lost_replies() {
    let stage = &stage().await;
    let ids = each(async |number| {
        let made = stage.target.create(&cx(stage), &provider(), &orderer(number), AccountState::Enabled, &[]).await;
        made.unwrap().id
    })
    .await;
    for (operation, change) in [
        ("UpdateProvider", set("degree", "MD")),
        ("InactivateProvider", state(AccountState::Disabled)),
        ("ActivateProvider", state(AccountState::Enabled)),
    ] {
        survives(stage, &provider(), &ids, operation, &change).await;
    }
    assert_eq!(stage.ehr.state()["providers"].as_array().unwrap().len(), times() as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_sessions_and_setting_a_password_survive_a_lost_reply() {
    let stage = &stage().await;
    let ids = each(async |number| {
        let made = stage.target.create(&cx(stage), &account(), &person(number), AccountState::Enabled, &[]).await;
        made.unwrap().id
    })
    .await;
    let (effect, passwords) = (stage.target.effect().unwrap(), stage.target.passwords().unwrap());
    let password = Secret::new("Test-only-1!".into());
    let log_out = async |number: u32| effect.revoke_sessions(&cx(stage), &account(), &ids[number as usize]).await;
    let set =
        async |number: u32| passwords.set_password(&cx(stage), &account(), &ids[number as usize], &password).await;
    lost(stage, "ForceLogout", log_out).await;
    lost(stage, "SetPassword", set).await;
    each(async |number| {
        log_out(number).await.unwrap();
        set(number).await.unwrap();
    })
    .await;
    assert!(stage.accounts().iter().all(|account| account["hasPassword"] == true));
}
