//! The conformance kit over a real slapd, with a proxy between that does harm on command.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[allow(dead_code)]
mod slapd;

use async_trait::async_trait;
use connector_spi::{Erase, Kind};
use connector_testkit::{LdapProxy, StateProbe, Subject, assert_required, run};
use ldap3::{LdapConnAsync, Scope, SearchEntry};
use serde_json::json;
use slapd::{PASSWORD, PEOPLE, Setup};
use std::{
    collections::{BTreeMap, HashSet},
    net::SocketAddr,
    sync::Arc,
};

/// A look at the directory as its administrator.
struct Probe {
    port: u16,
}

impl Probe {
    async fn admin(&self) -> ldap3::Ldap {
        let (connection, mut ldap) = LdapConnAsync::new(&format!("ldap://127.0.0.1:{}", self.port)).await.unwrap();
        tokio::spawn(connection.drive());
        ldap.simple_bind("cn=admin,dc=hosp,dc=example", PASSWORD).await.unwrap().success().unwrap();
        ldap
    }
}

#[async_trait]
impl StateProbe for Probe {
    async fn state(&self) -> String {
        let mut admin = self.admin().await;
        let found = admin.search("dc=hosp,dc=example", Scope::Subtree, "(objectClass=*)", vec!["*", "entryCSN"]).await;
        let mut lines: Vec<String> = found
            .unwrap()
            .0
            .into_iter()
            .map(|entry| {
                let entry = SearchEntry::construct(entry);
                format!("{} {:?}", entry.dn, entry.attrs.into_iter().collect::<BTreeMap<_, _>>())
            })
            .collect();
        lines.sort();
        lines.join("\n")
    }

    async fn seed(&self, _: &Kind, count: u32) -> bool {
        let mut admin = self.admin().await;
        for number in 0..count {
            let one = |value: String| HashSet::from([value]);
            let attributes = vec![
                ("objectClass".to_owned(), one("inetOrgPerson".into())),
                ("uid".to_owned(), one(format!("seed{number}"))),
                ("cn".to_owned(), one(format!("Testperson {number} Example"))),
                ("sn".to_owned(), one("Example".into())),
            ];
            admin.add(&format!("uid=seed{number},{PEOPLE}"), attributes).await.unwrap().success().unwrap();
        }
        true
    }
}

#[tokio::test]
async fn the_connector_keeps_every_promise_of_the_contract() {
    let Some(slapd) = slapd::start_with(Setup::default()) else { return };
    let proxy = LdapProxy::before(SocketAddr::from(([127, 0, 0, 1], slapd.port))).await.unwrap();
    let config = |port: u16| {
        let mut config = slapd.config_at(port);
        config["bind_password"] = json!({ "env": "DIRECTORY_PASSWORD" });
        config["account"]["allow_delete"] = json!(true);
        config["account"]["attributes"] = json!(["displayName", "title", "clinFacility", "clinAccessEnd"]);
        config
    };
    let fixture = json!({
        "account": {
            "kind": "account",
            "attrs": {
                "uid": ["kit{n}"],
                "cn": ["Testperson {n} Example"],
                "sn": ["Example"],
                "employeeNumber": ["K{n}"],
                "clinGatewayId": ["gateway-{n}"],
                "displayName": ["Testperson {n} Example"],
                "title": ["Resident"],
                "clinFacility": ["EAST", "WEST"],
                "clinAccessEnd": [{ "at": "2026-09-21T04:00:00Z" }],
                "pwdEndTime": [{ "at": "2099-09-21T04:00:00Z" }],
                "parent": ["ou=west,ou=people,dc=hosp,dc=example"],
            },
            "text": "displayName",
            "multi": ["clinFacility", ["NORTH", "SOUTH", "CENTRE"]],
            "renames": "uid",
            "absent": "00000000-0000-0000-0000-0000{n}",
        },
        "entitlements": [{ "type": "role", "value": "grp-ed" }, { "type": "role", "value": "grp-inner" }],
        "unknown_entitlement": { "type": "role", "value": "no-such-group" },
    });
    let settings = config(proxy.addr().port());
    let subject = Subject {
        wrong_host: Some(config(1)),
        secrets: BTreeMap::from([("DIRECTORY_PASSWORD".to_owned(), PASSWORD.to_owned())]),
        faults: Some(proxy),
        probe: Some(Arc::new(Probe { port: slapd.port })),
        ..Subject::new(
            Arc::new(Erase::<connector_ldap::Ldap>::new()),
            settings,
            serde_json::from_value(fixture).unwrap(),
        )
    };
    let report = run(&subject).await;
    println!("{report}");
    assert_required("ldap", &report);
}
