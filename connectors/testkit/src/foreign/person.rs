//! One account: what others gave it, and what the model says of ours.

use super::{Foreign, walk::Chance};
use crate::bench::key_of;
use connector_spi::{AccountState, Entitlement, NativeId, Record, Value};
use std::collections::BTreeMap;

/// Changes that a failure tells.
const TOLD: usize = 12;

/// `type:value`, and the scope's values where it has one: by this an entitlement is known again.
#[must_use]
pub fn named(one: &Entitlement) -> String {
    let scope: Vec<&str> = one.scope.values().map(String::as_str).collect();
    let at = if scope.is_empty() { "" } else { "@" };
    format!("{}:{}{at}{}", one.kind, one.value, scope.join(","))
}

pub(super) struct Person {
    pub number: u32,
    pub id: NativeId,
    pub key: BTreeMap<String, Value>,
    /// Foreign ones, as the target kept them when they were given.
    foreign: Vec<(String, String)>,
    /// Foreign ones that are still to be given.
    to_come: Vec<Entitlement>,
    /// What the gateway may give.
    pub pool: Vec<Entitlement>,
    /// What the gateway gave.
    pub ours: Vec<Entitlement>,
    pub enabled: bool,
    pub chance: Chance,
    story: Vec<String>,
}

impl Person {
    /// Makes the account, and gives it the first half of what others give.
    pub async fn new(suite: &Foreign<'_>, number: u32, foreign: usize, mut chance: Chance) -> Result<Self, String> {
        let (to_come, pool) = parted(suite, foreign, &mut chance);
        let attrs = (suite.person)(number);
        let key = key_of(&[suite.key.to_owned()], &attrs).ok_or("the account has no value of its key")?;
        let cx = suite.cx(format!("made-{number}"));
        let made = suite.connector.create(&cx, &suite.kind, &attrs, AccountState::Enabled, &[]).await;
        let made = made.map_err(|error| format!("account {number} is not made: {error}"))?;
        if !made.failed.is_empty() {
            return Err(format!("account {number} is made in part: {:?}", made.failed));
        }
        let (id, foreign, ours, story) = (made.id, Vec::new(), Vec::new(), Vec::new());
        let mut person = Self { number, id, key, foreign, to_come, pool, ours, enabled: true, chance, story };
        for _ in 0..person.to_come.len() / 2 {
            person.plant(suite).await?;
        }
        Ok(person)
    }

    /// Somebody else gives the next one. Whether there was one left.
    pub async fn plant(&mut self, suite: &Foreign<'_>) -> Result<bool, String> {
        let Some(one) = self.to_come.pop() else { return Ok(false) };
        suite.hand.give(&self.id, &one).await;
        let name = named(&one);
        let held = suite.hand.held(&self.id).await;
        let kept = held.into_iter().find(|(held, _)| *held == name);
        self.tell(format!("somebody else gives {name}"));
        self.foreign.push(kept.ok_or_else(|| format!("{name} was given by somebody else and is not held"))?);
        Ok(true)
    }

    pub fn planted(&self) -> usize {
        self.foreign.len()
    }

    pub fn tell(&mut self, what: String) {
        self.story.push(what);
    }

    pub fn story(&self) -> String {
        let last = self.story.len().saturating_sub(TOLD);
        self.story.get(last..).unwrap_or_default().join("; ")
    }

    /// What is to be held: what others gave, and ours.
    fn wanted(&self) -> Vec<String> {
        let foreign = self.foreign.iter().map(|(name, _)| name.clone());
        let mut all: Vec<String> = foreign.chain(self.ours.iter().map(named)).collect();
        all.sort();
        all
    }

    /// Holds a reading of the connector against the model.
    pub fn check_read(&self, record: &Record) -> Result<(), String> {
        let held = record.entitlements.as_ref().filter(|_| !record.incomplete);
        let mut held: Vec<String> = held.ok_or("the account was not read completely")?.iter().map(named).collect();
        held.sort();
        self.same("the connector reads", &held)
    }

    /// Holds the target's own word against the model.
    pub async fn check_target(&self, suite: &Foreign<'_>) -> Result<(), String> {
        let all = suite.hand.held(&self.id).await;
        if let Some((name, before)) = self.foreign.iter().find(|one| !all.contains(one)) {
            let now = all.iter().find(|(held, _)| held == name);
            return Err(format!("what others gave is not as it was: {name} was {before}, and now is {now:?}"));
        }
        let mut held: Vec<String> = all.into_iter().map(|(name, _)| name).collect();
        held.sort();
        self.same("the target holds", &held)
    }

    fn same(&self, who: &str, held: &[String]) -> Result<(), String> {
        let wanted = self.wanted();
        if held == wanted {
            return Ok(());
        }
        let lost: Vec<&String> = wanted.iter().filter(|one| !held.contains(one)).collect();
        let more: Vec<&String> = held.iter().filter(|one| !wanted.contains(one)).collect();
        Err(format!("{who} {held:?}: missing are {lost:?}, not wanted are {more:?}"))
    }
}

/// What others give to an account, and what is left for the gateway. Of a type of which one at most is held, only one of both has
/// any.
fn parted(suite: &Foreign<'_>, count: usize, chance: &mut Chance) -> (Vec<Entitlement>, Vec<Entitlement>) {
    let single = |one: &Entitlement| suite.single.contains(&one.kind.as_str());
    let (mut foreign, mut pool): (Vec<Entitlement>, Vec<Entitlement>) = (Vec::new(), Vec::new());
    for one in chance.shuffled(&suite.catalogue) {
        let there = |list: &[Entitlement]| single(&one) && list.iter().any(|other| other.kind == one.kind);
        if foreign.len() < count && !there(&foreign) && !there(&pool) {
            foreign.push(one);
        } else if !there(&foreign) {
            pool.push(one);
        }
    }
    (foreign, pool)
}
