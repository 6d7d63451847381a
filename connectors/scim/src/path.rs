//! The name of an attribute: a SCIM path (RFC 7644, section 3.5.2). Pure.

use scim::{Filter, Literal, Op, PatchPath};
use serde_json::{Map, Value as Json, json};
use std::fmt;

/// Where an attribute stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    /// The extension's URN; `None` for the resource's own schema.
    pub(crate) urn: Option<String>,
    /// The attribute.
    pub(crate) name: String,
    /// Which element of a list.
    pub(crate) pick: Option<Pick>,
    /// The sub-attribute.
    pub(crate) sub: Option<String>,
}

/// `type eq "work"`: the element of a list whose sub-attribute has this value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pick {
    /// The sub-attribute.
    pub(crate) sub: String,
    /// Its value: a text or a Boolean.
    pub(crate) value: Json,
}

impl Path {
    /// Reads a path.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let path = PatchPath::parse(text).map_err(|error| error.detail)?;
        let pick = match path.filter {
            None => None,
            Some(Filter::Compare { path, op: Op::Eq, value }) if path.sub.is_none() => {
                let value = match value {
                    Literal::Text(text) => json!(text),
                    Literal::Bool(truth) => json!(truth),
                    Literal::Number(_) | Literal::Null => return Err("an element is picked by a text".to_owned()),
                };
                Some(Pick { sub: path.name, value })
            }
            Some(_) => return Err("an element is picked by one comparison with eq".to_owned()),
        };
        if pick.is_some() && path.attr.sub.is_none() {
            return Err("a picked element needs a sub-attribute, such as .value".to_owned());
        }
        let urn = path.attr.urn.filter(|urn| !urn.to_ascii_lowercase().contains(":schemas:core:"));
        Ok(Self { urn, name: path.attr.name, pick, sub: path.attr.sub })
    }

    /// The attribute itself, without element and sub-attribute.
    pub(crate) fn attribute(&self) -> Path {
        Path { pick: None, sub: None, ..self.clone() }
    }

    /// The object that the attribute stands in.
    pub(crate) fn within<'d>(&self, document: &'d Json) -> Option<&'d Map<String, Json>> {
        let own = document.as_object()?;
        match &self.urn {
            None => Some(own),
            Some(urn) => member(own, urn)?.as_object(),
        }
    }

    /// What stands at the attribute, as a whole.
    pub(crate) fn whole<'d>(&self, document: &'d Json) -> Option<&'d Json> {
        member(self.within(document)?, &self.name).filter(|value| !value.is_null())
    }

    /// The elements of a list.
    pub(crate) fn elements<'d>(&self, document: &'d Json) -> &'d [Json] {
        self.whole(document).and_then(Json::as_array).map_or(&[], Vec::as_slice)
    }

    /// The values at the path: of a list those of every element, or of the one that is picked.
    pub(crate) fn values<'d>(&self, document: &'d Json) -> Vec<&'d Json> {
        let Some(whole) = self.whole(document) else { return Vec::new() };
        let leaf = |one: &'d Json| match &self.sub {
            None => Some(one),
            Some(sub) => member(one.as_object()?, sub).filter(|value| !value.is_null()),
        };
        match (&self.pick, whole) {
            (Some(pick), Json::Array(all)) => {
                all.iter().find(|one| pick.fits(one)).and_then(leaf).into_iter().collect()
            }
            (Some(_), _) => Vec::new(),
            (None, Json::Array(all)) => all.iter().filter_map(leaf).collect(),
            (None, one) => leaf(one).into_iter().collect(),
        }
    }
}

impl Pick {
    /// Whether an element is the one.
    pub(crate) fn fits(&self, element: &Json) -> bool {
        let held = element.as_object().and_then(|element| member(element, &self.sub));
        match (held, &self.value) {
            (Some(Json::String(held)), Json::String(wanted)) => held.eq_ignore_ascii_case(wanted),
            (Some(held), wanted) => held == wanted,
            (None, _) => false,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.urn {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.name)?;
        if let Some(pick) = &self.pick {
            write!(f, "[{} eq {}]", pick.sub, pick.value)?;
        }
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

/// A member of an object by name, in any letter case (RFC 7643, section 2.1).
pub(crate) fn member<'d>(object: &'d Map<String, Json>, name: &str) -> Option<&'d Json> {
    object.get(name).or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// A scalar as text.
pub(crate) fn text_of(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(truth) => Some(truth.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

    #[test]
    fn every_form_of_a_path_prints_as_it_was_read() {
        let extended = format!("{ENTERPRISE}:manager.value");
        for text in [
            "userName",
            "name.familyName",
            "emails[type eq \"work\"].value",
            "emails[primary eq true].value",
            &extended,
        ] {
            assert_eq!(Path::parse(text).unwrap().to_string(), text);
        }
        let core = Path::parse("urn:ietf:params:scim:schemas:core:2.0:User:userName").unwrap();
        assert_eq!(core.to_string(), "userName");
    }

    #[test]
    fn what_picks_no_one_element_is_no_path() {
        for text in
            ["", "a b", "emails[type eq \"work\"]", "emails[type sw \"w\"].value", "emails[a eq 1 and b eq 2].value"]
        {
            assert!(Path::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn values_are_found_in_any_letter_case_of_the_names() {
        let document = json!({
            "Emails": [{"type": "home", "value": "h"}, {"Type": "WORK", "Value": "w"}], "name": {"familyName": "Example"},
            ENTERPRISE: {"department": "MED"}, "title": null,
        });
        let read = |text: &str| Path::parse(text).unwrap().values(&document).into_iter().cloned().collect::<Vec<_>>();
        assert_eq!(read("emails[type eq \"work\"].value"), [json!("w")]);
        assert_eq!(read("emails.value"), [json!("h"), json!("w")]);
        assert_eq!(read("NAME.FAMILYNAME"), [json!("Example")]);
        assert_eq!(read(&format!("{ENTERPRISE}:department")), [json!("MED")]);
        assert_eq!(read("title"), [json!(null); 0]);
    }
}
