//! What all five layers share: the contract forwarded once, so that a layer is one function.

use async_trait::async_trait;
use connector_spi::{
    AccountState, Attrs, BatchOp, Batcher, Change, Class, ConnError, Connector, Created, Ctx, Cursor, Discoverer,
    EffectFacet, Effective, Entitlement, Health, Kind, Lister, NativeId, Op, Outcome, Page, Passwords, Record, Result,
    Secret, SyncEvent, SyncToken, Syncer, TargetSchema, TicketState, Tickets, Updated, Value,
};
use futures_util::future::BoxFuture;
use std::{collections::BTreeMap, future::Future, sync::Arc};

/// One call on its way in, with as much of its arguments as a layer may judge by.
#[derive(Clone)]
pub(crate) struct Call<'a> {
    pub cx: Ctx,
    pub op: Op,
    pub kind: Option<&'a Kind>,
    pub change: Option<&'a Change>,
    pub batch: &'a [BatchOp],
}

/// Finds the error that says something about the target in an answer that is itself a success: a batch has many.
pub(crate) type Judge<T> = fn(&T) -> Option<&ConnError>;

/// What one layer does with a call.
pub(crate) trait Around: Send + Sync + 'static {
    /// The connector inside.
    fn inner(&self) -> &Arc<dyn Connector>;

    /// Runs `work`, or does not. Only reads may be run more than once.
    fn run<'a, T, F>(&'a self, call: Call<'a>, judge: Judge<T>, work: F) -> impl Future<Output = Result<T>> + Send + 'a
    where
        T: Send + 'a,
        F: Fn(Ctx) -> BoxFuture<'a, Result<T>> + Send + Sync + 'a;

    /// Sees every schema that passes, and may narrow it.
    fn narrow(&self, schema: TargetSchema) -> TargetSchema {
        schema
    }
}

/// A connector inside one layer.
pub(crate) struct Layer<A>(pub A);

/// One call through the layer: `through!(self, cx, Op::Get, kind, |inner| inner.get(kind, id))`, where `cx` is put first among
/// the arguments of the inner call.
macro_rules! through {
    ($self:ident, $call:expr, $inner:ident . $method:ident ( $($arg:expr),* )) => {
        $self.0.run($call, |_| None, move |cx| {
            let $inner = $self.0.inner();
            Box::pin(async move { $inner.$method(&cx, $($arg),*).await })
        }).await
    };
    ($self:ident, $call:expr, $facet:ident of $inner:ident . $method:ident ( $($arg:expr),* )) => {
        $self.0.run($call, |_| None, move |cx| {
            let $inner = $self.0.inner();
            Box::pin(async move {
                match $inner.$facet() {
                    Some(facet) => facet.$method(&cx, $($arg),*).await,
                    None => Err(absent(stringify!($facet))),
                }
            })
        }).await
    };
}

fn call<'a>(cx: &Ctx, op: Op, kind: Option<&'a Kind>) -> Call<'a> {
    Call { cx: cx.clone(), op, kind, change: None, batch: &[] }
}

fn absent(facet: &str) -> ConnError {
    ConnError::unsupported(format!("the connector has no {facet}"))
}

