//! Targets with odd habits, each a few lines of configuration: errors inside a success, lists replaced whole, records
//! replaced whole, ids in a header, every way of paging; and servers that lie, stall and flood.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, reason = "tests")]

#[path = "../../../http/tests/support/mod.rs"]
mod server;
#[path = "../support/mod.rs"]
mod support;
mod work;

use connector_spi::{
    AccountState, Change, Class, Connector, Cursor, Delta, Effect, EntitlementChange, NativeId, Value,
};
use connector_testkit::TestHost;
use serde_json::{Value as Json, json};
use server::{Act, Server, answer};
use std::sync::Arc;
use support::{account, attrs, cx, grant, key, laid_over, open};

/// A small target; `more` goes on top.
fn config(url: &str, more: Json) -> Json {
    let mut all = json!({
        "http": {"url": url, "allow_plaintext": true, "allow_networks": ["127.0.0.0/8"], "timeout": 2, "connect_timeout": 1},
        "check": {"method": "GET", "path": "/ping"},
        "kinds": {
            "account": {
                "role": "account",
                "natural_keys": [["login"]],
                "record": {"id": "/id", "version": "/v", "state": [{"when": {"at": "/on", "equals": true}, "is": "enabled"},
                                                                    {"when": {"at": "/id"}, "is": "disabled"}]},
                "attributes": {"login": {"at": "/login"}, "title": {"at": "/title"}, "tags": {"at": "/tags", "multi": true}},
                "get": {"method": "GET", "path": "/users/{id}"},
                "find": [{"key": ["login"], "items": "/found", "request": {"method": "GET", "path": "/users", "query": {"q": "key.login"}}}],
                "create": {"request": {"method": "POST", "path": "/users", "body": {"attributes": true}}},
                "update": [{"request": {"method": "PATCH", "path": "/users/{id}", "body": {"attributes": true}}}],
                "states": {"disabled": {"method": "POST", "path": "/users/{id}/off"}, "enabled": {"method": "POST", "path": "/users/{id}/on"}},
            },
            "role": {"role": "entitlement", "record": {"id": "/code"}},
        },
    });
    laid_over(&mut all, more);
    all
}

async fn stage(acts: impl IntoIterator<Item = Act>, more: Json) -> (Server, Arc<dyn Connector>, Arc<TestHost>) {
    let server = Server::start(acts).await;
    let host = TestHost::of("unused-secret");
    let target = open(config(&server.url(), more), host.clone()).await;
    (server, target, host)
}

fn ok(body: Json) -> Act {
    answer(200, &[], &body.to_string())
}

