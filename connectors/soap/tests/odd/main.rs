//! Services and answers that the simulator does not give: SOAP 1.1, plain XML, and everything that is not what was asked for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

#[path = "../../../http/tests/support/mod.rs"]
mod script;
#[path = "../support/mod.rs"]
mod support;
mod work;

use connector_soap::{Config, Soap};
use connector_spi::{AccountState, Class, ConnError, Connector, ConnectorType, Effect, Record};
use connector_testkit::TestHost;
use serde_json::{Value as Json, json};
use std::sync::{Arc, Mutex};
use support::{account, attrs, cx, key, laid_over};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A server that gives one answer to everything and remembers what it was sent.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn answering(status: &str, body: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, body, status) = (Arc::new(Mutex::new(Vec::new())), Arc::new(body.into()), status.to_owned());
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (log, body, status) = (Arc::clone(&log), Arc::clone(&body), status.clone());
                tokio::spawn(async move {
                    let mut got = Vec::new();
                    let mut block = [0; 16_384];
                    while !whole(&got) {
                        match stream.read(&mut block).await {
                            Ok(count) if count > 0 => got.extend_from_slice(&block[..count]),
                            _ => return,
                        }
                    }
                    log.lock().unwrap().push(String::from_utf8_lossy(&got).into_owned());
                    let head =
                        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                    let _sent = stream.write_all(head.as_bytes()).await;
                    let _sent = stream.write_all(&body).await;
                });
            }
        });
        Self { url, seen }
    }

    fn last(&self) -> String {
        self.seen.lock().unwrap().last().unwrap().clone()
    }
}

fn whole(got: &[u8]) -> bool {
    let text = String::from_utf8_lossy(got);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0_usize)
}

/// A small file for a service of this version.
fn file(url: &str, version: &str, more: Json) -> Json {
    let request =
        |body: &str, answer: &str| json!({"service": "s", "action": "urn:a/x", "body": body, "answer": answer});
    let mut found = request("<p:Find><p:No>{key.number}</p:No></p:Find>", "p:Found");
    found["record_at"] = json!("p:Person");
    let mut read = request("<p:Get id='{id}'/>", "p:Got");
    read["record_at"] = json!("p:Person");
    let mut all = json!({
        "http": {"url": url, "allow_plaintext": true, "allow_networks": ["127.0.0.0/8"], "timeout": 2, "max_body": 200_000},
        "namespaces": {"p": "urn:p"},
        "services": {"s": {"path": "service", "version": version}},
        "check": [request("<p:Ping/>", "p:Pong")],
        "kinds": {"account": {
            "role": "account", "natural_keys": [["number"]],
            "record": {"id": "@id", "state": [{"when": {"at": "p:On", "equals": "true"}, "is": "enabled"}]},
            "attributes": {"number": {"at": "p:No", "required": true}, "name": {"at": "p:Name"}},
            "get": read,
            "find": [{"key": ["number"], "request": found}],
            "create": {"id": "p:Id", "request": request("<p:Add><p:No>{attrs.number}</p:No><p:Name>{attrs.name}</p:Name></p:Add>", "p:Added")},
        }},
    });
    laid_over(&mut all, more);
    all
}

async fn target(server: &Server, version: &str, more: Json) -> (Arc<dyn Connector>, Arc<TestHost>) {
    let host = TestHost::of("test-only");
    let config: Config = serde_json::from_value(file(&server.url, version, more)).unwrap();
    assert_eq!(Soap::check_config(&config), []);
    (Soap::open(config, host.clone()).await.unwrap(), host)
}

fn old(inside: &str) -> String {
    format!(
        "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/' xmlns:x='urn:p'><e:Body>{inside}</e:Body></e:Envelope>"
    )
}

fn new(inside: &str) -> String {
    format!(
        "<e:Envelope xmlns:e='http://www.w3.org/2003/05/soap-envelope' xmlns:x='urn:p'><e:Body>{inside}</e:Body></e:Envelope>"
    )
}

async fn read(version: &str, status: &str, body: impl Into<Vec<u8>>) -> Result<Option<Record>, ConnError> {
    let server = Server::answering(status, body).await;
    let (target, host) = target(&server, version, json!({})).await;
    target.get(&cx(&host, "g"), &account(), &"7".into()).await
}

