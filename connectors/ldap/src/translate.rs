//! Records and changes as LDAP sees them. Pure: no connection, no clock.

use crate::{
    active,
    dn::{self, Rdn},
    session::{Attributes, Entry},
    shape::{PARENT, PASSWORD, Shape},
    subschema::Facts,
};
use connector_spi::{AccountState, Attrs, ConnError, Delta, Kind, NativeId, Record, Result, Secret, Value, ValueType};
use jiff::{Timestamp, civil, tz::Offset};
use ldap3::Mod;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Longest value sent, in octets.
pub const LONGEST_VALUE: usize = 1 << 20;

/// Longest naming attribute and value, escaped, in octets. OpenLDAP's index holds no more, and says so with an internal error.
pub const LONGEST_NAME: usize = 240;

/// A new entry.
#[derive(Debug)]
pub struct NewEntry {
    /// Its name.
    pub dn: String,
    /// Its attributes.
    pub attributes: Attributes,
}

/// A change of an entry, apart from its state and its entitlements.
#[derive(Debug, Default)]
pub struct Mods {
    /// Changes of attributes.
    pub mods: Vec<Mod<Vec<u8>>>,
    /// The new naming value.
    pub rdn: Option<Rdn>,
    /// The new entry above.
    pub parent: Option<String>,
}

/// The octets of one value, or why it is refused.
///
/// Control characters and the marks that reverse the direction of writing are refused in every text: directories store
/// them, and the programs that show names then show another name.
pub fn octets(attribute: &str, value: &Value, ty: ValueType) -> Result<Vec<u8>> {
    let octets = match (value, ty) {
        (Value::At { at }, _) => generalized(*at).into_bytes(),
        (Value::Text(text), ValueType::Timestamp) => match text.parse::<Timestamp>() {
            Ok(at) => generalized(at).into_bytes(),
            Err(_) => plain(attribute, text)?,
        },
        (Value::Text(text), _) => plain(attribute, text)?,
        (Value::Bool(truth), ValueType::Boolean) => if *truth { "TRUE" } else { "FALSE" }.into(),
        (Value::Bytes { bytes }, _) => bytes.clone(),
        (Value::Bool(_) | Value::Int(_), _) => value.to_string().into_bytes(),
    };
    if octets.is_empty() {
        return Err(ConnError::invalid("an empty value; leave the attribute out instead").attribute(attribute));
    }
    if octets.len() > LONGEST_VALUE {
        return Err(ConnError::invalid("a value of more than 1 MiB").attribute(attribute));
    }
    Ok(octets)
}

fn plain(attribute: &str, text: &str) -> Result<Vec<u8>> {
    let reversing = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.chars().any(|c| c.is_control() || reversing(c)) {
        return Err(ConnError::invalid("a value with control characters").attribute(attribute));
    }
    Ok(text.as_bytes().to_vec())
}

/// A value as read.
pub fn value(octets: &[u8], ty: ValueType) -> Value {
    let Ok(text) = std::str::from_utf8(octets) else { return Value::from(octets.to_vec()) };
    match ty {
        ValueType::Bytes => Value::from(octets.to_vec()),
        ValueType::Integer => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
        ValueType::Boolean if text == "TRUE" => Value::from(true),
        ValueType::Boolean if text == "FALSE" => Value::from(false),
        ValueType::Timestamp => instant(text).map_or_else(|| Value::from(text), Value::from),
        ValueType::Boolean | ValueType::Text => Value::from(text),
    }
}

/// GeneralizedTime of RFC 4517, section 3.3.13, in UTC, whole seconds.
pub fn generalized(at: Timestamp) -> String {
    at.strftime("%Y%m%d%H%M%SZ").to_string()
}

