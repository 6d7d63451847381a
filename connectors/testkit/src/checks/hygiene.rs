//! hygiene: nothing slips out, nothing is left behind.

use super::{check, config_schema};
use crate::{
    bench::{Bench, Ending, Stop, change_attr, ensure},
    capture::{LINE_LIMIT, disguises},
    faults::Fault,
    host::EVENT_LIMIT,
};
use connector_spi::{ConnError, Ctx, Delta, Level, Op, Secret};
use futures_util::future::join_all;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};

const PASSWORD: &str = "Pass-canary-8Zr!word";
const LITERAL: &str = "literal-canary-9vd";

/// Opens, checks, writes, sets a password, fails: the calls in which a secret could slip out.
async fn busy_day(b: &Bench<'_>) -> Ending {
    let opened = b.open(b.subject.config.clone()).await?;
    opened.check(&b.ctx()).await?;
    let (id, _) = b.make(b.account).await?;
    b.update(&b.account.kind, &id, &change_attr(&b.account.text, Delta::Set(vec!["Testperson 16 Example".into()])))
        .await?;
    if let Some(passwords) = b.connector.passwords().filter(|_| b.caps().is_ok_and(|caps| caps.set_password)) {
        let password = Secret::new(PASSWORD.to_owned());
        b.note(Op::SetPassword, &id, passwords.set_password(&b.ctx(), &b.account.kind, &id, &password).await)?;
    }
    if !b.subject.secrets.is_empty() {
        check::check_with_wrong_secret(b).await?;
    }
    Ok(())
}

/// Every form of every secret of the run, with a name that does not give it away.
fn secrets(b: &Bench<'_>) -> Vec<(String, Vec<String>)> {
    let given = b.subject.secrets.iter().map(|(name, secret)| (format!("the secret {name}"), disguises(secret)));
    given.chain([("a password".to_owned(), disguises(PASSWORD))]).collect()
}

/// All that was logged, as (at least information, line).
fn lines(b: &Bench<'_>) -> Result<Vec<(bool, String)>, Stop> {
    let (logged, told) = (b.run.captured.lines(), b.run.host.events());
    let whole = logged.len() < LINE_LIMIT && told.len() < EVENT_LIMIT;
    ensure!(whole, "the run logs more than can be looked at: {} lines and {} events", logged.len(), told.len());
    let logged = logged.into_iter().map(|(level, line)| (level <= tracing::Level::INFO, line));
    let told = told.into_iter().map(|event| (event.level != Level::Debug, event.line()));
    Ok(logged.chain(told).collect())
}

pub(super) async fn no_secret_values(b: &Bench<'_>) -> Ending {
    busy_day(b).await?;
    let lines = lines(b)?;
    for (name, forms) in secrets(b) {
        let shown = lines.iter().any(|(_, line)| forms.iter().any(|form| line.contains(form.as_str())));
        ensure!(!shown, "{name} stands in the log");
    }
    Ok(())
}

pub(super) async fn no_attribute_values_at_info(b: &Bench<'_>) -> Ending {
    busy_day(b).await?;
    let given = b.run.given.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    for (_, line) in lines(b)?.iter().filter(|(shown, _)| *shown) {
        let leaked = given.iter().filter(|text| text.chars().count() >= 6).any(|text| line.contains(text.as_str()));
        ensure!(!leaked, "a value of an attribute stands in the log at information level or above");
    }
    Ok(())
}

pub(super) async fn error_message_has_no_secret(b: &Bench<'_>) -> Ending {
    b.has_secrets()?;
    let mut errors: Vec<ConnError> = vec![check::check_with_wrong_secret(b).await?];
    if let Ok(proxy) = b.proxy(Fault::Unauthorized) {
        proxy.set(Fault::Unauthorized).await;
        errors.extend(b.get(&b.account.kind, &b.account.absent).await.err());
        proxy.set(Fault::Off).await;
    }
    let mut texts: Vec<String> = errors.iter().map(|error| format!("{error:?}")).collect();
    for pointer in config_schema::secrets(&b.subject.config, &b.subject.secrets) {
        let mut config = b.subject.config.clone();
        if let Some(place) = config.pointer_mut(&pointer) {
            *place = json!(LITERAL);
        }
        texts.extend(b.subject.kind.check_json(&config).iter().map(|issue| format!("{issue:?}")));
        texts.extend(b.open(config).await.err().map(|error| format!("{error:?}")));
    }
    let mut all = secrets(b);
    all.push(("a literal secret".to_owned(), disguises(LITERAL)));
    for (name, forms) in all {
        let shown = texts.iter().any(|text| forms.iter().any(|form| text.contains(form.as_str())));
        ensure!(!shown, "{name} stands in an error");
    }
    Ok(())
}

/// Calls at a time.
const PARALLEL: usize = 32;

