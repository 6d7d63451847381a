//! What differs between what is expected and what is found, in words.

use crate::{Answer, Expect, ExpectedError};
use serde_json::{Map, Value as Json};
use std::fmt;

/// Most differences that are told of one comparison.
const MOST: usize = 20;
/// Longest value that is shown, in characters.
const LONGEST: usize = 200;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where: a JSON pointer, or a path of elements.
    pub at: String,
    /// What is expected; `None` where nothing is.
    pub expected: Option<String>,
    /// What is found; `None` where nothing is.
    pub found: Option<String>,
}

impl Difference {
    pub(crate) fn new(at: &str, expected: Option<&str>, found: Option<&str>) -> Self {
        Self { at: at.to_owned(), expected: expected.map(cut), found: found.map(cut) }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = if self.at.is_empty() { "the whole" } else { &self.at };
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => write!(f, "{at}: expected {expected}, found {found}"),
            (Some(expected), None) => write!(f, "{at}: expected {expected}, found nothing"),
            (None, Some(found)) => write!(f, "{at}: expected nothing, found {found}"),
            (None, None) => write!(f, "{at}: differs"),
        }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// How strictly two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// Member by member.
    Exact,
    /// What is null, false or empty counts as absent, and a `message` that is not expected is not looked at.
    Result,
}

/// What differs between two JSON values.
pub(crate) fn of_json(expected: &Json, found: &Json, strictness: Strictness) -> Vec<Difference> {
    let mut differences = Vec::new();
    walk(Some(expected), Some(found), "", strictness, &mut differences);
    differences
}

/// What differs between what a call should give and what it gave.
#[must_use]
pub fn of_results(expected: &Expect, found: &Answer) -> Vec<Difference> {
    match (expected, found) {
        (Expect { error: Some(expected), .. }, Err(error)) => of_errors(expected, error),
        (Expect { error: Some(expected), .. }, Ok(result)) => {
            vec![Difference::new("", Some(&format!("an error {}", expected.class)), Some(&result.to_string()))]
        }
        (Expect { result: Some(expected), .. }, Ok(found)) => of_json(expected, found, Strictness::Result),
        (Expect { nothing: true, .. }, Ok(Json::Null)) => Vec::new(),
        (Expect { nothing: true, .. }, Ok(found)) => vec![Difference::new("", None, Some(&found.to_string()))],
        (_, Ok(found)) => vec![Difference::new("", Some("result, nothing or error"), Some(&found.to_string()))],
        (Expect { result, .. }, Err(error)) => {
            let wanted = result.as_ref().map_or("success".to_owned(), Json::to_string);
            let more = error.attribute.as_ref().map(|name| format!(", attribute {name}")).unwrap_or_default();
            vec![Difference::new("", Some(&wanted), Some(&format!("an error {error}{more}")))]
        }
    }
}

fn of_errors(expected: &ExpectedError, found: &connector_spi::ConnError) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut compare = |at: &str, expected: Option<String>, found: Option<String>| {
        if expected != found {
            differences.push(Difference { at: at.to_owned(), expected, found });
        }
    };
    compare("/class", Some(expected.class.to_string()), Some(found.class.to_string()));
    let effect = |effect| serde_json::to_value(effect).ok().and_then(|text| text.as_str().map(str::to_owned));
    let wanted = expected.effect.unwrap_or_else(|| expected.class.default_effect());
    compare("/effect", effect(wanted), effect(found.effect));
    compare("/attribute", expected.attribute.clone(), found.attribute.clone());
    compare("/code", expected.code.clone(), found.native_code.clone());
    compare(
        "/existing",
        expected.existing.as_ref().map(ToString::to_string),
        found.existing.as_ref().map(ToString::to_string),
    );
    let wait = |wait: Option<u64>| wait.map(|milliseconds| milliseconds.to_string());
    compare("/retry_after_ms", wait(expected.retry_after_ms), wait(found.retry_after_ms));
    differences
}

/// Whether a value says nothing.
pub(crate) fn is_nothing(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => true,
        Json::Array(items) => items.is_empty(),
        Json::Object(members) => members.values().all(is_nothing),
        Json::Bool(true) | Json::Number(_) | Json::String(_) => false,
    }
}

