//! Creating, reading, replacing and ending a resource (RFC 7644, sections 3.1 to 3.6; RFC 7643, section 3.1), for every type.

use super::given::{fails, fresh, plain, query, subjects, user};
use serde_json::{Value, json};

#[tokio::test]
async fn rfc7644_3_3_a_create_is_201_with_location_etag_and_the_whole_resource() {
    for subject in subjects() {
        let name = fresh("create");

        let answer = subject.client.post(subject.endpoint, &subject.body(&name)).await;

        assert_eq!(answer.status, 201, "{}", answer.body);
        assert!(answer.header("content-type").unwrap().starts_with("application/scim+json"));
        let meta = &answer.body["meta"];
        assert_eq!(answer.header("location"), meta["location"].as_str());
        assert_eq!(answer.header("etag"), meta["version"].as_str());
        assert_eq!(meta["resourceType"], subject.name);
        assert_eq!(meta["created"], meta["lastModified"]);
        assert!(meta["location"].as_str().unwrap().ends_with(&format!("{}/{}", subject.endpoint, answer.id())));
        for attribute in
            [subject.unique, subject.complex.0, subject.list, subject.reference, subject.note, subject.flag]
        {
            assert_eq!(answer.body[attribute], subject.body(&name)[attribute], "{attribute}");
        }
        assert_eq!(answer.body[subject.extension]["department"], "Imaging");
        let schemas = answer.body["schemas"].as_array().unwrap();
        assert!(schemas.contains(&json!(subject.urn)) && schemas.contains(&json!(subject.extension)), "{schemas:?}");
    }
}

#[tokio::test]
async fn rfc7643_3_1_the_server_mints_the_id_whatever_the_client_sends() {
    for subject in subjects() {
        let mut body = subject.bare(&fresh("minted"));
        body["id"] = json!("mine");
        body["meta"] = json!({ "resourceType": "Else", "created": "2001-01-01T00:00:00Z", "version": "W/\"99\"" });

        let answer = subject.client.post(subject.endpoint, &body).await;

        assert_eq!(answer.status, 201, "{}", answer.body);
        assert_ne!(answer.id(), "mine");
        assert_eq!(answer.body["meta"]["resourceType"], subject.name);
        assert!(!answer.body["meta"]["created"].as_str().unwrap().starts_with("2001"));
        assert_ne!(answer.body["meta"]["version"], "W/\"99\"");
    }
}

#[tokio::test]
async fn rfc7644_3_4_1_what_was_created_is_read_at_once_and_the_same() {
    for subject in subjects() {
        let created = subject.client.post(subject.endpoint, &subject.body(&fresh("read"))).await;
        let path = format!("{}/{}", subject.endpoint, created.id());

        let read = subject.client.get(&path).await;

        assert_eq!(read.status, 200);
        assert_eq!(read.body, created.body);
        assert_eq!(read.header("etag"), created.header("etag"));
        assert_eq!(read.header("location"), created.header("location"));
    }
}

#[tokio::test]
async fn rfc7644_3_4_1_an_unknown_id_is_404_for_every_method() {
    for subject in subjects() {
        let path = format!("{}/0199-no-such-id", subject.endpoint);
        fails(&subject.client.get(&path).await, 404, None);
        fails(&subject.client.put(&path, &subject.bare(&fresh("x"))).await, 404, None);
        let replace = json!([{ "op": "replace", "path": subject.note, "value": "x" }]);
        fails(&subject.client.patch(&path, replace).await, 404, None);
        fails(&subject.client.delete(&path).await, 404, None);
    }
}

#[tokio::test]
async fn rfc7644_3_4_1_an_id_of_another_type_is_404() {
    let [user, workstation] = subjects();
    let path = user.made(&fresh("type")).await;
    let id = path.rsplit('/').next().unwrap();

    fails(&workstation.client.get(&format!("{}/{id}", workstation.endpoint)).await, 404, None);
    fails(&workstation.client.delete(&format!("{}/{id}", workstation.endpoint)).await, 404, None);
    assert_eq!(user.client.get(&path).await.status, 200);
}

#[tokio::test]
async fn rfc7644_3_3_a_second_one_of_the_same_unique_name_is_409_in_any_letter_case() {
    for subject in subjects() {
        let name = fresh("Unique");
        subject.made(&name).await;

        for again in [name.clone(), name.to_uppercase(), name.to_lowercase()] {
            fails(&subject.client.post(subject.endpoint, &subject.bare(&again)).await, 409, Some("uniqueness"));
        }
        assert_eq!(subject.count(&name).await, 1);
    }
}

