//! What must never happen.

use crate::support::{account, attrs, cx, grant, key, person};
use crate::{Stage, give, set};
use connector_spi::{AccountState, Class, NativeId, Value};
use fixtures::ehr_rest::Options;
use serde_json::{Value as Json, json};

#[tokio::test]
async fn a_dry_run_sends_no_write_and_shows_no_value() {
    let stage = Stage::set().await;
    let id = stage.create("a", 40, AccountState::Enabled, &[]).await.unwrap().id;
    let before = stage.writes();
    let mut dry = cx(&stage.host, "dry");
    dry.dry_run = true;

    stage
        .target
        .create(&dry, &account(), &person(41), AccountState::Disabled, &[grant("position", "RN")])
        .await
        .unwrap();
    let mut change = set("familyName", "Canary");
    change.state = Some(AccountState::Disabled);
    stage.target.update(&dry, &account(), &id, &change).await.unwrap();
    stage.target.effect().unwrap().revoke_sessions(&dry, &account(), &id).await.unwrap();

    assert_eq!(stage.writes(), before);
    let heard = stage.host.heard();
    for said in
        ["POST /v1/personnel", "/name/last", "PATCH /v1/personnel/{id}", "POST /v1/personnel/{id}/disable", "DELETE"]
    {
        assert!(heard.contains(said), "{said}");
    }
    assert!(!heard.contains("Canary") && !heard.contains("Testperson") && !heard.contains("100041"));
}

#[tokio::test]
async fn a_read_only_target_is_never_written() {
    let stage = Stage::with(Options { rate_limit: None, ..Options::default() }, json!({"read_only": true})).await;

    assert_eq!(stage.create("a", 42, AccountState::Enabled, &[]).await.unwrap_err().class, Class::Unsupported);
    let schema = stage.target.schema(&cx(&stage.host, "s")).await.unwrap();
    assert!(!schema.kinds[&account()].caps.create);
    assert_eq!(stage.accounts(), Vec::<Json>::new());
}

#[tokio::test]
async fn hostile_texts_are_data_wherever_they_go() {
    let corpus = [
        "a/../../v1/catalog/positions",
        "..%2f..",
        "%2e%2e/x",
        "x?includeInactive=false",
        "x#y",
        "x&username=t1",
        "a;b=c",
        "\"},\"active\":false,\"x\":{\"",
        "{{ attrs.username }}",
        "{% for x in y %}",
        "${jndi:ldap://x}",
        "{id}",
        "<!--",
        "]]><x/>",
        "&#x0;",
        "' OR '1'='1",
        "*)(uid=*",
        "\\\"\\",
        "\u{202e}abc",
        "İI",
        "ﬀ",
        "e\u{301}",
        "🦉🦉",
        " lead",
        "trail ",
        "a+b",
        "100%",
        "%41",
        "%",
        "a:b:c",
        "NPI:NPI:1",
    ];
    let stage = Stage::set().await;
    for (number, text) in corpus.iter().enumerate() {
        let mut attributes =
            attrs(&[("username", text), ("givenName", text), ("familyName", text), ("employeeNumber", text)]);
        attributes.insert("logicalDomain".into(), vec![Value::from(*text)]);
        let op = format!("inject{number}");
        let cx = cx(&stage.host, &op);

        let id = stage.target.create(&cx, &account(), &attributes, AccountState::Enabled, &[]).await.unwrap().id;
        for name in ["username", "employeeNumber"] {
            let found = stage.target.find(&cx, &account(), &key(name, text)).await.unwrap();
            assert_eq!(found.iter().map(|record| &record.id).collect::<Vec<_>>(), [&id], "{name} {text}");
        }
        let record = stage.target.get(&cx, &account(), &id).await.unwrap().unwrap();
        assert!(attributes.iter().all(|(name, values)| record.attrs[name] == *values), "{text}");
        let before = stage.accounts();
        let outcome = stage.target.update(&cx, &account(), &id, &give(vec![grant("organization", text)])).await;
        assert!(matches!(outcome.unwrap_err().class, Class::Invalid | Class::NotFound | Class::Unsupported), "{text}");
        let credential = stage.target.update(&cx, &account(), &id, &give(vec![grant("credential", text)])).await;
        let held = stage.held(&id).await;
        assert_eq!(credential.is_ok(), held == [grant("credential", text)], "{text}");
        assert_eq!(stage.accounts().len(), before.len());
        assert!(matches!(stage.target.get(&cx, &account(), &NativeId::from(*text)).await, Ok(None) | Err(_)), "{text}");
    }
    let accounts = stage.accounts();
    assert_eq!(accounts.len(), corpus.len());
    assert!(accounts.iter().all(|account| account["active"] == true));
}

#[tokio::test]
async fn control_characters_are_refused_by_attribute_before_anything_is_sent() {
    let stage = Stage::set().await;
    let id = stage.create("a", 50, AccountState::Enabled, &[]).await.unwrap().id;
    for text in ["a\r\nX-Injected: 1", "a\nb", "a\0b", "", ".", ".."] {
        let before = stage.writes();
        let error = stage.change(&id, give(vec![grant("credential", text)])).await.unwrap_err();
        assert_eq!(error.class, Class::Invalid, "{text:?}");
        assert_eq!(stage.writes(), before, "{text:?}");
    }
}
