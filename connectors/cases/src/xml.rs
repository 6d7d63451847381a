//! XML for cases: read into a tree, compared, written. Pure.

use crate::Difference;
use quick_xml::{
    XmlVersion,
    escape::escape,
    events::{BytesStart, Event},
    name::{Namespace, NamespaceResolver, ResolveResult},
    reader::NsReader,
};
use std::{collections::BTreeMap, fmt::Write as _};

/// Deepest nesting of elements.
const DEPTH: usize = 64;
/// Most differences that are told.
const MOST: usize = 20;
/// Longest line on which elements are kept together.
const LINE: usize = 120;
/// The namespace of `xml:lang`, whose prefix is declared by XML itself.
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Namespaces of envelopes: SOAP 1.1 and 1.2.
pub(crate) const ENVELOPES: [&str; 2] =
    ["http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"];
const SECURITY: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";

/// Namespaces by prefix, as the file's `namespaces` say.
pub type Prefixes = BTreeMap<String, String>;

/// The prefixes with `soap` for this envelope, where it is free.
pub(crate) fn with_soap(prefixes: &Prefixes, envelope: &str) -> Prefixes {
    let mut known = prefixes.clone();
    known.entry("soap".to_owned()).or_insert_with(|| envelope.to_owned());
    known
}

type Name = (Option<String>, String);

/// An element; white space around its text says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: Name,
    pub(crate) attributes: BTreeMap<Name, String>,
    pub(crate) children: Vec<Element>,
    pub(crate) text: String,
}

/// Reads a document in which these prefixes are known; `soap` is the envelope's namespace, where one is given.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(text: &str, prefixes: &Prefixes, envelope: Option<&str>) -> Result<Element, String> {
    let text = text.trim().trim_start_matches('\u{feff}');
    let text = match text.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>")) {
        Some((_, rest)) => rest,
        None => text,
    };
    // A document inside an element that declares the prefixes: what the text declares itself goes before.
    let mut whole = String::from("<case");
    let soap = envelope.map(|namespace| ("soap", namespace));
    let known = prefixes.iter().map(|(prefix, namespace)| (prefix.as_str(), namespace.as_str()));
    for (prefix, namespace) in known.chain(soap.filter(|_| !prefixes.contains_key("soap"))) {
        let _ = write!(whole, " xmlns:{prefix}=\"{}\"", escape(namespace));
    }
    let _ = write!(whole, ">{text}</case>");
    let case = read(&whole)?;
    let [document] = <[Element; 1]>::try_from(case.children).map_err(|_| "is not one element".to_owned())?;
    if case.text.is_empty() { Ok(document) } else { Err("has text outside of its element".to_owned()) }
}

fn read(text: &str) -> Result<Element, String> {
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Element> = Vec::new();
    loop {
        let event = reader.read_event().map_err(|error| format!("is not well-formed XML: {error}"))?;
        let text = match event {
            Event::Start(start) => {
                if open.len() > DEPTH {
                    return Err("is nested too deeply".to_owned());
                }
                open.push(element(&start, reader.resolver())?);
                continue;
            }
            Event::End(_) => {
                let mut done = open.pop().ok_or("is not well-formed XML")?;
                done.text = done.text.trim().to_owned();
                match open.last_mut() {
                    Some(parent) => parent.children.push(done),
                    None => return Ok(done),
                }
                continue;
            }
            Event::Text(text) => text.xml10_content().into_owned(),
            Event::CData(text) => text.xml10_content().into_owned(),
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().map_err(|_| "has a reference to no character")?;
                match (character, &*reference) {
                    (Some(character), _) => character.to_string(),
                    (None, "lt") => "<".to_owned(),
                    (None, "gt") => ">".to_owned(),
                    (None, "amp") => "&".to_owned(),
                    (None, "apos") => "'".to_owned(),
                    (None, "quot") => "\"".to_owned(),
                    (None, _) => return Err("has a reference to something that is not XML's own".to_owned()),
                }
            }
            Event::DocType(_) => return Err("has a document type, which is refused".to_owned()),
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::Empty(_) => continue,
            Event::Eof => return Err("is not well-formed XML: it ends too early".to_owned()),
        };
        if let Some(element) = open.last_mut() {
            element.text.push_str(&text);
        }
    }
}

fn element(start: &BytesStart<'_>, resolver: &NamespaceResolver) -> Result<Element, String> {
    let (found, local) = resolver.resolve_element(start.name());
    let mut element = Element { name: (namespace(&found)?, local.as_ref().to_owned()), ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| format!("is not well-formed XML: {error}"))?;
        if attribute.key.as_namespace_binding().is_some() {
            continue;
        }
        let (found, local) = resolver.resolve_attribute(attribute.key);
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value = value.map_err(|error| format!("is not well-formed XML: {error}"))?.into_owned();
        element.attributes.insert((namespace(&found)?, local.as_ref().to_owned()), value);
    }
    Ok(element)
}

