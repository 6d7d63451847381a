//! Work that the target has taken on, and what became of it.

use super::{Outcome, Turn, idle};
use connector_spi::{ConnError, Effect, NativeId, Pending, TicketState};
use gateway_domain::link::{Late, LinkState, Seen, Sent};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// How long a target may work on what it took on before it is asked for anew. People work the tickets of some targets.
const TAKEN_ON: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Bounds of the pause between two looks at what a target took on, whatever it asks for.
const POLL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60 * 60));

/// Longest mark of a ticket that is remembered, in octets. A longer one is not asked about; the record alone tells then.
const TICKET: usize = 512;

/// Doublings of the pause between one ticket of a change and the next.
const DOUBLINGS: u32 = 8;

impl Turn<'_> {
    /// The target works on it and will show it later: nothing is reported as done before it was seen.
    pub(super) fn taken_on(&self, native_id: Option<NativeId>, seen: Option<Seen>, pending: &Pending) -> Outcome {
        // A target that says "done" and does nothing would be given one ticket after the other.
        let least = POLL.0.saturating_mul(1 << self.link.attempt.min(DOUBLINGS));
        let wait = pending.poll_after.clamp(POLL.0, POLL.1).max(least);
        let ticket = Some(&pending.ticket).filter(|ticket| !ticket.is_empty() && ticket.len() <= TICKET);
        let late = self.after(TAKEN_ON).map(|until| Late {
            generation: self.link.generation,
            until,
            every: u64::try_from(wait.as_millis()).ok(),
            ticket: ticket.cloned(),
        });
        let state = if native_id.is_some() { LinkState::Linked } else { LinkState::Unlinked };
        Outcome {
            state,
            native_id,
            seen,
            sent: Some(Sent { late, ..self.sent.clone() }),
            attempt: self.link.attempt + 1,
            again: Some(wait),
            detail: "taken on by the target".to_owned(),
            ..idle(self.link)
        }
    }

    /// Asks what became of the work. A refusal is the answer to the call that was taken on. What is said to be done is waited for
    /// no longer, and is believed when the record shows it; where nobody can tell, the record does.
    pub(super) async fn ask_ticket(&mut self) -> Option<ConnError> {
        let late = self.sent.late.as_ref()?;
        let (ticket, still_wanted) = (late.ticket.clone()?, late.generation == self.link.generation);
        let connector = self.target.connector();
        match connector.tickets()?.ticket(&self.cx, &self.link.key.kind, &ticket).await {
            Ok(TicketState::Open) => {
                // What is worked on is not lost, however long it takes: an account may be made by it after its person has left.
                let longer = self.after(TAKEN_ON);
                if let Some((late, until)) = self.sent.late.as_mut().zip(longer) {
                    late.until = until;
                }
                None
            }
            Err(_) => None,
            Ok(TicketState::Done { id }) => {
                self.sent.late = None;
                self.told = id;
                None
            }
            Ok(TicketState::Refused(error)) => {
                self.sent.late = None;
                // Why something was refused that nobody wants any more holds up nobody: least of all a closing.
                still_wanted.then(|| error.effect(Effect::None))
            }
        }
    }

    /// The instant so long from now.
    pub(super) fn after(&self, wait: Duration) -> Option<Timestamp> {
        (self.now)().checked_add(SignedDuration::try_from(wait).ok()?).ok()
    }

    /// As [`Turn::still_late`], where the object is there and something else is wanted of it by now: a closing waits for nothing.
    pub(super) fn late_for_this(&self) -> Option<Duration> {
        let overtakes = self.sent.late.as_ref().is_some_and(|late| late.generation != self.link.generation);
        self.still_late().filter(|_| self.wanted.closing.is_none() || !overtakes)
    }

    /// How long to wait before the effect of an earlier call may be taken for lost; `None` when that time has passed.
    pub(super) fn still_late(&self) -> Option<Duration> {
        let late = self.sent.late.as_ref()?;
        let left = Duration::try_from(late.until.duration_since((self.now)())).ok().filter(|left| !left.is_zero())?;
        Some(late.every.map_or(left, |every| Duration::from_millis(every).min(left)))
    }
}
