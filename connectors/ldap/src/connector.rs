//! The directory as a connector.

use crate::{describe, directory::Directory, dn::Filter, session::Query, subschema::control};
use async_trait::async_trait;
use connector_spi::{
    AccountState, Attrs, Change, ConnError, Connector, Created, Ctx, EffectFacet, Entitlement, Health, Kind, Lister,
    NativeId, Passwords, Record, Result, TargetSchema, Updated, Value,
};
use ldap3::Scope;
use std::collections::BTreeMap;

#[async_trait]
impl Connector for Directory {
    async fn check(&self, cx: &Ctx) -> Result<Health> {
        let facts = self.facts(cx).await?;
        let mut session = self.pool.session(cx).await?;
        let bases = self.shapes.iter().map(|shape| (shape.kind.0.clone(), shape.base.clone()));
        let types = self.config.entitlements.iter().map(|one| (one.kind.clone(), one.base.clone()));
        for (kind, base) in bases.chain(types) {
            let filter = Filter::Present("objectClass".into());
            let none = ["1.1".to_owned()];
            let query = Query {
                base: &base,
                scope: Scope::Base,
                filter: &filter,
                attributes: &none,
                limit: 0,
                controls: Vec::new(),
            };
            if session.entries(query, "reading a base").await?.is_empty() {
                return Err(ConnError::config(format!("the base of kind {kind} does not exist, or may not be read")));
            }
        }
        drop(session);
        let mut warnings = Vec::new();
        if self.config.danger_accept_any_certificate {
            warnings.push(
                "DANGER: any certificate is taken for the directory's (danger_accept_any_certificate)".to_owned(),
            );
        }
        if self.config.danger_cleartext {
            warnings.push("DANGER: the password and every entry travel in clear text (danger_cleartext)".to_owned());
        }
        let account = self.shapes.first();
        if account.is_some_and(|account| account.lock.is_some()) && !facts.has(control::PASSWORD_POLICY) {
            warnings
                .push("the server announces no password policy: its lock attribute probably has no effect".to_owned());
        }
        // An Active Directory takes the id in place of a name.
        if !facts.has(control::ASSERTION) && !self.config.active_directory {
            warnings
                .push("the server cannot hold a write against an id (RFC 4528): each write costs a search".to_owned());
        }
        if !facts.has(control::PAGED) {
            warnings.push("the server lists without pages (RFC 2696): long listings will be refused".to_owned());
        }
        if facts.types.is_empty() {
            warnings.push("the schema cannot be read: all values are taken for text".to_owned());
        }
        warnings.extend(self.standing(cx, &facts).await?.warnings);
        Ok(Health { server: facts.server.clone(), warnings })
    }

    async fn schema(&self, cx: &Ctx) -> Result<TargetSchema> {
        let facts = self.learn(cx).await?;
        let standing = self.standing(cx, &facts).await?;
        Ok(describe::target(&self.config, &self.shapes, &facts, &standing))
    }

    async fn get(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Option<Record>> {
        self.read(cx, kind, id).await
    }

    async fn find(&self, cx: &Ctx, kind: &Kind, key: &BTreeMap<String, Value>) -> Result<Vec<Record>> {
        self.search(cx, kind, key).await
    }

    async fn create(
        &self,
        cx: &Ctx,
        kind: &Kind,
        attrs: &Attrs,
        state: AccountState,
        entitlements: &[Entitlement],
    ) -> Result<Created> {
        self.make(cx, self.shape(kind)?, attrs, state, entitlements).await
    }

    async fn update(&self, cx: &Ctx, kind: &Kind, id: &NativeId, change: &Change) -> Result<Updated> {
        self.change(cx, self.shape(kind)?, id, change).await
    }

    async fn delete(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        self.end(cx, self.shape(kind)?, id).await
    }

    fn lister(&self) -> Option<&dyn Lister> {
        Some(self)
    }

    fn passwords(&self) -> Option<&dyn Passwords> {
        self.config.active_directory.then_some(self)
    }

    fn effect(&self) -> Option<&dyn EffectFacet> {
        Some(self)
    }
}
