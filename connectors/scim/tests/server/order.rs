//! Whose account it is, what goes first, and what stays.

use super::*;

#[tokio::test]
async fn an_account_without_our_mark_is_told_and_never_taken_over() {
    // given somebody else's account of the same name
    let stage =
        Stage::set(Options { users: vec![("theirs".into(), "t7".into())], ..Options::default() }, json!({})).await;
    for attempt in [1, 2] {
        let cx = Ctx { attempt, ..stage.cx("c") };
        let error = stage.target.create(&cx, &account(), &person(7), ENABLED, &[]).await.unwrap_err();
        assert_eq!(
            (error.class, error.existing.as_ref().map(NativeId::as_str)),
            (Class::AlreadyExists, Some("theirs"))
        );
    }
    assert_eq!(stage.one("users", "theirs").get("externalId"), None);
}

#[tokio::test]
async fn a_closing_goes_first_and_alone_and_is_done_although_the_rest_is_refused() {
    let stage = Stage::set(Options::default(), json!({})).await;
    let id = NativeId(people(&stage, 1).await.remove(0));
    let mut change = with_attr("userName", Delta::Set(vec!["first".into()]));
    change.state = Some(AccountState::Blocked);
    change.entitlements.add = vec![Entitlement::new("group", "grp-nowhere")];

    let updated = stage.target.update(&stage.cx("u"), &account(), &id, &change).await.unwrap();

    let failed: Vec<_> = updated.failed.iter().map(|part| (part.part.as_str(), part.error.class)).collect();
    assert_eq!(failed, [("userName", Class::AlreadyExists), ("group:grp-nowhere", Class::Invalid)]);
    assert_eq!(stage.one("users", id.as_str())["active"], json!(false));
    let read = stage.target.get(&stage.cx("g"), &account(), &id).await.unwrap().unwrap();
    assert_eq!(read.state, AccountState::Disabled);
}

#[tokio::test]
async fn nothing_is_opened_while_a_removal_fails() {
    let stage = Stage::set(Options::default(), json!({})).await;
    let ward = Entitlement::new("group", "grp-ward");
    let made = stage
        .target
        .create(&stage.cx("c"), &account(), &person(1), AccountState::Disabled, std::slice::from_ref(&ward))
        .await
        .unwrap();
    stage.server.fail("PatchGroup", Fault::Code("403".into()), 1);
    let mut change = Change { state: Some(ENABLED), ..Change::default() };
    change.entitlements.remove = vec![ward];

    let error = stage.target.update(&stage.cx("u"), &account(), &made.id, &change).await.unwrap_err();

    assert_eq!((error.class, error.effect), (Class::Forbidden, Effect::None));
    assert_eq!(stage.one("users", made.id.as_str())["active"], json!(false));
}

#[tokio::test]
async fn an_account_with_groups_is_activated_last() {
    let stage = Stage::set(Options::default(), json!({})).await;
    let ward = Entitlement::new("group", "grp-ward");
    let made = stage.target.create(&stage.cx("c"), &account(), &person(1), ENABLED, &[ward]).await.unwrap();
    let writes: Vec<String> = stage
        .server
        .journal()
        .entries()
        .into_iter()
        .map(|entry| entry.op)
        .filter(|op| !op.starts_with("Disc"))
        .collect();
    assert_eq!(writes, ["CreateUser", "PatchGroup", "PatchUser"]);
    assert_eq!(stage.one("users", made.id.as_str())["active"], json!(true));
}

#[tokio::test]
async fn a_document_written_whole_keeps_what_the_gateway_does_not_know_and_minds_the_entity_tag() {
    let stage = Stage::set(Options::put_only(), json!({})).await;
    let attributes = json!(["userName", "externalId", "nickName", "emails.value"]);
    let other = support::open(
        support::profile(&stage.server.base_url(), json!({"account": {"attributes": attributes}})),
        &stage.host,
    )
    .await;
    let mut more = attrs(&[("userName", "kept"), ("externalId", "kept"), ("nickName", "Nick")]);
    more.insert("emails.value".into(), vec!["a@hosp.example".into()]);
    let id = other.create(&stage.cx("c"), &account(), &more, ENABLED, &[]).await.unwrap().id;
    let seen = stage.target.get(&stage.cx("g"), &account(), &id).await.unwrap().unwrap();

    // when the connector that knows less of it changes it
    let change = with_attr("title", Delta::Set(vec!["Dr".into()]));
    stage.target.update(&stage.cx("u"), &account(), &id, &change).await.unwrap();

    // then the rest is there, and the version that was seen before is refused
    let now = stage.one("users", id.as_str());
    assert_eq!(
        (&now["nickName"], &now["title"], &now["emails"][0]["value"]),
        (&json!("Nick"), &json!("Dr"), &json!("a@hosp.example"))
    );
    let late = Change { if_version: seen.version, ..with_attr("title", Delta::Clear) };
    let error = stage.target.update(&stage.cx("u"), &account(), &id, &late).await.unwrap_err();
    assert_eq!(error.class, Class::StaleVersion);
}
