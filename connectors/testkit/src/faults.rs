//! Faults between a connector and its target.
//!
//! The kit never reaches into a connector: it puts a [`FaultProxy`] between the connector and the target and watches what the
//! connector makes of the fault. For a target over TCP that is a small proxy; a simulator has it built in.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What happens to the calls that follow, until another fault is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Fault {
    /// Nothing: all is well.
    Off,
    /// Too many requests: HTTP 429 with `Retry-After`, or what the protocol has in its place.
    Throttled {
        /// The time that the answer asks for; whole seconds.
        retry_after: Duration,
    },
    /// HTTP 503 without `Retry-After`, LDAP 51 or 52, a database that shuts down.
    Unavailable,
    /// The connection is refused or cut before anything reached the target.
    ResetBeforeSend,
    /// The target carries the next writes out, but the connection is cut before the answer. Reads pass unharmed.
    ResetAfterSend,
    /// The answer begins and then comes too slowly ever to end in time.
    SlowBody,
    /// Something in between answers with a web page, or with octets that are not the protocol's.
    Html,
    /// The credentials that were good a moment ago are refused.
    Unauthorized,
    /// A listing ends in the middle of a page, and the target says so in the way it has.
    TruncatedPage,
}

/// Something that sits between the connector and its target and can do harm on command.
#[async_trait]
pub trait FaultProxy: Send + Sync {
    /// Whether it can bring this fault about. A fault that the protocol does not know is not supported; whether that is
    /// acceptable for the kind of connector is for [`crate::required()`] to say.
    fn supports(&self, fault: Fault) -> bool;
    /// From now on this fault, for every call.
    async fn set(&self, fault: Fault);
}
