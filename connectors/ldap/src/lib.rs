//! LDAP directories (RFC 4511) as targets: OpenLDAP, 389 Directory Server and others with `entryUUID`, and Active Directory.
//!
//! **What it owns.** Accounts are entries below one base; entitlements are memberships in groups below others; groups may be
//! kept as objects of their own. A record's id is the entry's lasting id (`entryUUID`), never its name: a rename keeps the id.
//!
//! **Key decisions.**
//! * *The library never sees the network.* ldap3 takes the shape of answers for granted; 48 kB of nested BER end the process.
//!   So it gets a socket pair, and a relay of ours does TCP, TLS and a strict check of every message. The other way,
//!   a patched library, would have to be carried along for ever.
//! * *The relay knows what has been sent.* A connection lost before that is `Transient` with no effect; after it, `Timeout`
//!   or `Unknown`, and the change may have happened.
//! * *One round trip.* A create reads the new id back in the same operation (post-read, RFC 4527); a write by id uses the
//!   remembered name and asserts the id with it (RFC 4528), so that an entry which took over the name is never written.
//!   A server without these costs a search each.
//! * *Members by value.* A group's list is never written whole; what others put into it stays.
//! * *Active Directory is a setting, not another connector.* What differs is in `active` (pure) and `flags`: ids are
//!   `objectGUID`s, octets on the wire and text everywhere else, and a write goes to the id itself, so that no other entry can
//!   be meant. The disabled bit is set or cleared and never toggled, by one operation that takes the flags that were read out
//!   and puts the new ones in: what somebody else changed meanwhile makes it fail, and it is read again. New accounts are made
//!   disabled, with a password that nobody knows, and enabled last; one without a password is never enabled. The primary
//!   group, which lists nobody, counts as held, and taking it makes Domain Users primary again. Lists that come in ranges are
//!   read to their end.
//! * *Closing is proven, not believed.* See [`Config`]'s `canary`: it is the one thing that `check` writes, once after a
//!   start, on an account of the connector's own, and only where an operator configured it.
//!
//! **Limits.** In an Active Directory versions are read and not written against (it knows no assertions), an end of an account
//! counts to the second, blocked and expired are told from disabled by `account.status` only, and nested groups are not
//! followed. Groups hold no scope and no dates: a scope is refused, dates are the gateway's to keep. Referrals are not
//! followed; what they hide makes a read incomplete. The end date of an account is an attribute like others
//! (`account.end_date`); whether it ends access is proven by the canary. There is no clock here, so an end date that has
//! passed does not turn a record's state into `Expired`; the status word does.

mod active;
mod ber;
pub mod config;
mod connector;
mod create;
mod declared;
mod describe;
mod directory;
mod dn;
mod effect;
mod endpoint;
mod error;
mod flags;
mod groups;
mod lint;
mod lister;
mod moves;
mod names;
mod pool;
mod read;
mod relay;
mod session;
mod shape;
mod subschema;
mod translate;
mod write;

pub use config::Config;

use async_trait::async_trait;
use connector_spi::{ConfigIssue, ConnError, Connector, ConnectorType, Declared, Host, Level, Result};
use directory::Directory;
use std::sync::Arc;

/// Target files that come with the gateway, as `(profile, TOML)`: everything of a target but its address, its places and its
/// secrets.
pub const PROFILES: [(&str, &str); 2] = [
    ("openldap", include_str!("../../profiles/openldap.toml")),
    ("active-directory", include_str!("../../profiles/active-directory.toml")),
];

/// The kind `ldap`.
#[derive(Debug, Clone, Copy)]
pub struct Ldap;

#[async_trait]
impl ConnectorType for Ldap {
    type Config = Config;
    const NAME: &'static str = "ldap";

    fn check_config(config: &Config) -> Vec<ConfigIssue> {
        config.issues()
    }

    fn declared(config: &Config) -> Declared {
        declared::of(config)
    }

    async fn open(config: Config, host: Arc<dyn Host>) -> Result<Arc<dyn Connector>> {
        let issue = config.issues().into_iter().find(|issue| !issue.pointer.starts_with("/danger"));
        if let Some(issue) = issue {
            return Err(ConnError::config(format!("{} {}", issue.pointer, issue.message)).attribute(issue.pointer));
        }
        if config.danger_accept_any_certificate || config.danger_cleartext {
            host.event(Level::Error, "The connection to the directory is not protected.", &[("url", &config.url)]);
        }
        Ok(Arc::new(Directory::new(config, host)?))
    }
}
