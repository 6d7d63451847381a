//! Finding an object again: after a call whose outcome is not known, and where one has the natural key already.

use super::{Outcome, Turn, idle};
use connector_spi::{Class, ConnError, Created, Entitlement, Record, Value};
use gateway_domain::diff;
use gateway_domain::link::{Delta, Late, Link, LinkKey, LinkState, Parked, Seen, Sent};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long after a call whose outcome is not known its effect may still appear in the target.
const LATE_WRITE: Duration = Duration::from_secs(30);

/// A natural key.
type Key = BTreeMap<String, Value>;

/// What says that a found object is ours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// A call of ours whose outcome was not known put it there.
    Sent,
    /// It carries a mark that the connector itself put on it.
    Mark,
    /// Nothing but its name.
    Nothing,
}

/// What stands under a natural key.
enum Found {
    Nothing,
    One(Box<Record>, Proof),
    /// The answer, whatever it is, is not to look any further.
    Ended(Box<Outcome>),
}

impl Turn<'_> {
    /// Looks for the object by natural key: after a create whose outcome is not known, or one that found the key taken.
    pub(super) async fn look(&self) -> Outcome {
        if let Some(id) = &self.told {
            match self.target.connector().get(&self.cx, &self.link.key.kind, id).await {
                Ok(Some(record)) => return self.adopt(record, Proof::Sent).await,
                Ok(None) => {}
                Err(error) => return self.failed(error),
            }
        }
        // First where calls of ours may have put it: the person may have been renamed since.
        let keys: Vec<&Key> = self.sent.under.iter().chain([&self.wanted.key]).filter(|key| !key.is_empty()).collect();
        if keys.is_empty() {
            return Outcome { applied: self.wanted.closing.is_some(), ..idle(self.link) };
        }
        for key in keys {
            match self.under(key).await {
                Found::Nothing => {}
                Found::One(record, proof) => return self.adopt(*record, proof).await,
                Found::Ended(outcome) => return *outcome,
            }
        }
        self.nothing_found()
    }

    /// What stands under one key.
    async fn under(&self, key: &Key) -> Found {
        let mut found = match self.target.connector().find(&self.cx, &self.link.key.kind, key).await {
            Ok(found) => found,
            Err(error) => return Found::Ended(Box::new(self.failed(error))),
        };
        let proof = if self.sent.put_under(key) { Proof::Sent } else { Proof::Nothing };
        match (found.pop(), found.is_empty()) {
            (Some(record), true) => Found::One(Box::new(record), proof),
            (Some(_), false) => Found::Ended(Box::new(disputed(self.link, "more than one object has the natural key"))),
            (None, _) => Found::Nothing,
        }
    }

    fn nothing_found(&self) -> Outcome {
        let Turn { link, wanted, sent, .. } = self;
        let closing = wanted.closing.is_some();
        if sent.made {
            // A create of ours may still be on its way through the target. Under another name than today's nobody would ever
            // meet it again, and what is to be closed must not be opened behind our back: both are looked for once more.
            let elsewhere = sent.under.iter().any(|key| *key != wanted.key);
            let least = if closing || elsewhere { LATE_WRITE } else { Duration::ZERO };
            let wait = least.max(self.target.settles_after(&link.key.kind));
            let wait = if sent.late.is_some() { self.still_late() } else { Some(wait).filter(|wait| !wait.is_zero()) };
            if let Some(wait) = wait {
                let until =
                    || Some(Late { generation: link.generation, until: self.after(wait)?, every: None, ticket: None });
                let late = sent.late.clone().or_else(until);
                return Outcome {
                    sent: Some(Sent { late, ..sent.clone() }),
                    attempt: link.attempt.max(1),
                    again: Some(wait),
                    detail: "looked for, not there yet".to_owned(),
                    ..idle(link)
                };
            }
        }
        if closing {
            return Outcome { applied: true, detail: "nothing to close".to_owned(), ..idle(link) };
        }
        // Looking alone is no progress: a create that is refused because another object has the name (which is not what was
        // looked for) would otherwise go round for ever.
        let remembered = Sent { delta: Delta::Read, looked: true, late: None, ..sent.clone() };
        Outcome {
            sent: Some(remembered).filter(|sent| sent.made),
            attempt: link.attempt,
            again: Some(Duration::ZERO),
            detail: "looked for, not there".to_owned(),
            ..idle(link)
        }
    }

    /// The object is not under its id any more. A rename whose outcome is not known may have given it another; what the target
    /// took on may not be there yet. Else a closing has nothing left to do, and anybody else's is made again.
    pub(super) async fn gone(&self) -> Outcome {
        for key in &self.sent.under {
            match self.under(key).await {
                Found::Nothing => {}
                Found::One(record, proof) => return self.adopt(*record, proof).await,
                Found::Ended(outcome) => return *outcome,
            }
        }
        if let Some(wait) = self.still_late() {
            return self.wait_on(None, wait);
        }
        let closing = self.wanted.closing.is_some();
        Outcome {
            native_id: None,
            seen: None,
            applied: closing,
            again: (!closing).then_some(Duration::ZERO),
            detail: "found gone".to_owned(),
            ..idle(self.link)
        }
    }

    /// Decides whether a found object is this person's: ours by an unsettled call or by a mark on it, or by agreeing strong
    /// identifiers. A name alone is never enough, for names are given to other people.
    async fn adopt(&self, record: Record, proof: Proof) -> Outcome {
        let Turn { link, wanted, .. } = self;
        let holder = match self.store.holder(&link.key.target, link.key.kind.as_str(), record.id.as_str()).await {
            Ok(holder) => holder.filter(|holder| *holder != link.key),
            Err(error) => return self.failed(ConnError::transient(error.to_string())),
        };
        let agreement = strong(wanted.strong.iter(), &record);
        if agreement == Some(false) {
            return disputed(
                link,
                "the object found under the natural key belongs to somebody else by its strong identifiers",
            );
        }
        if let Some(holder) = holder {
            return self.inherit(record, holder, agreement).await;
        }
        if proof == Proof::Sent {
            return self.taken(link.seen.as_ref(), &self.sent.gave, record, "recognised as made");
        }
        if wanted.closing.is_some() && proof == Proof::Nothing {
            return Outcome { applied: true, detail: "nothing of ours to close".to_owned(), ..idle(link) };
        }
        if agreement != Some(true) && proof == Proof::Nothing {
            return disputed(link, "an object has the natural key already, and nothing proves whose it is");
        }
        // A group holds no entitlements: whom others put in stays in.
        let holds_something =
            wanted.members.is_none() && record.entitlements.as_ref().is_none_or(|held| !held.is_empty());
        if holds_something && wanted.closing.is_none() && !self.target.adopts_entitled() {
            let error =
                ConnError::conflict("the account was there before and holds entitlements that were not given here");
            return Outcome {
                state: LinkState::Parked(Parked::Adoption),
                sent: None,
                error: Some(error),
                detail: "adoption waits for review".to_owned(),
                ..idle(link)
            };
        }
        self.taken(link.seen.as_ref(), &[], record, "adopted")
    }

    /// The object is another link's. That of somebody who is gone may be revived, on strong identifiers only; the old link lets go
    /// of it in the same transaction, or it would go on closing what is somebody's again. What was given then counts as ours, so
    /// that what no reason gives any more is taken.
    async fn inherit(&self, record: Record, holder: LinkKey, agreement: Option<bool>) -> Outcome {
        let held = match self.store.link(&holder).await {
            Ok(held) => held,
            Err(error) => return self.failed(ConnError::transient(error.to_string())),
        };
        if held.as_ref().is_some_and(|held| held.state != LinkState::Tombstone) {
            return disputed(self.link, "the object found under the natural key is linked to another resource");
        }
        if agreement != Some(true) {
            return disputed(
                self.link,
                "the object found under the natural key was a leaver's; a name alone does not revive it",
            );
        }
        let seen = held.and_then(|held| held.seen).map(|seen| Seen { again: false, ..seen });
        Outcome { heir_of: Some(holder), ..self.taken(seen.as_ref(), &[], record, "revived") }
    }

    /// The connector took over what a call of ours made and marked.
    pub(super) async fn recognised(&self, created: Created) -> Outcome {
        let record = match created.record {
            Some(record) => record,
            None => match self.target.connector().get(&self.cx, &self.link.key.kind, &created.id).await {
                Ok(Some(record)) => record,
                Ok(None) => return self.failed(ConnError::not_found("what was taken over is not there")),
                Err(error) => return self.failed(error),
            },
        };
        self.adopt(record, if self.sent.made { Proof::Sent } else { Proof::Mark }).await
    }

    fn taken(&self, before: Option<&Seen>, gave: &[Entitlement], record: Record, how: &str) -> Outcome {
        let native_id = record.id.clone();
        let mut seen = diff::seen_read(before, gave, Some(self.wanted), &record);
        // What the connector does after a change has no trace in the record: whether it was done is not known.
        seen.again |= self.sent.wrote && self.target.follows_up(&self.link.key.kind);
        let applied = diff::converged(self.wanted, Some(&native_id), Some(&seen));
        Outcome {
            state: LinkState::Linked,
            native_id: Some(native_id),
            seen: Some(seen),
            applied,
            again: (!applied).then_some(Duration::ZERO),
            detail: how.to_owned(),
            ..idle(self.link)
        }
    }

    pub(super) fn read(&self, record: Record) -> Outcome {
        let outcome = self.taken(self.link.seen.as_ref(), &self.sent.gave, record, "read");
        let stands = outcome.seen.clone().map(|seen| diff::change(self.wanted, &Seen { again: false, ..seen }));
        if let Some(wait) = self.late_for_this().filter(|_| stands.is_some_and(|change| !change.is_empty())) {
            return self.wait_on(outcome.seen, wait);
        }
        // Reading alone is no progress: the attempts at this generation still count.
        Outcome { attempt: if outcome.applied { 0 } else { self.link.attempt }, ..outcome }
    }

    /// The target has not yet done what it took on.
    fn wait_on(&self, seen: Option<Seen>, wait: Duration) -> Outcome {
        Outcome {
            seen,
            sent: Some(self.sent.clone()),
            attempt: self.link.attempt,
            again: Some(wait),
            detail: "not done by the target yet".to_owned(),
            ..idle(self.link)
        }
    }
}

/// Whether the record agrees with the strong identifiers; `None` when there is nothing to compare.
fn strong<'a>(wanted: impl Iterator<Item = (&'a String, &'a Value)>, record: &Record) -> Option<bool> {
    let mut compared = false;
    for (name, value) in wanted {
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

fn disputed(link: &Link, why: &str) -> Outcome {
    Outcome {
        state: LinkState::Disputed,
        error: Some(ConnError::new(Class::AlreadyExists, why)),
        detail: "disputed".to_owned(),
        ..idle(link)
    }
}
