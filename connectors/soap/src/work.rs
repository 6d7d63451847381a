//! Work that a target does not finish in one answer: what it takes on, and creates of several steps.

use crate::{
    config::Place,
    connector::{SoapConnector, unsupported},
    error,
    exchange::Answer,
    fault::said,
    record::Reader,
    request::Request,
    template::Filling,
};
use async_trait::async_trait;
use connector_declared::{First, Stepped, Steps, undone};
use connector_spi::{Class, ConnError, Ctx, Kind, NativeId, Pending, Result, TicketState, Tickets};
use serde_json::{Value as Json, json};
use std::time::Duration;

/// What an answer says of work that was taken on; `None` when it is an answer of work that is done.
pub(crate) fn taken_on(reader: &Reader, request: &Request, answer: &Answer) -> Option<Pending> {
    let config = request.config.taken_on.as_ref()?;
    let ticket = || config.ticket.as_ref().and_then(|at| reader.text(at, &answer.payload)).unwrap_or_default();
    let usual = Duration::from_secs(u64::from(config.poll_after_seconds));
    let says = reader.holds(&config.when, &answer.payload);
    says.then(|| Pending { ticket: ticket(), poll_after: answer.wait.unwrap_or(usual) })
}

#[async_trait]
impl Tickets for SoapConnector {
    async fn ticket(&self, cx: &Ctx, kind: &Kind, ticket: &str) -> Result<TicketState> {
        let kind = self.kind(kind)?;
        let (Some(request), Some(config)) = (&kind.ticket, &kind.config.ticket) else {
            return Err(unsupported(kind, "be asked about by a ticket"));
        };
        let filling = Filling::new(json!({"ticket": ticket, "op": &*cx.op_id, "leaver": cx.leaver}));
        let answer = self.exchange(cx).read(request, &filling).await?;
        let reader = &self.plan.reader;
        if reader.holds(&config.done, &answer.payload) {
            let id = config.id.as_ref().and_then(|at| reader.text(at, &answer.payload));
            return Ok(TicketState::Done { id: id.filter(|id| !id.is_empty()).map(NativeId) });
        }
        Ok(match &config.refused {
            Some(refused) if reader.holds(refused, &answer.payload) => {
                let version = self.exchange(cx).version(request)?;
                let said = said(&self.plan.errors, &reader.names, version, &answer.payload, false);
                TicketState::Refused(error::declined(&self.plan.errors, request, said))
            }
            Some(_) | None => TicketState::Open,
        })
    }
}

/// Sends the requests of a create.
pub(crate) struct Sender<'a> {
    pub(crate) connector: &'a SoapConnector,
    pub(crate) cx: &'a Ctx,
    /// The variables of the create, without those of the steps.
    pub(crate) filling: Filling,
}

impl Sender<'_> {
    /// Sends a request that writes, with what the steps gave.
    pub(crate) async fn write(&self, request: &Request, given: &Json) -> Result<Option<Answer>> {
        self.connector.exchange(self.cx).write(request, &self.filling.with([("steps", given.clone())])).await
    }

    /// Carries the steps before the create out.
    ///
    /// # Errors
    /// What the first one says that is refused, as [`Sender::undone`] gives it.
    pub(crate) async fn through(&self, steps: &mut Steps<'_, Request, Place>) -> Result<()> {
        while let Some(step) = steps.due() {
            match self.step(step, &steps.given()).await {
                Ok(stepped) => steps.note(stepped),
                Err(error) => return Err(self.undone(steps, error).await),
            }
        }
        Ok(())
    }

    async fn step(&self, step: &First<Request, Place>, given: &Json) -> Result<Stepped> {
        let text = |at: &Place, answer: &Answer| {
            self.connector.plan.reader.text(at, &answer.payload).filter(|text| !text.is_empty())
        };
        if let Some((look, found)) = step.look.as_ref().filter(|_| !self.cx.dry_run) {
            let filling = self.filling.with([("steps", given.clone())]);
            match self.connector.exchange(self.cx).read(look, &filling).await {
                Ok(answer) => {
                    if let Some(found) = text(found, &answer) {
                        return Ok(Stepped::Found(found));
                    }
                }
                Err(error) if error.class == Class::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        let answer = self.write(&step.request, given).await?;
        Ok(Stepped::Done(answer.zip(step.gives.as_ref()).and_then(|(answer, at)| text(at, &answer))))
    }

    /// Takes back what the steps did, because of this error.
    pub(crate) async fn undone(&self, steps: &mut Steps<'_, Request, Place>, mut error: ConnError) -> ConnError {
        let given = steps.given();
        while let Some((step, undo)) = steps.to_undo(&error) {
            error = undone(error, step, self.write(undo, &given).await.map(drop));
        }
        error
    }
}
