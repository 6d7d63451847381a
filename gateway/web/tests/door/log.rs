use crate::house::House;
use serde_json::{Value, json};
use std::fmt::{Debug, Write};
use std::sync::{Mutex, OnceLock};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

static SAID: OnceLock<Mutex<String>> = OnceLock::new();

/// Writes down every event of our own crates, at every level, with all of its fields.
struct Ear;

struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        ["chartgate", "gateway", "scim", "connector"].iter().any(|ours| metadata.target().starts_with(ours))
    }
    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut words = Words(attributes.metadata().name().to_owned());
        attributes.record(&mut words);
        said().lock().unwrap().push_str(&format!("span {}\n", words.0));
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut words = Words(event.metadata().target().to_owned());
        event.record(&mut words);
        said().lock().unwrap().push_str(&format!("{}\n", words.0));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn said() -> &'static Mutex<String> {
    SAID.get_or_init(Mutex::default)
}

#[tokio::test]
async fn the_log_tells_of_requests_without_a_word_of_their_paths_queries_and_bodies() {
    let _ = tracing::subscriber::set_global_default(Ear);
    let house = House::open().await;
    let user = json!({ "schemas": [scim::USER], "userName": "canary.name", "password": "canary.password", "canaryAttribute": "canary.value" });
    let id = house.ask("POST", "/Users", &user).await.json()["id"].as_str().unwrap().to_owned();
    house.get(&format!("/Users/{id}")).await;
    house.get("/Users?filter=userName+eq+%22canary.name%22&cursor=canary").await;
    house.get("/Users/canary.path/canary").await;
    house.ask("POST", "/Users", &user).await;
    house.ask("POST", "/Users", &Value::String("canary.body".into())).await;
    house.ask("DELETE", &format!("/Users/{id}"), &Value::Null).await;

    let said = said().lock().unwrap().clone();

    let access: Vec<&str> = said.lines().filter(|line| line.starts_with("chartgate::access")).collect();
    assert!(access.len() >= 7, "{said}");
    let created = " method=\"POST\" route=\"/scim/v2/{type}\" resource=\"User\" status=201";
    assert!(access.iter().any(|line| line.contains(created) && line.contains("source=\"hr\"")), "{said}");
    assert!(!said.to_lowercase().contains("canary"), "{said}");
    assert!(!said.contains(house.token("hr")));
}
