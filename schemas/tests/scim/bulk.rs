use crate::given::keyword;
use scim::{
    BULK_REQUEST, BulkMethod, BulkRequest, Dialect, ScimError, ScimType, order, references, substitute, substitute_path,
};
use serde_json::{Value, json};
use std::collections::HashMap;

fn read(operations: Value, dialect: Dialect) -> Result<BulkRequest, ScimError> {
    BulkRequest::parse(json!({"schemas": [BULK_REQUEST], "failOnErrors": 3, "Operations": operations}), dialect)
}

fn post(id: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({"value": format!("bulkId:{id}")})).collect();
    json!({"method": "POST", "path": "/Groups", "bulkId": id, "data": {"displayName": id, "members": members}})
}

fn ordered(operations: Value) -> scim::BulkOrder {
    order(&read(operations, Dialect::Rfc).unwrap().operations)
}

#[test]
fn a_request_is_read_in_its_order() {
    let operations = json!([
        {"method": "POST", "path": "/Users", "bulkId": "u", "data": {"userName": "t12"}},
        {"method": "PATCH", "path": "/Groups/G-1", "version": "W/\"2\"", "data": {"Operations": []}},
        {"method": "DELETE", "path": "/Users/U-9", "data": null},
    ]);

    let request = read(operations, Dialect::Rfc).unwrap();

    assert_eq!(request.fail_on_errors, Some(3));
    assert_eq!(
        request.operations.iter().map(|one| one.method).collect::<Vec<_>>(),
        [BulkMethod::Post, BulkMethod::Patch, BulkMethod::Delete]
    );
    assert_eq!(request.operations[1].version.as_deref(), Some("W/\"2\""));
    assert_eq!((request.operations[0].bulk_id.as_deref(), &request.operations[2].data), (Some("u"), &None));
}

#[test]
fn a_malformed_request_is_refused() {
    for operations in [
        json!({}),
        json!(["x"]),
        json!([{"method": "GET", "path": "/Users"}]),
        json!([{"method": "PUT"}]),
        json!([{"method": "POST", "path": "/Users"}]),
        json!([{"method": "post", "path": "/Users", "bulkId": "a"}]),
    ] {
        assert_eq!(keyword(read(operations, Dialect::Rfc)), Some(ScimType::InvalidSyntax));
    }
    assert_eq!(keyword(read(json!([post("a", &[]), post("a", &[])]), Dialect::Rfc)), Some(ScimType::InvalidValue));
    assert_eq!(
        keyword(BulkRequest::parse(
            json!({"schemas": [BULK_REQUEST], "failOnErrors": 0, "Operations": []}),
            Dialect::Rfc
        )),
        Some(ScimType::InvalidSyntax)
    );
    assert!(
        read(json!([{"method": "post", "path": "Users", "data": {}}]), Dialect::Tolerant).unwrap().operations[0].path
            == "/Users"
    );
}

#[test]
fn references_are_found_wherever_they_stand() {
    let value = json!({"a": "bulkId:one", "b": [{"$ref": "/Users/bulkId:two"}, "members[value eq \"bulkId:three\"].x", "bulkId:one"],
        "c": "see bulkId:none", "d": "bulkId:", "e": "bulkId:with space"});

    assert_eq!(references(&value), ["one", "two", "three", "with space"]);
}

#[test]
fn what_is_referred_to_runs_first_forwards_and_backwards() {
    let result = ordered(json!([post("c", &["b"]), post("b", &["a"]), post("a", &[]), post("d", &["a"])]));

    assert_eq!(result.sequence, [2, 1, 0, 3]);
    assert!(result.cycles.is_empty() && result.selfish.is_empty() && result.unknown.is_empty());
}

#[test]
fn operations_without_references_keep_their_order() {
    assert_eq!(ordered(json!([post("a", &[]), post("b", &[]), post("c", &[])])).sequence, [0, 1, 2]);
}

#[test]
fn a_circle_stands_together_after_what_it_needs() {
    let result = ordered(json!([post("a", &["b"]), post("b", &["c", "x"]), post("c", &["a"]), post("x", &[])]));

    assert_eq!((result.sequence, result.cycles), (vec![3, 0, 1, 2], vec![vec![0, 1, 2]]));
}

#[test]
fn a_reference_to_itself_or_to_nothing_is_named() {
    let result = ordered(
        json!([post("a", &["a"]), post("b", &["nowhere"]), {"method": "PUT", "path": "/Users/bulkId:gone", "data": {}}]),
    );

    assert_eq!(result.selfish, [0]);
    assert_eq!(result.unknown, [(1, "nowhere".to_owned()), (2, "gone".to_owned())]);
    assert_eq!(result.sequence, [0, 1, 2]);
}

#[test]
fn a_path_is_a_reference_too() {
    let result = ordered(json!([{"method": "PATCH", "path": "/Groups/bulkId:g", "data": {}}, post("g", &[])]));

    assert_eq!(result.sequence, [1, 0]);
}

#[test]
fn ids_take_the_places_of_bulk_ids() {
    let ids = HashMap::from([("one".to_owned(), "U-1".to_owned()), ("two".to_owned(), "U-2".to_owned())]);
    let mut value = json!({"a": "bulkId:one", "b": ["/Users/bulkId:two", "members[value eq \"bulkId:one\" or value eq \"bulkId:two\"]"], "c": "bulkId:other", "d": "see bulkId:one"});

    substitute(&mut value, &ids);

    assert_eq!(
        value,
        json!({"a": "U-1", "b": ["/Users/U-2", "members[value eq \"U-1\" or value eq \"U-2\"]"], "c": "bulkId:other", "d": "see bulkId:one"})
    );
    assert_eq!(substitute_path("/Groups/bulkId:two", &ids), "/Groups/U-2");
    assert_eq!(substitute_path("/Groups/G-1", &ids), "/Groups/G-1");
}

#[test]
fn a_chain_of_5000_operations_is_ordered_on_a_small_stack() {
    let operations: Vec<Value> = (0..5_000).map(|n| post(&n.to_string(), &[&(n + 1).to_string()])).collect();
    let request = read(Value::Array(operations), Dialect::Rfc).unwrap();

    let thread = std::thread::Builder::new().stack_size(256 * 1024).spawn(move || order(&request.operations).sequence);

    assert_eq!(thread.unwrap().join().unwrap(), (0..5_000).rev().collect::<Vec<_>>());
}
