//! The requests of one change, in the order that the contract asks for (connector contract, section 4, rule 9). Pure.

use crate::{
    plan::{KindPlan, Step},
    template::{Request, holds},
};
use connector_expr::Vars;
use connector_spi::{AccountState, ConnError, Entitlement, EntitlementChange, Kind, PartFailure, Result, Value};
use std::collections::BTreeMap;

/// One request of a change, and the parts of the change that it carries out.
pub(crate) struct Act<'a> {
    pub(crate) parts: Vec<String>,
    pub(crate) sense: Sense,
    pub(crate) request: &'a Request,
    pub(crate) what: What<'a>,
}

/// Whether an act takes access away, gives it, or neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sense {
    Closes,
    Changes,
    Opens,
}

/// What an act carries.
#[derive(Debug)]
pub(crate) enum What<'a> {
    State(AccountState),
    Entitlement(&'a Entitlement),
    Whole(Vec<Entitlement>),
    /// By name; `None` clears.
    Attributes(BTreeMap<&'a str, Option<&'a [Value]>>),
}

/// A change whose deltas are worked out: what each attribute is to hold, and the whole list where a target replaces it.
pub(crate) struct Worked<'a> {
    pub(crate) attrs: &'a BTreeMap<String, Option<Vec<Value>>>,
    pub(crate) entitlements: &'a EntitlementChange,
    pub(crate) whole: Option<&'a [Entitlement]>,
    pub(crate) state: Option<AccountState>,
}

/// The acts of a change, and what is clear before any of them.
pub(crate) struct Ordered<'a> {
    pub(crate) acts: Vec<Act<'a>>,
    /// Parts that the target has no request for.
    pub(crate) failed: Vec<PartFailure>,
    /// One of those would have closed access: then nothing is opened.
    pub(crate) held: bool,
}

/// The acts in order: a closing state, removals, attributes, additions, a state that opens. Parts that the target has no
/// request for come back as failures.
///
/// # Errors
/// `Invalid` when the condition of a step cannot be evaluated.
pub(crate) fn of<'a>(plan: &'a KindPlan, change: &Worked<'a>, vars: &Vars) -> Result<Ordered<'a>> {
    let mut made = Ordering { plan, acts: Vec::new(), failed: Vec::new(), held: false };
    let opens = change.state == Some(AccountState::Enabled);
    if let Some(state) = change.state.filter(|_| !opens) {
        made.state(state, Sense::Closes);
    }
    made.replaced(change);
    let replaced_by = |gone: &Entitlement| {
        made_single(plan, &gone.kind) && change.entitlements.add.iter().any(|new| new.kind == gone.kind)
    };
    for gone in change.entitlements.remove.iter().filter(|gone| !replaced_by(gone)) {
        made.one(gone, Sense::Closes, |entitlement| entitlement.remove.as_ref());
    }
    made.attributes(change.attrs, vars)?;
    for new in &change.entitlements.add {
        made.one(new, Sense::Changes, |entitlement| entitlement.add.as_ref());
    }
    if opens {
        made.state(AccountState::Enabled, Sense::Opens);
    }
    Ok(Ordered { acts: made.acts, failed: made.failed, held: made.held })
}

/// The name of an entitlement as a part.
pub(crate) fn part_of(entitlement: &Entitlement) -> String {
    format!("{}:{}", entitlement.kind, entitlement.value)
}

fn made_single(plan: &KindPlan, kind: &Kind) -> bool {
    plan.entitlements.get(kind).is_some_and(|entitlement| entitlement.config.single)
}

struct Ordering<'a> {
    plan: &'a KindPlan,
    acts: Vec<Act<'a>>,
    failed: Vec<PartFailure>,
    held: bool,
}

impl<'a> Ordering<'a> {
    fn state(&mut self, state: AccountState, sense: Sense) {
        match self.plan.states.get(&state) {
            Some(request) => {
                self.acts.push(Act { parts: vec!["state".to_owned()], sense, request, what: What::State(state) });
            }
            None => self.cannot("state".to_owned(), sense, format!("no request brings an account to {state:?}")),
        }
    }

