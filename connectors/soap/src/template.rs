//! Templates: the XML of a request with places for values, read once, filled as often as needed. Pure.
//!
//! A template is parsed into a tree whose texts and attributes hold expressions. Filling it gives another tree, of plain
//! elements; only then is anything written. So there is no moment at which a value and markup are the same string.

use crate::{
    document::{self, Attribute, Element, Unreadable},
    place::Names,
};
use connector_declared::{Issues, holds, text};
use connector_expr::{Env, Expr, Type, Vars, build::xml_text};
use connector_spi::{ConnError, Result};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// The namespace of `t:each` and `t:if`; it is in no request.
const TEMPLATE: &str = "urn:chartgate:template";
/// Most elements that one filled template may have.
const ELEMENTS: usize = 100_000;

/// A template.
#[derive(Debug)]
pub(crate) struct Template {
    root: Node,
}

#[derive(Debug)]
struct Node {
    namespace: Option<Arc<str>>,
    name: String,
    attributes: Vec<(Option<Arc<str>>, String, Text)>,
    each: Option<Expr>,
    when: Option<Expr>,
    text: Text,
    children: Vec<Node>,
}

/// A text in pieces; nothing between two expressions is a piece too.
#[derive(Debug, Default)]
struct Text(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Fixed(String),
    Value(Expr),
}

/// The variables of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filling {
    vars: Vars,
}

impl Filling {
    /// From an object with a member for each variable.
    pub(crate) fn new(values: Json) -> Self {
        Self { vars: Vars::new(values) }
    }

    /// For conditions of steps.
    pub(crate) fn vars(&self) -> &Vars {
        &self.vars
    }

    /// The texts that may be personal, to be taken out of a target's words: values of attributes and keys, and a password.
    /// Codes of the catalogue and ids are not.
    pub(crate) fn personal(&self) -> Vec<String> {
        let mut open: Vec<&Json> =
            ["attrs", "held", "key", "password"].iter().filter_map(|name| self.vars.get(name)).collect();
        let mut found = Vec::new();
        while let Some(next) = open.pop() {
            match next {
                Json::String(text) => found.push(text.clone()),
                Json::Array(items) => open.extend(items),
                Json::Object(members) => open.extend(members.values()),
                Json::Null | Json::Bool(_) | Json::Number(_) => {}
            }
        }
        found
    }

    /// With further variables.
    pub(crate) fn with(&self, more: impl IntoIterator<Item = (&'static str, Json)>) -> Self {
        Self { vars: self.vars.with(more) }
    }
}

/// How many expressions an element holds, and how many of them gave something.
#[derive(Default, Clone, Copy)]
struct Found {
    asked: usize,
    given: usize,
}

impl Template {
    /// Reads a template; what is wrong is said at `pointer`.
    pub(crate) fn compile(source: &str, names: &Names, env: &Env, pointer: &str, issues: &mut Issues) -> Option<Self> {
        if source.contains("xmlns") {
            issues.say(pointer, "declares a namespace", Some("declare it under `namespaces`".to_owned()));
            return None;
        }
        let declared: String = names
            .all()
            .map(|(prefix, namespace)| (prefix, xml_text("namespaces", namespace).unwrap_or_default()))
            .map(|(prefix, namespace)| format!(" xmlns:{prefix}=\"{namespace}\""))
            .collect();
        let whole = format!("<t:template xmlns:t=\"{TEMPLATE}\"{declared}>{source}</t:template>");
        let read = match document::parse(whole.as_bytes()) {
            Ok(read) => read,
            Err(why) => {
                let hint = (why == Unreadable::Malformed).then(|| {
                    "its prefixes must be among `namespaces`; in an expression < is written &lt; and & &amp;".to_owned()
                });
                issues.say(pointer, why.words(), hint);
                return None;
            }
        };
        let [root] = read.children.as_slice() else {
            issues.say(pointer, "must be one element", None);
            return None;
        };
        let before = issues.0.len();
        let root = node(root, env, pointer, issues);
        (issues.0.len() == before).then_some(Self { root })
    }

