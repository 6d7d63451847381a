//! Claims and settlements.

use super::{World, key, wanted};
use crate::{ClaimAsk, Expect, LinkWrite, Settle, Settled, Slots, StoreError, Write};
use connector_spi::ConnError;
use gateway_domain::link::Delta;
use gateway_domain::{Action, Lane, LastError, Link, LinkState, Parked, Seen, Sent};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(60);

fn slots(total: u32, other: u32, bulk: u32) -> Slots {
    Slots { total, other, bulk }
}

fn sent(link: &Link) -> Sent {
    let delta = if link.sent.is_some() { Delta::Read } else { Delta::Create };
    Sent::new(link.generation, format!("op-{}-{}", link.key.resource, link.generation), delta)
}

async fn claim_with(world: &World<'_>, slots: Slots) -> Vec<Link> {
    let ask = ClaimAsk { target: "directory".into(), slots, lease: LEASE, prepare: Arc::new(sent) };
    world.store.claim(ask).await.unwrap()
}

pub(super) async fn claim(world: &World<'_>) -> Vec<Link> {
    claim_with(world, slots(100, 100, 100)).await
}

fn names(links: &[Link]) -> Vec<&str> {
    links.iter().map(|link| link.key.resource.as_str()).collect()
}

/// A success.
pub(super) fn success(world: &World<'_>, link: &Link) -> Settle {
    Settle {
        link: link.id,
        fence: link.fence,
        generation: link.generation,
        state: LinkState::Linked,
        applied: true,
        native_id: Some(format!("native-{}", link.key.resource).into()),
        seen: Some(Seen::default()),
        sent: None,
        due_at: None,
        attempt: 0,
        error: None,
        members: link.members.clone(),
        refused: None,
        heir_of: None,
        now: world.now(),
        audit: world.entry(Action::Settle, link.key.resource.as_str()),
    }
}

pub(super) async fn stored(world: &World<'_>, resource: &str) -> Link {
    world.store.link(&key(resource, "directory")).await.unwrap().unwrap()
}

/// What a later request writes of a link.
async fn rewrite(world: &World<'_>, resource: &str, change: impl FnOnce(&mut LinkWrite)) {
    let mut link = world.link(resource, "directory", Lane::Interactive);
    link.expect_generation = stored(world, resource).await.generation;
    link.wanted = Some(wanted(2));
    change(&mut link);
    let snapshot = world.snapshot("User", resource).await;
    let expect = snapshot
        .resource
        .map_or(Expect::Absent, |resource| Expect::Version { version: resource.version, groups: None });
    let mut change = world.change("User", resource, expect, Write::Keep);
    change.links = vec![link];
    world.store.commit(change).await.unwrap();
}

/// Given a due link, when it is claimed twice, then only the first one gets it.
pub async fn a_due_link_is_claimed_once(world: &World<'_>) {
    let id = world.linked("u1", "directory", Lane::Interactive).await;
    world.linked("u2", "elsewhere", Lane::Interactive).await;
    let first = claim(world).await;
    assert_eq!(first.iter().map(|link| link.id).collect::<Vec<_>>(), [id]);
    assert_eq!(first[0].wanted, Some(wanted(1)));
    assert!(claim(world).await.is_empty());
}

/// Given a claim, when it is answered, then what is about to be sent is stored with the new fence and lease.
pub async fn what_is_about_to_be_sent_is_recorded_with_the_claim(world: &World<'_>) {
    world.linked("u1", "directory", Lane::Interactive).await;
    let claimed = claim(world).await.remove(0);
    assert_eq!(claimed.sent.as_ref().unwrap().op_id, "op-u1-1");
    assert_eq!((claimed.fence, claimed.leased_until), (1, Some(world.now().checked_add(LEASE).unwrap())));
    assert_eq!(stored(world, "u1").await, claimed);
}

/// Given links of all lanes, when they are claimed, then they come in order of urgency, in a lane the longest due first.
pub async fn the_most_urgent_lane_comes_first(world: &World<'_>) {
    for (id, lane) in [("bulk", Lane::Bulk), ("inter", Lane::Interactive), ("late", Lane::Leaver)] {
        world.linked(id, "directory", lane).await;
    }
    rewrite(world, "late", |link| {
        link.lane = Lane::Leaver;
        link.due_at = Some(world.now());
    })
    .await;
    let mut change = world.creation("User", "early", json!({ "userName": "early" }));
    let due_at = world.now().checked_sub(Duration::from_secs(9)).ok();
    change.links = vec![LinkWrite { due_at, ..world.link("early", "directory", Lane::Leaver) }];
    world.store.commit(change).await.unwrap();
    world.linked("glass", "directory", Lane::BreakGlass).await;
    assert_eq!(names(&claim(world).await), ["early", "late", "glass", "inter", "bulk"]);
}