    fn one(
        &mut self,
        entitlement: &'a Entitlement,
        sense: Sense,
        pick: impl Fn(&'a crate::plan::EntitlementPlan) -> Option<&'a Request>,
    ) {
        let part = part_of(entitlement);
        match self.plan.entitlements.get(&entitlement.kind) {
            // Written as a whole by `replaced`.
            Some(plan) if plan.replace.is_some() => {}
            Some(plan) => match pick(plan) {
                Some(request) => {
                    self.acts.push(Act { parts: vec![part], sense, request, what: What::Entitlement(entitlement) });
                }
                None => self.cannot(part, sense, "no request for this change of this type of entitlement".to_owned()),
            },
            None => {
                let error = ConnError::invalid("the target has no such type of entitlement").attribute(part.clone());
                self.failed.push(PartFailure { part, error });
            }
        }
    }

    /// Lists that are written as a whole: each type that changes, with everything it is to hold.
    fn replaced(&mut self, change: &Worked<'a>) {
        for (kind, entitlement) in &self.plan.entitlements {
            let Some(request) = &entitlement.replace else { continue };
            let of_kind = |list: &'a [Entitlement]| list.iter().filter(|one| one.kind == *kind);
            let parts: Vec<String> =
                of_kind(&change.entitlements.add).chain(of_kind(&change.entitlements.remove)).map(part_of).collect();
            if parts.is_empty() {
                continue;
            }
            match change.whole {
                Some(whole) => {
                    let sense = if change.entitlements.remove.is_empty() { Sense::Changes } else { Sense::Closes };
                    let what = What::Whole(of_kind(whole).cloned().collect());
                    self.acts.push(Act { parts, sense, request, what });
                }
                None => {
                    let error = ConnError::unknown("the list is written whole and was not read completely")
                        .effect(connector_spi::Effect::None);
                    self.failed.extend(parts.into_iter().map(|part| PartFailure { part, error: error.clone() }));
                }
            }
        }
    }

    fn attributes(&mut self, attrs: &'a BTreeMap<String, Option<Vec<Value>>>, vars: &Vars) -> Result<()> {
        let mut open = Vec::with_capacity(self.plan.update.len());
        for step in &self.plan.update {
            let runs = match &step.when {
                Some(condition) => holds(condition, vars)?,
                None => true,
            };
            open.extend(runs.then_some(step));
        }
        let named = |name: &str| open.iter().any(|step| step.takes.iter().any(|taken| taken == name));
        let mut left: BTreeMap<&str, Option<&[Value]>> = BTreeMap::new();
        for (name, values) in attrs {
            match self.plan.config.attributes.get(name) {
                Some(attribute) if attribute.updatable => {
                    left.insert(name, values.as_deref());
                }
                Some(_) => self.refuse(name, "cannot be changed"),
                None => self.refuse(name, "is not an attribute of this kind"),
            }
        }
        for step in &open {
            let takes =
                |name: &str| if step.takes.is_empty() { !named(name) } else { step.takes.iter().any(|t| t == name) };
            let (mine, rest): (BTreeMap<_, _>, BTreeMap<_, _>) = left.into_iter().partition(|(name, _)| takes(name));
            left = rest;
            if !mine.is_empty() {
                self.acts.push(Self::step(step, mine));
            }
        }
        for name in left.into_keys() {
            self.refuse(name, "is changed by no request");
        }
        Ok(())
    }

    fn step(step: &'a Step, mine: BTreeMap<&'a str, Option<&'a [Value]>>) -> Act<'a> {
        let clears = mine.values().all(|values| values.is_none_or(<[Value]>::is_empty));
        let request = step.clear.as_ref().filter(|_| clears).unwrap_or(&step.request);
        let parts = mine.keys().map(|name| (*name).to_owned()).collect();
        Act { parts, sense: Sense::Changes, request, what: What::Attributes(mine) }
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
