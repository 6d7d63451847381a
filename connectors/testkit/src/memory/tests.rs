#![allow(clippy::unwrap_used)]
use super::*;
use crate::TestHost;
use connector_spi::{
    AccountState::{Disabled, Enabled},
    Attrs, Change, Class, Ctx, Delta, EffectFacet, Entitlement, Value,
};

fn person(number: u32) -> Attrs {
    let login = Value::from(format!("tp{number}"));
    let employee = Value::from(format!("E{number}"));
    Attrs::from([("login".into(), vec![login]), ("employeeNumber".into(), vec![employee])])
}

fn ctx() -> Ctx {
    TestHost::new().ctx()
}

async fn made(memory: &Memory, number: u32) -> NativeId {
    let cx = Ctx { op_id: format!("make-{number}").into(), ..ctx() };
    memory.create(&cx, &"account".into(), &person(number), Enabled, &[]).await.unwrap().id
}

#[tokio::test]
async fn a_lost_reply_has_done_its_work_and_its_repetition_finds_it() {
    let memory = Memory::new();
    memory.lose_next_reply(Op::Create);
    let cx = ctx();

    let lost = memory.create(&cx, &"account".into(), &person(1), Enabled, &[]).await.unwrap_err();
    let again = memory.create(&cx, &"account".into(), &person(1), Enabled, &[]).await.unwrap();

    assert_eq!((lost.class, lost.effect), (Class::Timeout, connector_spi::Effect::Maybe));
    assert_eq!(memory.snapshot().of_kind("account").map(|r| r.id.clone()).collect::<Vec<_>>(), [again.id]);
    assert_eq!(memory.writes().len(), 1);
}

#[tokio::test]
async fn a_failure_on_command_changes_nothing_and_happens_once() {
    let memory = Memory::new();
    memory.fail_next(Op::Create, ConnError::transient("busy"));

    let refused = memory.create(&ctx(), &"account".into(), &person(1), Enabled, &[]).await.unwrap_err();

    assert_eq!(refused.class, Class::Transient);
    assert!(memory.snapshot().records.is_empty());
    made(&memory, 1).await;
}

#[tokio::test]
async fn a_disabled_account_keeps_its_sessions_until_they_are_revoked() {
    let memory = Memory::new();
    let id = made(&memory, 1).await;
    assert!(memory.log_in("account", &id));

    let off = Change { state: Some(Disabled), ..Change::default() };
    memory.update(&ctx(), &"account".into(), &id, &off).await.unwrap();
    let still_open = memory.effective(&ctx(), &"account".into(), &id).await.unwrap();
    memory.revoke_sessions(&ctx(), &"account".into(), &id).await.unwrap();

    assert_eq!((still_open.can_login, still_open.sessions), (Some(false), Some(1)));
    assert!(memory.snapshot().sessions.is_empty());
    assert!(!memory.log_in("account", &id));
}

#[tokio::test]
async fn a_renamed_group_gets_a_new_id_and_frees_the_old_name() {
    let memory = Memory::new();
    let named = |name: &str| Attrs::from([("name".into(), vec![Value::from(name)])]);
    let old = memory.create(&ctx(), &"group".into(), &named("North"), Enabled, &[]).await.unwrap().id;

    let rename =
        Change { attrs: BTreeMap::from([("name".into(), Delta::Set(vec!["South".into()]))]), ..Change::default() };
    let new = memory.update(&ctx(), &"group".into(), &old, &rename).await.unwrap().new_id.unwrap();

    assert_eq!(memory.get(&ctx(), &"group".into(), &old).await.unwrap(), None);
    assert!(memory.get(&ctx(), &"group".into(), &new).await.unwrap().is_some());
    memory.create(&ctx(), &"group".into(), &named("North"), Enabled, &[]).await.unwrap();
}

#[tokio::test]
async fn an_update_that_changes_nothing_is_no_write() {
    let memory = Memory::new();
    let id = made(&memory, 1).await;
    let before = memory.snapshot();
    let change = Change {
        attrs: BTreeMap::from([("login".into(), Delta::Set(vec!["tp1".into()]))]),
        state: Some(Enabled),
        ..Change::default()
    };

    memory.update(&ctx(), &"account".into(), &id, &change).await.unwrap();

    assert_eq!(memory.snapshot(), before);
    assert_eq!(memory.writes().len(), 1);
}

#[tokio::test]
async fn a_bad_entitlement_among_good_parts_is_reported_beside_them() {
    let memory = Memory::new();
    let id = made(&memory, 1).await;
    let mut change = Change::default();
    change.attrs.insert("title".into(), Delta::Set(vec!["Nurse".into()]));
    change.entitlements.add =
        vec![Entitlement::new("security-class", "NO-SUCH"), Entitlement::new("security-class", "RN")];

    let updated = memory.update(&ctx(), &"account".into(), &id, &change).await.unwrap();

    assert_eq!(updated.failed.iter().map(|f| f.part.as_str()).collect::<Vec<_>>(), ["security-class:NO-SUCH"]);
    let record = memory.get(&ctx(), &"account".into(), &id).await.unwrap().unwrap();
    assert_eq!(record.entitlements.unwrap(), [Entitlement::new("security-class", "RN")]);
    assert_eq!(record.attrs.get("title").unwrap(), &["Nurse".into()]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_outlasts_its_deadline_ends_there() {
    let memory = Memory::new();
    memory.set_latency(Duration::from_secs(60));
    let begun = tokio::time::Instant::now();

    let late = memory.check(&ctx()).await.unwrap_err();

    assert_eq!((late.class, begun.elapsed()), (Class::Timeout, Duration::from_secs(10)));
}

#[tokio::test]
async fn a_dry_run_answers_as_the_real_call_would_and_writes_nothing() {
    let memory = Memory::new();
    let cx = Ctx { dry_run: true, ..ctx() };

    memory.create(&cx, &"account".into(), &person(1), Enabled, &[]).await.unwrap();
    let refused = memory.create(&cx, &"account".into(), &Attrs::new(), Enabled, &[]).await.unwrap_err();

    assert_eq!(refused.class, Class::Invalid);
    assert!(memory.snapshot().records.is_empty());
}
