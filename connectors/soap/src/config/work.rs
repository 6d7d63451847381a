//! Work that a target does not finish in one answer: what it takes on, and creates of several steps.

use super::{Condition, Place, Request, VARIABLES};
use schemars::JsonSchema;
use serde::Deserialize;

/// How an answer looks by which the target takes the work on without having done it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TakenOn {
    /// What holds of it.
    pub when: Condition,
    /// Where the ticket's number stands.
    #[serde(default)]
    pub ticket: Option<Place>,
    /// Seconds until it is worth asking, where the answer has no `Retry-After`.
    #[serde(default = "half_a_minute")]
    pub poll_after_seconds: u32,
}

/// Asks what became of work that the target has taken on. Done is what the record shows, whatever the ticket says.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// The request. A refusal of class `NotFound` means that the target knows the ticket no more: then the record alone tells.
    #[schemars(extend("x-variables" = VARIABLES.ticket))]
    pub request: Request,
    /// Holds when the work was carried out.
    pub done: Condition,
    /// Holds when it was not and will not be. `errors` says what the refusal means by the code and the words in this answer;
    /// where no rule fits, it is final (`Permanent`). When neither holds, the work goes on.
    #[serde(default)]
    pub refused: Option<Condition>,
    /// Where the new record's id stands when the work was a create.
    #[serde(default)]
    pub id: Option<Place>,
}

/// A request that comes before a create. A create whose outcome was lost is begun anew: a step that would do its work twice says
/// how to `look`, or counts the refusal as success (`also_ok_codes`).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct First {
    /// Later requests of the create use what it gave as `steps.NAME`.
    pub name: String,
    /// Looks whether an earlier attempt has done it already: a refusal of class `NotFound`, or nothing at `found`, means no.
    #[serde(default)]
    #[schemars(extend("x-variables" = VARIABLES.create))]
    pub look: Option<Request>,
    /// Where the answer to `look` holds what the step gave.
    #[serde(default)]
    pub found: Place,
    /// The request.
    #[schemars(extend("x-variables" = VARIABLES.create))]
    pub request: Request,
    /// Where its answer holds what it gives.
    #[serde(default)]
    pub gives: Option<Place>,
    /// Takes it back when the create is refused afterwards. Not sent where the outcome of the create is not known, nor when a ticket
    /// of it is refused later: the create is begun anew then, and `look` finds what was done.
    #[serde(default)]
    #[schemars(extend("x-variables" = VARIABLES.create))]
    pub undo: Option<Request>,
}

fn half_a_minute() -> u32 {
    30
}
