//! Carrying a change out: its acts one after the other.

use crate::{
    connector::SoapConnector,
    plan::KindPlan,
    request::Request,
    variables::{attributes, entitlement, sent},
    work::taken_on,
};
use connector_declared::{Act, Ordered, Progress, Through, What, state_name};
use connector_spi::{ConnError, Ctx, NativeId, Pending, Record, Result};
use serde_json::{Value as Json, json};

/// One change on its way through its acts.
pub(crate) struct Run<'a> {
    pub(crate) connector: &'a SoapConnector,
    pub(crate) cx: &'a Ctx,
    pub(crate) kind: &'a KindPlan,
    pub(crate) id: NativeId,
    /// The record as it was last read; `None` makes a request that needs it read it first.
    pub(crate) held: Option<Record>,
    pub(crate) warnings: Vec<String>,
    /// Set when the target has taken an act on and will do it later. What comes after it is not sent: it would be done first.
    pub(crate) pending: Option<Pending>,
}

impl Run<'_> {
    /// Carries the acts out, until the target takes one on for later.
    pub(crate) async fn through(&mut self, ordered: Ordered<'_, Request>) -> Through {
        let mut progress = Progress::of(ordered);
        while let Some(act) = progress.due().filter(|_| self.pending.is_none()) {
            let outcome = self.act(act).await;
            progress.note(outcome);
        }
        progress.end()
    }

    async fn act(&mut self, act: &Act<'_, Request>) -> Result<()> {
        let calendar = &self.connector.plan.reader.calendar;
        let mut more: Vec<(&'static str, Json)> = Vec::new();
        match &act.what {
            What::State(state) => more.push(("state", json!(state_name(*state)))),
            What::Entitlement(one) => more.push(("entitlement", entitlement(calendar, one))),
            What::Whole(_, all) => {
                more.push(("entitlements", all.iter().map(|one| entitlement(calendar, one)).collect()));
            }
            What::Attributes(attrs) => {
                more.extend(sent(self.kind, attrs.iter().map(|(name, values)| (*name, *values))))
            }
        }
        if act.request.template.reads("held") && !self.cx.dry_run {
            if self.held.is_none() {
                self.held = self.connector.fetch(self.cx, self.kind, &self.id).await?;
            }
            let held = self.held.as_ref().ok_or_else(|| ConnError::not_found("the record is not there"))?;
            more.push(("held", attributes(self.kind, &held.attrs)));
        }
        let filling = self.connector.filling(self.cx, &self.id).with(more);
        let answer = self.connector.exchange(self.cx).write(act.request, &filling).await?;
        if let Some(mut answer) = answer {
            self.warnings.append(&mut answer.warnings);
            self.pending = taken_on(&self.connector.plan.reader, act.request, &answer);
            // What was read is not what is there any more.
            self.held = None;
        }
        Ok(())
    }
}
