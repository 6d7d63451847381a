//! What a connector may ask of the gateway: secrets, requests through the door to the network, and a line in the log.
//!
//! Connectors of this program that speak HTTP open a door of their own. [`Host::http`] is for connectors out of process: where
//! they may go, and with which credentials, stands in their target's settings, and the door that those settings open is the
//! same one, with the same checks. Without such settings it stays shut.

use crate::secrets;
use async_trait::async_trait;
use connector_http::{Door, HttpConfig};
use connector_spi::{ConnError, Effect, Host, HttpRequest, HttpResponse, Level, Result, Secret, SecretRef};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// The gateway as one target's connector sees it.
pub struct TargetHost {
    target: Arc<str>,
    network: Option<Network>,
}

/// Where a target's connector may go.
struct Network {
    settings: HttpConfig,
    /// Opened by the first request: a certificate that cannot be read is that request's error.
    door: OnceCell<Door>,
}

impl TargetHost {
    /// The host of the target of this name; its connector goes where `network` says, if anywhere.
    #[must_use]
    pub fn new(target: &str, network: Option<HttpConfig>) -> Self {
        let network = network.map(|settings| Network { settings, door: OnceCell::new() });
        Self { target: target.into(), network }
    }
}

#[async_trait]
impl Host for TargetHost {
    async fn secret(&self, reference: &SecretRef) -> Result<Secret> {
        let reference = reference.clone();
        // A secret may lie on a network file system that does not answer: not on a thread that others need.
        let read = tokio::task::spawn_blocking(move || secrets::read(&reference)).await;
        match read {
            Ok(Ok(secret)) => Ok(secret),
            Ok(Err(why)) => Err(ConnError::config(why).effect(Effect::None)),
            Err(_) => Err(ConnError::transient("the secret was not read: the gateway is ending").effect(Effect::None)),
        }
    }

    async fn http(&self, request: HttpRequest) -> Result<HttpResponse> {
        let Some(network) = &self.network else {
            let refused = "no network is configured for this connector's requests through the gateway";
            return Err(ConnError::config(refused).effect(Effect::None));
        };
        let door = network.door.get_or_try_init(|| {
            // The door asks for its credentials only.
            let host: Arc<dyn Host> = Arc::new(TargetHost { target: Arc::clone(&self.target), network: None });
            Door::open(network.settings.clone(), host)
        });
        door.await?.send(request.try_into()?).await
    }

    fn event(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        let target = &*self.target;
        let fields = fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        match level {
            Level::Debug => tracing::debug!(target: "gateway_server::connector", name = target, fields, "{message}"),
            Level::Info => tracing::info!(target: "gateway_server::connector", name = target, fields, "{message}"),
            Level::Warn => tracing::warn!(target: "gateway_server::connector", name = target, fields, "{message}"),
            Level::Error => tracing::error!(target: "gateway_server::connector", name = target, fields, "{message}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use connector_spi::Class;
    use serde_json::{Value, json};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn host(settings: Option<Value>) -> TargetHost {
        TargetHost::new("pager", settings.map(|settings| serde_json::from_value(settings).unwrap()))
    }

    fn request(url: &str) -> HttpRequest {
        HttpRequest {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: vec![("x-own".to_owned(), "1".to_owned())],
            body: Vec::new(),
            timeout: Duration::from_secs(5),
            max_body: 16,
        }
    }

    /// Answers each connection with this, whatever is asked; what was asked is sent back through the channel.
    async fn service(answer: &'static str) -> (String, tokio::sync::mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (asked, heard) = tokio::sync::mpsc::channel(8);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut octets = vec![0; 4_096];
                let count = stream.read(&mut octets).await.unwrap();
                octets.truncate(count);
                stream.write_all(answer.as_bytes()).await.unwrap();
                drop(asked.send(String::from_utf8(octets).unwrap()).await);
            }
        });
        (address, heard)
    }

    const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

    #[tokio::test]
    async fn without_settings_the_door_is_shut() {
        let error = host(None).http(request("https://a.example/")).await.unwrap_err();
        assert_eq!((error.class, error.effect), (Class::Config, Effect::None));
    }

    #[tokio::test]
    async fn a_request_goes_where_the_settings_say_and_the_gateway_adds_the_credentials() {
        let (url, mut heard) = service(FINE).await;
        let room = tempfile::tempdir().unwrap();
        let token = room.path().join("token");
        std::fs::write(&token, "t0ken\n").unwrap();
        let host = host(Some(json!({
            "url": url, "allow_plaintext": true, "allow_networks": ["127.0.0.0/8"],
            "auth": {"type": "bearer", "token": {"file": token}},
        })));

        let response = host.http(request(&format!("{url}/v1/x"))).await.unwrap();

        assert_eq!((response.status, response.body.as_slice()), (200, b"ok".as_slice()));
        let asked = heard.recv().await.unwrap();
        assert!(
            asked.starts_with("GET /v1/x ") && asked.contains("Bearer t0ken") && asked.contains("x-own: 1"),
            "{asked}"
        );
    }

    #[tokio::test]
    async fn another_host_and_a_private_address_are_refused() {
        let (url, _heard) = service(FINE).await;
        let elsewhere = host(Some(json!({"url": "https://a.example"})));
        let unlisted = elsewhere.http(request("https://b.example/")).await.unwrap_err();
        let not_opened = host(Some(json!({"url": url, "allow_plaintext": true})));
        let private = not_opened.http(request(&url)).await.unwrap_err();
        for error in [unlisted, private] {
            assert_eq!((error.class, error.effect), (Class::Config, Effect::None), "{error}");
        }
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed_and_a_long_answer_is_refused() {
        let open =
            |url: &str| host(Some(json!({"url": url, "allow_plaintext": true, "allow_networks": ["127.0.0.0/8"]})));
        let moved = "HTTP/1.1 302 Found\r\nlocation: /b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let (url, _heard) = service(moved).await;
        assert_eq!(open(&url).http(request(&url)).await.unwrap().status, 302);

        let long = "HTTP/1.1 200 OK\r\ncontent-length: 17\r\nconnection: close\r\n\r\n12345678901234567";
        let (url, _heard) = service(long).await;
        assert_eq!(open(&url).http(request(&url)).await.unwrap_err().class, Class::Unknown);
    }
}
