//! entitlements: giving and taking, by type, value and scope.

use crate::bench::{Bench, Ending, Stop, change_entitlements, ensure, not_applicable, untested};
use connector_spi::{Class, Entitlement, KindRole, NativeId, Op};

/// What the account holds, as read.
async fn held(b: &Bench<'_>, id: &NativeId) -> Result<Vec<Entitlement>, Stop> {
    let record = b.read(&b.account.kind, id).await?;
    record.entitlements.ok_or_else(|| Stop::Failed("the account's entitlements are not read".into()))
}

async fn give(b: &Bench<'_>, id: &NativeId, add: &[Entitlement], remove: &[Entitlement]) -> Ending {
    let change = change_entitlements(&held(b, id).await?, add, remove);
    let updated = b.update(&b.account.kind, id, &change).await?;
    ensure!(updated.failed.is_empty(), "a legal change failed in part: {:?}", updated.failed);
    Ok(())
}

fn times(held: &[Entitlement], one: &Entitlement) -> usize {
    held.iter().filter(|other| other.same_grant(one)).count()
}

pub(super) async fn add_twice_ok(b: &Bench<'_>) -> Ending {
    let (one, _) = b.two_entitlements()?;
    let id = b.make_with(&[]).await?;
    for _ in 0..2 {
        give(b, &id, std::slice::from_ref(one), &[]).await?;
    }
    let count = times(&held(b, &id).await?, one);
    ensure!(count == 1, "given twice, it is held {count} times");
    Ok(())
}

pub(super) async fn remove_absent_ok(b: &Bench<'_>) -> Ending {
    let (one, other) = b.two_entitlements()?;
    let id = b.make_with(std::slice::from_ref(other)).await?;
    give(b, &id, &[], std::slice::from_ref(one)).await?;
    ensure!(times(&held(b, &id).await?, other) == 1, "taking what was absent took something else");
    Ok(())
}

pub(super) async fn scope_is_distinct(b: &Bench<'_>) -> Ending {
    b.has_entitlements()?;
    let [here, there, ..] = b.subject.fixture.scoped.as_slice() else {
        untested!("no entitlement is given in two scopes"; add "scoped to the legal values, where entitlements have scopes")
    };
    let id = b.make_with(&[here.clone(), there.clone()]).await?;
    let both = held(b, &id).await?;
    ensure!(times(&both, here) == 1 && times(&both, there) == 1, "given in two scopes, it is held as {both:?}");
    give(b, &id, &[], std::slice::from_ref(here)).await?;
    let rest = held(b, &id).await?;
    ensure!(times(&rest, here) == 0 && times(&rest, there) == 1, "taken in one scope, it is held as {rest:?}");
    Ok(())
}

pub(super) async fn unknown_is_invalid(b: &Bench<'_>) -> Ending {
    let unknown = b.unknown_entitlement()?;
    let id = b.make_with(&[]).await?;
    let change = change_entitlements(&held(b, &id).await?, std::slice::from_ref(unknown), &[]);
    let class = match b.update(&b.account.kind, &id, &change).await {
        Ok(updated) => updated.failed.first().map(|part| part.error.class),
        Err(error) => Some(error.class),
    };
    ensure!(class == Some(Class::Invalid), "an entitlement that does not exist is {class:?}, not Invalid");
    Ok(())
}

pub(super) async fn swap_in_one_change(b: &Bench<'_>) -> Ending {
    let (old, new) = b.two_entitlements()?;
    let id = b.make_with(std::slice::from_ref(old)).await?;
    give(b, &id, std::slice::from_ref(new), std::slice::from_ref(old)).await?;
    let now = held(b, &id).await?;
    ensure!(times(&now, old) == 0 && times(&now, new) == 1, "after the swap it holds {now:?}");
    Ok(())
}

pub(super) async fn catalogue_has_every_one_seen(b: &Bench<'_>) -> Ending {
    let listed = |kind| b.schema.kinds.get(kind).is_some_and(|kind| kind.caps.list);
    b.has_entitlements()?;
    if !b.schema.kinds.values().any(|kind| kind.role == KindRole::Entitlement && kind.caps.list) {
        not_applicable!("no kind of entitlement declares list")
    }
    let all: Vec<Entitlement> =
        b.subject.fixture.entitlements.iter().filter(|one| listed(&one.kind)).cloned().collect();
    let Some(lister) = b.connector.lister().filter(|_| !all.is_empty()) else {
        untested!("none of the entitlements is of a type that can be listed"; add "one to entitlements in the legal values")
    };
    let id = b.make_with(&all).await?;
    for one in held(b, &id).await?.iter().filter(|one| listed(&one.kind)) {
        let (mut cursor, mut found) = (None, false);
        for _ in 0..1000 {
            let page = b.note(Op::List, &one.kind, lister.list(&b.ctx(), &one.kind, cursor.as_ref(), 100).await)?;
            found |= page.items.iter().any(|record| record.id == one.value);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        ensure!(found, "{}:{} is held, but the catalogue does not have it", one.kind, one.value);
    }
    Ok(())
}

pub(super) async fn order_is_kept(b: &Bench<'_>) -> Ending {
    b.has_entitlements()?;
    let [first, second, ..] = b.subject.fixture.ordered.as_slice() else {
        untested!("no entitlements with an order are given"; add "ordered to the legal values, where a type keeps an order")
    };
    let id = b.make_with(&[second.clone(), first.clone()]).await?;
    let now = held(b, &id).await?;
    for one in [first, second] {
        let order = now.iter().find(|other| other.same_grant(one)).and_then(|other| other.order);
        ensure!(order == one.order, "{} was given place {:?} and is read at {order:?}", one.value, one.order);
    }
    Ok(())
}

pub(super) async fn foreign_one_survives(b: &Bench<'_>) -> Ending {
    let (foreign, ours) = b.two_entitlements()?;
    let id = b.make_with(std::slice::from_ref(foreign)).await?;
    give(b, &id, std::slice::from_ref(ours), &[]).await?;
    give(b, &id, &[], std::slice::from_ref(ours)).await?;
    let now = held(b, &id).await?;
    ensure!(times(&now, foreign) == 1, "giving and taking ours took what others gave: {now:?}");
    ensure!(times(&now, ours) == 0, "what was taken is still held: {now:?}");
    Ok(())
}