pub(super) async fn n_parallel_calls(b: &Bench<'_>) -> Ending {
    let one = async || -> Ending {
        let (id, attrs) = b.make(b.account).await?;
        let record = b.read(&b.account.kind, &id).await?;
        let wanted = b.key(b.account, &attrs)?;
        let held =
            wanted.iter().all(|(name, value)| record.attrs.get(name).is_some_and(|values| values.contains(value)));
        ensure!(record.id == id && held, "a call got the record of another");
        Ok(())
    };
    join_all((0..PARALLEL).map(|_| one())).await.into_iter().collect()
}

pub(super) async fn cancel_stops_work(b: &Bench<'_>) -> Ending {
    let (attrs, cx) = (b.minimal(b.account)?, b.ctx());
    {
        let call = b.create_as(&cx, b.account, &attrs, &[]);
        // Begun, and dropped in the middle unless it is done already.
        let _ended: Result<_, _> = timeout(Duration::from_millis(1), call).await;
    }
    sleep(Duration::from_millis(500)).await;
    let soon = b.find(&b.account.kind, &b.key(b.account, &attrs)?).await?;
    sleep(Duration::from_secs(2)).await;
    let later = b.find(&b.account.kind, &b.key(b.account, &attrs)?).await?;
    for record in &later {
        b.remember(&b.account.kind, &record.id);
    }
    ensure!(soon.len() == later.len(), "a call that was given up went on in secret and made an account");
    b.make(b.account).await?;
    Ok(())
}

pub(super) async fn shutdown_within_5s(b: &Bench<'_>) -> Ending {
    let opened = b.open(b.subject.config.clone()).await?;
    opened.check(&b.ctx()).await?;
    let left = Arc::downgrade(&opened);
    let begun = Instant::now();
    drop(opened);
    while left.strong_count() > 0 && begun.elapsed() < Duration::from_secs(5) {
        sleep(Duration::from_millis(50)).await;
    }
    ensure!(left.strong_count() == 0, "five seconds after it was closed the connector is still held by its own work");
    Ok(())
}

/// Records in a listing that must not be held at once.
const MANY: u32 = 10_000;
/// More pages than any target of a test has.
const PAGES: u32 = 100_000;
/// Records where the target cannot be filled quickly.
const FEW: u32 = 12;

pub(super) async fn ten_thousand_list_bounded(b: &Bench<'_>) -> Ending {
    b.needs("list", |caps| caps.list)?;
    let kind = &b.account.kind;
    let seeded = match &b.subject.probe {
        Some(probe) => probe.seed(kind, MANY).await,
        None => false,
    };
    let (least, size) = if seeded { (MANY, 100) } else { (FEW, 5) };
    if !seeded {
        for _ in 0..FEW {
            b.make(b.account).await?;
        }
    }
    let Some(lister) = b.connector.lister() else {
        return Err(Stop::Failed("list is declared, but there is no lister".into()));
    };
    let (mut cursor, mut total, mut pages) = (None, 0_usize, 0_u32);
    loop {
        pages += 1;
        ensure!(pages <= PAGES, "the listing has no end");
        let page = lister.list(&b.ctx(), kind, cursor.as_ref(), size).await?;
        let count = page.items.len();
        ensure!(
            u32::try_from(count).is_ok_and(|count| count <= size),
            "a page of at most {size} holds {count} records"
        );
        total += count;
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    ensure!(u32::try_from(total).is_ok_and(|total| total >= least), "of at least {least} records {total} are listed");
    Ok(())
}

pub(super) async fn dry_run_sends_no_write(b: &Bench<'_>) -> Ending {
    let (id, _) = b.make(b.account).await?;
    let before = b.read(&b.account.kind, &id).await?;
    let state = match &b.subject.probe {
        Some(probe) => Some(probe.state().await),
        None => None,
    };
    let events = b.run.host.events().len();
    let dry = || Ctx { dry_run: true, ..b.ctx() };
    let attrs = b.minimal(b.account)?;
    let kind = &b.account.kind;
    let created = b.connector.create(&dry(), kind, &attrs, connector_spi::AccountState::Enabled, &[]).await.map(drop);
    let change = change_attr(&b.account.text, Delta::Set(vec!["Testperson 17 Example".into()]));
    let updated = b.update_as(&dry(), kind, &id, &change).await.map(drop);
    let deleted = if b.caps()?.delete { b.connector.delete(&dry(), kind, &id).await } else { Ok(()) };
    let mut worked = 0;
    for outcome in [b.note(Op::Create, "dry", created), updated, b.note(Op::Delete, "dry", deleted)] {
        match outcome {
            Ok(()) => worked += 1,
            Err(error) => {
                let refused = error.class == connector_spi::Class::Unsupported;
                ensure!(refused, "a dry run is {error}, neither done nor Unsupported");
            }
        }
    }
    ensure!(b.count(b.account, &attrs).await? == 0, "a dry run made an account");
    let after = b.get(kind, &id).await?;
    ensure!(after.as_ref() == Some(&before), "a dry run changed an account: {after:?}");
    if let (Some(probe), Some(state)) = (&b.subject.probe, state) {
        ensure!(probe.state().await == state, "a dry run changed the target's state");
    }
    ensure!(worked < 2 || b.run.host.events().len() > events, "a dry run does not tell what it would send");
    Ok(())
}
