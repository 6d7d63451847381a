//! The LDAP directory of a test: a real slapd where it was fetched, else the small one of the fixtures.

use crate::slapd::{self, Slapd};
use fixtures::directory::{Directory, Options};
use ldap3::SearchEntry;
use std::net::SocketAddr;

/// A running directory with the sample hospital's entries. Ended when dropped.
pub enum TestDirectory {
    /// OpenLDAP.
    OpenLdap(Slapd),
    /// The simulator, which behaves like it as far as a connector can see.
    Small(Directory),
}

impl TestDirectory {
    /// Starts slapd, or the simulator with a line that names what was left out. Inside a tokio runtime.
    pub async fn start(suite: &str) -> TestDirectory {
        match Slapd::start(suite, false) {
            Some(slapd) => TestDirectory::OpenLdap(slapd),
            None => {
                println!("{suite} goes on with the small directory of the fixtures");
                TestDirectory::small().await
            }
        }
    }

    /// Starts the simulator, for its fault plan and its journal.
    pub async fn small() -> TestDirectory {
        TestDirectory::Small(Directory::start(Options::default()).await.expect("the simulator starts"))
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ldap://{}", self.addr())
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        match self {
            TestDirectory::OpenLdap(slapd) => SocketAddr::from(([127, 0, 0, 1], slapd.port)),
            TestDirectory::Small(small) => small.addr(),
        }
    }

    /// A real slapd that ended by itself is started again on its data; the outage is one more for the gateway to outlast.
    pub fn stand(&mut self) {
        if let TestDirectory::OpenLdap(slapd) = self {
            slapd.stand();
        }
    }

    /// All entries below `base` that match, with these attributes.
    pub async fn search(&self, base: &str, filter: &str, attributes: &[&str]) -> Vec<SearchEntry> {
        slapd::search(&self.url(), base, filter, attributes).await
    }
}
