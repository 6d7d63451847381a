//! Holding a value against the JSON Schema of its settings.
//!
//! serde stops at the first thing that does not fit. People who write a configuration want all of them at once, with the name
//! they probably meant: so a value is first walked along its type's own schema, which is the same schema that
//! `chartgate target schema` prints. What a schema cannot say is left to serde, which has the last word.

use super::nearest;
use connector_spi::SecretRef;
use serde_json::{Map, Value};

/// Something that does not fit, before it is known where in the file it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// JSON pointer from where the walk began.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The key is wrong, not its value.
    pub key: bool,
}

/// What a walk found.
#[derive(Debug, Default)]
pub struct Findings {
    /// What does not fit.
    pub misfits: Vec<Misfit>,
    /// References to secrets, with their pointers.
    pub secrets: Vec<(String, SecretRef)>,
}

/// Walks a value along a schema.
pub fn walk(schema: &Value, value: &Value) -> Findings {
    let mut walk = Walk { root: schema, found: Findings::default() };
    walk.value(schema, value, "");
    walk.found
}

/// A schema with its reference followed, which may stand beside a description.
pub fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    for _ in 0..8 {
        let Some(reference) = schema.get("$ref").and_then(Value::as_str) else { return schema };
        let Some(found) = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer)) else { return schema };
        schema = found;
    }
    schema
}

/// The alternatives of a schema, null left out: TOML has none.
pub fn alternatives<'a>(root: &'a Value, schema: &'a Value) -> Option<Vec<&'a Value>> {
    let listed = schema.get("anyOf").or_else(|| schema.get("oneOf"))?.as_array()?;
    let real = listed.iter().map(|one| (one, resolve(root, one)));
    Some(real.filter(|(_, real)| real.get("type") != Some(&Value::from("null"))).map(|(one, _)| one).collect())
}

/// The texts that a schema allows, where it is a choice among texts.
pub fn choices<'a>(root: &'a Value, schema: &'a Value) -> Option<Vec<&'a str>> {
    let schema = resolve(root, schema);
    if let Some(only) = schema.get("const") {
        return only.as_str().map(|text| vec![text]);
    }
    if let Some(listed) = schema.get("enum").and_then(Value::as_array) {
        let texts = listed.iter().filter(|one| !one.is_null());
        return texts.map(Value::as_str).collect();
    }
    let alternatives = alternatives(root, schema)?;
    let each: Option<Vec<Vec<&str>>> = alternatives.into_iter().map(|one| choices(root, one)).collect();
    each.map(|each| each.concat()).filter(|all| !all.is_empty())
}

/// Whether values of this schema are secrets.
pub fn is_secret(root: &Value, schema: &Value) -> bool {
    let schema = resolve(root, schema);
    schema.get("x-secret") == Some(&Value::Bool(true))
        || alternatives(root, schema).is_some_and(|all| all.iter().any(|one| is_secret(root, one)))
}

struct Walk<'a> {
    root: &'a Value,
    found: Findings,
}

impl<'a> Walk<'a> {
    fn misfit(&mut self, pointer: &str, message: impl Into<String>, hint: Option<String>, key: bool) {
        self.found.misfits.push(Misfit { pointer: pointer.to_owned(), message: message.into(), hint, key });
    }

