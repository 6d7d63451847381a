//! Changing a record: one transaction.
//!
//! A part that the database refuses must neither undo the others nor be half done. So the transaction is undone and begun anew
//! without that part, until what is left succeeds: no savepoints, which engines treat differently, and the usual change costs
//! nothing. What concerns the whole target ends the change at once, with nothing done.

use crate::{
    check,
    config::{On, When},
    connector::SqlConnector,
    database::Purpose,
    error::ends_all,
    parts::{self, Act, Failed, Part},
    plan::{KindPlan, StepPlan},
    queue,
    record::{cannot, same},
    transaction::{Args, Tx},
};
use connector_spi::{
    AccountState, Change, ConnError, Ctx, Delta, Level, NativeId, PartFailure, Record, Result, Updated, Value,
};
use std::collections::{BTreeMap, BTreeSet};

/// Why an attempt ended.
pub(crate) enum Stop {
    /// The whole change fails.
    All(ConnError),
    /// The part at this place does.
    Part(usize, ConnError),
}

impl From<ConnError> for Stop {
    fn from(error: ConnError) -> Self {
        Stop::All(error)
    }
}

/// What attributes are to hold; `None` clears.
type Wanted = BTreeMap<String, Option<Value>>;

impl SqlConnector {
    pub(crate) async fn change(&self, cx: &Ctx, kind: &KindPlan, id: &NativeId, change: &Change) -> Result<Updated> {
        if self.plan.read_only || !self.caps(kind).update {
            return Err(cannot(kind, "be changed"));
        }
        if change.is_empty() {
            return Ok(Updated::default());
        }
        let mut refused = Vec::new();
        let mut names = Vec::new();
        for (name, delta) in &change.attrs {
            match self.possible(kind, name, delta) {
                Ok(()) => names.push(name.clone()),
                Err(error) => refused.push(PartFailure { part: name.clone(), error }),
            }
        }
        let parts = parts::of(change, names);
        let mut failed = parts::impossible(kind, &parts);
        if cx.dry_run {
            self.tell(cx, kind, &parts, &failed);
            return self.told(&parts, &failed, refused, Updated::default());
        }
        // Every round takes a part out, so there are at most as many rounds as parts.
        let done = loop {
            parts::hold(&parts, &mut failed);
            if failed.len() == parts.len() && !change.again {
                return self.told(&parts, &failed, refused, Updated::default());
            }
            match self.attempt(cx, kind, id, change, &parts, &failed).await {
                Ok(done) => break done,
                Err(Stop::All(error)) => return Err(error),
                Err(Stop::Part(place, error)) => {
                    failed.insert(place, error);
                }
            }
        };
        let mut updated = Updated { new_id: done.new_id, ..Updated::default() };
        updated.pending = queue::taken_on(kind, cx).filter(|_| !done.whens.is_empty());
        let id = updated.new_id.as_ref().unwrap_or(id);
        updated.failed = self.after(cx, kind, id, change.state.or(done.state), &done.whens).await;
        self.told(&parts, &failed, refused, updated)
    }

