//! The requests of one change, in the order that the contract asks for (connector contract, section 4, rule 9).

use connector_expr::{Expr, Vars};
use connector_spi::entitlement::in_order;
use connector_spi::{
    AccountState, Attrs, ConnError, Delta, Entitlement, EntitlementChange, Kind, PartFailure, Record, Result, Value,
};
use std::collections::BTreeMap;

/// Everything that a target's file can do to a record of one kind, by requests of type `R`.
#[derive(Debug)]
pub struct Moves<R> {
    /// Whether each attribute may be changed after the record was made.
    pub updatable: BTreeMap<String, bool>,
    /// Requests that change attributes, in order.
    pub steps: Vec<Step<R>>,
    /// Requests that bring the record into a state, in order.
    pub states: BTreeMap<AccountState, Vec<R>>,
    /// Requests that give and take, by the type of the entitlement.
    pub entitlements: BTreeMap<Kind, Giving<R>>,
}

impl<R> Default for Moves<R> {
    fn default() -> Self {
        Self { updatable: BTreeMap::new(), steps: Vec::new(), states: BTreeMap::new(), entitlements: BTreeMap::new() }
    }
}

/// One request that changes attributes.
#[derive(Debug)]
pub struct Step<R> {
    /// The attributes that it takes; empty means all that no other step names.
    pub takes: Vec<String>,
    /// Where it does not hold, the step leaves its attributes to the next that takes them.
    pub when: Option<Expr>,
    /// The request.
    pub request: R,
    /// Another request when all its attributes are cleared.
    pub clear: Option<R>,
}

/// How one type of entitlement is given and taken.
#[derive(Debug)]
pub struct Giving<R> {
    /// At most one is held: giving another replaces it.
    pub single: bool,
    /// Gives one.
    pub add: Option<R>,
    /// Takes one.
    pub remove: Option<R>,
    /// Writes the whole list.
    pub replace: Option<R>,
}

/// One request of a change, and the parts of the change that it carries out.
#[derive(Debug)]
pub struct Act<'a, R> {
    /// Attributes by name, entitlements as `type:value`, or `state`.
    pub parts: Vec<String>,
    /// Whether it takes access away or gives it.
    pub sense: Sense,
    /// The request.
    pub request: &'a R,
    /// What it carries.
    pub what: What<'a>,
}

/// Whether an act takes access away, gives it, or neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sense {
    /// Takes access away.
    Closes,
    /// Changes it.
    Changes,
    /// Lets somebody in.
    Opens,
}

/// What an act carries.
#[derive(Debug)]
pub enum What<'a> {
    /// A state to be brought about.
    State(AccountState),
    /// One entitlement.
    Entitlement(&'a Entitlement),
    /// Everything of one type that is to be held, in its order.
    Whole(Kind, Vec<Entitlement>),
    /// Attributes by name; `None` clears.
    Attributes(BTreeMap<&'a str, Option<&'a [Value]>>),
}

/// A change whose deltas are worked out.
#[derive(Debug)]
pub struct Worked<'a> {
    /// What each attribute is to hold; `None` clears.
    pub attrs: &'a BTreeMap<String, Option<Vec<Value>>>,
    /// What is given and taken.
    pub entitlements: &'a EntitlementChange,
    /// Everything that is to be held afterwards; `None` where no complete reading exists.
    pub whole: Option<&'a [Entitlement]>,
    /// The state to be brought about.
    pub state: Option<AccountState>,
}

/// The acts of a change, and what is clear before any of them.
#[derive(Debug)]
pub struct Ordered<'a, R> {
    /// In order.
    pub acts: Vec<Act<'a, R>>,
    /// Parts that the target has no request for.
    pub failed: Vec<PartFailure>,
    /// One of those would have closed access: then nothing is opened.
    pub held: bool,
}

