//! Reading many records.

use crate::record::{Kind, NativeId, Record, text_newtype};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

text_newtype!(
    /// Where a listing goes on; opaque, and valid after a restart of the connector.
    Cursor
);
text_newtype!(
    /// A point in a target's history of changes; opaque.
    SyncToken
);

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one begins; `None` on the last.
    pub next: Option<Cursor>,
    /// About how many there are in all, where the target tells.
    pub total_hint: Option<u64>,
    /// Nothing that should be on this page is missing. A listing with one page that is not complete removes nothing.
    pub complete: bool,
}

/// One change that a target reports by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SyncEvent {
    /// A record as it is now.
    Upsert(Box<Record>),
    /// A record is gone.
    Gone {
        /// Its sort.
        kind: Kind,
        /// Its id.
        id: NativeId,
    },
    /// The token is too old or history is lost: read everything.
    Resync,
}
