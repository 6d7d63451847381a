//! meditech-like, in a database.

use crate::scene::Scene;
use serde_json::{Value, json};

const SCHEMA: &str = include_str!("../../../../fixtures/src/ehr_sql/schema.sql");
const CATALOGUE: &str = include_str!("../../../../fixtures/src/ehr_sql/catalogue.sql");

/// The tables without their comments, as SQLite has them.
fn tables() -> String {
    let whole = format!("{SCHEMA}\n{CATALOGUE}");
    let (before, rest) = whole.split_once("CREATE VIEW").unwrap();
    let (_, after) = rest.split_once(";\n").unwrap();
    let text = format!("{before}{after}");
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("--") && !line.trim().is_empty());
    let plain = lines.collect::<Vec<_>>().join("\n") + "\n";
    plain.replace("IDENTITY", "INTEGER PRIMARY KEY AUTOINCREMENT").replace("MOMENT", "TIMESTAMP")
}

const PERSON: &str = "INSERT INTO provider_dict (provider_mnemonic, npi, last_name, first_name, provider_type)
  VALUES ('TEXAMPLE1', '1900000001', 'Example', 'Testperson 1', 'PHYSICIAN');
INSERT INTO user_dict (user_seq, user_mnemonic, last_name, first_name, employee_no, provider_mnemonic, begin_date,
  changed_by, changed_at) VALUES (7, 'TEXAMPLE1', 'Example', 'Testperson 1', '100001', 'TEXAMPLE1', '2026-07-01', 'WARDCLERK',
  '2026-07-01 04:00:00');
INSERT INTO user_facility (user_mnemonic, facility_id, begin_date) VALUES ('TEXAMPLE1', 'EAST', '2026-07-01');
INSERT INTO user_menu (user_mnemonic, facility_id, menu_mnemonic, begin_date, granted_by)
  VALUES ('TEXAMPLE1', 'EAST', 'NUR.VIEW', '2026-07-01', 'WARDCLERK');
INSERT INTO user_session (session_id, user_mnemonic, started_at) VALUES ('s1', 'TEXAMPLE1', '2026-07-01 08:00:00');
";

