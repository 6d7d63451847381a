//! What goes wrong in the target, its network and its credentials.

use crate::support::{account, cx, grant, open, placed, profile};
use crate::{Stage, give, set};
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use connector_spi::{AccountState, Class, Effect};
use connector_testkit::TestHost;
use fixtures::ehr_soap::{EhrSoap, Options, auth::Caller, token::JwtClient};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn every_fault_has_its_class_and_effect() {
    let stage = Stage::set().await;
    let cases = [
        ("throttle", Class::Throttled, Effect::None, true),
        ("fault:AUTH", Class::Auth, Effect::None, false),
        ("fault:NOT-FOUND", Class::NotFound, Effect::None, false),
        ("fault:UNKNOWN-TEMPLATE", Class::Invalid, Effect::None, false),
        ("fault:UNKNOWN-DEPT", Class::Invalid, Effect::None, false),
        ("fault:UNKNOWN-CLASS", Class::Invalid, Effect::None, false),
        ("fault:UNKNOWN-REASON", Class::Invalid, Effect::None, false),
        ("fault:PROVIDER-REQUIRED", Class::Conflict, Effect::None, false),
        ("fault:PROVIDER-LINKED", Class::Conflict, Effect::None, false),
        ("fault:RECORD-LOCKED", Class::Transient, Effect::None, false),
        ("fault:SCHEMA", Class::Permanent, Effect::None, false),
        ("fault:NEVER-DELETE", Class::Forbidden, Effect::None, false),
        // codes that the profile does not know: by who is at fault
        ("fault:SOMETHING-NEW", Class::Permanent, Effect::None, false),
        ("fault:500", Class::Unknown, Effect::Maybe, false),
        ("refuse", Class::Timeout, Effect::Maybe, false),
        ("timeout-before", Class::Timeout, Effect::Maybe, false),
    ];
    for (number, (fault, class, effect, waits)) in (50_u32..).zip(cases) {
        stage.ehr.faults().plan("CreateUser", fault.parse().unwrap(), 1);
        let error = stage.create(fault, number, AccountState::Enabled, &[]).await.unwrap_err();
        assert_eq!(
            (error.class, error.effect, error.retry_after_ms.is_some()),
            (class, effect, waits),
            "{fault}: {error}"
        );
        assert!(!format!("{error:?}").contains("Testperson"), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_unknown_for_a_write_and_harmless_for_a_read() {
    let stage = Stage::set().await;
    stage.ehr.faults().plan("CreateUser", "malformed".parse().unwrap(), 1);
    let error = stage.create("cut", 1, AccountState::Enabled, &[]).await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Unknown, Effect::Maybe));
    assert_eq!(stage.accounts().len(), 1, "it was done all the same");

    stage.ehr.faults().plan("ViewUser", "malformed".parse().unwrap(), 1);
    let error = stage.target.get(&cx(&stage.host, "r"), &account(), &"E000123".into()).await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Unknown, Effect::None));
}

#[tokio::test]
async fn a_locked_record_in_the_middle_of_a_change_leaves_it_to_be_sent_again() {
    let stage = Stage::set().await;
    let id = stage.create("a", 2, AccountState::Enabled, &[]).await.unwrap().id;
    let mut change = give(vec![grant("in-basket-class", "RESULTS"), placed("sub-template", "ST100", 1)]);
    change.attrs = set("comment", "moved").attrs;
    stage.ehr.faults().plan("SetSubTemplates", "fault:RECORD-LOCKED".parse().unwrap(), 1);

    let error = stage.change(&id, change.clone()).await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Transient, Effect::Partial));

    assert_eq!(stage.change(&id, change).await.unwrap().failed, []);
    assert_eq!(stage.held(&id).await.len(), 2);
}

#[tokio::test]
async fn a_target_that_is_down_changed_nothing() {
    let stage = Stage::set().await;
    let url = stage.ehr.base_url();
    drop(stage.ehr);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let target = open(profile(&url, json!({})), stage.host.clone()).await;
    let error = target.check(&cx(&stage.host, "c")).await.unwrap_err();
    assert_eq!((error.class, error.effect), (Class::Transient, Effect::None));
}

#[tokio::test]
async fn each_service_has_its_own_credentials_and_both_are_checked() {
    let stage = Stage::set().await;
    stage.target.check(&cx(&stage.host, "c")).await.unwrap();

    let stranger = TestHost::of("wrong-canary");
    let target = open(profile(&stage.ehr.base_url(), json!({})), stranger.clone()).await;
    for error in [
        target.check(&cx(&stranger, "c")).await.unwrap_err(),
        target.get(&cx(&stranger, "g"), &account(), &"E1".into()).await.unwrap_err(),
    ] {
        assert_eq!(error.class, Class::Auth);
        assert!(!format!("{error:?}").contains("canary"));
    }
    // right on one service is not right on the other
    let unprefixed = json!({"services": {"personnel": {"username_token": {"user": "gateway"}}}});
    let target = open(profile(&stage.ehr.base_url(), unprefixed), stage.host.clone()).await;
    assert_eq!(target.check(&cx(&stage.host, "c")).await.unwrap_err().class, Class::Auth);
}

