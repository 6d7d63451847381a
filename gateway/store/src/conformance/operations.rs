//! What operators and background tasks ask.

use super::claims::{claim, stored, success};
use super::{World, key, texts, wanted};
use crate::{Expect, LinkFilter, LinkWrite, Settle, Sweep, SweepCause, Token, Write};
use connector_spi::Kind;
use gateway_domain::{Action, Lane, LinkState, Parked, ResourceId, Seen};
use serde_json::json;
use std::time::Duration;

/// Given a policy in force, when another one is set, then the epoch grows and everybody is swept; the same one changes nothing.
pub async fn another_policy_raises_the_epoch_and_sweeps_everybody(world: &World<'_>) {
    let first = world.store.set_policy("one").await.unwrap();
    assert_eq!(world.store.set_policy("one").await, Ok(first));
    let second = world.store.set_policy("two").await.unwrap();
    assert!(second > first);
    let sweep = world.store.next_sweep().await.unwrap().unwrap();
    assert_eq!(sweep.cause, SweepCause::Policy { epoch: second });
    world.store.advance_sweep(sweep.id, None).await.unwrap();
    assert_eq!(world.store.next_sweep().await, Ok(None));
}

async fn walk(world: &World<'_>, mut sweep: Sweep, limit: u32) -> Vec<ResourceId> {
    let mut all = Vec::new();
    while let (users, Some(cursor)) = world.store.swept(&sweep, limit).await.unwrap() {
        assert!(users.len() <= limit as usize);
        all.extend(users.into_iter().map(|one| one.id));
        world.store.advance_sweep(sweep.id, Some(cursor)).await.unwrap();
        sweep = world.store.next_sweep().await.unwrap().unwrap();
    }
    world.store.advance_sweep(sweep.id, None).await.unwrap();
    all
}

/// Given a sweep over everybody, when it is worked off in parts, then each user and each group comes once.
pub async fn a_sweep_goes_on_from_its_cursor(world: &World<'_>) {
    for n in 0..7 {
        world.person(&format!("u{n}")).await;
    }
    world.group("g", &[]).await;
    world.store.set_policy("one").await.unwrap();
    let sweep = world.store.next_sweep().await.unwrap().unwrap();
    let all = walk(world, sweep, 3).await;
    assert_eq!(texts(&all), ["u0", "u1", "u2", "u3", "u4", "u5", "u6", "g"]);
    assert_eq!(world.store.next_sweep().await, Ok(None));
}

/// Given groups in groups, when the outer one is swept, then each user below comes once.
pub async fn a_sweep_over_a_group_reaches_groups_inside_it(world: &World<'_>) {
    for id in ["u1", "u2", "u3", "u4"] {
        world.person(id).await;
    }
    world.group("c", &["u1", "u2"]).await;
    world.group("b", &["c", "u2", "u3"]).await;
    world.group("a", &["b"]).await;
    let expect = Expect::Version { version: 1, groups: None };
    let mut change = world.change("Group", "a", expect, Write::Keep);
    change.sweep = Some(SweepCause::Group { id: "a".into() });
    world.store.commit(change).await.unwrap();
    let sweep = world.store.next_sweep().await.unwrap().unwrap();
    assert_eq!(texts(&walk(world, sweep, 2).await), ["u1", "u2", "u3"]);
}

