//! What happened to a target's accounts between one reading and the next.

use super::scenes::{Account, Accounts};

/// Counts over all readings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    /// Accounts in use now.
    pub in_use: usize,
    /// Accounts that came.
    pub made: usize,
    /// Accounts whose facts or entitlements changed while in use.
    pub changed: usize,
    /// Accounts that were closed.
    pub ended: usize,
    /// Entitlements that came.
    pub given: usize,
    /// Entitlements that went.
    pub taken: usize,
}

impl Changes {
    /// The changes along a story of readings, oldest first.
    pub fn of(story: &[&Accounts]) -> Changes {
        let mut changes = Changes::default();
        for pair in story.windows(2) {
            if let [before, after] = pair {
                for (number, account) in *after {
                    changes.count(before.get(number), account);
                }
            }
        }
        changes.in_use = story.last().map_or(0, |last| last.values().filter(|account| account.enabled).count());
        changes
    }

    fn count(&mut self, before: Option<&Account>, after: &Account) {
        let Some(before) = before else {
            self.made += 1;
            self.given += after.holds.len();
            return;
        };
        self.given += after.holds.difference(&before.holds).count();
        self.taken += before.holds.difference(&after.holds).count();
        if before.enabled && !after.enabled {
            self.ended += 1;
        } else if before != after {
            self.changed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(enabled: bool, holds: &[&str]) -> Account {
        Account { enabled, facts: Default::default(), holds: holds.iter().map(|one| (*one).to_owned()).collect() }
    }

    #[test]
    fn a_joiner_a_mover_and_a_leaver_are_counted_once_each() {
        let start = Accounts::from([("1".into(), account(true, &["a"])), ("2".into(), account(true, &["a"]))]);
        let end = Accounts::from([
            ("1".into(), account(true, &["b"])),
            ("2".into(), account(false, &[])),
            ("3".into(), account(true, &["a", "b"])),
        ]);

        let changes = Changes::of(&[&start, &end]);

        assert_eq!(changes, Changes { in_use: 2, made: 1, changed: 1, ended: 1, given: 3, taken: 2 });
    }
}
