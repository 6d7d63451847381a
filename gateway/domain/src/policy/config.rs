//! What the configuration file says of sources, accounts, roles and catalogues: the types that it is read into.

use crate::link::Strip;
use crate::{Discovery, UnknownEntitlements};
use connector_spi::{Declared, ValueType};
use jiff::civil::Date;
use schemars::JsonSchema;
use scim::Dialect;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One `[[source]]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SourceConfig {
    /// Its name in configuration, status and logs.
    pub name: String,
    /// Its immutable id; the name where it is not given. Keep it when the source is renamed.
    pub id: Option<String>,
    /// How its requests are read: `tolerant` (what identity providers send), `rfc` (RFC 7644 to the letter) or `interop`
    /// (the interoperability profile).
    #[schemars(with = "Option<String>")]
    pub dialect: Dialect,
    /// The form in which it discovers roles and entitlements: `ietf` or `okta`.
    pub discovery: Discovery,
    /// When its writes are answered: `accept` (as soon as they are durable) or `confirm` (after the targets settled).
    pub delivery: DeliveryConfig,
    /// With `confirm`: the longest wait, in seconds, from 1 to 300.
    pub confirm_timeout: Option<u32>,
    /// What becomes of a role or entitlement that no catalogue knows: `refuse` (400) or `record` (kept, grants nothing).
    pub unknown_entitlements: UnknownEntitlements,
    /// Attributes that it may set: names such as `title`, extension names such as `clinician`, or `*` for all, which is the
    /// default. Where several sources own one, the first in the file wins. What it sets besides is recorded and ignored.
    pub owns: Option<Vec<String>>,
    /// Foreign names of our extensions: `"urn:ietf:params:scim:schemas:extension:NAME:2.0:User" = "clinical"`.
    pub aliases: BTreeMap<String, String>,
    /// Most requests in a second, averaged over ten; above it the answer is 429 with Retry-After. No limit by default.
    pub requests_per_second: Option<u32>,
}

/// When a source's writes are answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryConfig {
    /// As soon as they are durable.
    #[default]
    Accept,
    /// After the targets settled.
    Confirm,
}

/// `[target.account]`: who has an account in the target and what it holds.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccountConfig {
    /// The target's kind of object.
    pub kind: String,
    /// Who has an account, as an expression over `user`. Without it: who holds a role that gives one, or everybody where no
    /// role names the target.
    pub when: Option<String>,
    /// The attributes that together are the natural key, by which the account is looked for.
    pub key: Vec<String>,
    /// Attributes that must agree before an account found by its key is taken for this person's (employee number, NPI).
    pub strong: Vec<String>,
    /// The target's attributes, each an expression over `user` and `access`, or a table with `expr`, `mode` and `type`.
    /// `access.begins` and `access.ends` are the instants at which the person's access begins and ends by itself (the dates
    /// of the clinical extension in the zone of the facility, the last day included), or null; `access.firstDay` and
    /// `access.lastDay` are the days, for a target that keeps days. Map them to what the target calls begin and end, so that
    /// access ends there even when the gateway is down.
    pub attributes: BTreeMap<String, MappingConfig>,
    /// Before the start date: `none` (no account yet) or `disabled` (made, and switched off).
    pub before_start: BeforeStart,
    /// What happens when access ends.
    pub on_leave: OnLeave,
    /// Kinds of `[target.object]` that must stand before the account is made, such as `provider`.
    pub depends_on: Vec<String>,
}

impl Default for AccountConfig {
    fn default() -> Self {
        Self {
            kind: "account".to_owned(),
            when: None,
            key: Vec::new(),
            strong: Vec::new(),
            attributes: BTreeMap::new(),
            before_start: BeforeStart::default(),
            on_leave: OnLeave::default(),
            depends_on: Vec::new(),
        }
    }
}

/// `[target.object.KIND]`: a further object that a person with an account has in the target, such as the provider record of an
/// EHR, which is a master file of its own and is linked to the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectConfig {
    /// Who of those with an account has this object too, as an expression over `user`. Everybody where it is not given.
    pub when: Option<String>,
    /// The attributes that together are the natural key, by which the object is looked for.
    pub key: Vec<String>,
    /// Attributes that must agree before an object found by its key is taken for this person's.
    pub strong: Vec<String>,
    /// The target's attributes, as in `[target.account]`.
    pub attributes: BTreeMap<String, MappingConfig>,
    /// Kinds that must stand before this one is made.
    pub depends_on: Vec<String>,
    /// What happens when access ends, after everything that depends on it has been closed.
    pub on_leave: ObjectEnd,
}

/// What becomes of a further object when access ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ObjectEnd {
    /// Switched off.
    #[default]
    Disable,
    /// Left as it is: orders and signatures go on pointing at it.
    Keep,
    /// Deleted: only where nothing in the target keeps pointing at it.
    Delete,
}

/// `[target.group]`: SCIM groups as objects in the target, with their members. Without it a group is only an input to rules.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GroupConfig {
    /// The target's kind of object. What is managed as an object is not granted as an entitlement: no role and no catalogue
    /// entry of the target may have this type.
    pub kind: String,
    /// Which groups the target has, as an expression over `group` (`id`, `displayName`, `externalId`). All where it is not
    /// given.
    pub when: Option<String>,
    /// The attributes that together are the natural key, by which the group is looked for.
    pub key: Vec<String>,
    /// Attributes that must agree before a group found by its key is taken for this one.
    pub strong: Vec<String>,
    /// The target's attributes, as in `[target.account]`, each an expression over `group`.
    pub attributes: BTreeMap<String, MappingConfig>,
    /// The target's attribute that holds the members. They are the accounts of the group's users, also of those in groups
    /// inside it; an account whose access ended is none, unless `on_leave.strip` is `none`.
    pub members: String,
    /// What becomes of the object when the group is deleted, or no longer meets `when`: `keep` or `delete`.
    pub on_delete: GroupEnd,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            kind: "group".to_owned(),
            when: None,
            key: Vec::new(),
            strong: Vec::new(),
            attributes: BTreeMap::new(),
            members: "members".to_owned(),
            on_delete: GroupEnd::default(),
        }
    }
}

/// What becomes of a group in a target that is not wanted there any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GroupEnd {
    /// Left as it is, with the members it has.
    #[default]
    Keep,
    /// Deleted: only where nothing in the target keeps pointing at it.
    Delete,
}

/// One mapped attribute: an expression, or a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum MappingConfig {
    /// An expression over `user`; kept up to date.
    Expr(String),
    /// An expression with a mode.
    Table(MappingTable),
    /// The id of another object of the person in the same target.
    Link(MappingLink),
}

/// A mapped attribute that holds the target's own id of another object of the same person, as soon as there is one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MappingLink {
    /// The kind of that object, one of `depends_on`. A group has no other objects.
    pub link: String,
}

/// A mapped attribute in long form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MappingTable {
    /// The expression, over `user` and `access`, or in a group's mapping over `group`.
    pub expr: String,
    /// `follow` (kept up to date) or `initial` (given on create only).
    #[serde(default)]
    pub mode: Mode,
    /// The type that the target reads the values in: `text`, `integer`, `boolean`, `bytes` (the expression gives base64) or
    /// `timestamp` (RFC 3339). Without it what the target's own settings declare, else what the expression tells.
    #[serde(rename = "type", default)]
    pub ty: Option<ValueType>,
}

/// How a mapped attribute is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Given on create, then left alone.
    Initial,
    /// Kept up to date.
    #[default]
    Follow,
}

/// What exists before the start date.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BeforeStart {
    /// No account.
    #[default]
    None,
    /// A disabled account.
    Disabled,
}

/// `[target.account.on_leave]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OnLeave {
    /// What becomes of the account: `disable`, `block`, `expire` (ended by its date) or `delete`. What each state takes in the
    /// target, such as to block, log out and then disable, stands in the target's own settings; a state that these do not
    /// have is refused.
    pub end: End,
    /// Which entitlements it loses: `owned` (those given here), `none` or `all`.
    pub strip: Strip,
    /// Open sessions are ended where the target can.
    pub sessions: bool,
}

