//! Replies that never come.

use super::*;
use async_trait::async_trait;
use connector_testkit::lost::{Line, Losing, is_unknown, times};
use futures_util::{StreamExt, stream};
use std::collections::BTreeMap;

/// A call with patience: nothing here is a matter of speed.
fn patient(stage: &Stage, op: &str) -> Ctx {
    stage.within(op, Duration::from_secs(60))
}

/// The calls under way at a time.
const AT_ONCE: usize = 32;

async fn each<I, T, F: Future<Output = T>>(all: impl IntoIterator<Item = I>, what: impl Fn(I) -> F) -> Vec<T> {
    stream::iter(all.into_iter().map(what)).buffered(AT_ONCE).collect().await
}

/// A server that does the work and then hangs up.
async fn losing(options: Options, more: Json) -> Stage {
    let mut settings = json!({"http": {"timeout": 60}});
    support::laid_over(&mut settings, more);
    Stage::set(Options { silence: Duration::from_millis(5), ..options }, settings).await
}

fn unknown<T>(lost: &[connector_spi::Result<T>]) -> bool {
    lost.iter().all(|one| one.as_ref().is_err_and(is_unknown))
}

#[tokio::test]
async fn a_hundred_creates_whose_replies_are_lost_make_a_hundred_accounts() {
    let count = times() as usize;
    for (options, settings) in [(Options::default(), json!({})), (Options::strict(), strict())] {
        let stage = losing(options, settings).await;
        stage.target.check(&stage.cx("check")).await.unwrap();
        stage.server.fail("CreateUser", Fault::TimeoutAfterCommit, times());
        let create = async |number: u32, attempt: u32| {
            let cx = Ctx { attempt, ..patient(&stage, &format!("op-{number}")) };
            stage.target.create(&cx, &account(), &person(number), ENABLED, &[]).await
        };

        // when each is lost, and tried again
        let lost = each(0..times(), |number| create(number, 1)).await;
        let again = each(0..times(), |number| create(number, 2)).await;

        // then each is known again by the mark, and there is one of each
        assert!(unknown(&lost));
        let adopted: BTreeSet<String> =
            again.into_iter().map(|one| one.unwrap()).filter(|one| one.adopted).map(|one| one.id.0).collect();
        assert_eq!((adopted.len(), stage.all("users").len()), (count, count + 1));
        assert_eq!(stage.asked("CreateUser"), count);
    }
}

#[tokio::test]
async fn a_hundred_changes_whose_replies_are_lost_are_made_once_each() {
    for (options, operation) in [(Options::default(), "PatchUser"), (Options::put_only(), "ReplaceUser")] {
        let stage = losing(options, json!({})).await;
        let ids = people(&stage, times()).await;
        stage.server.fail(operation, Fault::TimeoutAfterCommit, times());
        let change = async |id: &String| {
            let mut change = with_attr("title", Delta::Set(vec!["Dr".into()]));
            change.state = Some(AccountState::Disabled);
            stage.target.update(&patient(&stage, id), &account(), &NativeId(id.clone()), &change).await
        };
        let lost = each(&ids, change).await;
        assert!(unknown(&lost));
        // The closing goes first and alone, so it is what was done before the reply was lost.
        assert!(stage.all("users").iter().skip(1).all(|one| one["active"] == json!(false)));
        for again in each(&ids, change).await {
            again.unwrap();
        }
        assert!(stage.all("users").iter().skip(1).all(|one| one["title"] == json!("Dr")));
    }
}

#[tokio::test]
async fn a_hundred_memberships_given_and_taken_with_lost_replies_are_given_and_taken() {
    let stage = losing(Options { etag: false, ..Options::default() }, json!({})).await;
    let ids = people(&stage, times()).await;
    for give in [true, false] {
        stage.server.fail("PatchGroup", Fault::TimeoutAfterCommit, times());
        let change = async |id: &String| {
            let ward = vec![Entitlement::new("group", "grp-ward")];
            let mut change = Change::default();
            if give {
                change.entitlements.add = ward;
            } else {
                change.entitlements.remove = ward;
            }
            stage.target.update(&patient(&stage, id), &account(), &NativeId(id.clone()), &change).await
        };
        let lost = each(&ids, change).await;
        assert!(unknown(&lost));
        for again in each(&ids, change).await {
            again.unwrap();
        }
        assert_eq!(members(&stage, "grp-ward").len(), if give { ids.len() } else { 0 });
    }
}

