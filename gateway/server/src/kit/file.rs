//! The two files of a run, and the one that is made up for a SCIM server.

use super::address;
use crate::config::{Problem, one_target};
use crate::kinds::Kinds;
use connector_testkit::{Fixture, names};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What is put to the test.
#[derive(Debug, Clone)]
pub struct Case {
    /// The kind of connector.
    pub kind: String,
    /// Its settings, those of its profile or file included.
    pub settings: Value,
    /// Legal values of the target.
    pub fixture: Fixture,
    /// How the kit gets between the connector and the target.
    pub harness: Harness,
}

/// `[harness]` of the file with legal values.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Harness {
    /// Where the target's address stands among the settings, as a JSON pointer: a URL, or a table with `host` and `port`, or a
    /// `path`. Without it the target is used as it is, and no fault can be tried.
    pub address: Option<String>,
    /// Texts that tell requests which only read although their method is POST: names of operations, the path of a token.
    pub reads: Vec<String>,
    /// Secrets of a test system, by the variable or file that the settings name. The others are read as the gateway reads them.
    pub secrets: BTreeMap<String, String>,
    /// A simulated target in memory that the run starts: `pager`, `ehr-rest`, `ehr-soap`, `ehr-sql`, `scim`, `directory` or
    /// `sqlite:FILE.sql`.
    pub simulator: Option<String>,
    /// Checks that this kind of connector must pass and that are left out on purpose, each with the reason, which is printed. They
    /// are tried all the same where they can be: only that one could not be tried, or does not apply, is forgiven.
    pub left_out: BTreeMap<String, String>,
}

/// Reads the target's file, which stands in the current folder, and the one with legal values. `folder` is what the target's file
/// is told to be in.
///
/// # Errors
/// Everything that is wrong with them, a line each.
pub fn case(folder: &Path, target: &str, kit: &Path, kinds: &Kinds) -> Result<Case, String> {
    let (kind, settings) = one_target(target, kinds).map_err(|problems| lines(problems, folder))?;
    let text =
        fs::read_to_string(kit).map_err(|error| format!("{} cannot be read: {}", kit.display(), error.kind()))?;
    let (fixture, harness) = legal_values(&text).map_err(|why| format!("{}: {why}", kit.display()))?;
    Ok(Case { kind, settings, fixture, harness })
}

fn legal_values(text: &str) -> Result<(Fixture, Harness), String> {
    let mut values: toml::Table = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    let harness = values.remove("harness").unwrap_or_else(|| toml::Value::Table(toml::Table::new()));
    let harness: Harness = serde_path_to_error::deserialize(harness).map_err(|error| format!("harness.{error}"))?;
    for (check, reason) in &harness.left_out {
        if !names().contains(&check.as_str()) {
            return Err(format!("harness.left_out: there is no check {check:?}"));
        }
        if reason.trim().is_empty() {
            return Err(format!("harness.left_out: {check:?} is left out without a reason"));
        }
    }
    let values = serde_json::to_value(values).map_err(|error| error.to_string())?;
    let fixture = serde_path_to_error::deserialize(values).map_err(|error| error.to_string())?;
    Ok((fixture, harness))
}

fn lines(problems: Vec<Problem>, folder: &Path) -> String {
    let shown = |mut problem: Problem| {
        if !problem.file.starts_with("profile ") {
            problem.file = folder.join(&problem.file).display().to_string();
        }
        problem.to_string()
    };
    problems.into_iter().map(shown).collect::<Vec<_>>().join("\n")
}

/// What cannot be tried without the names of entitlements, and of an attribute with many values.
const UNNAMED: [&str; 8] = [
    "entitlement.add_twice_ok",
    "entitlement.foreign_one_survives",
    "entitlement.remove_absent_ok",
    "entitlement.swap_in_one_change",
    "entitlement.unknown_is_invalid",
    "state.disable_keeps_entitlements_readable",
    "update.partial_failure_reported_per_part",
    "update.patch_add_remove_one_call",
];

/// The case of a SCIM server of which nothing is known but its address and the variable with its token.
///
/// # Errors
/// When the profile is missing from the program.
pub fn scim(url: &str, token: &str, kinds: &Kinds) -> Result<Case, String> {
    let profile = kinds.profile("scim").ok_or("this program has no profile scim")?;
    let mut settings: Value = toml::from_str(profile.text).map_err(|error| error.to_string())?;
    if let Some(members) = settings.as_object_mut() {
        crate::target_file::APART.iter().for_each(|apart| drop(members.remove(*apart)));
    }
    let mut set = |pointer: &str, value: Value| address::point(&mut settings, pointer, value);
    set(
        "/http",
        json!({
            "url": url,
            "auth": { "type": "bearer", "token": { "env": token } },
            // A test system may be anywhere; the address was given on the command line.
            "allow_networks": ["0.0.0.0/0", "::/0"],
            "allow_plaintext": url.starts_with("http://"),
        }),
    )?;
    set("/account/allow_delete", json!(true))?;
    set(
        "/account/attributes",
        json!([
            "userName",
            "externalId",
            "displayName",
            "name.givenName",
            "name.familyName",
            "title",
            "emails[type eq \"work\"].value"
        ]),
    )?;
    let fixture = json!({
        "account": {
            "kind": "account", "text": "displayName", "absent": "no-such-{n}",
            "attrs": {
                "userName": ["kit{n}"], "externalId": ["Kit-{n}"], "displayName": ["Testperson {n} Example"],
                "name.givenName": ["Testperson {n}"], "name.familyName": ["Example"], "title": ["Tester"],
                "emails[type eq \"work\"].value": ["kit{n}@hosp.example"],
            },
        },
    });
    let fixture = serde_json::from_value(fixture).map_err(|error| error.to_string())?;
    let unknown = "of this server only its address is known: a kit.toml names its groups, roles and lists";
    let left_out = UNNAMED.iter().map(|check| ((*check).to_owned(), unknown.to_owned())).collect();
    let harness = Harness { address: Some("/http/url".to_owned()), left_out, ..Harness::default() };
    Ok(Case { kind: "scim".to_owned(), settings, fixture, harness })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const VALUES: &str = r#"
        [account]
        kind = "account"
        text = "name"
        absent = "9{n}"
        attrs = { name = ["Testperson {n}"] }
    "#;

    #[test]
    fn what_is_wrong_with_the_values_is_told_with_its_place() {
        let (_, harness) = legal_values(&format!("{VALUES}\n[harness]\naddress = \"/http/url\"")).unwrap();
        assert_eq!(harness.address.as_deref(), Some("/http/url"));

        let wrong = legal_values(&format!("{VALUES}\nattr = {{}}")).unwrap_err();
        assert!(wrong.contains("account") && wrong.contains("attr"), "{wrong}");
        let wrong = legal_values(&format!("{VALUES}\n[harness]\nadress = \"/\"")).unwrap_err();
        assert!(wrong.starts_with("harness") && wrong.contains("adress"), "{wrong}");
        for left_out in ["\"fault.none_such\" = \"why\"", "\"fault.503_is_transient\" = \" \""] {
            let wrong = legal_values(&format!("{VALUES}\n[harness.left_out]\n{left_out}")).unwrap_err();
            assert!(wrong.starts_with("harness.left_out") && wrong.contains("fault."), "{wrong}");
        }
    }

    #[test]
    fn a_scim_server_needs_no_file() {
        let case = scim("https://app.hosp.example/scim/v2", "TOKEN", &Kinds::built_in()).unwrap();
        let kinds = Kinds::built_in();
        assert!(kinds.named("scim").unwrap().check_json(&case.settings).is_empty());
    }
}
