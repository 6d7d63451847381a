//! Which resources a filter can match at most, by index. [`scim::matches`] decides among them.

use super::ids::number;
use super::list::Deadline;
use super::members::{direct, leaves, parents, seq_of};
use super::names::Sort;
use super::turn::{Shared, type_of};
use crate::error::Result;
use gateway_domain::{SourceId, index};
use rusqlite::Connection;
use scim::{AttrPath, Filter, Literal, Op, ResourceType, Type};

/// A way to candidates.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Choice {
    /// The resource of this id.
    Id(String),
    /// Those with this folded value of an index key.
    Equal { key: String, value: String },
    /// Those with a value that starts so.
    Prefix { key: String, start: String },
    /// Groups with this direct member.
    HasMember(String),
    /// What is in this group, also through others.
    InGroup(String),
    /// Those of any of these.
    Any(Vec<Choice>),
}

impl Choice {
    /// The best way for a filter; `None` when every resource must be looked at.
    pub(super) fn of(filter: &Filter, ty: &ResourceType, source: &SourceId) -> Option<Self> {
        match filter {
            Filter::And(terms) => terms.iter().filter_map(|term| Self::of(term, ty, source)).min_by_key(Self::cost),
            Filter::Or(terms) => {
                let ways: Option<Vec<Self>> = terms.iter().map(|term| Self::of(term, ty, source)).collect();
                ways.map(Self::Any)
            }
            Filter::Compare { path, op, value: Literal::Text(text) } => Self::compare(path, *op, text, ty, source),
            Filter::ValuePath { path, inner } if path.sub.is_none() => Self::inside(path, inner, ty, source),
            Filter::ValuePath { .. } | Filter::Compare { .. } | Filter::Present(_) | Filter::Not(_) => None,
        }
    }

    fn compare(path: &AttrPath, op: Op, text: &str, ty: &ResourceType, source: &SourceId) -> Option<Self> {
        let found = ty.resolve(path)?;
        if op == Op::Eq && found.extension.is_none() {
            match (found.attribute.name.as_str(), found.sub.map(|sub| sub.name.as_str())) {
                ("id", None) => return Some(Self::Id(text.to_owned())),
                ("members", None | Some("value")) if ty.accepts_members() => {
                    return Some(Self::HasMember(text.to_owned()));
                }
                ("groups", None | Some("value")) => return Some(Self::InGroup(text.to_owned())),
                _ => {}
            }
        }
        // A complex attribute named as a whole stands for its `value`.
        let whole = found.sub.is_none().then(|| found.attribute.default_sub()).flatten();
        let path = match whole {
            Some(sub) => AttrPath { sub: Some(sub.name.clone()), ..path.clone() },
            None => path.clone(),
        };
        let leaf = whole.unwrap_or_else(|| found.leaf());
        // Dates that differ as texts may be one moment: an index of texts cannot answer for them.
        if !matches!(leaf.ty, Type::String | Type::Reference | Type::Binary) {
            return None;
        }
        let key = index::key(ty, &path, source)?;
        let value = scim::fold(leaf, text).into_owned();
        match op {
            Op::Eq => Some(Self::Equal { key, value }),
            Op::Sw if !value.is_empty() => Some(Self::Prefix { key, start: value }),
            _ => None,
        }
    }

    /// `emails[type eq "work" and value eq "…"]`: what stands in the brackets, as if it stood outside. That finds more, never less.
    fn inside(path: &AttrPath, inner: &Filter, ty: &ResourceType, source: &SourceId) -> Option<Self> {
        let outside = |name: &AttrPath| AttrPath { sub: Some(name.name.clone()), ..path.clone() };
        match inner {
            Filter::And(terms) => {
                terms.iter().filter_map(|term| Self::inside(path, term, ty, source)).min_by_key(Self::cost)
            }
            Filter::Or(terms) => {
                let ways: Option<Vec<Self>> = terms.iter().map(|term| Self::inside(path, term, ty, source)).collect();
                ways.map(Self::Any)
            }
            Filter::Compare { path: name, op, value: Literal::Text(text) } if name.sub.is_none() => {
                Self::compare(&outside(name), *op, text, ty, source)
            }
            Filter::ValuePath { .. } | Filter::Compare { .. } | Filter::Present(_) | Filter::Not(_) => None,
        }
    }

    /// Fewest candidates first, as far as that can be told without looking.
    fn cost(&self) -> usize {
        match self {
            Self::Id(_) => 1,
            Self::Equal { .. } => 2,
            Self::HasMember(_) => 3,
            Self::Any(ways) => ways.iter().map(Self::cost).sum::<usize>() + 4,
            Self::Prefix { .. } => 10,
            Self::InGroup(_) => 11,
        }
    }

    /// Whether it leads to a handful, as far as that can be told without looking.
    pub(super) fn few(&self) -> bool {
        match self {
            Self::Id(_) | Self::Equal { .. } => true,
            Self::Any(ways) => ways.len() <= 32 && ways.iter().all(Self::few),
            Self::HasMember(_) | Self::Prefix { .. } | Self::InGroup(_) => false,
        }
    }

