//! Choosing attributes (RFC 7644, sections 3.4.2.5 and 3.9), for every type.

use super::given::{column, fails, fresh, query, subjects};
use serde_json::json;

#[tokio::test]
async fn rfc7644_3_9_attributes_shows_those_named_and_what_is_always_shown() {
    for subject in subjects() {
        let path = subject.made(&fresh("shown")).await;
        let family = format!("{}.{}", subject.complex.0, subject.complex.1);
        let named = format!("{},{family},{}:department,{}.type", subject.note, subject.extension, subject.list);

        let answer = subject.client.get(&format!("{path}{}", query(&[("attributes", &named)]))).await;

        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.body[subject.note], "first note");
        assert_eq!(answer.body[subject.complex.0], json!({ subject.complex.1: "Example" }));
        assert_eq!(answer.body[subject.extension], json!({ "department": "Imaging" }));
        assert_eq!(answer.body[subject.list], json!([{ "type": "work" }, { "type": "home" }]));
        assert!(answer.body["id"].is_string() && answer.body["schemas"].is_array());
        for left_out in [subject.flag, subject.reference, "meta"] {
            assert_eq!(answer.body.get(left_out), None, "{left_out}");
        }
    }
}

#[tokio::test]
async fn rfc7644_3_9_excluded_attributes_hides_those_named_but_never_what_is_always_shown() {
    for subject in subjects() {
        let path = subject.made(&fresh("hidden")).await;
        let named = format!("{},id,schemas,{}:costCenter,{}.display", subject.note, subject.extension, subject.list);

        let answer = subject.client.get(&format!("{path}{}", query(&[("excludedAttributes", &named)]))).await;

        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.body.get(subject.note), None);
        assert_eq!(answer.body[subject.extension], json!({ "department": "Imaging" }));
        assert!(answer.body[subject.list].as_array().unwrap().iter().all(|one| one.get("display").is_none()));
        assert!(answer.body["id"].is_string() && answer.body["schemas"].is_array());
        assert_eq!(answer.body[subject.flag], true);
    }
}

#[tokio::test]
async fn rfc7644_3_10_names_to_show_are_read_in_any_case_and_with_their_urn() {
    for subject in subjects() {
        let path = subject.made(&fresh("named")).await;
        for named in [subject.note.to_uppercase(), format!("{}:{}", subject.urn, subject.note)] {
            let answer = subject.client.get(&format!("{path}{}", query(&[("attributes", &named)]))).await;
            assert_eq!(answer.body[subject.note], "first note", "{named}");
            assert_eq!(answer.body.get(subject.flag), None);
        }
    }
}

#[tokio::test]
async fn rfc7644_3_9_both_lists_at_once_are_400() {
    for subject in subjects() {
        let path = subject.made(&fresh("both")).await;
        let both = query(&[("attributes", subject.note), ("excludedAttributes", subject.flag)]);
        fails(&subject.client.get(&format!("{path}{both}")).await, 400, Some("invalidValue"));
        fails(&subject.client.get(&format!("{}{both}", subject.endpoint)).await, 400, Some("invalidValue"));
    }
}

#[tokio::test]
async fn rfc7644_3_9_a_write_and_a_list_show_what_is_asked_for() {
    for subject in subjects() {
        let name = fresh("written");
        let asked = query(&[("attributes", subject.unique)]);

        let created = subject.client.post(&format!("{}{asked}", subject.endpoint), &subject.body(&name)).await;
        let path = format!("{}/{}{asked}", subject.endpoint, created.id());
        let replaced = subject.client.put(&path, &subject.body(&name)).await;
        let filter = format!("{} eq \"{name}\"", subject.unique);
        let listed = query(&[("attributes", subject.unique), ("filter", &filter)]);
        let listed = subject.client.get(&format!("{}{listed}", subject.endpoint)).await;

        for body in [&created.body, &replaced.body, &listed.body["Resources"][0]] {
            assert_eq!(body[subject.unique], name);
            assert_eq!(body.get(subject.note), None);
        }
        assert_eq!(created.status, 201);
        assert!(created.header("location").is_some() && created.header("etag").is_some());
    }
}

#[tokio::test]
async fn rfc7644_3_4_2_3_resources_are_sorted_either_way_and_those_without_a_value_come_last_ascending() {
    for subject in subjects() {
        let stem = fresh("sort");
        for (letter, note) in [("a", Some("Zulu")), ("b", Some("alpha")), ("c", None), ("d", Some("Mike"))] {
            let mut body = subject.bare(&format!("{stem}.{letter}"));
            body[subject.note] = note.into();
            super::given::made(&subject.client, subject.endpoint, &body).await;
        }
        let filter = format!("{} sw \"{stem}\"", subject.unique);
        for (by, order, expected) in [
            (subject.note, "ascending", "bdac"),
            (subject.note, "descending", "cadb"),
            (subject.unique, "ascending", "abcd"),
            (subject.unique, "descending", "dcba"),
            ("meta.created", "ascending", "abcd"),
            ("id", "descending", "dcba"),
        ] {
            let sorted = query(&[("filter", &filter), ("sortBy", by), ("sortOrder", order)]);
            let answer = subject.client.get(&format!("{}{sorted}", subject.endpoint)).await;
            let letters: Vec<&str> =
                column(&answer, subject.unique).into_iter().map(|name| &name[name.len() - 1..]).collect();
            assert_eq!(letters.concat(), expected, "{by} {order} of {}: {}", subject.name, answer.body);
        }
    }
}

#[tokio::test]
async fn rfc7644_3_4_2_3_a_list_sorts_by_its_primary_or_first_value() {
    for subject in subjects() {
        let stem = fresh("primary");
        for (letter, list) in [
            ("a", json!([{ "value": "m" }, { "value": "z", "primary": true }])),
            ("b", json!([{ "value": "n" }, { "value": "a" }])),
        ] {
            let mut body = subject.bare(&format!("{stem}.{letter}"));
            body[subject.list] = list;
            super::given::made(&subject.client, subject.endpoint, &body).await;
        }
        let filter = format!("{} sw \"{stem}\"", subject.unique);
        let by = format!("{}.value", subject.list);
        let answer = subject
            .client
            .get(&format!("{}{}", subject.endpoint, query(&[("filter", &filter), ("sortBy", &by)])))
            .await;
        assert_eq!(column(&answer, subject.unique), [format!("{stem}.b"), format!("{stem}.a")], "{}", answer.body);
    }
}

#[tokio::test]
async fn rfc7644_3_4_2_3_an_order_that_is_none_is_400() {
    for subject in subjects() {
        for pairs in [
            [("sortBy", subject.unique), ("sortOrder", "upwards")],
            [("sortBy", "noSuchAttribute"), ("sortOrder", "ascending")],
        ] {
            let answer = subject.client.get(&format!("{}{}", subject.endpoint, query(&pairs))).await;
            assert_eq!(answer.status, 400, "{pairs:?}: {}", answer.body);
            fails(&answer, 400, answer.body["scimType"].as_str());
        }
    }
}