impl Default for OnLeave {
    fn default() -> Self {
        Self { end: End::default(), strip: Strip::default(), sessions: true }
    }
}

/// What becomes of an account whose access ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// Switched off.
    #[default]
    Disable,
    /// Refused for a reason.
    Block,
    /// Ended by its date.
    Expire,
    /// Deleted: only where nothing in the target keeps pointing at it.
    Delete,
}

/// One `[[role]]`: who holds it and what it gives.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RoleConfig {
    /// Its name, the value in a user's `roles`.
    pub name: String,
    /// What people call it; the name where not given.
    pub display: Option<String>,
    /// Its sort, such as `clinical`.
    #[serde(rename = "type")]
    pub ty: Option<String>,
    /// Who holds it, as an expression over `user`. Without it only who asks for it in `roles`.
    pub when: Option<String>,
    /// Names of targets in which it gives an account.
    pub accounts: Vec<String>,
    /// What it gives, as `target:type:value[@key=value]`, or a table with `id` and `order` where the target keeps an order.
    pub entitlements: Vec<RoleEntitlement>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// It may be held for a limited time only.
    pub time_bound_only: bool,
    /// Holding it needs care.
    pub sensitive: bool,
    /// How many people may hold it, where that is limited. The catalogue shows it beside how many do; nobody is refused for
    /// it.
    pub assignments: Option<u32>,
}

