//! Members of groups: portions, absences, whole lists.

use super::*;

#[tokio::test]
async fn two_hundred_and_fifty_members_go_in_three_requests_and_out_one_by_one_named() {
    // given a server that takes a hundred changes of membership at once and never all members
    let objects = json!({"groups": {"manage": "objects"}});
    let mut settings = strict();
    support::laid_over(&mut settings, objects);
    let stage = Stage::set(Options::strict(), settings).await;
    let ids = people(&stage, 250).await;
    let named = attrs(&[("displayName", "Night shift"), ("externalId", "gateway-night")]);
    let id = stage.target.create(&stage.cx("g"), &group(), &named, ENABLED, &[]).await.unwrap().id;

    // when all of them join
    let join = with_attr("members", Delta::Patch { add: texts(&ids), remove: Vec::new() });
    stage.target.update(&stage.cx("join"), &group(), &id, &join).await.unwrap();

    // then three requests were enough
    assert_eq!(members(&stage, id.as_str()).len(), 250);
    assert_eq!(stage.asked("PatchGroup"), 3);

    // and when all of them leave, two of them twice and a stranger too
    let mut gone = ids.clone();
    gone.push("no-such-user".to_owned());
    let leave = with_attr("members", Delta::Patch { add: Vec::new(), remove: texts(&gone) });
    stage.target.update(&stage.cx("leave"), &group(), &id, &leave).await.unwrap();
    stage.target.update(&stage.cx("leave"), &group(), &id, &leave).await.unwrap();
    assert_eq!(members(&stage, id.as_str()).len(), 0);
    assert!(stage.server.journal().entries().iter().all(|entry| !entry.outcome.starts_with('4')));
}

#[tokio::test]
async fn a_new_group_with_more_members_than_fit_is_filled_afterwards() {
    let stage = Stage::set(
        Options { max_member_changes: Some(100), ..Options::default() },
        json!({"groups": {"manage": "objects"}}),
    )
    .await;
    let ids = people(&stage, 120).await;
    let mut named = attrs(&[("displayName", "Day shift"), ("externalId", "gateway-day")]);
    named.insert("members".into(), texts(&ids));
    let made = stage.target.create(&stage.cx("g"), &group(), &named, ENABLED, &[]).await.unwrap();
    assert_eq!((made.failed.len(), members(&stage, made.id.as_str()).len()), (0, 120));
}

#[tokio::test]
async fn members_that_are_absent_do_not_hold_up_those_that_are_there() {
    // given a server that refuses a removal which matches nobody
    let stage = Stage::set(Options::default(), json!({"groups": {"manage": "objects"}})).await;
    let ids = people(&stage, 3).await;
    let id = NativeId::from("grp-er");
    let join = with_attr("members", Delta::Patch { add: texts(&ids[..2]), remove: Vec::new() });
    stage.target.update(&stage.cx("join"), &group(), &id, &join).await.unwrap();

    // when three are taken of whom one never was in
    let leave = with_attr("members", Delta::Patch { add: Vec::new(), remove: texts(&ids) });
    stage.target.update(&stage.cx("leave"), &group(), &id, &leave).await.unwrap();

    // then nobody is left
    assert_eq!(members(&stage, "grp-er").len(), 0);
}

#[tokio::test]
async fn the_wanted_members_replace_the_ones_there_without_the_list_being_replaced() {
    let stage =
        Stage::set(Options { no_remove_all: true, ..Options::default() }, json!({"groups": {"manage": "objects"}}))
            .await;
    let ids = people(&stage, 4).await;
    let id = NativeId::from("grp-er");
    for wanted in [&ids[..3], &ids[2..], &[]] {
        let set = with_attr("members", Delta::Set(texts(wanted)));
        stage.target.update(&stage.cx("set"), &group(), &id, &set).await.unwrap();
        assert_eq!(members(&stage, "grp-er"), wanted.iter().cloned().collect());
    }
}

#[tokio::test]
async fn a_list_of_members_that_is_not_shown_cannot_be_set() {
    let mut settings = strict();
    support::laid_over(&mut settings, json!({"groups": {"manage": "objects"}}));
    let stage = Stage::set(Options::strict(), settings).await;
    let set = with_attr("members", Delta::Set(Vec::new()));
    let error = stage.target.update(&stage.cx("set"), &group(), &"grp-er".into(), &set).await.unwrap_err();
    assert_eq!((error.class, error.attribute.as_deref()), (Class::Unsupported, Some("members")));
    assert_eq!(stage.asked("PatchGroup"), 0);
}
