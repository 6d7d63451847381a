//! Bulk (RFC 7644, section 3.7).

use super::given::{BULK, fails, fresh, group, made, plain, query, user};
use harness::{Answer, Client};
use serde_json::{Value, json};

async fn bulk(client: &Client, operations: Value) -> Answer {
    client.post("/Bulk", &json!({ "schemas": [BULK], "Operations": operations })).await
}

fn statuses(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["Operations"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect()
}

fn id_of(operation: &Value) -> &str {
    operation["location"].as_str().unwrap().rsplit('/').next().unwrap()
}

#[tokio::test]
async fn rfc7644_3_7_3_each_operation_is_answered_with_its_own_status_place_and_version() {
    let server = plain();
    let client = server.client();
    let old = made(&client, "/Users", &user(&fresh("old"))).await;
    let gone = made(&client, "/Users", &user(&fresh("gone"))).await;
    let (new, renamed) = (fresh("new"), fresh("renamed"));
    let patch = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{ "op": "add", "path": "nickName", "value": "N" }] });

    let answer = bulk(
        &client,
        json!([
            { "method": "POST", "path": "/Users", "bulkId": "q", "data": user(&new) },
            { "method": "PUT", "path": format!("/Users/{old}"), "data": user(&renamed) },
            { "method": "PATCH", "path": format!("/Users/{old}"), "data": patch },
            { "method": "DELETE", "path": format!("/Users/{gone}") },
        ]),
    )
    .await;

    assert_eq!(statuses(&answer), ["201", "200", "200", "204"], "{}", answer.body);
    assert_eq!(answer.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]));
    let done = answer.body["Operations"].as_array().unwrap();
    assert_eq!((&done[0]["method"], &done[0]["bulkId"]), (&json!("POST"), &json!("q")));
    let created = client.get(&format!("/Users/{}", id_of(&done[0]))).await;
    assert_eq!(created.body["userName"], new);
    assert_eq!(created.header("etag"), done[0]["version"].as_str());
    assert_eq!(created.body["meta"]["location"], done[0]["location"]);
    let changed = client.get(&format!("/Users/{old}")).await;
    assert_eq!((&changed.body["userName"], &changed.body["nickName"]), (&json!(renamed), &json!("N")));
    assert_eq!(changed.header("etag"), done[2]["version"].as_str());
    assert_eq!(client.get(&format!("/Users/{gone}")).await.status, 404);
}

#[tokio::test]
async fn rfc7644_3_7_2_references_are_resolved_backwards_and_forwards() {
    let server = plain();
    let client = server.client();
    let mut person = user(&fresh("managed"));
    person["schemas"] = json!([super::given::USER, super::given::ENTERPRISE]);
    person[super::given::ENTERPRISE] = json!({ "manager": { "value": "bulkId:boss" } });

    let answer = bulk(
        &client,
        json!([
            { "method": "POST", "path": "/Groups", "bulkId": "ward", "data": group(&fresh("Ward"), &["bulkId:person"]) },
            { "method": "POST", "path": "/Users", "bulkId": "person", "data": person },
            { "method": "POST", "path": "/Users", "bulkId": "boss", "data": user(&fresh("boss")) },
        ]),
    )
    .await;

    assert_eq!(statuses(&answer), ["201", "201", "201"], "{}", answer.body);
    let done = answer.body["Operations"].as_array().unwrap();
    let ward = client.get(&format!("/Groups/{}", id_of(&done[0]))).await;
    assert_eq!(ward.body["members"][0]["value"], id_of(&done[1]));
    let managed = client.get(&format!("/Users/{}", id_of(&done[1]))).await;
    assert_eq!(managed.body[super::given::ENTERPRISE]["manager"]["value"], id_of(&done[2]));
}

