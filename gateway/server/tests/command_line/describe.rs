//! What the program tells of itself, offline.

use super::program::run;
use std::fs;
use std::path::Path;

#[test]
fn every_kind_is_described_setting_by_setting() {
    let listed = run(Path::new("."), &["target", "describe", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    let kinds: Vec<&str> = listed["kinds"].as_array().unwrap().iter().map(|kind| kind.as_str().unwrap()).collect();
    assert!(kinds.contains(&"ldap") && kinds.contains(&"rest"), "{kinds:?}");

    for kind in kinds {
        let ran = run(Path::new("."), &["target", "describe", kind, "--json"]);
        let rows: Vec<serde_json::Value> = serde_json::from_str(&ran.out).unwrap();
        assert!(rows.len() > 20, "{kind}");
        for row in rows {
            assert!(row["meaning"].as_str().is_some_and(|text| !text.is_empty()), "{kind}: {row} is not documented");
        }
    }
}

#[test]
fn a_setting_is_shown_with_its_type_default_and_meaning() {
    let ran = run(Path::new("."), &["target", "describe", "ldap"]);

    let line = ran.out.lines().find(|line| line.starts_with("account.allow_delete ")).unwrap();
    assert!(line.contains("true or false") && line.contains("false"), "{line}");
    assert!(ran.out.lines().any(|line| line.starts_with("bind_password ") && line.contains("secret")), "{}", ran.out);
}

#[test]
fn a_misspelt_kind_is_answered_with_the_one_that_was_meant() {
    let ran = run(Path::new("."), &["target", "schema", "ldpa"]);

    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("did you mean ldap?"), "{}", ran.err);
}

#[test]
fn a_schema_is_json_schema_and_marks_secrets() {
    let ran = run(Path::new("."), &["target", "schema", "ldap"]);

    let schema: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert!(schema["$schema"].as_str().unwrap().contains("json-schema.org"));
    assert!(ran.out.contains("\"x-secret\": true"));
}

#[test]
fn the_reference_in_the_readme_is_the_one_that_the_types_tell() {
    let told = run(Path::new("."), &["describe-config"]).out;
    for section in
        ["[server]", "[store]", "[log]", "[[source]]", "[[target]]", "[[role]]", "[facility.NAME]", "[lookup.NAME]"]
    {
        assert!(told.contains(&format!("#### `{section}")), "{section} is missing");
    }
    let readme = readme();
    let (_, behind) = readme.split_once("<!-- reference: begin -->").expect("the README has the marker before it");
    let (written, _) = behind.split_once("<!-- reference: end -->").expect("the README has the marker behind it");

    assert_eq!(written.trim(), told.trim(), "write the output of `chartgate describe-config` between the markers");
}

#[test]
fn the_readmes_first_configuration_lacks_nothing_but_its_secrets() {
    let readme = readme();
    let (_, behind) = readme.split_once("```toml\n").expect("the README shows a configuration");
    let (config, _) = behind.split_once("```").expect("which ends");
    let room = tempfile::tempdir().unwrap();
    fs::write(room.path().join("chartgate.toml"), config).unwrap();

    let told = run(room.path(), &["check", "--json"]);

    let told: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    for problem in told["problems"].as_array().unwrap() {
        assert!(problem["message"].as_str().unwrap().contains("/run/secrets/"), "{problem}");
    }
}

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap()
}

#[test]
fn commands_that_need_a_gateway_say_that_none_runs() {
    let room = tempfile::tempdir().unwrap();
    for command in [&["status"][..], &["links"], &["retry", "--target", "x"], &["plan", "x"], &["target", "test", "x"]]
    {
        let ran = run(room.path(), command);

        assert_eq!(ran.code, Some(1), "{command:?}");
        assert!(ran.err.starts_with("error: no gateway runs here"), "{command:?}: {}", ran.err);
        assert!(ran.err.contains("hint:"), "{command:?}: {}", ran.err);
    }
}
