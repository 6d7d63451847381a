//! What an expression may refer to: variables with their types, lookup tables, time zones.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::Value;

/// The type of a variable, an attribute or an intermediate result.
///
/// Types are declared to find mistakes when the configuration loads. At run time values are what the data says: a number
/// where text was declared stays a number. Cloning is cheap: trees are shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Anything; what is selected from it is not checked.
    Any,
    /// Unicode text. SCIM `string`, `reference`, `binary` (RFC 7643 section 2.3).
    Text,
    /// A whole number, 64 bits, signed.
    Integer,
    /// A binary floating point number, 64 bits.
    Decimal,
    /// `true` or `false`.
    Boolean,
    /// An instant. In the data it is text: RFC 3339, or a bare date, which means midnight UTC.
    Timestamp,
    /// A list; SCIM calls it multi-valued.
    List(Arc<Type>),
    /// A fixed set of attributes; selecting another one is a compile error. SCIM calls it complex.
    Object(Arc<BTreeMap<String, Type>>),
    /// Keys that are not known beforehand, all values of one type.
    Map(Arc<Type>),
}

impl Type {
    /// A list with elements of this type.
    #[must_use]
    pub fn list(element: Type) -> Type {
        Type::List(Arc::new(element))
    }

    /// An object with these attributes and no others.
    pub fn object<N: Into<String>>(fields: impl IntoIterator<Item = (N, Type)>) -> Type {
        Type::Object(Arc::new(fields.into_iter().map(|(n, t)| (n.into(), t)).collect()))
    }

    /// An open map: any key, values of this type.
    #[must_use]
    pub fn map(value: Type) -> Type {
        Type::Map(Arc::new(value))
    }

    /// The word for this type in messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Type::Any => "any value",
            Type::Text => "text",
            Type::Integer => "an integer",
            Type::Decimal => "a decimal",
            Type::Boolean => "a boolean",
            Type::Timestamp => "a timestamp",
            Type::List(_) => "a list",
            Type::Object(_) => "an object",
            Type::Map(_) => "a map",
        }
    }
}

/// One lookup table: key to value, compared exactly.
pub(crate) type Table = Arc<BTreeMap<String, Value>>;

/// The surroundings that expressions and templates are compiled in: which variables exist, of which type, which lookup
/// tables and time zones. Built once when the configuration loads, shared by all expressions.
#[derive(Clone, Debug, Default)]
pub struct Env {
    variables: BTreeMap<String, Type>,
    tables: BTreeMap<String, Table>,
    zones: BTreeMap<String, TimeZone>,
}

impl Env {
    /// An empty environment: only literals, functions and `now` are known.
    #[must_use]
    pub fn new() -> Env {
        Env::default()
    }

    /// Declares a variable, replacing an earlier one of that name. `now` is taken by the instant of evaluation and wins
    /// over a variable of that name.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, of: Type) -> Env {
        self.variables.insert(name.into(), of);
        self
    }

    /// Adds a table for `lookup(table, key, default)`.
    #[must_use]
    pub fn table<K: Into<String>>(
        mut self,
        name: impl Into<String>,
        rows: impl IntoIterator<Item = (K, Value)>,
    ) -> Env {
        let rows = rows.into_iter().map(|(k, v)| (k.into(), v)).collect();
        self.tables.insert(name.into(), Arc::new(rows));
        self
    }

    /// Names a time zone for `date(value, format, zone)`. The caller brings the zone's rules: nothing here reads a zone
    /// data base.
    #[must_use]
    pub fn zone(mut self, name: impl Into<String>, zone: TimeZone) -> Env {
        self.zones.insert(name.into(), zone);
        self
    }

    /// The declared variables and their types.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &Type)> {
        self.variables.iter().map(|(n, t)| (n.as_str(), t))
    }

    pub(crate) fn of(&self, variable: &str) -> Option<&Type> {
        self.variables.get(variable)
    }

    pub(crate) fn rows(&self, table: &str) -> Option<&Table> {
        self.tables.get(table)
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    pub(crate) fn zone_of(&self, name: &str) -> Option<&TimeZone> {
        self.zones.get(name)
    }

    pub(crate) fn zones(&self) -> impl Iterator<Item = &str> {
        self.zones.keys().map(String::as_str)
    }
}

/// The name among `known` that was probably meant, if one is near: same but for case first, then by edit distance of at
/// most a third of the length.
pub(crate) fn nearest<'n>(wanted: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let wanted = wanted.to_lowercase();
    // Two neighbouring letters swapped count as two changes, and are the commonest slip.
    let most = match wanted.chars().count() {
        0..=3 => 1,
        longer => (longer / 3).max(2),
    };
    known
        .map(|name| (distance(&wanted, &name.to_lowercase()), name))
        .filter(|(far, _)| *far <= most)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein's edit distance, one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, cb) in row.iter_mut().skip(1).zip(&b) {
            let here = (diagonal + usize::from(ca != *cb)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = here;
            left = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_single_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("username", "username"), 0);
    }

    #[test]
    fn the_nearest_name_ignores_case_and_refuses_the_far() {
        let names = ["userName", "displayName", "groups"];
        assert_eq!(nearest("username", names.into_iter()), Some("userName"));
        assert_eq!(nearest("grups", names.into_iter()), Some("groups"));
        assert_eq!(nearest("salary", names.into_iter()), None);
    }
}
