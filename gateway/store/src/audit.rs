//! Audit rows, chained.

use gateway_domain::AuditEntry;

/// An audit row with its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// What it records.
    pub entry: AuditEntry,
    /// SHA-256 over the previous row's hash and this row's canonical bytes.
    pub hash: [u8; 32],
}
