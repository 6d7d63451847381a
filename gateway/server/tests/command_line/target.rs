//! Target files by the command line: checked, tested, traced, recorded, made.

use super::program::{Ran, program, run};
use fixtures::ehr_rest::{EhrRest, Options};
use fixtures::ehr_soap::{self, EhrSoap};
use fixtures::ehr_sql::EhrSql;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const FILE: &str = r#"kind = "rest"
spi = "1"
[http]
[check]
method = "GET"
path = "/up"
[kinds.pager]
role = "other"
record = { id = "/id" }
attributes = { number = { at = "/number" } }
get = { method = "GET", path = "/pagers/{id}" }

[[test]]
name = "a pager is read"
call = { op = "get", kind = "pager", id = "7" }
exchange = [{ request = { path = "/pagers/7" }, reply = { json = '{"id": "7", "number": "555"}' } }]
expect = { result = { kind = "pager", id = "7", attrs = { number = ["555"] }, state = "unknown" } }
"#;

fn room(file: &str) -> TempDir {
    let room = tempfile::tempdir().unwrap();
    fs::write(room.path().join("pager.toml"), file).unwrap();
    room
}

#[test]
fn a_sound_file_passes_and_says_what_it_leaves_open() {
    let room = room(FILE);

    let ran = run(room.path(), &["target", "test", "pager.toml"]);

    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("a pager is read") && ran.out.contains("passed"), "{}", ran.out);
    assert!(ran.out.contains("left to the deployment: http.url"), "{}", ran.out);
    assert!(ran.out.ends_with("pager.toml: sound, 1 cases passed\n"), "{}", ran.out);
}

#[test]
fn a_case_that_fails_is_told_with_what_differs_and_by_the_exit_status() {
    let room = room(&FILE.replace("/pagers/7\" }, reply", "/pagers/8\" }, reply"));

    let ran = run(room.path(), &["target", "test", "--file", "pager.toml"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("path: expected /pagers/8, found /pagers/7"), "{}", ran.out);

    let ran = run(room.path(), &["target", "test", "pager.toml", "--json"]);
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &told["ok"], &told["cases"][0]["passed"]), (Some(1), &false.into(), &false.into()));
}

#[test]
fn mistakes_are_told_by_line_with_a_hint() {
    let ran = |file: &str| {
        let room = room(file);
        run(room.path(), &["target", "test", "pager.toml"])
    };
    let misspelt = ran(&FILE.replace("{id}", "{idd}").replace("attributes =", "atributes ="));
    assert_eq!(misspelt.code, Some(1));
    assert!(
        misspelt
            .out
            .contains("pager.toml:10:1: there is no setting \"atributes\" here\n  hint: did you mean attributes?"),
        "{}",
        misspelt.out
    );
    let variable = ran(&FILE.replace("{id}", "{attrs.number}"));
    assert!(variable.out.contains("pager.toml:11:") && variable.out.contains("attrs"), "{}", variable.out);
    let version = ran(&FILE.replace("spi = \"1\"", "spi = \"2\""));
    assert!(
        version.out.starts_with("pager.toml:2:7: the file needs version 2 of the connector contract"),
        "{}",
        version.out
    );
    let secret = ran(&FILE.replace("[http]", "[http]\nauth = { type = \"bearer\", token = \"hunter2\" }"));
    assert_eq!(secret.code, Some(1));
    assert!(secret.out.starts_with("pager.toml:4:") && !secret.out.contains("hunter2"), "{}", secret.out);
    let kind = ran(&FILE.replace("kind = \"rest\"\n", ""));
    assert!(kind.out.contains("--kind"), "{}", kind.out);
}

