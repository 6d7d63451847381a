//! Wanted less seen: what one call has to do.
//!
//! Owned, foreign and shared entitlements are told apart here and nowhere else. **Owned** are those that a call of ours gave
//! ([`Seen::owned`]); everything else that is found is **foreign**; wanted and foreign at once is **shared** and stays when
//! our reason ends. A removal is only ever computed from a complete read, because [`Seen::entitlements`] is `None` until
//! there was one.

use crate::link::{Delta, Link, MemberRef, Seen, Strip, Wanted, WantedEntitlement};
use connector_spi::entitlement::in_order;
use connector_spi::{
    AccountState, Change, Delta as AttrDelta, Entitlement, EntitlementChange, NativeId, Record, Value,
};
use std::collections::BTreeMap;

/// What the next call for this link has to do. After a call whose outcome is not known (`sent` is still there), that is to
/// read; when nothing differs, at most to prove a closing.
#[must_use]
pub fn delta(link: &Link) -> Delta {
    let Some(wanted) = &link.wanted else { return Delta::Verify };
    if link.sent.as_ref().is_some_and(|sent| !sent.looked) {
        return Delta::Read;
    }
    if link.native_id.is_none() {
        // Nothing stands and nothing of ours is on its way: a closing has nothing to do.
        return if wanted.closing.is_some() { Delta::Verify } else { Delta::Create };
    }
    let Some(seen) = &link.seen else { return Delta::Read };
    match wanted.closing {
        Some(closing) if closing.keep => return Delta::Verify,
        Some(closing) if closing.delete => return Delta::Delete,
        Some(_) | None => {}
    }
    let mut change = change(wanted, seen);
    // Members go in a call of their own: what the target says of it is about them.
    if let (Some(members), Some(differ)) = (&wanted.members, &link.members)
        && !differ.is_empty()
        && change.is_empty()
    {
        let ids = |refs: &[MemberRef]| refs.iter().map(|one| Value::from(one.native_id.as_str())).collect();
        let patch = AttrDelta::Patch { add: ids(&differ.add), remove: ids(&differ.remove) };
        change.attrs.insert(members.attribute.clone(), patch);
    }
    if change.is_empty() { Delta::Verify } else { Delta::Update(Box::new(change)) }
}

/// Whether the target is as wanted, as far as it was seen, and a closing has been asked for its effect.
#[must_use]
pub fn converged(wanted: &Wanted, native_id: Option<&NativeId>, seen: Option<&Seen>) -> bool {
    match (native_id, seen, wanted.closing) {
        (None, _, closing) => closing.is_some(),
        (Some(_), _, Some(closing)) if closing.keep => true,
        (Some(_), None, _) => false,
        (Some(_), Some(_), Some(closing)) if closing.delete => false,
        (Some(_), Some(seen), closing) => {
            change(wanted, seen).is_empty() && (closing.is_none() || seen.verified.is_some())
        }
    }
}

/// The change that brings what was seen to what is wanted.
#[must_use]
pub fn change(wanted: &Wanted, seen: &Seen) -> Change {
    let attrs = wanted
        .attrs
        .iter()
        .filter(|(name, values)| seen.attrs.get(*name).map_or(&[][..], Vec::as_slice) != values.as_slice())
        .map(|(name, values)| {
            let delta = if values.is_empty() { AttrDelta::Clear } else { AttrDelta::Set(values.clone()) };
            (name.clone(), delta)
        })
        .collect();
    Change {
        attrs,
        entitlements: entitlements(wanted, seen),
        state: (wanted.state != AccountState::Unknown && seen.state != Some(wanted.state)).then_some(wanted.state),
        if_version: seen.version.clone(),
        again: seen.again,
    }
}

