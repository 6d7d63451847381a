//! One claimed link: one call, and what follows from its outcome.
//!
//! What is about to be sent was recorded with the claim. Whatever comes back is turned into one [`Settle`]; the rules are
//! `gateway_domain::{diff, retry}`, here they are only put in order.

use crate::targets::Target;
use connector_spi::{AccountState, Class, ConnError, Ctx, NativeId, Record, Value};
use gateway_domain::audit::{Action, AuditEntry};
use gateway_domain::link::{Delta, Lane, LastError, Link, LinkKey, LinkState, MemberDelta, Parked, Seen, Sent, Wanted};
use gateway_domain::{diff, retry};
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
    detail: String,
}

/// Carries a claimed link out.
pub(crate) async fn carry_out(target: &Target, store: &dyn Store, link: Link, now: impl Fn() -> Timestamp) -> Settle {
    let wanted = link.wanted.clone();
    let outcome = match (&wanted, link.sent.clone()) {
        (Some(wanted), Some(sent)) => call(target, store, &link, wanted, sent).await,
        (None, _) | (_, None) => Outcome { applied: true, ..idle(&link) },
    };
    settle(target, link, outcome, now())
}

async fn call(target: &Target, store: &dyn Store, link: &Link, wanted: &Wanted, sent: Sent) -> Outcome {
    let cx = target.ctx(&sent.op_id, link.attempt + 1, link.lane);
    let connector = target.connector();
    let kind = &link.key.kind;
    match (&sent.delta, &link.native_id) {
        (Delta::Create, _) => {
            let attrs = with_initial(wanted);
            let entitlements: Vec<_> = wanted.entitlements.iter().map(|one| one.entitlement.clone()).collect();
            match connector.create(&cx, kind, &attrs, wanted.state, &entitlements).await {
                Ok(created) => {
                    let mut seen = diff::seen_created(wanted);
                    seen.version = created.record.and_then(|record| record.version);
                    seen.warnings = created.warnings;
                    let linked = Outcome { native_id: Some(created.id), state: LinkState::Linked, ..idle(link) };
                    parts(link, linked, seen, created.failed, wanted, &sent, "created")
                }
                Err(error) => failed(link, sent, error),
            }
        }
        (Delta::Update(change), Some(id)) => match connector.update(&cx, kind, id, change).await {
            Ok(updated) => {
                let mut seen = diff::seen_after(wanted, link.seen.as_ref().unwrap_or(&Seen::default()), change);
                let members = carried(link, wanted, &updated.failed);
                seen.warnings = updated.warnings;
                for (name, values) in updated.side_effects {
                    seen.attrs.insert(name, values);
                }
                let native_id = updated.new_id.unwrap_or_else(|| id.clone());
                let linked = Outcome { native_id: Some(native_id), state: LinkState::Linked, ..idle(link) };
                let done = parts(link, linked, seen, updated.failed, wanted, &sent, "changed");
                Outcome { members, ..prove(target, &cx, link, wanted, &sent, done).await }
            }
            Err(error) => failed(link, sent, error),
        },
        (Delta::Delete, Some(id)) => match connector.delete(&cx, kind, id).await {
            Ok(()) => {
                Outcome { native_id: None, seen: None, applied: true, detail: "deleted".to_owned(), ..idle(link) }
            }
            Err(error) => failed(link, sent, error),
        },
        (Delta::Verify, Some(_)) => {
            let done = Outcome { applied: true, state: LinkState::Linked, ..idle(link) };
            prove(target, &cx, link, wanted, &sent, done).await
        }
        (Delta::Read, Some(id)) => match connector.get(&cx, kind, id).await {
            Ok(Some(record)) => read(link, wanted, &sent, record),
            // The object is gone from the target: a closing has nothing left to do, anybody else's is made again.
            Ok(None) => Outcome {
                native_id: None,
                seen: None,
                applied: wanted.closing.is_some(),
                again: wanted.closing.is_none().then_some(Duration::ZERO),
                detail: "found gone".to_owned(),
                ..idle(link)
            },
            Err(error) => failed(link, sent, error),
        },
        (Delta::Read, None) => look(target, store, &cx, link, wanted, sent).await,
        (Delta::Update(_) | Delta::Delete | Delta::Verify, None) => Outcome { applied: true, ..idle(link) },
    }
}

