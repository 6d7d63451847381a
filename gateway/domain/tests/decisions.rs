//! What the policy promises, seen from outside: facts in, wanted states out.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use connector_spi::{AccountState, Entitlement, Value};
use gateway_domain::gates::Gate;
use gateway_domain::link::{Origin, Wanted};
use gateway_domain::policy::{
    AccountConfig, BeforeStart, CatalogueConfig, MappingConfig, MappingLink, ObjectConfig, ObjectEnd, Policy,
    PolicyConfig, RoleConfig, SourceConfig, TargetConfig,
};
use gateway_domain::resolve::{self, Assertion, Decision, GroupRef, Resolution, Subject};
use gateway_domain::{ResourceId, TargetId};
use jiff::Timestamp;
use proptest::prelude::*;
use scim::Object;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

const CLINICAL: &str = "urn:chartgate:params:scim:schemas:extension:clinical:1.0:User";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn config() -> PolicyConfig {
    let account = AccountConfig {
        key: vec!["uid".to_owned()],
        attributes: BTreeMap::from([
            ("uid".to_owned(), MappingConfig::Expr("user.userName".to_owned())),
            ("sn".to_owned(), MappingConfig::Expr("user.name.familyName".to_owned())),
        ]),
        ..AccountConfig::default()
    };
    PolicyConfig {
        sources: vec![
            SourceConfig { name: "hr".to_owned(), ..SourceConfig::default() },
            SourceConfig { name: "badge".to_owned(), owns: Some(vec!["active".to_owned()]), ..SourceConfig::default() },
        ],
        targets: vec![
            TargetConfig { name: "directory".to_owned(), account: Some(account.clone()), ..TargetConfig::default() },
            TargetConfig {
                name: "ehr".to_owned(),
                account: Some(AccountConfig { before_start: BeforeStart::Disabled, ..account }),
                catalogue: vec![CatalogueConfig {
                    ty: "position".to_owned(),
                    value: "RN".to_owned(),
                    ..Default::default()
                }],
                ..TargetConfig::default()
            },
        ],
        roles: vec![RoleConfig {
            name: "nurse".to_owned(),
            when: Some("user.title == 'Nurse' || user.groups.exists(g, g.display == 'Nurses')".to_owned()),
            entitlements: vec!["ehr:position:RN".into()],
            ..RoleConfig::default()
        }],
        zones: BTreeMap::from([("EAST".to_owned(), "America/New_York".to_owned())]),
        ..PolicyConfig::default()
    }
}

fn policy() -> Policy {
    Policy::compile(&config(), &scim::Types::built_in()).unwrap()
}

fn says(source: &str, attrs: Json) -> Assertion {
    let Json::Object(attrs) = attrs else { panic!("an object") };
    Assertion { source: source.into(), attrs, external_id: None, observed_at: at("2026-07-01T00:00:00Z") }
}

fn nurse() -> Json {
    json!({ "userName": "tp1", "name": { "familyName": "Example" }, "title": "Nurse", "active": true })
}

fn decide(assertions: &[Assertion], groups: &[GroupRef], now: &str) -> Resolution {
    let policy = policy();
    let attrs: Object = resolve::attributes(assertions, &policy);
    let id = ResourceId::from("u1");
    let nothing = |_: &TargetId, _: &connector_spi::Kind| None;
    resolve::resolve(Subject { id: &id, assertions, attrs: &attrs, groups, wanted: &nothing }, &policy, at(now))
}

fn in_target<'a>(resolution: &'a Resolution, target: &str) -> &'a Decision {
    &resolution.links.iter().find(|one| one.target.as_str() == target).unwrap().decision
}

fn wanted<'a>(resolution: &'a Resolution, target: &str) -> &'a Wanted {
    match in_target(resolution, target) {
        Decision::Want(wanted) => wanted,
        other => panic!("wanted nothing in {target}: {other:?}"),
    }
}