fn entitlements(wanted: &Wanted, seen: &Seen) -> EntitlementChange {
    let strip = wanted.closing.map(|closing| closing.strip);
    let held = seen.entitlements.as_deref();
    let add: Vec<Entitlement> = match strip {
        Some(_) => Vec::new(),
        None => wanted
            .entitlements
            .iter()
            .map(|WantedEntitlement { entitlement, .. }| entitlement)
            .filter(|one| {
                let place = place(held.unwrap_or(&seen.owned), wanted, one);
                !held.unwrap_or(&seen.owned).iter().any(|held| satisfies(held, one, place, seen))
            })
            .cloned()
            .collect(),
    };
    let still_wanted = |one: &Entitlement| {
        strip.is_none() && wanted.entitlements.iter().any(|wanted| wanted.entitlement.same_grant(one))
    };
    let remove: Vec<Entitlement> = match (strip, held) {
        (Some(Strip::None), _) => Vec::new(),
        (Some(Strip::All), Some(held)) => held.to_vec(),
        // Ours are known without a read: we gave them.
        (Some(Strip::All | Strip::Owned) | None, _) => seen
            .owned
            .iter()
            .filter(|one| !still_wanted(one))
            .filter(|one| held.is_none_or(|held| held.iter().any(|other| other.same_grant(one))))
            .cloned()
            .collect(),
    };
    let whole = held.map(|held| replaced(held, &add, &remove));
    EntitlementChange { add, remove, whole }
}

/// Whether what is held is what is wanted, where `place` is where the target may have put it. Order and dates are compared where they are wanted; besides, an end that we gave
/// and want no more is taken away, while the end of what others gave is theirs.
fn satisfies(held: &Entitlement, wanted: &Entitlement, place: Option<u32>, seen: &Seen) -> bool {
    let ours = || seen.owned.iter().any(|one| one.same_grant(held));
    held.same_grant(wanted)
        && (wanted.order.is_none() || held.order == wanted.order || held.order == place)
        && (wanted.valid_from.is_none() || held.valid_from == wanted.valid_from)
        && (held.valid_to == wanted.valid_to || (wanted.valid_to.is_none() && !ours()))
}

/// The place at which a wanted entitlement stands in a target that numbers its list without gaps: the third of two is the second
/// there. `None` where no place is wanted.
fn place(held: &[Entitlement], wanted: &Wanted, one: &Entitlement) -> Option<u32> {
    one.order?;
    let asked: Vec<Entitlement> = wanted
        .entitlements
        .iter()
        .map(|wanted| &wanted.entitlement)
        .filter(|other| other.kind == one.kind)
        .cloned()
        .collect();
    let of_kind: Vec<Entitlement> = held.iter().filter(|other| other.kind == one.kind).cloned().collect();
    let whole = in_order(replaced(&of_kind, &asked, &[]), &asked);
    let index = whole.iter().position(|other| other.same_grant(one))?;
    u32::try_from(index).ok()?.checked_add(1)
}

/// Whether others gave it: it is held, and not ours. To bring its order or dates to what we want does not make it ours.
fn is_foreign(seen: &Seen, one: &Entitlement) -> bool {
    let among = |list: &[Entitlement]| list.iter().any(|other| other.same_grant(one));
    seen.entitlements.as_deref().is_some_and(among) && !among(&seen.owned)
}

/// A list less what is removed, plus what is added; an added one replaces the same grant with another order or other dates.
fn replaced(held: &[Entitlement], add: &[Entitlement], remove: &[Entitlement]) -> Vec<Entitlement> {
    let gone = |one: &Entitlement| remove.iter().chain(add).any(|other| other.same_grant(one));
    held.iter().filter(|one| !gone(one)).chain(add).cloned().collect()
}

/// What is seen after `change` succeeded. Members are no part of it: they are remembered one by one, in rows of the store.
#[must_use]
pub fn seen_after(wanted: &Wanted, seen: &Seen, change: &Change) -> Seen {
    let mut after = seen.clone();
    for (name, delta) in change.attrs.iter().filter(|(name, _)| !holds_members(Some(wanted), name)) {
        match delta {
            AttrDelta::Set(values) => {
                after.attrs.insert(name.clone(), values.clone());
            }
            AttrDelta::Clear => {
                after.attrs.remove(name);
            }
            AttrDelta::Patch { add, remove } => {
                let values = after.attrs.entry(name.clone()).or_default();
                values.retain(|value| !remove.contains(value));
                values.extend(add.iter().filter(|value| !remove.contains(value)).cloned());
                values.dedup();
            }
        }
    }
    if let Some(state) = change.state {
        after.state = Some(state);
        after.verified = None;
    }
    let EntitlementChange { add, remove, .. } = &change.entitlements;
    let given: Vec<Entitlement> = add.iter().filter(|one| !is_foreign(seen, one)).cloned().collect();
    after.owned = replaced(&after.owned, &given, remove);
    if let Some(held) = &after.entitlements {
        after.entitlements = Some(replaced(held, add, remove));
    }
    after.again = false;
    // The mark of the version that was replaced is of no use any more.
    after.version = None;
    after
}

