//! Here: one method for each call. Every write may come twice; what is so already is success.

use crate::{
    Settings, kinds,
    shelf::{ROLES, Refused, Row, Shelf, TOKEN},
};
use async_trait::async_trait;
use connector_spi::{
    AccountState, Attrs, Change, ConnError, Connector, Created, Ctx, Cursor, Delta, EffectFacet, Effective,
    Entitlement, Health, Kind, Level, Lister, NativeId, Page, PartFailure, Record, Result, SecretRef, TargetSchema,
    Updated, Value,
};
use std::collections::BTreeMap;

/// An open target.
pub struct Target {
    shelf: Shelf,
    token: SecretRef,
}

impl Target {
    pub fn new(settings: Settings) -> Self {
        Self { shelf: Shelf(settings.file), token: settings.token }
    }

    /// The secret is read anew for every call: one that was replaced works at once.
    async fn enter(&self, cx: &Ctx) -> Result<()> {
        let token = cx.host.secret(&self.token).await?;
        if token.expose() == TOKEN { Ok(()) } else { Err(ConnError::auth("the token is refused")) }
    }

    fn records(&self, kind: &Kind) -> Result<Vec<Record>> {
        match kind.as_str() {
            "account" => Ok(self.shelf.rows().map_err(error)?.iter().map(|(id, row)| account(id, row)).collect()),
            "role" => Ok(ROLES.into_iter().map(role).collect()),
            _ => Err(ConnError::unsupported("there is no such kind")),
        }
    }

    /// Gives and takes one by one. What the target refuses is told by its part; the rest is done.
    fn roles(&self, id: &str, add: &[Entitlement], remove: &[Entitlement]) -> Result<Vec<PartFailure>> {
        let mut failed = Vec::new();
        let edit = |change: &dyn Fn(&mut Vec<String>)| {
            self.shelf.edit::<Refused>(id, |row| {
                change(&mut row.roles);
                Ok(())
            })
        };
        for one in remove {
            edit(&|roles| roles.retain(|role| role != one.value.as_str())).map_err(error)?;
        }
        for one in add {
            if !ROLES.contains(&one.value.as_str()) || !one.scope.is_empty() {
                let part = format!("{}:{}", one.kind, one.value);
                failed.push(PartFailure { error: ConnError::invalid("there is no such role").attribute(&part), part });
                continue;
            }
            edit(&|roles| {
                roles.retain(|role| role != one.value.as_str());
                roles.push(one.value.0.clone());
            })
            .map_err(error)?;
        }
        Ok(failed)
    }
}

#[async_trait]
impl Connector for Target {
    async fn check(&self, cx: &Ctx) -> Result<Health> {
        self.enter(cx).await?;
        Ok(Health { server: Some("shelf".to_owned()), warnings: Vec::new() })
    }

    async fn schema(&self, _: &Ctx) -> Result<TargetSchema> {
        Ok(kinds::schema())
    }

