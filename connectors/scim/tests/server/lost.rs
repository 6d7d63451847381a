//! Replies that never come.

use super::*;

/// How often each write loses its reply.
const LOST: u32 = 100;

/// Long enough for the work, too short for a reply that never comes.
fn short(stage: &Stage, op: &str) -> Ctx {
    stage.within(op, Duration::from_millis(1500))
}

#[tokio::test]
async fn a_hundred_creates_whose_replies_are_lost_make_a_hundred_accounts() {
    for (options, settings) in [(Options::default(), json!({})), (Options::strict(), strict())] {
        let stage = Stage::set(options, settings).await;
        stage.target.check(&stage.cx("check")).await.unwrap();
        stage.server.fail("CreateUser", Fault::TimeoutAfterCommit, LOST);
        let create = async |number: u32, attempt: u32| {
            let cx = Ctx { attempt, ..short(&stage, &format!("op-{number}")) };
            stage.target.create(&cx, &account(), &person(number), ENABLED, &[]).await
        };

        // when each is lost, and tried again
        let lost = join_all((0..LOST).map(|number| create(number, 1))).await;
        let again = join_all((0..LOST).map(|number| create(number, 2))).await;

        // then each is known again by the mark, and there is one of each
        assert!(lost.iter().all(|one| one.as_ref().is_err_and(|error| error.effect == Effect::Maybe)));
        let adopted: BTreeSet<String> =
            again.into_iter().map(|one| one.unwrap()).filter(|one| one.adopted).map(|one| one.id.0).collect();
        assert_eq!((adopted.len(), stage.all("users").len()), (100, 101));
        assert_eq!(stage.asked("CreateUser"), 100);
    }
}

#[tokio::test]
async fn a_hundred_changes_whose_replies_are_lost_are_made_once_each() {
    for (options, operation) in [(Options::default(), "PatchUser"), (Options::put_only(), "ReplaceUser")] {
        let stage = Stage::set(options, json!({})).await;
        let ids = people(&stage, LOST).await;
        stage.server.fail(operation, Fault::TimeoutAfterCommit, LOST);
        let change = async |id: &String| {
            let mut change = with_attr("title", Delta::Set(vec!["Dr".into()]));
            change.state = Some(AccountState::Disabled);
            stage.target.update(&short(&stage, id), &account(), &NativeId(id.clone()), &change).await
        };
        let lost = join_all(ids.iter().map(change)).await;
        assert!(lost.iter().all(|one| one.as_ref().is_err_and(|error| error.effect == Effect::Maybe)));
        // The closing goes first and alone, so it is what was done before the reply was lost.
        assert!(ids.iter().all(|id| stage.one("users", id)["active"] == json!(false)));
        for again in join_all(ids.iter().map(change)).await {
            again.unwrap();
        }
        assert!(ids.iter().all(|id| stage.one("users", id)["title"] == json!("Dr")));
    }
}

#[tokio::test]
async fn a_hundred_memberships_given_and_taken_with_lost_replies_are_given_and_taken() {
    let stage = Stage::set(Options { etag: false, ..Options::default() }, json!({})).await;
    let ids = people(&stage, LOST).await;
    for give in [true, false] {
        stage.server.fail("PatchGroup", Fault::TimeoutAfterCommit, LOST);
        let change = async |id: &String| {
            let ward = vec![Entitlement::new("group", "grp-ward")];
            let mut change = Change::default();
            if give {
                change.entitlements.add = ward;
            } else {
                change.entitlements.remove = ward;
            }
            stage.target.update(&short(&stage, id), &account(), &NativeId(id.clone()), &change).await
        };
        let lost = join_all(ids.iter().map(change)).await;
        assert!(lost.iter().all(|one| one.as_ref().is_err_and(|error| error.effect == Effect::Maybe)));
        for again in join_all(ids.iter().map(change)).await {
            again.unwrap();
        }
        assert_eq!(members(&stage, "grp-ward").len(), if give { 100 } else { 0 });
    }
}

#[tokio::test]
async fn a_hundred_deletes_whose_replies_are_lost_succeed_when_repeated() {
    let stage = Stage::set(Options::default(), json!({"account": {"allow_delete": true}})).await;
    let ids = people(&stage, LOST).await;
    stage.server.fail("DeleteUser", Fault::TimeoutAfterCommit, LOST);
    let delete = async |id: &String| stage.target.delete(&short(&stage, id), &account(), &NativeId(id.clone())).await;
    let lost = join_all(ids.iter().map(delete)).await;
    assert!(lost.iter().all(|one| one.as_ref().is_err_and(|error| error.effect == Effect::Maybe)));
    assert_eq!(stage.all("users").len(), 1);
    for again in join_all(ids.iter().map(delete)).await {
        again.unwrap();
    }
}

#[tokio::test]
async fn a_hundred_groups_whose_replies_are_lost_are_made_filled_and_ended_once_each() {
    for (options, operation) in [(Options::default(), "PatchGroup"), (Options::put_only(), "ReplaceGroup")] {
        let stage = Stage::set(options, json!({"groups": {"manage": "objects", "allow_delete": true}})).await;
        let named = |number: u32| {
            attrs(&[("displayName", &format!("Ward {number}")), ("externalId", &format!("gateway-{number}"))])
        };
        stage.target.check(&stage.cx("check")).await.unwrap();
        stage.server.fail("CreateGroup", Fault::TimeoutAfterCommit, LOST);
        let create = async |number: u32, attempt: u32| {
            let cx = Ctx { attempt, ..short(&stage, "c") };
            stage.target.create(&cx, &group(), &named(number), ENABLED, &[]).await
        };
        let lost = join_all((0..LOST).map(|number| create(number, 1))).await;
        assert!(lost.iter().all(|one| one.as_ref().is_err_and(|error| error.effect == Effect::Maybe)));
        let again = join_all((0..LOST).map(|number| create(number, 2))).await;
        let ids: BTreeSet<NativeId> = again.into_iter().map(|one| one.unwrap().id).collect();
        assert_eq!((ids.len(), stage.all("groups").len()), (100, 103));

        stage.server.fail(operation, Fault::TimeoutAfterCommit, LOST);
        let join = with_attr("members", Delta::Patch { add: vec!["usr-first".into()], remove: Vec::new() });
        let fill = async |id: &NativeId| stage.target.update(&short(&stage, "j"), &group(), id, &join).await;
        let lost = join_all(ids.iter().map(fill)).await;
        assert!(lost.iter().all(|one| one.as_ref().is_err_and(|error| error.effect == Effect::Maybe)));
        for again in join_all(ids.iter().map(fill)).await {
            again.unwrap();
        }
        assert!(ids.iter().all(|id| super::members(&stage, id.as_str()).len() == 1));

        stage.server.fail("DeleteGroup", Fault::TimeoutAfterCommit, LOST);
        let end = async |id: &NativeId| stage.target.delete(&short(&stage, "d"), &group(), id).await;
        let lost = join_all(ids.iter().map(end)).await;
        assert!(lost.iter().all(Result::is_err));
        for again in join_all(ids.iter().map(end)).await {
            again.unwrap();
        }
        assert_eq!(stage.all("groups").len(), 3);
    }
}