#[tokio::test]
async fn rfc7644_3_5_a_name_that_another_has_is_409_by_put_and_patch_and_changes_nothing() {
    for subject in subjects() {
        let (one, other) = (fresh("taken"), fresh("taker"));
        subject.made(&one).await;
        let path = subject.made(&other).await;

        fails(&subject.client.put(&path, &subject.bare(&one.to_uppercase())).await, 409, Some("uniqueness"));
        let rename = json!([{ "op": "replace", "path": subject.unique, "value": one }]);
        fails(&subject.client.patch(&path, rename).await, 409, Some("uniqueness"));

        let now = subject.client.get(&path).await;
        assert_eq!(now.body[subject.unique], other);
        assert_eq!(now.header("etag"), Some("W/\"1\""));
    }
}

#[tokio::test]
async fn rfc7644_3_5_1_a_put_with_its_own_name_is_no_conflict_and_may_change_its_letter_case() {
    for subject in subjects() {
        let name = fresh("own");
        let path = subject.made(&name).await;

        let answer = subject.client.put(&path, &subject.body(&name.to_uppercase())).await;

        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.body[subject.unique], name.to_uppercase());
    }
}

#[tokio::test]
async fn rfc7644_3_6_after_a_delete_it_is_gone_and_its_name_is_free() {
    for subject in subjects() {
        let name = fresh("gone");
        let path = subject.made(&name).await;

        let answer = subject.client.delete(&path).await;

        assert_eq!((answer.status, answer.raw.len()), (204, 0));
        fails(&subject.client.get(&path).await, 404, None);
        fails(&subject.client.delete(&path).await, 404, None);
        assert_eq!(subject.count(&name).await, 0);
        let again = subject.made(&name).await;
        assert_ne!(again, path, "ids are never used twice");
    }
}

#[tokio::test]
async fn rfc7644_3_5_1_a_put_replaces_what_it_names_and_clears_what_it_leaves_out() {
    for subject in subjects() {
        let name = fresh("put");
        let path = subject.made(&name).await;
        let before = subject.client.get(&path).await;

        let mut body = subject.bare(&name);
        body[subject.note] = json!("second note");
        let answer = subject.client.put(&path, &body).await;

        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.body[subject.note], "second note");
        for cleared in [subject.complex.0, subject.list, subject.reference, subject.extension] {
            assert_eq!(answer.body.get(cleared), None, "{cleared}");
        }
        assert_eq!(answer.body["schemas"], json!([subject.urn]), "an extension without a value is not in use");
        assert_eq!(answer.body["id"], before.body["id"]);
        assert_eq!(answer.body["meta"]["created"], before.body["meta"]["created"]);
        assert_ne!(answer.body["meta"]["version"], before.body["meta"]["version"]);
        assert_eq!(subject.client.get(&path).await.body, answer.body);
    }
}

#[tokio::test]
async fn rfc7644_3_5_1_a_put_of_what_was_read_changes_nothing() {
    for subject in subjects() {
        let path = subject.made(&fresh("echo")).await;
        let before = subject.client.get(&path).await;

        let answer = subject.client.put(&path, &before.body).await;

        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, before.body);
    }
}

#[tokio::test]
async fn rfc7644_3_5_1_read_only_attributes_in_a_put_are_ignored() {
    for subject in subjects() {
        let name = fresh("readonly");
        let path = subject.made(&name).await;
        let before = subject.client.get(&path).await;
        let mut body = subject.body(&name);
        body["id"] = json!("another");
        body["meta"] = json!({ "created": "2001-01-01T00:00:00Z", "location": "https://else.example/" });
        body[subject.read_only] = json!([{ "value": "forged" }]);

        let answer = subject.client.put(&path, &body).await;

        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.body["id"], before.body["id"]);
        assert_eq!(answer.body["meta"]["created"], before.body["meta"]["created"]);
        assert_eq!(answer.body["meta"]["location"], before.body["meta"]["location"]);
        assert_eq!(answer.body.get(subject.read_only), None);
    }
}