#[tokio::test]
async fn a_secret_that_was_rotated_is_read_anew_and_the_request_goes_once_more() {
    let callers =
        ["test-only", "rotated-1"].map(|password| Caller { user: "local:gateway".into(), password: password.into() });
    let old = Options { rate_limit: None, callers: callers[..1].to_vec(), ..Options::default() };
    let stage = Stage::with(old, json!({})).await;
    stage.create("before", 3, AccountState::Enabled, &[]).await.unwrap();

    let new = Options {
        rate_limit: None,
        callers: callers[1..].to_vec(),
        port: stage.ehr.addr().port(),
        ..Options::default()
    };
    let Stage { ehr, host, target } = stage;
    ehr.stop().await;
    // A connection that is being closed is seen to be: else the request may go into it and be lost.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let ehr = fixtures::ehr_soap::EhrSoap::start(new).unwrap();
    host.replace_secrets(|_| "rotated-1".to_owned());

    let found = target.get(&cx(&host, "after"), &account(), &"E000123".into()).await.unwrap();
    assert_eq!(found, None, "it is another, empty system");
    assert_eq!(ehr.journal().count_of("ViewUser"), 2);
}

#[tokio::test]
async fn a_password_travels_as_digest_text_or_bare_text_as_the_file_says() {
    for style in ["digest", "text", "bare_text"] {
        let more = json!({"services": {"personnel": {"username_token": {"style": style}}}});
        let stage = Stage::with(Options { rate_limit: None, ..Options::default() }, more).await;
        stage.create("a", 4, AccountState::Enabled, &[]).await.unwrap();
        stage.create("b", 5, AccountState::Enabled, &[]).await.unwrap();
    }
}

#[tokio::test]
async fn a_clock_that_was_set_is_noticed_and_nothing_is_lost_by_it() {
    let stage = Stage::set().await;
    let id = stage.create("a", 6, AccountState::Enabled, &[]).await.unwrap().id;
    stage.ehr.clock().set("2027-03-01T12:00:00Z".parse().unwrap());
    stage.change(&id, set("comment", "much later")).await.unwrap();
    assert_eq!(stage.accounts()[0]["contactComment"], "much later");
}

#[tokio::test]
async fn a_throttled_target_is_obeyed_by_all_services_of_the_target() {
    let slow = json!({"http": {"requests_per_second": 6, "max_concurrent": 3, "timeout": 20}, "services": {"core": {"requests_per_second": 3}}});
    let stage = Stage::with(Options::default(), slow).await;
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..18 {
        let (target, host) = (stage.target.clone(), stage.host.clone());
        calls.spawn(async move {
            let mut cx = cx(&host, "x");
            cx.deadline += Duration::from_secs(20);
            let person = crate::person(number);
            target.create(&cx, &account(), &person, AccountState::Enabled, &[]).await.map(drop)
        });
    }
    while let Some(done) = calls.join_next().await {
        done.unwrap().unwrap();
    }
    assert_eq!(stage.accounts().len(), 18);
}

#[tokio::test]
async fn a_signed_assertion_lets_the_gateway_in_on_both_services_and_a_token_that_dies_is_replaced() {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let encoded = STANDARD.encode(der.as_ref());
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let client = JwtClient {
        client_id: "gateway".into(),
        audience: "urn:example:ehr".into(),
        public_key: public.as_ref().to_vec(),
    };
    let ehr = EhrSoap::start(Options { rate_limit: None, jwt: Some(client), ..Options::default() }).unwrap();
    let host = TestHost::of(&format!("-----BEGIN PRIVATE KEY-----\n{encoded}\n-----END PRIVATE KEY-----\n"));
    let assertion = |id: &str| {
        json!({"type": "jwt_assertion", "token_url": "/oauth2/token", "client_id": id, "key": {"env": "KEY"},
               "audience": "urn:example:ehr"})
    };
    let file = |id: &str| {
        let mut file = profile(&ehr.base_url(), json!({"http": {"auth": assertion(id)}}));
        file["services"]["personnel"].as_object_mut().unwrap().remove("username_token");
        file["services"]["core"].as_object_mut().unwrap().remove("auth");
        file
    };

    let target = open(file("gateway"), host.clone()).await;
    target.check(&cx(&host, "c")).await.unwrap();
    let made = target.create(&cx(&host, "a"), &account(), &crate::person(1), AccountState::Enabled, &[]).await.unwrap();

    ehr.clock().set(ehr.clock().now() + jiff::SignedDuration::from_mins(11));
    assert!(target.get(&cx(&host, "r"), &account(), &made.id).await.unwrap().is_some());

    let stranger = open(file("stranger"), host.clone()).await;
    let error = stranger.check(&cx(&host, "c")).await.unwrap_err();
    assert_eq!(error.class, Class::Auth);
}
