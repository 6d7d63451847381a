//! `chartgate connector new`: what it writes works before anything was changed in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn chartgate(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(harness::gateway::binary()).current_dir(folder).args(arguments).output().unwrap()
}

fn told(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// A new connector of this kind, and the folder in which its folder is.
fn begun(kind: &str, more: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let made = chartgate(folder.path(), &[&["connector", "new", "--kind", kind, "night-desk"], more].concat());
    assert!(made.status.success(), "{}", told(&made));
    let project = folder.path().join("night-desk");
    (folder, project)
}

fn keeps_the_contract(kind: &str) {
    let (_folder, project) = begun(kind, &[]);
    let tested = chartgate(&project, &["connector", "test"]);
    let said = told(&tested);
    assert!(tested.status.success() && said.contains(" passed, 0 failed, "), "{said}");
}

#[test]
fn a_described_rest_target() {
    keeps_the_contract("rest");
}

#[test]
fn a_described_soap_target() {
    keeps_the_contract("soap");
}

#[test]
fn a_described_database() {
    keeps_the_contract("sql");
}

#[test]
fn a_plugin_in_python() {
    let Some(python) = fixtures::servers::python() else { return };
    let (_folder, project) = begun("python", &[]);
    let tests = Command::new(python).current_dir(&project).args(["-m", "unittest"]).output().unwrap();
    assert!(tests.status.success(), "{}", told(&tests));
    let tested = chartgate(&project, &["connector", "test"]);
    let said = told(&tested);
    assert!(tested.status.success() && said.contains(" passed, 0 failed, "), "{said}");
}

#[test]
fn a_plugin_in_rust() {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (_folder, project) = begun("rust", &["--chartgate", checkout.to_str().unwrap()]);
    // A folder of its own, kept: what it depends on is built once.
    let built = checkout.join("target/beginnings");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(&project).env("CARGO_TARGET_DIR", built).args(["test", "--offline", "--quiet"]);
    let tests = cargo.output().unwrap();
    assert!(tests.status.success(), "{}", told(&tests));
}

#[test]
fn a_rust_project_outside_of_a_checkout_and_a_folder_that_is_there_are_refused() {
    let (folder, _) = begun("rest", &[]);
    for arguments in [
        &["connector", "new", "--kind", "rust", "other"][..],
        &["connector", "new", "--kind", "rust", "other", "--chartgate", "/"],
        &["connector", "new", "--kind", "rest", "night-desk"],
        &["connector", "new", "--kind", "rest", "../elsewhere"],
        &["connector", "new", "--kind", "rest", "other", "--in", "/no/such/folder"],
    ] {
        let refused = chartgate(folder.path(), arguments);
        assert!(!refused.status.success(), "{arguments:?}");
        assert!(!folder.path().join("other").exists(), "{arguments:?} leaves nothing behind");
    }
}
