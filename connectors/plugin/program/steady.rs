//! A target that answers at once and holds nothing: what is left to measure is the wire.

use async_trait::async_trait;
use connector_spi::{
    AccountState, Attrs, Change, ConnError, Connector, ConnectorType, Created, Ctx, Cursor, Entitlement, Health, Host,
    Kind, KindCaps, KindRole, KindSchema, Lister, NativeId, Page, Record, Result, TargetSchema, Updated, Value,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};

/// Attributes of each account, and accounts in all.
const ATTRIBUTES: u32 = 15;
const ACCOUNTS: u32 = 100_000;

/// None.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {}

/// The kind.
pub struct Steady;

#[async_trait]
impl ConnectorType for Steady {
    type Config = Settings;
    const NAME: &'static str = "steady";

    async fn open(_: Settings, _: Arc<dyn Host>) -> Result<Arc<dyn Connector>> {
        Ok(Arc::new(Steady))
    }
}

fn account(id: &str) -> Record {
    let attribute = |number| (format!("attribute{number:02}"), vec![Value::from(format!("Value {number} of {id}"))]);
    Record {
        kind: "account".into(),
        id: id.into(),
        natural_key: BTreeMap::from([("login".to_owned(), id.into())]),
        attrs: (0..ATTRIBUTES).map(attribute).collect(),
        state: AccountState::Enabled,
        entitlements: Some(vec![Entitlement::new("role", "nurse")]),
        incomplete: false,
        version: Some("1".to_owned()),
    }
}

#[async_trait]
impl Connector for Steady {
    async fn check(&self, _: &Ctx) -> Result<Health> {
        // Who it is, so that its memory can be read.
        Ok(Health { server: Some(std::process::id().to_string()), warnings: Vec::new() })
    }
    async fn schema(&self, _: &Ctx) -> Result<TargetSchema> {
        let kind = KindSchema {
            role: KindRole::Account,
            attrs: BTreeMap::new(),
            natural_keys: vec![vec!["login".to_owned()]],
            depends_on: Vec::new(),
            caps: KindCaps { list: true, update: true, ..KindCaps::default() },
            provenance: Default::default(),
        };
        Ok(TargetSchema { revision: "1".to_owned(), kinds: BTreeMap::from([(Kind::from("account"), kind)]) })
    }
    async fn get(&self, _: &Ctx, _: &Kind, id: &NativeId) -> Result<Option<Record>> {
        Ok(Some(account(id.as_str())))
    }
    async fn find(&self, _: &Ctx, _: &Kind, _: &BTreeMap<String, Value>) -> Result<Vec<Record>> {
        Ok(Vec::new())
    }
    async fn create(&self, _: &Ctx, _: &Kind, _: &Attrs, _: AccountState, _: &[Entitlement]) -> Result<Created> {
        Err(ConnError::unsupported("it holds nothing"))
    }
    async fn update(&self, _: &Ctx, _: &Kind, _: &NativeId, _: &Change) -> Result<Updated> {
        Ok(Updated::default())
    }
    async fn delete(&self, _: &Ctx, _: &Kind, _: &NativeId) -> Result<()> {
        Err(ConnError::unsupported("it holds nothing"))
    }
    fn lister(&self) -> Option<&dyn Lister> {
        Some(self)
    }
}

#[async_trait]
impl Lister for Steady {
    async fn list(&self, _: &Ctx, _: &Kind, cursor: Option<&Cursor>, size: u32) -> Result<Page<Record>> {
        let from = cursor.and_then(|cursor| cursor.as_str().parse().ok()).unwrap_or(0_u32);
        let to = from.saturating_add(size).min(ACCOUNTS);
        let items = (from..to).map(|number| account(&format!("A{number:06}"))).collect();
        let next = (to < ACCOUNTS).then(|| Cursor::from(to.to_string()));
        Ok(Page { items, next, total_hint: Some(ACCOUNTS.into()), complete: true })
    }
}
