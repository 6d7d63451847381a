//! The policy: what the configuration says about sources, targets, roles and facilities, checked and compiled.
//!
//! Everything that can be wrong is found here, before anything runs: an expression that names an attribute which no schema
//! has, a role that gives what no catalogue knows, two targets of one name. At run time a policy cannot fail, except where an
//! expression meets a value it cannot handle, and that holds only the one account.

use crate::catalogue::{Catalogue, EntitlementEntry, RoleEntry, composite, parse_composite};
use crate::link::Strip;
use crate::mapping::{self, AccountMapping};
use crate::roles::RoleRule;
use crate::{Delivery, Discovery, Source, SourceId, TargetId, UnknownEntitlements};
use connector_expr::{Env, Expr};
use connector_spi::{Entitlement, Kind};
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use scim::{Aliases, Dialect, Types};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

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
    /// The target's attributes, each an expression over `user`, or a table with `expr` and `mode`.
    pub attributes: BTreeMap<String, MappingConfig>,
    /// Before the start date: `none` (no account yet) or `disabled` (made, and switched off).
    pub before_start: BeforeStart,
    /// What happens when access ends.
    pub on_leave: OnLeave,
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
        }
    }
}

/// One mapped attribute: an expression, or a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum MappingConfig {
    /// An expression over `user`; kept up to date.
    Expr(String),
    /// An expression with a mode.
    Table(MappingTable),
}

/// A mapped attribute in long form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MappingTable {
    /// The expression over `user`.
    pub expr: String,
    /// `follow` (kept up to date) or `initial` (given on create only).
    #[serde(default)]
    pub mode: Mode,
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
    /// What becomes of the account: `disable`, `block` or `delete`.
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
    /// What it gives, as `target:type:value[@key=value]`.
    pub entitlements: Vec<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// It may be held for a limited time only.
    pub time_bound_only: bool,
    /// Holding it needs care.
    pub sensitive: bool,
}

/// One `[[target.catalogue]]`: something that the target can grant.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
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
    /// What it can grant.
    pub catalogue: Vec<CatalogueConfig>,
    /// Where the catalogue comes from: `config`, or `csv:FILE`.
    pub catalogue_source: String,
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

/// Something wrong in a policy's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// JSON pointer to the setting, as in `/target/0/account/when`.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A target of a compiled policy.
#[derive(Debug)]
pub struct TargetPolicy {
    /// Its immutable id.
    pub id: TargetId,
    /// Its name.
    pub name: String,
    /// Accounts, where the target has any.
    pub account: Option<AccountMapping>,
    /// Some role names this target.
    pub by_roles: bool,
}

/// A compiled policy. Cheap to share by `Arc`.
#[derive(Debug)]
pub struct Policy {
    /// Sources in order of precedence.
    pub sources: Vec<Arc<Source>>,
    /// What each source owns, in the same order; `None` is everything.
    owns: Vec<Option<BTreeSet<String>>>,
    /// Targets in order of the configuration.
    pub targets: Vec<TargetPolicy>,
    /// Role rules.
    pub roles: Vec<RoleRule>,
    catalogue: Arc<Catalogue>,
    zones: BTreeMap<String, TimeZone>,
    /// Some expression looks at `user.groups`.
    pub uses_groups: bool,
    /// Changes when anything in the configuration does.
    pub hash: String,
}

impl Policy {
    /// Checks and compiles. All issues are reported at once.
    ///
    /// # Errors
    /// Every [`Issue`] found, in order of the configuration.
    pub fn compile(config: &PolicyConfig, types: &Types) -> Result<Policy, Vec<Issue>> {
        let mut issues = Vec::new();
        let zones = compile_zones(&config.zones, &mut issues);
        let env = environment(config, types, &zones);
        let (sources, owns) = compile_sources(&config.sources, &mut issues);
        let entries = catalogue_entries(config);
        let roles = compile_roles(config, &env, &entries, &mut issues);
        let targets = compile_targets(config, &env, &roles, &mut issues);
        if !issues.is_empty() {
            return Err(issues);
        }
        let looks_at_groups = |expr: &Expr| mapping::looks_at_groups(expr);
        let uses_groups = roles.iter().filter_map(|role| role.when.as_ref()).any(looks_at_groups)
            || targets
                .iter()
                .filter_map(|target| target.account.as_ref())
                .any(|account| account.exprs().any(looks_at_groups));
        let role_entries = config.roles.iter().map(role_entry);
        Ok(Policy {
            sources,
            owns,
            targets,
            roles,
            catalogue: Arc::new(Catalogue::new(role_entries, entries)),
            zones,
            uses_groups,
            hash: fingerprint(config),
        })
    }