/// Given a target taken out of the configuration, when it comes back, then its links are worked again.
pub async fn links_of_a_target_that_left_are_detached_until_it_returns(world: &World<'_>) {
    world.linked("u1", "directory", Lane::Interactive).await;
    let claimed = claim(world).await.remove(0);
    world.store.settle(success(world, &claimed)).await.unwrap();
    world.linked("u2", "directory", Lane::Interactive).await;
    world.linked("u3", "elsewhere", Lane::Interactive).await;
    world.store.set_targets(&["elsewhere".into()]).await.unwrap();
    assert_eq!(stored(world, "u1").await.state, LinkState::Detached);
    assert!(claim(world).await.is_empty());
    let elsewhere = world.store.link(&key("u3", "elsewhere")).await.unwrap().unwrap();
    assert_eq!(elsewhere.state, LinkState::Unlinked);
    let status = world.store.status().await.unwrap();
    assert_eq!((status[0].target.as_str(), status[0].detached), ("directory", 2));
    world.clock.advance(Duration::from_secs(3));
    world.store.set_targets(&["elsewhere".into(), "directory".into()]).await.unwrap();
    assert_eq!(stored(world, "u1").await.state, LinkState::Linked);
    assert_eq!(stored(world, "u2").await.state, LinkState::Unlinked);
    assert_eq!(stored(world, "u1").await.due_at, Some(world.now()));
    assert_eq!(claim(world).await.len(), 2);
}

/// Given links that wait or are parked, when an operator retries them, then they are due at once, and the act is recorded.
pub async fn a_retried_link_is_due_at_once(world: &World<'_>) {
    for id in ["u1", "u2"] {
        world.linked(id, "directory", Lane::Interactive).await;
    }
    world.linked("u3", "elsewhere", Lane::Interactive).await;
    for link in claim(world).await {
        let later = world.now().checked_add(Duration::from_secs(900)).ok();
        let parked = link.key.resource.as_str() == "u1";
        let state = if parked { LinkState::Parked(Parked::Refused) } else { LinkState::Linked };
        let failed = Settle { state, applied: false, due_at: later, attempt: 9, ..success(world, &link) };
        world.store.settle(failed).await.unwrap();
    }
    assert!(claim(world).await.is_empty());
    let parked = LinkFilter { state: Some("parked".into()), ..LinkFilter::default() };
    assert_eq!(world.store.retry(parked.clone(), world.entry(Action::Operate, "u1")).await, Ok(1));
    assert_eq!(world.store.retry(parked, world.entry(Action::Operate, "u1")).await, Ok(0));
    let directory = LinkFilter { target: Some("directory".into()), ..LinkFilter::default() };
    assert_eq!(world.store.retry(directory, world.entry(Action::Operate, "u1")).await, Ok(2));
    let rows = world.store.audit(0, 100).await.unwrap();
    assert_eq!(rows.iter().filter(|row| row.entry.action == Action::Operate).count(), 3);
    let links = claim(world).await;
    assert_eq!(
        links.iter().map(|link| (link.attempt, &link.state)).collect::<Vec<_>>(),
        [(0, &LinkState::Linked), (0, &LinkState::Linked)]
    );
    let status = world.store.status().await.unwrap();
    assert_eq!((status[0].due, status[0].linked, status[0].parked.len()), (2, 2, 0));
}

/// Given people who hold entitlements in scopes and by roles, when assignments are counted, then each person counts once for
/// each, and what is closed does not count.
pub async fn assignments_count_people_once_and_closed_links_not(world: &World<'_>) {
    let menu = |site: &str, role: &str| {
        json!({
            "entitlement": { "type": "menu", "value": "CHART", "scope": { "site": site } },
            "origins": [{ "role": role }, { "source": "feed" }],
        })
    };
    let license = json!({ "entitlement": { "type": "license", "value": "L1" }, "origins": [{ "role": "nurse" }] });
    let people = [
        ("u1", json!({ "state": "enabled", "entitlements": [menu("EAST", "nurse"), menu("WEST", "nurse"), license] })),
        ("u2", json!({ "state": "enabled", "entitlements": [menu("EAST", "float")] })),
        (
            "u3",
            json!({
                "state": "disabled", "entitlements": [license], "closing": { "strip": "none", "sessions": false },
            }),
        ),
    ];
    for (id, wanted) in people {
        let mut change = world.creation("User", id, json!({ "userName": id }));
        let wanted = Some(serde_json::from_value(wanted).unwrap());
        change.links = vec![LinkWrite { wanted, ..world.link(id, "ehr", Lane::Interactive) }];
        world.store.commit(change).await.unwrap();
    }
    let counted = world.store.assignments().await.unwrap();
    let mut entitlements: Vec<(String, u64)> = counted
        .entitlements
        .iter()
        .map(|(target, one, people)| (gateway_domain::catalogue::composite(target.as_str(), one), *people))
        .collect();
    entitlements.sort();
    let expected = [
        ("ehr:license:L1", 1),
        ("ehr:menu:CHART", 2),
        ("ehr:menu:CHART@site=EAST", 2),
        ("ehr:menu:CHART@site=WEST", 1),
    ];
    assert_eq!(entitlements, expected.map(|(id, people)| (id.to_owned(), people)));
    assert_eq!(counted.roles, [("float".to_owned(), 1), ("nurse".to_owned(), 1)].into());
}