/// Reads generalizedTime: `YYYYMMDDHH[MM[SS]][.fraction](Z|±HH[MM])`. The fraction is dropped.
pub fn instant(text: &str) -> Option<Timestamp> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (time, zone) = text.split_at_checked(digits)?;
    let zone = match zone.strip_prefix(['.', ',']) {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => zone,
    };
    let number = |range: std::ops::Range<usize>| time.get(range)?.parse::<i16>().ok();
    let small = |range: std::ops::Range<usize>| i8::try_from(number(range)?).ok();
    let (minute, second) = match time.len() {
        10 => (0, 0),
        12 => (small(10..12)?, 0),
        14 => (small(10..12)?, small(12..14)?),
        _ => return None,
    };
    let (year, month, day, hour) = (number(0..4)?, small(4..6)?, small(6..8)?, small(8..10)?);
    let local = civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    let seconds = match zone.as_bytes() {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), rest @ ..] if matches!(rest.len(), 2 | 4) => {
            let part = |range| std::str::from_utf8(rest.get(range)?).ok()?.parse::<i32>().ok();
            let minutes = part(0..2)? * 60 + if rest.len() == 4 { part(2..4)? } else { 0 };
            if *sign == b'-' { -minutes * 60 } else { minutes * 60 }
        }
        _ => return None,
    };
    Offset::from_seconds(seconds).ok()?.to_timestamp(local).ok()
}

/// A new entry from attributes and a state.
pub fn create(
    shape: &Shape,
    facts: &Facts,
    attrs: &Attrs,
    state: AccountState,
    scrambled: Option<&Secret>,
) -> Result<NewEntry> {
    let mut attributes: Attributes = Vec::new();
    let mut parent = shape.parent.clone();
    let (mut name, mut given) = (None, BTreeSet::new());
    for (attribute, values) in attrs {
        if attribute.eq_ignore_ascii_case(PARENT) {
            parent = place(shape, values)?;
            continue;
        }
        writable(shape, facts, attribute)?;
        let set = all_octets(shape, facts, attribute, values)?;
        if facts.same(attribute, &shape.rdn) {
            name = Some(naming(attribute, values)?);
        }
        if !set.is_empty() {
            given.insert(facts.canonical(attribute));
            attributes.push((attribute.clone().into_bytes(), set));
        }
    }
    let rdn = name.ok_or_else(|| ConnError::invalid("a new entry needs its naming attribute").attribute(&shape.rdn))?;
    let content = facts.of_classes(&shape.classes);
    let automatic = |name: &str| {
        name.eq_ignore_ascii_case("objectClass")
            || shape.is_own(name)
            || shape.is_member(name)
            || shape.is_filled_in(name)
    };
    if shape.active && !given.iter().any(|name| name.eq_ignore_ascii_case(active::NAME)) {
        return Err(ConnError::invalid("a required attribute is missing").attribute(active::NAME));
    }
    if let Some(missing) = content.must.iter().find(|name| !given.contains(*name) && !automatic(name)) {
        return Err(ConnError::invalid("a required attribute is missing").attribute(missing));
    }
    attributes.push((b"objectClass".to_vec(), shape.classes.iter().map(|class| class.clone().into_bytes()).collect()));
    attributes.extend(standing(shape, state, scrambled)?.into_iter().filter(|(_, values)| !values.is_empty()));
    Ok(NewEntry { dn: rdn.under(&parent), attributes })
}

/// Changes of attributes, without the state.
pub fn change(shape: &Shape, facts: &Facts, deltas: &BTreeMap<String, Delta>) -> Result<Mods> {
    let mut out = Mods::default();
    for (attribute, delta) in deltas {
        if attribute.eq_ignore_ascii_case(PARENT) {
            out.parent = match delta {
                Delta::Set(values) | Delta::Patch { add: values, .. } => Some(place(shape, values)?),
                Delta::Clear => Some(shape.parent.clone()),
            };
            continue;
        }
        writable(shape, facts, attribute)?;
        let name = attribute.clone().into_bytes();
        if facts.same(attribute, &shape.rdn) {
            out.rdn = match delta {
                Delta::Set(values) | Delta::Patch { add: values, .. } => Some(naming(attribute, values)?),
                Delta::Clear => {
                    return Err(ConnError::invalid("the naming attribute cannot be cleared").attribute(attribute));
                }
            };
            continue;
        }
        match delta {
            Delta::Set(values) => out.mods.push(Mod::Replace(name, all_octets(shape, facts, attribute, values)?)),
            Delta::Clear => {
                let empty =
                    if shape.is_ticks(attribute) { all_octets(shape, facts, attribute, &[])? } else { HashSet::new() };
                out.mods.push(Mod::Replace(name, empty));
            }
            Delta::Patch { add, remove } => {
                let (add, remove) =
                    (all_octets(shape, facts, attribute, add)?, all_octets(shape, facts, attribute, remove)?);
                if !remove.is_empty() {
                    out.mods.push(Mod::Delete(name.clone(), remove));
                }
                if !add.is_empty() {
                    out.mods.push(Mod::Add(name, add));
                }
            }
        }
    }
    Ok(out)
}

