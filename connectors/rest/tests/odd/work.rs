//! Targets that take work on for later, and those where a record is made in several steps.

use crate::{
    body_of, config, id, ok,
    server::{Act, Server, answer},
    set, stage,
    support::{account, attrs, cx, grant},
};
use connector_rest::{Config, Rest};
use connector_spi::{
    AccountState, Change, Class, Connector, ConnectorType, Created, Effect, EntitlementChange, NativeId, Result,
    TicketState,
};
use connector_testkit::TestHost;
use serde_json::{Value as Json, json};
use std::{sync::Arc, time::Duration};

/// A target with a desk: what it is asked for, people do.
fn desk() -> Json {
    json!({
        "errors": {"code_at": ["/reason"], "rules": [{"code": ["NO-SUCH-UNIT"], "class": "Invalid", "attribute": "title"}]},
        "kinds": {"account": {
            "create": {"request": {"taken_on": {"ticket": "/number", "poll_after_seconds": 7}}},
            "states": {"disabled": {"taken_on": {"when": {"at": "/queued", "equals": true}, "statuses": [200]}}},
            "ticket": {
                "request": {"method": "GET", "path": "/desk/{ticket}"}, "id": "/made",
                "done": {"at": "/state", "equals": "closed"}, "refused": {"at": "/state", "equals": "rejected"},
            },
        }},
    })
}

async fn make(target: &Arc<dyn Connector>, host: &Arc<TestHost>) -> Result<Created> {
    target.create(&cx(host, "a"), &account(), &attrs(&[("login", "x")]), AccountState::Disabled, &[]).await
}

#[tokio::test]
async fn what_is_taken_on_is_pending_with_its_ticket_and_nothing_follows_it() {
    let accepted = |headers: &[&str]| answer(202, headers, &json!({"number": "T 1/2"}).to_string());
    let (server, target, host) = stage([accepted(&[]), accepted(&["retry-after: 90"])], desk()).await;
    let pending = make(&target, &host).await.unwrap().pending.unwrap();
    assert_eq!((pending.ticket.as_str(), pending.poll_after), ("T 1/2", Duration::from_secs(7)));
    let created = make(&target, &host).await.unwrap();
    assert_eq!(created.pending.unwrap().poll_after, Duration::from_secs(90), "the target's own word counts");
    assert_eq!(created.id.as_str(), "", "what is not made has no id");
    assert_eq!(server.requests().len(), 2, "nothing is switched off before it stands there");

    let (server, target, host) = stage([ok(json!({"queued": true})), ok(json!({"queued": false}))], desk()).await;
    let closing = Change { state: Some(AccountState::Disabled), ..set("title", "Left") };
    let updated = target.update(&cx(&host, "a"), &account(), &id(), &closing).await.unwrap();
    assert_eq!(updated.pending.unwrap().ticket, "", "a ticket without a number is followed by the record alone");
    assert_eq!(server.requests().len(), 1, "what comes after the closing waits for it");
    let updated = target.update(&cx(&host, "a"), &account(), &id(), &closing).await.unwrap();
    assert_eq!(updated.pending, None, "an answer of another form is of work that is done");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_ticket_is_open_done_or_refused() {
    let said = [json!({"state": "new"}), json!({"state": "closed", "made": 4711}), json!({"state": "closed"})];
    let refused = [json!({"state": "rejected", "reason": "NO-SUCH-UNIT"}), json!({"state": "rejected"})];
    let gone = answer(404, &[], "{}");
    let (server, target, host) = stage(said.into_iter().chain(refused).map(ok).chain([gone]), desk()).await;
    let ask = async || target.tickets().unwrap().ticket(&cx(&host, "a"), &account(), "T 1/2").await;
    assert_eq!(ask().await.unwrap(), TicketState::Open);
    assert_eq!(ask().await.unwrap(), TicketState::Done { id: Some(NativeId::from("4711")) });
    assert_eq!(ask().await.unwrap(), TicketState::Done { id: None });
    let TicketState::Refused(error) = ask().await.unwrap() else { panic!("it is refused") };
    assert_eq!((error.class, error.attribute.as_deref()), (Class::Invalid, Some("title")));
    let TicketState::Refused(error) = ask().await.unwrap() else { panic!("it is refused") };
    assert_eq!((error.class, error.effect), (Class::Permanent, Effect::None));
    assert_eq!(ask().await.unwrap_err().class, Class::NotFound);
    assert!(server.requests()[0].starts_with("GET /desk/T%201%2F2 "));
}

/// A target where a person comes before the account, and a badge in between.
fn steps() -> Json {
    json!({"kinds": {"account": {"create": {
        "id": "/id", "request": {"body": {"set": {"/person": "steps.person"}}},
        "first": [
            {
                "name": "person", "gives": "/pid", "found": "/pid",
                "look": {"method": "GET", "path": "/people/{attrs.login}"},
                "request": {"method": "POST", "path": "/people"},
                "undo": {"method": "DELETE", "path": "/people/{steps.person}"},
            },
            {
                "name": "badge", "request": {"method": "POST", "path": "/people/{steps.person}/badges"},
                "undo": {"method": "DELETE", "path": "/badges/{steps.badge}"},
            },
        ],
    }}}})
}

fn lines(server: &Server) -> Vec<String> {
    server.requests().iter().map(|request| request.split(" HTTP").next().unwrap().to_owned()).collect()
}

const NONE: fn() -> Act = || answer(404, &[], "{}");
const PERSON: fn() -> Act = || ok(json!({"pid": "p7"}));
const BADGE: fn() -> Act = || answer(201, &["location: /badges/b3"], "");

#[tokio::test]
async fn a_record_is_made_in_steps_and_each_knows_what_came_before() {
    let made = ok(json!({"id": "u1"}));
    let (server, target, host) = stage([NONE(), PERSON(), BADGE(), made.clone(), ok(json!({}))], steps()).await;
    assert_eq!(make(&target, &host).await.unwrap().id.as_str(), "u1");
    let all = ["GET /people/x", "POST /people", "POST /people/p7/badges", "POST /users", "POST /users/u1/off"];
    assert_eq!(lines(&server), all);
    assert_eq!(body_of(&server.requests()[3]), json!({"login": "x", "person": "p7"}));

    let (server, target, host) = stage([PERSON(), BADGE(), made, ok(json!({}))], steps()).await;
    make(&target, &host).await.unwrap();
    assert_eq!(lines(&server)[..2], ["GET /people/x", "POST /people/p7/badges"], "what is there is not made again");
}

#[tokio::test]
async fn steps_are_taken_back_when_the_record_is_refused() {
    let refused = answer(422, &[], "{}");
    let acts = [NONE(), PERSON(), BADGE(), refused.clone(), ok(json!({})), NONE()];
    let (server, target, host) = stage(acts, steps()).await;
    let error = make(&target, &host).await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Invalid, Effect::None), "what is gone already was taken back");
    assert_eq!(lines(&server)[4..], ["DELETE /badges/b3", "DELETE /people/p7"]);

    let stuck = answer(403, &[], "{}");
    let (server, target, host) = stage([NONE(), PERSON(), refused.clone(), stuck], steps()).await;
    let error = make(&target, &host).await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Invalid, Effect::Partial));
    assert!(error.message.contains("person was not taken back (Forbidden)"), "{}", error.message);
    assert_eq!(lines(&server)[2..], ["POST /people/p7/badges", "DELETE /people/p7"]);

    // What an earlier attempt or somebody else did is not ours to take back.
    let (server, target, host) = stage([PERSON(), BADGE(), refused, ok(json!({}))], steps()).await;
    make(&target, &host).await.unwrap_err();
    assert_eq!(lines(&server)[3..], ["DELETE /badges/b3"]);
}

