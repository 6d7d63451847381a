//! Cutting a page out of an ordered listing.

use crate::query::{PageAsk, Position};
use scim::SortKey;
use std::cmp::Ordering;
use std::collections::VecDeque;

/// One resource's place in a listing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    /// What it is sorted by; `Missing` also where nothing is sorted by.
    pub(super) key: SortKey,
    /// Its number.
    pub(super) seq: i64,
}

impl Place {
    /// A place in the order of creation.
    pub(super) fn of(seq: i64) -> Self {
        Self { key: SortKey::Missing, seq }
    }

    /// The order of a listing: by key, then by number; descending is the exact reverse, so that ties stay apart either way.
    pub(super) fn compare(&self, other: &Self, descending: bool) -> Ordering {
        let order = self.key.cmp(&other.key).then(self.seq.cmp(&other.seq));
        if descending { order.reverse() } else { order }
    }

    /// The place as a text that survives between two pages.
    pub(super) fn position(&self) -> Position {
        let value = match &self.key {
            SortKey::Missing => None,
            SortKey::Text(text) => Some(format!("t{text}")),
            SortKey::Flag(flag) => Some(format!("f{flag}")),
            SortKey::Number(number) => Some(format!("n{number}")),
            SortKey::Instant(at) => Some(format!("i{at}")),
        };
        Position { value, seq: self.seq }
    }

    /// The place again. A text that is none of ours stands for a missing value.
    pub(super) fn at(position: &Position) -> Self {
        let read = |text: &str| {
            let (kind, rest) = text.split_at_checked(1)?;
            match kind {
                "t" => Some(SortKey::Text(rest.to_owned())),
                "f" => rest.parse().ok().map(SortKey::Flag),
                "n" => rest.parse().ok().map(SortKey::Number),
                "i" => rest.parse().ok().map(SortKey::Instant),
                _ => None,
            }
        };
        let key = position.value.as_deref().and_then(read).unwrap_or(SortKey::Missing);
        Self { key, seq: position.seq }
    }
}

/// A page, and what stands around it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Cut {
    /// What is on it.
    pub(super) places: Vec<Place>,
    /// How many there are in all.
    pub(super) total: u64,
    /// Some come before it.
    pub(super) before: bool,
    /// Some follow.
    pub(super) after: bool,
}

/// Takes places in order and keeps those of the page.
pub(super) struct Cutter<'a> {
    ask: &'a PageAsk,
    from: Option<Place>,
    descending: bool,
    count: usize,
    kept: VecDeque<Place>,
    cut: Cut,
}

impl<'a> Cutter<'a> {
    /// For a page of at most `count`.
    pub(super) fn new(ask: &'a PageAsk, descending: bool, count: u32) -> Self {
        let from = match ask {
            PageAsk::After(position) | PageAsk::Before(position) => Some(Place::at(position)),
            PageAsk::Index(_) | PageAsk::First => None,
        };
        Self { ask, from, descending, count: count as usize, kept: VecDeque::new(), cut: Cut::default() }
    }

    /// The next one of the listing.
    pub(super) fn offer(&mut self, place: Place) {
        self.cut.total += 1;
        let order = self.from.as_ref().map(|from| place.compare(from, self.descending));
        let skipped = match self.ask {
            PageAsk::Index(start) => self.cut.total < *start,
            PageAsk::First => false,
            PageAsk::After(_) => order != Some(Ordering::Greater),
            PageAsk::Before(_) => {
                if order == Some(Ordering::Less) {
                    self.kept.push_back(place);
                    if self.kept.len() > self.count {
                        self.kept.pop_front();
                        self.cut.before = true;
                    }
                } else {
                    self.cut.after = true;
                }
                return;
            }
        };
        if skipped {
            self.cut.before = true;
        } else if self.kept.len() < self.count {
            self.kept.push_back(place);
        } else {
            self.cut.after = true;
        }
    }

    /// The page.
    pub(super) fn finish(self) -> Cut {
        Cut { places: self.kept.into(), ..self.cut }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn cut(ask: &PageAsk, count: u32) -> (Vec<i64>, bool, bool) {
        let mut cutter = Cutter::new(ask, false, count);
        (1..=5).for_each(|seq| cutter.offer(Place::of(seq)));
        let cut = cutter.finish();
        assert_eq!(cut.total, 5);
        (cut.places.iter().map(|place| place.seq).collect(), cut.before, cut.after)
    }

    #[test]
    fn each_way_of_asking_gives_its_part() {
        assert_eq!(cut(&PageAsk::Index(2), 2), (vec![2, 3], true, true));
        assert_eq!(cut(&PageAsk::Index(9), 2), (vec![], true, false));
        assert_eq!(cut(&PageAsk::First, 5), (vec![1, 2, 3, 4, 5], false, false));
        assert_eq!(cut(&PageAsk::After(Place::of(3).position()), 5), (vec![4, 5], true, false));
        assert_eq!(cut(&PageAsk::Before(Place::of(4).position()), 2), (vec![2, 3], true, true));
    }

    #[test]
    fn every_kind_of_key_survives_between_pages() {
        for key in [
            SortKey::Missing,
            SortKey::Text(String::new()),
            SortKey::Text("tab".into()),
            SortKey::Flag(true),
            SortKey::Number(serde_json::Number::from(-3)),
            SortKey::Instant("2026-02-03T04:05:06Z".parse().unwrap()),
        ] {
            let place = Place { key, seq: 7 };
            assert_eq!(Place::at(&place.position()), place);
        }
    }
}
