//! A connector of somebody's own, compiled into the gateway by `builder().register::<…>()`: it is a kind like those that come
//! with it, in the configuration, in `connector test` and behind the SCIM door.

use harness::Gateway;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_chartgate-with-shelf");

fn program(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(PROGRAM).current_dir(folder).args(arguments).output().unwrap()
}

fn told(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

fn configuration(folder: &Path) -> String {
    let here = folder.display();
    fs::write(folder.join("token"), "test-only-token").unwrap();
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
admin_socket = "{here}/admin.sock"

[store]
url = "sqlite:{here}/chartgate.db"

[[source]]
name = "entra"

[[target]]
name = "archive"
kind = "shelf"

[target.settings]
file = "{here}/accounts.json"
token = {{ file = "{here}/token" }}

[target.account]
when = "true"
key = ["login"]
[target.account.attributes]
login = "user.userName"
displayName = "user.displayName"
"#
    )
}

#[test]
fn a_registered_kind_has_its_settings_checked_and_described() {
    let room = tempfile::tempdir().unwrap();
    let file = room.path().join("chartgate.toml");
    fs::write(&file, configuration(room.path())).unwrap();
    let path = file.display().to_string();
    let checked = program(room.path(), &["check", "--config", &path]);
    assert!(checked.status.success(), "{}", told(&checked));

    fs::write(&file, configuration(room.path()).replace("file = \"", "shelf = \"")).unwrap();
    let refused = program(room.path(), &["check", "--config", &path]);
    assert!(!refused.status.success() && told(&refused).contains("shelf"), "{}", told(&refused));

    let schema = program(room.path(), &["target", "schema", "shelf"]);
    let schema: Value = serde_json::from_slice(&schema.stdout).unwrap();
    assert!(schema["properties"]["token"].is_object(), "{schema}");

    // The program as it is shipped does not have it.
    fs::write(&file, configuration(room.path())).unwrap();
    let shipped = harness::gateway::command(&["check", "--config", &path]);
    assert!(!shipped.status.success() && told(&shipped).contains("shelf"), "{}", told(&shipped));
}

#[test]
fn a_registered_kind_is_put_to_the_contracts_checks() {
    let room = tempfile::tempdir().unwrap();
    let kit = include_str!("../gateway/server/src/scaffold/rust/kit.toml").replace("@VARIABLE@", "SHELF_TOKEN");
    fs::write(room.path().join("kit.toml"), kit).unwrap();
    let file = room.path().join("accounts.json");
    let target =
        format!("kind = \"shelf\"\n[settings]\nfile = \"{}\"\ntoken = {{ env = \"SHELF_TOKEN\" }}\n", file.display());
    fs::write(room.path().join("target.toml"), target).unwrap();

    let tested = program(room.path(), &["connector", "test", "--json"]);

    let report: Value = serde_json::from_slice(&tested.stdout).unwrap_or_default();
    assert!(tested.status.success() && report["ok"] == true, "{}", told(&tested));
    assert!(report["connector"] == "shelf" && report["counts"]["passed"].as_u64() >= Some(40), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_to_a_target_of_a_registered_kind_and_leave_it() {
    let room = tempfile::tempdir().unwrap();
    let config = room.path().join("chartgate.toml");
    fs::write(&config, configuration(room.path())).unwrap();
    let gateway = Gateway::serve_with(Path::new(PROGRAM), &config);
    let client = gateway.client(&gateway.token("entra"));

    let person = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "keeper",
        "displayName": "Testperson 1 Example", "active": true,
    });
    let made = client.post("/Users", &person).await;
    assert_eq!(made.status, 201);
    gateway.settled(Duration::from_secs(30)).await;
    let shelf = || fs::read_to_string(room.path().join("accounts.json")).unwrap_or_default();
    assert!(shelf().contains("keeper") && shelf().contains("\"active\":true"), "{}", shelf());
    assert_eq!(gateway.target("archive")["kind"], "shelf");

    let leave = json!([{ "op": "replace", "path": "active", "value": false }]);
    let id = made.body["id"].as_str().unwrap();
    assert!(client.patch(&format!("/Users/{id}"), leave).await.status < 300);
    gateway.settled(Duration::from_secs(30)).await;
    assert!(shelf().contains("\"active\":false"), "{}", shelf());
}
