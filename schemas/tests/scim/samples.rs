//! The bodies of the sample conversations, each read to what its next step reads back.

use crate::given::{group_type, patch, read, user_type};
use scim::{Dialect, Filter, ListQuery, ListResponse, MemberOp, PageBy, Parsed, Resource, Types, document};
use serde_json::{Value, json};

fn created(who: &str) -> Parsed {
    let body = json!({
        "schemas": [scim::USER, scim::ENTERPRISE_USER],
        "externalId": format!("oid-{who}"),
        "userName": format!("{who}@northbay.example"),
        "active": true,
        "displayName": "Testperson 14",
        "emails": [{"primary": true, "type": "work", "value": format!("{who}@northbay.example")}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "Testperson 14", "familyName": "Fourteen", "givenName": "Testperson"},
        "roles": [],
    });
    read(body, user_type(), Dialect::Tolerant).unwrap()
}

fn change(old: &Resource, operations: Value) -> Resource {
    patch(operations, user_type(), Dialect::Tolerant).unwrap().apply(old, user_type()).unwrap().unwrap()
}

fn query(pairs: &[(&str, &str)]) -> ListQuery {
    let pairs: Vec<(String, String)> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    ListQuery::from_query(&pairs, Some(user_type()), Dialect::Tolerant).unwrap()
}

#[test]
fn entra_default_user() {
    let given = created("dflores");

    let renamed = change(
        &given.resource,
        json!([
            {"op": "Replace", "path": "displayName", "value": "Testperson 15"},
            {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "dkim@northbay.example"},
            {"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "Imaging"},
        ]),
    );
    let disabled = change(&renamed, json!([{"op": "Replace", "path": "active", "value": "False"}]));

    assert!(given.ignored.is_empty() && given.breaches.is_empty());
    assert_eq!(renamed.attrs["displayName"], "Testperson 15");
    assert_eq!(renamed.attrs["emails"], json!([{"primary": true, "type": "work", "value": "dkim@northbay.example"}]));
    assert_eq!(renamed.attrs[scim::ENTERPRISE_USER], json!({"department": "Imaging"}));
    assert_eq!(disabled.active(), Some(false));
}

#[test]
fn entra_default_group() {
    let body = json!({"schemas": [scim::GROUP], "externalId": "grp-1", "displayName": "Pharmacy Techs", "meta": {"resourceType": "Group"}});
    let group = read(body, group_type(), Dialect::Tolerant).unwrap();
    let add = json!([{"op": "Add", "path": "members", "value": [{"$ref": null, "value": "A"}, {"$ref": null, "value": "B"}]}]);
    let remove = json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "A"}]}]);

    let added = patch(add, group_type(), Dialect::Tolerant).unwrap();
    let removed = patch(remove, group_type(), Dialect::Tolerant).unwrap();

    assert_eq!((group.members, group.resource.external_id()), (None, Some("grp-1")));
    assert!(matches!(added.members(), [MemberOp::Add(members)] if members.len() == 2 && members[1].value == "B"));
    assert_eq!(removed.members(), [MemberOp::Remove(vec!["A".into()])]);
}