/// The attributes that make a state: lock, status word and, for a closed account, a password that nobody knows. Empty sets
/// clear their attribute.
pub fn standing(shape: &Shape, state: AccountState, scrambled: Option<&Secret>) -> Result<Attributes> {
    if state == AccountState::Unknown {
        return Err(ConnError::invalid("no state to bring the account to").attribute("state"));
    }
    let open = state == AccountState::Enabled;
    if !open && !shape.closes() {
        return Err(ConnError::unsupported("neither account.lock nor account.status is configured"));
    }
    let mut out: Attributes = Vec::new();
    if shape.has_flags() {
        // For a new account only: the flags of one that is there are changed bit by bit, see `flags`.
        let flags = active::flags(active::NEW, open).to_string();
        out.push((active::CONTROL.into(), HashSet::from([flags.into_bytes()])));
    }
    if let Some(lock) = &shape.lock {
        let values = if open { HashSet::new() } else { HashSet::from([lock.value.clone().into_bytes()]) };
        out.push((lock.attribute.clone().into_bytes(), values));
    }
    if let Some(status) = &shape.status {
        out.push((status.attribute.clone().into_bytes(), HashSet::from([status.word(state).as_bytes().to_vec()])));
    }
    if let Some(password) = scrambled.filter(|_| shape.has_flags()) {
        out.push((active::PASSWORD.into(), HashSet::from([active::password(password)])));
    } else if let Some(password) = scrambled.filter(|_| !open && shape.scramble) {
        out.push((PASSWORD.into(), HashSet::from([password.expose().as_bytes().to_vec()])));
    }
    Ok(out)
}

/// An entry as a record. Entitlements are read elsewhere.
pub fn record(shape: &Shape, facts: &Facts, entry: &Entry) -> Option<Record> {
    let id = NativeId(entry.text(&shape.id)?.to_owned());
    let mut attrs = Attrs::new();
    for (name, values) in &entry.attributes {
        if shape.is_own(name) || values.is_empty() {
            continue;
        }
        if shape.is_ticks(name) {
            let end = entry.text(name).and_then(active::instant);
            attrs.extend(end.map(|at| (name.clone(), vec![Value::from(at)])));
            continue;
        }
        let ty = value_type(shape, facts, name);
        attrs.insert(name.clone(), values.iter().map(|octets| value(octets, ty)).collect());
    }
    attrs.insert(PARENT.to_owned(), vec![Value::from(dn::split(&entry.dn).1)]);
    let natural_key = shape
        .keys
        .iter()
        .flatten()
        .filter_map(|key| {
            let octets = entry.values(key).first()?;
            Some((key.clone(), value(octets, value_type(shape, facts, key))))
        })
        .collect();
    Some(Record {
        kind: Kind(shape.kind.0.clone()),
        id,
        natural_key,
        attrs,
        state: shape.state_of(entry),
        entitlements: None,
        incomplete: false,
        version: shape.version.as_ref().and_then(|version| entry.text(version)).map(str::to_owned),
    })
}

/// The type of an attribute's values: the configuration's word, else the schema's.
pub fn value_type(shape: &Shape, facts: &Facts, attribute: &str) -> ValueType {
    if shape.is_ticks(attribute) {
        return ValueType::Timestamp;
    }
    let declared = shape.types.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute));
    declared.map_or_else(|| facts.value_type(attribute), |(_, ty)| *ty)
}

