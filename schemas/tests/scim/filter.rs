use crate::given::{TYPES, group_type, keyword, user_type};
use scim::{AttrPath, Filter, Literal, Op, ScimType};

fn parsed(text: &str) -> Filter {
    Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn eq(path: &str, value: &str) -> Filter {
    Filter::Compare { path: AttrPath::parse(path).unwrap(), op: Op::Eq, value: Literal::Text(value.into()) }
}

#[test]
fn and_binds_tighter_than_or_and_parentheses_tighter_than_both() {
    let (a, b, c) = (eq("a", "1"), eq("b", "2"), eq("c", "3"));

    let without = parsed(r#"a eq "1" or b eq "2" and c eq "3""#);
    let with = parsed(r#"(a eq "1" or b eq "2") and c eq "3""#);

    assert_eq!(without, Filter::Or(vec![a.clone(), Filter::And(vec![b.clone(), c.clone()])]));
    assert_eq!(with, Filter::And(vec![Filter::Or(vec![a, b]), c]));
}

#[test]
fn not_stands_before_a_parenthesis_with_or_without_a_space_and_is_also_a_name() {
    let expected = Filter::Not(Box::new(eq("a", "1")));

    assert_eq!(parsed(r#"not (a eq "1")"#), expected);
    assert_eq!(parsed(r#"NOT(a eq "1")"#), expected);
    assert_eq!(parsed(r#"not eq "1""#), eq("not", "1"));
}

#[test]
fn operators_and_keywords_are_read_in_any_letter_case() {
    assert_eq!(parsed(r#"a EQ "1" AND b Pr"#), Filter::And(vec![eq("a", "1"), Filter::Present(AttrPath::name("b"))]));
    for op in ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"] {
        assert!(
            matches!(parsed(&format!(r#"a {} "1""#, op.to_uppercase())), Filter::Compare { op: read, .. } if read.as_str() == op)
        );
    }
}

#[test]
fn literals_are_those_of_json() {
    let literal = |text: &str| match parsed(&format!("a eq {text}")) {
        Filter::Compare { value, .. } => value,
        other => panic!("{other}"),
    };

    assert_eq!(literal(r#""a \"b\" \\ \u00e9\n""#), Literal::Text("a \"b\" \\ é\n".into()));
    assert_eq!(literal("-12"), Literal::Number((-12).into()));
    assert_eq!(literal("2.5"), Literal::Number(serde_json::Number::from_f64(2.5).unwrap()));
    assert_eq!(
        (literal("true"), literal("False"), literal("null")),
        (Literal::Bool(true), Literal::Bool(false), Literal::Null)
    );
}

#[test]
fn a_value_path_holds_a_filter_over_sub_attributes() {
    let filter = parsed(r#"emails[type eq "work" and value co "@"] and active eq true"#);

    assert_eq!(filter.conjuncts().len(), 2);
    assert_eq!(filter.to_string(), r#"emails[type eq "work" and value co "@"] and active eq true"#);
}

#[test]
fn a_sub_attribute_after_the_brackets_is_compared_within_them() {
    let entra = parsed(r#"emails[type eq "work"].value eq "t12@hosp.example""#);

    assert_eq!(entra, parsed(r#"emails[type eq "work" and value eq "t12@hosp.example"]"#));
}

#[test]
fn a_filter_that_the_grammar_does_not_have_is_refused() {
    for text in [
        "",
        " ",
        "a",
        "a eq",
        "a eq ",
        "eq \"1\"",
        "a eq 1 and",
        "a eq 1 or or b pr",
        "a eq 1 b pr",
        "(a pr",
        "a pr)",
        "a == 1",
        "a eq 'x'",
        "a eq x",
        "a eq \"x",
        "a eq\"x\"",
        "a eq \"\\x\"",
        "a eq \"\\ud800\"",
        "a eq \"\\u0000\"",
        "a eq 01",
        "a eq 1e999",
        "a[b pr",
        "a[b[c pr]]",
        "a[]",
        "a.b[c pr]",
        "a[b.c pr]",
        "a[urn:x:b pr]",
        "a eq \"1\"and b pr",
        "not a pr",
        "a pr andb pr",
        "a..b pr",
        "1a pr",
        "ä pr",
        "a[b pr].c",
        "a[b pr].c pr and",
        "a eq \"\n\"",
    ] {
        assert_eq!(keyword(Filter::parse(text)), Some(ScimType::InvalidFilter), "{text}");
    }
}

#[test]
fn an_error_names_the_place_and_not_the_text() {
    let error = Filter::parse(r#"userName eq "secret" nonsense"#).unwrap_err();

    assert!(error.detail.contains("character 22") && !error.detail.contains("secret"), "{}", error.detail);
}

#[test]
fn a_filter_is_checked_against_the_type() {
    for good in [
        r#"userName eq "x""#,
        r#"USERNAME sw "x""#,
        r#"urn:ietf:params:scim:schemas:core:2.0:user:username eq "x""#,
        r#"id eq "x" and urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq "y""#,
        "active eq true",
        r#"meta.lastModified gt "2026-01-01T00:00:00Z""#,
        r#"emails co "x""#,
        "name pr",
        "name eq null",
        r#"emails[primary eq true]"#,
        r#"schemas eq "urn:x""#,
        r#"groups.value eq "1""#,
        r#"x509Certificates.value eq "AAAA""#,
    ] {
        assert_eq!(Filter::parse(good).unwrap().check(user_type()), Ok(()), "{good}");
    }
    for bad in [
        r#"unknown eq "x""#,
        "active gt true",
        r#"active eq "true""#,
        r#"active co "t""#,
        "userName eq 5",
        r#"name eq "x""#,
        r#"meta.created gt "yesterday""#,
        r#"emails.unknown pr"#,
        r#"emails[unknown pr]"#,
        "active[value eq 1]",
        "userName.x pr",
        r#"x509Certificates.value gt "AAAA""#,
        r#"manager eq "y""#,
        r#"urn:x:y:userName eq "x""#,
        r#"members pr"#,
    ] {
        assert_eq!(keyword(Filter::parse(bad).unwrap().check(user_type())), Some(ScimType::InvalidFilter), "{bad}");
    }
    assert_eq!(Filter::parse(r#"members[value eq "1"]"#).unwrap().check(group_type()), Ok(()));
    assert_eq!(Filter::parse(r#"value eq "1" and type eq "x" and id eq "y""#).unwrap().check(TYPES.role()), Ok(()));
}

#[test]
fn a_password_cannot_be_filtered() {
    for text in [r#"password eq "x""#, "password pr", r#"not (PASSWORD sw "x")"#] {
        let error = Filter::parse(text).unwrap().check(user_type()).unwrap_err();
        assert_eq!((error.status, error.scim_type), (403, Some(ScimType::Sensitive)), "{text}");
    }
}

#[test]
fn a_filter_knows_what_it_names() {
    let filter = parsed(r#"not (Members[value eq "1"]) or displayName pr"#);

    assert!(filter.names("members") && filter.names("displayname") && !filter.names("value"));
}

#[test]
fn a_condition_of_32_levels_is_read_and_one_of_33_is_not() {
    let nested = |n: usize| format!("{}a pr{}", "(".repeat(n), ")".repeat(n));

    assert!(Filter::parse(&nested(32)).is_ok());
    assert_eq!(keyword(Filter::parse(&nested(33))), Some(ScimType::InvalidFilter));
}

#[test]
fn a_condition_of_256_terms_is_read_and_one_of_257_is_not() {
    let terms = |n: usize| vec!["a pr"; n].join(" or ");

    assert!(Filter::parse(&terms(256)).is_ok());
    assert_eq!(keyword(Filter::parse(&terms(257))), Some(ScimType::InvalidFilter));
}