/// The acts in order: a closing state, removals, attributes, additions, a state that opens. A list that is written whole goes
/// with the removals when it only loses something, else with the additions: what a new entry needs may be among the attributes.
///
/// # Errors
/// `Invalid` when the condition of a step cannot be evaluated.
pub fn order<'a, R>(moves: &'a Moves<R>, change: &Worked<'a>, vars: &Vars) -> Result<Ordered<'a, R>> {
    let mut made = Ordering { moves, acts: Vec::new(), failed: Vec::new(), held: false };
    let opens = change.state == Some(AccountState::Enabled);
    if let Some(state) = change.state.filter(|_| !opens) {
        made.state(state, Sense::Closes);
    }
    made.whole(change, true);
    let replaced = |gone: &Entitlement| {
        moves.entitlements.get(&gone.kind).is_some_and(|giving| giving.single)
            && change.entitlements.add.iter().any(|new| new.kind == gone.kind)
    };
    for gone in change.entitlements.remove.iter().filter(|gone| !replaced(gone)) {
        made.one(gone, Sense::Closes, |giving| giving.remove.as_ref());
    }
    made.attributes(change.attrs, vars)?;
    made.whole(change, false);
    for new in &change.entitlements.add {
        made.one(new, Sense::Changes, |giving| giving.add.as_ref());
    }
    if opens {
        made.state(AccountState::Enabled, Sense::Opens);
    }
    Ok(Ordered { acts: made.acts, failed: made.failed, held: made.held })
}

/// The name of an entitlement as a part.
#[must_use]
pub fn part_of(entitlement: &Entitlement) -> String {
    format!("{}:{}", entitlement.kind, entitlement.value)
}

/// What each attribute is to hold; `None`, and nothing at all, clears. Single values are added to and taken from what was just read.
#[must_use]
pub fn work_out(deltas: &BTreeMap<String, Delta>, current: Option<&Record>) -> BTreeMap<String, Option<Vec<Value>>> {
    let worked = |name: &String, delta: &Delta| match delta {
        Delta::Set(values) => Some(values.clone()),
        Delta::Clear => None,
        Delta::Patch { add, remove } => {
            let held = current.and_then(|record| record.attrs.get(name)).cloned().unwrap_or_default();
            let mut wanted: Vec<Value> = held.into_iter().filter(|value| !remove.contains(value)).collect();
            for value in add {
                if !wanted.contains(value) {
                    wanted.push(value.clone());
                }
            }
            Some(wanted)
        }
    };
    deltas.iter().map(|(name, delta)| (name.clone(), worked(name, delta))).collect()
}

/// What was read plus the change; `None` unless the reading was complete.
#[must_use]
pub fn whole_list(record: &Record, change: &EntitlementChange) -> Option<Vec<Entitlement>> {
    let held = record.entitlements.as_ref().filter(|_| !record.incomplete)?;
    let gone = |one: &Entitlement| change.remove.iter().chain(&change.add).any(|other| other.same_grant(one));
    Some(held.iter().filter(|one| !gone(one)).chain(&change.add).cloned().collect())
}

/// Attributes that the target made something else of than what was sent.
#[must_use]
pub fn side_effects(sent: &BTreeMap<String, Option<Vec<Value>>>, record: &Record) -> Attrs {
    let held = |name: &String| record.attrs.get(name).cloned().unwrap_or_default();
    sent.iter()
        .filter(|(name, values)| held(name) != values.as_deref().unwrap_or_default())
        .map(|(name, _)| (name.clone(), held(name)))
        .collect()
}

struct Ordering<'a, R> {
    moves: &'a Moves<R>,
    acts: Vec<Act<'a, R>>,
    failed: Vec<PartFailure>,
    held: bool,
}

impl<'a, R> Ordering<'a, R> {
    fn state(&mut self, state: AccountState, sense: Sense) {
        match self.moves.states.get(&state) {
            Some(requests) => self.acts.extend(requests.iter().map(|request| Act {
                parts: vec!["state".to_owned()],
                sense,
                request,
                what: What::State(state),
            })),
            None => self.cannot("state".to_owned(), sense, format!("no request brings a record to {state:?}")),
        }
    }

