//! One compiled request, and what becomes of it when its values are known. Pure.

use crate::config::{self, Base};
use connector_declared::{Issues, text, wire};
use connector_expr::{
    Env, Expr, Format, Template, Vars,
    build::{Path, json_set},
};
use connector_spi::{ConnError, Result, Value};
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use url::Url;

/// A request whose expressions are compiled.
pub(crate) struct Request {
    pub(crate) config: config::Request,
    /// Method and path as in the file: for reports, and free of values.
    pub(crate) label: String,
    path: Path,
    places: Vec<(String, Expr)>,
    query: Vec<(String, Expr)>,
    headers: Vec<(String, Expr)>,
    set: Vec<(String, Expr)>,
    template: Option<Template>,
}

/// What a request is filled with.
pub(crate) struct Filling<'v> {
    pub(crate) vars: &'v Vars,
    /// The attributes being sent.
    pub(crate) sending: &'v [Sending<'v>],
    /// The record as the target holds it.
    pub(crate) record: Option<&'v Json>,
}

/// One attribute on its way to the target.
pub(crate) struct Sending<'v> {
    pub(crate) name: &'v str,
    pub(crate) attribute: &'v config::Attribute,
    /// `None` clears it.
    pub(crate) values: Option<&'v [Value]>,
}

/// A request that is ready to go.
pub(crate) struct Prepared {
    pub(crate) url: Url,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Json>,
}

impl Request {
    /// Compiles; `None` when something is wrong, which is then among `issues`.
    pub(crate) fn compile(config: &config::Request, env: &Env, pointer: &str, issues: &mut Issues) -> Option<Self> {
        let before = issues.0.len();
        let path = Path::parse(&config.path)
            .map_err(|error| issues.say(format!("{pointer}/path"), format!("the path {}", error.message), None))
            .ok()?;
        let mut all = |part: &str, of: Vec<(String, String)>| -> Vec<(String, Expr)> {
            of.into_iter()
                .filter_map(|(name, source)| {
                    let step = name.replace('~', "~0").replace('/', "~1");
                    Some((name, issues.expression(&format!("{pointer}/{part}/{step}"), &source, env)?))
                })
                .collect()
        };
        let pairs = |map: &std::collections::BTreeMap<String, String>| {
            map.iter().map(|(name, source)| (name.clone(), source.clone())).collect::<Vec<_>>()
        };
        let places = all("path", path.names().map(|name| (name.to_owned(), name.to_owned())).collect());
        let query = all("query", pairs(&config.query));
        let headers = all("headers", pairs(&config.headers));
        let body = config.body.as_ref();
        let set = all(
            "body/set",
            body.map(|body| body.set.iter().map(|(at, source)| (at.as_str().to_owned(), source.clone())).collect())
                .unwrap_or_default(),
        );
        let template = body.and_then(|body| body.template.as_ref()).and_then(|source| {
            Template::compile(source, Format::Json, env)
                .map_err(|error| issues.say(format!("{pointer}/body/template"), error.to_string(), error.hint.clone()))
                .ok()
        });
        if let Some(body) = body {
            let mixed =
                body.template.is_some() && (body.attributes || !body.set.is_empty() || body.base != Base::Empty);
            if mixed {
                issues.say(format!("{pointer}/body"), "a template is the whole body: nothing else goes with it", None);
            }
            if config.method == config::Method::Get {
                issues.say(format!("{pointer}/body"), "a GET has no body", None);
            }
        }
        let label = format!("{} {}", config.method.name(), config.path);
        let whole = Self { config: config.clone(), label, path, places, query, headers, set, template };
        (issues.0.len() == before).then_some(whole)
    }

