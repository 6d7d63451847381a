//! WSDL 1.1 with document/literal bindings, and as much of XML Schema as messages are made of.

use super::markup::{self, Markup, Name};
use std::cell::RefCell;
use std::collections::BTreeMap;

const WSDL: &str = "http://schemas.xmlsoap.org/wsdl/";
const XSD: &str = "http://www.w3.org/2001/XMLSchema";
const SOAP: [(&str, &str); 2] =
    [("http://schemas.xmlsoap.org/wsdl/soap/", "soap_1_1"), ("http://schemas.xmlsoap.org/wsdl/soap12/", "soap_1_2")];
/// Deepest nesting of types.
const DEPTH: usize = 8;
/// Most parts of one type.
const PARTS: usize = 400;

/// A description.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) services: Vec<Service>,
}

/// One port over HTTP.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) version: &'static str,
    pub(super) operations: Vec<Operation>,
}

/// One operation.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) name: String,
    pub(super) action: Option<String>,
    pub(super) input: Part,
    pub(super) output: Part,
    pub(super) faults: Vec<Part>,
}

/// An element of a message.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    pub(super) name: Name,
    /// The type by its name, where it has one.
    pub(super) of: Option<Name>,
    pub(super) parts: Vec<Part>,
    pub(super) optional: bool,
    pub(super) repeated: bool,
    /// The simple type that it comes down to, without its namespace.
    pub(super) simple: String,
    pub(super) max_length: Option<u32>,
    pub(super) allowed: Vec<String>,
}

impl Part {
    /// It holds a value and no elements.
    pub(super) fn is_leaf(&self) -> bool {
        self.parts.is_empty() && !self.simple.is_empty()
    }
}

/// Reads a description.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(text: &str) -> Result<Description, String> {
    let root = markup::read(text)?;
    if root.name != (WSDL.to_owned(), "definitions".to_owned()) {
        return Err(format!("begins with <{}>, not with the definitions of WSDL 1.1", root.name.1));
    }
    let schema = Schema::of(&root);
    let own = root.attribute("targetNamespace").unwrap_or_default();
    let named = |kind: &'static str| -> BTreeMap<Name, &Markup> {
        let all =
            root.all(WSDL, kind).filter_map(|one| Some(((own.to_owned(), one.attribute("name")?.to_owned()), one)));
        all.collect()
    };
    let (messages, ports, bindings) = (named("message"), named("portType"), named("binding"));
    let message = |of: Option<&Markup>| -> Option<Part> {
        let message = messages.get(&of?.refers("message")?)?;
        let element = message.all(WSDL, "part").find_map(|part| part.refers("element"))?;
        Some(schema.element(&element))
    };
    let mut services = Vec::new();
    for port in root.all(WSDL, "service").flat_map(|service| service.all(WSDL, "port")) {
        let Some((soap, version)) = SOAP.into_iter().find(|(soap, _)| port.all(soap, "address").next().is_some())
        else {
            continue;
        };
        let address = port.all(soap, "address").find_map(|one| one.attribute("location")).unwrap_or_default();
        let Some(binding) = port.refers("binding").and_then(|name| bindings.get(&name).copied()) else { continue };
        let Some(of) = binding.refers("type").and_then(|name| ports.get(&name).copied()) else { continue };
        let mut operations = Vec::new();
        for operation in of.all(WSDL, "operation") {
            let Some(name) = operation.attribute("name") else { continue };
            let input = message(operation.all(WSDL, "input").next());
            let output = message(operation.all(WSDL, "output").next());
            let (Some(input), Some(output)) = (input, output) else { continue };
            let bound = binding.all(WSDL, "operation").find(|one| one.attribute("name") == Some(name));
            let action = bound.and_then(|one| one.all(soap, "operation").find_map(|one| one.attribute("soapAction")));
            let faults = operation.all(WSDL, "fault").filter_map(|fault| message(Some(fault))).collect();
            let sendable = |action: &&str| {
                !action.is_empty() && action.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\'))
            };
            let action = action.filter(sendable).map(str::to_owned);
            operations.push(Operation { name: name.to_owned(), action, input, output, faults });
        }
        let name = port.attribute("name").unwrap_or("service").to_owned();
        services.push(Service { name, address: address.to_owned(), version, operations });
    }
    if services.iter().all(|service| service.operations.is_empty()) {
        return Err("has no operation over SOAP whose messages are elements (document/literal)".to_owned());
    }
    Ok(Description { services })
}

/// The types, by name. What is imported from elsewhere is not fetched and counts as text.
struct Schema<'m> {
    elements: BTreeMap<Name, (&'m Markup, &'m Markup)>,
    types: BTreeMap<Name, (&'m Markup, &'m Markup)>,
    /// Types that are being read: one inside itself is not read again.
    open: RefCell<Vec<Name>>,
}

