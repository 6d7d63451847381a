//! The header that says who calls: OASIS Web Services Security UsernameToken Profile 1.0 (also 1.1, which keeps it). Pure.

use crate::{
    config::{PasswordStyle, UsernameToken, Version},
    document::{Attribute, Element},
    envelope::demanding,
};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use connector_spi::Secret;
use jiff::Timestamp;
use std::sync::Arc;
use zeroize::Zeroizing;

const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
const TOKEN: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0";
const MESSAGE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0";

/// What makes a token fresh.
pub(crate) struct Fresh {
    /// Random octets, never used again.
    pub(crate) nonce: [u8; 16],
    /// By the target's clock.
    pub(crate) created: Timestamp,
}

/// The `Security` block. `fresh` is used by the styles that have a nonce.
pub(crate) fn header(version: Version, token: &UsernameToken, password: &Secret, fresh: Option<&Fresh>) -> Element {
    let mut inside = vec![leaf(WSSE, "Username", &token.user, None)];
    let created = fresh.map(|fresh| fresh.created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let (kind, text) = match (token.style, fresh, &created) {
        (PasswordStyle::Digest, Some(fresh), Some(created)) => {
            ("PasswordDigest", digested(&fresh.nonce, created, password))
        }
        _ => ("PasswordText", password.expose().to_owned()),
    };
    inside.push(leaf(WSSE, "Password", &text, Some(("Type", format!("{TOKEN}#{kind}")))));
    if let (Some(fresh), Some(created)) = (fresh, &created) {
        let encoding = Some(("EncodingType", format!("{MESSAGE}#Base64Binary")));
        inside.push(leaf(WSSE, "Nonce", &STANDARD.encode(fresh.nonce), encoding));
        inside.push(leaf(WSU, "Created", created, None));
    }
    let token = Element { children: inside, ..empty(WSSE, "UsernameToken") };
    demanding(version, Element { children: vec![token], ..empty(WSSE, "Security") })
}

/// `Base64(SHA-1(nonce + created + password))`, over the nonce's octets (profile 1.0, line 160 on). SHA-1 is what the
/// profile asks for; what keeps the password is that nonce and time are never used twice, and TLS.
fn digested(nonce: &[u8], created: &str, password: &Secret) -> String {
    let mut octets = Zeroizing::new(nonce.to_vec());
    octets.extend_from_slice(created.as_bytes());
    octets.extend_from_slice(password.expose().as_bytes());
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &octets))
}

fn empty(namespace: &str, name: &str) -> Element {
    Element { namespace: Some(Arc::from(namespace)), name: name.to_owned(), ..Element::default() }
}

fn leaf(namespace: &str, name: &str, text: &str, attribute: Option<(&str, String)>) -> Element {
    let attributes = attribute
        .map(|(name, value)| Attribute { namespace: None, name: name.to_owned(), value })
        .into_iter()
        .collect();
    Element { text: text.to_owned(), attributes, ..empty(namespace, name) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connector_spi::SecretRef;

    fn token(style: PasswordStyle) -> Vec<Element> {
        let token = UsernameToken { user: "local:x".into(), password: SecretRef::Env("X".into()), style };
        let fresh = Fresh { nonce: *b"0123456789abcdef", created: "2026-07-01T04:00:00.5Z".parse().unwrap() };
        let fresh = (style != PasswordStyle::BareText).then_some(fresh);
        let block = header(Version::Soap12, &token, &Secret::new("test-only".into()), fresh.as_ref());
        assert_eq!(block.attributes[0].value, "true");
        block.children.into_iter().next().unwrap().children
    }

    #[test]
    fn a_digest_is_that_of_the_profile_and_the_password_is_not_in_it() {
        let parts = token(PasswordStyle::Digest);
        // echo -n '0123456789abcdef2026-07-01T04:00:00Ztest-only' | openssl dgst -sha1 -binary | base64
        assert_eq!(parts[1].text, "2JcmW+NCSB438wI6JsAvuQBHG4k=");
        assert!(parts[1].attributes[0].value.ends_with("#PasswordDigest"));
        assert_eq!(parts[3].text, "2026-07-01T04:00:00Z");
    }

    #[test]
    fn a_text_password_has_nonce_and_time_unless_it_is_bare() {
        assert_eq!(token(PasswordStyle::Text).len(), 4);
        let bare = token(PasswordStyle::BareText);
        assert_eq!((bare.len(), bare[1].text.as_str()), (2, "test-only"));
    }
}