    /// Fills the request.
    ///
    /// # Errors
    /// `Invalid` when a value does not fit its place: nothing was sent then.
    pub(crate) fn fill(&self, base: &Url, filling: &Filling<'_>) -> Result<Prepared> {
        let mut texts = Vec::with_capacity(self.places.len());
        for (name, expression) in &self.places {
            texts.push((name.as_str(), text(expression, filling.vars)?));
        }
        let value = |name: &str| texts.iter().find(|(place, _)| *place == name).and_then(|(_, text)| text.as_deref());
        let mut url = self.path.fill(base, value).map_err(|error| {
            ConnError::invalid(format!("{}: {} {}", self.label, error.attribute, error.message))
                .attribute(error.attribute)
        })?;
        for (name, expression) in &self.query {
            if let Some(text) = text(expression, filling.vars)? {
                url.query_pairs_mut().append_pair(name, &text);
            }
        }
        let mut headers = Vec::new();
        for (name, expression) in &self.headers {
            if let Some(text) = text(expression, filling.vars)? {
                headers.push((name.clone(), text));
            }
        }
        let body = self.body(filling)?;
        if body.is_some() {
            let content = self.config.body.as_ref().and_then(|body| body.content_type.clone());
            headers.push(("content-type".to_owned(), content.unwrap_or_else(|| "application/json".to_owned())));
        }
        Ok(Prepared { url, headers, body })
    }

    fn body(&self, filling: &Filling<'_>) -> Result<Option<Json>> {
        let Some(config) = &self.config.body else { return Ok(None) };
        if let Some(template) = &self.template {
            let made = template.render_json(filling.vars);
            return made.map(Some).map_err(|error| ConnError::invalid(format!("{}: {error}", self.label)));
        }
        let mut document = match config.base {
            Base::Empty => json!({}),
            Base::Record => filling.record.cloned().unwrap_or_else(|| json!({})),
        };
        if config.attributes {
            for sending in filling.sending {
                put(&mut document, sending)?;
            }
        }
        for (at, expression) in &self.set {
            let value = evaluated(expression.eval(filling.vars, Timestamp::UNIX_EPOCH))?;
            // An expression that is null leaves its member out; the bare word asks for a null.
            if !value.is_null() || expression.source().trim() == "null" {
                set(&mut document, at, value)?;
            }
        }
        Ok(Some(document))
    }
}

fn evaluated<T>(outcome: std::result::Result<T, connector_expr::EvalError>) -> Result<T> {
    outcome.map_err(|error| ConnError::invalid(format!("an expression of the target's file fails: {error}")))
}

fn set(document: &mut Json, at: &str, value: Json) -> Result<()> {
    json_set(document, at, value)
        .map_err(|error| ConnError::invalid(format!("the body cannot hold {}: it {}", error.attribute, error.message)))
}

/// Puts one attribute where its pointer says.
fn put(document: &mut Json, sending: &Sending<'_>) -> Result<()> {
    let at = sending.attribute.at.as_str();
    let value = match sending.values {
        None => Json::Null,
        Some(values) if sending.attribute.multi => Json::Array(values.iter().map(wire).collect()),
        Some([]) => Json::Null,
        Some([one]) => wire(one),
        Some(_) => {
            let message = format!("{} holds one value and is given several", sending.name);
            return Err(ConnError::invalid(message).attribute(sending.name));
        }
    };
    let Some(listed) = &sending.attribute.listed else {
        return set(document, at, value);
    };
    let mut members = document.pointer(at).and_then(Json::as_array).cloned().unwrap_or_default();
    members.retain(|member| !listed.with.iter().all(|(name, wanted)| member.get(name) == Some(&json!(wanted))));
    if !value.is_null() {
        let mut member = json!(listed.with);
        set(&mut member, listed.value.as_str(), value)?;
        members.push(member);
    }
    set(document, at, Json::Array(members))
}

#[cfg(test)]
mod tests {
    use super::*;
    use connector_expr::Type;
    use connector_spi::ConfigIssue;

    fn env() -> Env {
        Env::new().variable("id", Type::Text).variable(
            "attrs",
            Type::object([("name", Type::Text), ("note", Type::Text), ("tags", Type::list(Type::Text))]),
        )
    }

    fn request(config: Json) -> std::result::Result<Request, Vec<ConfigIssue>> {
        let config: config::Request = serde_json::from_value(config).unwrap();
        let mut issues = Issues::default();
        Request::compile(&config, &env(), "", &mut issues).ok_or(issues.0)
    }

