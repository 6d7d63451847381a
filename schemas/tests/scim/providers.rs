//! What identity providers send (`idp-clients`), and the bugs that servers had with it.

use crate::given::{full_user, group_type, keyword, patch, patched, read, user, user_type};
use scim::{Dialect, MemberOp, ScimType};
use serde_json::{Value, json};

const ENTERPRISE: &str = scim::ENTERPRISE_USER;

fn after(old: Value, operations: Value) -> Value {
    patched(&user(old), operations, Dialect::Tolerant).unwrap()
}

fn stored(body: Value) -> Value {
    Value::Object(read(body, user_type(), Dialect::Tolerant).unwrap().resource.attrs)
}

fn minimal() -> Value {
    json!({"schemas": [scim::USER], "userName": "t12"})
}

#[test]
fn entra_capitalises_operations_and_writes_booleans_as_text() {
    let disabled = after(full_user(), json!([{"op": "Replace", "path": "active", "value": "False"}]));
    let enabled = after(full_user(), json!([{"op": "Add", "path": "active", "value": "True"}]));
    let by_flag = after(full_user(), json!([{"op": "replace", "path": "active", "value": false}]));

    assert_eq!(
        (&disabled["active"], &enabled["active"], &by_flag["active"]),
        (&json!(false), &json!(true), &json!(false))
    );
}

#[test]
fn entra_sends_the_manager_in_many_shapes() {
    let path = format!("{ENTERPRISE}:manager");
    for (path, value) in [
        (path.as_str(), json!("M-9")),
        (path.as_str(), json!({"value": "M-9"})),
        (path.as_str(), json!({"$ref": null, "value": "M-9"})),
        ("manager", json!([{"$ref": "http://localhost/scim/v2/Users/M-9", "value": "M-9"}])),
        ("manager", json!([{"$ref": "http://localhost/scim/v2/Users/M-9"}])),
        ("manager", json!("M-9")),
        ("manager.value", json!("M-9")),
    ] {
        let result = after(minimal(), json!([{"op": "Add", "path": path, "value": value}]));
        assert_eq!(result[ENTERPRISE]["manager"]["value"], "M-9", "{path} {value}");
    }
    assert_eq!(
        stored(json!({"userName": "t12", "manager": "123456"}))[ENTERPRISE],
        json!({"manager": {"value": "123456"}})
    );
}

#[test]
fn a_manager_that_is_no_user_is_kept_and_removed_by_path() {
    let with = after(
        minimal(),
        json!([{"op": "Replace", "path": format!("{ENTERPRISE}:manager"), "value": {"value": "AXTKDLNRKMKT"}}]),
    );
    let without = after(full_user(), json!([{"op": "Remove", "path": format!("{ENTERPRISE}:manager")}]));
    let emptied = after(full_user(), json!([{"op": "Replace", "path": format!("{ENTERPRISE}:manager"), "value": ""}]));

    assert_eq!(with[ENTERPRISE]["manager"]["value"], "AXTKDLNRKMKT");
    assert!(without[ENTERPRISE].get("manager").is_none() && emptied[ENTERPRISE].get("manager").is_none());
}

#[test]
fn a_qualified_attribute_wins_over_one_without_its_uri() {
    let body = json!({"userName": "t12", "department": "top", ENTERPRISE: {"department": "qualified"}});

    assert_eq!(stored(body)[ENTERPRISE], json!({"department": "qualified"}));
}

#[test]
fn entra_sends_roles_as_json_text() {
    let text = r#"{"id":"06b07648","value":"25","displayName":"Role 25"}"#;
    let by_value = after(minimal(), json!([{"op": "Add", "path": "roles", "value": [{"value": text}]}]));
    let by_text = after(minimal(), json!([{"op": "Add", "path": "roles", "value": [text]}]));
    let posted = stored(
        json!({"userName": "t12", "roles": [{"primary": false, "type": "WindowsAzureActiveDirectoryRole", "value": text}]}),
    );

    assert_eq!(by_value["roles"], json!([{"value": "25", "display": "Role 25"}]));
    assert_eq!(by_text["roles"], by_value["roles"]);
    assert_eq!(
        posted["roles"],
        json!([{"value": "25", "display": "Role 25", "primary": false, "type": "WindowsAzureActiveDirectoryRole"}])
    );
}

#[test]
fn replacing_roles_drops_those_that_are_not_granted() {
    let result =
        after(full_user(), json!([{"op": "Replace", "path": "roles", "value": [{"value": "{\"value\":\"nurse\"}"}]}]));

    assert_eq!(result["roles"], json!([{"value": "nurse"}]));
}

