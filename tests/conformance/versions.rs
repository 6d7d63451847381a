//! Versions and conditions (RFC 7644, section 3.14; RFC 9110, section 13), for every type.

use super::given::{Subject, fails, fresh, subjects};
use harness::Answer;
use serde_json::{Value, json};

async fn conditional(subject: &Subject, method: &str, path: &str, header: (&str, &str), body: Option<Value>) -> Answer {
    let headers = [("content-type", "application/scim+json"), header];
    let body = body.map(|body| serde_json::to_vec(&body).unwrap());
    subject.client.raw(method, path, &headers, body).await.unwrap()
}

fn note(subject: &Subject, text: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": subject.note, "value": text }],
    })
}

#[tokio::test]
async fn rfc7644_3_14_a_write_with_the_version_at_hand_is_done_and_with_another_is_412() {
    for subject in subjects() {
        let name = fresh("match");
        let path = subject.made(&name).await;
        let first = subject.client.get(&path).await.header("etag").unwrap().to_owned();

        let done = conditional(&subject, "PATCH", &path, ("if-match", &first), Some(note(&subject, "one"))).await;
        assert_eq!(done.status, 200, "{}", done.body);
        assert_ne!(done.header("etag"), Some(first.as_str()));

        let stale = ("if-match", first.as_str());
        fails(&conditional(&subject, "PATCH", &path, stale, Some(note(&subject, "two"))).await, 412, None);
        fails(&conditional(&subject, "PUT", &path, stale, Some(subject.bare(&name))).await, 412, None);
        fails(&conditional(&subject, "DELETE", &path, stale, None).await, 412, None);
        let now = subject.client.get(&path).await;
        assert_eq!((&now.body[subject.note], now.header("etag")), (&json!("one"), done.header("etag")));

        let version = now.header("etag").unwrap().to_owned();
        assert_eq!(conditional(&subject, "DELETE", &path, ("if-match", &version), None).await.status, 204);
    }
}

#[tokio::test]
async fn rfc9110_13_1_1_if_match_takes_a_star_a_list_and_strong_tags() {
    for subject in subjects() {
        let path = subject.made(&fresh("tags")).await;
        for (n, tags) in ["*", "W/\"1000\", W/\"2\", W/\"3\"", "\"3\""].iter().enumerate() {
            let body = note(&subject, &format!("note {n}"));
            let answer = conditional(&subject, "PATCH", &path, ("if-match", tags), Some(body)).await;
            assert_eq!(answer.status, 200, "{tags}: {}", answer.body);
        }
        let foreign = ("if-match", "\"a330bc54f0671c9\"");
        fails(&conditional(&subject, "PATCH", &path, foreign, Some(note(&subject, "x"))).await, 412, None);
    }
}

#[tokio::test]
async fn rfc7644_3_14_a_read_of_the_version_at_hand_is_304_without_a_body() {
    for subject in subjects() {
        let path = subject.made(&fresh("fresh")).await;
        let version = subject.client.get(&path).await.header("etag").unwrap().to_owned();

        let same = conditional(&subject, "GET", &path, ("if-none-match", &version), None).await;
        assert_eq!((same.status, same.raw.len(), same.header("etag")), (304, 0, Some(version.as_str())));

        subject.client.patch(&path, json!([{ "op": "replace", "path": subject.note, "value": "new" }])).await;
        let changed = conditional(&subject, "GET", &path, ("if-none-match", &version), None).await;
        assert_eq!((changed.status, &changed.body[subject.note]), (200, &json!("new")));
    }
}

#[tokio::test]
async fn rfc7644_3_5_2_a_change_that_changes_nothing_keeps_the_version() {
    for subject in subjects() {
        let path = subject.made(&fresh("same")).await;
        let before = subject.client.get(&path).await;

        let answer = subject
            .client
            .patch(&path, json!([{ "op": "replace", "path": subject.note, "value": "first note" }]))
            .await;

        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.body["meta"], before.body["meta"]);
    }
}

#[tokio::test]
async fn rfc7644_3_14_every_change_gives_a_version_that_was_never_there() {
    for subject in subjects() {
        let path = subject.made(&fresh("versions")).await;
        let mut seen = vec![subject.client.get(&path).await.header("etag").unwrap().to_owned()];
        for text in ["a", "b", "a", "b"] {
            let answer =
                subject.client.patch(&path, json!([{ "op": "replace", "path": subject.note, "value": text }])).await;
            let version = answer.header("etag").unwrap().to_owned();
            assert!(!seen.contains(&version), "{version} again");
            seen.push(version);
        }
    }
}
