//! Pages of resources.

use super::{World, as_members, object};
use crate::{AssertionWrite, Expect, ListPage, ListRequest, Needs, PageAsk, Position, Sort, StoreError, Write};
use scim::{AttrPath, Filter, MemberOp};
use serde_json::{Value, json};
use std::time::Duration;

fn request(world: &World<'_>, types: &[&str]) -> ListRequest {
    ListRequest {
        types: types.iter().map(|name| world.ty(name)).collect(),
        filter: None,
        sort: None,
        page: PageAsk::Index(1),
        count: 100,
        source: "feed".into(),
        needs: Needs::default(),
        budget: Duration::from_secs(60),
    }
}

fn sort(by: &str, descending: bool) -> Option<Sort> {
    Some(Sort { by: AttrPath::parse(by).unwrap(), descending })
}

fn ids(page: &ListPage) -> Vec<String> {
    page.items.iter().map(|view| view.resource.id.to_string()).collect()
}

async fn list(world: &World<'_>, request: ListRequest) -> ListPage {
    world.store.list(request).await.unwrap()
}

async fn find(world: &World<'_>, ty: &str, filter: &str) -> Vec<String> {
    let filter = Some(Filter::parse(filter).unwrap());
    let page = list(world, ListRequest { filter, ..request(world, &[ty]) }).await;
    assert_eq!(page.total, page.items.len() as u64);
    ids(&page)
}

/// How many there are of a type.
pub(crate) async fn total(world: &World<'_>, ty: &str) -> u64 {
    list(world, ListRequest { count: 0, ..request(world, &[ty]) }).await.total
}

async fn people(world: &World<'_>, count: usize) -> Vec<String> {
    let ids: Vec<String> = (0..count).map(|n| format!("u{n}")).collect();
    for id in &ids {
        world.person(id).await;
    }
    ids
}

/// All pages forward by cursor, each checked to say what it should.
async fn forward(world: &World<'_>, base: &ListRequest, count: u32) -> (Vec<String>, Option<Position>) {
    let (mut all, mut last) = (Vec::new(), None);
    let mut ask = PageAsk::First;
    loop {
        let page = list(world, ListRequest { page: ask, count, ..base.clone() }).await;
        assert!(page.items.len() <= count as usize);
        assert_eq!(page.previous.is_some(), !all.is_empty(), "the first page has none before it");
        all.extend(ids(&page));
        if page.previous.is_some() {
            last = page.previous.clone();
        }
        match page.next {
            Some(position) => ask = PageAsk::After(position),
            None => {
                assert_eq!(page.total, all.len() as u64);
                return (all, last);
            }
        }
    }
}

/// All pages backward from a position, in the order of the listing.
async fn backward(world: &World<'_>, base: &ListRequest, from: Position, count: u32) -> Vec<String> {
    let mut all = Vec::new();
    let mut ask = Some(PageAsk::Before(from));
    while let Some(page) = ask {
        let page = list(world, ListRequest { page, count, ..base.clone() }).await;
        assert!(page.next.is_some(), "something follows what comes before");
        all.splice(0..0, ids(&page));
        ask = page.previous.map(PageAsk::Before);
    }
    all
}

/// Given more resources than a page holds, when all pages are read by index, then each one comes once, in order.
pub async fn pages_by_index_cover_everything_once(world: &World<'_>) {
    let all = people(world, 7).await;
    world.group("g", &[]).await;
    let mut seen = Vec::new();
    for start in [1, 4, 7] {
        let page = list(world, ListRequest { page: PageAsk::Index(start), count: 3, ..request(world, &["User"]) });
        let page = page.await;
        assert_eq!(page.total, 7);
        seen.extend(ids(&page));
    }
    assert_eq!(seen, all);
}

/// Given more resources than a page holds, when all pages are read by cursor, then each one comes once, in order.
pub async fn pages_by_cursor_cover_everything_once(world: &World<'_>) {
    let all = people(world, 7).await;
    for count in [1, 3, 7, 10] {
        assert_eq!(forward(world, &request(world, &["User"]), count).await.0, all);
    }
}

