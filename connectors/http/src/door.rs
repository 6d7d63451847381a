//! The door itself.

use crate::{
    Auth, HttpConfig, Names, SystemNames,
    auth::{Credentials, Proof},
    error::lost,
    is_safe,
    pace::Pace,
    request::Request,
    wire::{Wire, same_place},
};
use bytes::Bytes;
use connector_spi::{ConnError, Effect, Host, HttpResponse, Result};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use url::Url;

/// Fields that the client writes itself; a request that brings its own could be read as two.
const CLIENTS_OWN: [&str; 7] =
    ["host", "content-length", "transfer-encoding", "connection", "te", "upgrade", "proxy-authorization"];

/// The way to one target over HTTP: one pool of connections, one set of credentials, one set of limits. Cheap to share
/// behind an `Arc`, and the same for a connector's own requests and for those of a plugin (`Host::http`).
pub struct Door {
    wire: Wire,
    credentials: Credentials,
    base: Url,
    fixed: HeaderMap,
    pace: Pace,
    slots: Semaphore,
    timeout: Duration,
    max_body: usize,
    redirects: u8,
}

impl Door {
    /// Reads certificates and keys, and connects to nothing.
    ///
    /// # Errors
    /// `Config` when the settings have issues, or a certificate or key cannot be read.
    pub async fn open(config: HttpConfig, host: Arc<dyn Host>) -> Result<Self> {
        Self::open_with_names(config, host, Arc::new(SystemNames)).await
    }

    /// As [`Door::open`], with names resolved by `names`.
    ///
    /// # Errors
    /// As [`Door::open`].
    pub async fn open_with_names(config: HttpConfig, host: Arc<dyn Host>, names: Arc<dyn Names>) -> Result<Self> {
        if let Some(issue) = config.issues().into_iter().next() {
            return Err(ConnError::config(format!("{}: {}", issue.pointer, issue.message)));
        }
        let base = config.url.url().clone();
        let token_url = match &config.auth {
            Auth::Oauth2 { token_url, .. } | Auth::JwtAssertion { token_url, .. } => {
                Some(base.join(token_url).map_err(|_| ConnError::config("/auth/token_url: is no address"))?)
            }
            Auth::None {} | Auth::Basic { .. } | Auth::Bearer { .. } | Auth::Header { .. } => None,
        };
        let wire = Wire::open(&config, token_url.as_ref(), host.as_ref(), names).await?;
        let fixed = fields(&config.headers)?;
        let token_headers = if token_url.as_ref().is_some_and(|url| url.origin() == base.origin()) {
            fixed.clone()
        } else {
            HeaderMap::new()
        };
        Ok(Self {
            wire,
            credentials: Credentials::new(config.auth, token_url, token_headers, host),
            base,
            fixed,
            pace: Pace::new(config.requests_per_second),
            slots: Semaphore::new(usize::try_from(config.max_concurrent).unwrap_or(1)),
            timeout: Duration::from_secs(config.timeout.into()),
            max_body: usize::try_from(config.max_body).unwrap_or(usize::MAX),
            redirects: config.redirects,
        })
    }

