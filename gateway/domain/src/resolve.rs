//! Facts in, wanted states out: the only decider.
//!
//! `resolve` is called at intake, in sweeps and at the instants it names itself ([`Resolution::next_change_at`]); workers
//! never call it. It has no clock and no I/O: `now` is an argument, so that the future can be asked about as well.

use crate::gates::{self, Gate};
use crate::link::{Origin, Wanted};
use crate::mapping::AccountMapping;
use crate::policy::{BeforeStart, Policy, TargetPolicy};
use crate::roles::{self, Given, Ruled};
use crate::{ResourceId, SourceId, TargetId, mapping};
use connector_expr::Vars;
use connector_spi::{AccountState, ConnError, Kind};
use jiff::Timestamp;
use scim::Object;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// What one source said of a resource, kept apart from what is made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Assertion {
    /// Who said it.
    pub source: SourceId,
    /// The attributes it asserts, canonical.
    pub attrs: Object,
    /// Its own name of the resource.
    pub external_id: Option<String>,
    /// When it last said so.
    pub observed_at: Timestamp,
}

/// A group that a user belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupRef {
    /// The group's id.
    pub id: ResourceId,
    /// Its `displayName`.
    pub display: String,
    /// By a row of its own, not through another group.
    pub direct: bool,
}

/// What is decided about one user.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolution {
    /// Whether access is allowed.
    pub gate: Gate,
    /// What each target should hold.
    pub links: Vec<Decided>,
    /// What rules and requests give while access is open; nothing otherwise.
    pub ruled: Ruled,
    /// When to decide again without a request.
    pub next_change_at: Option<Timestamp>,
}

/// What is decided about one object in one target.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// The target.
    pub target: TargetId,
    /// The target's kind of object.
    pub kind: Kind,
    /// The decision.
    pub decision: Decision,
}

/// What should become of an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// It should look like this.
    Want(Wanted),
    /// Access has ended, or never was: whatever stands is closed like this.
    Close(Wanted),
    /// It cannot be decided; nothing is sent.
    Hold(ConnError),
}

/// The user to decide about.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The resource's id.
    pub id: &'a ResourceId,
    /// What each source said.
    pub assertions: &'a [Assertion],
    /// The resolved attributes, as [`attributes`] makes them.
    pub attrs: &'a Object,
    /// Groups, expanded.
    pub groups: &'a [GroupRef],
    /// What each present link wants, to keep the keys of accounts that are closed.
    pub wanted: &'a dyn Fn(&TargetId, &Kind) -> Option<&'a Wanted>,
}

/// Decides what a user should have in each target at `now`.
#[must_use]
pub fn resolve(subject: Subject<'_>, policy: &Policy, now: Timestamp) -> Resolution {
    let (gate, next_change_at) = gates::gate(subject.assertions, subject.attrs, policy, now);
    if policy.catalogue().is_empty() && !policy.targets.iter().any(|target| target.account.is_some()) {
        return Resolution { gate, links: Vec::new(), ruled: Ruled::default(), next_change_at };
    }
    // A closed gate is decided without a single expression: nothing that can fail may hold a closing up.
    let facts = (gate != Gate::Closed).then(|| Facts::of(subject, policy, now));
    let mut links = Vec::new();
    for target in &policy.targets {
        let access = match &facts {
            Some(facts) if target.account.is_some() => facts.access(target, gate, now),
            Some(_) | None => Access::Ended,
        };
        for object in target.objects() {
            let wanted = match (&facts, &access) {
                (_, Access::Undecided(error)) => Some(Decision::Hold(error.clone())),
                (Some(facts), Access::Given(state)) => facts.want(target, object, gate, *state, now),
                (None, _) | (_, Access::Ended) => None,
            };
            let decision =
                wanted.unwrap_or_else(|| Decision::Close(object.close((subject.wanted)(&target.id, &object.kind))));
            links.push(Decided { target: target.id.clone(), kind: object.kind.clone(), decision });
        }
    }
    let ruled = facts.filter(|_| gate == Gate::Open).map(|facts| facts.ruled).unwrap_or_default();
    Resolution { gate, links, ruled, next_change_at }
}

/// Whether a user has access to one target.
enum Access {
    /// An account in this state.
    Given(AccountState),
    /// None, or none any more.
    Ended,
    /// An expression failed.
    Undecided(ConnError),
}

fn undecided(what: &str, why: &str) -> ConnError {
    ConnError::invalid(format!("{what}: {why}")).attribute(what)
}

/// What the rules say of a user, computed once for all targets.
struct Facts {
    vars: Vars,
    ruled: Ruled,
}

impl Facts {
    fn of(subject: Subject<'_>, policy: &Policy, now: Timestamp) -> Facts {
        let asked_by = asker(subject.assertions, policy);
        let external_id = subject.assertions.first().and_then(|assertion| assertion.external_id.as_deref());
        let access = gates::access(subject.attrs, policy);
        let vars = mapping::variables(subject.id, subject.attrs, external_id, subject.groups, access);
        let ruled = roles::given(&policy.roles, policy.catalogue(), subject.attrs, asked_by, &vars, now);
        Facts { vars, ruled }
    }

