//! What is about to be sent for a link, and the id under which it is.

use gateway_domain::diff;
use gateway_domain::link::{Delta, Link, Sent};

/// What is about to be sent: recorded in the claim's transaction.
pub(crate) fn prepare(link: &Link) -> Sent {
    let delta = diff::delta(link);
    let made = link.sent.as_ref().is_some_and(|sent| sent.made || sent.delta == Delta::Create);
    let gave = diff::gives(link, &delta);
    let op_id = op_id(link, &delta);
    Sent { generation: link.generation, op_id, delta, made, gave }
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
