//! effect: what a closing really did.

use crate::bench::{Bench, Ending, Stop, change_state, ensure};
use connector_spi::{AccountState, EffectFacet, Op};

fn facet<'b>(b: &'b Bench<'_>) -> Result<&'b dyn EffectFacet, Stop> {
    match b.connector.effect() {
        Some(facet) => Ok(facet),
        None => Err(Stop::Failed("the capability is declared, but the connector has no such facet".into())),
    }
}

pub(super) async fn closed_account_cannot_log_in(b: &Bench<'_>) -> Ending {
    b.needs("effective", |caps| caps.effective)?;
    b.needs("disable", |caps| caps.disable)?;
    let (effect, kind) = (facet(b)?, &b.account.kind);
    // With everything that can be given: a target may let nobody in who has no position, department or role.
    let id = b.make_with(&b.subject.fixture.entitlements).await?;
    let open = b.note(Op::Effective, &id, effect.effective(&b.ctx(), kind, &id).await)?;
    b.update(kind, &id, &change_state(AccountState::Disabled)).await?;
    b.settle(kind).await;
    let closed = b.note(Op::Effective, &id, effect.effective(&b.ctx(), kind, &id).await)?;
    ensure!(open.can_login != Some(false), "an enabled account cannot log in: {:?}", open.why);
    ensure!(closed.can_login == Some(false), "for a disabled account the login answers {:?}", closed.can_login);
    Ok(())
}

pub(super) async fn revoke_without_sessions_is_ok(b: &Bench<'_>) -> Ending {
    b.needs("revoke_sessions", |caps| caps.revoke_sessions)?;
    let (effect, kind) = (facet(b)?, &b.account.kind);
    let (id, _) = b.make(b.account).await?;
    for _ in 0..2 {
        b.note(Op::RevokeSessions, &id, effect.revoke_sessions(&b.ctx(), kind, &id).await)?;
    }
    Ok(())
}
