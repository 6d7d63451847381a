//! Paging by cursor (RFC 9865).

use super::given::{SEARCH, column, fails, fresh, house, made, plain, query, user};
use super::paging::crowd;
use serde_json::{Value, json};

#[tokio::test]
async fn rfc9865_2_cursor_pages_hold_each_resource_once_forwards_and_backwards() {
    let server = plain();
    let client = server.client();
    let stem = crowd(&client, 1_050).await;
    let filter = format!("userName sw \"{stem}.\"");
    let fixed = [("filter", filter.as_str()), ("sortBy", "userName"), ("count", "100"), ("attributes", "userName")];
    let page = async |cursor: &str| {
        let mut pairs = fixed.to_vec();
        pairs.push(("cursor", cursor));
        let answer = client.get(&format!("/Users{}", query(&pairs))).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer
    };
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    let mut last;
    loop {
        last = page(&cursor).await;
        pages += 1;
        assert_eq!(last.body["totalResults"], 1_050);
        assert_eq!(last.body.get("startIndex"), None);
        assert_eq!(last.body.get("previousCursor").is_some(), pages > 1);
        seen.extend(column(&last, "userName").into_iter().map(str::to_owned));
        let Some(next) = last.body.get("nextCursor") else { break };
        cursor = next.as_str().unwrap().to_owned();
        assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)), "{cursor}");
    }
    let expected: Vec<String> = (0..1_050).map(|n| format!("{stem}.{n:05}")).collect();
    assert_eq!((seen, pages), (expected.clone(), 11));

    let back = page(last.body["previousCursor"].as_str().unwrap()).await;
    assert_eq!(column(&back, "userName"), expected[900..1_000].iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn rfc9865_2_a_bare_cursor_an_empty_one_and_one_in_a_body_mean_the_first_page() {
    let server = plain();
    let client = server.client();
    let stem = crowd(&client, 3).await;
    let filter = query(&[("filter", &format!("userName sw \"{stem}\"")), ("count", "2")]);
    let body = json!({ "schemas": [SEARCH], "filter": format!("userName sw \"{stem}\""), "count": 2, "cursor": "" });

    let answers = [
        client.get(&format!("/Users{filter}&cursor")).await,
        client.get(&format!("/Users{filter}&cursor=")).await,
        client.post("/Users/.search", &body).await,
    ];

    for answer in answers {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(column(&answer, "userName").len(), 2);
        let mut next = body.clone();
        next["cursor"] = answer.body["nextCursor"].clone();
        let rest = client.post("/Users/.search", &next).await;
        assert_eq!((column(&rest, "userName").len(), rest.body.get("nextCursor")), (1, None), "{}", rest.body);
    }
}

#[tokio::test]
async fn rfc9865_2_a_deletion_between_two_pages_makes_nothing_vanish() {
    let server = plain();
    let client = server.client();
    let stem = crowd(&client, 6).await;
    let fixed = query(&[("filter", &format!("userName sw \"{stem}\"")), ("sortBy", "userName"), ("count", "3")]);
    let first = client.get(&format!("/Users{fixed}&cursor=")).await;
    for id in column(&first, "id") {
        assert_eq!(client.delete(&format!("/Users/{id}")).await.status, 204);
    }

    let second = client.get(&format!("/Users{fixed}&cursor={}", first.body["nextCursor"].as_str().unwrap())).await;

    let expected: Vec<String> = (3..6).map(|n| format!("{stem}.{n:05}")).collect();
    assert_eq!(column(&second, "userName"), expected);
}

#[tokio::test]
async fn rfc9865_2_a_count_of_zero_tells_the_total_and_no_cursor() {
    let server = plain();
    let answer = server.client().get("/Users?cursor=&count=0").await;

    assert_eq!(answer.status, 200);
    assert!(answer.body["totalResults"].is_u64());
    assert_eq!(answer.body.get("nextCursor"), None);
}

#[tokio::test]
async fn rfc9865_2_1_a_cursor_serves_its_own_query_only() {
    let server = plain();
    let client = server.client();
    let stem = crowd(&client, 4).await;
    let (filter, other) = (format!("userName sw \"{stem}\""), format!("userName co \"{stem}\""));
    let fixed = [("filter", filter.as_str()), ("sortBy", "userName"), ("count", "2")];
    let first = client.get(&format!("/Users{}&cursor=", query(&fixed))).await;
    let cursor = first.body["nextCursor"].as_str().unwrap();
    let with = |pairs: &[(&str, &str)]| format!("{}&cursor={cursor}", query(pairs));

    assert_eq!(client.get(&format!("/Users{}", with(&fixed))).await.status, 200);
    for path in [
        format!("/Users{}", with(&[("filter", &other), ("sortBy", "userName"), ("count", "2")])),
        format!("/Users{}", with(&[("filter", &filter), ("sortBy", "id"), ("count", "2")])),
        format!(
            "/Users{}",
            with(&[("filter", &filter), ("sortBy", "userName"), ("sortOrder", "descending"), ("count", "2")])
        ),
        format!("/Users{}", with(&[("filter", &filter), ("sortBy", "userName"), ("count", "2"), ("attributes", "id")])),
        format!("/Groups{}", with(&[("count", "2")])),
        format!("/Users{}&cursor=forged", query(&fixed)),
        format!("/Users{}&cursor={}x", query(&fixed), cursor),
        format!("/Users{}&cursor=%C3%A4", query(&fixed)),
    ] {
        fails(&client.get(&path).await, 400, Some("invalidCursor"));
    }
    let counted = format!("/Users{}", with(&[("filter", &filter), ("sortBy", "userName"), ("count", "3")]));
    fails(&client.get(&counted).await, 400, Some("invalidCount"));
    fails(&client.get(&format!("/Users{}&cursor=", query(&[("count", "some")]))).await, 400, Some("invalidCount"));
}

#[tokio::test]
async fn rfc9865_5_2_a_cursor_of_one_source_is_none_for_another() {
    let house = house();
    let (mine, other) = (house.gateway.client(&house.tolerant), house.gateway.client(&house.interop));
    let stem = fresh("foreign");
    for n in 0..3 {
        made(&mine, "/Users", &user(&format!("{stem}{n}"))).await;
    }
    let fixed = query(&[("filter", &format!("userName sw \"{stem}\"")), ("count", "2")]);
    let first = mine.get(&format!("/Users{fixed}&cursor=")).await;
    let path = format!("/Users{fixed}&cursor={}", first.body["nextCursor"].as_str().unwrap());

    let (foreign, forged) = (other.get(&path).await, other.get(&format!("/Users{fixed}&cursor=forged")).await);

    fails(&foreign, 400, Some("invalidCursor"));
    assert_eq!(foreign.body, forged.body, "which of them it is, is not told");
    assert_eq!(mine.get(&path).await.status, 200);
}

#[tokio::test]
async fn rfc9865_2_4_a_start_beside_a_cursor_is_400_in_rfc_and_ignored_in_tolerant() {
    let house = house();
    let (strict, tolerant) = (house.gateway.client(&house.rfc), house.gateway.client(&house.tolerant));

    fails(&strict.get("/Users?cursor=&startIndex=2").await, 400, Some("invalidValue"));
    let answer = tolerant.get("/Users?cursor=&startIndex=2").await;
    assert_eq!((answer.status, answer.body.get("startIndex")), (200, None));
}

#[tokio::test]
async fn rfc9865_2_2_missing_values_keep_their_place_across_pages() {
    let server = plain();
    let client = server.client();
    let stem = fresh("missing");
    for (n, nick) in [(0, Some("b")), (1, None), (2, Some("a")), (3, None), (4, Some("a"))] {
        let mut body = user(&format!("{stem}{n}"));
        body["nickName"] = nick.into();
        made(&client, "/Users", &body).await;
    }
    for (order, expected) in [("ascending", "24013"), ("descending", "31042")] {
        let fixed = query(&[
            ("filter", &format!("userName sw \"{stem}\"")),
            ("sortBy", "nickName"),
            ("sortOrder", order),
            ("count", "1"),
        ]);
        let (mut cursor, mut seen) = (String::new(), String::new());
        loop {
            let answer = client.get(&format!("/Users{fixed}&cursor={cursor}")).await;
            seen.extend(column(&answer, "userName").iter().map(|name| name.chars().last().unwrap()));
            let Some(next) = answer.body.get("nextCursor").and_then(Value::as_str) else { break };
            cursor = next.to_owned();
        }
        let mut sorted: Vec<char> = seen.chars().collect();
        sorted.sort_unstable();
        assert_eq!(String::from_iter(sorted), "01234", "each once: {seen}");
        let half = if order == "ascending" { &seen[3..] } else { &seen[..2] };
        assert!(half.chars().all(|letter| "13".contains(letter)), "{order}: {seen}, such as {expected}");
    }
}
