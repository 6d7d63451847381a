//! A change with everything slow done beforehand, on the caller's thread: texts made, names numbered. The writer only binds.

use super::ids::{IdKey, to_json};
use super::links;
use super::names::{Name, Names, Sort};
use crate::change::{AssertionWrite, Change, Expect, Index, LinkWrite, Unique, Write};
use crate::error::{Result, StoreError};
use crate::work::SweepCause;
use gateway_domain::{AuditEntry, Members};
use jiff::Timestamp;
use scim::{MemberOp, Object};
use serde_json::Value;
use std::collections::BTreeMap;

/// An index entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The key's number.
    pub(super) key: i64,
    /// The folded value.
    pub(super) value: String,
    /// It may not occur twice.
    pub(super) unique: bool,
}

/// What becomes of the row.
pub(super) enum Row {
    Put {
        attrs: String,
        display: Option<String>,
        index: Vec<Entry>,
        unindex: Vec<Entry>,
        /// The attributes of `index`, for telling which one is taken.
        names: Vec<String>,
    },
    Members,
    Keep,
    Delete,
}

/// What the source says.
pub(super) struct Said {
    pub(super) source: i64,
    pub(super) name: String,
    /// `None`: nothing any more.
    pub(super) put: Option<(String, Option<String>)>,
}

/// The whole.
pub(super) struct Prepared {
    pub(super) ty: i64,
    pub(super) id: IdKey,
    pub(super) expect: Expect,
    pub(super) policy_epoch: u64,
    pub(super) row: Row,
    pub(super) said: Option<Said>,
    pub(super) members: Vec<MemberOp>,
    pub(super) sweep_members: bool,
    pub(super) sweep: Option<SweepCause>,
    /// The sweep is about this very group.
    pub(super) sweep_self: bool,
    pub(super) links: Vec<links::Prepared>,
    pub(super) next_change: Option<i64>,
    pub(super) audit: AuditEntry,
    pub(super) now: Timestamp,
}

/// The names of a change that have no number yet.
pub(super) fn unknown(change: &Change, names: &Names) -> Vec<Name> {
    let mut missing = Vec::new();
    let mut need = |sort: Sort, text: &str| {
        let id = names.id(sort, text);
        if id.is_none() {
            missing.push((sort, text.to_owned()));
        }
        id
    };
    let ty = need(Sort::Type, &change.ty);
    if change.assertion.is_some() {
        need(Sort::Source, change.source.as_str());
    }
    for link in &change.links {
        need(Sort::Target, link.key.target.as_str());
        need(Sort::Kind, link.key.kind.as_str());
        if let Some(members) = members_of(link) {
            need(Sort::Kind, members.of.as_str());
        }
    }
    // Keys are numbered within their type, so they come in a second round after it.
    if let (Some(ty), Write::Put { index, .. }) = (ty, &change.write) {
        for entry in index {
            need(Sort::Key(ty), &entry.key);
        }
    }
    missing
}

/// Prepares a change all of whose names are known.
pub(super) fn prepare(change: Change, names: &Names) -> Result<Prepared> {
    let number = |sort: Sort, text: &str| {
        names.id(sort, text).ok_or_else(|| StoreError::Unavailable("a name has no number".into()))
    };
    let ty = number(Sort::Type, &change.ty)?;
    let links = change
        .links
        .iter()
        .map(|link| {
            let target = number(Sort::Target, link.key.target.as_str())?;
            let kind = number(Sort::Kind, link.key.kind.as_str())?;
            let of = members_of(link).map(|members| number(Sort::Kind, members.of.as_str())).transpose()?;
            links::Prepared::new(link, target, kind, of)
        })
        .collect::<Result<_>>()?;
    let said = match change.assertion {
        None => None,
        Some(said) => Some(Said {
            source: number(Sort::Source, change.source.as_str())?,
            name: change.source.as_str().to_owned(),
            put: match said {
                AssertionWrite::Put { attrs, external_id } => Some((to_json(&attrs)?, external_id)),
                AssertionWrite::Withdraw => None,
            },
        }),
    };
    let row = match change.write {
        Write::Put { attrs, index, unindex } => put(&attrs, index, unindex, |key| names.id(Sort::Key(ty), key))?,
        Write::Members => Row::Members,
        Write::Keep => Row::Keep,
        Write::Delete => Row::Delete,
    };
    let sweep_self = matches!(&change.sweep, Some(SweepCause::Group { id }) if *id == change.id);
    Ok(Prepared {
        ty,
        id: IdKey::from(&change.id),
        expect: change.expect,
        policy_epoch: change.policy_epoch,
        row,
        said,
        members: change.members,
        sweep_members: change.sweep_members,
        sweep: change.sweep,
        sweep_self,
        links,
        next_change: change.next_change_at.map(|at| at.as_microsecond()),
        audit: change.audit,
        // Columns hold microseconds: what is answered must be what is read later.
        now: Timestamp::from_microsecond(change.now.as_microsecond()).unwrap_or(change.now),
    })
}

