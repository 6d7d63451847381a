//! What can go wrong in a store.

use std::fmt;

/// The outcome of a store's call.
pub type Result<T> = std::result::Result<T, StoreError>;

/// A store's failure; matched by variant, never by text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// What the change was computed from has changed. Compute again.
    Stale,
    /// The resource is not there.
    NotFound,
    /// The value of this attribute belongs to another resource.
    Uniqueness {
        /// The attribute as SCIM spells it.
        attribute: String,
    },
    /// A group's new member is no resource.
    UnknownMember(String),
    /// A group would contain itself.
    Cycle,
    /// The intake is full: come back in a moment.
    Full,
    /// The query would take too long.
    TooSlow,
    /// The data base does not answer or cannot write (disk full, file gone, server down). For the log; holds no values.
    Unavailable(String),
    /// The store holds something that this version cannot read. For the log; holds no values.
    Corrupt(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Stale => f.write_str("changed meanwhile"),
            StoreError::NotFound => f.write_str("not found"),
            StoreError::Uniqueness { attribute } => write!(f, "the value of {attribute} is taken"),
            StoreError::UnknownMember(_) => f.write_str("a member is no resource"),
            StoreError::Cycle => f.write_str("a group would contain itself"),
            StoreError::Full => f.write_str("the intake is full"),
            StoreError::TooSlow => f.write_str("the query would take too long"),
            StoreError::Unavailable(why) => write!(f, "the store is unavailable: {why}"),
            StoreError::Corrupt(why) => write!(f, "the store cannot be read: {why}"),
        }
    }
}

impl std::error::Error for StoreError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_members_id_stays_out_of_the_log() {
        assert!(!StoreError::UnknownMember("secret-id".into()).to_string().contains("secret-id"));
    }
}
