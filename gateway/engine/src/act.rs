//! One claimed link: one call, and what follows from its outcome.
//!
//! What is about to be sent was recorded with the claim. Whatever comes back is turned into one [`Settle`]; the rules are
//! `gateway_domain::{diff, retry}`, here they are only put in order: the calls themselves here, finding an object again in `seek`,
//! the proof of a closing in `proof`, what the target works on in `ticket`, what did not succeed in `failure`.

mod failure;
mod proof;
mod seek;
mod ticket;

use crate::targets::Target;
use connector_spi::{ConnError, Created, Ctx, NativeId, Updated};
use gateway_domain::audit::{Action, AuditEntry};
use gateway_domain::diff;
use gateway_domain::link::{
    Delta, Lane, LastError, Link, LinkKey, LinkState, MemberDelta, MemberRef, Seen, Sent, Wanted,
};
use gateway_store::{Settle, Store};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// The outcome of one call, before it is written down.
struct Outcome {
    state: LinkState,
    native_id: Option<NativeId>,
    seen: Option<Seen>,
    sent: Option<Sent>,
    attempt: u32,
    error: Option<ConnError>,
    /// `None`: as wanted, nothing more to do.
    again: Option<Duration>,
    applied: bool,
    /// Members that were put in and taken out.
    members: Option<MemberDelta>,
    /// The one member that the target refused.
    refused: Option<MemberRef>,
    /// The link of a person who is gone, whose object is this link's from now on.
    heir_of: Option<LinkKey>,
    detail: String,
}

/// One link on its way through one call.
struct Turn<'a> {
    target: &'a Target,
    store: &'a dyn Store,
    link: &'a Link,
    wanted: &'a Wanted,
    sent: Sent,
    /// The record that the target names as the outcome of what it took on.
    told: Option<NativeId>,
    cx: Ctx,
    now: &'a (dyn Fn() -> Timestamp + Send + Sync),
}

/// Carries a claimed link out.
pub(crate) async fn carry_out(
    target: &Target,
    store: &dyn Store,
    link: Link,
    now: impl Fn() -> Timestamp + Send + Sync,
) -> Settle {
    let outcome = match (&link.wanted, link.sent.clone()) {
        (Some(wanted), Some(sent)) => {
            let cx = target.ctx(&sent.op_id, link.attempt + 1, link.lane);
            let mut turn = Turn { target, store, link: &link, wanted, sent, told: None, cx, now: &now };
            match turn.ask_ticket().await {
                Some(refusal) => turn.failed(refusal),
                None => turn.call().await,
            }
        }
        (None, _) | (_, None) => Outcome { applied: true, ..idle(&link) },
    };
    settle(target, link, outcome, now())
}

