//! Groups as objects in a target, and who is in them there.

use super::claims::{claim, success};
use super::{World, as_members, key};
use crate::{Expect, LinkWrite, Settle, Write};
use connector_spi::ConnError;
use gateway_domain::{Lane, LastError, Link, LinkKey, LinkState, Wanted};
use scim::MemberOp;
use serde_json::{Value, json};

fn group_key(id: &str) -> LinkKey {
    LinkKey { kind: "group".into(), ..key(id, "directory") }
}

fn group_wanted(closing: Option<Value>) -> Wanted {
    let members = json!({ "attribute": "members", "of": "account" });
    serde_json::from_value(json!({ "state": "unknown", "members": members, "closing": closing })).unwrap()
}

/// What a request writes of a group's link.
async fn group_write(world: &World<'_>, id: &str, wanted: Wanted) -> LinkWrite {
    let before = world.store.link(&group_key(id)).await.unwrap();
    LinkWrite {
        key: group_key(id),
        expect_generation: before.map_or(0, |link| link.generation),
        wanted: Some(wanted),
        ..world.link(id, "directory", Lane::Interactive)
    }
}

async fn write(world: &World<'_>, ty: &str, id: &str, write: Write, link: LinkWrite) {
    let version = world.snapshot(ty, id).await.resource.unwrap().version;
    let mut change = world.change(ty, id, Expect::Version { version, groups: None }, write);
    change.links = vec![link];
    world.store.commit(change).await.unwrap();
}

async fn rewrite_group(world: &World<'_>, id: &str, closing: Option<Value>) {
    let link = group_write(world, id, group_wanted(closing)).await;
    write(world, "Group", id, Write::Keep, link).await;
}

/// Claims the one link that is due, which must be this one.
async fn take(world: &World<'_>, resource: &str) -> Link {
    let mut links = claim(world).await;
    assert_eq!(links.iter().map(|link| link.key.resource.as_str()).collect::<Vec<_>>(), [resource]);
    links.remove(0)
}

async fn settle(world: &World<'_>, link: &Link) {
    world.store.settle(success(world, link)).await.unwrap();
}

/// A user with an account.
async fn employ(world: &World<'_>, id: &str) {
    world.linked(id, "directory", Lane::Interactive).await;
    settle(world, &take(world, id).await).await;
}

/// A group with a link, and the members it has.
async fn found(world: &World<'_>, id: &str, members: &[&str]) {
    let mut change = world.creation("Group", id, json!({ "displayName": id }));
    change.members = vec![MemberOp::Add(as_members(members))];
    change.links = vec![group_write(world, id, group_wanted(None)).await];
    world.store.commit(change).await.unwrap();
    settle(world, &take(world, id).await).await;
}

/// Who is to be put in and taken out, by native id.
fn carried(link: &Link) -> (Vec<&str>, Vec<&str>) {
    let Some(members) = &link.members else { return (Vec::new(), Vec::new()) };
    (
        members.add.iter().map(|one| one.native_id.as_str()).collect(),
        members.remove.iter().map(|one| one.native_id.as_str()).collect(),
    )
}

/// Claims a group's link, looks at whom it carries, and settles it.
async fn carry(world: &World<'_>, id: &str) -> (Vec<String>, Vec<String>) {
    let link = take(world, id).await;
    settle(world, &link).await;
    let (add, remove) = carried(&link);
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    (owned(add), owned(remove))
}

async fn nothing_is_due(world: &World<'_>) {
    assert_eq!(claim(world).await, []);
}

fn add(ids: &[&str]) -> Vec<MemberOp> {
    vec![MemberOp::Add(as_members(ids))]
}

fn remove(ids: &[&str]) -> Vec<MemberOp> {
    vec![MemberOp::Remove(ids.iter().map(|id| (*id).to_owned()).collect())]
}

fn names(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| format!("native-{id}")).collect()
}

/// Given members with and without an account, when the group stands in the target, then those with one are handed out, once.
pub async fn a_new_group_in_a_target_is_given_the_members_who_have_an_account(world: &World<'_>) {
    employ(world, "u1").await;
    world.person("u2").await;
    found(world, "g", &["u1", "u2"]).await;
    assert_eq!(carry(world, "g").await, (names(&["u1"]), vec![]));
    nothing_is_due(world).await;
}

