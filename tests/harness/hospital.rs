//! A hospital with a directory and an EHR, and the configuration that connects them: the set-up of most tests.

use crate::slapd::PASSWORD;
use fixtures::ehr_rest::EhrRest;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// A configuration on disk, with its secrets beside it.
pub struct Hospital {
    /// Where everything lies.
    pub folder: TempDir,
    /// The configuration.
    pub config: PathBuf,
}

/// What varies between tests.
#[derive(Default)]
pub struct Wiring<'a> {
    /// The directory's address, where there is one.
    pub directory: Option<String>,
    /// The EHR, where there is one.
    pub ehr: Option<&'a EhrRest>,
    /// Another address for it, such as a proxy's in front.
    pub ehr_url: Option<String>,
    /// More settings of each source, such as `delivery = "confirm"`.
    pub source: &'a str,
    /// The sources, whole, in place of `entra` and `okta`.
    pub sources: Option<&'a str>,
    /// Accounts are told apart by the user's id, never by an employee number of the identity provider's.
    pub by_id: bool,
    /// More of the directory's target: tables such as `[target.layers.timeout]`.
    pub directory_more: &'a str,
    /// More lines of the directory's own settings.
    pub directory_settings: &'a str,
    /// More of the EHR's target.
    pub ehr_more: &'a str,
    /// More of the configuration, at its end.
    pub more: &'a str,
    /// The address to listen on; any free port by default.
    pub listen: Option<String>,
}

impl Hospital {
    /// Writes the configuration of a hospital with the sources `entra` and `okta`.
    #[must_use]
    pub fn new(wiring: &Wiring<'_>) -> Hospital {
        let folder = tempfile::tempdir().expect("a folder");
        let here = folder.path().display().to_string();
        fs::write(folder.path().join("directory.secret"), PASSWORD).expect("a file");
        fs::write(folder.path().join("ehr.secret"), "test-only").expect("a file");
        let listen = wiring.listen.as_deref().unwrap_or("127.0.0.1:0");
        let mut text = format!(
            "[server]\nlisten = \"{listen}\"\nadmin_socket = \"{here}/admin.sock\"\n\n[store]\nurl = \"sqlite:{here}/chartgate.db\"\n"
        );
        let source = |name: &str| format!("\n[[source]]\nname = \"{name}\"\n{}\n", wiring.source);
        text.push_str(&wiring.sources.map_or_else(|| source("entra") + &source("okta"), str::to_owned));
        let target = |text: &str, url: &str, more: &str| {
            let text = text
                .replace("@DIR@", &here)
                .replace("@URL@", url)
                .replace("@MORE@", more)
                .replace("@SETTINGS@", wiring.directory_settings);
            let key = "coalesce(user.enterprise.employeeNumber, user.id)";
            if wiring.by_id { text.replace(key, "user.id") } else { text }
        };
        if let Some(directory) = &wiring.directory {
            text.push_str(&target(DIRECTORY, directory, wiring.directory_more));
        }
        if let Some(ehr) = wiring.ehr {
            text.push_str(&target(EHR, &wiring.ehr_url.clone().unwrap_or_else(|| ehr.base_url()), wiring.ehr_more));
        }
        text.push_str(wiring.more);
        let config = folder.path().join("chartgate.toml");
        fs::write(&config, text).expect("a file");
        Hospital { folder, config }
    }
}

const DIRECTORY: &str = r#"
[[target]]
name = "directory"
kind = "ldap"
@MORE@
[target.settings]
url = "@URL@"
bind_dn = "cn=admin,dc=hosp,dc=example"
bind_password = { file = "@DIR@/directory.secret" }
@SETTINGS@

[target.settings.account]
base = "ou=people,dc=hosp,dc=example"
object_classes = ["inetOrgPerson", "clinPerson"]
owned_mark = "clinGatewayId"
lock = {}
status = { attribute = "clinAccountStatus", enabled = "active", disabled = "ended" }
scramble_password = true

[[target.settings.entitlement]]
type = "group"
base = "ou=entitlements,dc=hosp,dc=example"
placeholder = "uid=placeholder,ou=services,dc=hosp,dc=example"

[target.account]
when = "true"
key = ["uid"]
strong = ["employeeNumber"]

[target.account.attributes]
uid = "user.userName"
cn = "coalesce(user.displayName, user.userName)"
sn = "coalesce(user.name.familyName, user.userName)"
givenName = "user.name.givenName"
title = "user.title"
employeeNumber = "coalesce(user.enterprise.employeeNumber, user.id)"
departmentNumber = "user.enterprise.department"
clinAccessEnd = "access.ends"
clinGatewayId = "user.id"

[[role]]
name = "staff"
when = "true"
entitlements = ["directory:group:ehr-login"]

[[role]]
name = "nurse-directory"
when = "user.title == 'Registered Nurse'"
entitlements = ["directory:group:grp-nursing"]
"#;

const EHR: &str = r#"
[[target]]
name = "ehr"
kind = "rest"
profile = "oracle-health-like"
@MORE@
[target.settings.http]
url = "@URL@"
headers = { X-Target-Id = "EAST-PROD" }
allow_networks = ["127.0.0.0/8"]
allow_plaintext = true
requests_per_second = 5000

[target.settings.http.auth]
client_id = "gateway"
client_secret = { file = "@DIR@/ehr.secret" }

[target.account]
when = "true"
key = ["employeeNumber"]
strong = ["employeeNumber"]

[target.account.attributes]
username = "user.userName"
givenName = "coalesce(user.name.givenName, user.userName)"
familyName = "coalesce(user.name.familyName, user.userName)"
logicalDomain = "'EAST'"
employeeNumber = "coalesce(user.enterprise.employeeNumber, user.id)"
beginEffective = "access.begins"
endEffective = "access.ends"

[[role]]
name = "nurse-ehr"
when = "user.title == 'Registered Nurse'"
entitlements = ["ehr:position:RN", "ehr:organization:EAST"]
"#;
