//! What the server says of itself, and what it does not say.

use super::*;

#[tokio::test]
async fn what_scim_cannot_tell_stays_untold() {
    let stage = Stage::set(Options::default(), json!({})).await;
    assert!(stage.target.effect().is_none());

    let stage =
        Stage::set(Options::default(), json!({"inactive_refuses_login": true, "read_after_write_ms": 300})).await;
    let schema = stage.target.schema(&stage.cx("s")).await.unwrap();
    let caps = &schema.kinds[&account()].caps;
    assert!(caps.effective && !caps.revoke_sessions && caps.read_after_write == ReadAfterWrite::EventualMs(300));
    let id = NativeId(people(&stage, 1).await.remove(0));
    let effect = stage.target.effect().unwrap();
    let open = effect.effective(&stage.cx("e"), &account(), &id).await.unwrap();
    let close = Change { state: Some(AccountState::Disabled), ..Change::default() };
    stage.target.update(&stage.cx("u"), &account(), &id, &close).await.unwrap();
    let closed = effect.effective(&stage.cx("e"), &account(), &id).await.unwrap();
    assert_eq!((open.can_login, closed.can_login, closed.sessions), (None, Some(false), None));
}

#[tokio::test]
async fn a_check_needs_the_token_although_discovery_is_open_and_tells_what_is_missing() {
    let stage = Stage::set(Options::strict(), json!({"account": {"memberships": "user"}})).await;
    let health = stage.target.check(&stage.cx("check")).await.unwrap();
    assert!(health.warnings.iter().any(|warning| warning.contains("shows no groups")), "{:?}", health.warnings);
    stage.host.replace_secrets(|_| "another".to_owned());
    let stranger = support::open(support::profile(&stage.server.base_url(), json!({})), &stage.host).await;
    assert_eq!(stranger.check(&stage.cx("check")).await.unwrap_err().class, Class::Auth);
}

#[tokio::test]
async fn a_target_that_is_down_does_not_hold_up_opening_and_is_asked_when_it_is_back() {
    let stage = Stage::set(Options::default(), json!({})).await;
    stage.server.fail("*", Fault::Down, 0);
    assert_eq!(stage.target.get(&stage.cx("g"), &account(), &"x".into()).await.unwrap_err().effect, Effect::None);
    stage.server.faults().clear();
    assert_eq!(stage.target.get(&stage.cx("g"), &account(), &"x".into()).await.unwrap(), None);
}

#[tokio::test]
async fn a_dry_run_tells_the_operations_and_no_values() {
    let stage = Stage::set(Options::default(), json!({})).await;
    let id = NativeId(people(&stage, 1).await.remove(0));
    let before: Vec<Json> = stage.all("users");
    let cx = Ctx { dry_run: true, ..stage.cx("dry") };
    let change = with_attr("emails[type eq \"work\"].value", Delta::Set(vec!["secretly@hosp.example".into()]));
    stage.target.update(&cx, &account(), &id, &change).await.unwrap();
    let heard = stage.host.heard();
    assert!(heard.contains("replace:emails") && heard.contains("PATCH /Users/{id}"), "{heard}");
    assert!(!heard.contains("secretly"));
    assert_eq!(stage.all("users"), before);
}
