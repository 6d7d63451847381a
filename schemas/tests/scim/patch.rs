use crate::given::{DIALECTS, full_user, group_type, keyword, patch, patch_body, patched, user, user_type};
use scim::{Aliases, Dialect, Filter, Member, MemberOp, Patch, Resource, ScimType, member_matches};
use serde_json::{Value, json};

fn apply(operations: Value) -> Value {
    patched(&user(full_user()), operations, Dialect::Rfc).unwrap()
}

fn refused(operations: Value) -> Option<ScimType> {
    keyword(patched(&user(full_user()), operations, Dialect::Rfc))
}

fn member(value: &str) -> Member {
    Member { value: value.into(), ..Member::default() }
}

fn members(operations: Value) -> Vec<MemberOp> {
    let patch = patch(operations, group_type(), Dialect::Tolerant).unwrap();
    assert!(patch.is_members_only());
    patch.members().to_vec()
}

#[test]
fn add_sets_a_value_and_appends_to_a_list_what_is_not_there() {
    let after = apply(json!([
        {"op": "add", "path": "nickName", "value": "T"},
        {"op": "add", "path": "emails", "value": [{"value": "T12@HOSP.example", "type": "work"}, {"value": "t12@lab.example", "type": "other"}]},
        {"op": "add", "path": "roles", "value": [{"value": "nurse"}, {"value": "preceptor"}]},
        {"op": "add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter", "value": "4711"},
    ]));

    assert_eq!(after["nickName"], "T");
    assert_eq!(
        after["emails"].as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap()).collect::<Vec<_>>(),
        ["work", "home", "other"]
    );
    assert_eq!(after["roles"].as_array().unwrap().len(), 3);
    assert_eq!(after[scim::ENTERPRISE_USER]["costCenter"], "4711");
    assert_eq!(after[scim::ENTERPRISE_USER]["department"], "Imaging");
}

#[test]
fn one_value_alone_is_added_to_a_list_in_every_dialect() {
    for dialect in DIALECTS {
        let roles = json!([{"op": "add", "path": "roles", "value": {"value": "preceptor"}}]);
        let members = json!([{"op": "add", "path": "members", "value": {"value": "U-1"}}]);

        assert_eq!(patched(&user(full_user()), roles, dialect).unwrap()["roles"].as_array().unwrap().len(), 3);
        assert_eq!(patch(members, group_type(), dialect).unwrap().members(), [MemberOp::Add(vec![member("U-1")])]);
    }
}

#[test]
fn a_value_without_a_value_is_the_same_when_all_of_it_is() {
    let license = json!({"type": "license", "number": "T-1"});
    let credentials = format!("{}:credentials", scim::CLINICAL_USER);
    let twice = json!([
        {"op": "add", "path": credentials, "value": [license]},
        {"op": "add", "path": credentials, "value": [license, {"type": "license", "number": "T-2"}]},
        {"op": "add", "path": "addresses", "value": full_user()["addresses"]},
    ]);

    let after = apply(twice);

    assert_eq!(after[scim::CLINICAL_USER]["credentials"].as_array().unwrap().len(), 2);
    assert_eq!(after["addresses"].as_array().unwrap().len(), 1);
}

#[test]
fn one_new_primary_value_unsets_the_others() {
    let by_add = apply(json!([{"op": "add", "path": "emails", "value": [{"value": "new@x", "primary": true}]}]));
    let by_path = apply(json!([{"op": "replace", "path": "emails[type eq \"home\"].primary", "value": true}]));
    let primaries =
        |after: &Value| after["emails"].as_array().unwrap().iter().map(|e| e["primary"] == true).collect::<Vec<_>>();

    assert_eq!(primaries(&by_add), [false, false, true]);
    assert_eq!(primaries(&by_path), [false, true]);
}

