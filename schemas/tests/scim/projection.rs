use crate::given::{doc, full_user, group_type, keyword, user, user_type};
use scim::{Object, Projection, Returned, ScimType, document};
use serde_json::{Value, json};

/// A full answer, with what other parts of the service put in.
fn answer() -> Object {
    let mut given = user(full_user());
    given.attrs.insert("password".into(), json!("secret"));
    let mut out = document(user_type(), "U-12", given.clone(), doc(&given).meta);
    out.insert("groups".into(), json!([{"value": "G-1", "display": "Nights"}]));
    out.insert(scim::SYNC_USER.into(), json!({"targets": [{"target": "directory", "state": "linked"}]}));
    out
}

fn projected(attributes: Option<&str>, excluded: Option<&str>) -> Value {
    Value::Object(Projection::parse(attributes, excluded, user_type()).unwrap().apply(answer(), user_type()))
}

fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_document_names_its_schemas_its_id_and_its_meta() {
    let given = user(json!({"userName": "t12", scim::CLINICAL_USER: {"kind": "human"}}));

    let out = document(user_type(), "U-12", given.clone(), doc(&given).meta);

    assert_eq!(
        Value::Object(out),
        json!({
        "schemas": [scim::USER, scim::CLINICAL_USER], "id": "U-12", "userName": "t12", scim::CLINICAL_USER: {"kind": "human"},
        "meta": {"resourceType": "User", "created": "2026-01-01T00:00:00Z", "lastModified": "2026-07-01T12:00:00Z",
            "location": "https://scim.hosp.example/Users/U-12", "version": "W/\"3\""}})
    );
}

#[test]
fn by_default_neither_secrets_nor_what_is_returned_on_request_are_answered() {
    let out = projected(None, None);

    assert!(out.get("password").is_none() && out.get(scim::SYNC_USER).is_none());
    assert!(out.get("groups").is_some() && out.get(scim::ENTERPRISE_USER).is_some());
    assert_eq!(out["schemas"], json!([scim::USER, scim::ENTERPRISE_USER]));
}

#[test]
fn named_attributes_come_with_those_that_always_do() {
    let out = projected(Some("USERNAME, name.familyName,emails.value,password,unknown,"), None);

    assert_eq!(names(&out), ["emails", "id", "name", "schemas", "userName"]);
    assert_eq!(out["name"], json!({"familyName": "Example"}));
    assert_eq!(out["emails"], json!([{"value": "t12@hosp.example"}, {"value": "t12@home.example"}]));
    assert_eq!(out["schemas"], json!([scim::USER]));
}

#[test]
fn an_extension_is_named_by_its_uri_as_a_whole_or_in_part() {
    let whole = projected(Some(scim::SYNC_USER), None);
    let part = projected(Some("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value"), None);
    let unqualified = projected(Some("department"), None);

    assert_eq!(names(&whole), ["id", "schemas", scim::SYNC_USER]);
    assert_eq!(whole["schemas"], json!([scim::USER, scim::SYNC_USER]));
    assert_eq!(part[scim::ENTERPRISE_USER], json!({"manager": {"value": "M-1"}}));
    assert_eq!(unqualified[scim::ENTERPRISE_USER], json!({"department": "Imaging"}));
}

#[test]
fn excluded_attributes_go_but_for_those_that_always_come() {
    let out = projected(
        None,
        Some("id,schemas,emails.value,groups,meta,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"),
    );

    assert_eq!(
        names(&out),
        ["active", "addresses", "displayName", "emails", "externalId", "id", "name", "roles", "schemas", "userName"]
    );
    assert_eq!(out["emails"], json!([{"type": "work", "primary": true}, {"type": "home"}]));
    assert_eq!(out["schemas"], json!([scim::USER]));
}

#[test]
fn both_parameters_in_one_request_are_refused_and_empty_ones_say_nothing() {
    assert_eq!(keyword(Projection::parse(Some("a"), Some("b"), user_type())), Some(ScimType::InvalidValue));
    assert_eq!(
        Projection::parse(Some(""), Some("userName"), user_type()),
        Projection::parse(None, Some("userName"), user_type())
    );
    assert_eq!(Projection::parse(Some(" ,"), None, user_type()), Ok(Projection::default()));
}

#[test]
fn a_caller_learns_what_it_need_not_read() {
    let wants = |attributes, excluded| {
        let projection = Projection::parse(attributes, excluded, group_type()).unwrap();
        (
            projection.wants("members", Returned::Default),
            projection.wants(scim::SYNC_GROUP, Returned::Request),
            projection.is_asked(),
        )
    };

    assert_eq!(wants(None, None), (true, false, false));
    assert_eq!(wants(None, Some("members")), (false, false, false));
    assert_eq!(wants(None, Some("members.display")), (true, false, false));
    assert_eq!(wants(Some("displayName"), None), (false, false, true));
    assert_eq!(
        wants(Some("members.value,urn:chartgate:params:scim:schemas:extension:sync:1.0:Group:targets"), None),
        (true, true, true)
    );
    assert!(
        !Projection::default().wants("password", Returned::Never)
            && Projection::default().wants("id", Returned::Always)
    );
}
