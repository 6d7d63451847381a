//! The table of `scim-beyond-7644`, section 2, cell by cell.

use crate::given::{DIALECTS, full_user, group_type, keyword, patch, patched, read, user, user_type};
use scim::{Dialect, MemberOp, ScimError, ScimType};
use serde_json::{Value, json};

fn sections<T>(result: Result<T, ScimError>, breaches: impl Fn(&T) -> Vec<&'static str>) -> Vec<&'static str> {
    result.map(|parsed| breaches(&parsed)).unwrap()
}

#[test]
fn an_undefined_attribute_in_a_body_is_dropped_or_refused() {
    let bodies = [
        json!({"schemas": [scim::USER], "userName": "t12", "shoeSize": 43}),
        json!({"schemas": [scim::USER, "urn:example:unknown"], "userName": "t12"}),
        json!({"schemas": [scim::USER], "userName": "t12", "urn:example:unknown": {"a": 1}}),
        json!({"schemas": [scim::USER], "userName": "t12", "emails": [{"verified": true}]}),
        json!({"schemas": [scim::USER], "userName": "t12", scim::ENTERPRISE_USER: {"floor": "3"}}),
    ];
    let names = [
        "shoeSize",
        "urn:example:unknown",
        "urn:example:unknown",
        "emails.verified",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.floor",
    ];
    for (body, name) in bodies.into_iter().zip(names) {
        let tolerant = read(body.clone(), user_type(), Dialect::Tolerant).unwrap();
        let rfc = read(body.clone(), user_type(), Dialect::Rfc).unwrap();

        assert_eq!(tolerant.resource.attrs, user(json!({"userName": "t12"})).attrs, "{name}");
        assert_eq!((tolerant.ignored, rfc.ignored), (vec![name.to_owned()], vec![]));
        assert_eq!(rfc.breaches[0].section, "5.3");
        assert_eq!(keyword(read(body, user_type(), Dialect::Interop)), Some(ScimType::InvalidSyntax), "{name}");
    }
}

#[test]
fn an_undefined_attribute_as_a_path_is_dropped_or_refused() {
    for path in ["shoeSize", "urn:example:unknown:a", "emails.verified", "nothing[a eq \"secret\"]"] {
        let operations = json!([{"op": "replace", "path": path, "value": "x"}]);

        let tolerant = patch(operations.clone(), user_type(), Dialect::Tolerant).unwrap();

        assert_eq!(tolerant.ignored(), [path.split('[').next().unwrap()]);
        assert_eq!(tolerant.apply(&user(full_user()), user_type()), Ok(None));
        assert_eq!(keyword(patch(operations.clone(), user_type(), Dialect::Rfc)), Some(ScimType::InvalidPath));
        assert_eq!(keyword(patch(operations, user_type(), Dialect::Interop)), Some(ScimType::InvalidSyntax));
    }
}

#[test]
fn an_operation_without_a_path_is_applied_or_refused() {
    let old = user(full_user());
    let replace = json!([{"op": "replace", "value": {"title": "Nurse"}}]);
    let remove = json!([{"op": "remove"}]);

    for dialect in [Dialect::Tolerant, Dialect::Rfc] {
        assert_eq!(patched(&old, replace.clone(), dialect).unwrap()["title"], "Nurse");
        assert_eq!(keyword(patch(remove.clone(), user_type(), dialect)), Some(ScimType::NoTarget));
        assert_eq!(
            sections(patch(replace.clone(), user_type(), dialect), |p| p
                .breaches()
                .iter()
                .map(|b| b.section)
                .collect()),
            ["6.5.1.1"]
        );
    }
    for operations in [replace, remove] {
        assert_eq!(keyword(patch(operations, user_type(), Dialect::Interop)), Some(ScimType::InvalidSyntax));
    }
}

#[test]
fn replacing_a_whole_complex_attribute_merges_or_replaces() {
    let old = user(full_user());
    let operations = json!([{"op": "replace", "path": "name", "value": {"givenName": "Other"}}]);
    let name = |dialect| patched(&old, operations.clone(), dialect).unwrap()["name"].clone();

    assert_eq!(
        name(Dialect::Tolerant),
        json!({"formatted": "Testperson 12 Example", "familyName": "Example", "givenName": "Other"})
    );
    assert_eq!(name(Dialect::Rfc), name(Dialect::Tolerant));
    assert_eq!(name(Dialect::Interop), json!({"givenName": "Other"}));
}

#[test]
fn adding_to_a_complex_attribute_merges_in_every_dialect_and_to_a_simple_one_sets_it() {
    let operations = json!([{"op": "add", "path": "name", "value": {"givenName": "Other"}}, {"op": "add", "path": "title", "value": "Nurse"}]);
    for dialect in DIALECTS {
        let after = patched(&user(full_user()), operations.clone(), dialect).unwrap();

        assert_eq!((&after["name"]["givenName"], &after["name"]["familyName"]), (&json!("Other"), &json!("Example")));
        assert_eq!(after["title"], "Nurse");
    }
}

#[test]
fn a_path_that_ends_at_an_element_is_applied_or_only_removed() {
    let old = user(full_user());
    let replace =
        json!([{"op": "replace", "path": "emails[type eq \"home\"]", "value": {"value": "new@x", "type": "home"}}]);
    let remove = json!([{"op": "remove", "path": "emails[type eq \"home\"]"}]);

    for dialect in [Dialect::Tolerant, Dialect::Rfc] {
        assert_eq!(
            patched(&old, replace.clone(), dialect).unwrap()["emails"][1],
            json!({"value": "new@x", "type": "home"})
        );
    }
    assert_eq!(keyword(patch(replace, user_type(), Dialect::Interop)), Some(ScimType::InvalidPath));
    for dialect in DIALECTS {
        assert_eq!(patched(&old, remove.clone(), dialect).unwrap()["emails"].as_array().unwrap().len(), 1, "{dialect}");
        let member =
            patch(json!([{"op": "remove", "path": "members[value eq \"U-1\"]"}]), group_type(), dialect).unwrap();
        assert_eq!(member.members(), [MemberOp::Remove(vec!["U-1".into()])]);
    }
}

#[test]
fn a_path_filter_that_matches_several_elements_changes_all_or_is_refused() {
    let old = user(full_user());
    let operations = json!([{"op": "replace", "path": "emails[value co \"@\"].display", "value": "x"}]);

    for dialect in [Dialect::Tolerant, Dialect::Rfc] {
        let after = patched(&old, operations.clone(), dialect).unwrap();
        assert!(after["emails"].as_array().unwrap().iter().all(|email| email["display"] == "x"));
    }
    assert_eq!(keyword(patched(&old, operations, Dialect::Interop)), Some(ScimType::InvalidFilter));
}

#[test]
fn replacing_on_a_filter_without_a_match_makes_the_element_or_is_no_target() {
    let old = user(json!({"userName": "t12"}));
    let operations = json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "a@x"}]);

    assert_eq!(
        patched(&old, operations.clone(), Dialect::Tolerant).unwrap()["emails"],
        json!([{"type": "work", "value": "a@x"}])
    );
    for dialect in [Dialect::Rfc, Dialect::Interop] {
        assert_eq!(keyword(patched(&old, operations.clone(), dialect)), Some(ScimType::NoTarget));
    }
}

