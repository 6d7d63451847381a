//! Tokens of sources. The secret itself is never here.

use gateway_domain::SourceId;
use jiff::Timestamp;

/// One bearer token, as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The part of the token by which it is found.
    pub id: String,
    /// Whose it is.
    pub source: SourceId,
    /// SHA-256 of the secret part; it is random, so nothing slower is needed.
    pub hash: [u8; 32],
    /// When it was made.
    pub created: Timestamp,
    /// From then on it is refused; `None` is never.
    pub expires: Option<Timestamp>,
}
