//! From the configuration to what the catalogue shows.

use super::{CatalogueConfig, PolicyConfig, RoleConfig, TargetConfig};
use crate::catalogue::{EntitlementEntry, RoleEntry, composite, parse_composite};
use connector_spi::{Entitlement, Kind};
use std::collections::BTreeSet;

/// The entitlements of every target.
pub(super) fn of(config: &PolicyConfig) -> Vec<EntitlementEntry> {
    let sorts = Sorts::of(config);
    let all = config.targets.iter().flat_map(|target| target.catalogue.iter().map(move |entry| (target, entry)));
    all.map(|(target, entry)| entitlement(target, entry, &sorts)).collect()
}

fn entitlement(target: &TargetConfig, entry: &CatalogueConfig, sorts: &Sorts<'_>) -> EntitlementEntry {
    let entitlement =
        Entitlement { scope: entry.scope.clone(), ..Entitlement::new(entry.ty.as_str(), entry.value.as_str()) };
    let declared = target.declared.entitlements.get(&entitlement.kind).copied().unwrap_or_default();
    let sort = (target.name.as_str(), entitlement.kind.clone());
    EntitlementEntry {
        id: composite(&target.name, &entitlement),
        target: target.name.clone(),
        display: entry.display.clone().unwrap_or_else(|| entry.value.clone()),
        owner: entry.owner.clone(),
        sensitive: entry.sensitive,
        retired: entry.retired,
        source: source(target),
        ordered: declared.ordered || sorts.ordered.contains(&sort),
        scoped: declared.scoped || sorts.scoped.contains(&sort),
        assignments: entry.assignments,
        entitlement,
    }
}

/// Where the catalogue comes from, and of what day it is.
fn source(target: &TargetConfig) -> String {
    match (target.catalogue_source.as_str(), target.catalogue_date) {
        ("", _) => "config".to_owned(),
        (source, None) => source.to_owned(),
        (source, Some(day)) => format!("{source}@{day}"),
    }
}

/// Types of entitlement, by target, that somewhere in the configuration have a place or a scope: then all of the type do.
#[derive(Default)]
struct Sorts<'a> {
    ordered: BTreeSet<(&'a str, Kind)>,
    scoped: BTreeSet<(&'a str, Kind)>,
}

impl<'a> Sorts<'a> {
    fn of(config: &'a PolicyConfig) -> Sorts<'a> {
        let mut sorts = Sorts::default();
        for target in &config.targets {
            let scoped = target.catalogue.iter().filter(|entry| !entry.scope.is_empty());
            sorts.scoped.extend(scoped.map(|entry| (target.name.as_str(), Kind::from(entry.ty.as_str()))));
        }
        for given in config.roles.iter().flat_map(|role| &role.entitlements) {
            let Some((name, entitlement)) = parse_composite(given.id()) else { continue };
            let Some(target) = config.targets.iter().find(|target| target.name == name) else { continue };
            let sort = (target.name.as_str(), entitlement.kind);
            if given.order().is_some() {
                sorts.ordered.insert(sort.clone());
            }
            if !entitlement.scope.is_empty() {
                sorts.scoped.insert(sort);
            }
        }
        sorts
    }
}

/// A role as the catalogue shows it.
pub(super) fn role(role: &RoleConfig) -> RoleEntry {
    RoleEntry {
        value: role.name.clone(),
        display: role.display.clone().unwrap_or_else(|| role.name.clone()),
        ty: role.ty.clone(),
        contains: role.entitlements.iter().map(|one| one.id().to_owned()).collect(),
        owner: role.owner.clone(),
        time_bound_only: role.time_bound_only,
        sensitive: role.sensitive,
        assignments: role.assignments,
    }
}
