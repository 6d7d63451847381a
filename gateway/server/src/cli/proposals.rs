//! What a look at a target suggests, as lines that can be taken over into the configuration.

use super::paper::{columns, count, text};
use serde_json::Value;

/// The catalogue, natural keys, and a mapping to begin with.
pub fn shown(test: &Value) -> String {
    let mut out = String::new();
    let list = |name: &str| test.get(name).and_then(Value::as_array).into_iter().flatten();
    let words = |of: &Value, name: &str| -> Vec<String> {
        of.get(name).and_then(Value::as_array).into_iter().flatten().map(text).collect()
    };
    let catalogue: Vec<[String; 3]> = list("catalogue")
        .map(|one| {
            let examples = words(one, "examples").join(", ");
            let total = one.get("total").filter(|total| !total.is_null());
            let number = total.map_or_else(|| format!("{} or more", count(&one["read"])), count);
            [text(&one["type"]), number, examples]
        })
        .collect();
    if !catalogue.is_empty() {
        out += &format!("\nWhat it can grant\n\n{}", columns(["TYPE", "NUMBER", "AMONG THEM"], catalogue));
    }
    let keys: Vec<[String; 3]> = list("proposals")
        .flat_map(|proposal| {
            let kind = text(&proposal["kind"]);
            let keys = proposal.get("keys").and_then(Value::as_array).into_iter().flatten();
            keys.map(move |key| [kind.clone(), words(key, "attributes").join(" + "), text(&key["because"])])
                .collect::<Vec<_>>()
        })
        .collect();
    if !keys.is_empty() {
        out += &format!("\nWhat may serve as a key\n\n{}", columns(["KIND", "KEY", "SEEN"], keys));
    }
    for proposal in list("proposals") {
        out += &mapping(proposal);
    }
    for (setting, values) in test.get("settings").and_then(Value::as_object).into_iter().flatten() {
        let values: Vec<String> = values.as_array().into_iter().flatten().map(text).collect();
        out += &format!("\nsetting  {setting} could be {}", values.join(", or "));
    }
    for line in list("unread") {
        out += &format!("\nunread   {}", text(line));
    }
    if out.is_empty() { out } else { out + "\n" }
}

/// A table of the configuration, with a comment where a person has to decide.
fn mapping(proposal: &Value) -> String {
    let kind = text(&proposal["kind"]);
    let table =
        if kind == "account" { "[target.account.attributes]".to_owned() } else { format!("[target.object.{kind}]") };
    let mut out = format!("\nA mapping to begin with\n\n    {table}\n");
    let mut left = Vec::new();
    let object = table.starts_with("[target.object");
    for one in proposal.get("attributes").and_then(Value::as_array).into_iter().flatten() {
        let (name, required) = (text(&one["attribute"]), one["required"] == true);
        let plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
        let key = if plain { name.clone() } else { format!("{name:?}") };
        let key = if object { format!("attributes.{key}") } else { key };
        match (one["expression"].as_str(), required) {
            (Some(expression), true) => out += &format!("    {key} = {expression:?}    # required\n"),
            (Some(expression), false) => out += &format!("    {key} = {expression:?}\n"),
            (None, true) => out += &format!("    # {key} = \"…\"    # required, and its name says nothing\n"),
            (None, false) => left.push(name),
        }
    }
    if !left.is_empty() {
        out += &format!("    # it also takes {}\n", left.join(", "));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::shown;
    use serde_json::json;

    #[test]
    fn a_mapping_can_be_taken_over_as_it_is_printed() {
        let test = json!({
            "catalogue": [{ "type": "role", "read": 200, "total": null, "examples": ["A", "B"] }],
            "proposals": [{
                "kind": "account",
                "keys": [{ "attributes": ["login"], "because": "no record was read" }],
                "attributes": [
                    { "attribute": "sn", "expression": "user.name.familyName", "required": true },
                    { "attribute": "name.given", "expression": "user.name.givenName", "required": false },
                    { "attribute": "ward", "expression": null, "required": true },
                    { "attribute": "note", "expression": null, "required": false },
                ],
            }],
        });

        let shown = shown(&test);

        assert!(shown.contains("200 or more"), "{shown}");
        let table: String =
            shown.lines().skip_while(|line| !line.contains("[target.")).map(|line| format!("{line}\n")).collect();
        let table: toml::Table = table.parse().unwrap_or_default();
        let attributes = &table["target"]["account"]["attributes"];
        assert_eq!(attributes["sn"].as_str(), Some("user.name.familyName"));
        assert_eq!(attributes["name.given"].as_str(), Some("user.name.givenName"));
        assert!(shown.contains("# ward = ") && shown.contains("# it also takes note"), "{shown}");
    }
}