#[test]
fn a_role_gives_its_entitlement_and_says_why() {
    let resolution = decide(&[says("hr", nurse())], &[], "2026-07-01T12:00:00Z");
    let wanted = wanted(&resolution, "ehr");
    assert_eq!(wanted.state, AccountState::Enabled);
    assert_eq!(wanted.attrs["uid"], [Value::from("tp1")]);
    assert_eq!(wanted.entitlements[0].entitlement, Entitlement::new("position", "RN"));
    assert_eq!(wanted.entitlements[0].origins, [Origin::Role("nurse".to_owned())]);
}

#[test]
fn who_holds_no_role_of_a_target_has_no_account_there() {
    let clerk = json!({ "userName": "tp2", "name": { "familyName": "Example" }, "title": "Clerk" });
    let resolution = decide(&[says("hr", clerk)], &[], "2026-07-01T12:00:00Z");
    assert!(matches!(in_target(&resolution, "ehr"), Decision::Close(_)));
    assert!(matches!(in_target(&resolution, "directory"), Decision::Want(_)));
}

#[test]
fn a_group_gives_a_role() {
    let clerk = json!({ "userName": "tp2", "name": { "familyName": "Example" } });
    let group = GroupRef { id: "g1".into(), display: "Nurses".to_owned(), direct: true };
    let resolution = decide(&[says("hr", clerk)], &[group], "2026-07-01T12:00:00Z");
    assert_eq!(wanted(&resolution, "ehr").entitlements.len(), 1);
}

#[test]
fn any_owner_of_active_closes_and_all_are_needed_to_open() {
    let resolution =
        decide(&[says("hr", nurse()), says("badge", json!({ "active": false }))], &[], "2026-07-01T12:00:00Z");
    assert_eq!(resolution.gate, Gate::Closed);
    assert!(resolution.links.iter().all(|one| matches!(one.decision, Decision::Close(_))));
}

#[test]
fn a_source_does_not_set_what_it_does_not_own() {
    let policy = policy();
    let attrs = resolve::attributes(&[says("hr", nurse()), says("badge", json!({ "title": "Chief" }))], &policy);
    assert_eq!(attrs["title"], "Nurse");
}

#[test]
fn an_account_is_made_disabled_before_the_start_and_opens_at_midnight_of_the_facility() {
    let mut user = nurse();
    user[CLINICAL] = json!({ "startDate": "2026-07-01", "assignments": [{ "facility": "EAST", "primary": true }] });
    let before = decide(&[says("hr", user.clone())], &[], "2026-07-01T03:59:59Z");
    assert_eq!(wanted(&before, "ehr").state, AccountState::Disabled);
    assert!(wanted(&before, "ehr").entitlements.is_empty());
    assert!(matches!(in_target(&before, "directory"), Decision::Close(_)), "no account before the start");
    assert_eq!(before.next_change_at, Some(at("2026-07-01T04:00:00Z")));
    let after = decide(&[says("hr", user)], &[], "2026-07-01T04:00:00Z");
    assert_eq!(wanted(&after, "ehr").state, AccountState::Enabled);
}

#[test]
fn access_ends_after_the_last_day_and_the_end_is_known_beforehand() {
    let mut user = nurse();
    user[CLINICAL] = json!({ "endDate": "2026-09-20", "assignments": [{ "facility": "EAST" }] });
    let during = decide(&[says("hr", user.clone())], &[], "2026-09-21T03:59:59Z");
    assert_eq!((during.gate, during.next_change_at), (Gate::Open, Some(at("2026-09-21T04:00:00Z"))));
    assert_eq!(decide(&[says("hr", user)], &[], "2026-09-21T04:00:00Z").gate, Gate::Closed);
}

