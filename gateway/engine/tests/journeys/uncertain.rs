//! Calls whose outcome is not known, and what happens to people meanwhile.

use crate::odd::{Desk, Notice, Notifying, Tray, Verdicts, work_off};
use crate::stage::{Stage, held, policy};
use connector_spi::{AccountState, ConnError, Entitlement, Kind, Op, ReadAfterWrite, Record, TicketState};
use connector_testkit::memory::Memory;
use gateway_domain::ResourceId;
use gateway_domain::link::{Link, LinkState, Parked};
use gateway_engine::LinkReport;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn renamed(name: &str) -> Value {
    json!([{ "op": "replace", "path": "userName", "value": name }])
}

fn set(path: &str, value: impl Into<Value>) -> Value {
    json!([{ "op": "replace", "path": path, "value": value.into() }])
}

/// A person whose account was made, and the gateway does not know it: the answer was lost, and nothing can be looked up yet.
async fn unknown(stage: &Stage) -> ResourceId {
    stage.ehr.lose_next_reply(Op::Create);
    stage.ehr.fail_times(Op::Find, 1_000, &ConnError::transient("busy"));
    let id = stage.hire(1, "Nurse").await;
    stage.until("the create was tried", |links| links.iter().any(|link| link.attempt > 0)).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_renamed_before_a_lost_create_is_found_has_one_account() {
    let stage = Stage::new().await;
    let id = unknown(&stage).await;
    stage.patch(&id, renamed("tp1-married@hosp.example")).await.unwrap();
    stage.ehr.heal();
    stage.settled().await;
    let account = stage.account();
    assert_eq!(account.attrs["login"][0].as_text(), Some("tp1-married@hosp.example"));
    assert_eq!(held(&account), ["RN"]);
    assert_eq!(stage.link(&id).await.native_id, Some(account.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_renamed_and_leaves_before_a_lost_create_is_found_is_shut_out() {
    let stage = Stage::new().await;
    let id = unknown(&stage).await;
    stage.patch(&id, renamed("tp1-married@hosp.example")).await.unwrap();
    stage.patch(&id, set("active", false)).await.unwrap();
    stage.ehr.heal();
    stage.settled().await;
    let account = stage.account();
    assert_eq!((account.state, held(&account)), (AccountState::Disabled, Vec::<String>::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_a_lost_create_and_a_rename_forgets_nothing() {
    let mut stage = Stage::new().await;
    let id = unknown(&stage).await;
    stage.crash().await;
    stage.patch(&id, renamed("tp1-married@hosp.example")).await.unwrap();
    stage.ehr.heal();
    stage.settled().await;
    assert_eq!(stage.account().attrs["login"][0].as_text(), Some("tp1-married@hosp.example"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_rename_in_a_target_whose_ids_are_names_is_found_under_the_new_name() {
    let catalogue = [(Kind::from("security-class"), ["RN".into()].into())].into();
    let named = Memory::with_schema(Memory::new().target_schema(), catalogue, [Kind::from("account")].into());
    let stage = Stage::odd(named, |plain| plain).await;
    let id = stage.hire(1, "Nurse").await;
    stage.settled().await;
    stage.ehr.lose_next_reply(Op::Update);
    stage.patch(&id, renamed("tp1-married@hosp.example")).await.unwrap();
    stage.settled().await;
    let account = stage.account();
    assert_eq!(account.attrs["login"][0].as_text(), Some("tp1-married@hosp.example"));
    assert_eq!(stage.link(&id).await.native_id, Some(account.id));
    stage.patch(&id, set("active", false)).await.unwrap();
    stage.settled().await;
    assert_eq!(stage.account().state, AccountState::Disabled);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_at_once_is_not_made_a_second_time_at_once() {
    let model = Memory::new();
    model.alter_schema(|schema| {
        for kind in schema.kinds.values_mut() {
            kind.caps.read_after_write = ReadAfterWrite::EventualMs(700);
        }
    });
    let stage = Stage::odd(model, |plain| plain).await;
    stage.ehr.lose_next_reply(Op::Create);
    stage.hire(1, "Nurse").await;
    stage.until("the create was tried", |links| links.iter().any(|link| link.attempt > 0)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(stage.ehr.count(Op::Find), 0, "the target says that it cannot be read yet");
    stage.settled().await;
    assert_eq!(stage.ehr.count(Op::Create), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_target_takes_on_is_pending_until_it_stands_there() {
    let tray = Tray::default();
    let desk = Arc::clone(&tray);
    let stage = Stage::odd(Memory::new(), move |plain| Desk::before(plain, &desk)).await;
    let id = stage.hire(1, "Nurse").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    stage.pass(5);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(stage.link(&id).await.pending(), "nothing is reported as done");
    assert_eq!(tray.lock().unwrap().len(), 1, "nothing is asked for twice");

    work_off(&tray, &stage.ehr.connector()).await;
    stage.settled().await;
    assert_eq!(held(&stage.account()), ["RN"]);
    let owned = stage.link(&id).await.seen.unwrap().owned;
    assert_eq!(owned, [Entitlement::new("security-class", "RN")], "what was asked for is ours");

    stage.patch(&id, set("active", false)).await.unwrap();
    stage.until("the closing is taken on", |_| tray.lock().unwrap().len() == 1).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert!(stage.link(&id).await.pending());
    assert_eq!(tray.lock().unwrap().len(), 1);
    work_off(&tray, &stage.ehr.connector()).await;
    stage.settled().await;
    assert_eq!(stage.account().state, AccountState::Disabled);
    assert_eq!(stage.link(&id).await.seen.unwrap().verified, Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_is_refused_is_the_answer_to_what_was_asked_for() {
    let (tray, verdicts) = (Tray::default(), Verdicts::default());
    let (desk, told) = (Arc::clone(&tray), Arc::clone(&verdicts));
    let stage = Stage::odd(Memory::new(), move |plain| Desk::telling(plain, &desk, &told)).await;
    let refused = |error: ConnError| TicketState::Refused(error);
    verdicts.lock().unwrap().insert("T1".to_owned(), refused(ConnError::invalid("no such unit").attribute("title")));
    let id = stage.hire(1, "Nurse").await;
    stage.until("it waits for somebody", |links| links.iter().any(|link| link.state != LinkState::Unlinked)).await;
    let link = stage.link(&id).await;
    assert_eq!(link.state, LinkState::Parked(Parked::Refused));
    assert_eq!(link.last_error.unwrap().error.attribute.as_deref(), Some("title"));

    // What is wanted changes: it is asked for again, and a passing refusal is tried once more by itself.
    tray.lock().unwrap().clear();
    verdicts.lock().unwrap().insert("T1".to_owned(), refused(ConnError::transient("the desk is closed")));
    stage.patch(&id, set("title", "Manager")).await.unwrap();
    stage.until("it is asked for again", |_| tray.lock().unwrap().len() == 2).await;
    drop(tray.lock().unwrap().remove(0));
    work_off(&tray, &stage.ehr.connector()).await;
    stage.settled().await;
    assert_eq!(stage.accounts().len(), 1);
    assert_eq!(stage.link(&id).await.native_id, Some(stage.account().id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaver_waits_for_no_ticket_but_for_the_one_that_makes_the_account() {
    let (tray, verdicts) = (Tray::default(), Verdicts::default());
    let (desk, told) = (Arc::clone(&tray), Arc::clone(&verdicts));
    let stage = Stage::odd(Memory::new(), move |plain| Desk::telling(plain, &desk, &told)).await;
    verdicts.lock().unwrap().insert("T1".to_owned(), TicketState::Open);
    let waits = stage.hire(1, "Nurse").await;
    stage.until("it is taken on", |_| tray.lock().unwrap().len() == 1).await;
    stage.patch(&waits, set("active", false)).await.unwrap();
    // Longer than any target works on a ticket: this one says that it does.
    for _ in 0..3 {
        stage.pass(5 * 24 * 60 * 60);
        tokio::time::sleep(Duration::from_millis(1_200)).await;
    }
    assert!(stage.link(&waits).await.pending(), "the account may still be made");
    work_off(&tray, &stage.ehr.connector()).await;
    stage.pass(60);
    stage.until("the closing is asked for", |_| tray.lock().unwrap().len() == 1).await;
    work_off(&tray, &stage.ehr.connector()).await;
    verdicts.lock().unwrap().clear();
    stage.settled().await;
    assert_eq!(stage.account().state, AccountState::Disabled);

    stage.patch(&waits, set("active", true)).await.unwrap();
    stage.until("the opening is taken on", |_| tray.lock().unwrap().len() == 1).await;
    work_off(&tray, &stage.ehr.connector()).await;
    stage.settled().await;
    verdicts.lock().unwrap().insert("T1".to_owned(), TicketState::Open);
    stage.patch(&waits, set("title", "Manager")).await.unwrap();
    stage.until("the change is taken on", |_| tray.lock().unwrap().len() == 1).await;
    stage.patch(&waits, set("active", false)).await.unwrap();
    stage.until("the closing does not wait for it", |_| tray.lock().unwrap().len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refusal_of_a_hire_holds_up_no_leaving() {
    let (tray, verdicts) = (Tray::default(), Verdicts::default());
    let (desk, told) = (Arc::clone(&tray), Arc::clone(&verdicts));
    let stage = Stage::odd(Memory::new(), move |plain| Desk::telling(plain, &desk, &told)).await;
    verdicts.lock().unwrap().insert("T1".to_owned(), TicketState::Open);
    let id = stage.hire(1, "Nurse").await;
    stage.until("it is taken on", |links| links.iter().any(|link| ticket(link).is_some())).await;
    let refused = TicketState::Refused(ConnError::invalid("no such unit"));
    verdicts.lock().unwrap().insert("T1".to_owned(), refused);
    stage.patch(&id, set("active", false)).await.unwrap();
    let looked = |links: &[Link]| links.iter().all(|link| ticket(link).is_none());
    stage.until("the ticket is done with", looked).await;
    stage.pass(60);
    stage.settled().await;
    assert_eq!(stage.link(&id).await.last_error, None, "nobody is told of a refusal that is of no matter");
    assert!(stage.accounts().is_empty());
}

/// The ticket that operators are shown.
fn ticket(link: &Link) -> Option<String> {
    LinkReport::from(link.clone()).ticket
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_ticket_made_is_found_by_the_id_that_it_names() {
    let (tray, verdicts) = (Tray::default(), Verdicts::default());
    let (desk, told) = (Arc::clone(&tray), Arc::clone(&verdicts));
    let stage = Stage::odd(Memory::new(), move |plain| Desk::telling(plain, &desk, &told)).await;
    verdicts.lock().unwrap().insert("T1".to_owned(), TicketState::Open);
    let id = stage.hire(1, "Nurse").await;
    stage.until("it is taken on", |links| links.iter().any(|link| ticket(link).as_deref() == Some("T1"))).await;
    work_off(&tray, &stage.ehr.connector()).await;
    // The desk gave it another login than was asked for.
    let made = stage.account().id;
    let name = |record: &mut Record| {
        record.attrs.insert("login".to_owned(), vec!["of-the-desk".into()]);
        record.natural_key.insert("login".to_owned(), "of-the-desk".into());
    };
    assert!(stage.ehr.tamper("account", &made, name));
    verdicts.lock().unwrap().insert("T1".to_owned(), TicketState::Done { id: Some(made.clone()) });
    stage.until("it is linked", |links| links.iter().any(|link| link.native_id.as_ref() == Some(&made))).await;
    assert_eq!(stage.accounts().len(), 1);
    assert_eq!(stage.link(&id).await.native_id, Some(made));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_change_is_done_again_until_it_is_done() {
    let notice = Arc::new(Notice::default());
    let given = Arc::clone(&notice);
    let stage = Stage::odd(Memory::new(), move |plain| Notifying::around(plain, &given)).await;
    let id = stage.hire(1, "Nurse").await;
    stage.settled().await;
    assert_eq!(notice.given.load(Ordering::SeqCst), 1);

    notice.fails.store(true, Ordering::SeqCst);
    stage.patch(&id, set("active", false)).await.unwrap();
    stage.until("the notice failed", |links| links.iter().any(|link| link.attempt > 1)).await;
    assert_eq!(stage.account().state, AccountState::Disabled);
    assert!(stage.link(&id).await.pending(), "the change stands, and what follows it does not");

    notice.fails.store(false, Ordering::SeqCst);
    stage.settled().await;
    assert_eq!(notice.given.load(Ordering::SeqCst), 2);
    assert_eq!(stage.link(&id).await.seen.unwrap().verified, Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_change_is_done_again_when_its_answer_was_lost() {
    let notice = Arc::new(Notice::default());
    let given = Arc::clone(&notice);
    let stage = Stage::odd(Memory::new(), move |plain| Notifying::around(plain, &given)).await;
    let id = stage.hire(1, "Clerk").await;
    stage.settled().await;
    stage.ehr.lose_next_reply(Op::Update);
    stage.patch(&id, set("title", "Nurse")).await.unwrap();
    stage.settled().await;
    assert_eq!(held(&stage.account()), ["RN"]);
    assert_eq!(notice.given.load(Ordering::SeqCst), 2, "once for the create, once for the change");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_to_a_leavers_account_keeps_it_whatever_is_tried_again() {
    let stage = Stage::new().await;
    let old = stage.hire(1, "Nurse").await;
    stage.settled().await;
    stage.delete(&old).await;
    stage.settled().await;
    let id = stage.hire(1, "Clerk").await;
    stage.settled().await;
    assert_eq!((stage.account().state, held(&stage.account())), (AccountState::Enabled, Vec::<String>::new()));
    assert!(stage.ehr.log_in("account", &stage.account().id));

    stage.engine.retry(gateway_store::LinkFilter::default(), "operator").await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    stage.settled().await;

    assert_eq!(stage.account().state, AccountState::Enabled);
    assert_eq!(stage.ehr.snapshot().sessions.len(), 1, "nobody's session was ended");
    assert_eq!(stage.link(&id).await.state, LinkState::Linked);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_loses_what_was_left_on_the_account_by_policy() {
    let mut config = policy();
    if let Some(account) = &mut config.targets[0].account {
        account.on_leave.strip = gateway_domain::link::Strip::None;
    }
    let stage = Stage::with(config).await;
    let old = stage.hire(1, "Nurse").await;
    stage.settled().await;
    stage.delete(&old).await;
    stage.settled().await;
    assert_eq!(held(&stage.account()), ["RN"], "the policy leaves entitlements on a closed account");
    stage.hire(1, "Clerk").await;
    stage.settled().await;
    assert_eq!((stage.account().state, held(&stage.account())), (AccountState::Enabled, Vec::<String>::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_gave_with_dates_of_theirs_is_never_taken_for_ours() {
    let stage = Stage::new().await;
    let id = stage.hire(1, "Clerk").await;
    stage.settled().await;
    let mut theirs = Entitlement::new("security-class", "RN");
    theirs.valid_from = Some("2026-01-01T00:00:00Z".parse().unwrap());
    theirs.valid_to = Some("2099-01-01T00:00:00Z".parse().unwrap());
    let given = theirs.clone();
    stage.ehr.tamper("account", &stage.account().id, |record| {
        record.entitlements = Some(vec![given]);
    });
    // What is there is read: the answer to a change is lost.
    stage.ehr.lose_next_reply(Op::Update);
    stage.patch(&id, set("displayName", "Testperson One")).await.unwrap();
    stage.settled().await;

    stage.patch(&id, set("title", "Nurse")).await.unwrap();
    stage.settled().await;
    assert_eq!(stage.account().entitlements, Some(vec![theirs.clone()]), "a reason of ours changes no date of theirs");
    stage.patch(&id, set("title", "Clerk")).await.unwrap();
    stage.settled().await;
    assert_eq!(stage.account().entitlements, Some(vec![theirs]), "and when it ends, theirs stays");
}
