use crate::house::House;
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn filled(count: usize) -> House {
    let house = House::open().await;
    for n in 0..count {
        // Not in alphabetical order, and always two with one title.
        let name = format!("testperson.{:02}", count - n);
        let body = json!({ "schemas": [scim::USER], "userName": name, "title": format!("T{}", n / 2) });
        assert_eq!(house.ask("POST", "/Users", &body).await.status, 201);
    }
    house
}

fn names(page: &Value) -> Vec<String> {
    page["Resources"].as_array().unwrap().iter().map(|user| user["userName"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_by_index_are_the_default_and_say_where_they_begin() {
    let house = filled(5).await;

    let page = house.get("/Users?startIndex=4&count=3").await.json();
    let beyond = house.get("/Users?startIndex=40").await.json();

    assert_eq!((&page["totalResults"], &page["startIndex"], &page["itemsPerPage"]), (&json!(5), &json!(4), &json!(2)));
    assert!(page.get("nextCursor").is_none(), "a client that pages by index is never given a cursor");
    assert_eq!((&beyond["totalResults"], &beyond["itemsPerPage"]), (&json!(5), &json!(0)));
}

#[tokio::test]
async fn cursors_lead_through_all_resources_once_and_back_again() {
    let house = filled(7).await;
    for query in [
        "count=3",
        "count=3&sortBy=userName",
        "count=2&sortBy=title&sortOrder=descending",
        "count=3&filter=userName+sw+%22testperson%22",
    ] {
        let mut seen: Vec<String> = Vec::new();
        let mut pages: Vec<Value> = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = house.get(&format!("/Users?{query}&cursor={cursor}")).await.json();
            assert!(page.get("startIndex").is_none(), "{page}");
            assert_eq!(page["totalResults"], 7);
            assert_eq!(page.get("previousCursor").is_some(), !pages.is_empty(), "{query}: none on the first page only");
            seen.extend(names(&page));
            let next = page.get("nextCursor").map(|next| next.as_str().unwrap().to_owned());
            pages.push(page);
            match next {
                Some(next) => cursor = next,
                None => break,
            }
        }
        let distinct: BTreeSet<&String> = seen.iter().collect();
        assert_eq!((seen.len(), distinct.len()), (7, 7), "{query}: {seen:?}");

        let back = pages.last().unwrap()["previousCursor"].as_str().unwrap();
        let before = house.get(&format!("/Users?{query}&cursor={back}")).await.json();
        assert_eq!(names(&before), names(&pages[pages.len() - 2]), "{query}: backwards");
    }
}

#[tokio::test]
async fn a_bare_cursor_an_empty_one_and_one_in_a_body_mean_the_first_page() {
    let house = filled(3).await;
    let search = json!({ "schemas": [scim::SEARCH_REQUEST], "cursor": "", "count": 2 });

    let bare = house.get("/Users?cursor&count=2").await.json();
    let empty = house.get("/Users?count=2&cursor=").await.json();
    let body = house.ask("POST", "/Users/.search", &search).await;

    assert!(bare["nextCursor"].is_string());
    assert_eq!(body.status, 200);
    assert_eq!((names(&bare), names(&body.json())), (names(&empty), names(&empty)));
}

#[tokio::test]
async fn a_cursor_is_good_for_one_query_of_one_source_and_every_bad_one_is_refused_in_the_same_words() {
    let house = filled(4).await;
    let cursor = house.get("/Users?count=2&cursor=").await.json()["nextCursor"].as_str().unwrap().to_owned();
    let good = format!("/Users?count=2&cursor={cursor}");

    let changed = [
        house.get(&format!("{good}&filter=active+pr")).await,
        house.get(&format!("{good}&sortBy=userName")).await,
        house.get(&format!("{good}&attributes=userName")).await,
        house.get(&format!("/Groups?count=2&cursor={cursor}")).await,
        house.ask_as("okta", "GET", &good, &[], &Value::Null).await,
        house.get("/Users?cursor=AAAA").await,
        house.get("/Users?cursor=%2B%2F").await,
    ];

    assert_eq!(house.get(&good).await.status, 200);
    for answer in &changed {
        assert_eq!(answer.error(), (400, "invalidCursor".to_owned()));
        assert_eq!(answer.json()["detail"], changed[0].json()["detail"]);
    }
}

#[tokio::test]
async fn a_changed_count_is_invalid_to_the_letter_and_taken_by_the_tolerant() {
    let house = filled(6).await;
    for (source, status) in [("hr", 200), ("strict", 400)] {
        let first = house.ask_as(source, "GET", "/Users?count=2&cursor=", &[], &Value::Null).await.json();
        let path = format!("/Users?count=3&cursor={}", first["nextCursor"].as_str().unwrap());

        let answer = house.ask_as(source, "GET", &path, &[], &Value::Null).await;

        assert_eq!(answer.status, status, "{source}");
        if status == 400 {
            assert_eq!(answer.error().1, "invalidCount");
        } else {
            assert_eq!(answer.json()["itemsPerPage"], 3);
        }
    }
}

#[tokio::test]
async fn counts_below_one_give_the_total_only_and_large_ones_are_bounded() {
    let house = filled(3).await;
    for query in ["count=0", "count=-5", "count=0&cursor=", "count=-1&cursor"] {
        let page = house.get(&format!("/Users?{query}")).await.json();

        assert_eq!((&page["totalResults"], &page["itemsPerPage"]), (&json!(3), &json!(0)), "{query}");
        assert!(page.get("nextCursor").is_none(), "{query}");
    }
    assert_eq!(house.get("/Users?count=999999999999").await.json()["itemsPerPage"], 3);
    assert_eq!(house.get("/Users?count=two").await.error(), (400, "invalidValue".to_owned()));
    assert_eq!(house.get("/Users?count=two&cursor=").await.error(), (400, "invalidCount".to_owned()));
}

#[tokio::test]
async fn an_index_beside_a_cursor_is_refused_to_the_letter_and_overruled_by_the_tolerant() {
    let house = filled(2).await;

    let tolerant = house.get("/Users?startIndex=1&cursor=").await;
    let strict = house.ask_as("strict", "GET", "/Users?startIndex=1&cursor=", &[], &Value::Null).await;

    assert!(tolerant.json().get("startIndex").is_none());
    assert_eq!(strict.error(), (400, "invalidValue".to_owned()));
}

#[tokio::test]
async fn a_user_that_goes_between_two_pages_takes_no_other_with_it() {
    let house = filled(6).await;
    let first = house.get("/Users?count=3&cursor=").await.json();
    let gone = first["Resources"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(house.ask("DELETE", &format!("/Users/{gone}"), &Value::Null).await.status, 204);

    let second = house.get(&format!("/Users?count=3&cursor={}", first["nextCursor"].as_str().unwrap())).await.json();

    assert_eq!(names(&second).len(), 3);
    assert!(names(&second).iter().all(|name| !names(&first).contains(name)));
}

#[tokio::test]
async fn the_root_searches_all_types_and_a_foreign_attribute_matches_nothing() {
    let house = filled(2).await;
    house.group("Ward 3", &[]).await;

    let all = house.get("").await.json();
    let groups = house
        .ask("POST", "/.search", &json!({ "schemas": [scim::SEARCH_REQUEST], "filter": "displayName eq \"Ward 3\"" }))
        .await
        .json();
    let none = house.get("?filter=noSuchAttribute+eq+%22x%22").await;

    assert_eq!(all["totalResults"], 3);
    assert_eq!(
        (&groups["totalResults"], &groups["Resources"][0]["meta"]["resourceType"]),
        (&json!(1), &json!("Group"))
    );
    assert_eq!((none.status, &none.json()["totalResults"]), (200, &json!(0)));
}
