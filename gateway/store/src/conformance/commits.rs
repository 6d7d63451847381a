//! Changes of one resource.

use super::{World, key, object, texts, wanted};
use crate::chain::{self, GENESIS};
use crate::{AssertionWrite, Expect, Needs, StoreError, Write};
use gateway_domain::{Lane, LinkState, SourceId};
use serde_json::json;
use std::time::Duration;

/// Given a committed create, when it is read, then it is there as committed.
pub async fn what_was_committed_is_read_at_once(world: &World<'_>) {
    let attrs = json!({ "userName": "U1", "active": true });
    let committed = world.user("u1", attrs.clone()).await;
    assert_eq!((committed.version, committed.changed), (1, true));
    let seen = world.view("User", "u1").await.unwrap().resource;
    assert_eq!((seen.version, seen.created, seen.attrs), (1, world.now(), object(attrs)));
    world.clock.advance(Duration::from_secs(5));
    let changed = world.put("User", "u1", json!({ "userName": "U1", "active": false })).await.unwrap();
    let seen = world.view("User", "u1").await.unwrap().resource;
    assert_eq!((seen.version, seen.modified, seen.created), (2, world.now(), committed.created));
    assert_eq!((changed.version, changed.modified, changed.created), (2, world.now(), committed.created));
    assert_eq!(seen.attrs["active"], json!(false));
}

/// Given a resource, when it is created again, then that is stale.
pub async fn a_create_of_what_exists_is_stale(world: &World<'_>) {
    world.person("u1").await;
    let again = world.creation("User", "u1", json!({ "userName": "other" }));
    assert_eq!(world.store.commit(again).await, Err(StoreError::Stale));
    assert_eq!(world.view("User", "u1").await.unwrap().resource.attrs["userName"], json!("u1"));
}

/// Given a resource that moved on, when an older version is changed or deleted, then that is stale.
pub async fn a_change_of_an_old_version_is_stale(world: &World<'_>) {
    world.person("u1").await;
    world.put("User", "u1", json!({ "userName": "u1", "title": "A" })).await.unwrap();
    for write in [Write::Delete, Write::Keep, Write::Members] {
        let change = world.change("User", "u1", Expect::Version { version: 1, groups: None }, write);
        assert_eq!(world.store.commit(change).await, Err(StoreError::Stale));
    }
    let gone = world.change("User", "u2", Expect::Version { version: 1, groups: None }, Write::Delete);
    assert_eq!(world.store.commit(gone).await, Err(StoreError::Stale));
}

/// Given a change computed from a user's groups, when the groups change before it, then it is stale.
pub async fn a_change_computed_from_other_groups_is_stale(world: &World<'_>) {
    world.person("u1").await;
    let before = world.snapshot("User", "u1").await.groups;
    world.group("g1", &["u1"]).await;
    let change = |groups| {
        let write = Write::Put { attrs: object(json!({ "userName": "u1" })), index: vec![], unindex: vec![] };
        world.change("User", "u1", Expect::Version { version: 1, groups: Some(groups) }, write)
    };
    assert_eq!(world.store.commit(change(before)).await, Err(StoreError::Stale));
    let now = world.snapshot("User", "u1").await.groups;
    assert_eq!(world.store.commit(change(now)).await.unwrap().version, 2);
}

/// Given a policy in force, when a change was computed under another one, then it is stale.
pub async fn a_change_under_another_policy_is_stale(world: &World<'_>) {
    let epoch = world.store.set_policy("one").await.unwrap();
    let mut change = world.creation("User", "u1", json!({ "userName": "u1" }));
    assert_eq!(world.store.commit(change.clone()).await, Err(StoreError::Stale));
    change.policy_epoch = epoch;
    assert_eq!(world.store.commit(change).await.unwrap().version, 1);
    assert_eq!(world.snapshot("User", "u1").await.policy_epoch, epoch);
}

/// Given a unique value, when another resource takes it by create or change, then it is refused with the attribute's name.
pub async fn a_unique_value_is_refused_to_a_second_resource(world: &World<'_>) {
    world.user("u1", json!({ "userName": "Same" })).await;
    let taken = Err(StoreError::Uniqueness { attribute: "userName".into() });
    let second = world.creation("User", "u2", json!({ "userName": "sAME" }));
    assert_eq!(world.store.commit(second).await, taken);
    world.person("u3").await;
    assert_eq!(world.put("User", "u3", json!({ "userName": "SAME" })).await, taken);
    let named = world.named_creation("User", "u4", json!({ "userName": "u4" }), "X");
    world.store.commit(named).await.unwrap();
    let again = world.named_creation("User", "u5", json!({ "userName": "u5" }), "X");
    assert_eq!(world.store.commit(again).await, Err(StoreError::Uniqueness { attribute: "externalId".into() }));
}

