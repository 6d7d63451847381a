//! idempotency: every write may be run twice.

use crate::{
    bench::{Bench, Ending, Stop, change_attr, ensure},
    faults::Fault,
};
use connector_spi::{AccountState, BatchOp, Batcher, Class, Ctx, Delta, Op, Outcome, Result, Value};
use futures_util::future::join_all;

pub(super) async fn replay_same_op_id_makes_one_account(b: &Bench<'_>) -> Ending {
    let (attrs, cx) = (b.minimal(b.account)?, b.ctx());
    let first = b.create_as(&cx, b.account, &attrs, &[]).await?;
    let again = b.create_as(&Ctx { attempt: 2, ..cx }, b.account, &attrs, &[]).await;
    match again {
        Ok(again) => ensure!(again.id == first.id, "the replay answers {}, the first call {}", again.id, first.id),
        Err(error) => ensure!(error.class == Class::AlreadyExists, "the replay is {error}, not AlreadyExists"),
    }
    let count = b.count(b.account, &attrs).await?;
    ensure!(count == 1, "after the replay there are {count} accounts");
    Ok(())
}

pub(super) async fn lost_response_then_retry_makes_one_account(b: &Bench<'_>) -> Ending {
    let proxy = b.proxy(Fault::ResetAfterSend)?;
    let (attrs, cx) = (b.minimal(b.account)?, b.ctx());
    proxy.set(Fault::ResetAfterSend).await;
    let lost = b.create_as(&cx, b.account, &attrs, &[]).await;
    proxy.set(Fault::Off).await;
    ensure!(lost.is_err(), "the answer was lost, but the connector tells {lost:?}");
    let again = b.create_as(&Ctx { attempt: 2, deadline: b.ctx().deadline, ..cx }, b.account, &attrs, &[]).await;
    if let Err(error) = again {
        ensure!(error.class == Class::AlreadyExists, "the retry is {error}, not AlreadyExists");
    }
    let count = b.count(b.account, &attrs).await?;
    ensure!(count == 1, "after the retry there are {count} accounts");
    Ok(())
}

pub(super) async fn concurrent_same_key_one_wins_other_already_exists(b: &Bench<'_>) -> Ending {
    let attrs = b.minimal(b.account)?;
    let contexts = [b.ctx(), b.ctx()];
    let outcomes = join_all(contexts.iter().map(|cx| b.create_as(cx, b.account, &attrs, &[]))).await;
    let won = outcomes.iter().filter(|outcome| outcome.as_ref().is_ok_and(|created| !created.adopted)).count();
    ensure!(won == 1, "of two creates with one key {won} made an account");
    for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        ensure!(error.class == Class::AlreadyExists, "the create that lost is {error}, not AlreadyExists");
    }
    let count = b.count(b.account, &attrs).await?;
    ensure!(count == 1, "afterwards there are {count} accounts");
    Ok(())
}

pub(super) async fn update_replay_is_noop(b: &Bench<'_>) -> Ending {
    b.needs("update", |caps| caps.update)?;
    let (id, _) = b.make(b.account).await?;
    let mut change = change_attr(&b.account.text, Delta::Set(vec!["Testperson 14 Example".into()]));
    if let Some((name, values)) = b.account.multi.as_ref().filter(|_| b.caps().is_ok_and(|caps| caps.patch_multi)) {
        let delta = Delta::Patch { add: values.iter().take(1).cloned().collect(), remove: Vec::new() };
        change.attrs.insert(name.clone(), delta);
    }
    let cx = b.ctx();
    b.update_as(&cx, &b.account.kind, &id, &change).await?;
    let once = b.read(&b.account.kind, &id).await?;
    b.update_as(&Ctx { attempt: 2, ..cx }, &b.account.kind, &id, &change).await?;
    let twice = b.read(&b.account.kind, &id).await?;
    ensure!(
        once.attrs == twice.attrs && once.state == twice.state,
        "the replay changed {:?} to {:?}",
        once.attrs,
        twice.attrs
    );
    Ok(())
}

fn batcher<'b>(b: &'b Bench<'_>) -> std::result::Result<&'b dyn Batcher, Stop> {
    b.needs("max_batch", |caps| caps.max_batch > 0)?;
    match b.connector.batcher() {
        Some(batcher) => Ok(batcher),
        None => Err(Stop::Failed("max_batch is declared, but the connector has no batches".into())),
    }
}

fn creation(b: &Bench<'_>, attrs: &connector_spi::Attrs) -> BatchOp {
    BatchOp::Create {
        op_id: b.ctx().op_id.to_string(),
        kind: b.account.kind.clone(),
        attrs: attrs.clone(),
        state: AccountState::Enabled,
        entitlements: Vec::new(),
    }
}

async fn applied(b: &Bench<'_>, ops: &[BatchOp]) -> std::result::Result<Vec<Result<Outcome>>, Stop> {
    let answers = batcher(b)?.apply(&b.ctx(), ops).await;
    for answer in &answers {
        if let Ok(Outcome::Created(created)) = &b.note(Op::Apply, "one of a batch", answer.clone()) {
            b.remember(&b.account.kind, &created.id);
        }
    }
    ensure!(answers.len() == ops.len(), "{} operations have {} answers", ops.len(), answers.len());
    Ok(answers)
}

/// The answer speaks of the account with these values.
async fn speaks_of(
    b: &Bench<'_>,
    answer: &Result<Outcome>,
    attrs: &connector_spi::Attrs,
) -> std::result::Result<bool, Stop> {
    let Ok(Outcome::Created(created)) = answer else { return Ok(false) };
    let hits = b.find(&b.account.kind, &b.key(b.account, attrs)?).await?;
    Ok(hits.iter().map(|record| &record.id).eq([&created.id]))
}

pub(super) async fn batch_same_length_same_order(b: &Bench<'_>) -> Ending {
    batcher(b)?;
    let all = [b.minimal(b.account)?, b.minimal(b.account)?, b.minimal(b.account)?];
    let ops: Vec<BatchOp> = all.iter().map(|attrs| creation(b, attrs)).collect();
    let answers = applied(b, &ops).await?;
    for (place, (answer, attrs)) in answers.iter().zip(&all).enumerate() {
        ensure!(speaks_of(b, answer, attrs).await?, "answer {place} is not that of operation {place}: {answer:?}");
    }
    Ok(())
}

pub(super) async fn batch_one_bad_item_does_not_fail_others(b: &Bench<'_>) -> Ending {
    batcher(b)?;
    let [first, mut bad, last] = [b.minimal(b.account)?, b.minimal(b.account)?, b.minimal(b.account)?];
    bad.insert("no-such-attribute".to_owned(), vec![Value::from("x")]);
    let ops = [creation(b, &first), creation(b, &bad), creation(b, &last)];
    let answers = applied(b, &ops).await?;
    let [one, two, three] = answers.as_slice() else {
        return Err(Stop::Failed(format!("three operations have {} answers", answers.len())));
    };
    ensure!(two.is_err(), "an operation with an attribute that does not exist succeeds");
    ensure!(speaks_of(b, one, &first).await?, "the operation before the bad one: {one:?}");
    ensure!(speaks_of(b, three, &last).await?, "the operation after the bad one: {three:?}");
    Ok(())
}
