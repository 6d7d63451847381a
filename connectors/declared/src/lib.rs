//! What is the same for every target that is described in a file, whatever its protocol.
//!
//! A connector that is configured and not programmed has two halves. One knows a protocol: how a request is filled and
//! sent, where a value stands in an answer. The other knows the contract: in which order the requests of one change go
//! ([`change`]), what a part that failed means for the ones after it ([`progress`]), which steps come before a create and
//! are taken back when it is refused ([`steps`]), what the target need not be asked ([`check_new`]), what a code of the target means ([`rules`]). This crate is the other half. It is generic over the
//! request and does no I/O.
//!
//! Key decision: plain values in, plain values out, no trait for a protocol to implement. A connector keeps its own loop
//! over the acts, so its futures, its errors and its reading of versions stay its own.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod change;
mod expressions;
mod new;
pub mod progress;
pub mod rules;
pub mod steps;
mod variables;

pub use change::{Act, Giving, Moves, Ordered, Sense, Step, What, Worked, order};
pub use expressions::{Issues, holds, tells_time, text};
pub use new::check_new;
pub use progress::{Progress, Through};
pub use rules::{ErrorRule, Note};
pub use steps::{First, Stepped, Steps, undone};
pub use variables::Variables;

use connector_spi::{AccountState, Value};
use serde_json::{Value as Json, json};

/// FNV-1a, 64 bits: the same on every build and machine, which the standard library does not promise of its hasher.
#[must_use]
pub fn fnv1a(octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |hash, octet| (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3))
}

/// A state's name as expressions see it.
#[must_use]
pub fn state_name(state: AccountState) -> &'static str {
    match state {
        AccountState::Enabled => "enabled",
        AccountState::Disabled => "disabled",
        AccountState::Blocked => "blocked",
        AccountState::Expired => "expired",
        AccountState::Unknown => "unknown",
    }
}

/// A value as expressions see it: instants in RFC 3339, octets in base64, everything else as itself.
#[must_use]
pub fn wire(value: &Value) -> Json {
    match value {
        Value::Bool(truth) => json!(truth),
        Value::Int(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::At { at } => json!(at.to_string()),
        Value::Bytes { .. } => {
            serde_json::to_value(value).ok().and_then(|wire| wire.get("bytes").cloned()).unwrap_or(Json::Null)
        }
    }
}
