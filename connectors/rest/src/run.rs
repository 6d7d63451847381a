//! Carrying a change out: its acts one after the other, what failed, and what is left.

use crate::{
    config::Base,
    connector::RestConnector,
    plan::KindPlan,
    record::SECOND,
    template::{Filling, Request, Sending},
    work::taken_on,
};
use connector_declared::{Act, Ordered, Progress, Through, What, state_name, wire};
use connector_expr::Vars;
use connector_spi::{ConnError, Ctx, Entitlement, NativeId, Pending, Record, Result, Value};
use serde_json::{Value as Json, json};

/// One change on its way through its acts.
pub(crate) struct Run<'a> {
    pub(crate) connector: &'a RestConnector,
    pub(crate) cx: &'a Ctx,
    pub(crate) kind: &'a KindPlan,
    pub(crate) id: NativeId,
    pub(crate) raw: Option<Json>,
    /// The newest version known; `None` makes a conditional request read the record first.
    pub(crate) version: Option<String>,
    pub(crate) warnings: Vec<String>,
    /// Set when the target has taken an act on and will do it later. What comes after it is not sent: it would be done first.
    pub(crate) pending: Option<Pending>,
}

impl Run<'_> {
    /// Refuses when the record's version is another than the change was computed for.
    pub(crate) fn compare(&mut self, record: &Record) -> Result<()> {
        if self.version.is_some() && record.version.is_some() && self.version != record.version {
            return Err(ConnError::stale_version("the record changed since it was read"));
        }
        self.version.clone_from(&record.version);
        Ok(())
    }

    /// Carries the acts out, one after the other, until the target takes one on for later.
    pub(crate) async fn through(&mut self, ordered: Ordered<'_, Request>) -> Through {
        let mut progress = Progress::of(ordered);
        while let Some(act) = progress.due().filter(|_| self.pending.is_none()) {
            let outcome = self.act(act).await;
            progress.note(outcome);
        }
        progress.end()
    }

    async fn act(&mut self, act: &Act<'_, Request>) -> Result<()> {
        let exchange = self.connector.exchange(self.cx);
        let config = &act.request.config;
        let from_record = config.body.as_ref().is_some_and(|body| body.base == Base::Record);
        if !self.cx.dry_run && ((config.if_match && self.version.is_none()) || (from_record && self.raw.is_none())) {
            let fetched = self.connector.fetch(self.cx, self.kind, &self.id).await?;
            let fetched = fetched.ok_or_else(|| ConnError::not_found("the record is not there"))?;
            self.version = fetched.record.version;
            self.raw = Some(fetched.raw);
        }
        let attributes = match &act.what {
            What::Attributes(attributes) => {
                sending(self.kind, attributes.iter().map(|(name, values)| (*name, *values)))
            }
            What::State(_) | What::Entitlement(_) | What::Whole(..) => Vec::new(),
        };
        let mut vars = json!({
            "id": self.id.as_str(), "op": &*self.cx.op_id, "version": self.version, "attrs": wired(&attributes),
        });
        if let Some(members) = vars.as_object_mut() {
            match &act.what {
                What::State(state) => members.insert("state".to_owned(), json!(state_name(*state))),
                What::Entitlement(one) => members.insert("entitlement".to_owned(), entitlement_vars(one)),
                What::Whole(_, all) => {
                    members.insert("entitlements".to_owned(), all.iter().map(entitlement_vars).collect())
                }
                What::Attributes(_) => None,
            };
        }
        let vars = Vars::new(vars);
        let filling = Filling { vars: &vars, sending: &attributes, record: self.raw.as_ref() };
        let ready = act.request.fill(exchange.base(), &filling)?;
        let answer = exchange.write(Some(self.kind), act.request, ready, self.version.as_deref()).await?;
        if let Some(mut answer) = answer {
            self.warnings.append(&mut answer.warnings);
            self.pending = taken_on(act.request, &answer);
            self.version = answer.etag().map(str::to_owned);
            self.raw = None;
        }
        Ok(())
    }
}

pub(crate) fn sending<'v>(
    kind: &'v KindPlan,
    attrs: impl Iterator<Item = (&'v str, Option<&'v [Value]>)>,
) -> Vec<Sending<'v>> {
    attrs
        .filter_map(|(name, values)| {
            let (name, attribute) = kind.config.attributes.get_key_value(name)?;
            Some(Sending { name, attribute, values })
        })
        .collect()
}

/// The attributes being sent, as the variable `attrs`.
pub(crate) fn wired(sending: &[Sending<'_>]) -> Json {
    let one = |sending: &Sending<'_>| {
        let values = sending.values.unwrap_or_default();
        let value = if sending.attribute.multi {
            Json::Array(values.iter().map(wire).collect())
        } else {
            values.first().map_or(Json::Null, wire)
        };
        (sending.name.to_owned(), value)
    };
    Json::Object(sending.iter().map(one).collect())
}

pub(crate) fn entitlement_vars(entitlement: &Entitlement) -> Json {
    json!({
        "type": entitlement.kind.as_str(), "value": entitlement.value.as_str(), "scope": entitlement.scope,
        "order": entitlement.order, "validFrom": entitlement.valid_from.map(|at| at.to_string()),
        "validTo": entitlement.valid_to.map(|at| at.to_string()),
        "lastSecond": entitlement.valid_to.and_then(|at| at.checked_sub(SECOND).ok()).map(|at| at.to_string()),
    })
}