    /// The candidates of a type, in order.
    pub(super) fn seqs(&self, conn: &Connection, shared: &Shared, ty: i64, deadline: &Deadline) -> Result<Vec<i64>> {
        let mut found = Vec::new();
        self.gather(conn, shared, ty, deadline, &mut found)?;
        found.retain(|seq| type_of(*seq) == ty);
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    fn gather(
        &self,
        conn: &Connection,
        shared: &Shared,
        ty: i64,
        deadline: &Deadline,
        found: &mut Vec<i64>,
    ) -> Result<()> {
        match self {
            Self::Id(id) => found.extend(seq_of(conn, id)?),
            Self::Equal { key, value } => {
                let Some(key) = shared.names.id(Sort::Key(ty), key) else { return Ok(()) };
                let mut statement = conn.prepare_cached("SELECT resource FROM lookup WHERE key = ?1 AND value = ?2")?;
                let mut rows = statement.query((key, value))?;
                while let Some(row) = rows.next()? {
                    deadline.check(found.len())?;
                    found.push(row.get(0)?);
                }
            }
            Self::Prefix { key, start } => {
                let Some(key) = shared.names.id(Sort::Key(ty), key) else { return Ok(()) };
                // Two statements: an end that may be missing would be no bound of the range.
                let (sql, end) = match end_of(start) {
                    Some(end) => ("SELECT resource FROM lookup WHERE key = ?1 AND value >= ?2 AND value < ?3", end),
                    None => {
                        ("SELECT resource FROM lookup WHERE key = ?1 AND value >= ?2 AND value >= ?3", start.clone())
                    }
                };
                let mut statement = conn.prepare_cached(sql)?;
                let mut rows = statement.query((key, start, end))?;
                while let Some(row) = rows.next()? {
                    deadline.check(found.len())?;
                    found.push(row.get(0)?);
                }
            }
            Self::HasMember(id) => {
                if let Some(seq) = seq_of(conn, id)? {
                    found.extend(parents(conn, seq)?);
                }
            }
            Self::InGroup(id) => {
                if let Some(group) = seq_of(conn, id)? {
                    found.extend(leaves(conn, direct(conn, group)?, ty)?);
                }
            }
            Self::Any(ways) => {
                for way in ways {
                    way.gather(conn, shared, ty, deadline, found)?;
                }
            }
        }
        Ok(())
    }
}

/// The first text behind all those that start so; `None` when there is none.
fn end_of(start: &str) -> Option<String> {
    let mut end = start.to_owned();
    while let Some(last) = end.pop() {
        // Surrogates are no characters; behind them it goes on.
        let next = match u32::from(last) + 1 {
            0xD800 => 0xE000,
            next => next,
        };
        if let Some(next) = char::from_u32(next) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

/// How many of an index key's entries there are.
pub(super) fn entries(conn: &Connection, key: i64) -> Result<u64> {
    let mut statement = conn.prepare_cached("SELECT count(*) FROM lookup WHERE key = ?1")?;
    Ok(statement.query_row([key], |row| row.get::<_, i64>(0)).map(|many| u64::try_from(many).unwrap_or(0))?)
}

/// A limit or an offset as SQLite takes it.
pub(super) fn bound(many: u64) -> i64 {
    number(many)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use scim::Types;

    fn choice(filter: &str) -> Option<Choice> {
        let types = Types::built_in();
        Choice::of(&Filter::parse(filter).unwrap(), types.user(), &"feed".into())
    }

    fn equal(key: &str, value: &str) -> Choice {
        Choice::Equal { key: key.into(), value: value.into() }
    }

    #[test]
    fn an_equality_is_looked_up_under_the_folded_value() {
        assert_eq!(choice(r#"userName eq "ABC""#), Some(equal("userName", "abc")));
        assert_eq!(choice(r#"externalId eq "ABC""#), Some(equal("externalId@feed", "ABC")));
    }

    #[test]
    fn of_several_terms_the_sharpest_is_taken() {
        assert_eq!(choice(r#"active eq true and displayName sw "a" and id eq "1""#), Some(Choice::Id("1".into())));
    }

    #[test]
    fn an_alternative_without_index_means_looking_at_everything() {
        assert_eq!(choice(r#"userName eq "a" or title eq "b""#), None);
        assert_eq!(choice(r#"not (userName eq "a")"#), None);
    }

    #[test]
    fn an_e_mail_address_is_found_in_every_spelling_of_the_filter() {
        let wanted = Some(equal("emails.value", "a@x.example"));
        for filter in [
            r#"emails eq "A@x.example""#,
            r#"emails.value eq "a@x.example""#,
            r#"emails[value eq "a@x.example"]"#,
            r#"emails[type eq "work" and value eq "a@X.example"]"#,
        ] {
            assert_eq!(choice(filter), wanted, "{filter}");
        }
    }

    #[test]
    fn a_prefix_ends_before_the_next_text() {
        assert_eq!(end_of("ab"), Some("ac".into()));
        assert_eq!(end_of("a\u{10FFFF}"), Some("b".into()));
        assert_eq!(end_of("\u{D7FF}"), Some("\u{E000}".into()));
        assert_eq!(end_of("\u{10FFFF}"), None);
    }
}
