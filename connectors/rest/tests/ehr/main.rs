//! The shipped profile against the simulator of the system it is for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, reason = "tests")]

mod accounts;
mod endings;
mod faults;
mod foreign;
mod grants;
mod listing;
mod lost;
mod safety;
mod settings;
#[path = "../support/mod.rs"]
mod support;

use connector_spi::{
    AccountState, Change, ConnError, Connector, Created, Delta, Entitlement, EntitlementChange, NativeId, Value,
};
use connector_testkit::TestHost;
use fixtures::ehr_rest::{EhrRest, Options};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use support::{account, cx, open, person, profile};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

struct Stage {
    ehr: EhrRest,
    host: Arc<TestHost>,
    target: Arc<dyn Connector>,
}

impl Stage {
    async fn set() -> Self {
        Self::with(Options { rate_limit: None, ..Options::default() }, json!({})).await
    }

    async fn with(options: Options, more: Json) -> Self {
        let ehr = EhrRest::start(options).unwrap();
        let host = TestHost::of("test-only");
        let target = open(profile(&ehr.base_url(), more), host.clone()).await;
        Self { ehr, host, target }
    }

    async fn create(
        &self,
        op: &str,
        number: u32,
        state: AccountState,
        entitlements: &[Entitlement],
    ) -> Result<Created, ConnError> {
        self.target.create(&cx(&self.host, op), &account(), &person(number), state, entitlements).await
    }

    async fn change(&self, id: &NativeId, change: Change) -> Result<connector_spi::Updated, ConnError> {
        self.target.update(&cx(&self.host, "change"), &account(), id, &change).await
    }

    async fn held(&self, id: &NativeId) -> Vec<Entitlement> {
        self.target.get(&cx(&self.host, "r"), &account(), id).await.unwrap().unwrap().entitlements.unwrap()
    }

    fn accounts(&self) -> Vec<Json> {
        self.ehr.state()["accounts"].as_array().unwrap().clone()
    }

    /// Logs in as a person would, not through the connector.
    async fn login(&self, user: &str) {
        let mut stream = TcpStream::connect(self.ehr.addr()).await.unwrap();
        let body = json!({ "user": user }).to_string();
        let head = format!(
            "POST /sim/login HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    fn sessions(&self) -> usize {
        self.ehr.state()["sessions"].as_array().unwrap().len()
    }

    fn writes(&self) -> usize {
        let reads = ["Token", "SearchPersonnel", "ViewPersonnel", "ViewCatalog", "ViewOrganization"];
        self.ehr.journal().entries().iter().filter(|entry| !reads.contains(&entry.op.as_str())).count()
    }
}

fn give(add: Vec<Entitlement>) -> Change {
    Change { entitlements: EntitlementChange { add, remove: vec![], whole: None }, ..Change::default() }
}

fn take(remove: Vec<Entitlement>) -> Change {
    Change { entitlements: EntitlementChange { add: vec![], remove, whole: None }, ..Change::default() }
}

fn set(name: &str, value: &str) -> Change {
    Change { attrs: [(name.to_owned(), Delta::Set(vec![Value::from(value)]))].into(), ..Change::default() }
}

fn state(state: AccountState) -> Change {
    Change { state: Some(state), ..Change::default() }
}
