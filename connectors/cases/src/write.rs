//! Cases as TOML that people can read: short tables on one line, bodies as they are.

use crate::{Case, Setup};
use serde_json::{Map, Value as Json};
use std::fmt::Write as _;

/// Longest line that a table or list is kept on.
const LINE: usize = 120;
/// Members that come first, in this order.
const FIRST: [&str; 22] = [
    "name",
    "op",
    "kind",
    "type",
    "id",
    "value",
    "door",
    "method",
    "path",
    "query",
    "status",
    "class",
    "effect",
    "attribute",
    "code",
    "settings",
    "sql",
    "call",
    "cx",
    "exchange",
    "request",
    "reply",
];

/// A case as it stands in a file.
#[must_use]
pub fn case_text(case: &Case) -> String {
    let mut out = String::from("[[test]]\n");
    if let Ok(Json::Object(members)) = serde_json::to_value(case) {
        table(&members, "test", &mut out);
    }
    out
}

/// What every case starts from, as it stands in a file.
#[must_use]
pub fn setup_text(setup: &Setup) -> String {
    let mut out = String::new();
    if let Ok(Json::Object(members)) = serde_json::to_value(setup) {
        head("test_setup", &members, &mut out);
        table(&members, "test_setup", &mut out);
    }
    out
}

