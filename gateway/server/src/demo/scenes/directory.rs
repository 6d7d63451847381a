//! The hospital's directory.

use super::{Account, Accounts, SECRET, Scene, accounts};
use crate::demo::Outcome;
use async_trait::async_trait;
use fixtures::directory::{Directory, Options};
use fixtures::workforce::Workforce;
use ldap3::{LdapConnAsync, Scope, SearchEntry};
use std::collections::{BTreeMap, BTreeSet};

const PEOPLE: &str = "ou=people,dc=hosp,dc=example";
const GROUPS: &str = "ou=entitlements,dc=hosp,dc=example";

/// A small LDAP server in this process.
pub struct Ldap(Directory);

impl Ldap {
    /// Starts it.
    pub async fn start() -> Outcome<Self> {
        Ok(Self(Directory::start(Options::default()).await?))
    }
}

#[async_trait]
impl Scene for Ldap {
    fn name(&self) -> &'static str {
        "directory"
    }

    fn what(&self) -> &'static str {
        "a directory (LDAP)"
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("@DIRECTORY@", self.0.url())]
    }

    fn place(&self) -> String {
        self.0.url()
    }

    async fn read(&self) -> Outcome<Accounts> {
        read(&self.0.url()).await
    }

    fn wanted(&self, workforce: &Workforce) -> Accounts {
        accounts(workforce, |person| {
            let mut groups = vec!["ehr-login"];
            match (person.title.as_str(), person.department()) {
                ("Registered Nurse", _) => groups.push("grp-nursing"),
                ("Resident", "ED-10200") => groups.extend(["grp-residents", "grp-ed"]),
                ("Resident", _) => groups.push("grp-residents"),
                ("Attending Physician", _) => groups.push("grp-medstaff"),
                _ => {}
            }
            let holds = groups.into_iter().map(|group| format!("group:{group}")).collect();
            (
                BTreeMap::from([
                    ("family name", person.family_name.clone()),
                    ("department", person.department().to_owned()),
                ]),
                holds,
            )
        })
    }

    async fn stop(self: Box<Self>) {
        self.0.stop().await;
    }
}

/// Reads the directory by LDAP. Accounts without the gateway's mark are not ours and are left out.
async fn read(url: &str) -> Outcome<Accounts> {
    let (connection, mut ldap) = LdapConnAsync::new(url).await?;
    ldap3::drive!(connection);
    ldap.simple_bind("cn=admin,dc=hosp,dc=example", SECRET).await?.success()?;
    let wanted = vec!["employeeNumber", "sn", "departmentNumber", "clinAccountStatus", "pwdAccountLockedTime"];
    let (people, _) = ldap.search(PEOPLE, Scope::OneLevel, "(clinGatewayId=*)", wanted).await?.success()?;
    let (groups, _) =
        ldap.search(GROUPS, Scope::OneLevel, "(objectClass=groupOfNames)", vec!["cn", "member"]).await?.success()?;
    ldap.unbind().await?;

    let mut held: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for group in groups.into_iter().map(SearchEntry::construct) {
        let name = first(&group, "cn");
        for member in group.attrs.get("member").into_iter().flatten() {
            held.entry(member.to_lowercase()).or_default().insert(format!("group:{name}"));
        }
    }
    Ok(people
        .into_iter()
        .map(SearchEntry::construct)
        .map(|entry| {
            let locked = entry.attrs.contains_key("pwdAccountLockedTime");
            let account = Account {
                enabled: !locked && first(&entry, "clinAccountStatus") == "active",
                facts: BTreeMap::from([
                    ("family name", first(&entry, "sn")),
                    ("department", first(&entry, "departmentNumber")),
                ]),
                holds: held.remove(&entry.dn.to_lowercase()).unwrap_or_default(),
            };
            (first(&entry, "employeeNumber"), account)
        })
        .collect())
}

fn first(entry: &SearchEntry, name: &str) -> String {
    entry.attrs.get(name).and_then(|values| values.first()).cloned().unwrap_or_default()
}
