//! The shipped profile against the simulator of the system it is for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, reason = "tests")]

mod accounts;
mod certificate;
mod endings;
mod faults;
mod foreign;
mod grants;
mod lost;
mod safety;
#[path = "../support/mod.rs"]
mod support;

use connector_spi::{
    AccountState, Change, ConnError, Connector, Created, Delta, Entitlement, EntitlementChange, NativeId, Record,
    Updated, Value,
};
use connector_testkit::TestHost;
use fixtures::ehr_soap::{EhrSoap, Options};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use support::{account, cx, open, orderer, person, profile, provider};

struct Stage {
    ehr: EhrSoap,
    host: Arc<TestHost>,
    target: Arc<dyn Connector>,
}

impl Stage {
    async fn set() -> Self {
        Self::with(Options { rate_limit: None, ..Options::default() }, json!({})).await
    }

    async fn with(options: Options, more: Json) -> Self {
        let ehr = EhrSoap::start(options).unwrap();
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

    async fn provider(&self, number: u32) -> NativeId {
        let cx = cx(&self.host, "provider");
        self.target.create(&cx, &provider(), &orderer(number), AccountState::Enabled, &[]).await.unwrap().id
    }

    async fn change(&self, id: &NativeId, change: Change) -> Result<Updated, ConnError> {
        self.target.update(&cx(&self.host, "change"), &account(), id, &change).await
    }

    async fn read(&self, id: &NativeId) -> Record {
        self.target.get(&cx(&self.host, "r"), &account(), id).await.unwrap().unwrap()
    }

    async fn held(&self, id: &NativeId) -> Vec<Entitlement> {
        self.read(id).await.entitlements.unwrap()
    }

    fn accounts(&self) -> Vec<Json> {
        self.ehr.state()["accounts"].as_array().unwrap().clone()
    }

    fn sessions(&self) -> usize {
        self.ehr.state()["sessions"].as_array().unwrap().len()
    }

    /// The operations that were asked, reads left out.
    fn writes(&self) -> Vec<String> {
        let reads = ["ViewUser", "ViewProvider", "GetRecords"];
        let entries = self.ehr.journal().entries();
        entries.into_iter().map(|entry| entry.op).filter(|op| !reads.contains(&op.as_str())).collect()
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

fn clear(name: &str) -> Change {
    Change { attrs: [(name.to_owned(), Delta::Clear)].into(), ..Change::default() }
}

fn state(state: AccountState) -> Change {
    Change { state: Some(state), ..Change::default() }
}
