//! A plugin that dies again and again, and the rest of the gateway.

use harness::{Gateway, Hospital, TestDirectory, hospital::Wiring};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

/// Greets, opens, and dies of its first call.
const DYING: &str = r#"#!/bin/sh
read -r _
printf '%s\n' '{"jsonrpc":"2.0","id":1,"result":{"spi":[1,0],"name":"dying-pager","version":"1","configSchema":{"type":"object"}}}'
read -r _
printf '%s\n' '{"jsonrpc":"2.0","id":2,"result":{}}'
read -r _
exit 7
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_keeps_dying_stops_no_other_target_and_is_named_in_status() {
    // given a directory, and a target whose plugin dies of every call
    let tree = TestDirectory::start("a plugin that keeps dying").await;
    let room = tempfile::tempdir().unwrap();
    let program = room.path().join("dying");
    fs::write(&program, DYING).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let said = Command::new("sha256sum").arg(&program).output().unwrap();
    let digest = String::from_utf8(said.stdout).unwrap()[..64].to_owned();
    let pager = format!(
        r#"
[[target]]
name = "pager"
kind = "plugin"

[target.settings]
command = ["{}"]
sha256 = "{digest}"

[target.account]
when = "true"
key = ["login"]
[target.account.attributes]
login = "user.userName"
"#,
        program.display()
    );
    let hospital = Hospital::new(&Wiring { directory: Some(tree.url()), more: &pager, ..Wiring::default() });
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));

    // when twenty people are hired
    for number in 0..20 {
        let person = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": format!("person{number}"),
            "name": { "familyName": "Example", "givenName": "Test" },
        });
        assert_eq!(client.post("/Users", &person).await.status, 201);
    }

    // then the directory has them all, and status says which plugin is the matter
    let mut linked = 0;
    let mut told = String::new();
    for _ in 0..150 {
        linked = gateway.target("directory")["linked"].as_u64().unwrap();
        told = gateway.target("pager").to_string();
        if linked == 20 && told.contains("dying-pager") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(linked, 20);
    assert!(told.contains("plugin dying-pager"), "{told}");
    assert_eq!(gateway.target("pager")["linked"], 0);
}
