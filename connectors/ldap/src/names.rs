//! Remembers where entries are, so that a write by lasting id costs no search.
//!
//! What is remembered is a guess: every write that uses it carries the id as an assertion (RFC 4528), so an entry that took
//! over the name of another one is never written in its place. A restart loses nothing but speed.

use crate::dn;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Most names remembered; when full, all are forgotten and learned again.
const MOST: usize = 200_000;

/// Names by key.
#[derive(Debug, Default)]
pub struct Names(Mutex<HashMap<String, String>>);

impl Names {
    /// The name last seen under this key.
    pub fn of(&self, key: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Remembers a name.
    pub fn learn(&self, key: &str, dn: &str) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MOST {
            names.clear();
        }
        names.insert(key.to_owned(), dn.to_owned());
    }

    /// Whether this name is among them, in whatever spelling. Looks at all of them: for few.
    pub fn has(&self, dn: &str) -> bool {
        let folded = dn::folded(dn);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().any(|name| dn::folded(name) == folded)
    }

    /// Forgets a name.
    pub fn forget(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}
