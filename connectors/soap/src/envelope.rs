//! Envelopes: SOAP 1.1 (W3C note, section 4), SOAP 1.2 (W3C recommendation part 1, section 5), and none. Pure.

use crate::{
    config::Version,
    document::{Attribute, Element, Unreadable},
    place::Names,
};
use connector_expr::build::xml_text;
use connector_spi::{ConnError, Result};
use quick_xml::{
    Writer,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};
use std::{collections::BTreeMap, io, sync::Arc};

impl Version {
    /// The namespace of the envelope; `None` where there is none.
    pub(crate) fn namespace(self) -> Option<&'static str> {
        match self {
            Version::Soap11 => Some("http://schemas.xmlsoap.org/soap/envelope/"),
            Version::Soap12 => Some("http://www.w3.org/2003/05/soap-envelope"),
            Version::Xml => None,
        }
    }

    /// Content type and action, as header fields.
    pub(crate) fn fields(self, content_type: Option<&str>, action: Option<&str>) -> Vec<(String, String)> {
        let usual = match self {
            Version::Soap12 => "application/soap+xml; charset=utf-8",
            Version::Soap11 | Version::Xml => "text/xml; charset=utf-8",
        };
        let mut content = content_type.unwrap_or(usual).to_owned();
        let mut fields = Vec::new();
        match (self, action) {
            // RFC 3902 section 2: the action is a parameter of the media type.
            (Version::Soap12, Some(action)) => content = format!("{content}; action=\"{action}\""),
            // SOAP 1.1 section 6.1.1: the field is there even when it says nothing.
            (Version::Soap11, action) => {
                fields.push(("soapaction".to_owned(), format!("\"{}\"", action.unwrap_or_default())));
            }
            (Version::Soap12 | Version::Xml, _) => {}
        }
        fields.push(("content-type".to_owned(), content));
        fields
    }
}

/// What an answer holds.
#[derive(Debug)]
pub(crate) enum Inside {
    /// The element of the body.
    Payload(Element),
    /// A fault.
    Fault(Element),
}

/// An element in the body of an envelope, with blocks in its header.
pub(crate) fn wrapped(version: Version, headers: Vec<Element>, body: Element) -> Element {
    let Some(namespace) = version.namespace() else { return body };
    let namespace: Arc<str> = Arc::from(namespace);
    let part = |name: &str, children: Vec<Element>| Element {
        namespace: Some(Arc::clone(&namespace)),
        name: name.to_owned(),
        children,
        ..Element::default()
    };
    let mut parts = Vec::new();
    if !headers.is_empty() {
        parts.push(part("Header", headers));
    }
    parts.push(part("Body", vec![body]));
    part("Envelope", parts)
}

/// A block of the header that the receiver must understand.
pub(crate) fn demanding(version: Version, mut block: Element) -> Element {
    if let Some(namespace) = version.namespace() {
        let value = if version == Version::Soap11 { "1" } else { "true" };
        let namespace = Some(Arc::from(namespace));
        block.attributes.push(Attribute { namespace, name: "mustUnderstand".to_owned(), value: value.to_owned() });
    }
    block
}

/// Takes an answer out of its envelope.
///
/// # Errors
/// [`Unreadable::Malformed`] for anything else than one element in the body of an envelope of this version.
pub(crate) fn opened(version: Version, document: Element) -> std::result::Result<Inside, Unreadable> {
    let Some(namespace) = version.namespace() else { return Ok(Inside::Payload(document)) };
    if !document.is(namespace, "Envelope") {
        return Err(Unreadable::Malformed);
    }
    let bodies = document.children.into_iter().filter(|child| child.is(namespace, "Body"));
    let [body] = <[Element; 1]>::try_from(bodies.collect::<Vec<_>>()).map_err(|_| Unreadable::Malformed)?;
    let [inside] = <[Element; 1]>::try_from(body.children).map_err(|_| Unreadable::Malformed)?;
    Ok(if inside.is(namespace, "Fault") { Inside::Fault(inside) } else { Inside::Payload(inside) })
}

