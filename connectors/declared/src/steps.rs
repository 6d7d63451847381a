//! A record that is made in several steps, and taken back step by step when it is refused.

use connector_spi::{Class, ConnError, Effect};
use serde_json::{Map, Value as Json};

/// A request of type `R` that comes before a create. Its answer is looked into at places of type `P`.
#[derive(Debug)]
pub struct First<R, P> {
    /// Under this name later requests use what it gave.
    pub name: String,
    /// Looks whether an earlier attempt has done it, and where that stands in the answer.
    pub look: Option<(R, P)>,
    /// The request.
    pub request: R,
    /// Where its answer holds what it gives, if the file says so.
    pub gives: Option<P>,
    /// Takes it back.
    pub undo: Option<R>,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stepped {
    /// There already, by an earlier attempt of ours or for another reason: not ours to take back.
    Found(String),
    /// Done, and what it gave.
    Done(Option<String>),
}

/// The steps before one create. Ask for what is [`due`](Steps::due), carry it out, [`note`](Steps::note) what became of it. When
/// one of them or the create itself is refused, ask for what is [`to_undo`](Steps::to_undo) until nothing is.
#[derive(Debug)]
pub struct Steps<'a, R, P> {
    left: std::slice::Iter<'a, First<R, P>>,
    given: Map<String, Json>,
    done: Vec<&'a First<R, P>>,
}

impl<'a, R, P> Steps<'a, R, P> {
    /// Before the first.
    #[must_use]
    pub fn of(steps: &'a [First<R, P>]) -> Self {
        Self { left: steps.iter(), given: Map::new(), done: Vec::new() }
    }

    /// What the steps gave, by name.
    #[must_use]
    pub fn given(&self) -> Json {
        Json::Object(self.given.clone())
    }

    /// The step to carry out now.
    #[must_use]
    pub fn due(&self) -> Option<&'a First<R, P>> {
        self.left.as_slice().first()
    }

    /// What became of the step that was due.
    pub fn note(&mut self, stepped: Stepped) {
        let Some(step) = self.left.next() else { return };
        let gave = match stepped {
            Stepped::Found(gave) => Some(gave),
            Stepped::Done(gave) => {
                self.done.push(step);
                gave
            }
        };
        self.given.insert(step.name.clone(), gave.map_or(Json::Null, Json::String));
    }

    /// The step to take back now because of this error, and the request that does it; the last step first. None is while nobody
    /// knows whether the record was made: it may need what the steps did.
    pub fn to_undo(&mut self, error: &ConnError) -> Option<(&'a First<R, P>, &'a R)> {
        if error.effect == Effect::Maybe {
            return None;
        }
        std::iter::from_fn(|| self.done.pop()).find_map(|step| Some((step, step.undo.as_ref()?)))
    }
}

/// The error after one step was taken back, or was not: then something is left, and the error says so.
#[must_use]
pub fn undone<R, P>(mut error: ConnError, step: &First<R, P>, outcome: Result<(), ConnError>) -> ConnError {
    match outcome {
        Err(stays) if stays.class != Class::NotFound => {
            error.message = format!("{}; {} was not taken back ({})", error.message, step.name, stays.class.name());
            error.effect = Effect::Partial;
        }
        Ok(()) | Err(_) => {}
    }
    error
}

/// How many steps are done where a place in a kind has its turn, given as the pointer below the kind: `create/first/1/request`.
#[must_use]
pub fn before(place: &str) -> usize {
    match segments(place).as_slice() {
        ["create", "first", index, part] => {
            index.parse().map_or(0, |index: usize| if *part == "undo" { index.saturating_add(1) } else { index })
        }
        _ => usize::MAX,
    }
}

/// Whether what a request at a place does may be taken on for later: the contract has a word for that in the answers to a create
/// and to an update, and nowhere else.
#[must_use]
pub fn may_be_taken_on(place: &str) -> bool {
    match segments(place).as_slice() {
        ["create", "request"] | ["update" | "states", ..] => true,
        ["entitlements", _, part] => matches!(*part, "add" | "remove" | "replace"),
        _ => false,
    }
}

fn segments(place: &str) -> Vec<&str> {
    place.split('/').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str, undo: bool) -> First<&'static str, ()> {
        First { name: name.to_owned(), look: None, request: "do", gives: None, undo: undo.then_some("undo") }
    }

    fn names(steps: &mut Steps<'_, &'static str, ()>, error: &ConnError) -> Vec<String> {
        std::iter::from_fn(|| steps.to_undo(error)).map(|(step, _)| step.name.clone()).collect()
    }

    #[test]
    fn what_was_done_is_taken_back_the_last_first_and_what_was_found_is_left() {
        let all = [step("person", true), step("photo", false), step("desk", true), step("badge", true)];
        let mut steps = Steps::of(&all);
        steps.note(Stepped::Done(Some("p1".to_owned())));
        steps.note(Stepped::Done(None));
        steps.note(Stepped::Found("d1".to_owned()));
        assert_eq!(steps.due().unwrap().name, "badge");
        assert_eq!(steps.given(), serde_json::json!({"person": "p1", "photo": null, "desk": "d1"}));
        assert_eq!(names(&mut steps, &ConnError::timeout("nobody knows")), [""; 0]);
        steps.note(Stepped::Done(None));
        assert_eq!(names(&mut steps, &ConnError::invalid("no")), ["badge", "person"]);
        assert_eq!(names(&mut steps, &ConnError::invalid("no")), [""; 0], "once");
    }

    #[test]
    fn each_step_knows_those_before_it() {
        assert_eq!((before("create/first/1/look"), before("create/first/1/undo")), (1, 2));
        assert_eq!((before("create/request"), before("create/first/x/undo")), (usize::MAX, 0));
        let later = ["create/request", "update/0/clear", "states/disabled/0", "entitlements/role/add"];
        assert!(later.into_iter().all(may_be_taken_on));
        let never = ["create/first/0/request", "get", "delete", "entitlements/role/read/request", "ticket/request"];
        assert!(!never.into_iter().any(may_be_taken_on));
    }

    #[test]
    fn what_is_left_is_said_and_what_is_gone_is_not() {
        let error = || ConnError::invalid("no");
        let person = step("person", true);
        assert_eq!(undone(error(), &person, Ok(())), error());
        assert_eq!(undone(error(), &person, Err(ConnError::not_found("gone"))), error());
        let left = undone(error(), &person, Err(ConnError::forbidden("stays")));
        assert_eq!((left.class, left.effect), (Class::Invalid, Effect::Partial));
        assert_eq!(left.message, "no; person was not taken back (Forbidden)");
    }
}
