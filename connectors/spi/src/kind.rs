//! Kinds of connectors: a name, a configuration type and a way to open one.

use crate::{AccountState, ConnError, Connector, Host, Kind, Result, ValueType};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use std::{
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
    sync::Arc,
};

/// Something to say about a configuration before anything is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigIssue {
    /// JSON pointer to the setting.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What a target's settings alone tell of it, before anything is opened: enough to check what is configured on top of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// Its kinds by name. Of a kind that is not here nothing is known beforehand.
    pub kinds: BTreeMap<Kind, DeclaredKind>,
    /// What accounts hold in it, by type.
    pub entitlements: BTreeMap<Kind, DeclaredEntitlement>,
}

/// What the settings tell of one type of entitlement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeclaredEntitlement {
    /// The target keeps an order among those of one account.
    pub ordered: bool,
    /// The target gives it for a scope.
    pub scoped: bool,
}

/// What the settings tell of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeclaredKind {
    /// Types of its attributes. The type of one that is not here is not known beforehand.
    pub types: BTreeMap<String, ValueType>,
    /// The states, `Enabled` apart, that a record can be brought to and is then read in. `None`: not known beforehand.
    pub closes_to: Option<BTreeSet<AccountState>>,
}

impl DeclaredKind {
    /// A kind with these attributes, whose records can be brought to the states of which `closes` is true.
    pub fn of(types: impl IntoIterator<Item = (String, ValueType)>, closes: impl Fn(AccountState) -> bool) -> Self {
        Self {
            types: types.into_iter().collect(),
            closes_to: Some(AccountState::CLOSING.into_iter().filter(|state| closes(*state)).collect()),
        }
    }
}

impl Declared {
    /// What a target's settings tell of its kinds and of the types of entitlements, each by name.
    pub fn of<'a>(
        kinds: impl IntoIterator<Item = (&'a String, DeclaredKind)>,
        entitlements: impl IntoIterator<Item = (&'a String, DeclaredEntitlement)>,
    ) -> Self {
        Self {
            kinds: kinds.into_iter().map(|(name, kind)| (Kind::from(name.as_str()), kind)).collect(),
            entitlements: entitlements.into_iter().map(|(name, one)| (Kind::from(name.as_str()), one)).collect(),
        }
    }
}

/// A kind of connector. Implemented once per protocol.
#[async_trait]
pub trait ConnectorType: Send + Sync + 'static {
    /// Its settings. `deny_unknown_fields`; doc comments become help text; secrets are [`crate::SecretRef`].
    type Config: DeserializeOwned + JsonSchema + Send;
    /// The `kind` of a target's configuration.
    const NAME: &'static str;
    /// The contract it was written for.
    const SPI: (u16, u16) = crate::SPI;

    /// What is wrong with the settings, as far as can be told without a network.
    fn check_config(_config: &Self::Config) -> Vec<ConfigIssue> {
        Vec::new()
    }

    /// What sound settings tell of the target. Nothing, where all of it is asked of the target itself.
    fn declared(_config: &Self::Config) -> Declared {
        Declared::default()
    }

    /// Opens a connector. May fail with `Config`; connects lazily, so that a target that is down does not hold up the start.
    async fn open(config: Self::Config, host: Arc<dyn Host>) -> Result<Arc<dyn Connector>>;
}

/// A [`ConnectorType`] whose settings are JSON: for the registry, and for hosts of plugins.
#[async_trait]
pub trait ErasedType: Send + Sync {
    /// The `kind` of a target's configuration.
    fn name(&self) -> &'static str;
    /// The settings' JSON Schema.
    fn config_schema(&self) -> serde_json::Value;
    /// What is wrong with these settings; a setting that does not fit its type is one issue.
    fn check_json(&self, config: &serde_json::Value) -> Vec<ConfigIssue>;
    /// What these settings tell of the target; nothing where they are not sound.
    fn declared_json(&self, _config: &serde_json::Value) -> Declared {
        Declared::default()
    }
    /// Opens a connector.
    async fn open_json(&self, config: serde_json::Value, host: Arc<dyn Host>) -> Result<Arc<dyn Connector>>;
}

/// Turns a [`ConnectorType`] into an [`ErasedType`].
pub struct Erase<T>(PhantomData<fn() -> T>);

impl<T> Erase<T> {
    /// The erased form of `T`.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for Erase<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl<T: ConnectorType> ErasedType for Erase<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn config_schema(&self) -> serde_json::Value {
        schemars::schema_for!(T::Config).to_value()
    }

    fn check_json(&self, config: &serde_json::Value) -> Vec<ConfigIssue> {
        match typed::<T>(config) {
            Ok(config) => T::check_config(&config),
            Err(issue) => vec![issue],
        }
    }

    fn declared_json(&self, config: &serde_json::Value) -> Declared {
        typed::<T>(config).map(|config| T::declared(&config)).unwrap_or_default()
    }

    async fn open_json(&self, config: serde_json::Value, host: Arc<dyn Host>) -> Result<Arc<dyn Connector>> {
        let config = typed::<T>(&config).map_err(|issue| {
            ConnError::config(format!("{}: {}", issue.pointer, issue.message)).attribute(issue.pointer)
        })?;
        T::open(config, host).await
    }
}

/// The settings as their type, or the one issue that says where they do not fit it.
fn typed<T: ConnectorType>(config: &serde_json::Value) -> std::result::Result<T::Config, ConfigIssue> {
    serde_path_to_error::deserialize(config).map_err(|error| ConfigIssue {
        pointer: pointer(error.path()),
        message: error.inner().to_string(),
        hint: None,
    })
}

/// The path as a JSON pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                Some(format!("/{}", key.replace('~', "~0").replace('/', "~1")))
            }
            Segment::Unknown => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Settings {
        pool: Pool,
    }
    #[derive(serde::Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Pool {
        sizes: Vec<u32>,
    }
    struct Sample;
    #[async_trait]
    impl ConnectorType for Sample {
        type Config = Settings;
        const NAME: &'static str = "sample";
        async fn open(_: Settings, _: Arc<dyn Host>) -> Result<Arc<dyn Connector>> {
            Err(ConnError::unsupported("a sample has no target"))
        }
    }

    fn issue(config: serde_json::Value) -> ConfigIssue {
        Erase::<Sample>::new().check_json(&config).remove(0)
    }

    #[test]
    fn a_bad_value_is_named_by_its_pointer() {
        assert_eq!(issue(serde_json::json!({ "pool": { "sizes": [1, "two"] } })).pointer, "/pool/sizes/1");
    }

    #[test]
    fn an_unknown_setting_is_named_by_its_pointer() {
        assert_eq!(issue(serde_json::json!({ "pool": { "sizes": [], "siez/s": 1 } })).pointer, "/pool/siez~1s");
    }
}
