//! What is wrong with a kind, apart from what its requests' own texts show.

use super::same_names;
use crate::config::{self, Config};
use connector_declared::Issues;
use connector_spi::KindRole;

/// What is wrong with a kind apart from its requests.
pub(super) fn kind_issues(config: &Config, kind: &config::Kind, pointer: &str, issues: &mut Issues) {
    let known = |name: &String| kind.attributes.contains_key(name);
    let mut unknown = |at: String, names: &[String]| {
        for name in names.iter().filter(|name| !known(name)) {
            issues.say(at.clone(), format!("there is no attribute {name}"), None);
        }
    };
    for (index, key) in kind.natural_keys.iter().enumerate() {
        unknown(format!("{pointer}/natural_keys/{index}"), key);
    }
    for (index, find) in kind.find.iter().enumerate() {
        unknown(format!("{pointer}/find/{index}/key"), &find.key);
    }
    for (index, step) in kind.update.iter().enumerate() {
        unknown(format!("{pointer}/update/{index}/for_attributes"), &step.for_attributes);
    }
    for (name, attribute) in &kind.attributes {
        let at = format!("{pointer}/attributes/{name}");
        if attribute.required && kind.create.is_some() && !attribute.creatable {
            issues.say(&at, "is required and cannot be given on create", None);
        }
        let taken = kind
            .update
            .iter()
            .any(|step| step.when.is_none() && (step.for_attributes.is_empty() || step.for_attributes.contains(name)));
        if attribute.updatable && !kind.update.is_empty() && !taken {
            issues.say(
                &at,
                "is updatable and no step without a condition takes it",
                Some("set updatable = false".into()),
            );
        }
        if let Some(kind) = attribute.references.as_ref().filter(|kind| !config.kinds.contains_key(*kind)) {
            issues.say(&at, format!("there is no kind {kind}"), None);
        }
        if attribute.multi && attribute.listed.is_some() {
            issues.say(&at, "one member of a list holds one value: multi and listed exclude each other", None);
        }
    }
    let first: Vec<&String> = kind.create.iter().flat_map(|create| &create.first).map(|first| &first.name).collect();
    for (index, name) in first.iter().enumerate() {
        if first.iter().take(index).any(|other| other == name) {
            issues.say(format!("{pointer}/create/first/{index}/name"), format!("two steps are named {name}"), None);
        }
    }
    for kind in kind.depends_on.iter().filter(|kind| !config.kinds.contains_key(*kind)) {
        issues.say(format!("{pointer}/depends_on"), format!("there is no kind {kind}"), None);
    }
    for (name, entitlement) in &kind.entitlements {
        let at = format!("{pointer}/entitlements/{name}");
        if config.kinds.get(name).is_none_or(|kind| kind.role != KindRole::Entitlement) {
            issues.say(&at, format!("there is no kind {name} with role = \"entitlement\""), None);
        }
        if entitlement.replace.is_some() && (entitlement.add.is_some() || entitlement.remove.is_some()) {
            issues.say(&at, "replace excludes add and remove", None);
        }
    }
    if kind.role == KindRole::Account {
        if kind.get.is_none() {
            issues.say(pointer, "accounts need `get`: what was sent must be read back after a lost answer", None);
        }
        for key in &kind.natural_keys {
            if kind.create.is_some() && !kind.find.iter().any(|find| same_names(&find.key, key)) {
                issues.say(
                    format!("{pointer}/find"),
                    format!("no search by the natural key {}", key.join(" + ")),
                    None,
                );
            }
        }
        if kind.create.is_some() && kind.natural_keys.is_empty() {
            issues.say(format!("{pointer}/natural_keys"), "a kind that is made needs a natural key", None);
        }
    }
}
