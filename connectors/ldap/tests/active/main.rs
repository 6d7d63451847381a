//! The connector against a real Active Directory: Samba's domain controller. One domain serves all tests of this file, since
//! making one takes a while; each test has people of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod foreign;
#[path = "../host/mod.rs"]
#[allow(dead_code)]
mod host;
mod hostile;
mod kit;
mod lost;
#[path = "../slapd/mod.rs"]
#[allow(dead_code)]
mod slapd;
mod story;

use connector_spi::{
    AccountState, Attrs, Change, Class, Connector, Ctx, Delta, Entitlement, EntitlementChange, Kind, NativeId, Value,
};
use fixtures::servers::{
    Certificate, Samba,
    samba::{ADMIN, ADMIN_PASSWORD},
};
use host::{TestHost, cx, open};
use ldap3::{Ldap, LdapConnAsync, Mod, Scope, SearchEntry};
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};
use tokio::sync::OnceCell;

const PEOPLE: &str = "OU=people,DC=hosp,DC=example";
/// Members of the group `crowd`.
const CROWD: usize = 1_600;
const GROUPS: &str = "OU=entitlements,DC=hosp,DC=example";

/// Units and groups that are there from the start.
fn seed() -> String {
    let mut seed = String::new();
    let units = [PEOPLE, "OU=west,OU=people,DC=hosp,DC=example", GROUPS, "OU=inner,OU=entitlements,DC=hosp,DC=example"];
    for unit in units.into_iter().chain(["OU=teams,DC=hosp,DC=example"]) {
        seed += &format!("dn: {unit}\nobjectClass: organizationalUnit\n\n");
    }
    for (name, unit) in [("grp-ed", GROUPS), ("grp-ward", GROUPS), ("grp-inner", units[3])] {
        seed += &format!("dn: CN={name},{unit}\nobjectClass: group\nsAMAccountName: {name}\n\n");
    }
    for number in 0..foreign::COUNT {
        seed += &format!("dn: CN=grp-{number},{GROUPS}\nobjectClass: group\nsAMAccountName: grp-{number}\n\n");
    }
    // More members than the directory gives at once.
    let members: Vec<String> = (0..CROWD).map(|number| format!("CN=m{number},OU=teams,DC=hosp,DC=example")).collect();
    for member in &members {
        seed += &format!("dn: {member}\nobjectClass: contact\n\n");
    }
    seed += "dn: CN=crowd,OU=teams,DC=hosp,DC=example\nobjectClass: group\nsAMAccountName: crowd\n";
    for member in &members {
        seed += &format!("member: {member}\n");
    }
    seed + "\n"
}

/// A connector to the domain, and a look at it that does not go through the connector.
struct Domain {
    samba: Samba,
    certificate: Certificate,
    hand: OnceCell<Ldap>,
    host: Arc<TestHost>,
    connector: Arc<dyn Connector>,
}

/// The settings for a domain controller that listens at this port.
fn config(samba: &Samba, port: u16) -> Json {
    let mut all: Json = toml::from_str(connector_ldap::PROFILES[1].1).unwrap();
    for apart in ["kind", "test", "test_setup"] {
        all.as_object_mut().unwrap().remove(apart);
    }
    all["url"] = json!(format!("ldaps://127.0.0.1:{port}"));
    all["ca_file"] = json!(samba.folder().join("ca.pem"));
    all["server_name"] = json!("directory.example");
    all["bind_dn"] = json!(ADMIN);
    all["bind_password"] = json!({ "env": "UNUSED" });
    all["account"]["base"] = json!(PEOPLE);
    all["account"]["owned_mark"] = json!("info");
    all["account"]["natural_keys"] = json!([["sAMAccountName"], ["employeeNumber"], ["info"]]);
    all["account"]["attributes"].as_array_mut().unwrap().push(json!("otherTelephone"));
    all["entitlement"] = json!([{ "type": "role", "base": GROUPS, "object_class": "group" }]);
    all["group"] = json!({
        "base": "OU=teams,DC=hosp,DC=example", "object_classes": ["group"], "owned_mark": "info", "allow_delete": true,
    });
    all
}

impl Domain {
    async fn new() -> Option<Self> {
        let certificate = slapd::certificate(&["directory.example"]);
        let samba = Samba::start(&certificate, &seed()).unwrap()?;
        let host = TestHost::new(&[ADMIN_PASSWORD]);
        let connector = open(config(&samba, samba.tls.port()), &host).await.unwrap();
        Some(Self { samba, certificate, hand: OnceCell::new(), host, connector })
    }

