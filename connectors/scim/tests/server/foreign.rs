//! What others gave stays, through a thousand changes of ours; and what was not read whole is no basis for writing it.

use super::*;
use async_trait::async_trait;
use connector_spi::EntitlementChange;
use connector_testkit::foreign::{Foreign, OtherHand};

/// Somebody in the hospital.
#[async_trait]
impl OtherHand for Stage {
    async fn give(&self, id: &NativeId, one: &Entitlement) {
        let given = match one.kind.as_str() {
            "group" => self.server.join(one.value.as_str(), id.as_str()),
            _ => self.server.give_role(id.as_str(), one.value.as_str()),
        };
        assert!(given, "{one:?}");
    }

    async fn held(&self, id: &NativeId) -> Vec<(String, String)> {
        let state = self.server.state();
        let (users, groups) = (state["users"].as_array().unwrap(), state["groups"].as_array().unwrap());
        let is_member = |group: &&Json| {
            group["members"].as_array().is_some_and(|all| all.iter().any(|member| member["value"] == id.as_str()))
        };
        let name = |kind: &str, one: &Json| (format!("{kind}:{}", one.as_str().unwrap()), String::new());
        let user = users.iter().find(|user| user["id"] == id.as_str()).unwrap();
        let roles = user["roles"].as_array().into_iter().flatten().map(|role| name("role", &role["value"]));
        groups.iter().filter(is_member).map(|group| name("group", &group["id"])).chain(roles).collect()
    }
}

const GROUPS: usize = 9;

fn with_groups(options: Options) -> Options {
    let group = |number: usize| (format!("grp-{number}"), format!("Group {number}"));
    Options { groups: (0..GROUPS).map(group).collect(), ..options }
}

/// `at_once`: a server that takes whole groups only and keeps entity tags refuses all but one of those who write at a time.
async fn survive(options: Options, settings: Json, at_once: usize) {
    let roles = options.roles.clone();
    let stage = Stage::set(with_groups(options), settings).await;
    stage.target.check(&stage.cx("check")).await.unwrap();
    let groups = (0..GROUPS).map(|number| Entitlement::new("group", format!("grp-{number}")));
    let roles = roles.into_iter().map(|role| Entitlement::new("role", role));
    let suite = Foreign {
        connector: stage.target.clone(),
        host: stage.host.clone(),
        kind: account(),
        person: &person,
        key: "externalId",
        text: "displayName",
        catalogue: groups.chain(roles).collect(),
        single: &[],
        each: 4,
        at_once,
        hand: &stage,
    };
    suite.survive().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_foreign_entitlements_survive_a_thousand_changes() {
    survive(Options::default(), json!({"http": {"timeout": 60}}), 8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_foreign_memberships_survive_a_thousand_changes_where_the_limits_are_narrow() {
    let mut settings = strict();
    support::laid_over(&mut settings, json!({"http": {"timeout": 60}}));
    survive(Options::strict(), settings, 8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_foreign_entitlements_survive_a_thousand_changes_where_everything_is_written_whole() {
    survive(Options::put_only(), json!({"http": {"timeout": 60}}), 2).await;
}

fn entitlements(add: Vec<Entitlement>, remove: Vec<Entitlement>) -> Change {
    Change { entitlements: EntitlementChange { add, remove, whole: None }, ..Change::default() }
}

#[tokio::test]
async fn a_group_that_is_cut_short_is_no_basis_for_writing_it() {
    // given a server that takes whole groups only, and a group with members of others
    let stage = Stage::set(Options::put_only(), json!({})).await;
    let ids = people(&stage, 5).await;
    for id in &ids[1..] {
        assert!(stage.server.join("grp-ward", id));
    }
    let ward = vec![Entitlement::new("group", "grp-ward")];
    for (id, change) in [(&ids[0], entitlements(ward.clone(), vec![])), (&ids[1], entitlements(vec![], ward.clone()))] {
        for fault in [Fault::Malformed, Fault::Refuse, Fault::Throttle] {
            // when the group cannot be read whole
            stage.server.faults().clear();
            stage.server.fail("GetGroup", fault.clone(), 10);
            let outcome = stage.target.update(&stage.cx("u"), &account(), &NativeId(id.clone()), &change).await;
            let error = match outcome {
                Ok(updated) => updated.failed.into_iter().next().unwrap().error,
                Err(error) => error,
            };

            // then it is not written
            assert_eq!((error.effect, stage.asked("ReplaceGroup")), (Effect::None, 0), "{fault:?}: {error}");
        }
    }
    stage.server.faults().clear();
    assert_eq!(members(&stage, "grp-ward"), ids[1..].iter().cloned().collect());
}

#[tokio::test]
async fn a_group_that_does_not_show_its_members_is_never_written_whole() {
    // given a server that takes whole groups only and does not show who is in them
    let options = Options { members_shown: false, ..Options::put_only() };
    for settings in [json!({"groups": {"members_shown": false}}), json!({})] {
        let stage = Stage::set(options.clone(), settings).await;
        let ids = people(&stage, 3).await;
        for id in &ids[1..] {
            assert!(stage.server.join("grp-ward", id));
        }
        let ward = vec![Entitlement::new("group", "grp-ward")];
        for (id, change) in
            [(&ids[0], entitlements(ward.clone(), vec![])), (&ids[1], entitlements(vec![], ward.clone()))]
        {
            // when somebody is to join or leave, then that is refused and the others stay
            let outcome = stage.target.update(&stage.cx("u"), &account(), &NativeId(id.clone()), &change).await;
            assert!(!outcome.is_ok_and(|updated| updated.failed.is_empty()));
            assert_eq!(members(&stage, "grp-ward"), ids[1..].iter().cloned().collect());
        }
        assert_eq!(stage.asked("ReplaceGroup"), 0);
    }
}
