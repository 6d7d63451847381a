//! The audit chain: each row's hash covers the row before it, so that no row can be changed, taken out or put in unnoticed.

use crate::audit::AuditRow;
use aws_lc_rs::digest::{Context, SHA256};
use gateway_domain::AuditEntry;

/// What the first row is chained to.
pub const GENESIS: [u8; 32] = [0; 32];

/// The hash of the row that comes after the one with hash `previous`: SHA-256 over `previous` and the row's canonical bytes.
#[must_use]
pub fn next(previous: &[u8; 32], seq: u64, entry: &AuditEntry) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(previous);
    context.update(&entry.canonical(seq));
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// Checks rows that follow each other.
///
/// `after` is the hash of the row before the first one, [`GENESIS`] before row 1.
///
/// # Errors
/// The number of the first row that is missing or does not fit.
pub fn verify(after: (u64, [u8; 32]), rows: &[AuditRow]) -> Result<(u64, [u8; 32]), u64> {
    let (mut seq, mut hash) = after;
    for row in rows {
        seq += 1;
        if row.seq != seq || next(&hash, row.seq, &row.entry) != row.hash {
            return Err(seq);
        }
        hash = row.hash;
    }
    Ok((seq, hash))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use gateway_domain::Action;
    use jiff::Timestamp;

    fn rows(count: u64) -> Vec<AuditRow> {
        let mut hash = GENESIS;
        (1..=count)
            .map(|seq| {
                let entry = AuditEntry {
                    at: Timestamp::from_microsecond(1_000).unwrap(),
                    actor: "gateway".into(),
                    action: Action::Sweep,
                    resource: None,
                    subject: "User".into(),
                    version: seq,
                    detail: String::new(),
                };
                hash = next(&hash, seq, &entry);
                AuditRow { seq, entry, hash }
            })
            .collect()
    }

    #[test]
    fn an_untouched_chain_verifies_in_parts_and_in_whole() {
        let rows = rows(5);
        let half = verify((0, GENESIS), &rows[..2]).unwrap();
        assert_eq!(verify(half, &rows[2..]), verify((0, GENESIS), &rows));
    }

    #[test]
    fn an_edited_row_is_found() {
        let mut rows = rows(5);
        rows[2].entry.actor = "operator:other".into();
        assert_eq!(verify((0, GENESIS), &rows), Err(3));
    }

    #[test]
    fn a_row_taken_out_is_found() {
        let mut rows = rows(5);
        rows.remove(1);
        assert_eq!(verify((0, GENESIS), &rows), Err(2));
    }
}
