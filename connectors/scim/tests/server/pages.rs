//! Lists and searches.

use super::*;

#[tokio::test]
async fn only_eq_and_and_are_ever_asked() {
    // given keys of one and of two attributes on a server that refuses any other filter
    let keys = json!([["externalId"], ["userName"], ["userName", "externalId"]]);
    let mut settings = strict();
    support::laid_over(&mut settings, json!({"account": {"natural_keys": keys}}));
    let stage = Stage::set(Options::strict(), settings).await;
    let id = people(&stage, 1).await.remove(0);

    // then the account is found by each
    let mut both = key("userName", "T0");
    both.extend(key("externalId", "gateway-0"));
    for key in [key("externalId", "gateway-0"), key("userName", "t0"), both] {
        let found = stage.target.find(&stage.cx("f"), &account(), &key).await.unwrap();
        assert_eq!(found.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), [id.as_str()]);
    }
    let nobody = stage.target.find(&stage.cx("f"), &account(), &key("externalId", "GATEWAY-0")).await.unwrap();
    assert_eq!(nobody, []);
}

/// Every record of a listing, and whether every page was complete.
async fn listing(stage: &Stage, kind: &Kind, size: u32) -> (Vec<Record>, bool) {
    let lister = stage.target.lister().unwrap();
    let (mut all, mut complete, mut cursor) = (Vec::new(), true, None);
    loop {
        let page = lister.list(&stage.cx("l"), kind, cursor.as_ref(), size).await.unwrap();
        assert!(page.items.len() <= usize::try_from(size).unwrap());
        complete &= page.complete;
        all.extend(page.items);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return (all, complete),
        }
    }
}

#[tokio::test]
async fn both_ways_to_page_show_every_account_once() {
    for paging in [Paging::Index, Paging::Cursor, Paging::Both] {
        let stage =
            Stage::set(Options { paging, max_page: 7, users: Vec::new(), ..Options::default() }, json!({})).await;
        stage.server.seed_users(50);
        for size in [1, 3, 7, 100] {
            let (all, complete) = listing(&stage, &account(), size).await;
            let distinct: BTreeSet<_> = all.iter().map(|record| record.id.clone()).collect();
            assert_eq!((all.len(), distinct.len(), complete), (50, 50, true), "{paging:?} {size}");
        }
    }
}

#[tokio::test]
async fn an_account_that_is_deleted_meanwhile_makes_a_list_by_index_incomplete_and_not_one_by_cursor() {
    for (paging, complete) in [(Paging::Index, false), (Paging::Cursor, true)] {
        let stage = Stage::set(
            Options { paging, users: Vec::new(), ..Options::default() },
            json!({"account": {"allow_delete": true}}),
        )
        .await;
        stage.server.seed_users(9);
        let lister = stage.target.lister().unwrap();
        let first = lister.list(&stage.cx("l"), &account(), None, 3).await.unwrap();
        stage.target.delete(&stage.cx("d"), &account(), &first.items[0].id).await.unwrap();
        let (mut seen, mut whole, mut next) = (first.items.len(), first.complete, first.next);
        while let Some(cursor) = next {
            let page = lister.list(&stage.cx("l"), &account(), Some(&cursor), 3).await.unwrap();
            (seen, whole, next) = (seen + page.items.len(), whole && page.complete, page.next);
        }
        assert_eq!(whole, complete, "{paging:?}: {seen} seen");
    }
}

#[tokio::test]
async fn a_cursor_that_the_server_forgot_begins_the_list_again() {
    let stage = Stage::set(Options { paging: Paging::Cursor, ..Options::default() }, json!({})).await;
    stage.server.fail("ListUsers", Fault::Code("expiredCursor".into()), 1);
    let lister = stage.target.lister().unwrap();
    let error = lister.list(&stage.cx("l"), &account(), Some(&Cursor::from("c:after-1")), 3).await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::StaleVersion, Effect::None));
}
