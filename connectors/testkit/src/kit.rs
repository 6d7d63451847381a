//! The run: every check over one subject, one after the other.

use crate::{
    bench::{Bench, Run, Stop},
    capture::{Captured, Recorder},
    checks::{self, Check},
    faults::Fault,
    host::TestHost,
    report::{Report, Row, Verdict},
    subject::Subject,
};
use connector_spi::{ConnError, Connector, Host, TargetSchema};
use futures_util::FutureExt;
use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};

/// Longest time of one check. A connector that has not ended a check by then hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// Names of all checks, in the order of the contract.
#[must_use]
pub fn names() -> Vec<&'static str> {
    checks::ALL.iter().map(|check| check.name).collect()
}

/// Runs every check.
///
/// Run it on a current-thread runtime (the default of `#[tokio::test]`): then what the connector's own background tasks log is
/// seen too. What the run made in the target is deleted again where the target can delete.
pub async fn run(subject: &Subject) -> Report {
    run_only(subject, |_| true).await
}

/// Runs the checks whose name is wanted.
pub async fn run_only(subject: &Subject, wanted: impl Fn(&str) -> bool) -> Report {
    let captured = Captured::default();
    let _guard = tracing::subscriber::set_default(Recorder::new(captured.clone()));
    let host = TestHost::with(subject.secrets.clone(), subject.network.clone());
    let chosen = checks::ALL.iter().filter(|check| wanted(check.name));
    let connector = subject.kind.name().to_owned();
    let (opened, schema) = match open(subject, &host).await {
        Ok(opened) => opened,
        Err(error) => {
            let reason = format!("the connector does not open or has no schema: {error}");
            let failed = |check: &Check| Row {
                check: check.name,
                verdict: Verdict::Failed { reason: reason.clone(), exchange: Vec::new() },
            };
            return Report { connector, rows: chosen.map(failed).collect() };
        }
    };
    let run = Run {
        subject,
        host,
        connector: opened,
        schema,
        captured,
        // Eight digits, so that texts built from them keep their length; at random, so that two runs over one target do not meet.
        numbers: AtomicU64::new(10_000_000 + RandomState::new().hash_one(0) % 80_000_000),
        given: Mutex::default(),
        made: Mutex::default(),
    };
    let mut rows = Vec::new();
    for check in chosen {
        rows.push(Row { check: check.name, verdict: one(&run, check).await });
        if let Some(proxy) = &subject.faults {
            proxy.set(Fault::Off).await;
        }
    }
    clear_away(&run).await;
    Report { connector, rows }
}

async fn open(subject: &Subject, host: &Arc<TestHost>) -> Result<(Arc<dyn Connector>, TargetSchema), ConnError> {
    let connector = subject.kind.open_json(subject.config.clone(), Arc::clone(host) as Arc<dyn Host>).await?;
    let schema = connector.schema(&host.ctx()).await?;
    Ok((connector, schema))
}

async fn one(run: &Run<'_>, check: &Check) -> Verdict {
    let bench = Bench::new(run);
    let ending = tokio::time::timeout(PATIENCE, AssertUnwindSafe((check.run)(&bench)).catch_unwind()).await;
    let reason = match ending {
        Ok(Ok(Ok(()))) => return Verdict::Passed,
        Ok(Ok(Err(Stop::NotApplicable(because)))) => return Verdict::NotApplicable { because },
        Ok(Ok(Err(Stop::Untested { because, add }))) => return Verdict::Untested { because, add },
        Ok(Ok(Err(Stop::Failed(reason)))) => reason,
        Ok(Err(_panic)) => "the connector panicked".to_owned(),
        Err(_elapsed) => format!("the check has not ended after {PATIENCE:?}"),
    };
    let scrub =
        |text: String| run.subject.secrets.values().fold(text, |text, secret| text.replace(secret.as_str(), "***"));
    Verdict::Failed { reason: scrub(reason), exchange: bench.exchange() }
}

/// Deletes what was made, as well as it goes: the verdicts are in already.
async fn clear_away(run: &Run<'_>) {
    let made = std::mem::take(&mut *run.made.lock().unwrap_or_else(PoisonError::into_inner));
    for (kind, id) in made {
        if run.schema.kinds.get(&kind).is_some_and(|kind| kind.caps.delete) {
            // What cannot be deleted stays: the target is a test's own.
            drop(run.connector.delete(&run.host.ctx(), &kind, &id).await);
        }
    }
}