    async fn admin(&self) -> Ldap {
        let (connection, mut ldap) = LdapConnAsync::new(&format!("ldap://{}", self.samba.wrapped)).await.unwrap();
        tokio::spawn(connection.drive());
        ldap.simple_bind(ADMIN, ADMIN_PASSWORD).await.unwrap().success().unwrap();
        ldap
    }

    /// Result code and words of a login.
    async fn login(&self, dn: &str, password: &str) -> (u32, String) {
        let (connection, mut ldap) = LdapConnAsync::new(&format!("ldap://{}", self.samba.wrapped)).await.unwrap();
        tokio::spawn(connection.drive());
        let result = ldap.simple_bind(dn, password).await.unwrap();
        (result.rc, result.text)
    }

    /// One attribute of one entry, sorted.
    async fn values(&self, dn: &str, attribute: &str) -> Vec<String> {
        let found = self.admin().await.search(dn, Scope::Base, "(objectClass=*)", vec![attribute]).await.unwrap();
        let entry = found.0.into_iter().next().map(SearchEntry::construct);
        let mut values: Vec<String> = entry.into_iter().flat_map(|entry| entry.attrs.into_values().flatten()).collect();
        values.sort();
        values
    }

    async fn set(&self, dn: &str, attribute: &str, value: &str) {
        let change = vec![Mod::Replace(attribute, HashSet::from([value]))];
        self.admin().await.modify(dn, change).await.unwrap().success().unwrap();
    }

    fn cx(&self) -> Ctx {
        cx(&self.host)
    }

    async fn make(&self, name: &str) -> NativeId {
        let made =
            self.connector.create(&self.cx(), &account(), &person(name), AccountState::Enabled, &[]).await.unwrap();
        assert_eq!(made.failed, []);
        made.id
    }

    async fn read(&self, id: &NativeId) -> connector_spi::Record {
        self.connector.get(&self.cx(), &account(), id).await.unwrap().unwrap()
    }

    async fn update(&self, id: &NativeId, change: &Change) -> connector_spi::Result<connector_spi::Updated> {
        self.connector.update(&self.cx(), &account(), id, change).await
    }
}

fn account() -> Kind {
    "account".into()
}

fn person(name: &str) -> Attrs {
    let one = |value: String| vec![Value::from(value)];
    Attrs::from([
        ("cn".to_owned(), one(format!("Testperson {name} Example"))),
        ("sAMAccountName".to_owned(), one(name.to_owned())),
        ("employeeNumber".to_owned(), one(format!("E-{name}"))),
        ("info".to_owned(), one(format!("gateway-{name}"))),
    ])
}

fn dn(name: &str) -> String {
    format!("CN=Testperson {name} Example,{PEOPLE}")
}

fn to_state(state: AccountState) -> Change {
    Change { state: Some(state), ..Change::default() }
}

fn set(attribute: &str, delta: Delta) -> Change {
    Change { attrs: BTreeMap::from([(attribute.to_owned(), delta)]), ..Change::default() }
}

fn roles(add: &[&str], remove: &[&str]) -> Change {
    let roles = |values: &[&str]| values.iter().map(|value| Entitlement::new("role", *value)).collect();
    let entitlements = EntitlementChange { add: roles(add), remove: roles(remove), whole: None };
    Change { entitlements, ..Change::default() }
}

#[tokio::test]
async fn a_real_active_directory() {
    let Some(domain) = Domain::new().await else { return };
    story::a_plain_login_is_refused_on_the_clear_port(&domain).await;
    story::an_account_goes_there_and_back(&domain).await;
    story::one_bit_closes_and_opens_and_the_others_stay(&domain).await;
    story::a_closed_account_is_refused_with_533_and_an_ended_one_with_701(&domain).await;
    story::a_password_goes_over_tls_and_is_held_to_the_policy(&domain).await;
    story::an_account_without_a_password_is_not_enabled(&domain).await;
    story::names_are_held_to_the_rules(&domain).await;
    story::groups_are_given_and_taken_twice(&domain).await;
    story::the_primary_group_is_held_and_can_be_taken(&domain).await;
    story::a_move_between_units_keeps_id_and_groups(&domain).await;
    story::a_computer_is_no_account(&domain).await;
    story::a_group_with_more_members_than_come_at_once_is_read_whole(&domain).await;
    story::a_group_is_an_object_too(&domain).await;
    foreign::two_hundred_foreign_memberships_survive_a_thousand_changes(&domain).await;
    lost::every_write_of_an_account_survives_lost_replies(&domain).await;
    lost::every_write_of_a_group_survives_lost_replies(&domain).await;
    hostile::three_hundred_hostile_values_are_nothing_but_values(&domain).await;
    kit::the_contract_is_kept(&domain).await;
}
