//! TLS: rustls with aws-lc-rs, TLS 1.2 and newer.

use crate::{HttpConfig, Tls};
use connector_spi::{ConnError, Host, Result};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls_platform_verifier::BuilderVerifierExt;
use std::{path::Path, sync::Arc};

/// The TLS settings of one target.
pub(crate) async fn client(config: &HttpConfig, host: &dyn Host) -> Result<ClientConfig> {
    let tls = &config.tls;
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| ConnError::config(format!("TLS cannot be set up: {error}")))?;
    let builder = match (&tls.ca_file, config.url.url().scheme()) {
        (Some(file), _) => builder.with_root_certificates(roots(file)?),
        // A target without TLS needs no trust: a platform without certificates must not stand in its way.
        (None, "http") => builder.with_root_certificates(RootCertStore::empty()),
        (None, _) => builder
            .with_platform_verifier()
            .map_err(|error| ConnError::config(format!("the platform's certificates cannot be used: {error}")))?,
    };
    let mut client = match own_certificate(tls, host).await? {
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| ConnError::config(format!("the client certificate and its key do not fit: {error}")))?,
        None => builder.with_no_client_auth(),
    };
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(client)
}

fn roots(file: &Path) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(file)? {
        store.add(certificate).map_err(|error| {
            ConnError::config(format!("{} holds a certificate that is no authority: {error}", file.display()))
        })?;
    }
    Ok(store)
}

async fn own_certificate(
    tls: &Tls,
    host: &dyn Host,
) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>> {
    let (Some(file), Some(key)) = (&tls.client_certificate, &tls.client_key) else {
        return Ok(None);
    };
    let pem = host.secret(key).await?;
    let private = PrivateKeyDer::from_pem_slice(pem.expose().as_bytes())
        .map_err(|_| ConnError::config(format!("{key} holds no private key in PEM")))?;
    Ok(Some((certificates(file)?, private)))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let unusable = |error: rustls_pki_types::pem::Error| {
        ConnError::config(format!("{} cannot be read as PEM certificates: {error}", file.display()))
    };
    let found: Vec<_> = CertificateDer::pem_file_iter(file)
        .map_err(unusable)?
        .collect::<std::result::Result<_, _>>()
        .map_err(unusable)?;
    if found.is_empty() {
        return Err(ConnError::config(format!("{} holds no certificate", file.display())));
    }
    Ok(found)
}