fn body_of(request: &str) -> Json {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn id() -> NativeId {
    NativeId::from("u1")
}

fn set(name: &str, value: &str) -> Change {
    Change { attrs: [(name.to_owned(), Delta::Set(vec![Value::from(value)]))].into(), ..Change::default() }
}

#[tokio::test]
async fn an_error_inside_a_success_is_an_error_and_its_words_do_not_carry_what_was_sent() {
    let errors = json!({"errors": {
        "error_at": "/error", "code_at": ["/error/code"], "field_at": "/error/field", "message_at": "/error/text", "quote_message": true,
        "rules": [{"code": ["DUP"], "class": "AlreadyExists"}, {"message": "no such title", "class": "Invalid", "note": "mapping"}],
    }});
    let refusal = json!({"error": {"field": "/title", "text": "There is No Such Title\n: Canary-Title"}});
    let (_server, target, host) = stage([ok(refusal), ok(json!({"error": null, "id": "u1"}))], errors).await;

    let error = target.update(&cx(&host, "a"), &account(), &id(), &set("title", "Canary-Title")).await.unwrap_err();
    assert_eq!((error.class, error.effect, error.attribute.as_deref()), (Class::Invalid, Effect::None, Some("title")));
    assert!(
        error.message.contains("mapping")
            && error.message.contains("No Such Title")
            && !error.message.contains("Canary")
    );

    target.update(&cx(&host, "a"), &account(), &id(), &set("title", "x")).await.unwrap();
}

#[tokio::test]
async fn a_web_page_or_half_a_document_in_place_of_an_answer_is_unknown() {
    for text in ["<html>Sign in</html>", "{\"id\":", "nonsense", &"[".repeat(100_000)] {
        let (_server, target, host) = stage([answer(200, &[], text)], json!({})).await;
        let read = target.get(&cx(&host, "a"), &account(), &id()).await.unwrap_err();
        assert_eq!((read.class, read.effect), (Class::Unknown, Effect::None));
        let write = target.update(&cx(&host, "a"), &account(), &id(), &set("title", "x")).await.unwrap_err();
        assert_eq!((write.class, write.effect), (Class::Unknown, Effect::Maybe));
    }
}

#[tokio::test]
async fn an_answer_with_another_record_than_the_one_asked_for_is_not_believed() {
    let (_server, target, host) = stage([ok(json!({"id": "somebody-else", "login": "x"}))], json!({})).await;
    assert_eq!(target.get(&cx(&host, "a"), &account(), &id()).await.unwrap_err().class, Class::Unknown);
}

#[tokio::test]
async fn servers_that_stall_flood_or_hang_up_end_with_a_class_and_in_time() {
    for (act, class) in [
        (Act::Hang, Class::Timeout),
        (Act::Trickle, Class::Timeout),
        (Act::Cut, Class::Timeout),
        (Act::Flood, Class::Unknown),
    ] {
        let (_server, target, host) = stage([act], json!({"http": {"max_body": 100_000}})).await;
        let begun = std::time::Instant::now();
        let error = target.update(&cx(&host, "a"), &account(), &id(), &set("title", "x")).await.unwrap_err();
        assert_eq!((error.class, error.effect), (class, Effect::Maybe));
        assert!(begun.elapsed().as_millis() < 2500);
    }
}

#[tokio::test]
async fn a_redirect_to_the_metadata_service_goes_nowhere() {
    let (server, target, host) =
        stage([answer(302, &["location: http://169.254.169.254/latest"], "")], json!({})).await;
    assert_eq!(target.check(&cx(&host, "a")).await.unwrap_err().class, Class::Config);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_search_that_is_looser_than_it_looks_finds_only_who_was_meant() {
    let found =
        json!({"found": [{"id": "1", "login": "ANNA"}, {"id": "2", "login": "annabel"}, {"id": "3", "login": null}]});
    let (_server, target, host) = stage([ok(found)], json!({})).await;
    let hits = target.find(&cx(&host, "a"), &account(), &key("login", "anna")).await.unwrap();
    assert_eq!(hits.iter().map(|hit| hit.id.as_str()).collect::<Vec<_>>(), ["1", "3"]);
}

#[tokio::test]
async fn the_new_id_may_stand_in_the_location() {
    let (_server, target, host) = stage([answer(201, &["location: /users/a%2Fb%20c+d?x=1"], "")], json!({})).await;
    let created = target
        .create(&cx(&host, "a"), &account(), &attrs(&[("login", "x")]), AccountState::Enabled, &[])
        .await
        .unwrap();
    assert_eq!(created.id.as_str(), "a/b c+d");
}

#[tokio::test]
async fn a_create_that_names_no_id_may_have_happened() {
    let (_server, target, host) = stage([ok(json!({}))], json!({})).await;
    let error = target
        .create(&cx(&host, "a"), &account(), &attrs(&[("login", "x")]), AccountState::Enabled, &[])
        .await
        .unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Unknown, Effect::Maybe));
}

#[tokio::test]
async fn a_target_without_unique_names_is_looked_through_first() {
    let there = json!({"found": [{"id": "7", "login": "x"}]});
    let (server, target, host) =
        stage([ok(there)], json!({"kinds": {"account": {"create": {"look_first": true}}}})).await;
    let error = target
        .create(&cx(&host, "a"), &account(), &attrs(&[("login", "x")]), AccountState::Enabled, &[])
        .await
        .unwrap_err();
    assert_eq!((error.class, error.existing), (Class::AlreadyExists, Some(NativeId::from("7"))));
    assert!(server.requests().iter().all(|request| request.starts_with("GET ")));
}