    /// What can be granted.
    #[must_use]
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// The source of this id.
    #[must_use]
    pub fn source(&self, id: &SourceId) -> Option<&Arc<Source>> {
        self.sources.iter().find(|source| source.id == *id)
    }

    /// The target of this name.
    #[must_use]
    pub fn target(&self, name: &str) -> Option<&TargetPolicy> {
        self.targets.iter().find(|target| target.name == name)
    }

    /// The place of a source in the order of precedence; unknown ones (removed from the configuration) come last.
    #[must_use]
    pub fn precedence(&self, id: &SourceId) -> usize {
        self.sources.iter().position(|source| source.id == *id).unwrap_or(usize::MAX)
    }

    /// Whether the source may set the attribute: a core attribute by name, an extension by its URN.
    #[must_use]
    pub fn owns(&self, id: &SourceId, attribute: &str) -> bool {
        let Some(place) = self.sources.iter().position(|source| source.id == *id) else { return false };
        match self.owns.get(place) {
            Some(Some(owned)) => {
                owned.contains("*") || owned.contains(&mapping::short_name(attribute).to_ascii_lowercase())
            }
            Some(None) => true,
            None => false,
        }
    }

    /// The zone of a facility; UTC where none is configured.
    #[must_use]
    pub fn zone(&self, facility: Option<&str>) -> TimeZone {
        facility
            .and_then(|name| self.zones.get(name))
            .or_else(|| if self.zones.len() == 1 { self.zones.values().next() } else { None })
            .cloned()
            .unwrap_or(TimeZone::UTC)
    }
}