#[test]
fn an_empty_natural_key_holds_the_account_and_a_closing_all_the_same_goes_through() {
    let nameless = json!({ "title": "Nurse" });
    let resolution = decide(&[says("hr", nameless)], &[], "2026-07-01T12:00:00Z");
    assert!(
        matches!(in_target(&resolution, "ehr"), Decision::Hold(error) if error.attribute.as_deref() == Some("uid"))
    );
    let leaver = json!({ "title": "Nurse", "active": false });
    assert!(matches!(
        in_target(&decide(&[says("hr", leaver)], &[], "2026-07-01T12:00:00Z"), "ehr"),
        Decision::Close(_)
    ));
}

#[test]
fn an_echo_of_what_others_said_is_no_assertion() {
    let before = json!({ "title": "Nurse", "userName": "tp1" });
    let after = json!({ "title": "Nurse", "userName": "tp1", "nickName": "T" });
    let (Json::Object(before), Json::Object(after)) = (before, after) else { panic!("objects") };
    let says = resolve::assert(&Object::new(), &before, &after);
    assert_eq!(Json::Object(says), json!({ "nickName": "T" }));
}

#[test]
fn everything_wrong_in_a_configuration_is_told_at_once_with_its_place() {
    let mut config = config();
    config.roles[0].when = Some("user.titel == 'Nurse'".to_owned());
    config.roles[0].entitlements.push("ehr:position:XX".into());
    config.roles[0].accounts.push("moon".to_owned());
    config.zones.insert("WEST".to_owned(), "America/Nowhere".to_owned());
    let issues = Policy::compile(&config, &scim::Types::built_in()).unwrap_err();
    let mut places: Vec<&str> = issues.iter().map(|issue| issue.pointer.as_str()).collect();
    places.sort_unstable();
    assert_eq!(places, ["/facility/WEST/zone", "/role/0/accounts/0", "/role/0/entitlements/1", "/role/0/when"]);
    let hints: Vec<&str> = issues.iter().filter_map(|issue| issue.hint.as_deref()).collect();
    assert!(hints.iter().any(|hint| hint.contains("title")), "{hints:?}");
}

proptest! {
    #[test]
    fn nothing_about_a_person_keeps_a_closed_gate_from_closing(title in ".{0,12}", user_name in ".{0,12}", groups in 0..3_usize) {
        let user = json!({ "userName": user_name, "title": title, "active": false });
        let groups: Vec<GroupRef> = (0..groups)
            .map(|n| GroupRef { id: format!("g{n}").into(), display: "Nurses".to_owned(), direct: true })
            .collect();
        let resolution = decide(&[says("hr", user)], &groups, "2026-07-01T12:00:00Z");
        let closed = resolution.links.iter().all(|one| matches!(one.decision, Decision::Close(_)));
        prop_assert!(closed);
    }

    #[test]
    fn deciding_twice_gives_the_same(title in "(Nurse|Clerk|.{0,8})", active: bool) {
        let user = json!({ "userName": "tp", "title": title, "active": active });
        let once = decide(&[says("hr", user.clone())], &[], "2026-07-01T12:00:00Z");
        prop_assert_eq!(once, decide(&[says("hr", user)], &[], "2026-07-01T12:00:00Z"));
    }
}

/// The policy's `ehr` with a provider record that the account refers to.
fn with_provider(change: impl FnOnce(&mut TargetConfig)) -> PolicyConfig {
    let mut config = config();
    let ehr = &mut config.targets[1];
    let npi = MappingConfig::Expr("user.clinician.npi".to_owned());
    ehr.objects.insert(
        "provider".to_owned(),
        ObjectConfig {
            when: Some("user.clinician.npi != null".to_owned()),
            key: vec!["npi".to_owned()],
            attributes: BTreeMap::from([("npi".to_owned(), npi)]),
            ..ObjectConfig::default()
        },
    );
    if let Some(account) = &mut ehr.account {
        let link = MappingConfig::Link(MappingLink { link: "provider".to_owned() });
        account.attributes.insert("providerId".to_owned(), link);
    }
    change(ehr);
    config
}

