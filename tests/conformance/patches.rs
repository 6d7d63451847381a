//! PATCH (RFC 7644, section 3.5.2): every form of path and every operation, for every type.

use super::given::{Subject, fails, fresh, subjects};
use serde_json::{Value, json};

/// A fresh full resource, patched; what it is afterwards.
async fn patched(subject: &Subject, operations: Value) -> Value {
    let path = subject.made(&fresh("patch")).await;
    let answer = subject.client.patch(&path, operations.clone()).await;
    assert_eq!(answer.status, 200, "{operations}: {}", answer.body);
    assert_eq!(subject.client.get(&path).await.body, answer.body, "the answer is what is stored");
    answer.body
}

/// A fresh full resource, patched in vain: nothing of it changes.
async fn refused(subject: &Subject, operations: Value, keyword: &str) {
    let path = subject.made(&fresh("refuse")).await;
    let before = subject.client.get(&path).await;
    fails(&subject.client.patch(&path, operations).await, 400, Some(keyword));
    assert_eq!(subject.client.get(&path).await.body, before.body);
}

fn values(body: &Value, list: &str) -> Vec<String> {
    let listed = body[list].as_array().cloned().unwrap_or_default();
    listed.iter().map(|one| one["value"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn rfc7644_3_5_2_1_add_without_a_path_merges_what_it_names() {
    for subject in subjects() {
        let (complex, family, given) = subject.complex;
        let value =
            json!({ complex: { family: "New" }, subject.note: "new", subject.extension: { "costCenter": "1" } });

        let after = patched(&subject, json!([{ "op": "add", "value": value }])).await;

        assert_eq!(after[complex], json!({ family: "New", given: "Testperson" }));
        assert_eq!(after[subject.note], "new");
        assert_eq!(after[subject.extension], json!({ "department": "Imaging", "costCenter": "1" }));
        assert_eq!(values(&after, subject.list), ["a@hosp.example", "b@hosp.example"]);
    }
}

#[tokio::test]
async fn rfc7644_3_5_2_1_add_to_a_list_appends_and_never_doubles() {
    for subject in subjects() {
        let new = json!({ "value": "c@hosp.example", "type": "other" });
        let after = patched(&subject, json!([{ "op": "add", "path": subject.list, "value": [new] }])).await;
        assert_eq!(values(&after, subject.list), ["a@hosp.example", "b@hosp.example", "c@hosp.example"]);

        let one = patched(&subject, json!([{ "op": "add", "path": subject.list, "value": new }])).await;
        assert_eq!(values(&one, subject.list).len(), 3, "one value without a list is taken as one");

        let known = json!([{ "value": "b@hosp.example", "type": "home", "display": "B" }]);
        let same = patched(&subject, json!([{ "op": "add", "path": subject.list, "value": known }])).await;
        assert_eq!(values(&same, subject.list), ["a@hosp.example", "b@hosp.example"]);
        assert_eq!(same["meta"]["version"], "W/\"1\"", "nothing changed");
    }
}

#[tokio::test]
async fn rfc7644_3_5_2_a_new_primary_takes_it_from_the_old_one() {
    for subject in subjects() {
        let new = json!([{ "value": "c@hosp.example", "type": "other", "primary": true }]);
        for operation in [
            json!({ "op": "add", "path": subject.list, "value": new }),
            json!({ "op": "replace", "path": format!("{}[type eq \"home\"].primary", subject.list), "value": true }),
        ] {
            let after = patched(&subject, json!([operation])).await;
            let primary: Vec<&Value> =
                after[subject.list].as_array().unwrap().iter().filter(|one| one["primary"] == true).collect();
            assert_eq!(primary.len(), 1, "{after}");
            assert_ne!(primary[0]["value"], "a@hosp.example");
        }
    }
}

#[tokio::test]
async fn rfc7644_3_5_2_3_replace_of_simple_complex_and_listed_attributes() {
    for subject in subjects() {
        let (complex, family, given) = subject.complex;

        let simple = patched(&subject, json!([{ "op": "replace", "path": subject.note, "value": "x" }])).await;
        assert_eq!(simple[subject.note], "x");

        let sub =
            patched(&subject, json!([{ "op": "replace", "path": format!("{complex}.{family}"), "value": "F" }])).await;
        assert_eq!(sub[complex], json!({ family: "F", given: "Testperson" }));

        let whole = patched(&subject, json!([{ "op": "replace", "path": complex, "value": { family: "F" } }])).await;
        assert_eq!(whole[complex], json!({ family: "F", given: "Testperson" }), "sub-attributes not named stay");

        let list =
            patched(&subject, json!([{ "op": "replace", "path": subject.list, "value": [{ "value": "z" }] }])).await;
        assert_eq!(values(&list, subject.list), ["z"]);

        let none =
            patched(&subject, json!([{ "op": "replace", "value": { subject.note: "y", subject.flag: false } }])).await;
        assert_eq!((&none[subject.note], &none[subject.flag]), (&json!("y"), &json!(false)));
    }
}

#[tokio::test]
async fn rfc7644_3_5_2_3_replace_of_what_is_not_there_adds_it() {
    for subject in subjects() {
        let after = patched(
            &subject,
            json!([
                { "op": "remove", "path": subject.note },
                { "op": "replace", "path": subject.note, "value": "again" },
                { "op": "remove", "path": subject.list },
                { "op": "replace", "path": subject.list, "value": [{ "value": "n" }] },
            ]),
        )
        .await;
        assert_eq!(after[subject.note], "again");
        assert_eq!(values(&after, subject.list), ["n"]);
    }
}

#[tokio::test]
async fn rfc7644_3_5_2_3_replace_by_a_filter_changes_the_elements_that_match() {
    for subject in subjects() {
        let list = subject.list;

        let sub = patched(
            &subject,
            json!([{ "op": "replace", "path": format!("{list}[type eq \"work\"].value"), "value": "w" }]),
        )
        .await;
        assert_eq!(values(&sub, list), ["w", "b@hosp.example"]);

        let element = patched(
            &subject,
            json!([{ "op": "replace", "path": format!("{list}[value eq \"b@hosp.example\"]"), "value": { "value": "n", "type": "other" } }]),
        )
        .await;
        assert!(values(&element, list).contains(&"n".to_owned()), "{element}");
        assert!(values(&element, list).contains(&"a@hosp.example".to_owned()), "{element}");

        let all =
            patched(&subject, json!([{ "op": "replace", "path": format!("{list}[value pr].display"), "value": "D" }]))
                .await;
        assert!(all[list].as_array().unwrap().iter().all(|one| one["display"] == "D"), "{all}");

        refused(
            &subject,
            json!([{ "op": "replace", "path": format!("{list}[type eq \"none\"].value"), "value": "x" }]),
            "noTarget",
        )
        .await;
    }
}

#[tokio::test]
async fn rfc7644_3_5_2_2_remove_in_every_form() {
    for subject in subjects() {
        let (list, (complex, family, given)) = (subject.list, subject.complex);

        let after = patched(&subject, json!([{ "op": "remove", "path": subject.note }])).await;
        assert_eq!(after.get(subject.note), None);

        let after = patched(&subject, json!([{ "op": "remove", "path": format!("{complex}.{family}") }])).await;
        assert_eq!(after[complex], json!({ given: "Testperson" }));

        let after = patched(&subject, json!([{ "op": "remove", "path": complex }])).await;
        assert_eq!(after.get(complex), None);

        let after = patched(&subject, json!([{ "op": "remove", "path": list }])).await;
        assert_eq!(after.get(list), None);

        let after = patched(&subject, json!([{ "op": "remove", "path": format!("{list}[type eq \"work\"]") }])).await;
        assert_eq!(values(&after, list), ["b@hosp.example"]);

        let after = patched(
            &subject,
            json!([{ "op": "remove", "path": format!("{list}[type eq \"work\" or type eq \"home\"]") }]),
        )
        .await;
        assert_eq!(after.get(list), None, "a list without elements is not there");

        let after =
            patched(&subject, json!([{ "op": "remove", "path": format!("{list}[type eq \"home\"].display") }])).await;
        assert_eq!(after[list][1].get("display"), None);
        assert_eq!(values(&after, list).len(), 2);

        let after =
            patched(&subject, json!([{ "op": "remove", "path": format!("{}:department", subject.extension) }])).await;
        assert_eq!(after[subject.extension], json!({ "costCenter": "4711" }));
    }
}

#[tokio::test]
async fn rfc7644_3_5_2_2_remove_without_a_path_is_no_target() {
    for subject in subjects() {
        refused(&subject, json!([{ "op": "remove" }]), "noTarget").await;
    }
}

#[tokio::test]
async fn rfc7644_3_5_2_2_removing_what_is_not_there_changes_nothing() {
    for subject in subjects() {
        let after = patched(&subject, json!([{ "op": "remove", "path": format!("{}:none", subject.extension).replace("none", "department") }, { "op": "remove", "path": format!("{}:department", subject.extension) }])).await;
        assert_eq!(after[subject.extension], json!({ "costCenter": "4711" }));
    }
}

#[tokio::test]
async fn rfc7644_3_10_paths_are_read_with_their_urn_and_in_any_case() {
    for subject in subjects() {
        for path in [
            format!("{}:{}", subject.urn, subject.note),
            format!("{}:{}", subject.urn.to_uppercase(), subject.note.to_uppercase()),
            subject.note.to_uppercase(),
        ] {
            let after = patched(&subject, json!([{ "op": "replace", "path": path, "value": "urn" }])).await;
            assert_eq!(after[subject.note], "urn", "{path}");
        }
        let path = format!("{}:{}[TYPE EQ \"work\"].VALUE", subject.urn, subject.list);
        let after = patched(&subject, json!([{ "op": "replace", "path": path, "value": "w" }])).await;
        assert_eq!(values(&after, subject.list), ["w", "b@hosp.example"]);
        let after =
            patched(&subject, json!([{ "op": "add", "path": subject.extension, "value": { "department": "D" } }]))
                .await;
        assert_eq!(after[subject.extension], json!({ "department": "D", "costCenter": "4711" }));
        let after = patched(&subject, json!([{ "op": "remove", "path": subject.extension }])).await;
        assert_eq!(after.get(subject.extension), None);
        assert_eq!(after["schemas"], json!([subject.urn]));
    }
}

#[tokio::test]
async fn rfc7644_3_5_2_operations_are_done_in_order() {
    for subject in subjects() {
        let after = patched(
            &subject,
            json!([
                { "op": "replace", "path": subject.note, "value": "one" },
                { "op": "remove", "path": format!("{}[type eq \"work\"]", subject.list) },
                { "op": "add", "path": subject.list, "value": [{ "value": "w2", "type": "work" }] },
                { "op": "replace", "path": format!("{}[type eq \"work\"].display", subject.list), "value": "W" },
                { "op": "replace", "path": subject.note, "value": "two" },
            ]),
        )
        .await;
        assert_eq!(after[subject.note], "two");
        assert_eq!(after[subject.list][1], json!({ "value": "w2", "type": "work", "display": "W" }));
    }
}

#[tokio::test]
async fn rfc7644_3_5_2_when_one_operation_fails_none_is_done() {
    for subject in subjects() {
        let good = json!({ "op": "replace", "path": subject.note, "value": "half" });
        let bad = [
            (json!({ "op": "replace", "path": "noSuchAttribute", "value": "x" }), "invalidPath"),
            (json!({ "op": "replace", "path": format!("{}[", subject.list), "value": "x" }), "invalidPath"),
            (json!({ "op": "replace", "path": "id", "value": "x" }), "mutability"),
            (json!({ "op": "replace", "path": "meta.created", "value": "2001-01-01T00:00:00Z" }), "mutability"),
            (json!({ "op": "add", "path": subject.read_only, "value": [{ "value": "x" }] }), "mutability"),
            (json!({ "op": "replace", "path": subject.flag, "value": "perhaps" }), "invalidValue"),
            (json!({ "op": "replace", "path": subject.note, "value": 7 }), "invalidValue"),
            (json!({ "op": "replace", "path": subject.note, "value": { "a": 1 } }), "invalidValue"),
            (json!({ "op": "move", "path": subject.note, "value": "x" }), "invalidSyntax"),
            (json!({ "path": subject.note, "value": "x" }), "invalidSyntax"),
            (json!({ "op": "add", "path": subject.note }), "invalidValue"),
        ];
        for (operation, keyword) in bad {
            refused(&subject, json!([good, operation]), keyword).await;
        }
    }
}

#[tokio::test]
async fn rfc7644_3_5_2_a_body_that_is_no_patch_is_400() {
    for subject in subjects() {
        let path = subject.made(&fresh("body")).await;
        for body in [
            json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"] }),
            json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [] }),
            json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": {} }),
            json!({ "schemas": [subject.urn], "Operations": [{ "op": "remove", "path": subject.note }] }),
            json!({ "Operations": [{ "op": "remove", "path": subject.note }] }),
            json!([]),
            json!("text"),
        ] {
            let answer = subject.client.send("PATCH", &path, Some(&body)).await.unwrap();
            fails(&answer, 400, Some("invalidSyntax"));
        }
        assert_eq!(subject.client.get(&path).await.header("etag"), Some("W/\"1\""));
    }
}

#[tokio::test]
async fn rfc7644_3_5_2_attributes_chooses_what_a_patch_shows() {
    for subject in subjects() {
        let path = subject.made(&fresh("shown")).await;

        let answer = subject
            .client
            .patch(
                &format!("{path}?attributes={}", subject.note),
                json!([{ "op": "replace", "path": subject.note, "value": "n" }]),
            )
            .await;

        assert_eq!(answer.status, 200);
        assert_eq!(answer.body[subject.note], "n");
        assert_eq!(answer.body.get(subject.list), None);
    }
}
