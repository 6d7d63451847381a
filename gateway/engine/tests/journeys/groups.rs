//! Groups as objects in a target: made, filled, renamed and left, with everything going wrong on the way.

use crate::odd::Doorman;
use crate::stage::{Stage, confirming, policy};
use connector_spi::{ConnError, Op, Record};
use connector_testkit::memory::Memory;
use gateway_domain::ResourceId;
use gateway_domain::link::{Link, LinkState, Parked};
use gateway_domain::policy::{GroupConfig, GroupEnd, MappingConfig, PolicyConfig};
use gateway_engine::{Error, Precondition, Saved};
use gateway_store::{LinkFilter, Needs};
use scim::ResourceType;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The policy with groups kept as objects in the target.
fn grouped(mut config: PolicyConfig) -> PolicyConfig {
    let expr = |text: &str| MappingConfig::Expr(text.to_owned());
    for target in &mut config.targets {
        target.group = Some(GroupConfig {
            when: Some("group.displayName != 'Nobody'".to_owned()),
            key: vec!["name".to_owned()],
            attributes: BTreeMap::from([
                ("name".to_owned(), expr("group.displayName")),
                ("description".to_owned(), expr("group.externalId")),
            ]),
            ..GroupConfig::default()
        });
    }
    config
}

fn ending(on_delete: GroupEnd) -> PolicyConfig {
    let mut config = grouped(policy());
    config.targets.iter_mut().flat_map(|target| &mut target.group).for_each(|group| group.on_delete = on_delete);
    config
}

fn groups(stage: &Stage) -> Arc<ResourceType> {
    Arc::clone(stage.engine.types().group())
}

fn refs(ids: &[ResourceId]) -> Value {
    ids.iter().map(|id| json!({ "value": id.as_str() })).collect()
}

async fn found(stage: &Stage, name: &str, members: &[ResourceId]) -> ResourceId {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": name,
        "externalId": format!("ext-{name}"),
        "members": refs(members),
    });
    stage.create(&groups(stage), body).await.unwrap().view.resource.id
}

async fn change(stage: &Stage, id: &ResourceId, operations: Value) -> Result<Saved, Error> {
    stage.patch_type(&groups(stage), id, operations).await
}

async fn add(stage: &Stage, id: &ResourceId, members: &[ResourceId]) {
    change(stage, id, json!([{ "op": "add", "path": "members", "value": refs(members) }])).await.unwrap();
}

async fn remove(stage: &Stage, id: &ResourceId, member: &ResourceId) {
    let path = format!("members[value eq \"{member}\"]");
    change(stage, id, json!([{ "op": "remove", "path": path }])).await.unwrap();
}

async fn delete(stage: &Stage, id: &ResourceId) {
    stage.engine.delete(&stage.caller(), &groups(stage), id, Precondition::Any).await.unwrap();
}

fn object(stage: &Stage, name: &str) -> Option<Record> {
    stage.ehr.snapshot().with("group", "name", name).pop().cloned()
}

/// The logins of a group's members in the target.
fn members(stage: &Stage, name: &str) -> Vec<String> {
    let record = object(stage, name).expect("the group stands in the target");
    let accounts = stage.accounts();
    let login = |id: &connector_spi::Value| {
        let account = accounts.iter().find(|account| Some(account.id.as_str()) == id.as_text());
        account.map_or_else(|| format!("no account {id}"), |account| account.attrs["login"][0].to_string())
    };
    let mut logins: Vec<String> = record.attrs.get("members").into_iter().flatten().map(login).collect();
    logins.sort();
    logins
}

fn logins(numbers: &[u32]) -> Vec<String> {
    numbers.iter().map(|number| format!("tp{number}@hosp.example")).collect()
}

fn group_link(links: &[Link]) -> Option<&Link> {
    links.iter().find(|link| link.key.kind.as_str() == "group")
}

async fn version(stage: &Stage, id: &ResourceId) -> u64 {
    stage.engine.store().view("User", id, Needs::default()).await.unwrap().unwrap().resource.version
}

