//! Carrying out a call that is written in a file.

use crate::{Call, Circumstances};
use connector_spi::{ConnError, Connector, Ctx, Host, Op, Result};
use serde::Serialize;
use serde_json::Value as Json;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// What a call gave: its result in the contract's own form (null for nothing), or its error.
pub type Answer = std::result::Result<Json, ConnError>;

impl Call {
    /// Which call of the contract it is.
    #[must_use]
    pub fn op(&self) -> Op {
        match self {
            Call::Check {} => Op::Check,
            Call::Get { .. } => Op::Get,
            Call::Find { .. } => Op::Find,
            Call::Create { .. } => Op::Create,
            Call::Update { .. } => Op::Update,
            Call::Delete { .. } => Op::Delete,
            Call::List { .. } => Op::List,
            Call::Changes { .. } => Op::Changes,
            Call::Effective { .. } => Op::Effective,
            Call::RevokeSessions { .. } => Op::RevokeSessions,
            Call::Ticket { .. } => Op::Ticket,
        }
    }
}

impl Circumstances {
    /// The context of a call that may take this long.
    #[must_use]
    pub fn ctx(&self, limit: Duration, host: Arc<dyn Host>) -> Ctx {
        let mut cx = Ctx::new(self.op_id.as_str(), Instant::now() + limit, host);
        cx.attempt = self.attempt;
        cx.leaver = self.leaver;
        cx.dry_run = self.dry_run;
        cx
    }
}

/// Carries a call out.
///
/// # Errors
/// What the connector says; `Unsupported` where it has no such facet.
pub async fn carry_out(connector: &dyn Connector, cx: &Ctx, call: &Call) -> Answer {
    let missing = || ConnError::unsupported(format!("the connector has no {}", call.op()));
    match call {
        Call::Check {} => said(connector.check(cx).await),
        Call::Get { kind, id } => said(connector.get(cx, kind, id).await),
        Call::Find { kind, key } => said(connector.find(cx, kind, key).await),
        Call::Create { kind, attrs, state, entitlements } => {
            said(connector.create(cx, kind, attrs, *state, entitlements).await)
        }
        Call::Update { kind, id, change } => said(connector.update(cx, kind, id, change).await),
        Call::Delete { kind, id } => said(connector.delete(cx, kind, id).await),
        Call::List { kind, cursor, size } => {
            let lister = connector.lister().ok_or_else(missing)?;
            said(lister.list(cx, kind, cursor.as_ref(), *size).await)
        }
        Call::Changes { kind, token } => {
            let syncer = connector.syncer().ok_or_else(missing)?;
            said(syncer.changes(cx, kind, token).await)
        }
        Call::Effective { kind, id } => {
            let effect = connector.effect().ok_or_else(missing)?;
            said(effect.effective(cx, kind, id).await)
        }
        Call::RevokeSessions { kind, id } => {
            let effect = connector.effect().ok_or_else(missing)?;
            said(effect.revoke_sessions(cx, kind, id).await)
        }
        Call::Ticket { kind, ticket } => {
            let tickets = connector.tickets().ok_or_else(missing)?;
            said(tickets.ticket(cx, kind, ticket).await)
        }
    }
}

fn said<T: Serialize>(outcome: Result<T>) -> Answer {
    serde_json::to_value(outcome?).map_err(|error| ConnError::unknown(format!("the result cannot be written: {error}")))
}
