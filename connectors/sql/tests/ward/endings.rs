//! Ending access: in the tables, in the sessions, and in what is claimed of it.

use crate::support::{Ward, account, group, menu, state};
use connector_spi::{AccountState, Class};
use serde_json::json;

#[tokio::test]
async fn a_leaver_is_refused_and_the_open_session_ends_in_the_same_transaction() {
    for ward in Ward::every().await {
        let stage = ward.stage().await;
        let id = stage.create(1, &[menu("NUR.FLOOR", "EAST"), group("CSRX")]).await.unwrap().id;
        let session = stage.ehr().login("TEXAMPLE1", "2099-01-01").await.unwrap().unwrap();
        let effect = stage.target.effect().unwrap();
        let open = effect.effective(&stage.cx("e"), &account(), &id).await.unwrap();
        assert_eq!((open.can_login, open.sessions), (Some(true), Some(1)));

        stage.change(&id, state(AccountState::Disabled)).await.unwrap();

        assert!(!stage.ehr().session_works(&session).await.unwrap());
        let (can, why) = stage.ehr().can_login("TEXAMPLE1", "2099-01-01").await.unwrap();
        assert!(!can && why.contains(&"inactive".to_owned()), "{why:?}");
        let closed = effect.effective(&stage.cx("e"), &account(), &id).await.unwrap();
        assert_eq!((closed.can_login, closed.sessions), (Some(false), Some(0)));
        assert_eq!(closed.why, ["inactive"]);
        assert_eq!(stage.held(&id).await.len(), 2, "what it holds is still to be read");
        assert_eq!(stage.find(1).await[0].state, AccountState::Disabled);
    }
}

#[tokio::test]
async fn an_inactive_status_alone_ends_no_session() {
    let stage = Ward::sqlite().await.stage().await;
    stage.create(1, &[]).await.unwrap();
    let session = stage.ehr().login("TEXAMPLE1", "2099-01-01").await.unwrap().unwrap();

    stage.ehr().run("UPDATE user_dict SET status = 'I'").await.unwrap();

    assert!(stage.ehr().session_works(&session).await.unwrap());
    assert!(stage.ehr().login("TEXAMPLE1", "2099-01-01").await.unwrap().is_none());
}

#[tokio::test]
async fn who_has_not_begun_ends_on_the_day_of_the_beginning_and_a_past_end_stays() {
    for ward in Ward::every().await {
        let stage = ward.stage().await;
        let [early, late] = [stage.create(1, &[]).await.unwrap().id, stage.create(2, &[]).await.unwrap().id];
        stage
            .ehr()
            .run("UPDATE user_dict SET begin_date = '2099-03-01' WHERE user_mnemonic = 'TEXAMPLE1'")
            .await
            .unwrap();
        stage
            .ehr()
            .run("UPDATE user_dict SET begin_date = '2020-01-01', end_date = '2021-01-01' WHERE user_mnemonic = 'TEXAMPLE2'")
            .await
            .unwrap();
        assert_eq!(stage.read(&late).await.state, AccountState::Expired);

        for id in [&early, &late] {
            stage.change(id, state(AccountState::Disabled)).await.unwrap();
        }

        let state = stage.ehr().state().await.unwrap();
        assert_eq!(
            (&state["user_dict"][0]["end_date"], &state["user_dict"][1]["end_date"]),
            (&json!("2099-03-01"), &json!("2021-01-01"))
        );
    }
}

#[tokio::test]
async fn blocked_is_another_state_than_disabled() {
    for ward in Ward::every().await {
        let stage = ward.stage().await;
        let id = stage.create(1, &[]).await.unwrap().id;
        stage.change(&id, state(AccountState::Blocked)).await.unwrap();
        assert_eq!(stage.read(&id).await.state, AccountState::Blocked);
        let (_, why) = stage.ehr().can_login("TEXAMPLE1", "2099-01-01").await.unwrap();
        assert_eq!(why, ["locked"]);
        let error = stage.change(&id, state(AccountState::Unknown)).await.unwrap_err();
        assert_eq!(error.class, Class::Unsupported, "this file has no statement for it");
    }
}

#[tokio::test]
async fn sessions_are_ended_by_statement_and_none_open_is_success() {
    for ward in Ward::every().await {
        let stage = ward.stage().await;
        let id = stage.create(1, &[]).await.unwrap().id;
        let effect = stage.target.effect().unwrap();
        let session = stage.ehr().login("TEXAMPLE1", "2099-01-01").await.unwrap().unwrap();
        for _ in 0..2 {
            effect.revoke_sessions(&stage.cx("r"), &account(), &id).await.unwrap();
            assert!(!stage.ehr().session_works(&session).await.unwrap());
        }
        effect.revoke_sessions(&stage.cx("r"), &account(), &"4711".into()).await.unwrap();
    }
}

#[tokio::test]
async fn where_nobody_tried_when_a_write_takes_effect_nothing_is_claimed() {
    let more = json!({"takes_effect": "unknown", "kinds": {"account": {"effective": null}}});
    let stage = Ward::sqlite().await.stage_with(more).await;
    let id = stage.create(1, &[]).await.unwrap().id;
    let schema = stage.target.schema(&stage.cx("s")).await.unwrap();
    assert!(!schema.kinds[&account()].caps.effective && schema.kinds[&account()].caps.revoke_sessions);
    let error = stage.target.effect().unwrap().effective(&stage.cx("e"), &account(), &id).await.unwrap_err();
    assert_eq!(error.class, Class::Unsupported);
    let health = stage.target.check(&stage.cx("c")).await.unwrap();
    assert!(health.warnings.iter().any(|warning| warning.contains("unverified")), "{:?}", health.warnings);
}

#[tokio::test]
async fn a_signed_user_is_never_deleted() {
    let stage = Ward::sqlite().await.stage().await;
    let id = stage.create(1, &[]).await.unwrap().id;
    let error = stage.target.delete(&stage.cx("d"), &account(), &id).await.unwrap_err();
    assert_eq!(error.class, Class::Unsupported);
}

#[tokio::test]
async fn a_delete_that_charts_forbid_is_a_conflict_and_one_that_they_allow_is_repeated_in_peace() {
    let steps = json!([{"sql": "DELETE FROM user_dict WHERE user_seq = :id"}]);
    for ward in Ward::every().await {
        let stage = ward.stage_with(json!({"kinds": {"account": {"delete": steps}}})).await;
        let [signed, unsigned] = [stage.create(1, &[]).await.unwrap().id, stage.create(2, &[]).await.unwrap().id];
        let sign = "INSERT INTO chart_signature (doc_id, user_mnemonic, signed_at) VALUES (1, 'TEXAMPLE1', '2026-07-01 00:00:00')";
        stage.ehr().run(sign).await.unwrap();

        let error = stage.target.delete(&stage.cx("d"), &account(), &signed).await.unwrap_err();
        assert_eq!(error.class, Class::Conflict);
        for _ in 0..2 {
            stage.target.delete(&stage.cx("d"), &account(), &unsigned).await.unwrap();
        }
        assert_eq!(stage.ehr().count("SELECT COUNT(*) FROM user_dict").await.unwrap(), 1);
    }
}
