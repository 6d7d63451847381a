//! HTTPS with a certificate that can be changed while the gateway runs.

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::{io, sync::Arc};

/// The certificate that is shown to clients. [`Certificate::replace`] changes it for new connections; those that stand go on.
#[derive(Debug)]
pub struct Certificate {
    provider: Arc<CryptoProvider>,
    shown: ArcSwap<CertifiedKey>,
}

impl Certificate {
    /// A chain (own certificate first) and its key, both PEM.
    ///
    /// # Errors
    /// `InvalidData` when either cannot be read, the chain is empty, or the key is not the certificate's.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> io::Result<Arc<Self>> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let shown = ArcSwap::from_pointee(certified(chain, key, &provider)?);
        Ok(Arc::new(Self { provider, shown }))
    }

    /// Shows another certificate from now on. When it cannot be read the old one stays.
    ///
    /// # Errors
    /// As [`Certificate::from_pem`].
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> io::Result<()> {
        self.shown.store(Arc::new(certified(chain, key, &self.provider)?));
        Ok(())
    }

    /// TLS 1.2 and 1.3, no client certificate, HTTP/1.1.
    pub(crate) fn config(self: &Arc<Self>) -> io::Result<ServerConfig> {
        let resolver = Arc::new(Shown(Arc::clone(self)));
        Ok(ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(resolver))
    }
}

#[derive(Debug)]
struct Shown(Arc<Certificate>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.shown.load_full())
    }
}

fn certified(chain: &[u8], key: &[u8], provider: &CryptoProvider) -> io::Result<CertifiedKey> {
    // The texts of these errors name what is malformed, never the key.
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let chain = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| invalid("the certificate chain is no PEM"))?;
    if chain.is_empty() {
        return Err(invalid("the certificate chain is empty"));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| invalid("the private key is no PEM"))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|_| invalid("the private key is not the certificate's"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec!["scim.hosp.example".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn another_certificate_is_shown_after_it_was_replaced() {
        let ((old_chain, old_key), (new_chain, new_key)) = (pair(), pair());
        let certificate = Certificate::from_pem(old_chain.as_bytes(), old_key.as_bytes()).unwrap();
        let before = certificate.shown.load_full();

        certificate.replace(new_chain.as_bytes(), new_key.as_bytes()).unwrap();

        assert_ne!(before.cert, certificate.shown.load_full().cert);
        assert!(certificate.config().is_ok());
    }

    #[test]
    fn a_key_of_another_certificate_is_refused_and_the_old_one_stays() {
        let ((chain, key), (_, other)) = (pair(), pair());
        let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        let before = certificate.shown.load_full();

        let error = certificate.replace(chain.as_bytes(), other.as_bytes()).unwrap_err();

        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(before.cert, certificate.shown.load_full().cert);
    }

    #[test]
    fn empty_files_are_refused_in_words_that_say_which() {
        let (chain, key) = pair();

        assert!(Certificate::from_pem(b"", key.as_bytes()).unwrap_err().to_string().contains("chain"));
        assert!(Certificate::from_pem(chain.as_bytes(), b"").unwrap_err().to_string().contains("key"));
    }
}