/// Calls that changed a group in the target.
fn updates(stage: &Stage) -> usize {
    let of_group = |kind: &Option<connector_spi::Kind>| kind.as_ref().is_some_and(|kind| kind.as_str() == "group");
    stage.ehr.calls().iter().filter(|call| call.op == Op::Update && of_group(&call.kind)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_made_before_its_members_have_accounts_is_filled_as_they_come() {
    let mut config = grouped(policy());
    for account in config.targets.iter_mut().flat_map(|target| &mut target.account) {
        account.when = Some("user.title == 'Nurse'".to_owned());
    }
    let stage = Stage::with(config).await;
    let (nurse, clerk) = (stage.hire(1, "Nurse").await, stage.hire(2, "Clerk").await);
    found(&stage, "ward 4", &[nurse.clone(), clerk.clone()]).await;
    stage.settled().await;
    assert_eq!(members(&stage, "ward 4"), logins(&[1]));

    stage.patch(&clerk, json!([{ "op": "replace", "path": "title", "value": "Nurse" }])).await.unwrap();
    stage.settled().await;
    assert_eq!(members(&stage, "ward 4"), logins(&[1, 2]));
    assert_eq!(object(&stage, "ward 4").unwrap().attrs["description"][0].as_text(), Some("ext-ward 4"));
    assert_eq!((version(&stage, &nurse).await, version(&stage, &clerk).await), (1, 2), "only its own patch moved one");
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_hundred_members_arrive_in_three_calls() {
    let stage = Stage::quick(grouped(policy())).await;
    let mut everybody = Vec::new();
    for some in (1..=1_200).collect::<Vec<u32>>().chunks(200) {
        let hired = some.iter().map(|number| stage.hire(*number, "Nurse"));
        everybody.extend(futures_util::future::join_all(hired).await);
    }
    for _ in 0..3_000 {
        let status = stage.engine.status().await.unwrap();
        if status.iter().all(|target| target.links.due == 0 && target.links.linked == 1_200) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    found(&stage, "all staff", &everybody).await;
    for _ in 0..1_500 {
        if stage.engine.status().await.unwrap().iter().all(|target| target.links.due == 0) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(members(&stage, "all staff").len(), 1_200);
    assert_eq!(updates(&stage), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_a_group_leaves_it_in_the_target_and_no_version_moves() {
    let stage = Stage::with(grouped(policy())).await;
    let (one, two) = (stage.hire(1, "Nurse").await, stage.hire(2, "Clerk").await);
    let group = found(&stage, "ward 4", &[one.clone(), two.clone()]).await;
    stage.settled().await;
    remove(&stage, &group, &one).await;
    stage.settled().await;
    assert_eq!(members(&stage, "ward 4"), logins(&[2]));
    add(&stage, &group, std::slice::from_ref(&one)).await;
    stage.settled().await;
    assert_eq!(members(&stage, "ward 4"), logins(&[1, 2]));
    assert_eq!((version(&stage, &one).await, version(&stage, &two).await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_others_put_into_a_group_stays_in_it() {
    let stage = Stage::with(grouped(policy())).await;
    let (one, two) = (stage.hire(1, "Nurse").await, stage.hire(2, "Nurse").await);
    let group = found(&stage, "ward 4", std::slice::from_ref(&one)).await;
    stage.settled().await;
    let theirs = stage.link(&two).await.native_id.unwrap();
    let ward = object(&stage, "ward 4").unwrap().id;
    stage.ehr.tamper("group", &ward, |record| {
        record.attrs.entry("members".to_owned()).or_default().push(theirs.as_str().into());
    });
    remove(&stage, &group, &one).await;
    stage.settled().await;
    assert_eq!(members(&stage, "ward 4"), logins(&[2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_group_keeps_its_members_also_where_its_id_is_its_name() {
    let stage = Stage::with(grouped(policy())).await;
    let (one, two) = (stage.hire(1, "Nurse").await, stage.hire(2, "Nurse").await);
    let group = found(&stage, "ward 4", std::slice::from_ref(&one)).await;
    stage.settled().await;
    change(&stage, &group, json!([{ "op": "replace", "path": "displayName", "value": "ward 5" }])).await.unwrap();
    add(&stage, &group, std::slice::from_ref(&two)).await;
    stage.settled().await;
    assert_eq!(object(&stage, "ward 4"), None);
    assert_eq!(members(&stage, "ward 5"), logins(&[1, 2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_group_stays_as_it_is_where_the_policy_says_keep() {
    let stage = Stage::with(ending(GroupEnd::Keep)).await;
    let (one, two) = (stage.hire(1, "Nurse").await, stage.hire(2, "Nurse").await);
    let group = found(&stage, "ward 4", &[one.clone(), two]).await;
    stage.settled().await;
    delete(&stage, &group).await;
    stage.settled().await;
    assert_eq!(members(&stage, "ward 4"), logins(&[1, 2]));
    assert_eq!(group_link(&stage.links().await).unwrap().state, LinkState::Tombstone);
    assert!(stage.engine.status().await.unwrap().iter().all(|target| target.links.unverified == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_group_is_deleted_where_the_policy_says_so() {
    let stage = Stage::with(ending(GroupEnd::Delete)).await;
    let one = stage.hire(1, "Nurse").await;
    let group = found(&stage, "ward 4", &[one]).await;
    stage.settled().await;
    delete(&stage, &group).await;
    stage.settled().await;
    assert_eq!(object(&stage, "ward 4"), None);
    assert_eq!(stage.accounts().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaver_is_in_no_group_and_comes_back_into_them() {
    let stage = Stage::with(grouped(policy())).await;
    let (one, two) = (stage.hire(1, "Nurse").await, stage.hire(2, "Nurse").await);
    found(&stage, "ward 4", &[one.clone(), two.clone()]).await;
    stage.settled().await;
    stage.patch(&one, json!([{ "op": "replace", "path": "active", "value": false }])).await.unwrap();
    stage.delete(&two).await;
    stage.settled().await;
    assert_eq!(members(&stage, "ward 4"), logins(&[]));
    stage.patch(&one, json!([{ "op": "replace", "path": "active", "value": true }])).await.unwrap();
    stage.settled().await;
    assert_eq!(members(&stage, "ward 4"), logins(&[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_group_inside_are_members_of_the_one_around_it() {
    let stage = Stage::with(grouped(policy())).await;
    let (one, two) = (stage.hire(1, "Nurse").await, stage.hire(2, "Nurse").await);
    let inner = found(&stage, "ward 4", std::slice::from_ref(&one)).await;
    found(&stage, "house", std::slice::from_ref(&inner)).await;
    add(&stage, &inner, std::slice::from_ref(&two)).await;
    stage.settled().await;
    assert_eq!((members(&stage, "ward 4"), members(&stage, "house")), (logins(&[1, 2]), logins(&[1, 2])));
    delete(&stage, &inner).await;
    stage.settled().await;
    assert_eq!(members(&stage, "house"), logins(&[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_after_the_target_wrote_members_loses_and_doubles_nobody() {
    let mut stage = Stage::with(grouped(policy())).await;
    let (one, two) = (stage.hire(1, "Nurse").await, stage.hire(2, "Nurse").await);
    let group = found(&stage, "ward 4", std::slice::from_ref(&one)).await;
    stage.settled().await;
    let before = updates(&stage);
    stage.ehr.lose_next_reply(Op::Update);
    add(&stage, &group, std::slice::from_ref(&two)).await;
    for _ in 0..1_000 {
        if updates(&stage) > before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stage.crash().await;
    // The member leaves, whether or not anybody knows by now that it was put in.
    remove(&stage, &group, &two).await;
    stage.settled().await;
    assert_eq!(members(&stage, "ward 4"), logins(&[1]));
    let calls: Vec<_> = stage
        .ehr
        .calls()
        .into_iter()
        .filter(|call| call.op != Op::Schema)
        .skip_while(|call| call.outcome != Some(Some(connector_spi::Class::Timeout)))
        .collect();
    assert_eq!(calls[1].op, Op::Get, "what may have happened is read before anything is sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_change_of_members_is_made_good() {
    let stage = Stage::with(grouped(policy())).await;
    let (one, two) = (stage.hire(1, "Nurse").await, stage.hire(2, "Nurse").await);
    let group = found(&stage, "ward 4", std::slice::from_ref(&one)).await;
    stage.settled().await;
    stage.ehr.lose_next_reply(Op::Update);
    let swap = json!([
        { "op": "remove", "path": format!("members[value eq \"{one}\"]") },
        { "op": "add", "path": "members", "value": refs(&[two]) },
    ]);
    change(&stage, &group, swap).await.unwrap();
    stage.settled().await;
    assert_eq!(members(&stage, "ward 4"), logins(&[2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_groups_create_makes_no_second_group() {
    let stage = Stage::with(grouped(policy())).await;
    let one = stage.hire(1, "Nurse").await;
    stage.settled().await;
    stage.ehr.lose_next_reply(Op::Create);
    found(&stage, "ward 4", &[one]).await;
    stage.settled().await;
    assert_eq!(stage.ehr.snapshot().of_kind("group").count(), 1);
    assert_eq!(members(&stage, "ward 4"), logins(&[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_that_name_that_was_there_before_is_not_taken_for_ours() {
    let stage = Stage::with(grouped(policy())).await;
    found(&stage, "ward 4", &[]).await;
    stage.settled().await;
    let theirs = object(&stage, "ward 4").unwrap();
    let attrs = BTreeMap::from([("name".to_owned(), vec!["wheel".into()])]);
    stage.ehr.put(Record {
        id: "wheel".into(),
        attrs: attrs.clone(),
        natural_key: BTreeMap::from([("name".to_owned(), "wheel".into())]),
        ..theirs
    });
    let one = stage.hire(1, "Nurse").await;
    found(&stage, "wheel", &[one]).await;
    stage.until("it is disputed", |links| links.iter().any(|link| link.state == LinkState::Disputed)).await;
    assert_eq!(members(&stage, "wheel"), logins(&[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_were_there_before_the_policy_get_their_objects() {
    let mut stage = Stage::new().await;
    let one = stage.hire(1, "Nurse").await;
    let group = found(&stage, "ward 4", std::slice::from_ref(&one)).await;
    stage.settled().await;
    assert_eq!(object(&stage, "ward 4"), None);

    stage.reconfigure(grouped(policy())).await;
    stage.until("the group has a link", |links| group_link(links).is_some_and(|link| !link.pending())).await;
    assert_eq!(members(&stage, "ward 4"), logins(&[1]));

    stage.reconfigure(policy()).await;
    stage
        .until("the group is left alone", |links| {
            let closing = group_link(links).and_then(|link| link.wanted.as_ref()?.closing);
            closing.is_some_and(|closing| closing.keep)
        })
        .await;
    remove(&stage, &group, &one).await;
    stage.settled().await;
    assert_eq!(members(&stage, "ward 4"), logins(&[1]), "nothing manages it any more");

    stage.reconfigure(grouped(policy())).await;
    stage
        .until("the group is managed again", |links| {
            group_link(links)
                .is_some_and(|link| !link.pending() && link.wanted.as_ref().is_some_and(|one| one.closing.is_none()))
        })
        .await;
    assert_eq!(members(&stage, "ward 4"), logins(&[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_the_policy_does_not_want_has_no_object() {
    let stage = Stage::with(grouped(policy())).await;
    let group = found(&stage, "Nobody", &[]).await;
    stage.settled().await;
    assert_eq!((stage.links().await, stage.ehr.size()), (vec![], 0));
    change(&stage, &group, json!([{ "op": "replace", "path": "displayName", "value": "ward 4" }])).await.unwrap();
    stage.settled().await;
    assert!(object(&stage, "ward 4").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_change_of_members_is_told_and_tried_again_with_the_next_one() {
    let stage = Stage::with(grouped(confirming())).await;
    let (one, two) = (stage.hire(1, "Nurse").await, stage.hire(2, "Nurse").await);
    let group = found(&stage, "ward 4", &[]).await;
    stage.settled().await;
    stage.ehr.fail_kind("group", Op::Update, ConnError::invalid("no more members"), 1);
    let refused = change(&stage, &group, json!([{ "op": "add", "path": "members", "value": refs(&[one]) }])).await;
    let Err(Error::Scim(error)) = refused else { panic!("{refused:?}") };
    assert!(error.detail.contains("stored, refused by ehr"), "{}", error.detail);
    let link = group_link(&stage.links().await).unwrap().clone();
    assert_eq!(link.state, LinkState::Parked(Parked::Refused));

    change(&stage, &group, json!([{ "op": "add", "path": "members", "value": refs(&[two]) }])).await.unwrap();
    stage.settled().await;
    assert_eq!(members(&stage, "ward 4"), logins(&[1, 2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_whom_the_target_refuses_keeps_nobody_else_out_and_nobody_in() {
    let banned: Arc<Mutex<HashSet<String>>> = Arc::default();
    let doorman = Arc::clone(&banned);
    let stage = Stage::before(grouped(policy()), Memory::new(), move |plain| Doorman::before(plain, &doorman)).await;
    let mut people = Vec::new();
    for number in 1..=9 {
        people.push(stage.hire(number, "Nurse").await);
    }
    let group = found(&stage, "ward 4", &people[..1]).await;
    stage.settled().await;
    // given two whom the target takes into no group
    for person in [&people[5], &people[7]] {
        let account = stage.link(person).await.native_id.unwrap();
        banned.lock().unwrap().insert(account.as_str().to_owned());
    }

    // when they are put in together with others
    add(&stage, &group, &people[1..]).await;
    let parked =
        |links: &[Link]| group_link(links).is_some_and(|link| link.state == LinkState::Parked(Parked::Refused));
    stage.until("what is refused is told", parked).await;

    // then the others are in, and why these are not is told
    assert_eq!(members(&stage, "ward 4"), logins(&[1, 2, 3, 4, 5, 7, 9]));
    let error = group_link(&stage.links().await).unwrap().last_error.clone().unwrap();
    assert!(error.error.message.contains("is not let in"), "{error:?}");

    // and who leaves is taken out all the same
    stage.patch(&people[1], json!([{ "op": "replace", "path": "active", "value": false }])).await.unwrap();
    for _ in 0..500 {
        if !members(&stage, "ward 4").contains(&"tp2@hosp.example".to_owned()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(members(&stage, "ward 4"), logins(&[1, 3, 4, 5, 7, 9]));
    stage.until("what is refused is told", parked).await;

    // and when the target takes them, asking again puts them in
    banned.lock().unwrap().clear();
    stage.engine.retry(LinkFilter::default(), "tester").await.unwrap();
    stage.settled().await;
    assert_eq!(members(&stage, "ward 4"), logins(&[1, 3, 4, 5, 6, 7, 8, 9]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_was_replaced_in_the_target_is_a_member_under_its_new_id() {
    let stage = Stage::with(grouped(policy())).await;
    let one = stage.hire(1, "Nurse").await;
    found(&stage, "ward 4", std::slice::from_ref(&one)).await;
    stage.settled().await;
    let old = stage.link(&one).await.native_id.unwrap();
    assert!(stage.ehr.remove("account", &old));
    stage.patch(&one, json!([{ "op": "replace", "path": "title", "value": "Clerk" }])).await.unwrap();
    stage.settled().await;
    assert_ne!(stage.link(&one).await.native_id, Some(old));
    assert_eq!(members(&stage, "ward 4"), logins(&[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_is_no_repetition_to_a_target_that_keeps_the_ids_of_changes() {
    let stage = Stage::with(grouped(policy())).await;
    let one = stage.hire(1, "Nurse").await;
    let group = found(&stage, "ward 4", &[]).await;
    stage.settled().await;
    for _ in 0..2 {
        add(&stage, &group, std::slice::from_ref(&one)).await;
        stage.settled().await;
        remove(&stage, &group, &one).await;
        stage.settled().await;
    }
    let of_group = |kind: &Option<connector_spi::Kind>| kind.as_ref().is_some_and(|kind| kind.as_str() == "group");
    let updates = stage.ehr.writes().into_iter().filter(|call| call.op == Op::Update && of_group(&call.kind));
    let ids: std::collections::BTreeSet<String> = updates.map(|call| call.op_id).collect();
    assert_eq!(ids.len(), 4);
}
