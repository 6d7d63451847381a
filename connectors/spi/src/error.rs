//! What can go wrong in a target, and what that means for the gateway.

use crate::NativeId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// The outcome of a call to a target.
pub type Result<T> = std::result::Result<T, ConnError>;

/// What sort of failure it was. The class alone decides retry, park, adopt or pause; see `gateway-domain`'s `retry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Class {
    /// A passing fault: connection refused, 502 or 503, LDAP busy. Tried again with back-off.
    Transient,
    /// The target asks for fewer calls. Tried again after the time it names, for the whole target.
    Throttled,
    /// No answer in time, or the connection was lost after sending. The change may have happened.
    Timeout,
    /// An answer that cannot be understood, or a connector that died. The change may have happened.
    Unknown,
    /// A unique value is taken. Looked up, then adopted or disputed.
    AlreadyExists,
    /// The record is not there.
    NotFound,
    /// Refused by the state of other data.
    Conflict,
    /// The record changed since it was read.
    StaleVersion,
    /// The target refuses a value; `attribute` names it.
    Invalid,
    /// The gateway's own credentials are refused. The whole target pauses.
    Auth,
    /// The gateway may not do this one thing.
    Forbidden,
    /// The gateway's configuration of the target is wrong: address, trust, missing secret. The whole target pauses.
    Config,
    /// The target cannot do this at all.
    Unsupported,
    /// Anything else that a repetition does not cure.
    #[serde(other)]
    Permanent,
}

impl Class {
    /// Every class, in the order of the contract.
    pub const ALL: [Class; 14] = [
        Class::Transient,
        Class::Throttled,
        Class::Timeout,
        Class::Unknown,
        Class::AlreadyExists,
        Class::NotFound,
        Class::Conflict,
        Class::StaleVersion,
        Class::Invalid,
        Class::Auth,
        Class::Forbidden,
        Class::Config,
        Class::Unsupported,
        Class::Permanent,
    ];

    /// Its name, as on the wire, in metrics and in `chartgate status`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Class::Transient => "Transient",
            Class::Throttled => "Throttled",
            Class::Timeout => "Timeout",
            Class::Unknown => "Unknown",
            Class::AlreadyExists => "AlreadyExists",
            Class::NotFound => "NotFound",
            Class::Conflict => "Conflict",
            Class::StaleVersion => "StaleVersion",
            Class::Invalid => "Invalid",
            Class::Auth => "Auth",
            Class::Forbidden => "Forbidden",
            Class::Config => "Config",
            Class::Unsupported => "Unsupported",
            Class::Permanent => "Permanent",
        }
    }

    /// Whether the target may have changed, where the connector knows no better.
    #[must_use]
    pub fn default_effect(self) -> Effect {
        match self {
            Class::Timeout | Class::Unknown => Effect::Maybe,
            Class::Transient
            | Class::Throttled
            | Class::AlreadyExists
            | Class::NotFound
            | Class::Conflict
            | Class::StaleVersion
            | Class::Invalid
            | Class::Auth
            | Class::Forbidden
            | Class::Config
            | Class::Unsupported
            | Class::Permanent => Effect::None,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether the target may have changed although the call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Nothing happened.
    None,
    /// A part of the change happened.
    Partial,
    /// Nobody knows: read before anything else is sent.
    #[serde(other)]
    Maybe,
}

/// A failed call. Built beside its cause, matched by [`Class`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ConnError {
    /// What sort of failure.
    pub class: Class,
    /// Words for an operator, free of secrets and of personal data.
    pub message: String,
    /// The target's own code, such as an LDAP result code or an SQLSTATE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native_code: Option<String>,
    /// The attribute or entitlement that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// Not before this many milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Whether the target may have changed.
    pub effect: Effect,
    /// The record that stands in the way, where the target names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing: Option<NativeId>,
}

macro_rules! constructors {
    ($($name:ident => $class:ident),+ $(,)?) => {
        $(
            #[doc = concat!("A failure of class [`Class::", stringify!($class), "`].")]
            pub fn $name(message: impl Into<String>) -> Self {
                Self::new(Class::$class, message)
            }
        )+
    };
}

impl ConnError {
    /// A failure of this class, with the effect that is usual for it.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            native_code: None,
            attribute: None,
            retry_after_ms: None,
            effect: class.default_effect(),
            existing: None,
        }
    }

    constructors! {
        transient => Transient, throttled => Throttled, timeout => Timeout, unknown => Unknown,
        already_exists => AlreadyExists, not_found => NotFound, conflict => Conflict, stale_version => StaleVersion,
        invalid => Invalid, auth => Auth, forbidden => Forbidden, config => Config, unsupported => Unsupported,
        permanent => Permanent,
    }

    /// With the target's own code.
    #[must_use]
    pub fn code(mut self, code: impl fmt::Display) -> Self {
        self.native_code = Some(code.to_string());
        self
    }

    /// With the attribute that was refused.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>) -> Self {
        self.attribute = Some(name.into());
        self
    }

    /// With the time to wait.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after_ms = Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// With another effect than the class's usual one.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// With the record that stands in the way.
    #[must_use]
    pub fn existing(mut self, id: NativeId) -> Self {
        self.existing = Some(id);
        self
    }
}

impl fmt::Display for ConnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class, self.message)?;
        match &self.native_code {
            Some(code) => write!(f, " ({code})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConnError {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_class_from_a_newer_plugin_is_permanent_and_may_have_changed_the_target() {
        let error: ConnError = serde_json::from_str(r#"{"class":"Haunted","message":"x","effect":"spooky"}"#).unwrap();
        assert_eq!((error.class, error.effect), (Class::Permanent, Effect::Maybe));
    }

    #[test]
    fn names_are_those_of_the_wire() {
        for class in Class::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.name());
        }
    }
}