/// A document as octets. Every namespace is declared on the root, by the file's own prefixes where it has one.
///
/// # Errors
/// `Invalid` for a character that XML cannot carry.
pub(crate) fn written(root: &Element, names: &Names) -> Result<Vec<u8>> {
    let mut prefixes: BTreeMap<Arc<str>, String> = BTreeMap::new();
    for element in root.all() {
        let used = element.attributes.iter().filter_map(|one| one.namespace.as_ref()).chain(&element.namespace);
        for namespace in used {
            if !prefixes.contains_key(namespace) {
                let known = names.all().find(|(_, known)| **known == **namespace).map(|(prefix, _)| prefix.to_owned());
                let prefix = known.unwrap_or_else(|| format!("n{}", prefixes.len()));
                prefixes.insert(Arc::clone(namespace), prefix);
            }
        }
    }
    let mut out = Out { writer: Writer::new(Vec::new()), prefixes };
    let failed = |_| ConnError::invalid("the request cannot be written");
    // Without a declaration a reader takes XML for UTF-8 as well; with it, so does every old one.
    out.writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None))).map_err(failed)?;
    out.element(root, true)?;
    let whole = out.writer.into_inner();
    Ok(whole)
}

struct Out {
    writer: Writer<Vec<u8>>,
    prefixes: BTreeMap<Arc<str>, String>,
}

impl Out {
    fn element(&mut self, element: &Element, is_root: bool) -> Result<()> {
        let name = self.named(element.namespace.as_ref(), &element.name);
        let mut start = BytesStart::new(name.as_str());
        if is_root {
            for (namespace, prefix) in &self.prefixes {
                start.push_attribute((format!("xmlns:{prefix}").as_str(), &**namespace));
            }
        }
        for one in &element.attributes {
            let name = self.named(one.namespace.as_ref(), &one.name);
            let value = escaped(&one.name, &one.value)?;
            // Already escaped, by our own rules: white space in it survives.
            start.push_attribute(quick_xml::events::attributes::Attribute {
                key: quick_xml::name::QName(&name),
                value: value.into(),
            });
        }
        self.put(Event::Start(start))?;
        if !element.text.is_empty() {
            self.put(Event::Text(BytesText::from_escaped(escaped(&element.name, &element.text)?)))?;
        }
        for child in &element.children {
            self.element(child, false)?;
        }
        self.put(Event::End(BytesEnd::new(name.as_str())))
    }

    fn named(&self, namespace: Option<&Arc<str>>, name: &str) -> String {
        match namespace.and_then(|namespace| self.prefixes.get(namespace)) {
            Some(prefix) => format!("{prefix}:{name}"),
            None => name.to_owned(),
        }
    }

    fn put(&mut self, event: Event<'_>) -> Result<()> {
        self.writer.write_event(event).map_err(|_: io::Error| ConnError::invalid("the request cannot be written"))
    }
}

fn escaped(name: &str, text: &str) -> Result<String> {
    xml_text(name, text).map_err(|error| ConnError::invalid(format!("{name} {}", error.message)).attribute(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::parse;

    fn payload() -> Element {
        Element {
            namespace: Some(Arc::from("urn:p")),
            name: "Ask".to_owned(),
            text: "x".to_owned(),
            ..Element::default()
        }
    }

    fn names() -> Names {
        Names::new([("p".to_owned(), "urn:p".to_owned())].into())
    }

    #[test]
    fn what_was_wrapped_is_taken_out_again_in_every_version() {
        for version in [Version::Soap11, Version::Soap12, Version::Xml] {
            let octets = written(&wrapped(version, Vec::new(), payload()), &names()).unwrap();
            match opened(version, parse(&octets).unwrap()).unwrap() {
                Inside::Payload(inside) => assert_eq!(inside, payload()),
                Inside::Fault(_) => panic!("no fault was sent"),
            }
        }
    }

    #[test]
    fn an_envelope_of_another_version_is_not_understood() {
        let octets = written(&wrapped(Version::Soap11, Vec::new(), payload()), &names()).unwrap();
        assert!(opened(Version::Soap12, parse(&octets).unwrap()).is_err());
        assert!(opened(Version::Soap12, payload()).is_err());
    }

    #[test]
    fn a_body_holds_one_element() {
        let mut two = wrapped(Version::Soap12, Vec::new(), payload());
        two.children[0].children.push(payload());
        assert!(opened(Version::Soap12, two).is_err());
    }

    #[test]
    fn the_action_stands_where_the_version_has_it() {
        let fields = |version: Version, action| version.fields(None, action);
        assert_eq!(fields(Version::Soap11, None)[0], ("soapaction".to_owned(), "\"\"".to_owned()));
        assert_eq!(
            fields(Version::Soap12, Some("urn:x"))[0].1,
            "application/soap+xml; charset=utf-8; action=\"urn:x\""
        );
        assert_eq!(fields(Version::Xml, None), [("content-type".to_owned(), "text/xml; charset=utf-8".to_owned())]);
    }
}