fn decide_by(config: &PolicyConfig, attrs: Json) -> Resolution {
    let policy = Policy::compile(config, &scim::Types::built_in()).unwrap();
    let assertions = [says("hr", attrs)];
    let attrs: Object = resolve::attributes(&assertions, &policy);
    let id = ResourceId::from("u1");
    let nothing = |_: &TargetId, _: &connector_spi::Kind| None;
    let subject = Subject { id: &id, assertions: &assertions, attrs: &attrs, groups: &[], wanted: &nothing };
    resolve::resolve(subject, &policy, at("2026-07-01T12:00:00Z"))
}

fn of_kind<'a>(resolution: &'a Resolution, kind: &str) -> &'a Decision {
    let of_ehr = |one: &&resolve::Decided| one.target.as_str() == "ehr" && one.kind.as_str() == kind;
    &resolution.links.iter().find(of_ehr).unwrap().decision
}

fn physician(active: bool) -> Json {
    let mut user = nurse();
    user["active"] = json!(active);
    user[CLINICAL] = json!({ "npi": "1900000013" });
    user
}

#[test]
fn a_clinician_has_a_provider_record_that_the_account_waits_for_and_refers_to() {
    let resolution = decide_by(&with_provider(|_| {}), physician(true));

    let (Decision::Want(provider), Decision::Want(account)) =
        (of_kind(&resolution, "provider"), of_kind(&resolution, "account"))
    else {
        panic!("both are wanted: {resolution:?}");
    };
    assert_eq!(provider.attrs["npi"], [Value::from("1900000013")]);
    assert!(provider.after.is_empty() && provider.entitlements.is_empty());
    assert_eq!(account.after, ["provider".into()]);
    assert_eq!(account.references["providerId"].as_str(), "provider");
    assert!(!account.attrs.contains_key("providerId"), "the id is known to the claim only");
}

#[test]
fn who_is_no_clinician_has_an_account_and_no_provider_record() {
    let resolution = decide_by(&with_provider(|_| {}), nurse());

    assert!(matches!(of_kind(&resolution, "account"), Decision::Want(_)));
    assert!(matches!(of_kind(&resolution, "provider"), Decision::Close(_)));
}

#[test]
fn a_leavers_provider_record_is_closed_after_the_account_or_kept() {
    let closed = decide_by(&with_provider(|_| {}), physician(false));
    let Decision::Close(provider) = of_kind(&closed, "provider") else { panic!("{closed:?}") };
    assert_eq!((provider.state, &provider.after), (AccountState::Disabled, &vec!["account".into()]));
    let Decision::Close(account) = of_kind(&closed, "account") else { panic!("{closed:?}") };
    assert!(account.after.is_empty(), "an account waits for nothing");

    let keeps = with_provider(|ehr| {
        ehr.objects.values_mut().for_each(|object| object.on_leave = ObjectEnd::Keep);
    });
    let kept = decide_by(&keeps, physician(false));
    let Decision::Close(provider) = of_kind(&kept, "provider") else { panic!("{kept:?}") };
    assert_eq!((provider.state, provider.closing.unwrap().keep), (AccountState::Unknown, true));
}

#[test]
fn an_order_of_objects_that_cannot_be_followed_is_refused() {
    let complaint = |config: PolicyConfig| {
        let issues = Policy::compile(&config, &scim::Types::built_in()).unwrap_err();
        issues.into_iter().map(|issue| (issue.pointer, issue.message)).next().unwrap()
    };

    let circle = with_provider(|ehr| {
        ehr.objects.values_mut().for_each(|object| object.depends_on = vec!["account".to_owned()]);
    });
    assert!(complaint(circle).1.contains("depends on itself"));
    let nowhere = with_provider(|ehr| {
        ehr.objects.clear();
    });
    assert_eq!(
        complaint(nowhere),
        ("/target/1/account".to_owned(), "it depends on \"provider\", which no [target.object] describes".to_owned())
    );
    let alone = with_provider(|ehr| ehr.account = None);
    assert_eq!(complaint(alone).0, "/target/1/object");
}