async fn made(version: &str, status: &str, body: impl Into<Vec<u8>>) -> Result<String, ConnError> {
    let server = Server::answering(status, body).await;
    let (target, host) = target(&server, version, json!({})).await;
    let who = attrs(&[("number", "1"), ("name", "Testperson 1 Example")]);
    let created = target.create(&cx(&host, "c"), &account(), &who, AccountState::Enabled, &[]).await?;
    Ok(created.id.0)
}

const PERSON: &str = "<x:Got><x:Person id='7'><x:No>1</x:No><x:On>true</x:On></x:Person></x:Got>";

#[tokio::test]
async fn a_service_of_soap_1_1_is_asked_in_its_own_way_and_understood() {
    let server = Server::answering("200 OK", old("<x:Added><x:Id>7</x:Id></x:Added>")).await;
    let (target, host) = target(&server, "soap_1_1", json!({})).await;
    let who = attrs(&[("number", "1"), ("name", "a<b>&amp;\"'")]);
    let created = target.create(&cx(&host, "c"), &account(), &who, AccountState::Enabled, &[]).await.unwrap();
    assert_eq!(created.id.as_str(), "7");

    let sent = server.last();
    assert!(sent.starts_with("POST /service HTTP/1.1\r\n"), "{sent}");
    let head = sent.to_lowercase();
    assert!(
        head.contains("soapaction: \"urn:a/x\"") && head.contains("content-type: text/xml; charset=utf-8"),
        "{sent}"
    );
    assert!(sent.contains("http://schemas.xmlsoap.org/soap/envelope/"), "{sent}");
    assert!(sent.contains(">a&lt;b&gt;&amp;amp;&quot;&#39;</p:Name>"), "{sent}");
}

#[tokio::test]
async fn a_fault_of_soap_1_1_comes_with_500_whoever_is_at_fault() {
    let fault =
        |code: &str| old(&format!("<e:Fault><faultcode>e:{code}</faultcode><faultstring>no</faultstring></e:Fault>"));
    let error = made("soap_1_1", "500 Error", fault("Client")).await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Permanent, Effect::None));
    let error = made("soap_1_1", "500 Error", fault("Server")).await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Unknown, Effect::Maybe));
    let error = read("soap_1_1", "500 Error", fault("Server")).await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Unknown, Effect::None));
}

#[tokio::test]
async fn plain_xml_has_no_envelope_and_its_failures_stand_inside_a_success() {
    let errors = json!({"errors": {
        "failed_when": [{"at": "@status", "equals": "failure"}], "code_at": ["@error"], "message_at": "p:Words",
        "rules": [{"code": ["alreadyExists"], "class": "AlreadyExists"}, {"message": "locked", "class": "Transient"}],
    }});
    let said =
        |text: &str| format!("<Added xmlns='urn:p' status='failure' error='{text}'><Words>is LOCKED</Words></Added>");
    for (text, class) in [("alreadyExists", Class::AlreadyExists), ("other", Class::Transient)] {
        let server = Server::answering("200 OK", said(text)).await;
        let (target, host) = target(&server, "xml", errors.clone()).await;
        let who = attrs(&[("number", "1")]);
        let error = target.create(&cx(&host, "c"), &account(), &who, AccountState::Enabled, &[]).await.unwrap_err();
        assert_eq!((error.class, error.native_code.as_deref()), (class, Some(text)));
        assert!(server.seen.lock().unwrap()[0].contains("?><p:Add xmlns:p=\"urn:p\">"));
    }
    let record = read("xml", "200 OK", "<Got xmlns='urn:p'><Person id='7'><No>1</No></Person></Got>").await.unwrap();
    assert_eq!(record.unwrap().state, AccountState::Unknown);
}