fn replaced() -> Json {
    json!({"kinds": {"account": {"entitlements": {"role": {
        "read": {"at": "/roles", "value": "/code", "order": "/n"},
        "replace": {"method": "PUT", "path": "/users/{id}/roles", "body": {
            "template": "{\"roles\": [{% for one in entitlements %}{\"code\": {{ one.value }}, \"n\": {{ one.order }}}{% if not loop.last %},{% endif %}{% endfor %}]}"}},
    }}}}})
}

#[tokio::test]
async fn a_list_that_is_replaced_keeps_what_others_gave() {
    let held = json!({"id": "u1", "on": true, "roles": [{"code": "foreign", "n": 1}, {"code": "old", "n": 2}]});
    let (server, target, host) = stage([ok(held), ok(json!({}))], replaced()).await;
    let mut new = grant("role", "new\"},{\"code\":\"admin");
    new.order = Some(3);
    let change = EntitlementChange { add: vec![new], remove: vec![grant("role", "old")], whole: None };

    target
        .update(&cx(&host, "a"), &account(), &id(), &Change { entitlements: change, ..Change::default() })
        .await
        .unwrap();

    let sent = body_of(&server.requests()[1]);
    assert_eq!(sent, json!({"roles": [{"code": "foreign", "n": 1}, {"code": "new\"},{\"code\":\"admin", "n": 3}]}));
}

#[tokio::test]
async fn a_list_that_cannot_be_read_whole_is_not_replaced() {
    let torn = json!({"id": "u1", "roles": [{"code": "foreign"}, {"no code": true}]});
    let (server, target, host) = stage([ok(torn)], replaced()).await;
    let change = EntitlementChange { add: vec![grant("role", "new")], remove: vec![], whole: None };

    let error = target
        .update(&cx(&host, "a"), &account(), &id(), &Change { entitlements: change, ..Change::default() })
        .await
        .unwrap_err();

    assert_eq!((error.class, error.effect), (Class::Unknown, Effect::None));
    assert!(server.requests().iter().all(|request| request.starts_with("GET ")));
}

#[tokio::test]
async fn a_record_that_is_replaced_keeps_its_other_members() {
    let put = json!({"kinds": {"account": {"update": [{"request": {"method": "PUT", "path": "/users/{id}", "if_match": true,
        "body": {"base": "record", "attributes": true}}}]}}});
    let held = json!({"id": "u1", "v": "\"7\"", "login": "x", "title": "old", "theirs": {"deep": [1]}});
    let (server, target, host) = stage([ok(held), ok(json!({}))], put).await;

    target.update(&cx(&host, "a"), &account(), &id(), &set("title", "new")).await.unwrap();

    let sent = &server.requests()[1];
    assert_eq!(body_of(sent), json!({"id": "u1", "v": "\"7\"", "login": "x", "title": "new", "theirs": {"deep": [1]}}));
    assert!(sent.contains("if-match: \"7\""));
}

#[tokio::test]
async fn single_values_are_added_to_and_taken_from_what_is_held() {
    let held = json!({"id": "u1", "tags": ["a", "b"]});
    let (server, target, host) = stage([ok(held), ok(json!({}))], json!({})).await;
    let delta = Delta::Patch { add: vec!["c".into(), "b".into()], remove: vec!["a".into(), "z".into()] };

    target
        .update(
            &cx(&host, "a"),
            &account(),
            &id(),
            &Change { attrs: [("tags".to_owned(), delta)].into(), ..Change::default() },
        )
        .await
        .unwrap();

    assert_eq!(body_of(&server.requests()[1]), json!({"tags": ["b", "c"]}));
}

