//! XML as a tree in which names inside of attributes can be resolved, as WSDL and XML Schema need it.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Deepest nesting of elements.
const DEPTH: usize = 64;
/// Most elements.
const ELEMENTS: usize = 100_000;

/// A name with its namespace.
pub(super) type Name = (String, String);

/// An element.
#[derive(Debug, Default)]
pub(super) struct Markup {
    pub(super) name: Name,
    attributes: BTreeMap<String, String>,
    pub(super) children: Vec<Markup>,
    prefixes: Arc<BTreeMap<String, String>>,
}

impl Markup {
    /// An attribute without a namespace.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    /// The name that an attribute holds, by the prefixes known here.
    pub(super) fn refers(&self, attribute: &str) -> Option<Name> {
        let (prefix, local) = match self.attribute(attribute)?.split_once(':') {
            Some((prefix, local)) => (prefix, local),
            None => ("", self.attribute(attribute)?),
        };
        let namespace = self.prefixes.get(prefix).cloned().unwrap_or_default();
        Some((namespace, local.to_owned()))
    }

    /// Children of this namespace and name.
    pub(super) fn all<'m>(&'m self, namespace: &'m str, name: &'m str) -> impl Iterator<Item = &'m Markup> {
        self.children.iter().filter(move |child| child.name.0 == namespace && child.name.1 == name)
    }
}

/// Reads a document.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(text: &str) -> Result<Markup, String> {
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Markup> = Vec::new();
    let mut count = 0_usize;
    loop {
        let event = reader.read_event().map_err(|error| format!("is not well-formed XML: {error}"))?;
        match event {
            Event::Start(start) => {
                count += 1;
                if open.len() >= DEPTH || count > ELEMENTS {
                    return Err("is nested too deeply or has too many elements".to_owned());
                }
                let (found, local) = reader.resolver().resolve_element(start.name());
                let namespace = match found {
                    ResolveResult::Bound(Namespace(namespace)) => namespace.to_owned(),
                    ResolveResult::Unbound => String::new(),
                    ResolveResult::Unknown(prefix) => {
                        return Err(format!("uses the prefix {prefix:?}, which nobody declares"));
                    }
                };
                let name = (namespace, local.as_ref().to_owned());
                let around = open.last().map(|parent| Arc::clone(&parent.prefixes)).unwrap_or_default();
                open.push(element(name, &start, around)?);
            }
            Event::End(_) => {
                let done = open.pop().ok_or("is not well-formed XML")?;
                match open.last_mut() {
                    Some(parent) => parent.children.push(done),
                    None => return Ok(done),
                }
            }
            Event::DocType(_) => return Err("has a document type, which is refused".to_owned()),
            Event::Eof => return Err("is not well-formed XML: it ends too early".to_owned()),
            Event::Text(_)
            | Event::CData(_)
            | Event::GeneralRef(_)
            | Event::Comment(_)
            | Event::PI(_)
            | Event::Decl(_)
            | Event::Empty(_) => {}
        }
    }
}

fn element(name: Name, start: &BytesStart<'_>, around: Arc<BTreeMap<String, String>>) -> Result<Markup, String> {
    let mut attributes = BTreeMap::new();
    let mut declared = BTreeMap::new();
    for attribute in start.attributes().take(200) {
        let attribute = attribute.map_err(|error| format!("is not well-formed XML: {error}"))?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value = value.map_err(|error| format!("is not well-formed XML: {error}"))?.into_owned();
        let key: &str = attribute.key.as_ref();
        match key.strip_prefix("xmlns") {
            Some("") => drop(declared.insert(String::new(), value)),
            Some(prefix) if prefix.starts_with(':') => {
                drop(declared.insert(prefix.trim_start_matches(':').to_owned(), value))
            }
            _ => drop(attributes.insert(key.to_owned(), value)),
        }
    }
    let prefixes = if declared.is_empty() {
        around
    } else {
        let mut all = (*around).clone();
        all.extend(declared);
        Arc::new(all)
    };
    Ok(Markup { name, attributes, children: Vec::new(), prefixes })
}
