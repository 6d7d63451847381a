//! A gateway that hears everything, and the shipped profile pointed at the simulator.
#![allow(dead_code, reason = "each test file uses its part")]

use connector_scim::{Config, PROFILES, Scim};
use connector_spi::{Attrs, Connector, ConnectorType, Ctx, Kind, Value};
use connector_testkit::TestHost;
pub use connector_testkit::laid_over;
use connector_testkit::settings;
use fixtures::scim_server::{Options, ScimServer};
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::Instant;

/// The shipped profile for a server at `url`, with `more` on top.
pub fn profile(url: &str, more: Json) -> Json {
    shipped("scim", url, json!({"type": "bearer", "token": {"env": "SCIM_TOKEN"}}), more)
}

/// The shipped profile for the meditech-like system at `url`.
pub fn meditech(url: &str, more: Json) -> Json {
    shipped("meditech-like-rest", url, json!({"client_id": "gateway", "client_secret": {"env": "SCIM_TOKEN"}}), more)
}

fn shipped(name: &str, url: &str, auth: Json, more: Json) -> Json {
    let text = PROFILES.iter().find(|(profile, _)| *profile == name).unwrap().1;
    let mut all = settings(text, json!({})).unwrap();
    laid_over(
        &mut all,
        json!({"http": {
            "url": url, "allow_plaintext": true, "allow_networks": ["127.0.0.0/8"], "timeout": 5, "connect_timeout": 2,
            "max_concurrent": 256, "auth": auth,
        }}),
    );
    laid_over(&mut all, more);
    all
}

/// What the profile's comments say for a server with the limits of a large cloud provider.
pub fn strict() -> Json {
    json!({
        "member_removal": "value",
        "account": {"memberships": "groups", "entitlements": []},
        "groups": {"members_shown": false},
        "without": {"put": true, "etag": true, "index": true, "excluded_attributes": true},
    })
}

/// A server, and a connector that is open to it.
pub struct Stage {
    pub server: ScimServer,
    pub host: Arc<TestHost>,
    pub target: Arc<dyn Connector>,
}

impl Stage {
    pub async fn set(options: Options, more: Json) -> Self {
        let server = ScimServer::start(options).unwrap();
        let host = TestHost::of("test-only-token");
        let target = open(profile(&server.base_url(), more), &host).await;
        Self { server, host, target }
    }

    pub fn cx(&self, op: &str) -> Ctx {
        self.within(op, Duration::from_secs(5))
    }

    pub fn within(&self, op: &str, time: Duration) -> Ctx {
        Ctx::new(op, Instant::now() + time, self.host.clone())
    }

    /// The groups or users of the server itself.
    pub fn all(&self, sort: &str) -> Vec<Json> {
        self.server.state()[sort].as_array().unwrap().clone()
    }

    pub fn one(&self, sort: &str, id: &str) -> Json {
        self.all(sort).into_iter().find(|one| one["id"] == id).unwrap()
    }

    /// How often the server was asked this.
    pub fn asked(&self, operation: &str) -> usize {
        self.server.journal().count_of(operation)
    }
}

pub async fn open(config: Json, host: &Arc<TestHost>) -> Arc<dyn Connector> {
    let config: Config = serde_json::from_value(config).unwrap();
    assert_eq!(Scim::check_config(&config), []);
    Scim::open(config, host.clone()).await.unwrap()
}

pub fn account() -> Kind {
    Kind::from("account")
}

pub fn group() -> Kind {
    Kind::from("group")
}

pub fn attrs(pairs: &[(&str, &str)]) -> Attrs {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), vec![Value::from(*value)])).collect()
}

/// The attributes of an invented person.
pub fn person(number: u32) -> Attrs {
    attrs(&[
        ("userName", &format!("t{number}")),
        ("externalId", &format!("gateway-{number}")),
        ("displayName", &format!("Testperson {number} Example")),
        ("name.familyName", "Example"),
        ("emails[type eq \"work\"].value", &format!("t{number}@hosp.example")),
    ])
}

pub fn key(name: &str, value: &str) -> BTreeMap<String, Value> {
    [(name.to_owned(), Value::from(value))].into()
}