/// Given more links than slots, when they are claimed, then leavers can use all slots and the others only their part.
pub async fn no_lane_gets_more_than_its_slots(world: &World<'_>) {
    for n in 0..4 {
        world.linked(&format!("bulk{n}"), "directory", Lane::Bulk).await;
        world.linked(&format!("inter{n}"), "directory", Lane::Interactive).await;
    }
    world.linked("leaver0", "directory", Lane::Leaver).await;
    assert_eq!(names(&claim_with(world, slots(4, 2, 1)).await), ["leaver0", "inter0", "inter1"]);
    assert_eq!(names(&claim_with(world, slots(1, 0, 0)).await), Vec::<&str>::new());
    assert_eq!(names(&claim_with(world, slots(9, 5, 1)).await), ["inter2", "inter3", "bulk0"]);
    for n in 1..4 {
        world.linked(&format!("leaver{n}"), "directory", Lane::Leaver).await;
    }
    assert_eq!(names(&claim_with(world, slots(2, 1, 1)).await), ["leaver1", "leaver2"]);
}

/// Given two links of one natural key, when one is claimed, then the other waits until that one is settled.
pub async fn links_of_one_natural_key_are_worked_one_at_a_time(world: &World<'_>) {
    for id in ["u1", "u2", "u3"] {
        let mut change = world.creation("User", id, json!({ "userName": id }));
        let order_key = if id == "u3" { "uid=other" } else { "uid=same" }.to_owned();
        change.links = vec![LinkWrite { order_key, ..world.link(id, "directory", Lane::Interactive) }];
        world.store.commit(change).await.unwrap();
    }
    let first = claim(world).await;
    assert_eq!(names(&first), ["u1", "u3"]);
    assert!(claim(world).await.is_empty());
    world.store.settle(success(world, &first[0])).await.unwrap();
    assert_eq!(names(&claim(world).await), ["u2"]);
}

/// Given links without a natural key, when they are claimed, then all are given out.
pub async fn links_without_a_natural_key_do_not_wait(world: &World<'_>) {
    for id in ["u1", "u2"] {
        let mut change = world.creation("User", id, json!({ "userName": id }));
        change.links = vec![LinkWrite { order_key: String::new(), ..world.link(id, "directory", Lane::Interactive) }];
        world.store.commit(change).await.unwrap();
    }
    assert_eq!(names(&claim(world).await), ["u1", "u2"]);
}

/// Given a tombstone that is being closed, when a new resource has its natural key, then the new one waits.
pub async fn a_deleted_and_a_new_resource_wait_for_each_other(world: &World<'_>) {
    world.linked("old", "directory", Lane::Interactive).await;
    let first = claim(world).await.remove(0);
    world.store.settle(success(world, &first)).await.unwrap();
    world.delete("User", "old").await;
    rewrite(world, "old", |link| {
        link.lane = Lane::Leaver;
        link.state = Some(LinkState::Tombstone);
        link.order_key = "uid=same".into();
    })
    .await;
    let mut change = world.creation("User", "new", json!({ "userName": "new" }));
    change.links =
        vec![LinkWrite { order_key: "uid=same".into(), ..world.link("new", "directory", Lane::Interactive) }];
    world.store.commit(change).await.unwrap();
    let closing = claim(world).await;
    assert_eq!(names(&closing), ["old"]);
    assert!(claim(world).await.is_empty());
    let done = Settle { state: LinkState::Tombstone, ..success(world, &closing[0]) };
    world.store.settle(done).await.unwrap();
    assert_eq!(names(&claim(world).await), ["new"]);
}

/// Given a tombstone with an object, when another link takes the object over, then the tombstone has none, nothing is due for it,
/// and a call that was under way for it settles nothing.
pub async fn a_tombstone_lets_go_of_what_was_taken_over(world: &World<'_>) {
    world.linked("old", "directory", Lane::Interactive).await;
    let first = claim(world).await.remove(0);
    world.store.settle(success(world, &first)).await.unwrap();
    world.delete("User", "old").await;
    rewrite(world, "old", |link| {
        link.lane = Lane::Leaver;
        link.state = Some(LinkState::Tombstone);
    })
    .await;
    let closing = claim(world).await.remove(0);
    world.linked("new", "directory", Lane::Interactive).await;
    let new = claim(world).await.remove(0);
    let heir =
        Settle { native_id: closing.native_id.clone(), heir_of: Some(closing.key.clone()), ..success(world, &new) };
    world.store.settle(heir).await.unwrap();

    let old = stored(world, "old").await;
    assert!(!old.pending() && old.due_at.is_none(), "{old:?}");
    assert_eq!((old.state, old.native_id), (LinkState::Tombstone, None));
    let late = world.store.settle(success(world, &closing)).await.unwrap();
    assert_eq!(late, Settled::Superseded);
    assert_eq!(stored(world, "old").await.native_id, None);
    assert!(world.store.status().await.unwrap()[0].pending_since.is_none());
    let holder = world.store.holder(&"directory".into(), "account", "native-old").await.unwrap();
    assert_eq!(holder.unwrap().resource.as_str(), "new");
}

