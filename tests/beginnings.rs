//! `chartgate connector new`: what it writes works before anything was changed in it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

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

/// The commands of a beginning's README: four blanks, the command, and after more blanks what it is for.
fn steps(project: &Path) -> Vec<String> {
    let readme = fs::read_to_string(project.join("README.md")).unwrap();
    let commands = readme.lines().filter_map(|line| line.strip_prefix("    "));
    let commands = commands.map(|line| line.split("  ").next().unwrap().trim().to_owned());
    commands.take_while(|line| !line.starts_with('[')).collect()
}

#[test]
fn a_plugin_in_rust_is_built_summed_and_tested_as_its_readme_says() {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (_folder, project) = begun("rust", &["--chartgate", checkout.to_str().unwrap()]);
    let steps = steps(&project);
    let sum = "sha256sum target/release/night-desk";
    assert_eq!(steps, ["cargo test", "cargo build --release", sum, "chartgate connector test"]);
    // What it depends on is built once, in a folder that is kept; without the optimiser, which changes nothing of what is tested.
    let built = checkout.join("target/beginnings");
    fs::create_dir_all(&built).unwrap();
    std::os::unix::fs::symlink(&built, project.join("target")).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(&project).env_remove("CARGO_TARGET_DIR").env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0");
    let made = cargo.args(["build", "--release", "--offline", "--quiet"]).output().unwrap();
    assert!(made.status.success(), "{}", told(&made));

    let before = fs::read_to_string(project.join("target.toml")).unwrap();
    let not_yet = chartgate(&project, &["connector", "test"]);
    assert!(!not_yet.status.success(), "a program whose sum nobody wrote down is not started");
    let summed = Command::new("sha256sum").current_dir(&project).arg("target/release/night-desk").output().unwrap();
    let digest = told(&summed).split_whitespace().next().unwrap().to_owned();
    let old = before.lines().find(|line| line.starts_with("sha256 = ")).unwrap();
    fs::write(project.join("target.toml"), before.replace(old, &format!("sha256 = \"{digest}\""))).unwrap();

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

/// A program that is ended with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().expect("the program can be ended");
        self.0.wait().expect("the program ends");
    }
}

#[test]
fn a_plugin_that_a_service_manager_runs_at_a_socket() {
    let Some(python) = fixtures::servers::python() else { return };
    // given a plugin that serves a socket, and a file that names the socket in place of the program
    let (_folder, project) = begun("python", &[]);
    let socket = project.join("plugin.sock");
    let mut program = Command::new(python);
    program.current_dir(&project).args(["connector.py", "--socket", "plugin.sock"]);
    let _program = Ended(program.stdin(Stdio::null()).spawn().unwrap());
    let mut turns = 0..100;
    while UnixStream::connect(&socket).is_err() {
        turns.next().expect("the plugin listens in time");
        std::thread::sleep(Duration::from_millis(100));
    }
    let target = project.join("target.toml");
    let file = fs::read_to_string(&target).unwrap();
    let (above, rest) = file.split_once("command = ").unwrap();
    let (_, below) = rest.split_once("\n[settings.config]").unwrap();
    let uid = fs::metadata(&project).unwrap().uid();
    let settings = format!("socket = \"{}\"\nuid = {uid}\n\n[settings.config]", socket.display());
    fs::write(&target, [above, &settings, below].concat()).unwrap();

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
