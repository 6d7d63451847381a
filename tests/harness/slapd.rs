//! OpenLDAP's server as a private instance (`fixtures::servers`), and what tests ask of a directory.

use fixtures::servers::{self, slapd::Options};
use ldap3::{Ldap, LdapConnAsync, Scope, SearchEntry};
use std::net::TcpListener;

/// The password of `cn=admin,dc=hosp,dc=example`.
pub const PASSWORD: &str = servers::slapd::ADMIN_PASSWORD;

/// A running slapd with the sample directory. Ended when dropped.
pub struct Slapd {
    server: servers::Slapd,
    /// Its port on the loopback.
    pub port: u16,
}

/// An environment variable: how `tests/run` talks to the tests.
#[must_use]
#[allow(clippy::disallowed_methods)] // the tests have no server crate to read it for them
pub fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

impl Slapd {
    /// Starts one. `durable` keeps its fsync on. Where it was not fetched, a line says so; under `tests/run` that is a
    /// failure.
    #[must_use]
    pub fn start(suite: &str, durable: bool) -> Option<Slapd> {
        let started = servers::Slapd::start(&Options { durable, ..Options::default() }).expect("slapd starts");
        let Some(server) = started else {
            println!("left out: {suite} needs slapd");
            return None;
        };
        let port = server.addr.port();
        Some(Slapd { server, port })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Starts it again on its data where it ended by itself, and says so: what it then holds is judged as before.
    pub fn stand(&mut self) {
        if let Some(how) = self.server.stand().expect("slapd starts again") {
            println!("{how}");
        }
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

/// A port of the loopback that is free at this moment.
#[must_use]
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}
