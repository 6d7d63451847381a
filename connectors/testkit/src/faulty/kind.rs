//! Flaws of the configuration, of opening and of the wire.

use super::{Flaw, connector};
use crate::{Memory, Wire};
use async_trait::async_trait;
use connector_spi::{ConfigIssue, Connector, ErasedType, Host, Result, SPI};
use serde_json::{Value as Json, json};
use std::{sync::Arc, time::Duration};

pub(super) struct FaultyKind {
    pub flaw: Flaw,
    pub memory: Memory,
    pub honest: Arc<dyn ErasedType>,
}

impl FaultyKind {
    /// The configuration as a careless connector reads it.
    fn misread(&self, config: &Json) -> Json {
        let mut config = config.clone();
        let Some(members) = config.as_object_mut() else { return config };
        if self.flaw == Flaw::AnyKey {
            members.remove("noSuchSetting");
        }
        if self.flaw == Flaw::LiteralSecret && members.get("secret").is_some_and(Json::is_string) {
            members.insert("secret".to_owned(), json!({ "env": "MODEL_SECRET" }));
        }
        config
    }
}

#[async_trait]
impl ErasedType for FaultyKind {
    fn name(&self) -> &'static str {
        self.honest.name()
    }

    fn config_schema(&self) -> Json {
        let mut schema = self.honest.config_schema();
        if let Some(ty) = schema.pointer_mut("/properties/address/type").filter(|_| self.flaw == Flaw::BadSchema) {
            *ty = json!("strng");
        }
        schema
    }

    fn check_json(&self, config: &Json) -> Vec<ConfigIssue> {
        let mut issues = self.honest.check_json(&self.misread(config));
        if self.flaw == Flaw::NoPointer {
            issues.iter_mut().for_each(|issue| issue.pointer.clear());
        }
        issues
    }

    async fn open_json(&self, config: Json, host: Arc<dyn Host>) -> Result<Arc<dyn Connector>> {
        let inner = self.honest.open_json(self.misread(&config), Arc::clone(&host)).await?;
        let opened = connector(self.flaw, &self.memory, inner, host);
        if self.flaw == Flaw::HeldOpen {
            let held = Arc::clone(&opened);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(86_400)).await;
                drop(held);
            });
        }
        Ok(opened)
    }
}

pub(super) struct FaultyWire {
    pub flaw: Flaw,
    pub honest: Arc<dyn Wire>,
}

impl FaultyWire {
    fn strict(&self, params: &Json) -> std::result::Result<(), String> {
        if self.flaw == Flaw::StrictWire && params.to_string().contains("fromTheFuture") {
            return Err("unknown field".to_owned());
        }
        Ok(())
    }
}

#[async_trait]
impl Wire for FaultyWire {
    async fn initialize(&self, mut params: Json) -> std::result::Result<Json, String> {
        self.strict(&params)?;
        if let Some(spi) = params.get_mut("spi").filter(|_| self.flaw == Flaw::AnyVersion) {
            *spi = json!([SPI.0]);
        }
        self.honest.initialize(params).await
    }

    async fn request(&self, method: &str, params: Json) -> std::result::Result<Json, String> {
        self.strict(&params)?;
        self.honest.request(method, params).await
    }
}
