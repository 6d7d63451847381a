//! Attacks S1 and S2 of the fault list, as far as no network takes part.

use crate::given::{group_type, keyword, patch, read, user, user_type};
use scim::{Dialect, Filter, PatchPath, ScimType, parse_json};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Runs on the stack of a small worker, and says how long it took.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) -> Duration {
    let thread = std::thread::Builder::new().stack_size(256 * 1024).spawn(move || {
        let start = Instant::now();
        work();
        start.elapsed()
    });
    thread.unwrap().join().unwrap()
}

#[test]
fn a_hostile_filter_is_refused_soon_on_a_small_stack() {
    let filters = [
        format!("{}a pr{}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("{}a pr{}", "not (".repeat(3_000), ")".repeat(3_000)),
        "(".repeat(16_000),
        vec!["a eq 1"; 10_000].join(" or "),
        format!("a eq \"{}\"", "x".repeat(1_000_000)),
        format!("{}b pr{}", "a[".repeat(64), "]".repeat(64)),
        format!("a eq \"{}", "\\".repeat(16_000)),
        "\u{202e}\u{0}\u{feff} eq \"x\"".to_owned(),
    ];
    for filter in filters {
        let taken =
            on_a_small_stack(move || assert_eq!(keyword(Filter::parse(&filter)), Some(ScimType::InvalidFilter)));
        assert!(taken < Duration::from_millis(50), "{taken:?}");
    }
}

#[test]
fn the_deepest_filter_allowed_is_checked_printed_and_matched_on_a_small_stack() {
    on_a_small_stack(|| {
        let text = format!("{}active eq true{}", "not (".repeat(32), ")".repeat(32));
        let filter = Filter::parse(&text).unwrap();
        filter.check(user_type()).unwrap();
        let given = user(json!({"userName": "t12", "active": true}));
        assert!(scim::matches(&filter, user_type(), &crate::given::doc(&given)));
        assert_eq!(filter.to_string(), text);
    });
}

#[test]
fn a_hostile_path_is_refused() {
    for path in [
        "[".repeat(10_000),
        "a[".repeat(10_000),
        format!("a[b eq \"{}\"]", "]".repeat(20_000)),
        ":".repeat(10_000),
        ".".repeat(10_000),
        format!("{}a", "urn:".repeat(5_000)),
    ] {
        let taken = on_a_small_stack(move || assert!(PatchPath::parse(&path).is_err()));
        assert!(taken < Duration::from_millis(50), "{taken:?}");
    }
}

#[test]
fn hostile_bytes_are_no_json() {
    for bytes in [
        r#"{"a":"#.repeat(10_000).into_bytes(),
        b"1e999".to_vec(),
        br#"{"active":true,"active":false}"#.to_vec(),
        br#""\udc00""#.to_vec(),
        br#"{"userName":"a\u0000b"}"#.to_vec(),
        b"{\"userName\":\"a\0b\"}".to_vec(),
        vec![0xff; 1_000],
        b"\xef\xbb\xbf{}".to_vec(),
        b"NaN".to_vec(),
    ] {
        on_a_small_stack(move || assert_eq!(keyword(parse_json(&bytes)), Some(ScimType::InvalidSyntax)));
    }
}

#[test]
fn deep_json_where_a_value_belongs_is_refused_on_a_small_stack() {
    let text = format!(r#"{{"userName":"t12","roles":{}1{}}}"#, "[".repeat(62), "]".repeat(62));
    on_a_small_stack(move || {
        let value = parse_json(text.as_bytes()).unwrap();
        assert_eq!(keyword(read(value, user_type(), Dialect::Tolerant)), Some(ScimType::InvalidValue));
    });
}

#[test]
fn json_text_within_json_text_is_read_one_level_deep() {
    let mut text = "nurse".to_owned();
    for _ in 0..12 {
        text = json!({"value": text}).to_string();
    }
    on_a_small_stack(move || {
        let roles = user(json!({"userName": "t12", "roles": [{"value": text}]})).attrs["roles"].clone();
        assert!(roles[0]["value"].as_str().unwrap().starts_with('{'));
    });
}

#[test]
fn a_million_values_are_refused_and_a_million_members_are_read() {
    let many = || Value::Array(vec![Value::from("x"); 1_000_000]);

    let refused = read(json!({"userName": "t12", "roles": many()}), user_type(), Dialect::Tolerant);
    let members =
        read(json!({"displayName": "g", "members": many()}), group_type(), Dialect::Tolerant).unwrap().members;

    assert_eq!(keyword(refused), Some(ScimType::InvalidValue));
    assert_eq!(members.unwrap().len(), 1);
}

#[test]
fn a_list_of_unknown_names_is_kept_short() {
    let mut body = json!({"userName": "t12"});
    for n in 0..10_000 {
        body[format!("x{n}{}", "y".repeat(500))] = json!(1);
    }
    let ignored = read(body, user_type(), Dialect::Tolerant).unwrap().ignored;

    assert_eq!(ignored.len(), 100);
    assert!(ignored.iter().all(|name| name.len() <= 200));
}

#[test]
fn operations_that_would_compare_for_ever_are_refused() {
    let roles: Vec<Value> = (0..2_000).map(|n| json!({"value": n.to_string()})).collect();
    let old = user(json!({"userName": "t12", "roles": roles}));
    let operations: Vec<Value> = (0..20).map(|_| json!({"op": "add", "path": "roles", "value": roles})).collect();

    let read = patch(Value::Array(operations), user_type(), Dialect::Tolerant).unwrap();
    let start = Instant::now();

    assert_eq!(read.apply(&old, user_type()).unwrap_err().status, 413);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    let endless = vec![json!({"op": "add", "path": "title", "value": "x"}); 5_001];
    assert_eq!(patch(Value::Array(endless), user_type(), Dialect::Tolerant).unwrap_err().status, 413);
}