/// Given 1,200 members, when the group is worked, then each call carries 500 at most and each member is carried once.
pub async fn many_members_are_handed_out_in_parts(world: &World<'_>) {
    let ids: Vec<String> = (0..1_200).map(|n| format!("u{n:04}")).collect();
    for some in ids.chunks(400) {
        let hired = some.iter().map(|id| world.linked(id, "directory", Lane::Interactive)).collect();
        super::commits::join(hired).await;
    }
    loop {
        let links = claim(world).await;
        if links.is_empty() {
            break;
        }
        super::commits::join(links.iter().map(|link| settle(world, link)).collect()).await;
    }
    let refs: Vec<&str> = ids.iter().map(String::as_str).collect();
    found(world, "g", &refs).await;
    let mut all = Vec::new();
    for part in [500, 500, 200] {
        let (add, remove) = carry(world, "g").await;
        assert_eq!((add.len(), remove.len()), (part, 0));
        all.extend(add);
    }
    nothing_is_due(world).await;
    all.sort();
    assert_eq!(all, names(&refs));
}

/// Given a member without an account, when it gets one, then the group is due and carries it.
pub async fn who_gets_an_account_later_makes_the_group_due(world: &World<'_>) {
    world.linked("u1", "directory", Lane::Interactive).await;
    let hired = take(world, "u1").await;
    found(world, "g", &["u1"]).await;
    nothing_is_due(world).await;
    settle(world, &hired).await;
    assert_eq!(carry(world, "g").await, (names(&["u1"]), vec![]));
}

/// Given a member that was put in, when it leaves the group, then it is taken out.
pub async fn who_leaves_a_group_is_taken_out(world: &World<'_>) {
    employ(world, "u1").await;
    employ(world, "u2").await;
    found(world, "g", &["u1", "u2"]).await;
    carry(world, "g").await;
    world.members("g", remove(&["u1"])).await.unwrap();
    assert_eq!(carry(world, "g").await, (vec![], names(&["u1"])));
    nothing_is_due(world).await;
    world.members("g", vec![MemberOp::RemoveAll]).await.unwrap();
    assert_eq!(carry(world, "g").await, (vec![], names(&["u2"])));
}

/// Given a member that was never sent, when it leaves again, then the target is not asked.
pub async fn who_came_and_went_before_anything_was_sent_is_not_spoken_of(world: &World<'_>) {
    employ(world, "u1").await;
    found(world, "g", &[]).await;
    world.members("g", add(&["u1"])).await.unwrap();
    world.members("g", remove(&["u1"])).await.unwrap();
    assert_eq!(carry(world, "g").await, (vec![], vec![]));
    nothing_is_due(world).await;
}

/// The outcome of a call whose answer was lost.
fn lost(world: &World<'_>, link: &Link) -> Settle {
    let error = Some(LastError { error: ConnError::timeout("no answer"), at: world.now() });
    Settle { applied: false, members: None, error, due_at: Some(world.now()), ..success(world, link) }
}

/// Given an addition whose answer was lost, when the member leaves, then it is taken out, for it may have been put in.
pub async fn an_addition_whose_outcome_is_not_known_is_taken_back(world: &World<'_>) {
    employ(world, "u1").await;
    found(world, "g", &["u1"]).await;
    world.store.settle(lost(world, &take(world, "g").await)).await.unwrap();
    world.members("g", remove(&["u1"])).await.unwrap();
    assert_eq!(carry(world, "g").await, (vec![], names(&["u1"])));
    nothing_is_due(world).await;
}

/// Given a removal whose answer was lost, when the member comes back, then it is put in, for it may have been taken out.
pub async fn a_removal_whose_outcome_is_not_known_is_made_good(world: &World<'_>) {
    employ(world, "u1").await;
    found(world, "g", &["u1"]).await;
    carry(world, "g").await;
    world.members("g", remove(&["u1"])).await.unwrap();
    world.store.settle(lost(world, &take(world, "g").await)).await.unwrap();
    world.members("g", add(&["u1"])).await.unwrap();
    assert_eq!(carry(world, "g").await, (names(&["u1"]), vec![]));
    nothing_is_due(world).await;
}

/// Given a call that failed, when the link is claimed again, then it carries the same.
pub async fn a_failed_call_leaves_the_same_members_to_carry(world: &World<'_>) {
    employ(world, "u1").await;
    employ(world, "u2").await;
    found(world, "g", &["u1", "u2"]).await;
    let link = take(world, "g").await;
    world.store.settle(lost(world, &link)).await.unwrap();
    let again = take(world, "g").await;
    assert_eq!(again.members, link.members);
    settle(world, &again).await;
    nothing_is_due(world).await;
}

/// Given a call under way, when a member comes, then the group is due again after it.
pub async fn members_that_came_while_a_call_ran_make_the_group_due_again(world: &World<'_>) {
    employ(world, "u1").await;
    employ(world, "u2").await;
    found(world, "g", &["u1"]).await;
    let link = take(world, "g").await;
    world.members("g", add(&["u2"])).await.unwrap();
    nothing_is_due(world).await;
    settle(world, &link).await;
    assert_eq!(carry(world, "g").await, (names(&["u2"]), vec![]));
}