/// Looks for the object by natural key: after a create whose outcome is not known, or one that found the key taken.
async fn look(target: &Target, store: &dyn Store, cx: &Ctx, link: &Link, wanted: &Wanted, sent: Sent) -> Outcome {
    let kind = &link.key.kind;
    if wanted.key.is_empty() {
        return Outcome { applied: wanted.closing.is_some(), ..idle(link) };
    }
    let mut found = match target.connector().find(cx, kind, &wanted.key).await {
        Ok(found) => found,
        Err(error) => return failed(link, sent, error),
    };
    let (Some(record), true) = (found.pop(), found.is_empty()) else {
        return if found.is_empty() {
            nothing_found(link, wanted, sent)
        } else {
            disputed(link, "more than one object has the natural key")
        };
    };
    let holder = match store.holder(&link.key.target, kind.as_str(), record.id.as_str()).await {
        Ok(holder) => holder.filter(|holder| *holder != link.key),
        Err(error) => return failed(link, sent, ConnError::transient(error.to_string())),
    };
    adopt(target, store, link, wanted, &sent, record, holder).await
}

fn nothing_found(link: &Link, wanted: &Wanted, sent: Sent) -> Outcome {
    match wanted.closing {
        // A create of ours may still be on its way through the target: look once more after its deadline.
        Some(_) if sent.made && link.attempt == 0 => Outcome {
            sent: Some(sent),
            attempt: 1,
            again: Some(LATE_WRITE),
            detail: "looked for, not there yet".to_owned(),
            ..idle(link)
        },
        Some(_) => Outcome { applied: true, detail: "nothing to close".to_owned(), ..idle(link) },
        // Looking alone is no progress: a create that is refused because another object has the name (which is not what was
        // looked for) would otherwise go round for ever.
        None => Outcome {
            attempt: link.attempt,
            again: Some(Duration::ZERO),
            detail: "looked for, not there".to_owned(),
            ..idle(link)
        },
    }
}

/// How long after a call whose outcome is not known its effect may still appear in the target.
const LATE_WRITE: Duration = Duration::from_secs(30);

/// How long a link waits that found no slot after all.
const OWN_LIMIT: Duration = Duration::from_millis(200);

/// Decides whether a found object is this person's: ours by an unsettled call, or by agreeing strong identifiers. A name alone
/// is never enough, for names are given to other people.
async fn adopt(
    target: &Target,
    store: &dyn Store,
    link: &Link,
    wanted: &Wanted,
    sent: &Sent,
    record: Record,
    holder: Option<LinkKey>,
) -> Outcome {
    let agreement = strong(wanted, &record);
    if agreement == Some(false) {
        return disputed(
            link,
            "the object found under the natural key belongs to somebody else by its strong identifiers",
        );
    }
    if let Some(holder) = holder {
        let tombstone = match store.link(&holder).await {
            Ok(held) => held.is_none_or(|held| held.state == LinkState::Tombstone),
            Err(error) => return failed(link, sent.clone(), ConnError::transient(error.to_string())),
        };
        if !tombstone {
            return disputed(link, "the object found under the natural key is linked to another resource");
        }
        if agreement != Some(true) {
            return disputed(
                link,
                "the object found under the natural key was a leaver's; a name alone does not revive it",
            );
        }
        return taken(link, wanted, &[], record, "revived");
    }
    if sent.made {
        // Our own create went through and its answer was lost.
        return taken(link, wanted, &sent.gave, record, "recognised as made");
    }
    if wanted.closing.is_some() {
        return Outcome { applied: true, detail: "nothing of ours to close".to_owned(), ..idle(link) };
    }
    if agreement != Some(true) {
        return disputed(link, "an object has the natural key already, and nothing proves whose it is");
    }
    // A group holds no entitlements: whom others put in stays in.
    let holds_something = wanted.members.is_none() && record.entitlements.as_ref().is_none_or(|held| !held.is_empty());
    if holds_something && !target.adopts_entitled() {
        let error = ConnError::conflict("the account was there before and holds entitlements that were not given here");
        return Outcome {
            state: LinkState::Parked(Parked::Adoption),
            sent: None,
            error: Some(error),
            detail: "adoption waits for review".to_owned(),
            ..idle(link)
        };
    }
    taken(link, wanted, &[], record, "adopted")
}

