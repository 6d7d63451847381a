//! What is wrong with a file apart from its statements.

use super::{Issues, KindPlan, Named, StepPlan};
use crate::config::{self, Config, Database, Engine, Form, SessionRevocation, TakesEffect, When};
use connector_spi::{KindRole, ValueType};

/// Names that a parameter has already.
const TAKEN: &[&str] = &[
    "id",
    "version",
    "today",
    "now",
    "op",
    "state",
    "name",
    "after",
    "size",
    "first",
    "last",
    "since",
    "value",
    "place",
    "valid_from",
    "valid_to",
];

/// The file as a whole.
pub(super) fn whole(config: &Config, issues: &mut Issues) {
    if config.spi != "1" {
        issues.say("/spi", "this connector speaks version 1 of the contract", None);
    }
    database(&config.database, "/database", issues);
    if let Some(replica) = &config.replica {
        database(&replica.database, "/replica/database", issues);
        if replica.database.engine != config.database.engine {
            issues.say("/replica/database/engine", "is another engine than the database's", None);
        }
    }
    for name in config.constants.keys() {
        if !is_name(name) || TAKEN.contains(&name.as_str()) || name.starts_with("scope_") {
            issues.say(format!("/constants/{name}"), "is no name for a parameter, or has a meaning already", None);
        }
    }
    for (name, http) in &config.http {
        for issue in http.issues() {
            issues.say(format!("/http/{name}{}", issue.pointer), issue.message, issue.hint);
        }
    }
    if config.kinds.is_empty() {
        issues.say("/kinds", "there is no kind", None);
    }
    let accounts: Vec<_> = config.kinds.values().filter(|kind| kind.role == KindRole::Account).collect();
    let by_sql = accounts.iter().any(|kind| !kind.revoke_sessions.is_empty());
    let by_api = accounts.iter().any(|kind| kind.after.iter().any(|after| after.on.contains(&When::Sessions)));
    let wrong = match config.session_revocation {
        SessionRevocation::None => (by_sql || by_api).then_some("says none, but a kind says how sessions are ended"),
        SessionRevocation::Sql if by_api => {
            Some("says sql, but a kind has an after with on = [\"sessions\"]: that is api")
        }
        SessionRevocation::Sql => (!by_sql).then_some("says sql, but no kind has revoke_sessions"),
        SessionRevocation::Api => (!by_api).then_some("says api, but no kind has an after with on = [\"sessions\"]"),
    };
    if let Some(wrong) = wrong {
        issues.say("/session_revocation", wrong, None);
    }
    if config.takes_effect == TakesEffect::Unknown && config.kinds.values().any(|kind| kind.effective.is_some()) {
        let hint = "try it out with a canary account, then set immediate or next_login, or leave `effective` out";
        let message = "what the tables say is no proof while it is not known when a write takes effect";
        issues.say("/takes_effect", message, Some(hint.to_owned()));
    }
}

fn database(config: &Database, at: &str, issues: &mut Issues) {
    let file = config.engine == Engine::Sqlite;
    let mut needs = |name: &str, there: bool, wanted: bool| {
        if there != wanted {
            issues.say(
                format!("{at}/{name}"),
                if wanted { "is needed" } else { "has no meaning for this engine" },
                None,
            );
        }
    };
    needs("path", config.path.is_some(), file);
    needs("host", config.host.is_some(), !file);
    needs("name", config.name.is_some(), !file);
    needs("user", config.user.is_some(), !file);
    if file {
        needs("port", config.port.is_some(), false);
        needs("password", config.password.is_some(), false);
    }
    let tls = &config.tls;
    if tls.client_certificate.is_some() != tls.client_key.is_some() {
        issues.say(format!("{at}/tls"), "certificate and key come together", None);
    }
    if config.engine == Engine::Mssql && tls.client_certificate.is_some() {
        issues.say(format!("{at}/tls/client_certificate"), "has no meaning for this engine", None);
    }
    let pool = &config.pool;
    for (name, value, most) in [
        ("connections", pool.connections, 64),
        ("connect_timeout", pool.connect_timeout, 60),
        ("statement_timeout", pool.statement_timeout, 600),
        ("idle_timeout", pool.idle_timeout, 3600),
    ] {
        if value == 0 || value > most {
            issues.say(format!("{at}/pool/{name}"), format!("is not from 1 to {most}"), None);
        }
    }
}

