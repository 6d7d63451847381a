//! The program of the tests, as a child or at a socket.
#![allow(dead_code, reason = "each test file uses a part")]

use async_trait::async_trait;
use connector_plugin::{PluginKind, Settings};
use connector_spi::{Connector, ConnectorType, Ctx, ErasedType, Host};
use connector_testkit::{TestHost, Wire};
use serde_json::{Value as Json, json};
use std::{
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_chartgate-test-plugin");

/// What sha256sum says of a file.
pub fn digest(path: &Path) -> String {
    let said = Command::new("sha256sum").arg(path).stdin(Stdio::null()).output().unwrap();
    String::from_utf8(said.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

/// Settings of the program in this mode, as a child.
pub fn child(mode: &str) -> Json {
    json!({"command": [PROGRAM], "sha256": digest(Path::new(PROGRAM)), "env": {"MODE": mode}})
}

/// The same, read.
pub fn settings(settings: &Json) -> Settings {
    serde_json::from_value(settings.clone()).unwrap()
}

/// A connector over a hostile child, opened as the gateway does.
pub async fn hostile(harm: &str, host: &Arc<TestHost>) -> Arc<dyn Connector> {
    open(child(&format!("hostile {harm}")), host).await.unwrap()
}

pub async fn open(settings: Json, host: &Arc<TestHost>) -> connector_spi::Result<Arc<dyn Connector>> {
    let kind = connector_spi::Erase::<connector_plugin::Plugin>::new();
    assert_eq!(kind.name(), connector_plugin::Plugin::NAME);
    kind.open_json(settings, Arc::clone(host) as Arc<dyn connector_spi::Host>).await
}

/// A call with this many milliseconds.
pub fn within(host: &Arc<TestHost>, millis: u64) -> Ctx {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_millis(millis);
    Ctx { deadline, ..host.ctx() }
}

/// The plugin's protocol, for the checks of the handshake.
pub struct ByHand {
    pub kind: Arc<PluginKind>,
    pub config: Json,
    pub host: Arc<TestHost>,
}

#[async_trait]
impl Wire for ByHand {
    async fn initialize(&self, params: Json) -> std::result::Result<Json, String> {
        self.kind.initialize(&params).await
    }
    async fn request(&self, method: &str, params: Json) -> std::result::Result<Json, String> {
        self.kind.request(&self.config, Arc::clone(&self.host) as Arc<dyn Host>, method, &params).await
    }
}
