//! The secrets of a connection, read anew for each.

use crate::{config, error::Failure};
use connector_spi::{Host, Secret, SecretRef};

/// What a connection needs.
pub(crate) struct Secrets {
    pub(crate) password: Option<Secret>,
    pub(crate) client_key: Option<Secret>,
}

/// Reads them.
///
/// # Errors
/// [`Failure::Setup`] when one cannot be read.
pub(crate) async fn read(config: &config::Database, host: &dyn Host) -> Result<Secrets, Failure> {
    Ok(Secrets {
        password: one(config.password.as_ref(), host).await?,
        client_key: one(config.tls.client_key.as_ref(), host).await?,
    })
}

async fn one(reference: Option<&SecretRef>, host: &dyn Host) -> Result<Option<Secret>, Failure> {
    match reference {
        None => Ok(None),
        Some(reference) => match host.secret(reference).await {
            Ok(secret) => Ok(Some(secret)),
            Err(error) => Err(Failure::Setup(error.message)),
        },
    }
}
