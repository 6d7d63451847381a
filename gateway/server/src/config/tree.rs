//! TOML as a tree whose every node knows where it was written.
//!
//! Settings of one target may come from two files (its profile and the configuration), so a place names its file too.

use super::problem::Problem;
use serde_json::{Map, Number, Value};
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// One file that was read.
#[derive(Debug)]
pub struct Text {
    /// Its path as people wrote it.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// Where something is written.
#[derive(Debug, Clone)]
pub struct Place {
    /// In this file.
    pub text: Arc<Text>,
    /// At this byte.
    pub at: usize,
}

impl Place {
    /// Line and column, both from 1; the column counts characters.
    pub fn line_and_column(&self) -> (usize, usize) {
        let before = self.text.text.get(..self.at).unwrap_or(&self.text.text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let column = before.get(line_start..).map_or(0, |line| line.chars().count());
        (before.matches('\n').count() + 1, column + 1)
    }
}

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where its key is written; for an element of a list the value's place.
    pub key: Place,
    /// Where the value is written.
    pub value: Place,
    /// What it is.
    pub what: What,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum What {
    /// Text, number, truth value; a date is its text.
    Scalar(Value),
    /// A list.
    List(Vec<Node>),
    /// A table, in order of keys.
    Table(Vec<(String, Node)>),
}

impl Node {
    /// Reads a document. What can be read is given back beside every mistake of syntax.
    pub fn parse(name: &str, text: String) -> (Node, Vec<Problem>) {
        let text = Arc::new(Text { name: name.to_owned(), text });
        let (root, errors) = DeTable::parse_recoverable(&text.text);
        let place = |at: usize| Place { text: Arc::clone(&text), at };
        let problems = errors
            .into_iter()
            .map(|error| {
                let at = error.span().map_or(0, |span| span.start);
                Problem::at(&place(at), String::new(), error.message().to_owned())
            })
            .collect();
        let what = table(root.into_inner(), &place);
        (Node { key: place(0), value: place(0), what }, problems)
    }

    /// The member of this name, or the element of this number.
    pub fn member(&self, name: &str) -> Option<&Node> {
        match &self.what {
            What::Scalar(_) => None,
            What::List(items) => items.get(name.parse::<usize>().ok()?),
            What::Table(members) => members.iter().find(|(key, _)| key == name).map(|(_, node)| node),
        }
    }

    /// Takes a member out of a table.
    pub fn take(&mut self, name: &str) -> Option<Node> {
        let What::Table(members) = &mut self.what else { return None };
        let place = members.iter().position(|(key, _)| key == name)?;
        Some(members.remove(place).1)
    }

    /// The text, where it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.what {
            What::Scalar(value) => value.as_str(),
            What::List(_) | What::Table(_) => None,
        }
    }

    /// The node at a JSON pointer, or the nearest above it; and whether it is the very one.
    pub fn nearest(&self, pointer: &str) -> (&Node, bool) {
        let mut node = self;
        for segment in pointer.split('/').skip(1) {
            let name = segment.replace("~1", "/").replace("~0", "~");
            match node.member(&name) {
                Some(member) => node = member,
                None => return (node, false),
            }
        }
        (node, true)
    }

    /// Lays another table over this one: what it says replaces what is here, tables are laid over each other.
    pub fn overlay(&mut self, over: Node) {
        match (&mut self.what, over.what) {
            (What::Table(under), What::Table(members)) => {
                for (key, node) in members {
                    match under.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, known)) => known.overlay(node),
                        None => under.push((key, node)),
                    }
                }
            }
            (what, over_what) => {
                *what = over_what;
                self.key = over.key;
                self.value = over.value;
            }
        }
    }

    /// The same as JSON.
    pub fn json(&self) -> Value {
        match &self.what {
            What::Scalar(value) => value.clone(),
            What::List(items) => items.iter().map(Node::json).collect(),
            What::Table(members) => {
                let members: Map<String, Value> =
                    members.iter().map(|(key, node)| (key.clone(), node.json())).collect();
                Value::Object(members)
            }
        }
    }
}

