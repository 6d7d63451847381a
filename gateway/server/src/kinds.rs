//! The kinds of connectors that this program has: the only place that names them.

use connector_http::HttpConfig;
use connector_spi::{ConnectorType, Erase, ErasedType};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Kinds by name, and built-in files with settings for them.
#[derive(Clone)]
pub struct Kinds {
    kinds: BTreeMap<&'static str, Arc<dyn ErasedType>>,
    profiles: BTreeMap<&'static str, Profile>,
}

/// A built-in file with settings for one family of systems.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// The kind of connector that it is for.
    pub kind: &'static str,
    /// The file.
    pub text: &'static str,
}

impl Kinds {
    /// What comes with the program.
    #[must_use]
    pub fn built_in() -> Self {
        let none = Self { kinds: BTreeMap::new(), profiles: BTreeMap::new() };
        let mut kinds = none
            .with::<connector_ldap::Ldap>()
            .with::<connector_plugin::Plugin>()
            .with::<connector_rest::Rest>()
            .with::<connector_scim::Scim>()
            .with::<connector_soap::Soap>()
            .with::<connector_sql::Sql>();
        let shipped = [
            (connector_ldap::Ldap::NAME, &connector_ldap::PROFILES[..]),
            (connector_rest::Rest::NAME, &connector_rest::PROFILES[..]),
            (connector_scim::Scim::NAME, &connector_scim::PROFILES[..]),
            (connector_soap::Soap::NAME, &connector_soap::PROFILES[..]),
            (connector_sql::Sql::NAME, &connector_sql::PROFILES[..]),
        ];
        for (kind, profiles) in shipped {
            for (name, text) in profiles {
                kinds.profiles.insert(name, Profile { kind, text });
            }
        }
        kinds
    }

    /// Adds a kind; one of the same name is replaced.
    #[must_use]
    pub fn with<T: ConnectorType>(mut self) -> Self {
        self.kinds.insert(T::NAME, Arc::new(Erase::<T>::new()));
        self
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<dyn ErasedType>> {
        self.kinds.get(name)
    }

    /// Names of all kinds, in order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.kinds.keys().copied()
    }

    /// Where a connector of this kind with these settings may go through the gateway's own door, if anywhere. Kinds of this
    /// program open doors of their own.
    #[must_use]
    pub fn network(&self, kind: &str, settings: &serde_json::Value) -> Option<HttpConfig> {
        (kind == connector_plugin::Plugin::NAME).then(|| connector_plugin::network(settings)).flatten()
    }

    /// The profile of this name.
    #[must_use]
    pub fn profile(&self, name: &str) -> Option<Profile> {
        self.profiles.get(name).copied()
    }

    /// Names of all profiles with the kinds they are for, in order.
    pub fn profiles(&self) -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
        self.profiles.iter().map(|(name, profile)| (*name, profile.kind))
    }
}
