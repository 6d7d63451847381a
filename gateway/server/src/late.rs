//! A target that cannot be opened yet must not keep the others from being served: it is opened by the first call that can.

use async_trait::async_trait;
use connector_spi::{
    AccountState, Attrs, Batcher, Change, Connector, Created, Ctx, Discoverer, EffectFacet, Entitlement, ErasedType,
    Health, Host, Kind, Lister, NativeId, Passwords, Record, Result, Syncer, TargetSchema, Tickets, Updated, Value,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Opens a connector; where that fails, one that tries again with each call and fails with the same error until it succeeds.
pub async fn open(
    kind: Arc<dyn ErasedType>,
    settings: serde_json::Value,
    host: Arc<dyn Host>,
    target: &str,
) -> Arc<dyn Connector> {
    let late = Late { kind, settings, host, opened: OnceCell::new() };
    match late.opened().await {
        Ok(connector) => Arc::clone(connector),
        Err(error) => {
            tracing::error!(name = target, %error, "The target cannot be opened; it is tried again.");
            Arc::new(late)
        }
    }
}

struct Late {
    kind: Arc<dyn ErasedType>,
    settings: serde_json::Value,
    host: Arc<dyn Host>,
    opened: OnceCell<Arc<dyn Connector>>,
}

impl Late {
    async fn opened(&self) -> Result<&Arc<dyn Connector>> {
        self.opened.get_or_try_init(|| self.kind.open_json(self.settings.clone(), Arc::clone(&self.host))).await
    }

    fn now(&self) -> Option<&dyn Connector> {
        self.opened.get().map(AsRef::as_ref)
    }
}

#[async_trait]
impl Connector for Late {
    async fn check(&self, cx: &Ctx) -> Result<Health> {
        self.opened().await?.check(cx).await
    }
    async fn schema(&self, cx: &Ctx) -> Result<TargetSchema> {
        self.opened().await?.schema(cx).await
    }
    async fn get(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Option<Record>> {
        self.opened().await?.get(cx, kind, id).await
    }
    async fn find(&self, cx: &Ctx, kind: &Kind, key: &BTreeMap<String, Value>) -> Result<Vec<Record>> {
        self.opened().await?.find(cx, kind, key).await
    }
    async fn create(
        &self,
        cx: &Ctx,
        kind: &Kind,
        attrs: &Attrs,
        state: AccountState,
        entitlements: &[Entitlement],
    ) -> Result<Created> {
        self.opened().await?.create(cx, kind, attrs, state, entitlements).await
    }
    async fn update(&self, cx: &Ctx, kind: &Kind, id: &NativeId, change: &Change) -> Result<Updated> {
        self.opened().await?.update(cx, kind, id, change).await
    }
    async fn delete(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        self.opened().await?.delete(cx, kind, id).await
    }
    fn lister(&self) -> Option<&dyn Lister> {
        self.now()?.lister()
    }
    fn syncer(&self) -> Option<&dyn Syncer> {
        self.now()?.syncer()
    }
    fn batcher(&self) -> Option<&dyn Batcher> {
        self.now()?.batcher()
    }
    fn passwords(&self) -> Option<&dyn Passwords> {
        self.now()?.passwords()
    }
    fn discoverer(&self) -> Option<&dyn Discoverer> {
        self.now()?.discoverer()
    }
    fn effect(&self) -> Option<&dyn EffectFacet> {
        self.now()?.effect()
    }
    fn tickets(&self) -> Option<&dyn Tickets> {
        self.now()?.tickets()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::host::TargetHost;
    use connector_spi::{ConnError, ConnectorType, Erase};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;
    use tokio::time::Instant;

    static READY: AtomicBool = AtomicBool::new(false);

    /// Cannot be opened until it is ready, and then knows one kind.
    struct Slow;
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Nothing {}
    #[async_trait]
    impl ConnectorType for Slow {
        type Config = Nothing;
        const NAME: &'static str = "slow";
        async fn open(_: Nothing, _: Arc<dyn Host>) -> Result<Arc<dyn Connector>> {
            if READY.load(Ordering::SeqCst) {
                Ok(Arc::new(Empty))
            } else {
                Err(ConnError::config("no certificate yet"))
            }
        }
    }
    struct Empty;
    #[async_trait]
    impl Connector for Empty {
        async fn check(&self, _: &Ctx) -> Result<Health> {
            Err(ConnError::unsupported("an empty target says nothing"))
        }
        async fn schema(&self, _: &Ctx) -> Result<TargetSchema> {
            Ok(TargetSchema { revision: "1".to_owned(), kinds: BTreeMap::new() })
        }
        async fn get(&self, _: &Ctx, _: &Kind, _: &NativeId) -> Result<Option<Record>> {
            Ok(None)
        }
        async fn find(&self, _: &Ctx, _: &Kind, _: &BTreeMap<String, Value>) -> Result<Vec<Record>> {
            Ok(Vec::new())
        }
        async fn create(&self, _: &Ctx, _: &Kind, _: &Attrs, _: AccountState, _: &[Entitlement]) -> Result<Created> {
            Err(ConnError::unsupported("an empty target takes nothing"))
        }
        async fn update(&self, _: &Ctx, _: &Kind, _: &NativeId, _: &Change) -> Result<Updated> {
            Err(ConnError::unsupported("an empty target takes nothing"))
        }
        async fn delete(&self, _: &Ctx, _: &Kind, _: &NativeId) -> Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_target_that_could_not_be_opened_is_opened_by_a_later_call() {
        let host: Arc<dyn Host> = Arc::new(TargetHost::new("slow", None));
        let cx = Ctx::new("op", Instant::now() + Duration::from_secs(5), Arc::clone(&host));
        let connector = open(Arc::new(Erase::<Slow>::new()), serde_json::json!({}), host, "slow").await;

        let early = connector.schema(&cx).await.unwrap_err();
        READY.store(true, Ordering::SeqCst);
        let later = connector.schema(&cx).await.unwrap();

        assert_eq!(early.message, "no certificate yet");
        assert_eq!(later.revision, "1");
    }
}
