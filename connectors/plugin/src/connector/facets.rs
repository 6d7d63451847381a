//! The facets, forwarded.

use super::PluginConnector;
use crate::answers;
use async_trait::async_trait;
use chartgate_plugin::wire::{Applied, Apply, Changed, Changes, Done, Latest, List, One, Plain, SetPassword, Ticket};
use connector_spi::{
    BatchOp, Batcher, ConnError, Ctx, Cursor, Discoverer, Effect, EffectFacet, Effective, Kind, Lister, NativeId, Op,
    Outcome, Page, Passwords, Record, Result, Secret, SyncEvent, SyncToken, Syncer, TicketState, Tickets,
};
use std::{borrow::Cow, collections::BTreeMap};

#[async_trait]
impl Lister for PluginConnector {
    async fn list(&self, cx: &Ctx, kind: &Kind, cursor: Option<&Cursor>, size: u32) -> Result<Page<Record>> {
        let params = |cx| List { cx, kind: Cow::Borrowed(kind), cursor: cursor.map(Cow::Borrowed), size };
        let page: Page<Record> = self.call(cx, Op::List, params).await?;
        self.believe(Op::List, answers::listed(kind, cursor, size, &page))?;
        Ok(page)
    }
}

#[async_trait]
impl Syncer for PluginConnector {
    async fn latest(&self, cx: &Ctx, kind: &Kind) -> Result<SyncToken> {
        self.call(cx, Op::Latest, |cx| Latest { cx, kind: Cow::Borrowed(kind) }).await
    }

    async fn changes(&self, cx: &Ctx, kind: &Kind, token: &SyncToken) -> Result<(Vec<SyncEvent>, SyncToken)> {
        let params = |cx| Changes { cx, kind: Cow::Borrowed(kind), token: Cow::Borrowed(token) };
        let Changed { events, token } = self.call(cx, Op::Changes, params).await?;
        self.believe(Op::Changes, answers::changed(kind, &events))?;
        Ok((events, token))
    }
}

#[async_trait]
impl Batcher for PluginConnector {
    async fn apply(&self, cx: &Ctx, ops: &[BatchOp]) -> Vec<std::result::Result<Outcome, ConnError>> {
        let answer = self.call(cx, Op::Apply, |cx| Apply { cx, ops: Cow::Borrowed(ops) }).await;
        let outcomes = answer.map(|all: Vec<Applied>| all.into_iter().map(Into::into).collect::<Vec<_>>());
        let outcomes = outcomes.and_then(|mut outcomes| {
            self.believe(Op::Apply, answers::applied(ops, &outcomes))?;
            for outcome in &mut outcomes {
                match outcome {
                    Ok(Outcome::Created(made)) => self.tidy(&mut made.warnings, &mut made.failed),
                    Ok(Outcome::Updated(made)) => self.tidy(&mut made.warnings, &mut made.failed),
                    Err(error) => *error = self.keeper.clean(error.clone()),
                }
            }
            Ok(outcomes)
        });
        outcomes.unwrap_or_else(|error| {
            // Of a batch that failed as a whole each item failed the same way: nobody knows, or nothing was done.
            let each = match error.effect {
                Effect::None => error,
                Effect::Partial | Effect::Maybe => ConnError::unknown(error.message),
            };
            ops.iter().map(|_| Err(each.clone())).collect()
        })
    }
}

#[async_trait]
impl Passwords for PluginConnector {
    async fn set_password(&self, cx: &Ctx, kind: &Kind, id: &NativeId, password: &Secret) -> Result<()> {
        let params = |cx| SetPassword {
            cx,
            kind: Cow::Borrowed(kind),
            id: Cow::Borrowed(id),
            password: Cow::Borrowed(password.expose()),
        };
        self.call(cx, Op::SetPassword, params).await.map(|Done {}| ())
    }
}

#[async_trait]
impl Discoverer for PluginConnector {
    async fn discover(&self, cx: &Ctx) -> Result<BTreeMap<String, Vec<String>>> {
        self.call(cx, Op::Discover, |cx| Plain { cx }).await
    }
}

#[async_trait]
impl EffectFacet for PluginConnector {
    async fn effective(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Effective> {
        let params = |cx| One { cx, kind: Cow::Borrowed(kind), id: Cow::Borrowed(id) };
        let mut effective: Effective = self.call(cx, Op::Effective, params).await?;
        self.tidy(&mut effective.why, &mut []);
        Ok(effective)
    }

    async fn revoke_sessions(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        let params = |cx| One { cx, kind: Cow::Borrowed(kind), id: Cow::Borrowed(id) };
        self.call(cx, Op::RevokeSessions, params).await.map(|Done {}| ())
    }
}

#[async_trait]
impl Tickets for PluginConnector {
    async fn ticket(&self, cx: &Ctx, kind: &Kind, ticket: &str) -> Result<TicketState> {
        let params = |cx| Ticket { cx, kind: Cow::Borrowed(kind), ticket: Cow::Borrowed(ticket) };
        Ok(match self.call(cx, Op::Ticket, params).await? {
            TicketState::Refused(error) => TicketState::Refused(self.keeper.clean(error)),
            told @ (TicketState::Open | TicketState::Done { .. }) => told,
        })
    }
}
