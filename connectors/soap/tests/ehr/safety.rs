//! Values that mean something in some language are values and nothing else: they come back as they went, or are refused by
//! name before anything is sent.

use crate::support::{account, cx, key, provider};
use crate::{Stage, set};
use connector_spi::{AccountState, Class, Value};
use fixtures::hostile_values::corpus;
use futures_util::{StreamExt, stream};

/// The longest comment of the profile.
const LONGEST: usize = 2_000;

fn carried(text: &str) -> bool {
    text.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_hostile_values_are_data() {
    let stage = Stage::set().await;
    let all = corpus(LONGEST);
    assert!(all.len() >= 300);
    let outcomes: Vec<bool> = stream::iter(all.iter().zip(1_000_u32..))
        .map(|(hostile, number)| {
            let stage = &stage;
            async move {
                let text = hostile.text.as_str();
                let mut who = crate::person(number);
                for name in ["comment", "familyName", "middleName"] {
                    let fits = name == "comment" || text.chars().count() <= 254;
                    if fits {
                        who.insert(name.to_owned(), vec![Value::from(text)]);
                    }
                }
                let made =
                    stage.target.create(&cx(&stage.host, "h"), &account(), &who, AccountState::Enabled, &[]).await;
                let possible = carried(text) && text.chars().count() <= LONGEST;
                match made {
                    Ok(created) => {
                        let read = stage.read(&created.id).await;
                        assert_eq!(read.attrs, who, "{text:?}");
                        // and by an update as well
                        stage.change(&created.id, set("comment", "x")).await.unwrap();
                        stage.change(&created.id, set("comment", text)).await.unwrap();
                        assert_eq!(stage.read(&created.id).await.attrs["comment"], [Value::from(text)]);
                        assert!(possible, "{text:?} was changed on its way");
                    }
                    Err(error) => {
                        assert!(!possible, "{text:?}: {error}");
                        assert_eq!(error.class, Class::Invalid, "{text:?}: {error}");
                        let named = error.attribute.as_deref();
                        assert!(matches!(named, Some("comment" | "familyName" | "middleName")), "{text:?}: {named:?}");
                    }
                }
                possible
            }
        })
        .buffer_unordered(16)
        .collect()
        .await;
    let made = outcomes.iter().filter(|possible| **possible).count();
    assert!(made >= 280, "{made}");
    assert_eq!(stage.accounts().len(), made, "no value made a second account");
    assert!(stage.ehr.journal().entries().iter().all(|entry| entry.outcome != "SCHEMA"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_key_finds_its_own_record_or_none() {
    let stage = Stage::set().await;
    stage.create("a", 1, AccountState::Enabled, &[]).await.unwrap();
    stage.provider(1).await;
    for hostile in corpus(254) {
        for (kind, name) in [(account(), "employeeNumber"), (account(), "login"), (provider(), "npi")] {
            match stage.target.find(&cx(&stage.host, "f"), &kind, &key(name, &hostile.text)).await {
                Ok(found) => assert_eq!(found, [], "{:?}", hostile.text),
                Err(error) => {
                    let long = hostile.text.chars().count() > 254;
                    assert!(error.class == Class::Invalid || (long && error.class == Class::Permanent), "{error}");
                }
            }
        }
    }
}