    /// The outcome: an error when nothing was done, else what failed as parts.
    fn told(
        &self,
        parts: &[Part<'_>],
        failed: &Failed,
        mut refused: Vec<PartFailure>,
        mut updated: Updated,
    ) -> Result<Updated> {
        refused.extend(parts::told(parts, failed));
        if failed.len() == parts.len()
            && let Some(first) = refused.first()
        {
            let error = first.error.clone();
            let named = error.attribute.is_some();
            return Err(if named { error } else { error.attribute(first.part.clone()) });
        }
        refused.append(&mut updated.failed);
        updated.failed = refused;
        Ok(updated)
    }

    /// Whether an attribute may be changed so, as far as can be told without its present value.
    fn possible(&self, kind: &KindPlan, name: &str, delta: &Delta) -> Result<()> {
        let look = |value| check::changed(kind, name, value, &self.plan.zones, self.database.as_ref()).map(drop);
        match delta {
            Delta::Clear => look(None),
            Delta::Set(values) => look(check::single(name, values)?),
            Delta::Patch { add, .. } => match check::single(name, add)? {
                Some(value) => look(Some(value)),
                // Whether it is cleared shows when it is read; whether it may be changed at all shows here.
                None => match kind.config.attributes.get(name).filter(|attribute| attribute.updatable) {
                    Some(_) => Ok(()),
                    None => Err(check::refused(name, "cannot be changed")),
                },
            },
        }
    }

    async fn attempt(
        &self,
        cx: &Ctx,
        kind: &KindPlan,
        id: &NativeId,
        change: &Change,
        parts: &[Part<'_>],
        failed: &Failed,
    ) -> std::result::Result<Done, Stop> {
        let mut tx = Tx::begin(self, cx, Purpose::Write).await?;
        match self.carry_out(&mut tx, kind, id, change, parts, failed).await {
            Ok(done) => {
                let closes = done.whens.contains(&When::Closed);
                tx.commit(if closes { On::State } else { On::Update }).await?;
                Ok(done)
            }
            Err(stop) => {
                tx.rollback().await;
                Err(stop)
            }
        }
    }

    async fn carry_out(
        &self,
        tx: &mut Tx<'_>,
        kind: &KindPlan,
        id: &NativeId,
        change: &Change,
        parts: &[Part<'_>],
        failed: &Failed,
    ) -> std::result::Result<Done, Stop> {
        let absent = || ConnError::not_found("the record is not there");
        let mut record = tx.get(kind, id).await?.ok_or_else(absent)?;
        if change.if_version.is_some() && record.version.is_some() && change.if_version != record.version {
            return Err(ConnError::stale_version("the record changed since it was read").into());
        }
        let wanted = wanted(&change.attrs, &record);
        let mut done = Done::default();
        if change.again {
            let state = change.state.unwrap_or(record.state);
            let stands = if state == AccountState::Enabled { When::Opened } else { When::Closed };
            done.whens.extend([stands, When::Updated, When::Given, When::Taken]);
            done.state = Some(state);
        }
        // The record's own row is taken once, before anything else, and read again where its version moved.
        let writes = |place: &usize, part: &Part<'_>| {
            !failed.contains_key(place)
                && (!matches!(part.act, Act::Attributes) || differs(kind, &wanted, part, &record))
        };
        if !parts.iter().enumerate().any(|(place, part)| writes(&place, part)) {
            return Ok(done);
        }
        let mut moved = false;
        if let Some(touch) = &kind.touch {
            let step =
                Args { id: Some(id), version: record.version.as_deref(), state: change.state, ..Args::default() };
            let touched = tx.run(On::Update, kind, touch, &step, 1).await?.affected;
            match touched {
                1 => moved = true,
                0 => return Err(ConnError::stale_version("the record changed since it was read").into()),
                _ => return Err(ConnError::permanent(format!("{} touched several rows", touch.label)).into()),
            }
        }
        for (place, part) in parts.iter().enumerate().filter(|(place, _)| !failed.contains_key(place)) {
            let (on, steps, when) = steps(kind, &part.act);
            if moved && steps.iter().any(|step| step.named.takes("version")) {
                record = tx.get(kind, id).await?.ok_or_else(absent)?;
                moved = false;
            }
            if matches!(part.act, Act::Attributes) && !differs(kind, &wanted, part, &record) {
                continue;
            }
            let outcome = self.part(tx, kind, id, &record, change.state, part, &wanted, steps, on).await;
            if let Err(error) = outcome {
                return Err(if ends_all(&error) { Stop::All(error) } else { Stop::Part(place, error) });
            }
            moved = true;
            done.whens.insert(when);
            if let (Act::Attributes, Some(name)) = (&part.act, &kind.config.id.attribute)
                && let Some(Some(Value::Text(new))) = wanted.get(name)
                && *new != id.0
            {
                done.new_id = Some(NativeId(new.clone()));
            }
        }
        Ok(done)
    }

    #[allow(clippy::too_many_arguments, reason = "one part with all that its statements may ask for")]
    async fn part(
        &self,
        tx: &mut Tx<'_>,
        kind: &KindPlan,
        id: &NativeId,
        record: &Record,
        state: Option<AccountState>,
        part: &Part<'_>,
        wanted: &Wanted,
        steps: &[StepPlan],
        on: On,
    ) -> Result<()> {
        let mut args = Args { id: Some(id), version: record.version.as_deref(), state, ..Args::default() };
        for (name, held) in &record.attrs {
            args.attrs.extend(held.first().map(|value| (name.as_str(), value)));
        }
        match &part.act {
            Act::Give(one) | Act::Take(one) => {
                args.entitlement = kind.entitlements.get(&one.kind).map(|plan| (plan, *one));
            }
            Act::Attributes => {
                for name in &part.names {
                    match wanted.get(name).and_then(Option::as_ref) {
                        Some(value) => args.attrs.insert(name, value),
                        None => args.attrs.remove(name.as_str()),
                    };
                }
            }
            Act::State(_) => {}
        }
        for step in steps {
            tx.step(on, kind, step, &args).await.map_err(|error| match &part.act {
                Act::Give(_) | Act::Take(_) => error.attribute(part.names.join(" ")),
                // A column's own name means nothing outside; an attribute's does.
                Act::Attributes | Act::State(_) => renamed(kind, error),
            })?;
        }
        Ok(())
    }

    /// Says in a dry run which statements would be run, without any value.
    fn tell(&self, cx: &Ctx, kind: &KindPlan, parts: &[Part<'_>], failed: &Failed) {
        for (_, part) in parts.iter().enumerate().filter(|(place, _)| !failed.contains_key(place)) {
            let (_, steps, _) = steps(kind, &part.act);
            let labels: Vec<&str> = steps.iter().map(|step| step.named.label.as_str()).collect();
            let fields = [("statements", labels.join(" ")), ("op", cx.op_id.to_string())];
            let fields: Vec<(&str, &str)> = fields.iter().map(|(name, text)| (*name, text.as_str())).collect();
            cx.host.event(Level::Info, "Dry run: these would be run.", &fields);
        }
    }
}

/// What an attempt did.
#[derive(Default)]
struct Done {
    whens: BTreeSet<When>,
    new_id: Option<NativeId>,
    /// The record's state, where what follows a change is done again without one.
    state: Option<AccountState>,
}

/// What a part consists of, and what it is called afterwards.
pub(crate) fn steps<'k>(kind: &'k KindPlan, act: &Act<'_>) -> (On, &'k [StepPlan], When) {
    let of = |one: &connector_spi::Entitlement| kind.entitlements.get(&one.kind);
    match act {
        Act::State(state) => {
            let steps = kind.states.get(state).map(Vec::as_slice).unwrap_or_default();
            (On::State, steps, if *state == AccountState::Enabled { When::Opened } else { When::Closed })
        }
        Act::Attributes => (On::Update, &kind.update, When::Updated),
        Act::Take(one) => (On::Take, of(one).map(|plan| plan.remove.as_slice()).unwrap_or_default(), When::Taken),
        Act::Give(one) => (On::Give, of(one).map(|plan| plan.add.as_slice()).unwrap_or_default(), When::Given),
    }
}

/// An error that names a column, told with the attribute that stands in it.
pub(crate) fn renamed(kind: &KindPlan, mut error: ConnError) -> ConnError {
    if let Some(column) = &error.attribute
        && !kind.config.attributes.contains_key(column)
    {
        let mut all = kind.config.attributes.iter();
        error.attribute = all.find(|(_, one)| one.column.as_ref() == Some(column)).map(|(name, _)| name.clone());
    }
    error
}

/// What each attribute is to hold, with single values added to and taken from what was just read.
fn wanted(deltas: &BTreeMap<String, Delta>, record: &Record) -> Wanted {
    let one = |name: &String, delta: &Delta| match delta {
        Delta::Set(values) => values.first().cloned(),
        Delta::Clear => None,
        Delta::Patch { add, remove } => {
            let held = record.attrs.get(name).and_then(|held| held.first());
            add.first().or_else(|| held.filter(|held| !remove.contains(held))).cloned()
        }
    };
    deltas.iter().map(|(name, delta)| (name.clone(), one(name, delta))).collect()
}

/// Whether a part's attributes hold anything else than is wanted. What cannot be read is written always.
fn differs(kind: &KindPlan, wanted: &Wanted, part: &Part<'_>, record: &Record) -> bool {
    part.names.iter().any(|name| {
        let readable = kind.config.attributes.get(name).is_some_and(|attribute| attribute.readable);
        let held = record.attrs.get(name).and_then(|held| held.first());
        match (held, wanted.get(name).and_then(Option::as_ref)) {
            (Some(held), Some(wanted)) => !readable || !same(held, wanted, true),
            (None, None) => !readable,
            _ => true,
        }
    })
}
