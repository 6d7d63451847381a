//! The calls of the contract, from the wire to the trait.

use super::{Outcome, contract, ctx, read, refusal, tell};
use crate::{
    far::FarHost,
    wire::{
        Applied, Apply, CODE_NO_METHOD, CallCx, Changed, Changes, Create, Done, Find, Latest, List, One, Plain,
        SetPassword, Ticket, Update,
    },
};
use connector_spi::{ConnError, Connector, Ctx, Effect, Op, Secret};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::timeout_at;

/// Carries one call out, within its deadline.
pub(super) async fn carry_out(connector: &dyn Connector, host: &FarHost, op: Op, params: &RawValue) -> Outcome {
    let cx = |cx: &CallCx<'_>| ctx(host, cx);
    match op {
        Op::Check => {
            let Plain { cx: with } = read(params)?;
            let cx = cx(&with);
            within(op, &cx, connector.check(&cx)).await
        }
        Op::Schema => {
            let Plain { cx: with } = read(params)?;
            let cx = cx(&with);
            within(op, &cx, connector.schema(&cx)).await
        }
        Op::Get => {
            let One { cx: with, kind, id } = read(params)?;
            let cx = cx(&with);
            within(op, &cx, connector.get(&cx, &kind, &id)).await
        }
        Op::Find => {
            let Find { cx: with, kind, key } = read(params)?;
            let cx = cx(&with);
            within(op, &cx, connector.find(&cx, &kind, &key)).await
        }
        Op::Create => {
            let Create { cx: with, kind, attrs, state, entitlements } = read(params)?;
            let cx = cx(&with);
            within(op, &cx, connector.create(&cx, &kind, &attrs, state, &entitlements)).await
        }
        Op::Update => {
            let Update { cx: with, kind, id, change } = read(params)?;
            let cx = cx(&with);
            within(op, &cx, connector.update(&cx, &kind, &id, &change)).await
        }
        Op::Delete => {
            let One { cx: with, kind, id } = read(params)?;
            let cx = cx(&with);
            within(op, &cx, done(connector.delete(&cx, &kind, &id))).await
        }
        Op::List
        | Op::Latest
        | Op::Changes
        | Op::Apply
        | Op::SetPassword
        | Op::Discover
        | Op::Effective
        | Op::RevokeSessions
        | Op::Ticket => of_a_facet(connector, host, op, params).await,
    }
}

async fn of_a_facet(connector: &dyn Connector, host: &FarHost, op: Op, params: &RawValue) -> Outcome {
    let cx = |cx: &CallCx<'_>| ctx(host, cx);
    let missing = || refusal(CODE_NO_METHOD, "the connector does not have this facet");
    match op {
        Op::List => {
            let lister = connector.lister().ok_or_else(missing)?;
            let List { cx: with, kind, cursor, size } = read(params)?;
            let cx = cx(&with);
            within(op, &cx, lister.list(&cx, &kind, cursor.as_deref(), size)).await
        }
        Op::Latest => {
            let syncer = connector.syncer().ok_or_else(missing)?;
            let Latest { cx: with, kind } = read(params)?;
            let cx = cx(&with);
            within(op, &cx, syncer.latest(&cx, &kind)).await
        }
        Op::Changes => {
            let syncer = connector.syncer().ok_or_else(missing)?;
            let Changes { cx: with, kind, token } = read(params)?;
            let cx = cx(&with);
            let changes = async {
                let (events, token) = syncer.changes(&cx, &kind, &token).await?;
                Ok(Changed { events, token })
            };
            within(op, &cx, changes).await
        }
        Op::Apply => {
            let batcher = connector.batcher().ok_or_else(missing)?;
            let Apply { cx: with, ops } = read(params)?;
            let cx = cx(&with);
            let applied =
                async { Ok(batcher.apply(&cx, &ops).await.into_iter().map(Applied::from).collect::<Vec<_>>()) };
            within(op, &cx, applied).await
        }
        Op::SetPassword => {
            let passwords = connector.passwords().ok_or_else(missing)?;
            let SetPassword { cx: with, kind, id, password } = read(params)?;
            let (cx, password) = (cx(&with), Secret::new(password.into_owned()));
            within(op, &cx, done(passwords.set_password(&cx, &kind, &id, &password))).await
        }
        Op::Discover => {
            let discoverer = connector.discoverer().ok_or_else(missing)?;
            let Plain { cx: with } = read(params)?;
            let cx = cx(&with);
            within(op, &cx, discoverer.discover(&cx)).await
        }
        Op::Effective => {
            let effect = connector.effect().ok_or_else(missing)?;
            let One { cx: with, kind, id } = read(params)?;
            let cx = cx(&with);
            within(op, &cx, effect.effective(&cx, &kind, &id)).await
        }
        Op::RevokeSessions => {
            let effect = connector.effect().ok_or_else(missing)?;
            let One { cx: with, kind, id } = read(params)?;
            let cx = cx(&with);
            within(op, &cx, done(effect.revoke_sessions(&cx, &kind, &id))).await
        }
        Op::Ticket => {
            let tickets = connector.tickets().ok_or_else(missing)?;
            let Ticket { cx: with, kind, ticket } = read(params)?;
            let cx = cx(&with);
            within(op, &cx, tickets.ticket(&cx, &kind, &ticket)).await
        }
        Op::Check | Op::Schema | Op::Get | Op::Find | Op::Create | Op::Update | Op::Delete => Err(missing()),
    }
}

async fn done(work: impl Future<Output = connector_spi::Result<()>>) -> connector_spi::Result<Done> {
    work.await.map(|()| Done {})
}

/// The outcome on the wire; at the deadline the work is dropped.
async fn within<T: Serialize>(op: Op, cx: &Ctx, work: impl Future<Output = connector_spi::Result<T>>) -> Outcome {
    let effect = if op.writes() { Effect::Maybe } else { Effect::None };
    match timeout_at(cx.deadline, work).await {
        Ok(Ok(result)) => tell(&result),
        Ok(Err(error)) => Err(contract(&error)),
        Err(_elapsed) => Err(contract(&ConnError::timeout("no answer in time").effect(effect))),
    }
}