#[test]
fn a_filtered_add_or_replace_without_an_element_makes_it() {
    let result = after(
        minimal(),
        json!([
            {"op": "Add", "path": "emails[type eq \"work\"].value", "value": "t12@hosp.example"},
            {"op": "Replace", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+1 555 0100"},
            {"op": "Add", "path": "roles[primary eq \"True\"].value", "value": "nurse"},
            {"op": "Replace", "path": "emails[primary eq true].display", "value": "Testperson 12"},
        ]),
    );

    assert_eq!(
        result["emails"],
        json!([{"type": "work", "value": "t12@hosp.example"}, {"primary": true, "display": "Testperson 12"}])
    );
    assert_eq!(result["phoneNumbers"], json!([{"type": "mobile", "value": "+1 555 0100"}]));
    assert_eq!(result["roles"], json!([{"primary": true, "value": "nurse"}]));
}

#[test]
fn a_filter_that_does_not_say_what_an_element_looks_like_makes_none() {
    for filter in ["type ne \"work\"", "type eq \"work\" or type eq \"home\"", "value co \"x\"", "value pr"] {
        let operations = json!([{"op": "Replace", "path": format!("emails[{filter}].display"), "value": "x"}]);
        assert_eq!(
            keyword(patched(&user(minimal()), operations, Dialect::Tolerant)),
            Some(ScimType::NoTarget),
            "{filter}"
        );
    }
}

#[test]
fn several_adds_build_one_address() {
    let add = |part: &str, value: &str| json!({"op": "Add", "path": format!("addresses[type eq \"work\"].{part}"), "value": value});

    let result = after(
        minimal(),
        json!([
            add("streetAddress", "1 Sample Street"),
            add("locality", "Sampletown"),
            add("postalCode", "00000"),
            add("country", "US"),
            add("formatted", "all of it")
        ]),
    );

    assert_eq!(
        result["addresses"],
        json!([{"type": "work", "streetAddress": "1 Sample Street", "locality": "Sampletown", "postalCode": "00000",
        "country": "US", "formatted": "all of it"}])
    );
}

#[test]
fn an_added_value_that_is_there_is_not_doubled() {
    let twice = json!([{"op": "Add", "path": "emails[type eq \"work\"].value", "value": "t12@hosp.example"},
        {"op": "Add", "path": "roles", "value": [{"value": "nurse"}, {"value": "nurse"}]}]);

    assert_eq!(after(full_user(), twice), stored(full_user()));
}

#[test]
fn aad_optscim_sends_paths_as_names() {
    let result = after(
        full_user(),
        json!([
            {"op": "replace", "value": {
                "displayName": "Testperson 13", "name.givenName": "T", "NAME.familyName": "X", "active": false,
                "emails[type eq \"work\"].value": "new@hosp.example",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber": "N-1",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager": "M-9",
                "urn:ietf:params:scim:schemas:extension:vendor:2.0:User:thing": "x"}},
            {"op": "remove", "path": "addresses[type eq \"work\"]"},
        ]),
    );

    assert_eq!(
        (&result["displayName"], &result["name"]["givenName"], &result["name"]["familyName"]),
        (&json!("Testperson 13"), &json!("T"), &json!("X"))
    );
    assert_eq!((&result["emails"][0]["value"], &result["active"]), (&json!("new@hosp.example"), &json!(false)));
    assert_eq!(
        (&result[ENTERPRISE]["employeeNumber"], &result[ENTERPRISE]["manager"]["value"]),
        (&json!("N-1"), &json!("M-9"))
    );
    assert!(result.get("addresses").is_none());
}

#[test]
fn microsofts_validator_mixes_paths_and_dotted_names_in_one_request() {
    let created = stored(
        json!({"userName": "t12", "emails": [{"type": "work", "value": "a@x", "primary": "true"}], "addresses": [{"locality": "A", "primary": "true"}]}),
    );
    assert_eq!(created["emails"][0]["primary"], true);

    let result = after(
        created,
        json!([
            {"op": "replace", "path": "emails[primary eq true].value", "value": "b@x"},
            {"op": "replace", "path": "addresses[primary eq true].locality", "value": "B"},
            {"op": "replace", "value": {"name.formatted": "T", "title": "x"}},
        ]),
    );

    assert_eq!(
        (&result["emails"][0]["value"], &result["addresses"][0]["locality"], &result["name"]["formatted"]),
        (&json!("b@x"), &json!("B"), &json!("T"))
    );
}

#[test]
fn entra_names_the_members_to_remove_in_the_value() {
    let read = patch(
        json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "U-1"}]}]),
        group_type(),
        Dialect::Tolerant,
    )
    .unwrap();

    assert_eq!(read.members(), [MemberOp::Remove(vec!["U-1".into()])]);
}