#[test]
fn a_shipped_file_is_tested_by_its_name() {
    let ran = run(Path::new("."), &["target", "test", "--profile", "meditech-like", "--case", "leaver"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains(" cases passed"), "{}", ran.out);
    let ran = run(Path::new("."), &["target", "test", "--profile", "meditech-lik"]);
    assert!(ran.err.contains("did you mean meditech-like?"), "{}", ran.err);
}

#[test]
fn a_call_is_traced_on_a_case_where_the_file_has_no_address() {
    let room = room(FILE);
    let ran = run(room.path(), &["target", "trace", "pager.toml", "--case", "is read"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.out.contains("1. GET /pagers/7") && ran.out.contains("answer 200") && ran.out.contains("\"number\": [\n"),
        "{}",
        ran.out
    );
    let ran = run(room.path(), &["target", "trace", "pager.toml", "--call", "{ op = \"check\" }"]);
    assert!(ran.code == Some(1) && ran.err.contains("http.url"), "{ran:?}");
}

#[test]
fn every_place_says_which_variables_it_has() {
    for (kind, setting, variables) in [
        ("rest", "kinds.NAME.find[].request ", "Variables: key."),
        ("soap", "kinds.NAME.list.request ", "Variables: page, op."),
        ("sql", "kinds.NAME.list.sql ", "Variables: after, size, today, now, constants."),
    ] {
        let ran = run(Path::new("."), &["target", "describe", kind, "--json"]);
        let rows: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
        let row =
            rows.iter().find(|row| row["name"] == setting.trim_end()).unwrap_or_else(|| panic!("{kind} {setting}"));
        assert!(row["meaning"].as_str().unwrap().ends_with(variables), "{row}");
    }
    let schema = run(Path::new("."), &["target", "schema", "rest"]).out;
    assert!(schema.contains("\"x-variables\"") && schema.contains("\"test_setup\""));
}

/// A configuration with two targets that run, and a password by the environment.
struct Live {
    ehr: EhrRest,
    soap: EhrSoap,
    room: TempDir,
}

impl Live {
    fn start() -> Self {
        let ehr = EhrRest::start(Options { rate_limit: None, ..Options::default() }).unwrap();
        let soap = EhrSoap::start(ehr_soap::Options { rate_limit: None, ..Default::default() }).unwrap();
        let room = tempfile::tempdir().unwrap();
        let config = r#"
[[target]]
name = "ehr"
kind = "rest"
profile = "oracle-health-like"
[target.settings.http]
url = "@REST@"
allow_plaintext = true
allow_networks = ["127.0.0.0/8"]
headers = { X-Target-Id = "EAST-PROD" }
auth = { client_id = "gateway", client_secret = { env = "EHR" } }

[[target]]
name = "epic"
kind = "soap"
profile = "epic-like"
[target.settings.http]
url = "@SOAP@"
allow_plaintext = true
allow_networks = ["127.0.0.0/8"]
[target.settings.services.personnel.username_token]
user = "local:gateway"
password = { env = "EHR" }
[target.settings.services.core.auth]
type = "basic"
user = "gateway"
password = { env = "EHR" }
"#;
        let config = config.replace("@REST@", &ehr.base_url()).replace("@SOAP@", &soap.base_url());
        fs::write(room.path().join("chartgate.toml"), config).unwrap();
        Self { ehr, soap, room }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(program(self.room.path()).env("EHR", "test-only").args(arguments).output().unwrap())
    }
}

const MAKE: &str = r#"{ op = "create", kind = "account", attrs = { username = ["realname"], givenName = ["Realfirst"],
    familyName = ["Reallast"], employeeNumber = ["471100"] }, entitlements = [{ type = "position", value = "RN" }] }"#;

#[test]
fn a_trace_shows_the_first_write_and_does_not_send_it() {
    let live = Live::start();
    let make = MAKE.replace('\n', " ");

    let ran = live.run(&["target", "trace", "ehr", "--call", &make]);

    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("1. POST /v1/personnel") && ran.out.contains("not sent"), "{}", ran.out);
    assert!(ran.out.contains("\"username\": \"realname\""), "{}", ran.out);
    assert_eq!(live.ehr.state()["accounts"].as_array().unwrap().len(), 0);

    let ran = live.run(&["target", "trace", "ehr", "--send", "--call", &make]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("answer 201") && ran.out.contains("result"), "{}", ran.out);
    assert!(!ran.out.contains("test-only"), "no secret is shown");
    assert_eq!(live.ehr.state()["accounts"].as_array().unwrap().len(), 1);
}

