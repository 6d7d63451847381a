//! Reaching the server: TCP, StartTLS and TLS, with one policy for all.

use crate::{
    ber,
    config::{Address, Config},
    relay::{self, Limits, Wire},
};
use bytes::BytesMut;
use connector_spi::{ConnError, Result};
use ldap3::Ldap;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// What the relay needs to know to open connections.
pub struct Endpoint {
    address: Address,
    starttls: bool,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    limits: Limits,
}

/// Octets that one search may bring. More than the largest message, or a group of that size could not be read.
const SEARCH_OCTETS: usize = 48 << 20;

impl Endpoint {
    /// Prepares TLS. Fails with `Config` when the CA file or the name cannot be used.
    pub fn new(config: &Config) -> Result<Self> {
        let address = Address::parse(&config.url)
            .ok_or_else(|| ConnError::config("url is not an LDAP address").attribute("url"))?;
        let tls = if address.tls || config.starttls {
            let name = config.server_name.clone().unwrap_or_else(|| address.host.clone());
            let name = ServerName::try_from(name).map_err(|_| ConnError::config("server_name is no host name"))?;
            Some((TlsConnector::from(Arc::new(client_config(config)?)), name))
        } else {
            None
        };
        let limits = Limits {
            message: config.max_message,
            message_time: Duration::from_millis(config.message_timeout_ms),
            // A page and a little: servers may round up, and references are counted too.
            entries: usize::try_from(config.page_size).unwrap_or(5_000).saturating_mul(2).max(1_000),
            search: SEARCH_OCTETS,
        };
        Ok(Self { address, starttls: config.starttls, tls, limits })
    }

    /// Connects, secures the connection and puts the guard before ldap3. Nothing is logged in yet.
    pub async fn open(&self) -> Result<(Ldap, Arc<Wire>)> {
        let mut socket = TcpStream::connect((self.address.host.as_str(), self.address.port))
            .await
            .map_err(|error| ConnError::transient(format!("connecting: {}", error.kind())))?;
        socket.set_nodelay(true).map_err(|error| ConnError::transient(format!("connecting: {}", error.kind())))?;
        if self.starttls {
            start_tls(&mut socket, self.limits).await?;
        }
        match &self.tls {
            None => relay::attach(socket, self.limits).await,
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), socket).await.map_err(|error| tls_failed(&error))?;
                relay::attach(stream, self.limits).await
            }
        }
    }
}

fn client_config(config: &Config) -> Result<ClientConfig> {
    let unusable = |what: &str| ConnError::config(format!("{what} cannot be used for TLS"));
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|_| unusable("the cryptography of this build"))?;
    if config.danger_accept_any_certificate {
        let any = Arc::new(AnyCertificate(provider));
        return Ok(builder.dangerous().with_custom_certificate_verifier(any).with_no_client_auth());
    }
    let Some(file) = &config.ca_file else {
        let platform = rustls_platform_verifier::Verifier::new(provider)
            .map_err(|_| unusable("the platform's certificate store"))?;
        return Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(platform)).with_no_client_auth());
    };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file).map_err(|_| unusable("ca_file"))?;
    for certificate in certificates {
        roots.add(certificate.map_err(|_| unusable("ca_file"))?).map_err(|_| unusable("ca_file"))?;
    }
    if roots.is_empty() {
        return Err(unusable("ca_file, which holds no certificate,"));
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn tls_failed(error: &io::Error) -> ConnError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(reason)) => {
            ConnError::config(format!("the server's certificate is refused: {reason:?}"))
        }
        Some(other) => ConnError::config(format!("TLS is refused: {other}")),
        None => ConnError::transient(format!("TLS: {}", error.kind())),
    }
}

/// StartTLS (RFC 4511, section 4.14), before anything else on the connection.
async fn start_tls(socket: &mut TcpStream, limits: Limits) -> Result<()> {
    const OID: &[u8] = b"1.3.6.1.4.1.1466.20037";
    let mut request = vec![0x30, 0x1d, 0x02, 0x01, 0x01, 0x77, 0x18, 0x80, 0x16];
    request.extend_from_slice(OID);
    let lost = |error: io::Error| ConnError::transient(format!("StartTLS: {}", error.kind()));
    socket.write_all(&request).await.map_err(lost)?;
    let mut answer = BytesMut::new();
    let length = loop {
        match ber::frame(&answer, limits.message.min(64 << 10)) {
            Ok(Some(length)) => break length,
            Ok(None) => {}
            Err(violation) => return Err(ConnError::transient(format!("StartTLS: the server sent {violation}"))),
        }
        if socket.read_buf(&mut answer).await.map_err(lost)? == 0 {
            return Err(ConnError::transient("StartTLS: the server closed the connection"));
        }
    };
    // Octets after the answer came in clear text: somebody put them there to have them taken for protected ones.
    if length != answer.len() {
        return Err(ConnError::config("StartTLS: the server sent clear text after its answer"));
    }
    let message = ber::inspect(&answer)
        .map_err(|violation| ConnError::transient(format!("StartTLS: the server sent {violation}")))?;
    match (message.id, message.operation, message.code) {
        (1, 24, Some(0)) => Ok(()),
        (1, 24, Some(code)) => Err(ConnError::config("the server refuses StartTLS").code(code)),
        _ => Err(ConnError::transient("StartTLS: the server sent something else")),
    }
}

/// Takes any certificate; only behind `danger_accept_any_certificate`. Signatures are checked all the same.
#[derive(Debug)]
struct AnyCertificate(Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> std::result::Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> std::result::Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> std::result::Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