fn all_octets(shape: &Shape, facts: &Facts, attribute: &str, values: &[Value]) -> Result<HashSet<Vec<u8>>> {
    if shape.active && attribute.eq_ignore_ascii_case(active::NAME) {
        active::check_name(values, shape.is_account())?;
    }
    if shape.is_ticks(attribute) {
        return match values {
            // The attribute is never absent.
            [] => Ok(HashSet::from([active::NEVER.into()])),
            [Value::At { at }] => Ok(HashSet::from([active::ticks(*at).into_bytes()])),
            _ => Err(ConnError::invalid("an end is one instant").attribute(attribute)),
        };
    }
    let ty = value_type(shape, facts, attribute);
    values.iter().map(|value| octets(attribute, value, ty)).collect()
}

fn writable(shape: &Shape, facts: &Facts, attribute: &str) -> Result<()> {
    if !dn::is_attribute(attribute) {
        return Err(ConnError::invalid("not the name of an attribute").attribute(attribute));
    }
    let known = facts.attribute(attribute);
    let canonical = known.map_or(attribute, |known| known.name.as_str());
    if shape.is_own(attribute) || shape.is_own(canonical) {
        return Err(
            ConnError::invalid("the connector or the server writes this attribute by itself").attribute(attribute)
        );
    }
    if known.is_some_and(|known| known.read_only) {
        return Err(ConnError::invalid("only the server writes this attribute").attribute(attribute));
    }
    if !shape.offers(facts, attribute) {
        return Err(ConnError::invalid("not among account.attributes").attribute(attribute));
    }
    if known.is_none() && !facts.types.is_empty() {
        return Err(ConnError::invalid("the directory's schema has no such attribute").attribute(attribute));
    }
    Ok(())
}

fn naming(attribute: &str, values: &[Value]) -> Result<Rdn> {
    match values {
        [value] => {
            let text = String::from_utf8(octets(attribute, value, ValueType::Text)?)
                .map_err(|_| ConnError::invalid("the naming attribute must be text").attribute(attribute))?;
            let rdn = Rdn::new(attribute, &text);
            if rdn.as_str().len() > LONGEST_NAME {
                return Err(ConnError::invalid("a name of more than 240 octets").attribute(attribute));
            }
            Ok(rdn)
        }
        _ => Err(ConnError::invalid("the naming attribute needs exactly one value").attribute(attribute)),
    }
}