fn table(members: &Map<String, Json>, path: &str, out: &mut String) {
    let mut ordered: Vec<(&String, &Json)> = members.iter().filter(|(_, value)| !value.is_null()).collect();
    let rank = |name: &str| FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len());
    ordered.sort_by_key(|(name, _)| rank(name));
    let (short, long): (Vec<_>, Vec<_>) = ordered.into_iter().partition(|(name, value)| stays_inside(name, value));
    for (name, value) in short {
        let key = key(name);
        match value {
            Json::Array(items) if inline(value).len() + key.len() + 3 > LINE => {
                let _ = writeln!(out, "{key} = [");
                for item in items {
                    let _ = writeln!(out, "  {},", inline(item));
                }
                out.push_str("]\n");
            }
            _ => {
                let _ = writeln!(out, "{key} = {}", inline(value));
            }
        }
    }
    for (name, value) in long {
        let path = format!("{path}.{}", key(name));
        match value {
            Json::Object(members) => {
                head(&path, members, out);
                table(members, &path, out);
            }
            Json::Array(items) => {
                for item in items.iter().filter_map(Json::as_object) {
                    let _ = writeln!(out, "[[{path}]]");
                    table(item, &path, out);
                }
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
}

/// A table's head, unless nothing would stand under it but other heads.
fn head(path: &str, members: &Map<String, Json>, out: &mut String) {
    if members.iter().any(|(name, value)| !value.is_null() && stays_inside(name, value)) {
        let _ = writeln!(out, "[{path}]");
    }
}

/// Whether a member is written in the table that it belongs to, and not under a head of its own.
fn stays_inside(name: &str, value: &Json) -> bool {
    match value {
        Json::Object(_) => !has_lines(value) && inline(value).len() + name.len() + 3 <= LINE,
        // Only a list of tables can have heads of its own.
        Json::Array(items) if !items.is_empty() && items.iter().all(Json::is_object) => {
            items.iter().all(|item| !has_lines(item) && inline(item).len() + 4 <= LINE)
        }
        Json::Array(_) => true,
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => true,
    }
}

fn has_lines(value: &Json) -> bool {
    match value {
        Json::String(text) => text.contains('\n'),
        Json::Array(items) => items.iter().any(has_lines),
        Json::Object(members) => members.values().any(has_lines),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

fn inline(value: &Json) -> String {
    match value {
        Json::Null => "\"\"".to_owned(),
        Json::Bool(_) | Json::Number(_) => value.to_string(),
        Json::String(text) => quoted(text),
        Json::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Json::Object(members) => {
            let mut ordered: Vec<(&String, &Json)> = members.iter().filter(|(_, value)| !value.is_null()).collect();
            ordered.sort_by_key(|(name, _)| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
            let each: Vec<String> =
                ordered.into_iter().map(|(name, value)| format!("{} = {}", key(name), inline(value))).collect();
            if each.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", each.join(", ")) }
        }
    }
}

fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_owned() } else { basic(name) }
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c == '\n' || c == '\t' || !c.is_control();
    if text.contains('\n') && !text.contains("'''") && !text.ends_with('\'') && text.chars().all(plain) {
        return format!("'''\n{text}'''");
    }
    let literal = text.contains(['"', '\\']) && !text.contains('\'') && text.chars().all(|c| !c.is_control());
    if literal { format!("'{text}'") } else { basic(text) }
}

fn basic(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// JSON over several lines, in which what is short stays together.
pub(crate) fn json_text(value: &Json) -> String {
    let mut out = String::new();
    json_lines(value, 0, 0, &mut out);
    out
}

fn json_lines(value: &Json, depth: usize, used: usize, out: &mut String) {
    let short = value.to_string();
    let (open, close, members): (char, char, Vec<(String, &Json)>) = match value {
        _ if depth * 2 + used + short.len() <= LINE => return out.push_str(&spaced(value)),
        Json::Object(members) => {
            let named = members.iter().map(|(name, value)| (format!("{}: ", Json::from(name.as_str())), value));
            ('{', '}', named.collect())
        }
        Json::Array(items) => ('[', ']', items.iter().map(|item| (String::new(), item)).collect()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => return out.push_str(&short),
    };
    out.push(open);
    for (place, (name, value)) in members.iter().enumerate() {
        let _ = write!(out, "{}\n{:2$}{name}", if place == 0 { "" } else { "," }, "", depth * 2 + 2);
        json_lines(value, depth + 1, name.len(), out);
    }
    let _ = write!(out, "\n{:1$}{close}", "", depth * 2);
}

/// JSON on one line, with room to read.
fn spaced(value: &Json) -> String {
    match value {
        Json::Object(members) if !members.is_empty() => {
            let each = members.iter().map(|(name, value)| format!("{}: {}", Json::from(name.as_str()), spaced(value)));
            format!("{{ {} }}", each.collect::<Vec<_>>().join(", "))
        }
        Json::Array(items) => format!("[{}]", items.iter().map(spaced).collect::<Vec<_>>().join(", ")),
        Json::Object(_) | Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Suite;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_as_the_same_case() {
        let case: Case = serde_json::from_value(json!({
            "name": "hard \"texts\" 'all' \u{1} over\r\n",
            "call": {"op": "create", "kind": "account", "attrs": {"a b": ["x\ny"], "n": [1, true]}, "entitlements": [
                {"type": "t", "value": "v", "scope": {"facility": "EAST"}}, {"type": "t", "value": "w".repeat(120)},
            ]},
            "exchange": [
                {"request": {"method": "POST", "path": "/a", "query": {"q.r": ["1", "2"]}, "xml": "<a>\n  <b/>\n</a>\n"},
                 "reply": {"status": 201, "json": "{\"a\": \"'\"}"}},
                {"request": {"path": "/b", "text": "'''\n"}, "reply": {"lost": true}},
            ],
            "expect": {"result": [{"id": "1", "attrs": {"x": ["y".repeat(80)], "z": ["y".repeat(80)]}}, {"id": "2"}]},
        }))
        .unwrap();

        let text = case_text(&case);

        let again: Suite = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(serde_json::to_value(&again.test[0]).unwrap(), serde_json::to_value(&case).unwrap(), "{text}");
    }

    #[test]
    fn a_setup_is_read_as_it_was() {
        let setups = [
            json!({"settings": {"zone": "UTC"}}),
            json!({"sql": "CREATE TABLE a (b);\n"}),
            json!({"standing": [
                {"request": {"path": "/Schemas"}, "reply": {"json": "[]"}},
            ]}),
        ];
        for setup in setups {
            let setup: Setup = serde_json::from_value(setup).unwrap();
            let text = setup_text(&setup);
            let again: Suite = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert_eq!(json!(again.test_setup), json!(setup), "{text}");
        }
    }

    #[test]
    fn json_is_the_same_over_several_lines_and_short_parts_stay_together() {
        let value = json!({"a": ["x".repeat(60), "y".repeat(60)], "b": {"c": {}, "d": [1, null]}, "e": "\"\n"});
        let text = json_text(&value);
        assert_eq!(serde_json::from_str::<Json>(&text).unwrap(), value);
        assert!(text.contains("\"b\": { \"c\": {}, \"d\": [1, null] },"), "{text}");
    }

    #[test]
    fn a_short_case_is_short() {
        let case: Case = serde_json::from_value(json!({
            "name": "nobody", "call": {"op": "get", "kind": "account", "id": "8"}, "expect": {"nothing": true},
            "exchange": [{"request": {"path": "/people/8"}, "reply": {"status": 404}}],
        }))
        .unwrap();
        let lines = [
            "[[test]]",
            "name = \"nobody\"",
            "call = { op = \"get\", kind = \"account\", id = \"8\" }",
            "exchange = [{ request = { method = \"GET\", path = \"/people/8\" }, reply = { status = 404 } }]",
            "expect = { nothing = true }",
            "",
        ];
        assert_eq!(case_text(&case), lines.join("\n"));
    }
}
