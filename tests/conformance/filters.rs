//! Filters (RFC 7644, section 3.4.2.2) over stored data, for every type.

use super::given::{Subject, column, fails, fresh, house, query, subjects};
use serde_json::{Value, json};

/// Five resources, from `a` to `e`: what each has is told by [`people`].
struct Ward {
    subject: Subject,
    stem: String,
}

fn people(subject: &Subject, stem: &str) -> Vec<Value> {
    let row = |letter: &str, note: Option<&str>, list: Value, flag: Option<bool>, department: Option<&str>| {
        let mut body = subject.bare(&format!("{stem}.{letter}"));
        body[subject.complex.0] = json!({ subject.complex.1: format!("Family {letter}"), subject.complex.2: "Given" });
        body[subject.list] = list;
        body[subject.note] = note.into();
        body[subject.flag] = flag.into();
        if let Some(department) = department {
            body[subject.extension] = json!({ "department": department });
            body["schemas"] = json!([subject.urn, subject.extension]);
        }
        body
    };
    let work = |value: &str| json!({ "value": value, "type": "work" });
    let home = |value: &str| json!({ "value": value, "type": "home" });
    vec![
        row("a", Some("Alpha"), json!([work("a@work.example"), home("a@home.example")]), Some(true), Some("Imaging")),
        row("b", Some("alphabet"), json!([work("b@home.example")]), Some(false), Some("Surgery")),
        row("c", Some("Beta"), json!([home("c@work.example")]), Some(true), None),
        row("d", None, json!([]), None, Some("imaging")),
        row("e", Some("say \"hi\" \\ Ünï"), json!([home("e@home.example")]), Some(true), None),
    ]
}

async fn wards() -> Vec<Ward> {
    let mut wards = Vec::new();
    for subject in subjects() {
        let stem = fresh("filter");
        for body in people(&subject, &stem) {
            super::given::made(&subject.client, subject.endpoint, &body).await;
        }
        wards.push(Ward { subject, stem });
    }
    wards
}

impl Ward {
    /// The letters of those that the filter finds among ours. The names in it are User's; another type's stand in for them.
    async fn find(&self, filter: &str) -> String {
        let subject = &self.subject;
        let filter = subject.translate(filter);
        let filter = format!("({filter}) and {} sw \"{}.\"", subject.unique, self.stem);
        let answer = subject.client.get(&format!("{}{}", subject.endpoint, query(&[("filter", &filter)]))).await;
        assert_eq!(answer.status, 200, "{filter}: {}", answer.body);
        let mut letters: Vec<&str> =
            column(&answer, subject.unique).into_iter().map(|name| &name[name.len() - 1..]).collect();
        letters.sort_unstable();
        assert_eq!(answer.body["totalResults"], letters.len(), "{filter}");
        letters.concat()
    }

    async fn refuses(&self, filter: &str) {
        let filter = self.subject.translate(filter);
        let path = format!("{}{}", self.subject.endpoint, query(&[("filter", &filter)]));
        fails(&self.subject.client.get(&path).await, 400, Some("invalidFilter"));
    }
}

impl Subject {
    fn translate(&self, filter: &str) -> String {
        let names = [
            ("userName", self.unique),
            ("name.familyName", &format!("{}.{}", self.complex.0, self.complex.1)),
            ("emails", self.list),
            ("nickName", self.note),
            ("active", self.flag),
            ("@USER", self.urn),
            ("@EXTENSION", self.extension),
        ];
        names.iter().fold(filter.to_owned(), |text, (from, to)| text.replace(from, to))
    }
}

#[tokio::test]
async fn rfc7644_3_4_2_2_each_operator_finds_what_it_names() {
    for ward in wards().await {
        let stem = &ward.stem;
        let cases = [
            (format!("userName eq \"{stem}.a\""), "a"),
            (format!("userName ne \"{stem}.a\""), "bcde"),
            ("nickName eq \"ALPHA\"".into(), "a"),
            ("nickName co \"lph\"".into(), "ab"),
            ("nickName sw \"alpha\"".into(), "ab"),
            ("nickName ew \"TA\"".into(), "c"),
            ("nickName pr".into(), "abce"),
            ("not (nickName pr)".into(), "d"),
            ("nickName gt \"alpha\"".into(), "bce"),
            ("nickName ge \"alpha\"".into(), "abce"),
            ("nickName lt \"alphabet\"".into(), "a"),
            ("nickName le \"alphabet\"".into(), "ab"),
            ("active eq true".into(), "ace"),
            ("active eq false".into(), "b"),
            ("active pr".into(), "abce"),
            ("name.familyName eq \"family c\"".into(), "c"),
            ("emails co \"work.example\"".into(), "ac"),
            ("emails.type eq \"work\"".into(), "ab"),
            ("emails pr".into(), "abce"),
        ];
        for (filter, expected) in cases {
            assert_eq!(ward.find(&filter).await, expected, "{filter} of {}", ward.subject.name);
        }
    }
}