/// Whether the record agrees with the strong identifiers; `None` when there is nothing to compare.
fn strong(wanted: &Wanted, record: &Record) -> Option<bool> {
    let mut compared = false;
    for (name, value) in &wanted.strong {
        let held = record.attrs.get(name).and_then(|values| values.first()).or_else(|| record.natural_key.get(name));
        let Some(held) = held else { continue };
        if !same_text(held, value) {
            return Some(false);
        }
        compared = true;
    }
    compared.then_some(true)
}

fn same_text(one: &Value, other: &Value) -> bool {
    one == other || one.to_string().to_lowercase() == other.to_string().to_lowercase()
}

fn taken(link: &Link, wanted: &Wanted, gave: &[connector_spi::Entitlement], record: Record, how: &str) -> Outcome {
    let native_id = record.id.clone();
    let seen = diff::seen_read(link.seen.as_ref(), gave, Some(wanted), &record);
    let applied = diff::converged(wanted, Some(&native_id), Some(&seen));
    Outcome {
        state: LinkState::Linked,
        native_id: Some(native_id),
        seen: Some(seen),
        applied,
        again: (!applied).then_some(Duration::ZERO),
        detail: how.to_owned(),
        ..idle(link)
    }
}

fn read(link: &Link, wanted: &Wanted, sent: &Sent, record: Record) -> Outcome {
    let outcome = taken(link, wanted, &sent.gave, record, "read");
    // Reading alone is no progress: the attempts at this generation still count.
    Outcome { attempt: if outcome.applied { 0 } else { link.attempt }, ..outcome }
}

fn disputed(link: &Link, why: &str) -> Outcome {
    Outcome {
        state: LinkState::Disputed,
        error: Some(ConnError::new(Class::AlreadyExists, why)),
        detail: "disputed".to_owned(),
        ..idle(link)
    }
}

/// The members that a change carried, when the target took them.
fn carried(link: &Link, wanted: &Wanted, failures: &[connector_spi::PartFailure]) -> Option<MemberDelta> {
    let attribute = &wanted.members.as_ref()?.attribute;
    link.members.clone().filter(|_| failures.iter().all(|failure| !failure.part.eq_ignore_ascii_case(attribute)))
}

