//! What follows from a call that did not succeed, or not in all its parts.

use super::{Outcome, Turn, idle};
use connector_spi::{ConnError, Effect, PartFailure};
use gateway_domain::link::{Delta, LinkState, MemberDelta, Parked, Seen, Sent};
use gateway_domain::{diff, retry};
use std::time::Duration;

/// How long a link waits that found no slot after all.
const OWN_LIMIT: Duration = Duration::from_millis(200);

/// The beginning of a part's name that is done after a change and outside of it: [`connector_spi::Change::again`].
const AFTER: &str = "after:";

/// The part's name that brings an account to its state.
const STATE: &str = "state";

impl Turn<'_> {
    /// The outcome of a failed call, by the class of its error alone.
    pub(super) fn failed(&self, error: ConnError) -> Outcome {
        let Turn { link, sent, .. } = self;
        let uncertain = error.effect != Effect::None;
        let kept = || self.kept(uncertain);
        let idle = idle(link);
        if connector_layers::is_refusal(&error) {
            // The gateway's own limits said no and the target was not asked: no attempt, and nothing new to remember.
            let detail = "not asked".to_owned();
            return Outcome { sent: kept(), attempt: link.attempt, again: Some(OWN_LIMIT), detail, ..idle };
        }
        let attempt = link.attempt + 1;
        let roll = roll(&sent.op_id, attempt);
        let detail = error.class.name().to_owned();
        match retry::after(&error, attempt, link.lane, roll) {
            retry::Next::Again(wait) => {
                Outcome { sent: kept(), attempt, again: Some(wait), detail, error: Some(error), ..idle }
            }
            // What was seen is kept, for it knows which entitlements are ours; that `sent` is kept makes the next call a read. A
            // taken key is looked at, but it is not ours for that.
            retry::Next::ReadFirst(wait) => {
                let reads = Sent { delta: Delta::Read, key: Default::default(), ..sent.clone() };
                let wait = if uncertain { wait.max(self.target.settles_after(&link.key.kind)) } else { wait };
                let sent = kept().unwrap_or(reads);
                Outcome { sent: Some(sent), attempt, again: Some(wait), detail, error: Some(error), ..idle }
            }
            retry::Next::WithTarget(wait) => {
                let attempt = link.attempt;
                Outcome { sent: kept(), attempt, again: Some(wait), detail, error: Some(error), ..idle }
            }
            retry::Next::Park(_) if self.carries_members() => self.narrowed(error, attempt),
            retry::Next::Park(parked) => {
                let state = LinkState::Parked(parked);
                Outcome { state, sent: kept(), attempt, detail, error: Some(error), ..idle }
            }
        }
    }

    /// What is remembered of this call and of earlier ones: nothing is sent again before what may have happened was read.
    fn kept(&self, uncertain: bool) -> Option<Sent> {
        let sent = self.sent.clone();
        if uncertain {
            return Some(Sent { made: sent.made || sent.delta == Delta::Create, ..sent });
        }
        // This call did nothing, so it leaves no trace; a read that failed is a read that is still to be done.
        let reads = sent.delta == Delta::Read;
        let remembers = reads || sent.made || sent.wrote || !sent.under.is_empty();
        remembers.then(|| Sent { delta: Delta::Read, key: Default::default(), ..sent })
    }

    /// Whether the call was about members and nothing else.
    fn carries_members(&self) -> bool {
        let carried = self.link.members.as_ref().is_some_and(|members| !members.is_empty());
        let attribute = self.wanted.members.as_ref().map(|members| members.attribute.as_str());
        carried
            && matches!(&self.sent.delta, Delta::Update(change)
                if change.attrs.len() == 1 && change.attrs.keys().next().map(String::as_str) == attribute)
    }

    /// The target refused members: fewer are carried the next time, until the one is found who is the reason. The others do not
    /// wait for it.
    fn narrowed(&self, error: ConnError, attempt: u32) -> Outcome {
        let carried = self.link.members.iter().flat_map(|members| members.add.iter().chain(&members.remove));
        let all: Vec<_> = carried.collect();
        let alone = match all.as_slice() {
            [one] => Some((*one).clone()),
            _ => None,
        };
        Outcome {
            attempt: if alone.is_some() { 0 } else { attempt },
            sent: self.kept(false),
            refused: alone,
            again: Some(Duration::ZERO),
            detail: error.class.name().to_owned(),
            error: Some(error),
            ..idle(self.link)
        }
    }

    /// Nothing is left to do but for members that the target refused: the group waits for somebody to look at them.
    pub(super) fn refused_members(&self) -> Option<Outcome> {
        let link = self.link;
        let refused = link.members.as_ref().filter(|members| members.is_empty())?.refused;
        let why = link.last_error.as_ref().map(|last| last.error.clone());
        let error = why.unwrap_or_else(|| ConnError::invalid(format!("the target refused {refused} of the members")));
        Some(Outcome {
            state: LinkState::Parked(Parked::Refused),
            error: Some(error),
            detail: format!("{refused} members refused"),
            ..idle(link)
        })
    }

    /// The members that a change carried, when the target took them.
    pub(super) fn carried(&self, failures: &[PartFailure]) -> Option<MemberDelta> {
        let attribute = &self.wanted.members.as_ref()?.attribute;
        if !matches!(&self.sent.delta, Delta::Update(change) if change.attrs.contains_key(attribute)) {
            return None;
        }
        let carried = |failure: &PartFailure| !failure.part.eq_ignore_ascii_case(attribute);
        self.link.members.clone().filter(|_| failures.iter().all(carried))
    }

    /// The outcome of a call that succeeded but for some parts. A part that failed is not yet as wanted: it stays due.
    pub(super) fn parts(&self, linked: Outcome, mut seen: Seen, failures: Vec<PartFailure>, what: &str) -> Outcome {
        let Turn { link, wanted, sent, .. } = self;
        let Some(first) = failures.first() else {
            let applied = diff::converged(wanted, linked.native_id.as_ref(), Some(&seen)) || wanted.closing.is_some();
            let again = (!applied).then_some(Duration::ZERO);
            return Outcome { seen: Some(seen), applied, again, detail: what.to_owned(), ..linked };
        };
        for failure in &failures {
            if failure.part.starts_with(AFTER) {
                seen.again = true;
                continue;
            }
            if failure.part == STATE {
                seen.state = link.seen.as_ref().and_then(|seen| seen.state);
                continue;
            }
            let before = link.seen.as_ref().and_then(|seen| seen.attrs.get(&failure.part));
            match before {
                Some(values) => seen.attrs.insert(failure.part.clone(), values.clone()),
                None => seen.attrs.remove(&failure.part),
            };
            let failed = |one: &connector_spi::Entitlement| format!("{}:{}", one.kind, one.value) == failure.part;
            let held_before = link.seen.as_ref().and_then(|seen| seen.entitlements.clone()).unwrap_or_default();
            if let Some(held) = &mut seen.entitlements {
                held.retain(|one| !failed(one));
                held.extend(held_before.into_iter().filter(failed));
            }
            seen.owned.retain(|one| !failed(one) || sent.gave.iter().all(|given| !given.same_grant(one)));
        }
        let outcome = self.failed(first.error.clone());
        let sent = outcome.sent.filter(|_| first.error.effect != Effect::None);
        let state = if outcome.state == LinkState::Unlinked { linked.state } else { outcome.state };
        let detail = format!("{what} in part");
        Outcome { native_id: linked.native_id, seen: Some(seen), sent, state, detail, ..outcome }
    }
}

/// A number from 0 up to 1 that is spread evenly over links and attempts: the jitter.
fn roll(op_id: &str, attempt: u32) -> f64 {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, format!("{op_id}/{attempt}").as_bytes());
    let mut bits: u32 = 0;
    for octet in digest.as_ref().iter().take(4) {
        bits = (bits << 8) | u32::from(*octet);
    }
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}
