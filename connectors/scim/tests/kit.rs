//! The conformance kit over the connector and the simulator in its several positions, with a proxy between that does harm.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use async_trait::async_trait;
use connector_scim::Scim;
use connector_spi::{Entitlement, Erase, Kind};
use connector_testkit::{Fault, FaultProxy, Fixture, Report, StateProbe, Subject, assert_required, run};
use fixtures::scim_server::{Options, Paging, ScimServer};
use serde_json::{Value as Json, json};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};

/// A proxy that understands as much of HTTP as it takes to do harm: one request on each connection.
struct Proxy {
    here: SocketAddr,
    there: SocketAddr,
    fault: Arc<Mutex<Fault>>,
    listening: Mutex<Option<JoinHandle<()>>>,
}

impl Proxy {
    async fn before(there: SocketAddr) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let proxy = Self { here, there, fault: Arc::new(Mutex::new(Fault::Off)), listening: Mutex::default() };
        proxy.listen(listener);
        Arc::new(proxy)
    }

    fn listen(&self, listener: TcpListener) {
        let (there, fault) = (self.there, self.fault.clone());
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let fault = *fault.lock().unwrap();
                tokio::spawn(serve(client, there, fault));
            }
        });
        *self.listening.lock().unwrap() = Some(task);
    }
}

async fn serve(mut client: TcpStream, there: SocketAddr, fault: Fault) -> Option<()> {
    let request = read_request(&mut client).await?;
    let writes = !request.starts_with(b"GET ");
    let canned = |status: &str, more: &str, body: &str| {
        let length = body.len();
        let fixed = "connection: close\r\ncontent-type: text/html";
        format!("HTTP/1.1 {status}\r\n{fixed}\r\n{more}content-length: {length}\r\n\r\n{body}")
    };
    let answer = match fault {
        Fault::Throttled { retry_after } => {
            canned("429 Slow Down", &format!("retry-after: {}\r\n", retry_after.as_secs()), "<p>slow")
        }
        Fault::Unavailable => canned("503 Busy", "", "<p>busy"),
        Fault::Html => canned("200 OK", "", "<!doctype html><title>Sign in</title>"),
        Fault::Unauthorized => canned("401 No", "", ""),
        Fault::SlowBody => {
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 100000\r\n\r\n{";
            client.write_all(head.as_bytes()).await.ok()?;
            while client.write_all(b" ").await.is_ok() {
                sleep(Duration::from_millis(100)).await;
            }
            return None;
        }
        Fault::Off | Fault::ResetAfterSend | Fault::ResetBeforeSend | Fault::TruncatedPage => {
            let mut target = TcpStream::connect(there).await.ok()?;
            target.write_all(&request).await.ok()?;
            let mut answer = Vec::new();
            target.read_to_end(&mut answer).await.ok()?;
            if fault == Fault::TruncatedPage && request.starts_with(b"GET ") {
                answer.truncate(answer.len() - 20);
            }
            if !(fault == Fault::ResetAfterSend && writes) {
                client.write_all(&answer).await.ok()?;
            }
            return client.shutdown().await.ok();
        }
    };
    client.write_all(answer.as_bytes()).await.ok()?;
    client.shutdown().await.ok()
}

/// The whole request, with `connection: close` in place of what stood there.
async fn read_request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut got = Vec::new();
    let mut block = [0; 16_384];
    loop {
        if let Some(end) = got.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&got[..end]).into_owned();
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok()
                })
                .unwrap_or(0);
            if got.len() >= end + 4 + length {
                let mut whole = head.into_bytes();
                whole.extend_from_slice(b"\r\nconnection: close\r\n\r\n");
                whole.extend_from_slice(&got[end + 4..]);
                return Some(whole);
            }
        }
        match client.read(&mut block).await {
            Ok(count) if count > 0 => got.extend_from_slice(&block[..count]),
            _ => return None,
        }
    }
}

#[async_trait]
impl FaultProxy for Proxy {
    fn supports(&self, _: Fault) -> bool {
        true
    }

    async fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
        let listening = self.listening.lock().unwrap().take();
        if let Some(task) = listening {
            task.abort();
            let _ended = task.await;
        }
        if fault != Fault::ResetBeforeSend {
            let listener = TcpListener::bind(self.here).await.unwrap();
            self.listen(listener);
        }
    }
}

/// The second says whether the server may be filled: not where each account costs a search of its own.
struct Look(Arc<ScimServer>, bool);

#[async_trait]
impl StateProbe for Look {
    async fn state(&self) -> String {
        let state = self.0.state();
        json!([state["users"], state["groups"]]).to_string()
    }

    async fn seed(&self, kind: &Kind, count: u32) -> bool {
        let fills = self.1 && kind.as_str() == "account";
        if fills {
            self.0.seed_users(count);
        }
        fills
    }
}

const DEPARTMENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";

fn fixture(entitlements: &[Entitlement], scoped: &[Entitlement], unknown: &Entitlement, groups: bool) -> Fixture {
    let values: Json = json!({
        "account": {
            "kind": "account", "text": "title", "absent": "no-such-{n}",
            "multi": ["phoneNumbers.value", ["1{n}", "2{n}", "3{n}"]],
            "attrs": {
                "userName": ["kit{n}"], "externalId": ["Gate-{n}"], "displayName": ["Testperson {n} Example"],
                "name.givenName": ["Testperson {n}"], "name.familyName": ["Example"], "title": ["Dr {n}"],
                "emails[type eq \"work\"].value": ["kit{n}@hosp.example"], "phoneNumbers.value": ["+1 {n}", "+2 {n}"],
                DEPARTMENT: ["MED-{n}"],
            },
        },
        "entitlements": entitlements, "scoped": scoped, "unknown_entitlement": unknown,
    });
    let mut values = values;
    if groups {
        values["other"] = json!({
            "kind": "group", "text": "displayName", "absent": "no-such-{n}",
            "attrs": {"displayName": ["Kit {n}"], "externalId": ["Group-{n}"], "members": ["usr-first"]},
        });
    }
    serde_json::from_value(values).unwrap()
}

/// The attributes of the fixture, and what else the kit needs.
fn settings(more: Json) -> Json {
    let attributes = [
        "userName",
        "externalId",
        "displayName",
        "name.givenName",
        "name.familyName",
        "title",
        "emails[type eq \"work\"].value",
        "phoneNumbers.value",
        DEPARTMENT,
    ];
    let mut all = json!({"account": {"attributes": attributes, "allow_delete": true}});
    support::laid_over(&mut all, more);
    all
}

async fn verdict(options: Options, more: Json, fixture: Fixture) -> Report {
    let fills = options.groups_on_user;
    let server = Arc::new(ScimServer::start(options).unwrap());
    let proxy = Proxy::before(server.addr()).await;
    let more = settings(more);
    let config = support::profile(&format!("http://{}/scim/v2", proxy.here), more.clone());
    let mut subject = Subject::new(Arc::new(Erase::<Scim>::new()), config, fixture);
    subject.wrong_host = Some(support::profile("http://127.0.0.1:1", more));
    subject.secrets = [("SCIM_TOKEN".to_owned(), "test-only-token".to_owned())].into();
    subject.faults = Some(proxy);
    subject.probe = Some(Arc::new(Look(server, fills)));
    let report = run(&subject).await;
    println!("{report}");
    report
}

fn groups() -> Fixture {
    let group = |value: &str| Entitlement::new("group", value);
    fixture(&[group("grp-ward"), group("grp-er")], &[], &group("grp-nowhere"), false)
}

fn roles(and_groups: bool) -> Fixture {
    let role = |value: &str, ty: &str| {
        let mut role = Entitlement::new("role", value);
        if !ty.is_empty() {
            role.scope.insert("type".to_owned(), ty.to_owned());
        }
        role
    };
    let scoped = [role("attending", "EAST"), role("attending", "WEST")];
    fixture(&[role("nurse", ""), role("resident", "")], &scoped, &role("janitor", ""), and_groups)
}

#[tokio::test]
async fn a_server_that_can_do_everything() {
    let report = verdict(Options::default(), json!({}), groups()).await;
    assert_required("scim", &report);
}

#[tokio::test]
async fn a_server_with_the_limits_of_a_large_cloud_provider() {
    let report = verdict(Options::strict(), support::strict(), groups()).await;
    assert_required("scim", &report);
}

#[tokio::test]
async fn a_server_without_patch() {
    let report = verdict(Options::put_only(), json!({}), groups()).await;
    assert_required("scim", &report);
}

#[tokio::test]
async fn a_server_without_patch_and_without_entity_tags() {
    let report = verdict(Options { etag: false, ..Options::put_only() }, json!({}), groups()).await;
    assert_required("scim", &report);
}

#[tokio::test]
async fn a_server_that_pages_by_cursor_and_says_nothing_of_itself() {
    let options = Options { paging: Paging::Cursor, discovery: false, ..Options::default() };
    let report = verdict(options, json!({"without": {"index": true}}), groups()).await;
    assert_required("scim", &report);
}

#[tokio::test]
async fn roles_as_entitlements_and_groups_as_objects() {
    let more = json!({"groups": {"manage": "objects", "allow_delete": true}});
    let report = verdict(Options { paging: Paging::Both, ..Options::default() }, more, roles(true)).await;
    assert_required("scim", &report);
}

#[tokio::test]
async fn roles_as_entitlements_without_patch() {
    let more = json!({"groups": {"manage": "nothing"}});
    let report = verdict(Options::put_only(), more, roles(false)).await;
    assert_required("scim", &report);
}
