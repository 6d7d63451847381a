//! The configuration itself.

use crate::support::{self, profile};
use connector_rest::{Config, Rest};
use connector_spi::ConnectorType;
use serde_json::{Value as Json, json};

#[test]
fn a_misspelt_setting_is_refused_with_its_place() {
    let good = profile("https://ehr.example", json!({}));
    let with = |more: Json| {
        let mut all = good.clone();
        support::laid_over(&mut all, more);
        all
    };
    let read = |all: Json| serde_json::from_value::<Config>(all);
    assert!(read(with(json!({"kinds": {"account": {"gett": {}}}}))).is_err());
    assert!(read(with(json!({"errors": {"rules": [{"class": "Transiet"}]}}))).is_err());
    assert!(read(with(json!({"http": {"auth": {"client_secret": "literal"}}}))).is_err());

    let issues = Rest::check_config(
        &read(with(json!({"kinds": {"account": {
            "get": {"path": "/v1/personnel/{idd}"},
            "natural_keys": [["nosuch"]],
            "entitlements": {"nokind": {"read": {"at": "/x"}}},
        }}})))
        .unwrap(),
    );
    let pointers: Vec<_> = issues.iter().map(|issue| issue.pointer.as_str()).collect();
    for place in ["/kinds/account/get/path/idd", "/kinds/account/natural_keys/0", "/kinds/account/entitlements/nokind"]
    {
        assert!(pointers.contains(&place), "{place} in {pointers:?}");
    }
}

#[test]
fn the_settings_have_a_schema_that_documents_every_field() {
    let schema = serde_json::to_value(schemars::schema_for!(Config)).unwrap();
    let mut open = vec![&schema];
    let mut fields = 0;
    while let Some(next) = open.pop() {
        if next.get("x-secret").is_some() {
            continue;
        }
        if let Some(properties) = next.get("properties").and_then(Json::as_object) {
            for (name, property) in properties {
                fields += 1;
                let tag = property.get("const").is_some();
                assert!(tag || property.get("description").is_some(), "{name}");
            }
        }
        match next {
            Json::Object(members) => open.extend(members.values()),
            Json::Array(items) => open.extend(items),
            _ => {}
        }
    }
    assert!(fields > 90, "{fields}");
}