    /// The base address; its path ends in a slash.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// A request without headers and body that runs until `deadline`, or as long as the settings allow if that is shorter.
    #[must_use]
    pub fn request(&self, method: &str, url: &Url, deadline: Instant) -> Request {
        Request {
            method: method.to_owned(),
            url: url.clone(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: self.timeout.min(deadline.saturating_duration_since(Instant::now())),
            max_body: self.max_body,
        }
    }

    /// Sends a request and reads the answer, whatever its status; [`crate::refusal`] says what that means.
    ///
    /// The request's own limits hold where they are narrower than the target's. Credentials and the configured header fields
    /// go along when the address is on the origin of the base address, and take the place of fields of the same name. An
    /// answer of 401 leads to one repetition if reading the secret anew gives another credential.
    ///
    /// # Errors
    /// `Config` for an address that is not allowed, for TLS and trust; `Invalid` for a header value that cannot be sent;
    /// `Transient` without a connection; `Timeout` without an answer in time or with a connection lost; `Unknown` for a body
    /// over the limit; `Auth` when no token is given. The effect is `Maybe` only for a writing method that left the house.
    pub async fn send(&self, request: Request) -> Result<HttpResponse> {
        let safe = is_safe(&request.method);
        let deadline = Instant::now() + request.timeout.min(self.timeout);
        let left = AtomicBool::new(false);
        match timeout_at(deadline, self.carry(request, deadline, &left)).await {
            Ok(outcome) => outcome,
            Err(_) if left.load(Ordering::Relaxed) => Err(lost("no answer from the target in time", safe)),
            Err(_) => Err(ConnError::timeout("no turn for the request in time").effect(Effect::None)),
        }
    }

    async fn carry(&self, request: Request, deadline: Instant, left: &AtomicBool) -> Result<HttpResponse> {
        let own = own_fields(&request.headers)?;
        let Request { method, mut url, body, .. } = request;
        let body = Bytes::from(body);
        let max_body = request.max_body.min(self.max_body);
        let _slot = self.slots.acquire().await.map_err(|_| ConnError::transient("the target is being closed"))?;
        let mut hops = 0;
        loop {
            let at_home = same_place(&url, &self.base);
            let proof = if at_home { self.credentials.proof(&self.wire).await? } else { None };
            let own = if hops == 0 || at_home { own.as_slice() } else { &[] };
            let attempt = Attempt { method: &method, url: &url, own, at_home, body: &body, max_body, deadline, left };
            let mut response = self.once(&attempt, proof.as_ref()).await?;
            if let (401, Some(refused)) = (response.status, &proof) {
                left.store(false, Ordering::Relaxed);
                if let Some(fresh) = self.credentials.renew(&self.wire, refused).await? {
                    response = self.once(&attempt, Some(&fresh)).await?;
                }
            }
            match self.next_hop(&method, &url, &response, hops) {
                Some(next) => url = next,
                None => return Ok(response),
            }
            hops += 1;
        }
    }

    async fn once(&self, attempt: &Attempt<'_>, proof: Option<&Proof>) -> Result<HttpResponse> {
        if !self.pace.turn(attempt.deadline).await {
            return Err(ConnError::timeout("the target's request rate leaves no turn in time").effect(Effect::None));
        }
        let mut headers = HeaderMap::with_capacity(attempt.own.len() + self.fixed.len() + 4);
        for (name, value) in attempt.own {
            headers.append(name, value.clone());
        }
        if attempt.at_home {
            self.fixed.keys().for_each(|name| drop(headers.remove(name)));
            for (name, value) in &self.fixed {
                headers.append(name, value.clone());
            }
        }
        if let Some(proof) = proof {
            headers.insert(&proof.name, proof.value.clone());
        }
        attempt.left.store(true, Ordering::Relaxed);
        self.wire.exchange(attempt.method, attempt.url, headers, attempt.body.clone(), attempt.max_body).await
    }

    /// Where a redirect leads, if it is to be followed. The next round checks the address like any other.
    fn next_hop(&self, method: &str, from: &Url, response: &HttpResponse, hops: u8) -> Option<Url> {
        let moved = matches!(response.status, 301 | 302 | 303 | 307 | 308);
        if !moved || !matches!(method, "GET" | "HEAD") || hops >= self.redirects {
            return None;
        }
        let to = from.join(response.header("location")?).ok()?;
        (from.scheme() == to.scheme() || to.scheme() == "https").then_some(to)
    }
}

struct Attempt<'r> {
    method: &'r str,
    url: &'r Url,
    /// The request's own fields.
    own: &'r [(HeaderName, HeaderValue)],
    /// Whether the configured fields go along.
    at_home: bool,
    body: &'r Bytes,
    max_body: usize,
    deadline: Instant,
    left: &'r AtomicBool,
}

fn fields(configured: &BTreeMap<String, String>) -> Result<HeaderMap> {
    let configured: Vec<_> = configured.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let fields = own_fields(&configured)
        .map_err(|_| ConnError::config("/headers: a field has a name or value that cannot be sent"))?;
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(name, value);
    }
    Ok(headers)
}

fn own_fields(fields: &[(String, String)]) -> Result<Vec<(HeaderName, HeaderValue)>> {
    let field = |(name, value): &(String, String)| {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| ConnError::config("a request has a header field whose name cannot be sent"))?;
        if CLIENTS_OWN.contains(&name.as_str()) {
            return Err(ConnError::config(format!("the header field {name} is not for a request to set")));
        }
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
            ConnError::invalid(format!("the value for the header field {name} holds control characters"))
        })?;
        Ok((name, value))
    };
    fields.iter().map(field).collect()
}