/// Given a link due later, when it is claimed before that, then it is not given out.
pub async fn a_link_is_not_claimed_before_it_is_due(world: &World<'_>) {
    let mut change = world.creation("User", "u1", json!({ "userName": "u1" }));
    let due_at = world.now().checked_add(Duration::from_secs(10)).ok();
    change.links = vec![LinkWrite { due_at, ..world.link("u1", "directory", Lane::Leaver) }];
    world.store.commit(change).await.unwrap();
    world.clock.advance(Duration::from_secs(9));
    assert!(claim(world).await.is_empty());
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(names(&claim(world).await), ["u1"]);
}

/// Given a claim that nobody settles, when its lease ran out, then it is given out again with what was sent before.
pub async fn a_lease_that_ran_out_is_given_out_again_with_a_higher_fence(world: &World<'_>) {
    world.linked("u1", "directory", Lane::Interactive).await;
    let first = claim(world).await.remove(0);
    world.clock.advance(LEASE - Duration::from_secs(1));
    assert!(claim(world).await.is_empty());
    world.clock.advance(Duration::from_secs(1));
    let second = claim(world).await.remove(0);
    assert_eq!((first.fence, second.fence), (1, 2));
    // `prepare` saw the first one's.
    assert_eq!(second.sent.unwrap().delta, Delta::Read);
}

/// Given a claim that was taken over, when the first worker settles, then nothing is written.
pub async fn an_old_fence_cannot_settle(world: &World<'_>) {
    world.linked("u1", "directory", Lane::Interactive).await;
    let first = claim(world).await.remove(0);
    world.clock.advance(LEASE);
    let second = claim(world).await.remove(0);
    let rows = world.store.audit(0, 100).await.unwrap().len();
    assert_eq!(world.store.settle(success(world, &first)).await, Ok(Settled::Superseded));
    assert_eq!(stored(world, "u1").await, second);
    assert_eq!(world.store.audit(0, 100).await.unwrap().len(), rows);
    assert_eq!(world.store.settle(success(world, &second)).await, Ok(Settled::Done));
}

/// Given a claim that succeeded, when it is settled, then the link stands, is not due and remembers when.
pub async fn a_settled_link_is_done(world: &World<'_>) {
    world.linked("u1", "directory", Lane::Interactive).await;
    assert!(stored(world, "u1").await.pending_since.is_some());
    let claimed = claim(world).await.remove(0);
    world.clock.advance(Duration::from_secs(2));
    let rows = world.store.audit(0, 100).await.unwrap().len();
    assert_eq!(world.store.settle(success(world, &claimed)).await, Ok(Settled::Done));
    let link = stored(world, "u1").await;
    assert_eq!((&link.state, link.applied_generation, link.pending()), (&LinkState::Linked, 1, false));
    assert_eq!((link.last_success, link.pending_since, link.leased_until), (Some(world.now()), None, None));
    assert_eq!((link.native_id.as_ref().unwrap().as_str(), &link.sent), ("native-u1", &None));
    assert_eq!(link.seen, Some(Seen::default()));
    assert_eq!(world.store.audit(0, 100).await.unwrap().len(), rows + 1);
    assert!(claim(world).await.is_empty());
}

/// Given a link that changed during the call, when the call is settled, then it is due at once in its newest lane.
pub async fn a_link_whose_generation_moved_on_stays_due(world: &World<'_>) {
    world.linked("u1", "directory", Lane::Bulk).await;
    let claimed = claim(world).await.remove(0);
    rewrite(world, "u1", |link| link.lane = Lane::Leaver).await;
    assert!(claim(world).await.is_empty(), "the first claim still holds it");
    let failed = Settle {
        applied: false,
        attempt: 7,
        due_at: world.now().checked_add(Duration::from_secs(900)).ok(),
        ..success(world, &claimed)
    };
    assert_eq!(world.store.settle(failed).await, Ok(Settled::MovedOn));
    let link = stored(world, "u1").await;
    assert_eq!((link.due_at, link.attempt, link.lane), (Some(world.now()), 0, Lane::Leaver));
    assert_eq!((link.generation, link.applied_generation), (2, 0));
    let again = claim(world).await.remove(0);
    assert_eq!((again.generation, again.wanted), (2, Some(wanted(2))));
}

