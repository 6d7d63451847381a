//! Dates of access on their way to a target, and the ways in which a target's policy ends an account.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use connector_spi::{AccountState, Declared, DeclaredKind, Kind, Value, ValueType};
use gateway_domain::link::Wanted;
use gateway_domain::policy::{
    AccountConfig, End, Issue, MappingConfig, MappingTable, Mode, OnLeave, Policy, PolicyConfig, SourceConfig,
    TargetConfig,
};
use gateway_domain::resolve::{self, Assertion, Decision, Subject};
use gateway_domain::{ResourceId, TargetId};
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

const CLINICAL: &str = "urn:chartgate:params:scim:schemas:extension:clinical:1.0:User";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn config(attribute: MappingConfig, declared: Option<ValueType>, end: End, closes_to: &[AccountState]) -> PolicyConfig {
    let user_name = MappingConfig::Expr("user.userName".to_owned());
    let account = AccountConfig {
        key: vec!["login".to_owned()],
        attributes: BTreeMap::from([("login".to_owned(), user_name), ("until".to_owned(), attribute)]),
        on_leave: OnLeave { end, ..OnLeave::default() },
        ..AccountConfig::default()
    };
    let kind = DeclaredKind {
        types: declared.map(|ty| ("until".to_owned(), ty)).into_iter().collect(),
        closes_to: Some(closes_to.iter().copied().collect()),
    };
    PolicyConfig {
        sources: vec![SourceConfig { name: "hr".to_owned(), ..SourceConfig::default() }],
        targets: vec![TargetConfig {
            name: "ehr".to_owned(),
            account: Some(account),
            declared: Declared { kinds: BTreeMap::from([(Kind::from("account"), kind)]), ..Declared::default() },
            ..TargetConfig::default()
        }],
        zones: BTreeMap::from([("EAST".to_owned(), "America/New_York".to_owned())]),
        ..PolicyConfig::default()
    }
}

fn mapped(source: &str, declared: Option<ValueType>) -> PolicyConfig {
    config(MappingConfig::Expr(source.to_owned()), declared, End::Disable, &[AccountState::Disabled])
}

fn decide(config: &PolicyConfig, active: bool, clinical: Json) -> Decision {
    let policy = Policy::compile(config, &scim::Types::built_in()).unwrap();
    let Json::Object(attrs) = json!({ "userName": "tp1", "active": active, CLINICAL: clinical }) else { panic!() };
    let said = Assertion { source: "hr".into(), attrs, external_id: None, observed_at: at("2026-07-01T00:00:00Z") };
    let assertions = [said];
    let attrs = resolve::attributes(&assertions, &policy);
    let nothing = |_: &TargetId, _: &Kind| None;
    let id = ResourceId::from("u1");
    let subject = Subject { id: &id, assertions: &assertions, attrs: &attrs, groups: &[], wanted: &nothing };
    resolve::resolve(subject, &policy, at("2026-07-01T12:00:00Z")).links.remove(0).decision
}

fn wanted(config: &PolicyConfig, clinical: Json) -> Wanted {
    match decide(config, true, clinical) {
        Decision::Want(wanted) => wanted,
        other => panic!("{other:?}"),
    }
}

fn issues(config: &PolicyConfig) -> Vec<Issue> {
    Policy::compile(config, &scim::Types::built_in()).unwrap_err()
}

#[test]
fn the_end_of_access_is_an_instant_for_a_target_that_declares_one() {
    let last_day = json!({ "endDate": "2026-09-20" });
    for declared in [Some(ValueType::Timestamp), None] {
        let wanted = wanted(&mapped("access.ends", declared), last_day.clone());
        assert_eq!(wanted.attrs["until"], [Value::from(at("2026-09-21T04:00:00Z"))], "{declared:?}");
    }
    let text = wanted(&mapped("access.ends", Some(ValueType::Text)), last_day);
    assert_eq!(text.attrs["until"], [Value::from("2026-09-21T04:00:00Z")]);
}

#[test]
fn the_beginning_of_access_is_the_first_moment_of_its_day_at_the_facility() {
    let wanted = wanted(&mapped("access.begins", None), json!({ "startDate": "2026-03-01" }));
    assert_eq!(wanted.attrs["until"], [Value::from(at("2026-03-01T05:00:00Z"))]);
}

#[test]
fn a_target_that_keeps_days_is_given_the_last_day_with_access() {
    for (end, day) in [
        ("2026-09-20", "2026-09-20"),
        ("2026-09-20T15:00:00Z", "2026-09-20"),
        ("2026-09-21T04:00:00Z", "2026-09-20"),
        ("2026-09-21T04:00:01Z", "2026-09-21"),
    ] {
        let wanted = wanted(&mapped("access.lastDay", Some(ValueType::Text)), json!({ "endDate": end }));
        assert_eq!(wanted.attrs["until"], [Value::from(day)], "{end}");
    }
}

#[test]
fn access_without_an_end_clears_the_targets_own() {
    assert_eq!(wanted(&mapped("access.ends", None), json!({})).attrs["until"], []);
}

#[test]
fn a_day_where_an_instant_is_wanted_holds_the_account_and_says_what_to_write() {
    let days = mapped("user.clinician.endDate", Some(ValueType::Timestamp));
    let Decision::Hold(error) = decide(&days, true, json!({ "endDate": "2026-09-20" })) else { panic!("held") };
    assert!(error.message.contains("access.ends") && !error.message.contains("2026"), "{}", error.message);
}

#[test]
fn a_mapping_says_the_type_where_the_target_does_not() {
    let table = MappingTable { expr: "user.userName".to_owned(), mode: Mode::Follow, ty: Some(ValueType::Integer) };
    let config = config(MappingConfig::Table(table), None, End::Disable, &[AccountState::Disabled]);
    assert!(matches!(decide(&config, true, json!({})), Decision::Hold(_)), "tp1 is no integer");
}

#[test]
fn a_mapping_that_can_never_give_the_declared_type_is_refused() {
    let found = issues(&mapped("user.active", Some(ValueType::Timestamp)));
    assert_eq!(found[0].pointer, "/target/0/account/attributes/until");
    assert_eq!(found[0].message, "it gives a boolean, and \"until\" holds instants");
}

#[test]
fn an_account_ends_as_the_targets_policy_says() {
    let all = [AccountState::Disabled, AccountState::Blocked, AccountState::Expired];
    for (end, state) in [
        (End::Disable, AccountState::Disabled),
        (End::Block, AccountState::Blocked),
        (End::Expire, AccountState::Expired),
    ] {
        let config = config(MappingConfig::Expr("user.title".to_owned()), None, end, &all);
        let Decision::Close(closed) = decide(&config, false, json!({})) else { panic!("closed") };
        assert_eq!(closed.state, state);
    }
}

#[test]
fn an_end_that_the_target_has_no_state_for_is_refused() {
    let title = || MappingConfig::Expr("user.title".to_owned());
    for end in [End::Expire, End::Block] {
        let found = issues(&config(title(), None, end, &[AccountState::Disabled]));
        assert_eq!(found[0].pointer, "/target/0/account/on_leave/end");
        assert_eq!(found[0].hint.as_deref(), Some("it takes: disable"));
    }
    let mut unknown = config(title(), None, End::Expire, &[]);
    unknown.targets[0].declared = Declared::default();
    assert!(Policy::compile(&unknown, &scim::Types::built_in()).is_ok(), "what is not known is not refused");
}
