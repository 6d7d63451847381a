//! What a target's schema, and a page of its records, suggest for the configuration of somebody who connects it.
//!
//! Suggestions are read by people and taken over by hand: nothing here decides anything. A natural key is judged by what was
//! read, not by its name; a mapping is suggested where an attribute has a name that many systems give to the same thing.

use connector_spi::{AttrSchema, Kind, KindSchema, Record, Value, ValueType};
use serde::Serialize;
use std::collections::BTreeSet;

/// Fewer records say nothing about what tells them apart.
const ENOUGH: usize = 20;

/// Suggestions for one kind of object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// The kind.
    pub kind: Kind,
    /// Sets of attributes that tell its records apart: those of the schema first.
    pub keys: Vec<ProposedKey>,
    /// Attributes that a create may give, in the order of their names; those that it must give first.
    pub attributes: Vec<ProposedMapping>,
}

/// A natural key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProposedKey {
    /// Its attributes.
    pub attributes: Vec<String>,
    /// What was seen of it.
    pub because: String,
}

/// Where an attribute could come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProposedMapping {
    /// The target's attribute.
    pub attribute: String,
    /// An expression over `user`; `None` where its name says nothing.
    pub expression: Option<&'static str>,
    /// A create without it is refused.
    pub required: bool,
}

/// Names that systems give to the same thing, in small letters without signs, and the expression for it.
const KNOWN: &[(&[&str], &str)] = &[
    (
        &["username", "login", "loginid", "loginname", "logonname", "uid", "samaccountname", "mnemonic", "accountname"],
        "user.userName",
    ),
    (&["userprincipalname"], "user.userName"),
    (&["givenname", "firstname", "forename"], "user.name.givenName"),
    (&["familyname", "lastname", "surname", "sn"], "user.name.familyName"),
    (&["middlename"], "user.name.middleName"),
    (&["displayname", "fullname", "commonname", "cn"], "user.displayName"),
    (&["mail", "email", "emails", "emailaddress", "workemail"], "user.emails.map(e, e.value).first()"),
    (
        &["phone", "telephone", "telephonenumber", "workphone", "phonenumbers"],
        "user.phoneNumbers.map(p, p.value).first()",
    ),
    (&["title", "jobtitle"], "user.title"),
    (&["employeenumber", "employeeno", "employeeid", "personnelnumber", "staffid"], "user.enterprise.employeeNumber"),
    (&["department", "departmentnumber"], "user.enterprise.department"),
    (&["division"], "user.enterprise.division"),
    (&["costcenter"], "user.enterprise.costCenter"),
    (&["npi"], "user.clinician.npi"),
    (&["externalid"], "user.id"),
    (&["locale"], "user.locale"),
    (&["timezone"], "user.timezone"),
];

/// Names that systems give to the first and the last moment of access, and the expression for the instant.
const DATES: &[(&[&str], &str)] = &[
    (&["begindate", "startdate", "begineffective", "validfrom", "accessbegin"], "access.begins"),
    (
        &["enddate", "endeffective", "accountexpires", "pwdendtime", "validto", "validuntil", "expires", "accessend"],
        "access.ends",
    ),
];

/// What one kind of a target suggests, with a page of its records as far as it could be read.
#[must_use]
pub fn propose(kind: &Kind, schema: &KindSchema, sample: &[Record]) -> Proposal {
    let declared: BTreeSet<&[String]> = schema.natural_keys.iter().map(Vec::as_slice).collect();
    let mut keys: Vec<ProposedKey> =
        declared.iter().map(|key| ProposedKey { attributes: key.to_vec(), because: seen(key, sample) }).collect();
    let unique = schema.attrs.iter().filter(|(name, attribute)| {
        sample.len() >= ENOUGH
            && tells_apart(attribute)
            && !known(name).is_some_and(shared_by_nature)
            && !declared.contains(std::slice::from_ref(*name))
            && matches!(look(std::slice::from_ref(*name), sample), Look { absent: 0, shared: 0 })
    });
    keys.extend(unique.map(|(name, _)| ProposedKey {
        attributes: vec![name.clone()],
        because: format!("{}; nothing says that it will stay so", seen(std::slice::from_ref(name), sample)),
    }));
    let creatable = schema.attrs.iter().filter(|(_, attribute)| attribute.creatable);
    let mut attributes: Vec<ProposedMapping> = creatable
        .map(|(name, attribute)| ProposedMapping {
            attribute: name.clone(),
            expression: match attribute.ty {
                ValueType::Text => known(name),
                ValueType::Timestamp => among(DATES, name),
                ValueType::Integer | ValueType::Boolean | ValueType::Bytes => None,
            },
            required: attribute.required,
        })
        .collect();
    attributes.sort_by_key(|mapping| (!mapping.required, mapping.expression.is_none(), mapping.attribute.clone()));
    Proposal { kind: kind.clone(), keys, attributes }
}

/// What people share however few of them do: names, places and tasks.
fn shared_by_nature(expression: &str) -> bool {
    !["user.userName", "user.id", "user.enterprise.employeeNumber", "user.clinician.npi"].contains(&expression)
        && !expression.starts_with("user.emails")
}

/// A single text or number that can be read, as an identifier is.
fn tells_apart(attribute: &AttrSchema) -> bool {
    attribute.readable && !attribute.multi && matches!(attribute.ty, ValueType::Text | ValueType::Integer)
}

/// How a key does among records.
struct Look {
    absent: usize,
    shared: usize,
}

