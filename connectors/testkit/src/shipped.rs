//! A target file's content as a connector's settings.

use serde_json::Value as Json;

/// What a target file says that is no setting of its connector.
const APART: [&str; 3] = ["kind", "test", "test_setup"];

/// The settings in a target file, with what a deployment adds laid over them.
///
/// # Errors
/// When the text is no TOML, in words.
pub fn settings(file: &str, over: Json) -> Result<Json, String> {
    let mut all: Json = toml::from_str(file).map_err(|error| error.to_string())?;
    if let Some(table) = all.as_object_mut() {
        table.retain(|name, _| !APART.contains(&name.as_str()));
    }
    laid_over(&mut all, over);
    Ok(all)
}

/// Lays one table over another, member by member.
pub fn laid_over(base: &mut Json, over: Json) {
    match (base, over) {
        (Json::Object(base), Json::Object(over)) => {
            for (name, value) in over {
                laid_over(base.entry(name).or_insert(Json::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_deployment_adds_to_a_file_and_wins_where_both_speak() {
        let file = "kind = \"rest\"\n[http]\ntimeout = 3\nurl = \"a\"\n[[test]]\nname = \"x\"\n";
        let all = settings(file, json!({ "http": { "url": "b" }, "zone": "UTC" })).unwrap();
        assert_eq!(all, json!({ "http": { "timeout": 3, "url": "b" }, "zone": "UTC" }));
        assert!(settings("[", json!({})).is_err());
    }
}
