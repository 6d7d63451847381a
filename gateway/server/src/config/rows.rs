//! A JSON Schema as rows that people can read: one for each setting, nested ones behind their table's name.

use super::shape::{alternatives, choices, description, is_secret, properties, resolve, tag};
use serde::Serialize;
use serde_json::Value;

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its name, with the tables it stands in: `account.lock.attribute`. `[]` marks a list of tables, `NAME` a key of
    /// your own, `(word)` a form of several.
    pub name: String,
    /// What its value is.
    #[serde(rename = "type")]
    pub ty: String,
    /// What holds where it is left out; `required` where it must not be.
    pub default: String,
    /// What it means.
    pub meaning: String,
}

/// Nesting deeper than this is told by the name of the table only.
const MAX_DEPTH: usize = 12;

/// All settings of a schema, in order of their names as the type declares them.
#[must_use]
pub fn rows(schema: &Value) -> Vec<Row> {
    let mut rows = Rows { root: schema, rows: Vec::new(), open: Vec::new() };
    rows.table(schema, "", 0);
    rows.rows
}

struct Rows<'a> {
    root: &'a Value,
    rows: Vec<Row>,
    /// Types that are being told: a type inside itself is not told again.
    open: Vec<&'a str>,
}

impl<'a> Rows<'a> {
    fn table(&mut self, schema: &'a Value, prefix: &str, depth: usize) {
        let schema = resolve(self.root, schema);
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        // A form with one member is told by the form's own words, where the member has none.
        let told = description(self.root, schema).filter(|_| properties(schema).count() == 1);
        for (name, of) in properties(schema) {
            if of.get("const").is_some() {
                continue;
            }
            let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            let needed = required.iter().any(|one| name.rsplit('.').next() == Some(one));
            let at = self.rows.len();
            self.setting(of, name, needed, depth);
            if let (Some(row), Some(told)) = (self.rows.get_mut(at).filter(|row| row.meaning.is_empty()), &told) {
                row.meaning.clone_from(told);
            }
        }
        let rest = schema.get("additionalProperties").filter(|rest| rest.is_object());
        if let Some(rest) = rest
            && properties(schema).next().is_some()
        {
            self.setting(rest, format!("{prefix}.NAME"), false, depth);
        }
    }

    fn setting(&mut self, of: &'a Value, name: String, needed: bool, depth: usize) {
        let default = match of.get("default") {
            _ if needed => "required".to_owned(),
            // What may not stay empty is given, though its type has a value for "nothing said".
            Some(Value::String(text)) if text.is_empty() => "required".to_owned(),
            None | Some(Value::Null) => String::new(),
            Some(Value::Object(members)) if !members.is_empty() => String::new(),
            Some(value) => toml_of(value),
        };
        let ty = self.type_of(of);
        let meaning = description(self.root, of).unwrap_or_default() + &self.bounds(of) + &variables(of);
        self.rows.push(Row { name: name.clone(), ty, default, meaning });
        self.inside(of, &name, depth);
    }

    /// Settings inside a setting.
    fn inside(&mut self, of: &'a Value, name: &str, depth: usize) {
        let reference = of.get("$ref").and_then(Value::as_str);
        if depth >= MAX_DEPTH || reference.is_some_and(|reference| self.open.contains(&reference)) {
            return;
        }
        let before = self.open.len();
        self.open.extend(reference);
        let of = resolve(self.root, of);
        if !is_secret(self.root, of) && choices(self.root, of).is_none() {
            if let Some(forms) = alternatives(self.root, of) {
                let several = forms.len() > 1;
                for form in forms {
                    match tag(resolve(self.root, form)) {
                        Some((key, word)) if several => {
                            self.form(form, &format!("{name} ({key} = {word:?})"), name, depth)
                        }
                        _ => self.inside(form, name, depth),
                    }
                }
            } else if let Some(items) = of.get("items") {
                self.inside(items, &format!("{name}[]"), depth);
            } else if properties(of).next().is_some() {
                self.table(of, name, depth + 1);
            } else if let Some(rest) = of.get("additionalProperties").filter(|rest| rest.is_object()) {
                self.inside(rest, &format!("{name}.NAME"), depth);
            }
        }
        self.open.truncate(before);
    }

    /// One form of several: a row that tells what it is, and its own settings.
    fn form(&mut self, form: &'a Value, title: &str, name: &str, depth: usize) {
        let meaning = description(self.root, form).unwrap_or_default();
        self.rows.push(Row { name: title.to_owned(), ty: "form".to_owned(), default: String::new(), meaning });
        self.table(form, name, depth + 1);
    }