#[async_trait]
impl<A: Around> Connector for Layer<A> {
    async fn check(&self, cx: &Ctx) -> Result<Health> {
        through!(self, call(cx, Op::Check, None), inner.check())
    }
    async fn schema(&self, cx: &Ctx) -> Result<TargetSchema> {
        let schema = through!(self, call(cx, Op::Schema, None), inner.schema());
        schema.map(|schema| self.0.narrow(schema))
    }
    async fn get(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Option<Record>> {
        through!(self, call(cx, Op::Get, Some(kind)), inner.get(kind, id))
    }
    async fn find(&self, cx: &Ctx, kind: &Kind, key: &BTreeMap<String, Value>) -> Result<Vec<Record>> {
        through!(self, call(cx, Op::Find, Some(kind)), inner.find(kind, key))
    }
    async fn create(
        &self,
        cx: &Ctx,
        kind: &Kind,
        attrs: &Attrs,
        state: AccountState,
        entitlements: &[Entitlement],
    ) -> Result<Created> {
        through!(self, call(cx, Op::Create, Some(kind)), inner.create(kind, attrs, state, entitlements))
    }
    async fn update(&self, cx: &Ctx, kind: &Kind, id: &NativeId, change: &Change) -> Result<Updated> {
        let call = Call { change: Some(change), ..call(cx, Op::Update, Some(kind)) };
        through!(self, call, inner.update(kind, id, change))
    }
    async fn delete(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        through!(self, call(cx, Op::Delete, Some(kind)), inner.delete(kind, id))
    }
    fn lister(&self) -> Option<&dyn Lister> {
        self.0.inner().lister().map(|_| self as &dyn Lister)
    }
    fn syncer(&self) -> Option<&dyn Syncer> {
        self.0.inner().syncer().map(|_| self as &dyn Syncer)
    }
    fn batcher(&self) -> Option<&dyn Batcher> {
        self.0.inner().batcher().map(|_| self as &dyn Batcher)
    }
    fn passwords(&self) -> Option<&dyn Passwords> {
        self.0.inner().passwords().map(|_| self as &dyn Passwords)
    }
    fn discoverer(&self) -> Option<&dyn Discoverer> {
        self.0.inner().discoverer().map(|_| self as &dyn Discoverer)
    }
    fn effect(&self) -> Option<&dyn EffectFacet> {
        self.0.inner().effect().map(|_| self as &dyn EffectFacet)
    }
    fn tickets(&self) -> Option<&dyn Tickets> {
        self.0.inner().tickets().map(|_| self as &dyn Tickets)
    }
}

#[async_trait]
impl<A: Around> Lister for Layer<A> {
    async fn list(&self, cx: &Ctx, kind: &Kind, cursor: Option<&Cursor>, size: u32) -> Result<Page<Record>> {
        through!(self, call(cx, Op::List, Some(kind)), lister of inner.list(kind, cursor, size))
    }
}

#[async_trait]
impl<A: Around> Syncer for Layer<A> {
    async fn latest(&self, cx: &Ctx, kind: &Kind) -> Result<SyncToken> {
        through!(self, call(cx, Op::Latest, Some(kind)), syncer of inner.latest(kind))
    }
    async fn changes(&self, cx: &Ctx, kind: &Kind, token: &SyncToken) -> Result<(Vec<SyncEvent>, SyncToken)> {
        through!(self, call(cx, Op::Changes, Some(kind)), syncer of inner.changes(kind, token))
    }
}

#[async_trait]
impl<A: Around> Batcher for Layer<A> {
    async fn apply(&self, cx: &Ctx, ops: &[BatchOp]) -> Vec<Result<Outcome>> {
        let call = Call { batch: ops, ..call(cx, Op::Apply, None) };
        let whole = self.0.run(call, worst_of_batch, move |cx| {
            let inner = self.0.inner();
            Box::pin(async move {
                match inner.batcher() {
                    Some(batcher) => Ok(batcher.apply(&cx, ops).await),
                    None => Err(absent("batcher")),
                }
            })
        });
        whole.await.unwrap_or_else(|error| vec![Err(error); ops.len()])
    }
}

/// The first error of a batch that speaks of the target and not of one item.
#[allow(clippy::ptr_arg)] // A `Judge` of the very type that a batch answers with.
fn worst_of_batch(answers: &Vec<Result<Outcome>>) -> Option<&ConnError> {
    answers.iter().filter_map(|answer| answer.as_ref().err()).find(|error| match error.class {
        Class::Transient | Class::Throttled | Class::Timeout | Class::Unknown | Class::Auth | Class::Config => true,
        Class::AlreadyExists
        | Class::NotFound
        | Class::Conflict
        | Class::StaleVersion
        | Class::Invalid
        | Class::Forbidden
        | Class::Unsupported
        | Class::Permanent => false,
    })
}

#[async_trait]
impl<A: Around> Passwords for Layer<A> {
    async fn set_password(&self, cx: &Ctx, kind: &Kind, id: &NativeId, password: &Secret) -> Result<()> {
        let call = call(cx, Op::SetPassword, Some(kind));
        through!(self, call, passwords of inner.set_password(kind, id, password))
    }
}

#[async_trait]
impl<A: Around> Discoverer for Layer<A> {
    async fn discover(&self, cx: &Ctx) -> Result<BTreeMap<String, Vec<String>>> {
        through!(self, call(cx, Op::Discover, None), discoverer of inner.discover())
    }
}

#[async_trait]
impl<A: Around> EffectFacet for Layer<A> {
    async fn effective(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Effective> {
        through!(self, call(cx, Op::Effective, Some(kind)), effect of inner.effective(kind, id))
    }
    async fn revoke_sessions(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        through!(self, call(cx, Op::RevokeSessions, Some(kind)), effect of inner.revoke_sessions(kind, id))
    }
}

#[async_trait]
impl<A: Around> Tickets for Layer<A> {
    async fn ticket(&self, cx: &Ctx, kind: &Kind, ticket: &str) -> Result<TicketState> {
        through!(self, call(cx, Op::Ticket, Some(kind)), tickets of inner.ticket(kind, ticket))
    }
}

/// The error by which an outcome is judged, if any.
pub(crate) fn verdict<T>(outcome: &Result<T>, judge: Judge<T>) -> Option<&ConnError> {
    match outcome {
        Ok(answer) => judge(answer),
        Err(error) => Some(error),
    }
}