/// Given a resource deleted during the call, when the call is settled, then the link stays a tombstone with the native id.
pub async fn a_deletion_during_a_call_stays_a_tombstone(world: &World<'_>) {
    world.linked("u1", "directory", Lane::Interactive).await;
    let claimed = claim(world).await.remove(0);
    world.delete("User", "u1").await;
    rewrite(world, "u1", |link| link.state = Some(LinkState::Tombstone)).await;
    assert_eq!(world.store.settle(success(world, &claimed)).await, Ok(Settled::MovedOn));
    let link = stored(world, "u1").await;
    assert_eq!((link.state, link.native_id.is_some()), (LinkState::Tombstone, true));
    assert_eq!(names(&claim(world).await), ["u1"]);
}

/// Given links that are parked or disputed, when work is claimed, then they are not given out until they are written anew.
pub async fn what_is_parked_or_disputed_is_not_claimed(world: &World<'_>) {
    for (id, state) in [("u1", LinkState::Parked(Parked::Brake)), ("u2", LinkState::Disputed)] {
        world.linked(id, "directory", Lane::Interactive).await;
        rewrite(world, id, |link| link.state = Some(state)).await;
    }
    assert!(claim(world).await.is_empty());
    rewrite(world, "u1", |link| link.state = Some(LinkState::Unlinked)).await;
    assert_eq!(names(&claim(world).await), ["u1"]);
}

/// Given an attempt that failed, when it is settled, then the link waits until it is due and tells why.
pub async fn a_failed_attempt_waits_until_it_is_due(world: &World<'_>) {
    world.linked("u1", "directory", Lane::Interactive).await;
    let claimed = claim(world).await.remove(0);
    let due_at = world.now().checked_add(Duration::from_secs(30)).ok();
    let error = LastError { error: ConnError::transient("directory is busy"), at: world.now() };
    let failed = Settle {
        state: LinkState::Unlinked,
        applied: false,
        native_id: None,
        seen: None,
        sent: claimed.sent.clone(),
        due_at,
        attempt: 1,
        error: Some(error.clone()),
        ..success(world, &claimed)
    };
    assert_eq!(world.store.settle(failed).await, Ok(Settled::Done));
    let link = stored(world, "u1").await;
    assert_eq!((link.due_at, link.attempt, &link.last_error), (due_at, 1, &Some(error)));
    assert_eq!((&link.sent, link.last_success), (&claimed.sent, None));
    assert_eq!(link.pending_since, claimed.pending_since);
    assert!(claim(world).await.is_empty());
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(claim(world).await.len(), 1);
}

/// Given leases of a process that ended, when they are given back, then the links are due at once.
pub async fn leases_of_an_earlier_process_are_given_back(world: &World<'_>) {
    world.linked("u1", "directory", Lane::Interactive).await;
    world.linked("u2", "elsewhere", Lane::Interactive).await;
    let first = claim(world).await.remove(0);
    assert_eq!(world.store.release_leases().await, Ok(1));
    assert_eq!(world.store.release_leases().await, Ok(0));
    let second = claim(world).await.remove(0);
    assert!(second.fence > first.fence);
    assert_eq!(second.sent.unwrap().delta, Delta::Read);
}

/// Given a link that moved on, when a write was computed from an older generation, then it is stale.
pub async fn a_write_computed_from_an_old_generation_is_stale(world: &World<'_>) {
    world.linked("u1", "directory", Lane::Interactive).await;
    for generation in [0, 2] {
        let expect = Expect::Version { version: 1, groups: None };
        let mut change = world.change("User", "u1", expect, Write::Keep);
        let link = world.link("u1", "directory", Lane::Interactive);
        change.links = vec![LinkWrite { expect_generation: generation, ..link }];
        assert_eq!(world.store.commit(change).await, Err(StoreError::Stale));
    }
}

/// Given links due at different instants, when the next one is asked for, then the earliest is told, a lease's end included.
pub async fn the_next_due_instant_is_told(world: &World<'_>) {
    let next = async || world.store.next_due(&"directory".into()).await.unwrap();
    assert_eq!(next().await, None);
    let later = |seconds| world.now().checked_add(Duration::from_secs(seconds)).unwrap();
    for (id, seconds, lane) in [("u1", 20, Lane::Leaver), ("u2", 10, Lane::Bulk)] {
        let mut change = world.creation("User", id, json!({ "userName": id }));
        change.links = vec![LinkWrite { due_at: Some(later(seconds)), ..world.link(id, "directory", lane) }];
        world.store.commit(change).await.unwrap();
    }
    let (ten, twenty) = (later(10), later(20));
    assert_eq!(next().await, Some(ten));
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(names(&claim(world).await), ["u2"]);
    assert_eq!(next().await, Some(twenty));
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(names(&claim(world).await), ["u1"]);
    assert_eq!(next().await, Some(ten.checked_add(LEASE).unwrap()));
}