/// What is seen after an object was made as wanted.
#[must_use]
pub fn seen_created(wanted: &Wanted) -> Seen {
    let given: Vec<Entitlement> = wanted.entitlements.iter().map(|one| one.entitlement.clone()).collect();
    Seen {
        state: Some(wanted.state),
        attrs: wanted
            .attrs
            .iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect(),
        entitlements: Some(given.clone()),
        owned: given,
        ..Seen::default()
    }
}

/// What is seen after `record` was read. Entitlements are ours when we knew so before, or when an unsettled call of ours
/// (`gave`) was about to give them.
#[must_use]
pub fn seen_read(before: Option<&Seen>, gave: &[Entitlement], wanted: Option<&Wanted>, record: &Record) -> Seen {
    let held = if record.incomplete { None } else { record.entitlements.clone() };
    let known = before.map_or(&[][..], |seen| seen.owned.as_slice());
    let owned = match &held {
        Some(held) => {
            held.iter().filter(|one| known.iter().chain(gave).any(|ours| ours.same_grant(one))).cloned().collect()
        }
        None => known.to_vec(),
    };
    // Only what we manage is kept: the rest of the record is not ours to store.
    let ours = |name: &String| {
        let managed = wanted.is_none_or(|wanted| wanted.attrs.is_empty() || wanted.attrs.contains_key(name))
            || before.is_some_and(|seen| seen.attrs.contains_key(name));
        managed && !holds_members(wanted, name)
    };
    Seen {
        state: Some(record.state),
        attrs: record.attrs.iter().filter(|(name, _)| ours(name)).map(|(n, v)| (n.clone(), v.clone())).collect(),
        entitlements: held,
        owned,
        version: record.version.clone(),
        at: None,
        verified: None,
        // A read says nothing of what the last write was told.
        warnings: before.map_or_else(Vec::new, |seen| seen.warnings.clone()),
        again: before.is_some_and(|seen| seen.again),
    }
}

/// Whether the attribute holds the members of a group, whose list may be too long to be kept on a link.
fn holds_members(wanted: Option<&Wanted>, name: &str) -> bool {
    wanted.and_then(|wanted| wanted.members.as_ref()).is_some_and(|members| members.attribute == *name)
}

/// The natural key under which a call makes the object or to which it renames it; empty for any other call.
#[must_use]
pub fn names(link: &Link, delta: &Delta) -> BTreeMap<String, Value> {
    let key = link.wanted.as_ref().map(|wanted| &wanted.key);
    let key = key.filter(|key| match delta {
        Delta::Create => true,
        Delta::Update(change) => key.keys().any(|name| change.attrs.contains_key(name)),
        Delta::Read | Delta::Delete | Delta::Verify => false,
    });
    key.cloned().unwrap_or_default()
}

