//! What accounts hold.

use crate::support::grant;
use crate::{Stage, give, take};
use connector_spi::{AccountState, Class};
use std::collections::BTreeSet;

#[tokio::test]
async fn dates_of_a_grant_survive_the_other_meaning_of_an_end() {
    let stage = Stage::set().await;
    let id = stage.create("a", 10, AccountState::Enabled, &[]).await.unwrap().id;
    let mut dated = grant("organization", "WEST");
    dated.scope.insert("confidentialityLevel".into(), "SENSITIVE".into());
    dated.valid_from = Some("2026-07-01T04:00:00Z".parse().unwrap());
    dated.valid_to = Some("2026-10-01T04:00:00Z".parse().unwrap());

    stage.change(&id, give(vec![dated.clone()])).await.unwrap();

    assert_eq!(stage.held(&id).await, [dated]);
    let link = &stage.accounts()[0]["links"][0];
    assert_eq!(link["endEffective"], "2026-09-30T23:59:59-04:00", "the target's end is the last second");
}

#[tokio::test]
async fn what_others_gave_stays_and_what_a_group_gives_is_not_a_grant_of_its_own() {
    let stage = Stage::set().await;
    let id = stage.create("a", 11, AccountState::Enabled, &[grant("organization-group", "EAST_ALL")]).await.unwrap().id;
    stage.change(&id, give(vec![grant("personnel-group", "CS_RX")])).await.unwrap();
    assert_eq!(stage.held(&id).await.len(), 2, "EAST comes by the group and is not listed");

    let error = stage.change(&id, take(vec![grant("organization", "EAST")])).await.unwrap_err();
    assert_eq!((error.class, error.native_code.as_deref()), (Class::Conflict, Some("INHERITED_FROM_GROUP")));
    assert!(error.message.contains("kept through a group"));

    stage.change(&id, take(vec![grant("organization-group", "EAST_ALL")])).await.unwrap();
    assert_eq!(stage.held(&id).await, [grant("personnel-group", "CS_RX")]);
}

#[tokio::test]
async fn giving_twice_and_taking_what_is_absent_succeed() {
    let stage = Stage::set().await;
    let id = stage.create("a", 12, AccountState::Enabled, &[]).await.unwrap().id;
    let all = [
        "position:RN",
        "organization:EAST",
        "organization-group:EAST_ALL",
        "personnel-group:CS_RX",
        "role-profile:CLINICIAN",
        "relationship:NURSE",
        "credential:BOARD-1",
        "prescribing:GRANTED",
    ];
    let all: Vec<_> =
        all.iter().map(|text| text.split_once(':').unwrap()).map(|(kind, value)| grant(kind, value)).collect();

    for _ in 0..2 {
        assert_eq!(stage.change(&id, give(all.clone())).await.unwrap().failed, []);
        assert_eq!(stage.held(&id).await.iter().cloned().collect::<BTreeSet<_>>(), all.iter().cloned().collect());
    }
    for _ in 0..2 {
        // a direct organisation cannot be taken twice while a group gives it, so the group goes first
        let order = [2, 0, 1, 3, 4, 5, 6, 7].map(|at| all[at].clone()).to_vec();
        assert_eq!(stage.change(&id, take(order)).await.unwrap().failed, []);
        assert_eq!(stage.held(&id).await, []);
    }
}

#[tokio::test]
async fn an_unknown_code_is_a_fault_of_the_mapping_and_the_other_parts_are_done() {
    let stage = Stage::set().await;
    let id = stage.create("a", 13, AccountState::Enabled, &[]).await.unwrap().id;

    let alone = stage.change(&id, give(vec![grant("personnel-group", "NO_SUCH")])).await.unwrap_err();
    assert_eq!((alone.class, alone.attribute.as_deref()), (Class::Invalid, Some("personnel-group:NO_SUCH")));
    assert!(alone.message.contains("mapping"));

    let among = stage
        .change(&id, give(vec![grant("personnel-group", "NO_SUCH"), grant("role-profile", "CLINICIAN")]))
        .await
        .unwrap();
    assert_eq!(among.failed.iter().map(|part| part.part.as_str()).collect::<Vec<_>>(), ["personnel-group:NO_SUCH"]);
    assert_eq!(stage.held(&id).await, [grant("role-profile", "CLINICIAN")]);

    let created = stage.create("b", 14, AccountState::Enabled, &[grant("position", "NO_SUCH")]).await.unwrap();
    assert_eq!(created.failed[0].error.class, Class::Invalid);
}
