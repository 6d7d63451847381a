//! The model as the subject of the kit.

use super::{Memory, SECRET, kind::ADDRESS, table::natural_key_of};
use crate::subject::{Fixture, StateProbe, Subject, Wire};
use async_trait::async_trait;
use connector_spi::{
    AccountState, Attrs, ConnError, Ctx, Host, HttpRequest, HttpResponse, Kind, Level, NativeId, Record, Result, SPI,
    Secret, SecretRef, Value,
};
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::Instant;

/// The fixture of the model; also an example of how one is written.
const FIXTURE: &str = r#"{
  "account": {
    "kind": "account",
    "attrs": {
      "login": ["kit{n}"],
      "employeeNumber": ["Emp-{n}"],
      "displayName": ["Testperson {n} Example"],
      "title": ["Title {n}"],
      "phone": ["+1 555 {n}"],
      "mail": ["kit{n}@hosp.example", "kit{n}@ward.example"]
    },
    "text": "displayName",
    "multi": ["mail", ["a@hosp.example", "b@hosp.example", "c@hosp.example"]],
    "absent": "A{n}X"
  },
  "other": {
    "kind": "group",
    "attrs": { "name": ["Group {n}"], "description": ["Sample {n}"], "members": ["A00000001"] },
    "text": "description",
    "renames": "name",
    "absent": "group/absent {n}"
  },
  "entitlements": [{ "type": "security-class", "value": "RN" }, { "type": "security-class", "value": "MD" }],
  "scoped": [
    { "type": "security-class", "value": "ED", "scope": { "facility": "EAST" } },
    { "type": "security-class", "value": "ED", "scope": { "facility": "WEST" } }
  ],
  "ordered": [{ "type": "template", "value": "T2", "order": 1 }, { "type": "template", "value": "T1", "order": 2 }],
  "unknown_entitlement": { "type": "security-class", "value": "NO-SUCH-CLASS" },
  "expired_token": "long-ago"
}"#;

impl Memory {
    /// The model with everything that the kit can use: secret, wrong address, fault proxy, state, wire.
    ///
    /// # Panics
    /// Never: the built-in fixture parses.
    #[must_use]
    pub fn subject(&self) -> Subject {
        #[allow(clippy::expect_used)] // A constant; the kit's own tests read it on every run.
        let fixture: Fixture = serde_json::from_str(FIXTURE).expect("the built-in fixture parses");
        Subject {
            wrong_host: Some(json!({ "address": "memory:elsewhere", "secret": { "env": "MODEL_SECRET" } })),
            secrets: BTreeMap::from([("MODEL_SECRET".to_owned(), SECRET.to_owned())]),
            faults: Some(self.faults()),
            probe: Some(Arc::new(self.clone())),
            wire: Some(Arc::new(self.clone())),
            ..Subject::new(
                self.kind(),
                json!({ "address": ADDRESS, "secret": { "env": "MODEL_SECRET" }, "max_calls": 0 }),
                fixture,
            )
        }
    }
}

#[async_trait]
impl StateProbe for Memory {
    async fn state(&self) -> String {
        format!("{:?}", self.snapshot())
    }

    async fn seed(&self, kind: &Kind, count: u32) -> bool {
        let Some(schema) = self.target_schema().kinds.remove(kind) else { return false };
        for number in 0..count {
            let text = |name: &String| (name.clone(), vec![Value::from(format!("seed-{number}"))]);
            let attrs: Attrs = schema.natural_keys.iter().flatten().map(text).collect();
            self.put(Record {
                kind: kind.clone(),
                id: NativeId(format!("seed-{number:08}")),
                natural_key: natural_key_of(&schema, &attrs),
                attrs,
                state: AccountState::Enabled,
                entitlements: Some(Vec::new()),
                incomplete: false,
                version: None,
            });
        }
        true
    }
}

/// A gateway that gives nothing; the model asks for nothing.
struct Nothing;

#[async_trait]
impl Host for Nothing {
    async fn secret(&self, reference: &SecretRef) -> Result<Secret> {
        Err(ConnError::config(format!("{reference} cannot be read")))
    }
    async fn http(&self, _: HttpRequest) -> Result<HttpResponse> {
        Err(ConnError::config("no network"))
    }
    fn event(&self, _: Level, _: &str, _: &[(&str, &str)]) {}
}

/// The model as a plugin process would answer, as far as the handshake goes.
#[async_trait]
impl Wire for Memory {
    async fn initialize(&self, params: Json) -> std::result::Result<Json, String> {
        let offered = params.get("spi").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_u64);
        match offered.max() {
            Some(major) if major == u64::from(SPI.0) => Ok(json!({ "spi": [SPI.0, SPI.1], "name": "memory" })),
            other => Err(format!("no contract in common with {other:?}")),
        }
    }

    async fn request(&self, method: &str, params: Json) -> std::result::Result<Json, String> {
        let deadline = params.pointer("/cx/deadlineMs").and_then(Json::as_u64).ok_or("cx.deadlineMs is missing")?;
        let cx = Ctx::new("wire", Instant::now() + Duration::from_millis(deadline), Arc::new(Nothing));
        match method {
            "check" => {
                let health = connector_spi::Connector::check(self, &cx).await.map_err(|error| error.to_string())?;
                serde_json::to_value(health).map_err(|error| error.to_string())
            }
            other => Err(format!("{other} is not spoken on this wire")),
        }
    }
}