    /// Whether a variable is read anywhere in it.
    pub(crate) fn reads(&self, variable: &str) -> bool {
        let mut open = vec![&self.root];
        while let Some(node) = open.pop() {
            let texts = node.attributes.iter().map(|(_, _, text)| text).chain([&node.text]);
            let slots = texts.flat_map(|text| &text.0).filter_map(|piece| match piece {
                Piece::Value(expression) => Some(expression),
                Piece::Fixed(_) => None,
            });
            if slots.chain(&node.each).chain(&node.when).any(|expression| expression.reads(variable)) {
                return true;
            }
            open.extend(&node.children);
        }
        false
    }

    /// The local name of its element.
    pub(crate) fn name(&self) -> &str {
        &self.root.name
    }

    /// The attribute that is written at a path of element names below the template's element, as refusals name places:
    /// `User/UserIDs[1]/ID`. Numbers in brackets are passed over.
    pub(crate) fn attribute_at(&self, path: &str) -> Option<&str> {
        let steps: Vec<&str> = path.split('/').map(|step| step.split('[').next().unwrap_or_default()).collect();
        let steps = match steps.split_first() {
            Some((first, rest)) if *first == self.root.name => rest,
            _ => steps.as_slice(),
        };
        let mut found = vec![&self.root];
        for step in steps {
            found = found.iter().flat_map(|node| &node.children).filter(|node| node.name == *step).collect();
        }
        found.into_iter().find_map(Node::attribute)
    }

    /// Fills it.
    ///
    /// # Errors
    /// `Invalid`, with the attribute, for a value that XML cannot carry; `Invalid` for an expression that fails.
    pub(crate) fn fill(&self, filling: &Filling) -> Result<Element> {
        let mut left = ELEMENTS;
        let mut made = Vec::new();
        fill(&self.root, filling, &mut left, &mut made)?;
        // The root is written whatever its expressions give.
        match made.pop() {
            Some((element, _)) => Ok(element),
            None => Ok(Element {
                namespace: self.root.namespace.clone(),
                name: self.root.name.clone(),
                ..Element::default()
            }),
        }
    }
}

impl Node {
    /// The first attribute that is read in it or below it.
    fn attribute(&self) -> Option<&str> {
        let own = self.text.0.iter().find_map(|piece| match piece {
            Piece::Value(expression) => {
                let mut paths = expression.references().iter().filter_map(|path| path.strip_prefix("attrs."));
                paths.next().and_then(|path| path.split('.').next())
            }
            Piece::Fixed(_) => None,
        });
        own.or_else(|| self.children.iter().find_map(Node::attribute))
    }
}

fn node(element: &Element, env: &Env, pointer: &str, issues: &mut Issues) -> Node {
    let mut inner = env.clone();
    let (mut each, mut when) = (None, None);
    let directive = |name: &str| {
        let own = |one: &&Attribute| one.namespace.as_deref() == Some(TEMPLATE) && one.name == name;
        element.attributes.iter().find(own).map(|one| one.value.as_str())
    };
    if let Some(source) = directive("each") {
        each = issues.expression(pointer, source, env);
        let item = match each.as_ref().map(Expr::result) {
            Some(Type::List(item)) => (**item).clone(),
            _ => Type::Any,
        };
        inner = inner.variable("item", item).variable("index", Type::Integer);
    }
    if let Some(source) = directive("if") {
        when = issues.expression(pointer, source, &inner);
    }
    let mut attributes = Vec::new();
    for one in &element.attributes {
        if one.namespace.as_deref() == Some(TEMPLATE) {
            if !matches!(one.name.as_str(), "each" | "if") {
                issues.say(pointer, format!("there is no t:{}", one.name), Some("t:each or t:if".to_owned()));
            }
            continue;
        }
        attributes.push((one.namespace.clone(), one.name.clone(), pieces(&one.value, &inner, pointer, issues)));
    }
    if element.namespace.as_deref() == Some(TEMPLATE) {
        issues.say(pointer, format!("there is no element t:{}", element.name), None);
    }
    // White space around elements is the template's layout; beside text it belongs to the text.
    let own = if element.text.trim().is_empty() { "" } else { element.text.as_str() };
    if !own.is_empty() && !element.children.is_empty() {
        issues.say(pointer, format!("{} holds both text and elements", element.name), None);
    }
    Node {
        namespace: element.namespace.clone(),
        name: element.name.clone(),
        attributes,
        each,
        when,
        text: pieces(own, &inner, pointer, issues),
        children: element.children.iter().map(|child| node(child, &inner, pointer, issues)).collect(),
    }
}

/// A text cut at its braces.
fn pieces(source: &str, env: &Env, pointer: &str, issues: &mut Issues) -> Text {
    let mut made = Vec::new();
    let mut fixed = String::new();
    let mut rest = source;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        fixed.push_str(before);
        if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
            fixed.push_str(from.get(..1).unwrap_or_default());
            rest = after;
            continue;
        }
        let Some(length) = from.strip_prefix('{').and_then(closing) else {
            issues.say(pointer, "has a brace without its partner", Some("a brace is written twice".to_owned()));
            return Text::default();
        };
        if !fixed.is_empty() {
            made.push(Piece::Fixed(std::mem::take(&mut fixed)));
        }
        let inside = from.get(1..=length).unwrap_or_default();
        if let Some(expression) = issues.expression(pointer, inside.trim(), env) {
            made.push(Piece::Value(expression));
        }
        rest = from.get(length + 2..).unwrap_or_default();
    }
    fixed.push_str(rest);
    if !fixed.is_empty() {
        made.push(Piece::Fixed(fixed));
    }
    Text(made)
}

