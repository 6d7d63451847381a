//! Bearer tokens of sources: `cg_ID.SECRET`, shown once, kept as a hash, found by id.

use crate::{Engine, Error};
use aws_lc_rs::{constant_time, digest, rand};
use gateway_domain::Source;
use gateway_domain::audit::{Action, AuditEntry};
use gateway_store::Token;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Live tokens that one source may have at a time: the present one, and the next during a rotation.
pub const LIVE: usize = 2;

/// Tokens kept at hand, so that a request costs no read. This process is the only one that writes tokens while it runs.
pub(crate) struct Tokens {
    known: RwLock<HashMap<String, Token>>,
    fixed: Option<([u8; 32], String)>,
}

impl Tokens {
    pub(crate) fn new(fixed: Option<(String, String)>) -> Self {
        let fixed = fixed.map(|(token, source)| (hash(&token), source));
        Self { known: RwLock::new(HashMap::new()), fixed }
    }

    fn known(&self, id: &str) -> Option<Token> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn learn(&self, token: Token) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(token.id.clone(), token);
    }

    fn forget(&self, id: &str) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

impl Engine {
    /// The source that a bearer token belongs to; `None` for one that is wrong, expired or of a source that left the
    /// configuration. The secret is compared in constant time.
    ///
    /// # Errors
    /// When the store is out.
    pub async fn authenticate(&self, bearer: &str) -> Result<Option<Arc<Source>>, Error> {
        let tokens = &self.0.tokens;
        if let Some((fixed, source)) = &tokens.fixed
            && constant_time::verify_slices_are_equal(fixed, &hash(bearer)).is_ok()
        {
            return Ok(self.policy().sources.iter().find(|known| known.name == *source).cloned());
        }
        let Some((id, secret)) = bearer.strip_prefix("cg_").and_then(|rest| rest.split_once('.')) else {
            return Ok(None);
        };
        let token = match tokens.known(id) {
            Some(token) => token,
            None => match self.store().token(id).await? {
                Some(token) => {
                    tokens.learn(token.clone());
                    token
                }
                None => return Ok(None),
            },
        };
        if constant_time::verify_slices_are_equal(&token.hash, &hash(secret)).is_err() {
            return Ok(None);
        }
        if token.expires.is_some_and(|expires| expires <= self.clock().now()) {
            return Ok(None);
        }
        Ok(self.policy().source(&token.source).cloned())
    }

    /// Makes a token for a source and returns it: the only time that it is shown.
    ///
    /// # Errors
    /// [`Error::Unknown`] when there is no such source; 409 when it has two live tokens already.
    pub async fn create_token(
        &self,
        source: &str,
        expires: Option<Timestamp>,
        operator: &str,
    ) -> Result<String, Error> {
        let policy = self.policy();
        let known = policy.sources.iter().find(|known| known.name == source);
        let source = known.ok_or_else(|| Error::Unknown(format!("source {source}")))?;
        let now = self.clock().now();
        let live = self.store().tokens(&source.id).await?.into_iter();
        if live.filter(|token| token.expires.is_none_or(|expires| expires > now)).count() >= LIVE {
            return Err(Error::Scim(scim::ScimError::conflict(
                "the source has two live tokens already: revoke the older one first",
            )));
        }
        let (id, secret) = (random(8)?, random(32)?);
        let token = Token { id: id.clone(), source: source.id.clone(), hash: hash(&secret), created: now, expires };
        self.store().put_token(token, self.operated(operator, &source.name, "token created", now)).await?;
        Ok(format!("cg_{id}.{secret}"))
    }

    /// A source's tokens, without their secrets, newest first.
    ///
    /// # Errors
    /// [`Error::Unknown`] when there is no such source.
    pub async fn tokens(&self, source: &str) -> Result<Vec<Token>, Error> {
        let policy = self.policy();
        let known = policy.sources.iter().find(|known| known.name == source);
        let source = known.ok_or_else(|| Error::Unknown(format!("source {source}")))?;
        Ok(self.store().tokens(&source.id).await?)
    }

    /// Takes a token out of use at once.
    ///
    /// # Errors
    /// [`Error::Unknown`] when there is no such token.
    pub async fn revoke_token(&self, id: &str, operator: &str) -> Result<(), Error> {
        let now = self.clock().now();
        let there = self.store().revoke_token(id, self.operated(operator, id, "token revoked", now)).await?;
        self.0.tokens.forget(id);
        if there { Ok(()) } else { Err(Error::Unknown(format!("token {id}"))) }
    }

    fn operated(&self, operator: &str, subject: &str, detail: &str, at: Timestamp) -> AuditEntry {
        AuditEntry {
            at,
            actor: format!("operator:{operator}"),
            action: Action::Operate,
            resource: None,
            subject: subject.to_owned(),
            version: 0,
            detail: detail.to_owned(),
        }
    }
}

fn hash(text: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

fn random(octets: usize) -> Result<String, Error> {
    let mut bytes = vec![0; octets];
    rand::fill(&mut bytes).map_err(|_| Error::Internal("no random numbers"))?;
    Ok(bytes.iter().map(|octet| format!("{octet:02x}")).collect())
}