fn namespace(found: &ResolveResult<'_>) -> Result<Option<String>, String> {
    match found {
        ResolveResult::Bound(Namespace(namespace)) => Ok(Some((*namespace).to_owned())),
        ResolveResult::Unbound => Ok(None),
        ResolveResult::Unknown(prefix) => Err(format!("uses the prefix {prefix:?}, which nobody declares")),
    }
}

impl Element {
    /// The namespace of the envelope, where this is one.
    pub(crate) fn envelope(&self) -> Option<&'static str> {
        let of = self.name.0.as_deref().filter(|_| self.name.1 == "Envelope")?;
        ENVELOPES.into_iter().find(|known| *known == of)
    }

    /// Without what tells who calls; without the envelope as well, where nothing else stands in it than one body.
    pub(crate) fn essence(mut self) -> Element {
        let Some(namespace) = self.envelope() else { return self };
        for part in &mut self.children {
            part.children.retain(|block| block.name != (Some(SECURITY.to_owned()), "Security".to_owned()));
        }
        self.children.retain(|part| part.name.1 != "Header" || !part.children.is_empty());
        match self.children.as_mut_slice() {
            [body] if body.name == (Some(namespace.to_owned()), "Body".to_owned()) && body.children.len() == 1 => {
                body.children.remove(0)
            }
            _ => self,
        }
    }

    /// In an envelope of this namespace.
    pub(crate) fn wrapped(self, namespace: &str) -> Element {
        let part = |name: &str, inside: Element| Element {
            name: (Some(namespace.to_owned()), name.to_owned()),
            children: vec![inside],
            ..Element::default()
        };
        part("Envelope", part("Body", self))
    }

    /// As text. Prefixes of the file are used; they are declared only where the text must stand alone, others always.
    pub(crate) fn written(&self, prefixes: &Prefixes, alone: bool) -> String {
        let mut names: BTreeMap<String, String> =
            prefixes.iter().map(|(prefix, namespace)| (namespace.clone(), prefix.clone())).collect();
        names.insert(XML.to_owned(), "xml".to_owned());
        let mut declared = if alone { names.clone() } else { BTreeMap::new() };
        let mut used = Vec::new();
        self.namespaces(&mut used);
        declared.retain(|namespace, _| used.contains(namespace) && namespace != XML);
        for namespace in used {
            if !names.contains_key(&namespace) {
                let prefix = if ENVELOPES.contains(&namespace.as_str()) && !prefixes.contains_key("soap") {
                    "soap".to_owned()
                } else {
                    format!("n{}", names.len())
                };
                names.insert(namespace.clone(), prefix.clone());
                declared.insert(namespace, prefix);
            }
        }
        let mut out = String::new();
        self.write(&names, Some(&declared), if alone { None } else { Some(0) }, &mut out);
        out
    }

    fn namespaces(&self, used: &mut Vec<String>) {
        let own = self.attributes.keys().chain([&self.name]);
        used.extend(own.filter_map(|(namespace, _)| namespace.clone()));
        self.children.iter().for_each(|child| child.namespaces(used));
        used.sort();
        used.dedup();
    }

    /// With an indent, elements that hold others stand on lines of their own.
    fn write(
        &self,
        names: &BTreeMap<String, String>,
        declared: Option<&BTreeMap<String, String>>,
        indent: Option<usize>,
        out: &mut String,
    ) {
        let full = |(namespace, local): &Name| match namespace.as_ref().and_then(|namespace| names.get(namespace)) {
            Some(prefix) => format!("{prefix}:{local}"),
            None => local.clone(),
        };
        let name = full(&self.name);
        let _ = write!(out, "<{name}");
        for (namespace, prefix) in declared.into_iter().flatten() {
            let _ = write!(out, " xmlns:{prefix}=\"{}\"", escape(namespace));
        }
        for (attribute, value) in &self.attributes {
            let _ = write!(out, " {}=\"{}\"", full(attribute), escape(value));
        }
        if self.children.is_empty() && self.text.is_empty() {
            out.push_str("/>");
            return;
        }
        let _ = write!(out, ">{}", escape(&self.text));
        // What is short stays on its line.
        let indent = indent.filter(|depth| {
            let mut line = String::new();
            self.children.iter().for_each(|child| child.write(names, None, None, &mut line));
            depth * 2 + line.len() + 2 * name.len() + 5 > LINE
        });
        for child in &self.children {
            let inside = indent.map(|depth| depth + 1);
            if let Some(depth) = inside {
                let _ = write!(out, "\n{:1$}", "", depth * 2);
            }
            child.write(names, None, inside, out);
        }
        if let Some(depth) = indent.filter(|_| !self.children.is_empty()) {
            let _ = write!(out, "\n{:1$}", "", depth * 2);
        }
        let _ = write!(out, "</{name}>");
    }

    /// Every text and attribute, to be changed.
    pub(crate) fn texts_mut(&mut self, change: &mut dyn FnMut(&mut String)) {
        if !self.text.is_empty() {
            change(&mut self.text);
        }
        self.attributes.values_mut().for_each(&mut *change);
        self.children.iter_mut().for_each(|child| child.texts_mut(change));
    }
}

