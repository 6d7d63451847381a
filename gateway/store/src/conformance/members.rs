//! Membership.

use super::{World, as_members, texts};
use crate::{Change, Expect, MemberRow, StoreError, SweepCause, Write};
use scim::{Filter, MemberOp};
use serde_json::json;

fn add(ids: &[&str]) -> MemberOp {
    MemberOp::Add(as_members(ids))
}

fn remove(ids: &[&str]) -> MemberOp {
    MemberOp::Remove(ids.iter().map(|id| (*id).to_owned()).collect())
}

async fn people(world: &World<'_>, ids: &[&str]) {
    for id in ids {
        world.person(id).await;
    }
}

/// Given members added in some order, when they are read, then they come in that order, with what they are called.
pub async fn members_come_in_the_order_they_were_added(world: &World<'_>) {
    people(world, &["u1", "u2"]).await;
    world.user("u3", json!({ "userName": "u3", "displayName": "Testperson 3 Example" })).await;
    world.group("inner", &[]).await;
    world.group("g", &["u3", "u1"]).await;
    world.members("g", vec![add(&["u1", "inner", "u2"])]).await.unwrap();
    let members = world.view("Group", "g").await.unwrap().members;
    let row = |id: &str, ty: &str, display: &str| MemberRow {
        id: id.into(),
        ty: ty.into(),
        display: Some(display.to_owned()),
    };
    assert_eq!(
        members,
        [
            row("u3", "User", "Testperson 3 Example"),
            row("u1", "User", "u1"),
            row("inner", "Group", "inner"),
            row("u2", "User", "u2"),
        ]
    );
}

/// Given a member, when it is added again, then nothing changed and the version stays.
pub async fn adding_who_is_there_is_no_new_version(world: &World<'_>) {
    people(world, &["u1", "u2"]).await;
    world.group("g", &["u1"]).await;
    let rows = world.store.audit(0, 100).await.unwrap().len();
    let again = world.members("g", vec![add(&["u1"])]).await.unwrap();
    assert_eq!((again.version, again.changed), (1, false));
    assert_eq!(world.store.audit(0, 100).await.unwrap().len(), rows);
    let more = world.members("g", vec![add(&["u1", "u2"])]).await.unwrap();
    assert_eq!((more.version, more.changed), (2, true));
}

/// Given nobody of that name in a group, when it is removed, then nothing changed.
pub async fn removing_who_is_absent_is_no_new_version(world: &World<'_>) {
    people(world, &["u1"]).await;
    world.group("g", &[]).await;
    let gone = world.members("g", vec![remove(&["u1", "nobody"]), MemberOp::RemoveAll]).await.unwrap();
    assert_eq!((gone.version, gone.changed), (1, false));
}

/// Given one request that adds and removes the same member, when it is done, then nothing changed.
pub async fn adding_and_removing_again_is_no_new_version(world: &World<'_>) {
    people(world, &["u1"]).await;
    world.group("g", &[]).await;
    let nothing = world.members("g", vec![add(&["u1"]), remove(&["u1"])]).await.unwrap();
    assert!(!nothing.changed);
    assert!(world.member_ids("g").await.is_empty());
}

/// Given a list with one unknown member, when it is added, then none of it is.
pub async fn an_unknown_member_is_refused_and_nothing_is_written(world: &World<'_>) {
    people(world, &["u1"]).await;
    world.group("g", &[]).await;
    let refused = world.members("g", vec![add(&["u1", "nobody"])]).await;
    assert_eq!(refused, Err(StoreError::UnknownMember("nobody".into())));
    assert!(world.member_ids("g").await.is_empty());
    let mut create = world.creation("Group", "g2", json!({ "displayName": "g2" }));
    create.members = vec![add(&["nobody"])];
    assert_eq!(world.store.commit(create).await, Err(StoreError::UnknownMember("nobody".into())));
    assert_eq!(world.view("Group", "g2").await, None);
}

