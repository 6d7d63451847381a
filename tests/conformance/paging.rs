//! Paging by index (RFC 7644, section 3.4.2.4), at depth.

use super::given::{LIST, column, fails, fresh, plain, query, user};
use harness::Client;
use serde_json::{Value, json};

/// Creates so many users by Bulk and returns their common stem.
pub async fn crowd(client: &Client, count: usize) -> String {
    let stem = fresh("crowd");
    let names: Vec<String> = (0..count).map(|n| format!("{stem}.{n:05}")).collect();
    for chunk in names.chunks(500) {
        let operations: Vec<Value> = chunk
            .iter()
            .map(|name| json!({ "method": "POST", "path": "/Users", "bulkId": name, "data": user(name) }))
            .collect();
        let answer = client.post("/Bulk", &json!({ "schemas": [super::given::BULK], "Operations": operations })).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let statuses = answer.body["Operations"].as_array().unwrap().iter();
        assert!(statuses.clone().all(|one| one["status"] == "201"), "{}", answer.body);
    }
    stem
}

#[tokio::test]
async fn rfc7644_3_4_2_4_pages_by_index_hold_each_resource_once_at_any_depth() {
    let server = plain();
    let client = server.client();
    let stem = crowd(&client, 1_500).await;
    let filter = format!("userName sw \"{stem}.\"");
    let mut seen = Vec::new();
    let mut start = 1;
    loop {
        let page = query(&[
            ("filter", &filter),
            ("sortBy", "userName"),
            ("startIndex", &start.to_string()),
            ("count", "400"),
            ("attributes", "userName"),
        ]);
        let answer = client.get(&format!("/Users{page}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.body["schemas"], json!([LIST]));
        assert_eq!((&answer.body["totalResults"], &answer.body["startIndex"]), (&json!(1_500), &json!(start)));
        assert_eq!(answer.body.get("nextCursor"), None, "index is the default");
        let names: Vec<String> = column(&answer, "userName").into_iter().map(str::to_owned).collect();
        assert_eq!(answer.body["itemsPerPage"], names.len());
        if names.is_empty() {
            break;
        }
        start += names.len();
        seen.extend(names);
    }
    let expected: Vec<String> = (0..1_500).map(|n| format!("{stem}.{n:05}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn rfc7644_3_4_2_4_without_filter_or_order_pages_by_index_are_stable_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("depth.db").display());
    let gateway =
        harness::Gateway::plain(&store, super::given::TOKEN, &["--dialect", "rfc"], &folder.path().join("log"));
    let client = gateway.client(super::given::TOKEN);
    let stem = crowd(&client, 2_600).await;
    // Holes: what is deleted must not shift what lies before it, nor be counted.
    for n in [0, 1_023, 1_024, 2_000] {
        let found =
            client.get(&format!("/Users{}", query(&[("filter", &format!("userName eq \"{stem}.{n:05}\""))]))).await;
        let id = found.body["Resources"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(client.delete(&format!("/Users/{id}")).await.status, 204);
    }
    let mut readings = Vec::new();
    for _ in 0..2 {
        let mut seen = Vec::new();
        for start in (1..=2_596).step_by(1_000) {
            let answer = client.get(&format!("/Users?startIndex={start}&count=1000&attributes=userName")).await;
            assert_eq!(answer.body["totalResults"], 2_596);
            seen.extend(column(&answer, "userName").into_iter().map(str::to_owned));
        }
        readings.push(seen);
    }
    assert_eq!(readings[0], readings[1], "the order is the same each time");
    // In which order the operations of one Bulk request are carried out is the server's to choose (section 3.7).
    let mut seen = readings.remove(0);
    seen.sort();
    let expected: Vec<String> =
        (0..2_600).filter(|n| ![0, 1_023, 1_024, 2_000].contains(n)).map(|n| format!("{stem}.{n:05}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn rfc7644_3_4_2_4_starts_and_counts_out_of_range_are_read_as_the_rfc_says() {
    let server = plain();
    let client = server.client();
    let stem = crowd(&client, 3).await;
    let filter = format!("userName sw \"{stem}.\"");
    let cases = [
        (vec![("startIndex", "0")], 1, 3),
        (vec![("startIndex", "-5"), ("count", "2")], 1, 2),
        (vec![("count", "0")], 1, 0),
        (vec![("count", "-1")], 1, 0),
        (vec![("startIndex", "4")], 4, 0),
        (vec![("startIndex", "9223372036854775807")], i64::MAX, 0),
        (vec![("count", "100000000")], 1, 3),
    ];
    for (mut pairs, start, shown) in cases {
        pairs.push(("filter", &filter));
        let answer = client.get(&format!("/Users{}", query(&pairs))).await;
        assert_eq!(answer.status, 200, "{pairs:?}: {}", answer.body);
        assert_eq!(answer.body["totalResults"], 3, "{pairs:?}");
        assert_eq!(answer.body["startIndex"], start, "{pairs:?}");
        assert_eq!(column(&answer, "id").len(), shown, "{pairs:?}");
    }
}

#[tokio::test]
async fn rfc7644_3_4_2_4_a_start_or_count_that_is_no_integer_is_400() {
    let server = plain();
    for pairs in ["count=many", "count=1.5", "startIndex=first", "count=", "startIndex=99999999999999999999"] {
        fails(&server.client().get(&format!("/Users?{pairs}")).await, 400, Some("invalidValue"));
    }
}

#[tokio::test]
async fn rfc7644_3_4_2_1_the_root_lists_all_types() {
    let server = plain();
    let client = server.client();
    let stem = fresh("root");
    let mut one = user(&stem);
    one["displayName"] = json!(stem);
    super::given::made(&client, "/Users", &one).await;
    super::given::made(&client, "/Groups", &super::given::group(&stem, &[])).await;

    let filter = format!("displayName eq \"{stem}\"");
    let both = client.get(&query(&[("filter", &filter)])).await;
    let groups = client.get(&query(&[("filter", &format!("{filter} and meta.resourceType eq \"Group\""))])).await;
    let unknown = client.get(&query(&[("filter", "noSuchAttribute eq \"a\"")])).await;

    assert_eq!((both.status, &both.body["totalResults"]), (200, &json!(2)), "{}", both.body);
    assert_eq!(groups.body["totalResults"], 1, "{}", groups.body);
    assert_eq!((unknown.status, &unknown.body["totalResults"]), (200, &json!(0)), "{}", unknown.body);
}
