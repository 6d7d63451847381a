//! Random changes against a model that is nothing but vectors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use gateway_store::conformance::{TestClock, World, as_members};
use gateway_store::sqlite::Options;
use gateway_store::{ListPage, ListRequest, Needs, PageAsk, Sort, Sqlite, StoreError};
use proptest::prelude::*;
use scim::{AttrPath, Filter, MemberOp};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Debug, Clone)]
enum Act {
    Create { name: u8, display: Option<u8> },
    Rename { which: u8, name: u8, display: Option<u8> },
    Delete { which: u8 },
    Add { which: u8 },
    Remove { which: u8 },
    Replace { which: Vec<u8> },
}

fn act() -> impl Strategy<Value = Act> {
    let display = || proptest::option::of(0..6_u8);
    prop_oneof![
        4 => (0..40_u8, display()).prop_map(|(name, display)| Act::Create { name, display }),
        2 => (any::<u8>(), 0..40_u8, display()).prop_map(|(which, name, display)| Act::Rename { which, name, display }),
        1 => any::<u8>().prop_map(|which| Act::Delete { which }),
        2 => any::<u8>().prop_map(|which| Act::Add { which }),
        1 => any::<u8>().prop_map(|which| Act::Remove { which }),
        1 => proptest::collection::vec(any::<u8>(), 0..6).prop_map(|which| Act::Replace { which }),
    ]
}

#[derive(Debug, Clone, PartialEq)]
struct User {
    id: String,
    name: String,
    display: Option<String>,
}

#[derive(Default)]
struct Model {
    users: Vec<User>,
    members: Vec<String>,
    group_version: u64,
    minted: usize,
}

impl Model {
    fn at(&self, which: u8) -> Option<User> {
        (!self.users.is_empty()).then(|| self.users[usize::from(which) % self.users.len()].clone())
    }

    fn taken(&self, name: &str, but: Option<&str>) -> bool {
        self.users.iter().any(|user| user.name.eq_ignore_ascii_case(name) && Some(user.id.as_str()) != but)
    }

    /// By display name, letter case ignored, those without one last, ties in order of creation.
    fn sorted(&self, keep: impl Fn(&User) -> bool) -> Vec<String> {
        let mut users: Vec<&User> = self.users.iter().filter(|user| keep(user)).collect();
        users.sort_by_key(|user| (user.display.is_none(), user.display.clone().map(|text| text.to_lowercase())));
        users.iter().map(|user| user.id.clone()).collect()
    }
}

fn attrs(name: &str, display: Option<&String>) -> serde_json::Value {
    match display {
        Some(display) => json!({ "userName": name, "displayName": display }),
        None => json!({ "userName": name }),
    }
}

async fn step(world: &World<'_>, model: &mut Model, act: Act) {
    let text = |n: u8| if n.is_multiple_of(2) { format!("Name{n}") } else { format!("NAME{n}") };
    let taken = Err(StoreError::Uniqueness { attribute: "userName".into() });
    match act {
        Act::Create { name, display } => {
            let user = User { id: format!("u{}", model.minted), name: text(name), display: display.map(text) };
            model.minted += 1;
            let change = world.creation("User", &user.id, attrs(&user.name, user.display.as_ref()));
            let outcome = world.store.commit(change).await.map(|committed| committed.version);
            assert_eq!(outcome, if model.taken(&user.name, None) { taken } else { Ok(1) });
            if outcome.is_ok() {
                model.users.push(user);
            }
        }
        Act::Rename { which, name, display } => {
            let Some(old) = model.at(which) else { return };
            let new = User { name: text(name), display: display.map(text), ..old.clone() };
            let outcome = world.put("User", &old.id, attrs(&new.name, new.display.as_ref())).await;
            assert_eq!(outcome.is_err(), model.taken(&new.name, Some(&old.id)));
            if outcome.is_ok() {
                *model.users.iter_mut().find(|user| user.id == old.id).unwrap() = new;
            }
        }
        Act::Delete { which } => {
            let Some(user) = model.at(which) else { return };
            world.delete("User", &user.id).await;
            model.users.retain(|other| *other != user);
            model.members.retain(|id| *id != user.id);
        }
        Act::Add { which } => {
            let Some(user) = model.at(which) else { return };
            let mut after = model.members.clone();
            if !after.contains(&user.id) {
                after.push(user.id.clone());
            }
            members(world, model, MemberOp::Add(as_members(&[&user.id])), after).await;
        }
        Act::Remove { which } => {
            let Some(user) = model.at(which) else { return };
            let after = model.members.iter().filter(|id| **id != user.id).cloned().collect();
            members(world, model, MemberOp::Remove(vec![user.id]), after).await;
        }
        Act::Replace { which } => {
            let wanted: Vec<String> = which.iter().filter_map(|n| model.at(*n)).map(|user| user.id).collect();
            let mut after: Vec<String> = model.members.iter().filter(|id| wanted.contains(id)).cloned().collect();
            for id in &wanted {
                if !after.contains(id) {
                    after.push(id.clone());
                }
            }
            let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
            members(world, model, MemberOp::ReplaceAll(as_members(&wanted)), after).await;
        }
    }
}

