//! A gateway for tests: one password, and a list of what it was told.

use async_trait::async_trait;
use connector_spi::{
    ConnError, Connector, ConnectorType, Ctx, Host, HttpRequest, HttpResponse, Level, Result, Secret, SecretRef,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

pub struct TestHost {
    pub passwords: Mutex<Vec<String>>,
    pub told: Mutex<Vec<String>>,
}

impl TestHost {
    /// Answers these passwords one after the other, the last one for ever.
    pub fn new(passwords: &[&str]) -> Arc<Self> {
        let passwords = passwords.iter().rev().map(|password| (*password).to_owned()).collect();
        Arc::new(Self { passwords: Mutex::new(passwords), told: Mutex::default() })
    }
}

#[async_trait]
impl Host for TestHost {
    async fn secret(&self, _: &SecretRef) -> Result<Secret> {
        let mut passwords = self.passwords.lock().unwrap();
        let password = if passwords.len() > 1 { passwords.pop() } else { passwords.last().cloned() };
        password.map(Secret::new).ok_or_else(|| ConnError::config("no such secret"))
    }

    async fn http(&self, _: HttpRequest) -> Result<HttpResponse> {
        Err(ConnError::unsupported("no network"))
    }

    fn event(&self, _: Level, message: &str, fields: &[(&str, &str)]) {
        self.told.lock().unwrap().push(format!("{message} {fields:?}"));
    }
}

pub fn cx(host: &Arc<TestHost>) -> Ctx {
    Ctx::new("op-1", Instant::now() + Duration::from_secs(60), host.clone())
}

pub async fn open(config: serde_json::Value, host: &Arc<TestHost>) -> Result<Arc<dyn Connector>> {
    let config = serde_json::from_value(config).unwrap();
    connector_ldap::Ldap::open(config, host.clone()).await
}