#[tokio::test]
async fn rfc7644_3_7_1_circular_references_are_resolved() {
    let server = plain();
    let client = server.client();
    let person = |name: &str, manager: &str| {
        let mut body = user(name);
        body["schemas"] = json!([super::given::USER, super::given::ENTERPRISE]);
        body[super::given::ENTERPRISE] = json!({ "manager": { "value": manager } });
        body
    };

    let answer = bulk(
        &client,
        json!([
            { "method": "POST", "path": "/Users", "bulkId": "a", "data": person(&fresh("ring"), "bulkId:b") },
            { "method": "POST", "path": "/Users", "bulkId": "b", "data": person(&fresh("ring"), "bulkId:a") },
        ]),
    )
    .await;

    assert_eq!(statuses(&answer), ["201", "201"], "{}", answer.body);
    let done = answer.body["Operations"].as_array().unwrap();
    for (one, other) in [(0, 1), (1, 0)] {
        let read = client.get(&format!("/Users/{}", id_of(&done[one]))).await;
        assert_eq!(read.body[super::given::ENTERPRISE]["manager"]["value"], id_of(&done[other]));
        assert_eq!(read.header("etag"), done[one]["version"].as_str(), "the version is the last one");
    }
}

#[tokio::test]
async fn rfc7644_3_7_1_groups_in_a_ring_are_refused_one_by_one_and_never_a_server_error() {
    let server = plain();
    let client = server.client();

    let answer = bulk(
        &client,
        json!([
            { "method": "POST", "path": "/Groups", "bulkId": "a", "data": group(&fresh("Ring"), &["bulkId:b"]) },
            { "method": "POST", "path": "/Groups", "bulkId": "b", "data": group(&fresh("Ring"), &["bulkId:a"]) },
            { "method": "POST", "path": "/Groups", "bulkId": "self", "data": group(&fresh("Self"), &["bulkId:self"]) },
            { "method": "POST", "path": "/Users", "bulkId": "fine", "data": user(&fresh("fine")) },
        ]),
    )
    .await;

    let statuses = statuses(&answer);
    assert_eq!((statuses[2], statuses[3]), ("400", "201"), "{}", answer.body);
    assert!(statuses[..2].contains(&"400"), "one of the two must fail: {}", answer.body);
    assert!(statuses.iter().all(|status| status.parse::<u16>().unwrap() < 500));
}

#[tokio::test]
async fn rfc7644_3_7_a_reference_in_a_path_and_in_a_patch_is_resolved() {
    let server = plain();
    let client = server.client();
    let ward = made(&client, "/Groups", &group(&fresh("Ward"), &[])).await;
    let patch = |operations: Value| json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });

    let answer = bulk(
        &client,
        json!([
            { "method": "POST", "path": "/Users", "bulkId": "n", "data": user(&fresh("path")) },
            { "method": "PATCH", "path": "/Users/bulkId:n", "data": patch(json!([{ "op": "add", "path": "nickName", "value": "N" }])) },
            { "method": "PATCH", "path": format!("/Groups/{ward}"), "data": patch(json!([{ "op": "add", "path": "members", "value": [{ "value": "bulkId:n" }] }])) },
        ]),
    )
    .await;

    let found = statuses(&answer);
    assert_eq!((found[0], found[1]), ("201", "200"), "{}", answer.body);
    let id = id_of(&answer.body["Operations"][0]);
    assert_eq!(client.get(&format!("/Users/{id}")).await.body["nickName"], "N");
    assert_eq!(client.get(&format!("/Groups/{ward}")).await.body["members"][0]["value"], id);
}

#[tokio::test]
async fn rfc7644_3_7_3_an_operation_that_fails_leaves_the_others_alone() {
    let server = plain();
    let client = server.client();
    let taken = fresh("taken");
    made(&client, "/Users", &user(&taken)).await;

    let answer = bulk(
        &client,
        json!([
            { "method": "POST", "path": "/Users", "bulkId": "1", "data": user(&taken) },
            { "method": "POST", "path": "/Users", "bulkId": "2", "data": { "schemas": [super::given::USER] } },
            { "method": "DELETE", "path": "/Users/0199-nobody" },
            { "method": "POST", "path": "/Nowhere", "bulkId": "3", "data": user(&fresh("x")) },
            { "method": "POST", "path": "/Groups", "bulkId": "4", "data": group(&fresh("G"), &["bulkId:2"]) },
            { "method": "POST", "path": "/Users", "bulkId": "5", "data": user(&fresh("fine")) },
        ]),
    )
    .await;

    let found = statuses(&answer);
    assert_eq!((found[0], found[1], found[2], found[5]), ("409", "400", "404", "201"), "{}", answer.body);
    assert!(found[3].starts_with('4') && found[4].starts_with('4'), "{}", answer.body);
    for failed in &answer.body["Operations"].as_array().unwrap()[..5] {
        assert_eq!(failed["response"]["schemas"], json!([super::given::ERROR]), "{failed}");
        assert_eq!(failed["response"]["status"], failed["status"]);
    }
    assert_eq!(answer.body["Operations"][0]["response"]["scimType"], "uniqueness");
    assert_eq!(answer.body["Operations"][0].get("location"), None, "a POST that failed has no place");
}