/// Given a value that was freed by change or delete, when another resource takes it, then it has it.
pub async fn a_freed_value_may_be_taken_again(world: &World<'_>) {
    world.person("u1").await;
    world.put("User", "u1", json!({ "userName": "renamed" })).await.unwrap();
    world.user("u2", json!({ "userName": "u1" })).await;
    world.delete("User", "u2").await;
    world.user("u3", json!({ "userName": "U1" })).await;
}

/// Given a resource, when it is given the unique value that it has, then that is no conflict.
pub async fn a_resource_may_keep_its_own_unique_value(world: &World<'_>) {
    world.person("u1").await;
    let attrs = object(json!({ "userName": "u1" }));
    let index = world.index("User", &attrs, None);
    let write = Write::Put { attrs, index, unindex: vec![] };
    let change = world.change("User", "u1", Expect::Version { version: 1, groups: None }, write);
    assert_eq!(world.store.commit(change).await.unwrap().version, 2);
    world.delete("User", "u1").await;
    world.person("u1").await;
}

/// Given a change whose last part is refused, when it was refused, then none of its other parts are there.
pub async fn a_failed_write_leaves_nothing_behind(world: &World<'_>) {
    world.linked("u1", "directory", Lane::Interactive).await;
    let rows = world.store.audit(0, 100).await.unwrap().len();
    let mut change = world.named_creation("User", "u2", json!({ "userName": "u2" }), "X");
    // Another generation than the stored one: only found after the resource was written.
    change.links = vec![world.link("u2", "directory", Lane::Bulk), world.link("u1", "directory", Lane::Bulk)];
    assert_eq!(world.store.commit(change).await, Err(StoreError::Stale));
    let after = world.snapshot("User", "u2").await;
    assert_eq!((after.resource, after.links, after.assertions.len()), (None, vec![], 0));
    assert_eq!(world.store.audit(0, 100).await.unwrap().len(), rows);
    assert_eq!(super::lists::total(world, "User").await, 1);
    // Its name and its external id are still free.
    let again = world.named_creation("User", "u3", json!({ "userName": "u2" }), "X");
    world.store.commit(again).await.unwrap();
}

/// Given many callers at once of whom half collide, when all are answered, then exactly the others' changes are there.
pub async fn concurrent_callers_fail_each_on_their_own(world: &World<'_>) {
    world.linked("u", "directory", Lane::Interactive).await;
    let changes = (0..60).map(|n| {
        let mut change = world.creation("User", &format!("u{n}"), json!({ "userName": format!("n{}", n / 2) }));
        if n % 3 == 0 {
            // Refused after it has written.
            change.links = vec![world.link("u", "directory", Lane::Bulk)];
        }
        world.store.commit(change)
    });
    let outcomes = join(changes.collect()).await;
    let mut there = 1;
    for (n, outcome) in outcomes.iter().enumerate() {
        let stored = world.view("User", &format!("u{n}")).await.is_some();
        assert_eq!(stored, outcome.is_ok(), "u{n}: {outcome:?}");
        there += u64::from(stored);
    }
    assert!((21..=31).contains(&there), "{there}");
    assert_eq!(super::lists::total(world, "User").await, there);
    assert_eq!(world.store.audit(0, 100).await.unwrap().len() as u64, there);
}

/// Runs all at once.
pub(crate) async fn join<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut waiting = false;
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(ready) => *output = Some(ready),
                    std::task::Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

/// Given several changes, when the audit is read, then each has a row and their hashes chain.
pub async fn audit_rows_have_no_gaps_and_chain(world: &World<'_>) {
    world.person("u1").await;
    let refused = world.creation("User", "u2", json!({ "userName": "u1" }));
    world.store.commit(refused).await.unwrap_err();
    world.put("User", "u1", json!({ "userName": "u1", "title": "A" })).await.unwrap();
    world.delete("User", "u1").await;
    let rows = world.store.audit(0, 100).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2, 3]);
    let end = chain::verify((0, GENESIS), &rows).unwrap();
    assert_eq!(end, (3, rows[2].hash));
    assert_eq!(world.store.audit(1, 1).await.unwrap(), rows[1..2]);
    assert_eq!(rows[0].entry.resource, Some("u1".into()));
}

/// Given two sources, when each speaks, then both are kept, and one can withdraw alone.
pub async fn what_each_source_says_is_kept_apart(world: &World<'_>) {
    world.person("u1").await;
    let say = |source: &str, version, said| {
        let expect = Expect::Version { version, groups: None };
        let write = Write::Put { attrs: object(json!({ "userName": "u1" })), index: vec![], unindex: vec![] };
        let mut change = world.change("User", "u1", expect, write);
        change.source = source.into();
        change.assertion = Some(said);
        world.store.commit(change)
    };
    let put = |title: &str, external: Option<&str>| AssertionWrite::Put {
        attrs: object(json!({ "title": title })),
        external_id: external.map(str::to_owned),
    };
    say("hr", 1, put("A", Some("hr-1"))).await.unwrap();
    say("idp", 2, put("B", None)).await.unwrap();
    let snapshot = world.snapshot("User", "u1").await;
    let said: Vec<_> = snapshot.assertions.iter().map(|a| (a.source.as_str(), &a.attrs["title"])).collect();
    assert_eq!(said, [("hr", &json!("A")), ("idp", &json!("B"))]);
    assert_eq!(snapshot.assertions[0].external_id.as_deref(), Some("hr-1"));
    assert_eq!(snapshot.resource.unwrap().external_ids, [(SourceId::from("hr"), "hr-1".to_owned())].into());
    say("hr", 3, AssertionWrite::Withdraw).await.unwrap();
    let snapshot = world.snapshot("User", "u1").await;
    assert_eq!(snapshot.assertions.len(), 1);
    assert!(snapshot.resource.unwrap().external_ids.is_empty());
}

