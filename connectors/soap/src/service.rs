//! One service, open: its door, its clock, its password.

use crate::{
    config::{self, PasswordStyle, Version},
    document::Element,
    place::Names,
    security::{self, Fresh},
    template::{Filling, Template},
};
use connector_declared::Issues;
use connector_expr::{Env, Type};
use connector_http::{Door, HttpConfig, ServerTime};
use connector_spi::{ConnError, Effect, Host, Result, Secret};
use serde_json::json;
use std::sync::Arc;
use tokio::{sync::Mutex, time::Instant};
use url::Url;

/// What a service is, checked and compiled.
#[derive(Debug)]
pub(crate) struct ServicePlan {
    pub(crate) config: config::Service,
    headers: Vec<Template>,
}

impl ServicePlan {
    /// Compiles; issues go to `issues`.
    pub(crate) fn compile(
        config: &config::Service,
        http: &HttpConfig,
        names: &Names,
        pointer: &str,
        issues: &mut Issues,
    ) -> Self {
        let env = Env::new().variable("op", Type::Text).variable("action", Type::Text);
        let headers = config.headers.iter().enumerate().filter_map(|(at, source)| {
            Template::compile(source, names, &env, &format!("{pointer}/headers/{at}"), issues)
        });
        let headers = headers.collect();
        if config.version == Version::Xml && (config.username_token.is_some() || !config.headers.is_empty()) {
            issues.say(pointer, "plain XML has no header for a UsernameToken or other blocks", None);
        }
        if config.username_token.as_ref().is_some_and(|token| token.user.is_empty()) {
            issues.say(format!("{pointer}/username_token/user"), "is empty", None);
        }
        let merged = merged(config, http);
        if merged.url.url().join(&config.path).is_err() || config.path.starts_with('/') || config.path.contains("..") {
            issues.say(
                format!("{pointer}/path"),
                "is no path below the base address",
                Some("without a / at its start".to_owned()),
            );
        }
        // What the target's own settings get wrong is said there.
        let own = http.issues();
        for issue in merged.issues().into_iter().filter(|issue| !own.contains(issue)) {
            issues.say(format!("{pointer}{}", issue.pointer), issue.message, issue.hint);
        }
        Self { config: config.clone(), headers }
    }
}

/// The connection settings of a service.
fn merged(config: &config::Service, http: &HttpConfig) -> HttpConfig {
    let mut merged = http.clone();
    if let Some(url) = &config.url {
        merged.url = url.clone();
    }
    if let Some(auth) = &config.auth {
        merged.auth = auth.clone();
    }
    if let Some(tls) = &config.tls {
        merged.tls = tls.clone();
    }
    merged.requests_per_second = config.requests_per_second.or(merged.requests_per_second);
    merged.max_concurrent = config.max_concurrent.unwrap_or(merged.max_concurrent);
    merged
}

/// An open service.
pub(crate) struct Service {
    pub(crate) plan: ServicePlan,
    pub(crate) door: Door,
    pub(crate) url: Url,
    pub(crate) time: ServerTime,
    host: Arc<dyn Host>,
    password: Mutex<Option<Secret>>,
    /// Held while the time is asked for, so that many calls at once ask once.
    asking: Mutex<()>,
}

impl Service {
    /// Opens it; connects lazily.
    ///
    /// # Errors
    /// `Config`.
    pub(crate) async fn open(plan: ServicePlan, http: &HttpConfig, host: Arc<dyn Host>) -> Result<Self> {
        let merged = merged(&plan.config, http);
        let url = merged.url.url().join(&plan.config.path);
        let url = url.map_err(|_| ConnError::config("the path of a service is no path"))?;
        let door = Door::open(merged, Arc::clone(&host)).await?;
        Ok(Self {
            plan,
            door,
            url,
            time: ServerTime::default(),
            host,
            password: Mutex::new(None),
            asking: Mutex::new(()),
        })
    }

    /// The version of its envelope.
    pub(crate) fn version(&self) -> Version {
        self.plan.config.version
    }

    /// The blocks of the envelope's header, and the password that they were made with.
    ///
    /// # Errors
    /// `Config` without a password or without a clock to go by. Nothing was sent that could have changed the target.
    pub(crate) async fn headers(
        &self,
        op: &str,
        action: Option<&str>,
        deadline: Instant,
    ) -> Result<(Vec<Element>, Option<Secret>)> {
        let mut blocks = Vec::new();
        if !self.plan.headers.is_empty() {
            let filling = Filling::new(json!({"op": op, "action": action}));
            for template in &self.plan.headers {
                blocks.push(template.fill(&filling)?);
            }
        }
        let Some(token) = &self.plan.config.username_token else { return Ok((blocks, None)) };
        let password = {
            let mut held = self.password.lock().await;
            match held.as_ref() {
                Some(password) => password.clone(),
                None => held.insert(self.host.secret(&token.password).await?).clone(),
            }
        };
        let fresh = match token.style {
            PasswordStyle::BareText => None,
            PasswordStyle::Digest | PasswordStyle::Text => Some(self.fresh(deadline).await?),
        };
        blocks.push(security::header(self.version(), token, &password, fresh.as_ref()));
        Ok((blocks, Some(password)))
    }

    /// The target refused this password: reads it anew. False when that gives nothing new to try.
    ///
    /// # Errors
    /// `Config` when it cannot be read.
    pub(crate) async fn renewed(&self, refused: &Secret) -> Result<bool> {
        let Some(token) = &self.plan.config.username_token else { return Ok(false) };
        let fresh = self.host.secret(&token.password).await?;
        let changed = fresh != *refused;
        *self.password.lock().await = Some(fresh);
        Ok(changed)
    }

    async fn fresh(&self, deadline: Instant) -> Result<Fresh> {
        let created = match self.time.now() {
            Some(now) => now,
            None => self.asked_time(deadline).await?,
        };
        let mut nonce = [0; 16];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| ConnError::config("the system gives no random octets"))?;
        Ok(Fresh { nonce, created })
    }

    /// Asks the service's address for the time: any answer has it, also a refusal.
    async fn asked_time(&self, deadline: Instant) -> Result<jiff::Timestamp> {
        let _turn = self.asking.lock().await;
        if let Some(now) = self.time.now() {
            return Ok(now);
        }
        let request = self.door.request("GET", &self.url, deadline);
        let response = self.door.send(request).await.map_err(|error| error.effect(Effect::None))?;
        self.time.learn(&response);
        if let Some(error) = connector_http::refusal("GET", &response).filter(|_| self.time.now().is_none()) {
            return Err(error);
        }
        self.time.now().ok_or_else(|| {
            ConnError::config(
                "the target's answers tell no time (Date), so no fresh token can be made: set style = \"bare_text\"",
            )
        })
    }
}