/// Given an account of a deleted person, when its holder is asked for, then it is still that person's.
pub async fn an_account_has_a_holder_also_as_a_tombstone(world: &World<'_>) {
    world.linked("u1", "directory", Lane::Interactive).await;
    let claimed = claim(world).await.remove(0);
    world.store.settle(success(world, &claimed)).await.unwrap();
    let mut change = world.change("User", "u1", Expect::Version { version: 1, groups: None }, Write::Delete);
    let link = world.link("u1", "directory", Lane::Leaver);
    change.links = vec![LinkWrite { expect_generation: 1, state: Some(LinkState::Tombstone), ..link }];
    world.store.commit(change).await.unwrap();
    let holder = async |kind: &str, native: &str| world.store.holder(&"directory".into(), kind, native).await.unwrap();
    assert_eq!(holder("account", "native-u1").await, Some(key("u1", "directory")));
    assert_eq!(holder("account", "native-u2").await, None);
    assert_eq!(holder("mailbox", "native-u1").await, None);
}

/// Given links, when they are asked for, then each condition narrows, and the order is that of their numbers.
pub async fn links_are_found_by_what_is_asked(world: &World<'_>) {
    let one = world.linked("u1", "directory", Lane::Interactive).await;
    let two = world.linked("u2", "directory", Lane::Interactive).await;
    let three = world.linked("u3", "elsewhere", Lane::Interactive).await;
    let claimed = claim(world).await;
    world.store.settle(success(world, &claimed[0])).await.unwrap();
    let find = async |filter: LinkFilter| {
        world.store.links(filter).await.unwrap().iter().map(|link| link.id).collect::<Vec<_>>()
    };
    let all = LinkFilter::default();
    assert_eq!(find(all.clone()).await, [one, two, three]);
    assert_eq!(find(LinkFilter { after: one, limit: 1, ..all.clone() }).await, [two]);
    assert_eq!(find(LinkFilter { target: Some("directory".into()), ..all.clone() }).await, [one, two]);
    assert_eq!(find(LinkFilter { target: Some("unknown".into()), ..all.clone() }).await, Vec::<i64>::new());
    assert_eq!(find(LinkFilter { resource: Some("u3".into()), ..all.clone() }).await, [three]);
    assert_eq!(find(LinkFilter { state: Some("linked".into()), ..all.clone() }).await, [one]);
    assert_eq!(find(LinkFilter { state: Some("due".into()), ..all.clone() }).await, [two, three]);
    assert_eq!(find(LinkFilter { state: Some("disputed".into()), ..all }).await, Vec::<i64>::new());
}