    fn value(&mut self, schema: &'a Value, value: &Value, at: &str) {
        let schema = resolve(self.root, schema);
        if is_secret(self.root, schema) {
            return self.secret(value, at);
        }
        if let Some(choices) = choices(self.root, schema) {
            return self.choice(&choices, value, at);
        }
        if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
            all.iter().for_each(|one| self.value(one, value, at));
        }
        if let Some(alternatives) = alternatives(self.root, schema) {
            return self.alternatives(schema, &alternatives, value, at);
        }
        if !self.has_type(schema, value, at) {
            return;
        }
        match value {
            Value::Object(members) => self.table(schema, members, at),
            Value::Array(items) => {
                if let Some(schema) = schema.get("items") {
                    items.iter().enumerate().for_each(|(n, item)| self.value(schema, item, &format!("{at}/{n}")));
                }
            }
            Value::Number(_) => self.range(schema, value, at),
            Value::String(_) | Value::Bool(_) | Value::Null => {}
        }
    }

    /// The value itself is never repeated: a literal is a secret that somebody mistyped.
    fn secret(&mut self, value: &Value, at: &str) {
        match serde_json::from_value::<SecretRef>(value.clone()) {
            Ok(reference) => self.found.secrets.push((at.to_owned(), reference)),
            Err(_) => self.misfit(
                at,
                "a secret is never written here, only where it is kept",
                Some("write { env = \"NAME\" } or { file = \"/path\" }".to_owned()),
                false,
            ),
        }
    }

    fn choice(&mut self, choices: &[&'a str], value: &Value, at: &str) {
        match value {
            Value::String(text) if choices.contains(&text.as_str()) => {}
            Value::String(text) => {
                let hint = nearest::hint(text, choices.iter().copied());
                self.misfit(at, format!("{text:?} is none of the words that are known here"), hint, false);
            }
            _ => self.misfit(
                at,
                format!("expected a text, found {}", name_of(value)),
                Some(format!("one of {}", choices.join(", "))),
                false,
            ),
        }
    }

    /// Of several forms the value has the one that fits, or else the one that fits nearly: by its tag, by its type, by the
    /// number of mistakes.
    fn alternatives(&mut self, schema: &'a Value, alternatives: &[&'a Value], value: &Value, at: &str) {
        let mut best: Option<(usize, Findings)> = None;
        for one in alternatives {
            let mut trial = Walk { root: self.root, found: Findings::default() };
            trial.value(one, value, at);
            let strange = trial.found.misfits.iter().filter(|misfit| misfit.pointer == at && !misfit.key).count();
            let untagged = tag_misses(resolve(self.root, one), value);
            let score = trial.found.misfits.len() + 100 * strange + 1_000 * usize::from(untagged);
            if best.as_ref().is_none_or(|(least, _)| score < *least) {
                best = Some((score, trial.found));
            }
        }
        let Some((score, found)) = best else { return };
        if score >= 1_000 {
            return self.no_such_tag(alternatives, value, at);
        }
        self.found.misfits.extend(found.misfits);
        self.found.secrets.extend(found.secrets);
        // What stands beside the alternatives holds for all of them.
        if schema.get("properties").is_some()
            && let Value::Object(members) = value
        {
            for (name, schema) in properties(schema) {
                if let Some(value) = members.get(name) {
                    self.value(schema, value, &format!("{at}/{}", escape(name)));
                }
            }
        }
    }

    fn no_such_tag(&mut self, alternatives: &[&'a Value], value: &Value, at: &str) {
        let tags: Vec<(&str, &str)> = alternatives.iter().filter_map(|one| tag(resolve(self.root, one))).collect();
        let Some((name, _)) = tags.first() else { return };
        let words = tags.iter().map(|(_, word)| *word);
        match value.get(*name).and_then(Value::as_str) {
            Some(word) => {
                let hint = nearest::hint(word, words);
                self.misfit(&format!("{at}/{name}"), format!("{word:?} is no known {name}"), hint, false);
            }
            None => {
                let words: Vec<&str> = words.collect();
                self.misfit(at, format!("{name} is missing"), Some(format!("one of {}", words.join(", "))), false);
            }
        }
    }

    fn has_type(&mut self, schema: &Value, value: &Value, at: &str) -> bool {
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => return true,
        };
        let fits = types.iter().any(|ty| match *ty {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            _ => false,
        });
        if !fits {
            let expected: Vec<&str> = types.iter().filter(|ty| **ty != "null").map(|ty| type_name(ty)).collect();
            let message = format!("expected {}, found {}", expected.join(" or "), name_of(value));
            self.misfit(at, message, None, false);
        }
        fits
    }

    fn table(&mut self, schema: &'a Value, members: &Map<String, Value>, at: &str) {
        let known: Vec<(&String, &Value)> = properties(schema).collect();
        for (name, value) in members {
            let pointer = format!("{at}/{}", escape(name));
            match known.iter().find(|(known, _)| *known == name) {
                Some((_, schema)) => self.value(schema, value, &pointer),
                None => match schema.get("additionalProperties") {
                    Some(Value::Bool(false)) => {
                        let hint = nearest::hint(name, known.iter().map(|(known, _)| known.as_str()));
                        self.misfit(&pointer, format!("there is no setting {name:?} here"), hint, true);
                    }
                    Some(rest) => self.value(rest, value, &pointer),
                    None => {}
                },
            }
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for name in required.filter_map(Value::as_str).filter(|name| !members.contains_key(*name)) {
            let meaning = schema.pointer(&format!("/properties/{name}")).and_then(|of| description(self.root, of));
            self.misfit(at, format!("{name} is missing"), meaning.map(|text| first_sentence(&text)), false);
        }
    }

    fn range(&mut self, schema: &Value, value: &Value, at: &str) {
        let Some(number) = value.as_f64() else { return };
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        let (least, most) = (bound("minimum"), bound("maximum"));
        if least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most) {
            return;
        }
        let message = match (least, most) {
            (Some(least), Some(most)) => format!("{value} does not lie between {least} and {most}"),
            (Some(least), None) => format!("{value} is less than {least}"),
            (_, Some(most)) => format!("{value} is more than {most}"),
            (None, None) => return,
        };
        self.misfit(at, message, None, false);
    }
}