/// Given a group, when it is added to itself, then that is a cycle.
pub async fn a_group_cannot_contain_itself(world: &World<'_>) {
    world.group("g", &[]).await;
    assert_eq!(world.members("g", vec![add(&["g"])]).await, Err(StoreError::Cycle));
}

/// Given groups in groups, when the outermost is added to the innermost, then that is a cycle; a second way down is none.
pub async fn a_group_cannot_contain_itself_through_others(world: &World<'_>) {
    world.group("c", &[]).await;
    world.group("b", &["c"]).await;
    world.group("a", &["b"]).await;
    assert_eq!(world.members("c", vec![add(&["a"])]).await, Err(StoreError::Cycle));
    assert_eq!(world.members("b", vec![MemberOp::ReplaceAll(as_members(&["a"]))]).await, Err(StoreError::Cycle));
    world.members("a", vec![add(&["c"])]).await.unwrap();
}

/// Given members, when a filter removes some, then exactly those that match are gone.
pub async fn members_are_removed_by_filter(world: &World<'_>) {
    people(world, &["u1", "u2", "u3"]).await;
    world.group("inner", &[]).await;
    world.group("g", &["u1", "u2", "inner", "u3"]).await;
    let by = |text: &str| vec![MemberOp::RemoveWhere(Filter::parse(text).unwrap())];
    world.members("g", by(r#"value eq "u2""#)).await.unwrap();
    assert_eq!(world.member_ids("g").await, ["u1", "inner", "u3"]);
    world.members("g", by(r#"type eq "Group""#)).await.unwrap();
    assert_eq!(world.member_ids("g").await, ["u1", "u3"]);
    world.members("g", by(r#"value eq "u1" or display eq "U3""#)).await.unwrap();
    assert!(world.member_ids("g").await.is_empty());
    assert!(!world.members("g", by(r#"value eq "nobody""#)).await.unwrap().changed);
}

/// Given members, when the list is replaced, then who is in both stays where it was.
pub async fn replacing_members_leaves_the_common_ones_in_place(world: &World<'_>) {
    people(world, &["u1", "u2", "u3", "u4"]).await;
    world.group("g", &["u1", "u2", "u3"]).await;
    let all = |ids: &[&str]| vec![MemberOp::ReplaceAll(as_members(ids))];
    world.members("g", all(&["u4", "u3", "u2", "u3"])).await.unwrap();
    assert_eq!(world.member_ids("g").await, ["u2", "u3", "u4"]);
    assert!(!world.members("g", all(&["u2", "u3", "u4"])).await.unwrap().changed);
}

/// Given members, when all are removed, then there are none.
pub async fn removing_all_members_empties_the_group(world: &World<'_>) {
    people(world, &["u1", "u2"]).await;
    world.group("g", &["u1", "u2"]).await;
    assert!(world.members("g", vec![MemberOp::RemoveAll]).await.unwrap().changed);
    assert!(world.member_ids("g").await.is_empty());
    assert!(world.snapshot("User", "u1").await.groups.is_empty());
}

/// Given several operations, when they are applied, then the later ones see what the earlier ones did.
pub async fn operations_are_applied_in_order(world: &World<'_>) {
    people(world, &["u1", "u2", "u3"]).await;
    world.group("g", &["u1"]).await;
    let ops = vec![MemberOp::RemoveAll, add(&["u2", "u3"]), remove(&["u2"]), add(&["u1"])];
    world.members("g", ops).await.unwrap();
    assert_eq!(world.member_ids("g").await, ["u3", "u1"]);
}

/// Given a member, when the user is deleted, then no group has it.
pub async fn a_deleted_user_is_in_no_group(world: &World<'_>) {
    people(world, &["u1", "u2"]).await;
    world.group("g", &["u1", "u2"]).await;
    world.delete("User", "u1").await;
    assert_eq!(world.member_ids("g").await, ["u2"]);
    world.person("u1").await;
    assert_eq!(world.member_ids("g").await, ["u2"]);
}

/// Given groups in groups, when a user's groups are read, then all are there, by id, and only its own rows are direct.
pub async fn groups_through_groups_are_not_direct(world: &World<'_>) {
    people(world, &["u1"]).await;
    world.group("c", &["u1"]).await;
    world.group("b", &["c"]).await;
    world.group("a", &["b", "c"]).await;
    world.group("d", &["u1", "a"]).await;
    world.group("other", &[]).await;
    let groups = world.snapshot("User", "u1").await.groups;
    let seen: Vec<_> = groups.iter().map(|group| (group.id.as_str(), group.direct)).collect();
    assert_eq!(seen, [("a", false), ("b", false), ("c", true), ("d", true)]);
    assert_eq!(world.view("User", "u1").await.unwrap().groups, groups);
    assert_eq!(groups[0].display, "a");
}

/// Given a member, when the group changes, then the user's version does not.
pub async fn a_change_of_members_moves_no_members_version(world: &World<'_>) {
    people(world, &["u1"]).await;
    world.group("g", &["u1"]).await;
    world.members("g", vec![remove(&["u1"])]).await.unwrap();
    assert_eq!(world.view("User", "u1").await.unwrap().resource.version, 1);
}

async fn swept(world: &World<'_>) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    while let Some(sweep) = world.store.next_sweep().await.unwrap() {
        let SweepCause::Users { ids } = &sweep.cause else { panic!("{sweep:?} names nobody") };
        all.push(ids.iter().map(ToString::to_string).collect());
        world.store.advance_sweep(sweep.id, None).await.unwrap();
    }
    all
}

/// Given a change of members that matters to the policy, when it is written, then a sweep names who really changed.
pub async fn a_sweep_names_only_whom_the_change_touched(world: &World<'_>) {
    people(world, &["u1", "u2", "u3"]).await;
    world.group("g", &["u1", "u2"]).await;
    assert!(swept(world).await.is_empty());
    let change = world.member_change("g", vec![add(&["u1", "u3"]), remove(&["u2"])]).await;
    world.store.commit(Change { sweep_members: true, ..change }).await.unwrap();
    let mut named = swept(world).await.concat();
    named.sort();
    assert_eq!(named, ["u2", "u3"]);
    let nothing = world.member_change("g", vec![add(&["u1"])]).await;
    world.store.commit(Change { sweep_members: true, ..nothing }).await.unwrap();
    assert!(swept(world).await.is_empty());
}

/// Given more than 500 members, when all are added, then each is named once, at most 500 to a sweep.
pub async fn a_sweep_of_many_is_split(world: &World<'_>) {
    let ids: Vec<String> = (0..1_100).map(|n| format!("u{n:04}")).collect();
    // Fewer at a time than a store's intake takes.
    for some in ids.chunks(500) {
        super::commits::join(some.iter().map(|id| world.person(id)).collect()).await;
    }
    world.group("g", &[]).await;
    let refs: Vec<&str> = ids.iter().map(String::as_str).collect();
    let change = world.member_change("g", vec![add(&refs)]).await;
    world.store.commit(Change { sweep_members: true, ..change }).await.unwrap();
    let parts = swept(world).await;
    assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [500, 500, 100]);
    let mut named = parts.concat();
    named.sort();
    assert_eq!(named, ids);
}

/// Given a group whose users must be looked at when it goes, when it is deleted, then the sweep still knows them.
pub async fn a_deleted_groups_members_are_swept(world: &World<'_>) {
    people(world, &["u1", "u2"]).await;
    world.group("inner", &["u2"]).await;
    world.group("g", &["u1", "inner"]).await;
    let expect = Expect::Version { version: 1, groups: None };
    let mut change = world.change("Group", "g", expect, Write::Delete);
    change.sweep = Some(SweepCause::Group { id: "g".into() });
    world.store.commit(change).await.unwrap();
    let sweep = world.store.next_sweep().await.unwrap().unwrap();
    let (users, _) = world.store.swept(&sweep, 10).await.unwrap();
    let users: Vec<_> = users.into_iter().map(|one| one.id).collect();
    assert_eq!(texts(&users), ["u1", "u2"]);
    assert!(world.snapshot("User", "u1").await.groups.is_empty());
}