    /// Whether the user has access to one target.
    fn access(&self, target: &TargetPolicy, gate: Gate, now: Timestamp) -> Access {
        let Some(account) = &target.account else { return Access::Ended };
        if let Some(one) = self.ruled.undecided.iter().find(|one| one.targets.contains(&target.name)) {
            return Access::Undecided(undecided(&format!("role {}", one.role), &one.message));
        }
        let by_rule = match &account.when {
            Some(when) => match when.eval_bool(&self.vars, now) {
                Ok(truth) => truth,
                Err(error) => return Access::Undecided(undecided("when", &error.to_string())),
            },
            None => !target.by_roles,
        };
        let by_role = self.ruled.given.iter().any(|given| given.target == target.name);
        if !(by_rule || by_role) {
            return Access::Ended;
        }
        match (gate, account.before_start) {
            (Gate::Open, _) => Access::Given(AccountState::Enabled),
            (Gate::NotYet, BeforeStart::Disabled) => Access::Given(AccountState::Disabled),
            (Gate::NotYet, BeforeStart::None) | (Gate::Closed, _) => Access::Ended,
        }
    }

    /// The decision for one object of a user with access; `None` means that this one is not for them.
    fn want(
        &self,
        target: &TargetPolicy,
        object: &AccountMapping,
        gate: Gate,
        state: AccountState,
        now: Timestamp,
    ) -> Option<Decision> {
        let is_account = target.account.as_ref().is_some_and(|account| account.kind == object.kind);
        // The account's own `when` is part of the access.
        if let (false, Some(when)) = (is_account, &object.when) {
            match when.eval_bool(&self.vars, now) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Decision::Hold(undecided("when", &error.to_string()))),
            }
        }
        match object.open(&self.vars, now, state) {
            Ok(mut wanted) => {
                if is_account && gate == Gate::Open {
                    wanted.entitlements = roles::collect(&self.ruled.given, &target.name);
                }
                Some(Decision::Want(wanted))
            }
            Err(unmapped) => Some(Decision::Hold(undecided(&unmapped.attribute, &unmapped.message))),
        }
    }
}

/// The reasons for an account of its own in a target.
#[must_use]
pub fn account_origins(given: &[Given], target: &TargetPolicy) -> Vec<Origin> {
    let mut origins: Vec<Origin> =
        given.iter().filter(|given| given.target == target.name).map(|given| given.origin.clone()).collect();
    if origins.is_empty() {
        origins.push(Origin::Target(target.name.clone()));
    }
    origins.sort();
    origins.dedup();
    origins
}

/// The name of the source whose `roles` and `entitlements` count.
fn asker<'a>(assertions: &'a [Assertion], policy: &'a Policy) -> &'a str {
    let asks = |assertion: &&Assertion| {
        ["roles", "entitlements"]
            .iter()
            .any(|name| assertion.attrs.contains_key(*name) && policy.owns(&assertion.source, name))
    };
    let first = assertions.iter().filter(asks).min_by_key(|assertion| policy.precedence(&assertion.source));
    first.map_or("", |assertion| {
        policy.source(&assertion.source).map_or(assertion.source.as_str(), |source| source.name.as_str())
    })
}

/// The resolved attributes: for each core attribute and each attribute of an extension, the value of the first source, in
/// order of precedence, that owns and asserts it.
#[must_use]
pub fn attributes(assertions: &[Assertion], policy: &Policy) -> Object {
    let mut order: Vec<&Assertion> = assertions.iter().collect();
    order.sort_by_key(|assertion| policy.precedence(&assertion.source));
    if let [only] = order.as_slice()
        && only.attrs.keys().all(|name| policy.owns(&only.source, name))
    {
        return only.attrs.clone();
    }
    let mut resolved = Object::new();
    for assertion in order {
        for (name, value) in &assertion.attrs {
            if !policy.owns(&assertion.source, name) {
                continue;
            }
            match (resolved.get_mut(name), value) {
                // An extension is resolved attribute by attribute.
                (Some(Value::Object(taken)), Value::Object(offered)) if name.starts_with("urn:") => {
                    for (inner, value) in offered {
                        taken.entry(inner.clone()).or_insert_with(|| value.clone());
                    }
                }
                (Some(_), _) => {}
                (None, value) => {
                    resolved.insert(name.clone(), value.clone());
                }
            }
        }
    }
    resolved
}

/// What a source asserts after it changed the resource from `before` to `after`. A value that equals the resolved one is no
/// assertion of its own: clients that echo whole resources would else take over what others said.
#[must_use]
pub fn assert(said: &Object, before: &Object, after: &Object) -> Object {
    let mut says = said.clone();
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        match (before.get(name), after.get(name)) {
            (Some(Value::Object(old)), Some(Value::Object(new))) if name.starts_with("urn:") => {
                let inner = match says.get(name) {
                    Some(Value::Object(inner)) => inner.clone(),
                    _ => Object::new(),
                };
                let inner = assert(&inner, old, new);
                if inner.is_empty() {
                    says.remove(name);
                } else {
                    says.insert(name.clone(), Value::Object(inner));
                }
            }
            (old, new) if old == new => {}
            (old, Some(new)) if matches!(name.as_str(), "roles" | "entitlements") => {
                match roles::asked(said.get(name), old, new) {
                    Value::Array(own) if own.is_empty() => says.remove(name),
                    own => says.insert(name.clone(), own),
                };
            }
            (_, Some(new)) => {
                says.insert(name.clone(), new.clone());
            }
            (_, None) => {
                says.remove(name);
            }
        }
    }
    says
}