    async fn get(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Option<Record>> {
        self.enter(cx).await?;
        Ok(self.records(kind)?.into_iter().find(|record| record.id == *id))
    }

    async fn find(&self, cx: &Ctx, kind: &Kind, key: &BTreeMap<String, Value>) -> Result<Vec<Record>> {
        self.enter(cx).await?;
        // Inactive accounts are found too: a leaver who comes back must not be made a second time.
        let same = |record: &Record| {
            let wanted = key.iter().map(|(name, value)| (name, value.to_string().to_lowercase()));
            wanted.eq(record.natural_key.iter().map(|(name, value)| (name, value.to_string().to_lowercase())))
        };
        Ok(self.records(kind)?.into_iter().filter(same).collect())
    }

    async fn create(
        &self,
        cx: &Ctx,
        kind: &Kind,
        attrs: &Attrs,
        state: AccountState,
        entitlements: &[Entitlement],
    ) -> Result<Created> {
        kinds::writable(kind, "create")?;
        kinds::check_create(attrs, entitlements)?;
        self.enter(cx).await?;
        if cx.dry_run {
            would(cx, "create", attrs.keys());
            return Ok(Created::new("dry-run"));
        }
        let attrs = attrs.iter().map(|(name, values)| (name.clone(), plain(values))).collect();
        let row = Row { attrs, active: state == AccountState::Enabled, roles: Vec::new(), version: 1 };
        let id = self.shelf.add(row).map_err(error)?;
        Ok(Created { failed: self.roles(&id, entitlements, &[])?, ..Created::new(id) })
    }

    async fn update(&self, cx: &Ctx, kind: &Kind, id: &NativeId, change: &Change) -> Result<Updated> {
        kinds::writable(kind, "update")?;
        kinds::check_update(change)?;
        self.enter(cx).await?;
        if cx.dry_run {
            would(cx, "update", change.attrs.keys());
            return Ok(Updated::default());
        }
        let edited = self.shelf.edit::<Failed>(id.as_str(), |row| {
            if change.if_version.as_ref().is_some_and(|wanted| *wanted != row.version.to_string()) {
                return Err(Failed(ConnError::stale_version("the account has changed since it was read")));
            }
            // A closing state comes before everything else, an opening one after everything else.
            row.active &= change.state.is_none_or(|state| state == AccountState::Enabled);
            for (name, delta) in &change.attrs {
                let held = row.attrs.remove(name).unwrap_or_default();
                let values = match delta {
                    Delta::Set(values) => plain(values),
                    Delta::Clear => Vec::new(),
                    Delta::Patch { add, remove } => {
                        let (add, remove) = (plain(add), plain(remove));
                        let kept = held.into_iter().filter(|value| !remove.contains(value) && !add.contains(value));
                        kept.chain(add.iter().cloned()).collect()
                    }
                };
                if !values.is_empty() {
                    row.attrs.insert(name.clone(), values);
                }
            }
            Ok(())
        });
        edited.map_err(|Failed(error)| error)?;
        let failed = self.roles(id.as_str(), &change.entitlements.add, &change.entitlements.remove)?;
        if change.state == Some(AccountState::Enabled) {
            let open = |row: &mut Row| {
                row.active = true;
                Ok(())
            };
            self.shelf.edit::<Refused>(id.as_str(), open).map_err(error)?;
        }
        Ok(Updated { failed, ..Updated::default() })
    }

    async fn delete(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        kinds::writable(kind, "delete")?;
        self.enter(cx).await?;
        if cx.dry_run {
            would(cx, "delete", [].into_iter());
            return Ok(());
        }
        self.shelf.remove(id.as_str()).map_err(error)
    }

    fn lister(&self) -> Option<&dyn Lister> {
        Some(self)
    }

    fn effect(&self) -> Option<&dyn EffectFacet> {
        Some(self)
    }
}

#[async_trait]
impl Lister for Target {
    async fn list(&self, cx: &Ctx, kind: &Kind, cursor: Option<&Cursor>, size: u32) -> Result<Page<Record>> {
        self.enter(cx).await?;
        // The cursor is the last id of the page before: it means the same after a restart.
        let after = |record: &Record| cursor.is_none_or(|cursor| record.id.as_str() > cursor.as_str());
        let mut rest = self.records(kind)?.into_iter().filter(after);
        let items: Vec<Record> = rest.by_ref().take(usize::try_from(size).unwrap_or(usize::MAX)).collect();
        let next = if rest.next().is_some() { items.last().map(|record| Cursor(record.id.0.clone())) } else { None };
        Ok(Page { items, next, total_hint: None, complete: true })
    }
}

#[async_trait]
impl EffectFacet for Target {
    async fn effective(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Effective> {
        kinds::writable(kind, "effective")?;
        let record = self.get(cx, kind, id).await?.ok_or_else(|| error(Refused::Missing))?;
        let lets_in = record.state == AccountState::Enabled;
        let why = if lets_in { Vec::new() } else { vec!["the account is switched off".to_owned()] };
        Ok(Effective { can_login: Some(lets_in), sessions: Some(0), why })
    }

    async fn revoke_sessions(&self, cx: &Ctx, kind: &Kind, _: &NativeId) -> Result<()> {
        kinds::writable(kind, "revoke_sessions")?;
        // The stand-in has no sessions, so there is none to end.
        self.enter(cx).await
    }
}

/// A failure inside an edit.
struct Failed(ConnError);

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        Self(error(refused))
    }
}

/// Here: what your target's refusals mean. The class alone decides what the gateway does next.
fn error(refused: Refused) -> ConnError {
    match refused {
        Refused::Taken(holder) => {
            ConnError::already_exists("the login is taken").attribute("login").existing(NativeId(holder))
        }
        Refused::Missing => ConnError::not_found("there is no such account"),
        Refused::Broken(error) => ConnError::transient(format!("the file: {}", error.kind())),
    }
}

/// Names of attributes, never their values: events are logged.
fn would<'a>(cx: &Ctx, call: &str, names: impl Iterator<Item = &'a String>) {
    let names: Vec<&str> = names.map(String::as_str).collect();
    cx.host.event(Level::Info, "would be written", &[("call", call), ("attributes", &names.join(" "))]);
}

fn plain(values: &[Value]) -> Vec<String> {
    values.iter().map(Value::to_string).collect()
}

fn account(id: &str, row: &Row) -> Record {
    let values = |values: &Vec<String>| values.iter().map(|value| Value::from(value.as_str())).collect();
    Record {
        kind: "account".into(),
        id: id.into(),
        natural_key: [("login".to_owned(), Value::from(row.login()))].into(),
        attrs: row.attrs.iter().map(|(name, held)| (name.clone(), values(held))).collect(),
        state: if row.active { AccountState::Enabled } else { AccountState::Disabled },
        entitlements: Some(row.roles.iter().map(|name| Entitlement::new("role", name.as_str())).collect()),
        incomplete: false,
        version: Some(row.version.to_string()),
    }
}

fn role(name: &str) -> Record {
    Record {
        kind: "role".into(),
        id: name.into(),
        natural_key: [("name".to_owned(), Value::from(name))].into(),
        attrs: [("name".to_owned(), vec![Value::from(name)])].into(),
        state: AccountState::Enabled,
        entitlements: None,
        incomplete: false,
        version: None,
    }
}
