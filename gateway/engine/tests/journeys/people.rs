//! Joiners, movers and leavers through the engine and a target, with everything going wrong on the way.

use crate::stage::{Stage, confirming, held, person, policy};
use connector_spi::{AccountState, ConnError, Entitlement, Op};
use gateway_domain::link::{LinkState, Parked};
use gateway_engine::Error;
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_joiner_gets_an_account_with_what_the_rules_give() {
    let stage = Stage::new().await;
    let id = stage.hire(1, "Nurse").await;
    stage.settled().await;
    let account = stage.account();
    assert_eq!((account.state, held(&account)), (AccountState::Enabled, vec!["RN".to_owned()]));
    let link = stage.link(&id).await;
    assert_eq!((link.state, link.native_id), (LinkState::Linked, Some(account.id)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mover_loses_what_no_rule_gives_any_more() {
    let stage = Stage::new().await;
    let id = stage.hire(1, "Nurse").await;
    stage.settled().await;
    stage.patch(&id, json!([{ "op": "replace", "path": "title", "value": "Clerk" }])).await.unwrap();
    stage.settled().await;
    let account = stage.account();
    assert_eq!(held(&account), Vec::<String>::new());
    assert_eq!(account.attrs["title"][0].as_text(), Some("Clerk"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_changes_ends_in_the_last_one() {
    let stage = Stage::new().await;
    stage.ehr.set_latency(Duration::from_millis(5));
    let id = stage.hire(1, "Nurse").await;
    for turn in 0..30 {
        let title = if turn % 2 == 0 { "Clerk" } else { "Nurse" };
        stage.patch(&id, json!([{ "op": "replace", "path": "title", "value": title }])).await.unwrap();
    }
    stage.settled().await;
    assert_eq!(held(&stage.account()), ["RN"]);
    assert!(stage.ehr.writes().len() < 31, "a burst is worked in fewer calls than it has changes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaver_is_shut_out_and_the_target_was_asked() {
    let stage = Stage::new().await;
    let id = stage.hire(1, "Nurse").await;
    stage.settled().await;
    assert!(stage.ehr.log_in("account", &stage.account().id), "she is logged in");
    stage.patch(&id, json!([{ "op": "replace", "path": "active", "value": false }])).await.unwrap();
    stage.settled().await;
    let account = stage.account();
    assert_eq!((account.state, held(&account)), (AccountState::Disabled, Vec::<String>::new()));
    assert!(!stage.ehr.log_in("account", &account.id));
    assert_eq!(stage.link(&id).await.seen.unwrap().verified, Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_gets_what_the_rules_give_today() {
    let stage = Stage::new().await;
    let id = stage.hire(1, "Nurse").await;
    stage.settled().await;
    stage.patch(&id, json!([{ "op": "replace", "path": "active", "value": false }])).await.unwrap();
    stage.settled().await;
    stage.patch(&id, json!([{ "op": "replace", "value": { "active": true, "title": "Clerk" } }])).await.unwrap();
    stage.settled().await;
    let account = stage.account();
    assert_eq!((account.state, held(&account)), (AccountState::Enabled, Vec::<String>::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_create_makes_no_second_account() {
    let stage = Stage::new().await;
    stage.ehr.lose_next_reply(Op::Create);
    let id = stage.hire(1, "Nurse").await;
    stage.settled().await;
    assert_eq!(held(&stage.account()), ["RN"]);
    let owned = stage.link(&id).await.seen.unwrap().owned;
    assert_eq!(owned, [Entitlement::new("security-class", "RN")], "what the lost call gave is ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_change_is_found_done() {
    let stage = Stage::new().await;
    let id = stage.hire(1, "Clerk").await;
    stage.settled().await;
    stage.ehr.lose_next_reply(Op::Update);
    stage.patch(&id, json!([{ "op": "replace", "path": "title", "value": "Nurse" }])).await.unwrap();
    stage.settled().await;
    assert_eq!(held(&stage.account()), ["RN"]);
    let link = stage.link(&id).await;
    assert_eq!(link.last_error, None);
    assert_eq!(link.seen.unwrap().owned, [Entitlement::new("security-class", "RN")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_target_is_nobodys_error_and_heals() {
    let stage = Stage::new().await;
    stage.ehr.outage(ConnError::transient("down"));
    let id = stage.hire(1, "Nurse").await;
    stage.until("the attempt is on the link", |links| links.iter().all(|link| link.last_error.is_some())).await;
    assert!(stage.link(&id).await.pending());
    stage.ehr.heal();
    stage.engine.retry(Default::default(), "test").await.unwrap();
    stage.settled().await;
    assert_eq!(stage.account().state, AccountState::Enabled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_parks_the_link_and_the_next_request_tries_again() {
    let stage = Stage::new().await;
    stage.ehr.fail_next(Op::Create, ConnError::invalid("no such form").attribute("login"));
    let id = stage.hire(1, "Nurse").await;
    stage.settled().await;
    assert_eq!(stage.link(&id).await.state, LinkState::Parked(Parked::Refused));
    stage.patch(&id, json!([{ "op": "replace", "path": "title", "value": "Nurse" }])).await.unwrap();
    stage.settled().await;
    assert_eq!(stage.link(&id).await.state, LinkState::Linked);
    assert_eq!(held(&stage.account()), ["RN"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closing_that_is_refused_stays_due() {
    let stage = Stage::new().await;
    let id = stage.hire(1, "Nurse").await;
    stage.settled().await;
    stage.ehr.fail_next(Op::Update, ConnError::permanent("computer says no"));
    stage.patch(&id, json!([{ "op": "replace", "path": "active", "value": false }])).await.unwrap();
    stage.until("the refusal is on the link", |links| links.iter().all(|link| link.last_error.is_some())).await;
    let link = stage.link(&id).await;
    assert!(link.due_at.is_some() && link.pending(), "no class of error ends a closing: {link:?}");
    stage.pass(3_700);
    stage.settled().await;
    assert_eq!(stage.account().state, AccountState::Disabled);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_granted_by_hand_survives_changes_and_leaving() {
    let stage = Stage::new().await;
    let id = stage.hire(1, "Nurse").await;
    stage.settled().await;
    let by_hand = Entitlement::new("security-class", "PHARM");
    let native = stage.account().id;
    stage.ehr.tamper("account", &native, |record| record.entitlements.get_or_insert_default().push(by_hand.clone()));
    stage.patch(&id, json!([{ "op": "replace", "path": "title", "value": "Clerk" }])).await.unwrap();
    stage.settled().await;
    assert_eq!(held(&stage.account()), ["PHARM"]);
    stage.patch(&id, json!([{ "op": "replace", "path": "active", "value": false }])).await.unwrap();
    stage.settled().await;
    assert_eq!(held(&stage.account()), ["PHARM"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_person_leaves_a_closed_account_and_a_tombstone() {
    let stage = Stage::new().await;
    let id = stage.hire(1, "Nurse").await;
    stage.settled().await;
    stage.delete(&id).await;
    stage.settled().await;
    assert_eq!(stage.account().state, AccountState::Disabled);
    assert_eq!(stage.link(&id).await.state, LinkState::Tombstone);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freed_name_never_hands_a_leavers_account_to_somebody_else() {
    let stage = Stage::new().await;
    let id = stage.hire(1, "Nurse").await;
    stage.settled().await;
    stage.delete(&id).await;
    stage.settled().await;
    let mut namesake = person(2, "Nurse");
    namesake["userName"] = json!("tp1@hosp.example");
    let other = stage.create(&stage.users(), namesake).await.unwrap().view.resource.id;
    stage.settled().await;
    assert_eq!(stage.link(&other).await.state, LinkState::Disputed);
    assert_eq!(stage.account().state, AccountState::Disabled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_returns_under_the_same_number_gets_the_old_account_back() {
    let stage = Stage::new().await;
    let id = stage.hire(1, "Nurse").await;
    stage.settled().await;
    let native = stage.account().id;
    stage.delete(&id).await;
    stage.settled().await;
    let again = stage.hire(1, "Clerk").await;
    stage.settled().await;
    let account = stage.account();
    assert_eq!((account.id, account.state), (native, AccountState::Enabled));
    assert_eq!(stage.link(&again).await.state, LinkState::Linked);
    assert_eq!(held(&stage.account()), Vec::<String>::new(), "never the old set");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_access_that_was_there_before_waits_for_review() {
    let stage = Stage::new().await;
    let there = Stage::new().await;
    there.hire(1, "Nurse").await;
    there.settled().await;
    stage.ehr.put(there.account());
    let id = stage.hire(1, "Nurse").await;
    stage.settled().await;
    assert_eq!(stage.link(&id).await.state, LinkState::Parked(Parked::Adoption));
}

#[tokio::test(flavor = "multi_thread")]
async fn under_confirm_a_create_that_is_refused_is_taken_back_with_the_reason() {
    let stage = Stage::with(confirming()).await;
    stage.ehr.fail_next(Op::Create, ConnError::invalid("too long").attribute("login"));
    let refused = stage.create(&stage.users(), person(1, "Nurse")).await;
    let Err(Error::Scim(error)) = refused else { panic!("{refused:?}") };
    assert_eq!(error.status, 400);
    assert!(error.detail.contains("ehr") && error.detail.contains("too long"), "{}", error.detail);
    stage.settled().await;
    let second = stage.create(&stage.users(), person(1, "Nurse")).await;
    assert!(second.is_ok(), "the name is free again: {second:?}");
    assert_eq!(held(&stage.account()), ["RN"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn under_confirm_a_refused_change_says_that_it_is_stored() {
    let stage = Stage::with(confirming()).await;
    let id = stage.hire(1, "Nurse").await;
    assert_eq!(held(&stage.account()), ["RN"], "the answer came after the target");
    stage.ehr.fail_next(Op::Update, ConnError::conflict("last one"));
    stage.ehr.fail_next(Op::Update, ConnError::conflict("last one"));
    let refused = stage.patch(&id, json!([{ "op": "replace", "path": "title", "value": "Clerk" }])).await;
    let Err(Error::Scim(error)) = refused else { panic!("{refused:?}") };
    assert_eq!(error.status, 409);
    assert!(error.detail.starts_with("stored, refused by ehr"), "{}", error.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn under_confirm_an_outage_is_still_a_success() {
    let stage = Stage::with(confirming()).await;
    stage.ehr.outage(ConnError::transient("down"));
    let saved = stage.create(&stage.users(), person(1, "Nurse")).await;
    assert!(saved.is_ok(), "{saved:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_the_middle_of_a_create_makes_no_second_account() {
    let mut stage = Stage::new().await;
    stage.ehr.set_latency(Duration::from_millis(40));
    for number in 1..=12 {
        stage.hire(number, "Nurse").await;
    }
    stage.crash().await;
    stage.settled().await;
    assert_eq!(stage.accounts().len(), 12);
    assert!(stage.accounts().iter().all(|account| held(account) == ["RN"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_rule_reaches_everybody() {
    let mut stage = Stage::new().await;
    for number in 1..=5 {
        stage.hire(number, "Nurse").await;
    }
    stage.settled().await;
    let mut edited = policy();
    edited.roles[0].entitlements = vec!["ehr:security-class:MD".into()];
    stage.reconfigure(edited).await;
    stage
        .until("the rule reached everybody", |links| links.iter().all(|link| link.generation == 2 && !link.pending()))
        .await;
    assert!(stage.accounts().iter().all(|account| held(account) == ["MD"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_gives_its_members_a_role_and_takes_it_back() {
    let stage = Stage::new().await;
    let id = stage.hire(1, "Clerk").await;
    stage.settled().await;
    let groups = std::sync::Arc::clone(stage.engine.types().group());
    let group = json!({ "displayName": "ED staff", "members": [{ "value": id.as_str() }] });
    let group = stage.create(&groups, group).await.unwrap().view.resource.id;
    stage.until("the role arrived", |links| links.iter().all(|link| link.generation == 2 && !link.pending())).await;
    assert_eq!(held(&stage.account()), ["ED"]);
    let remove = json!([{ "op": "remove", "path": format!("members[value eq \"{id}\"]") }]);
    stage.patch_type(&groups, &group, remove).await.unwrap();
    stage.until("the role went", |links| links.iter().all(|link| link.generation == 3 && !link.pending())).await;
    assert_eq!(held(&stage.account()), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_date_opens_the_account_by_itself() {
    let stage = Stage::new().await;
    let mut joiner = person(1, "Nurse");
    let start = gateway_domain::Clock::now(stage.clock.as_ref()) + jiff::SignedDuration::from_hours(2);
    joiner["urn:chartgate:params:scim:schemas:extension:clinical:1.0:User"] = json!({ "startDate": start.to_string() });
    stage.create(&stage.users(), joiner).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(stage.accounts().is_empty());
    stage.pass(2 * 3_600 + 5);
    stage.until("the account stands", |links| links.iter().any(|link| link.native_id.is_some())).await;
    assert_eq!(stage.account().state, AccountState::Enabled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaver_never_ends_enabled_however_the_creation_crosses() {
    let stage = Stage::new().await;
    for number in 1..=25 {
        match number % 5 {
            0 => stage.ehr.lose_next_reply(Op::Create),
            1 => stage.ehr.fail_next(Op::Create, ConnError::transient("busy")),
            2 => stage.ehr.fail_next(Op::Find, ConnError::transient("busy")),
            3 => stage.ehr.set_latency(Duration::from_millis(3)),
            _ => stage.ehr.set_latency(Duration::ZERO),
        }
        let id = stage.hire(number, "Nurse").await;
        tokio::time::sleep(Duration::from_millis(u64::from(number) % 7)).await;
        stage.patch(&id, json!([{ "op": "replace", "path": "active", "value": false }])).await.unwrap();
    }
    // A create whose outcome was never told is looked for twice, with a wait between.
    for _ in 0..5 {
        stage.pass(120);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    stage.settled().await;
    for account in stage.accounts() {
        assert_eq!((account.state, held(&account)), (AccountState::Disabled, Vec::<String>::new()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rules_give_is_read_back_and_never_taken_for_a_request() {
    let stage = Stage::new().await;
    let id = stage.hire(1, "Nurse").await;
    let values = |saved: &gateway_engine::Saved, name: &str| -> Vec<String> {
        let list = saved.view.resource.attrs.get(name).and_then(|list| list.as_array()).cloned().unwrap_or_default();
        list.iter().map(|one| one["value"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let asks = json!([{ "op": "add", "path": "roles", "value": [{ "value": "emergency" }] }]);
    let saved = stage.patch(&id, asks).await.unwrap();
    assert_eq!(values(&saved, "roles"), ["emergency", "nurse"]);
    assert_eq!(values(&saved, "entitlements"), ["ehr:security-class:RN", "ehr:security-class:ED"]);

    // She is no nurse any more: what the rule gave goes, what was asked for stays.
    let moved = json!([{ "op": "replace", "path": "title", "value": "Clerk" }]);
    let saved = stage.patch(&id, moved).await.unwrap();
    assert_eq!(values(&saved, "roles"), ["emergency"]);
    stage.settled().await;
    assert_eq!(held(&stage.account()), ["ED"]);

    let taken = json!([{ "op": "remove", "path": "roles[value eq \"emergency\"]" }]);
    let saved = stage.patch(&id, taken).await.unwrap();
    assert_eq!((values(&saved, "roles"), values(&saved, "entitlements")), (vec![], vec![]));
    stage.settled().await;
    assert_eq!(held(&stage.account()), Vec::<String>::new());
}
