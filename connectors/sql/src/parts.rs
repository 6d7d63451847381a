//! The parts of a change, in the order that the contract asks for (connector contract, section 4, rule 9). Pure.

use crate::plan::KindPlan;
use connector_spi::{AccountState, Change, ConnError, Entitlement, PartFailure};
use std::collections::BTreeMap;

/// One part of a change.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    /// As it is told when it fails: the attributes, or the entitlement, or `state`.
    pub(crate) names: Vec<String>,
    pub(crate) act: Act<'a>,
    pub(crate) sense: Sense,
}

/// What a part does.
#[derive(Debug)]
pub(crate) enum Act<'a> {
    State(AccountState),
    Take(&'a Entitlement),
    Give(&'a Entitlement),
    /// All attributes, by one set of statements.
    Attributes,
}

/// Whether a part takes access away, gives it, or neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sense {
    Closes,
    Changes,
    Opens,
}

/// What failed, by the place of the part.
pub(crate) type Failed = BTreeMap<usize, ConnError>;

/// The parts in order: a closing state, removals, attributes, additions, a state that opens. `attributes` are those that may be
/// changed.
pub(crate) fn of<'a>(change: &'a Change, attributes: Vec<String>) -> Vec<Part<'a>> {
    let opens = change.state == Some(AccountState::Enabled);
    let state = |state, sense| Part { names: vec!["state".to_owned()], act: Act::State(state), sense };
    let mut parts = Vec::new();
    parts.extend(change.state.filter(|_| !opens).map(|closing| state(closing, Sense::Closes)));
    for gone in &change.entitlements.remove {
        parts.push(Part { names: vec![part_of(gone)], act: Act::Take(gone), sense: Sense::Closes });
    }
    if !attributes.is_empty() {
        parts.push(Part { names: attributes, act: Act::Attributes, sense: Sense::Changes });
    }
    parts.extend(given(&change.entitlements.add));
    parts.extend(change.state.filter(|_| opens).map(|open| state(open, Sense::Opens)));
    parts
}

/// Entitlements to be given.
pub(crate) fn given(add: &[Entitlement]) -> impl Iterator<Item = Part<'_>> {
    add.iter().map(|new| Part { names: vec![part_of(new)], act: Act::Give(new), sense: Sense::Changes })
}

/// Parts that the file has no statements for, or that name what the target does not have.
pub(crate) fn impossible(kind: &KindPlan, parts: &[Part<'_>]) -> Failed {
    let mut failed = Failed::new();
    for (place, part) in parts.iter().enumerate() {
        let none = |what: &str| ConnError::unsupported(format!("no statement of the target's file {what}"));
        let error = match &part.act {
            Act::State(state) => {
                (!kind.states.contains_key(state)).then(|| none(&format!("brings an account to {state:?}")))
            }
            Act::Attributes => kind.update.is_empty().then(|| none("changes attributes")),
            Act::Take(one) | Act::Give(one) => match kind.entitlements.get(&one.kind) {
                None => Some(ConnError::invalid("the target has no such type of entitlement").attribute(part_of(one))),
                Some(plan) => {
                    let takes = matches!(part.act, Act::Take(_));
                    let steps = if takes { &plan.remove } else { &plan.add };
                    let strange = one.scope.keys().find(|name| !plan.config.scope.contains(name));
                    match strange {
                        Some(name) => {
                            let why = format!("entitlements of this type have no scope {name}");
                            Some(ConnError::invalid(why).attribute(part_of(one)))
                        }
                        None => steps.is_empty().then(|| none("changes this type of entitlement")),
                    }
                }
            },
        };
        failed.extend(error.map(|error| (place, error)));
    }
    failed
}

/// Holds back what opens when something that closes has failed.
pub(crate) fn hold(parts: &[Part<'_>], failed: &mut Failed) {
    let held = parts.iter().enumerate().any(|(place, part)| part.sense == Sense::Closes && failed.contains_key(&place));
    for (place, _) in parts.iter().enumerate().filter(|(_, part)| held && part.sense == Sense::Opens) {
        failed.entry(place).or_insert_with(|| ConnError::conflict("not opened, since a part that closes failed"));
    }
}

/// What failed in the contract's words.
pub(crate) fn told(parts: &[Part<'_>], failed: &Failed) -> Vec<PartFailure> {
    let one = |(place, error): (&usize, &ConnError)| {
        let names = parts.get(*place).map(|part| part.names.clone()).unwrap_or_default();
        names.into_iter().map(|part| PartFailure { part, error: error.clone() }).collect::<Vec<_>>()
    };
    failed.iter().flat_map(one).collect()
}

/// The name of an entitlement as a part.
pub(crate) fn part_of(entitlement: &Entitlement) -> String {
    format!("{}:{}", entitlement.kind, entitlement.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use connector_spi::EntitlementChange;

    fn parts(change: &Change) -> Vec<(String, Sense)> {
        let attributes = change.attrs.keys().cloned().collect();
        of(change, attributes).into_iter().map(|part| (part.names.join("+"), part.sense)).collect()
    }

    fn change(state: AccountState) -> Change {
        let entitlements = EntitlementChange {
            add: vec![Entitlement::new("menu", "NEW")],
            remove: vec![Entitlement::new("menu", "OLD")],
            whole: None,
        };
        let attrs = [("email".to_owned(), connector_spi::Delta::Clear)].into();
        Change { attrs, entitlements, state: Some(state), ..Change::default() }
    }

    #[test]
    fn closing_comes_first_and_opening_last() {
        let names = |state| parts(&change(state)).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(AccountState::Disabled), ["state", "menu:OLD", "email", "menu:NEW"]);
        assert_eq!(names(AccountState::Enabled), ["menu:OLD", "email", "menu:NEW", "state"]);
    }

    #[test]
    fn nothing_is_opened_while_a_part_that_closes_has_failed() {
        let opening = change(AccountState::Enabled);
        let parts = of(&opening, vec!["email".to_owned()]);
        let mut failed = Failed::from([(1, ConnError::invalid("email"))]);
        hold(&parts, &mut failed);
        assert_eq!(failed.len(), 1);
        failed.insert(0, ConnError::conflict("the removal"));
        hold(&parts, &mut failed);
        assert!(failed.contains_key(&3));
    }
}