#[tokio::test]
async fn rfc7644_3_4_2_2_and_binds_tighter_than_or_and_not_tighter_than_both() {
    for ward in wards().await {
        let cases = [
            ("nickName eq \"Beta\" or active eq true and nickName sw \"al\"", "ac"),
            ("(nickName eq \"Beta\" or active eq true) and nickName sw \"al\"", "a"),
            ("not (active eq true) and nickName pr", "b"),
            ("not(active eq true and nickName sw \"al\")", "bcde"),
            ("nickName sw \"al\" AND NOT (active EQ true)", "b"),
        ];
        for (filter, expected) in cases {
            assert_eq!(ward.find(filter).await, expected, "{filter} of {}", ward.subject.name);
        }
    }
}

#[tokio::test]
async fn rfc7644_3_4_2_2_a_value_path_asks_for_one_element_that_has_it_all() {
    for ward in wards().await {
        let cases = [
            ("emails[type eq \"work\" and value co \"@work\"]", "a"),
            ("emails.type eq \"work\" and emails.value co \"@home\"", "ab"),
            ("emails[type eq \"work\" and value co \"@home\"]", "b"),
            ("emails[type eq \"home\" and not (value co \"@home\")]", "c"),
            ("emails[type eq \"work\"].value eq \"b@home.example\"", "b"),
            ("not (emails[type eq \"home\"])", "bd"),
        ];
        for (filter, expected) in cases {
            assert_eq!(ward.find(filter).await, expected, "{filter} of {}", ward.subject.name);
        }
    }
}

#[tokio::test]
async fn rfc7644_3_10_names_are_found_in_any_case_and_with_their_urn() {
    for ward in wards().await {
        let urn = &ward.subject.urn;
        let cases = [
            (format!("{urn}:nickName eq \"beta\""), "c"),
            (format!("{}:NICKNAME eq \"beta\"", urn.to_uppercase()), "c"),
            ("@EXTENSION:department eq \"imaging\"".into(), "ad"),
            ("@EXTENSION:department pr".into(), "abd"),
            ("NICKNAME EQ \"beta\"".to_lowercase(), "c"),
        ];
        for (filter, expected) in cases {
            // The upper-case form is not translated by name.
            let filter = filter.replace("NICKNAME", &ward.subject.note.to_uppercase()).replace("nickname", "nickName");
            assert_eq!(ward.find(&filter).await, expected, "{filter} of {}", ward.subject.name);
        }
    }
}

