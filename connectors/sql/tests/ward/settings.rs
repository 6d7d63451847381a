//! What is found wrong with a file before anything is opened, and what is promised by one that is right.

use crate::support::{account, laid_over, profile};
use connector_spi::{ConnectorType, Erase, ErasedType, Kind};
use connector_sql::{Config, PROFILES, Sql};
use serde_json::{Value as Json, json};

fn database() -> Json {
    json!({"engine": "postgres", "host": "ward.hosp.example", "name": "ward", "user": "chartgate", "password": {"env": "WARD"}})
}

fn issues(more: Json) -> Vec<String> {
    let config = profile(database(), more);
    Erase::<Sql>::new()
        .check_json(&config)
        .into_iter()
        .map(|issue| format!("{}: {}", issue.pointer, issue.message))
        .collect()
}

#[track_caller]
fn told(more: Json, pointer: &str) {
    let issues = issues(more);
    assert!(issues.iter().any(|issue| issue.starts_with(pointer)), "{pointer}: {issues:?}");
}

#[test]
fn the_shipped_profile_fits_every_engine() {
    for engine in ["postgres", "mysql", "mssql"] {
        assert_eq!(issues(json!({"database": {"engine": engine}})), Vec::<String>::new(), "{engine}");
    }
    let config = profile(json!({"engine": "sqlite", "path": "ward.db"}), json!({}));
    assert!(Erase::<Sql>::new().check_json(&config).is_empty());
}

#[test]
fn the_shipped_profile_needs_nothing_but_a_database() {
    let mut config: Json = toml::from_str(PROFILES[0].1).unwrap();
    for apart in ["kind", "test", "test_setup"] {
        config.as_object_mut().unwrap().remove(apart);
    }
    laid_over(&mut config, json!({"database": {"engine": "sqlite", "path": "ward.db"}}));
    let config: Config = serde_json::from_value(config).unwrap();
    assert_eq!(Sql::check_config(&config), []);
}

#[test]
fn a_statement_into_which_something_is_pasted_is_refused() {
    for pasted in [
        "WHERE u.user_mnemonic = ':mnemonic'",
        "WHERE u.user_mnemonic = '{{ mnemonic }}'",
        "WHERE u.user_mnemonic = {mnemonic}",
        "WHERE u.user_seq = $1",
        "WHERE u.user_seq = ?",
        "WHERE u.user_seq = :id; DELETE FROM user_dict",
        "WHERE u.user_seq = :id -- and no more",
        "WHERE u.user_seq = :employeeNumber",
    ] {
        told(json!({"kinds": {"account": {"get": pasted}}}), "/kinds/account/get");
    }
}

#[test]
fn a_statement_stands_where_it_may_do_what_it_does() {
    told(
        json!({"kinds": {"account": {"touch": "SELECT 1 FROM user_dict WHERE user_seq = :id"}}}),
        "/kinds/account/touch",
    );
    told(
        json!({"kinds": {"account": {"effective": {"sql": "DELETE FROM user_dict WHERE user_seq = :id"}}}}),
        "/kinds/account/effective",
    );
    told(json!({"kinds": {"account": {"touch": "DROP TABLE user_dict"}}}), "/kinds/account/touch");
    told(json!({"kinds": {"account": {"touch": {"mssql": "UPDATE t SET a = 1"}}}}), "/kinds/account/touch");
}

#[test]
fn a_statement_that_does_not_ask_for_its_record_is_refused() {
    let wide = json!([{"sql": "UPDATE user_dict SET status = 'A'", "rows": "any"}]);
    told(json!({"kinds": {"account": {"states": {"enabled": wide}}}}), "/kinds/account/states/enabled/0/sql");
    told(json!({"kinds": {"account": {"get": "WHERE 1 = 1"}}}), "/kinds/account/get");
    told(
        json!({"kinds": {"account": {"list": {"sql": "ORDER BY u.user_seq LIMIT :size"}}}}),
        "/kinds/account/list/sql",
    );
    told(json!({"kinds": {"account": {"touch": "UPDATE user_dict SET row_version = 0"}}}), "/kinds/account/touch");
    let all = json!([{"key": ["employeeNumber"], "sql": ""}]);
    told(json!({"kinds": {"account": {"find": all}}}), "/kinds/account/find/0/sql");
}

#[test]
fn an_attribute_that_no_statement_writes_is_found() {
    told(
        json!({"kinds": {"account": {"attributes": {"phone": {"max_length": 20}}}}}),
        "/kinds/account/attributes/phone",
    );
    told(json!({"kinds": {"account": {"attributes": {"id": {}}}}}), "/kinds/account/attributes/id");
    told(json!({"kinds": {"account": {"attributes": {"e-mail": {}}}}}), "/kinds/account/attributes/e-mail");
    told(
        json!({"kinds": {"account": {"attributes": {"beginDate": {"type": "integer"}}}}}),
        "/kinds/account/attributes/beginDate/as",
    );
}

#[test]
fn what_is_claimed_must_be_declared() {
    told(json!({"takes_effect": "unknown"}), "/takes_effect");
    told(json!({"session_revocation": "none"}), "/session_revocation");
    told(json!({"session_revocation": "api"}), "/session_revocation");
    told(json!({"kinds": {"account": {"revoke_sessions": []}}}), "/session_revocation");
}

#[test]
fn a_database_is_described_by_what_its_engine_needs() {
    told(json!({"database": {"host": null}}), "/database/host");
    told(json!({"database": {"path": "x.db"}}), "/database/path");
    told(json!({"database": {"engine": "sqlite"}}), "/database/path");
    told(json!({"database": {"engine": "oracle"}}), "/database/engine");
    told(json!({"database": {"pool": {"connections": 0}}}), "/database/pool/connections");
    told(json!({"database": {"tls": {"client_certificate": "a.pem"}}}), "/database/tls");
    told(json!({"database": {"password": "literal"}}), "/database/password");
    told(json!({"replica": {"lag": 1, "database": {"engine": "sqlite", "path": "x"}}}), "/replica/database/engine");
    told(json!({"zone": "Mars/Olympus"}), "/zone");
    told(json!({"spi": "2"}), "/spi");
}

#[test]
fn names_that_lead_nowhere_are_found() {
    told(json!({"kinds": {"account": {"depends_on": ["nobody"]}}}), "/kinds/account/depends_on/0");
    told(json!({"kinds": {"account": {"natural_keys": [["nothing"]]}}}), "/kinds/account/natural_keys/0");
    told(json!({"kinds": {"account": {"natural_keys": [["email"]]}}}), "/kinds/account/natural_keys/0");
    told(
        json!({"kinds": {"account": {"create": {"name": {"from": "upper(attrs.nickname)"}}}}}),
        "/kinds/account/create/name/from",
    );
    told(json!({"constants": {"id": "x"}}), "/constants/id");
    told(json!({"errors": [{"class": "Sometimes"}]}), "/errors/0");
    let after =
        json!([{"name": "a", "on": ["closed"], "http": {"place": "none", "method": "POST", "path": "/x/{nobody}"}}]);
    told(json!({"kinds": {"account": {"after": after}}}), "/kinds/account/after/0/http");
}

#[test]
fn accounts_wait_for_providers_and_nothing_is_deleted() {
    let config: Config = serde_json::from_value(profile(database(), json!({}))).unwrap();
    assert!(config.kinds.values().all(|kind| kind.delete.is_empty()));
    assert_eq!(config.kinds[account().as_str()].depends_on, [Kind::from("provider").to_string()]);
}
