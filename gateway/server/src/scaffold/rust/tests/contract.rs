//! The contract's checks, in this process; `chartgate connector test` runs them over the protocol.

use connector_spi::Erase;
use connector_testkit::{Fixture, Subject, run};
use serde_json::json;
use std::sync::Arc;

#[tokio::test]
async fn the_connector_keeps_the_contract() {
    let mut kit: toml::Table = include_str!("../kit.toml").parse().expect("kit.toml is TOML");
    kit.remove("harness");
    let fixture: Fixture = kit.try_into().expect("kit.toml has legal values");
    let folder = tempfile::tempdir().expect("a folder");
    let settings = json!({ "file": folder.path().join("accounts.json"), "token": { "env": "@VARIABLE@" } });
    let mut subject = Subject::new(Arc::new(Erase::<@SNAKE@::@CLASS@>::new()), settings, fixture);
    subject.secrets = [("@VARIABLE@".to_owned(), "test-only-token".to_owned())].into();

    let report = run(&subject).await;

    println!("{report}");
    assert_eq!(report.exit_code(), 0, "{report}");
}
