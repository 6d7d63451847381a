//! Values that mean something to somebody go through a plugin's lines and the gateway's door as they are.

use super::*;
use crate::lost::person;
use connector_spi::NativeId;
use connector_testkit::hostile::{Eye, Hostile};
use fixtures::hostile_values::corpus;

/// The service's own view of a subscriber.
#[async_trait]
impl Eye for Desk {
    async fn stands(&self, ids: &[NativeId], attribute: &str) -> Vec<Vec<String>> {
        let all = self.subscribers();
        let one = |id: &NativeId| {
            let texts = match &all.iter().find(|one| one["id"] == id.as_str()).unwrap()[attribute] {
                Json::Array(items) => items.clone(),
                other => vec![other.clone()],
            };
            texts.iter().filter_map(Json::as_str).map(str::to_owned).collect()
        };
        ids.iter().map(one).collect()
    }
}

async fn survive(settings: Settings) {
    let desk = Desk::set(settings, Options::default()).await;
    let mut kept = 0;
    for (at, (places, key, longest)) in [
        (&["title", "displayName", "phones"][..], "login", 40),
        (&["login"][..], "login", 64),
        (&["staffNumber"][..], "staffNumber", 20),
    ]
    .into_iter()
    .enumerate()
    {
        let all: Vec<String> = corpus(longest).into_iter().map(|one| one.text).collect();
        assert!(all.len() >= 300);
        let suite = Hostile {
            connector: Arc::clone(&desk.target),
            host: Arc::clone(&desk.host) as Arc<dyn Host>,
            kind: "subscriber".into(),
            person: &person,
            key,
            places,
            at_once: 8,
            eye: &desk,
        };
        let refused = suite.survive(&all, 1_000 * (u32::try_from(at).unwrap() + 1)).await.unwrap();
        let plain = |text: &&String| text.chars().count() <= longest && !text.chars().any(char::is_control);
        assert!(!refused.iter().any(|text| plain(&text)), "{places:?}: {refused:?}");
        kept += all.len() - refused.len();
    }
    assert_eq!(desk.subscribers().len(), kept, "no value made a second subscriber");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_hostile_values_are_nothing_but_values_by_the_sample_in_rust() {
    survive(support::settings(&support::child("pager"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_hostile_values_are_nothing_but_values_by_the_sample_in_python() {
    let Some(settings) = python() else { return };
    survive(settings).await;
}