/// Given links in every state, when the status is asked for, then it counts them.
pub async fn a_status_counts_what_stands(world: &World<'_>) {
    let states = [
        ("u1", LinkState::Linked),
        ("u2", LinkState::Parked(Parked::Brake)),
        ("u3", LinkState::Disputed),
        ("u4", LinkState::Tombstone),
    ];
    let start = world.now();
    for (id, _) in &states {
        world.linked(id, "directory", Lane::Interactive).await;
    }
    world.clock.advance(Duration::from_secs(1));
    for (link, (_, state)) in claim(world).await.iter().zip(&states) {
        let applied = *state == LinkState::Linked || *state == LinkState::Tombstone;
        world.store.settle(Settle { state: state.clone(), applied, ..success(world, link) }).await.unwrap();
    }
    let settled = world.now();
    world.clock.advance(Duration::from_secs(1));
    world.linked("u5", "directory", Lane::Interactive).await;
    world.linked("v1", "elsewhere", Lane::Interactive).await;
    let all = world.store.status().await.unwrap();
    let [directory, elsewhere] = all.as_slice() else { panic!("two targets") };
    assert_eq!((directory.links, directory.linked, directory.tombstones), (4, 1, 1));
    assert_eq!((directory.due, directory.disputed, directory.parked["brake"]), (1, 1, 1));
    assert_eq!((directory.pending_since, directory.last_success), (Some(start), Some(settled)));
    assert_eq!((elsewhere.links, elsewhere.due, elsewhere.last_success), (1, 1, None));
}

/// Given a closing, when the target took it, then it counts as unverified until it is proved.
pub async fn a_closing_is_unverified_until_it_is_proved(world: &World<'_>) {
    let mut change = world.creation("User", "u1", json!({ "userName": "u1" }));
    let mut link = world.link("u1", "directory", Lane::Leaver);
    let mut closing = wanted(1);
    closing.closing = Some(serde_json::from_value(json!({ "strip": "owned", "sessions": true })).unwrap());
    link.wanted = Some(closing);
    change.links = vec![link];
    world.store.commit(change).await.unwrap();
    let unverified = async || world.store.status().await.unwrap()[0].unverified;
    assert_eq!(unverified().await, 0);
    let claimed = claim(world).await.remove(0);
    world.store.settle(success(world, &claimed)).await.unwrap();
    assert_eq!(unverified().await, 1);
    let one = LinkFilter { resource: Some("u1".into()), ..LinkFilter::default() };
    world.store.retry(one, world.entry(Action::Operate, "u1")).await.unwrap();
    let claimed = claim(world).await.remove(0);
    let seen = Some(Seen { verified: Some(true), ..Seen::default() });
    world.store.settle(Settle { seen, ..success(world, &claimed) }).await.unwrap();
    assert_eq!(unverified().await, 0);
    assert_eq!(claimed.key.kind, Kind::from("account"));
}

/// Given tokens of two sources, when one is revoked, then the others stand.
pub async fn a_token_is_kept_until_it_is_revoked(world: &World<'_>) {
    let token = |id: &str, source: &str| Token {
        id: id.into(),
        source: source.into(),
        hash: [7; 32],
        created: world.now(),
        expires: world.now().checked_add(Duration::from_secs(60)).ok(),
    };
    let act = || world.entry(Action::Operate, "token");
    for (id, source) in [("a", "hr"), ("b", "idp")] {
        world.store.put_token(token(id, source), act()).await.unwrap();
    }
    world.clock.advance(Duration::from_secs(1));
    world.store.put_token(token("c", "hr"), act()).await.unwrap();
    assert_eq!(world.store.token("c").await, Ok(Some(token("c", "hr"))));
    let of_hr = world.store.tokens(&"hr".into()).await.unwrap();
    assert_eq!(of_hr.iter().map(|token| token.id.as_str()).collect::<Vec<_>>(), ["c", "a"]);
    assert_eq!(world.store.revoke_token("a", act()).await, Ok(true));
    assert_eq!(world.store.revoke_token("a", act()).await, Ok(false));
    assert_eq!(world.store.token("a").await, Ok(None));
    assert!(world.store.token("b").await.unwrap().is_some());
    assert_eq!(world.store.audit(0, 100).await.unwrap().len(), 4);
}

/// Given a store that works, when it is asked how it is, then it says well, and its key is always the same.
pub async fn the_store_says_that_it_is_well(world: &World<'_>) {
    assert_eq!(world.store.health().await, Ok(()));
    assert_eq!(world.store.server_key(), world.store.server_key());
    assert_ne!(world.store.server_key(), [0; 32]);
}
