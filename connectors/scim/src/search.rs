//! How a record is looked up: what the server can be asked, and what is left to be compared on this side. Pure.
//!
//! RFC 7644 gives every attribute every operator. Servers have fewer, and there is no place in what they say of themselves to say
//! so; the configuration does. One comparison that the server knows narrows the search, and the whole key decides here, exactly:
//! what begins like a key is not the key. Where nothing of a key can be asked, all records are read, as far as the configuration
//! allows; a search that ends before the list does is a failure and never "nobody".

use crate::{
    config::{Comparison, SearchConfig},
    path::{Path, text_of},
    plan::{Attribute, KindPlan},
    record,
};
use connector_spi::{Attrs, ConnError, Record, Result, Value};
use scim::{AttrPath, Filter, Literal, Op};
use std::collections::BTreeMap;

/// What the server can be asked.
#[derive(Debug, Default)]
pub(crate) struct Search {
    /// It has filters at all.
    filters: bool,
    /// The comparisons it knows; `None` for all of RFC 7644.
    rules: Option<Vec<(Path, Vec<Comparison>)>>,
    /// Most pages read for a key that cannot be asked for.
    scan: u32,
}

/// A way to a record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Way {
    /// What is asked; `None` reads all.
    pub(crate) filter: Option<Filter>,
    /// The parts of the key that the server itself compares. A record that does not show one of these may have it.
    pub(crate) compared: Vec<String>,
}

impl Search {
    /// What the configuration says of a server that has filters, or has none.
    pub(crate) fn new(config: &SearchConfig, filters: bool) -> Self {
        // The configuration was checked, so every attribute is a path.
        let rule =
            |rule: &crate::config::FilterRule| Some((Path::parse(&rule.attribute).ok()?, rule.operators.clone()));
        let rules = config.filters.as_ref().map(|rules| rules.iter().filter_map(rule).collect());
        Self { filters, rules, scan: config.scan_pages }
    }

    /// Most pages that reading all may take.
    pub(crate) fn scan_pages(&self) -> u32 {
        self.scan
    }

    /// Whether a key of these attributes can be looked up.
    pub(crate) fn can(&self, attrs: &BTreeMap<String, Attribute>, key: &[String]) -> bool {
        let asks = |name: &String| {
            attrs.get(name).is_some_and(|attribute| match &self.rules {
                None => true,
                Some(rules) => {
                    rules.iter().any(|(path, operators)| !operators.is_empty() && meets(path, &attribute.path))
                }
            })
        };
        self.scan > 0 || (self.filters && key.iter().any(asks))
    }

    /// Whether groups can be searched for a member.
    pub(crate) fn finds_members(&self) -> bool {
        let member = Path { urn: None, name: "members".to_owned(), pick: None, sub: Some("value".to_owned()) };
        self.filters && self.rules.is_none() || self.rule(&member, Comparison::Eq).is_some()
    }

    /// The way to a key. `None` where there is none.
    ///
    /// # Errors
    /// `Invalid` for a key that is empty, of another kind, or of another type.
    pub(crate) fn way(&self, kind: &KindPlan, key: &BTreeMap<String, Value>) -> Result<Option<Way>> {
        let mut terms = Vec::with_capacity(key.len());
        for (name, value) in key {
            let attribute = kind.attrs.get(name);
            let attribute = attribute.ok_or_else(|| ConnError::invalid(format!("{name} is no key")).attribute(name))?;
            terms.push((name, attribute, record::wire(name, attribute, value)?));
        }
        if terms.is_empty() {
            return Err(ConnError::invalid("a search needs a key"));
        }
        if self.filters && self.rules.is_none() {
            // `eq` and `and` only: some servers know no more.
            let compared = terms.iter().map(|(name, ..)| (*name).clone()).collect();
            let mut all: Vec<Filter> =
                terms.iter().map(|(_, attribute, json)| term(&attribute.path, literal(json))).collect();
            let filter = if all.len() == 1 { all.pop() } else { Some(Filter::And(all)) };
            return Ok(Some(Way { filter, compared }));
        }
        for operator in [Comparison::Eq, Comparison::Sw] {
            for (name, attribute, json) in &terms {
                let Some(filter) = self.comparison(&attribute.path, operator, json) else { continue };
                // Where the filter does not say which element, it is the wider one.
                let exact = operator == Comparison::Eq && attribute.path.pick.is_none();
                let compared = if exact { vec![(*name).clone()] } else { Vec::new() };
                return Ok(Some(Way { filter: Some(filter), compared }));
            }
        }
        Ok((self.scan > 0).then(|| Way { filter: None, compared: Vec::new() }))
    }