    fn fill(request: &Request, vars: Json) -> Result<Prepared> {
        let base = Url::parse("https://ehr.example/api/").unwrap();
        request.fill(&base, &Filling { vars: &Vars::new(vars), sending: &[], record: None })
    }

    #[test]
    fn a_value_stays_in_its_place_whatever_it_holds() {
        let request = request(json!({
            "method": "POST", "path": "/people/{id}/x", "query": {"q": "attrs.name", "none": "attrs.note"},
            "headers": {"x-name": "attrs.name"}, "body": {"set": {"/a/b": "attrs.name"}},
        }))
        .unwrap();
        for hostile in
            ["a/b?c#d&e=f", "..x", "%2e%2e", "\"},{\"admin\":true", "{{7*7}}", "{id}", "';--", "ü漢\u{202e}", "a+b c"]
        {
            let ready = fill(&request, json!({"id": hostile, "attrs": {"name": hostile}}));
            let ready = ready.unwrap();
            let segments: Vec<_> = ready.url.path_segments().unwrap().collect();
            assert_eq!((segments.len(), segments[0], segments[1], segments[3]), (4, "api", "people", "x"));
            assert_eq!(ready.url.query_pairs().collect::<Vec<_>>(), [("q".into(), hostile.into())]);
            assert_eq!(ready.url.fragment(), None);
            assert_eq!(ready.body, Some(json!({"a": {"b": hostile}})));
            assert_eq!(ready.headers[0].1, hostile);
        }
    }

    #[test]
    fn a_path_without_a_value_or_with_control_characters_is_refused_before_anything_is_sent() {
        let request = request(json!({"method": "GET", "path": "/people/{id}"})).unwrap();
        for id in [json!(null), json!(""), json!("."), json!(".."), json!("a\r\nb"), json!("a\0")] {
            let error = fill(&request, json!({"id": id})).err().unwrap();
            assert_eq!(error.class, connector_spi::Class::Invalid);
        }
    }

    #[test]
    fn a_misspelt_reference_is_found_with_its_place() {
        let issues =
            request(json!({"method": "GET", "path": "/p/{idd}", "query": {"a/b": "attrs.nam"}})).err().unwrap();
        let places: Vec<_> = issues.iter().map(|issue| issue.pointer.as_str()).collect();
        assert_eq!(places, ["/path/idd", "/query/a~1b"]);
        assert!(issues[1].hint.as_deref().unwrap().contains("name"));
    }

    #[test]
    fn there_is_no_clock() {
        assert!(request(json!({"method": "GET", "path": "/p", "query": {"at": "now"}})).is_err());
        assert!(request(json!({"method": "GET", "path": "/p", "query": {"at": "'now'"}})).is_ok());
    }

    #[test]
    fn a_member_of_a_list_is_replaced_and_its_neighbours_stay() {
        let attribute: config::Attribute = serde_json::from_value(
            json!({"at": "/aliases", "listed": {"with": {"pool": "EMPLOYEE"}, "value": "/value"}}),
        )
        .unwrap();
        let mut document = json!({"aliases": [{"pool": "NPI", "value": "1"}, {"pool": "EMPLOYEE", "value": "2"}]});
        let values = [Value::from("3")];
        put(&mut document, &Sending { name: "employee", attribute: &attribute, values: Some(&values) }).unwrap();
        assert_eq!(document, json!({"aliases": [{"pool": "NPI", "value": "1"}, {"pool": "EMPLOYEE", "value": "3"}]}));
    }

    #[test]
    fn a_single_attribute_takes_one_value() {
        let attribute: config::Attribute = serde_json::from_value(json!({"at": "/name"})).unwrap();
        let values = [Value::from("a"), Value::from("b")];
        let error =
            put(&mut json!({}), &Sending { name: "name", attribute: &attribute, values: Some(&values) }).unwrap_err();
        assert_eq!(error.attribute.as_deref(), Some("name"));
    }
}
