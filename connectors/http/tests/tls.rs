//! Trust: a certificate authority of one's own, wrong names, mutual TLS.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use connector_http::Door;
use connector_spi::{Class, Effect};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{RootCertStore, ServerConfig, crypto::aws_lc_rs, server::WebPkiClientVerifier};
use serde_json::json;
use std::{path::PathBuf, sync::Arc};
use support::{Gateway, ask, settings};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path
}

async fn server(authority: &Authority, name: &str, clients: Option<&Authority>) -> u16 {
    let (certificate, key) = authority.issue(name);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(Arc::new(clients.roots()), provider).build().unwrap(),
        ),
        None => builder.with_no_client_auth(),
    };
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut block = [0; 4096];
                // A client that does not like what it sees hangs up half-way.
                if stream.read(&mut block).await.is_ok_and(|count| count > 0)
                    && stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.is_ok()
                {
                    drop(stream.shutdown().await);
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn a_server_of_the_configured_authority_is_trusted_and_no_other() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let ca = file("ca.pem", &ours.0.pem());
    for (authority, name, trusted) in
        [(&ours, "localhost", true), (&theirs, "localhost", false), (&ours, "other.example", false)]
    {
        let port = server(authority, name, None).await;
        let config = settings(
            &format!("https://localhost:{port}"),
            json!({"tls": {"ca_file": ca}, "allow_networks": ["127.0.0.0/8", "::1/128"]}),
        );
        let door = Door::open(config, Gateway::with(&[])).await.unwrap();
        match ask(&door, "POST", "x").await {
            Ok(answer) => assert!(trusted && answer.status == 204),
            Err(error) => assert_eq!((trusted, error.class, error.effect), (false, Class::Config, Effect::None)),
        }
    }
}

#[tokio::test]
async fn the_platforms_authorities_do_not_vouch_for_a_stranger() {
    let port = server(&Authority::new(), "localhost", None).await;
    let config = settings(&format!("https://localhost:{port}"), json!({"allow_networks": ["127.0.0.0/8", "::1/128"]}));
    // A platform without any certificate refuses earlier, and as firmly.
    let error = match Door::open(config, Gateway::with(&[])).await {
        Ok(door) => ask(&door, "POST", "x").await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!((error.class, error.effect), (Class::Config, Effect::None));
}

#[tokio::test]
async fn a_client_certificate_opens_a_server_that_asks_for_one() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("gateway.example");
    let tls = json!({
        "ca_file": file("mtls-ca.pem", &authority.0.pem()),
        "client_certificate": file("client.pem", &certificate.pem()),
        "client_key": {"file": "/the/gateway/reads/it"},
    });
    let port = server(&authority, "localhost", Some(&authority)).await;
    let url = format!("https://localhost:{port}");
    let networks = json!(["127.0.0.0/8", "::1/128"]);

    let with = settings(&url, json!({"tls": tls, "allow_networks": networks}));
    let door = Door::open(with, Gateway::with(&[&key.serialize_pem()])).await.unwrap();
    assert_eq!(ask(&door, "POST", "x").await.unwrap().status, 204);

    let without = settings(&url, json!({"tls": {"ca_file": tls["ca_file"]}, "allow_networks": networks}));
    let door = Door::open(without, Gateway::with(&[])).await.unwrap();
    assert_eq!(ask(&door, "POST", "x").await.unwrap_err().class, Class::Config);
}

#[tokio::test]
async fn a_key_that_is_no_key_and_a_file_without_certificates_are_faults_of_the_configuration() {
    let empty = file("empty.pem", "nothing here");
    let config = settings("https://localhost:1", json!({"tls": {"ca_file": empty}}));
    assert_eq!(Door::open(config, Gateway::with(&[])).await.err().unwrap().class, Class::Config);

    let authority = Authority::new();
    let tls = json!({"ca_file": file("ca2.pem", &authority.0.pem()),
                     "client_certificate": file("c2.pem", &authority.issue("x").0.pem()), "client_key": {"env": "K"}});
    let config = settings("https://localhost:1", json!({"tls": tls}));
    let error = Door::open(config, Gateway::with(&["canary-not-a-key"])).await.err().unwrap();
    assert_eq!(error.class, Class::Config);
    assert!(!error.to_string().contains("canary"));
}
