//! Where the three dialects differ, and what none of them may do.

use super::given::{USER, column, fails, fresh, group, house, made, query, user};
use harness::{Answer, Client};
use serde_json::{Value, json};

/// One client per dialect.
struct Dialects {
    interop: Client,
    rfc: Client,
    tolerant: Client,
    _house: std::sync::Arc<super::given::House>,
}

fn dialects() -> Dialects {
    let house = house();
    let client = |token: &str| house.gateway.client(token);
    Dialects {
        interop: client(&house.interop),
        rfc: client(&house.rfc),
        tolerant: client(&house.tolerant),
        _house: house,
    }
}

/// A fresh user of this client, patched.
async fn patched(client: &Client, operations: Value) -> Answer {
    let mut body = user(&fresh("dialect"));
    body["name"] = json!({ "familyName": "Example", "givenName": "Testperson" });
    body["emails"] = json!([{ "value": "a", "type": "work" }, { "value": "b", "type": "home" }]);
    body["nickName"] = json!("old");
    let id = made(client, "/Users", &body).await;
    let answer = client.patch(&format!("/Users/{id}"), operations).await;
    if answer.status >= 300 {
        assert_eq!(client.get(&format!("/Users/{id}")).await.header("etag"), Some("W/\"1\""), "nothing is stored");
    }
    answer
}

#[tokio::test]
async fn interop_5_3_an_unknown_attribute_in_a_body_is_refused_or_dropped() {
    let dialects = dialects();
    let body = |name: String| {
        let mut body = user(&name);
        body["shoeSize"] = json!(43);
        body["urn:example:unknown:2.0:User"] = json!({ "a": 1 });
        body
    };

    fails(&dialects.interop.post("/Users", &body(fresh("unknown"))).await, 400, Some("invalidSyntax"));
    for client in [&dialects.rfc, &dialects.tolerant] {
        let answer = client.post("/Users", &body(fresh("unknown"))).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        assert_eq!((answer.body.get("shoeSize"), answer.body.get("urn:example:unknown:2.0:User")), (None, None));
        assert_eq!(answer.body["schemas"], json!([USER]));
    }
}

#[tokio::test]
async fn interop_5_3_an_unknown_attribute_as_a_path_is_refused_or_dropped() {
    let dialects = dialects();
    let operations = json!([
        { "op": "replace", "path": "shoeSize", "value": 43 },
        { "op": "replace", "path": "nickName", "value": "new" },
    ]);

    fails(&patched(&dialects.interop, operations.clone()).await, 400, Some("invalidSyntax"));
    fails(&patched(&dialects.rfc, operations.clone()).await, 400, Some("invalidPath"));
    let answer = patched(&dialects.tolerant, operations).await;
    assert_eq!((answer.status, &answer.body["nickName"]), (200, &json!("new")));
}

#[tokio::test]
async fn interop_6_5_1_1_an_operation_without_a_path() {
    let dialects = dialects();
    let replace = json!([{ "op": "replace", "value": { "nickName": "new" } }]);

    fails(&patched(&dialects.interop, replace.clone()).await, 400, Some("invalidSyntax"));
    fails(&patched(&dialects.interop, json!([{ "op": "remove" }])).await, 400, Some("invalidSyntax"));
    for client in [&dialects.rfc, &dialects.tolerant] {
        let answer = patched(client, replace.clone()).await;
        assert_eq!((answer.status, &answer.body["nickName"]), (200, &json!("new")));
        fails(&patched(client, json!([{ "op": "remove" }])).await, 400, Some("noTarget"));
    }
}

#[tokio::test]
async fn interop_6_5_2_1_replace_of_a_whole_complex_attribute_replaces_or_merges() {
    let dialects = dialects();
    let replace = json!([{ "op": "replace", "path": "name", "value": { "familyName": "New" } }]);
    let add = json!([{ "op": "add", "path": "name", "value": { "familyName": "New" } }]);
    let merged = json!({ "familyName": "New", "givenName": "Testperson" });

    assert_eq!(patched(&dialects.interop, replace.clone()).await.body["name"], json!({ "familyName": "New" }));
    for client in [&dialects.rfc, &dialects.tolerant] {
        assert_eq!(patched(client, replace.clone()).await.body["name"], merged);
    }
    for client in [&dialects.interop, &dialects.rfc, &dialects.tolerant] {
        assert_eq!(patched(client, add.clone()).await.body["name"], merged);
    }
}