/// One kind.
pub(super) fn kind(config: &Config, kind: &config::Kind, at: &str, issues: &mut Issues) {
    let known = |name: &String| kind.attributes.contains_key(name);
    for (index, key) in kind.natural_keys.iter().enumerate() {
        if key.is_empty() || !key.iter().all(known) {
            issues.say(format!("{at}/natural_keys/{index}"), "names no attributes of the kind", None);
        }
        let looked_up = kind.find.iter().any(|find| same_names(&find.key, key));
        if kind.create.is_some() && !looked_up {
            issues.say(format!("{at}/natural_keys/{index}"), "has no find: nobody could look before making", None);
        }
    }
    for (index, find) in kind.find.iter().enumerate() {
        if find.key.is_empty() || !find.key.iter().all(known) {
            issues.say(format!("{at}/find/{index}/key"), "names no attributes of the kind", None);
        }
    }
    for (index, on) in kind.depends_on.iter().enumerate() {
        if !config.kinds.contains_key(on) {
            issues.say(format!("{at}/depends_on/{index}"), format!("there is no kind {on}"), None);
        }
    }
    if kind.create.is_some() && kind.natural_keys.is_empty() {
        issues.say(format!("{at}/natural_keys"), "a kind that is made needs one", None);
    }
    let writes = kind.create.is_some()
        || !kind.update.is_empty()
        || !kind.delete.is_empty()
        || !kind.revoke_sessions.is_empty()
        || !kind.after.is_empty()
        || kind.entitlements.values().any(|one| !one.add.is_empty() || !one.remove.is_empty());
    if writes && kind.get.is_none() {
        issues.say(format!("{at}/get"), "a kind that is written must be read", None);
    }
    if kind.list.as_ref().is_some_and(|list| list.max_page == 0 || list.max_page > 1000) {
        issues.say(format!("{at}/list/max_page"), "is not from 1 to 1000", None);
    }
    for (name, ty) in [("id/type", kind.id.ty), ("version", kind.version)] {
        if !matches!(ty, ValueType::Integer | ValueType::Text) {
            issues.say(format!("{at}/{name}"), "is integer or text", None);
        }
    }
    if let Some(name) = kind.id.attribute.as_ref().filter(|name| !known(name)) {
        issues.say(format!("{at}/id/attribute"), format!("there is no attribute {name}"), None);
    }
    if let Some(name) =
        kind.create.as_ref().and_then(|create| create.name.as_ref()).filter(|name| !known(&name.attribute))
    {
        issues.say(format!("{at}/create/name/attribute"), format!("there is no attribute {}", name.attribute), None);
    }
    for (name, attribute) in &kind.attributes {
        self::attribute(config, name, attribute, &format!("{at}/attributes/{}", super::escaped(name)), issues);
    }
    if kind.queue.is_some() {
        let then = kind.create.as_ref().is_some_and(|create| !create.then.is_empty());
        let cannot = [
            ("touch", kind.touch.is_some()),
            ("create/then", then),
            ("delete", !kind.delete.is_empty()),
            ("after", kind.after.iter().any(|after| after.on.iter().any(|on| *on != When::Sessions))),
        ];
        for (place, _) in cannot.into_iter().filter(|(_, there)| *there) {
            let message = "needs a record that is changed at once, and this kind's changes wait in a queue";
            issues.say(format!("{at}/{place}"), message, None);
        }
    }
    for (name, entitlement) in &kind.entitlements {
        for form in [entitlement.begins_as, entitlement.ends_as] {
            if matches!(form, Form::ExclusiveDay | Form::InclusiveDay) && form == entitlement.begins_as {
                issues.say(format!("{at}/entitlements/{name}/begins_as"), "is plain, local_time or day", None);
            }
        }
        for part in entitlement.scope.iter().filter(|part| !is_name(part)) {
            issues.say(format!("{at}/entitlements/{name}/scope"), format!("{part} is no name for a parameter"), None);
        }
    }
}

