//! OpenLDAP's server as a private instance, from Debian's packages unpacked to a cache (`tests/servers/fetch`).

use ldap3::{Ldap, LdapConnAsync, Scope, SearchEntry};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The password of `cn=admin,dc=hosp,dc=example`.
pub const PASSWORD: &str = "test-only";
/// Whom servers run as where the tests run as root.
const NOBODY: u32 = 65_534;

/// A running slapd with the sample directory. Ended when dropped.
pub struct Slapd {
    server: Child,
    /// Its data.
    pub folder: TempDir,
    /// Its port on the loopback.
    pub port: u16,
}

/// An environment variable: how `tests/run` talks to the tests.
#[must_use]
#[allow(clippy::disallowed_methods)] // the tests have no server crate to read it for them
pub fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

/// The unpacked packages. Where they are missing, the line that says so; under `tests/run` that is a failure.
#[must_use]
pub fn packages(suite: &str) -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ stands in the workspace");
    let cache = variable("CHARTGATE_SERVERS").map_or_else(|| workspace.join("target/servers"), PathBuf::from);
    let root = cache.join("root");
    if root.join("usr/sbin/slapd").exists() {
        return root.canonicalize().ok();
    }
    assert!(variable("CHARTGATE_REQUIRE_SERVERS").is_none(), "{suite} needs slapd and it was not fetched");
    println!("left out: {suite} needs slapd; tests/run fetches it");
    None
}

impl Slapd {
    /// Starts one. `durable` keeps its fsync on.
    #[must_use]
    pub fn start(suite: &str, durable: bool) -> Option<Slapd> {
        let root = packages(suite)?;
        let folder = tempfile::tempdir().expect("a folder");
        let here = folder.path();
        fs::create_dir(here.join("db")).expect("a folder");
        fs::write(here.join("directory.schema"), fixtures::directory::CLINICAL_SCHEMA).expect("a file");
        fs::write(here.join("seed.ldif"), fixtures::directory::SEED).expect("a file");
        fs::write(here.join("slapd.conf"), settings(&root, here, durable)).expect("a file");
        let root_runs = fs::metadata(here).expect("a folder").uid() == 0;
        if root_runs {
            let inside = fs::read_dir(here).expect("a folder").map(|entry| entry.expect("an entry").path());
            for path in inside.chain([here.to_owned()]) {
                std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).expect("root may");
            }
        }
        let run = |program: &str| {
            let mut command = Command::new(root.join("usr/sbin").join(program));
            let libraries = format!("{0}/usr/lib/x86_64-linux-gnu:{0}/usr/lib/aarch64-linux-gnu", root.display());
            command.env("LD_LIBRARY_PATH", libraries).arg("-f").arg(here.join("slapd.conf")).current_dir(here);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            if root_runs {
                command.uid(NOBODY).gid(NOBODY);
            }
            command
        };
        let loaded = run("slapadd").arg("-l").arg(here.join("seed.ldif")).status().expect("slapadd runs");
        assert!(loaded.success(), "slapadd loads the seed");
        let port = free_port();
        let server = run("slapd").args(["-d", "0", "-h", &format!("ldap://127.0.0.1:{port}/")]).spawn();
        let slapd = Slapd { server: server.expect("slapd starts"), folder, port };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(slapd);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("slapd does not listen");
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// A connection that may do anything.
    pub async fn admin(&self) -> Ldap {
        admin(&self.url()).await
    }

    /// All entries below `base` that match, with these attributes.
    pub async fn search(&self, base: &str, filter: &str, attributes: &[&str]) -> Vec<SearchEntry> {
        search(&self.url(), base, filter, attributes).await
    }
}

/// A connection to the directory at `url` that may do anything.
pub async fn admin(url: &str) -> Ldap {
    let (connection, mut ldap) = LdapConnAsync::new(url).await.expect("the directory listens");
    tokio::spawn(connection.drive());
    let bound = ldap.simple_bind("cn=admin,dc=hosp,dc=example", PASSWORD).await.expect("the directory answers");
    bound.success().expect("the administrator is let in");
    ldap
}

/// All entries of the directory at `url` below `base` that match, with these attributes.
pub async fn search(url: &str, base: &str, filter: &str, attributes: &[&str]) -> Vec<SearchEntry> {
    let mut ldap = admin(url).await;
    let found = ldap.search(base, Scope::Subtree, filter, attributes.to_vec()).await;
    let (entries, _) = found.expect("the directory answers").success().expect("a search");
    let _unbound = ldap.unbind().await;
    entries.into_iter().map(SearchEntry::construct).collect()
}

impl Drop for Slapd {
    fn drop(&mut self) {
        let _ended = self.server.kill();
        let _reaped = self.server.wait();
    }
}

/// A port of the loopback that is free at this moment.
#[must_use]
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

fn settings(root: &Path, here: &Path, durable: bool) -> String {
    let (root, here) = (root.display(), here.display());
    let sync = if durable { "" } else { "dbnosync" };
    format!(
        r#"include {root}/etc/ldap/schema/core.schema
include {root}/etc/ldap/schema/cosine.schema
include {root}/etc/ldap/schema/inetorgperson.schema
include {here}/directory.schema
modulepath {root}/usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload refint
moduleload ppolicy
database mdb
suffix "dc=hosp,dc=example"
rootdn "cn=admin,dc=hosp,dc=example"
rootpw {PASSWORD}
directory {here}/db
maxsize 4294967296
{sync}
index objectClass,entryUUID,uid,cn,employeeNumber,clinGatewayId,member eq
sizelimit unlimited
overlay memberof
overlay refint
refint_attributes member memberOf
overlay ppolicy
ppolicy_default "cn=default,ou=services,dc=hosp,dc=example"
"#
    )
}
