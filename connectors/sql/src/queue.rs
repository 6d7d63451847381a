//! Changes that the target works off a table of requests.

use crate::{
    config::On,
    connector::SqlConnector,
    database::{Bound, Purpose},
    plan::KindPlan,
    record::cannot,
    transaction::{Args, Tx},
    value,
};
use async_trait::async_trait;
use connector_spi::{Class, ConnError, Ctx, Effect, Kind, NativeId, Pending, Result, TicketState, Tickets};
use std::time::Duration;

/// What is said of a change that was put into the queue: its ticket is the change's own id. `None` where the kind has no queue.
pub(crate) fn taken_on(kind: &KindPlan, cx: &Ctx) -> Option<Pending> {
    let queue = kind.config.queue.as_ref()?;
    let poll_after = Duration::from_secs(u64::from(queue.poll_after_seconds));
    Some(Pending { ticket: cx.op_id.to_string(), poll_after })
}

#[async_trait]
impl Tickets for SqlConnector {
    async fn ticket(&self, cx: &Ctx, kind: &Kind, ticket: &str) -> Result<TicketState> {
        let kind = self.kind(kind)?;
        let named = kind.ticket.as_ref().ok_or_else(|| cannot(kind, "be asked about by a ticket"))?;
        let mut tx = Tx::begin(self, cx, Purpose::Read).await?;
        let more = vec![("ticket", Bound::Text(Some(ticket.to_owned())))];
        let done = tx.run(On::Read, kind, named, &Args { more, ..Args::default() }, 2).await?;
        tx.rollback().await;
        let row = match done.rows.as_slice() {
            [] => return Err(ConnError::not_found(format!("{} knows no such request", named.label))),
            [row] => row,
            _ => {
                let message = format!("{} answers with several rows", named.label);
                return Err(ConnError::permanent(message).effect(Effect::None));
            }
        };
        let text = |column: &str| row.get(column).and_then(value::text).filter(|text| !text.is_empty());
        match text("state").as_deref() {
            Some("open") => Ok(TicketState::Open),
            Some("done") => Ok(TicketState::Done { id: text("id").map(NativeId) }),
            Some("refused") => {
                let class = text("class").and_then(|name| Class::ALL.into_iter().find(|class| class.name() == name));
                let error = ConnError::new(class.unwrap_or(Class::Permanent), "the target did not carry out a request");
                let error = text("attribute").into_iter().fold(error, ConnError::attribute);
                Ok(TicketState::Refused(text("code").into_iter().fold(error, ConnError::code).effect(Effect::None)))
            }
            Some(_) | None => {
                Err(ConnError::config(format!("{} shows no state of open, done or refused", named.label)))
            }
        }
    }
}