fn person(number: u32) -> Value {
    json!({
        "givenName": [format!("Testperson {number}")], "familyName": ["Example"],
        "employeeNumber": [format!("{}", 100_000 + number)], "beginDate": [{"at": "2026-07-01T00:00:00Z"}],
        "endDate": [{"at": "2099-07-01T00:00:00Z"}],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_meditech_like_file_is_tested_on_a_database() {
    let mut scene = Scene::new("meditech-like", "", json!({}));
    scene.setup.sql = Some(tables() + PERSON);
    let sessions = json!({"query": "SELECT count(*) AS open FROM user_session WHERE revoked_at IS NULL"});
    let account = |call: Value, after: Value| (call, after);
    let update = |change: Value| json!({"op": "update", "kind": "account", "id": "7", "change": change});
    let make = |number: u32, holds: Value| json!({"op": "create", "kind": "account", "attrs": person(number), "state": "enabled", "entitlements": holds});
    let menus = "SELECT menu_mnemonic, facility_id, granted_by, end_date = date('now') AS ends_today FROM user_menu ORDER BY 1, 2";
    let all = [
        (
            "a provider is made under a name of its own",
            account(
                json!({"op": "create", "kind": "provider", "state": "enabled", "attrs": {
                    "npi": ["1900000002"], "givenName": ["Testperson 2"], "familyName": ["Example"], "providerType": ["PHYSICIAN"],
                }}),
                json!([{"query": "SELECT provider_mnemonic, active FROM provider_dict ORDER BY 1"}]),
            ),
        ),
        (
            "an account is made, with a menu and the facility that the menu needs",
            account(
                make(2, json!([{"type": "menu", "value": "NUR.VIEW", "scope": {"facility": "WEST"}}])),
                json!([
                    {"query": "SELECT user_mnemonic, status, begin_date, end_date, auth_source, changed_by FROM user_dict ORDER BY 1"},
                    {"query": "SELECT user_mnemonic, facility_id FROM user_facility ORDER BY 1, 2"}, {"query": menus},
                ]),
            ),
        ),
        (
            "an account is read with what it holds",
            account(json!({"op": "get", "kind": "account", "id": "7"}), json!([])),
        ),
        ("nobody has this number", account(json!({"op": "get", "kind": "account", "id": "8"}), json!([]))),
        (
            "an account is found by its employee number",
            account(json!({"op": "find", "kind": "account", "key": {"employeeNumber": "100001"}}), json!([])),
        ),
        (
            "an employee number that is taken names who has it",
            account(make(1, json!([])), json!([{"query": "SELECT count(*) AS users FROM user_dict"}])),
        ),
        (
            "a menu that there is not is refused and the account stands",
            account(
                make(3, json!([{"type": "menu", "value": "NO.SUCH", "scope": {"facility": "EAST"}}])),
                json!([{"query": "SELECT count(*) AS users FROM user_dict"}]),
            ),
        ),
        (
            "an end before the beginning is refused and nothing changes",
            account(
                update(json!({"attrs": {"endDate": {"set": [{"at": "2001-07-01T00:00:00Z"}]}}})),
                json!([{"query": "SELECT end_date, row_version FROM user_dict"}]),
            ),
        ),
        (
            "a record that changed since it was read is left alone",
            account(
                update(json!({"attrs": {"email": {"set": ["late@hosp.example"]}}, "ifVersion": "0"})),
                json!([{"query": "SELECT email, row_version FROM user_dict"}]),
            ),
        ),
        (
            "attributes are written in one statement and the version rises once",
            account(
                update(
                    json!({"attrs": {"familyName": {"set": ["Example-After"]}, "email": {"set": ["t1@hosp.example"]}}}),
                ),
                json!([{"query": "SELECT last_name, first_name, email, row_version, changed_by FROM user_dict"}]),
            ),
        ),
        (
            "a menu is given and one that somebody else gave is ended",
            account(
                update(json!({"entitlements": {
                    "add": [{"type": "menu", "value": "NUR.CHARGE", "scope": {"facility": "EAST"}}],
                    "remove": [{"type": "menu", "value": "NUR.VIEW", "scope": {"facility": "EAST"}}],
                }})),
                json!([{"query": menus}]),
            ),
        ),
        (
            "a leaver is inactive, and the open session ends in the same transaction",
            account(
                update(json!({"state": "disabled"})),
                json!([{"query": "SELECT status, end_date = date('now') AS ends_today FROM user_dict"}, sessions.clone()]),
            ),
        ),
        (
            "who is ended by the date alone keeps the status, and the open session ends with it",
            account(
                update(json!({"state": "expired"})),
                json!([{"query": "SELECT status, end_date = date('now') AS ends_today FROM user_dict"}, sessions.clone()]),
            ),
        ),
        ("who is active can log in", account(json!({"op": "effective", "kind": "account", "id": "7"}), json!([]))),
        (
            "sessions are ended",
            account(json!({"op": "revoke_sessions", "kind": "account", "id": "7"}), json!([sessions])),
        ),
        ("accounts are listed", account(json!({"op": "list", "kind": "account", "size": 2}), json!([]))),
        ("menus are the catalogue", account(json!({"op": "list", "kind": "menu", "size": 2}), json!([]))),
        ("an account is never deleted", account(json!({"op": "delete", "kind": "account", "id": "7"}), json!([]))),
        ("the database is there", account(json!({"op": "check"}), json!([]))),
    ];
    for (name, (call, after)) in all {
        scene.filled(json!({"name": name, "call": call, "after": after, "expect": {}})).await;
    }
    // A table that somebody changed under the file: what is answered is understood or refused, never guessed.
    let odd = "UPDATE user_dict SET end_date = 'soon';\n";
    let call = json!({"op": "get", "kind": "account", "id": "7"});
    scene
        .filled(json!({"name": "a day that is no day is not guessed at", "sql": odd, "call": call, "expect": {}}))
        .await;
    let gone = "DROP TABLE user_session;\n";
    let call = update(json!({"state": "disabled"}));
    let look = json!([{"query": "SELECT status FROM user_dict"}]);
    scene.filled(json!({"name": "half a closing is undone when the other half cannot be done", "sql": gone, "call": call, "expect": {}, "after": look})).await;
    scene.end();
}