fn members_of(link: &LinkWrite) -> Option<&Members> {
    link.wanted.as_ref()?.members.as_ref()
}

fn put(attrs: &Object, index: Vec<Index>, unindex: Vec<Index>, key: impl Fn(&str) -> Option<i64>) -> Result<Row> {
    let entry = |index: &Index| {
        let key = key(&index.key)?;
        Some(Entry { key, value: index.value.clone(), unique: index.unique == Unique::Yes })
    };
    // The unique ones first: the first of them to be taken ends the change before anything is written.
    let (first, rest): (Vec<_>, Vec<_>) = index.into_iter().partition(|index| index.unique == Unique::Yes);
    let index: Vec<Index> = first.into_iter().chain(rest).collect();
    let entries: Option<Vec<Entry>> = index.iter().map(entry).collect();
    let text = |name: &str| attrs.get(name).and_then(Value::as_str).map(str::to_owned);
    Ok(Row::Put {
        attrs: to_json(attrs)?,
        display: text("displayName").or_else(|| text("userName")),
        index: entries.ok_or_else(|| StoreError::Unavailable("an index key has no number".into()))?,
        // A key without a number was never written.
        unindex: unindex.iter().filter_map(entry).collect(),
        names: index.into_iter().map(|index| attribute(index.key)).collect(),
    })
}

/// The attribute of an index key, as SCIM spells it.
fn attribute(key: String) -> String {
    match key.split_once('@') {
        Some((name, _)) if !key.starts_with("urn:") => name.to_owned(),
        _ => key,
    }
}

/// The entries of a resource as kept beside it, so that deleting it needs no index by resource: for each, the key's number
/// and whether it is unique (4 octets), the value's length (4 octets) and the value.
pub(super) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.iter().map(|entry| 8 + entry.value.len()).sum());
    for entry in entries {
        let key = u32::try_from(entry.key << 1).unwrap_or(u32::MAX) | u32::from(entry.unique);
        bytes.extend_from_slice(&key.to_be_bytes());
        bytes.extend_from_slice(&u32::try_from(entry.value.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(entry.value.as_bytes());
    }
    bytes
}

/// The entries again.
pub(super) fn decode(mut bytes: &[u8]) -> Result<Vec<Entry>> {
    let corrupt = || super::ids::corrupt("a resource's list of keys");
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_first_chunk::<8>().ok_or_else(corrupt)?;
        let [k0, k1, k2, k3, l0, l1, l2, l3] = *head;
        let key = u32::from_be_bytes([k0, k1, k2, k3]);
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let (value, rest) = rest.split_at_checked(length).ok_or_else(corrupt)?;
        let value = std::str::from_utf8(value).map_err(|_| corrupt())?.to_owned();
        entries.push(Entry { key: i64::from(key >> 1), value, unique: key & 1 == 1 });
        bytes = rest;
    }
    Ok(entries)
}

/// Each source's own name of a resource, after one source spoke; `None` when no source has one.
pub(super) fn external(old: Option<&str>, said: &Said) -> Result<Option<String>> {
    let mut all: BTreeMap<String, String> = match old {
        Some(old) => serde_json::from_str(old).map_err(|_| super::ids::corrupt("a list of external ids"))?,
        None => BTreeMap::new(),
    };
    match said.put.as_ref().and_then(|(_, external)| external.clone()) {
        Some(external) => all.insert(said.name.clone(), external),
        None => all.remove(&said.name),
    };
    if all.is_empty() { Ok(None) } else { to_json(&all).map(Some) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_resources_keys_read_back_as_written() {
        let entries = vec![
            Entry { key: 3, value: "testperson.12".into(), unique: true },
            Entry { key: 70_000, value: String::new(), unique: false },
        ];
        assert_eq!(decode(&encode(&entries)).unwrap(), entries);
        assert_eq!(decode(&[]).unwrap(), vec![]);
    }

    #[test]
    fn a_cut_list_of_keys_is_an_error() {
        let bytes = encode(&[Entry { key: 3, value: "abc".into(), unique: true }]);
        for end in 1..bytes.len() {
            assert!(decode(bytes.get(..end).unwrap()).is_err());
        }
    }

    #[test]
    fn the_attribute_of_a_sources_own_name_is_external_id() {
        assert_eq!(attribute("externalId@okta".into()), "externalId");
        assert_eq!(attribute("userName".into()), "userName");
    }
}