#[test]
fn replace_sets_a_list_as_a_whole_and_a_part_of_an_element_by_filter() {
    let after = apply(json!([
        {"op": "replace", "path": "roles", "value": [{"value": "preceptor"}]},
        {"op": "replace", "path": "addresses[type eq \"work\"].streetAddress", "value": "2 Sample Street"},
        {"op": "replace", "path": "name.familyName", "value": "Other"},
        {"op": "replace", "path": "emails.display", "value": "both"},
    ]));

    assert_eq!(after["roles"], json!([{"value": "preceptor"}]));
    assert_eq!(
        (&after["addresses"][0]["streetAddress"], &after["addresses"][0]["locality"]),
        (&json!("2 Sample Street"), &json!("Sampletown"))
    );
    assert_eq!((&after["name"]["familyName"], &after["name"]["givenName"]), (&json!("Other"), &json!("Testperson")));
    assert!(after["emails"].as_array().unwrap().iter().all(|e| e["display"] == "both"));
}

#[test]
fn remove_takes_away_attributes_parts_elements_and_extensions() {
    let after = apply(json!([
        {"op": "remove", "path": "displayName"},
        {"op": "remove", "path": "title"},
        {"op": "remove", "path": "name.familyName"},
        {"op": "remove", "path": "emails[type eq \"home\"]"},
        {"op": "remove", "path": "addresses[type eq \"work\"].country"},
        {"op": "remove", "path": "roles"},
        {"op": "remove", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"},
    ]));

    let expected = json!({"userName": "Testperson.12@hosp.example", "externalId": "701984", "active": true,
        "name": {"formatted": "Testperson 12 Example", "givenName": "Testperson"},
        "emails": [{"value": "t12@hosp.example", "type": "work", "primary": true}],
        "addresses": [{"type": "work", "streetAddress": "1 Sample Street", "locality": "Sampletown"}]});
    assert_eq!(after, expected);
}

#[test]
fn a_list_that_loses_its_last_element_is_absent() {
    let after = apply(
        json!([{"op": "remove", "path": "emails[value co \"@\"]"}, {"op": "remove", "path": "addresses[country eq \"us\"]"}]),
    );

    assert!(after.get("emails").is_none() && after.get("addresses").is_none());
}

#[test]
fn without_a_path_each_attribute_of_the_value_is_a_change() {
    let after = apply(
        json!([{"op": "replace", "value": {"title": "Nurse", "id": "not-mine", "groups": [], "name": {"givenName": "Other"},
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Lab"}}}]),
    );

    assert_eq!((&after["title"], &after["name"]["familyName"]), (&json!("Nurse"), &json!("Example")));
    assert_eq!(
        after[scim::ENTERPRISE_USER],
        json!({"employeeNumber": "100012", "department": "Lab", "manager": {"value": "M-1"}})
    );
    assert!(after.get("id").is_none() && after.get("groups").is_none());
}

#[test]
fn null_unassigns_and_adding_nothing_is_no_change() {
    let after = apply(json!([
        {"op": "replace", "path": "displayName", "value": null},
        {"op": "replace", "path": "roles", "value": []},
        {"op": "replace", "path": "name", "value": {"givenName": null, "middleName": "M"}},
        {"op": "add", "path": "emails", "value": []},
        {"op": "add", "path": "active", "value": null},
    ]));

    assert!(after.get("displayName").is_none() && after.get("roles").is_none());
    assert_eq!(
        after["name"],
        json!({"formatted": "Testperson 12 Example", "familyName": "Example", "middleName": "M"})
    );
    assert_eq!((after["emails"].as_array().unwrap().len(), &after["active"]), (2, &json!(true)));
}

#[test]
fn another_manager_loses_what_was_said_of_the_old_one() {
    let mut old = user(full_user());
    old.attrs[scim::ENTERPRISE_USER]["manager"] =
        json!({"value": "M-1", "$ref": "../Users/M-1", "displayName": "Testperson 1"});
    for operation in [
        json!({"op": "replace", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "value": {"value": "M-2"}}),
        json!({"op": "replace", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value", "value": "M-2"}),
    ] {
        assert_eq!(
            patched(&old, json!([operation]), Dialect::Rfc).unwrap()[scim::ENTERPRISE_USER]["manager"],
            json!({"value": "M-2"})
        );
    }
}

#[test]
fn a_patch_that_changes_nothing_says_so() {
    for operations in [
        json!([{"op": "replace", "path": "active", "value": true}]),
        json!([{"op": "add", "path": "roles", "value": [{"value": "NURSE"}]}])
            .to_string()
            .replace("NURSE", "nurse")
            .parse()
            .unwrap(),
        json!([{"op": "replace", "path": "title", "value": "x"}, {"op": "remove", "path": "title"}]),
        json!([{"op": "remove", "path": "nickName"}]),
    ] {
        let patch = patch(operations, user_type(), Dialect::Rfc).unwrap();
        assert_eq!(patch.apply(&user(full_user()), user_type()), Ok(None));
    }
}

#[test]
fn an_error_in_the_last_operation_leaves_nothing_of_the_first() {
    let old = user(full_user());
    let before = old.clone();

    let failed = patched(
        &old,
        json!([{"op": "replace", "path": "title", "value": "x"}, {"op": "remove", "path": "ims[type eq \"aim\"]"}]),
        Dialect::Rfc,
    );

    assert_eq!(keyword(failed), Some(ScimType::NoTarget));
    assert_eq!(old, before);
}

#[test]
fn a_malformed_message_is_refused() {
    for body in [
        json!([]),
        json!({}),
        json!({"Operations": {}}),
        patch_body(json!([])),
        patch_body(json!(["x"])),
        patch_body(json!([{"path": "title", "value": "x"}])),
        patch_body(json!([{"op": "set", "path": "title", "value": "x"}])),
        patch_body(json!([{"op": 1}])),
    ] {
        for dialect in DIALECTS {
            let refused = keyword(Patch::parse(body.clone(), user_type(), dialect, Aliases::NONE));
            assert_eq!(refused, Some(ScimType::InvalidSyntax), "{dialect} {body}");
        }
    }
}

#[test]
fn a_wrong_path_is_refused_with_the_keyword_of_what_is_wrong() {
    let at = |path: &str| refused(json!([{"op": "replace", "path": path, "value": "x"}]));

    for path in [
        "emails[type eq \"work\"",
        "1",
        "a b",
        "name[givenName eq \"x\"].familyName",
        "displayName[value eq \"x\"]",
        "",
    ] {
        assert_eq!(at(path), Some(ScimType::InvalidPath), "{path}");
    }
    for path in [
        "emails[type]",
        "emails[size eq 1].value",
        "emails[type eq \"work\"[x pr]].value",
        "emails[primary gt true].value",
    ] {
        assert_eq!(at(path), Some(ScimType::InvalidFilter), "{path}");
    }
    assert_eq!(refused(json!([{"op": "replace", "path": 1, "value": "x"}])), Some(ScimType::InvalidPath));
    assert_eq!(refused(json!([{"op": "replace", "path": "title"}])), Some(ScimType::InvalidValue));
    assert_eq!(refused(json!([{"op": "replace", "path": "active", "value": "perhaps"}])), Some(ScimType::InvalidValue));
}

#[test]
fn what_is_read_only_or_required_cannot_be_changed_or_removed() {
    for operation in [
        json!({"op": "replace", "path": "id", "value": "x"}),
        json!({"op": "add", "path": "groups", "value": [{"value": "G"}]}),
        json!({"op": "replace", "path": "meta.version", "value": "x"}),
        json!({"op": "remove", "path": "userName"}),
        json!({"op": "replace", "path": "userName", "value": null}),
        json!({"op": "remove", "path": "groups[value eq \"G\"]"}),
        json!({"op": "replace", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.displayName", "value": "x"}),
        json!({"op": "replace", "path": "urn:chartgate:params:scim:schemas:extension:governance:1.0:User:state", "value": "active"}),
    ] {
        assert_eq!(refused(json!([operation])), Some(ScimType::Mutability), "{operation}");
    }
    assert_eq!(refused(json!([{"op": "replace", "path": "userName", "value": ""}])), Some(ScimType::InvalidValue));
}

#[test]
fn the_schemas_attribute_follows_what_is_there() {
    let operations = json!([{"op": "add", "path": "schemas", "value": [scim::CLINICAL_USER]}]);

    assert_eq!(patch(operations, user_type(), Dialect::Rfc).unwrap().apply(&user(full_user()), user_type()), Ok(None));
}

#[test]
fn members_are_operations_on_rows_in_the_order_of_the_request() {
    let read = members(json!([
        {"op": "add", "path": "members", "value": [{"value": "U-1", "$ref": null}, {"value": "U-2"}]},
        {"op": "remove", "path": "members", "value": [{"value": "U-1"}]},
        {"op": "remove", "path": "members[value eq \"U-2\"]"},
        {"op": "remove", "path": "members[value eq \"U-3\" or value eq \"U-4\"]"},
        {"op": "remove", "path": "members[type eq \"Group\"]"},
        {"op": "replace", "path": "members", "value": []},
        {"op": "remove", "path": "members"},
        {"op": "add", "path": "members", "value": {"value": "U-5"}},
        {"op": "add", "path": "members[value eq \"U-6\"]", "value": null},
        {"op": "remove", "path": "members", "value": []},
    ]));

    assert_eq!(
        read,
        [
            MemberOp::Add(vec![member("U-1"), member("U-2")]),
            MemberOp::Remove(vec!["U-1".into()]),
            MemberOp::Remove(vec!["U-2".into()]),
            MemberOp::Remove(vec!["U-3".into(), "U-4".into()]),
            MemberOp::RemoveWhere(Filter::parse(r#"type eq "Group""#).unwrap()),
            MemberOp::ReplaceAll(vec![]),
            MemberOp::RemoveAll,
            MemberOp::Add(vec![member("U-5")]),
            MemberOp::Add(vec![member("U-6")]),
            MemberOp::Remove(vec![]),
        ]
    );
}

#[test]
fn a_member_is_removed_by_what_its_filter_says() {
    let filter = |text: &str| Filter::parse(text).unwrap();
    let nurse = Member { value: "U-1".into(), display: Some("Testperson 1".into()), kind: Some("User".into()) };
    let holds = |text: &str| member_matches(&filter(text), group_type(), &nurse);

    assert!(
        holds(r#"display sw "testperson""#)
            && holds(r#"value eq "U-1" and type eq "user""#)
            && holds("not (display eq null)")
    );
    assert!(
        holds(r#"$ref eq "https://scim.hosp.example/Users/U-1""#)
            && !holds(r#"$ref eq "https://scim.hosp.example/Users/U-2""#)
    );
    assert!(!holds(r#"value eq "u-1""#), "ids are exact");
}

#[test]
fn a_member_cannot_be_changed_in_place() {
    for path in ["members.value", "members[value eq \"U-1\"].value", "members[value eq \"U-1\"].type"] {
        let operations = json!([{"op": "replace", "path": path, "value": "U-2"}]);
        assert_eq!(keyword(patch(operations, group_type(), Dialect::Tolerant)), Some(ScimType::Mutability), "{path}");
    }
}

#[test]
fn a_group_changes_its_name_and_its_members_in_one_request() {
    let old = Resource { attrs: json!({"displayName": "Old"}).as_object().unwrap().clone() };
    let read = patch(
        json!([{"op": "replace", "value": {"displayName": "New", "members": [{"value": "U-1"}]}}]),
        group_type(),
        Dialect::Rfc,
    )
    .unwrap();

    assert_eq!(read.apply(&old, group_type()).unwrap().unwrap().attrs["displayName"], "New");
    assert_eq!(read.members(), [MemberOp::ReplaceAll(vec![member("U-1")])]);
}

#[test]
fn a_patch_read_for_one_type_is_not_applied_to_another() {
    let read =
        patch(json!([{"op": "replace", "path": "displayName", "value": "x"}]), group_type(), Dialect::Rfc).unwrap();

    assert!(read.apply(&user(full_user()), user_type()).is_err());
}

#[test]
fn a_source_names_an_extension_by_its_alias() {
    let foreign = "urn:ietf:params:scim:schemas:extension:clinical:2.0:User";
    let aliases = Aliases::new([(foreign.to_owned(), scim::CLINICAL_USER.to_owned())]).unwrap();
    let body = patch_body(json!([
        {"op": "add", "path": format!("{foreign}:npi"), "value": "1900000013"},
        {"op": "replace", "value": {foreign: {"specialty": "207R00000X"}, format!("{foreign}:purpose"): "x"}},
    ]));

    let read = Patch::parse(body, user_type(), Dialect::Tolerant, &aliases).unwrap();
    let after = read.apply(&user(full_user()), user_type()).unwrap().unwrap();

    assert_eq!(
        after.attrs[scim::CLINICAL_USER],
        json!({"npi": "1900000013", "specialty": "207R00000X", "purpose": "x"})
    );
    assert!(read.ignored().is_empty());
}