    /// A way to a record that is likely to have these attributes besides its key: much shorter than reading all.
    pub(crate) fn hint(&self, kind: &KindPlan, attrs: &Attrs) -> Option<Way> {
        self.rules.as_ref()?;
        for operator in [Comparison::Eq, Comparison::Sw] {
            for (name, values) in attrs {
                let (Some(attribute), Some(value)) = (kind.attrs.get(name), values.first()) else { continue };
                let json = record::wire(name, attribute, value).ok()?;
                if let Some(filter) = self.comparison(&attribute.path, operator, &json) {
                    return Some(Way { filter: Some(filter), compared: Vec::new() });
                }
            }
        }
        None
    }

    /// The filter by which the server compares this attribute so, if it can.
    fn comparison(&self, path: &Path, operator: Comparison, json: &serde_json::Value) -> Option<Filter> {
        let rule = self.rule(path, operator)?;
        let text = text_of(json)?;
        let (op, value) = match operator {
            Comparison::Eq => (Op::Eq, literal(json)),
            // Everything begins with nothing.
            Comparison::Sw if text.is_empty() => return None,
            Comparison::Sw => (Op::Sw, Literal::Text(text)),
        };
        let path = AttrPath { urn: rule.urn.clone(), name: rule.name.clone(), sub: rule.sub.clone() };
        Some(Filter::Compare { path, op, value })
    }

    fn rule(&self, path: &Path, operator: Comparison) -> Option<&Path> {
        let rules = self.rules.as_ref().filter(|_| self.filters)?;
        let fits = |(rule, operators): &&(Path, Vec<Comparison>)| operators.contains(&operator) && meets(rule, path);
        rules.iter().find(fits).map(|(rule, _)| rule)
    }
}

/// Whether a rule's attribute is that of a key. A list without a sub-attribute means its values (RFC 7644, section 3.4.2.2).
fn meets(rule: &Path, path: &Path) -> bool {
    let same = |one: Option<&str>, other: Option<&str>| match (one, other) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        (None, other) => other.is_none_or(|other| other.eq_ignore_ascii_case("value")),
        (Some(_), None) => false,
    };
    rule.urn.as_deref().map(str::to_ascii_lowercase) == path.urn.as_deref().map(str::to_ascii_lowercase)
        && rule.name.eq_ignore_ascii_case(&path.name)
        && same(rule.sub.as_deref(), path.sub.as_deref())
}

fn literal(json: &serde_json::Value) -> Literal {
    match json {
        serde_json::Value::String(text) => Literal::Text(text.clone()),
        serde_json::Value::Bool(truth) => Literal::Bool(*truth),
        serde_json::Value::Number(number) => Literal::Number(number.clone()),
        serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => Literal::Null,
    }
}

fn term(path: &Path, value: Literal) -> Filter {
    let attr = |name: &str, sub: Option<&str>| AttrPath {
        urn: path.urn.clone(),
        name: name.to_owned(),
        sub: sub.map(str::to_owned),
    };
    let plain = |name: &str, value: Literal| Filter::Compare { path: AttrPath::name(name), op: Op::Eq, value };
    match (&path.pick, &path.sub) {
        (Some(pick), Some(sub)) => {
            let picked = text_of(&pick.value).map_or(Literal::Null, Literal::Text);
            let picked = pick.value.as_bool().map_or(picked, Literal::Bool);
            let inner = Filter::And(vec![plain(&pick.sub, picked), plain(sub, value)]);
            Filter::ValuePath { path: attr(&path.name, None), inner: Box::new(inner) }
        }
        (_, sub) => Filter::Compare { path: attr(&path.name, sub.as_deref()), op: Op::Eq, value },
    }
}