/// Octets before the brace that closes; braces in quotes count for nothing.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '{') => depth += 1,
            (None, '}') if depth == 0 => return Some(at),
            (None, '}') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}

fn fill(node: &Node, filling: &Filling, left: &mut usize, to: &mut Vec<(Element, Found)>) -> Result<()> {
    let Some(each) = &node.each else { return one(node, filling, left, to) };
    let list = each.eval_list(filling.vars(), jiff::Timestamp::UNIX_EPOCH);
    let list =
        list.map_err(|error| ConnError::invalid(format!("an expression of the target's file fails: {error}")))?;
    for (at, item) in list.into_iter().enumerate() {
        one(node, &filling.with([("item", item), ("index", json!(at + 1))]), left, to)?;
    }
    Ok(())
}

fn one(node: &Node, filling: &Filling, left: &mut usize, to: &mut Vec<(Element, Found)>) -> Result<()> {
    let mut found = Found::default();
    if let Some(when) = &node.when {
        if !holds(when, filling.vars())? {
            return Ok(());
        }
        // What is asked for by a condition is wanted, also when it holds nothing else.
        found = Found { asked: 1, given: 1 };
    }
    *left = left.checked_sub(1).ok_or_else(|| ConnError::invalid("the request would have too many elements"))?;
    let mut element = Element { namespace: node.namespace.clone(), name: node.name.clone(), ..Element::default() };
    for (namespace, name, text) in &node.attributes {
        if let Some(value) = text.fill(filling, &mut found)? {
            element.attributes.push(Attribute { namespace: namespace.clone(), name: name.clone(), value });
        }
    }
    element.text = node.text.fill(filling, &mut found)?.unwrap_or_default();
    for child in &node.children {
        let mut made = Vec::new();
        fill(child, filling, left, &mut made)?;
        if made.is_empty() {
            // A list without items and a condition that does not hold give nothing.
            found.asked += 1;
        }
        for (child, inside) in made {
            found.asked += inside.asked;
            found.given += inside.given;
            if inside.asked == 0 || inside.given > 0 {
                element.children.push(child);
            }
        }
    }
    to.push((element, found));
    Ok(())
}

impl Text {
    /// `None` when one of its expressions is null.
    fn fill(&self, filling: &Filling, found: &mut Found) -> Result<Option<String>> {
        let mut made = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Fixed(fixed) => made.push_str(fixed),
                Piece::Value(expression) => {
                    found.asked += 1;
                    let Some(value) = text(expression, filling.vars())? else { return Ok(None) };
                    // Refused here, where the attribute is known, and escaped where it is written.
                    if let Err(error) = xml_text("a value", &value) {
                        let read = expression.references().iter();
                        let name =
                            read.clone().find_map(|path| path.strip_prefix("attrs.").or(path.strip_prefix("key.")));
                        let name = name.unwrap_or_else(|| expression.source()).to_owned();
                        return Err(ConnError::invalid(format!("{name} {}", error.message)).attribute(name));
                    }
                    found.given += 1;
                    made.push_str(&value);
                }
            }
        }
        Ok(Some(made))
    }
}

#[cfg(test)]
mod tests;
