//! Plugins that do harm, and the rest of the gateway.

use harness::{Client, Gateway, Hospital, TestDirectory, hospital::Wiring};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Greets, opens, and does harm from its first call on.
fn plugin(name: &str, harm: &str) -> String {
    let greeting = json!({ "spi": [1, 0], "name": name, "version": "1", "configSchema": { "type": "object" } });
    let greeting = json!({ "jsonrpc": "2.0", "id": 1, "result": greeting });
    let opened = json!({ "jsonrpc": "2.0", "id": 2, "result": {} });
    format!("#!/bin/sh\nread -r _\nprintf '%s\\n' '{greeting}'\nread -r _\nprintf '%s\\n' '{opened}'\n{harm}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_keeps_dying_stops_no_other_target_and_is_named_in_status() {
    // given a directory, and a target whose plugin dies of every call
    let tree = TestDirectory::start("a plugin that keeps dying").await;
    let room = tempfile::tempdir().unwrap();
    let pager = target(room.path(), "pager", &plugin("dying-pager", "read -r _\nexit 7"), "");
    let hospital = Hospital::new(&Wiring { directory: Some(tree.url()), more: &pager, ..Wiring::default() });
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));

    // when twenty people are hired
    hire(&client, 20).await;

    // then the directory has them all, and status says which plugin is the matter and that it is left alone
    let mut linked = 0;
    let mut told = json!({});
    for _ in 0..150 {
        linked = gateway.target("directory")["linked"].as_u64().unwrap();
        told = gateway.target("pager");
        if linked == 20 && is_left_alone(&told, "dying-pager") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(linked, 20);
    assert!(is_left_alone(&told, "dying-pager"), "{told}");
    assert_eq!(gateway.target("pager")["linked"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_that_hang_flood_and_leak_are_each_named_in_status_and_left_alone() {
    // given a directory, and three targets whose plugins do harm on the first call
    let tree = TestDirectory::start("plugins that do harm").await;
    let room = tempfile::tempdir().unwrap();
    let event = r#"{"jsonrpc":"2.0","method":"host.event","params":{"level":"info","message":"again"}}"#;
    let harms = [
        ("hanging", "while read -r _; do :; done".to_owned()),
        ("flooding", format!("read -r _\nwhile printf '%s\\n' '{event}'; do :; done")),
        ("leaking", "read -r _\nx=xxxxxxxxxxxxxxxx\nwhile :; do x=$x$x; done".to_owned()),
    ];
    let more: String = harms
        .iter()
        .map(|(name, harm)| {
            let quick =
                "[target.layers.timeout]\nprobe = 1\nread = 1\nwrite = 2\n[target.settings.limits]\nmemory = 16\n";
            target(room.path(), name, &plugin(&format!("{name}-pager"), harm), quick)
        })
        .collect();
    let hospital = Hospital::new(&Wiring { directory: Some(tree.url()), more: &more, ..Wiring::default() });
    let gateway = Gateway::serve(&hospital.config);
    let client = gateway.client(&gateway.token("entra"));

    // when ten people are hired
    hire(&client, 10).await;

    // then the directory has them all, and status tells each plugin by its name
    let mut waiting: Vec<&str> = harms.iter().map(|(name, _)| *name).collect();
    for _ in 0..300 {
        waiting.retain(|name| !is_left_alone(&gateway.target(name), &format!("{name}-pager")));
        if waiting.is_empty() && gateway.target("directory")["linked"] == 10 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(waiting.is_empty(), "{waiting:?}: {:#}", gateway.status());
    assert_eq!(gateway.target("directory")["linked"], 10);
}

/// Whether status names the plugin and shows the breaker open.
fn is_left_alone(target: &Value, plugin: &str) -> bool {
    let named = target["error"].as_str().is_some_and(|error| error.contains(&format!("plugin {plugin}")));
    named && target["breaker"] == "open"
}

async fn hire(client: &Client, count: u32) {
    for number in 0..count {
        let person = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": format!("person{number}"),
            "name": { "familyName": "Example", "givenName": "Test" },
        });
        assert_eq!(client.post("/Users", &person).await.status, 201);
    }
}

/// A target over this script.
fn target(room: &Path, name: &str, script: &str, more: &str) -> String {
    let program = room.join(name);
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let said = Command::new("sha256sum").arg(&program).output().unwrap();
    let digest = String::from_utf8(said.stdout).unwrap()[..64].to_owned();
    format!(
        r#"
[[target]]
name = "{name}"
kind = "plugin"

[target.settings]
command = ["{}"]
sha256 = "{digest}"

[target.account]
when = "true"
key = ["login"]
[target.account.attributes]
login = "user.userName"
{more}
"#,
        program.display()
    )
}