/// Whether a resource that a search found has the key: a search may be looser than it looks. What the server itself `compared` and
/// does not show is not held against the resource.
pub(crate) fn agrees(kind: &KindPlan, record: &Record, key: &BTreeMap<String, Value>, compared: &[String]) -> bool {
    key.iter().all(|(name, wanted)| {
        let exact = kind.attrs.get(name).is_some_and(|attribute| attribute.schema.case_exact);
        match record.attrs.get(name) {
            None => compared.contains(name),
            Some(held) => held.iter().any(|value| match (value, wanted) {
                (Value::Text(one), Value::Text(other)) if !exact => one.to_lowercase() == other.to_lowercase(),
                (one, other) => one == other,
            }),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Config,
        discovery::{Documents, understand},
        plan::{ACCOUNT, Plan},
    };
    use serde_json::json;

    const MAIL: &str = "emails[type eq \"work\"].value";

    fn plan(search: serde_json::Value, filters: bool) -> Plan {
        let config: Config =
            serde_json::from_value(json!({"http": {"url": "https://scim.example/v2"}, "search": search})).unwrap();
        let says = json!({"filter": {"supported": filters}});
        Plan::make(&config, understand(&Documents { config: Some(says), ..Documents::default() }, "/v2/"))
    }

    fn asked(plan: &Plan, key: &[(&str, &str)]) -> Option<(String, Vec<String>)> {
        let key = key.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
        let way = plan.search.way(&plan.kinds[&ACCOUNT.into()], &key).unwrap()?;
        Some((way.filter.map_or_else(|| "all".to_owned(), |filter| filter.to_string()), way.compared))
    }

    fn narrow(scan: u32) -> serde_json::Value {
        json!({"scan_pages": scan, "filters": [
            {"attribute": "displayName", "operators": ["sw"]}, {"attribute": "emails.value", "operators": ["sw"]},
            {"attribute": "externalId", "operators": ["sw", "eq"]},
        ]})
    }

    #[test]
    fn a_server_that_declares_nothing_is_asked_for_the_whole_key() {
        let told = asked(&plan(json!({}), true), &[("externalId", "a"), ("userName", "b")]).unwrap();
        assert_eq!(told.0, "externalId eq \"a\" and userName eq \"b\"");
        assert_eq!(told.1, ["externalId", "userName"]);
    }

    #[test]
    fn one_comparison_that_the_server_knows_narrows_and_the_stricter_one_goes_first() {
        let plan = plan(narrow(0), true);
        let told = |key: &[(&str, &str)]| asked(&plan, key);
        assert_eq!(
            told(&[(MAIL, "a@b"), ("externalId", "x")]).unwrap(),
            ("externalId eq \"x\"".into(), vec!["externalId".into()])
        );
        assert_eq!(told(&[(MAIL, "a@b"), ("userName", "x")]).unwrap(), ("emails.value sw \"a@b\"".into(), vec![]));
        assert_eq!((told(&[("userName", "x")]), told(&[(MAIL, "")])), (None, None));
    }

    #[test]
    fn all_is_read_only_where_the_configuration_says_how_far() {
        assert_eq!(asked(&plan(narrow(3), true), &[("userName", "x")]).unwrap(), ("all".into(), vec![]));
        assert_eq!(asked(&plan(json!({"scan_pages": 3}), false), &[("userName", "x")]).unwrap().0, "all");
        let nothing = plan(narrow(0), true);
        let account = &nothing.kinds[&ACCOUNT.into()];
        assert_eq!(account.caps.find_by, [["externalId"]]);
        assert!(nothing.warnings.iter().any(|warning| warning.contains("userName")), "{:?}", nothing.warnings);
        assert_eq!(plan(narrow(3), true).kinds[&ACCOUNT.into()].caps.find_by.len(), 2);
        assert!(plan(json!({}), false).kinds[&ACCOUNT.into()].caps.find_by.is_empty());
    }

    #[test]
    fn who_does_not_show_what_was_not_compared_is_not_the_one() {
        let plan = plan(narrow(3), true);
        let account = &plan.kinds[&ACCOUNT.into()];
        let raw = json!({"id": "1", "externalId": "x", "displayName": "Example"});
        let record = record::read(&plan, account, &raw, None).unwrap();
        let key = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), Value::from(value))]);
        assert!(agrees(account, &record, &key("externalId", "x"), &[]));
        assert!(!agrees(account, &record, &key("externalId", "X"), &[]));
        assert!(!agrees(account, &record, &key("userName", "t1"), &[]));
        assert!(agrees(account, &record, &key("userName", "t1"), &["userName".to_owned()]));
    }

    #[test]
    fn groups_are_searched_for_a_member_only_where_the_server_can_compare_members() {
        assert!(plan(json!({}), true).search.finds_members());
        assert!(!plan(narrow(3), true).search.finds_members() && !plan(json!({}), false).search.finds_members());
        let more = json!({"filters": [{"attribute": "members.value", "operators": ["eq"]}]});
        assert!(plan(more, true).search.finds_members());
    }
}
