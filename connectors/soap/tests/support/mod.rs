//! A gateway that hears everything, and the shipped profile pointed at a simulator.
#![allow(dead_code, reason = "each test file uses its part")]

use connector_soap::{Config, PROFILES, Soap};
use connector_spi::{Attrs, Connector, ConnectorType, Ctx, Entitlement, Kind, Value};
use connector_testkit::TestHost;
pub use connector_testkit::laid_over;
use connector_testkit::settings;
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::Instant;

/// The shipped profile of this name for a simulator at `url`, with `more` on top.
pub fn profile(url: &str, more: Json) -> Json {
    let text = PROFILES.iter().find(|(name, _)| *name == "epic-like").unwrap().1;
    let mut all = settings(text, json!({})).unwrap();
    let password = json!({"env": "EHR"});
    laid_over(
        &mut all,
        json!({
            "http": {
                "url": url, "allow_plaintext": true, "allow_networks": ["127.0.0.0/8"], "timeout": 3, "connect_timeout": 1,
                "requests_per_second": 5000, "max_concurrent": 200,
            },
            "services": {
                "personnel": {"username_token": {"user": "local:gateway", "password": password}},
                "core": {
                    "auth": {"type": "basic", "user": "gateway", "password": password},
                    "requests_per_second": 5000, "max_concurrent": 200,
                },
            },
        }),
    );
    laid_over(&mut all, more);
    all
}

pub async fn open(config: Json, host: Arc<TestHost>) -> Arc<dyn Connector> {
    let config: Config = serde_json::from_value(config).unwrap();
    assert_eq!(Soap::check_config(&config), []);
    Soap::open(config, host).await.unwrap()
}

pub fn cx(host: &Arc<TestHost>, op: &str) -> Ctx {
    Ctx::new(op, Instant::now() + Duration::from_secs(10), host.clone())
}

pub fn account() -> Kind {
    Kind::from("account")
}

pub fn provider() -> Kind {
    Kind::from("provider")
}

pub fn attrs(pairs: &[(&str, &str)]) -> Attrs {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), vec![Value::from(*value)])).collect()
}

/// The attributes of an invented person.
pub fn person(number: u32) -> Attrs {
    attrs(&[
        ("login", &format!("t{number}")),
        ("givenName", &format!("Testperson {number}")),
        ("familyName", "Example"),
        ("employeeNumber", &format!("{}", 100_000 + number)),
        ("endDate", "2029-06-30"),
    ])
}

/// The attributes of an invented provider.
pub fn orderer(number: u32) -> Attrs {
    attrs(&[
        ("npi", &format!("19{:08}", number)),
        ("givenName", &format!("Testperson {number}")),
        ("familyName", "Example"),
        ("providerType", "PHYSICIAN"),
    ])
}

pub fn key(name: &str, value: &str) -> BTreeMap<String, Value> {
    [(name.to_owned(), Value::from(value))].into()
}

pub fn grant(kind: &str, value: &str) -> Entitlement {
    Entitlement::new(kind, value)
}

/// A grant with its place.
pub fn placed(kind: &str, value: &str, order: u32) -> Entitlement {
    Entitlement { order: Some(order), ..grant(kind, value) }
}