async fn members(world: &World<'_>, model: &mut Model, op: MemberOp, after: Vec<String>) {
    let changed = after != model.members;
    let committed = world.members("g", vec![op]).await.unwrap();
    model.group_version += u64::from(changed);
    assert_eq!((committed.changed, committed.version), (changed, model.group_version));
    model.members = after;
}

fn ids(page: &ListPage) -> Vec<String> {
    page.items.iter().map(|view| view.resource.id.to_string()).collect()
}

async fn compare(world: &World<'_>, expected: &[String], base: ListRequest, count: u32) {
    let list = async |page| world.store.list(ListRequest { page, count, ..base.clone() }).await.unwrap();
    let (mut forward, mut ask) = (Vec::new(), Some(PageAsk::First));
    let mut last = None;
    while let Some(page) = ask {
        let page = list(page).await;
        assert_eq!(page.total, expected.len() as u64);
        assert_eq!(page.previous.is_some(), !forward.is_empty());
        forward.extend(ids(&page));
        last = page.previous.or(last);
        ask = page.next.map(PageAsk::After);
    }
    assert_eq!(forward, expected);
    let mut backward = Vec::new();
    while let Some(position) = last {
        let page = list(PageAsk::Before(position)).await;
        backward.splice(0..0, ids(&page));
        last = page.previous;
    }
    assert_eq!(backward, expected[..backward.len()]);
    for start in 1..=expected.len() + 1 {
        let page = list(PageAsk::Index(start as u64)).await;
        let end = (start - 1 + count as usize).min(expected.len());
        assert_eq!(ids(&page), expected[start - 1..end]);
        assert_eq!(page.next.is_some(), end < expected.len());
    }
}

fn request(world: &World<'_>, filter: Option<&str>, sort: Option<bool>) -> ListRequest {
    ListRequest {
        types: vec![world.ty("User")],
        filter: filter.map(|text| Filter::parse(text).unwrap()),
        sort: sort.map(|descending| Sort { by: AttrPath::parse("displayName").unwrap(), descending }),
        page: PageAsk::First,
        count: 1,
        source: "feed".into(),
        needs: Needs::default(),
        budget: Duration::from_secs(60),
    }
}

async fn run(acts: Vec<Act>, count: u32) {
    let clock = TestClock::new();
    let store = Sqlite::memory(clock.clone(), Options::default()).unwrap();
    let world = World::new(&store, clock);
    world.group("g", &[]).await;
    let mut model = Model { group_version: 1, ..Model::default() };
    for act in acts {
        step(&world, &mut model, act).await;
    }
    assert_eq!(world.member_ids("g").await, model.members);
    let created: Vec<String> = model.users.iter().map(|user| user.id.clone()).collect();
    compare(&world, &created, request(&world, None, None), count).await;
    let sorted = model.sorted(|_| true);
    compare(&world, &sorted, request(&world, None, Some(false)), count).await;
    let reversed: Vec<String> = sorted.into_iter().rev().collect();
    compare(&world, &reversed, request(&world, None, Some(true)), count).await;
    let starts = |user: &User| user.name.to_lowercase().starts_with("name1");
    let filter = r#"userName sw "NAME1""#;
    let found: Vec<String> = model.users.iter().filter(|user| starts(user)).map(|user| user.id.clone()).collect();
    compare(&world, &found, request(&world, Some(filter), None), count).await;
    compare(&world, &model.sorted(starts), request(&world, Some(filter), Some(false)), count).await;
    let in_group = model.users.iter().filter(|user| model.members.contains(&user.id));
    let in_group: Vec<String> = in_group.map(|user| user.id.clone()).collect();
    compare(&world, &in_group, request(&world, Some(r#"groups.value eq "g""#), None), count).await;
    let names: BTreeSet<String> = model.users.iter().map(|user| user.name.to_lowercase()).collect();
    assert_eq!(names.len(), model.users.len());
    store.check().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_store_agrees_with_the_model(acts in proptest::collection::vec(act(), 1..60), count in 1..7_u32) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(run(acts, count));
    }
}

/// More than one block of the counts, so that pages begin inside the second and third.
#[test]
fn pages_begin_in_any_block() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let clock = TestClock::new();
        let store = Sqlite::memory(clock.clone(), Options::default()).unwrap();
        let world = World::new(&store, clock);
        let mut expected: Vec<String> = Vec::new();
        for n in 0..2_600 {
            let id = format!("u{n}");
            world.person(&id).await;
            expected.push(id);
        }
        for n in (0..2_600).step_by(3) {
            world.delete("User", &format!("u{n}")).await;
        }
        expected = expected.into_iter().enumerate().filter(|(n, _)| n % 3 != 0).map(|(_, id)| id).collect();
        for start in [1, 600, 682, 683, 684, 1_300, 1_365, 1_366, 1_700, 1_733, 1_734] {
            let base = ListRequest { page: PageAsk::Index(start), count: 50, ..request(&world, None, None) };
            let page = world.store.list(base).await.unwrap();
            let from = (start as usize - 1).min(expected.len());
            assert_eq!(ids(&page), expected[from..(from + 50).min(expected.len())], "from {start}");
            assert_eq!(page.total, expected.len() as u64);
        }
    });
}