#[tokio::test]
async fn what_the_target_made_of_a_value_is_read_back() {
    let acts =
        [ok(json!({"warnings": ["title X will be retired", "\u{7}"]})), ok(json!({"id": "u1", "title": "NURSE"}))];
    let more = json!({"warnings_at": ["/warnings"], "kinds": {"account": {"read_back": true}}});
    let (_server, target, host) = stage(acts, more).await;

    let updated = target.update(&cx(&host, "a"), &account(), &id(), &set("title", "nurse")).await.unwrap();

    assert_eq!(updated.side_effects, attrs(&[("title", "NURSE")]));
    assert_eq!(updated.warnings[0], "title X will be retired");
}

#[tokio::test]
async fn nothing_is_opened_while_a_removal_has_failed() {
    let remove = json!({"kinds": {"account": {"entitlements": {"role": {
        "read": {"at": "/roles"}, "remove": {"method": "DELETE", "path": "/users/{id}/roles/{entitlement.value}"}}}}}});
    let (server, target, host) = stage([answer(403, &[], "")], remove).await;
    let change = EntitlementChange { add: vec![], remove: vec![grant("role", "old")], whole: None };

    let error = target
        .update(
            &cx(&host, "a"),
            &account(),
            &id(),
            &Change { entitlements: change, state: Some(AccountState::Enabled), ..Change::default() },
        )
        .await
        .unwrap_err();

    assert_eq!((error.class, error.attribute.as_deref()), (Class::Forbidden, Some("role:old")));
    assert!(!server.requests().iter().any(|request| request.contains("/on ")));
}

#[tokio::test]
async fn a_closing_is_sent_although_another_part_cannot_be() {
    let (server, target, host) = stage([ok(json!({}))], json!({})).await;
    let mut change = set("nosuch", "x");
    change.state = Some(AccountState::Disabled);

    let updated = target.update(&cx(&host, "a"), &account(), &id(), &change).await.unwrap();

    assert_eq!(updated.failed[0].part, "nosuch");
    assert!(server.requests()[0].starts_with("POST /users/u1/off "));
}

