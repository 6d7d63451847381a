//! What is wrong with a file apart from its templates.

use super::{escaped, same_names};
use crate::config::{self, Condition, Config, Place};
use connector_declared::{Issues, steps::may_be_taken_on};
use connector_spi::KindRole;

/// Issues of prefixes.
pub(super) fn namespaces(config: &Config, issues: &mut Issues) {
    for (prefix, namespace) in &config.namespaces {
        let pointer = format!("/namespaces/{}", escaped(prefix));
        let letters = prefix.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if prefix.is_empty()
            || !letters
            || !prefix.starts_with(|c: char| c.is_ascii_alphabetic())
            || prefix.starts_with("xml")
        {
            issues.say(&pointer, "is no prefix", None);
        }
        if matches!(prefix.as_str(), "t" | "soap") {
            issues.say(&pointer, "is taken: t by templates, soap by the envelope", None);
        }
        if namespace.is_empty() {
            issues.say(&pointer, "is no namespace", None);
        }
    }
}

/// Issues of the file as a whole.
pub(super) fn file(config: &Config, issues: &mut Issues) {
    if config.services.is_empty() {
        issues.say("/services", "there is no service", None);
    }
    if config.check.is_empty() {
        issues.say("/check", "there is no request to check the target with", None);
    }
    let mut requests: Vec<(String, &config::Request)> = Vec::new();
    requests.extend(config.check.iter().enumerate().map(|(at, request)| (format!("/check/{at}"), request)));
    for (name, kind) in &config.kinds {
        requests
            .extend(of_kind(kind).into_iter().map(|(at, request)| (format!("/kinds/{}/{at}", escaped(name)), request)));
    }
    for (pointer, request) in &requests {
        if !config.services.contains_key(&request.service) {
            issues.say(format!("{pointer}/service"), format!("there is no service {}", request.service), None);
        }
        places(config, [(format!("{pointer}/record_at"), &request.record_at)], false, issues);
    }
    let errors = &config.errors;
    let in_errors = errors.code_at.iter().chain(&errors.field_at).chain(&errors.message_at);
    places(config, in_errors.map(|place| ("/errors".to_owned(), place)), true, issues);
    let conditions = errors.failed_when.iter().map(|condition| ("/errors/failed_when".to_owned(), &condition.at));
    places(config, conditions, false, issues);
    places(config, config.warnings_at.iter().map(|place| ("/warnings_at".to_owned(), place)), false, issues);
}

