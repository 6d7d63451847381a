//! Finding a place in an answer. Pure.

use crate::{
    config::{Named, Place, PlaceStep, Test},
    document::Element,
};
use std::{collections::BTreeMap, sync::Arc};

/// Namespaces by prefix.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(Arc<BTreeMap<String, String>>);

impl Names {
    pub(crate) fn new(namespaces: BTreeMap<String, String>) -> Self {
        Self(Arc::new(namespaces))
    }

    /// With one more.
    pub(crate) fn with(&self, prefix: &str, namespace: &str) -> Self {
        let mut all = (*self.0).clone();
        all.insert(prefix.to_owned(), namespace.to_owned());
        Self(Arc::new(all))
    }

    pub(crate) fn of(&self, prefix: &str) -> Option<&str> {
        self.0.get(prefix).map(String::as_str)
    }

    /// All prefixes with their namespaces.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(prefix, namespace)| (prefix.as_str(), namespace.as_str()))
    }

    /// The elements at a place; one that says of itself that it is nil counts as absent.
    pub(crate) fn elements<'e>(&self, at: &Place, from: &'e Element) -> Vec<&'e Element> {
        let steps = at.steps().iter().filter(|step| !step.attribute);
        steps.fold(vec![from], |found, step| self.step(step, found)).into_iter().filter(|one| !one.is_nil()).collect()
    }

    /// The texts at a place.
    pub(crate) fn texts<'e>(&self, at: &Place, from: &'e Element) -> Vec<&'e str> {
        let found = self.elements(at, from).into_iter();
        match at.steps().last().filter(|step| step.attribute) {
            Some(step) => found.filter_map(|element| self.attribute(&step.name, element)).collect(),
            None => found.map(|element| element.text.as_str()).collect(),
        }
    }

    /// Whether a name as written is this one.
    fn is(&self, written: &Named, namespace: Option<&str>, local: &str) -> bool {
        written.local == local
            && match written.prefix.as_deref() {
                Some("*") => true,
                Some(prefix) => namespace.is_some() && self.of(prefix) == namespace,
                None => namespace.is_none(),
            }
    }

    fn passes(&self, test: &Test, element: &Element) -> bool {
        if test.attribute {
            return self.attribute(&test.name, element).is_some_and(|text| text.trim() == test.text);
        }
        let child = |child: &&Element| self.is(&test.name, child.namespace.as_deref(), &child.name);
        element.children.iter().filter(child).any(|child| child.text.trim() == test.text)
    }

    fn attribute<'e>(&self, written: &Named, element: &'e Element) -> Option<&'e str> {
        let found = element.attributes.iter().find(|one| self.is(written, one.namespace.as_deref(), &one.name));
        found.map(|one| one.value.as_str())
    }

    fn step<'e>(&self, step: &PlaceStep, from: Vec<&'e Element>) -> Vec<&'e Element> {
        let here = |child: &&Element| {
            self.is(&step.name, child.namespace.as_deref(), &child.name)
                && step.only.as_ref().is_none_or(|only| self.passes(only, child))
        };
        from.into_iter().flat_map(|element| element.children.iter().filter(here)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document;

    const XML: &str = r#"<a xmlns="urn:x" status="ok" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">
        <id><type>A</type><value>1</value></id><id><type>B</type><value> 2 </value></id>
        <b xmlns="">bare</b><c i:nil="true"/><n:d xmlns:n="urn:x">same</n:d></a>"#;

    fn texts(at: &str) -> Vec<String> {
        let names = Names::new([("p".to_owned(), "urn:x".to_owned())].into());
        let document = document::parse(XML.as_bytes()).unwrap();
        let at = Place::try_from(at.to_owned()).unwrap();
        names.texts(&at, &document).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn a_step_goes_by_namespace_and_name_whatever_the_prefix_in_the_answer() {
        assert_eq!(texts("p:id/p:value"), ["1", " 2 "]);
        assert_eq!(texts("p:d"), ["same"]);
        assert_eq!(texts("b"), ["bare"]);
        assert_eq!(texts("p:b"), Vec::<String>::new());
        assert_eq!(texts("*:b"), ["bare"]);
    }

    #[test]
    fn a_condition_picks_and_an_attribute_ends_a_place() {
        assert_eq!(texts("p:id[p:type='B']/p:value"), [" 2 "]);
        assert_eq!(texts("@status"), ["ok"]);
        assert_eq!(texts("@missing"), Vec::<String>::new());
    }

    #[test]
    fn nil_is_absent() {
        assert_eq!(texts("p:c"), Vec::<String>::new());
    }
}