/// A schema's own description, or the one of what it refers to.
pub fn description(root: &Value, schema: &Value) -> Option<String> {
    let own = schema.get("description").or_else(|| resolve(root, schema).get("description"));
    own.and_then(Value::as_str).map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn first_sentence(text: &str) -> String {
    text.split_inclusive(". ").next().unwrap_or(text).trim().to_owned()
}

/// Members of a table, by name.
pub fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

/// The member that tells the forms of a tagged choice apart, and this form's word.
pub fn tag(schema: &Value) -> Option<(&str, &str)> {
    properties(schema).find_map(|(name, of)| Some((name.as_str(), of.get("const")?.as_str()?)))
}

fn tag_misses(schema: &Value, value: &Value) -> bool {
    tag(schema).is_some_and(|(name, word)| value.is_object() && value.get(name).and_then(Value::as_str) != Some(word))
}

/// A member's name inside a JSON pointer (RFC 6901, section 3).
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn type_name(ty: &str) -> &'static str {
    match ty {
        "object" => "a table",
        "array" => "a list",
        "string" => "a text",
        "boolean" => "true or false",
        "integer" => "a whole number",
        _ => "a number",
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a whole number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

#[cfg(test)]
#[allow(dead_code)]
mod tests {
    use super::*;
    use schemars::JsonSchema;
    use serde_json::json;
    use std::collections::BTreeMap;

    #[derive(JsonSchema)]
    #[schemars(deny_unknown_fields)]
    struct Settings {
        /// The address. More words.
        url: String,
        password: Option<SecretRef>,
        #[schemars(range(min = 1, max = 5))]
        pool: Option<u32>,
        mode: Option<Mode>,
        auth: Option<Auth>,
        named: Option<BTreeMap<String, Item>>,
    }
    #[derive(JsonSchema)]
    #[schemars(rename_all = "lowercase")]
    enum Mode {
        /// One.
        Fast,
        /// Other.
        Careful,
    }
    #[derive(JsonSchema)]
    #[schemars(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
    enum Auth {
        None {},
        Basic { user: String, password: SecretRef },
    }
    #[derive(JsonSchema)]
    #[schemars(deny_unknown_fields)]
    struct Item {
        size: Option<u32>,
    }

    fn misfits(value: Value) -> Vec<String> {
        let schema = schemars::schema_for!(Settings).to_value();
        let found = walk(&schema, &value).misfits;
        found
            .into_iter()
            .map(|one| format!("{} {} ({})", one.pointer, one.message, one.hint.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn what_fits_is_silent_and_its_secrets_are_known() {
        let schema = schemars::schema_for!(Settings).to_value();
        let value = json!({ "url": "x", "password": { "env": "A" }, "mode": "fast", "named": { "a": { "size": 1 } },
                            "auth": { "type": "basic", "user": "u", "password": { "file": "/b" } } });

        let found = walk(&schema, &value);

        assert_eq!(found.misfits, vec![]);
        let pointers: Vec<&str> = found.secrets.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(pointers, ["/auth/password", "/password"]);
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let found = misfits(json!({ "urll": "x", "pool": 9, "mode": "fsat", "named": { "a": { "size": "big" } } }));

        assert_eq!(
            found,
            [
                "/mode \"fsat\" is none of the words that are known here (did you mean fast?)",
                "/named/a/size expected a whole number, found a text ()",
                "/pool 9 does not lie between 1 and 5 ()",
                "/urll there is no setting \"urll\" here (did you mean url?)",
                " url is missing (The address.)",
            ]
        );
    }

    #[test]
    fn a_tagged_choice_is_judged_by_its_tag() {
        let with = |auth: Value| misfits(json!({ "url": "x", "auth": auth }));

        let forgotten = with(json!({ "type": "basic", "user": "u" }));
        assert_eq!(forgotten.len(), 1);
        assert!(forgotten.iter().all(|text| text.starts_with("/auth password is missing (Where a secret is kept")));
        assert_eq!(with(json!({ "type": "basci" })), ["/auth/type \"basci\" is no known type (did you mean basic?)"]);
        assert_eq!(with(json!({ "user": "u" })), ["/auth type is missing (one of none, basic)"]);
    }

    #[test]
    fn a_literal_secret_is_refused_and_not_repeated() {
        let found = misfits(json!({ "url": "x", "password": "hunter2" }));

        assert_eq!(found.len(), 1);
        assert!(found.iter().all(|text| text.starts_with("/password") && !text.contains("hunter2")));
    }
}