#[tokio::test]
async fn an_answer_that_is_not_the_one_that_was_asked_for_is_unknown_and_a_write_may_have_happened() {
    let deep = format!("{}{}", "<a>".repeat(100_000 / 7), "</a>".repeat(100_000 / 7));
    let bomb =
        "<!DOCTYPE z [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;&b;&b;'>]>";
    let answers: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("a login page", b"<!DOCTYPE html><html><title>Sign in</title></html>".to_vec()),
        ("an HTML page without a document type", b"<html><body><p>Hello</body></html>".to_vec()),
        ("JSON", b"{\"id\": 7}".to_vec()),
        ("octets", vec![0, 159, 146, 150]),
        ("cut off", new(PERSON).into_bytes()[..150].to_vec()),
        ("an entity bomb", format!("{bomb}{}", new("<x:Added><x:Id>&c;</x:Id></x:Added>")).into_bytes()),
        (
            "an entity of a file",
            format!(
                "<!DOCTYPE z [<!ENTITY f SYSTEM 'file:///etc/passwd'>]>{}",
                new("<x:Added><x:Id>&f;</x:Id></x:Added>")
            )
            .into_bytes(),
        ),
        ("an entity that nobody declared", new("<x:Added><x:Id>&f;</x:Id></x:Added>").into_bytes()),
        ("deep", new(&deep).into_bytes()),
        ("too large", new(&format!("<x:Added><x:Id>{}</x:Id></x:Added>", "7".repeat(300_000))).into_bytes()),
        ("another namespace", new("<x:Added xmlns:x='urn:q'><x:Id>7</x:Id></x:Added>").into_bytes()),
        ("no namespace", new("<Added><Id>7</Id></Added>").into_bytes()),
        ("another element", new("<x:Removed><x:Id>7</x:Id></x:Removed>").into_bytes()),
        ("two elements", new("<x:Added><x:Id>7</x:Id></x:Added><x:Added/>").into_bytes()),
        ("an envelope of another version", old("<x:Added><x:Id>7</x:Id></x:Added>").into_bytes()),
        ("no envelope", b"<x:Added xmlns:x='urn:p'><x:Id>7</x:Id></x:Added>".to_vec()),
        ("no id", new("<x:Added/>").into_bytes()),
        ("an id in another namespace", new("<x:Added><Id>7</Id></x:Added>").into_bytes()),
    ];
    for (what, body) in answers {
        let error = made("soap_1_2", "200 OK", body.clone()).await.unwrap_err();
        assert_eq!((error.class, error.effect), (Class::Unknown, Effect::Maybe), "{what}: {error}");
        let error = read("soap_1_2", "200 OK", body).await.err();
        if let Some(error) = error {
            assert_eq!((error.class, error.effect), (Class::Unknown, Effect::None), "{what}: {error}");
        }
    }
}

#[tokio::test]
async fn the_status_decides_where_the_body_says_nothing() {
    for (status, class) in [
        ("401 No", Class::Auth),
        ("403 No", Class::Forbidden),
        ("404 No", Class::NotFound),
        ("429 Slow", Class::Throttled),
        ("502 Bad", Class::Transient),
        ("503 Busy", Class::Transient),
        ("301 There", Class::Config),
    ] {
        for body in ["", "<html><p>no", "<!DOCTYPE html><html/>", "busy"] {
            let error = made("soap_1_2", status, body).await.unwrap_err();
            assert_eq!(error.class, class, "{status} {body}");
        }
    }
}

#[tokio::test]
async fn an_answer_about_another_record_is_not_taken_for_the_one_that_was_asked_for() {
    assert!(read("soap_1_2", "200 OK", new(PERSON)).await.unwrap().is_some());
    let other = new(&PERSON.replace("id='7'", "id='8'"));
    assert_eq!(read("soap_1_2", "200 OK", other).await.unwrap_err().class, Class::Unknown);
    assert_eq!(read("soap_1_2", "200 OK", new("<x:Got/>")).await.unwrap(), None);
}

#[tokio::test]
async fn a_search_that_is_looser_than_it_looks_finds_only_what_has_the_key() {
    let two =
        "<x:Found><x:Person id='7'><x:No>1</x:No></x:Person><x:Person id='8'><x:No>11</x:No></x:Person></x:Found>";
    let server = Server::answering("200 OK", new(two)).await;
    let (target, host) = target(&server, "soap_1_2", json!({})).await;
    let found = target.find(&cx(&host, "f"), &account(), &key("number", "1")).await.unwrap();
    let ids: Vec<_> = found.iter().map(|record| record.id.as_str()).collect();
    assert_eq!(ids, ["7"]);
}

