//! Targets that take work on for later, and those where a record is made in several steps.

use crate::{
    file,
    script::{Act, Server, answer},
    support::{account, attrs, cx},
};
use connector_soap::{Config, Soap};
use connector_spi::{
    AccountState, Change, Class, Connector, ConnectorType, Created, Delta, Effect, NativeId, Result, TicketState, Value,
};
use connector_testkit::TestHost;
use serde_json::{Value as Json, json};
use std::{sync::Arc, time::Duration};

async fn stage(acts: impl IntoIterator<Item = Act>, more: Json) -> (Server, Arc<dyn Connector>, Arc<TestHost>) {
    let server = Server::start(acts).await;
    let host = TestHost::of("test-only");
    let config: Config = serde_json::from_value(file(&server.url(), "xml", more)).unwrap();
    assert_eq!(Soap::check_config(&config), []);
    (server, Soap::open(config, host.clone()).await.unwrap(), host)
}

fn ok(inside: &str) -> Act {
    answer(200, &[], &inside.replacen('>', " xmlns:p='urn:p'>", 1))
}

fn refused(code: &str) -> Act {
    answer(400, &[], &format!("<p:Refused xmlns:p='urn:p'><p:Code>{code}</p:Code></p:Refused>"))
}

fn request(body: &str, answer: &str) -> Json {
    json!({"service": "s", "body": body, "answer": answer})
}

async fn make(target: &Arc<dyn Connector>, host: &Arc<TestHost>) -> Result<Created> {
    target.create(&cx(host, "a"), &account(), &attrs(&[("number", "7")]), AccountState::Disabled, &[]).await
}

/// The elements that were asked with, in order.
fn asked(server: &Server) -> Vec<String> {
    let name = |request: &String| Some(request.split_once("<p:")?.1.split([' ', '>', '/']).next()?.to_owned());
    server.requests().iter().filter_map(name).collect()
}

/// As SPML 2.0 does it (section 3.1.3 of its core): the answer is `pending`, and a later request asks for the status.
fn desk() -> Json {
    let later = json!({"when": {"at": "@status", "equals": "pending"}, "ticket": "@request", "poll_after_seconds": 9});
    let mut all = json!({
        "errors": {"code_at": ["p:Code"], "rules": [{"code": ["noSuchUnit"], "class": "Invalid", "attribute": "name"}]},
        "kinds": {"account": {
            "create": {"request": {"taken_on": later}},
            "update": [{"request": request("<p:Set id='{id}'><p:Name>{attrs.name}</p:Name></p:Set>", "p:Done")}],
            "states": {"disabled": [request("<p:Off id='{id}'/>", "p:Done")]},
            "ticket": {
                "request": request("<p:Status of='{ticket}'/>", "p:Status"), "id": "p:Id",
                "done": {"at": "@status", "equals": "success"}, "refused": {"at": "@status", "equals": "failure"},
            },
        }},
    });
    all["kinds"]["account"]["states"]["disabled"][0]["taken_on"] = later;
    all
}

#[tokio::test]
async fn what_is_taken_on_is_pending_with_its_ticket_and_nothing_follows_it() {
    let pending = "<p:Added status='pending' request='T 1'></p:Added>";
    let (server, target, host) = stage([ok(pending)], desk()).await;
    let created = make(&target, &host).await.unwrap();
    let later = created.pending.unwrap();
    assert_eq!((later.ticket.as_str(), later.poll_after), ("T 1", Duration::from_secs(9)));
    assert_eq!((created.id.as_str(), asked(&server)), ("", vec!["Add".to_owned()]));

    let (server, target, host) =
        stage([ok("<p:Done status='pending'></p:Done>"), ok("<p:Done></p:Done>")], desk()).await;
    let closing = Change {
        state: Some(AccountState::Disabled),
        attrs: [("name".to_owned(), Delta::Set(vec![Value::from("Left")]))].into(),
        ..Change::default()
    };
    let update = async || target.update(&cx(&host, "a"), &account(), &"7".into(), &closing).await.unwrap();
    assert_eq!(update().await.pending.unwrap().ticket, "");
    assert_eq!(asked(&server), ["Off"], "what comes after the closing waits for it");
    assert_eq!(update().await.pending, None);
    assert_eq!(asked(&server), ["Off", "Off", "Set"]);
}