impl Turn<'_> {
    async fn call(&self) -> Outcome {
        let Turn { link, wanted, cx, .. } = self;
        let connector = self.target.connector();
        let kind = &link.key.kind;
        match (&self.sent.delta, &link.native_id) {
            (Delta::Create, _) => {
                let attrs = with_initial(wanted);
                let entitlements: Vec<_> = wanted.entitlements.iter().map(|one| one.entitlement.clone()).collect();
                match connector.create(cx, kind, &attrs, wanted.state, &entitlements).await {
                    Ok(created) => self.created(created).await,
                    Err(error) => self.failed(error),
                }
            }
            (Delta::Update(change), Some(id)) => match connector.update(cx, kind, id, change).await {
                Ok(updated) => self.updated(change, id, updated).await,
                Err(error) => self.failed(error),
            },
            (Delta::Delete, Some(id)) => match connector.delete(cx, kind, id).await {
                Ok(()) => {
                    Outcome { native_id: None, seen: None, applied: true, detail: "deleted".to_owned(), ..idle(link) }
                }
                Err(error) => self.failed(error),
            },
            (Delta::Verify, Some(_)) => {
                if let Some(outcome) = self.refused_members() {
                    return outcome;
                }
                self.prove(Outcome { applied: true, state: LinkState::Linked, ..idle(link) }).await
            }
            (Delta::Read, Some(id)) => match connector.get(cx, kind, id).await {
                Ok(Some(record)) => self.read(record),
                Ok(None) => self.gone().await,
                Err(error) => self.failed(error),
            },
            (Delta::Read, None) => self.look().await,
            (Delta::Update(_) | Delta::Delete | Delta::Verify, None) => Outcome { applied: true, ..idle(link) },
        }
    }

    async fn created(&self, created: Created) -> Outcome {
        if let Some(pending) = created.pending {
            let native_id = Some(created.id).filter(|id| !id.as_str().is_empty());
            return self.taken_on(native_id, None, &pending);
        }
        if created.adopted {
            return self.recognised(created).await;
        }
        let mut seen = diff::seen_created(self.wanted);
        seen.version = created.record.and_then(|record| record.version);
        seen.warnings = created.warnings;
        let linked = Outcome { native_id: Some(created.id), state: LinkState::Linked, ..idle(self.link) };
        self.parts(linked, seen, created.failed, "created")
    }

    async fn updated(&self, change: &connector_spi::Change, id: &NativeId, updated: Updated) -> Outcome {
        let native_id = updated.new_id.unwrap_or_else(|| id.clone());
        if let Some(pending) = updated.pending {
            return self.taken_on(Some(native_id), self.link.seen.clone(), &pending);
        }
        let before = self.link.seen.clone().unwrap_or_default();
        let mut seen = diff::seen_after(self.wanted, &before, change);
        let members = self.carried(&updated.failed);
        seen.warnings = updated.warnings;
        for (name, values) in updated.side_effects {
            seen.attrs.insert(name, values);
        }
        let linked = Outcome { native_id: Some(native_id), state: LinkState::Linked, ..idle(self.link) };
        let done = self.prove(self.parts(linked, seen, updated.failed, "changed")).await;
        let done = Outcome { members, ..done };
        if self.link.members.as_ref().is_none_or(|members| members.refused == 0) {
            return done;
        }
        // Why members were refused is remembered until the others are done: then somebody has to look at it.
        let before = self.link.last_error.as_ref().map(|last| last.error.clone());
        Outcome { error: done.error.or(before), again: done.again.or(Some(Duration::ZERO)), ..done }
    }
}

/// Nothing changed.
fn idle(link: &Link) -> Outcome {
    Outcome {
        state: link.state.clone(),
        native_id: link.native_id.clone(),
        seen: link.seen.clone(),
        sent: None,
        attempt: 0,
        error: None,
        again: None,
        applied: false,
        members: None,
        refused: None,
        heir_of: None,
        detail: String::new(),
    }
}

fn with_initial(wanted: &Wanted) -> connector_spi::Attrs {
    let mut attrs = wanted.attrs.clone();
    attrs.extend(wanted.initial.clone());
    attrs.retain(|_, values| !values.is_empty());
    attrs
}

fn settle(target: &Target, link: Link, outcome: Outcome, now: Timestamp) -> Settle {
    // A deleted resource's link stays a tombstone whatever becomes of its object.
    let state = match (&link.state, outcome.state) {
        (LinkState::Tombstone, LinkState::Parked(_) | LinkState::Disputed) if link.lane != Lane::Leaver => {
            link.state.clone()
        }
        (LinkState::Tombstone, _) => LinkState::Tombstone,
        (_, LinkState::Linked | LinkState::Unlinked) if outcome.native_id.is_none() => LinkState::Unlinked,
        (_, state) => state,
    };
    let due_at = outcome.again.and_then(|wait| now.checked_add(SignedDuration::try_from(wait).ok()?).ok());
    let seen = outcome.seen.map(|seen| Seen { at: Some(now), ..seen });
    let name = target.name();
    Settle {
        link: link.id,
        fence: link.fence,
        generation: link.generation,
        state,
        applied: outcome.applied,
        native_id: outcome.native_id,
        seen,
        sent: outcome.sent,
        due_at,
        attempt: outcome.attempt,
        error: outcome.error.map(|error| LastError { error, at: now }),
        members: outcome.members,
        refused: outcome.refused,
        heir_of: outcome.heir_of,
        now,
        audit: AuditEntry {
            at: now,
            actor: format!("target:{name}"),
            action: Action::Settle,
            resource: Some(link.key.resource.clone()),
            subject: format!("{name}/{}", link.key.kind),
            version: link.generation,
            detail: outcome.detail,
        },
    }
}
