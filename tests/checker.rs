//! Holds what clients were told against what targets hold. Knows nothing of the gateway.
//!
//! A client writes down each change it asked for, in order, and whether it was acknowledged. At the end a target may hold,
//! for each person, the newest acknowledged value or one asked for later whose answer never came; anything older is a lost
//! change or an older one over a newer. Of a person whose access may have ended the account need not exist (nobody opens
//! one only to close it), and where it is closed it need not follow what was changed about the person afterwards: closing
//! never waits for attributes. As soon as the account is enabled, everything counts again.

use std::collections::BTreeMap;

/// What a client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// The person's mark from now on; marks grow.
    Mark(u64),
    /// The person may log in, or not.
    Active(bool),
}

/// One request of a client's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it asked for.
    pub asked: Asked,
    /// It was answered with success.
    pub acknowledged: bool,
}

/// A client's history of one person, from the create on.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The create was acknowledged.
    pub created: bool,
    /// Requests in order.
    pub requests: Vec<Request>,
}

/// A person as a target holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The mark.
    pub mark: u64,
    /// May log in.
    pub enabled: bool,
}

/// What is wrong at the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Acknowledged, and not in the target.
    pub lost: Vec<String>,
    /// In the target more than once.
    pub twice: Vec<String>,
    /// Older than what was acknowledged last.
    pub older: Vec<String>,
    /// Enabled after an acknowledged deactivation.
    pub open: Vec<String>,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        *self == Verdict::default()
    }
}

/// Judges one target. `held` has every record that the target holds under each person's name.
pub fn judge(histories: &BTreeMap<String, History>, held: &BTreeMap<String, Vec<Held>>) -> Verdict {
    let mut verdict = Verdict::default();
    for (name, history) in histories {
        let records = held.get(name).map_or(&[][..], Vec::as_slice);
        match records {
            [] if history.created && !may_be_closed(history) => verdict.lost.push(name.clone()),
            [] => {}
            [only] => judge_one(name, history, only, &mut verdict),
            _ => verdict.twice.push(name.clone()),
        }
    }
    verdict
}

fn judge_one(name: &str, history: &History, held: &Held, verdict: &mut Verdict) {
    let marks = |request: &Request| matches!(request.asked, Asked::Mark(_));
    let follows = held.enabled || !may_be_closed(history);
    if follows && !allowed(history, marks).contains(&Asked::Mark(held.mark)) {
        verdict.older.push(format!("{name}: holds mark {}", held.mark));
    }
    if !allowed(history, states).contains(&Asked::Active(held.enabled)) {
        let list = if held.enabled { &mut verdict.open } else { &mut verdict.older };
        list.push(name.to_owned());
    }
}

fn states(request: &Request) -> bool {
    matches!(request.asked, Asked::Active(_))
}

/// Whether the person's access may have ended, by what was acknowledged and asked for since.
fn may_be_closed(history: &History) -> bool {
    allowed(history, states).contains(&Asked::Active(false))
}

/// The newest acknowledged value and every later one that was never answered.
fn allowed(history: &History, of: impl Fn(&Request) -> bool) -> Vec<Asked> {
    let of_kind: Vec<&Request> = history.requests.iter().filter(|request| of(request)).collect();
    let newest = of_kind.iter().rposition(|request| request.acknowledged).unwrap_or(0);
    of_kind.get(newest..).unwrap_or_default().iter().map(|request| request.asked.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(asked: Asked, acknowledged: bool) -> Request {
        Request { asked, acknowledged }
    }

    fn verdict(requests: Vec<Request>, held: Vec<Held>) -> Verdict {
        let histories = BTreeMap::from([("p".to_owned(), History { created: true, requests })]);
        judge(&histories, &BTreeMap::from([("p".to_owned(), held)]))
    }

    fn story() -> Vec<Request> {
        vec![
            asked(Asked::Mark(1), true),
            asked(Asked::Active(true), true),
            asked(Asked::Mark(2), true),
            asked(Asked::Active(false), true),
            asked(Asked::Mark(3), false),
        ]
    }

    fn of_an_active_person() -> Vec<Request> {
        vec![
            asked(Asked::Mark(1), true),
            asked(Asked::Active(true), true),
            asked(Asked::Mark(2), true),
            asked(Asked::Mark(3), false),
        ]
    }

    #[test]
    fn the_newest_acknowledged_or_a_later_unanswered_one_is_right() {
        for mark in [2, 3] {
            assert!(verdict(of_an_active_person(), vec![Held { mark, enabled: true }]).is_clean());
            assert!(verdict(story(), vec![Held { mark, enabled: false }]).is_clean());
        }
    }

    #[test]
    fn of_a_leaver_no_account_or_a_closed_one_with_an_earlier_mark_is_right() {
        assert!(verdict(story(), vec![]).is_clean());
        assert!(verdict(story(), vec![Held { mark: 1, enabled: false }]).is_clean());
    }

    #[test]
    fn every_wrong_is_seen() {
        assert_eq!(verdict(of_an_active_person(), vec![]).lost.len(), 1);
        let right = Held { mark: 3, enabled: false };
        assert_eq!(verdict(story(), vec![right.clone(), right]).twice.len(), 1);
        assert_eq!(verdict(of_an_active_person(), vec![Held { mark: 1, enabled: true }]).older.len(), 1);
        assert_eq!(verdict(of_an_active_person(), vec![Held { mark: 2, enabled: false }]).older.len(), 1);
        assert_eq!(verdict(story(), vec![Held { mark: 2, enabled: true }]).open.len(), 1);
    }
}
