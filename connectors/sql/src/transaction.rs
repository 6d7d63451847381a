//! One transaction: statements with their arguments, deadlines, and what their failures mean.

use crate::{
    config::{On, Rows},
    connector::SqlConnector,
    database::{Bound, Database, Done, Purpose, Session},
    error::{Doing, Failure, meaning},
    plan::{EntitlementPlan, KindPlan, Named, StepPlan},
    value::{self, Shape},
};
use connector_spi::{AccountState, ConnError, Ctx, Effect, Entitlement, NativeId, Result, Value, ValueType};
use jiff::Timestamp;
use std::collections::BTreeMap;
use tokio::time::{Instant, timeout_at};

/// What a statement's parameters stand for.
#[derive(Default, Clone)]
pub(crate) struct Args<'a> {
    pub(crate) id: Option<&'a NativeId>,
    pub(crate) version: Option<&'a str>,
    pub(crate) state: Option<AccountState>,
    pub(crate) attrs: BTreeMap<&'a str, &'a Value>,
    pub(crate) entitlement: Option<(&'a EntitlementPlan, &'a Entitlement)>,
    /// What one place alone has.
    pub(crate) more: Vec<(&'static str, Bound)>,
}

/// A transaction that is open.
pub(crate) struct Tx<'c> {
    pub(crate) connector: &'c SqlConnector,
    session: Box<dyn Session>,
    pub(crate) cx: &'c Ctx,
    deadline: Instant,
    now: Option<Timestamp>,
}

impl<'c> Tx<'c> {
    /// Begins one at the database itself.
    pub(crate) async fn begin(connector: &'c SqlConnector, cx: &'c Ctx, purpose: Purpose) -> Result<Tx<'c>> {
        Self::begin_at(connector, connector.database.as_ref(), cx, purpose).await
    }

    /// Begins one at this database.
    pub(crate) async fn begin_at(
        connector: &'c SqlConnector,
        database: &'c dyn Database,
        cx: &'c Ctx,
        purpose: Purpose,
    ) -> Result<Tx<'c>> {
        let doing = Doing { on: On::Read, label: "the beginning of a transaction", commits: false };
        let begun = timeout_at(cx.deadline, database.begin(purpose)).await.unwrap_or(Err(Failure::Late));
        let session = begun.map_err(|failure| meaning(connector.plan.engine, &[], &failure, doing))?;
        Ok(Tx { connector, session, cx, deadline: cx.deadline, now: None })
    }

    /// Runs a statement; at most `most` rows are kept.
    pub(crate) async fn run(
        &mut self,
        on: On,
        kind: &KindPlan,
        named: &Named,
        args: &Args<'_>,
        most: usize,
    ) -> Result<Done> {
        if self.now.is_none() && (named.takes("now") || named.takes("today")) {
            self.now = Some(self.clock().await?);
        }
        let mut values = Vec::with_capacity(named.statement.parameters.len());
        for name in &named.statement.parameters {
            values.push(self.argument(kind, name, args)?);
        }
        let until = self.deadline.min(Instant::now() + self.connector.statement_timeout);
        let ran = timeout_at(until, self.session.run(&named.statement, &values, most)).await;
        self.told(on, &named.label, ran.unwrap_or(Err(Failure::Late)))
    }

    /// Runs a step and looks at how many rows it touched.
    pub(crate) async fn step(&mut self, on: On, kind: &KindPlan, step: &StepPlan, args: &Args<'_>) -> Result<()> {
        let touched = touched(&self.run(on, kind, &step.named, args, 1).await?);
        match (step.rows, touched, &step.or_else) {
            (_, 0, Some(or_else)) => match self::touched(&self.run(on, kind, or_else, args, 1).await?) {
                1 => Ok(()),
                0 => Err(nothing(on, or_else)),
                many => Err(too_many(or_else, many)),
            },
            (Rows::Any, _, _) | (Rows::One | Rows::AtMostOne, 1, _) | (Rows::AtMostOne, 0, _) => Ok(()),
            (Rows::One, 0, None) => Err(nothing(on, &step.named)),
            (_, many, _) => Err(too_many(&step.named, many)),
        }
    }

    /// Waits for locks of these names.
    pub(crate) async fn lock(&mut self, names: &[String]) -> Result<()> {
        let ran = timeout_at(self.deadline, self.session.lock(names)).await;
        self.told(On::Create, "the lock of the natural keys", ran.unwrap_or(Err(Failure::Late)))
    }

    /// The database's own clock.
    pub(crate) async fn clock(&mut self) -> Result<Timestamp> {
        let ran = timeout_at(self.deadline, self.session.now()).await;
        self.told(On::Read, "the database's clock", ran.unwrap_or(Err(Failure::Late)))
    }

    /// Product and version.
    pub(crate) async fn server(&mut self) -> Result<String> {
        let ran = timeout_at(self.deadline, self.session.server()).await;
        self.told(On::Read, "the server's version", ran.unwrap_or(Err(Failure::Late)))
    }

    /// Makes it last.
    ///
    /// # Errors
    /// With effect `Maybe` when the answer was lost.
    pub(crate) async fn commit(self, on: On) -> Result<()> {
        let Tx { connector, session, deadline, .. } = self;
        let ran = timeout_at(deadline, session.commit()).await.unwrap_or(Err(Failure::Late));
        let doing = Doing { on, label: "the commit", commits: true };
        ran.map_err(|failure| meaning(connector.plan.engine, &connector.plan.errors, &failure, doing))
    }

    /// Undoes it.
    pub(crate) async fn rollback(self) {
        // In vain or too late: then the connection ends, and the database undoes it.
        drop(timeout_at(self.deadline, self.session.rollback()).await);
    }

    fn told<T>(&self, on: On, label: &str, outcome: std::result::Result<T, Failure>) -> Result<T> {
        let plan = &self.connector.plan;
        outcome.map_err(|failure| meaning(plan.engine, &plan.errors, &failure, Doing { on, label, commits: false }))
    }

    fn argument(&self, kind: &KindPlan, name: &str, args: &Args<'_>) -> Result<Bound> {
        let (plan, zones) = (&self.connector.plan, &self.connector.plan.zones);
        if let Some((_, bound)) = args.more.iter().find(|(known, _)| *known == name) {
            return Ok(bound.clone());
        }
        if let Some(text) = plan.constants.get(name) {
            return Ok(Bound::Text(Some(text.clone())));
        }
        let now = || self.now.unwrap_or_default();
        match name {
            "id" => return Ok(args.id.and_then(|id| id_bound(kind, id)).unwrap_or(Bound::Text(None))),
            "version" => return Ok(version_bound(kind, args.version)),
            "op" => return Ok(Bound::Text(Some(self.cx.op_id.to_string()))),
            "state" => return Ok(Bound::Text(args.state.map(|state| state_name(state).to_owned()))),
            "today" => return Ok(Bound::Day(Some(value::today(now(), zones)))),
            "now" => return Ok(Bound::Local(Some(zones.naive.to_datetime(now())))),
            _ => {}
        }
        if let Some((entitlement, one)) = args.entitlement {
            return grant_argument(self, entitlement, one, name);
        }
        let attribute =
            kind.config.attributes.get(name).ok_or_else(|| ConnError::config(format!("no value for :{name}")))?;
        value::bound(Shape::from(attribute), args.attrs.get(name).copied(), zones)
            .map_err(|why| ConnError::invalid(format!("{name} {why}")).attribute(name))
    }
}

