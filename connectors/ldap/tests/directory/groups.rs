//! Groups as entitlements and as objects.

use super::*;

const PLACEHOLDER: &str = "uid=placeholder,ou=services,dc=hosp,dc=example";

#[tokio::test]
async fn giving_and_taking_groups_is_by_value_and_may_be_repeated() {
    let Some(target) = Target::new().await else { return };
    let (one, other) = (target.make(1).await, target.make(2).await);
    for _ in 0..2 {
        assert!(target.update(&one, &give(&["grp-ed", "grp-inner"])).await.unwrap().failed.is_empty());
    }
    target.update(&other, &give(&["grp-ed"])).await.unwrap();
    let held: BTreeSet<_> = target.read(&one).await.entitlements.unwrap().into_iter().collect();
    assert_eq!(held, BTreeSet::from([role("grp-ed"), role("grp-inner")]));

    for _ in 0..2 {
        target.update(&one, &take(&["grp-ed", "no-such-group"])).await.unwrap();
    }
    let members = target.slapd.values("cn=grp-ed,ou=entitlements,dc=hosp,dc=example", "member").await.unwrap();
    assert_eq!(members, ["uid=placeholder,ou=services,dc=hosp,dc=example".to_owned(), dn(2)]);
    let unknown = target.update(&one, &give(&["no-such-group"])).await.unwrap_err();
    assert_eq!((unknown.class, unknown.attribute.as_deref()), (Class::Invalid, Some("role:no-such-group")));
}

#[tokio::test]
async fn the_last_member_of_a_group_leaves_behind_the_placeholder() {
    let Some(target) = Target::new().await else { return };
    let foreign = target.connector.find(&cx(&target.host), &account(), &key("uid", "foreign")).await.unwrap().remove(0);
    assert_eq!(foreign.entitlements, Some(vec![role("grp-bare")]));
    target.update(&foreign.id, &take(&["grp-bare"])).await.unwrap();
    let members = target.slapd.values("cn=grp-bare,ou=entitlements,dc=hosp,dc=example", "member").await.unwrap();
    assert_eq!(members, ["uid=placeholder,ou=services,dc=hosp,dc=example"]);
}

#[tokio::test]
async fn an_account_with_entitlements_is_opened_last_and_only_when_all_arrived() {
    let Some(target) = Target::new().await else { return };
    let create = async |number, roles: &[Entitlement]| {
        let cx = cx(&target.host);
        target.connector.create(&cx, &account(), &person(number), AccountState::Enabled, roles).await.unwrap()
    };
    let good = create(1, &[role("grp-ed"), role("ehr-login")]).await;
    assert!(good.failed.is_empty());
    let record = target.read(&good.id).await;
    assert_eq!((record.state, record.entitlements.unwrap().len()), (AccountState::Enabled, 2));

    let bad = create(2, &[role("grp-ed"), role("no-such-group")]).await;
    let parts: Vec<_> = bad.failed.iter().map(|failure| failure.part.as_str()).collect();
    assert_eq!(parts, ["role:no-such-group", "state"]);
    assert_eq!(target.read(&bad.id).await.state, AccountState::Disabled);
}

#[tokio::test]
async fn groups_can_be_kept_as_objects() {
    let objects = |config: &mut serde_json::Value| {
        config["group"] = json!({ "base": "ou=teams,dc=hosp,dc=example", "placeholder": PLACEHOLDER });
    };
    let Some(target) = Target::with(Setup::default(), objects).await else { return };
    let (one, two) = (target.make(1).await, target.make(2).await);
    let kind = Kind::from("group");
    let attrs =
        Attrs::from([("cn".to_owned(), vec!["night shift".into()]), ("member".to_owned(), vec![one.as_str().into()])]);
    let made = target.connector.create(&cx(&target.host), &kind, &attrs, AccountState::Enabled, &[]).await.unwrap();
    let read = async || {
        let record = target.connector.get(&cx(&target.host), &kind, &made.id).await.unwrap().unwrap();
        record.attrs["member"].iter().map(Value::to_string).collect::<BTreeSet<_>>()
    };
    assert_eq!(read().await, BTreeSet::from([one.0.clone()]));

    let member = |delta| Change { attrs: BTreeMap::from([("member".to_owned(), delta)]), ..Change::default() };
    let patch = member(Delta::Patch { add: vec![two.as_str().into()], remove: vec![one.as_str().into()] });
    for _ in 0..2 {
        target.connector.update(&cx(&target.host), &kind, &made.id, &patch).await.unwrap();
    }
    assert_eq!(read().await, BTreeSet::from([two.0.clone()]));
    let whole = member(Delta::Set(vec![one.as_str().into(), two.as_str().into()]));
    target.connector.update(&cx(&target.host), &kind, &made.id, &whole).await.unwrap();
    assert_eq!(read().await, BTreeSet::from([one.0, two.0]));
    target.connector.update(&cx(&target.host), &kind, &made.id, &member(Delta::Clear)).await.unwrap();
    assert_eq!(read().await, BTreeSet::new());
    let unknown = member(Delta::Set(vec!["00000000-0000-0000-0000-000000000000".into()]));
    let refused = target.connector.update(&cx(&target.host), &kind, &made.id, &unknown).await.unwrap_err();
    assert_eq!((refused.class, refused.attribute.as_deref()), (Class::Invalid, Some("member")));
}