fn attribute(config: &Config, name: &str, attribute: &config::Attribute, at: &str, issues: &mut Issues) {
    if !is_name(name) || TAKEN.contains(&name) || name.starts_with("scope_") || config.constants.contains_key(name) {
        issues.say(at, "is no name for a parameter, or has a meaning already", None);
    }
    let fits = match attribute.form {
        Form::Plain => true,
        Form::LocalTime => attribute.ty == ValueType::Timestamp,
        Form::Day | Form::ExclusiveDay | Form::InclusiveDay => {
            matches!(attribute.ty, ValueType::Timestamp | ValueType::Text)
        }
    };
    if !fits {
        issues.say(format!("{at}/as"), "does not fit the type", None);
    }
    if let Some(flag) = &attribute.flag
        && (attribute.ty != ValueType::Boolean || flag.yes == flag.no)
    {
        issues.say(format!("{at}/flag"), "needs a boolean and two different texts", None);
    }
    if let Some(to) = attribute.references.as_ref().filter(|to| !config.kinds.contains_key(*to)) {
        issues.say(format!("{at}/references"), format!("there is no kind {to}"), None);
    }
}

/// What shows only once the statements are read: an attribute that no statement writes is lost without a word, and a statement
/// that does not ask for its record speaks of all of them.
pub(super) fn compiled(plan: &KindPlan, at: &str, issues: &mut Issues) {
    let mut needs = |named: &Named, wanted: &[&str]| {
        for name in wanted.iter().filter(|name| !named.takes(name)) {
            let place = named.label.split_once('.').map_or("", |(_, place)| place);
            issues.say(format!("{at}/{}", place.replace('.', "/")), format!("does not take :{name}"), None);
        }
    };
    plan.get.iter().chain(&plan.effective).chain(&plan.touch).for_each(|named| needs(named, &["id"]));
    plan.list.iter().for_each(|named| needs(named, &["after", "size"]));
    plan.changes.iter().for_each(|named| needs(named, &["since"]));
    plan.taken.iter().for_each(|named| needs(named, &["name"]));
    for (key, named) in &plan.find {
        needs(named, &key.iter().map(String::as_str).collect::<Vec<_>>());
    }
    for entitlement in plan.entitlements.values() {
        entitlement.read.iter().for_each(|named| needs(named, &["first", "last"]));
        for step in entitlement.add.iter().chain(&entitlement.remove) {
            std::iter::once(&step.named).chain(&step.or_else).for_each(|named| needs(named, &["id"]));
        }
        for steps in [&entitlement.add, &entitlement.remove] {
            // What comes before (a row that a reference needs) may do without.
            let takes = |step: &StepPlan| step.named.takes("value");
            let last = steps.last().filter(|_| !steps.iter().any(takes));
            last.iter().for_each(|step| needs(&step.named, &["value"]));
        }
    }
    let own = plan.states.values().flatten().chain(&plan.update).chain(&plan.delete).chain(&plan.revoke_sessions);
    for step in own.chain(&plan.then) {
        std::iter::once(&step.named).chain(&step.or_else).for_each(|named| needs(named, &["id"]));
    }
    plan.ticket.iter().for_each(|named| needs(named, &["ticket"]));
    if plan.ticket.is_some() {
        let grants = plan.entitlements.values().flat_map(|one| one.add.iter().chain(&one.remove));
        let steps = plan.states.values().flatten().chain(&plan.update).chain(grants);
        plan.insert.iter().chain(steps.map(|step| &step.named)).for_each(|named| needs(named, &["op"]));
    }
    let made: Vec<_> = plan.insert.iter().chain(plan.then.iter().map(|step| &step.named)).collect();
    let changed: Vec<_> = plan.update.iter().map(|step| &step.named).collect();
    for (name, attribute) in &plan.config.attributes {
        let at = format!("{at}/attributes/{}", super::escaped(name));
        if attribute.creatable && plan.insert.is_some() && !made.iter().any(|named| named.takes(name)) {
            issues.say(&at, "is creatable, but no statement of create writes it", None);
        }
        if attribute.updatable && !changed.is_empty() && !changed.iter().any(|named| named.takes(name)) {
            issues.say(&at, "is updatable, but no statement of update writes it", None);
        }
        if attribute.required && !attribute.creatable {
            issues.say(&at, "is required, but cannot be given", None);
        }
        // The others are bound to what was read, so what cannot be read would be overwritten with NULL.
        if !attribute.readable && changed.iter().any(|named| named.takes(name)) {
            issues.say(&at, "cannot be read, so a change of another attribute would clear it", None);
        }
    }
}

/// Whether both lists name the same attributes, in any order.
pub(crate) fn same_names(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|name| other.contains(name))
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
