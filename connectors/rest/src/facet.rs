//! What a target may be able to do besides: list its records, say who can log in, end sessions.

use crate::{
    connector::{PAGE_SIZE, RestConnector},
    page, record,
    template::Filling,
};
use async_trait::async_trait;
use connector_expr::Vars;
use connector_spi::{
    Class, ConnError, Ctx, Cursor, EffectFacet, Effective, Kind, Lister, NativeId, Page, Record, Result,
};
use jiff::{Timestamp, fmt::rfc2822};
use serde_json::{Value as Json, json};

#[async_trait]
impl Lister for RestConnector {
    async fn list(&self, cx: &Ctx, kind: &Kind, cursor: Option<&Cursor>, size: u32) -> Result<Page<Record>> {
        let kind = self.kind(kind)?;
        let (Some(request), Some(list)) = (&kind.list, &kind.config.list) else {
            return Err(ConnError::unsupported(format!(
                "records of kind {} cannot be listed by the target's file",
                kind.name
            )));
        };
        let exchange = self.exchange(cx);
        let most = if list.max_page == 0 { size.max(1) } else { size.clamp(1, list.max_page) };
        let size = if size == 0 { PAGE_SIZE.min(most) } else { most };
        let ready = Filling { vars: &Vars::new(json!({})), sending: &[], record: None };
        let mut ready = request.fill(exchange.base(), &ready)?;
        page::ask(&list.pages, &mut ready.url, exchange.base(), cursor, size)?;
        let asked = ready.url.clone();
        let answer = exchange.read(Some(kind), request, ready).await?;
        let Some(items) = list.items.read(&answer.body).and_then(Json::as_array) else {
            let message = format!("the answer holds no list ({})", request.label);
            return Err(ConnError::unknown(message).effect(connector_spi::Effect::None));
        };
        let records: Vec<Record> = items.iter().filter_map(|raw| record::read(kind, raw, None)).collect();
        let total = list.total_at.as_ref().and_then(|at| at.read(&answer.body)).and_then(Json::as_u64);
        let here =
            page::Page { body: &answer.body, link: answer.response.header("link"), count: items.len() as u64, total };
        let next = page::next(&list.pages, &asked, exchange.base(), cursor, &here)?;
        // A listing that ends before the number that the target gave is one with something missing.
        let short = next.is_none() && cursor.is_none() && total.is_some_and(|total| total > items.len() as u64);
        let complete = records.len() == items.len() && !short;
        Ok(Page { items: records, next, total_hint: total, complete })
    }
}

#[async_trait]
impl EffectFacet for RestConnector {
    async fn effective(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<Effective> {
        let kind = self.kind(kind)?;
        let (Some(request), Some(config)) = (&kind.effective, &kind.config.effective) else {
            let message = format!("who can log in cannot be asked for kind {} by the target's file", kind.name);
            return Err(ConnError::unsupported(message));
        };
        let answer = match self.ask(cx, Some(kind), request, json!({"id": id.as_str()})).await {
            Ok(answer) => answer,
            Err(error) if error.class == Class::NotFound => {
                return Ok(Effective { can_login: Some(false), sessions: None, why: vec!["absent".to_owned()] });
            }
            Err(error) => return Err(error),
        };
        let missing = || ConnError::unknown(format!("the answer holds no record ({})", request.label));
        let raw = request.config.record_at.read(&answer.body).ok_or_else(missing)?;
        let mut why: Vec<String> =
            config.needs.iter().filter(|(_, need)| !record::holds(need, raw)).map(|(name, _)| name.clone()).collect();
        let bounds = [(&config.begins_at, "not begun", true), (&config.ends_at, "ended", false)];
        let mut unknown = false;
        for (at, reason, begins) in bounds {
            let Some(text) = at.as_ref().and_then(|at| at.read(raw)) else { continue };
            let instant = text.as_str().and_then(|text| text.parse::<Timestamp>().ok());
            match instant.zip(answer.response.header("date").and_then(date)) {
                Some((instant, now)) if if begins { now < instant } else { now > instant } => {
                    why.push(reason.to_owned())
                }
                Some(_) => {}
                None => unknown = true,
            }
        }
        let sessions = config.sessions_at.as_ref().and_then(|at| at.read(raw)).and_then(|found| match found {
            Json::Array(open) => u32::try_from(open.len()).ok(),
            other => other.as_u64().and_then(|count| u32::try_from(count).ok()),
        });
        let can_login = if !why.is_empty() { Some(false) } else { (!unknown).then_some(true) };
        Ok(Effective { can_login, sessions, why })
    }

    async fn revoke_sessions(&self, cx: &Ctx, kind: &Kind, id: &NativeId) -> Result<()> {
        let kind = self.kind(kind)?;
        let request = kind.revoke_sessions.as_ref().ok_or_else(|| {
            ConnError::unsupported(format!("sessions of kind {} cannot be ended by the target's file", kind.name))
        })?;
        let exchange = self.exchange(cx);
        let vars = Vars::new(json!({"id": id.as_str(), "op": &*cx.op_id}));
        let ready = request.fill(exchange.base(), &Filling { vars: &vars, sending: &[], record: None })?;
        match exchange.write(Some(kind), request, ready, None).await {
            Err(error) if error.class == Class::NotFound => Ok(()),
            other => other.map(drop),
        }
    }
}

/// The target's own time, as its answer says.
fn date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}
