use crate::house::{House, send};
use serde_json::json;

#[tokio::test]
async fn health_needs_no_token_and_says_what_is_up() {
    let house = House::open().await;
    let ask = async |path: &str| send(house.addr(), "GET", path, &[], b"").await;

    assert_eq!(ask("/health/live").await.json(), json!({ "status": "up" }));
    let ready = ask("/health/ready").await;
    assert_eq!((ready.status, &ready.json()["store"]), (200, &json!("up")));
    assert_eq!(ask("/health/targets").await.json(), json!({ "status": "up", "targets": [] }));
}

#[tokio::test]
async fn figures_name_routes_sources_and_breaches_and_never_a_person() {
    let house = House::open().await;
    let id = house.user("testperson.canary").await;
    house.get(&format!("/Users/{id}")).await;
    house.get("/Users?filter=userName+eq+%22testperson.canary%22").await;
    let odd = json!({ "schemas": [scim::USER], "userName": "testperson.13", "favouriteColour": "blue" });
    house.ask("POST", "/Users", &odd).await;

    let answer = send(house.addr(), "GET", "/metrics", &[], b"").await;

    let text = String::from_utf8(answer.body.clone()).unwrap();
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(text.ends_with("# EOF\n"));
    let line = "chartgate_requests_total{method=\"GET\",route=\"/scim/v2/{type}/{id}\",resource=\"User\",status=\"200\",source=\"hr\"} 1";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("chartgate_store_up 1"), "{text}");
    assert!(text.contains("chartgate_profile_breaches_total{source=\"hr\",section=\"5.3\"} 1"), "{text}");
    assert!(!text.contains("canary") && !text.contains(&id));
}

#[tokio::test]
async fn every_answer_has_a_number_of_its_own() {
    let house = House::open().await;

    let one = house.get("/Users").await;
    let other = house.get("/Nowhere").await;

    assert!(one.header("x-request-id").is_some());
    assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
}
