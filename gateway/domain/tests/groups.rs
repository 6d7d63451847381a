//! What the policy decides about groups, seen from outside: facts in, wanted states out.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use connector_spi::{AccountState, Delta as AttrDelta, Kind, NativeId, Record, Value};
use gateway_domain::group::{self, Subject};
use gateway_domain::link::{Delta, Link, LinkKey, LinkState, MemberDelta, MemberRef, Members, Seen, Wanted};
use gateway_domain::policy::{
    AccountConfig, CatalogueConfig, GroupConfig, GroupEnd, MappingConfig, MappingLink, Policy, PolicyConfig,
    RoleConfig, SourceConfig, TargetConfig,
};
use gateway_domain::resolve::{Assertion, Decided, Decision};
use gateway_domain::{Lane, ResourceId, diff};
use jiff::Timestamp;
use scim::{Object, Types};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

fn exprs(pairs: &[(&str, &str)]) -> BTreeMap<String, MappingConfig> {
    pairs.iter().map(|(name, expr)| ((*name).to_owned(), MappingConfig::Expr((*expr).to_owned()))).collect()
}

fn grouped() -> GroupConfig {
    GroupConfig {
        when: Some("group.displayName.startsWith('ward')".to_owned()),
        key: vec!["cn".to_owned()],
        strong: vec!["uuid".to_owned()],
        attributes: exprs(&[("cn", "group.displayName"), ("uuid", "group.id"), ("description", "group.externalId")]),
        members: "member".to_owned(),
        ..GroupConfig::default()
    }
}

fn config(group: Option<GroupConfig>) -> PolicyConfig {
    let account = AccountConfig {
        key: vec!["uid".to_owned()],
        attributes: exprs(&[("uid", "user.userName")]),
        ..AccountConfig::default()
    };
    let target = |name: &str, group| TargetConfig {
        name: name.to_owned(),
        account: Some(account.clone()),
        group,
        ..TargetConfig::default()
    };
    PolicyConfig {
        sources: vec![SourceConfig { name: "hr".to_owned(), ..SourceConfig::default() }],
        targets: vec![target("directory", group), target("ehr", None)],
        ..PolicyConfig::default()
    }
}

fn compile(config: &PolicyConfig) -> Policy {
    Policy::compile(config, &Types::built_in()).unwrap()
}

fn issues(config: &PolicyConfig) -> Vec<(String, String)> {
    let issues = Policy::compile(config, &Types::built_in()).unwrap_err();
    issues.into_iter().map(|issue| (issue.pointer, issue.message)).collect()
}

fn decide(policy: &Policy, attrs: Json, links: &[Link]) -> Vec<Decided> {
    let Json::Object(attrs) = attrs else { panic!("an object") };
    decide_named(policy, &attrs, Some("ext-7"), links)
}

fn decide_named(policy: &Policy, attrs: &Object, external_id: Option<&str>, links: &[Link]) -> Vec<Decided> {
    let id = ResourceId::from("g1");
    let said = Assertion {
        source: "hr".into(),
        attrs: attrs.clone(),
        external_id: external_id.map(str::to_owned),
        observed_at: Timestamp::UNIX_EPOCH,
    };
    group::resolve(Subject { id: &id, assertions: &[said], attrs, links }, policy, Timestamp::UNIX_EPOCH)
}

fn wanted(decided: &[Decided]) -> &Wanted {
    match &decided[0].decision {
        Decision::Want(wanted) | Decision::Close(wanted) => wanted,
        Decision::Hold(error) => panic!("{error:?}"),
    }
}

fn link(wanted: Wanted) -> Link {
    Link {
        id: 1,
        key: LinkKey {
            resource: "g1".into(),
            target: "directory".into(),
            kind: "group".into(),
            purpose: String::new(),
        },
        state: LinkState::Linked,
        lane: Lane::Interactive,
        generation: 1,
        applied_generation: 1,
        wanted: Some(wanted),
        sent: None,
        seen: Some(Seen::default()),
        native_id: Some(NativeId::from("G7")),
        due_at: None,
        attempt: 0,
        last_error: None,
        last_success: None,
        pending_since: None,
        fence: 0,
        leased_until: None,
        members: None,
    }
}

fn ward() -> Json {
    json!({ "displayName": "ward 4" })
}

#[test]
fn only_a_target_that_declares_groups_holds_one() {
    let decided = decide(&compile(&config(Some(grouped()))), ward(), &[]);

    assert_eq!(decided.len(), 1);
    assert_eq!((decided[0].target.as_str(), decided[0].kind.as_str()), ("directory", "group"));
    let wanted = wanted(&decided);
    let text = |name: &str| wanted.attrs[name][0].to_string();
    assert_eq!((text("cn"), text("uuid"), text("description")), ("ward 4".into(), "g1".into(), "ext-7".into()));
    assert_eq!((&wanted.key["cn"], &wanted.strong["uuid"]), (&Value::from("ward 4"), &Value::from("g1")));
    assert_eq!(wanted.members, Some(Members { attribute: "member".to_owned(), of: "account".into() }));
    assert_eq!((wanted.state, wanted.closing), (AccountState::Unknown, None));
}

#[test]
fn a_group_without_declaration_is_only_an_input_to_rules() {
    assert_eq!(decide(&compile(&config(None)), ward(), &[]), []);
}

#[test]
fn an_absent_external_id_is_null_and_no_value() {
    let Json::Object(attrs) = ward() else { panic!("an object") };
    let decided = decide_named(&compile(&config(Some(grouped()))), &attrs, None, &[]);

    assert_eq!(wanted(&decided).attrs["description"], []);
}

