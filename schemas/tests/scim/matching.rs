use crate::given::{doc, full_user, group_type, user, user_type};
use scim::{Doc, Filter, Member, Resource, SortKey, fold, matches};
use serde_json::json;

fn holds(text: &str, resource: &Resource) -> bool {
    let filter = Filter::parse(text).unwrap();
    filter.check(user_type()).unwrap_or_else(|error| panic!("{text}: {error}"));
    matches(&filter, user_type(), &doc(resource))
}

#[test]
fn every_operator_means_what_its_name_says() {
    let given = user(full_user());

    for text in [
        r#"userName eq "testperson.12@hosp.EXAMPLE""#,
        r#"userName ne "other""#,
        r#"displayName co "PERSON""#,
        r#"displayName sw "test""#,
        r#"displayName ew "12""#,
        r#"displayName gt "Testperson""#,
        r#"displayName ge "testperson 12""#,
        r#"displayName lt "U""#,
        r#"displayName le "testperson 12""#,
        "active eq true",
        "active ne false",
        "title eq null",
        "name ne null",
        r#"externalId eq "701984""#,
        r#"id eq "U-12""#,
        "name.familyName pr",
        "emails pr",
        r#"meta.resourceType eq "User""#,
        r#"meta.lastModified eq "2026-07-01T14:00:00+02:00""#,
        r#"meta.created lt "2026-01-01T00:00:00.001Z""#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "imaging""#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq "M-1""#,
        r#"schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User""#,
        r#"meta.version eq "W/\"3\"""#,
    ] {
        assert!(holds(text, &given), "{text}");
        assert!(!holds(&format!("not ({text})"), &given), "not {text}");
    }
}

#[test]
fn letter_case_counts_where_the_schema_says_so() {
    let given = user(full_user());

    assert!(!holds(r#"id eq "u-12""#, &given));
    assert!(!holds(r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "m-1""#, &given));
}

#[test]
fn one_of_several_values_is_enough_and_brackets_want_one_that_satisfies_all() {
    let given = user(full_user());

    assert!(holds(r#"emails co "home.example""#, &given));
    assert!(holds(r#"emails.type eq "work" and emails.value co "home.example""#, &given));
    assert!(!holds(r#"emails[type eq "work" and value co "home.example"]"#, &given));
    assert!(holds(r#"emails[not (type eq "work") and primary ne true]"#, &given));
    assert!(holds(r#"emails.type ne "work""#, &given));
}

#[test]
fn ne_is_true_of_an_absent_attribute_and_every_other_comparison_false() {
    let given = user(json!({"userName": "t12"}));

    assert!(holds(r#"title ne "x""#, &given) && holds("title eq null", &given) && holds("not (title pr)", &given));
    for op in ["eq", "co", "sw", "ew", "gt", "ge", "lt", "le"] {
        assert!(!holds(&format!(r#"title {op} "x""#), &given), "{op}");
    }
}

#[test]
fn a_group_matches_by_its_members() {
    let group = Resource { attrs: json!({"displayName": "Night shift"}).as_object().unwrap().clone() };
    let members = [Member { value: "U-1".into(), display: None, kind: Some("User".into()) }];
    let empty = user(json!({"userName": "x"}));
    let given = Doc { members: &members, attrs: &group.attrs, ..doc(&empty) };
    let holds = |text: &str| matches(&Filter::parse(text).unwrap(), group_type(), &given);

    assert!(
        holds(r#"members eq "U-1""#) && holds(r#"members[value eq "U-1" and type eq "User"]"#) && holds("members pr")
    );
    assert!(holds(r#"members[$ref eq "https://scim.hosp.example/Users/U-1"]"#));
    assert!(!holds(r#"members.value eq "u-1""#) && !holds(r#"members[value eq "U-1" and type eq "Group"]"#));
}

#[test]
fn folding_keeps_beginnings_and_leaves_exact_attributes_alone() {
    let name = user_type().schema.attribute("displayName").unwrap();
    let id = user_type().resolve(&scim::AttrPath::name("id")).unwrap().attribute;

    assert_eq!(fold(name, "ÄΣ Σ"), "äσ σ");
    assert!(matches!(fold(name, "plain"), std::borrow::Cow::Borrowed("plain")));
    assert_eq!(fold(id, "U-12"), "U-12");
}

#[test]
fn resources_sort_by_the_primary_value_and_those_without_come_last() {
    let path = scim::AttrPath::parse("emails").unwrap();
    let key = |emails| SortKey::of(&path, user_type(), &doc(&user(json!({"userName": "x", "emails": emails}))));

    let primary = key(json!([{"value": "z@x"}, {"value": "B@x", "primary": true}]));
    let first = key(json!([{"value": "c@x"}, {"value": "a@x"}]));
    let none = key(json!([]));

    assert_eq!(primary, SortKey::Text("b@x".into()));
    assert!(primary < first && first < none);
}

#[test]
fn moments_sort_by_time_and_flags_by_truth() {
    let given = user(full_user());
    let by = |path: &str| SortKey::of(&scim::AttrPath::parse(path).unwrap(), user_type(), &doc(&given));

    assert_eq!(by("meta.created"), SortKey::Instant("2026-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!(by("active"), SortKey::Flag(true));
    assert!(SortKey::Flag(false) < SortKey::Flag(true) && by("title") == SortKey::Missing);
}
