//! Time, as something that is handed in.

use jiff::Timestamp;

/// Where "now" comes from. The binary hands in the machine's clock, a test hands in its own.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;
}
