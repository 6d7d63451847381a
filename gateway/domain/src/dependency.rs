//! The order among a person's objects in one target: what opens waits for what it stands on, what closes goes first.
//!
//! A target's configuration names the edges (`depends_on`); each link carries its own in [`Wanted::after`], so that the claim
//! decides from the rows alone and no code knows a target. Opening follows an edge (provider, then account), closing goes
//! against it (account, then provider). A leaver waits for nothing that fails: once what should be closed first was tried, the
//! rest is closed whatever came of it.
//!
//! [`Wanted::after`]: crate::link::Wanted::after

use crate::link::{Link, LinkState, Wanted};
use connector_spi::{Kind, Value};

/// Which object a link waits for among the other links of the same resource and target; `None` when it may be worked.
#[must_use]
pub fn waits_for<'a>(link: &Link, others: &'a [Link]) -> Option<&'a Kind> {
    let wanted = link.wanted.as_ref()?;
    let edge = |other: &&Link| wanted.after.contains(&other.key.kind) && other.key.target == link.key.target;
    let first = match wanted.closing {
        Some(_) => others.iter().filter(edge).find(|other| is_closed_first(other)),
        // What stands is kept up to date whatever became of the other one.
        None if link.native_id.is_some() => None,
        None => others.iter().filter(edge).find(|other| is_to_stand(other)),
    };
    first.map(|other| &other.key.kind)
}

/// Puts the ids of the person's other objects where the link refers to them. An object that does not stand, or is closed,
/// clears the reference.
pub fn refer(link: &mut Link, others: &[Link]) {
    let Some(wanted) = &mut link.wanted else { return };
    let Wanted { references, attrs, .. } = wanted;
    for (attribute, kind) in references {
        let other = others.iter().find(|other| other.key.kind == *kind && other.key.target == link.key.target);
        let id = other.filter(|other| is_open(other)).and_then(|other| other.native_id.as_ref());
        attrs.insert(attribute.clone(), id.map(|id| Value::from(id.as_str())).into_iter().collect());
    }
}

/// Whether a link has something to do with the order at all; the others need no look at their neighbours.
#[must_use]
pub fn is_ordered(link: &Link) -> bool {
    link.wanted.as_ref().is_some_and(|wanted| !(wanted.after.is_empty() && wanted.references.is_empty()))
}

fn is_open(link: &Link) -> bool {
    link.wanted.as_ref().is_some_and(|wanted| wanted.closing.is_none())
}

/// The object should stand and does not yet.
fn is_to_stand(link: &Link) -> bool {
    link.native_id.is_none() && (is_open(link) || link.wanted.is_none())
}

/// The object is to be closed and this was not tried yet.
fn is_closed_first(link: &Link) -> bool {
    let untried = link.attempt == 0 && link.last_error.is_none() && link.generation != link.applied_generation;
    let workable = matches!(link.state, LinkState::Unlinked | LinkState::Linked | LinkState::Tombstone);
    untried && workable && !is_open(link) && (link.native_id.is_some() || link.sent.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{Closing, Lane, LastError, LinkKey};
    use connector_spi::{AccountState, ConnError, NativeId};
    use jiff::Timestamp;

    fn link(kind: &str, after: &[&str]) -> Link {
        Link {
            id: 1,
            key: LinkKey { resource: "r1".into(), target: "ehr".into(), kind: kind.into(), purpose: String::new() },
            state: LinkState::Unlinked,
            lane: Lane::Interactive,
            generation: 1,
            applied_generation: 0,
            wanted: Some(Wanted {
                state: AccountState::Enabled,
                attrs: Default::default(),
                initial: Default::default(),
                key: Default::default(),
                strong: Default::default(),
                entitlements: Vec::new(),
                closing: None,
                after: after.iter().map(|kind| Kind::from(*kind)).collect(),
                references: Default::default(),
                members: None,
            }),
            sent: None,
            seen: None,
            native_id: None,
            due_at: None,
            attempt: 0,
            last_error: None,
            last_success: None,
            pending_since: None,
            fence: 0,
            leased_until: None,
            members: None,
        }
    }
    fn standing(mut link: Link) -> Link {
        link.native_id = Some(NativeId::from("P7"));
        link.state = LinkState::Linked;
        link
    }
    fn closing(mut link: Link) -> Link {
        if let Some(wanted) = &mut link.wanted {
            wanted.closing = Some(Closing { strip: Default::default(), sessions: false, delete: false, keep: false });
        }
        link
    }

    #[test]
    fn an_account_waits_until_the_provider_record_stands() {
        let account = link("account", &["provider"]);

        assert_eq!(waits_for(&account, &[link("provider", &[])]), Some(&Kind::from("provider")));
        assert_eq!(waits_for(&account, &[standing(link("provider", &[]))]), None);
        assert_eq!(waits_for(&account, &[]), None);
    }

    #[test]
    fn a_provider_record_that_nobody_wants_any_more_is_not_waited_for() {
        let account = link("account", &["provider"]);

        assert_eq!(waits_for(&account, &[closing(link("provider", &[]))]), None);
    }

    #[test]
    fn the_account_is_closed_before_the_provider_record() {
        let provider = closing(standing(link("provider", &["account"])));
        let account = closing(standing(link("account", &[])));

        assert_eq!(waits_for(&provider, std::slice::from_ref(&account)), Some(&Kind::from("account")));
        assert_eq!(waits_for(&account, &[provider]), None);
    }

    #[test]
    fn a_closing_that_failed_holds_up_no_other() {
        let provider = closing(standing(link("provider", &["account"])));
        let mut account = closing(standing(link("account", &[])));
        account.last_error = Some(LastError { error: ConnError::transient("busy"), at: Timestamp::UNIX_EPOCH });

        assert_eq!(waits_for(&provider, &[account]), None);
    }

    #[test]
    fn a_reference_holds_the_id_of_what_stands_and_is_cleared_otherwise() {
        let mut account = link("account", &["provider"]);
        if let Some(wanted) = &mut account.wanted {
            wanted.references.insert("providerId".to_owned(), Kind::from("provider"));
        }
        let held = |account: &Link| account.wanted.as_ref().map(|wanted| wanted.attrs["providerId"].clone());

        refer(&mut account, &[standing(link("provider", &[]))]);
        assert_eq!(held(&account), Some(vec![Value::from("P7")]));
        refer(&mut account, &[closing(standing(link("provider", &[])))]);
        assert_eq!(held(&account), Some(Vec::new()));
    }
}
