//! How far a change has come: which act is next, what failed, and what is left.

use crate::change::{Act, Ordered, Sense, What};
use connector_spi::{Class, ConnError, PartFailure};

/// One change on its way through its acts. Ask for what is [`due`](Progress::due), carry it out, [`note`](Progress::note)
/// the outcome; [`end`](Progress::end) tells the whole.
#[derive(Debug)]
pub struct Progress<'a, R> {
    acts: Vec<Act<'a, R>>,
    at: usize,
    held: bool,
    through: Through,
}

/// How far a change came.
#[derive(Debug, Default)]
pub struct Through {
    /// Acts that were carried out.
    pub done: usize,
    /// Parts that were not.
    pub failed: Vec<PartFailure>,
    /// What ended it early, and the parts that were left.
    pub ended: Option<(ConnError, Vec<String>)>,
}

impl<'a, R> Progress<'a, R> {
    /// Before the first act.
    #[must_use]
    pub fn of(ordered: Ordered<'a, R>) -> Self {
        let Ordered { acts, failed, held } = ordered;
        Self { acts, at: 0, held, through: Through { done: 0, failed, ended: None } }
    }

    /// The act to carry out now; `None` when there is none left. Nothing is opened while a part that closes has failed.
    pub fn due(&mut self) -> Option<&Act<'a, R>> {
        while let Some(act) = self.acts.get(self.at).filter(|_| self.through.ended.is_none()) {
            if act.sense != Sense::Opens || !self.held {
                break;
            }
            let error = ConnError::conflict("not opened, since a part that closes failed");
            self.through.failed.extend(failures(act, &error));
            self.at += 1;
        }
        self.acts.get(self.at).filter(|_| self.through.ended.is_none())
    }

    /// The outcome of the act that [`due`](Progress::due) gave.
    pub fn note(&mut self, outcome: Result<(), ConnError>) {
        let Some(act) = self.acts.get(self.at) else { return };
        match outcome {
            Ok(()) => self.through.done += 1,
            Err(error) => {
                // Fields of an entitlement's request are not fields of the record: the part is the name that tells.
                let error = match (&act.what, act.parts.first()) {
                    (What::Entitlement(_) | What::Whole(..), Some(part)) => error.attribute(part.clone()),
                    (What::State(_) | What::Attributes(_) | What::Entitlement(_) | What::Whole(..), _) => error,
                };
                if ends_all(&error, act) {
                    let left = self.acts.iter().skip(self.at).flat_map(|act| act.parts.iter().cloned()).collect();
                    self.through.ended = Some((error, left));
                    return;
                }
                // A removal that is refused since the access is held in another way too leaves nothing to close.
                self.held |= act.sense == Sense::Closes && error.class != Class::Conflict;
                self.through.failed.extend(failures(act, &error));
            }
        }
        self.at += 1;
    }

    /// How far it came.
    #[must_use]
    pub fn end(self) -> Through {
        self.through
    }
}

fn failures<R>(act: &Act<'_, R>, error: &ConnError) -> Vec<PartFailure> {
    act.parts.iter().map(|part| PartFailure { part: part.clone(), error: error.clone() }).collect()
}

/// Whether a failure concerns the whole target or the whole record rather than the act's own part.
fn ends_all<R>(error: &ConnError, act: &Act<'_, R>) -> bool {
    match error.class {
        Class::Transient | Class::Throttled | Class::Timeout | Class::Unknown | Class::Auth | Class::Config => true,
        Class::NotFound | Class::StaleVersion => !matches!(act.what, What::Entitlement(_)),
        Class::AlreadyExists
        | Class::Conflict
        | Class::Invalid
        | Class::Forbidden
        | Class::Unsupported
        | Class::Permanent => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connector_spi::AccountState;

    fn acts(senses: &[Sense]) -> Ordered<'static, ()> {
        let act = |sense: &Sense| Act {
            parts: vec![format!("{sense:?}")],
            sense: *sense,
            request: &(),
            what: What::State(AccountState::Enabled),
        };
        Ordered { acts: senses.iter().map(act).collect(), failed: Vec::new(), held: false }
    }

    fn walk(senses: &[Sense], outcomes: &[Result<(), ConnError>]) -> Through {
        let mut progress = Progress::of(acts(senses));
        for outcome in outcomes {
            assert!(progress.due().is_some());
            progress.note(outcome.clone());
        }
        assert!(progress.due().is_none());
        progress.end()
    }

    #[test]
    fn nothing_is_opened_after_a_closing_that_failed() {
        let through = walk(&[Sense::Closes, Sense::Opens], &[Err(ConnError::forbidden("no"))]);
        let parts: Vec<_> = through.failed.iter().map(|failed| failed.part.as_str()).collect();
        assert_eq!((through.done, parts.as_slice()), (0, ["Closes", "Opens"].as_slice()));
    }

    #[test]
    fn a_part_that_is_refused_does_not_hold_the_others_up() {
        let through = walk(&[Sense::Changes, Sense::Changes], &[Err(ConnError::invalid("no")), Ok(())]);
        assert_eq!((through.done, through.failed.len()), (1, 1));
    }

    #[test]
    fn an_outage_ends_the_change_and_names_what_is_left() {
        let through =
            walk(&[Sense::Closes, Sense::Changes, Sense::Opens], &[Ok(()), Err(ConnError::transient("down"))]);
        let (error, left) = through.ended.unwrap();
        assert_eq!((error.class, left), (Class::Transient, vec!["Changes".to_owned(), "Opens".to_owned()]));
    }
}
