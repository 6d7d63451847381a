//! The conformance kit over the REST connector, the shipped profile and the simulator, with a proxy between that does harm.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use async_trait::async_trait;
use connector_rest::Rest;
use connector_spi::{Entitlement, Erase};
use connector_testkit::{Fault, FaultProxy, Fixture, StateProbe, Subject, assert_required, run};
use fixtures::ehr_rest::{EhrRest, Options};
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
    let writes = !request.starts_with(b"GET ") && !request.starts_with(b"POST /oauth2/");
    let canned = |status: &str, kind: &str, more: &str, body: &str| {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: {kind}\r\n{more}content-length: {length}\r\n\r\n{body}"
        )
    };
    let answer = match fault {
        Fault::Throttled { retry_after } => {
            canned("429 Slow Down", "text/html", &format!("retry-after: {}\r\n", retry_after.as_secs()), "<p>slow")
        }
        Fault::Unavailable => canned("503 Busy", "text/html", "", "<p>busy"),
        Fault::Html => canned("200 OK", "text/html", "", "<!doctype html><title>Sign in</title>"),
        Fault::Unauthorized => canned("401 No", "text/html", "", ""),
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
    /// A page of this target that is cut looks like a body that is cut: it has no other way to say so.
    fn supports(&self, fault: Fault) -> bool {
        fault != Fault::TruncatedPage
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

struct Look(Arc<EhrRest>);

#[async_trait]
impl StateProbe for Look {
    async fn state(&self) -> String {
        let state = self.0.state();
        json!([state["accounts"], state["sessions"]]).to_string()
    }
}

fn fixture() -> Fixture {
    let at = |text: &str| json!({ "at": text });
    let group = |value: &str| Entitlement::new("personnel-group", value);
    let values: Json = json!({
        "account": {
            "kind": "account", "text": "logicalDomain", "absent": "9{n}",
            "attrs": {
                "username": ["kit{n}"], "givenName": ["Testperson {n}"], "familyName": ["Example"],
                "employeeNumber": ["{n}"], "npi": ["19{n}"], "logicalDomain": ["EAST"], "physician": [true],
                "confidentialityLevel": ["ROUTINE"],
                "beginEffective": [at("2026-07-01T04:00:00Z")], "endEffective": [at("2029-07-01T03:59:59Z")],
            },
        },
        "entitlements": [group("CS_RX"), group("CS_APPR"), Entitlement::new("organization", "EAST"), Entitlement::new("position", "RN")],
        "unknown_entitlement": group("NO_SUCH"),
    });
    serde_json::from_value(values).unwrap()
}

#[tokio::test]
async fn the_connector_keeps_the_contract() {
    // given the simulator behind a proxy
    let ehr = Arc::new(EhrRest::start(Options { rate_limit: None, ..Options::default() }).unwrap());
    let proxy = Proxy::before(ehr.addr()).await;
    let secret = json!({"http": {"auth": {"client_secret": {"env": "EHR_SECRET"}}}});
    let config = support::profile(&format!("http://{}", proxy.here), secret.clone());
    let mut subject = Subject::new(Arc::new(Erase::<Rest>::new()), config, fixture());
    subject.wrong_host = Some(support::profile("http://127.0.0.1:1", secret));
    subject.secrets = [("EHR_SECRET".to_owned(), "test-only".to_owned())].into();
    subject.faults = Some(proxy);
    subject.probe = Some(Arc::new(Look(ehr)));

    // when the kit runs
    let report = run(&subject).await;

    // then everything that a REST connector must do is done
    println!("{report}");
    assert_required("rest", &report);
}
