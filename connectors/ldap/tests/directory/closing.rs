//! Closing, and the proof of it.

use super::*;

#[tokio::test]
async fn a_closed_account_cannot_log_in_and_an_opened_one_can() {
    let Some(target) = Target::new().await else { return };
    let id = target.make(1).await;
    target.give_password(1, "first password").await;
    assert_eq!(target.slapd.login(&dn(1), "first password").await, 0);

    target.update(&id, &to_state(AccountState::Blocked)).await.unwrap();
    assert_eq!(target.slapd.login(&dn(1), "first password").await, 49);
    assert_eq!(target.read(&id).await.state, AccountState::Blocked);
    target.update(&id, &to_state(AccountState::Enabled)).await.unwrap();
    target.give_password(1, "second password").await;
    assert_eq!(target.slapd.login(&dn(1), "second password").await, 0);
    assert_eq!(target.read(&id).await.state, AccountState::Enabled);
    assert_eq!(target.slapd.values(&dn(1), "clinAccountStatus").await.unwrap(), ["active"]);
}

#[tokio::test]
async fn a_closed_account_that_a_password_reset_unlocked_is_seen_as_drift() {
    let Some(target) = Target::new().await else { return };
    let id = target.make(1).await;
    target.update(&id, &to_state(AccountState::Disabled)).await.unwrap();
    // The policy overlay lifts the lock of an account whose password an administrator sets.
    target.give_password(1, "by the help desk").await;
    assert_eq!(target.slapd.login(&dn(1), "by the help desk").await, 0);
    assert_eq!(target.read(&id).await.state, AccountState::Unknown);
    target.update(&id, &to_state(AccountState::Disabled)).await.unwrap();
    assert_eq!(target.slapd.login(&dn(1), "by the help desk").await, 49);
}

#[tokio::test]
async fn closing_is_proven_by_a_login() {
    let Some(target) = Target::new().await else { return };
    let id = target.make(1).await;
    let effect = target.connector.effect().unwrap();
    assert_eq!(effect.effective(&cx(&target.host), &account(), &id).await.unwrap().can_login, Some(true));

    target.update(&id, &to_state(AccountState::Disabled)).await.unwrap();
    let closed = effect.effective(&cx(&target.host), &account(), &id).await.unwrap();
    assert_eq!(closed.can_login, Some(false));
    assert!(closed.why[0].contains("49"), "{:?}", closed.why);

    // Another process knows no password of it, and goes by the policy.
    let other = open(target.slapd.config(), &target.host).await.unwrap();
    let closed = other.effect().unwrap().effective(&cx(&target.host), &account(), &id).await.unwrap();
    assert_eq!(closed.can_login, Some(false));
    let gone = effect.effective(&cx(&target.host), &account(), &"no-such-id".into()).await.unwrap();
    assert_eq!(gone.can_login, Some(false));
}

#[tokio::test]
async fn a_lock_without_a_policy_is_found_out_and_never_called_closed() {
    let setup = Setup { lockless: true, ..Setup::default() };
    let canary = |config: &mut serde_json::Value| {
        config["account"]["lock"] = json!({});
        config["canary"] = json!({ "dn": "cn=canary,ou=services,dc=hosp,dc=example" });
    };
    let Some(target) = Target::with(setup, canary).await else { return };
    let id = target.make(1).await;
    target.update(&id, &to_state(AccountState::Disabled)).await.unwrap();

    let health = target.connector.check(&cx(&target.host)).await.unwrap();
    assert!(health.warnings.iter().any(|warning| warning.contains("no effect")), "{:?}", health.warnings);
    let effective = target.connector.effect().unwrap().effective(&cx(&target.host), &account(), &id).await.unwrap();
    assert_eq!(effective.can_login, Some(true));
}

#[tokio::test]
async fn without_any_proof_a_closing_is_unverified() {
    let unproven = |config: &mut serde_json::Value| {
        config["account"]["lock"] = json!({});
        config["account"]["scramble_password"] = json!(false);
    };
    let Some(target) = Target::with(Setup::default(), unproven).await else { return };
    let id = target.make(1).await;
    target.update(&id, &to_state(AccountState::Disabled)).await.unwrap();
    let effective = target.connector.effect().unwrap().effective(&cx(&target.host), &account(), &id).await.unwrap();
    assert_eq!(effective.can_login, None);
}

#[tokio::test]
async fn the_canary_proves_lock_and_end_date_and_stays_closed() {
    let canary = |config: &mut serde_json::Value| {
        config["account"]["lock"] = json!({});
        config["canary"] = json!({ "dn": "cn=canary,ou=services,dc=hosp,dc=example" });
    };
    let Some(target) = Target::with(Setup::default(), canary).await else { return };
    let schema = target.connector.schema(&cx(&target.host)).await.unwrap();
    assert!(schema.kinds[&account()].caps.end_date);
    assert_eq!(target.connector.check(&cx(&target.host)).await.unwrap().warnings, Vec::<String>::new());
    let lock = target.slapd.values("cn=canary,ou=services,dc=hosp,dc=example", "pwdAccountLockedTime").await.unwrap();
    assert_eq!(lock, ["000001010000Z"]);

    let unproven = open(target.slapd.config(), &target.host).await.unwrap();
    let schema = unproven.schema(&cx(&target.host)).await.unwrap();
    assert!(!schema.kinds[&account()].caps.end_date);
}

#[tokio::test]
async fn an_end_date_in_the_past_refuses_a_login() {
    let Some(target) = Target::new().await else { return };
    let id = target.make(1).await;
    target.give_password(1, "first password").await;
    let past: jiff::Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
    let change =
        Change { attrs: BTreeMap::from([("pwdEndTime".into(), Delta::Set(vec![past.into()]))]), ..Change::default() };
    target.update(&id, &change).await.unwrap();
    assert_eq!(target.slapd.login(&dn(1), "first password").await, 49);
    assert_eq!(target.read(&id).await.attrs["pwdEndTime"], [Value::from(past)]);
}

#[tokio::test]
async fn what_is_wrong_with_an_attribute_does_not_hold_up_a_closing() {
    let Some(target) = Target::new().await else { return };
    let id = target.make(1).await;
    let change = Change { state: Some(AccountState::Disabled), ..set("title", "line\nbreak") };
    let updated = target.update(&id, &change).await.unwrap();
    assert_eq!(updated.failed.iter().map(|failure| failure.part.as_str()).collect::<Vec<_>>(), ["title"]);
    assert_eq!(target.read(&id).await.state, AccountState::Disabled);
}

#[tokio::test]
async fn an_account_that_is_closed_twice_stays_locked() {
    let Some(target) = Target::new().await else { return };
    let id = target.make(1).await;
    for state in [AccountState::Disabled, AccountState::Disabled, AccountState::Blocked] {
        target.update(&id, &to_state(state)).await.unwrap();
        assert_eq!(target.read(&id).await.state, state);
        let lock = target.slapd.values(&dn(1), "pwdAccountLockedTime").await.unwrap();
        assert_eq!(lock, ["000001010000Z"], "the overlay lifts the lock when the password changes");
    }
}
