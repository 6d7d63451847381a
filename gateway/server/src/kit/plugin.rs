//! A plugin put to the test: its own settings in place of the target's, its protocol spoken by hand, and the door to the network
//! that its target's settings open for it.

use async_trait::async_trait;
use connector_http::Door;
use connector_plugin::{PluginKind, Settings};
use connector_spi::{ConnError, Host, HttpRequest, HttpResponse, Level, Result, Secret, SecretRef};
use connector_testkit::{Subject, TestHost, Wire};
use serde_json::{Value, json};
use std::sync::Arc;

/// The subject whose configuration is that of the plugin itself. `address` is where the target's address stands among the target's
/// settings: the door opens there too.
pub(super) async fn itself(mut subject: Subject, address: Option<&str>) -> std::result::Result<Subject, String> {
    let there = address.and_then(|pointer| subject.config.pointer(pointer)).cloned();
    if let (Some(url), Some(place)) = (there, subject.config.pointer_mut("/http/url")) {
        *place = url;
    }
    let settings: Settings = serde_json::from_value(subject.config.clone())
        .map_err(|error| format!("the settings of the plugin: {error}"))?;
    let host = TestHost::with(subject.secrets.clone(), None);
    subject.network = match connector_plugin::network(&subject.config) {
        Some(http) => {
            let door = Door::open(http, host).await.map_err(|error| error.to_string())?;
            Some(Arc::new(Network(door)) as Arc<dyn Host>)
        }
        None => None,
    };
    let kind = Arc::new(PluginKind::greet(settings).await.map_err(|error| error.to_string())?);
    subject.config = own(&subject.config);
    subject.wrong_host = subject.wrong_host.as_ref().map(own);
    let host = TestHost::with(subject.secrets.clone(), subject.network.clone());
    subject.wire = Some(Arc::new(ByHand { kind: Arc::clone(&kind), config: subject.config.clone(), host }));
    subject.kind = kind;
    Ok(subject)
}

/// The plugin's own settings among the target's.
fn own(settings: &Value) -> Value {
    settings.get("config").cloned().unwrap_or_else(|| json!({}))
}

/// The gateway's door and nothing else.
struct Network(Door);

#[async_trait]
impl Host for Network {
    async fn secret(&self, reference: &SecretRef) -> Result<Secret> {
        Err(ConnError::config(format!("{reference} is not asked at the door")))
    }
    async fn http(&self, request: HttpRequest) -> Result<HttpResponse> {
        self.0.send(request.try_into()?).await
    }
    fn event(&self, _: Level, _: &str, _: &[(&str, &str)]) {}
}

/// The plugin's protocol, for the checks of the handshake.
struct ByHand {
    kind: Arc<PluginKind>,
    config: Value,
    host: Arc<TestHost>,
}

#[async_trait]
impl Wire for ByHand {
    async fn initialize(&self, params: Value) -> std::result::Result<Value, String> {
        self.kind.initialize(&params).await
    }
    async fn request(&self, method: &str, params: Value) -> std::result::Result<Value, String> {
        self.kind.request(&self.config, Arc::clone(&self.host) as Arc<dyn Host>, method, &params).await
    }
}