/// Given a page, when the one before is asked for, then it is what was seen before.
pub async fn a_page_back_is_the_page_before(world: &World<'_>) {
    let all = people(world, 7).await;
    let base = request(world, &["User"]);
    let (_, last) = forward(world, &base, 3).await;
    assert_eq!(backward(world, &base, last.unwrap(), 2).await, all[..6]);
}

/// Given a cursor, when resources before and at it are deleted, then everything behind it still comes.
pub async fn a_deleted_resource_makes_no_other_one_vanish(world: &World<'_>) {
    people(world, 6).await;
    let base = request(world, &["User"]);
    let page = list(world, ListRequest { page: PageAsk::First, count: 3, ..base.clone() }).await;
    for id in ["u0", "u2"] {
        world.delete("User", id).await;
    }
    let rest = list(world, ListRequest { page: PageAsk::After(page.next.unwrap()), ..base }).await;
    assert_eq!((ids(&rest), rest.total), (vec!["u3".to_owned(), "u4".into(), "u5".into()], 4));
    assert!(rest.previous.is_some());
}

/// Given fewer resources than the index says, when that page is asked for, then it is empty and the total is told.
pub async fn an_index_beyond_the_end_is_an_empty_page(world: &World<'_>) {
    people(world, 2).await;
    let page = list(world, ListRequest { page: PageAsk::Index(5), ..request(world, &["User"]) }).await;
    assert_eq!((page.items.len(), page.total, page.next), (0, 2, None));
    let empty = list(world, request(world, &["Group"])).await;
    assert_eq!((empty.items.len(), empty.total, empty.next, empty.previous), (0, 0, None, None));
}

