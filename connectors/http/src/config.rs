//! The settings of a connection over HTTP.

use crate::Network;
use connector_spi::{ConfigIssue, SecretRef};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, path::PathBuf};
use url::Url;

/// How a target is reached over HTTP.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// The base address, `https://host[:port][/path]`. Requests stay on this host unless `allow_hosts` says otherwise.
    pub url: Address,
    /// How the gateway proves who it is.
    #[serde(default)]
    pub auth: Auth,
    /// Whom the gateway trusts, and its own certificate.
    #[serde(default)]
    pub tls: Tls,
    /// Header fields that go with every request to the base address, token requests there included. No secrets.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Further hosts that may be called, as `host` or `host:port`. The hosts of `url` and of the token address are always
    /// allowed. Credentials go to the origin of `url` only.
    #[serde(default)]
    pub allow_hosts: Vec<String>,
    /// Networks that are normally refused and are allowed for this target, in CIDR form (`10.20.0.0/16`). Without an entry,
    /// loopback, link-local, private, shared, multicast, unspecified and reserved addresses are refused, and so are the
    /// metadata services of clouds.
    #[serde(default)]
    pub allow_networks: Vec<Network>,
    /// Allows `http://`. Credentials and personal data then travel unprotected: for tests and for a sidecar on the same host.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// A proxy. Environment variables are not looked at.
    #[serde(default)]
    pub proxy: Option<Proxy>,
    /// Seconds until a connection must stand, 1 to 60.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 60))]
    pub connect_timeout: u32,
    /// Seconds until an answer must be read to its end, 1 to 600. Some systems take over a second for a create with a
    /// password, so do not go below 10 without measuring.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 600))]
    pub timeout: u32,
    /// Largest body of an answer in octets, at most 64 MiB.
    #[serde(default = "eight_mebi")]
    #[schemars(range(min = 1024, max = 67_108_864))]
    pub max_body: u32,
    /// How many redirects are followed, 0 to 5; on reads only, and only to allowed hosts.
    #[serde(default)]
    #[schemars(range(max = 5))]
    pub redirects: u8,
    /// Most requests in a second; requests over it wait their turn, as far as their deadline allows.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000))]
    pub requests_per_second: Option<u32>,
    /// Most requests under way at a time, 1 to 256. Keep it above the number of calls that the gateway makes at a time: the slot
    /// that is kept for leavers is worth nothing when requests wait here.
    #[serde(default = "thirty_two")]
    #[schemars(range(min = 1, max = 256))]
    pub max_concurrent: u32,
}

/// How the gateway proves who it is to a target.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Auth {
    /// Not at all, or by a client certificate only.
    // With braces, since serde lets unknown members of a bare variant pass.
    None {},
    /// Name and password in the `Authorization` header (RFC 7617).
    Basic {
        /// The name; no colon.
        user: String,
        /// The password.
        password: SecretRef,
    },
    /// A fixed token in the `Authorization` header (RFC 6750).
    Bearer {
        /// The token.
        token: SecretRef,
    },
    /// A key in a header field of the target's choice.
    Header {
        /// The field's name, such as `X-Api-Key`.
        name: String,
        /// The key.
        value: SecretRef,
    },
    /// OAuth 2.0 client credentials (RFC 6749 section 4.4).
    Oauth2 {
        /// The token address; a path alone is taken on the base address's host.
        token_url: String,
        /// The client's id.
        client_id: String,
        /// The client's secret.
        client_secret: SecretRef,
        /// How id and secret are sent.
        #[serde(default)]
        style: OauthStyle,
        /// The scopes to ask for.
        #[serde(default)]
        scopes: Vec<String>,
        /// Further form fields of the token request, such as `audience` or `resource`.
        #[serde(default)]
        parameters: BTreeMap<String, String>,
    },
    /// OAuth 2.0 client credentials, proved by a signed assertion in place of a secret (RFC 7523 section 2.2).
    JwtAssertion {
        /// The token address; a path alone is taken on the base address's host.
        token_url: String,
        /// The client's id: issuer and subject of the assertion.
        client_id: String,
        /// The private RSA key, PEM (PKCS #8), of at least 2,048 bits.
        key: SecretRef,
        /// How the assertion is signed.
        #[serde(default)]
        algorithm: Algorithm,
        /// The key's id at the target, as `kid`.
        #[serde(default)]
        key_id: Option<String>,
        /// For whom the assertion is made; the token address if absent.
        #[serde(default)]
        audience: Option<String>,
        /// The scopes to ask for.
        #[serde(default)]
        scopes: Vec<String>,
        /// Further form fields of the token request.
        #[serde(default)]
        parameters: BTreeMap<String, String>,
    },
}

/// How an assertion is signed (RFC 7518 section 3.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "named as in RFC 7518 section 3.1")]
pub enum Algorithm {
    #[serde(rename = "RS256")]
    Rs256,
    #[default]
    #[serde(rename = "RS384")]
    Rs384,
    #[serde(rename = "RS512")]
    Rs512,
}

impl Default for Auth {
    fn default() -> Self {
        Auth::None {}
    }
}

/// How client id and secret are sent to the token address (RFC 6749 section 2.3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OauthStyle {
    /// In the `Authorization` header.
    #[default]
    ClientSecretBasic,
    /// As form fields of the body.
    ClientSecretPost,
}

