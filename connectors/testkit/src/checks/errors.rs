//! errors: what the connector makes of a fault between it and the target.

use crate::{
    bench::{Bench, Ending, Stop, ensure},
    faults::Fault,
};
use connector_spi::{Class, ConnError, Created, Effect, Op, Result};
use std::time::Duration;
use tokio::time::Instant;

/// Runs one call while the fault is on.
async fn under<T>(b: &Bench<'_>, fault: Fault, call: impl Future<Output = T>) -> std::result::Result<T, Stop> {
    let proxy = b.proxy(fault)?;
    proxy.set(fault).await;
    let outcome = call.await;
    proxy.set(Fault::Off).await;
    Ok(outcome)
}

/// Reads an account while the fault is on; the read must fail.
async fn read_under(b: &Bench<'_>, fault: Fault) -> std::result::Result<ConnError, Stop> {
    b.proxy(fault)?;
    let (id, _) = b.make(b.account).await?;
    match under(b, fault, b.get(&b.account.kind, &id)).await? {
        Err(error) => Ok(error),
        Ok(found) => Err(Stop::Failed(format!("under {fault:?} the read answers {found:?}"))),
    }
}

/// Creates an account while the fault is on; the create must fail. Also says how many accounts there are then.
async fn create_under(b: &Bench<'_>, fault: Fault) -> std::result::Result<(ConnError, usize), Stop> {
    b.proxy(fault)?;
    let (attrs, cx) = (b.minimal(b.account)?, b.ctx());
    let outcome: Result<Created> = under(b, fault, b.create_as(&cx, b.account, &attrs, &[])).await?;
    let count = b.count(b.account, &attrs).await?;
    match outcome {
        Err(error) => Ok((error, count)),
        Ok(created) => Err(Stop::Failed(format!("under {fault:?} the create answers {created:?}"))),
    }
}

fn is(error: &ConnError, classes: &[Class]) -> Ending {
    ensure!(classes.contains(&error.class), "expected {classes:?}, got {error}");
    Ok(())
}

pub(super) async fn throttled_with_retry_after(b: &Bench<'_>) -> Ending {
    let error = read_under(b, Fault::Throttled { retry_after: Duration::from_secs(7) }).await?;
    is(&error, &[Class::Throttled])?;
    let wait = error.retry_after_ms.unwrap_or(0);
    ensure!((6_000..=8_000).contains(&wait), "the target asked for 7 s, the error says {wait} ms");
    Ok(())
}

pub(super) async fn unavailable_is_transient(b: &Bench<'_>) -> Ending {
    let error = read_under(b, Fault::Unavailable).await?;
    is(&error, &[Class::Transient])?;
    ensure!(error.effect == Effect::None, "the effect is {:?}", error.effect);
    Ok(())
}

pub(super) async fn reset_before_send_is_effect_none(b: &Bench<'_>) -> Ending {
    let (error, count) = create_under(b, Fault::ResetBeforeSend).await?;
    is(&error, &[Class::Transient])?;
    ensure!(error.effect == Effect::None, "nothing was sent, but the effect is {:?}", error.effect);
    ensure!(count == 0, "nothing was sent, but there are {count} accounts");
    Ok(())
}

pub(super) async fn reset_after_send_is_effect_maybe(b: &Bench<'_>) -> Ending {
    let (error, _) = create_under(b, Fault::ResetAfterSend).await?;
    is(&error, &[Class::Timeout, Class::Unknown])?;
    ensure!(error.effect == Effect::Maybe, "the change may have happened, but the effect is {:?}", error.effect);
    Ok(())
}

pub(super) async fn slow_body_hits_deadline(b: &Bench<'_>) -> Ending {
    b.proxy(Fault::SlowBody)?;
    let (id, _) = b.make(b.account).await?;
    let (limit, begun) = (Duration::from_secs(2), Instant::now());
    let cx = b.within(limit);
    let kind = &b.account.kind;
    let call = tokio::time::timeout(limit * 3, b.connector.get(&cx, kind, &id));
    let outcome = under(b, Fault::SlowBody, call).await?;
    let took = begun.elapsed();
    let Ok(outcome) = outcome else {
        return Err(Stop::Failed(format!("with {limit:?} the call has not ended after {took:?}")));
    };
    ensure!(took <= limit + Duration::from_millis(500), "with {limit:?} the call took {took:?}");
    match b.note(Op::Get, &id, outcome) {
        Ok(found) => Err(Stop::Failed(format!("a body that never ended answers {found:?}"))),
        Err(error) => is(&error, &[Class::Timeout, Class::Transient]),
    }
}

pub(super) async fn html_instead_of_json_is_unknown(b: &Bench<'_>) -> Ending {
    let error = read_under(b, Fault::Html).await?;
    is(&error, &[Class::Unknown])
}

pub(super) async fn unauthorized_midrun_is_auth(b: &Bench<'_>) -> Ending {
    let error = read_under(b, Fault::Unauthorized).await?;
    is(&error, &[Class::Auth])?;
    let (id, _) = b.make(b.account).await?;
    b.read(&b.account.kind, &id).await?;
    Ok(())
}
