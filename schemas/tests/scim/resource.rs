use crate::given::{DIALECTS, full_user, group_type, keyword, read, user, user_type};
use scim::{Dialect, Resource, ScimType};
use serde_json::{Value, json};

fn with(member: &str, value: Value) -> Value {
    let mut body = json!({"schemas": [scim::USER, scim::ENTERPRISE_USER, scim::CLINICAL_USER], "userName": "t12"});
    body[member] = value;
    body
}

fn attrs(body: Value) -> Value {
    Value::Object(user(body).attrs)
}

#[test]
fn a_full_user_is_stored_as_it_was_sent_without_schemas_in_every_dialect() {
    let mut expected = full_user();
    expected.as_object_mut().unwrap().remove("schemas");

    for dialect in DIALECTS {
        let parsed = read(full_user(), user_type(), dialect).unwrap();

        assert_eq!(Value::Object(parsed.resource.attrs), expected, "{dialect}");
        assert!(parsed.ignored.is_empty() && parsed.breaches.is_empty() && parsed.members.is_none());
    }
}

#[test]
fn names_and_uris_are_read_in_any_letter_case_and_stored_in_the_schemas() {
    let body = json!({"SCHEMAS": [scim::USER.to_uppercase()], "USERNAME": "t12", "Emails": [{"VALUE": "a@x"}],
        scim::ENTERPRISE_USER.to_uppercase(): {"Department": "Imaging"}});

    let parsed = read(body, user_type(), Dialect::Rfc).unwrap();

    let expected =
        json!({"userName": "t12", "emails": [{"value": "a@x"}], scim::ENTERPRISE_USER: {"department": "Imaging"}});
    assert_eq!(Value::Object(parsed.resource.attrs), expected);
}

#[test]
fn a_name_that_stands_twice_in_different_letter_case_is_refused() {
    for body in [json!({"userName": "a", "username": "b"}), with("name", json!({"givenName": "a", "GIVENNAME": "b"}))] {
        assert_eq!(keyword(read(body, user_type(), Dialect::Tolerant)), Some(ScimType::InvalidSyntax));
    }
}

#[test]
fn null_an_empty_list_and_an_empty_object_are_absent() {
    let body = json!({"userName": "t12", "title": null, "emails": [], "roles": [null, {}], "name": {"givenName": null}, "phoneNumbers": null,
        scim::ENTERPRISE_USER: {"manager": {"value": null}, "department": null}});

    assert_eq!(attrs(body), json!({"userName": "t12"}));
}

#[test]
fn an_absent_active_stays_absent() {
    let parsed = user(json!({"userName": "t12"}));

    assert_eq!((parsed.active(), parsed.attrs.contains_key("active")), (None, false));
    assert_eq!(user(with("active", json!(false))).active(), Some(false));
}

#[test]
fn what_a_client_cannot_write_is_ignored() {
    let body = json!({"schemas": [scim::USER], "userName": "t12", "id": "mine", "groups": [{"value": "G-1"}],
        "meta": {"resourceType": "User", "version": "W/\"9\""},
        scim::SYNC_USER: {"storedOnly": ["x"]}, scim::GOVERNANCE_USER: {"state": "active"},
        scim::ENTERPRISE_USER: {"manager": {"value": "M-1", "displayName": "Testperson 1"}}});

    for dialect in DIALECTS {
        let parsed = read(body.clone(), user_type(), dialect).unwrap();

        assert_eq!(
            Value::Object(parsed.resource.attrs),
            json!({"userName": "t12", scim::ENTERPRISE_USER: {"manager": {"value": "M-1"}}})
        );
        assert!(parsed.ignored.is_empty(), "{dialect}");
    }
}

#[test]
fn a_required_attribute_must_be_there_and_not_empty() {
    for body in [
        json!({"schemas": [scim::USER]}),
        json!({"userName": null}),
        json!({"userName": ""}),
        json!({"userName": "  "}),
    ] {
        assert_eq!(keyword(read(body, user_type(), Dialect::Tolerant)), Some(ScimType::InvalidValue));
    }
    assert_eq!(keyword(read(json!({"members": []}), group_type(), Dialect::Tolerant)), Some(ScimType::InvalidValue));
}

#[test]
fn a_value_of_the_wrong_type_is_refused_by_name_and_not_by_value() {
    for (member, value) in [
        ("userName", json!(["a", "b"])),
        ("userName", json!({"x": "y"})),
        ("active", json!("perhaps")),
        ("active", json!(1)),
        ("active", json!("")),
        ("name", json!("Testperson 12")),
        ("name", json!(["a"])),
        ("emails", json!([[{"value": "a"}]])),
        ("emails", json!([{"primary": "perhaps"}])),
        ("x509Certificates", json!([{"value": "no base64!"}])),
        (scim::ENTERPRISE_USER, json!({"manager": [{"value": "a"}, {"value": "b"}]})),
        (scim::CLINICAL_USER, json!({"startDate": "yesterday"})),
        (scim::CLINICAL_USER, json!({"kind": "robot"})),
    ] {
        let error = read(with(member, value.clone()), user_type(), Dialect::Tolerant).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidValue)), "{member} {value}");
        assert!(!error.detail.contains("perhaps") && !error.detail.contains("yesterday"), "{}", error.detail);
    }
    for body in
        [json!([]), json!("x"), json!(null), with("schemas", json!([1])), with(scim::ENTERPRISE_USER, json!("x"))]
    {
        assert_eq!(keyword(read(body, user_type(), Dialect::Tolerant)), Some(ScimType::InvalidSyntax));
    }
}

