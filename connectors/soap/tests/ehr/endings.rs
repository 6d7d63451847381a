//! Leaving: what is closed, in which order, and whether it took effect.

use crate::support::{account, cx, grant, placed, provider};
use crate::{Stage, set, state, take};
use connector_spi::{AccountState, Class, NativeId};
use fixtures::ehr_soap::Options;
use serde_json::json;

async fn nurse(stage: &Stage, number: u32) -> NativeId {
    let with = [placed("template", "T9100", 1), placed("sub-template", "ST100", 1), placed("department", "10410", 1)];
    stage.create("joiner", number, AccountState::Enabled, &with).await.unwrap().id
}

#[tokio::test]
async fn a_leaver_is_blocked_logged_out_and_inactivated_in_this_order() {
    let stage = Stage::set().await;
    let id = nurse(&stage, 1).await;
    stage.ehr.login("t1").unwrap();
    let before = stage.writes().len();

    let mut cx = cx(&stage.host, "leaver");
    cx.leaver = true;
    let mut change = state(AccountState::Disabled);
    change.entitlements = take(vec![grant("template", "T9100"), grant("sub-template", "ST100")]).entitlements;
    let updated = stage.target.update(&cx, &account(), &id, &change).await.unwrap();

    assert_eq!(updated.failed, []);
    assert_eq!(
        stage.writes()[before..],
        ["BlockUser", "ForceLogout", "InactivateUser", "SetSubTemplates", "SetTemplates"]
    );
    assert_eq!(stage.sessions(), 0);
    let left = &stage.accounts()[0];
    assert_eq!((&left["active"], &left["blocked"]), (&json!(false), &json!("TERMINATED")));
    assert_eq!((&left["templates"], &left["subTemplates"]), (&json!([]), &json!([])));
    assert_eq!(stage.read(&id).await.state, AccountState::Disabled);
    assert_eq!(stage.ehr.obstacles("t1"), ["inactive", "blocked", "no-template"]);
}

#[tokio::test]
async fn a_block_that_the_target_refuses_does_not_keep_the_rest_of_the_closing_from_happening() {
    let stage = Stage::set().await;
    let id = nurse(&stage, 2).await;
    stage.ehr.login("t2").unwrap();
    stage.ehr.faults().plan("BlockUser", "fault:UNKNOWN-REASON".parse().unwrap(), 1);

    let updated = stage.change(&id, state(AccountState::Disabled)).await.unwrap();

    let parts: Vec<_> = updated.failed.iter().map(|failed| (failed.part.as_str(), failed.error.class)).collect();
    assert_eq!(parts, [("state", Class::Invalid)]);
    assert_eq!((stage.sessions(), &stage.accounts()[0]["active"]), (0, &json!(false)));
}

#[tokio::test]
async fn whether_a_login_would_be_let_in_is_drawn_from_the_record_and_agrees_with_the_target() {
    let stage = Stage::set().await;
    let id = nurse(&stage, 3).await;
    let effect = stage.target.effect().unwrap();
    let ask = async |stage: &Stage| effect.effective(&cx(&stage.host, "e"), &account(), &id).await.unwrap();

    assert_eq!(ask(&stage).await.can_login, Some(true));
    assert_eq!(stage.ehr.obstacles("t3"), Vec::<&str>::new());

    stage.change(&id, state(AccountState::Blocked)).await.unwrap();
    assert_eq!((ask(&stage).await.can_login, ask(&stage).await.why), (Some(false), vec!["blocked".to_owned()]));
    assert_eq!(stage.read(&id).await.state, AccountState::Blocked);

    stage.change(&id, state(AccountState::Enabled)).await.unwrap();
    assert_eq!(ask(&stage).await.can_login, Some(true));

    stage.change(&id, take(vec![grant("template", "T9100")])).await.unwrap();
    assert_eq!(ask(&stage).await.why, ["no-template"]);
}