fn table(table: DeTable<'_>, place: &dyn Fn(usize) -> Place) -> What {
    let mut members: Vec<(Spanned<DeString<'_>>, Spanned<DeValue<'_>>)> = table.into_iter().collect();
    members.sort_by_key(|(key, _)| key.span().start);
    What::Table(members.into_iter().map(|(key, value)| member(key, value, place)).collect())
}

fn member(key: Spanned<DeString<'_>>, value: Spanned<DeValue<'_>>, place: &dyn Fn(usize) -> Place) -> (String, Node) {
    let at = place(key.span().start);
    let node = node(value, Some(at), place);
    (key.into_inner().into_owned(), node)
}

fn node(value: Spanned<DeValue<'_>>, key: Option<Place>, place: &dyn Fn(usize) -> Place) -> Node {
    let at = place(value.span().start);
    let what = match value.into_inner() {
        DeValue::String(text) => What::Scalar(Value::String(text.into_owned())),
        DeValue::Integer(number) => What::Scalar(integer(number.as_str(), number.radix())),
        DeValue::Float(number) => {
            let text = number.as_str().replace('_', "");
            What::Scalar(text.parse().ok().and_then(Number::from_f64).map_or(Value::String(text), Value::Number))
        }
        DeValue::Boolean(flag) => What::Scalar(Value::Bool(flag)),
        DeValue::Datetime(date) => What::Scalar(Value::String(date.to_string())),
        DeValue::Array(items) => What::List(items.iter().map(|item| node(item.clone(), None, place)).collect()),
        DeValue::Table(members) => table(members, place),
    };
    Node { key: key.unwrap_or_else(|| at.clone()), value: at, what }
}

/// A number that does not fit 64 bits stays a text, which then fits no setting.
fn integer(text: &str, radix: u32) -> Value {
    let text = text.replace('_', "");
    match i64::from_str_radix(&text, radix) {
        Ok(number) => number.into(),
        Err(_) => u64::from_str_radix(&text, radix).map_or(Value::String(text), Value::from),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_value_knows_its_line_and_column() {
        let text = "[a]\nb = 1\n\n[[c]]\nd = [\"ä\", true]\n[c.e.f]\ng = 0x1_0\n";

        let (root, problems) = Node::parse("x.toml", text.to_owned());

        assert!(problems.is_empty());
        assert_eq!(root.json(), json!({ "a": { "b": 1 }, "c": [{ "d": ["ä", true], "e": { "f": { "g": 16 } } }] }));
        let at = |pointer: &str| root.nearest(pointer).0.value.line_and_column();
        assert_eq!(at("/a/b"), (2, 5));
        assert_eq!(at("/c/0/d/1"), (5, 11));
        assert_eq!(at("/c/0/e/f/g"), (7, 5));
        assert_eq!(root.nearest("/c/0/none").0.value.line_and_column().0, 4);
    }

    #[test]
    fn all_mistakes_of_syntax_are_told() {
        let (_, problems) = Node::parse("x.toml", "a = \nb = 1\nb = 2\nc = [1\n".to_owned());

        assert!(problems.len() >= 2, "{problems:?}");
    }

    #[test]
    fn what_is_laid_over_wins_and_keeps_its_place() {
        let (mut under, _) = Node::parse("under.toml", "[a]\nx = 1\ny = 2\n".to_owned());
        let (over, _) = Node::parse("over.toml", "\n\na.y = 3\n".to_owned());

        under.overlay(over);

        assert_eq!(under.json(), json!({ "a": { "x": 1, "y": 3 } }));
        let place = &under.nearest("/a/y").0.value;
        assert_eq!((place.text.name.as_str(), place.line_and_column().0), ("over.toml", 3));
    }
}
