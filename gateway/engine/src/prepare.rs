//! What is about to be sent for a link, and the id under which it is.

use gateway_domain::diff;
use gateway_domain::link::{Delta, Link, Sent};

/// Most natural keys that are remembered of one object: names change seldom, and answers get lost seldom.
const KEYS: usize = 16;

/// What is about to be sent: recorded in the claim's transaction. What earlier calls may have done, whose outcome is not known, is
/// carried over.
pub(crate) fn prepare(link: &Link) -> Sent {
    let delta = diff::delta(link);
    let before = link.sent.as_ref();
    let made = before.is_some_and(|sent| sent.made || sent.delta == Delta::Create);
    let wrote = before.is_some_and(|sent| sent.wrote || matches!(sent.delta, Delta::Create | Delta::Update(_)));
    let mut under = before.map(|sent| sent.under.clone()).unwrap_or_default();
    if let Some(sent) = before.filter(|sent| !sent.key.is_empty() && !under.contains(&sent.key)) {
        under.push(sent.key.clone());
        under.drain(..under.len().saturating_sub(KEYS));
    }
    Sent {
        generation: link.generation,
        op_id: op_id(link, &delta),
        made,
        wrote,
        gave: diff::gives(link, &delta),
        key: diff::names(link, &delta),
        under,
        looked: false,
        late: before.filter(|_| delta == Delta::Read).and_then(|sent| sent.late.clone()),
        delta,
    }
}

/// The change's own id: the same for every attempt at one generation and delta, another for the next. Members come and go
/// without a new generation: each claim that carries some is a change of its own, or a target that keeps ids would take
/// somebody's return for a repetition.
fn op_id(link: &Link, delta: &Delta) -> String {
    let turn = link.members.as_ref().map(|_| link.fence);
    let text = match turn {
        None => serde_json::to_vec(&(&link.key, link.generation, delta)),
        Some(turn) => serde_json::to_vec(&(&link.key, link.generation, delta, turn)),
    }
    .unwrap_or_default();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &text);
    digest.as_ref().iter().take(16).map(|octet| format!("{octet:02x}")).collect()
}