/// Given a count of zero, when a page is asked for, then only the total is told.
pub async fn a_count_of_zero_tells_only_the_total(world: &World<'_>) {
    people(world, 2).await;
    for filter in [None, Some(Filter::parse(r#"userName sw "u""#).unwrap())] {
        let ask = ListRequest { count: 0, page: PageAsk::First, filter, ..request(world, &["User"]) };
        let page = list(world, ask).await;
        assert_eq!((page.items.len(), page.total), (0, 2));
    }
}

/// Given deleted resources, when pages are counted off, then they are not counted.
pub async fn deleted_resources_do_not_count(world: &World<'_>) {
    people(world, 5).await;
    world.delete("User", "u1").await;
    world.delete("User", "u4").await;
    assert_eq!(total(world, "User").await, 3);
    let page = list(world, ListRequest { page: PageAsk::Index(2), ..request(world, &["User"]) }).await;
    assert_eq!(ids(&page), ["u2", "u3"]);
    world.person("u1").await;
    let page = list(world, ListRequest { page: PageAsk::Index(3), ..request(world, &["User"]) }).await;
    assert_eq!(ids(&page), ["u3", "u1"]);
}

/// Given a value, when it is filtered for in another letter case, then the schema says whether it is found.
pub async fn an_equality_finds_any_letter_case_where_the_schema_says_so(world: &World<'_>) {
    world.user("u1", json!({ "userName": "Testperson.1" })).await;
    assert_eq!(find(world, "User", r#"userName eq "TESTPERSON.1""#).await, ["u1"]);
    assert_eq!(find(world, "User", r#"USERNAME eq "testperson.1""#).await, ["u1"]);
    assert!(find(world, "User", r#"userName eq "testperson""#).await.is_empty());
    assert!(find(world, "User", r#"id eq "U1""#).await.is_empty());
}

/// Given a filter of an indexed and another term, when it is asked, then both decide.
pub async fn terms_without_an_index_are_judged_too(world: &World<'_>) {
    world.user("u1", json!({ "userName": "a", "active": true, "displayName": "Same" })).await;
    world.user("u2", json!({ "userName": "b", "active": false, "displayName": "same" })).await;
    assert_eq!(find(world, "User", r#"displayName eq "same""#).await, ["u1", "u2"]);
    assert_eq!(find(world, "User", r#"displayName eq "same" and active eq false"#).await, ["u2"]);
    assert_eq!(find(world, "User", "active eq true").await, ["u1"]);
    assert_eq!(find(world, "User", r#"not (displayName eq "same" and active eq false)"#).await, ["u1"]);
}

/// Given alternatives, when each finds some, then all are there once, in order of creation.
pub async fn alternatives_are_united(world: &World<'_>) {
    people(world, 4).await;
    let both = r#"userName eq "u3" or userName eq "u1" or id eq "u3""#;
    assert_eq!(find(world, "User", both).await, ["u1", "u3"]);
    assert_eq!(find(world, "User", r#"userName eq "u3" or title pr or userName ew "0""#).await, ["u0", "u3"]);
}

/// Given a start of a value, when it is filtered for, then exactly what starts so is found.
pub async fn a_prefix_is_found(world: &World<'_>) {
    for (id, name) in [("u1", "abc"), ("u2", "ABD"), ("u3", "ab"), ("u4", "ac"), ("u5", "xab")] {
        world.user(id, json!({ "userName": name })).await;
    }
    assert_eq!(find(world, "User", r#"userName sw "AB""#).await, ["u1", "u2", "u3"]);
    assert_eq!(find(world, "User", r#"userName sw """#).await.len(), 5);
    assert_eq!(find(world, "User", r#"userName co "ab""#).await, ["u1", "u2", "u3", "u5"]);
}

/// Given an id, when it is filtered for, then that resource is found and no other type's.
pub async fn an_id_is_found(world: &World<'_>) {
    people(world, 2).await;
    assert_eq!(find(world, "User", r#"id eq "u1""#).await, ["u1"]);
    assert!(find(world, "User", r#"id eq "u9""#).await.is_empty());
    world.group("g", &[]).await;
    assert!(find(world, "User", r#"id eq "g""#).await.is_empty());
}

/// Given addresses of two types, when one is filtered for with its type, then only who has it so is found.
pub async fn an_e_mail_address_is_found_with_its_type(world: &World<'_>) {
    let user = |name: &str, kind: &str| json!({ "userName": name, "emails": [{ "value": "Box@x.example", "type": kind }, { "value": "b@x.example" }] });
    world.user("u1", user("u1", "work")).await;
    world.user("u2", user("u2", "home")).await;
    assert_eq!(find(world, "User", r#"emails.value eq "box@X.example""#).await, ["u1", "u2"]);
    assert_eq!(find(world, "User", r#"emails[type eq "work" and value eq "box@x.example"]"#).await, ["u1"]);
    assert_eq!(find(world, "User", r#"emails eq "b@x.example""#).await, ["u1", "u2"]);
}

/// Given two sources' names of a resource, when each filters, then it finds by its own name only.
pub async fn each_source_finds_by_its_own_name(world: &World<'_>) {
    world.store.commit(world.named_creation("User", "u1", json!({ "userName": "u1" }), "X")).await.unwrap();
    let filter = Some(Filter::parse(r#"externalId eq "X""#).unwrap());
    let ask = ListRequest { filter, ..request(world, &["User"]) };
    assert_eq!(ids(&list(world, ask.clone()).await), ["u1"]);
    assert!(ids(&list(world, ListRequest { source: "other".into(), ..ask.clone() }).await).is_empty());
    let filter = Some(Filter::parse(r#"externalId co "x""#).unwrap());
    assert!(ids(&list(world, ListRequest { filter, ..ask }).await).is_empty(), "its letter case counts");
}

/// Given members, when groups are filtered by one, then those that have it directly are found.
pub async fn groups_are_found_by_member(world: &World<'_>) {
    people(world, 2).await;
    world.group("a", &["u0", "u1"]).await;
    world.group("b", &["u1"]).await;
    world.group("c", &["a"]).await;
    assert_eq!(find(world, "Group", r#"members.value eq "u1""#).await, ["a", "b"]);
    assert_eq!(find(world, "Group", r#"members[value eq "u0"]"#).await, ["a"]);
    assert_eq!(find(world, "Group", r#"members eq "a""#).await, ["c"]);
    assert_eq!(find(world, "Group", r#"displayName eq "B" and members.value eq "u1""#).await, ["b"]);
    assert!(find(world, "Group", r#"members.value eq "nobody""#).await.is_empty());
    assert_eq!(find(world, "Group", "members pr").await, ["a", "b", "c"]);
}

/// Given groups in groups, when users are filtered by one, then those in groups inside it are found too.
pub async fn users_are_found_by_group(world: &World<'_>) {
    people(world, 3).await;
    world.group("inner", &["u1"]).await;
    world.group("outer", &["inner", "u2"]).await;
    assert_eq!(find(world, "User", r#"groups.value eq "outer""#).await, ["u1", "u2"]);
    assert_eq!(find(world, "User", r#"groups[value eq "inner"]"#).await, ["u1"]);
    assert_eq!(find(world, "User", r#"groups.display eq "outer""#).await, ["u1", "u2"]);
}

/// Given resources changed at different instants, when they are filtered by them, then the instants count.
pub async fn meta_attributes_filter(world: &World<'_>) {
    let start = world.now();
    people(world, 2).await;
    world.clock.advance(Duration::from_secs(60));
    world.put("User", "u0", json!({ "userName": "u0", "title": "A" })).await.unwrap();
    assert_eq!(find(world, "User", &format!(r#"meta.lastModified gt "{start}""#)).await, ["u0"]);
    assert_eq!(find(world, "User", &format!(r#"meta.created eq "{start}""#)).await, ["u0", "u1"]);
    assert_eq!(find(world, "User", r#"meta.resourceType eq "User""#).await, ["u0", "u1"]);
}

async fn named(world: &World<'_>) {
    let users = [
        ("u1", json!({ "userName": "d", "displayName": "Beta" })),
        ("u2", json!({ "userName": "c" })),
        ("u3", json!({ "userName": "b", "displayName": "alpha" })),
        ("u4", json!({ "userName": "a", "displayName": "beta" })),
        ("u5", json!({ "userName": "e" })),
        ("u6", json!({ "userName": "f", "displayName": "ALPHA" })),
    ];
    for (id, attrs) in users {
        world.user(id, attrs).await;
    }
}

const BY_DISPLAY: [&str; 6] = ["u3", "u6", "u1", "u4", "u2", "u5"];

/// Given resources of which some lack a value, when they are sorted by it, then these come last and letter case is ignored.
pub async fn a_sorted_listing_has_missing_values_last(world: &World<'_>) {
    named(world).await;
    let sorted =
        async |by: &str| ids(&list(world, ListRequest { sort: sort(by, false), ..request(world, &["User"]) }).await);
    assert_eq!(sorted("displayName").await, BY_DISPLAY);
    assert_eq!(sorted("userName").await, ["u4", "u3", "u2", "u1", "u5", "u6"]);
    assert_eq!(sorted("title").await, ["u1", "u2", "u3", "u4", "u5", "u6"]);
}

/// Given a sorted listing, when it is asked for descending, then it is the exact reverse.
pub async fn a_descending_listing_is_the_exact_reverse(world: &World<'_>) {
    named(world).await;
    for by in ["displayName", "userName", "title"] {
        let page = |descending| list(world, ListRequest { sort: sort(by, descending), ..request(world, &["User"]) });
        let mut up = ids(&page(false).await);
        up.reverse();
        assert_eq!(ids(&page(true).await), up, "{by}");
    }
}

async fn paged(world: &World<'_>, filter: Option<&str>, expected: &[&str]) {
    for descending in [false, true] {
        let mut expected: Vec<&str> = expected.to_vec();
        if descending {
            expected.reverse();
        }
        let filter = filter.map(|text| Filter::parse(text).unwrap());
        let base = ListRequest { filter, sort: sort("displayName", descending), ..request(world, &["User"]) };
        for count in 1..=expected.len() {
            let (all, last) = forward(world, &base, count as u32).await;
            assert_eq!(all, expected, "by {count}");
            if let Some(last) = last {
                let back = backward(world, &base, last, count as u32).await;
                assert_eq!(back, expected[..back.len()], "back by {count}");
            }
            let mut indexed = Vec::new();
            for start in (1..=expected.len()).step_by(count) {
                let page = PageAsk::Index(start as u64);
                indexed.extend(ids(&list(world, ListRequest { page, count: count as u32, ..base.clone() }).await));
            }
            assert_eq!(indexed, expected, "by index, {count}");
        }
    }
}

/// Given ties and missing values, when a sorted listing is paged, then nothing is repeated or skipped.
pub async fn a_sorted_listing_is_paged_without_repeats(world: &World<'_>) {
    named(world).await;
    paged(world, None, &BY_DISPLAY).await;
}

/// The same under a filter.
pub async fn a_sorted_and_filtered_listing_is_paged_without_repeats(world: &World<'_>) {
    named(world).await;
    paged(world, Some(r#"userName ne "e""#), &["u3", "u6", "u1", "u4", "u2"]).await;
    paged(world, Some(r#"displayName sw "b""#), &["u1", "u4"]).await;
}

/// Given changes at different instants, when resources are sorted by them, then as moments.
pub async fn dates_are_sorted_as_moments(world: &World<'_>) {
    people(world, 3).await;
    for id in ["u1", "u0", "u2"] {
        world.clock.advance(Duration::from_millis(300));
        world.put("User", id, json!({ "userName": id, "title": "A" })).await.unwrap();
    }
    let base = ListRequest { sort: sort("meta.lastModified", false), ..request(world, &["User"]) };
    assert_eq!(forward(world, &base, 2).await.0, ["u1", "u0", "u2"]);
}

/// Given users and groups, when both are listed, then the pages cover both once, and a filter may speak of one only.
pub async fn several_types_are_listed_together(world: &World<'_>) {
    people(world, 2).await;
    world.group("g0", &["u0"]).await;
    world.person("u2").await;
    world.group("g1", &[]).await;
    let base = request(world, &["User", "Group"]);
    let (mut all, last) = forward(world, &base, 2).await;
    let back = backward(world, &base, last.unwrap(), 3).await;
    assert_eq!(back, all[..4]);
    let index = list(world, ListRequest { page: PageAsk::Index(2), count: 3, ..base.clone() }).await;
    assert_eq!(ids(&index), all[1..4]);
    all.sort();
    assert_eq!(all, ["g0", "g1", "u0", "u1", "u2"]);
    let filter = Some(Filter::parse(r#"members.value eq "u0" or userName eq "u2""#).unwrap());
    let mut some = ids(&list(world, ListRequest { filter, ..base.clone() }).await);
    some.sort();
    assert_eq!(some, ["g0", "u2"]);
    let sorted = list(world, ListRequest { sort: sort("displayName", false), ..base }).await;
    assert_eq!(ids(&sorted)[..2], ["g0", "g1"]);
    let kinds: Vec<&str> = sorted.items.iter().map(|view| view.resource.ty.as_str()).collect();
    assert_eq!(kinds, ["Group", "Group", "User", "User", "User"]);
}

/// Given no time, when everything would have to be looked at, then the query is given up.
pub async fn a_query_that_takes_too_long_is_given_up(world: &World<'_>) {
    for some in people_ids(130).chunks(65) {
        super::commits::join(some.iter().map(|id| world.person(id)).collect()).await;
    }
    let filter = Some(Filter::parse(r#"title co "x""#).unwrap());
    let ask = ListRequest { filter, budget: Duration::ZERO, ..request(world, &["User"]) };
    assert_eq!(world.store.list(ask).await, Err(StoreError::TooSlow));
}

fn people_ids(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("p{n}")).collect()
}

/// Given a page with and without needs, when it is read, then what was not asked for is not there.
pub async fn only_what_is_needed_is_read(world: &World<'_>) {
    world.person("u1").await;
    world.group("g", &["u1"]).await;
    let bare = list(world, request(world, &["Group"])).await;
    assert!(bare.items[0].members.is_empty());
    let needs = Needs { members: true, groups: true, links: true };
    let full = list(world, ListRequest { needs, ..request(world, &["Group"]) }).await;
    assert_eq!(full.items[0].members[0].id, "u1".into());
    let full = list(world, ListRequest { needs, ..request(world, &["User"]) }).await;
    assert_eq!(full.items[0].groups[0].id, "g".into());
    let change = world.member_change("g", vec![MemberOp::Remove(vec!["u1".into()])]).await;
    world.store.commit(change).await.unwrap();
    assert_eq!(as_members(&["u1"])[0].value, "u1");
    let expect = Expect::Version { version: 1, groups: None };
    let said = AssertionWrite::Put { attrs: object(Value::Object(object(json!({})))), external_id: Some("X".into()) };
    let mut change = world.change("User", "u1", expect, Write::Keep);
    change.assertion = Some(said);
    world.store.commit(change).await.unwrap();
    let named = list(world, request(world, &["User"])).await;
    assert_eq!(named.items[0].resource.external_ids[&"feed".into()], "X");
}
