//! The calls of the contract by name: for metrics, logs, fault plans and the wire of a plugin.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One call that a connector answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// [`crate::Connector::check`].
    Check,
    /// [`crate::Connector::schema`].
    Schema,
    /// [`crate::Connector::get`].
    Get,
    /// [`crate::Connector::find`].
    Find,
    /// [`crate::Connector::create`].
    Create,
    /// [`crate::Connector::update`].
    Update,
    /// [`crate::Connector::delete`].
    Delete,
    /// [`crate::Lister::list`].
    List,
    /// [`crate::Syncer::latest`].
    Latest,
    /// [`crate::Syncer::changes`].
    Changes,
    /// [`crate::Batcher::apply`].
    Apply,
    /// [`crate::Passwords::set_password`].
    SetPassword,
    /// [`crate::Discoverer::discover`].
    Discover,
    /// [`crate::EffectFacet::effective`].
    Effective,
    /// [`crate::EffectFacet::revoke_sessions`].
    RevokeSessions,
    /// [`crate::Tickets::ticket`].
    Ticket,
}

impl Op {
    /// Every call, in the order of the contract.
    pub const ALL: [Op; 16] = [
        Op::Check,
        Op::Schema,
        Op::Get,
        Op::Find,
        Op::Create,
        Op::Update,
        Op::Delete,
        Op::List,
        Op::Latest,
        Op::Changes,
        Op::Apply,
        Op::SetPassword,
        Op::Discover,
        Op::Effective,
        Op::RevokeSessions,
        Op::Ticket,
    ];

    /// Its name on the wire, in metrics and in logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Op::Check => "check",
            Op::Schema => "schema",
            Op::Get => "get",
            Op::Find => "find",
            Op::Create => "create",
            Op::Update => "update",
            Op::Delete => "delete",
            Op::List => "list",
            Op::Latest => "latest",
            Op::Changes => "changes",
            Op::Apply => "apply",
            Op::SetPassword => "set_password",
            Op::Discover => "discover",
            Op::Effective => "effective",
            Op::RevokeSessions => "revoke_sessions",
            Op::Ticket => "ticket",
        }
    }

    /// Whether the call may change the target. A write is never retried by anything but the due link.
    #[must_use]
    pub fn writes(self) -> bool {
        match self {
            Op::Create | Op::Update | Op::Delete | Op::Apply | Op::SetPassword | Op::RevokeSessions => true,
            Op::Check
            | Op::Schema
            | Op::Get
            | Op::Find
            | Op::List
            | Op::Latest
            | Op::Changes
            | Op::Discover
            | Op::Effective
            | Op::Ticket => false,
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_wire() {
        for op in Op::ALL {
            assert_eq!(serde_json::to_value(op).unwrap(), op.name());
        }
    }
}
