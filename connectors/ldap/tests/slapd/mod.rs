//! Starts a private slapd from the distribution's unpacked packages, on a free port of the loopback, as nobody where the
//! tests run as root. `tests/servers/fetch` puts the packages into the cache.

use ldap3::{Ldap, LdapConnAsync, Scope, SearchEntry};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};
use tempfile::TempDir;

pub const PEOPLE: &str = "ou=people,dc=hosp,dc=example";
pub const PASSWORD: &str = "test-only";
const NOBODY: u32 = 65_534;

pub struct Slapd {
    server: Child,
    pub dir: TempDir,
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

impl Drop for Slapd {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The unpacked packages, or `None` and a line that names what is missing.
#[allow(clippy::disallowed_methods)]
fn packages() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cache = std::env::var_os("CHARTGATE_SERVERS").map_or_else(|| workspace.join("target/servers"), PathBuf::from);
    let root = cache.join("root");
    if root.join("usr/sbin/slapd").exists() {
        return root.canonicalize().ok();
    }
    println!("left out: needs slapd in {}; tests/run fetches it (tests/servers/fetch)", cache.display());
    None
}

pub fn start_with(setup: Setup) -> Option<Slapd> {
    let root = packages()?;
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fs::create_dir(at.join("db")).unwrap();
    certificates(at);
    fs::write(at.join("slapd.conf"), settings(&root, at, setup)).unwrap();
    let root_runs = fs::metadata(at).unwrap().uid() == 0;
    if root_runs {
        for path in fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path()).chain([at.to_owned()]) {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    let run = |program: &str| {
        let mut command = Command::new(root.join("usr/sbin").join(program));
        let libraries = format!("{0}/usr/lib/x86_64-linux-gnu:{0}/usr/lib/aarch64-linux-gnu", root.display());
        command.env("LD_LIBRARY_PATH", libraries).arg("-f").arg(at.join("slapd.conf"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir(at);
        if root_runs {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    };
    let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slapd/directory.ldif");
    let seed = fs::read(seed).unwrap();
    fs::write(at.join("seed.ldif"), seed).unwrap();
    assert!(run("slapadd").arg("-l").arg(at.join("seed.ldif")).status().unwrap().success(), "slapadd");
    let [port, tls_port] = [free_port(), free_port()];
    let listen = format!("ldap://127.0.0.1:{port}/ ldaps://127.0.0.1:{tls_port}/");
    let server = run("slapd").args(["-d", "0", "-h", &listen]).spawn().unwrap();
    let slapd = Slapd { server, dir, port, tls_port };
    for _ in 0..200 {
        if TcpStream::connect(("127.0.0.1", tls_port)).is_ok() {
            return Some(slapd);
        }
        sleep(Duration::from_millis(50));
    }
    panic!("slapd does not listen");
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn certificates(at: &Path) {
    let mut ca = CertificateParams::new(vec![]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["directory.example".into(), "127.0.0.1".into()]).unwrap();
    fs::write(at.join("ca.pem"), ca_certificate.pem()).unwrap();
    fs::write(at.join("server.pem"), leaf.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    fs::write(at.join("server.key"), key.serialize_pem()).unwrap();
}

fn settings(root: &Path, at: &Path, setup: Setup) -> String {
    let (root, here) = (root.display(), at.display());
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slapd/directory.schema");
    fs::copy(schema, at.join("directory.schema")).unwrap();
    let modules = "moduleload back_mdb\nmoduleload memberof\nmoduleload refint\nmoduleload ppolicy";
    let overlays = if setup.bare {
        ""
    } else {
        "overlay memberof\nmemberof-refint TRUE\noverlay refint\nrefint_attributes member memberOf"
    };
    let policy = if setup.lockless { "" } else { "ppolicy_default \"cn=default,ou=services,dc=hosp,dc=example\"" };
    let sync = if setup.durable { "" } else { "dbnosync" };
    format!(
        r#"loglevel 0
include {root}/etc/ldap/schema/core.schema
include {root}/etc/ldap/schema/cosine.schema
include {root}/etc/ldap/schema/inetorgperson.schema
include {here}/directory.schema
modulepath {root}/usr/lib/ldap
{modules}
TLSCACertificateFile {here}/ca.pem
TLSCertificateFile {here}/server.pem
TLSCertificateKeyFile {here}/server.key
database mdb
suffix "dc=hosp,dc=example"
rootdn "cn=admin,dc=hosp,dc=example"
rootpw {PASSWORD}
directory {here}/db
maxsize 1073741824
{sync}
index objectClass,entryUUID,uid,cn,employeeNumber,clinGatewayId,member eq
access to * by dn.exact="cn=gateway,ou=services,dc=hosp,dc=example" manage by anonymous auth by * read
limits dn.exact="cn=gateway,ou=services,dc=hosp,dc=example" size=unlimited
limits dn.exact="cn=limited,ou=services,dc=hosp,dc=example" size=100 size.prtotal=100
{overlays}
overlay ppolicy
{policy}
"#
    )
}

impl Slapd {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.server.id()
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