/// Whom the gateway trusts, and its own certificate. TLS 1.2 is the oldest version spoken; there is no switch that turns
/// verification off.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// A PEM file with the certificate authorities to trust, these and no others. Without it, the platform's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// A PEM file with the gateway's own certificate and its chain, for mutual TLS.
    #[serde(default)]
    pub client_certificate: Option<PathBuf>,
    /// The private key of `client_certificate`, PEM.
    #[serde(default)]
    pub client_key: Option<SecretRef>,
}

/// A proxy. Behind one the target's name is resolved by the proxy, so the address rules apply to the proxy's own address and
/// the proxy must keep the rest.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// The proxy's address, `http://host:port`.
    pub url: Address,
    /// Name for the proxy.
    #[serde(default)]
    pub user: Option<String>,
    /// Password for the proxy.
    #[serde(default)]
    pub password: Option<SecretRef>,
}

/// An `http` or `https` address without user, password, query and fragment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Address(Url);

impl Address {
    /// The address, with a path that ends in a slash.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut url = Url::parse(&text).map_err(|error| format!("is no address: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err("must begin with https:// and name a host".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold a user or password: set `auth`".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must end with the path: no `?` and no `#`".to_owned());
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(Self(url))
    }
}

impl HttpConfig {
    /// What is wrong with the settings, as far as can be told without a network; pointers are relative to these settings.
    #[must_use]
    pub fn issues(&self) -> Vec<ConfigIssue> {
        let mut found = Vec::new();
        let mut say = |pointer: &str, message: &str, hint: Option<&str>| {
            found.push(ConfigIssue {
                pointer: pointer.to_owned(),
                message: message.to_owned(),
                hint: hint.map(str::to_owned),
            });
        };
        if self.url.url().scheme() == "http" && !self.allow_plaintext {
            say("/url", "plain http is refused", Some("use https, or set allow_plaintext = true for a test"));
        }
        let ranges = [
            ("/connect_timeout", self.connect_timeout, 1, 60),
            ("/timeout", self.timeout, 1, 600),
            ("/max_body", self.max_body, 1024, 64 << 20),
            ("/redirects", u32::from(self.redirects), 0, 5),
            ("/requests_per_second", self.requests_per_second.unwrap_or(1), 1, 10_000),
            ("/max_concurrent", self.max_concurrent, 1, 256),
        ];
        for (pointer, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                say(pointer, &format!("must be from {least} to {most}"), None);
            }
        }
        if self.tls.client_certificate.is_some() != self.tls.client_key.is_some() {
            say("/tls", "client_certificate and client_key go together", None);
        }
        match &self.auth {
            Auth::None {} | Auth::Bearer { .. } | Auth::Header { .. } => {}
            Auth::Basic { user, .. } => {
                if user.contains(':') {
                    say("/auth/user", "a user name with a colon cannot be sent (RFC 7617 section 2)", None);
                }
            }
            Auth::Oauth2 { token_url, .. } | Auth::JwtAssertion { token_url, .. } => {
                match self.url.url().join(token_url) {
                    Ok(url) if url.scheme() == "http" && !self.allow_plaintext => {
                        say("/auth/token_url", "plain http is refused", Some("use https"));
                    }
                    Ok(_) => {}
                    Err(_) => say("/auth/token_url", "is no address", None),
                }
            }
        }
        found
    }
}

fn ten() -> u32 {
    10
}
fn thirty() -> u32 {
    30
}
fn thirty_two() -> u32 {
    32
}
fn eight_mebi() -> u32 {
    8 << 20
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: serde_json::Value) -> Result<HttpConfig, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn an_unknown_setting_is_refused_at_every_level() {
        let secret = json!({"file": "/secret"});
        assert!(read(json!({"url": "https://a.example", "tiemout": 3})).is_err());
        assert!(read(json!({"url": "https://a.example", "tls": {"verify": false}})).is_err());
        assert!(
            read(json!({"url": "https://a.example", "auth": {"type": "bearer", "token": secret, "x": 1}})).is_err()
        );
        assert!(read(json!({"url": "https://a.example", "auth": {"type": "none", "x": 1}})).is_err());
    }

    #[test]
    fn a_literal_secret_is_refused() {
        assert!(read(json!({"url": "https://a.example", "auth": {"type": "bearer", "token": "hunter2"}})).is_err());
    }

    #[test]
    fn an_address_with_credentials_or_another_scheme_is_refused() {
        for url in ["https://u:p@a.example", "ftp://a.example", "file:///etc/passwd", "https://a.example/?q=1", "a"] {
            assert!(read(json!({"url": url})).is_err(), "{url}");
        }
    }

    #[test]
    fn plain_http_is_an_issue_unless_allowed() {
        let config = read(json!({"url": "http://a.example"})).unwrap();
        assert_eq!(config.issues()[0].pointer, "/url");
        let config = read(json!({"url": "http://a.example", "allow_plaintext": true})).unwrap();
        assert_eq!(config.issues(), []);
    }

    #[test]
    fn numbers_out_of_range_and_half_a_client_certificate_are_issues() {
        let config =
            read(json!({"url": "https://a.example", "timeout": 0, "tls": {"client_certificate": "/c"}})).unwrap();
        let pointers: Vec<_> = config.issues().into_iter().map(|issue| issue.pointer).collect();
        assert_eq!(pointers, ["/timeout", "/tls"]);
    }
}
