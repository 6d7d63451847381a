//! What is put to the test, and what the kit needs to know of its target.

use crate::faults::FaultProxy;
use async_trait::async_trait;
use connector_spi::{Attrs, Entitlement, ErasedType, Host, Kind, NativeId, SyncToken, Value};
use serde::Deserialize;
use serde_json::Value as Json;
use std::{collections::BTreeMap, sync::Arc};

/// A connector under test.
#[derive(Clone)]
pub struct Subject {
    /// The kind of connector: for a crate `Arc::new(Erase::<MyType>::new())`.
    pub kind: Arc<dyn ErasedType>,
    /// A configuration that works.
    pub config: Json,
    /// The same configuration with an address at which nothing listens; `None` for a target without an address.
    pub wrong_host: Option<Json>,
    /// The secrets that the configuration refers to, by name of the variable or path of the file. Make each at least eight
    /// characters and unlike anything else: the kit looks for them in logs and errors.
    pub secrets: BTreeMap<String, String>,
    /// Legal values.
    pub fixture: Fixture,
    /// Something between connector and target that does harm on command.
    pub faults: Option<Arc<dyn FaultProxy>>,
    /// Why `faults` is `None`, where there is more to say than that nobody gave one.
    pub no_faults: Option<String>,
    /// A look at the target that does not go through the connector.
    pub probe: Option<Arc<dyn StateProbe>>,
    /// The protocol itself, for a plugin process.
    pub wire: Option<Arc<dyn Wire>>,
    /// Carries out [`Host::http`], for a connector that uses it.
    pub network: Option<Arc<dyn Host>>,
}

impl Subject {
    /// A subject without secrets, faults and looks at the target; set what there is.
    #[must_use]
    pub fn new(kind: Arc<dyn ErasedType>, config: Json, fixture: Fixture) -> Self {
        Self {
            kind,
            config,
            wrong_host: None,
            secrets: BTreeMap::new(),
            fixture,
            faults: None,
            no_faults: None,
            probe: None,
            wire: None,
            network: None,
        }
    }
}

/// Legal values of the target: a small file.
///
/// In every text `{n}` is replaced by a number that no other record of the run has, so the file is also the generator of
/// natural keys: `"login": ["kit{n}"]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixture {
    /// The kind of accounts.
    pub account: KindFixture,
    /// A second kind that can be created, where there is one.
    #[serde(default)]
    pub other: Option<KindFixture>,
    /// Entitlements that may be given to an account, at least two of one type.
    #[serde(default)]
    pub entitlements: Vec<Entitlement>,
    /// The same type and value in two scopes.
    #[serde(default)]
    pub scoped: Vec<Entitlement>,
    /// Two or more of a type that keeps an order, with their `order`.
    #[serde(default)]
    pub ordered: Vec<Entitlement>,
    /// An entitlement that does not exist.
    #[serde(default)]
    pub unknown_entitlement: Option<Entitlement>,
    /// A sync token that is too old.
    #[serde(default)]
    pub expired_token: Option<SyncToken>,
}

/// Legal values of one kind.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindFixture {
    /// Its name in the schema.
    pub kind: Kind,
    /// Values for every attribute that can be given on create.
    pub attrs: Attrs,
    /// A single-valued attribute that takes any text and is no natural key.
    pub text: String,
    /// A multi-valued attribute, and at least three values that are not in `attrs`.
    #[serde(default)]
    pub multi: Option<(String, Vec<Value>)>,
    /// The attribute that makes the id, in a target whose ids are names.
    #[serde(default)]
    pub renames: Option<String>,
    /// An id in the target's form that no record has.
    pub absent: NativeId,
}

/// A look at the target that does not go through the connector.
#[async_trait]
pub trait StateProbe: Send + Sync {
    /// The whole state as text: two equal texts mean that nothing changed.
    async fn state(&self) -> String;
    /// Puts `count` records of this kind into the target, if it can be done quickly. `false`: it cannot.
    async fn seed(&self, _kind: &Kind, _count: u32) -> bool {
        false
    }
}

/// The protocol of a plugin process, one message at a time.
#[async_trait]
pub trait Wire: Send + Sync {
    /// Sends this `initialize` to a fresh process and returns its answer; an `Err` is its refusal.
    async fn initialize(&self, params: Json) -> Result<Json, String>;
    /// Sends one request to a process that was initialised and opened.
    async fn request(&self, method: &str, params: Json) -> Result<Json, String>;
}
