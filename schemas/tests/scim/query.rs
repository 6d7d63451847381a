use crate::given::{DIALECTS, TYPES, keyword, user_type};
use scim::{Aliases, Dialect, ListQuery, PageBy, ResourceType, ScimError, ScimType};
use serde_json::{Value, json};

fn query(pairs: &[(&str, &str)], ty: Option<&ResourceType>, dialect: Dialect) -> Result<ListQuery, ScimError> {
    let pairs: Vec<(String, String)> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    ListQuery::from_query(&pairs, ty, dialect)
}

fn url(pairs: &[(&str, &str)]) -> Result<ListQuery, ScimError> {
    query(pairs, Some(user_type()), Dialect::Rfc)
}

fn search(body: Value, dialect: Dialect) -> Result<ListQuery, ScimError> {
    ListQuery::from_search_request(body, Some(user_type()), dialect)
}

#[test]
fn a_url_and_a_search_body_say_the_same() {
    let by_url = url(&[
        ("filter", "active eq true"),
        ("sortBy", "name.familyName"),
        ("sortOrder", "descending"),
        ("startIndex", "11"),
        ("count", "10"),
        ("attributes", "userName,emails"),
        ("unknown", "x"),
    ]);
    let by_body = search(
        json!({"schemas": [scim::SEARCH_REQUEST], "filter": "active eq true", "sortBy": "name.familyName", "sortOrder": "descending",
        "startIndex": 11, "count": 10, "attributes": ["userName", "emails"]}),
        Dialect::Rfc,
    );

    let read = by_url.unwrap();
    assert_eq!(read, by_body.unwrap());
    assert_eq!((read.page.clone(), read.count, read.descending), (PageBy::Index { start: 11 }, Some(10), true));
    assert_eq!(read.sort_by.unwrap().to_string(), "name.familyName");
}

#[test]
fn positions_and_counts_out_of_range_are_moved_into_it() {
    let page = |start: &str, count: &str| {
        url(&[("startIndex", start), ("count", count)]).map(|query| (query.page, query.count)).unwrap()
    };

    assert_eq!(page("0", "-5"), (PageBy::Index { start: 1 }, Some(0)));
    assert_eq!(page("-3", "99999999999"), (PageBy::Index { start: 1 }, Some(u32::MAX)));
    assert_eq!(url(&[]).map(|query| (query.page, query.count)), Ok((PageBy::Index { start: 1 }, None)));
}

#[test]
fn a_cursor_without_a_value_asks_for_the_first_page() {
    let cursor = |value| url(&[("cursor", value)]).map(|query| query.page);
    let body = search(json!({"schemas": [scim::SEARCH_REQUEST], "cursor": ""}), Dialect::Rfc).unwrap().page;

    assert_eq!((cursor(""), body), (Ok(PageBy::Cursor(None)), PageBy::Cursor(None)));
    assert_eq!(cursor("aZ0-._~"), Ok(PageBy::Cursor(Some("aZ0-._~".into()))));
    for forged in ["a b", "a%20", "ä", "a/b", &"x".repeat(3_000)] {
        assert_eq!(keyword(cursor(forged)), Some(ScimType::InvalidCursor));
    }
}

#[test]
fn a_count_that_is_no_integer_is_named_after_the_paging() {
    assert_eq!(keyword(url(&[("cursor", ""), ("count", "ten")])), Some(ScimType::InvalidCount));
    assert_eq!(keyword(url(&[("count", "ten")])), Some(ScimType::InvalidValue));
    assert_eq!(keyword(url(&[("startIndex", "1.5")])), Some(ScimType::InvalidValue));
}

#[test]
fn index_and_cursor_together_are_refused_or_the_cursor_wins() {
    let pairs = [("startIndex", "1"), ("cursor", "abc")];

    assert_eq!(query(&pairs, Some(user_type()), Dialect::Tolerant).unwrap().page, PageBy::Cursor(Some("abc".into())));
    assert_eq!(keyword(url(&pairs)), Some(ScimType::InvalidValue));
}

#[test]
fn a_filter_on_what_is_not_defined_is_refused_at_an_endpoint_and_not_at_the_root() {
    let pairs = [("filter", r#"displayName eq "x" and members pr"#)];
    for dialect in DIALECTS {
        assert_eq!(keyword(query(&pairs, Some(user_type()), dialect)), Some(ScimType::InvalidFilter));
        let root = query(&pairs, None, dialect).unwrap();
        assert_eq!(root.filter_for(user_type(), dialect, Aliases::NONE), Ok(None));
        assert!(root.filter_for(TYPES.group(), dialect, Aliases::NONE).unwrap().is_some());
    }
}

#[test]
fn literals_of_another_type_are_understood_by_tolerance_only() {
    let pairs = [("filter", r#"active eq "True" and emails[primary eq "true"]"#)];

    let tolerant = query(&pairs, Some(user_type()), Dialect::Tolerant).unwrap();

    assert_eq!(tolerant.filter.unwrap().to_string(), "active eq true and emails[primary eq true]");
    assert_eq!(keyword(url(&pairs)), Some(ScimType::InvalidFilter));
}

#[test]
fn what_cannot_be_sorted_or_was_said_twice_is_refused() {
    for pairs in [
        vec![("sortBy", "unknown")],
        vec![("sortBy", "name")],
        vec![("sortBy", "password")],
        vec![("sortOrder", "upwards")],
        vec![("count", "1"), ("count", "2")],
        vec![("attributes", "a"), ("excludedAttributes", "b")],
    ] {
        assert_eq!(keyword(url(&pairs)), Some(ScimType::InvalidValue), "{pairs:?}");
    }
    assert!(url(&[("sortBy", "emails")]).is_ok(), "a complex attribute sorts by its value");
}

#[test]
fn a_malformed_search_body_is_refused() {
    for body in [
        json!([]),
        json!({"filter": 1}),
        json!({"schemas": [scim::SEARCH_REQUEST], "attributes": "userName"}),
        json!({"schemas": ["x"]}),
    ] {
        assert_eq!(keyword(search(body, Dialect::Rfc)), Some(ScimType::InvalidSyntax));
    }
    assert!(search(json!({"count": "5", "attributes": "userName"}), Dialect::Tolerant).is_ok());
}

#[test]
fn a_password_is_not_searched_for_at_the_root_either() {
    let refused = query(&[("filter", r#"password eq "x""#)], None, Dialect::Tolerant).unwrap_err();

    assert_eq!((refused.status, refused.scim_type), (403, Some(ScimType::Sensitive)));
}

#[test]
fn a_source_filters_by_its_own_names() {
    let foreign = "urn:ietf:params:scim:schemas:extension:clinical:2.0:User";
    let aliases = Aliases::new([(foreign.to_owned(), scim::CLINICAL_USER.to_owned())]).unwrap();
    let pairs = [
        ("filter".to_owned(), format!(r#"{foreign}:npi eq "1900000013""#)),
        ("attributes".to_owned(), format!("{foreign}:npi,{foreign}")),
    ];

    let read = ListQuery::from_query_aliased(&pairs, Some(user_type()), Dialect::Rfc, &aliases).unwrap();

    assert_eq!(read.filter.unwrap().to_string(), format!(r#"{}:npi eq "1900000013""#, scim::CLINICAL_USER));
    assert!(read.projection.wants(scim::CLINICAL_USER, scim::Returned::Request));
}