/// Given a group inside another, when users come and go there, then they come and go in both.
pub async fn members_of_groups_inside_are_members(world: &World<'_>) {
    employ(world, "u1").await;
    employ(world, "u2").await;
    world.group("inner", &["u1"]).await;
    found(world, "outer", &["inner"]).await;
    assert_eq!(carry(world, "outer").await, (names(&["u1"]), vec![]));
    world.members("inner", add(&["u2"])).await.unwrap();
    assert_eq!(carry(world, "outer").await, (names(&["u2"]), vec![]));
    world.members("inner", remove(&["u1"])).await.unwrap();
    assert_eq!(carry(world, "outer").await, (vec![], names(&["u1"])));
    world.members("outer", remove(&["inner"])).await.unwrap();
    assert_eq!(carry(world, "outer").await, (vec![], names(&["u2"])));
}

/// Given a user who is in a group directly and through another, when one way ends, then the user stays.
pub async fn who_is_in_by_two_ways_stays_until_both_are_gone(world: &World<'_>) {
    employ(world, "u1").await;
    world.group("inner", &["u1"]).await;
    found(world, "outer", &["inner", "u1"]).await;
    carry(world, "outer").await;
    world.members("outer", remove(&["u1"])).await.unwrap();
    nothing_is_due(world).await;
    world.members("inner", remove(&["u1"])).await.unwrap();
    assert_eq!(carry(world, "outer").await, (vec![], names(&["u1"])));
}

/// Given a group inside another, when it is deleted, then its users leave the other one.
pub async fn a_deleted_group_takes_its_members_out_of_those_around_it(world: &World<'_>) {
    employ(world, "u1").await;
    employ(world, "u2").await;
    world.group("inner", &["u1", "u2"]).await;
    found(world, "outer", &["inner", "u2"]).await;
    carry(world, "outer").await;
    world.delete("Group", "inner").await;
    assert_eq!(carry(world, "outer").await, (vec![], names(&["u1"])));
}

/// A user's account is closed or opened again.
async fn rewrite_account(world: &World<'_>, id: &str, closing: Option<Value>) {
    let wanted = serde_json::from_value(json!({ "state": "disabled", "closing": closing })).unwrap();
    let before = world.store.link(&key(id, "directory")).await.unwrap().unwrap();
    let link = world.link(id, "directory", Lane::Leaver);
    let link = LinkWrite { expect_generation: before.generation, wanted: Some(wanted), ..link };
    write(world, "User", id, Write::Keep, link).await;
}

async fn settle_both(world: &World<'_>) -> Link {
    let links = claim(world).await;
    assert_eq!(links.len(), 2);
    for link in &links {
        settle(world, link).await;
    }
    links.into_iter().find(|link| link.key.kind.as_str() == "group").unwrap()
}

/// Given a member whose access ends, when the account is closed, then it is taken out of the group, and comes back with it.
pub async fn a_closed_account_is_in_no_group_until_it_is_opened_again(world: &World<'_>) {
    employ(world, "u1").await;
    found(world, "g", &["u1"]).await;
    carry(world, "g").await;
    rewrite_account(world, "u1", Some(json!({ "strip": "owned", "sessions": true }))).await;
    assert_eq!(carried(&settle_both(world).await), (vec![], vec!["native-u1"]));
    nothing_is_due(world).await;
    rewrite_account(world, "u1", None).await;
    assert_eq!(carried(&settle_both(world).await), (vec!["native-u1"], vec![]));
}

/// Given a closing that takes nothing, when the account is closed, then it stays in the group, until the user is deleted.
pub async fn a_closed_account_that_loses_nothing_stays_in_its_groups(world: &World<'_>) {
    employ(world, "u1").await;
    found(world, "g", &["u1"]).await;
    carry(world, "g").await;
    rewrite_account(world, "u1", Some(json!({ "strip": "none", "sessions": true }))).await;
    settle(world, &take(world, "u1").await).await;
    world.delete("User", "u1").await;
    assert_eq!(carry(world, "g").await, (vec![], names(&["u1"])));
}

/// Given a member, when the user is deleted, then the account is taken out, also when it is gone from the target by then.
pub async fn a_deleted_users_account_is_taken_out(world: &World<'_>) {
    employ(world, "u1").await;
    employ(world, "u2").await;
    found(world, "g", &["u1", "u2"]).await;
    carry(world, "g").await;
    world.delete("User", "u1").await;
    assert_eq!(carry(world, "g").await, (vec![], names(&["u1"])));
    rewrite_account(world, "u2", Some(json!({ "strip": "none", "sessions": true, "delete": true }))).await;
    let closing = take(world, "u2").await;
    let gone = Settle { native_id: None, state: LinkState::Unlinked, ..success(world, &closing) };
    world.store.settle(gone).await.unwrap();
    assert_eq!(carry(world, "g").await, (vec![], names(&["u2"])));
    nothing_is_due(world).await;
}

