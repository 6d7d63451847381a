//! The gateway's credentials at a target.

use crate::{
    Auth, OauthStyle, ServerTime,
    assertion::{self, Claims},
    error::refusal,
    wire::Wire,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use connector_spi::{Class, ConnError, Effect, Host, HttpResponse, Result, Secret};
use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{sync::Mutex, time::Instant};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

/// Largest answer of a token address.
const TOKEN_BODY: usize = 64 << 10;
/// How long a token lives whose answer does not say (RFC 6749 section 5.1 leaves it open).
const UNSTATED_LIFE: Duration = Duration::from_secs(300);

/// A header field that proves who we are, and which reading of the secret it comes from.
#[derive(Clone)]
pub(crate) struct Proof {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
    pub(crate) reading: u64,
}

/// Holds the current proof; makes and renews it, one renewal at a time.
pub(crate) struct Credentials {
    auth: Auth,
    token_url: Option<Url>,
    token_headers: HeaderMap,
    host: Arc<dyn Host>,
    held: Mutex<Option<Held>>,
    /// The clock of the token address.
    time: ServerTime,
}

struct Held {
    proof: Proof,
    /// From when on a new token is fetched although this one still works.
    stale: Option<Instant>,
    dead: Option<Instant>,
}

impl Credentials {
    /// `token_headers` go with token requests.
    pub(crate) fn new(auth: Auth, token_url: Option<Url>, token_headers: HeaderMap, host: Arc<dyn Host>) -> Self {
        Self { auth, token_url, token_headers, host, held: Mutex::new(None), time: ServerTime::default() }
    }

    /// The proof to send; `None` where none is configured. No failure here can have changed the target.
    pub(crate) async fn proof(&self, wire: &Wire) -> Result<Option<Proof>> {
        if matches!(self.auth, Auth::None {}) {
            return Ok(None);
        }
        let mut held = self.held.lock().await;
        let now = Instant::now();
        if let Some(current) = held.as_mut() {
            if current.stale.is_none_or(|stale| now < stale) {
                return Ok(Some(current.proof.clone()));
            }
            if current.dead.is_some_and(|dead| now < dead) {
                let reading = current.proof.reading + 1;
                match self.make(wire, reading).await {
                    Ok(fresh) => *current = fresh,
                    // The old token still works, so a token address that is down need not matter yet.
                    Err(_) => current.stale = Some(now + Duration::from_secs(5)),
                }
                return Ok(Some(current.proof.clone()));
            }
        }
        let reading = held.as_ref().map_or(1, |old| old.proof.reading + 1);
        *held = None;
        let fresh = self.make(wire, reading).await.map_err(|error| error.effect(Effect::None))?;
        Ok(Some(held.insert(fresh).proof.clone()))
    }

    /// The target refused the proof of this reading: reads the secret anew. `None` when that gives nothing new to try.
    pub(crate) async fn renew(&self, wire: &Wire, refused: &Proof) -> Result<Option<Proof>> {
        let mut held = self.held.lock().await;
        if let Some(current) = held.as_ref().filter(|current| current.proof.reading != refused.reading) {
            return Ok(Some(current.proof.clone()));
        }
        *held = None;
        let fresh = self.make(wire, refused.reading + 1).await.map_err(|error| error.effect(Effect::None))?;
        let proof = held.insert(fresh).proof.clone();
        Ok((proof.value != refused.value).then_some(proof))
    }

    async fn make(&self, wire: &Wire, reading: u64) -> Result<Held> {
        let lasting = |name: HeaderName, text: &str| {
            Ok(Held { proof: Proof { name, value: sensitive(text)?, reading }, stale: None, dead: None })
        };
        match &self.auth {
            Auth::None {} => Err(ConnError::config("no credentials are configured")),
            Auth::Basic { user, password } => {
                lasting(AUTHORIZATION, &basic(user, self.host.secret(password).await?.expose()))
            }
            Auth::Bearer { token } => {
                let text = Zeroizing::new(format!("Bearer {}", self.host.secret(token).await?.expose()));
                lasting(AUTHORIZATION, &text)
            }
            Auth::Header { name, value } => {
                let name = HeaderName::from_bytes(name.as_bytes())
                    .map_err(|_| ConnError::config("auth.name is no name of a header field"))?;
                lasting(name, self.host.secret(value).await?.expose())
            }
            Auth::Oauth2 { client_id, client_secret, style, scopes, parameters, .. } => {
                let secret = self.host.secret(client_secret).await?;
                let asked = Instant::now();
                let token = self.fetch(wire, client_id, &secret, *style, scopes, parameters).await?;
                held_token(&token, asked, reading)
            }
            Auth::JwtAssertion { client_id, key, algorithm, key_id, audience, scopes, parameters, .. } => {
                let key = self.host.secret(key).await?;
                let asked = Instant::now();
                let url = self.token_url()?;
                let claims = Claims {
                    client_id,
                    audience: audience.as_deref().unwrap_or(url.as_str()),
                    key_id: key_id.as_deref(),
                    at: self.token_time(wire, url).await?,
                };
                let assertion = assertion::signed(*algorithm, &key, &claims)?;
                let mut form = token_form("", &key, OauthStyle::ClientSecretBasic, scopes, parameters);
                let proof = [("client_assertion_type", assertion::TYPE), ("client_assertion", assertion.as_str())];
                for (name, value) in proof {
                    form.push('&');
                    form.push_str(&form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish());
                }
                let token = self.exchanged(wire, url, self.token_headers.clone(), form).await?;
                held_token(&token, asked, reading)
            }
        }
    }

    /// RFC 6749 section 4.4.2.
    async fn fetch(
        &self,
        wire: &Wire,
        id: &str,
        secret: &Secret,
        style: OauthStyle,
        scopes: &[String],
        parameters: &BTreeMap<String, String>,
    ) -> Result<Token> {
        let url = self.token_url()?;
        let mut headers = self.token_headers.clone();
        if style == OauthStyle::ClientSecretBasic {
            headers.insert(AUTHORIZATION, sensitive(&basic(&form_text(id), &form_text(secret.expose())))?);
        }
        let form = token_form(id, secret, style, scopes, parameters);
        self.exchanged(wire, url, headers, form).await
    }

    async fn exchanged(&self, wire: &Wire, url: &Url, mut headers: HeaderMap, form: String) -> Result<Token> {
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let answer = wire.exchange("POST", url, headers, form.into(), TOKEN_BODY).await?;
        self.time.learn(&answer);
        read_token(answer)
    }

    fn token_url(&self) -> Result<&Url> {
        self.token_url.as_ref().ok_or_else(|| ConnError::config("no token address is configured"))
    }

    /// The token address's time. Any answer tells it, also a refusal.
    async fn token_time(&self, wire: &Wire, url: &Url) -> Result<Timestamp> {
        // Asked anew for every token: that is rare, and a clock that was set is then no trouble.
        let answer = wire.exchange("GET", url, self.token_headers.clone(), Bytes::new(), TOKEN_BODY).await?;
        self.time.learn(&answer);
        self.time.now().ok_or_else(|| {
            ConnError::config("the token address tells no time (Date), so no assertion can be made for it")
        })
    }
}

fn held_token(token: &Token, asked: Instant, reading: u64) -> Result<Held> {
    let life = token.expires_in.map_or(UNSTATED_LIFE, Duration::from_secs).min(Duration::from_secs(86_400));
    let text = Zeroizing::new(format!("Bearer {}", *token.access_token));
    Ok(Held {
        proof: Proof { name: AUTHORIZATION, value: sensitive(&text)?, reading },
        stale: Some(asked + life - (life / 5).min(Duration::from_secs(60))),
        dead: Some(asked + life),
    })
}

fn token_form(
    id: &str,
    secret: &Secret,
    style: OauthStyle,
    scopes: &[String],
    parameters: &BTreeMap<String, String>,
) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if !scopes.is_empty() {
        form.append_pair("scope", &scopes.join(" "));
    }
    form.extend_pairs(parameters);
    if style == OauthStyle::ClientSecretPost {
        form.append_pair("client_id", id).append_pair("client_secret", secret.expose());
    }
    form.finish()
}

