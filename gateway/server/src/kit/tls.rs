//! TLS around a proxy that speaks none: taken off before it with a certificate made for the run, put on again behind it with
//! the target's own trust.

use super::address;
use async_trait::async_trait;
use connector_testkit::{Fault, FaultProxy};
use rcgen::{CertificateParams, CertifiedKey, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::aws_lc_rs};
use rustls_platform_verifier::BuilderVerifierExt;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// How long a cut connection takes to be seen.
const SEEN: Duration = Duration::from_millis(50);

/// The file with the run's certificate, in a folder of the run.
const CA_FILE: &str = "run.pem";

/// Where a kind of connector keeps what it trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// `http.tls`, and `http.allow_networks` for the way to this machine.
    Http,
    /// `ca_file` and `server_name`.
    Ldap,
}

impl Manner {
    /// The manner of a kind; `None` for one whose settings nobody here knows.
    pub(super) fn of(kind: &str) -> Option<Self> {
        match kind {
            "rest" | "soap" | "scim" | "plugin" => Some(Self::Http),
            "ldap" => Some(Self::Ldap),
            _ => None,
        }
    }

    fn tls(self, settings: &Value) -> Option<&Value> {
        match self {
            Self::Http => settings.pointer("/http/tls"),
            Self::Ldap => Some(settings),
        }
    }

    /// Why TLS cannot be taken off, where these settings are the reason.
    pub(super) fn obstacle(self, settings: &Value) -> Option<String> {
        let trusts = self.tls(settings).and_then(|tls| tls.get("ca_file")).is_some_and(Value::is_string);
        if settings.get("danger_accept_any_certificate") == Some(&json!(true)) {
            return Some("danger_accept_any_certificate leaves nothing to trust the target by: set ca_file".to_owned());
        }
        if self == Self::Http && !trusts && elsewhere(settings) {
            let why = "the settings name another address over TLS, which has to stay trusted: set http.tls.ca_file";
            return Some(why.to_owned());
        }
        None
    }
}

/// Whether an address beside that of the target is reached over TLS: of tokens, of a second service.
fn elsewhere(settings: &Value) -> bool {
    let Some(members) = settings.as_object() else { return false };
    let addresses = |value: &Value| {
        let mut next = vec![value];
        let mut found = false;
        while let Some(value) = next.pop() {
            if let Some(members) = value.as_object() {
                let secure = |url: &Value| url.as_str().is_some_and(|url| url.starts_with("https://"));
                found |= ["url", "token_url"].iter().any(|name| members.get(*name).is_some_and(secure));
                next.extend(members.values());
            }
        }
        found
    };
    let auth = settings.pointer("/http/auth").is_some_and(addresses);
    auth || members.get("services").is_some_and(addresses)
}

/// The two ends of a proxy before a target over TLS.
pub(super) struct Ends {
    /// Where the connector is sent.
    pub front: Front,
    /// Where the proxy is sent; what comes there goes on over TLS.
    pub back: SocketAddr,
}

/// Something that takes TLS off.
pub(super) struct Front {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    pub addr: SocketAddr,
    room: TempDir,
}

/// Both ends, and the settings of a connector that is to trust the front.
pub(super) async fn ends(
    manner: Manner,
    settings: &mut Value,
    secrets: &BTreeMap<String, String>,
    there: &str,
) -> Result<Ends, String> {
    let client = client(manner, settings, secrets)?;
    let host = there.rsplit_once(':').map_or(there, |(host, _)| host).trim_matches(['[', ']']);
    let stated = if manner == Manner::Ldap { settings.get("server_name").and_then(Value::as_str) } else { None };
    let name =
        ServerName::try_from(stated.unwrap_or(host).to_owned()).map_err(|_| format!("{host} is no host name"))?;
    let back = back(TlsConnector::from(Arc::new(client)), name, address::resolved(there).await?).await?;
    let (front, certificate) = front().await?;
    let file = front.room.path().join(CA_FILE);
    let mut trusted = certificate;
    // Another address of the same settings stays trusted.
    if let Some(own) = manner.tls(settings).and_then(|tls| tls.get("ca_file")).and_then(Value::as_str) {
        trusted += &fs::read_to_string(own).map_err(|error| format!("{own}: {}", error.kind()))?;
    }
    fs::write(&file, trusted).map_err(|error| format!("{}: {}", file.display(), error.kind()))?;
    trust(manner, settings, &file.display().to_string())?;
    Ok(Ends { front, back })
}

fn trust(manner: Manner, settings: &mut Value, file: &str) -> Result<(), String> {
    if manner == Manner::Ldap {
        // The front's certificate carries the address by which it is called.
        settings.as_object_mut().map(|members| members.remove("server_name"));
        return address::point(settings, "/ca_file", json!(file));
    }
    if settings.pointer("/http/tls").is_none() {
        address::point(settings, "/http/tls", json!({}))?;
    }
    address::point(settings, "/http/tls/ca_file", json!(file))?;
    let mut networks = settings.pointer("/http/allow_networks").and_then(Value::as_array).cloned().unwrap_or_default();
    networks.push(json!("127.0.0.0/8"));
    address::point(settings, "/http/allow_networks", json!(networks))
}