/// An account gets another id in its target.
async fn renumber(world: &World<'_>, id: &str, native: &str) {
    let before = world.store.link(&key(id, "directory")).await.unwrap().unwrap();
    let link = world.link(id, "directory", Lane::Interactive);
    write(world, "User", id, Write::Keep, LinkWrite { expect_generation: before.generation, ..link }).await;
    let claimed = take(world, id).await;
    world.store.settle(Settle { native_id: Some(native.into()), ..success(world, &claimed) }).await.unwrap();
}

/// Given a member, when its account gets another id, then the old one is taken out and the new one put in.
pub async fn an_account_with_another_id_is_put_in_anew(world: &World<'_>) {
    employ(world, "u1").await;
    found(world, "g", &["u1"]).await;
    carry(world, "g").await;
    renumber(world, "u1", "moved").await;
    assert_eq!(carry(world, "g").await, (vec![], names(&["u1"])));
    assert_eq!(carry(world, "g").await, (vec!["moved".to_owned()], vec![]));
    nothing_is_due(world).await;
}

/// Given an id that a new member has now, when its former holder leaves, then the id is not taken out.
pub async fn an_id_that_went_to_another_member_is_not_taken_out(world: &World<'_>) {
    employ(world, "u1").await;
    employ(world, "u2").await;
    found(world, "g", &["u1"]).await;
    carry(world, "g").await;
    renumber(world, "u2", "native-u1").await;
    renumber(world, "u1", "elsewhere").await;
    world.members("g", vec![MemberOp::ReplaceAll(as_members(&["u2"]))]).await.unwrap();
    assert_eq!(carry(world, "g").await, (names(&["u1"]), vec![]));
    nothing_is_due(world).await;
}

/// Given a group that is closed but kept, when members leave, then nothing is sent; opened again, they are taken out.
pub async fn a_group_that_is_closed_carries_nobody_until_it_is_open_again(world: &World<'_>) {
    employ(world, "u1").await;
    employ(world, "u2").await;
    found(world, "g", &["u1"]).await;
    carry(world, "g").await;
    rewrite_group(world, "g", Some(json!({ "strip": "none", "sessions": false, "keep": true }))).await;
    assert_eq!(carry(world, "g").await, (vec![], vec![]));
    world.members("g", vec![MemberOp::ReplaceAll(as_members(&["u2"]))]).await.unwrap();
    nothing_is_due(world).await;
    rewrite_group(world, "g", None).await;
    assert_eq!(carry(world, "g").await, (vec![], names(&["u1"])), "who leaves goes first");
    assert_eq!(carry(world, "g").await, (names(&["u2"]), vec![]));
    nothing_is_due(world).await;
}

/// Given a group whose object is gone from the target, when another one is made, then it is given all members.
pub async fn a_group_made_anew_in_its_target_is_given_everybody_again(world: &World<'_>) {
    employ(world, "u1").await;
    found(world, "g", &["u1"]).await;
    carry(world, "g").await;
    rewrite_group(world, "g", None).await;
    let missing = take(world, "g").await;
    let due_at = Some(world.now());
    let gone = Settle { native_id: None, seen: None, state: LinkState::Unlinked, due_at, ..success(world, &missing) };
    world.store.settle(gone).await.unwrap();
    settle(world, &take(world, "g").await).await;
    assert_eq!(carry(world, "g").await, (names(&["u1"]), vec![]));
}

/// Given a group with members to carry, when it is deleted, then nobody is carried any more.
pub async fn a_deleted_group_carries_nobody(world: &World<'_>) {
    employ(world, "u1").await;
    employ(world, "u2").await;
    found(world, "g", &["u1"]).await;
    carry(world, "g").await;
    world.members("g", add(&["u2"])).await.unwrap();
    let kept = group_wanted(Some(json!({ "strip": "none", "sessions": false, "keep": true })));
    let link = LinkWrite { state: Some(LinkState::Tombstone), ..group_write(world, "g", kept).await };
    write(world, "Group", "g", Write::Delete, link).await;
    let closing = take(world, "g").await;
    assert_eq!(carried(&closing), (vec![], vec![]));
    world.store.settle(Settle { state: LinkState::Tombstone, ..success(world, &closing) }).await.unwrap();
    world.delete("User", "u1").await;
    nothing_is_due(world).await;
}

/// Given a group in a target, when its members change, then the commit tells its link, so that a caller can wait for it.
pub async fn a_change_of_members_is_told_with_the_groups_link(world: &World<'_>) {
    employ(world, "u1").await;
    found(world, "g", &[]).await;
    let link = world.store.link(&group_key("g")).await.unwrap().unwrap();
    let committed = world.members("g", add(&["u1"])).await.unwrap();
    assert_eq!((committed.links, committed.version), (vec![link.id], 2));
    assert_eq!(world.view("User", "u1").await.unwrap().resource.version, 1);
}
