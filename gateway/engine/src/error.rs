//! What an engine's answer can be instead of success.

use gateway_store::StoreError;
use scim::{ScimError, ScimType};
use std::fmt;
use std::time::Duration;

/// A failure, as the doors show it.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The caller's mistake, or a state of the data that the caller can see.
    Scim(ScimError),
    /// The intake is full, or one resource is written by too many at once: come back after this long.
    Busy(Duration),
    /// The store is unavailable.
    Unavailable,
    /// An operator named something that is not there.
    Unknown(String),
    /// A target did not do what an operator asked of it. The text is its error's, without personal data.
    Target(String),
    /// A fault of the gateway. The text is for the log and holds no values.
    Internal(&'static str),
}

impl From<ScimError> for Error {
    fn from(error: ScimError) -> Self {
        Error::Scim(error)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Stale => Error::Busy(Duration::from_secs(1)),
            StoreError::Full => Error::Busy(Duration::from_secs(2)),
            StoreError::NotFound => Error::Scim(ScimError::not_found("there is no such resource")),
            StoreError::Uniqueness { attribute } => {
                Error::Scim(ScimError::uniqueness(format!("another resource has this {attribute} already")))
            }
            StoreError::UnknownMember(id) => Error::Scim(ScimError::bad_request(
                ScimType::InvalidValue,
                format!("members: there is no resource with the id {id:?}"),
            )),
            StoreError::Cycle => {
                Error::Scim(ScimError::bad_request(ScimType::InvalidValue, "members: the group would contain itself"))
            }
            StoreError::TooSlow => Error::Scim(ScimError::bad_request(
                ScimType::TooMany,
                "the query takes too long: filter by an attribute that is looked up, such as userName or externalId",
            )),
            StoreError::Unavailable(why) => {
                tracing::error!(%why, "The store is unavailable.");
                Error::Unavailable
            }
            StoreError::Corrupt(why) => {
                tracing::error!(%why, "The store cannot be read.");
                Error::Unavailable
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Scim(error) => write!(f, "{} {}", error.status, error.detail),
            Error::Busy(wait) => write!(f, "busy, try again in {} s", wait.as_secs()),
            Error::Unavailable => f.write_str("the store is unavailable"),
            Error::Unknown(what) => write!(f, "there is no {what}"),
            Error::Target(why) => f.write_str(why),
            Error::Internal(what) => write!(f, "fault: {what}"),
        }
    }
}

impl std::error::Error for Error {}