#[tokio::test]
async fn interop_6_5_2_2_a_path_that_ends_at_an_element() {
    let dialects = dialects();
    let replace =
        json!([{ "op": "replace", "path": "emails[type eq \"work\"]", "value": { "value": "n", "type": "work" } }]);
    let remove = json!([{ "op": "remove", "path": "emails[type eq \"work\"]" }]);

    fails(&patched(&dialects.interop, replace.clone()).await, 400, Some("invalidPath"));
    for client in [&dialects.rfc, &dialects.tolerant] {
        assert_eq!(patched(client, replace.clone()).await.status, 200);
    }
    for client in [&dialects.interop, &dialects.rfc, &dialects.tolerant] {
        let answer = patched(client, remove.clone()).await;
        assert_eq!((answer.status, answer.body["emails"].as_array().unwrap().len()), (200, 1));
    }
}

#[tokio::test]
async fn interop_6_5_3_a_path_filter_that_matches_several() {
    let dialects = dialects();
    let several = json!([{ "op": "replace", "path": "emails[value pr].display", "value": "D" }]);

    fails(&patched(&dialects.interop, several.clone()).await, 400, Some("invalidFilter"));
    for client in [&dialects.rfc, &dialects.tolerant] {
        let answer = patched(client, several.clone()).await;
        assert!(answer.body["emails"].as_array().unwrap().iter().all(|one| one["display"] == "D"), "{}", answer.body);
    }
}

#[tokio::test]
async fn interop_6_3_a_filter_on_an_unknown_attribute_is_400_for_all() {
    let dialects = dialects();
    for client in [&dialects.interop, &dialects.rfc, &dialects.tolerant] {
        for path in ["/Users", "/Groups"] {
            let unknown = query(&[("filter", "shoeSize eq \"43\"")]);
            fails(&client.get(&format!("{path}{unknown}")).await, 400, Some("invalidFilter"));
        }
    }
}

#[tokio::test]
async fn interop_6_6_a_delete_deletes_for_all() {
    let dialects = dialects();
    for client in [&dialects.interop, &dialects.rfc, &dialects.tolerant] {
        let name = fresh("delete");
        let id = made(client, "/Users", &user(&name)).await;
        assert_eq!(client.delete(&format!("/Users/{id}")).await.status, 204);
        fails(&client.get(&format!("/Users/{id}")).await, 404, None);
        made(client, "/Users", &user(&name)).await;
    }
}

#[tokio::test]
async fn interop_6_9_1_a_taken_name_is_409_on_post_and_patch_for_all() {
    let dialects = dialects();
    for client in [&dialects.interop, &dialects.rfc, &dialects.tolerant] {
        let name = fresh("taken");
        made(client, "/Users", &user(&name)).await;
        fails(&client.post("/Users", &user(&name)).await, 409, Some("uniqueness"));
        let rename = json!([{ "op": "replace", "path": "userName", "value": name }]);
        fails(&patched(client, rename).await, 409, Some("uniqueness"));
    }
}

#[tokio::test]
async fn entra_capital_operations_and_text_booleans_are_understood_in_tolerant_only() {
    let dialects = dialects();
    let disable = json!([{ "op": "Replace", "path": "active", "value": "False" }]);

    let answer = patched(&dialects.tolerant, disable.clone()).await;
    assert_eq!((answer.status, &answer.body["active"]), (200, &json!(false)), "{}", answer.body);
    assert_eq!(patched(&dialects.rfc, disable).await.status, 400);
    let mut body = user(&fresh("text"));
    body["active"] = json!("True");
    body["emails"] = json!([{ "value": "a", "primary": "true" }]);
    let created = dialects.tolerant.post("/Users", &body).await;
    assert_eq!((&created.body["active"], &created.body["emails"][0]["primary"]), (&json!(true), &json!(true)));
    fails(&dialects.rfc.post("/Users", &body).await, 400, Some("invalidValue"));
}

#[tokio::test]
async fn entra_a_path_without_a_match_makes_the_element_in_tolerant_and_is_no_target_in_rfc() {
    let dialects = dialects();
    let replace = json!([{ "op": "Replace", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "555-0100" }]);
    let lower = json!([{ "op": "replace", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "555-0100" }]);

    let answer = patched(&dialects.tolerant, replace).await;
    assert_eq!(answer.body["phoneNumbers"], json!([{ "type": "mobile", "value": "555-0100" }]));
    fails(&patched(&dialects.rfc, lower).await, 400, Some("noTarget"));
}