/// What differs between two elements.
pub(crate) fn differences(expected: &Element, found: &Element) -> Vec<Difference> {
    let mut out = Vec::new();
    compare(expected, found, &format!("/{}", expected.name.1), &mut out);
    out
}

fn compare(expected: &Element, found: &Element, at: &str, out: &mut Vec<Difference>) {
    if out.len() >= MOST {
        return;
    }
    if expected.name != found.name {
        out.push(Difference::new(at, Some(&shown(&expected.name)), Some(&shown(&found.name))));
        return;
    }
    if expected.text != found.text {
        out.push(Difference::new(at, Some(&format!("{:?}", expected.text)), Some(&format!("{:?}", found.text))));
    }
    let names: std::collections::BTreeSet<_> = expected.attributes.keys().chain(found.attributes.keys()).collect();
    for name in names {
        let (one, other) = (expected.attributes.get(name), found.attributes.get(name));
        if one != other {
            let place = format!("{at}/@{}", name.1);
            out.push(Difference::new(&place, one.map(String::as_str), other.map(String::as_str)));
        }
    }
    for place in 0..expected.children.len().max(found.children.len()) {
        let (one, other) = (expected.children.get(place), found.children.get(place));
        let at = |child: &Element| format!("{at}/{}[{}]", child.name.1, place + 1);
        match (one, other) {
            (Some(one), Some(other)) => compare(one, other, &at(one), out),
            (Some(one), None) => out.push(Difference::new(&at(one), Some("an element"), None)),
            (None, Some(other)) => {
                out.push(Difference::new(&at(other), None, Some(&other.written(&Prefixes::new(), false))));
            }
            (None, None) => {}
        }
    }
}

fn shown((namespace, local): &Name) -> String {
    match namespace {
        Some(namespace) => format!("<{local}> of {namespace}"),
        None => format!("<{local}> of no namespace"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes() -> Prefixes {
        [("p".to_owned(), "urn:p".to_owned())].into()
    }

    fn of(text: &str) -> Element {
        parse(text, &prefixes(), Some(ENVELOPES[1])).unwrap()
    }

    #[test]
    fn prefixes_and_white_space_say_nothing_and_names_and_order_do() {
        let one = of("<p:a>\n  <p:b c=\"1\">x</p:b>\n</p:a>");
        assert_eq!(
            differences(&one, &of("<?xml version=\"1.0\"?><q:a xmlns:q='urn:p'><q:b c='1'> x </q:b></q:a>")),
            []
        );
        for other in
            ["<a><b c='1'>x</b></a>", "<p:a><p:b c='2'>x</p:b></p:a>", "<p:a><p:b c='1'>y</p:b></p:a>", "<p:a/>"]
        {
            assert_eq!(differences(&one, &of(other)).len(), 1, "{other}");
        }
    }

    #[test]
    fn what_tells_who_calls_is_no_part_of_it() {
        let sent = of(&format!(
            "<soap:Envelope><soap:Header><w:Security xmlns:w=\"{SECURITY}\"><w:Nonce>1</w:Nonce></w:Security></soap:Header>\
             <soap:Body><p:a/></soap:Body></soap:Envelope>"
        ));
        assert_eq!(sent.envelope(), Some(ENVELOPES[1]));
        assert_eq!(sent.essence(), of("<p:a/>"));
        let more = of("<soap:Envelope><soap:Header><p:h/></soap:Header><soap:Body><p:a/></soap:Body></soap:Envelope>");
        assert_eq!(more.clone().essence(), more, "another block counts");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let one = of("<soap:Envelope><soap:Body><p:a p:k='&lt;&quot;'>&amp;<p:b/></p:a></soap:Body></soap:Envelope>");
        assert_eq!(parse(&one.written(&prefixes(), true), &Prefixes::new(), None).unwrap(), one);
        assert_eq!(of(&one.written(&prefixes(), false)), one);
        assert_eq!(of("<p:a/>").wrapped(ENVELOPES[0]).essence(), of("<p:a/>"));
    }

    #[test]
    fn what_is_no_document_of_ours_is_refused() {
        for text in ["", "<a>", "<x:a/>", "<a/><b/>", "<a/>text", "<!DOCTYPE a><a/>", "<a>&b;</a>", "</case><case>"] {
            assert!(parse(text, &prefixes(), None).is_err(), "{text}");
        }
    }
}
