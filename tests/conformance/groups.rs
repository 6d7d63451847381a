//! Groups and their members (RFC 7643, section 4.2; RFC 7644, section 3.5.2).

use super::given::{column, fails, fresh, group, made, plain, query, user};
use harness::Client;
use serde_json::{Value, json};

async fn people(client: &Client, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(made(client, "/Users", &user(&fresh("member"))).await);
    }
    ids
}

async fn members(client: &Client, id: &str) -> Vec<String> {
    let answer = client.get(&format!("/Groups/{id}")).await;
    let listed = answer.body["members"].as_array().cloned().unwrap_or_default();
    let mut ids: Vec<String> = listed.iter().map(|one| one["value"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

fn sorted(ids: &[&String]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn rfc7643_4_2_a_group_shows_its_members_with_type_and_ref() {
    let server = plain();
    let client = server.client();
    let [one] = &people(&client, 1).await[..] else { unreachable!() };

    let answer = client.post("/Groups", &group(&fresh("Ward"), &[one])).await;

    assert_eq!(answer.status, 201, "{}", answer.body);
    let member = &answer.body["members"][0];
    assert_eq!((&member["value"], &member["type"]), (&json!(one), &json!("User")));
    let place = client.get(&format!("/Users/{one}")).await;
    assert_eq!(member["$ref"], place.body["meta"]["location"]);
}

#[tokio::test]
async fn rfc7643_4_1_2_a_users_groups_are_told_direct_and_indirect_and_cannot_be_written() {
    let server = plain();
    let client = server.client();
    let ids = people(&client, 1).await;
    let inner = made(&client, "/Groups", &group(&fresh("Inner"), &[&ids[0]])).await;
    let outer = made(&client, "/Groups", &group(&fresh("Outer"), &[&inner])).await;
    let path = format!("/Users/{}", ids[0]);

    let read = client.get(&path).await;

    let kinds: Vec<(String, String)> = read.body["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["value"].as_str().unwrap().to_owned(), one["type"].as_str().unwrap().to_owned()))
        .collect();
    assert!(kinds.contains(&(inner.clone(), "direct".into())), "{kinds:?}");
    assert!(kinds.contains(&(outer, "indirect".into())), "{kinds:?}");
    fails(&client.patch(&path, json!([{ "op": "remove", "path": "groups" }])).await, 400, Some("mutability"));
    let mut body = read.body.clone();
    body["groups"] = json!([]);
    assert_eq!(client.put(&path, &body).await.status, 200);
    assert_eq!(members(&client, &inner).await, [ids[0].clone()]);
}

#[tokio::test]
async fn rfc7644_3_5_2_members_are_added_and_removed_in_every_form() {
    let server = plain();
    let client = server.client();
    let ids = people(&client, 4).await;
    let id = made(&client, "/Groups", &group(&fresh("Forms"), &[&ids[0]])).await;
    let path = format!("/Groups/{id}");
    let steps: [(Value, Vec<&String>); 9] = [
        (json!({ "op": "add", "path": "members", "value": [{ "value": ids[1] }] }), vec![&ids[0], &ids[1]]),
        (json!({ "op": "add", "path": "members", "value": [{ "value": ids[1] }] }), vec![&ids[0], &ids[1]]),
        (json!({ "op": "add", "value": { "members": [{ "value": ids[2] }] } }), vec![&ids[0], &ids[1], &ids[2]]),
        (json!({ "op": "remove", "path": format!("members[value eq \"{}\"]", ids[0]) }), vec![&ids[1], &ids[2]]),
        (json!({ "op": "remove", "path": format!("members[value eq \"{}\"]", ids[0]) }), vec![&ids[1], &ids[2]]),
        (
            json!({ "op": "replace", "path": "members", "value": [{ "value": ids[3] }, { "value": ids[0] }] }),
            vec![&ids[0], &ids[3]],
        ),
        (json!({ "op": "replace", "value": { "displayName": fresh("Renamed") } }), vec![&ids[0], &ids[3]]),
        (json!({ "op": "remove", "path": "members" }), vec![]),
        (json!({ "op": "replace", "path": "members", "value": [] }), vec![]),
    ];
    for (operation, expected) in steps {
        let answer = client.patch(&path, json!([operation])).await;
        assert!([200, 204].contains(&answer.status), "{operation}: {}", answer.body);
        assert_eq!(members(&client, &id).await, sorted(&expected), "{operation}");
    }
}

#[tokio::test]
async fn rfc7644_3_5_2_a_group_patch_is_204_and_200_where_attributes_are_asked_for() {
    let server = plain();
    let client = server.client();
    let ids = people(&client, 1).await;
    let id = made(&client, "/Groups", &group(&fresh("Silent"), &[])).await;
    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": ids[0] }] }]);

    let silent = client.patch(&format!("/Groups/{id}"), add.clone()).await;
    let told = client.patch(&format!("/Groups/{id}?attributes=members"), add).await;

    assert_eq!((silent.status, silent.raw.len()), (204, 0));
    assert!(silent.header("etag").is_some());
    assert_eq!((told.status, &told.body["members"][0]["value"]), (200, &json!(ids[0])));
}

#[tokio::test]
async fn rfc7644_3_5_2_a_rename_and_members_in_one_patch_are_all_or_nothing() {
    let server = plain();
    let client = server.client();
    let ids = people(&client, 2).await;
    let name = fresh("Atomic");
    let id = made(&client, "/Groups", &group(&name, &[&ids[0]])).await;
    let path = format!("/Groups/{id}");
    let bad = json!([
        { "op": "replace", "path": "displayName", "value": "Half" },
        { "op": "add", "path": "members", "value": [{ "value": ids[1] }] },
        { "op": "replace", "path": "noSuch", "value": 1 },
    ]);

    fails(&client.patch(&path, bad).await, 400, Some("invalidPath"));

    let now = client.get(&path).await;
    assert_eq!(now.body["displayName"], name);
    assert_eq!(members(&client, &id).await, [ids[0].clone()]);
}

#[tokio::test]
async fn rfc7644_3_5_1_a_put_replaces_the_members_it_names() {
    let server = plain();
    let client = server.client();
    let ids = people(&client, 3).await;
    let name = fresh("Put");
    let id = made(&client, "/Groups", &group(&name, &[&ids[0], &ids[1]])).await;

    let answer = client.put(&format!("/Groups/{id}"), &group(&name, &[&ids[2]])).await;

    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(members(&client, &id).await, [ids[2].clone()]);
    assert_eq!(client.put(&format!("/Groups/{id}"), &group(&name, &[])).await.status, 200);
    assert_eq!(members(&client, &id).await, [""; 0]);
}

#[tokio::test]
async fn rfc7643_4_2_a_member_must_exist_and_a_group_never_contains_itself() {
    let server = plain();
    let client = server.client();
    let name = fresh("Strange");
    fails(&client.post("/Groups", &group(&name, &["0199-nobody"])).await, 400, Some("invalidValue"));
    let inner = made(&client, "/Groups", &group(&fresh("Inner"), &[])).await;
    let outer = made(&client, "/Groups", &group(&fresh("Outer"), &[&inner])).await;
    for member in [&inner, &outer] {
        let add = json!([{ "op": "add", "path": "members", "value": [{ "value": member }] }]);
        fails(&client.patch(&format!("/Groups/{inner}"), add).await, 400, Some("invalidValue"));
    }
    assert_eq!(members(&client, &inner).await, [""; 0]);
}

#[tokio::test]
async fn rfc7644_3_6_a_deleted_user_is_a_member_no_more() {
    let server = plain();
    let client = server.client();
    let ids = people(&client, 2).await;
    let id = made(&client, "/Groups", &group(&fresh("Leaver"), &[&ids[0], &ids[1]])).await;

    assert_eq!(client.delete(&format!("/Users/{}", ids[0])).await.status, 204);

    assert_eq!(members(&client, &id).await, [ids[1].clone()]);
}

#[tokio::test]
async fn decisions_10_a_group_change_moves_no_users_version() {
    let server = plain();
    let client = server.client();
    let ids = people(&client, 1).await;
    let before = client.get(&format!("/Users/{}", ids[0])).await;

    made(&client, "/Groups", &group(&fresh("Still"), &[&ids[0]])).await;

    assert_eq!(client.get(&format!("/Users/{}", ids[0])).await.header("etag"), before.header("etag"));
}

#[tokio::test]
async fn rfc7644_3_4_2_groups_are_found_by_name_and_by_member() {
    let server = plain();
    let client = server.client();
    let ids = people(&client, 2).await;
    let name = fresh("Found");
    made(&client, "/Groups", &group(&name, &[&ids[0]])).await;
    for (filter, expected) in [
        (format!("displayName eq \"{}\"", name.to_uppercase()), 1),
        (format!("members[value eq \"{}\"]", ids[0]), 1),
        (format!("members.value eq \"{}\"", ids[0]), 1),
        (format!("members.value eq \"{}\" and displayName sw \"{name}\"", ids[1]), 0),
        (format!("members pr and displayName eq \"{name}\""), 1),
    ] {
        let answer =
            client.get(&format!("/Groups{}", query(&[("filter", &filter), ("excludedAttributes", "members")]))).await;
        assert_eq!(answer.status, 200, "{filter}: {}", answer.body);
        assert_eq!(column(&answer, "displayName").len(), expected, "{filter}");
        assert!(
            answer.body["Resources"].as_array().is_none_or(|all| all.iter().all(|one| one.get("members").is_none()))
        );
    }
}
