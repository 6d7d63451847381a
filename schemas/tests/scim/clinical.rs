//! The flat forms of the clinical extension (governance, 4.1).

use crate::given::{DIALECTS, doc, keyword, patched, read, user, user_type};
use scim::{Dialect, Filter, ListQuery, Projection, ScimType, document, matches};
use serde_json::{Value, json};

const CLINICAL: &str = scim::CLINICAL_USER;

fn clinical(extension: Value) -> Value {
    user(json!({"userName": "t12", CLINICAL: extension})).attrs[CLINICAL].clone()
}

fn after(extension: Value, operations: Value) -> Value {
    let old = user(json!({"userName": "t12", CLINICAL: extension}));
    patched(&old, operations, Dialect::Tolerant).unwrap()[CLINICAL].clone()
}

fn set(name: &str, value: &str) -> Value {
    json!({"op": "replace", "path": format!("{CLINICAL}:{name}"), "value": value})
}

fn full() -> Value {
    json!({"kind": "human", "jobCode": "RES2", "startDate": "2026-07-01", "endDate": "2029-06-30",
        "assignments": [
            {"facility": "EAST", "department": "MED-10501", "jobCode": "RES2", "primary": true, "validFrom": "2026-07-01", "validTo": "2026-07-31"},
            {"facility": "EAST", "department": "ED-10200", "jobCode": "RES2", "validFrom": "2026-08-01", "validTo": "2026-08-31"}],
        "credentials": [
            {"type": "license", "jurisdiction": "MA", "number": "T-55120", "validTo": "2027-06-30", "status": "active"},
            {"type": "privilege", "value": "IM-RESIDENT", "validFrom": "2026-07-01", "validTo": "2029-06-30", "status": "granted"},
            {"type": "training", "value": "EHR-PHYS-101", "completedOn": "2026-06-24", "status": "complete"}]})
}

#[test]
fn the_lists_are_stored_as_they_are_sent() {
    assert_eq!(clinical(full()), full());
}

#[test]
fn flat_attributes_become_the_primary_assignment_and_the_one_licence() {
    let flat = json!({"facility1": "WEST", "department1": "ICU", "jobCode": "RN1", "startDate": "2026-07-01", "endDate": "2027-06-30",
        "licenseNumber": "T-1", "licenseExpiry": "2027-01-31"});

    let expected = json!({"jobCode": "RN1", "startDate": "2026-07-01", "endDate": "2027-06-30",
        "assignments": [{"facility": "WEST", "department": "ICU", "jobCode": "RN1", "validFrom": "2026-07-01", "validTo": "2027-06-30", "primary": true}],
        "credentials": [{"type": "license", "number": "T-1", "validTo": "2027-01-31"}]});
    assert_eq!(clinical(flat), expected);
}

#[test]
fn flat_attributes_and_lists_in_one_request_are_refused() {
    for extension in [
        json!({"facility1": "WEST", "assignments": [{"facility": "EAST"}]}),
        json!({"licenseNumber": "T-1", "credentials": [{"type": "license"}]}),
        json!({"licenseExpiry": "2027-01-31", "assignments": [{"facility": "EAST"}]}),
    ] {
        for dialect in DIALECTS {
            let body = json!({"schemas": [scim::USER, CLINICAL], "userName": "t12", CLINICAL: extension});
            assert_eq!(keyword(read(body, user_type(), dialect)), Some(ScimType::InvalidValue));
        }
    }
    let operations = json!([set("facility1", "WEST"), {"op": "remove", "path": format!("{CLINICAL}:assignments")}]);
    assert_eq!(
        keyword(patched(&user(json!({"userName": "t12"})), operations, Dialect::Rfc)),
        Some(ScimType::InvalidValue)
    );
}

#[test]
fn a_patch_of_a_flat_attribute_changes_the_primary_assignment_or_the_licence() {
    let moved = after(full(), json!([set("facility1", "WEST"), set("licenseExpiry", "2028-06-30")]));
    let made = after(
        json!({"kind": "human"}),
        json!([set("department1", "ICU"), set("licenseNumber", "T-2"), set("jobCode", "RN1")]),
    );

    assert_eq!(
        (&moved["assignments"][0]["facility"], &moved["assignments"][1]["facility"]),
        (&json!("WEST"), &json!("EAST"))
    );
    assert_eq!(moved["credentials"][0]["validTo"], "2028-06-30");
    assert_eq!(made["assignments"], json!([{"department": "ICU", "jobCode": "RN1", "primary": true}]));
    assert_eq!(made["credentials"], json!([{"type": "license", "number": "T-2"}]));
}

#[test]
fn the_primary_assignment_follows_the_person_for_as_long_as_it_says_the_same() {
    let promoted = after(full(), json!([set("jobCode", "RES3"), set("endDate", "2030-06-30")]));

    assert_eq!((&promoted["jobCode"], &promoted["assignments"][0]["jobCode"]), (&json!("RES3"), &json!("RES3")));
    assert_eq!(promoted["assignments"][0]["validTo"], "2026-07-31", "a rotation has an end of its own");
    assert_eq!(promoted["assignments"][1]["jobCode"], "RES2");
}

#[test]
fn several_licences_have_no_flat_form() {
    let two = json!({"credentials": [{"type": "license", "number": "A"}, {"type": "license", "number": "B"}]});
    let old = user(json!({"userName": "t12", CLINICAL: two}));

    assert!(patched(&old, json!([set("licenseNumber", "C")]), Dialect::Tolerant).is_err());
    assert!(document(user_type(), "U", old.clone(), doc(&old).meta)[CLINICAL].get("licenseNumber").is_none());
}

#[test]
fn flat_attributes_are_answered_on_request_and_can_be_filtered() {
    let given = user(json!({"userName": "t12", CLINICAL: full()}));
    let answer = document(user_type(), "U", given.clone(), doc(&given).meta);
    let asked =
        Projection::parse(Some(&format!("{CLINICAL}:facility1,{CLINICAL}:licenseNumber")), None, user_type()).unwrap();
    let pairs =
        [("filter".to_owned(), format!(r#"{CLINICAL}:facility1 eq "EAST" and {CLINICAL}:licenseExpiry sw "2027""#))];
    let filter = ListQuery::from_query(&pairs, Some(user_type()), Dialect::Rfc).unwrap().filter.unwrap();

    assert_eq!(
        asked.apply(answer.clone(), user_type())[CLINICAL],
        json!({"facility1": "EAST", "licenseNumber": "T-55120"})
    );
    assert!(Projection::default().apply(answer, user_type())[CLINICAL].get("facility1").is_none());
    assert!(matches(&filter, user_type(), &doc(&given)));
    assert_ne!(filter, Filter::parse(&pairs[0].1).unwrap(), "it names what is stored");
}

#[test]
fn a_service_or_agent_needs_somebody_who_answers_for_it() {
    let body = |extension: Value| read(json!({"userName": "t12", CLINICAL: extension}), user_type(), Dialect::Tolerant);

    for kind in ["service", "agent"] {
        assert_eq!(keyword(body(json!({"kind": kind}))), Some(ScimType::InvalidValue));
        assert!(body(json!({"kind": kind, "ownerId": "U-1", "purpose": "reports", "reviewBy": "2027-01-01"})).is_ok());
    }
    assert!(body(json!({"kind": "guest"})).is_ok());
}
