//! What a target may be able to do besides: list its records, say who can log in, end sessions.

use crate::{
    config::{On, SessionRevocation, When},
    connector::SqlConnector,
    database::{Bound, Purpose},
    record::{after, cannot, record},
    transaction::{Args, Tx},
    value,
};
use async_trait::async_trait;
use connector_spi::{
    ConnError, Ctx, Cursor, Effect, EffectFacet, Effective, Kind, Lister, NativeId, Page, Record, Result,
};

#[async_trait]
impl Lister for SqlConnector {
    async fn list(&self, cx: &Ctx, kind: &Kind, cursor: Option<&Cursor>, size: u32) -> Result<Page<Record>> {
        let kind = self.kind(kind)?;
        let (Some(named), Some(list)) = (&kind.list, &kind.config.list) else { return Err(cannot(kind, "be listed")) };
        let size = if size == 0 { list.max_page } else { size.min(list.max_page) };
        let after = after(kind, cursor.map(Cursor::as_str))?;
        let copy = self.replica.as_deref();
        let mut tx = Tx::begin_at(self, copy.unwrap_or(self.database.as_ref()), cx, Purpose::Read).await?;
        let more = vec![("after", after), ("size", Bound::Int(Some(size.into())))];
        let most = usize::try_from(size).unwrap_or(usize::MAX);
        let done = tx.run(On::Read, kind, named, &Args { more, ..Args::default() }, most).await?;
        let mut items = Vec::with_capacity(done.rows.len());
        for row in &done.rows {
            items.push(record(kind, row, &self.plan.zones, &named.label)?);
        }
        tx.entitlements(kind, &mut items).await?;
        tx.rollback().await;
        // A full page may be the last one: then the next is empty, and nothing is lost.
        let full = items.len() == most;
        let next = items.last().filter(|_| full || done.cut).map(|last| Cursor(last.id.0.clone()));
        if next.is_some() && next.as_ref() == cursor {
            return Err(ConnError::permanent(format!("{} does not move on", named.label)));
        }
        if copy.is_some() {
            items.iter_mut().for_each(|record| record.incomplete = true);
        }
        Ok(Page { items, next, total_hint: None, complete: true })
    }
}

#[async_trait]
impl EffectFacet for SqlConnector {
    async fn effective(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Effective> {
        let kind = self.kind(kind)?;
        let named = kind.effective.as_ref().filter(|_| self.caps(kind).effective);
        let named = named.ok_or_else(|| cannot(kind, "be asked who can log in"))?;
        let absent = Effective { can_login: Some(false), sessions: None, why: vec!["absent".to_owned()] };
        if crate::transaction::id_bound(kind, id).is_none() {
            return Ok(absent);
        }
        let mut tx = Tx::begin(self, cx, Purpose::Read).await?;
        let done = tx.run(On::Read, kind, named, &Args { id: Some(id), ..Args::default() }, 2).await?;
        tx.rollback().await;
        match done.rows.as_slice() {
            [] => Ok(absent),
            [row] => {
                let missing = || ConnError::config(format!("{} shows no column can_login", named.label));
                let can_login = value::truth(row.get("can_login").ok_or_else(missing)?);
                let count = row.get("sessions").and_then(value::integer).and_then(|count| u32::try_from(count).ok());
                let why = row.get("why").and_then(value::text).unwrap_or_default();
                let why = why.split(',').map(str::trim).filter(|why| !why.is_empty()).map(str::to_owned).collect();
                Ok(Effective { can_login, sessions: count, why })
            }
            _ => Err(ConnError::permanent(format!("{} answers with several rows", named.label)).effect(Effect::None)),
        }
    }

    async fn revoke_sessions(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        let kind = self.kind(kind)?;
        if !self.caps(kind).revoke_sessions {
            return Err(cannot(kind, "have their sessions ended"));
        }
        if !kind.revoke_sessions.is_empty() {
            self.steps(cx, kind, id, On::Sessions, &kind.revoke_sessions).await?;
        }
        if self.plan.session_revocation == SessionRevocation::Api && !cx.dry_run {
            for one in kind.after.iter().filter(|after| after.on.contains(&When::Sessions)) {
                match self.one_after(cx, kind, id, None, one).await {
                    Err(error) if error.class == connector_spi::Class::NotFound => {}
                    other => other?,
                }
            }
        }
        Ok(())
    }
}
