//! XML as a tree: read within limits, written by the writer. Pure.

use quick_xml::{
    XmlVersion,
    encoding::DecodingReader,
    events::{BytesStart, Event},
    name::{Namespace, NamespaceResolver, QName, ResolveResult},
    reader::NsReader,
};
use std::{io::Read, sync::Arc};

/// Deepest nesting of elements.
const DEPTH: usize = 64;
/// Most elements of a document.
const ELEMENTS: usize = 400_000;
/// Most attributes of an element.
const ATTRIBUTES: usize = 64;

/// Longest declaration of XML in octets.
const DECLARATION: usize = 200;

const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// An element. Texts between child elements are not kept apart: no target of this sort writes mixed content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) namespace: Option<Arc<str>>,
    pub(crate) name: String,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) children: Vec<Element>,
    /// Its own text, that of its children not among it.
    pub(crate) text: String,
}

/// An attribute; declarations of namespaces are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(crate) namespace: Option<Arc<str>>,
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Why something is no document that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It is not well formed, or cut off.
    Malformed,
    /// It has a document type: entities and outside files come with it, so it is refused unread.
    DocType,
    /// It is nested too deeply or has too many elements or attributes.
    TooLarge,
}

impl Unreadable {
    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Unreadable::Malformed => "is not well-formed XML",
            Unreadable::DocType => "has a document type, which is refused",
            Unreadable::TooLarge => "is nested too deeply or has too many elements",
        }
    }
}

impl Element {
    /// Whether it has this name in this namespace.
    pub(crate) fn is(&self, namespace: &str, name: &str) -> bool {
        self.name == name && self.namespace.as_deref() == Some(namespace)
    }

    /// Whether it says of itself that it is nil (XML Schema part 1, section 2.6.2).
    pub(crate) fn is_nil(&self) -> bool {
        self.attributes.iter().any(|attribute| {
            attribute.name == "nil"
                && attribute.namespace.as_deref() == Some(INSTANCE)
                && matches!(attribute.value.trim(), "true" | "1")
        })
    }

    /// Itself and every element inside it, in no promised order.
    pub(crate) fn all(&self) -> Vec<&Element> {
        let mut found = Vec::new();
        let mut open = vec![self];
        while let Some(next) = open.pop() {
            open.extend(&next.children);
            found.push(next);
        }
        found
    }
}

/// Reads a document. Comments and processing instructions are passed over; of entities only the five of XML itself and
/// references to characters are known.
///
/// # Errors
/// [`Unreadable`].
pub(crate) fn parse(octets: &[u8]) -> Result<Element, Unreadable> {
    match std::str::from_utf8(octets) {
        Ok(text) => read(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(_) => read(&decoded(octets).ok_or(Unreadable::Malformed)?),
    }
}

/// The text of a document in another encoding than UTF-8: by its byte order mark, or as its declaration says.
fn decoded(octets: &[u8]) -> Option<String> {
    let mut reader = DecodingReader::new(octets);
    let end = octets.iter().take(DECLARATION).position(|octet| *octet == b'>');
    let head = end.and_then(|end| octets.get(..=end)).and_then(|head| std::str::from_utf8(head).ok());
    if let Some(Ok(Event::Decl(declaration))) = head.map(|head| NsReader::from_str(head).read_event())
        && let Some(encoding) = declaration.encoder()
    {
        reader.set_encoding(encoding);
    }
    let mut text = String::new();
    reader.read_to_string(&mut text).ok()?;
    Some(text)
}

fn read(text: &str) -> Result<Element, Unreadable> {
    let malformed = |_| Unreadable::Malformed;
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Element> = Vec::new();
    let mut root: Option<Element> = None;
    let mut count = 0_usize;
    loop {
        let event = reader.read_event().map_err(|_| Unreadable::Malformed)?;
        let text = match event {
            Event::Start(start) => {
                count += 1;
                if open.len() >= DEPTH || count > ELEMENTS {
                    return Err(Unreadable::TooLarge);
                }
                if root.is_some() {
                    return Err(Unreadable::Malformed);
                }
                open.push(element(&start, reader.resolver())?);
                continue;
            }
            Event::End(_) => {
                let done = open.pop().ok_or(Unreadable::Malformed)?;
                match open.last_mut() {
                    Some(parent) => parent.children.push(done),
                    None => root = Some(done),
                }
                continue;
            }
            Event::Text(text) => text.xml10_content().into_owned(),
            Event::CData(text) => text.xml10_content().into_owned(),
            Event::GeneralRef(reference) => match reference.resolve_char_ref().map_err(malformed)? {
                Some(c) => c.to_string(),
                None => predefined(&reference).ok_or(Unreadable::Malformed)?.to_owned(),
            },
            Event::DocType(_) => return Err(Unreadable::DocType),
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => continue,
            Event::Empty(_) => return Err(Unreadable::Malformed),
            Event::Eof => break,
        };
        match open.last_mut() {
            Some(element) => element.text.push_str(&text),
            None if text.trim().is_empty() => {}
            None => return Err(Unreadable::Malformed),
        }
    }
    if !open.is_empty() {
        return Err(Unreadable::Malformed);
    }
    root.ok_or(Unreadable::Malformed)
}

fn element(start: &BytesStart<'_>, resolver: &NamespaceResolver) -> Result<Element, Unreadable> {
    let (found, local) = resolver.resolve_element(start.name());
    let namespace = namespace(&found)?;
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| Unreadable::Malformed)?;
        if is_declaration(attribute.key) {
            continue;
        }
        if attributes.len() >= ATTRIBUTES {
            return Err(Unreadable::TooLarge);
        }
        let (found, local) = resolver.resolve_attribute(attribute.key);
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| Unreadable::Malformed)?;
        attributes.push(Attribute {
            namespace: self::namespace(&found)?,
            name: local.as_ref().to_owned(),
            value: value.into_owned(),
        });
    }
    let name = local.as_ref().to_owned();
    Ok(Element { namespace, name, attributes, children: Vec::new(), text: String::new() })
}

