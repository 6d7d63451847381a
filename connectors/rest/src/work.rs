//! Work that a target does not finish in one answer: what it takes on, and creates of several steps.

use crate::{
    config::Pointer,
    connector::{RestConnector, answered_id},
    error,
    exchange::{Answer, Exchange},
    plan::KindPlan,
    record::{holds, text_of},
    template::{Filling, Prepared, Request, Sending},
};
use async_trait::async_trait;
use connector_declared::{First, Stepped, Steps, undone};
use connector_expr::Vars;
use connector_http::retry_after;
use connector_spi::{Class, ConnError, Ctx, Kind, NativeId, Pending, Result, TicketState, Tickets};
use serde_json::{Value as Json, json};
use std::time::Duration;

/// What an answer says of work that was taken on; `None` when it is an answer of work that is done.
pub(crate) fn taken_on(request: &Request, answer: &Answer) -> Option<Pending> {
    let config = request.config.taken_on.as_ref()?;
    let says = config.statuses.contains(&answer.response.status)
        && config.when.as_ref().is_none_or(|condition| holds(condition, &answer.body));
    let ticket = || answered_id(config.ticket.as_ref(), answer).unwrap_or_default();
    let usual = Duration::from_secs(u64::from(config.poll_after_seconds));
    says.then(|| Pending { ticket: ticket(), poll_after: retry_after(&answer.response).unwrap_or(usual) })
}

#[async_trait]
impl Tickets for RestConnector {
    async fn ticket(&self, cx: &Ctx, kind: &Kind, ticket: &str) -> Result<TicketState> {
        let kind = self.kind(kind)?;
        let (Some(request), Some(config)) = (&kind.ticket, &kind.config.ticket) else {
            let message = format!("tickets of kind {} cannot be asked about by the target's file", kind.name);
            return Err(ConnError::unsupported(message));
        };
        let answer = self.ask(cx, Some(kind), request, json!({"ticket": ticket})).await?;
        if holds(&config.done, &answer.body) {
            let id = config.id.as_ref().and_then(|at| at.read(&answer.body)).and_then(text_of);
            return Ok(TicketState::Done { id: id.filter(|id| !id.is_empty()).map(NativeId) });
        }
        Ok(match &config.refused {
            Some(refused) if holds(refused, &answer.body) => {
                TicketState::Refused(error::declined(&self.plan.errors, kind, request, &answer))
            }
            Some(_) | None => TicketState::Open,
        })
    }
}

/// Sends the requests of a create.
pub(crate) struct Sender<'a> {
    pub(crate) connector: &'a RestConnector,
    pub(crate) cx: &'a Ctx,
    pub(crate) kind: &'a KindPlan,
    pub(crate) sending: &'a [Sending<'a>],
    /// The variables of the create, without those of the steps.
    pub(crate) vars: Vars,
}

impl Sender<'_> {
    fn exchange(&self) -> Exchange<'_> {
        self.connector.exchange(self.cx)
    }

    /// The variables with what the steps gave.
    pub(crate) fn vars(&self, given: &Json) -> Vars {
        self.vars.with([("steps", given.clone())])
    }

    pub(crate) fn fill(&self, request: &Request, given: &Json) -> Result<Prepared> {
        let vars = self.vars(given);
        request.fill(self.exchange().base(), &Filling { vars: &vars, sending: self.sending, record: None })
    }

    /// Sends a request that writes.
    pub(crate) async fn write(&self, request: &Request, given: &Json) -> Result<Option<Answer>> {
        self.exchange().write(Some(self.kind), request, self.fill(request, given)?, None).await
    }

    /// Carries the steps before the create out.
    ///
    /// # Errors
    /// What the first one says that is refused, as [`Sender::undone`] gives it.
    pub(crate) async fn through(&self, steps: &mut Steps<'_, Request, Pointer>) -> Result<()> {
        while let Some(step) = steps.due() {
            match self.step(step, &steps.given()).await {
                Ok(stepped) => steps.note(stepped),
                Err(error) => return Err(self.undone(steps, error).await),
            }
        }
        Ok(())
    }

    async fn step(&self, step: &First<Request, Pointer>, given: &Json) -> Result<Stepped> {
        if let Some((look, found)) = step.look.as_ref().filter(|_| !self.cx.dry_run) {
            match self.exchange().read(Some(self.kind), look, self.fill(look, given)?).await {
                Ok(answer) => {
                    if let Some(found) = found.read(&answer.body).and_then(text_of).filter(|found| !found.is_empty()) {
                        return Ok(Stepped::Found(found));
                    }
                }
                Err(error) if error.class == Class::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        let answer = self.write(&step.request, given).await?;
        Ok(Stepped::Done(answer.and_then(|answer| answered_id(step.gives.as_ref(), &answer))))
    }

    /// Takes back what the steps did, because of this error.
    pub(crate) async fn undone(&self, steps: &mut Steps<'_, Request, Pointer>, mut error: ConnError) -> ConnError {
        let given = steps.given();
        while let Some((step, undo)) = steps.to_undo(&error) {
            error = undone(error, step, self.write(undo, &given).await.map(drop));
        }
        error
    }
}
