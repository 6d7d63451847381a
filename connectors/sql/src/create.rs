//! Making a record: looked up, named, inserted, completed, in one transaction.

use crate::{
    change::{Stop, renamed, steps},
    check,
    config::{Collision, Name, On, When},
    connector::SqlConnector,
    database::{Bound, Purpose},
    error::ends_all,
    parts::{self, Act, Failed, Part, Sense},
    plan::{KindPlan, Named},
    queue,
    record::cannot,
    transaction::{Args, Tx},
    value,
};
use connector_expr::Vars;
use connector_spi::{
    AccountState, Attrs, Class, ConnError, Created, Ctx, Effect, Entitlement, Level, NativeId, Result, Value,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Most names that are tried.
const NAMES: u32 = 99;

/// What is to be made.
struct New<'a> {
    kind: &'a KindPlan,
    values: BTreeMap<&'a str, &'a Value>,
    /// The name that is wanted, where the kind has names that must be free.
    base: Option<(&'a Name, String)>,
    state: AccountState,
}

impl SqlConnector {
    pub(crate) async fn make(
        &self,
        cx: &Ctx,
        kind: &KindPlan,
        attrs: &Attrs,
        state: AccountState,
        entitlements: &[Entitlement],
    ) -> Result<Created> {
        let (false, Some(insert), Some(config)) = (self.plan.read_only, &kind.insert, &kind.config.create) else {
            return Err(cannot(kind, "be made"));
        };
        let values = check::new(kind, attrs, &self.plan.zones, self.database.as_ref())?;
        let base = config.name.as_ref().map(|name| wanted_name(kind, name, &values)).transpose()?;
        let new = New { kind, values, base, state };
        let mut parts: Vec<Part<'_>> = parts::given(entitlements).collect();
        if state != AccountState::Unknown && (state == AccountState::Enabled) != config.born_enabled {
            let sense = if state == AccountState::Enabled { Sense::Opens } else { Sense::Closes };
            let part = Part { names: vec!["state".to_owned()], act: Act::State(state), sense };
            if sense == Sense::Closes { parts.insert(0, part) } else { parts.push(part) }
        }
        let mut failed = parts::impossible(kind, &parts);
        if cx.dry_run {
            let mut labels = vec![insert.label.as_str()];
            for (_, part) in parts.iter().enumerate().filter(|(place, _)| !failed.contains_key(place)) {
                labels.extend(steps(kind, &part.act).1.iter().map(|step| step.named.label.as_str()));
            }
            let labels = labels.join(" ");
            cx.host.event(Level::Info, "Dry run: these would be run.", &[("statements", &labels), ("op", &cx.op_id)]);
            return Ok(Created { failed: parts::told(&parts, &failed), ..Created::new("") });
        }
        let mut created = loop {
            parts::hold(&parts, &mut failed);
            match self.making(cx, &new, insert, &parts, &failed).await {
                Ok(created) => break created,
                Err(Stop::All(error)) => return Err(error),
                Err(Stop::Part(place, error)) => {
                    failed.insert(place, error);
                }
            }
        };
        if created.pending.is_some() {
            return Ok(created);
        }
        let mut whens = BTreeSet::from([When::Created]);
        for (_, part) in parts.iter().enumerate().filter(|(place, _)| !failed.contains_key(place)) {
            whens.insert(steps(kind, &part.act).2);
        }
        created.failed = parts::told(&parts, &failed);
        created.failed.extend(self.after(cx, kind, &created.id, Some(state), &whens).await);
        Ok(created)
    }

    async fn making(
        &self,
        cx: &Ctx,
        new: &New<'_>,
        insert: &Named,
        parts: &[Part<'_>],
        failed: &Failed,
    ) -> std::result::Result<Created, Stop> {
        let mut tx = Tx::begin(self, cx, Purpose::Write).await?;
        match self.made(&mut tx, new, insert, parts, failed).await {
            Ok(created) => {
                tx.commit(On::Create).await?;
                Ok(created)
            }
            Err(stop) => {
                tx.rollback().await;
                Err(stop)
            }
        }
    }

    async fn made(
        &self,
        tx: &mut Tx<'_>,
        new: &New<'_>,
        insert: &Named,
        parts: &[Part<'_>],
        failed: &Failed,
    ) -> std::result::Result<Created, Stop> {
        let kind = new.kind;
        let keys = keys(new);
        let mut locks: Vec<String> = keys.iter().map(|(_, key)| lock_name(kind, key)).collect();
        if let Some((name, base)) = &new.base {
            let value = Value::from(base.to_lowercase());
            locks.push(lock_name(kind, &BTreeMap::from([(name.attribute.clone(), value)])));
        }
        locks.sort_unstable();
        locks.dedup();
        tx.lock(&locks).await?;
        for (search, key) in &keys {
            if let Some(found) = tx.find(kind, *search, key).await?.into_iter().next() {
                let taken = ConnError::already_exists("a record with this natural key is there");
                return Err(taken.existing(found.id).into());
            }
        }
        let free = match &new.base {
            Some((name, base)) => Some((name.attribute.as_str(), Value::Text(self.free(tx, kind, name, base).await?))),
            None => None,
        };
        let mut args = Args { state: Some(new.state), attrs: new.values.clone(), ..Args::default() };
        if let Some((attribute, value)) = &free {
            args.attrs.insert(attribute, value);
        }
        let pending = queue::taken_on(kind, tx.cx);
        let inserted = tx.run(On::Create, kind, insert, &args, 2).await;
        let done = inserted.map_err(|error| self.taken_meanwhile(new, renamed(kind, error)))?;
        if pending.is_some() {
            return Ok(Created { pending, ..Created::new("") });
        }
        let allocated = done.rows.first().and_then(|row| row.get("id")).and_then(value::text);
        let own = kind.config.id.attribute.as_deref().and_then(|name| args.attrs.get(name)).map(ToString::to_string);
        let id = own.or(allocated).or_else(|| done.allocated.map(|number| number.to_string())).map(NativeId);
        let id = id.ok_or_else(|| ConnError::config(format!("{} tells no id", insert.label)))?;
        args.id = Some(&id);
        for step in &kind.then {
            tx.step(On::Create, kind, step, &args).await.map_err(|error| renamed(kind, error))?;
        }
        for (place, part) in parts.iter().enumerate().filter(|(place, _)| !failed.contains_key(place)) {
            if let Act::Give(one) | Act::Take(one) = &part.act {
                args.entitlement = kind.entitlements.get(&one.kind).map(|plan| (plan, *one));
            } else {
                args.entitlement = None;
            }
            let (on, steps, _) = steps(kind, &part.act);
            for step in steps {
                if let Err(error) = tx.step(on, kind, step, &args).await {
                    return Err(match (ends_all(&error), &args.entitlement) {
                        (true, _) => Stop::All(error),
                        (false, Some(_)) => Stop::Part(place, error.attribute(part.names.join(" "))),
                        (false, None) => Stop::Part(place, renamed(kind, error)),
                    });
                }
            }
        }
        // What was made is read before it is kept: the name may be another than the one that was asked for.
        let record = tx.get(kind, &id).await?;
        let record = record.ok_or_else(|| {
            ConnError::config(format!("{} made a record that get does not find; it is undone", insert.label))
        })?;
        Ok(Created { record: Some(record), ..Created::new(id) })
    }

    /// The first free name.
    async fn free(&self, tx: &mut Tx<'_>, kind: &KindPlan, name: &Name, base: &str) -> Result<String> {
        let taken = kind.taken.as_ref().ok_or_else(|| cannot(kind, "be named"))?;
        let most = kind.config.attributes.get(&name.attribute).and_then(|attribute| attribute.max_length);
        for number in 1..=NAMES {
            let candidate = suffixed(base, number, most);
            let args = Args { more: vec![("name", Bound::Text(Some(candidate.clone())))], ..Args::default() };
            if tx.run(On::Read, kind, taken, &args, 1).await?.rows.is_empty() {
                return Ok(candidate);
            }
            if name.on_collision == Collision::Dispute {
                let error = ConnError::already_exists(format!("{} is taken", name.attribute));
                return Err(error.attribute(name.attribute.clone()));
            }
        }
        Err(ConnError::conflict(format!("{NAMES} names are taken")).attribute(name.attribute.clone()))
    }

    /// A unique value that was free a moment ago was taken by somebody who does not know of our locks: the next attempt sees it.
    fn taken_meanwhile(&self, new: &New<'_>, error: ConnError) -> ConnError {
        let suffixes = new.base.as_ref().is_some_and(|(name, _)| name.on_collision == Collision::Suffix);
        if error.class == Class::AlreadyExists && suffixes {
            let code = error.native_code.clone();
            let again = ConnError::transient("a unique value was taken between the look and the insert");
            return code.into_iter().fold(again, ConnError::code).effect(Effect::None);
        }
        error
    }
}

/// The natural keys that the values fill, each with the place of its look-up. A name that makes room for itself is no key.
fn keys(new: &New<'_>) -> Vec<(usize, BTreeMap<String, Value>)> {
    let yields = new.base.as_ref().filter(|(name, _)| name.on_collision == Collision::Suffix);
    let yields = yields.map(|(name, _)| name.attribute.as_str());
    let kind = new.kind;
    let filled = |set: &Vec<String>| -> Option<BTreeMap<String, Value>> {
        set.iter().map(|name| Some((name.clone(), (*new.values.get(name.as_str())?).clone()))).collect()
    };
    let all =
        kind.config.natural_keys.iter().filter(|set| !matches!(set.as_slice(), [one] if Some(one.as_str()) == yields));
    all.filter_map(|set| {
        let search = kind.find.iter().position(|(key, _)| crate::plan::same_names(key, set))?;
        Some((search, filled(set)?))
    })
    .collect()
}

fn lock_name(kind: &KindPlan, key: &BTreeMap<String, Value>) -> String {
    let parts: Vec<String> =
        key.iter().map(|(name, value)| format!("{name}={}", value.to_string().to_lowercase())).collect();
    format!("{}/{}", kind.name, parts.join("&"))
}

/// The name that is asked for, or the one that the file's expression makes.
fn wanted_name<'a>(kind: &'a KindPlan, name: &'a Name, values: &BTreeMap<&str, &Value>) -> Result<(&'a Name, String)> {
    if let Some(Value::Text(given)) = values.get(name.attribute.as_str()) {
        return Ok((name, given.clone()));
    }
    let none = || check::refused(&name.attribute, "is not given, and no name can be made of the other attributes");
    let expression = kind.name_from.as_ref().ok_or_else(none)?;
    let wired: serde_json::Map<_, _> = values.iter().map(|(name, value)| ((*name).to_owned(), wire(value))).collect();
    let made = expression.eval_text(&Vars::new(serde_json::json!({ "attrs": wired })), Timestamp::UNIX_EPOCH);
    let made = made.map_err(|error| ConnError::invalid(format!("the name's expression fails: {error}")))?;
    made.filter(|made| !made.is_empty()).map(|made| (name, made)).ok_or_else(none)
}

fn wire(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(truth) => (*truth).into(),
        Value::Int(number) => (*number).into(),
        other => other.to_string().into(),
    }
}

/// The name with its number at the end from the second on, cut so that both fit.
fn suffixed(base: &str, number: u32, most: Option<u32>) -> String {
    let suffix = if number == 1 { String::new() } else { number.to_string() };
    let room = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let kept: String = base.chars().take(room.saturating_sub(suffix.len())).collect();
    format!("{kept}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::suffixed;

    #[test]
    fn a_name_and_its_number_fit_into_the_column() {
        assert_eq!(suffixed("NKOWALSKI", 1, Some(12)), "NKOWALSKI");
        assert_eq!(suffixed("NKOWALSKI", 2, Some(12)), "NKOWALSKI2");
        assert_eq!(suffixed("NVANDERBILTSTEIN", 1, Some(12)), "NVANDERBILTS");
        assert_eq!(suffixed("NVANDERBILTSTEIN", 12, Some(12)), "NVANDERBIL12");
    }
}