#[tokio::test]
async fn a_deleted_or_renamed_account_leaves_no_old_name_in_groups_kept_as_objects() {
    let objects = |config: &mut serde_json::Value| {
        config["group"] = json!({ "base": "ou=teams,dc=hosp,dc=example", "placeholder": PLACEHOLDER });
        config["account"]["allow_delete"] = json!(true);
    };
    // No overlay of the server follows names in this one.
    let Some(target) = Target::with(Setup { bare: true, ..Setup::default() }, objects).await else { return };
    let (one, two) = (target.make(1).await, target.make(2).await);
    let kind = Kind::from("group");
    let members = vec![one.as_str().into(), two.as_str().into()];
    let attrs = Attrs::from([("cn".to_owned(), vec!["night shift".into()]), ("member".to_owned(), members)]);
    let made = target.connector.create(&cx(&target.host), &kind, &attrs, AccountState::Enabled, &[]).await.unwrap();
    let account = Kind::from("account");
    target.connector.delete(&cx(&target.host), &account, &one).await.unwrap();
    let renamed =
        Change { attrs: BTreeMap::from([("uid".to_owned(), Delta::Set(vec!["renamed".into()]))]), ..Change::default() };
    target.connector.update(&cx(&target.host), &account, &two, &renamed).await.unwrap();

    let held = target.slapd.values("cn=night shift,ou=teams,dc=hosp,dc=example", "member").await.unwrap();
    let held: BTreeSet<String> = held.into_iter().collect();
    assert_eq!(held, BTreeSet::from([PLACEHOLDER.to_owned(), format!("uid=renamed,{PEOPLE}")]));

    let gone = Delta::Patch { add: vec![], remove: vec![one.as_str().into()] };
    let change = Change { attrs: BTreeMap::from([("member".to_owned(), gone)]), ..Change::default() };
    target.connector.update(&cx(&target.host), &kind, &made.id, &change).await.unwrap();
}

#[tokio::test]
async fn the_catalogue_lists_groups_without_members() {
    let Some(target) = Target::new().await else { return };
    let kind = Kind::from("role");
    let page = target.connector.lister().unwrap().list(&cx(&target.host), &kind, None, 100).await.unwrap();
    let values: BTreeSet<_> = page.items.iter().map(|record| record.id.as_str()).collect();
    assert_eq!(values, BTreeSet::from(["ehr-login", "grp-bare", "grp-ed", "grp-inner"]));
    assert!(page.complete && page.items.iter().all(|record| !record.attrs.contains_key("member")));
    let one = target.connector.get(&cx(&target.host), &kind, &"ehr-login".into()).await.unwrap().unwrap();
    assert_eq!(one.attrs["description"], [Value::from("May log in to the record")]);
}

/// Types of entitlements over the three kinds of groups; `by` is what a posixGroup lists accounts by.
fn three_kinds(config: &mut serde_json::Value, by: &str) {
    let placeholder = "uid=placeholder,ou=services,dc=hosp,dc=example";
    config["account"]["allow_delete"] = json!(true);
    config["entitlement"] = json!([
        { "type": "role", "base": "ou=entitlements,dc=hosp,dc=example", "placeholder": placeholder },
        {
            "type": "unique", "base": "ou=unique,dc=hosp,dc=example", "object_class": "groupOfUniqueNames",
            "member": "uniqueMember", "placeholder": placeholder,
        },
        {
            "type": "posix", "base": "ou=posix,dc=hosp,dc=example", "object_class": "posixGroup",
            "member": "memberUid", "member_value": by,
        },
    ]);
}