/// The answer of a token address (RFC 6749 section 5.1).
#[derive(Deserialize)]
struct Token {
    #[serde(deserialize_with = "wiped")]
    access_token: Zeroizing<String>,
    token_type: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

fn wiped<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Zeroizing<String>, D::Error> {
    String::deserialize(deserializer).map(Zeroizing::new)
}

/// The refusal of a token address (RFC 6749 section 5.2).
#[derive(Deserialize)]
struct TokenRefusal {
    error: String,
}

fn read_token(answer: HttpResponse) -> Result<Token> {
    if let Some(refused) = refusal("POST", &answer) {
        let code = serde_json::from_slice::<TokenRefusal>(&answer.body).map(|body| body.error).unwrap_or_default();
        let class = match (answer.status, code.as_str()) {
            (400, "invalid_scope" | "unsupported_grant_type" | "invalid_request") | (404 | 405, _) => Class::Config,
            (400 | 401 | 403, _) => Class::Auth,
            (_, _) => return Err(refused),
        };
        let code = if code.is_empty() { answer.status.to_string() } else { short(&code) };
        return Err(ConnError::new(class, "the token address gives no token").code(code));
    }
    let body = Zeroizing::new(answer.body);
    let token: Token = serde_json::from_slice(&body)
        .map_err(|_| ConnError::transient("the token address answers with something that is no token"))?;
    if !token.token_type.eq_ignore_ascii_case("bearer") {
        return Err(ConnError::config("the token address gives a token that is not of type Bearer"));
    }
    Ok(token)
}

/// A code from outside, cut to what a code can be.
fn short(code: &str) -> String {
    code.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')).take(40).collect()
}

fn basic(user: &str, password: &str) -> Zeroizing<String> {
    let pair = Zeroizing::new(format!("{user}:{password}"));
    Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
}

fn form_text(text: &str) -> Zeroizing<String> {
    Zeroizing::new(form_urlencoded::byte_serialize(text.as_bytes()).collect())
}

fn sensitive(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| ConnError::config("a credential holds characters that a header field cannot carry"))?;
    value.set_sensitive(true);
    Ok(value)
}
