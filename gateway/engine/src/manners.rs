//! How far each source's requests are from the interoperability profile, and what of them was dropped: so that a hospital sees
//! what its identity provider really sends before it changes the source's dialect.
//!
//! Counted since the start and in memory only: a figure to look at, on which nothing depends.

use crate::{Caller, Engine};
use scim::Breach;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Different names kept for a source. A client that makes up names does not fill the memory.
const MOST_NAMES: usize = 100;

/// What was seen of each source, by its name.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<BTreeMap<String, Tally>>);

#[derive(Debug, Default)]
struct Tally {
    breaches: BTreeMap<Breach, u64>,
    ignored: BTreeMap<String, u64>,
}

/// What one source's requests do that the profile does not allow, and what of them no schema knows.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceManners {
    /// The source.
    pub source: String,
    /// Its dialect.
    pub dialect: scim::Dialect,
    /// Sections of the profile (draft-zollner-scim-interop-profile) with the requests that break them.
    pub breaches: Vec<BreachCount>,
    /// Attributes and schemas that no schema of ours defines, with the requests that held them. They were dropped.
    pub ignored: BTreeMap<String, u64>,
}

/// Requests that break one section.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BreachCount {
    /// The section.
    pub section: &'static str,
    /// What they did.
    pub what: &'static str,
    /// How many of them there were.
    pub requests: u64,
}

impl Engine {
    /// Remembers what a write did beside the profile. Most do nothing, and cost nothing here.
    pub(crate) fn hear(&self, caller: &Caller, breaches: &[Breach], ignored: &[String]) {
        if breaches.is_empty() && ignored.is_empty() {
            return;
        }
        let mut seen = self.0.manners.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = seen.entry(caller.source.name.clone()).or_default();
        for breach in breaches {
            *tally.breaches.entry(*breach).or_default() += 1;
        }
        for name in ignored {
            if tally.ignored.len() < MOST_NAMES || tally.ignored.contains_key(name) {
                *tally.ignored.entry(name.clone()).or_default() += 1;
            }
        }
    }

    /// How each source's writes were since the start.
    #[must_use]
    pub fn manners(&self) -> Vec<SourceManners> {
        let seen = self.0.manners.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of =
            |source: &gateway_domain::Source| {
                let tally = seen.get(&source.name);
                let breaches = tally.into_iter().flat_map(|tally| &tally.breaches).map(|(breach, requests)| {
                    BreachCount { section: breach.section, what: breach.what, requests: *requests }
                });
                SourceManners {
                    source: source.name.clone(),
                    dialect: source.dialect,
                    breaches: breaches.collect(),
                    ignored: tally.map(|tally| tally.ignored.clone()).unwrap_or_default(),
                }
            };
        self.policy().sources.iter().map(|source| of(source)).collect()
    }
}
