//! The random changes of one account.

use super::{Foreign, person::Person};
use crate::bench::change_entitlements;
use connector_spi::{AccountState, Change, Class, ConnError, Delta, Entitlement, Record, Value};

/// How often a change is sent that others got in the way of.
const TRIES: u32 = 50;
/// Most entitlements that one change gives or takes.
const MOST: usize = 3;

/// Numbers by chance, the same ones from the same seed (SplitMix64).
pub(super) struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to but without `end`; 0 where there is no room.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap_or_default()
    }

    pub fn shuffled<T: Clone>(&mut self, all: &[T]) -> Vec<T> {
        let mut all = all.to_vec();
        for at in (1..all.len()).rev() {
            all.swap(at, self.below(at + 1));
        }
        all
    }

    /// Up to three of them, at least one where there are any.
    fn some(&mut self, all: &[Entitlement]) -> Vec<Entitlement> {
        let count = 1 + self.below(MOST);
        self.shuffled(all).into_iter().take(count).collect()
    }
}

/// What becomes of an account by one change.
#[derive(Default)]
struct Step {
    name: &'static str,
    add: Vec<Entitlement>,
    remove: Vec<Entitlement>,
    text: Option<String>,
    state: Option<AccountState>,
    /// The account is looked up by its key, as one that is not known yet.
    adopts: bool,
}

/// Changes the account as often as that, and holds it against the model on the way and at the end.
pub(super) async fn walk(suite: &Foreign<'_>, person: &mut Person, changes: usize) -> Result<(), String> {
    for number in 0..changes {
        // Somebody else goes on giving, until half of the way.
        let late = number * 2 >= changes;
        while (late || person.chance.below(3) == 0) && person.plant(suite).await? {}
        let step = next(suite, person, number);
        carry_out(suite, person, &step).await?;
        if step.name == "leaving" {
            person.check_target(suite).await?;
        }
    }
    person.check_target(suite).await
}

fn next(suite: &Foreign<'_>, person: &mut Person, number: usize) -> Step {
    let text = Some(format!("Change {number}"));
    let left: Vec<Entitlement> =
        person.pool.iter().filter(|one| !person.ours.iter().any(|held| held.same_grant(one))).cloned().collect();
    let mut add = person.chance.some(&left);
    keep_single(suite, &mut add);
    let remove = person.chance.some(&person.ours.clone());
    let (disabled, enabled) = (Some(AccountState::Disabled), Some(AccountState::Enabled));
    let choice = person.chance.below(10);
    let mut step = match (person.enabled, choice) {
        (false, 0..6) => Step { name: "revival", add, state: enabled, ..Step::default() },
        (false, 6..8) => Step { name: "adoption", text, adopts: true, ..Step::default() },
        (false, _) => Step { name: "attribute", text, ..Step::default() },
        (true, 0..3) => Step { name: "giving", add, ..Step::default() },
        (true, 3..5) => Step { name: "taking", remove, ..Step::default() },
        (true, 5) => Step { name: "swap", add, remove, ..Step::default() },
        (true, 6) => Step { name: "attribute", text, ..Step::default() },
        (true, 7) => Step { name: "state", state: disabled, ..Step::default() },
        (true, 8) => Step { name: "adoption", add, text, adopts: true, ..Step::default() },
        (true, _) => Step { name: "leaving", remove: person.ours.clone(), state: disabled, ..Step::default() },
    };
    // Of a type of which one at most is held, the one that is held goes.
    for held in &person.ours {
        let replaced = step.add.iter().any(|new| new.kind == held.kind) && suite.single.contains(&held.kind.as_str());
        if replaced && !step.remove.iter().any(|gone| gone.same_grant(held)) {
            step.remove.push(held.clone());
        }
    }
    step
}

fn keep_single(suite: &Foreign<'_>, add: &mut Vec<Entitlement>) {
    let mut kinds = Vec::new();
    add.retain(|one| {
        let second = kinds.contains(&one.kind) && suite.single.contains(&one.kind.as_str());
        kinds.push(one.kind.clone());
        !second
    });
}

async fn carry_out(suite: &Foreign<'_>, person: &mut Person, step: &Step) -> Result<(), String> {
    let list = |all: &[Entitlement]| all.iter().map(super::named).collect::<Vec<_>>().join(", ");
    person.tell(format!("{} (+ {} - {})", step.name, list(&step.add), list(&step.remove)));
    let whole = person.chance.below(2) == 0;
    for attempt in 1..=TRIES {
        let record = read(suite, person, step.adopts).await?;
        if attempt == 1 {
            person.check_read(&record)?;
        }
        let change = made(suite, step, &record, whole);
        let cx = suite.cx(format!("{}-{}-{attempt}", step.name, person.number));
        let outcome = suite.connector.update(&cx, &suite.kind, &person.id, &change).await;
        let error = match outcome {
            Ok(updated) => match updated.failed.into_iter().next() {
                None => {
                    settle(person, step);
                    return Ok(());
                }
                Some(part) => part.error,
            },
            Err(error) => error,
        };
        if !passes(&error) || attempt == TRIES {
            return Err(format!("{} fails: {error}", step.name));
        }
    }
    Ok(())
}

/// Somebody else got in between: the gateway reads and tries again.
fn passes(error: &ConnError) -> bool {
    matches!(error.class, Class::StaleVersion | Class::Transient | Class::Throttled)
}

async fn read(suite: &Foreign<'_>, person: &Person, adopts: bool) -> Result<Record, String> {
    let cx = suite.cx(format!("read-{}", person.number));
    if !adopts {
        let read = suite.connector.get(&cx, &suite.kind, &person.id).await.map_err(|error| error.to_string())?;
        return read.ok_or_else(|| "the account is not there".to_owned());
    }
    let found = suite.connector.find(&cx, &suite.kind, &person.key).await.map_err(|error| error.to_string())?;
    match <[Record; 1]>::try_from(found) {
        Ok([record]) if record.id == person.id => Ok(record),
        other => Err(format!("looked up to be adopted, the account is {other:?}")),
    }
}

/// The change in both forms, or the difference alone.
fn made(suite: &Foreign<'_>, step: &Step, record: &Record, whole: bool) -> Change {
    let held = record.entitlements.as_deref().unwrap_or_default();
    let mut change = change_entitlements(held, &step.add, &step.remove);
    if !whole || change.entitlements.is_empty() {
        change.entitlements.whole = None;
    }
    if let Some(text) = &step.text {
        change.attrs.insert(suite.text.to_owned(), Delta::Set(vec![Value::from(text.as_str())]));
    }
    Change { state: step.state, ..change }
}

fn settle(person: &mut Person, step: &Step) {
    person.ours.retain(|held| !step.remove.iter().any(|gone| gone.same_grant(held)));
    person.ours.extend(step.add.iter().cloned());
    if let Some(state) = step.state {
        person.enabled = state == AccountState::Enabled;
    }
}