#[test]
fn a_remove_with_values_takes_only_those_and_writes_none() {
    let result = after(
        full_user(),
        json!([{"op": "Remove", "path": "roles", "value": [{"value": "nurse"}, {"value": "never-there"}]}]),
    );

    assert_eq!(result["roles"], json!([{"value": "charge-nurse", "type": "clinical"}]));
}

#[test]
fn a_custom_extension_needs_no_place_in_schemas() {
    let body = json!({"schemas": [scim::USER], "userName": "t12", scim::CLINICAL_USER: {"npi": "1900000013"}});

    assert_eq!(stored(body)[scim::CLINICAL_USER], json!({"npi": "1900000013"}));
}

#[test]
fn entra_sends_nulls_for_what_it_does_not_know() {
    let body = json!({"schemas": [scim::USER], "userName": "t12", "department": null, "manager": null, "addresses": null, "meta": {"resourceType": "User"},
        "name": {"formatted": "T", "familyName": null}, "roles": []});

    assert_eq!(stored(body), json!({"userName": "t12", "name": {"formatted": "T"}}));
}

#[test]
fn okta_deactivates_without_a_path() {
    let result = after(full_user(), json!([{"op": "replace", "value": {"active": false}}]));

    assert_eq!(result["active"], false);
    assert_eq!(result["displayName"], "Testperson 12");
}

#[test]
fn okta_renames_a_group_without_touching_its_members() {
    let read = patch(
        json!([{"op": "replace", "value": {"id": "G-1", "displayName": "Nights"}}]),
        group_type(),
        Dialect::Tolerant,
    )
    .unwrap();

    assert!(read.members().is_empty() && read.ignored().is_empty());
}

#[test]
fn okta_pushes_an_empty_group_and_swaps_members_in_one_request() {
    let empty =
        patch(json!([{"op": "replace", "path": "members", "value": []}]), group_type(), Dialect::Tolerant).unwrap();
    let swap = patch(
        json!([{"op": "remove", "path": "members[value eq \"U-1\"]"},
        {"op": "add", "path": "members", "value": [{"value": "U-2", "display": "t2"}]}]),
        group_type(),
        Dialect::Tolerant,
    )
    .unwrap();

    assert_eq!(empty.members(), [MemberOp::ReplaceAll(vec![])]);
    assert!(
        matches!(swap.members(), [MemberOp::Remove(gone), MemberOp::Add(new)] if gone == &["U-1"] && new[0].value == "U-2")
    );
}

#[test]
fn okta_puts_back_what_it_read_with_meta_and_groups() {
    let body = json!({"schemas": [scim::USER], "id": "U-12", "userName": "t12", "groups": [{"value": "G-1", "display": null}], "active": false,
        "meta": {"resourceType": "User", "location": "https://scim.hosp.example/Users/U-12"}});
    let group = json!({"schemas": [scim::GROUP], "id": "G-1", "displayName": "Nights", "members": [{"value": "U-12", "display": null}], "meta": {}});

    assert_eq!(stored(body), json!({"userName": "t12", "active": false}));
    let group = read(group, group_type(), Dialect::Tolerant).unwrap();
    assert_eq!((group.members.unwrap()[0].display.clone(), group.ignored), (None, vec![]));
}

#[test]
fn onelogins_template_is_understood() {
    let body = json!({"schemas": [scim::USER], "id": null, "userName": "t12", "active": "true", "title": "", "emails": [{"value": "a@x", "type": "work", "primary": true}],
        ENTERPRISE: {"employeeNumber": "12", "manager": {"managerId": "M-1"}}});

    let result = stored(body);

    assert_eq!((&result["active"], &result[ENTERPRISE]["manager"]), (&json!(true), &json!({"value": "M-1"})));
}

#[test]
fn jumpcloud_removes_a_member_by_a_value_array_of_ids() {
    let read =
        patch(json!([{"op": "remove", "path": "members", "value": ["U-1", "U-2"]}]), group_type(), Dialect::Tolerant)
            .unwrap();

    assert_eq!(read.members(), [MemberOp::Remove(vec!["U-1".into(), "U-2".into()])]);
}
