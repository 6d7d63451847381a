//! The sample plugins keep the contract: over the pager service, through the gateway's door, with a proxy between that does
//! harm.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod foreign;
mod hostile;
mod lost;
#[path = "../support/mod.rs"]
mod support;

use async_trait::async_trait;
use connector_http::Door;
use connector_plugin::{PluginKind, Settings};
use connector_spi::{
    Connector, Entitlement, ErasedType, Host, HttpRequest, HttpResponse, Level, Result, Secret, SecretRef,
};
use connector_testkit::{Fixture, HttpProxy, StateProbe, Subject, TestHost, assert_required, run};
use fixtures::pager::{Options, Pager};
use serde_json::{Value as Json, json};
use std::{path::Path, sync::Arc};
use support::ByHand;

/// The service's own view of itself, without the journal of what was asked.
struct Look(Arc<Pager>);

#[async_trait]
impl StateProbe for Look {
    async fn state(&self) -> String {
        self.0.state()["subscribers"].to_string()
    }
    async fn seed(&self, _: &connector_spi::Kind, count: u32) -> bool {
        self.0.seed(count);
        true
    }
}

/// The gateway's door, opened for the service.
struct Network(Door);

#[async_trait]
impl Host for Network {
    async fn secret(&self, reference: &SecretRef) -> Result<Secret> {
        Err(connector_spi::ConnError::config(format!("{reference} is not asked here")))
    }
    async fn http(&self, request: HttpRequest) -> Result<HttpResponse> {
        self.0.send(request.try_into()?).await
    }
    fn event(&self, _: Level, _: &str, _: &[(&str, &str)]) {}
}

fn fixture() -> Fixture {
    let pool = |value: &str| Entitlement::new("pool", value);
    let at = |site: &str| json!({ "type": "pool", "value": "stroke", "scope": { "site": site } });
    let values: Json = json!({
        "account": {
            "kind": "subscriber", "text": "title", "absent": "S9{n}",
            "multi": ["phones", ["555-1", "555-2", "555-3"]],
            "attrs": {
                "login": ["kit{n}"], "staffNumber": ["N-{n}"], "displayName": ["Testperson {n} Example"],
                "title": ["Title {n}"], "pagerNumber": ["+1 555 {n}"], "phones": ["+1 556 {n}", "+1 557 {n}"],
            },
        },
        "entitlements": [pool("cardiology"), pool("transport")],
        "scoped": [at("EAST"), at("WEST")],
        "unknown_entitlement": pool("no-such-pool"),
        "expired_token": "1",
    });
    serde_json::from_value(values).unwrap()
}

/// The service, and a plugin that is open to it.
struct Desk {
    service: Arc<Pager>,
    network: Arc<dyn Host>,
    host: Arc<TestHost>,
    target: Arc<dyn Connector>,
}

impl Desk {
    async fn set(settings: Settings, options: Options) -> Self {
        let service = Arc::new(Pager::start(options).unwrap());
        let network = network(&service.base_url()).await;
        let secrets = [("PAGER_TOKEN".to_owned(), Options::default().token)].into();
        let host = TestHost::with(secrets, Some(Arc::clone(&network)));
        let kind = PluginKind::greet(settings).await.unwrap();
        let config = json!({ "address": service.base_url(), "token": { "env": "PAGER_TOKEN" } });
        let target = kind.open_json(config, Arc::clone(&host) as Arc<dyn Host>).await.unwrap();
        Self { service, network, host, target }
    }

    /// Asks the service as somebody else would, not through the plugin.
    async fn ask(&self, method: &str, path: &str, body: Json) -> HttpResponse {
        let token = format!("Bearer {}", Options::default().token);
        let request = HttpRequest {
            method: method.to_owned(),
            url: format!("{}{path}", self.service.base_url()),
            headers: vec![
                ("authorization".to_owned(), token),
                ("content-type".to_owned(), "application/json".to_owned()),
            ],
            body: body.to_string().into_bytes(),
            timeout: std::time::Duration::from_secs(10),
            max_body: 1 << 20,
        };
        self.network.http(request).await.unwrap()
    }

    fn subscribers(&self) -> Vec<Json> {
        self.service.state()["subscribers"].as_array().unwrap().clone()
    }
}

/// The gateway's door to the service at this address.
async fn network(url: &str) -> Arc<dyn Host> {
    let http = json!({
        "url": url, "allow_plaintext": true, "allow_networks": ["127.0.0.0/8"], "max_concurrent": 64,
    });
    let door = Door::open(serde_json::from_value(http).unwrap(), TestHost::new()).await.unwrap();
    Arc::new(Network(door))
}

/// Settings of the sample in Python; `None` where there is no Python.
fn python() -> Option<Settings> {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/python/examples/pager.py");
    let (Some(python), true) = (fixtures::servers::python(), sample.is_file()) else { return None };
    Some(support::settings(&json!({
        "command": [python, "-B", sample], "sha256": support::digest(&python),
        "files": { sample.to_str().unwrap(): support::digest(&sample) },
        "env": { "PYTHONPATH": sample.parent().unwrap().parent().unwrap() },
    })))
}

/// The kit over the plugin of these settings; the sample's name stands over its column of the table.
async fn kept(sample: &str, settings: Settings) {
    // given the service behind a proxy
    let service = Arc::new(Pager::start(Options::default()).unwrap());
    let proxy = HttpProxy::before(service.addr(), |request: &[u8]| !request.starts_with(b"GET ")).await.unwrap();
    let network = network(&proxy.url()).await;
    let kind = Arc::new(PluginKind::greet(settings).await.unwrap());
    let config = |address: &str| json!({ "address": address, "token": { "env": "PAGER_TOKEN" } });
    let mut subject = Subject::new(Arc::clone(&kind) as Arc<_>, config(&proxy.url()), fixture());
    subject.wrong_host = Some(config("http://127.0.0.1:1"));
    subject.secrets = [("PAGER_TOKEN".to_owned(), Options::default().token)].into();
    let host = TestHost::with(subject.secrets.clone(), Some(Arc::clone(&network)));
    subject.wire = Some(Arc::new(ByHand { kind, config: subject.config.clone(), host }));
    subject.network = Some(network);
    subject.probe = Some(Arc::new(Look(service)));
    subject.faults = Some(proxy);

    // when the kit runs
    let mut report = run(&subject).await;
    sample.clone_into(&mut report.connector);

    // then everything that a plugin must do is done
    println!("{report}");
    assert_required("plugin", &report);
}

#[tokio::test]
async fn the_sample_in_rust_keeps_the_contract() {
    kept("plugin-rust", support::settings(&support::child("pager"))).await;
}

#[tokio::test]
async fn the_sample_in_python_keeps_the_contract() {
    let Some(settings) = python() else { return };
    kept("plugin-py", settings).await;
}