fn hold(add: &[(&str, &str)], remove: &[(&str, &str)]) -> Change {
    let all = |list: &[(&str, &str)]| list.iter().map(|(kind, value)| Entitlement::new(*kind, *value)).collect();
    let entitlements = EntitlementChange { add: all(add), remove: all(remove), whole: None };
    Change { entitlements, ..Change::default() }
}

#[tokio::test]
async fn unique_names_and_posix_groups_are_given_twice_and_taken_twice() {
    let Some(target) = Target::with(Setup::default(), |config| three_kinds(config, "uid")).await else { return };
    let id = target.make(1).await;
    let all = [("role", "grp-ed"), ("unique", "grp-unique"), ("posix", "grp-posix"), ("posix", "grp-posix-too")];
    for _ in 0..2 {
        target.update(&id, &hold(&all, &[])).await.unwrap();
        let held = target.read(&id).await.entitlements.unwrap();
        assert_eq!(held, all.map(|(kind, value)| Entitlement::new(kind, value)));
    }
    let posix = "cn=grp-posix-too,ou=posix,dc=hosp,dc=example";
    assert_eq!(target.slapd.values(posix, "memberUid").await.unwrap(), ["foreign", "test1"]);
    for _ in 0..2 {
        target.update(&id, &hold(&[], &all)).await.unwrap();
        assert_eq!(target.read(&id).await.entitlements.unwrap(), []);
    }
    // What others gave stays.
    assert_eq!(target.slapd.values(posix, "memberUid").await.unwrap(), ["foreign"]);
}

#[tokio::test]
async fn the_last_unique_name_can_leave_since_the_placeholder_comes_in() {
    let Some(target) = Target::with(Setup::default(), |config| three_kinds(config, "uid")).await else { return };
    let found = target.connector.find(&cx(&target.host), &account(), &key("uid", "foreign")).await.unwrap();
    target.update(&found[0].id, &hold(&[], &[("unique", "grp-unique-bare")])).await.unwrap();
    let members = target.slapd.values("cn=grp-unique-bare,ou=unique,dc=hosp,dc=example", "uniqueMember").await.unwrap();
    assert_eq!(members, ["uid=placeholder,ou=services,dc=hosp,dc=example"]);
}

#[tokio::test]
async fn a_rename_takes_unique_names_and_posix_members_along_without_the_servers_help() {
    let setup = Setup { bare: true, ..Setup::default() };
    let Some(target) = Target::with(setup, |config| three_kinds(config, "uid")).await else { return };
    let id = target.make(1).await;
    let all = [("unique", "grp-unique"), ("posix", "grp-posix")];
    target.update(&id, &hold(&all, &[])).await.unwrap();
    target.update(&id, &set("uid", "renamed")).await.unwrap();
    assert_eq!(
        target.slapd.values("cn=grp-posix,ou=posix,dc=hosp,dc=example", "memberUid").await.unwrap(),
        ["renamed"]
    );
    let held = target.read(&id).await.entitlements.unwrap();
    assert_eq!(held, all.map(|(kind, value)| Entitlement::new(kind, value)));
}

#[tokio::test]
async fn a_posix_group_follows_the_value_that_it_lists_and_forgets_who_is_deleted() {
    // given groups that list accounts by their number, which is not their name
    let Some(target) = Target::with(Setup::default(), |config| three_kinds(config, "employeeNumber")).await else {
        return;
    };
    let id = target.make(1).await;
    target.update(&id, &hold(&[("posix", "grp-posix")], &[])).await.unwrap();
    let members = async || target.slapd.values("cn=grp-posix,ou=posix,dc=hosp,dc=example", "memberUid").await.unwrap();
    assert_eq!(members().await, ["E1"]);

    // when the number changes, the group follows
    target.update(&id, &set("employeeNumber", "E77")).await.unwrap();
    assert_eq!(members().await, ["E77"]);

    // and when the account goes, nothing is left of it
    target.connector.delete(&cx(&target.host), &account(), &id).await.unwrap();
    assert_eq!(members().await, [""; 0]);
}
