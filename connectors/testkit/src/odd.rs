//! A connector that is another one but for what a test says of it.

use async_trait::async_trait;
use connector_spi::{
    AccountState, Attrs, Change, Connector, Created, Ctx, EffectFacet, Entitlement, Health, Kind, NativeId, Record,
    Result, TargetSchema, Tickets, Updated, Value,
};
use std::{collections::BTreeMap, sync::Arc};

/// What is odd about a connector: whatever is not said here is as in the one inside.
#[async_trait]
pub trait Oddity: Send + Sync + 'static {
    /// What it says of the target.
    fn schema(&self, inside: TargetSchema) -> TargetSchema {
        inside
    }

    /// How it makes a record.
    ///
    /// # Errors
    /// As [`Connector::create`].
    async fn create(
        &self,
        inside: &dyn Connector,
        cx: &Ctx,
        kind: &Kind,
        attrs: &Attrs,
        state: AccountState,
        entitlements: &[Entitlement],
    ) -> Result<Created> {
        inside.create(cx, kind, attrs, state, entitlements).await
    }

    /// How it changes one.
    ///
    /// # Errors
    /// As [`Connector::update`].
    async fn update(
        &self,
        inside: &dyn Connector,
        cx: &Ctx,
        kind: &Kind,
        id: &NativeId,
        change: &Change,
    ) -> Result<Updated> {
        inside.update(cx, kind, id, change).await
    }

    /// What it says of work that it took on.
    fn tickets<'a>(&'a self, inside: &'a dyn Connector) -> Option<&'a dyn Tickets> {
        inside.tickets()
    }
}

/// A connector with an oddity.
pub struct Odd<O> {
    inside: Arc<dyn Connector>,
    oddity: O,
}

impl<O: Oddity> Odd<O> {
    /// Puts the oddity around a connector.
    pub fn around(inside: Arc<dyn Connector>, oddity: O) -> Arc<dyn Connector> {
        Arc::new(Self { inside, oddity })
    }
}

#[async_trait]
impl<O: Oddity> Connector for Odd<O> {
    async fn check(&self, cx: &Ctx) -> Result<Health> {
        self.inside.check(cx).await
    }
    async fn schema(&self, cx: &Ctx) -> Result<TargetSchema> {
        Ok(self.oddity.schema(self.inside.schema(cx).await?))
    }
    async fn get(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Option<Record>> {
        self.inside.get(cx, kind, id).await
    }
    async fn find(&self, cx: &Ctx, kind: &Kind, key: &BTreeMap<String, Value>) -> Result<Vec<Record>> {
        self.inside.find(cx, kind, key).await
    }
    async fn create(
        &self,
        cx: &Ctx,
        kind: &Kind,
        attrs: &Attrs,
        state: AccountState,
        entitlements: &[Entitlement],
    ) -> Result<Created> {
        self.oddity.create(self.inside.as_ref(), cx, kind, attrs, state, entitlements).await
    }
    async fn update(&self, cx: &Ctx, kind: &Kind, id: &NativeId, change: &Change) -> Result<Updated> {
        self.oddity.update(self.inside.as_ref(), cx, kind, id, change).await
    }
    async fn delete(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        self.inside.delete(cx, kind, id).await
    }
    fn effect(&self) -> Option<&dyn EffectFacet> {
        self.inside.effect()
    }
    fn tickets(&self) -> Option<&dyn Tickets> {
        self.oddity.tickets(self.inside.as_ref())
    }
}
