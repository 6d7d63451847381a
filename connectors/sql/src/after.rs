//! What is done once a change is committed.
//!
//! Some targets keep in memory what their tables say, or end sessions only through a call. Such a step is no part of the
//! transaction, so it may fail alone: it is told as a failed part, and done again when the gateway asks for it
//! ([`connector_spi::Change::again`]), as it does after an answer that was lost. So a step is done at least once, and may be done
//! twice. What can be a statement of the transaction belongs there.

use crate::{
    config::{HttpStep, On, When},
    connector::SqlConnector,
    database::Purpose,
    plan::{AfterPlan, Does, KindPlan},
    transaction::{Args, Tx, state_name},
};
use connector_expr::build::Path;
use connector_http::refusal;
use connector_spi::{AccountState, ConnError, Ctx, Effect, NativeId, PartFailure, Record, Result};
use std::collections::{BTreeMap, BTreeSet};

impl SqlConnector {
    /// Does what is to be done after a change of these sorts; tells what failed.
    pub(crate) async fn after(
        &self,
        cx: &Ctx,
        kind: &KindPlan,
        id: &NativeId,
        state: Option<AccountState>,
        whens: &BTreeSet<When>,
    ) -> Vec<PartFailure> {
        let mut failed = Vec::new();
        for after in kind.after.iter().filter(|after| !after.on.is_disjoint(whens)) {
            if let Err(error) = self.one_after(cx, kind, id, state, after).await {
                let error = error.effect(Effect::Partial);
                failed.push(PartFailure { part: format!("after:{}", after.name), error });
            }
        }
        failed
    }

    /// Does one such thing.
    pub(crate) async fn one_after(
        &self,
        cx: &Ctx,
        kind: &KindPlan,
        id: &NativeId,
        state: Option<AccountState>,
        after: &AfterPlan,
    ) -> Result<()> {
        let mut tx = Tx::begin(self, cx, Purpose::Write).await?;
        let record = tx.get(kind, id).await?;
        let record = record.ok_or_else(|| ConnError::not_found("the record is not there"))?;
        match &after.does {
            Does::Step(step) => {
                let version = record.version.as_deref();
                let mut args = Args { id: Some(id), version, state, ..Args::default() };
                for (name, held) in &record.attrs {
                    args.attrs.extend(held.first().map(|value| (name.as_str(), value)));
                }
                if let Err(error) = tx.step(On::State, kind, step, &args).await {
                    tx.rollback().await;
                    return Err(error);
                }
                tx.commit(On::State).await
            }
            Does::Http { config, path } => {
                tx.rollback().await;
                self.call(cx, &record, state, config, path).await
            }
        }
    }

    async fn call(
        &self,
        cx: &Ctx,
        record: &Record,
        state: Option<AccountState>,
        config: &HttpStep,
        path: &Path,
    ) -> Result<()> {
        let missing = || ConnError::config(format!("there is no place {} under http", config.place));
        let door = self.doors.get(&config.place).ok_or_else(missing)?;
        let mut names: BTreeMap<&str, String> =
            BTreeMap::from([("id", record.id.0.clone()), ("op", cx.op_id.to_string())]);
        names.extend(state.map(|state| ("state", state_name(state).to_owned())));
        for (name, held) in &record.attrs {
            names.extend(held.first().map(|value| (name.as_str(), value.to_string())));
        }
        let url = path.fill(door.base(), |name| names.get(name).map(String::as_str));
        let url = url.map_err(|error| ConnError::invalid(format!("the address cannot be made: {error}")))?;
        let mut request = door.request(&config.method, &url, cx.deadline);
        if !config.body.is_empty() {
            let member = |(name, from): (&String, &String)| (name.clone(), names.get(from.as_str()).cloned().into());
            let body: serde_json::Map<String, serde_json::Value> = config.body.iter().map(member).collect();
            request.headers.push(("content-type".to_owned(), "application/json".to_owned()));
            request.body = serde_json::Value::Object(body).to_string().into_bytes();
        }
        let response = door.send(request).await?;
        match refusal(&config.method, &response) {
            Some(error) if !config.also_ok.contains(&response.status) => Err(error),
            _ => Ok(()),
        }
    }
}