fn walk(expected: Option<&Json>, found: Option<&Json>, at: &str, strictness: Strictness, out: &mut Vec<Difference>) {
    if out.len() >= MOST {
        return;
    }
    match (expected, found) {
        (Some(Json::Object(expected)), Some(Json::Object(found))) => members(expected, found, at, strictness, out),
        (Some(Json::Array(expected)), Some(Json::Array(found))) => {
            for place in 0..expected.len().max(found.len()) {
                walk(expected.get(place), found.get(place), &format!("{at}/{place}"), strictness, out);
            }
        }
        (Some(expected), Some(found)) if same(expected, found) => {}
        (expected, found) => {
            let nothing = |value: Option<&Json>| value.is_none_or(is_nothing);
            if strictness == Strictness::Result && nothing(expected) && nothing(found) {
                return;
            }
            let shown = |value: Option<&Json>| value.map(Json::to_string);
            out.push(Difference::new(at, shown(expected).as_deref(), shown(found).as_deref()));
        }
    }
}

fn members(
    expected: &Map<String, Json>,
    found: &Map<String, Json>,
    at: &str,
    strictness: Strictness,
    out: &mut Vec<Difference>,
) {
    let mut names: Vec<&String> = expected.keys().chain(found.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let unsaid = name == "message" && !expected.contains_key(name);
        if strictness == Strictness::Result && unsaid {
            continue;
        }
        let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        walk(expected.get(name), found.get(name), &at, strictness, out);
    }
}

/// Numbers are equal by value: a file may say 1 where the wire says 1.0.
fn same(one: &Json, other: &Json) -> bool {
    one == other || one.as_f64().is_some_and(|one| Some(one) == other.as_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use connector_spi::ConnError;
    use serde_json::json;

    #[test]
    fn what_is_empty_may_be_left_out_of_a_result_and_of_nothing_else() {
        let (short, long) = (json!({"id": "1"}), json!({"id": "1", "adopted": false, "failed": [], "record": null}));
        assert_eq!(of_json(&short, &long, Strictness::Result), []);
        assert_eq!(of_json(&short, &long, Strictness::Exact).len(), 3);
        assert_eq!(of_json(&json!({"id": "1", "adopted": true}), &long, Strictness::Result).len(), 1);
    }

    #[test]
    fn a_difference_is_told_with_its_place() {
        let found = of_json(&json!({"a/b": [1, {"c": "x"}]}), &json!({"a/b": [1.0, {"c": "y"}, 3]}), Strictness::Exact);
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["/a~1b/1/c: expected \"x\", found \"y\"", "/a~1b/2: expected nothing, found 3"]);
    }

    #[test]
    fn a_message_counts_only_where_it_is_written() {
        let found = json!({"failed": [{"part": "x", "error": {"class": "Invalid", "message": "words"}}]});
        let expected = |error: Json| json!({"failed": [{"part": "x", "error": error}]});
        assert_eq!(of_json(&expected(json!({"class": "Invalid"})), &found, Strictness::Result), []);
        let other = expected(json!({"class": "Invalid", "message": "others"}));
        assert_eq!(of_json(&other, &found, Strictness::Result).len(), 1);
    }

    #[test]
    fn an_error_has_what_is_written_and_nothing_else() {
        let expect: Expect = serde_json::from_value(json!({"error": {"class": "Timeout"}})).unwrap();
        assert_eq!(of_results(&expect, &Err(ConnError::timeout("x"))), []);
        let error = ConnError::timeout("x").code(7).effect(connector_spi::Effect::None);
        let told: Vec<String> = of_results(&expect, &Err(error)).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["/effect: expected maybe, found none", "/code: expected nothing, found 7"]);
        assert_eq!(of_results(&expect, &Ok(json!({}))).len(), 1);
    }

    #[test]
    fn nothing_is_only_nothing() {
        let expect = Expect { nothing: true, ..Expect::default() };
        assert_eq!(of_results(&expect, &Ok(Json::Null)), []);
        assert_eq!(of_results(&expect, &Ok(json!([]))).len(), 1);
    }
}