#[test]
fn what_only_tolerance_takes_is_refused_elsewhere_and_counted() {
    let bodies = [
        json!({"schemas": [scim::USER], "userName": "t12", "active": "True"}),
        json!({"schemas": [scim::USER], "userName": "t12", "emails": [{"value": "a@x", "primary": "true"}]}),
        json!({"schemas": [scim::USER], "userName": "t12", scim::ENTERPRISE_USER: {"manager": "M-1"}}),
        json!({"schemas": [scim::USER], "userName": 12}),
        json!({"schemas": [scim::USER], "userName": "t12", "emails": {"value": "a@x"}}),
        json!({"schemas": [scim::USER], "userName": "t12", "emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}),
    ];
    for body in bodies {
        assert_eq!(read(body.clone(), user_type(), Dialect::Tolerant).unwrap().breaches.len(), 1, "{body}");
        for dialect in [Dialect::Rfc, Dialect::Interop] {
            assert_eq!(
                keyword(read(body.clone(), user_type(), dialect)),
                Some(ScimType::InvalidValue),
                "{dialect} {body}"
            );
        }
    }
    let operation = json!([{"op": "Replace", "path": "title", "value": "x"}]);
    assert_eq!(
        sections(patch(operation.clone(), user_type(), Dialect::Tolerant), |p| p
            .breaches()
            .iter()
            .map(|b| b.section)
            .collect()),
        ["7644 3.5.2"]
    );
    assert_eq!(keyword(patch(operation, user_type(), Dialect::Rfc)), Some(ScimType::InvalidSyntax));
}

#[test]
fn a_message_without_its_schema_uri_is_taken_by_tolerance_only() {
    let body = json!({"userName": "t12"});

    assert_eq!(read(body.clone(), user_type(), Dialect::Tolerant).unwrap().breaches[0].section, "7644 3.1");
    assert_eq!(keyword(read(body.clone(), user_type(), Dialect::Rfc)), Some(ScimType::InvalidSyntax));
    assert_eq!(
        keyword(read(json!({"schemas": [scim::GROUP], "userName": "t12"}), user_type(), Dialect::Rfc)),
        Some(ScimType::InvalidSyntax)
    );
}

#[test]
fn a_dialect_is_named_in_lower_case_and_defaults_to_tolerant() {
    for dialect in DIALECTS {
        assert_eq!(dialect.to_string().parse(), Ok(dialect));
        assert_eq!(serde_json::to_value(dialect).unwrap(), Value::from(dialect.as_str()));
    }
    assert_eq!(Dialect::default(), Dialect::Tolerant);
    assert!("strict".parse::<Dialect>().is_err());
}
