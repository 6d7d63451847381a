//! Attributes and their characteristics (RFC 7643, sections 2, 4 and 7).

use super::given::{ENTERPRISE, USER, WORKSTATION, fails, fresh, house, made, plain, subjects, user};
use serde_json::{Value, json};

#[tokio::test]
async fn rfc7643_2_1_names_and_uris_are_read_in_any_letter_case_and_answered_as_the_schema_spells_them() {
    let server = plain();
    let name = fresh("case");
    let body = json!({
        "SCHEMAS": [USER.to_uppercase(), ENTERPRISE.to_lowercase()],
        "USERNAME": name,
        "Name": { "FAMILYNAME": "Example" },
        ENTERPRISE.to_uppercase(): { "Department": "Imaging" },
    });

    let answer = server.client().post("/Users", &body).await;

    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.body["userName"], name);
    assert_eq!(answer.body["name"], json!({ "familyName": "Example" }));
    assert_eq!(answer.body[ENTERPRISE], json!({ "department": "Imaging" }));
    assert_eq!(answer.body["schemas"], json!([USER, ENTERPRISE]));
}

#[tokio::test]
async fn rfc7643_2_5_null_and_empty_lists_are_no_values() {
    for subject in subjects() {
        let mut body = subject.bare(&fresh("null"));
        body[subject.note] = Value::Null;
        body[subject.list] = json!([]);
        body[subject.complex.0] = Value::Null;

        let answer = subject.client.post(subject.endpoint, &body).await;

        assert_eq!(answer.status, 201, "{}", answer.body);
        for name in [subject.note, subject.list, subject.complex.0] {
            assert_eq!(answer.body.get(name), None, "{name}");
        }
    }
}

#[tokio::test]
async fn rfc7643_2_5_null_in_a_put_clears_the_attribute() {
    for subject in subjects() {
        let name = fresh("clear");
        let path = subject.made(&name).await;
        let mut body = subject.body(&name);
        body[subject.note] = Value::Null;

        let answer = subject.client.put(&path, &body).await;

        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.body.get(subject.note), None);
    }
}

#[tokio::test]
async fn rfc7643_2_4_two_primaries_are_refused() {
    for subject in subjects() {
        let mut body = subject.bare(&fresh("primary"));
        body[subject.list] = json!([{ "value": "a", "primary": true }, { "value": "b", "primary": true }]);

        fails(&subject.client.post(subject.endpoint, &body).await, 400, Some("invalidValue"));
    }
}

#[tokio::test]
async fn rfc7643_2_3_a_value_of_another_type_is_400() {
    for subject in subjects() {
        let wrong = [
            (subject.note, json!(7)),
            (subject.note, json!(["a"])),
            (subject.note, json!({ "a": 1 })),
            (subject.flag, json!("yes")),
            (subject.flag, json!(1)),
            (subject.list, json!({ "value": "a" })),
            (subject.list, json!(["a"])),
            (subject.list, json!([{ "value": 7 }])),
            (subject.list, json!([{ "value": "a", "primary": "perhaps" }])),
            (subject.complex.0, json!("text")),
            (subject.complex.0, json!([{}])),
            (subject.unique, json!(true)),
            ("externalId", json!(7)),
        ];
        for (name, value) in wrong {
            let unique = fresh("wrong");
            let mut body = subject.bare(&unique);
            body[name] = value;
            fails(&subject.client.post(subject.endpoint, &body).await, 400, Some("invalidValue"));
            assert_eq!(subject.count(&unique).await, 0);
        }
    }
}

#[tokio::test]
async fn rfc7643_3_3_an_extension_that_is_no_object_is_400() {
    for subject in subjects() {
        let mut body = subject.bare(&fresh("wrong"));
        body[subject.extension] = json!("text");
        fails(&subject.client.post(subject.endpoint, &body).await, 400, Some("invalidSyntax"));
    }
}