#[tokio::test]
async fn a_hundred_deletes_whose_replies_are_lost_succeed_when_repeated() {
    let stage = losing(Options::default(), json!({"account": {"allow_delete": true}})).await;
    let ids = people(&stage, times()).await;
    stage.server.fail("DeleteUser", Fault::TimeoutAfterCommit, times());
    let delete = async |id: &String| stage.target.delete(&patient(&stage, id), &account(), &NativeId(id.clone())).await;
    let lost = each(&ids, delete).await;
    assert!(unknown(&lost));
    assert_eq!(stage.all("users").len(), 1);
    for again in each(&ids, delete).await {
        again.unwrap();
    }
}

#[tokio::test]
async fn a_hundred_groups_whose_replies_are_lost_are_made_filled_and_ended_once_each() {
    for (options, operation) in [(Options::default(), "PatchGroup"), (Options::put_only(), "ReplaceGroup")] {
        let stage = losing(options, json!({"groups": {"manage": "objects", "allow_delete": true}})).await;
        let named = |number: u32| {
            attrs(&[("displayName", &format!("Ward {number}")), ("externalId", &format!("gateway-{number}"))])
        };
        stage.target.check(&stage.cx("check")).await.unwrap();
        stage.server.fail("CreateGroup", Fault::TimeoutAfterCommit, times());
        let create = async |number: u32, attempt: u32| {
            let cx = Ctx { attempt, ..patient(&stage, "c") };
            stage.target.create(&cx, &group(), &named(number), ENABLED, &[]).await
        };
        let lost = each(0..times(), |number| create(number, 1)).await;
        assert!(unknown(&lost));
        let again = each(0..times(), |number| create(number, 2)).await;
        let ids: BTreeSet<NativeId> = again.into_iter().map(|one| one.unwrap().id).collect();
        let count = times() as usize;
        assert_eq!((ids.len(), stage.all("groups").len()), (count, count + 3));

        stage.server.fail(operation, Fault::TimeoutAfterCommit, times());
        let join = with_attr("members", Delta::Patch { add: vec!["usr-first".into()], remove: Vec::new() });
        let fill = async |id: &NativeId| stage.target.update(&patient(&stage, "j"), &group(), id, &join).await;
        let lost = each(&ids, fill).await;
        assert!(unknown(&lost));
        for again in each(&ids, fill).await {
            again.unwrap();
        }
        let made = |one: &Json| ids.contains(&NativeId::from(one["id"].as_str().unwrap()));
        let filled = stage.all("groups").into_iter().filter(made);
        assert!(filled.into_iter().all(|one| one["members"].as_array().is_some_and(|all| all.len() == 1)));

        stage.server.fail("DeleteGroup", Fault::TimeoutAfterCommit, times());
        let end = async |id: &NativeId| stage.target.delete(&patient(&stage, "d"), &group(), id).await;
        let lost = each(&ids, end).await;
        assert!(unknown(&lost));
        for again in each(&ids, end).await {
            again.unwrap();
        }
        assert_eq!(stage.all("groups").len(), 3);
    }
}

#[async_trait]
impl Line for Stage {
    async fn lose(&self, operation: &str) {
        self.server.fail(operation, Fault::TimeoutAfterCommit, times());
    }

    async fn keep(&self) {
        self.server.faults().clear();
    }

    async fn asked(&self, operation: &str) -> u64 {
        Stage::asked(self, operation) as u64
    }

    async fn seen(&self, ids: &[NativeId]) -> Vec<String> {
        let all: BTreeMap<String, String> =
            self.all("users").iter().map(|one| (one["id"].as_str().unwrap().to_owned(), one.to_string())).collect();
        ids.iter().map(|id| all[id.as_str()].clone()).collect()
    }
}

#[tokio::test]
async fn every_change_of_an_account_is_made_once_however_often_its_reply_is_lost() {
    for (options, operation) in [(Options::default(), "PatchUser"), (Options::put_only(), "ReplaceUser")] {
        let stage = &losing(options, json!({})).await;
        let connectors = vec![stage.target.clone(); 16];
        let losing = Losing { connectors, host: stage.host.clone(), kind: account(), line: stage };
        let ids = losing.create("CreateUser", person, "externalId", &[]).await;
        let role = Entitlement::new("role", "nurse");
        let mut give = Change::default();
        give.entitlements.add = vec![role.clone()];
        let mut take = Change::default();
        take.entitlements.remove = vec![role];
        let state = |state| Change { state: Some(state), ..Change::default() };
        for change in [
            with_attr("title", Delta::Set(vec!["Dr".into()])),
            with_attr("displayName", Delta::Clear),
            give,
            take,
            state(AccountState::Disabled),
            state(ENABLED),
        ] {
            losing.change(operation, &ids, &change, true).await;
        }
        assert_eq!(stage.all("users").len(), times() as usize + 1);
    }
}
