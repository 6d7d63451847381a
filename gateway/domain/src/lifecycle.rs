//! From a resolution to the rows of links.

use crate::ResourceId;
use crate::link::{Lane, LastError, Link, LinkKey, LinkState, LinkWrite, Parked, Wanted};
use crate::resolve::{Decided, Decision};
use connector_spi::{ConnError, Value};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Why links are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A source asked, and waits. A link that the target refused is tried again, even for the same wanted state.
    Request,
    /// Nobody waits: the policy, a group or the date changed.
    Sweep,
}

/// The link rows to write so that each is as decided. A link that is already so is left alone.
#[must_use]
pub fn steps(
    resource: &ResourceId,
    decided: Vec<Decided>,
    links: &[Link],
    cause: Cause,
    now: Timestamp,
) -> Vec<LinkWrite> {
    decided
        .into_iter()
        .filter_map(|Decided { target, kind, decision }| {
            let key = LinkKey { resource: resource.clone(), target, kind, purpose: String::new() };
            let link = links.iter().find(|link| link.key == key);
            step(key, decision, link, cause, now)
        })
        .collect()
}

fn step(key: LinkKey, decision: Decision, link: Option<&Link>, cause: Cause, now: Timestamp) -> Option<LinkWrite> {
    match (decision, link) {
        // Who never had an account needs no closing.
        (Decision::Close(_), None) => None,
        (Decision::Want(wanted) | Decision::Close(wanted), link) => bring(key, wanted, link, cause, now),
        (Decision::Hold(error), link) => hold(key, error, link, now),
    }
}

fn bring(key: LinkKey, wanted: Wanted, link: Option<&Link>, cause: Cause, now: Timestamp) -> Option<LinkWrite> {
    let lane = match (wanted.closing, cause) {
        (Some(_), _) => Lane::Leaver,
        (None, Cause::Request) => Lane::Interactive,
        (None, Cause::Sweep) => Lane::Bulk,
    };
    let expect_generation = link.map_or(0, |link| link.generation);
    let order_key = order_key(&wanted.key);
    let same = link.is_some_and(|link| link.wanted.as_ref() == Some(&wanted));
    if same {
        let stuck = matches!(link.map(|link| &link.state), Some(LinkState::Parked(_)));
        if !(stuck && cause == Cause::Request) {
            return None;
        }
    }
    Some(LinkWrite {
        key,
        expect_generation,
        wanted: (!same).then_some(wanted),
        state: link.map_or(Some(LinkState::Unlinked), reopened),
        lane,
        due_at: Some(now),
        error: None,
        order_key,
    })
}

/// The state of a link that is worked again. A dispute stays until an operator settles it; a target that left stays left.
fn reopened(link: &Link) -> Option<LinkState> {
    let standing = || if link.native_id.is_some() { LinkState::Linked } else { LinkState::Unlinked };
    match link.state {
        LinkState::Parked(_) | LinkState::Tombstone => Some(standing()),
        LinkState::Unlinked | LinkState::Linked | LinkState::Disputed | LinkState::Detached => None,
    }
}

/// Nothing half-made is sent: the link keeps what it wanted and shows why it waits.
fn hold(key: LinkKey, error: ConnError, link: Option<&Link>, now: Timestamp) -> Option<LinkWrite> {
    let already = link.is_some_and(|link| {
        link.state == LinkState::Parked(Parked::Mapping)
            && link.last_error.as_ref().is_some_and(|last| last.error == error)
    });
    (!already).then(|| LinkWrite {
        key,
        expect_generation: link.map_or(0, |link| link.generation),
        wanted: None,
        state: Some(LinkState::Parked(Parked::Mapping)),
        lane: link.map_or(Lane::Interactive, |link| link.lane),
        due_at: None,
        error: Some(LastError { error, at: now }),
        order_key: link.and_then(|link| link.wanted.as_ref()).map(|wanted| order_key(&wanted.key)).unwrap_or_default(),
    })
}

/// The rows of a deleted resource's links: each is closed and stays as a tombstone with its native id, so that the account is
/// never taken for somebody else's.
#[must_use]
pub fn tombstones(links: &[Link], close: impl Fn(&Link) -> Option<Wanted>, now: Timestamp) -> Vec<LinkWrite> {
    links
        .iter()
        .filter(|link| link.state != LinkState::Tombstone)
        .map(|link| {
            let wanted = close(link).filter(|wanted| link.wanted.as_ref() != Some(wanted));
            let key = wanted.as_ref().or(link.wanted.as_ref()).map(|wanted| order_key(&wanted.key)).unwrap_or_default();
            LinkWrite {
                key: link.key.clone(),
                expect_generation: link.generation,
                due_at: (wanted.is_some() || link.pending()).then_some(now),
                wanted,
                state: Some(if link.state == LinkState::Detached { LinkState::Detached } else { LinkState::Tombstone }),
                lane: Lane::Leaver,
                error: None,
                order_key: key,
            }
        })
        .collect()
}

/// The text by which work on one natural key is serialised. Targets compare names without case, so case is folded.
#[must_use]
pub fn order_key(key: &BTreeMap<String, Value>) -> String {
    let mut text = String::new();
    for (name, value) in key {
        text.push_str(name);
        text.push('=');
        text.push_str(&value.to_string().to_lowercase());
        text.push('\u{1f}');
    }
    text
}