fn place(shape: &Shape, values: &[Value]) -> Result<String> {
    match values {
        [Value::Text(name)] if dn::is_name(name) && dn::is_under(name, &shape.base) => Ok(name.clone()),
        _ => Err(ConnError::invalid("not the name of an entry at or below the configured base").attribute(PARENT)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::shape::tests::account;

    fn attrs(pairs: &[(&str, &str)]) -> Attrs {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), vec![Value::from(*value)])).collect()
    }

    fn flat(attributes: &Attributes) -> BTreeMap<String, Vec<String>> {
        let text = |octets: &Vec<u8>| String::from_utf8_lossy(octets).into_owned();
        attributes.iter().map(|(name, values)| (text(name), values.iter().map(text).collect())).collect()
    }

    #[test]
    fn a_new_account_carries_its_state() {
        let person = attrs(&[("uid", "test, 12"), ("cn", "Testperson 12 Example"), ("sn", "Example")]);
        let open = create(&account(), &Facts::default(), &person, AccountState::Enabled, None).unwrap();
        assert_eq!(open.dn, "uid=test\\2c 12,ou=people,dc=hosp,dc=example");
        assert_eq!(flat(&open.attributes)["clinAccountStatus"], ["active"]);
        assert!(!flat(&open.attributes).contains_key("pwdAccountLockedTime"));

        let secret = Secret::new("nobody knows".into());
        let closed = create(&account(), &Facts::default(), &person, AccountState::Blocked, Some(&secret)).unwrap();
        let closed = flat(&closed.attributes);
        assert_eq!(closed["pwdAccountLockedTime"], ["000001010000Z"]);
        assert_eq!(closed["clinAccountStatus"], ["suspended"]);
        assert_eq!(closed["userPassword"], ["nobody knows"]);
    }

    #[test]
    fn a_refusal_names_its_attribute() {
        let facts = Facts::default();
        let refused = |pairs: &[(&str, &str)]| {
            create(&account(), &facts, &attrs(pairs), AccountState::Enabled, None).unwrap_err().attribute.unwrap()
        };
        assert_eq!(refused(&[("cn", "x")]), "uid");
        assert_eq!(refused(&[("uid", "a\nb")]), "uid");
        assert_eq!(refused(&[("uid", "a"), ("cn", "x\u{202e}y")]), "cn");
        assert_eq!(refused(&[("uid", "a"), ("cn", "")]), "cn");
        assert_eq!(refused(&[("uid", "a"), ("userPassword", "x")]), "userPassword");
        assert_eq!(refused(&[("uid", "a"), ("PWDaccountlockedtime", "x")]), "PWDaccountlockedtime");
        assert_eq!(refused(&[("uid", "a"), ("c n", "x")]), "c n");
        assert_eq!(refused(&[("uid", "a"), ("parent", "dc=hosp,dc=example")]), "parent");
    }

    #[test]
    fn members_of_a_list_are_added_and_removed_one_by_one() {
        let delta = Delta::Patch { add: vec!["EAST".into()], remove: vec!["WEST".into()] };
        let out = change(&account(), &Facts::default(), &BTreeMap::from([("clinFacility".into(), delta)])).unwrap();
        assert_eq!(
            out.mods,
            [
                Mod::Delete(b"clinFacility".to_vec(), HashSet::from([b"WEST".to_vec()])),
                Mod::Add(b"clinFacility".to_vec(), HashSet::from([b"EAST".to_vec()])),
            ]
        );
    }

    #[test]
    fn a_new_naming_value_is_a_rename() {
        let deltas = BTreeMap::from([
            ("uid".to_owned(), Delta::Set(vec!["new+name".into()])),
            ("parent".to_owned(), Delta::Set(vec!["ou=west,ou=people,dc=hosp,dc=example".into()])),
        ]);
        let out = change(&account(), &Facts::default(), &deltas).unwrap();
        assert!(out.mods.is_empty());
        assert_eq!(out.rdn.unwrap().as_str(), "uid=new\\2bname");
        assert_eq!(out.parent.as_deref(), Some("ou=west,ou=people,dc=hosp,dc=example"));
    }

    #[test]
    fn generalized_time_goes_there_and_back() {
        let at: Timestamp = "2026-09-21T04:00:00Z".parse().unwrap();
        assert_eq!(generalized(at), "20260921040000Z");
        for text in ["20260921040000Z", "202609210400Z", "2026092104Z", "20260921040000.5Z", "20260921060000+0200"] {
            assert_eq!(instant(text), Some(at), "{text}");
        }
        for text in ["", "2026", "20260921040000", "20261321040000Z", "20260921040000X", "20260921040000+020"] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn an_entry_becomes_a_record() {
        let text = |value: &str| vec![value.as_bytes().to_vec()];
        let entry = Entry {
            dn: "uid=a\\2cb,ou=people,dc=hosp,dc=example".into(),
            attributes: vec![
                ("entryUUID".into(), text("1-2-3")),
                ("entryCSN".into(), text("v1")),
                ("uid".into(), text("a,b")),
                ("pwdAccountLockedTime".into(), text("000001010000Z")),
                ("userPassword".into(), text("{SSHA}x")),
            ],
        };
        let record = record(&account(), &Facts::default(), &entry).unwrap();
        assert_eq!(record.id.as_str(), "1-2-3");
        assert_eq!(record.version.as_deref(), Some("v1"));
        assert_eq!(record.state, AccountState::Disabled);
        assert_eq!(record.attrs["parent"], [Value::from("ou=people,dc=hosp,dc=example")]);
        assert_eq!(record.attrs.keys().collect::<Vec<_>>(), ["parent", "uid"]);
        assert_eq!(record.entitlements, None);
    }
}
