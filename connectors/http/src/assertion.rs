//! A signed assertion of who the client is: a JWT (RFC 7519) as RFC 7523 section 3 has it.

use crate::Algorithm;
use aws_lc_rs::{
    rand::{self, SystemRandom},
    rsa::KeyPair,
    signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaEncoding},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use connector_spi::{ConnError, Result, Secret};
use jiff::Timestamp;
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use serde_json::json;

/// What the form calls it (RFC 7523 section 2.2).
pub(crate) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Seconds that an assertion holds. Some servers take no longer than five minutes.
const LIFE: i64 = 240;

/// What an assertion says.
pub(crate) struct Claims<'c> {
    pub(crate) client_id: &'c str,
    pub(crate) audience: &'c str,
    pub(crate) key_id: Option<&'c str>,
    /// By the clock of who will check it.
    pub(crate) at: Timestamp,
}

/// Signs an assertion with an RSA key in PEM.
///
/// # Errors
/// `Config` for a key that is none, or too short.
pub(crate) fn signed(algorithm: Algorithm, key: &Secret, claims: &Claims<'_>) -> Result<String> {
    let unusable = || ConnError::config("the key for assertions is no private RSA key in PEM (PKCS #8)");
    let PrivateKeyDer::Pkcs8(der) = PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).map_err(|_| unusable())?
    else {
        return Err(unusable());
    };
    let pair = KeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| unusable())?;
    let (name, encoding): (&str, &dyn RsaEncoding) = match algorithm {
        Algorithm::Rs256 => ("RS256", &RSA_PKCS1_SHA256),
        Algorithm::Rs384 => ("RS384", &RSA_PKCS1_SHA384),
        Algorithm::Rs512 => ("RS512", &RSA_PKCS1_SHA512),
    };
    let mut header = json!({"alg": name, "typ": "JWT"});
    if let (Some(id), Some(members)) = (claims.key_id, header.as_object_mut()) {
        members.insert("kid".to_owned(), json!(id));
    }
    let mut nonce = [0; 16];
    rand::fill(&mut nonce).map_err(|_| ConnError::config("the system gives no random octets"))?;
    let now = claims.at.as_second();
    let body = json!({
        "iss": claims.client_id, "sub": claims.client_id, "aud": claims.audience, "iat": now, "exp": now + LIFE,
        "jti": URL_SAFE_NO_PAD.encode(nonce),
    });
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&header), part(&body));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, &SystemRandom::new(), text.as_bytes(), &mut signature)
        .map_err(|_| ConnError::config("the key for assertions cannot sign"))?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