impl<'m> Schema<'m> {
    fn of(root: &'m Markup) -> Self {
        let mut schema = Self { elements: BTreeMap::new(), types: BTreeMap::new(), open: RefCell::default() };
        for one in root.all(WSDL, "types").flat_map(|types| types.all(XSD, "schema")) {
            let namespace = one.attribute("targetNamespace").unwrap_or_default();
            for child in one.children.iter().filter(|child| child.name.0 == XSD) {
                let Some(name) = child.attribute("name") else { continue };
                let name = (namespace.to_owned(), name.to_owned());
                match child.name.1.as_str() {
                    "element" => drop(schema.elements.insert(name, (one, child))),
                    "complexType" | "simpleType" => drop(schema.types.insert(name, (one, child))),
                    _ => {}
                }
            }
        }
        schema
    }

    /// A global element.
    fn element(&self, name: &Name) -> Part {
        let mut part = Part { name: name.clone(), ..Part::default() };
        if let Some((schema, element)) = self.elements.get(name) {
            self.fill(&mut part, schema, element, 0);
        }
        part
    }

    /// What an element is made of, by its type or by what stands in it.
    fn fill(&self, part: &mut Part, schema: &Markup, element: &Markup, depth: usize) {
        if depth > DEPTH {
            return;
        }
        if let Some(of) = element.refers("type") {
            self.typed(part, &of, depth);
            part.of = Some(of);
        }
        for inline in &element.children {
            match inline.name.1.as_str() {
                "complexType" => self.complex(part, schema, inline, depth),
                "simpleType" => self.simple(part, inline, depth),
                _ => {}
            }
        }
    }

    fn typed(&self, part: &mut Part, of: &Name, depth: usize) {
        if of.0 == XSD {
            part.simple.clone_from(&of.1);
            return;
        }
        if self.open.borrow().contains(of) {
            return;
        }
        self.open.borrow_mut().push(of.clone());
        match self.types.get(of) {
            Some((schema, found)) if found.name.1 == "complexType" => self.complex(part, schema, found, depth + 1),
            Some((_, found)) => self.simple(part, found, depth + 1),
            None => "string".clone_into(&mut part.simple),
        }
        self.open.borrow_mut().pop();
    }

    fn simple(&self, part: &mut Part, of: &Markup, depth: usize) {
        "string".clone_into(&mut part.simple);
        for restriction in of.all(XSD, "restriction") {
            if let Some(base) = restriction.refers("base").filter(|_| depth <= DEPTH) {
                self.typed(part, &base, depth + 1);
            }
            let value = |name| restriction.all(XSD, name).filter_map(|one| one.attribute("value"));
            part.max_length = value("maxLength").find_map(|most| most.parse().ok()).or(part.max_length);
            part.allowed.extend(value("enumeration").take(100).map(str::to_owned));
        }
    }

    fn complex(&self, part: &mut Part, schema: &Markup, of: &Markup, depth: usize) {
        if depth > DEPTH {
            return;
        }
        for child in of.children.iter().filter(|child| child.name.0 == XSD) {
            match child.name.1.as_str() {
                "sequence" | "all" | "choice" => self.group(part, schema, child, child.name.1 == "choice", depth),
                "complexContent" | "simpleContent" => {
                    for extension in &child.children {
                        if let Some(base) = extension.refers("base") {
                            self.typed(part, &base, depth + 1);
                        }
                        self.complex(part, schema, extension, depth + 1);
                    }
                }
                _ => {}
            }
        }
    }

    fn group(&self, part: &mut Part, schema: &Markup, group: &Markup, choice: bool, depth: usize) {
        for child in group.children.iter().filter(|child| child.name.0 == XSD) {
            if part.parts.len() >= PARTS || depth > DEPTH {
                return;
            }
            match child.name.1.as_str() {
                "sequence" | "choice" => self.group(part, schema, child, choice || child.name.1 == "choice", depth + 1),
                "element" => {
                    let optional = choice || child.attribute("minOccurs") == Some("0");
                    let repeated = child.attribute("maxOccurs").is_some_and(|most| most != "1" && most != "0");
                    let mut inner = match child.refers("ref") {
                        Some(global) if depth < DEPTH => self.element(&global),
                        Some(_) => continue,
                        None => {
                            let Some(name) = child.attribute("name").filter(|name| is_name(name)) else { continue };
                            let form = child.attribute("form").or(schema.attribute("elementFormDefault"));
                            let namespace = match form {
                                Some("qualified") => schema.attribute("targetNamespace").unwrap_or_default(),
                                _ => "",
                            };
                            let mut inner = Part { name: (namespace.to_owned(), name.to_owned()), ..Part::default() };
                            self.fill(&mut inner, schema, child, depth + 1);
                            inner
                        }
                    };
                    (inner.optional, inner.repeated) = (optional, repeated);
                    part.parts.push(inner);
                }
                _ => {}
            }
        }
    }
}

/// Whether a name can stand in a template and in a place as it is.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}
