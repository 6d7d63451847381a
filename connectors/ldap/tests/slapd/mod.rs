//! A private slapd (`fixtures::servers`) with the entries of these tests, and what they ask of it.

use fixtures::servers::{self, Certificate, slapd::Options};
use ldap3::{Ldap, LdapConnAsync, Scope, SearchEntry};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use std::path::Path;

pub const PEOPLE: &str = "ou=people,dc=hosp,dc=example";
pub const PASSWORD: &str = servers::slapd::ADMIN_PASSWORD;

/// The gateway may do anything, also what only the server does; one login sees a hundred entries at most.
const ACCESS: &str = r#"
access to * by dn.exact="cn=gateway,ou=services,dc=hosp,dc=example" manage by anonymous auth by * read
limits dn.exact="cn=gateway,ou=services,dc=hosp,dc=example" size=unlimited
limits dn.exact="cn=limited,ou=services,dc=hosp,dc=example" size=100 size.prtotal=100
"#;

pub struct Slapd {
    server: servers::Slapd,
    pub port: u16,
    pub tls_port: u16,
}

/// What differs from the usual server.
#[derive(Default, Clone, Copy)]
pub struct Setup {
    /// No policy, so that the lock attribute has no effect.
    pub lockless: bool,
    /// No referential integrity and no memberOf.
    pub bare: bool,
    /// Every write on the disk before it is answered, as a directory in use has it.
    pub durable: bool,
}

pub fn start_with(setup: Setup) -> Option<Slapd> {
    let certificate = certificate(&["directory.example", "127.0.0.1"]);
    let options = Options {
        seed: include_str!("directory.ldif"),
        schema: include_str!("directory.schema"),
        durable: setup.durable,
        linked: !setup.bare,
        policy: !setup.lockless,
        more: ACCESS,
        tls: Some(&certificate),
    };
    let server = servers::Slapd::start(&options).unwrap()?;
    let (port, tls_port) = (server.addr.port(), server.tls.unwrap().port());
    Some(Slapd { server, port, tls_port })
}

/// A certificate for these names, with that of who signed it after it.
pub fn certificate(names: &[&str]) -> Certificate {
    let mut ca = CertificateParams::new(vec![]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    let chain = leaf.signed_by(&key, &issuer).unwrap().pem() + &ca_certificate.pem();
    Certificate { certificate: chain, key: key.serialize_pem() }
}

impl Slapd {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Its folder, with `ca.pem` in it.
    pub fn folder(&self) -> &Path {
        self.server.folder()
    }

    /// Settings of a connector to this server, on another port where a proxy stands between.
    pub fn config_at(&self, port: u16) -> Value {
        json!({
            "url": format!("ldap://127.0.0.1:{port}"),
            "bind_dn": "cn=gateway,ou=services,dc=hosp,dc=example",
            "bind_password": { "env": "UNUSED" },
            "account": {
                "base": PEOPLE,
                "rdn": "uid",
                "object_classes": ["inetOrgPerson", "clinPerson"],
                "natural_keys": [["uid"], ["employeeNumber"], ["clinGatewayId"]],
                "owned_mark": "clinGatewayId",
                "lock": { "policy_dn": "cn=default,ou=services,dc=hosp,dc=example" },
                "status": {
                    "attribute": "clinAccountStatus", "enabled": "active", "disabled": "ended", "blocked": "suspended"
                },
                "scramble_password": true,
                "end_date": "pwdEndTime",
            },
            "entitlement": [{
                "type": "role",
                "base": "ou=entitlements,dc=hosp,dc=example",
                "placeholder": "uid=placeholder,ou=services,dc=hosp,dc=example",
            }],
        })
    }

    pub fn config(&self) -> Value {
        self.config_at(self.port)
    }

    /// A login that may do anything, without the connector.
    pub async fn admin(&self) -> Ldap {
        let (connection, mut ldap) = LdapConnAsync::new(&format!("ldap://127.0.0.1:{}", self.port)).await.unwrap();
        tokio::spawn(connection.drive());
        ldap.simple_bind("cn=admin,dc=hosp,dc=example", PASSWORD).await.unwrap().success().unwrap();
        ldap
    }

    /// Result code of a login.
    pub async fn login(&self, dn: &str, password: &str) -> u32 {
        let (connection, mut ldap) = LdapConnAsync::new(&format!("ldap://127.0.0.1:{}", self.port)).await.unwrap();
        tokio::spawn(connection.drive());
        ldap.simple_bind(dn, password).await.unwrap().rc
    }

    /// One attribute of one entry, sorted; `None` without the entry.
    pub async fn values(&self, dn: &str, attribute: &str) -> Option<Vec<String>> {
        let mut admin = self.admin().await;
        let found = admin.search(dn, Scope::Base, "(objectClass=*)", vec![attribute]).await.unwrap();
        let entry = SearchEntry::construct(found.0.into_iter().next()?);
        let mut values = entry.attrs.into_iter().next().map(|(_, values)| values).unwrap_or_default();
        values.sort();
        Some(values)
    }
}