/// A configuration with the tables of the meditech-like system in a file.
async fn ward() -> (TempDir, EhrSql) {
    let room = tempfile::tempdir().unwrap();
    let path = room.path().join("ward.db");
    let ehr = EhrSql::load(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
    let config = r#"
[[target]]
name = "ward"
kind = "sql"
profile = "meditech-like"
[target.settings]
zone = "America/New_York"
database = { engine = "sqlite", path = "ward.db" }
"#;
    fs::write(room.path().join("chartgate.toml"), config).unwrap();
    (room, ehr)
}

#[tokio::test]
async fn a_trace_of_a_database_shows_each_statement_and_runs_none_that_writes() {
    let (room, ehr) = ward().await;
    let make = r#"{ op = "create", kind = "account", attrs = { givenName = ["Realfirst"], familyName = ["Reallast"],
        employeeNumber = ["471100"] }, entitlements = [{ type = "access-group", value = "CSRX" }] }"#;
    let call = make.replace('\n', " ");

    let ran = run(room.path(), &["target", "trace", "ward", "--call", &call]);

    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("INSERT INTO user_dict") && ran.out.contains("a dry run"), "{}", ran.out);
    assert!(!ran.out.contains("471100"), "statements, and no values: {}", ran.out);
    assert_eq!(ehr.count("SELECT COUNT(*) FROM user_dict").await.unwrap(), 0);

    let ran = run(room.path(), &["target", "trace", "ward", "--send", "--call", &call]);
    assert!(ran.code == Some(0) && ran.out.contains("result") && !ran.out.contains("a dry run"), "{ran:?}");
    assert_eq!(ehr.count("SELECT COUNT(*) FROM user_dict").await.unwrap(), 1);
}

#[test]
fn a_recorded_case_holds_no_person_and_no_secret_and_passes_by_itself() {
    let live = Live::start();
    let text = |path: &str| fs::read_to_string(live.room.path().join(path)).unwrap();
    let profile = include_str!("../../../../connectors/profiles/oracle-health-like.toml");
    let head = profile.split("# ---- cases").next().unwrap();
    fs::write(live.room.path().join("mine.toml"), head).unwrap();

    let ran = live.run(&[
        "target",
        "record",
        "ehr",
        "--name",
        "made",
        "--call",
        &MAKE.replace('\n', " "),
        "--to",
        "mine.toml",
    ]);

    assert_eq!(ran.code, Some(0), "{ran:?}");
    let written = text("mine.toml");
    let case = written.strip_prefix(head).unwrap();
    for private in ["realname", "Realfirst", "Reallast", "471100", "test-only", "127.0.0.1"] {
        assert!(!case.contains(private), "{private}: {case}");
    }
    assert!(case.contains("Invented") && case.contains("RN"), "{case}");
    let setup = "\n[test_setup]\nsettings = { http = { headers = { X-Target-Id = \"EAST-PROD\" } } }\n";
    fs::write(live.room.path().join("mine.toml"), format!("{written}{setup}")).unwrap();
    let ran = live.run(&["target", "test", "mine.toml"]);
    assert!(ran.code == Some(0) && ran.out.contains("1 cases passed"), "{ran:?}");
}

#[test]
fn a_token_in_the_envelope_is_neither_shown_nor_recorded() {
    let live = Live::start();
    let call = r#"{ op = "get", kind = "account", id = "E999999" }"#;
    for command in ["trace", "record"] {
        let mut arguments = vec!["target", command, "epic", "--call", call];
        if command == "record" {
            arguments.extend(["--name", "nobody"]);
        }
        let ran = live.run(&arguments);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(
            ran.out.contains("ViewUser") && !ran.out.contains("Security") && !ran.out.contains("Nonce"),
            "{}",
            ran.out
        );
    }
    assert!(live.soap.journal().entries().iter().any(|entry| entry.op == "ViewUser"));
}

#[test]
fn a_starting_file_is_made_and_is_sound() {
    let room = tempfile::tempdir().unwrap();
    let description = r#"{"openapi": "3.0.3", "paths": {"/people/{id}": {"get": {"responses": {"200": {"content": {"application/json":
        {"schema": {"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string"}}}}}}}}}}}"#;
    fs::write(room.path().join("api.json"), description).unwrap();

    let ran = run(room.path(), &["target", "import", "api.json", "--to", "people.toml"]);
    assert!(ran.code == Some(0) && ran.out.contains("people.toml: kind rest, sound"), "{ran:?}");
    assert_eq!(run(room.path(), &["target", "test", "people.toml"]).code, Some(0));
    let again = run(room.path(), &["target", "import", "api.json", "--to", "people.toml"]);
    assert!(again.code == Some(1) && again.err.contains("cannot be written"), "{again:?}");
}