    fn type_of(&self, schema: &'a Value) -> String {
        let real = resolve(self.root, schema);
        if is_secret(self.root, schema) {
            return "secret: { env = \"NAME\" } or { file = \"/path\" }".to_owned();
        }
        if let Some(words) = choices(self.root, real) {
            return words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" | ");
        }
        if let Some(forms) = alternatives(self.root, real) {
            let mut names: Vec<String> = forms.into_iter().map(|form| self.type_of(form)).collect();
            names.dedup();
            return names.join(" or ");
        }
        let types: Vec<&str> = match real.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => {
                several.iter().filter_map(Value::as_str).filter(|ty| *ty != "null").collect()
            }
            _ => Vec::new(),
        };
        let [ty] = types.as_slice() else { return "anything".to_owned() };
        match *ty {
            "string" => "text".to_owned(),
            "integer" => "whole number".to_owned(),
            "number" => "number".to_owned(),
            "boolean" => "true or false".to_owned(),
            "array" => match real.get("items") {
                Some(items) => format!("list of {}", plural(&self.type_of(items))),
                None => "list".to_owned(),
            },
            _ => match real.get("additionalProperties").filter(|rest| rest.is_object()) {
                Some(rest) if properties(real).next().is_none() => {
                    format!("table of {} by name", plural(&self.type_of(rest)))
                }
                _ => "table".to_owned(),
            },
        }
    }

    fn bounds(&self, schema: &Value) -> String {
        let real = resolve(self.root, schema);
        let bound = |name: &str| schema.get(name).or_else(|| real.get(name)).and_then(Value::as_u64);
        match (bound("minimum").filter(|least| *least > 0), bound("maximum")) {
            (Some(least), Some(most)) => format!(" From {least} to {most}."),
            (None, Some(most)) => format!(" At most {most}."),
            (Some(least), None) => format!(" At least {least}."),
            (None, None) => String::new(),
        }
    }
}

/// What the expressions or statements of a setting may use, where its schema says so.
fn variables(schema: &Value) -> String {
    let Some(names) = schema.get("x-variables").and_then(Value::as_array) else { return String::new() };
    let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
    if names.is_empty() { " Has no variables.".to_owned() } else { format!(" Variables: {}.", names.join(", ")) }
}

fn plural(ty: &str) -> String {
    match ty {
        "text" => "texts".to_owned(),
        "table" => "tables".to_owned(),
        "whole number" => "whole numbers".to_owned(),
        "number" => "numbers".to_owned(),
        other if other.starts_with("list of ") => other.replacen("list", "lists", 1),
        other => format!("({other})"),
    }
}

/// A default as it would be written in the file.
fn toml_of(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(toml_of).collect::<Vec<_>>().join(", ")),
        Value::Object(_) => "{}".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
#[allow(dead_code, clippy::unwrap_used)]
mod tests {
    use super::*;
    use connector_spi::SecretRef;
    use schemars::JsonSchema;
    use std::collections::BTreeMap;

    #[derive(JsonSchema, serde::Deserialize)]
    struct Settings {
        /// The address.
        url: String,
        /// How many.
        #[serde(default = "four")]
        #[schemars(range(min = 1, max = 9))]
        pool: u32,
        /// How it is let in.
        auth: Option<Auth>,
        /// By name.
        #[serde(default)]
        kinds: BTreeMap<String, Kind>,
    }
    fn four() -> u32 {
        4
    }
    #[derive(JsonSchema, serde::Deserialize)]
    #[serde(tag = "type", rename_all = "lowercase")]
    enum Auth {
        /// Not at all.
        None {},
        /// By a password.
        Basic {
            /// It.
            password: SecretRef,
        },
    }
    /// One kind.
    #[derive(JsonSchema, serde::Deserialize, serde::Serialize)]
    struct Kind {
        /// Kinds inside.
        #[serde(default)]
        inner: Vec<Kind>,
    }

    #[test]
    fn every_setting_has_a_row_and_a_type_inside_itself_ends() {
        let rows = rows(&schemars::schema_for!(Settings).to_value());

        let short: Vec<String> =
            rows.iter().map(|row| format!("{} | {} | {} | {}", row.name, row.ty, row.default, row.meaning)).collect();
        assert_eq!(
            short,
            [
                "auth | table |  | How it is let in.",
                "auth (type = \"none\") | form |  | Not at all.",
                "auth (type = \"basic\") | form |  | By a password.",
                "auth.password | secret: { env = \"NAME\" } or { file = \"/path\" } | required | It.",
                "kinds | table of tables by name | {} | By name.",
                "kinds.NAME.inner | list of tables | [] | Kinds inside.",
                "pool | whole number | 4 | How many. From 1 to 9.",
                "url | text | required | The address.",
            ]
        );
    }
}
