//! The end of an account.

use crate::support::{account, cx, grant, person};
use crate::{Stage, state};
use connector_spi::{AccountState, Class, NativeId, Value};

#[tokio::test]
async fn a_leaver_is_out_and_the_open_session_is_dead() {
    let stage = Stage::set().await;
    let grants = [grant("position", "RN"), grant("organization", "EAST"), grant("personnel-group", "CS_RX")];
    let id = stage.create("a", 16, AccountState::Enabled, &grants).await.unwrap().id;
    let effect = stage.target.effect().unwrap();
    let cx = cx(&stage.host, "leave");
    assert_eq!(effect.effective(&cx, &account(), &id).await.unwrap().can_login, Some(true));

    stage.login("t16").await;
    assert_eq!(stage.sessions(), 1);

    let mut change = state(AccountState::Disabled);
    change.entitlements.remove = vec![grant("personnel-group", "CS_RX")];
    assert_eq!(stage.change(&id, change).await.unwrap().failed, []);
    assert_eq!(stage.sessions(), 0);
    effect.revoke_sessions(&cx, &account(), &id).await.expect("none open is success");

    let effective = effect.effective(&cx, &account(), &id).await.unwrap();
    assert_eq!((effective.can_login, effective.why), (Some(false), vec!["inactive".to_owned()]));
    let first = stage
        .ehr
        .journal()
        .entries()
        .into_iter()
        .find(|entry| entry.op.starts_with("Dis") || entry.op.starts_with("Delete"));
    assert_eq!(first.unwrap().op, "DisablePersonnel", "closing comes first");
    assert_eq!(effect.effective(&cx, &account(), &NativeId::from("999999")).await.unwrap().can_login, Some(false));
}

#[tokio::test]
async fn an_account_past_its_end_or_without_a_position_cannot_log_in() {
    let stage = Stage::set().await;
    let mut attributes = person(17);
    attributes.insert("endEffective".into(), vec![Value::At { at: "2020-01-01T00:00:00Z".parse().unwrap() }]);
    let cx = cx(&stage.host, "a");
    let id = stage.target.create(&cx, &account(), &attributes, AccountState::Enabled, &[]).await.unwrap().id;

    let why = stage.target.effect().unwrap().effective(&cx, &account(), &id).await.unwrap().why;
    assert_eq!(why, ["no-organization", "no-position", "ended"]);
}

#[tokio::test]
async fn deleting_is_refused_without_a_request() {
    let stage = Stage::set().await;
    let id = stage.create("a", 18, AccountState::Enabled, &[]).await.unwrap().id;
    let before = stage.ehr.journal().count();

    assert_eq!(
        stage.target.delete(&cx(&stage.host, "d"), &account(), &id).await.unwrap_err().class,
        Class::Unsupported
    );
    assert_eq!(stage.ehr.journal().count(), before);
}

#[tokio::test]
async fn open_sessions_end_without_closing_the_account() {
    let stage = Stage::set().await;
    let grants = [grant("position", "RN"), grant("organization", "EAST")];
    let id = stage.create("a", 19, AccountState::Enabled, &grants).await.unwrap().id;
    stage.login("t19").await;

    stage.target.effect().unwrap().revoke_sessions(&cx(&stage.host, "r"), &account(), &id).await.unwrap();

    assert_eq!((stage.sessions(), &stage.accounts()[0]["active"]), (0, &serde_json::json!(true)));
}