#[tokio::test]
async fn rfc7644_3_7_3_fail_on_errors_stops_when_so_many_have_failed() {
    let server = plain();
    let client = server.client();
    let (stem, bad) = (fresh("stop"), json!({ "schemas": [super::given::USER] }));
    let good = |n: u8| json!({ "method": "POST", "path": "/Users", "bulkId": format!("g{n}"), "data": user(&format!("{stem}{n}")) });
    let wrong = |n: u8| json!({ "method": "POST", "path": "/Users", "bulkId": format!("w{n}"), "data": bad });
    let operations = json!([good(1), wrong(1), good(2), wrong(2), good(3)]);

    let answer = client.post("/Bulk", &json!({ "schemas": [BULK], "failOnErrors": 2, "Operations": operations })).await;

    assert_eq!(statuses(&answer), ["201", "400", "201", "400"], "what was not tried is not answered");
    let filter = format!("userName sw \"{stem}\"");
    let found = client.get(&format!("/Users{}", query(&[("filter", &filter)]))).await;
    assert_eq!(found.body["totalResults"], 2);
}

#[tokio::test]
async fn rfc7644_3_7_a_version_is_a_condition_of_one_operation() {
    let server = plain();
    let client = server.client();
    let id = made(&client, "/Users", &user(&fresh("version"))).await;
    let delete = |version: &str| json!([{ "method": "DELETE", "path": format!("/Users/{id}"), "version": version }]);

    assert_eq!(statuses(&bulk(&client, delete("W/\"99\"")).await), ["412"]);
    assert_eq!(statuses(&bulk(&client, delete("W/\"1\"")).await), ["204"]);
}

#[tokio::test]
async fn rfc7644_3_7_4_too_many_or_too_much_is_413_and_nothing_is_done() {
    let server = plain();
    let client = server.client();
    let stem = fresh("much");
    let operations: Vec<Value> = (0..1_001)
        .map(|n| json!({ "method": "POST", "path": "/Users", "bulkId": n.to_string(), "data": user(&format!("{stem}{n}")) }))
        .collect();
    fails(&bulk(&client, operations.into()).await, 413, None);
    let mut one = user(&format!("{stem}-large"));
    one["nickName"] = "x".repeat(2 << 20).into();
    fails(&bulk(&client, json!([{ "method": "POST", "path": "/Users", "bulkId": "1", "data": one }])).await, 413, None);

    let found = client.get(&format!("/Users{}", query(&[("filter", &format!("userName sw \"{stem}\""))]))).await;
    assert_eq!(found.body["totalResults"], 0);
}

#[tokio::test]
async fn rfc7644_3_7_a_body_that_is_no_bulk_request_is_400() {
    let server = plain();
    let client = server.client();
    for body in [
        json!({}),
        json!([]),
        json!({ "schemas": [BULK] }),
        json!({ "schemas": [BULK], "Operations": {} }),
        json!({ "schemas": ["urn:x"], "Operations": [] }),
        json!({ "schemas": [BULK], "Operations": ["text"] }),
        json!({ "schemas": [BULK], "failOnErrors": "two", "Operations": [] }),
    ] {
        fails(&client.post("/Bulk", &body).await, 400, Some("invalidSyntax"));
    }
    // A POST without bulkId, or a bulkId twice, is that operation's mistake or the request's; never a success.
    let twice = json!([
        { "method": "POST", "path": "/Users", "bulkId": "same", "data": user(&fresh("twice")) },
        { "method": "POST", "path": "/Users", "bulkId": "same", "data": user(&fresh("twice")) },
    ]);
    let answer = bulk(&client, twice).await;
    let refused = answer.status == 400 || statuses(&answer).contains(&"400");
    assert!(refused, "{}", answer.body);
}
