//! What a target may be able to do besides: list its records, set passwords, say who can log in, end sessions.

use crate::{
    connector::{PAGE_SIZE, SoapConnector, unsupported},
    lookup,
    template::Filling,
};
use async_trait::async_trait;
use connector_spi::{
    Class, ConnError, Ctx, Cursor, Effect, EffectFacet, Effective, Kind, Lister, NativeId, Page, Passwords, Record,
    Result, Secret,
};
use serde_json::json;

#[async_trait]
impl Lister for SoapConnector {
    async fn list(&self, cx: &Ctx, kind: &Kind, cursor: Option<&Cursor>, size: u32) -> Result<Page<Record>> {
        let kind = self.kind(kind)?;
        let (Some(request), Some(list)) = (&kind.list, &kind.config.list) else {
            return Err(unsupported(kind, "be listed"));
        };
        let most = if list.max_page == 0 { size.max(1) } else { size.clamp(1, list.max_page) };
        let size = if size == 0 { PAGE_SIZE.min(most) } else { most };
        let filling = Filling::new(json!({"page": lookup::page(&list.pages, cursor, size)?, "op": &*cx.op_id}));
        let answer = self.exchange(cx).read(request, &filling).await?;
        let items = self.items(request, &answer);
        let mut records = Vec::with_capacity(items.len());
        let mut complete = true;
        for raw in &items {
            let record = if list.then_get {
                let at = list.id.as_ref().or(kind.config.record.as_ref().map(|record| &record.id));
                match at.and_then(|at| self.plan.reader.text(at, raw)).filter(|id| !id.is_empty()) {
                    // Gone between the listing and the reading: then it is not there.
                    Some(id) => match self.fetch(cx, kind, &NativeId(id)).await? {
                        Some(record) => Some(record),
                        None => continue,
                    },
                    None => None,
                }
            } else {
                self.plan.reader.record(kind, raw)
            };
            complete &= record.is_some();
            records.extend(record);
        }
        let total = list.total_at.as_ref().and_then(|at| self.plan.reader.text(at, &answer.payload));
        let total = total.and_then(|text| text.parse().ok());
        let next = lookup::next(&list.pages, cursor, items.len(), total, self.mark(&list.pages, &answer))?;
        // A listing that ends before the number that the target gave is one with something missing.
        complete &= !(next.is_none() && cursor.is_none() && total.is_some_and(|total| total > items.len() as u64));
        Ok(Page { items: records, next, total_hint: total, complete })
    }
}

#[async_trait]
impl Passwords for SoapConnector {
    async fn set_password(&self, cx: &Ctx, kind: &Kind, id: &NativeId, password: &Secret) -> Result<()> {
        let kind = self.kind(kind)?;
        let request = kind.set_password.as_ref().ok_or_else(|| unsupported(kind, "be given a password"))?;
        let filling = self.filling(cx, id).with([("password", json!(password.expose()))]);
        self.exchange(cx).write(request, &filling).await.map(drop)
    }
}

#[async_trait]
impl EffectFacet for SoapConnector {
    async fn effective(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Effective> {
        let kind = self.kind(kind)?;
        let (Some(request), Some(config)) = (&kind.effective, &kind.config.effective) else {
            return Err(unsupported(kind, "be asked whether they can log in"));
        };
        let absent = || Effective { can_login: Some(false), sessions: None, why: vec!["absent".to_owned()] };
        let answer = match self.exchange(cx).read(request, &self.filling(cx, id)).await {
            Ok(answer) => answer,
            Err(error) if error.class == Class::NotFound => return Ok(absent()),
            Err(error) => return Err(error),
        };
        let Some(raw) = self.items(request, &answer).first().copied() else {
            let message = format!("the answer holds no record ({})", request.label);
            return Err(ConnError::unknown(message).effect(Effect::None));
        };
        let reader = &self.plan.reader;
        let failed = config.needs.iter().filter(|(_, need)| !reader.holds(need, raw));
        let mut why: Vec<String> = failed.map(|(name, _)| name.clone()).collect();
        let mut unknown = false;
        let text = |at: &Option<crate::config::Place>| {
            at.as_ref().and_then(|at| reader.text(at, raw)).filter(|text| !text.is_empty())
        };
        if let Some(begins) = text(&config.begins_at) {
            match reader.calendar.begin(&begins).zip(answer.date) {
                Some((begins, now)) if now < begins => why.push("not begun".to_owned()),
                Some(_) => {}
                None => unknown = true,
            }
        }
        if let Some(ends) = text(&config.ends_at) {
            match reader.calendar.end(&ends).zip(answer.date) {
                Some((ends, now)) if now >= ends => why.push("ended".to_owned()),
                Some(_) => {}
                None => unknown = true,
            }
        }
        let sessions = text(&config.sessions_at).and_then(|text| text.parse().ok());
        let can_login = if !why.is_empty() { Some(false) } else { (!unknown).then_some(true) };
        Ok(Effective { can_login, sessions, why })
    }

    async fn revoke_sessions(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        let kind = self.kind(kind)?;
        let request = kind.revoke_sessions.as_ref().ok_or_else(|| unsupported(kind, "have their sessions ended"))?;
        match self.exchange(cx).write(request, &self.filling(cx, id)).await {
            Err(error) if error.class == Class::NotFound => Ok(()),
            other => other.map(drop),
        }
    }
}