#[tokio::test]
async fn nothing_is_taken_back_while_nobody_knows_whether_the_record_was_made() {
    let (server, target, host) = stage([NONE(), PERSON(), BADGE(), Act::Cut], steps()).await;
    let error = make(&target, &host).await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Timeout, Effect::Maybe));
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_file_that_promises_what_cannot_be_is_refused() {
    let issues = |more: Json| {
        let config: Config = serde_json::from_value(config("http://127.0.0.1:1", more)).unwrap();
        Rest::check_config(&config).into_iter().map(|issue| issue.pointer).collect::<Vec<_>>()
    };
    assert_eq!(issues(json!({"kinds": {"account": {"get": {"taken_on": {}}}}})), ["/kinds/account/get/taken_on"]);
    let ticket = json!({"request": {"method": "GET", "path": "/t/{ticket}"}, "done": {"at": "/done"}});
    assert_eq!(issues(json!({"kinds": {"account": {"ticket": ticket}}})), ["/kinds/account/ticket"]);
    let mut early = steps();
    early["kinds"]["account"]["create"]["first"][0]["request"]["path"] = json!("/people/{steps.badge}");
    early["kinds"]["account"]["create"]["first"][1]["name"] = json!("person");
    let found = issues(early);
    let wanted = ["/kinds/account/create/first/0/request/path/steps.badge", "/kinds/account/create/first/1/name"];
    assert!(wanted.iter().all(|pointer| found.iter().any(|found| found == pointer)), "{found:?}");
}

#[tokio::test]
async fn who_is_given_a_group_by_a_desk_is_pending_with_the_account_made() {
    let given = json!({"kinds": {"account": {"create": {"id": "/id"}, "entitlements": {"role": {
        "read": {"at": "/roles", "value": ""},
        "add": {"method": "POST", "path": "/desk", "taken_on": {}},
        "remove": {"method": "POST", "path": "/desk", "taken_on": {}},
    }}}}});
    let asked = answer(202, &["location: /desk/77"], "");
    let (server, target, host) = stage([ok(json!({"id": "u1"})), asked.clone()], given.clone()).await;
    let roles = [grant("role", "rn"), grant("role", "icu")];
    let created =
        target.create(&cx(&host, "a"), &account(), &attrs(&[("login", "x")]), AccountState::Enabled, &roles).await;
    let created = created.unwrap();
    assert_eq!((created.id.as_str(), created.pending.unwrap().ticket.as_str()), ("u1", "77"));
    assert_eq!(server.requests().len(), 2, "one ticket at a time");

    let (_server, target, host) = stage([asked], given).await;
    let entitlements = EntitlementChange { remove: roles.to_vec(), ..EntitlementChange::default() };
    let change = Change { entitlements, ..Change::default() };
    assert!(target.update(&cx(&host, "a"), &account(), &id(), &change).await.unwrap().pending.is_some());
}