/// Given two sources, when both name a resource alike, then that is no conflict.
pub async fn sources_may_use_one_name_for_two_resources(world: &World<'_>) {
    for (id, source) in [("u1", "hr"), ("u2", "idp")] {
        let mut change = world.named_creation("User", id, json!({ "userName": id }), "X");
        if let Write::Put { index, .. } = &mut change.write {
            index.retain(|entry| !entry.key.starts_with("externalId"));
            index.push(crate::Index {
                key: format!("externalId@{source}"),
                value: "X".into(),
                unique: crate::Unique::Yes,
            });
        }
        change.source = source.into();
        world.store.commit(change).await.unwrap();
    }
}

/// Given a resource with a link, when it is deleted, then the link is there as a tombstone.
pub async fn links_outlive_their_resource(world: &World<'_>) {
    world.linked("u1", "directory", Lane::Interactive).await;
    let mut change = world.change("User", "u1", Expect::Version { version: 1, groups: None }, Write::Delete);
    let mut link = world.link("u1", "directory", Lane::Leaver);
    link.expect_generation = 1;
    link.wanted = Some(wanted(2));
    link.state = Some(LinkState::Tombstone);
    change.links = vec![link];
    world.store.commit(change).await.unwrap();
    let snapshot = world.snapshot("User", "u1").await;
    assert_eq!(snapshot.resource, None);
    let [link] = snapshot.links.as_slice() else { panic!("one link") };
    assert_eq!((&link.state, link.generation, link.lane), (&LinkState::Tombstone, 2, Lane::Leaver));
    assert_eq!(world.store.view("User", &"u1".into(), Needs::default()).await.unwrap(), None);
}

/// Given a resource, when only its links are written, then its version stays and the links move on.
pub async fn keeping_the_row_keeps_its_version(world: &World<'_>) {
    world.linked("u1", "directory", Lane::Interactive).await;
    let mut change = world.change("User", "u1", Expect::Version { version: 1, groups: None }, Write::Keep);
    let mut link = world.link("u1", "directory", Lane::Bulk);
    link.expect_generation = 1;
    link.wanted = Some(wanted(2));
    change.links = vec![link];
    assert_eq!(world.store.commit(change).await.unwrap().version, 1);
    let snapshot = world.snapshot("User", "u1").await;
    assert_eq!(snapshot.resource.unwrap().version, 1);
    assert_eq!(snapshot.links[0].wanted, Some(wanted(2)));
    assert_eq!(world.store.link(&key("u1", "directory")).await.unwrap().unwrap().generation, 2);
}

/// Given resources to look at again, when time passes, then they are found in order of their instants.
pub async fn a_resource_to_look_at_again_is_found_when_its_time_has_come(world: &World<'_>) {
    let later = |seconds| world.now().checked_add(Duration::from_secs(seconds)).unwrap();
    for (id, seconds) in [("u1", 20), ("u2", 10), ("u3", 30)] {
        let mut change = world.creation("User", id, json!({ "userName": id }));
        change.next_change_at = Some(later(seconds));
        world.store.commit(change).await.unwrap();
    }
    assert_eq!(world.store.next_change().await.unwrap(), Some(later(10)));
    assert!(world.store.changes_due(later(9), 10).await.unwrap().is_empty());
    assert_eq!(texts(&world.store.changes_due(later(20), 10).await.unwrap()), ["u2", "u1"]);
    assert_eq!(texts(&world.store.changes_due(later(20), 1).await.unwrap()), ["u2"]);
    let kept = world.change("User", "u2", Expect::Version { version: 1, groups: None }, Write::Keep);
    world.store.commit(kept).await.unwrap();
    assert_eq!(world.store.next_change().await.unwrap(), Some(later(20)));
}

/// Given a user, when its id is asked for as a group, then it is not there.
pub async fn a_resource_is_only_seen_as_its_own_type(world: &World<'_>) {
    world.person("u1").await;
    world.group("g1", &[]).await;
    assert_eq!(world.view("Group", "u1").await, None);
    assert_eq!(world.snapshot("Group", "u1").await.resource, None);
    let change = world.change("Group", "u1", Expect::Version { version: 1, groups: None }, Write::Delete);
    assert_eq!(world.store.commit(change).await, Err(StoreError::Stale));
}