#[tokio::test]
async fn a_ticket_is_open_done_or_refused() {
    let says = |status: &str, inside: &str| ok(&format!("<p:Status status='{status}'>{inside}</p:Status>"));
    let acts = [
        says("pending", ""),
        says("success", "<p:Id>u7</p:Id>"),
        says("failure", "<p:Code>noSuchUnit</p:Code>"),
        says("failure", ""),
    ];
    let (server, target, host) = stage(acts, desk()).await;
    let ask = async || target.tickets().unwrap().ticket(&cx(&host, "a"), &account(), "T<1>").await.unwrap();
    assert_eq!(ask().await, TicketState::Open);
    assert_eq!(ask().await, TicketState::Done { id: Some(NativeId::from("u7")) });
    let TicketState::Refused(error) = ask().await else { panic!("it is refused") };
    assert_eq!((error.class, error.attribute.as_deref()), (Class::Invalid, Some("name")));
    assert_eq!(error.native_code.as_deref(), Some("noSuchUnit"));
    let TicketState::Refused(error) = ask().await else { panic!("it is refused") };
    assert_eq!((error.class, error.effect), (Class::Permanent, Effect::None));
    assert!(server.requests()[0].contains("of=\"T&lt;1"), "{}", server.requests()[0]);
}

/// A target where a person comes before the account.
fn steps() -> Json {
    let account = "<p:Add person='{steps.person}'><p:No>{attrs.number}</p:No></p:Add>";
    json!({
        "errors": {"code_at": ["p:Code"], "rules": [
            {"code": ["none"], "class": "NotFound"}, {"code": ["bad"], "class": "Invalid"},
        ]},
        "kinds": {"account": {"create": {
            "request": {"body": account},
            "first": [{
                "name": "person", "gives": "p:Pid", "found": "p:Pid",
                "look": request("<p:Seek no='{attrs.number}'/>", "p:Sought"),
                "request": request("<p:Person no='{attrs.number}'/>", "p:Made"),
                "undo": request("<p:Forget id='{steps.person}'/>", "p:Done"),
            }],
        }}},
    })
}

#[tokio::test]
async fn a_record_is_made_in_steps_that_are_taken_back_when_it_is_refused() {
    let made = ok("<p:Made><p:Pid>p7</p:Pid></p:Made>");
    let added = ok("<p:Added><p:Id>u7</p:Id></p:Added>");
    let (server, target, host) = stage([refused("none"), made.clone(), added.clone()], steps()).await;
    assert_eq!(make(&target, &host).await.unwrap().id.as_str(), "u7");
    assert_eq!(asked(&server), ["Seek", "Person", "Add"]);
    assert!(server.requests()[2].contains("person=\"p7\""), "{}", server.requests()[2]);

    let (server, target, host) = stage([ok("<p:Sought><p:Pid>p7</p:Pid></p:Sought>"), added], steps()).await;
    make(&target, &host).await.unwrap();
    assert_eq!(asked(&server), ["Seek", "Add"], "what is there is not made again");

    let acts = [refused("none"), made.clone(), refused("bad"), ok("<p:Done></p:Done>")];
    let (server, target, host) = stage(acts, steps()).await;
    let error = make(&target, &host).await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Invalid, Effect::None));
    assert!(server.requests()[3].contains("<p:Forget") && server.requests()[3].contains("id=\"p7\""));

    let (server, target, host) = stage([refused("none"), made, Act::Cut], steps()).await;
    assert_eq!(make(&target, &host).await.unwrap_err().effect, Effect::Maybe);
    assert_eq!(asked(&server), ["Seek", "Person", "Add"], "nothing is taken back while nobody knows");
}

#[test]
fn a_file_that_promises_what_cannot_be_is_refused() {
    let issues = |more: Json| {
        let config: Config = serde_json::from_value(file("http://127.0.0.1:1", "xml", more)).unwrap();
        Soap::check_config(&config).into_iter().map(|issue| issue.pointer).collect::<Vec<_>>()
    };
    let later = json!({"when": {"at": "p:Later"}});
    assert_eq!(issues(json!({"kinds": {"account": {"get": {"taken_on": later}}}})), ["/kinds/account/get/taken_on"]);
    let ticket = json!({"request": request("<p:T n='{ticket}'/>", "p:T"), "done": {"at": "q:Done"}});
    assert_eq!(issues(json!({"kinds": {"account": {"ticket": ticket}}})), ["/kinds/account/ticket"; 2]);
    let mut early = steps();
    early["kinds"]["account"]["create"]["first"][0]["request"]["body"] = json!("<p:Person no='{steps.person}'/>");
    assert!(issues(early)[0].starts_with("/kinds/account/create/first/0/request/body"));
}