#[tokio::test]
async fn the_last_day_is_the_last_day_by_the_target_s_clock_and_zone() {
    let stage = Stage::set().await;
    let id = nurse(&stage, 4).await;
    stage.change(&id, set("endDate", "2026-09-20")).await.unwrap();
    let effect = stage.target.effect().unwrap();
    for (now, can) in
        [("2026-09-20T23:59:59-04:00", true), ("2026-09-21T00:00:00-04:00", false), ("2026-09-20T00:00:00-04:00", true)]
    {
        stage.ehr.clock().set(now.parse().unwrap());
        let effective = effect.effective(&cx(&stage.host, "e"), &account(), &id).await.unwrap();
        assert_eq!(effective.can_login, Some(can), "{now}: {:?}", effective.why);
        assert_eq!(stage.ehr.obstacles("t4").is_empty(), can, "{now}");
    }
}

#[tokio::test]
async fn sessions_are_ended_on_their_own_and_none_open_is_fine() {
    let stage = Stage::set().await;
    let id = nurse(&stage, 5).await;
    stage.ehr.login("t5").unwrap();
    stage.ehr.login("t5").unwrap();
    let effect = stage.target.effect().unwrap();
    for _ in 0..2 {
        effect.revoke_sessions(&cx(&stage.host, "s"), &account(), &id).await.unwrap();
        assert_eq!(stage.sessions(), 0);
    }
    effect.revoke_sessions(&cx(&stage.host, "s"), &account(), &"E999999".into()).await.unwrap();
}

#[tokio::test]
async fn somebody_who_comes_back_is_unblocked_and_activated_last() {
    let stage = Stage::set().await;
    let id = nurse(&stage, 6).await;
    stage.change(&id, state(AccountState::Disabled)).await.unwrap();
    let before = stage.writes().len();

    let mut change = set("comment", "back");
    change.state = Some(AccountState::Enabled);
    stage.change(&id, change).await.unwrap();

    assert_eq!(stage.writes()[before..], ["UpdateUser", "UnblockUser", "ActivateUser"]);
    assert_eq!(stage.read(&id).await.state, AccountState::Enabled);
}

#[tokio::test]
async fn nothing_is_opened_while_a_removal_has_failed() {
    let stage = Stage::set().await;
    let id = nurse(&stage, 7).await;
    stage.change(&id, state(AccountState::Disabled)).await.unwrap();
    stage.ehr.faults().plan("SetSubTemplates", "fault:SCHEMA".parse().unwrap(), 1);

    let mut change = take(vec![grant("sub-template", "ST100")]);
    change.attrs = set("comment", "x").attrs;
    change.state = Some(AccountState::Enabled);
    let updated = stage.change(&id, change).await.unwrap();

    let parts: Vec<_> = updated.failed.iter().map(|failed| failed.part.as_str()).collect();
    assert_eq!(parts, ["sub-template:ST100", "state", "state"]);
    assert_eq!(stage.read(&id).await.state, AccountState::Disabled);
}

#[tokio::test]
async fn nothing_is_deleted() {
    let stage = Stage::set().await;
    let id = nurse(&stage, 8).await;
    for kind in [account(), provider()] {
        let error = stage.target.delete(&cx(&stage.host, "d"), &kind, &id).await.unwrap_err();
        assert_eq!(error.class, Class::Unsupported);
    }
    assert_eq!(stage.accounts().len(), 1);
}

#[tokio::test]
async fn an_account_that_begins_later_is_made_with_its_dates_and_may_not_log_in_yet() {
    let stage = Stage::with(Options { rate_limit: None, ..Options::default() }, json!({})).await;
    let id = nurse(&stage, 9).await;
    stage.change(&id, set("startDate", "2026-08-01")).await.unwrap();
    let effect = stage.target.effect().unwrap();
    let effective = effect.effective(&cx(&stage.host, "e"), &account(), &id).await.unwrap();
    assert_eq!((effective.can_login, effective.why), (Some(false), vec!["not begun".to_owned()]));
}
