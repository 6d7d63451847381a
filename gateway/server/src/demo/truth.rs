//! What each target should hold, worked out from the workforce alone: the demo's verdict must not come from the gateway.

use fixtures::workforce::{Person, Workforce};
use std::collections::{BTreeMap, BTreeSet};

/// One account as it should be, or as it was read. Equality is the verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// It can be used.
    pub enabled: bool,
    /// Names and numbers that both targets hold.
    pub facts: BTreeMap<&'static str, String>,
    /// What it holds, as `type:value`.
    pub holds: BTreeSet<String>,
}

/// Accounts by employee number.
pub type Accounts = BTreeMap<String, Account>;

/// What the directory should hold.
pub fn directory(workforce: &Workforce) -> Accounts {
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

/// What the EHR should hold.
pub fn ehr(workforce: &Workforce) -> Accounts {
    accounts(workforce, |person| {
        let holds: &[&str] = match (person.title.as_str(), person.department()) {
            ("Registered Nurse", "NUR-CL2") => &["position:RN", "organization:WEST"],
            ("Registered Nurse", _) => &["position:RN", "organization:EAST"],
            ("Resident", "ED-10200") => &["position:RESIDENT_ED", "organization-group:EAST_ALL"],
            ("Resident", _) => &["position:RESIDENT_IM", "organization-group:EAST_ALL"],
            ("Attending Physician", _) => &["position:ATTENDING_IM", "organization-group:EAST_ALL"],
            _ => &["role-profile:REGISTRAR", "organization:EAST"],
        };
        let facts =
            BTreeMap::from([("family name", person.family_name.clone()), ("user name", person.user_name.clone())]);
        (facts, holds.iter().map(|one| (*one).to_owned()).collect())
    })
}

/// Everybody who ever joined has an account; who left has a closed one that holds nothing of ours.
fn accounts(
    workforce: &Workforce,
    of: impl Fn(&Person) -> (BTreeMap<&'static str, String>, BTreeSet<String>),
) -> Accounts {
    workforce
        .people
        .iter()
        .map(|person| {
            let (facts, holds) = of(person);
            let holds = if person.active { holds } else { BTreeSet::new() };
            (person.employee_number.clone(), Account { enabled: person.active, facts, holds })
        })
        .collect()
}
