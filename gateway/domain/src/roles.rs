//! Role rules: who holds a role, and what it gives.

use crate::catalogue::{Catalogue, composite, parse_composite};
use crate::link::{Origin, WantedEntitlement};
use connector_expr::{Expr, Vars};
use connector_spi::Entitlement;
use jiff::Timestamp;
use scim::Object;
use serde_json::Value;

/// One `[[role]]`, compiled.
#[derive(Debug)]
pub struct RoleRule {
    /// Its name.
    pub name: String,
    /// Who holds it; `None`: only who asks for it.
    pub when: Option<Expr>,
    /// Targets in which it gives an account.
    pub accounts: Vec<String>,
    /// Entitlements by target.
    pub entitlements: Vec<(String, Entitlement)>,
}

impl RoleRule {
    /// Whether it gives anything in the target.
    #[must_use]
    pub fn names(&self, target: &str) -> bool {
        self.accounts.iter().any(|name| name == target) || self.entitlements.iter().any(|(name, _)| name == target)
    }
}

/// Something given in one target, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The target's name.
    pub target: String,
    /// The entitlement; `None` is the account alone.
    pub entitlement: Option<Entitlement>,
    /// Why.
    pub origin: Origin,
}

/// A role rule that could not be decided. Holds the role's name, never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecided {
    /// The role.
    pub role: String,
    /// What went wrong.
    pub message: String,
    /// The targets that it concerns.
    pub targets: Vec<String>,
}

/// What all rules say of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ruled {
    /// Everything that rules and requests give, in order of the rules.
    pub given: Vec<Given>,
    /// Names of the roles held, in order of the rules.
    pub roles: Vec<String>,
    /// What cannot be decided, with the targets that must be held because of it.
    pub undecided: Vec<Undecided>,
}

/// Everything that rules and requests give to a user.
#[must_use]
pub fn given(
    rules: &[RoleRule],
    catalogue: &Catalogue,
    attrs: &Object,
    asked_by: &str,
    vars: &Vars,
    now: Timestamp,
) -> Ruled {
    let Ruled { mut given, mut roles, mut undecided } = Ruled::default();
    let asked: Vec<&str> = values(attrs, "roles").collect();
    for rule in rules {
        let role = || Origin::Role(rule.name.clone());
        let origins = if asked.contains(&rule.name.as_str()) {
            vec![role(), Origin::Source(asked_by.to_owned())]
        } else {
            match rule.when.as_ref().map(|when| when.eval_bool(vars, now)) {
                Some(Ok(true)) => vec![role()],
                Some(Ok(false)) | None => continue,
                Some(Err(error)) => {
                    let mut targets: Vec<String> = rule.accounts.clone();
                    targets.extend(rule.entitlements.iter().map(|(target, _)| target.clone()));
                    undecided.push(Undecided { role: rule.name.clone(), message: error.to_string(), targets });
                    continue;
                }
            }
        };
        roles.push(rule.name.clone());
        for origin in origins {
            let account = |target: &String| Given { target: target.clone(), entitlement: None, origin: origin.clone() };
            given.extend(rule.accounts.iter().map(account));
            given.extend(rule.entitlements.iter().map(|(target, entitlement)| Given {
                target: target.clone(),
                entitlement: Some(entitlement.clone()),
                origin: origin.clone(),
            }));
        }
    }
    for id in values(attrs, "entitlements") {
        // Only what the catalogue knows grants anything; the rest was recorded by the source's leave.
        if let (Some(_), Some((target, entitlement))) = (catalogue.entitlement(id), parse_composite(id)) {
            given.push(Given { target, entitlement: Some(entitlement), origin: Origin::Source(asked_by.to_owned()) });
        }
    }
    Ruled { given, roles, undecided }
}

/// `roles` and `entitlements` as they are read back: what sources asked for, as they said it, and what rules give besides.
/// Without a catalogue both are free text, and stay as they are.
pub fn read_back(attrs: &mut Object, ruled: &Ruled, catalogue: &Catalogue) {
    if catalogue.is_empty() {
        return;
    }
    let roles = ruled.roles.iter().map(|name| {
        let entry = catalogue.role(name);
        let display = entry.map_or(name.as_str(), |entry| entry.display.as_str());
        (name.clone(), display.to_owned(), entry.and_then(|entry| entry.ty.clone()))
    });
    add(attrs, "roles", roles.collect());
    let entitlements = ruled.given.iter().filter_map(|given| {
        let entitlement = given.entitlement.as_ref()?;
        let id = composite(&given.target, entitlement);
        let display = catalogue.entitlement(&id).map_or(id.as_str(), |entry| entry.display.as_str()).to_owned();
        Some((id, display, Some(entitlement.kind.to_string())))
    });
    add(attrs, "entitlements", entitlements.collect());
}

/// Adds values (value, display, type) that are not there yet.
fn add(attrs: &mut Object, name: &str, more: Vec<(String, String, Option<String>)>) {
    for (value, display, ty) in more {
        if values(attrs, name).any(|there| there == value) {
            continue;
        }
        let mut element = Object::from_iter([
            ("value".to_owned(), Value::String(value)),
            ("display".to_owned(), Value::String(display)),
        ]);
        if let Some(ty) = ty {
            element.insert("type".to_owned(), Value::String(ty));
        }
        let list = attrs.entry(name.to_owned()).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(Value::Object(element));
        }
    }
}

/// What a source says of `roles` or `entitlements` when it left `after` where it found `before`: values that others, or rules,
/// put there are not its own for being sent back.
#[must_use]
pub fn asked(said: Option<&Value>, before: Option<&Value>, after: &Value) -> Value {
    let elements = |list: Option<&Value>| list.and_then(Value::as_array).cloned().unwrap_or_default();
    let (said, before) = (elements(said), elements(before));
    let has = |list: &[Value], one: &Value| list.iter().any(|other| other.get("value") == one.get("value"));
    let own = elements(Some(after)).into_iter().filter(|one| !has(&before, one) || has(&said, one));
    Value::Array(own.collect())
}

/// Role and entitlement values in `attrs` that the catalogue does not know.
#[must_use]
pub fn unknown(catalogue: &Catalogue, attrs: &Object) -> Vec<(&'static str, String)> {
    if catalogue.is_empty() {
        return Vec::new();
    }
    let roles = values(attrs, "roles").filter(|value| catalogue.role(value).is_none()).map(|v| ("roles", v.to_owned()));
    let entitlements = values(attrs, "entitlements")
        .filter(|value| catalogue.entitlement(value).is_none())
        .map(|v| ("entitlements", v.to_owned()));
    roles.chain(entitlements).collect()
}

/// The entitlements given in one target, each once with all its reasons.
#[must_use]
pub fn collect(given: &[Given], target: &str) -> Vec<WantedEntitlement> {
    let mut collected: Vec<WantedEntitlement> = Vec::new();
    for one in given.iter().filter(|one| one.target == target) {
        let Some(entitlement) = &one.entitlement else { continue };
        match collected.iter_mut().find(|other| other.entitlement.same_grant(entitlement)) {
            Some(other) if other.origins.contains(&one.origin) => {}
            Some(other) => other.origins.push(one.origin.clone()),
            None => collected
                .push(WantedEntitlement { entitlement: entitlement.clone(), origins: vec![one.origin.clone()] }),
        }
    }
    collected
}

fn values<'a>(attrs: &'a Object, name: &str) -> impl Iterator<Item = &'a str> {
    attrs
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|element| element.get("value").and_then(Value::as_str))
}