/// Entitlements that a call gives: recorded before it is made.
#[must_use]
pub fn gives(link: &Link, delta: &Delta) -> Vec<Entitlement> {
    let mut gave = link.sent.as_ref().map_or_else(Vec::new, |sent| sent.gave.clone());
    let more: Vec<Entitlement> = match delta {
        Delta::Create => {
            link.wanted.iter().flat_map(|wanted| &wanted.entitlements).map(|one| one.entitlement.clone()).collect()
        }
        Delta::Update(change) => {
            let foreign = |one: &Entitlement| link.seen.as_ref().is_some_and(|seen| is_foreign(seen, one));
            change.entitlements.add.iter().filter(|one| !foreign(one)).cloned().collect()
        }
        Delta::Read | Delta::Delete | Delta::Verify => Vec::new(),
    };
    for one in more {
        if !gave.contains(&one) {
            gave.push(one);
        }
    }
    gave
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Closing;
    use connector_spi::Attrs;
    use proptest::prelude::*;

    fn group(name: &str) -> Entitlement {
        Entitlement::new("group", name)
    }
    fn wants(names: &[&str]) -> Wanted {
        Wanted {
            state: AccountState::Enabled,
            attrs: Attrs::from([("cn".to_owned(), vec![Value::from("x")])]),
            initial: Attrs::new(),
            key: Default::default(),
            strong: Default::default(),
            entitlements: names
                .iter()
                .map(|name| WantedEntitlement { entitlement: group(name), origins: vec![] })
                .collect(),
            closing: None,
            after: Vec::new(),
            references: Default::default(),
            members: None,
        }
    }
    fn holds(held: &[&str], owned: &[&str]) -> Seen {
        Seen {
            state: Some(AccountState::Enabled),
            entitlements: Some(held.iter().map(|name| group(name)).collect()),
            owned: owned.iter().map(|name| group(name)).collect(),
            ..Seen::default()
        }
    }

    #[test]
    fn a_place_in_a_list_that_became_shorter_is_no_difference_and_another_order_is() {
        let at = |name: &str, order: u32| Entitlement { order: Some(order), ..group(name) };
        let mut wanted = wants(&["b", "d"]);
        for (one, order) in wanted.entitlements.iter_mut().zip([2, 4]) {
            one.entitlement.order = Some(order);
        }
        let given = |held: &[Entitlement]| {
            let seen = Seen { entitlements: Some(held.to_vec()), owned: held.to_vec(), ..holds(&[], &[]) };
            change(&wanted, &seen).entitlements.add
        };
        assert_eq!(given(&[at("b", 2), at("d", 4)]), [], "a target that keeps the numbers as they are given");
        assert_eq!(given(&[at("b", 1), at("d", 2)]), [], "one that numbers what is left without gaps");
        assert_eq!(given(&[at("d", 1), at("b", 2)]), [at("d", 4)]);
        assert_eq!(given(&[at("b", 1)]), [at("d", 4)]);
    }

    #[test]
    fn what_others_granted_stays() {
        let change = change(&wants(&["ours"]), &holds(&["theirs", "old"], &["old"]));
        assert_eq!(change.entitlements.add, [group("ours")]);
        assert_eq!(change.entitlements.remove, [group("old")]);
        assert_eq!(change.entitlements.whole, Some(vec![group("theirs"), group("ours")]));
    }

    #[test]
    fn what_was_found_and_wanted_stays_when_our_reason_ends() {
        let change = change(&wants(&[]), &holds(&["shared"], &[]));
        assert!(change.entitlements.is_empty());
    }

    #[test]
    fn a_list_that_was_not_read_is_no_basis_for_removing_what_is_not_ours() {
        let mut wanted = wants(&[]);
        wanted.closing = Some(Closing { strip: Strip::All, sessions: false, delete: false, keep: false });
        let seen = Seen { entitlements: None, ..holds(&["theirs"], &["ours"]) };
        let change = change(&wanted, &seen);
        assert_eq!(change.entitlements.remove, [group("ours")]);
        assert_eq!(change.entitlements.whole, None);
    }

    #[test]
    fn a_closing_takes_ours_and_leaves_the_rest() {
        let mut wanted = wants(&["a"]);
        wanted.closing = Some(Closing { strip: Strip::Owned, sessions: true, delete: false, keep: false });
        wanted.state = AccountState::Disabled;
        let change = change(&wanted, &holds(&["a", "theirs"], &["a"]));
        assert_eq!(change.entitlements.remove, [group("a")]);
        assert_eq!(change.state, Some(AccountState::Disabled));
    }

    proptest! {
        #[test]
        fn after_a_change_nothing_differs_and_foreign_ones_survive(
            wanted in proptest::collection::btree_set(0..12_u8, 0..8),
            held in proptest::collection::btree_set(0..12_u8, 0..8),
            ours in proptest::collection::btree_set(0..12_u8, 0..8),
        ) {
            let names: Vec<String> = (0..12).map(|n| format!("g{n}")).collect();
            let pick = |set: &std::collections::BTreeSet<u8>| -> Vec<&str> {
                set.iter().map(|n| names[usize::from(*n)].as_str()).collect()
            };
            let owned: std::collections::BTreeSet<u8> = ours.intersection(&held).copied().collect();
            let wanted_now = wants(&pick(&wanted));
            let seen = holds(&pick(&held), &pick(&owned));
            let once = change(&wanted_now, &seen);
            let after = seen_after(&wanted_now, &seen, &once);
            prop_assert!(change(&wanted_now, &after).is_empty());
            for foreign in held.difference(&owned) {
                let foreign = group(&names[usize::from(*foreign)]);
                prop_assert!(after.entitlements.as_ref().is_some_and(|held| held.contains(&foreign)));
            }
        }
    }
}