/// The outcome of a call that succeeded but for some parts. A part that failed is not yet as wanted: it stays due.
fn parts(
    link: &Link,
    linked: Outcome,
    mut seen: Seen,
    failures: Vec<connector_spi::PartFailure>,
    wanted: &Wanted,
    sent: &Sent,
    what: &str,
) -> Outcome {
    let Some(first) = failures.first() else {
        let applied = diff::converged(wanted, linked.native_id.as_ref(), Some(&seen)) || wanted.closing.is_some();
        let again = (!applied).then_some(Duration::ZERO);
        return Outcome { seen: Some(seen), applied, again, detail: what.to_owned(), ..linked };
    };
    for failure in &failures {
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
    let outcome = failed(link, sent.clone(), first.error.clone());
    let sent = match outcome.sent {
        Some(sent) if first.error.effect != connector_spi::Effect::None => Some(sent),
        Some(_) | None => None,
    };
    let state = if outcome.state == LinkState::Unlinked { linked.state } else { outcome.state };
    Outcome { native_id: linked.native_id, seen: Some(seen), sent, state, detail: format!("{what} in part"), ..outcome }
}

/// Ends sessions and asks for the effect of a closing. Where the target cannot tell, the closing is unverified, and says so.
async fn prove(target: &Target, cx: &Ctx, link: &Link, wanted: &Wanted, sent: &Sent, done: Outcome) -> Outcome {
    let (Some(closing), Some(id), None) = (wanted.closing, done.native_id.clone(), done.error.as_ref()) else {
        return done;
    };
    if closing.keep {
        return done;
    }
    let kind = &link.key.kind;
    let mut seen = done.seen.clone().unwrap_or_default();
    let Some(effect) = target.connector().effect() else {
        seen.verified = Some(false);
        return Outcome { seen: Some(seen), applied: true, again: None, ..done };
    };
    if closing.sessions
        && let Err(error) = effect.revoke_sessions(cx, kind, &id).await
        && error.class != Class::Unsupported
    {
        let failed = failed(link, sent.clone(), error);
        return Outcome {
            native_id: Some(id),
            seen: Some(seen),
            sent: None,
            detail: "closed; sessions stay".to_owned(),
            ..failed
        };
    }
    match effect.effective(cx, kind, &id).await {
        Ok(effective) if effective.can_login == Some(true) && wanted.state != AccountState::Enabled => {
            let error = ConnError::conflict("the target still lets the account in");
            seen.state = None;
            let failed = failed(link, sent.clone(), error);
            Outcome {
                native_id: Some(id),
                seen: Some(seen),
                sent: None,
                detail: "closed without effect".to_owned(),
                ..failed
            }
        }
        Ok(effective) => {
            seen.verified = Some(effective.can_login == Some(false));
            Outcome { seen: Some(seen), applied: true, again: None, ..done }
        }
        Err(error) if error.class == Class::Unsupported => {
            seen.verified = Some(false);
            Outcome { seen: Some(seen), applied: true, again: None, ..done }
        }
        Err(error) => {
            let failed = failed(link, sent.clone(), error);
            Outcome { native_id: Some(id), seen: Some(seen), sent: None, ..failed }
        }
    }
}

/// The outcome of a failed call, by the class of its error alone.
fn failed(link: &Link, sent: Sent, error: ConnError) -> Outcome {
    // Nothing is sent again before what may have happened was read; a taken key is looked at, but it is not ours for that.
    let uncertain = error.effect != connector_spi::Effect::None;
    let keeps = |sent: Sent| Some(Sent { made: sent.made || (uncertain && sent.delta == Delta::Create), ..sent });
    let look_only = |sent: Sent| {
        let delta = if sent.delta == Delta::Create && !uncertain { Delta::Read } else { sent.delta.clone() };
        keeps(Sent { delta, ..sent })
    };
    let idle = idle(link);
    if connector_layers::is_refusal(&error) {
        // The gateway's own limits said no and the target was not asked: no attempt, nothing to remember.
        let sent = if sent.made { Some(sent) } else { None };
        return Outcome { sent, attempt: link.attempt, again: Some(OWN_LIMIT), detail: "not asked".to_owned(), ..idle };
    }
    let attempt = link.attempt + 1;
    let roll = roll(&sent.op_id, attempt);
    match retry::after(&error, attempt, link.lane, roll) {
        retry::Next::Again(wait) => Outcome {
            sent: if uncertain || sent.made { keeps(sent) } else { None },
            attempt,
            again: Some(wait),
            detail: error.class.name().to_owned(),
            error: Some(error),
            ..idle
        },
        // What was seen is kept, for it knows which entitlements are ours; that `sent` is kept makes the next call a read.
        retry::Next::ReadFirst(wait) => Outcome {
            sent: look_only(sent),
            attempt,
            again: Some(wait),
            detail: error.class.name().to_owned(),
            error: Some(error),
            ..idle
        },
        retry::Next::WithTarget(wait) => Outcome {
            sent: if uncertain || sent.made { keeps(sent) } else { None },
            attempt: link.attempt,
            again: Some(wait),
            detail: error.class.name().to_owned(),
            error: Some(error),
            ..idle
        },
        retry::Next::Park(parked) => Outcome {
            state: LinkState::Parked(parked),
            sent: if sent.made { keeps(sent) } else { None },
            attempt,
            detail: error.class.name().to_owned(),
            error: Some(error),
            ..idle
        },
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
