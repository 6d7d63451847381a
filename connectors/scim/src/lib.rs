//! Any SCIM 2.0 server (RFC 7643, 7644, 9865) as a target.
//!
//! **What it owns.** Accounts are Users. Groups are either entitlements that accounts hold, whose value is the group's id, or
//! objects of their own with members, never both (`groups.manage`). Roles and entitlements in the User's own lists are
//! entitlements of the types `role` and `entitlement`. Attributes are named by SCIM paths: `userName`, `name.familyName`,
//! `emails[type eq "work"].value`, `urn:…:enterprise:2.0:User:department`.
//!
//! **The parts**, from pure to impure: [`Config`] is what is written in the file; `path` reads an attribute's path;
//! `discovery` understands what a server says of itself; `plan` lays the configuration over it; `record` turns an answer into a
//! [`Record`](connector_spi::Record); `edit` turns a change into PATCH operations or into another document; `error` turns a
//! refusal into a class; `page` keeps the place in a list; `search` finds the way to a record; `exchange` sends one request through `connector-http`; `lookup`,
//! `members`, `run`, `connector` and `facet` are the contract itself.
//!
//! **Key decisions.**
//! * *What a server can do is asked, and configuration only takes away.* `/ServiceProviderConfig`, `/Schemas` and
//!   `/ResourceTypes` say what there is; servers overstate themselves, so each thing can be switched off. A server that does
//!   not serve them is taken for what the RFCs make compulsory. They are asked for when the target is first used and again
//!   with each check, never when it is opened.
//! * *`externalId` is the mark of ownership.* It carries the gateway's own id. A create whose answer was lost finds its account
//!   by it, and no other account is ever taken for it; a `userName` that is taken is told, not adopted.
//! * *One edit, two ways to send it.* A change becomes edits; a server with PATCH gets them as operations, a server without
//!   gets the document that it gave, with the edits made, by PUT. What the gateway does not know in a document stays in it.
//! * *Several requests, not one.* A PATCH is carried out whole or not at all, so a wrong attribute would hold up a closing. A
//!   closing state goes first and alone, removals before additions, the opening last, and none of it when a closing failed.
//! * *No list of members is ever written whole* where the server has PATCH: members come and go by value, at most
//!   `max_member_changes` in one request. So nobody else's member is lost, and a server that refuses to remove all members at
//!   once is not asked to.
//! * *A key is compared here.* A server's filter narrows a search, and which record has the key is decided on this side; so a server
//!   that knows little of filters (`search.filters`), or nothing, can be looked up in, by reading all within a bound
//!   (`search.scan_pages`). Nobody is ever known by a display name alone.
//! * *A list by index is checked for slipping.* Each page begins with the last resource of the page before; when another one
//!   stands there, something moved, and the page says that it is not complete. Cursors are used where there are any.
//!
//! **Limits.** A membership has no scope and no dates; a role's scope is its `type`. `active` is all the state that there is:
//! disabled, blocked and expired are all `active: false` and read back as disabled. SCIM says nothing about sessions or about
//! who can log in, so a closing is unverified, unless the configuration states the vendor's promise
//! (`inactive_refuses_login`). Passwords are not set, and Bulk is not used.
//! Without PATCH and without entity tags, two writers of one document can overwrite each other; `check` warns of it.

pub mod config;
mod connector;
mod discovery;
mod edit;
mod error;
mod exchange;
mod facet;
mod lookup;
mod members;
mod page;
mod path;
mod plan;
mod record;
mod run;
mod search;

pub use config::Config;

use async_trait::async_trait;
use connector_http::Door;
use connector_spi::{
    AccountState, ConfigIssue, ConnError, Connector, ConnectorType, Declared, DeclaredKind, Host, Result,
};
use std::{collections::BTreeMap, sync::Arc};

/// Target files that come with the gateway, as `(profile, TOML)`: everything of a target but its address and its secrets.
pub const PROFILES: [(&str, &str); 2] = [
    ("scim", include_str!("../../profiles/scim.toml")),
    ("meditech-like-rest", include_str!("../../profiles/meditech-like-rest.toml")),
];

/// `kind = "scim"`.
#[derive(Debug, Clone, Copy)]
pub struct Scim;

#[async_trait]
impl ConnectorType for Scim {
    type Config = Config;
    const NAME: &'static str = "scim";

    fn check_config(config: &Config) -> Vec<ConfigIssue> {
        config.issues()
    }

    /// The server describes its attributes itself. All that SCIM has for the state of a User is `active` (RFC 7643, 4.1.1).
    fn declared(_: &Config) -> Declared {
        let account = DeclaredKind { types: BTreeMap::new(), closes_to: Some([AccountState::Disabled].into()) };
        Declared { kinds: BTreeMap::from([(plan::ACCOUNT.into(), account)]), ..Declared::default() }
    }

    async fn open(config: Config, host: Arc<dyn Host>) -> Result<Arc<dyn Connector>> {
        if let Some(issue) = config.issues().into_iter().next() {
            return Err(ConnError::config(format!("{}: {}", issue.pointer, issue.message)).attribute(issue.pointer));
        }
        let door = Door::open(config.http.clone(), host).await?;
        Ok(Arc::new(connector::ScimConnector::new(door, config)))
    }
}