#[tokio::test]
async fn rfc7643_2_3_numbers_dates_and_references_are_checked() {
    let house = house();
    let client = house.gateway.client(&house.rfc);
    for (name, value) in [
        ("seats", json!(1.5)),
        ("seats", json!("4")),
        ("weight", json!("heavy")),
        ("bought", json!("yesterday")),
        ("bought", json!("2024-13-01T00:00:00Z")),
        ("bought", json!(1_700_000_000)),
    ] {
        let mut body = json!({ "schemas": [WORKSTATION], "assetTag": fresh("typed") });
        body[name] = value;
        fails(&client.post("/Workstations", &body).await, 400, Some("invalidValue"));
    }
    let body = json!({ "schemas": [WORKSTATION], "assetTag": fresh("typed"), "seats": -7, "weight": 1.25, "bought": "2024-05-01T10:00:00+02:00" });
    let answer = client.post("/Workstations", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!((&answer.body["seats"], &answer.body["weight"]), (&json!(-7), &json!(1.25)));
}

#[tokio::test]
async fn rfc7643_2_3_6_a_certificate_must_be_base64() {
    let server = plain();
    let mut body = user(&fresh("binary"));
    body["x509Certificates"] = json!([{ "value": "not base64 at all!" }]);
    fails(&server.client().post("/Users", &body).await, 400, Some("invalidValue"));

    body["x509Certificates"] = json!([{ "value": "TUlJQw==" }]);
    assert_eq!(server.client().post("/Users", &body).await.status, 201);
}

#[tokio::test]
async fn rfc7643_7_a_value_outside_the_canonical_ones_is_stored() {
    for subject in subjects() {
        let mut body = subject.bare(&fresh("canonical"));
        body[subject.list] = json!([{ "value": "a", "type": "ward" }]);

        let answer = subject.client.post(subject.endpoint, &body).await;

        assert_eq!((answer.status, &answer.body[subject.list][0]["type"]), (201, &json!("ward")));
    }
}

#[tokio::test]
async fn rfc7643_7_what_is_never_returned_is_not_even_when_asked_for() {
    for subject in subjects() {
        let mut body = subject.bare(&fresh("secret"));
        body[subject.secret] = json!("canary-Never-Shown-1");
        let created = subject.client.post(subject.endpoint, &body).await;
        assert_eq!(created.status, 201, "{}", created.body);
        let path = format!("{}/{}", subject.endpoint, created.id());
        let change = json!([{ "op": "replace", "path": subject.secret, "value": "canary-Never-Shown-2" }]);

        let answers = [
            created,
            subject.client.get(&path).await,
            subject.client.get(&format!("{path}?attributes={}", subject.secret)).await,
            subject.client.patch(&path, change).await,
            subject.client.put(&path, &body).await,
        ];

        for answer in answers {
            assert!(answer.status < 300, "{}", answer.body);
            assert!(!String::from_utf8_lossy(&answer.raw).contains("canary-Never-Shown"), "{}", answer.body);
            assert_eq!(answer.body.get(subject.secret), None);
        }
    }
}

#[tokio::test]
async fn rfc7643_7_an_immutable_attribute_is_set_once() {
    let house = house();
    let client = house.gateway.client(&house.rfc);
    let body = json!({ "schemas": [WORKSTATION], "assetTag": fresh("immutable"), "serial": "S1" });
    let path = format!("/Workstations/{}", made(&client, "/Workstations", &body).await);

    let mut other = body.clone();
    other["serial"] = json!("S2");
    fails(&client.put(&path, &other).await, 400, Some("mutability"));
    for operation in [
        json!({ "op": "replace", "path": "serial", "value": "S2" }),
        json!({ "op": "add", "path": "serial", "value": "S2" }),
        json!({ "op": "remove", "path": "serial" }),
        json!({ "op": "replace", "value": { "serial": "S2" } }),
    ] {
        fails(&client.patch(&path, json!([operation])).await, 400, Some("mutability"));
    }
    assert_eq!(client.put(&path, &body).await.status, 200);
    assert_eq!(client.get(&path).await.body["serial"], "S1");

    let late = json!({ "schemas": [WORKSTATION], "assetTag": fresh("immutable") });
    let path = format!("/Workstations/{}", made(&client, "/Workstations", &late).await);
    let set = client.patch(&path, json!([{ "op": "add", "path": "serial", "value": "S3" }])).await;
    assert_eq!((set.status, &set.body["serial"]), (200, &json!("S3")), "what has no value yet may get one");
}

#[tokio::test]
async fn rfc7643_3_schemas_must_name_what_the_body_is() {
    let server = plain();
    let client = server.client();
    for schemas in
        [json!(null), json!([]), json!(["urn:ietf:params:scim:schemas:core:2.0:Group"]), json!("text"), json!([7])]
    {
        let mut body = user(&fresh("schemas"));
        body["schemas"] = schemas;
        let answer = client.post("/Users", &body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
        fails(&answer, 400, answer.body["scimType"].as_str());
    }
}

#[tokio::test]
async fn rfc7643_3_3_an_extension_is_announced_only_where_it_has_a_value() {
    let server = plain();
    let mut body = user(&fresh("extension"));
    body["schemas"] = json!([USER, ENTERPRISE]);

    let answer = server.client().post("/Users", &body).await;

    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.body["schemas"], json!([USER]));
}

#[tokio::test]
async fn rfc7643_4_3_a_manager_is_kept_whoever_it_is_and_a_display_name_is_not_written() {
    let server = plain();
    let client = server.client();
    let mut body = user(&fresh("manager"));
    body["schemas"] = json!([USER, ENTERPRISE]);
    body[ENTERPRISE] = json!({ "employeeNumber": "701984", "manager": { "value": "AXTKDLNRKMKT" } });

    let answer = client.post("/Users", &body).await;

    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.body[ENTERPRISE]["manager"]["value"], "AXTKDLNRKMKT");
    assert_eq!(answer.body[ENTERPRISE]["employeeNumber"], "701984");
}

