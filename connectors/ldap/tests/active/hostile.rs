//! Values that mean something to somebody stay values in an Active Directory too: in names, keys and attributes.

use super::*;
use async_trait::async_trait;
use connector_testkit::hostile::{Eye, Hostile};
use fixtures::hostile_values::corpus;

/// A little less than the longest `cn`, so that the corpus has values on both sides of the limit.
const LONGEST: usize = 60;

/// The directory as its administrator sees it.
struct Admin(Ldap);

#[async_trait]
impl Eye for Admin {
    async fn stands(&self, ids: &[NativeId], attribute: &str) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        for id in ids {
            let base = format!("<GUID={id}>");
            let found = self.0.clone().search(&base, Scope::Base, "(objectClass=*)", vec![attribute]).await.unwrap();
            let entry = SearchEntry::construct(found.0.into_iter().next().unwrap());
            all.push(entry.attrs.into_values().flatten().collect());
        }
        all
    }
}

fn somebody(number: u32) -> Attrs {
    person(&format!("h{number}"))
}

pub async fn three_hundred_hostile_values_are_nothing_but_values(domain: &Domain) {
    let all: Vec<String> = corpus(LONGEST).into_iter().map(|one| one.text).collect();
    assert!(all.len() >= 300);
    let before = domain.values(&format!("CN=grp-ed,{GROUPS}"), "uSNChanged").await;
    let eye = Admin(domain.admin().await);
    let mut kept = Vec::new();
    for (at, (places, key)) in
        [(&["cn", "displayName", "department"][..], "employeeNumber"), (&["sAMAccountName"][..], "sAMAccountName")]
            .into_iter()
            .enumerate()
    {
        let suite = Hostile {
            connector: domain.connector.clone(),
            host: domain.host.clone(),
            kind: account(),
            person: &somebody,
            key,
            places,
            at_once: 8,
            eye: &eye,
        };
        let refused = suite.survive(&all, 1_000 * (u32::try_from(at).unwrap() + 1)).await.unwrap();
        kept.push(all.len() - refused.len());
    }
    // Names are held to rules; of the rest only what controls, reverses or is too long is refused.
    assert!(kept[0] >= 260 && kept[1] >= 60, "{kept:?}");
    assert_eq!(domain.values(&format!("CN=grp-ed,{GROUPS}"), "uSNChanged").await, before);
}