/// What a role gives: an id, or a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RoleEntitlement {
    /// `target:type:value[@key=value]`.
    Id(String),
    /// The same at a place.
    Ordered(OrderedEntitlement),
}

/// What a role gives, in an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderedEntitlement {
    /// `target:type:value[@key=value]`.
    pub id: String,
    /// Its place among those of its type, from 1.
    pub order: u32,
}

impl RoleEntitlement {
    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            RoleEntitlement::Id(id) | RoleEntitlement::Ordered(OrderedEntitlement { id, .. }) => id,
        }
    }

    /// The place, where there is one.
    #[must_use]
    pub fn order(&self) -> Option<u32> {
        match self {
            RoleEntitlement::Id(_) => None,
            RoleEntitlement::Ordered(OrderedEntitlement { order, .. }) => Some(*order),
        }
    }
}

impl<T: Into<String>> From<T> for RoleEntitlement {
    fn from(id: T) -> Self {
        RoleEntitlement::Id(id.into())
    }
}

/// One `[[target.catalogue]]`: something that the target can grant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CatalogueConfig {
    /// The type of entitlement in the target.
    #[serde(rename = "type")]
    pub ty: String,
    /// The target's name or id of it.
    pub value: String,
    /// Where it holds.
    pub scope: BTreeMap<String, String>,
    /// What people call it; the value where not given.
    pub display: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Holding it needs care.
    pub sensitive: bool,
    /// The target still knows it and gives it to nobody new: shown as not supported.
    pub retired: bool,
    /// How many people may hold it, where that is limited, as licences are. The catalogue shows it beside how many do; who
    /// refuses one more is the target.
    pub assignments: Option<u32>,
}

/// A target, as far as the policy is concerned.
#[derive(Debug, Clone, Default)]
pub struct TargetConfig {
    /// Its name.
    pub name: String,
    /// Its immutable id; the name where it is not given.
    pub id: Option<String>,
    /// Accounts.
    pub account: Option<AccountConfig>,
    /// Further objects of a person, by kind.
    pub objects: BTreeMap<String, ObjectConfig>,
    /// Groups.
    pub group: Option<GroupConfig>,
    /// What it can grant.
    pub catalogue: Vec<CatalogueConfig>,
    /// Where the catalogue comes from: `config`, or `csv:FILE`.
    pub catalogue_source: String,
    /// The day of that file.
    pub catalogue_date: Option<Date>,
    /// What the connector's settings tell of the target.
    pub declared: Declared,
}

/// Everything a policy is compiled from.
#[derive(Debug, Clone, Default)]
pub struct PolicyConfig {
    /// `[[source]]`, in order of precedence.
    pub sources: Vec<SourceConfig>,
    /// `[[target]]`.
    pub targets: Vec<TargetConfig>,
    /// `[[role]]`.
    pub roles: Vec<RoleConfig>,
    /// `[facility.NAME] zone`: IANA names of time zones. Dates are local days of the facility.
    pub zones: BTreeMap<String, String>,
    /// `[lookup.NAME]`: tables for `lookup(table, key, default)`.
    pub tables: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
}
