//! Sort order (RFC 7644, section 3.4.2.3).

use crate::matches::{Doc, any_element, compare_numbers, fold, instant};
use crate::path::AttrPath;
use crate::schema::Type;
use crate::types::ResourceType;
use jiff::Timestamp;
use serde_json::{Number, Value};
use std::cmp::Ordering;

/// By what a resource is sorted. Ascending order has the values first and the missing ones last; descending order is the
/// reverse of it.
#[derive(Debug, Clone, PartialEq)]
pub enum SortKey {
    /// `false` before `true`.
    Flag(bool),
    /// By size.
    Number(Number),
    /// By moment.
    Instant(Timestamp),
    /// By the folded text.
    Text(String),
    /// The resource has no value.
    Missing,
}

impl SortKey {
    /// The key of a resource: of several values the primary one, or else the first. Letter case counts where the schema
    /// says so. A complex attribute named as a whole stands for its `value`.
    pub fn of(path: &AttrPath, ty: &ResourceType, doc: &Doc<'_>) -> SortKey {
        let Some(found) = ty.resolve(path) else { return SortKey::Missing };
        let sub = found.sub.or(found.attribute.default_sub());
        let leaf = sub.unwrap_or(found.attribute);
        let primary = found.attribute.sub("primary");
        let mut key = SortKey::Missing;
        any_element(ty, doc, &found, &mut |element| {
            let is_primary = primary
                .and_then(|primary| element.leaf(Some(primary)))
                .is_some_and(|seen| matches!(seen, crate::matches::Seen::Json(Value::Bool(true))));
            if let Some(seen) = element.leaf(sub)
                && (is_primary || key == SortKey::Missing)
            {
                key = match (&seen, seen.text()) {
                    (_, Some(text)) => match instant(text) {
                        Some(moment) if leaf.ty == Type::DateTime => SortKey::Instant(moment),
                        _ => SortKey::Text(fold(leaf, text).into_owned()),
                    },
                    (crate::matches::Seen::Json(Value::Bool(flag)), None) => SortKey::Flag(*flag),
                    (crate::matches::Seen::Json(Value::Number(number)), None) => SortKey::Number(number.clone()),
                    _ => SortKey::Missing,
                };
            }
            is_primary && key != SortKey::Missing
        });
        key
    }

    fn rank(&self) -> u8 {
        match self {
            SortKey::Flag(_) => 0,
            SortKey::Number(_) => 1,
            SortKey::Instant(_) => 2,
            SortKey::Text(_) => 3,
            SortKey::Missing => 4,
        }
    }
}

impl Eq for SortKey {}

impl PartialOrd for SortKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SortKey {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (SortKey::Flag(one), SortKey::Flag(two)) => one.cmp(two),
            (SortKey::Number(one), SortKey::Number(two)) => compare_numbers(one, two).unwrap_or(Ordering::Equal),
            (SortKey::Instant(one), SortKey::Instant(two)) => one.cmp(two),
            (SortKey::Text(one), SortKey::Text(two)) => one.cmp(two),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}
