//! What an account holds and by whose doing: owned, shared, foreign.
//!
//! The words are those of [`crate::diff`]: **owned** is what a call of ours gave, **foreign** what was found there and nobody
//! here wants, **shared** what was found there and is wanted as well: it stays when our reason ends.

use crate::link::{Link, Origin};
use connector_spi::Entitlement;

/// What was last seen on one account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Given here.
    pub owned: Vec<Held>,
    /// Found there, and wanted here too.
    pub shared: Vec<Held>,
    /// Found there, and nobody here knows why.
    pub foreign: Vec<Held>,
}

/// One entitlement that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What.
    pub entitlement: Entitlement,
    /// Why it is wanted here. Empty for what is not, as is the case for something of ours that is about to be taken.
    pub because: Vec<Origin>,
}

/// What was last seen on the account of a link. Where its entitlements were never read whole, only those that were given here
/// are known.
#[must_use]
pub fn holdings(link: &Link) -> Holdings {
    let mut holdings = Holdings::default();
    let Some(seen) = &link.seen else { return holdings };
    let wanted = link.wanted.as_ref().map(|wanted| wanted.entitlements.as_slice()).unwrap_or_default();
    for one in seen.entitlements.as_deref().unwrap_or(&seen.owned) {
        let reasons = wanted.iter().find(|wanted| wanted.entitlement.same_grant(one)).map(|wanted| &wanted.origins);
        let list = match (seen.owned.iter().any(|ours| ours.same_grant(one)), reasons) {
            (true, _) => &mut holdings.owned,
            (false, Some(_)) => &mut holdings.shared,
            (false, None) => &mut holdings.foreign,
        };
        list.push(Held { entitlement: one.clone(), because: reasons.cloned().unwrap_or_default() });
    }
    holdings
}

/// A reason in words, as operators read it.
#[must_use]
pub fn in_words(origin: &Origin) -> String {
    match origin {
        Origin::Role(name) => format!("role {name}"),
        Origin::Source(name) => format!("asked for by {name}"),
        Origin::Target(name) => format!("everybody with an account in {name}"),
    }
}
