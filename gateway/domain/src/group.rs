//! Groups as objects in a target: which target holds a group, and how it looks there.
//!
//! What is decided here is the object alone. Its members are the accounts of its users in the same target, and those are
//! followed where both sides meet, in the store: a group's decision would else have to be made anew for every account that is
//! linked, and an account's for every group.

use crate::link::{Closing, Link, Members, Strip, Wanted};
use crate::mapping::{self, AccountMapping, Unmapped};
use crate::policy::Policy;
use crate::resolve::{Assertion, Decided, Decision};
use crate::{ResourceId, TargetId};
use connector_expr::Vars;
use connector_spi::{AccountState, Attrs, ConnError, Kind};
use jiff::Timestamp;
use scim::Object;
use std::collections::BTreeMap;

/// `[target.group]`, compiled.
#[derive(Debug)]
pub struct GroupMapping {
    /// The object; its expressions are over `group`.
    pub object: AccountMapping,
    /// How it holds its members.
    pub members: Members,
}

impl GroupMapping {
    /// The group as it should be.
    ///
    /// # Errors
    /// When an expression fails or the natural key is empty: then nothing at all is sent.
    pub fn open(&self, vars: &Vars, now: Timestamp) -> Result<Wanted, Unmapped> {
        // Nobody logs in to a group: it has no state of its own.
        let wanted = self.object.open(vars, now, AccountState::Unknown)?;
        Ok(Wanted { members: Some(self.members.clone()), ..wanted })
    }

    /// How the group is closed. Uses no expression, so that nothing can hold a closing up.
    #[must_use]
    pub fn close(&self, before: Option<&Wanted>) -> Wanted {
        Wanted { members: Some(self.members.clone()), ..self.object.close(before) }
    }
}

/// The group to decide about.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The resource's id.
    pub id: &'a ResourceId,
    /// What each source said.
    pub assertions: &'a [Assertion],
    /// The resolved attributes.
    pub attrs: &'a Object,
    /// Its present links.
    pub links: &'a [Link],
}

/// Decides which targets should hold the group, and with which attributes. A group in a target that manages groups no longer
/// is left there as it is, and nothing more is sent: its members may be entitlements from now on.
#[must_use]
pub fn resolve(subject: Subject<'_>, policy: &Policy, now: Timestamp) -> Vec<Decided> {
    let external_id = subject.assertions.iter().find_map(|assertion| assertion.external_id.as_deref());
    let vars = mapping::group_variables(subject.id, subject.attrs, external_id);
    let mut decided: Vec<Decided> = Vec::new();
    for target in &policy.targets {
        let Some(group) = &target.group else { continue };
        let kind = &group.object.kind;
        let before = link(subject.links, &target.id, kind).and_then(|link| link.wanted.as_ref());
        let decision = decide(group, &vars, before, now);
        decided.push(Decided { target: target.id.clone(), kind: kind.clone(), decision });
    }
    for link in subject.links {
        let known = |one: &Decided| one.target == link.key.target && one.kind == link.key.kind;
        if let Some(wanted) = link.wanted.as_ref().filter(|wanted| wanted.members.is_some())
            && !decided.iter().any(known)
        {
            let decision = Decision::Close(left(wanted));
            decided.push(Decided { target: link.key.target.clone(), kind: link.key.kind.clone(), decision });
        }
    }
    decided
}

fn decide(group: &GroupMapping, vars: &Vars, before: Option<&Wanted>, now: Timestamp) -> Decision {
    let failed = |what: &str, why: &str| Decision::Hold(ConnError::invalid(format!("{what}: {why}")).attribute(what));
    match group.object.when.as_ref().map(|when| when.eval_bool(vars, now)) {
        Some(Ok(false)) => Decision::Close(group.close(before)),
        Some(Err(error)) => failed("when", &error.to_string()),
        Some(Ok(true)) | None => match group.open(vars, now) {
            Ok(wanted) => Decision::Want(wanted),
            Err(unmapped) => failed(&unmapped.attribute, &unmapped.message),
        },
    }
}

fn link<'a>(links: &'a [Link], target: &TargetId, kind: &Kind) -> Option<&'a Link> {
    links.iter().find(|link| link.key.target == *target && link.key.kind == *kind)
}

/// A group that is left in its target as it is.
#[must_use]
pub fn left(before: &Wanted) -> Wanted {
    Wanted {
        state: AccountState::Unknown,
        attrs: Attrs::new(),
        initial: Attrs::new(),
        key: before.key.clone(),
        strong: before.strong.clone(),
        entitlements: Vec::new(),
        closing: Some(Closing { strip: Strip::None, sessions: false, delete: false, keep: true }),
        after: Vec::new(),
        references: BTreeMap::new(),
        members: before.members.clone(),
    }
}