#[tokio::test]
async fn rfc7643_8_2_the_full_user_of_the_rfc_is_stored_whole() {
    let server = plain();
    let full = json!({
        "schemas": [USER, ENTERPRISE],
        "externalId": fresh("701984"),
        "userName": fresh("testperson@hosp.example"),
        "name": { "formatted": "Ms. Testperson J Example, III", "familyName": "Example", "givenName": "Testperson", "middleName": "Jane", "honorificPrefix": "Ms.", "honorificSuffix": "III" },
        "displayName": "Testperson Example",
        "nickName": "Tess",
        "profileUrl": "https://login.hosp.example/testperson",
        "emails": [{ "value": "t@hosp.example", "type": "work", "primary": true }, { "value": "t@home.example", "type": "home" }],
        "addresses": [{ "type": "work", "streetAddress": "100 Example Plaza", "locality": "Exampleton", "region": "EX", "postalCode": "91608", "country": "US", "formatted": "100 Example Plaza\nExampleton", "primary": true }],
        "phoneNumbers": [{ "value": "555-0100", "type": "work" }, { "value": "555-0101", "type": "mobile" }],
        "ims": [{ "value": "someaimhandle", "type": "aim" }],
        "photos": [{ "value": "https://photos.hosp.example/1/F", "type": "photo" }],
        "userType": "Employee",
        "title": "Registered Nurse",
        "preferredLanguage": "en-US",
        "locale": "en-US",
        "timezone": "America/Los_Angeles",
        "active": true,
        "x509Certificates": [{ "value": "TUlJRFF6Q0NBcXlnQXdJQkFnSUNFQUF3RFFZSktvWklodmNOQVFFRkJRQXdUakVMTUFrRw==" }],
        ENTERPRISE: { "employeeNumber": "701984", "costCenter": "4130", "organization": "Example Hospital", "division": "Wards", "department": "Imaging" },
    });

    let answer = server.client().post("/Users", &full).await;

    assert_eq!(answer.status, 201, "{}", answer.body);
    for (name, value) in full.as_object().unwrap() {
        assert_eq!(&answer.body[name], value, "{name}");
    }
}
