//! What others gave stays, through a thousand changes of ours, in an Active Directory.

use super::*;
use async_trait::async_trait;
use connector_testkit::foreign::{Foreign, OtherHand};

/// Groups that only this uses; part of the seed.
pub const COUNT: usize = 10;

/// The domain's administrator, who gives groups by hand.
#[async_trait]
impl OtherHand for Domain {
    async fn give(&self, id: &NativeId, one: &Entitlement) {
        let name = self.name(id).await;
        let member = vec![Mod::Add("member", HashSet::from([name.as_str()]))];
        self.hand().await.modify(&format!("CN={},{GROUPS}", one.value), member).await.unwrap().success().unwrap();
    }

    async fn held(&self, id: &NativeId) -> Vec<(String, String)> {
        let filter = format!("(member={})", self.name(id).await);
        let found = self.hand().await.search(GROUPS, Scope::Subtree, &filter, vec!["cn"]).await.unwrap().0;
        let named = |entry| format!("role:{}", SearchEntry::construct(entry).attrs["cn"][0]);
        found.into_iter().map(|entry| (named(entry), String::new())).collect()
    }
}

impl Domain {
    /// The administrator's one connection.
    async fn hand(&self) -> Ldap {
        self.hand.get_or_init(|| self.admin()).await.clone()
    }

    async fn name(&self, id: &NativeId) -> String {
        let mut ldap = self.hand().await;
        let found = ldap.search(&format!("<GUID={id}>"), Scope::Base, "(objectClass=*)", vec!["1.1"]).await.unwrap().0;
        SearchEntry::construct(found.into_iter().next().unwrap()).dn
    }
}

pub async fn two_hundred_foreign_memberships_survive_a_thousand_changes(domain: &Domain) {
    let suite = Foreign {
        connector: domain.connector.clone(),
        host: domain.host.clone(),
        kind: account(),
        person: &|number| person(&format!("foreign{number}")),
        key: "employeeNumber",
        text: "department",
        catalogue: (0..COUNT).map(|number| Entitlement::new("role", format!("grp-{number}"))).collect(),
        single: &[],
        each: 5,
        at_once: 8,
        hand: domain,
    };
    suite.survive().await.unwrap();
}