fn grant_argument(tx: &Tx<'_>, plan: &EntitlementPlan, one: &Entitlement, name: &str) -> Result<Bound> {
    let zones = &tx.connector.plan.zones;
    let part = || format!("{}:{}", one.kind, one.value);
    let text = |text: Option<&str>| match text {
        Some(text) if text.contains('\0') => Err(ConnError::invalid("holds a NUL character").attribute(part())),
        text => Ok(Bound::Text(text.map(str::to_owned))),
    };
    let instant = |form, at: Option<Timestamp>| {
        let value = at.map(|at| Value::At { at });
        value::bound(Shape::instant(form), value.as_ref(), zones)
            .map_err(|why| ConnError::invalid(format!("{name} {why}")).attribute(part()))
    };
    match name {
        "value" => text(Some(one.value.as_str())),
        "place" => Ok(Bound::Int(one.order.map(i64::from))),
        "valid_from" => instant(plan.config.begins_as, one.valid_from),
        "valid_to" => instant(plan.config.ends_as, one.valid_to),
        _ => text(name.strip_prefix("scope_").and_then(|part| one.scope.get(part)).map(String::as_str)),
    }
}

/// An id as it is bound; `None` when no record can have it.
pub(crate) fn id_bound(kind: &KindPlan, id: &NativeId) -> Option<Bound> {
    match kind.config.id.ty {
        ValueType::Integer => id.as_str().parse().ok().map(|number| Bound::Int(Some(number))),
        _ => (!id.as_str().contains('\0')).then(|| Bound::Text(Some(id.0.clone()))),
    }
}

fn version_bound(kind: &KindPlan, version: Option<&str>) -> Bound {
    match kind.config.version {
        ValueType::Integer => Bound::Int(version.and_then(|version| version.parse().ok())),
        _ => Bound::Text(version.map(str::to_owned)),
    }
}

fn touched(done: &Done) -> u64 {
    done.affected.max(u64::try_from(done.rows.len()).unwrap_or(u64::MAX))
}

fn nothing(on: On, named: &Named) -> ConnError {
    match on {
        On::Give => ConnError::invalid(format!("mapping: nothing was given, {} touched no row", named.label)),
        _ if named.takes("version") => ConnError::stale_version("the record changed since it was read"),
        _ => ConnError::not_found(format!("{} touched no row: the record is not there", named.label)),
    }
}

fn too_many(named: &Named, many: u64) -> ConnError {
    ConnError::permanent(format!("{} touched {many} rows where one was meant; it is undone", named.label))
        .effect(Effect::None)
}

pub(crate) fn state_name(state: AccountState) -> &'static str {
    match state {
        AccountState::Enabled => "enabled",
        AccountState::Disabled => "disabled",
        AccountState::Blocked => "blocked",
        AccountState::Expired => "expired",
        AccountState::Unknown => "unknown",
    }
}
