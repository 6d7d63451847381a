//! OpenAPI 3.0 and 3.1, in JSON or YAML. References inside of the document are followed, others are not.

use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Deepest nesting of schemas.
const DEPTH: usize = 6;
/// Most operations.
const OPERATIONS: usize = 2_000;
/// Most members of one schema.
const MEMBERS: usize = 400;

/// A description.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) title: String,
    pub(super) server: Option<String>,
    pub(super) operations: Vec<Operation>,
    /// How callers prove who they are, in words.
    pub(super) security: Vec<String>,
}

/// One operation.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) name: String,
    /// Names of members of the query.
    pub(super) query: Vec<String>,
    /// What is sent, and its content type.
    pub(super) body: Option<(String, Schema)>,
    /// What comes back when all is well.
    pub(super) answer: Option<Schema>,
}

/// What a value looks like.
#[derive(Debug, Clone, Default)]
pub(super) struct Schema {
    /// `object`, `array`, `string`, `integer`, `number`, `boolean`; empty where it is not said.
    pub(super) ty: String,
    pub(super) format: String,
    pub(super) members: BTreeMap<String, Schema>,
    pub(super) required: Vec<String>,
    pub(super) items: Option<Box<Schema>>,
    pub(super) read_only: bool,
    pub(super) write_only: bool,
    pub(super) max_length: Option<u64>,
    pub(super) allowed: Vec<String>,
}

impl Schema {
    /// It is one value and no structure.
    pub(super) fn is_leaf(&self) -> bool {
        matches!(self.ty.as_str(), "string" | "integer" | "boolean")
    }
}

/// YAML as the same tree. The crate's budget bounds depth, aliases and nodes; a value without a form in JSON is refused.
fn yaml(text: &str) -> Result<Value, String> {
    // Its own words are a drawing of the line; the first one says what is wrong and where.
    let first = |words: String| words.lines().next().unwrap_or_default().to_owned();
    serde_saphyr::from_str(text)
        .map_err(|error| format!("is neither WSDL nor OpenAPI: no YAML: {}", first(error.to_string())))
}

/// Reads a description.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(text: &str) -> Result<Description, String> {
    let root: Value = if text.starts_with('{') {
        serde_json::from_str(text).map_err(|error| format!("is no JSON: {error}"))?
    } else {
        yaml(text)?
    };
    let version = root.get("openapi").and_then(Value::as_str).unwrap_or_default();
    if !version.starts_with("3.") {
        return Err("is no OpenAPI 3: it has no openapi = 3.x".to_owned());
    }
    let reader = Reader { root: &root, open: RefCell::default() };
    let mut operations = Vec::new();
    for (path, of) in members(root.get("paths")) {
        let of = reader.resolved(of);
        for (method, operation) in members(Some(of)) {
            let method = method.to_ascii_uppercase();
            if !matches!(method.as_str(), "GET" | "POST" | "PUT" | "PATCH" | "DELETE") || operations.len() >= OPERATIONS
            {
                continue;
            }
            operations.push(reader.operation(method, path, operation, of));
        }
    }
    if operations.is_empty() {
        return Err("has no operation".to_owned());
    }
    let text = |pointer: &str| root.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    Ok(Description {
        title: text("/info/title").unwrap_or_default(),
        server: text("/servers/0/url"),
        operations,
        security: members(root.pointer("/components/securitySchemes")).map(|(name, of)| said(name, of)).collect(),
    })
}

fn members(of: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    of.and_then(Value::as_object).into_iter().flatten()
}

fn said(name: &str, of: &Value) -> String {
    let field = |name: &str| of.get(name).and_then(Value::as_str).unwrap_or_default();
    let token = of.pointer("/flows/clientCredentials/tokenUrl").and_then(Value::as_str);
    match (field("type"), token) {
        ("oauth2", Some(token)) => format!("{name}: type = \"oauth2\", token_url = \"{token}\""),
        ("http", _) => format!("{name}: type = \"{}\"", field("scheme")),
        ("apiKey", _) => format!("{name}: type = \"header\", name = \"{}\"", field("name")),
        (other, _) => format!("{name}: {other}"),
    }
}

struct Reader<'d> {
    root: &'d Value,
    /// References that are being followed: a schema inside itself is not read again.
    open: RefCell<Vec<&'d str>>,
}

