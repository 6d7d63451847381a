//! What others gave stays, through a thousand changes of ours, on a real slapd.

use super::*;
use async_trait::async_trait;
use connector_testkit::foreign::{Foreign, OtherHand};
use ldap3::{Ldap, Scope, SearchEntry};

/// Groups besides those of the seed.
const GROUPS: usize = 10;
const ENTITLEMENTS: &str = "ou=entitlements,dc=hosp,dc=example";

/// The directory's administrator, who gives groups by hand.
struct Administrator(Ldap);

impl Administrator {
    async fn name(&self, id: &NativeId) -> String {
        let mut ldap = self.0.clone();
        let filter = format!("(entryUUID={id})");
        let found = ldap.search(PEOPLE, Scope::Subtree, &filter, vec!["1.1"]).await.unwrap().0;
        SearchEntry::construct(found.into_iter().next().unwrap()).dn
    }
}

#[async_trait]
impl OtherHand for Administrator {
    async fn give(&self, id: &NativeId, one: &Entitlement) {
        let name = self.name(id).await;
        let member = vec![Mod::Add("member", HashSet::from([name.as_str()]))];
        let group = format!("cn={},{ENTITLEMENTS}", one.value);
        self.0.clone().modify(&group, member).await.unwrap().success().unwrap();
    }

    async fn held(&self, id: &NativeId) -> Vec<(String, String)> {
        let filter = format!("(member={})", self.name(id).await);
        let found = self.0.clone().search(ENTITLEMENTS, Scope::Subtree, &filter, vec!["cn"]).await.unwrap().0;
        let named = |entry| format!("role:{}", SearchEntry::construct(entry).attrs["cn"][0]);
        found.into_iter().map(|entry| (named(entry), String::new())).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_foreign_memberships_survive_a_thousand_changes() {
    let Some(target) = Target::new().await else { return };
    let administrator = Administrator(target.slapd.admin().await);
    for number in 0..GROUPS {
        let one = |value: &str| HashSet::from([value.to_owned()]);
        let attributes = vec![
            ("objectClass".to_owned(), one("groupOfNames")),
            ("member".to_owned(), one("uid=placeholder,ou=services,dc=hosp,dc=example")),
        ];
        let mut ldap = administrator.0.clone();
        ldap.add(&format!("cn=grp-{number},{ENTITLEMENTS}"), attributes).await.unwrap().success().unwrap();
    }
    let groups = (0..GROUPS).map(|number| role(&format!("grp-{number}")));
    let suite = Foreign {
        connector: target.connector.clone(),
        host: target.host.clone(),
        kind: account(),
        person: &person,
        key: "employeeNumber",
        text: "title",
        catalogue: groups.chain([role("grp-ed"), role("ehr-login")]).collect(),
        single: &[],
        each: 5,
        at_once: 8,
        hand: &administrator,
    };
    suite.survive().await.unwrap();
}
