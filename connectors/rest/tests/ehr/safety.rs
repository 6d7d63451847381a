//! What must never happen.

use crate::support::{account, cx, grant, person};
use crate::{Stage, give, set};
use async_trait::async_trait;
use connector_spi::{AccountState, Change, Class, NativeId};
use connector_testkit::hostile::{Eye, Hostile};
use fixtures::{ehr_rest::Options, hostile_values::corpus};
use serde_json::{Value as Json, json};

#[tokio::test]
async fn a_dry_run_sends_no_write_and_shows_no_value() {
    let stage = Stage::set().await;
    let id = stage.create("a", 40, AccountState::Enabled, &[]).await.unwrap().id;
    let before = stage.writes();
    let mut dry = cx(&stage.host, "dry");
    dry.dry_run = true;

    stage
        .target
        .create(&dry, &account(), &person(41), AccountState::Disabled, &[grant("position", "RN")])
        .await
        .unwrap();
    let mut change = set("familyName", "Canary");
    change.state = Some(AccountState::Disabled);
    stage.target.update(&dry, &account(), &id, &change).await.unwrap();
    stage.target.effect().unwrap().revoke_sessions(&dry, &account(), &id).await.unwrap();

    assert_eq!(stage.writes(), before);
    let heard = stage.host.heard();
    for said in
        ["POST /v1/personnel", "/name/last", "PATCH /v1/personnel/{id}", "POST /v1/personnel/{id}/disable", "DELETE"]
    {
        assert!(heard.contains(said), "{said}");
    }
    assert!(!heard.contains("Canary") && !heard.contains("Testperson") && !heard.contains("100041"));
}

#[tokio::test]
async fn a_read_only_target_is_never_written() {
    let stage = Stage::with(Options { rate_limit: None, ..Options::default() }, json!({"read_only": true})).await;

    assert_eq!(stage.create("a", 42, AccountState::Enabled, &[]).await.unwrap_err().class, Class::Unsupported);
    let schema = stage.target.schema(&cx(&stage.host, "s")).await.unwrap();
    assert!(!schema.kinds[&account()].caps.create);
    assert_eq!(stage.accounts(), Vec::<Json>::new());
}

/// The longest name that the system takes for a login.
const LOGIN: usize = 48;

/// The system's own view of an account.
#[async_trait]
impl Eye for Stage {
    async fn stands(&self, ids: &[NativeId], attribute: &str) -> Vec<Vec<String>> {
        let accounts = self.accounts();
        let one = |id: &NativeId| {
            let one = accounts.iter().find(|one| one["id"] == id.as_str()).unwrap();
            let text = match attribute {
                "givenName" => &one["name"]["first"],
                "familyName" => &one["name"]["last"],
                "employeeNumber" => {
                    let aliases = one["aliases"].as_array().unwrap();
                    &aliases.iter().find(|alias| alias["pool"] == "EMPLOYEE").unwrap()["value"]
                }
                other => &one[other],
            };
            text.as_str().map(str::to_owned).into_iter().collect()
        };
        ids.iter().map(one).collect()
    }
}

fn texts() -> Vec<String> {
    corpus(LOGIN).into_iter().map(|one| one.text).collect()
}

/// Brings the values into these attributes and gives those that were refused.
async fn survive(stage: &Stage, places: &[&str], key: &str, first: u32) -> Vec<String> {
    let suite = Hostile {
        connector: stage.target.clone(),
        host: stage.host.clone(),
        kind: account(),
        person: &person,
        key,
        places,
        at_once: 8,
        eye: stage,
    };
    suite.survive(&texts(), first).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_hostile_values_are_data_or_refused_by_name() {
    let all = texts();
    assert!(all.len() >= 300);
    let stage = Stage::set().await;
    let mut kept = 0;
    for (at, (places, key)) in [
        (&["givenName", "familyName", "logicalDomain"][..], "username"),
        (&["username"][..], "username"),
        (&["employeeNumber"][..], "employeeNumber"),
    ]
    .into_iter()
    .enumerate()
    {
        let refused = survive(&stage, places, key, 1_000 * (u32::try_from(at).unwrap() + 1)).await;
        kept += all.len() - refused.len();
        // What is short enough is carried by JSON, and by an address unless it controls something.
        let plain = |text: &&String| text.chars().count() <= LOGIN && !text.chars().any(char::is_control);
        assert!(!refused.iter().any(|text| plain(&text)), "{places:?}: {refused:?}");
    }
    let accounts = stage.accounts();
    assert_eq!(accounts.len(), kept, "no value made a second account");
    assert!(accounts.iter().all(|account| account["active"] == true));
}

#[tokio::test]
async fn a_hostile_entitlement_or_id_reaches_what_it_names_or_nothing() {
    let stage = Stage::set().await;
    let id = stage.create("a", 40, AccountState::Enabled, &[]).await.unwrap().id;
    for text in texts() {
        let outcome = stage.change(&id, give(vec![grant("organization", &text)])).await;
        assert!(matches!(outcome.unwrap_err().class, Class::Invalid | Class::NotFound | Class::Unsupported), "{text}");
        let credential = stage.change(&id, give(vec![grant("credential", &text)])).await;
        let held = stage.held(&id).await;
        assert_eq!(credential.is_ok(), held == [grant("credential", &text)], "{text}");
        if credential.is_ok() {
            let mut take = Change::default();
            take.entitlements.remove = held;
            stage.change(&id, take).await.unwrap();
        }
        assert_eq!(stage.held(&id).await, []);
        let other = stage.target.get(&cx(&stage.host, "g"), &account(), &NativeId::from(text.as_str())).await;
        assert!(matches!(other, Ok(None) | Err(_)), "{text}");
        assert_eq!(stage.accounts().len(), 1);
    }
}

#[tokio::test]
async fn control_characters_are_refused_by_attribute_before_anything_is_sent() {
    let stage = Stage::set().await;
    let id = stage.create("a", 50, AccountState::Enabled, &[]).await.unwrap().id;
    for text in ["a\r\nX-Injected: 1", "a\nb", "a\0b", "", ".", ".."] {
        let before = stage.writes();
        let error = stage.change(&id, give(vec![grant("credential", text)])).await.unwrap_err();
        assert_eq!(error.class, Class::Invalid, "{text:?}");
        assert_eq!(stage.writes(), before, "{text:?}");
    }
}
