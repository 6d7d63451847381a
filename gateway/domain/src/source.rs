//! Sources: clients that push SCIM.

use crate::SourceId;
use scim::{Aliases, Dialect};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A client that pushes SCIM, as the configuration describes it.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its immutable id.
    pub id: SourceId,
    /// Its name in configuration, status and logs.
    pub name: String,
    /// How its requests are read.
    pub dialect: Dialect,
    /// Which form of the catalogue it discovers.
    pub discovery: Discovery,
    /// When its writes are answered.
    pub delivery: Delivery,
    /// What becomes of entitlements and roles that no catalogue knows.
    pub unknown_entitlements: UnknownEntitlements,
    /// Foreign names of our extensions.
    pub aliases: Aliases,
    /// Most requests in a second, averaged over ten; `None` is no limit.
    pub requests_per_second: Option<u32>,
}

/// The form in which roles and entitlements are announced (`governance`, "Discovery").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Discovery {
    /// draft-ietf-scim-roles-entitlements: `/Roles` and `/Entitlements`.
    #[default]
    Ietf,
    /// Okta's entitlement management: one resource type per entitlement type.
    Okta,
}

/// When a write is answered. Either way it is durable before any answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// As soon as it is durable.
    Accept,
    /// After the targets settled, or after this long.
    Confirm(Duration),
}

/// What becomes of a role or entitlement value that no catalogue knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UnknownEntitlements {
    /// 400 `invalidValue`.
    #[default]
    Refuse,
    /// Kept and shown as stored only; grants nothing.
    Record,
}