async fn all_pages(target: &Arc<dyn Connector>, host: &Arc<TestHost>) -> Vec<String> {
    let (mut seen, mut cursor) = (Vec::new(), None::<Cursor>);
    for _ in 0..10 {
        let page = target.lister().unwrap().list(&cx(host, "l"), &account(), cursor.as_ref(), 2).await.unwrap();
        seen.extend(page.items.into_iter().map(|record| record.id.0));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    seen
}

#[tokio::test]
async fn every_way_of_paging_reads_every_record_once() {
    let page = |ids: &[&str]| json!({"items": ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>(), "total": 3});
    let list = |pages: Json, total: Option<&str>| {
        let mut list = json!({"items": "/items", "pages": pages, "request": {"method": "GET", "path": "/users"}});
        list["total_at"] = json!(total);
        json!({"kinds": {"account": {"list": list}}})
    };
    let ways = [
        (json!({"by": "offset", "offset": "o", "limit": "l"}), vec!["o=0&l=2", "o=2&l=2"], Some("/total"), ""),
        (json!({"by": "page", "page": "p", "limit": "l", "first": 1}), vec!["p=1&l=2", "p=2&l=2", "p=3&l=2"], None, ""),
        (json!({"by": "link", "limit": "l"}), vec!["l=2", "after=b"], None, "link: </users?after=b>; rel=\"next\""),
    ];
    for (pages, asked, total, link) in ways {
        let first = if link.is_empty() { vec![] } else { vec![link] };
        let acts = [answer(200, &first, &page(&["a", "b"]).to_string()), ok(page(&["c"])), ok(page(&[]))];
        let (server, target, host) = stage(acts, list(pages, total)).await;
        assert_eq!(all_pages(&target, &host).await, ["a", "b", "c"]);
        let lines: Vec<_> = server.requests().iter().map(|r| r.split(' ').nth(1).unwrap().to_owned()).collect();
        assert_eq!(lines, asked.iter().map(|query| format!("/users?{query}")).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_page_with_a_record_that_cannot_be_read_is_not_complete() {
    let list =
        json!({"kinds": {"account": {"list": {"items": "/items", "request": {"method": "GET", "path": "/users"}}}}});
    let (_server, target, host) =
        stage([ok(json!({"items": [{"id": "a"}, {"no id": 1}]})), ok(json!({"error": "x"}))], list).await;
    let lister = target.lister().unwrap();

    assert!(!lister.list(&cx(&host, "l"), &account(), None, 10).await.unwrap().complete);
    assert_eq!(lister.list(&cx(&host, "l"), &account(), None, 10).await.unwrap_err().class, Class::Unknown);
}

#[tokio::test]
async fn a_look_up_whose_pages_never_end_is_given_up() {
    let more = json!({"kinds": {"account": {"find": [{"key": ["login"], "items": "/found",
        "pages": {"by": "page", "page": "p", "limit": "l"}, "request": {"method": "GET", "path": "/users"}}]}}});
    let (server, target, host) = stage([ok(json!({"found": [{"id": "1", "login": "y"}]}))], more).await;

    let error = target.find(&cx(&host, "a"), &account(), &key("login", "x")).await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Unknown, Effect::None));
    assert!(server.requests().len() <= 50);
}

#[tokio::test]
async fn entitlements_with_a_request_of_their_own_are_read_to_the_end_or_not_at_all() {
    let own = json!({"kinds": {"account": {"entitlements": {"role": {"read": {
        "at": "/items", "value": "/code", "valid_to": "/until",
        "request": {"method": "GET", "path": "/users/{id}/roles"},
        "pages": {"by": "cursor", "cursor": "c", "limit": "l", "next_at": "/next"}}}}}}});
    let acts = [
        ok(json!({"id": "u1"})),
        ok(json!({"items": [{"code": "A"}], "next": "n1"})),
        ok(json!({"items": [{"code": "B", "until": "2026-10-01T00:00:00Z"}]})),
        ok(json!({"id": "u1"})),
        ok(json!({"items": [{"code": "A", "until": "soon"}]})),
        ok(json!({"id": "u1"})),
        answer(503, &[], ""),
    ];
    let (_server, target, host) = stage(acts, own).await;

    let whole = target.get(&cx(&host, "a"), &account(), &id()).await.unwrap().unwrap();
    assert_eq!((whole.entitlements.unwrap().len(), whole.incomplete), (2, false));
    assert!(target.get(&cx(&host, "a"), &account(), &id()).await.unwrap().unwrap().incomplete);
    assert_eq!(target.get(&cx(&host, "a"), &account(), &id()).await.unwrap_err().class, Class::Transient);
}

#[tokio::test]
async fn a_step_with_a_condition_takes_its_attributes_only_when_it_holds() {
    let steps = json!({"kinds": {"account": {"update": [
        {"for_attributes": ["title"], "when": "attrs.title.startsWith('dr')", "request": {"method": "PUT", "path": "/doctors/{id}"}},
        {"request": {"method": "PATCH", "path": "/users/{id}", "body": {"attributes": true}}},
    ]}}});
    let (server, target, host) = stage([ok(json!({}))], steps).await;
    target.update(&cx(&host, "a"), &account(), &id(), &set("title", "dr. x")).await.unwrap();
    target.update(&cx(&host, "a"), &account(), &id(), &set("title", "x")).await.unwrap();

    let lines: Vec<_> = server.requests().iter().map(|r| r.lines().next().unwrap().to_owned()).collect();
    assert_eq!(lines, ["PUT /doctors/u1 HTTP/1.1", "PATCH /users/u1 HTTP/1.1"]);
}

#[tokio::test]
async fn the_idempotency_key_is_the_same_over_attempts_and_another_for_the_next_change() {
    let (server, target, host) = stage(
        [ok(json!({"id": "1"}))],
        json!({"idempotency_header": "Idempotency-Key", "kinds": {"account": {"create": {"id": "/id"}}}}),
    )
    .await;
    for op in ["op1", "op1", "op2"] {
        target.create(&cx(&host, op), &account(), &attrs(&[("login", "x")]), AccountState::Enabled, &[]).await.unwrap();
    }
    let keys: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).unwrap().to_owned())
        .collect();
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[0], keys[2]);
    assert!(keys[0].starts_with("op1"));
}