/// What expressions of this configuration may refer to.
fn environment(config: &PolicyConfig, types: &Types, zones: &BTreeMap<String, TimeZone>) -> Env {
    let mut env = mapping::environment(types);
    for (name, rows) in &config.tables {
        env = env.table(name.clone(), rows.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    for (name, zone) in zones {
        env = env.zone(name.clone(), zone.clone());
    }
    env
}

fn compile_zones(zones: &BTreeMap<String, String>, issues: &mut Vec<Issue>) -> BTreeMap<String, TimeZone> {
    let mut compiled = BTreeMap::new();
    for (facility, name) in zones {
        match TimeZone::get(name) {
            Ok(zone) => {
                compiled.insert(facility.clone(), zone);
            }
            Err(_) => issues.push(Issue {
                pointer: format!("/facility/{facility}/zone"),
                message: format!("there is no time zone {name:?}"),
                hint: Some("give an IANA name such as \"America/New_York\"".to_owned()),
            }),
        }
    }
    compiled
}

type Owned = Option<BTreeSet<String>>;

fn compile_sources(configs: &[SourceConfig], issues: &mut Vec<Issue>) -> (Vec<Arc<Source>>, Vec<Owned>) {
    let mut names = BTreeSet::new();
    let mut sources = Vec::new();
    let mut owns = Vec::new();
    for (place, config) in configs.iter().enumerate() {
        let at = |field: &str| format!("/source/{place}/{field}");
        check_name(&config.name, &at("name"), &mut names, issues);
        let wait = config.confirm_timeout.unwrap_or(10);
        if !(1..=300).contains(&wait) {
            issues.push(Issue {
                pointer: at("confirm_timeout"),
                message: "the wait must be between 1 and 300 seconds".to_owned(),
                hint: None,
            });
        }
        let aliases = Aliases::new(config.aliases.clone()).unwrap_or_else(|error| {
            issues.push(Issue { pointer: at("aliases"), message: error.to_string(), hint: None });
            Aliases::default()
        });
        sources.push(Arc::new(Source {
            id: SourceId::new(config.id.as_deref().unwrap_or(&config.name)),
            name: config.name.clone(),
            dialect: config.dialect,
            discovery: config.discovery,
            delivery: match config.delivery {
                DeliveryConfig::Accept => Delivery::Accept,
                DeliveryConfig::Confirm => Delivery::Confirm(Duration::from_secs(u64::from(wait))),
            },
            unknown_entitlements: config.unknown_entitlements,
            aliases,
            requests_per_second: config.requests_per_second,
        }));
        owns.push(config.owns.as_ref().map(|names| names.iter().map(|name| name.to_ascii_lowercase()).collect()));
    }
    (sources, owns)
}

fn check_name(name: &str, pointer: &str, names: &mut BTreeSet<String>, issues: &mut Vec<Issue>) {
    let fits = !name.is_empty()
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !fits {
        issues.push(Issue {
            pointer: pointer.to_owned(),
            message: format!("{name:?} is not a name"),
            hint: Some("use letters, digits, '-', '_' and '.', at most 64".to_owned()),
        });
    } else if !names.insert(name.to_owned()) {
        issues.push(Issue {
            pointer: pointer.to_owned(),
            message: format!("there are two of the name {name:?}"),
            hint: Some("give each its own name".to_owned()),
        });
    }
}

fn catalogue_entries(config: &PolicyConfig) -> Vec<EntitlementEntry> {
    config
        .targets
        .iter()
        .flat_map(|target| target.catalogue.iter().map(move |entry| (target, entry)))
        .map(|(target, entry)| {
            let entitlement =
                Entitlement { scope: entry.scope.clone(), ..Entitlement::new(entry.ty.as_str(), entry.value.as_str()) };
            EntitlementEntry {
                id: composite(&target.name, &entitlement),
                target: target.name.clone(),
                display: entry.display.clone().unwrap_or_else(|| entry.value.clone()),
                owner: entry.owner.clone(),
                sensitive: entry.sensitive,
                source: if target.catalogue_source.is_empty() {
                    "config".to_owned()
                } else {
                    target.catalogue_source.clone()
                },
                ordered: false,
                scoped: !entitlement.scope.is_empty(),
                entitlement,
            }
        })
        .collect()
}

fn role_entry(role: &RoleConfig) -> RoleEntry {
    RoleEntry {
        value: role.name.clone(),
        display: role.display.clone().unwrap_or_else(|| role.name.clone()),
        ty: role.ty.clone(),
        contains: role.entitlements.clone(),
        owner: role.owner.clone(),
        time_bound_only: role.time_bound_only,
        sensitive: role.sensitive,
    }
}

fn compile_roles(
    config: &PolicyConfig,
    env: &Env,
    entries: &[EntitlementEntry],
    issues: &mut Vec<Issue>,
) -> Vec<RoleRule> {
    let mut names = BTreeSet::new();
    let mut rules = Vec::new();
    for (place, role) in config.roles.iter().enumerate() {
        let at = |field: &str| format!("/role/{place}/{field}");
        check_name(&role.name, &at("name"), &mut names, issues);
        let when = role.when.as_ref().and_then(|source| compile_expr(source, env, &at("when"), issues));
        let known = |name: &str| config.targets.iter().any(|target| target.name == name);
        for (index, target) in role.accounts.iter().enumerate().filter(|(_, name)| !known(name)) {
            issues.push(no_target(target, format!("/role/{place}/accounts/{index}"), config));
        }
        let mut entitlements = Vec::new();
        for (index, id) in role.entitlements.iter().enumerate() {
            let pointer = format!("/role/{place}/entitlements/{index}");
            let Some((target, entitlement)) = parse_composite(id) else {
                issues.push(Issue {
                    pointer,
                    message: format!("{id:?} is not an entitlement"),
                    hint: Some("write target:type:value, and @key=value behind it where it is scoped".to_owned()),
                });
                continue;
            };
            if !known(&target) {
                issues.push(no_target(&target, pointer, config));
                continue;
            }
            let mut of_target = entries.iter().filter(|entry| entry.target == target).peekable();
            if of_target.peek().is_some() && !of_target.any(|entry| entry.id == *id) {
                issues.push(Issue {
                    pointer,
                    message: format!("the catalogue of {target} does not know {id:?}"),
                    hint: Some("add it to [[target.catalogue]], or correct the value".to_owned()),
                });
                continue;
            }
            entitlements.push((target, entitlement));
        }
        rules.push(RoleRule { name: role.name.clone(), when, accounts: role.accounts.clone(), entitlements });
    }
    rules
}

fn no_target(name: &str, pointer: String, config: &PolicyConfig) -> Issue {
    let names: Vec<&str> = config.targets.iter().map(|target| target.name.as_str()).collect();
    Issue {
        pointer,
        message: format!("there is no target {name:?}"),
        hint: Some(if names.is_empty() {
            "add a [[target]]".to_owned()
        } else {
            format!("known: {}", names.join(", "))
        }),
    }
}

fn compile_targets(config: &PolicyConfig, env: &Env, roles: &[RoleRule], issues: &mut Vec<Issue>) -> Vec<TargetPolicy> {
    let mut names = BTreeSet::new();
    let mut targets = Vec::new();
    for (place, target) in config.targets.iter().enumerate() {
        check_name(&target.name, &format!("/target/{place}/name"), &mut names, issues);
        let account = target
            .account
            .as_ref()
            .map(|account| compile_account(account, env, &format!("/target/{place}/account"), issues));
        targets.push(TargetPolicy {
            id: TargetId::new(target.id.as_deref().unwrap_or(&target.name)),
            name: target.name.clone(),
            account,
            by_roles: roles.iter().any(|role| role.names(&target.name)),
        });
    }
    targets
}

fn compile_account(account: &AccountConfig, env: &Env, at: &str, issues: &mut Vec<Issue>) -> AccountMapping {
    let when = account.when.as_ref().and_then(|source| compile_expr(source, env, &format!("{at}/when"), issues));
    let mut attributes = Vec::new();
    for (name, mapping) in &account.attributes {
        let (source, mode, pointer) = match mapping {
            MappingConfig::Expr(source) => (source, Mode::Follow, format!("{at}/attributes/{name}")),
            MappingConfig::Table(table) => (&table.expr, table.mode, format!("{at}/attributes/{name}/expr")),
        };
        if let Some(expr) = compile_expr(source, env, &pointer, issues) {
            attributes.push((name.clone(), expr, mode));
        }
    }
    if account.key.is_empty() {
        issues.push(Issue {
            pointer: at.to_owned(),
            message: "key is missing: without a natural key an account could be made twice".to_owned(),
            hint: Some("name the attribute by which an account is found, such as key = [\"uid\"]".to_owned()),
        });
    }
    for (field, names) in [("key", &account.key), ("strong", &account.strong)] {
        for (index, name) in names.iter().enumerate().filter(|(_, name)| !account.attributes.contains_key(*name)) {
            issues.push(Issue {
                pointer: format!("{at}/{field}/{index}"),
                message: format!("{name:?} is not among the attributes"),
                hint: Some(format!("add it to attributes, such as {name} = \"user.userName\"")),
            });
        }
    }
    AccountMapping {
        kind: Kind::from(account.kind.as_str()),
        when,
        key: account.key.clone(),
        strong: account.strong.clone(),
        attributes,
        before_start: account.before_start,
        on_leave: account.on_leave,
    }
}

fn compile_expr(source: &str, env: &Env, pointer: &str, issues: &mut Vec<Issue>) -> Option<Expr> {
    match Expr::compile(source, env) {
        Ok(expr) => Some(expr),
        Err(error) => {
            issues.push(Issue {
                pointer: pointer.to_owned(),
                message: format!("{} (line {}, column {} of the expression)", error.message, error.line, error.column),
                hint: error.hint,
            });
            None
        }
    }
}

/// A text that changes when the configuration does. Not a secret and not a proof, so a plain 128-bit FNV-1a is enough.
fn fingerprint(config: &PolicyConfig) -> String {
    let text = format!("{config:?}");
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for octet in text.bytes() {
        hash ^= u128::from(octet);
        hash = hash.wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    format!("{hash:032x}")
}
