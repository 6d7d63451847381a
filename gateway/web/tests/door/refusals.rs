use crate::house::{House, send};
use gateway_web::ROUTES;
use serde_json::{Value, json};

/// The route's pattern as a path that is there.
fn path(pattern: &str) -> String {
    pattern
        .replace("{type}", "Users")
        .replace("{catalogue}", "Entitlements")
        .replace("{id}", if pattern.contains("catalogue") { "ehr:position:P0" } else { "none" })
        .replace("{name}", "User")
        .replace("{urn}", scim::USER)
}

#[tokio::test]
async fn whoever_has_no_good_token_is_401_at_every_guarded_route_with_every_method() {
    let house = House::with_catalogue().await;
    let revoked = house.engine.create_token("hr", None, "test").await.unwrap();
    let id = revoked.strip_prefix("cg_").unwrap().split('.').next().unwrap();
    house.engine.revoke_token(id, "test").await.unwrap();
    let expired = {
        let past = "2026-11-02T07:59:59Z".parse().unwrap();
        house.engine.create_token("strict", Some(past), "test").await.unwrap()
    };
    let good = house.token("hr");
    let mut wrong = good.to_owned();
    wrong.replace_range(wrong.len() - 1.., if good.ends_with('0') { "1" } else { "0" });
    let given = [
        None,
        Some("Basic dTpw".to_owned()),
        Some("Bearer".to_owned()),
        Some(format!("Bearer {wrong}")),
        Some(format!("Bearer {revoked}")),
        Some(format!("Bearer {expired}")),
        Some("Bearer cg_none.none".to_owned()),
        Some("Bearer eyJhbGciOiJub25lIn0.e30.".to_owned()),
    ];
    for route in ROUTES.iter().filter(|route| route.guarded) {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            for value in &given {
                let headers: Vec<_> = value.iter().map(|value| ("authorization", value.as_str())).collect();

                let answer = send(house.addr(), method, &path(route.pattern), &headers, b"").await;

                assert_eq!(answer.error().0, 401, "{method} {} {value:?}", route.pattern);
                assert!(answer.header("www-authenticate").is_some_and(|said| said.starts_with("Bearer realm=")));
            }
        }
    }
}

#[tokio::test]
async fn a_method_that_a_route_does_not_take_is_405_and_says_which_it_takes() {
    let house = House::with_catalogue().await;
    let bearer = format!("Bearer {}", house.token("hr"));
    for route in ROUTES {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            if route.methods.split(", ").any(|taken| taken == method) {
                continue;
            }
            let answer = send(house.addr(), method, &path(route.pattern), &[("authorization", &bearer)], b"").await;

            if route.pattern.ends_with("/Me") {
                assert_eq!(answer.error().0, 501);
                continue;
            }
            assert_eq!(
                (answer.error().0, answer.header("allow")),
                (405, Some(route.methods)),
                "{method} {}",
                route.pattern
            );
        }
    }
}

#[tokio::test]
async fn unknown_endpoints_are_404_as_scim_says_it_and_queries_never_are() {
    let house = House::open().await;
    for path in ["/Things", "/Users/a/b", "/Roles", "/users", "/a/b/c/d/e/f/g", "/%ff"] {
        assert_eq!(house.get(path).await.error().0, 404, "{path}");
    }
    assert_eq!(send(house.addr(), "GET", "/", &[], b"").await.error().0, 404);
    for path in
        ["/Users?filter=userName+eq+%22nobody%22", "/Groups?filter=displayName+eq+%22none%22", "/Users?startIndex=9999"]
    {
        let answer = house.get(path).await;
        assert_eq!((answer.status, &answer.json()["totalResults"]), (200, &json!(0)), "{path}");
    }
}

#[tokio::test]
async fn nobody_is_me() {
    let house = House::open().await;
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        assert_eq!(house.ask(method, "/Me", &Value::Null).await.error().0, 501);
    }
}

#[tokio::test]
async fn a_bad_query_is_400_with_the_keyword_for_it() {
    let house = House::open().await;
    for (query, keyword) in [
        ("filter=%zz", "invalidValue"),
        ("filter=%ff", "invalidValue"),
        ("filter=userName+eq", "invalidFilter"),
        ("filter=noSuchAttribute+eq+%22x%22", "invalidFilter"),
        ("startIndex=x", "invalidValue"),
        ("attributes=userName&excludedAttributes=title", "invalidValue"),
    ] {
        assert_eq!(house.get(&format!("/Users?{query}")).await.error(), (400, keyword.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn a_bad_body_is_400_and_another_type_415() {
    let house = House::open().await;
    let bearer = format!("Bearer {}", house.token("hr"));
    let post = async |media_type: &str, body: &[u8]| {
        let headers = [("authorization", bearer.as_str()), ("content-type", media_type)];
        send(house.addr(), "POST", "/scim/v2/Users", &headers, body).await.error()
    };
    let scim = "application/scim+json";

    for body in [
        &b""[..],
        b"{",
        b"[]",
        b"{\"userName\":\"a\",\"userName\":\"b\"}",
        b"\xff",
        b"{\"userName\":1e999}",
        b"{\"userName\":\"\\u0000\"}",
    ] {
        assert_eq!(post(scim, body).await, (400, "invalidSyntax".to_owned()), "{}", String::from_utf8_lossy(body));
    }
    let deep = [b"{\"a\":".repeat(10_000), b"1".to_vec()].concat();
    assert_eq!(post(scim, &deep).await.0, 400);
    assert_eq!(post("text/plain", b"{}").await.0, 415);
    assert_eq!(post("application/xml", b"<a/>").await.0, 415);
}

#[tokio::test]
async fn a_second_user_of_one_name_is_409_uniqueness() {
    let house = House::open().await;
    house.user("testperson.12").await;

    let second = house.ask("POST", "/Users", &json!({ "schemas": [scim::USER], "userName": "TestPerson.12" })).await;

    assert_eq!(second.error(), (409, "uniqueness".to_owned()));
}

#[tokio::test]
async fn a_source_above_its_rate_is_429_and_told_when_to_come_back_while_others_are_served() {
    let house = House::open().await;

    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(house.ask_as("slow", "GET", "/ServiceProviderConfig", &[], &Value::Null).await);
    }

    assert!(statuses.iter().take(10).all(|answer| answer.status == 200), "a burst of ten seconds passes");
    let last = statuses.last().unwrap();
    assert_eq!(last.error().0, 429);
    assert_eq!(last.header("retry-after"), Some("1"));
    assert_eq!(house.get("/ServiceProviderConfig").await.status, 200);
}