    fn one(&mut self, one: &'a Entitlement, sense: Sense, pick: impl Fn(&'a Giving<R>) -> Option<&'a R>) {
        let part = part_of(one);
        match self.moves.entitlements.get(&one.kind) {
            // Written by `whole`.
            Some(giving) if giving.replace.is_some() => {}
            Some(giving) => match pick(giving) {
                Some(request) => {
                    self.acts.push(Act { parts: vec![part], sense, request, what: What::Entitlement(one) });
                }
                None => self.cannot(part, sense, "no request for this change of this type of entitlement".to_owned()),
            },
            None => {
                let error = ConnError::invalid("the target has no such type of entitlement").attribute(part.clone());
                self.failed.push(PartFailure { part, error });
            }
        }
    }

    /// Lists that are written whole: each type that changes, with everything it is to hold. Those that only lose something
    /// go early.
    fn whole(&mut self, change: &Worked<'a>, early: bool) {
        for (kind, giving) in &self.moves.entitlements {
            let Some(request) = &giving.replace else { continue };
            let of_kind = |list: &'a [Entitlement]| list.iter().filter(|one| one.kind == *kind);
            let gone = of_kind(&change.entitlements.remove).count() > 0;
            let grows = of_kind(&change.entitlements.add).count() > 0;
            if early != (gone && !grows) {
                continue;
            }
            let sense = if gone { Sense::Closes } else { Sense::Changes };
            let parts: Vec<String> =
                of_kind(&change.entitlements.add).chain(of_kind(&change.entitlements.remove)).map(part_of).collect();
            if parts.is_empty() {
                continue;
            }
            match change.whole {
                Some(whole) => {
                    let wanted = in_order(of_kind(whole).cloned().collect(), &change.entitlements.add);
                    self.acts.push(Act { parts, sense, request, what: What::Whole(kind.clone(), wanted) });
                }
                None => {
                    let error = ConnError::unknown("the list is written whole and was not read completely")
                        .effect(connector_spi::Effect::None);
                    self.held |= gone;
                    self.failed.extend(parts.into_iter().map(|part| PartFailure { part, error: error.clone() }));
                }
            }
        }
    }

    fn attributes(&mut self, attrs: &'a BTreeMap<String, Option<Vec<Value>>>, vars: &Vars) -> Result<()> {
        let mut open = Vec::with_capacity(self.moves.steps.len());
        for step in &self.moves.steps {
            let runs = match &step.when {
                Some(condition) => crate::holds(condition, vars)?,
                None => true,
            };
            open.extend(runs.then_some(step));
        }
        let named = |name: &str| open.iter().any(|step| step.takes.iter().any(|taken| taken == name));
        let mut left: BTreeMap<&str, Option<&[Value]>> = BTreeMap::new();
        for (name, values) in attrs {
            match self.moves.updatable.get(name) {
                Some(true) => drop(left.insert(name, values.as_deref())),
                Some(false) => self.refuse(name, "cannot be changed"),
                None => self.refuse(name, "is not an attribute of this kind"),
            }
        }
        for step in &open {
            let takes =
                |name: &str| if step.takes.is_empty() { !named(name) } else { step.takes.iter().any(|t| t == name) };
            let (mine, rest): (BTreeMap<_, _>, BTreeMap<_, _>) = left.into_iter().partition(|(name, _)| takes(name));
            left = rest;
            if !mine.is_empty() {
                let clears = mine.values().all(|values| values.is_none_or(<[Value]>::is_empty));
                let request = step.clear.as_ref().filter(|_| clears).unwrap_or(&step.request);
                let parts = mine.keys().map(|name| (*name).to_owned()).collect();
                self.acts.push(Act { parts, sense: Sense::Changes, request, what: What::Attributes(mine) });
            }
        }
        for name in left.into_keys() {
            self.refuse(name, "is changed by no request");
        }
        Ok(())
    }

    fn refuse(&mut self, name: &str, why: &str) {
        let error = ConnError::invalid(format!("{name} {why}")).attribute(name);
        self.failed.push(PartFailure { part: name.to_owned(), error });
    }

    fn cannot(&mut self, part: String, sense: Sense, why: String) {
        self.held |= sense == Sense::Closes;
        self.failed.push(PartFailure { part, error: ConnError::unsupported(why) });
    }
}

#[cfg(test)]
mod tests;
