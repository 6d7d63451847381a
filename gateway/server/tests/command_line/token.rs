//! Tokens: over a running gateway, and without one.

use super::program::{program, run};
use super::serve::Serving;

const CONFIG: &str = "[server]\nlisten = \"127.0.0.1:0\"\n\n[[source]]\nname = \"hr\"\n";

#[test]
fn a_token_made_without_a_gateway_opens_the_door_of_the_next() {
    let room = tempfile::tempdir().unwrap();
    std::fs::write(room.path().join("chartgate.toml"), CONFIG).unwrap();

    let made = run(room.path(), &["token", "create", "hr", "--expires", "90d"]);

    assert_eq!(made.code, Some(0), "{}", made.err);
    let token = made.out.trim();
    assert!(token.starts_with("cg_") && token.contains('.'), "{token}");
    let gateway = Serving::start(program(room.path()).arg("serve"));
    assert!(gateway.get("/scim/v2/Users", token).starts_with("HTTP/1.0 200"));
}

#[test]
fn a_token_made_by_a_running_gateway_works_at_once_and_ends_at_once() {
    let room = tempfile::tempdir().unwrap();
    std::fs::write(room.path().join("chartgate.toml"), CONFIG).unwrap();
    let gateway = Serving::start(program(room.path()).arg("serve"));

    let made = run(room.path(), &["token", "create", "hr", "--json"]);
    let made: serde_json::Value = serde_json::from_str(&made.out).unwrap();
    let token = made["token"].as_str().unwrap();
    assert!(gateway.get("/scim/v2/Users", token).starts_with("HTTP/1.0 200"));

    let id = token.strip_prefix("cg_").unwrap().split('.').next().unwrap();
    let listed = run(room.path(), &["token", "list"]);
    assert!(listed.out.contains(id), "{}", listed.out);
    assert!(!listed.out.contains(token.rsplit('.').next().unwrap()), "the secret is shown once only");

    assert_eq!(run(room.path(), &["token", "revoke", id]).code, Some(0));
    assert!(gateway.get("/scim/v2/Users", token).starts_with("HTTP/1.0 401"));
}

#[test]
fn a_source_has_two_live_tokens_at_most() {
    let room = tempfile::tempdir().unwrap();
    std::fs::write(room.path().join("chartgate.toml"), CONFIG).unwrap();

    let codes: Vec<_> = (0..3).map(|_| run(room.path(), &["token", "create", "hr"]).code).collect();

    assert_eq!(codes, [Some(0), Some(0), Some(1)]);
}

#[test]
fn a_source_that_is_not_there_gets_no_token() {
    let room = tempfile::tempdir().unwrap();
    std::fs::write(room.path().join("chartgate.toml"), CONFIG).unwrap();

    let ran = run(room.path(), &["token", "create", "payroll"]);

    assert_eq!((ran.code, ran.err.as_str()), (Some(1), "error: there is no source payroll\n"));
}