impl<'d> Reader<'d> {
    /// What a reference inside of the document leads to.
    fn resolved(&self, of: &'d Value) -> &'d Value {
        let mut of = of;
        for _ in 0..8 {
            let Some(reference) = of.get("$ref").and_then(Value::as_str) else { return of };
            match reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer)) {
                Some(found) => of = found,
                None => return &Value::Null,
            }
        }
        of
    }

    fn operation(&self, method: String, path: &str, operation: &'d Value, of_path: &'d Value) -> Operation {
        let parameters = [of_path, operation].into_iter().filter_map(|of| of.get("parameters")?.as_array()).flatten();
        let query = parameters
            .map(|parameter| self.resolved(parameter))
            .filter(|parameter| parameter.get("in").and_then(Value::as_str) == Some("query"))
            .filter_map(|parameter| parameter.get("name")?.as_str().map(str::to_owned))
            .collect();
        let body = operation.get("requestBody").map(|body| self.resolved(body)).and_then(|body| self.content(body));
        let answers = members(operation.get("responses")).filter(|(status, _)| status.starts_with('2'));
        let mut answers = answers.filter_map(|(_, answer)| Some(self.content(self.resolved(answer))?.1));
        let name = operation.get("operationId").or_else(|| operation.get("summary")).and_then(Value::as_str);
        Operation {
            method,
            path: path.to_owned(),
            name: name.unwrap_or_default().to_owned(),
            query,
            body,
            answer: answers.next(),
        }
    }

    /// The JSON of a body, and its content type.
    fn content(&self, body: &'d Value) -> Option<(String, Schema)> {
        let all: Vec<(&String, &Value)> = members(body.get("content")).collect();
        let json = |name: &str| name.split(';').next().is_some_and(|plain| plain.trim().ends_with("json"));
        // A merge patch says by null what is to be cleared, as this program does.
        let merge = all.iter().find(|(name, _)| name.starts_with("application/merge-patch+json"));
        let (name, of) = merge.or_else(|| all.iter().find(|(name, _)| json(name)))?;
        Some(((*name).clone(), self.schema(of.get("schema")?, 0)))
    }

    fn schema(&self, of: &'d Value, depth: usize) -> Schema {
        let reference = of.get("$ref").and_then(Value::as_str);
        if depth > DEPTH || reference.is_some_and(|reference| self.open.borrow().contains(&reference)) {
            return Schema::default();
        }
        self.open.borrow_mut().extend(reference);
        let schema = self.plain(self.resolved(of), depth);
        if reference.is_some() {
            self.open.borrow_mut().pop();
        }
        schema
    }

    fn plain(&self, of: &'d Value, depth: usize) -> Schema {
        let mut schema = Schema::default();
        for part in of.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            let part = self.schema(part, depth + 1);
            schema.members.extend(part.members);
            schema.required.extend(part.required);
            if schema.ty.is_empty() {
                schema.ty = part.ty;
            }
        }
        schema.ty = match of.get("type") {
            Some(Value::String(one)) => one.clone(),
            // OpenAPI 3.1: a list of types, null among them where the value may be absent.
            Some(Value::Array(several)) => {
                let real = several.iter().filter_map(Value::as_str).find(|ty| *ty != "null");
                real.unwrap_or_default().to_owned()
            }
            _ if of.get("properties").is_some() => "object".to_owned(),
            _ => schema.ty,
        };
        let text = |name: &str| of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let flag = |name: &str| of.get(name).and_then(Value::as_bool).unwrap_or(false);
        let texts = |name: &str| {
            let all = of.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            all.take(100).map(str::to_owned).collect::<Vec<_>>()
        };
        schema.format = text("format");
        (schema.read_only, schema.write_only) = (flag("readOnly"), flag("writeOnly"));
        schema.max_length = of.get("maxLength").and_then(Value::as_u64);
        schema.allowed = texts("enum");
        schema.required.extend(texts("required"));
        schema.items = of.get("items").map(|items| Box::new(self.schema(items, depth + 1)));
        let properties: Option<&Map<String, Value>> = of.get("properties").and_then(Value::as_object);
        for (name, of) in properties.into_iter().flatten().take(MEMBERS) {
            schema.members.insert(name.clone(), self.schema(of, depth + 1));
        }
        schema
    }
}