#[test]
fn a_group_that_does_not_meet_when_is_closed_as_the_policy_says() {
    for (on_delete, (delete, keep)) in [(GroupEnd::Keep, (false, true)), (GroupEnd::Delete, (true, false))] {
        let policy = compile(&config(Some(GroupConfig { on_delete, ..grouped() })));
        let before = wanted(&decide(&policy, ward(), &[])).clone();

        let decided = decide(&policy, json!({ "displayName": "others" }), &[link(before.clone())]);

        assert!(matches!(decided[0].decision, Decision::Close(_)));
        let closing = wanted(&decided).closing.unwrap();
        assert_eq!((closing.delete, closing.keep, closing.sessions), (delete, keep, false));
        assert_eq!((&wanted(&decided).key, &wanted(&decided).members), (&before.key, &before.members));
    }
}

#[test]
fn a_group_without_a_name_is_held_and_nothing_is_sent() {
    let config = config(Some(GroupConfig { when: None, ..grouped() }));

    let decided = decide(&compile(&config), json!({}), &[]);

    let Decision::Hold(error) = &decided[0].decision else { panic!("{decided:?}") };
    assert_eq!(error.attribute.as_deref(), Some("cn"));
}

#[test]
fn a_group_whose_target_declares_none_any_more_is_left_as_it_is() {
    let before = wanted(&decide(&compile(&config(Some(grouped()))), ward(), &[])).clone();
    let links = [link(before)];

    let decided = decide(&compile(&config(None)), ward(), &links);

    assert_eq!(decided.len(), 1);
    assert!(wanted(&decided).closing.unwrap().keep);
    assert!(compile(&config(None)).close(&links[0]).unwrap().closing.unwrap().keep);
}

#[test]
fn members_travel_as_a_difference_and_are_no_part_of_what_was_seen() {
    let wanted = wanted(&decide(&compile(&config(Some(grouped()))), ward(), &[])).clone();
    let mut link = link(wanted.clone());
    link.seen = Some(diff::seen_created(&wanted));
    let one = |account: i64, id: &str| MemberRef { account, native_id: id.into() };
    link.members = Some(MemberDelta { add: vec![one(2, "A2"), one(3, "A3")], remove: vec![one(4, "A4")], refused: 0 });

    let Delta::Update(change) = diff::delta(&link) else { panic!("members differ") };

    let patch = AttrDelta::Patch { add: vec!["A2".into(), "A3".into()], remove: vec!["A4".into()] };
    assert_eq!(change.attrs, BTreeMap::from([("member".to_owned(), patch)]));
    assert_eq!(change.state, None);
    let after = diff::seen_after(&wanted, link.seen.as_ref().unwrap(), &change);
    assert!(!after.attrs.contains_key("member"));
    let record = Record {
        kind: Kind::from("group"),
        id: "G7".into(),
        natural_key: BTreeMap::new(),
        attrs: BTreeMap::from([("member".to_owned(), vec!["A2".into()])]),
        state: AccountState::Unknown,
        entitlements: None,
        incomplete: false,
        version: None,
    };
    assert!(diff::seen_read(None, &[], Some(&wanted), &record).attrs.is_empty());
}

#[test]
fn members_wait_until_the_group_stands_and_was_read() {
    let open = wanted(&decide(&compile(&config(Some(grouped()))), ward(), &[])).clone();
    let takes = |alter: &dyn Fn(&mut Link)| {
        let mut link = link(open.clone());
        alter(&mut link);
        link.takes_members()
    };
    assert!(takes(&|_| {}));
    assert!(!takes(&|link| link.native_id = None));
    assert!(!takes(&|link| link.seen = None));
    assert!(!takes(&|link| link.wanted = Some(group::left(&open))));
    assert!(!takes(&|link| {
        link.sent = Some(gateway_domain::Sent::new(1, "1", Delta::Create));
    }));
}

#[test]
fn a_group_is_managed_as_object_or_as_entitlement_but_never_as_both() {
    let mut both = config(Some(grouped()));
    let entry = |ty: &str| CatalogueConfig { ty: ty.to_owned(), value: "x".to_owned(), ..CatalogueConfig::default() };
    both.targets[0].catalogue = vec![entry("position"), entry("group")];
    both.targets[1].catalogue = vec![entry("group")];
    both.roles = vec![RoleConfig {
        name: "nurse".to_owned(),
        entitlements: ["directory:position:x", "directory:group:x", "ehr:group:x"].map(Into::into).to_vec(),
        ..RoleConfig::default()
    }];

    let pointers: Vec<String> = issues(&both).into_iter().map(|(pointer, _)| pointer).collect();

    assert_eq!(pointers, ["/target/0/catalogue/1/type", "/role/0/entitlements/1"]);
}

#[test]
fn what_is_wrong_with_a_groups_mapping_is_told_with_its_place() {
    let mut wrong = grouped();
    wrong.kind = "account".to_owned();
    wrong.when = Some("user.active".to_owned());
    wrong.key = Vec::new();
    wrong.attributes.insert("member".to_owned(), MappingConfig::Expr("group.id".to_owned()));
    wrong.attributes.insert("owner".to_owned(), MappingConfig::Link(MappingLink { link: "account".to_owned() }));
    let mut without = config(Some(grouped()));
    without.targets[0].account = None;

    let told: Vec<String> = issues(&config(Some(wrong))).into_iter().map(|(pointer, _)| pointer).collect();

    assert_eq!(
        told,
        [
            "/target/0/group/kind",
            "/target/0/group/attributes/member",
            "/target/0/group/attributes/owner",
            "/target/0/group",
            "/target/0/group/when",
        ]
    );
    assert_eq!(issues(&without)[0].0, "/target/0/group");
}