#[tokio::test]
async fn further_blocks_of_the_header_are_written_and_a_target_without_a_clock_is_told_so() {
    let server = Server::answering("200 OK", new("<x:Pong/>")).await;
    let header = json!({"services": {"s": {"headers": ["<p:Route op='{op}'>{action}</p:Route>"]}}});
    let (plain, host) = target(&server, "soap_1_2", header).await;
    plain.check(&cx(&host, "op-1")).await.unwrap();
    let sent = server.last();
    assert!(sent.contains("<p:Route op=\"op-1\">urn:a/x</p:Route>"), "{sent}");
    assert!(sent.contains("action=\"urn:a/x\""), "{sent}");

    let token = json!({"services": {"s": {"username_token": {"user": "u", "password": {"env": "X"}}}}});
    let (fresh, host) = target(&server, "soap_1_2", token).await;
    let error = fresh.check(&cx(&host, "op-2")).await.unwrap_err();
    assert_eq!(error.class, Class::Config);
    assert!(error.message.contains("bare_text"), "{error}");
}

#[tokio::test]
async fn the_target_s_words_are_shown_only_where_the_file_allows_it_and_without_what_was_sent() {
    let fault = new(
        "<e:Fault><e:Code><e:Value>e:Sender</e:Value></e:Code><e:Reason><e:Text>Testperson 1 Example is twice here</e:Text></e:Reason></e:Fault>",
    );
    let error = made("soap_1_2", "400 Bad", fault.clone()).await.unwrap_err();
    assert!(!error.message.contains("twice"), "{error}");

    let server = Server::answering("400 Bad", fault).await;
    let (target, host) = target(&server, "soap_1_2", json!({"errors": {"quote_message": true}})).await;
    let who = attrs(&[("number", "1"), ("name", "Testperson 1 Example")]);
    let error = target.create(&cx(&host, "c"), &account(), &who, AccountState::Enabled, &[]).await.unwrap_err();
    assert!(error.message.contains("*** is twice here") && !error.message.contains("Testperson"), "{error}");
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_place() {
    let issues = |more: Json| -> Vec<String> {
        let config: Config = serde_json::from_value(file("http://127.0.0.1:1", "soap_1_2", more)).unwrap();
        Soap::check_config(&config).into_iter().map(|issue| issue.pointer).collect()
    };
    assert_eq!(issues(json!({})), Vec::<String>::new());
    assert_eq!(issues(json!({"spi": "2"})), ["/spi"]);
    assert_eq!(issues(json!({"zone": "Atlantis"})), ["/zone"]);
    assert_eq!(issues(json!({"namespaces": {"t": "urn:t"}})), ["/namespaces/t"]);
    assert_eq!(issues(json!({"check": [{"service": "z", "body": "<p:A/>", "answer": "p:B"}]})), ["/check/0/service"]);
    assert_eq!(issues(json!({"check": [{"service": "s", "body": "<p:A/>", "answer": "q:B"}]})), ["/check/0/answer"]);
    assert_eq!(
        issues(json!({"check": [{"service": "s", "body": "<p:A>{idd}</p:A>", "answer": "p:B"}]})),
        ["/check/0/body"]
    );
    assert_eq!(issues(json!({"errors": {"code_at": ["q:Code"]}})), ["/errors"]);
    assert_eq!(issues(json!({"errors": {"code_at": ["soap:Detail"]}})), Vec::<String>::new());
    assert_eq!(issues(json!({"warnings_at": ["soap:Detail"]})), ["/warnings_at"]);
    let account = |more: Json| issues(json!({"kinds": {"account": more}}));
    assert_eq!(account(json!({"natural_keys": [["numbr"]]})), ["/kinds/account/natural_keys/0", "/kinds/account/find"]);
    assert_eq!(account(json!({"depends_on": ["nobody"]})), ["/kinds/account/depends_on"]);
    assert_eq!(account(json!({"entitlements": {"role": {}}})), ["/kinds/account/entitlements/role"]);
    let plain =
        json!({"services": {"s": {"version": "xml", "username_token": {"user": "u", "password": {"env": "X"}}}}});
    assert_eq!(issues(plain), ["/services/s"]);
}
