//! The lost reply: the work is done and nobody knows. A hundred times for each operation that writes, and each time: one
//! account, no false failure, nothing done twice.

use crate::support::{Gateway, account, cx, grant, key, orderer, person, placed, provider};
use crate::{Stage, clear, give, set, state, take};
use connector_spi::{AccountState, Change, Class, Ctx, Effect, Kind, NativeId};
use futures_util::future::join_all;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Times that each reply is lost.
const TIMES: u32 = 100;

/// A call that gives up soon: the reply will never come.
fn soon(host: &Arc<Gateway>) -> Ctx {
    Ctx { deadline: Instant::now() + Duration::from_millis(1_200), ..cx(host, "lost") }
}

/// Makes the next hundred replies to an operation get lost.
fn lose(stage: &Stage, operation: &str) {
    stage.ehr.faults().plan(operation, "timeout-after-commit".parse().unwrap(), TIMES);
}

/// What the gateway does about a create that may have happened: looks it up by the natural key, and takes what it finds, or
/// tries again.
async fn settled(stage: &Stage, kind: &Kind, name: &str, value: &str) -> NativeId {
    let found = stage.target.find(&cx(&stage.host, "find"), kind, &key(name, value)).await.unwrap();
    assert_eq!(found.len(), 1, "{name} {value}");
    found[0].id.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_whose_reply_is_lost_makes_one_account_and_is_adopted() {
    let stage = Stage::set().await;
    lose(&stage, "CreateUser");
    join_all((0..TIMES).map(|number| {
        let stage = &stage;
        async move {
            let with = [placed("template", "T9100", 1)];
            let lost = stage
                .target
                .create(&soon(&stage.host), &account(), &person(number), AccountState::Enabled, &with)
                .await;
            let error = lost.unwrap_err();
            assert_eq!((error.class, error.effect), (Class::Timeout, Effect::Maybe));

            let id = settled(stage, &account(), "employeeNumber", &(100_000 + number).to_string()).await;
            // Adopted, it is brought to what is wanted: here nothing differs.
            assert_eq!(stage.held(&id).await, with);
            // A second try without looking is told who stands there.
            let again = stage.create("again", number, AccountState::Enabled, &with).await.unwrap_err();
            assert_eq!((again.class, again.existing), (Class::AlreadyExists, Some(id)));
        }
    }))
    .await;
    assert_eq!(stage.accounts().len(), TIMES as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_whose_reply_is_lost_is_made_once() {
    let stage = Stage::set().await;
    lose(&stage, "CreateProvider");
    join_all((0..TIMES).map(|number| {
        let stage = &stage;
        async move {
            let lost = stage
                .target
                .create(&soon(&stage.host), &provider(), &orderer(number), AccountState::Enabled, &[])
                .await;
            assert_eq!(lost.unwrap_err().effect, Effect::Maybe);
            settled(stage, &provider(), "npi", &format!("19{number:08}")).await;
        }
    }))
    .await;
    assert_eq!(stage.ehr.state()["providers"].as_array().unwrap().len(), TIMES as usize);
}

/// Loses the reply to one operation of a change for each of a hundred accounts, sends the change again, and compares all of
/// them with one to which nothing happened.
async fn survives(stage: &Stage, kind: &Kind, ids: &[NativeId], operation: &str, change: Change) {
    lose(stage, operation);
    let outcomes = join_all(ids.iter().map(|id| {
        let change = &change;
        async move {
            let lost = stage.target.update(&soon(&stage.host), kind, id, change).await;
            let error = lost.unwrap_err();
            assert_eq!((error.class, error.effect), (Class::Timeout, Effect::Maybe), "{operation}");
            // The gateway reads before it sends anything again.
            stage.target.get(&cx(&stage.host, "read"), kind, id).await.unwrap().unwrap();
            let again = stage.target.update(&cx(&stage.host, "lost"), kind, id, change).await.unwrap();
            assert_eq!(again.failed, [], "{operation}");
            let record = stage.target.get(&cx(&stage.host, "read"), kind, id).await.unwrap().unwrap();
            (
                record.state,
                record.entitlements,
                record.attrs.get("comment").cloned(),
                record.attrs.get("degree").cloned(),
            )
        }
    }))
    .await;
    assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]), "{operation}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_that_changes_an_account_survives_a_hundred_lost_replies() {
    let stage = Stage::set().await;
    let mut ids = Vec::new();
    for number in 0..TIMES {
        let with = [placed("template", "T9100", 1), placed("sub-template", "ST100", 1)];
        ids.push(stage.create("a", number, AccountState::Enabled, &with).await.unwrap().id);
    }
    let steps: [(&str, Change); 11] = [
        ("UpdateUser", set("comment", "changed")),
        ("SetTemplates", give(vec![placed("template", "T9100", 1), grant("template", "T9300")])),
        ("SetSubTemplates", give(vec![placed("sub-template", "ST310", 2)])),
        ("SetInBasketClasses", give(vec![grant("in-basket-class", "RESULTS")])),
        ("LinkProvider", clear("provider")),
        ("SetSubTemplates", take(vec![grant("sub-template", "ST100")])),
        ("BlockUser", state(AccountState::Disabled)),
        ("ForceLogout", state(AccountState::Disabled)),
        ("InactivateUser", state(AccountState::Disabled)),
        ("UnblockUser", state(AccountState::Enabled)),
        ("ActivateUser", state(AccountState::Enabled)),
    ];
    for (operation, change) in steps {
        survives(&stage, &account(), &ids, operation, change).await;
    }
    assert_eq!(stage.accounts().len(), TIMES as usize);
    let one = &stage.accounts()[7];
    assert_eq!((&one["active"], &one["subTemplates"]), (&serde_json::json!(true), &serde_json::json!(["ST310"])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_that_changes_a_provider_survives_a_hundred_lost_replies() {
    let stage = Stage::set().await;
    let mut ids = Vec::new();
    for number in 0..TIMES {
        ids.push(stage.provider(number).await);
    }
    for (operation, change) in [
        ("UpdateProvider", set("degree", "MD")),
        ("InactivateProvider", state(AccountState::Disabled)),
        ("ActivateProvider", state(AccountState::Enabled)),
    ] {
        survives(&stage, &provider(), &ids, operation, change).await;
    }
    assert_eq!(stage.ehr.state()["providers"].as_array().unwrap().len(), TIMES as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_sessions_and_setting_a_password_survive_a_lost_reply() {
    let stage = Stage::set().await;
    let mut ids = Vec::new();
    for number in 0..TIMES {
        ids.push(stage.create("a", number, AccountState::Enabled, &[]).await.unwrap().id);
    }
    let (effect, passwords) = (stage.target.effect().unwrap(), stage.target.passwords().unwrap());
    let password = connector_spi::Secret::new("Test-only-1!".into());
    lose(&stage, "ForceLogout");
    lose(&stage, "SetPassword");
    join_all(ids.iter().map(|id| {
        let (stage, password) = (&stage, &password);
        async move {
            let lost = effect.revoke_sessions(&soon(&stage.host), &account(), id).await.unwrap_err();
            assert_eq!(lost.effect, Effect::Maybe);
            effect.revoke_sessions(&cx(&stage.host, "again"), &account(), id).await.unwrap();
            let lost = passwords.set_password(&soon(&stage.host), &account(), id, password).await.unwrap_err();
            assert_eq!(lost.effect, Effect::Maybe);
            passwords.set_password(&cx(&stage.host, "again"), &account(), id, password).await.unwrap();
        }
    }))
    .await;
    assert!(stage.accounts().iter().all(|account| account["hasPassword"] == true));
}
