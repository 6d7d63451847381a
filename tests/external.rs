//! Testers of SCIM servers that others wrote, against a plain server: scim2-tester and scim-sanity, from PyPI, pinned
//! (`tests/servers/python` installs them). They find nothing but what `external/waivers.toml` names with the section of the RFC
//! that the tester contradicts; a waiver that is not needed any more fails as well.

use crate::conformance::given::TOKEN;
use harness::Gateway;
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A point where a tester contradicts the RFC.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiver {
    /// Which tester says it.
    tester: String,
    /// The names of its checks.
    checks: Vec<String>,
    /// Part of what it says, where one check says several things.
    #[serde(default)]
    about: String,
    /// The section that it contradicts.
    section: String,
    /// How.
    why: String,
    /// It depends on the tester's random values whether it is needed.
    #[serde(default)]
    sometimes: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Waivers {
    waiver: Vec<Waiver>,
}

/// What a tester complains about.
#[derive(Debug)]
struct Finding {
    check: String,
    text: String,
}

/// The private environment. Where it is missing, the line that says so; under `tests/run` that is a failure.
fn environment(suite: &str) -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let cache =
        harness::slapd::variable("CHARTGATE_SERVERS").map_or_else(|| workspace.join("target/servers"), PathBuf::from);
    let python = cache.join("python");
    if python.join("done").exists() {
        return Some(python);
    }
    assert!(harness::slapd::variable("CHARTGATE_REQUIRE_SERVERS").is_none(), "{suite} was not installed");
    println!("left out: {suite} is not installed; tests/run does it");
    None
}

/// A fresh plain server, with its folder.
fn server() -> (Gateway, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("external.db").display());
    let gateway = Gateway::plain(&store, TOKEN, &["--dialect", "rfc"], &folder.path().join("external.log"));
    (gateway, folder)
}

/// Compares what a tester found with what is waived for it.
fn judge(tester: &str, findings: &[Finding]) {
    let file: Waivers = toml::from_str(include_str!("external/waivers.toml")).unwrap();
    let ours: Vec<&Waiver> = file.waiver.iter().filter(|waiver| waiver.tester == tester).collect();
    let covers = |waiver: &Waiver, check: &str, finding: &Finding| {
        waiver.checks.iter().any(|known| known == check)
            && finding.check == check
            && finding.text.contains(&waiver.about)
    };
    let open: Vec<&Finding> =
        findings.iter().filter(|finding| !ours.iter().any(|waiver| covers(waiver, &finding.check, finding))).collect();
    let unneeded: Vec<(&str, &str)> = ours
        .iter()
        .filter(|waiver| !waiver.sometimes)
        .flat_map(|waiver| waiver.checks.iter().map(move |check| (*waiver, check)))
        .filter(|(waiver, check)| !findings.iter().any(|finding| covers(waiver, check, finding)))
        .map(|(waiver, check)| (check.as_str(), waiver.about.as_str()))
        .collect();
    assert!(open.is_empty(), "{tester} found: {open:#?}");
    assert!(unneeded.is_empty(), "these waivers for {tester} are not needed any more: {unneeded:#?}");
}

/// What a tester printed, with its errors where it printed nothing.
fn printed(out: &Output) -> String {
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(!text.trim().is_empty(), "nothing was printed: {}", String::from_utf8_lossy(&out.stderr));
    text
}

/// Runs scim2-tester, which has no program of its own, and returns how many checks passed and what it found.
fn scim2_tester(python: &Path) -> (usize, Vec<Finding>) {
    let (gateway, _folder) = server();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("external/run_scim2_tester.py");
    let mut command = Command::new(python.join("bin/python"));
    let out = command.arg(script).arg(&gateway.base).env("CHARTGATE_TOKEN", TOKEN).output().unwrap();
    let text = printed(&out);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let results: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let word = |result: &Value, name: &str| result[name].as_str().unwrap_or_default().to_owned();
    let passed = results.iter().filter(|result| result["status"] == "SUCCESS").count();
    let findings = results
        .iter()
        .filter(|result| ["ERROR", "CRITICAL", "DEVIATION"].contains(&word(result, "status").as_str()))
        .map(|result| Finding {
            check: word(result, "check"),
            text: format!("{}: {}", word(result, "resource_type"), word(result, "reason")),
        })
        .collect();
    (passed, findings)
}

#[test]
fn scim2_tester_finds_nothing_that_is_not_waived() {
    let Some(python) = environment("scim2-tester") else { return };

    let (passed, findings) = scim2_tester(&python);

    assert!(passed > 100, "only {passed} checks passed");
    judge("scim2-tester", &findings);
}

#[test]
fn scim_sanity_finds_nothing_that_is_not_waived() {
    let Some(python) = environment("scim-sanity") else { return };
    let (gateway, _folder) = server();
    let mut command = Command::new(python.join("bin/python"));
    command.args(["-m", "scim_sanity", "probe", &gateway.base, "--token", TOKEN]);

    let out = command.args(["--json-output", "--strict", "--i-accept-side-effects"]).output().unwrap();

    let report: Value = serde_json::from_str(&printed(&out)).unwrap();
    let passed = report["summary"]["passed"].as_u64().unwrap();
    assert!(passed >= 25, "only {passed} checks passed: {report}");
    let findings: Vec<Finding> = report["results"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|result| !["pass", "skip"].contains(&result["status"].as_str().unwrap()))
        .map(|result| Finding {
            check: result["name"].as_str().unwrap().to_owned(),
            text: result["message"].as_str().unwrap_or_default().to_owned(),
        })
        .collect();
    judge("scim-sanity", &findings);
}

#[test]
fn every_waiver_names_the_section_that_the_tester_contradicts() {
    let file: Waivers = toml::from_str(include_str!("external/waivers.toml")).unwrap();
    for waiver in file.waiver {
        assert!(waiver.section.starts_with("RFC 764"), "{waiver:?}");
        assert!(waiver.section.contains(", section ") && waiver.why.len() > 40, "{waiver:?}");
        assert!(!waiver.checks.is_empty(), "{waiver:?}");
    }
}
