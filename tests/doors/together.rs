//! Many clients at once, and what none of them may see: secrets.

use super::{Own, own};
use crate::conformance::given::{TOKEN, USER, fresh, group, house, made, query, user};
use serde_json::json;

#[tokio::test]
async fn eight_clients_that_patch_one_group_at_once_lose_no_member() {
    let own = own("tolerant");
    let mut people = Vec::new();
    for n in 0..64 {
        people.push(made(&own.client, "/Users", &user(&format!("Testperson {n} Example"))).await);
    }
    let leavers: Vec<&str> = people[..8].iter().map(String::as_str).collect();
    let ward = made(&own.client, "/Groups", &group(&fresh("Ward"), &leavers)).await;
    let path = format!("/Groups/{ward}");

    let mut clients = Vec::new();
    for worker in 0..8 {
        let (client, path, people) = (own.gateway.client(TOKEN), path.clone(), people.clone());
        clients.push(tokio::spawn(async move {
            for step in 0..7 {
                let add =
                    json!([{ "op": "Add", "path": "members", "value": [{ "value": people[8 + worker * 7 + step] }] }]);
                assert_eq!(client.patch(&path, add).await.status, 204);
            }
            let remove = json!([{ "op": "remove", "path": format!("members[value eq \"{}\"]", people[worker]) }]);
            assert_eq!(client.patch(&path, remove).await.status, 204);
        }));
    }
    for client in clients {
        client.await.unwrap();
    }

    let now = own.client.get(&path).await;
    let mut members: Vec<&str> =
        now.body["members"].as_array().unwrap().iter().map(|one| one["value"].as_str().unwrap()).collect();
    members.sort_unstable();
    let mut expected: Vec<&str> = people[8..].iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(members, expected);
}

#[tokio::test]
async fn eight_clients_that_patch_one_user_at_once_are_all_heard() {
    let own = own("rfc");
    let id = made(&own.client, "/Users", &user("Testperson 9")).await;
    let path = format!("/Users/{id}");
    let clients: Vec<_> = (0..8)
        .map(|worker| {
            let (client, path) = (own.gateway.client(TOKEN), path.clone());
            tokio::spawn(async move {
                for step in 0..5 {
                    let add = json!([{ "op": "add", "path": "emails", "value": [{ "value": format!("{worker}.{step}@hosp.example") }] }]);
                    assert_eq!(client.patch(&path, add).await.status, 200);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }

    assert_eq!(own.client.get(&path).await.body["emails"].as_array().unwrap().len(), 40);
}

#[tokio::test]
async fn secrets_are_in_no_answer_no_log_and_no_file() {
    let password = "canary-Password-7f3a9c";
    let mut own = own("tolerant");
    let mut body = user("Testperson 10");
    body["password"] = json!(password);
    let mut answers = vec![own.client.post("/Users", &body).await];
    let path = format!("/Users/{}", answers[0].id());
    answers.push(own.client.put(&path, &body).await);
    answers.push(own.client.patch(&path, json!([{ "op": "Replace", "path": "password", "value": password }])).await);
    answers.push(own.client.patch(&path, json!([{ "op": "replace", "value": { "password": password } }])).await);
    answers.push(own.client.get(&format!("{path}?attributes=password,userName")).await);
    answers
        .push(own.client.get(&format!("/Users{}", query(&[("filter", &format!("password eq \"{password}\""))]))).await);
    answers.push(own.client.get(&format!("/Users?sortBy=password&x={password}")).await);
    let bulk = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [
        { "method": "POST", "path": "/Users", "bulkId": "1", "data": { "schemas": [USER], "userName": "Testperson 11", "password": password } },
        { "method": "PATCH", "path": path, "data": { "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{ "op": "replace", "path": "password", "value": [password] }] } },
    ] });
    answers.push(own.client.post("/Bulk", &bulk).await);
    // Where it does not belong, it must not be repeated either.
    answers.push(
        own.client
            .patch(&path, json!([{ "op": "replace", "path": "active", "value": { "password": password } }]))
            .await,
    );
    answers.push(
        own.client.raw("GET", "/Users", &[("authorization", &format!("Bearer {password}"))], None).await.unwrap(),
    );
    answers.push(own.client.get(&format!("/Users?filter={password}")).await);

    for answer in &answers {
        let text = String::from_utf8_lossy(&answer.raw);
        assert!(answer.status < 500, "{text}");
        assert!(!text.contains(TOKEN), "{text}");
    }
    // The filter's text is the client's own question: the last answer may repeat a piece of it.
    for answer in &answers[..answers.len() - 1] {
        assert!(!String::from_utf8_lossy(&answer.raw).contains(password), "{}", answer.body);
    }
    let log = own.gateway.log();
    let Own { gateway, folder, .. } = &mut own;
    let _pid = gateway.pid();
    for secret in [password, TOKEN] {
        assert!(!log.contains(secret), "the log holds {secret}");
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let place = entry.unwrap().path();
            if place.is_file() {
                let octets = std::fs::read(&place).unwrap();
                assert!(
                    !octets.windows(secret.len()).any(|part| part == secret.as_bytes()),
                    "{} holds {secret}",
                    place.display()
                );
            }
        }
    }
    assert!(!log.contains("Testperson"), "the log names a person");
}

#[tokio::test]
async fn a_minted_token_is_kept_as_a_hash_only() {
    let house = house();
    for token in [&house.rfc, &house.tolerant, &house.interop] {
        let secret = token.split_once('.').unwrap().1.to_owned();
        assert!(secret.len() > 20, "the secret part of a token");
        assert!(!house.gateway.log().contains(&secret));
        for entry in std::fs::read_dir(house.folder.path()).unwrap() {
            let place = entry.unwrap().path();
            if place.is_file() {
                let octets = std::fs::read(&place).unwrap();
                assert!(!octets.windows(secret.len()).any(|part| part == secret.as_bytes()), "{}", place.display());
            }
        }
    }
}