#[test]
fn values_of_every_type_are_read() {
    let body = json!({"userName": "t12", "x509Certificates": [{"value": "TWFu"}, {"value": "TWE"}, {"value": "_-8="}],
        "photos": [{"value": "https://hosp.example/p.png"}], "emails": [{"value": "a@x", "type": "ward"}],
        scim::CLINICAL_USER: {"kind": "HUMAN", "startDate": "2026-07-01", "endDate": "2026-07-31T19:00:00-05:00"}});

    let stored = attrs(body);

    assert_eq!(stored["x509Certificates"].as_array().unwrap().len(), 3);
    assert_eq!(stored["emails"][0]["type"], "ward", "canonical values are suggestions");
    assert_eq!(stored[scim::CLINICAL_USER]["kind"], "human", "a closed list is stored in its own spelling");
}

#[test]
fn a_list_of_more_than_2000_values_is_refused_and_members_are_not_counted() {
    let roles: Vec<Value> = (0..2_001).map(|n| json!({"value": n.to_string()})).collect();

    assert_eq!(
        keyword(read(with("roles", json!(roles)), user_type(), Dialect::Tolerant)),
        Some(ScimType::InvalidValue)
    );
    let group = read(json!({"displayName": "All", "members": roles}), group_type(), Dialect::Tolerant).unwrap();
    assert_eq!(group.members.unwrap().len(), 2_001);
}

#[test]
fn members_come_apart_from_the_group_each_once_and_in_order() {
    let body = json!({"schemas": [scim::GROUP], "displayName": "Night shift", "members": [
        {"value": "U-2", "display": "Testperson 2", "type": "user"}, {"value": "U-1", "$ref": "../Groups/U-1"}, {"value": "U-2", "$ref": null}]});

    let parsed = read(body, group_type(), Dialect::Rfc).unwrap();

    let members = parsed.members.unwrap();
    assert_eq!(members.iter().map(|m| m.value.as_str()).collect::<Vec<_>>(), ["U-2", "U-1"]);
    assert_eq!((members[0].kind.as_deref(), members[1].kind.as_deref()), (Some("User"), Some("Group")));
    assert_eq!(members[0].display.as_deref(), Some("Testperson 2"));
    assert!(!parsed.resource.attrs.contains_key("members"));
}

#[test]
fn absent_and_empty_members_differ() {
    let members = |body: Value| read(body, group_type(), Dialect::Tolerant).unwrap().members;

    assert_eq!(members(json!({"displayName": "a"})), None);
    assert_eq!(members(json!({"displayName": "a", "members": []})), Some(vec![]));
    let nameless = read(json!({"displayName": "a", "members": [{"display": "x"}]}), group_type(), Dialect::Tolerant);
    assert_eq!(keyword(nameless), Some(ScimType::InvalidValue));
}

#[test]
fn put_keeps_what_clients_cannot_write_and_what_they_cannot_read() {
    let mut old = user(json!({"userName": "t12", "title": "Nurse", "password": "old-secret",
        scim::ENTERPRISE_USER: {"department": "Imaging", "manager": {"value": "M-1"}}}));
    old.attrs[scim::ENTERPRISE_USER]["manager"]["displayName"] = json!("Testperson 1");
    old.attrs.insert(scim::GOVERNANCE_USER.into(), json!({"state": "active"}));
    let same_manager = user(json!({"userName": "t12b", scim::ENTERPRISE_USER: {"manager": {"value": "M-1"}}}));
    let other_manager =
        user(json!({"userName": "t12b", "password": "new", scim::ENTERPRISE_USER: {"manager": {"value": "M-2"}}}));

    let kept = same_manager.replace_into(&old, user_type()).unwrap();
    let moved = other_manager.replace_into(&old, user_type()).unwrap();

    assert_eq!(
        Value::Object(kept.attrs),
        json!({"userName": "t12b", "password": "old-secret", scim::GOVERNANCE_USER: {"state": "active"},
        scim::ENTERPRISE_USER: {"manager": {"value": "M-1", "displayName": "Testperson 1"}}})
    );
    assert_eq!(moved.attrs[scim::ENTERPRISE_USER]["manager"], json!({"value": "M-2"}));
    assert_eq!(moved.attrs["password"], "new");
}

#[test]
fn values_are_found_by_key() {
    let given = user(full_user());
    let values = |key: &str| given.get(&user_type().key(key).unwrap()).cloned().collect::<Vec<_>>();

    assert_eq!(values("emails.value"), [json!("t12@hosp.example"), json!("t12@home.example")]);
    assert_eq!(values("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value"), [json!("M-1")]);
    assert_eq!(values("userName"), [json!("Testperson.12@hosp.example")]);
    assert!(values("title").is_empty() && values("name.middleName").is_empty());
    assert_eq!((given.external_id(), given.text("displayName")), (Some("701984"), Some("Testperson 12")));
}

#[test]
fn a_password_can_be_taken_out_before_storing() {
    let mut given = user(with("password", json!("secret")));

    let taken = given.take_write_only(user_type());

    assert_eq!(
        (Value::Object(taken), given),
        (json!({"password": "secret"}), Resource { attrs: user(json!({"userName": "t12"})).attrs })
    );
}