#[test]
fn entra_optscim() {
    let patched = change(
        &created("oscar").resource,
        json!([{"op": "replace", "value": {
        "displayName": "Testperson 16", "name.givenName": "T", "name.familyName": "Sixteen",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber": "N-1"}}]),
    );
    let disabled = change(&patched, json!([{"op": "replace", "path": "active", "value": false}]));
    let removed =
        patch(json!([{"op": "remove", "path": "members[value eq \"U\"]"}]), group_type(), Dialect::Tolerant).unwrap();

    assert_eq!(
        (patched.text("displayName"), &patched.attrs["name"]["familyName"]),
        (Some("Testperson 16"), &json!("Sixteen"))
    );
    assert_eq!(patched.attrs[scim::ENTERPRISE_USER], json!({"employeeNumber": "N-1"}));
    assert_eq!((disabled.active(), removed.members()), (Some(false), &[MemberOp::Remove(vec!["U".into()])][..]));
}

#[test]
fn entra_probe() {
    let probe = query(&[("filter", r#"userName eq "5c1b7b1e-0000-4000-8000-000000000000""#)]);

    assert_eq!(probe.filter.unwrap().conjuncts().len(), 1);
    assert_eq!(probe.page, PageBy::Index { start: 1 });
    let answer = ListResponse { start_index: Some(1), ..ListResponse::default() }.to_json();
    assert_eq!((&answer["totalResults"], &answer["Resources"]), (&json!(0), &json!([])));
}

#[test]
fn jumpcloud_test_user() {
    let old = created("jctest").resource;
    let mut body = document(user_type(), "U", old.clone(), crate::given::doc(&old).meta);
    body.insert("displayName".into(), json!("Testperson 17"));

    let replaced = read(Value::Object(body), user_type(), Dialect::Tolerant)
        .unwrap()
        .resource
        .replace_into(&old, user_type())
        .unwrap();

    assert_eq!(replaced.text("displayName"), Some("Testperson 17"));
    assert_eq!(replaced.attrs.len(), old.attrs.len());
}

#[test]
fn okta_group_push() {
    let push = read(
        json!({"schemas": [scim::GROUP], "displayName": "Night Shift", "members": []}),
        group_type(),
        Dialect::Tolerant,
    )
    .unwrap();
    let add = patch(
        json!([{"op": "add", "path": "members", "value": [{"value": "U", "display": "kai"}]}]),
        group_type(),
        Dialect::Tolerant,
    )
    .unwrap();
    let rename = patch(
        json!([{"op": "replace", "value": {"id": "G", "displayName": "Nights"}}]),
        group_type(),
        Dialect::Tolerant,
    )
    .unwrap();

    assert_eq!(push.members, Some(vec![]));
    assert!(matches!(add.members(), [MemberOp::Add(members)] if members[0].display.as_deref() == Some("kai")));
    assert_eq!(rename.apply(&push.resource, group_type()).unwrap().unwrap().text("displayName"), Some("Nights"));
    assert!(rename.members().is_empty());
}

#[test]
fn okta_put_user() {
    let lookup = query(&[("filter", r#"userName eq "ivy@northbay.example""#), ("startIndex", "1"), ("count", "100")]);
    let body = json!({"schemas": [scim::USER], "userName": "ivy@northbay.example", "name": {"givenName": "T", "familyName": "Eighteen"},
        "emails": [{"primary": true, "value": "ivy@northbay.example", "type": "work"}], "displayName": "Testperson 18", "locale": "en-US",
        "externalId": "00i", "groups": [], "password": "S-1", "active": true});

    let old = read(body, user_type(), Dialect::Tolerant).unwrap().resource;
    let answer =
        lookup.projection.apply(document(user_type(), "U", old.clone(), crate::given::doc(&old).meta), user_type());
    let mut changed = answer.clone();
    changed["name"]["familyName"] = json!("Eighteen-Example");
    let put = read(Value::Object(changed), user_type(), Dialect::Tolerant)
        .unwrap()
        .resource
        .replace_into(&old, user_type())
        .unwrap();

    assert_eq!((lookup.count, lookup.page), (Some(100), PageBy::Index { start: 1 }));
    assert!(!answer.contains_key("password") && answer["active"] == true);
    assert_eq!((&put.attrs["name"]["familyName"], &put.attrs["password"]), (&json!("Eighteen-Example"), &json!("S-1")));
}

#[test]
fn okta_role_discovery() {
    let file = json!({
        "schemas": [{"id": "urn:okta:scim:schemas:core:1.0:Role", "name": "Role", "attributes": [{"name": "displayName", "mutability": "readOnly"}]}],
        "resourceTypes": [{"name": "HospitalRole", "endpoint": "/HospitalRoles", "schema": "urn:okta:scim:schemas:core:1.0:Role"}],
    });

    let types = Types::built_in().with_deployment(&[&file.to_string()]).unwrap();

    let announced: Vec<Value> = types.all().map(|ty| ty.to_json()).collect();
    assert!(
        announced
            .iter()
            .any(|ty| ty["schema"] == "urn:okta:scim:schemas:core:1.0:Role" && ty["endpoint"] == "/HospitalRoles")
    );
}

#[test]
fn entras_reference_check_filters_on_the_manager_without_its_uri() {
    let check = query(&[("filter", r#"id eq "U" and manager eq "M""#), ("attributes", "id")]);

    let expected = r#"id eq "U" and urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq "M""#;
    assert_eq!(check.filter.unwrap(), Filter::parse(expected).unwrap());
    assert!(check.projection.is_asked());
}