#[tokio::test]
async fn rfc7644_3_4_2_2_values_are_json_texts_with_their_escapes() {
    for ward in wards().await {
        assert_eq!(ward.find(r#"nickName eq "say \"hi\" \\ Ünï""#).await, "e");
        assert_eq!(ward.find(r#"nickName eq "say \u0022hi\u0022 \\ \u00dcn\u00ef""#).await, "e");
        assert_eq!(ward.find(r#"nickName co "ÜN""#).await, "e");
    }
}

#[tokio::test]
async fn rfc7644_3_4_2_2_null_finds_what_has_no_value() {
    for ward in wards().await {
        assert_eq!(ward.find("nickName eq null").await, "d");
        assert_eq!(ward.find("nickName ne null").await, "abce");
    }
}

#[tokio::test]
async fn rfc7644_3_4_2_2_meta_and_id_can_be_asked_for() {
    for ward in wards().await {
        let subject = &ward.subject;
        let path = subject.made(&format!("{}.x", ward.stem)).await;
        let one = subject.client.get(&path).await;
        let modified = one.body["meta"]["lastModified"].as_str().unwrap();

        assert_eq!(ward.find(&format!("id eq \"{}\"", one.id())).await, "x");
        assert_eq!(ward.find(&format!("meta.lastModified ge \"{modified}\"")).await, "x");
        assert_eq!(ward.find(&format!("meta.created lt \"{modified}\"")).await, "abcde");
        assert_eq!(ward.find("meta.created gt \"2999-01-01T00:00:00+02:00\"").await, "");
        assert_eq!(ward.find(&format!("meta.resourceType eq \"{}\"", subject.name)).await, "abcdex");
    }
}

#[tokio::test]
async fn rfc7644_3_4_2_a_query_that_finds_nothing_is_200_and_empty() {
    for ward in wards().await {
        assert_eq!(ward.find("userName eq \"nobody\"").await, "");
    }
}

#[tokio::test]
async fn rfc7644_3_12_a_filter_that_is_none_is_400_invalid_filter() {
    for ward in wards().await {
        for filter in [
            "userName",
            "userName eq",
            "userName eq nobody",
            "userName xx \"a\"",
            "eq \"a\"",
            "userName eq \"a\" and",
            "(userName eq \"a\"",
            "userName eq \"a\")",
            "userName eq \"a",
            "not userName eq \"a\"",
            "emails[type eq \"work\"",
            "emails[emails[type eq \"work\"]]",
            "noSuchAttribute eq \"a\"",
            "emails.noSuch eq \"a\"",
            "urn:example:none:attribute eq \"a\"",
            "active gt true",
            "active eq \"yes\"",
            "",
        ] {
            ward.refuses(filter).await;
        }
    }
}

#[tokio::test]
async fn rfc7644_3_4_2_2_numbers_and_dates_compare_as_such() {
    let house = house();
    let (client, stem) = (house.gateway.client(&house.rfc), fresh("number"));
    for (letter, seats, weight, bought) in [
        ("a", 9, 1.5, "2024-05-01T10:00:00Z"),
        ("b", 10, 10.25, "2024-05-01T10:00:00+02:00"),
        ("c", -3, 2.0, "2025-01-01T00:00:00.250Z"),
    ] {
        let body = json!({ "schemas": [super::given::WORKSTATION], "assetTag": format!("{stem}.{letter}"),
            "seats": seats, "weight": weight, "bought": bought });
        super::given::made(&client, "/Workstations", &body).await;
    }
    for (filter, expected) in [
        ("seats gt 9", "b"),
        ("seats ge 9", "ab"),
        ("seats lt 0", "c"),
        ("seats eq 10", "b"),
        ("weight gt 2", "b"),
        ("weight le 2.0", "ac"),
        ("bought eq \"2024-05-01T08:00:00Z\"", "b"),
        ("bought lt \"2024-05-01T10:00:00Z\"", "b"),
        ("bought ge \"2025-01-01T00:00:00Z\"", "c"),
    ] {
        let whole = format!("{filter} and assetTag sw \"{stem}\"");
        let answer =
            client.get(&format!("/Workstations{}", query(&[("filter", &whole), ("sortBy", "assetTag")]))).await;
        let letters: Vec<&str> = column(&answer, "assetTag").into_iter().map(|name| &name[name.len() - 1..]).collect();
        assert_eq!(letters.concat(), expected, "{filter}: {}", answer.body);
    }
}

#[tokio::test]
async fn rfc7644_7_5_2_a_password_can_not_be_asked_for() {
    for ward in wards().await {
        let subject = &ward.subject;
        let filter = format!("{} sw \"a\"", subject.secret);
        let answer = subject.client.get(&format!("{}{}", subject.endpoint, query(&[("filter", &filter)]))).await;
        fails(&answer, 403, Some("sensitive"));
    }
}

#[tokio::test]
async fn rfc7644_3_4_3_a_search_by_post_finds_the_same_as_a_get() {
    for ward in wards().await {
        let subject = &ward.subject;
        let body = json!({
            "schemas": [super::given::SEARCH],
            "filter": format!("{} sw \"{}.\" and {} pr", subject.unique, ward.stem, subject.note),
            "sortBy": subject.unique,
            "sortOrder": "descending",
            "startIndex": 2,
            "count": 2,
            "attributes": [subject.unique],
        });
        for path in [format!("{}/.search", subject.endpoint), "/.search".to_owned()] {
            let answer = subject.client.post(&path, &body).await;

            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
            assert_eq!(answer.body["schemas"], json!([super::given::LIST]));
            assert_eq!((&answer.body["totalResults"], &answer.body["startIndex"]), (&json!(4), &json!(2)), "{path}");
            assert_eq!(column(&answer, subject.unique), [format!("{}.c", ward.stem), format!("{}.b", ward.stem)]);
            assert_eq!(answer.body["Resources"][0].get(subject.note), None);
        }
    }
}