/// How the target is spoken to, as its settings say.
fn client(manner: Manner, settings: &Value, secrets: &BTreeMap<String, String>) -> Result<ClientConfig, String> {
    let told = |error: rustls::Error| format!("TLS cannot be set up: {error}");
    let tls = manner.tls(settings);
    let text = |name: &str| tls.and_then(|tls| tls.get(name)).and_then(Value::as_str);
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(told)?;
    let builder = match text("ca_file") {
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(told)?;
            }
            builder.with_root_certificates(roots)
        }
        None => builder.with_platform_verifier().map_err(told)?,
    };
    let key = tls.and_then(|tls| tls.get("client_key")).and_then(|key| key.get("env").or_else(|| key.get("file")));
    let key = key.and_then(Value::as_str).and_then(|name| secrets.get(name));
    let mut client = match (text("client_certificate"), key) {
        (Some(file), Some(key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| "client_key is no key in PEM")?;
            builder.with_client_auth_cert(certificates(file)?, key).map_err(told)?
        }
        _ => builder.with_no_client_auth(),
    };
    if manner == Manner::Http {
        client.alpn_protocols = vec![b"http/1.1".to_vec()];
    }
    Ok(client)
}

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let unusable = |error: rustls::pki_types::pem::Error| format!("{file} holds no certificates in PEM: {error}");
    CertificateDer::pem_file_iter(file).map_err(unusable)?.collect::<Result<_, _>>().map_err(unusable)
}

async fn bound() -> Result<(TcpListener, SocketAddr), String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
    let addr = listener.local_addr().map_err(|error| error.to_string())?;
    Ok((listener, addr))
}

/// Runs as long as the runtime of the run.
async fn back(connector: TlsConnector, name: ServerName<'static>, there: SocketAddr) -> Result<SocketAddr, String> {
    let (listener, addr) = bound().await?;
    tokio::spawn(async move {
        while let Ok((mut plain, _)) = listener.accept().await {
            let (connector, name) = (connector.clone(), name.clone());
            tokio::spawn(async move {
                let socket = TcpStream::connect(there).await.ok()?;
                let mut secured = connector.connect(name, socket).await.ok()?;
                copy_bidirectional(&mut plain, &mut secured).await.ok()
            });
        }
    });
    Ok(addr)
}

/// The front before it serves, and its certificate.
async fn front() -> Result<(Front, String), String> {
    let told = |error: rcgen::Error| format!("a certificate for the run cannot be made: {error}");
    let signing_key = KeyPair::generate().map_err(told)?;
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).map_err(told)?;
    let cert = params.self_signed(&signing_key).map_err(told)?;
    let made = CertifiedKey { cert, signing_key };
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(str::to_owned)?;
    let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key))
        .map_err(|error| format!("TLS cannot be set up: {error}"))?;
    let (listener, addr) = bound().await?;
    let room = TempDir::new().map_err(|error| error.to_string())?;
    let acceptor = TlsAcceptor::from(Arc::new(server));
    Ok((Front { listener, acceptor, addr, room }, made.cert.pem()))
}

impl Front {
    /// Takes TLS off before this proxy, from now on.
    pub(super) fn before(self, inner: Arc<dyn FaultProxy>, proxy: SocketAddr) -> Arc<dyn FaultProxy> {
        let Front { listener, acceptor, room, .. } = self;
        let refuses = Arc::new(AtomicBool::new(false));
        let (cut, cuts) = watch::channel(0_u32);
        let refusing = Arc::clone(&refuses);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if refusing.load(Ordering::SeqCst) {
                    continue;
                }
                let (acceptor, mut cuts) = (acceptor.clone(), cuts.clone());
                cuts.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = cuts.changed() => {}
                        _ = relay(acceptor, client, proxy) => {}
                    }
                });
            }
        });
        Arc::new(Secured { inner, refuses, cut, listening, _room: room })
    }
}

async fn relay(acceptor: TlsAcceptor, client: TcpStream, proxy: SocketAddr) -> Option<()> {
    let mut secured = acceptor.accept(client).await.ok()?;
    let mut plain = TcpStream::connect(proxy).await.ok()?;
    copy_bidirectional(&mut secured, &mut plain).await.ok().map(drop)
}

/// A proxy behind a front. A connection that is to fail before anything is sent fails at the front already, in its handshake.
struct Secured {
    inner: Arc<dyn FaultProxy>,
    refuses: Arc<AtomicBool>,
    cut: watch::Sender<u32>,
    listening: JoinHandle<()>,
    _room: TempDir,
}

#[async_trait]
impl FaultProxy for Secured {
    fn supports(&self, fault: Fault) -> bool {
        self.inner.supports(fault)
    }

    async fn set(&self, fault: Fault) {
        let refuses = fault == Fault::ResetBeforeSend;
        self.refuses.store(refuses, Ordering::SeqCst);
        if refuses {
            self.cut.send_modify(|cuts| *cuts += 1);
            sleep(SEEN).await;
        }
        self.inner.set(fault).await;
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn another_address_over_tls_needs_trust_that_is_named() {
        let url = json!("https://ehr.hosp.example/api");
        let alone = json!({ "http": { "url": url, "auth": { "token_url": "/token" } } });
        assert_eq!(Manner::Http.obstacle(&alone), None);
        let tokens = json!({ "http": { "url": url, "auth": { "token_url": "https://login.hosp.example" } } });
        assert!(Manner::Http.obstacle(&tokens).unwrap().contains("ca_file"));
        let services =
            json!({ "http": { "url": url }, "services": { "core": { "url": "https://core.hosp.example" } } });
        assert!(Manner::Http.obstacle(&services).is_some());
        let mut named = tokens;
        named["http"]["tls"] = json!({ "ca_file": "ca.pem" });
        assert_eq!(Manner::Http.obstacle(&named), None);
    }
}