fn is_declaration(key: QName<'_>) -> bool {
    key.as_namespace_binding().is_some()
}

fn namespace(found: &ResolveResult<'_>) -> Result<Option<Arc<str>>, Unreadable> {
    match found {
        ResolveResult::Bound(Namespace(namespace)) => Ok(Some(Arc::from(*namespace))),
        ResolveResult::Unbound => Ok(None),
        ResolveResult::Unknown(_) => Err(Unreadable::Malformed),
    }
}

fn predefined(name: &str) -> Option<&'static str> {
    match name {
        "lt" => Some("<"),
        "gt" => Some(">"),
        "amp" => Some("&"),
        "apos" => Some("'"),
        "quot" => Some("\""),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(xml: &str) -> Result<String, Unreadable> {
        parse(xml.as_bytes()).map(|element| element.text)
    }

    #[test]
    fn text_is_what_the_references_and_sections_say() {
        assert_eq!(text("<a>x&lt;&#x41;&#13;<![CDATA[<b>&amp;]]>\r\ny<!--no--></a>").unwrap(), "x<A\r<b>&amp;\ny");
    }

    #[test]
    fn a_document_type_is_refused_before_anything_in_it_is_looked_at() {
        for xml in [
            "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
            "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
            "<!doctype html><html></html>",
        ] {
            assert_eq!(text(xml), Err(Unreadable::DocType), "{xml}");
        }
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for xml in [
            "",
            " ",
            "plain",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a>&unknown;</a>",
            "<a b=1/>",
            "<a b='1' b='2'/>",
            "<p:a/>",
            "<a p:b='1'/>",
            "<a>&#0;</a>",
            "<a/>more",
            "<a><![CDATA[x</a>",
            "<a",
            "{\"a\":1}",
        ] {
            assert_eq!(text(xml), Err(Unreadable::Malformed), "{xml}");
        }
    }

    #[test]
    fn depth_and_breadth_are_limited() {
        let deep = format!("{}{}", "<a>".repeat(DEPTH + 1), "</a>".repeat(DEPTH + 1));
        assert_eq!(text(&deep), Err(Unreadable::TooLarge));
        assert!(text(&format!("{}{}", "<a>".repeat(DEPTH), "</a>".repeat(DEPTH))).is_ok());
        let broad: String = (0..=ATTRIBUTES).map(|n| format!(" a{n}='x'")).collect();
        assert_eq!(text(&format!("<a{broad}/>")), Err(Unreadable::TooLarge));
    }

    #[test]
    fn an_encoding_that_is_declared_is_obeyed() {
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xfc</a>";
        assert_eq!(parse(latin).unwrap().text, "\u{fc}");
        let wide: Vec<u8> = "\u{feff}<a>\u{fc}</a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(parse(&wide).unwrap().text, "\u{fc}");
        assert_eq!(parse("\u{feff}<a>\u{fc}</a>".as_bytes()).unwrap().text, "\u{fc}");
    }
}