#[tokio::test]
async fn rfc7643_2_4_a_required_attribute_that_is_missing_is_400() {
    for subject in subjects() {
        fails(
            &subject.client.post(subject.endpoint, &json!({ "schemas": [subject.urn] })).await,
            400,
            Some("invalidValue"),
        );
        let null = json!({ "schemas": [subject.urn], subject.unique: null });
        fails(&subject.client.post(subject.endpoint, &null).await, 400, Some("invalidValue"));
        let path = subject.made(&fresh("required")).await;
        fails(&subject.client.put(&path, &json!({ "schemas": [subject.urn] })).await, 400, Some("invalidValue"));
        let remove = json!([{ "op": "remove", "path": subject.unique }]);
        fails(&subject.client.patch(&path, remove).await, 400, Some("mutability"));
    }
}

#[tokio::test]
async fn rfc7644_3_1_both_media_types_are_taken_and_scim_json_is_answered() {
    let (server, name) = (plain(), fresh("media"));
    let client = server.client();
    for (n, media_type) in
        ["application/scim+json", "application/json", "application/scim+json; charset=utf-8"].iter().enumerate()
    {
        let body = serde_json::to_vec(&user(&format!("{name}-{n}"))).unwrap();
        let answer = client.raw("POST", "/Users", &[("content-type", media_type)], Some(body)).await.unwrap();
        assert_eq!(answer.status, 201, "{media_type}: {}", answer.body);
        assert!(answer.header("content-type").unwrap().starts_with("application/scim+json"), "{media_type}");
    }
}

#[tokio::test]
async fn rfc7644_3_8_a_client_that_accepts_plain_json_only_gets_it() {
    let server = plain();
    let client = server.client();

    let answer = client.raw("GET", "/Users?count=0", &[("accept", "application/json")], None).await.unwrap();

    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").unwrap().starts_with("application/json"));
}

#[tokio::test]
async fn rfc9110_9_3_2_head_is_answered_like_get_without_a_body() {
    let server = plain();
    let client = server.client();
    let id = super::given::made(&client, "/Users", &user(&fresh("head"))).await;
    for path in [
        "/Users?count=1".to_owned(),
        format!("/Users/{id}"),
        "/ServiceProviderConfig".into(),
        "/Schemas".into(),
        "/ResourceTypes".into(),
    ] {
        let get = client.get(&path).await;

        let head = client.send("HEAD", &path, None).await.unwrap();

        assert_eq!((head.status, head.raw.len()), (200, 0), "{path}");
        for name in ["content-type", "etag", "location"] {
            assert_eq!(head.header(name), get.header(name), "{path}: {name}");
        }
    }
    assert_eq!(client.send("HEAD", "/Users/none", None).await.unwrap().status, 404);
}

#[tokio::test]
async fn rfc7644_3_11_me_is_501_for_a_client_that_is_no_user() {
    let server = plain();
    let client = server.client();

    fails(&client.get("/Me").await, 501, None);
    fails(&client.patch("/Me", json!([{ "op": "remove", "path": "nickName" }])).await, 501, None);
}

#[tokio::test]
async fn rfc7643_3_1_last_modified_moves_with_each_change_and_created_stays() {
    for subject in subjects() {
        let path = subject.made(&fresh("clock")).await;
        let before = subject.client.get(&path).await.body["meta"].clone();

        let after =
            subject.client.patch(&path, json!([{ "op": "replace", "path": subject.note, "value": "later" }])).await;

        let text = |meta: &Value, name: &str| meta[name].as_str().unwrap().to_owned();
        let meta = &after.body["meta"];
        assert_eq!(text(meta, "created"), text(&before, "created"));
        let at = |meta: &Value| text(meta, "lastModified").parse::<jiff::Timestamp>().unwrap();
        assert!(at(meta) > at(&before), "{meta} {before}");
    }
}

#[tokio::test]
async fn rfc7643_3_1_external_id_is_the_clients_and_exact_in_its_letter_case() {
    for subject in subjects() {
        let name = fresh("external");
        subject.made(&name).await;
        let find = async |value: &str| {
            let filter = format!("externalId eq \"{value}\"");
            let answer = subject.client.get(&format!("{}{}", subject.endpoint, query(&[("filter", &filter)]))).await;
            answer.body["totalResults"].as_u64().unwrap()
        };

        assert_eq!(find(&name.to_uppercase()).await, 1);
        assert_eq!(find(&name.to_lowercase()).await, 0);
    }
}
