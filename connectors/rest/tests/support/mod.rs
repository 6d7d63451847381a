//! A gateway that hears everything, and the shipped profile pointed at a simulator.
#![allow(dead_code, reason = "each test file uses its part")]

use connector_rest::{Config, PROFILES, Rest};
use connector_spi::{Attrs, Connector, ConnectorType, Ctx, Entitlement, Kind, Value};
use connector_testkit::TestHost;
pub use connector_testkit::laid_over;
use connector_testkit::settings;
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::Instant;

/// The shipped profile for a simulator at `url`, with `more` on top.
pub fn profile(url: &str, more: Json) -> Json {
    let mut all = settings(PROFILES[0].1, json!({})).unwrap();
    laid_over(
        &mut all,
        json!({"http": {
            "url": url, "allow_plaintext": true, "allow_networks": ["127.0.0.0/8"], "timeout": 3, "connect_timeout": 1,
            "headers": {"X-Target-Id": "EAST-PROD"}, "requests_per_second": 2000,
            "auth": {"client_id": "gateway", "client_secret": {"env": "EHR"}},
        }}),
    );
    laid_over(&mut all, more);
    all
}

pub async fn open(config: Json, host: Arc<TestHost>) -> Arc<dyn Connector> {
    let config: Config = serde_json::from_value(config).unwrap();
    assert_eq!(Rest::check_config(&config), []);
    Rest::open(config, host).await.unwrap()
}

pub fn cx(host: &Arc<TestHost>, op: &str) -> Ctx {
    Ctx::new(op, Instant::now() + Duration::from_secs(2), host.clone())
}

pub fn account() -> Kind {
    Kind::from("account")
}

pub fn attrs(pairs: &[(&str, &str)]) -> Attrs {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), vec![Value::from(*value)])).collect()
}

/// The attributes of an invented person.
pub fn person(number: u32) -> Attrs {
    attrs(&[
        ("username", &format!("t{number}")),
        ("givenName", &format!("Testperson {number}")),
        ("familyName", "Example"),
        ("employeeNumber", &format!("{}", 100_000 + number)),
        ("endEffective", "2099-06-30T23:59:59Z"),
    ])
    .into_iter()
    .map(|(name, values)| match name.as_str() {
        "endEffective" => {
            (name, values.iter().map(|v| Value::At { at: v.as_text().unwrap().parse().unwrap() }).collect())
        }
        _ => (name, values),
    })
    .collect()
}

pub fn key(name: &str, value: &str) -> BTreeMap<String, Value> {
    [(name.to_owned(), Value::from(value))].into()
}

pub fn grant(kind: &str, value: &str) -> Entitlement {
    Entitlement::new(kind, value)
}