/// Issues of one kind.
pub(super) fn kind(config: &Config, kind: &config::Kind, pointer: &str, issues: &mut Issues) {
    let mut unknown = |at: String, names: &[String]| {
        for name in names.iter().filter(|name| !kind.attributes.contains_key(*name)) {
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
        let at = format!("{pointer}/attributes/{}", escaped(name));
        if attribute.required && kind.create.is_some() && !attribute.creatable {
            issues.say(&at, "is required and cannot be given on create", None);
        }
        let taken = |step: &config::Step| {
            step.when.is_none() && (step.for_attributes.is_empty() || step.for_attributes.contains(name))
        };
        if attribute.updatable && !kind.update.is_empty() && !kind.update.iter().any(taken) {
            let hint = Some("set updatable = false".to_owned());
            issues.say(&at, "is updatable and no step without a condition takes it", hint);
        }
        if let Some(kind) = attribute.references.as_ref().filter(|kind| !config.kinds.contains_key(*kind)) {
            issues.say(&at, format!("there is no kind {kind}"), None);
        }
        places(config, attribute.at.iter().map(|place| (at.clone(), place)), false, issues);
    }
    for kind in kind.depends_on.iter().filter(|kind| !config.kinds.contains_key(*kind)) {
        issues.say(format!("{pointer}/depends_on"), format!("there is no kind {kind}"), None);
    }
    entitlements(config, kind, pointer, issues);
    if let Some(create) = &kind.create {
        for name in create.carries.iter().filter(|name| !kind.entitlements.contains_key(*name)) {
            issues.say(format!("{pointer}/create/carries"), format!("there is no type of entitlement {name}"), None);
        }
        if create.born.is_empty() {
            issues.say(format!("{pointer}/create/born"), "a record is born in some state", None);
        }
        if kind.natural_keys.is_empty() {
            issues.say(format!("{pointer}/natural_keys"), "a kind that is made needs a natural key", None);
        }
    }
    let reads = kind.get.is_some() || !kind.find.is_empty() || kind.list.is_some();
    if reads && kind.record.is_none() {
        issues.say(format!("{pointer}/record"), "is missing: nothing that is read could be understood", None);
    }
    if kind.role == KindRole::Account {
        if kind.get.is_none() {
            issues.say(pointer, "accounts need `get`: what was sent must be read back after a lost answer", None);
        }
        for key in kind.natural_keys.iter().filter(|_| kind.create.is_some()) {
            if !kind.find.iter().any(|find| same_names(&find.key, key)) {
                let message = format!("no search by the natural key {}", key.join(" + "));
                issues.say(format!("{pointer}/find"), message, None);
            }
        }
    }
    let record = kind.record.iter().flat_map(|record| {
        [Some(&record.id), record.version.as_ref()]
            .into_iter()
            .flatten()
            .chain(record.state.iter().map(|rule| &rule.when.at))
    });
    places(config, record.map(|place| (format!("{pointer}/record"), place)), false, issues);
    let effective = kind.effective.iter().flat_map(|effective| {
        let needs = effective.needs.values().map(|Condition { at, .. }| at);
        needs.chain(&effective.begins_at).chain(&effective.ends_at).chain(&effective.sessions_at)
    });
    work(config, kind, pointer, issues);
    places(config, effective.map(|place| (format!("{pointer}/effective"), place)), false, issues);
}

/// What is taken on for later, and the steps before a create.
fn work(config: &Config, kind: &config::Kind, pointer: &str, issues: &mut Issues) {
    let mut later = false;
    for (at, request) in of_kind(kind) {
        let Some(taken_on) = &request.taken_on else { continue };
        later = true;
        let at_of = format!("{pointer}/{at}/taken_on");
        if !may_be_taken_on(&at) {
            let message = "only a request that makes or changes a record may be taken on for later";
            issues.say(&at_of, message, None);
        }
        let all = taken_on.ticket.iter().chain([&taken_on.when.at]);
        places(config, all.map(|place| (at_of.clone(), place)), false, issues);
    }
    if let Some(ticket) = &kind.ticket {
        if !later {
            issues.say(format!("{pointer}/ticket"), "no request of this kind is ever taken_on", None);
        }
        let all =
            [&ticket.done.at].into_iter().chain(&ticket.id).chain(ticket.refused.iter().map(|refused| &refused.at));
        places(config, all.map(|place| (format!("{pointer}/ticket"), place)), false, issues);
    }
    let first: Vec<&config::First> = kind.create.iter().flat_map(|create| &create.first).collect();
    for (index, step) in first.iter().enumerate() {
        let at = format!("{pointer}/create/first/{index}");
        if first.iter().take(index).any(|other| other.name == step.name) {
            issues.say(format!("{at}/name"), format!("two steps are named {}", step.name), None);
        }
        places(config, step.gives.iter().chain([&step.found]).map(|place| (at.clone(), place)), false, issues);
    }
}

fn entitlements(config: &Config, kind: &config::Kind, pointer: &str, issues: &mut Issues) {
    for (name, entitlement) in &kind.entitlements {
        let at = format!("{pointer}/entitlements/{}", escaped(name));
        if config.kinds.get(name).is_none_or(|kind| kind.role != KindRole::Entitlement) {
            issues.say(&at, format!("there is no kind {name} with role = \"entitlement\""), None);
        }
        if entitlement.replace.is_some() && (entitlement.add.is_some() || entitlement.remove.is_some()) {
            issues.say(&at, "replace excludes add and remove", None);
        }
        if entitlement.replace.is_some() && entitlement.read.is_none() {
            issues.say(&at, "a list that is written whole must be readable", None);
        }
        let read = entitlement.read.iter().flat_map(|read| {
            let dates = [&read.first_at, &read.order, &read.valid_from, &read.valid_to].into_iter().flatten();
            let only = read.only.iter().map(|only| &only.at);
            [&read.at, &read.value].into_iter().chain(read.scope.values()).chain(dates).chain(only)
        });
        places(config, read.map(|place| (format!("{at}/read"), place)), false, issues);
    }
}

/// Every request of a kind with its place.
fn of_kind(kind: &config::Kind) -> Vec<(String, &config::Request)> {
    let mut all: Vec<(String, &config::Request)> = Vec::new();
    let singles = [
        ("get", kind.get.as_ref()),
        ("create/request", kind.create.as_ref().map(|create| &create.request)),
        ("delete", kind.delete.as_ref()),
        ("list/request", kind.list.as_ref().map(|list| &list.request)),
        ("effective/request", kind.effective.as_ref().map(|effective| &effective.request)),
        ("revoke_sessions", kind.revoke_sessions.as_ref()),
        ("set_password", kind.set_password.as_ref()),
        ("ticket/request", kind.ticket.as_ref().map(|ticket| &ticket.request)),
    ];
    for (at, request) in singles {
        all.extend(request.map(|request| (at.to_owned(), request)));
    }
    for (at, first) in kind.create.iter().flat_map(|create| create.first.iter().enumerate()) {
        let parts = [("look", first.look.as_ref()), ("request", Some(&first.request)), ("undo", first.undo.as_ref())];
        for (part, request) in parts {
            all.extend(request.map(|request| (format!("create/first/{at}/{part}"), request)));
        }
    }
    all.extend(kind.find.iter().enumerate().map(|(at, find)| (format!("find/{at}/request"), &find.request)));
    for (at, step) in kind.update.iter().enumerate() {
        all.push((format!("update/{at}/request"), &step.request));
        all.extend(step.clear.as_ref().map(|clear| (format!("update/{at}/clear"), clear)));
    }
    let states = &kind.states;
    for (name, requests) in [
        ("enabled", &states.enabled),
        ("disabled", &states.disabled),
        ("blocked", &states.blocked),
        ("expired", &states.expired),
    ] {
        all.extend(requests.iter().enumerate().map(|(at, request)| (format!("states/{name}/{at}"), request)));
    }
    for (name, entitlement) in &kind.entitlements {
        let parts = [("add", &entitlement.add), ("remove", &entitlement.remove), ("replace", &entitlement.replace)];
        for (part, request) in parts {
            all.extend(request.as_ref().map(|request| (format!("entitlements/{}/{part}", escaped(name)), request)));
        }
    }
    all
}

/// Prefixes that are not declared.
fn places<'p>(
    config: &Config,
    all: impl IntoIterator<Item = (String, &'p Place)>,
    in_errors: bool,
    issues: &mut Issues,
) {
    for (pointer, place) in all {
        for prefix in place.prefixes() {
            let known = config.namespaces.contains_key(prefix) || (in_errors && prefix == "soap");
            if !known {
                issues.say(&pointer, format!("the prefix {prefix} of {} is not declared", place.as_str()), None);
            }
        }
    }
}
