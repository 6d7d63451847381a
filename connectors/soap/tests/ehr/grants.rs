//! Templates, sub-templates, departments: lists that are written whole.

use crate::support::{grant, placed};
use crate::{Stage, give, set, take};
use connector_spi::{AccountState, Change, Class, Entitlement, EntitlementChange};
use serde_json::json;

#[tokio::test]
async fn what_others_gave_survives_and_moves_aside() {
    let stage = Stage::set().await;
    let id = stage.create("a", 1, AccountState::Enabled, &[placed("sub-template", "ST330", 1)]).await.unwrap().id;

    stage
        .change(&id, give(vec![placed("sub-template", "ST310", 1), placed("sub-template", "ST311", 2)]))
        .await
        .unwrap();
    assert_eq!(stage.accounts()[0]["subTemplates"], json!(["ST310", "ST311", "ST330"]));

    stage.change(&id, take(vec![grant("sub-template", "ST310")])).await.unwrap();
    assert_eq!(stage.accounts()[0]["subTemplates"], json!(["ST311", "ST330"]));
}

#[tokio::test]
async fn the_whole_list_that_the_gateway_gives_is_the_list_that_is_written() {
    let stage = Stage::set().await;
    let id = stage.create("a", 2, AccountState::Enabled, &[placed("sub-template", "ST330", 1)]).await.unwrap().id;
    let whole = vec![placed("sub-template", "ST330", 1), placed("sub-template", "ST310", 2)];
    let reads = stage.ehr.journal().count_of("ViewUser");
    let change = EntitlementChange { add: vec![whole[1].clone()], remove: vec![], whole: Some(whole) };
    stage.change(&id, Change { entitlements: change, ..Change::default() }).await.unwrap();

    assert_eq!(stage.accounts()[0]["subTemplates"], json!(["ST330", "ST310"]));
    assert_eq!(stage.ehr.journal().count_of("ViewUser"), reads, "nothing need be read for it");
}

#[tokio::test]
async fn the_default_template_and_its_list_change_in_one_request() {
    let stage = Stage::set().await;
    let doctor = stage.provider(3).await;
    let id = stage.create("a", 3, AccountState::Enabled, &[placed("template", "T9100", 1)]).await.unwrap().id;
    stage.change(&id, set("provider", doctor.as_str())).await.unwrap();
    let before = stage.writes().len();

    let mut change = give(vec![placed("template", "T9210", 1)]);
    change.entitlements.remove = vec![grant("template", "T9100")];
    stage.change(&id, change).await.unwrap();

    assert_eq!(stage.writes()[before..], ["SetTemplates"]);
    let made = &stage.accounts()[0];
    assert_eq!((&made["defaultTemplate"], &made["templates"][0]["id"]), (&json!("T9210"), &json!("T9210")));
    assert_eq!(stage.held(&id).await, [placed("template", "T9210", 1)]);
}

#[tokio::test]
async fn a_template_with_an_end_is_written_with_its_last_day_and_read_as_the_instant_after() {
    let stage = Stage::set().await;
    let id = stage.create("a", 4, AccountState::Enabled, &[]).await.unwrap().id;
    let dated = Entitlement {
        valid_from: Some("2026-07-01T00:00:00-04:00".parse().unwrap()),
        valid_to: Some("2026-11-02T00:00:00-05:00".parse().unwrap()),
        ..placed("template", "T9100", 1)
    };
    stage.change(&id, give(vec![dated.clone()])).await.unwrap();

    let link = &stage.accounts()[0]["templates"][0];
    assert_eq!((&link["start"], &link["end"]), (&json!("2026-07-01"), &json!("2026-11-01")));
    assert_eq!(stage.held(&id).await, [dated]);
}

#[tokio::test]
async fn departments_have_a_first_one_and_can_all_go() {
    let stage = Stage::set().await;
    let with = [placed("department", "10410", 1), grant("department", "20120")];
    let id = stage.create("a", 5, AccountState::Enabled, &with).await.unwrap().id;
    let made = stage.accounts();
    assert_eq!((&made[0]["defaultDepartment"], &made[0]["departments"]), (&json!("10410"), &json!(["10410", "20120"])));

    stage.change(&id, take(vec![grant("department", "20120")])).await.unwrap();
    assert_eq!(stage.held(&id).await, [placed("department", "10410", 1)]);
    stage.change(&id, take(vec![grant("department", "10410")])).await.unwrap();
    assert_eq!(stage.held(&id).await, []);
    assert_eq!(stage.accounts()[0]["defaultDepartment"], json!(null));
}

#[tokio::test]
async fn what_the_catalogue_does_not_have_is_invalid_by_its_part_and_the_rest_is_done() {
    let stage = Stage::set().await;
    let id = stage.create("a", 6, AccountState::Enabled, &[]).await.unwrap().id;
    let mut change = give(vec![placed("sub-template", "ST999", 1), grant("in-basket-class", "RESULTS")]);
    change.attrs = set("comment", "moved").attrs;
    let updated = stage.change(&id, change).await.unwrap();

    assert_eq!(updated.failed.len(), 1);
    let failed = &updated.failed[0];
    assert_eq!((failed.part.as_str(), failed.error.class), ("sub-template:ST999", Class::Invalid));
    assert!(failed.error.message.starts_with("mapping"));
    let made = &stage.accounts()[0];
    assert_eq!((&made["inBasket"], &made["contactComment"]), (&json!(["RESULTS"]), &json!("moved")));
}

#[tokio::test]
async fn a_template_that_needs_a_provider_waits_for_it() {
    let stage = Stage::set().await;
    let id = stage.create("a", 7, AccountState::Enabled, &[]).await.unwrap().id;
    let error = stage.change(&id, give(vec![placed("template", "T9200", 1)])).await.unwrap_err();
    assert_eq!((error.class, error.native_code.as_deref()), (Class::Conflict, Some("PROVIDER-REQUIRED")));
    assert!(error.message.starts_with("dependency"), "{error}");

    // in one change the link goes first
    let doctor = stage.provider(7).await;
    let mut change = give(vec![placed("template", "T9200", 1)]);
    change.attrs = set("provider", doctor.as_str()).attrs;
    let updated = stage.change(&id, change).await.unwrap();
    assert_eq!(updated.failed, []);
    assert_eq!(updated.warnings, ["Template T9200 will be retired on 2027-01-31"]);
}
