//! SCIM groups as objects in a directory: through the door, over the wire, into the tree.

use fixtures::faults::Fault;
use harness::hospital::Wiring;
use harness::{Client, Gateway, Hospital, TestDirectory};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

const SYNC: &str = "urn:chartgate:params:scim:schemas:extension:sync:1.0:Group";
const GROUPS: &str = "ou=entitlements,dc=hosp,dc=example";
const PLACEHOLDER: &str = "uid=placeholder,ou=services,dc=hosp,dc=example";

/// The hospital's directory, whose groups are objects instead of entitlements.
fn hospital(tree: &TestDirectory) -> Hospital {
    let group = format!("group = {{ base = \"{GROUPS}\", placeholder = \"{PLACEHOLDER}\" }}\n");
    let mapping = "[target.group]\nkey = [\"cn\"]\nmembers = \"member\"\n\
        attributes = { cn = \"group.displayName\", description = \"group.externalId\" }\n\
        [target.layers.timeout]\nread = 2\nwrite = 2\n";
    let wiring = Wiring {
        directory: Some(tree.url()),
        directory_settings: &(group + "message_timeout_ms = 500\noperation_timeout_ms = 1500\n"),
        directory_more: mapping,
        ..Wiring::default()
    };
    let hospital = Hospital::new(&wiring);
    let text = fs::read_to_string(&hospital.config).unwrap();
    let (before, rest) = text.split_once("[[target.settings.entitlement]]").unwrap();
    let (_, account) = rest.split_once("[target.account]").unwrap();
    let (account, _) = account.split_once("[[role]]").unwrap();
    fs::write(&hospital.config, format!("{before}[target.account]{account}")).unwrap();
    hospital
}

async fn hire(client: &Client, number: u32) -> String {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": format!("person{number}"), "active": true,
        "name": { "familyName": "Example", "givenName": "Test" },
    });
    let answer = client.post("/Users", &body).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    answer.id()
}

fn refs(ids: &[&String]) -> Value {
    ids.iter().map(|id| json!({ "value": id })).collect()
}

/// The members of a group in the tree, without the one that keeps it from being empty.
async fn members(tree: &TestDirectory, name: &str) -> BTreeSet<String> {
    let mut found = tree.search(GROUPS, &format!("(cn={name})"), &["member"]).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let members = found.remove(0).attrs.remove("member").unwrap_or_default();
    members.into_iter().filter(|member| member != PLACEHOLDER).collect()
}

fn people(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| format!("uid={name},ou=people,dc=hosp,dc=example")).collect()
}

async fn etag(client: &Client, user: &str) -> Value {
    client.get(&format!("/Users/{user}")).await.body["meta"]["version"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scim_group_is_a_group_of_the_directory_with_its_members() {
    let tree = TestDirectory::small().await;
    let TestDirectory::Small(small) = &tree else { unreachable!("the small one was asked for") };
    let hospital = hospital(&tree);
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));
    let settled = || gateway.settled(Duration::from_secs(60));
    let (one, two, three) = (hire(&client, 1).await, hire(&client, 2).await, hire(&client, 3).await);
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "ward4", "externalId": "w-4",
        "members": refs(&[&one, &two]),
    });
    let made = client.post("/Groups", &body).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let group = format!("/Groups/{}", made.id());
    settled().await;
    assert_eq!(members(&tree, "ward4").await, people(&["person1", "person2"]));
    let before = etag(&client, &three).await;

    // The answers to this and the next change are lost: what was written is found, and nothing is doubled.
    small.faults().plan("modify", Fault::TimeoutAfterCommit, 2);
    let path = format!("members[value eq \"{one}\"]");
    let swap = json!([{ "op": "remove", "path": path }, { "op": "add", "path": "members", "value": refs(&[&three]) }]);
    assert_eq!(client.patch(&group, swap).await.status, 204);
    settled().await;
    assert_eq!(members(&tree, "ward4").await, people(&["person2", "person3"]));
    assert_eq!(etag(&client, &three).await, before, "a group moves no user's ETag");

    let renamed = json!([{ "op": "replace", "path": "userName", "value": "renamed3" }]);
    assert_eq!(client.patch(&format!("/Users/{three}"), renamed).await.status, 200);
    let left = json!([{ "op": "replace", "path": "active", "value": false }]);
    assert_eq!(client.patch(&format!("/Users/{two}"), left).await.status, 200);
    settled().await;
    assert_eq!(members(&tree, "ward4").await, people(&["renamed3"]));

    let name = json!([{ "op": "replace", "path": "displayName", "value": "ward5" }]);
    assert_eq!(client.patch(&group, name).await.status, 204);
    settled().await;
    assert_eq!(members(&tree, "ward5").await, people(&["renamed3"]));

    let told = client.get(&format!("{group}?attributes={SYNC}")).await;
    let target = &told.body[SYNC]["targets"][0];
    assert_eq!(
        (&target["target"], &target["kind"], &target["state"]),
        (&json!("directory"), &json!("group"), &json!("linked"))
    );
    assert!(target["nativeId"].is_string() && target["lastSuccess"].is_string(), "{target}");

    assert_eq!(client.delete(&group).await.status, 204);
    settled().await;
    assert_eq!(
        members(&tree, "ward5").await,
        people(&["renamed3"]),
        "a deleted group is kept unless the policy says else"
    );
}
