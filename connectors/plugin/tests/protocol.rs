//! The protocol's schema beside the crate is the one that the types have.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

#[test]
fn the_schema_of_the_wire_is_that_of_its_types() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol/spi-1.json");
    let text = format!("{:#}\n", connector_plugin::wire::protocol());
    // To write it anew: WRITE_PROTOCOL=1 cargo test -p connector-plugin --test protocol
    #[allow(clippy::disallowed_methods)] // A switch of a test.
    if std::env::var_os("WRITE_PROTOCOL").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == text, "{} differs from the types: see this test for how to write it anew", file.display());
}

#[test]
fn every_call_of_the_contract_has_a_method() {
    let protocol = connector_plugin::wire::protocol();
    let methods = protocol.get("methods").unwrap();
    for op in connector_spi::Op::ALL {
        assert!(methods.get(op.name()).is_some(), "{op}");
    }
}
