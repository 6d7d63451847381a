//! One service of a target: its address, its envelope, and how it is told who calls.

use connector_http::{Address, Auth, Tls};
use connector_spi::SecretRef;
use schemars::JsonSchema;
use serde::Deserialize;

/// One service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The path below the base address.
    #[serde(default)]
    pub path: String,
    /// Another base address than `http.url`.
    #[serde(default)]
    pub url: Option<Address>,
    /// What the body of a request is wrapped in.
    pub version: Version,
    /// Other credentials than `http.auth`.
    #[serde(default)]
    pub auth: Option<Auth>,
    /// Other trust and another certificate of our own than `http.tls`.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// A UsernameToken in the header of the envelope.
    #[serde(default)]
    pub username_token: Option<UsernameToken>,
    /// Further blocks of the envelope's header, each a template over `op` and `action`.
    #[serde(default)]
    pub headers: Vec<String>,
    /// The content type, where the service wants another than is usual for its version.
    #[serde(default)]
    pub content_type: Option<String>,
    /// Most requests in a second, in place of `http.requests_per_second`: services of one target share its limit.
    #[serde(default)]
    pub requests_per_second: Option<u32>,
    /// Most requests under way at a time, in place of `http.max_concurrent`.
    #[serde(default)]
    pub max_concurrent: Option<u32>,
}

/// What the body of a request is wrapped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Version {
    /// An envelope of SOAP 1.1 (W3C note of 2000-05-08).
    #[serde(rename = "soap_1_1")]
    Soap11,
    /// An envelope of SOAP 1.2 (W3C recommendation of 2007-04-27).
    #[serde(rename = "soap_1_2")]
    Soap12,
    /// Nothing: the request is the document.
    Xml,
}

/// A name and password in the header (OASIS Web Services Security UsernameToken Profile 1.0).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsernameToken {
    /// The name, with the prefix that the target may want: `local:gateway`.
    pub user: String,
    /// The password.
    pub password: SecretRef,
    /// How the password is sent.
    #[serde(default)]
    pub style: PasswordStyle,
}

/// How the password is sent. Each is sent with a fresh nonce and the time by the target's own clock, so that a token that
/// was overheard cannot be sent again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PasswordStyle {
    /// As a digest with nonce and time: the password itself does not travel.
    #[default]
    Digest,
    /// As it is: TLS is all that protects it.
    Text,
    /// As it is, without nonce and time: for old services that refuse both.
    BareText,
}
