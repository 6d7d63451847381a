//! The policy: what the configuration says about sources, targets, roles and facilities, checked and compiled.
//!
//! Everything that can be wrong is found here, before anything runs: an expression that names an attribute which no schema
//! has, a role that gives what no catalogue knows, two targets of one name. At run time a policy cannot fail, except where an
//! expression meets a value it cannot handle, and that holds only the one account.

mod config;
mod entries;
mod groups;
mod objects;
mod taken;

pub use config::*;

use crate::catalogue::{Catalogue, EntitlementEntry, parse_composite, unscoped};
use crate::group::{self, GroupMapping};
use crate::link::{Link, Wanted};
use crate::mapping::{self, AccountMapping};
use crate::roles::RoleRule;
use crate::{Delivery, Source, SourceId, TargetId};
use connector_expr::{Env, Expr};
use connector_spi::Kind;
use jiff::tz::TimeZone;
use scim::{Aliases, Types};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

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
    /// Further objects of a person with an account, by kind.
    pub others: Vec<AccountMapping>,
    /// Groups, where the target holds them as objects.
    pub group: Option<GroupMapping>,
    /// Some role names this target.
    pub by_roles: bool,
}

impl TargetPolicy {
    /// Every object that a person may have in the target, the account first.
    pub fn objects(&self) -> impl Iterator<Item = &AccountMapping> {
        self.account.iter().chain(&self.others)
    }

    /// The mapping of a kind of object.
    #[must_use]
    pub fn object(&self, kind: &Kind) -> Option<&AccountMapping> {
        self.objects().find(|object| object.kind == *kind)
    }
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
        let env = with_tables(mapping::environment(types), config, &zones);
        let group_env = with_tables(mapping::group_environment(), config, &zones);
        let (sources, owns) = compile_sources(&config.sources, &mut issues);
        let entries = entries::of(config);
        let roles = compile_roles(config, &env, &entries, &mut issues);
        let targets = compile_targets(config, &env, &group_env, &roles, &mut issues);
        groups::check_overlap(config, &mut issues);
        if !issues.is_empty() {
            return Err(issues);
        }
        let looks_at_groups = |expr: &Expr| mapping::looks_at_groups(expr);
        let uses_groups = roles.iter().filter_map(|role| role.when.as_ref()).any(looks_at_groups)
            || targets.iter().flat_map(TargetPolicy::objects).any(|object| object.exprs().any(looks_at_groups));
        let role_entries = config.roles.iter().map(entries::role);
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

    /// How the object of a link is closed whose resource is gone. `None`: the target has no mapping of its kind, and it stays
    /// as it is.
    #[must_use]
    pub fn close(&self, link: &Link) -> Option<Wanted> {
        let before = link.wanted.as_ref();
        let target = self.targets.iter().find(|target| target.id == link.key.target)?;
        if let Some(object) = target.object(&link.key.kind) {
            return Some(object.close(before));
        }
        match &target.group {
            Some(group) if group.object.kind == link.key.kind => Some(group.close(before)),
            // Members that nothing manages any more must not go on being carried.
            Some(_) | None => before.filter(|wanted| wanted.members.is_some()).map(group::left),
        }
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

/// The variables with the tables and zones that every expression may name.
fn with_tables(mut env: Env, config: &PolicyConfig, zones: &BTreeMap<String, TimeZone>) -> Env {
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
        if role.assignments.is_some() && role.entitlements.is_empty() {
            issues.push(Issue {
                pointer: at("assignments"),
                message: format!("{:?} gives no entitlement by which its holders could be counted", role.name),
                hint: Some("limit a role that gives an entitlement".to_owned()),
            });
        }
        let mut entitlements = Vec::new();
        for (index, given) in role.entitlements.iter().enumerate() {
            let id = given.id();
            let pointer = format!("/role/{place}/entitlements/{index}");
            let Some((target, mut entitlement)) = parse_composite(id) else {
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
            if of_target.peek().is_some() && !of_target.any(|entry| entry.id == id || unscoped(id) == Some(&entry.id)) {
                issues.push(Issue {
                    pointer,
                    message: format!("the catalogue of {target} does not know {id:?}"),
                    hint: Some("add it to [[target.catalogue]], or correct the value".to_owned()),
                });
                continue;
            }
            entitlement.order = given.order();
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

fn compile_targets(
    config: &PolicyConfig,
    env: &Env,
    group_env: &Env,
    roles: &[RoleRule],
    issues: &mut Vec<Issue>,
) -> Vec<TargetPolicy> {
    let mut names = BTreeSet::new();
    let mut targets = Vec::new();
    for (place, target) in config.targets.iter().enumerate() {
        check_name(&target.name, &format!("/target/{place}/name"), &mut names, issues);
        let at = format!("/target/{place}");
        let (account, others) = objects::compile(target, env, &at, issues);
        targets.push(TargetPolicy {
            id: TargetId::new(target.id.as_deref().unwrap_or(&target.name)),
            name: target.name.clone(),
            account,
            others,
            group: groups::compile(target, group_env, &at, issues),
            by_roles: roles.iter().any(|role| role.names(&target.name)),
        });
    }
    targets
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

/// A text that changes when the configuration does. Not a secret and not a proof, so a plain 128-bit FNV-1a is enough. The day of
/// a catalogue's file is no change: an import that found nothing new must not decide about everybody anew.
fn fingerprint(config: &PolicyConfig) -> String {
    let mut config = config.clone();
    config.targets.iter_mut().for_each(|target| target.catalogue_date = None);
    let text = format!("{config:?}");
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for octet in text.bytes() {
        hash ^= u128::from(octet);
        hash = hash.wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    format!("{hash:032x}")
}
