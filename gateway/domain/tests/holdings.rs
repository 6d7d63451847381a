//! What is remembered of a target's state, and by whose doing it holds what it holds.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use connector_spi::{AccountState, Attrs, Entitlement, Record};
use gateway_domain::diff;
use gateway_domain::link::Seen;

fn record() -> Record {
    Record {
        kind: "account".into(),
        id: "7".into(),
        natural_key: Default::default(),
        attrs: Attrs::new(),
        state: AccountState::Enabled,
        entitlements: Some(vec![Entitlement::new("template", "T9200")]),
        incomplete: false,
        version: None,
    }
}

#[test]
fn a_mere_read_keeps_what_the_target_remarked_on_the_last_write() {
    let written = Seen { warnings: vec!["Template T9200 will be retired".to_owned()], ..Seen::default() };

    let read = diff::seen_read(Some(&written), &[], None, &record());

    assert_eq!(read.warnings, written.warnings);
    assert_eq!(read.entitlements.unwrap().len(), 1, "and everything else is what was read");
}