fn look(key: &[String], sample: &[Record]) -> Look {
    let mut values = BTreeSet::new();
    let (mut absent, mut shared) = (0, 0);
    for record in sample {
        let value: Option<Vec<&[Value]>> =
            key.iter().map(|name| record.attrs.get(name).map(Vec::as_slice).filter(|all| !all.is_empty())).collect();
        match value {
            None => absent += 1,
            Some(value) => shared += usize::from(!values.insert(value)),
        }
    }
    Look { absent, shared }
}

fn seen(key: &[String], sample: &[Record]) -> String {
    let Look { absent, shared } = look(key, sample);
    let read = sample.len();
    match (read, absent, shared) {
        (0, ..) => "no record was read".to_owned(),
        (_, 0, 0) => format!("each of the {read} records read has one of its own"),
        (_, absent, 0) => format!("{absent} of the {read} records read have none, the others each one of their own"),
        (_, absent, shared) => {
            format!("of the {read} records read {shared} share one with another, and {absent} have none")
        }
    }
}

/// The expression for what this name is usually given to. Of a path the last word counts, and of a word with a filter the word.
fn known(name: &str) -> Option<&'static str> {
    among(KNOWN, name)
}

fn among(table: &[(&[&str], &'static str)], name: &str) -> Option<&'static str> {
    let plain = |word: &str| -> String {
        word.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
    };
    let word = match name.split_once('[') {
        Some((word, _)) => word,
        None => name.trim_end_matches(".value").rsplit(['.', ':', '/']).next().unwrap_or(name),
    };
    let word = plain(word);
    table.iter().find(|(names, _)| names.contains(&word.as_str())).map(|(_, expression)| *expression)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::policy::PolicyConfig;
    use crate::{Policy, policy::TargetConfig};
    use connector_spi::{AccountState, KindCaps, KindRole, NativeId, Provenance};
    use serde_json::json;
    use std::collections::BTreeMap;

    fn schema(attributes: &[&str]) -> KindSchema {
        KindSchema {
            role: KindRole::Account,
            attrs: attributes.iter().map(|name| ((*name).to_owned(), AttrSchema::default())).collect(),
            natural_keys: vec![vec!["login".to_owned()]],
            depends_on: Vec::new(),
            caps: KindCaps::default(),
            provenance: Provenance::default(),
        }
    }

    fn record(values: &[(&str, String)]) -> Record {
        Record {
            kind: "account".into(),
            id: NativeId("1".into()),
            natural_key: BTreeMap::new(),
            attrs: values.iter().map(|(name, value)| ((*name).to_owned(), vec![value.clone().into()])).collect(),
            state: AccountState::Enabled,
            entitlements: None,
            incomplete: false,
            version: None,
        }
    }

    #[test]
    fn a_key_is_judged_by_what_was_read() {
        let sample: Vec<Record> = (0..40)
            .map(|n| {
                let (badge, name) = (n.to_string(), format!("Example{n}"));
                record(&[("login", format!("t{}", n / 2)), ("badge", badge), ("ward", "EAST".into()), ("sn", name)])
            })
            .collect();

        let keys = propose(&"account".into(), &schema(&["login", "badge", "ward", "sn"]), &sample).keys;

        let told: Vec<_> = keys.iter().map(|key| (key.attributes[0].as_str(), key.because.as_str())).collect();
        assert_eq!(told[0], ("login", "of the 40 records read 20 share one with another, and 0 have none"));
        assert_eq!((told.len(), told[1].0), (2, "badge"));
        let few = propose(&"account".into(), &schema(&["login", "badge"]), &sample[..5]).keys;
        assert_eq!(few.len(), 1, "five records say nothing");
    }

    #[test]
    fn what_must_be_given_comes_first_and_names_of_many_systems_are_known() {
        let mut schema = schema(&["sn", "name.givenName", "emails[type eq \"work\"].value", "EMPLOYEE_NO", "zz"]);
        schema.attrs.get_mut("zz").unwrap().required = true;

        let proposal = propose(&"account".into(), &schema, &[]);

        let told: Vec<_> = proposal.attributes.iter().map(|one| (one.attribute.as_str(), one.expression)).collect();
        assert_eq!(
            told,
            [
                ("zz", None),
                ("EMPLOYEE_NO", Some("user.enterprise.employeeNumber")),
                ("emails[type eq \"work\"].value", Some("user.emails.map(e, e.value).first()")),
                ("name.givenName", Some("user.name.givenName")),
                ("sn", Some("user.name.familyName")),
            ]
        );
    }

    #[test]
    fn the_end_of_access_is_suggested_where_the_target_keeps_an_instant() {
        let mut schema = schema(&["endDate", "accountExpires"]);
        schema.attrs.get_mut("accountExpires").unwrap().ty = ValueType::Timestamp;

        let proposal = propose(&"account".into(), &schema, &[]);

        let told: Vec<_> = proposal.attributes.iter().map(|one| (one.attribute.as_str(), one.expression)).collect();
        assert_eq!(told, [("accountExpires", Some("access.ends")), ("endDate", None)]);
    }

    #[test]
    fn every_expression_that_is_suggested_compiles() {
        let attributes: serde_json::Map<_, _> =
            KNOWN.iter().chain(DATES).map(|(names, expression)| (names[0].to_owned(), json!(expression))).collect();
        let account = json!({ "key": ["username"], "strong": ["username"], "attributes": attributes });
        let account = serde_json::from_value(account).unwrap();
        let target = TargetConfig { name: "t".to_owned(), account: Some(account), ..TargetConfig::default() };
        let config = PolicyConfig { targets: vec![target], ..PolicyConfig::default() };
        assert!(Policy::compile(&config, &scim::Types::built_in()).is_ok());
    }
}
