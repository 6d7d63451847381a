//! check: is the target there, and does it let us in?

use crate::{
    bench::{Bench, Ending, Stop, ensure, untested},
    host::TestHost,
};
use connector_spi::{Class, ConnError, Health, Host, Op, Result};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

pub(super) async fn no_side_effects(b: &Bench<'_>) -> Ending {
    let Some(probe) = &b.subject.probe else {
        untested!("nothing looks at the target past the connector"; add "[harness] address, where a proxy can count writes (in a crate Subject::probe)")
    };
    b.make(b.account).await?;
    let before = probe.state().await;
    for _ in 0..3 {
        b.note(Op::Check, (), b.connector.check(&b.ctx()).await)?;
    }
    ensure!(probe.state().await == before, "check changed the target's state");
    Ok(())
}

/// `check` of a connector whose secrets are all wrong.
pub(super) async fn check_with_wrong_secret(b: &Bench<'_>) -> std::result::Result<ConnError, Stop> {
    b.has_secrets()?;
    let host = TestHost::with(b.subject.secrets.clone(), b.subject.network.clone());
    host.replace_secrets(|secret| format!("{secret}-wrong"));
    let outcome = async {
        let opened = b.subject.kind.open_json(b.subject.config.clone(), Arc::clone(&host) as Arc<dyn Host>).await?;
        opened.check(&host.ctx()).await
    };
    match b.note(Op::Check, "with a wrong secret", outcome.await) {
        Err(error) => Ok(error),
        Ok(_) => Err(Stop::Failed("a wrong secret is accepted".into())),
    }
}

pub(super) async fn wrong_secret_is_auth(b: &Bench<'_>) -> Ending {
    let error = check_with_wrong_secret(b).await?;
    ensure!(error.class == Class::Auth, "a wrong secret is {}, not Auth", error.class);
    Ok(())
}

pub(super) async fn wrong_host_is_config_or_transient(b: &Bench<'_>) -> Ending {
    let Some(config) = &b.subject.wrong_host else {
        untested!("no address is given at which nothing listens"; add "[harness] address (in a crate Subject::wrong_host)")
    };
    let outcome: Result<Health> =
        async { b.open(config.clone()).await?.check(&b.within(Duration::from_secs(5))).await }.await;
    match b.note(Op::Check, "at a wrong address", outcome) {
        Ok(_) => Err(Stop::Failed("a wrong address answers".into())),
        Err(error) => {
            let fine = matches!(error.class, Class::Config | Class::Transient);
            ensure!(fine, "a wrong address is {}, not Config or Transient", error.class);
            Ok(())
        }
    }
}

pub(super) async fn finishes_before_deadline(b: &Bench<'_>) -> Ending {
    let (begun, limit) = (Instant::now(), Duration::from_secs(5));
    let ended = tokio::time::timeout(limit * 2, b.connector.check(&b.within(limit))).await;
    let took = begun.elapsed();
    ensure!(ended.is_ok() && took <= limit, "check with {limit:?} took {took:?} or more");
    Ok(())
}
