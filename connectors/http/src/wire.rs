//! One request, one answer.

use crate::{HttpConfig, Names, address::AddressRule, address::GuardedNames, error::broken, is_safe, tls};
use bytes::Bytes;
use connector_spi::{ConnError, Effect, Host, HttpResponse, Result};
use reqwest::{Client, Method, Response, header::HeaderMap, redirect::Policy};
use std::{collections::BTreeSet, net::IpAddr, sync::Arc, time::Duration};
use url::Url;

/// Most octets that are set aside for an answer before they have come.
const BLOCK: usize = 1 << 20;

/// The client of one target, and which addresses it may call.
pub(crate) struct Wire {
    client: Client,
    home: Url,
    hosts: BTreeSet<String>,
    rule: AddressRule,
    plaintext: bool,
}

impl Wire {
    pub(crate) async fn open(
        config: &HttpConfig,
        token_url: Option<&Url>,
        host: &dyn Host,
        names: Arc<dyn Names>,
    ) -> Result<Self> {
        let rule = AddressRule::new(&config.allow_networks);
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls::client(config, host).await?)
            .dns_resolver(GuardedNames { names, rule: rule.clone() })
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(Duration::from_secs(config.connect_timeout.into()))
            .pool_idle_timeout(Duration::from_secs(60))
            .user_agent(concat!("chartgate/", env!("CARGO_PKG_VERSION")));
        if let Some(proxy) = &config.proxy {
            rule_for_proxy(&rule, proxy.url.url())?;
            let mut through = reqwest::Proxy::all(proxy.url.url().as_str())
                .map_err(|_| ConnError::config("the proxy's address cannot be used"))?;
            if let (Some(user), Some(password)) = (&proxy.user, &proxy.password) {
                through = through.basic_auth(user, host.secret(password).await?.expose());
            }
            builder = builder.proxy(through);
        }
        let client = builder
            .build()
            .map_err(|error| ConnError::config(format!("no client can be made: {}", error.without_url())))?;
        let own = [Some(config.url.url()), token_url].into_iter().flatten().filter_map(host_and_port);
        let listed = config.allow_hosts.iter().map(|text| with_port(text, config.url.url()));
        Ok(Self {
            client,
            home: config.url.url().clone(),
            hosts: own.chain(listed).collect(),
            rule,
            plaintext: config.allow_plaintext,
        })
    }

    /// Sends one request and reads the answer to its end. Follows nothing, repeats nothing.
    pub(crate) async fn exchange(
        &self,
        method: &str,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
        max_body: usize,
    ) -> Result<HttpResponse> {
        self.permit(url)?;
        let safe = is_safe(method);
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| ConnError::config("the request's method is not one of HTTP"))?;
        let mut request = reqwest::Request::new(method, url.clone());
        *request.headers_mut() = headers;
        if !body.is_empty() {
            *request.body_mut() = Some(body.into());
        }
        let response = self.client.execute(request).await.map_err(|error| broken(&error, safe))?;
        read(response, max_body, safe).await
    }

    /// Passes an address that this target may call. A name's addresses are judged later, by the resolver; a literal address
    /// never meets the resolver, so it is judged here.
    fn permit(&self, url: &Url) -> Result<()> {
        if !(url.scheme() == "https" || (url.scheme() == "http" && self.plaintext)) {
            return Err(ConnError::config("a request to the target would not use https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ConnError::config("a request's address holds a user or password"));
        }
        // The usual place needs no look into the list.
        if !same_place(url, &self.home) && !host_and_port(url).is_some_and(|place| self.hosts.contains(&place)) {
            return Err(ConnError::config("a request would go to a host that the target does not list in allow_hosts"));
        }
        match literal(url) {
            Some(address) => self.rule.permit(address).map_err(|refused| ConnError::config(refused.to_string())),
            None => Ok(()),
        }
    }
}

fn rule_for_proxy(rule: &AddressRule, url: &Url) -> Result<()> {
    match literal(url) {
        Some(address) => rule.permit(address).map_err(|refused| ConnError::config(format!("proxy: {refused}"))),
        None => Ok(()),
    }
}

/// The address that is written in place of a name. `Url` has already read decimal, octal and short forms.
fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        url::Host::Ipv4(four) => Some(four.into()),
        url::Host::Ipv6(six) => Some(six.into()),
        url::Host::Domain(_) => None,
    }
}

/// Whether two addresses of HTTP have one origin (RFC 6454 section 5).
pub(crate) fn same_place(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
}

fn host_and_port(url: &Url) -> Option<String> {
    Some(format!("{}:{}", url.host_str()?.trim_end_matches('.'), url.port_or_known_default()?))
}

/// A listed host without a port is allowed on the usual port of the base address's scheme.
fn with_port(listed: &str, base: &Url) -> String {
    let usual = if base.scheme() == "http" { 80 } else { 443 };
    let listed = listed.trim().to_ascii_lowercase();
    match listed.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() && !listed.ends_with(']') => listed,
        _ => format!("{listed}:{usual}"),
    }
}

async fn read(mut response: Response, max_body: usize, safe: bool) -> Result<HttpResponse> {
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let too_large = || {
        ConnError::unknown("the answer is larger than max_body").effect(if safe { Effect::None } else { Effect::Maybe })
    };
    if response.content_length().is_some_and(|length| length > max_body as u64) {
        return Err(too_large());
    }
    let expected = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let mut body = Vec::with_capacity(expected.min(BLOCK));
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error, safe))? {
        if body.len() + chunk.len() > max_body {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(HttpResponse { status, headers, body })
}