#[tokio::test]
async fn entra_dotted_and_urn_keys_in_a_value_without_a_path_are_understood_in_tolerant() {
    let dialects = dialects();
    let enterprise = super::given::ENTERPRISE;
    let value = json!({ "name.givenName": "New", format!("{enterprise}:employeeNumber"): "42", "active": "False" });

    let answer = patched(&dialects.tolerant, json!([{ "op": "replace", "value": value }])).await;

    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["name"], json!({ "familyName": "Example", "givenName": "New" }));
    assert_eq!((&answer.body[enterprise]["employeeNumber"], &answer.body["active"]), (&json!("42"), &json!(false)));
}

#[tokio::test]
async fn entra_a_bare_manager_and_members_removed_by_a_list_of_values_in_tolerant() {
    let dialects = dialects();
    let client = &dialects.tolerant;
    let enterprise = super::given::ENTERPRISE;
    let answer =
        patched(client, json!([{ "op": "Add", "path": format!("{enterprise}:manager"), "value": "26118915" }])).await;
    assert_eq!(answer.body[enterprise]["manager"]["value"], "26118915", "{}", answer.body);

    let ids = [made(client, "/Users", &user(&fresh("m"))).await, made(client, "/Users", &user(&fresh("m"))).await];
    let ward = made(client, "/Groups", &group(&fresh("Ward"), &[&ids[0], &ids[1]])).await;
    let remove = json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": ids[0] }] }]);
    assert_eq!(client.patch(&format!("/Groups/{ward}"), remove).await.status, 204);
    let left = client.get(&format!("/Groups/{ward}")).await;
    assert_eq!(left.body["members"].as_array().unwrap().len(), 1, "one is removed, not all");
    assert_eq!(left.body["members"][0]["value"], ids[1]);
}

#[tokio::test]
async fn okta_a_rename_without_a_path_keeps_the_members_in_tolerant() {
    let dialects = dialects();
    let client = &dialects.tolerant;
    let id = made(client, "/Users", &user(&fresh("m"))).await;
    let (ward, name) = (made(client, "/Groups", &group(&fresh("Ward"), &[&id])).await, fresh("Renamed"));

    let answer = client
        .patch(&format!("/Groups/{ward}"), json!([{ "op": "replace", "value": { "id": ward, "displayName": name } }]))
        .await;

    assert!(answer.status < 300, "{}", answer.body);
    let now = client.get(&format!("/Groups/{ward}")).await;
    assert_eq!((&now.body["displayName"], &now.body["members"][0]["value"]), (&json!(name), &json!(id)));
}

#[tokio::test]
async fn validator_9_a_groups_name_is_taken_once_per_source_in_tolerant() {
    let dialects = dialects();
    let name = fresh("Twice");
    let id = made(&dialects.tolerant, "/Groups", &group(&name, &[])).await;

    fails(&dialects.tolerant.post("/Groups", &group(&name.to_uppercase(), &[])).await, 409, Some("uniqueness"));
    let own = json!([{ "op": "Replace", "path": "displayName", "value": name }]);
    assert!(dialects.tolerant.patch(&format!("/Groups/{id}"), own).await.status < 300, "its own name is no conflict");
    let found =
        dialects.tolerant.get(&format!("/Groups{}", query(&[("filter", &format!("displayName eq \"{name}\""))]))).await;
    assert_eq!(column(&found, "id"), [id]);
}

#[tokio::test]
async fn decisions_14_an_external_id_is_each_sources_own() {
    let dialects = dialects();
    let (name, own, other) = (fresh("shared"), fresh("own"), fresh("other"));
    let mut body = user(&name);
    body["externalId"] = json!(own);
    let id = made(&dialects.rfc, "/Users", &body).await;
    let path = format!("/Users/{id}");
    assert_eq!(dialects.tolerant.get(&path).await.body.get("externalId"), None, "another's is not shown");

    let set = json!([{ "op": "add", "path": "externalId", "value": other }]);
    assert_eq!(dialects.tolerant.patch(&path, set).await.body["externalId"], other);

    assert_eq!(dialects.rfc.get(&path).await.body["externalId"], own);
    let find = query(&[("filter", &format!("externalId eq \"{own}\""))]);
    assert_eq!(dialects.tolerant.get(&format!("/Users{find}")).await.body["totalResults"], 0);
    assert_eq!(dialects.rfc.get(&format!("/Users{find}")).await.body["totalResults"], 1);
}
