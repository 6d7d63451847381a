use crate::house::{Fixed, House, engine_of, send};
use gateway_domain::Clock;
use gateway_store::sqlite::Options;
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A clock that breaks when told to: the nearest thing to a mistake of ours inside a handler.
#[derive(Default)]
struct Breaking(AtomicBool);

impl Clock for Breaking {
    fn now(&self) -> Timestamp {
        assert!(!self.0.load(Ordering::SeqCst), "broken on purpose");
        Fixed.now()
    }
}

#[tokio::test]
async fn a_panic_is_500_as_scim_says_it_and_the_next_request_is_served() {
    let clock = Arc::new(Breaking::default());
    let house = House::open_with(engine_of(false, clock.clone(), Options::default()).await, |_| {}).await;
    let user = json!({ "schemas": [scim::USER], "userName": "testperson.12" });

    clock.0.store(true, Ordering::SeqCst);
    let broken = house.ask("POST", "/Users", &user).await;
    clock.0.store(false, Ordering::SeqCst);

    assert_eq!(broken.error(), (500, String::new()));
    assert!(!String::from_utf8_lossy(&broken.body).contains("on purpose"), "what broke is for the log");
    assert_eq!(house.ask("POST", "/Users", &user).await.status, 201);
}

#[tokio::test]
async fn a_full_disk_is_503_with_retry_after_and_what_is_stored_can_be_read() {
    let options = Options { max_pages: Some(120), ..Options::default() };
    let house = House::open_with(engine_of(false, Arc::new(Fixed), options).await, |_| {}).await;
    let id = house.user("testperson.0").await;
    let mut refused = None;
    for n in 1..200 {
        let user =
            json!({ "schemas": [scim::USER], "userName": format!("testperson.{n}"), "title": "x".repeat(4_000) });
        let answer = house.ask("POST", "/Users", &user).await;
        if answer.status != 201 {
            refused = Some(answer);
            break;
        }
    }

    let refused = refused.expect("the disk gets full");
    assert_eq!(refused.error().0, 503);
    assert!(refused.header("retry-after").is_some_and(|wait| wait.parse::<u64>().is_ok_and(|wait| wait > 0)));
    assert_eq!(house.get(&format!("/Users/{id}")).await.status, 200);
    assert_eq!(send(house.addr(), "GET", "/health/live", &[], b"").await.status, 200);
}
