//! Paths: how a request names an attribute, and how we name one that was found.

use crate::error::{ScimError, bad_path};
use crate::filter::Filter;
use crate::load::is_name;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A path as it was written: `userName`, `emails.value`, `urn:…:User:manager.value`. Any letter case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttrPath {
    /// The schema's URI, without the colon after it.
    pub urn: Option<String>,
    /// The attribute.
    pub name: String,
    /// The sub-attribute.
    pub sub: Option<String>,
}

impl AttrPath {
    /// Reads a path without a filter. A URI ends at the last colon.
    ///
    /// # Errors
    /// 400 `invalidPath` where a name is not one (RFC 7643, section 2.1).
    pub fn parse(text: &str) -> Result<Self, ScimError> {
        Self::read(text).ok_or_else(|| {
            bad_path(
                "A path must be an attribute's name, with its schema's URI before it and a sub-attribute after it.",
            )
        })
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        if text.len() > 400 {
            return None;
        }
        let (urn, rest) = match text.rsplit_once(':') {
            Some((urn, rest)) if is_urn(urn) => (Some(urn.to_owned()), rest),
            Some(_) => return None,
            None => (None, text),
        };
        let (name, sub) = match rest.split_once('.') {
            Some((name, sub)) => (name, Some(sub)),
            None => (rest, None),
        };
        // The URI of a deployment's schema may end in something like `2.0`: then the whole is that URI, and no name.
        let plain = urn.is_none() || is_name(name);
        let named = if plain { is_name(name) && sub.is_none_or(is_name) } else { !name.is_empty() };
        named.then(|| AttrPath { urn, name: name.to_owned(), sub: sub.map(str::to_owned) })
    }

    /// A path of one name.
    pub fn name(name: impl Into<String>) -> Self {
        AttrPath { urn: None, name: name.into(), sub: None }
    }

    /// Whether the whole path spells this URI, in any letter case: a path may name an extension as such.
    pub(crate) fn spells(&self, uri: &str) -> bool {
        let mut rest = uri;
        let mut take = |part: &str| match rest.get(..part.len()) {
            Some(head) if head.eq_ignore_ascii_case(part) => {
                rest = rest.get(part.len()..).unwrap_or_default();
                true
            }
            _ => false,
        };
        let Some(urn) = &self.urn else { return false };
        take(urn)
            && take(":")
            && take(&self.name)
            && self.sub.as_deref().is_none_or(|sub| take(".") && take(sub))
            && rest.is_empty()
    }
}

fn is_urn(text: &str) -> bool {
    text.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("urn:"))
        && text.len() > 4
        && text.bytes().all(|b| b.is_ascii_graphic() && !b"[]()\"\\".contains(&b))
}

impl fmt::Display for AttrPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.urn {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.name)?;
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

/// An attribute or sub-attribute of a resource type in its one canonical spelling: `userName`, `emails.value`, or with
/// the URI of its extension before it. The store uses it as the name of an index.
#[derive(Clone)]
pub struct AttrKey {
    text: Arc<str>,
    urn: usize,
    name: usize,
}

impl AttrKey {
    pub(crate) fn new(extension: Option<&str>, name: &str, sub: Option<&str>) -> Self {
        let mut text = String::with_capacity(80);
        if let Some(urn) = extension {
            text.push_str(urn);
            text.push(':');
        }
        let urn = text.len();
        text.push_str(name);
        let name = text.len();
        if let Some(sub) = sub {
            text.push('.');
            text.push_str(sub);
        }
        AttrKey { text: text.into(), urn, name }
    }

    /// The whole, as it is displayed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The URI of the extension; `None` for an attribute of the resource itself.
    pub fn extension(&self) -> Option<&str> {
        self.urn.checked_sub(1).and_then(|end| self.text.get(..end))
    }

    /// The attribute.
    pub fn name(&self) -> &str {
        self.text.get(self.urn..self.name).unwrap_or_default()
    }

    /// The sub-attribute.
    pub fn sub(&self) -> Option<&str> {
        self.text.get(self.name + 1..).filter(|sub| !sub.is_empty())
    }
}

impl fmt::Display for AttrKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for AttrKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AttrKey({})", self.text)
    }
}

impl PartialEq for AttrKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for AttrKey {}

impl PartialOrd for AttrKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AttrKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Hash for AttrKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// The path of a PATCH operation (RFC 7644, figure 7): `name.familyName`, `members[value eq "1"]`,
/// `addresses[type eq "work"].streetAddress`.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchPath {
    /// The attribute, and the sub-attribute whether it stands before or after the brackets.
    pub attr: AttrPath,
    /// Which values of it.
    pub filter: Option<Filter>,
}

impl PatchPath {
    /// Reads a path.
    ///
    /// # Errors
    /// 400 `invalidPath` where the path is malformed, `invalidFilter` where the filter in it is.
    pub fn parse(text: &str) -> Result<Self, ScimError> {
        let text = text.trim();
        let Some((head, rest)) = text.split_once('[') else {
            return Ok(PatchPath { attr: AttrPath::parse(text)?, filter: None });
        };
        // The last bracket closes the filter: brackets before it stand in a text, or nested, which is refused below.
        let Some((inner, tail)) = rest.rsplit_once(']') else {
            return Err(bad_path("A path opens a bracket and does not close it."));
        };
        let (inner, tail) = match tail.contains('"') {
            true => return Err(bad_path("A path ends in something that is no sub-attribute.")),
            false => (inner, tail),
        };
        let mut attr = AttrPath::parse(head.trim_end())?;
        match tail.strip_prefix('.') {
            Some(sub) if is_name(sub) && attr.sub.is_none() => attr.sub = Some(sub.to_owned()),
            None if tail.is_empty() && attr.sub.is_none() => {}
            _ => return Err(bad_path("After its filter a path can only name a sub-attribute.")),
        }
        Ok(PatchPath { attr, filter: Some(Filter::parse_inner(inner)?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ScimType;

    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

    #[test]
    fn a_path_is_split_at_the_last_colon_and_the_first_dot_after_it() {
        let path = AttrPath::parse(&format!("{ENTERPRISE}:manager.value")).unwrap();

        assert_eq!(path.urn.as_deref(), Some(ENTERPRISE));
        assert_eq!((path.name.as_str(), path.sub.as_deref()), ("manager", Some("value")));
        assert_eq!(path.to_string(), format!("{ENTERPRISE}:manager.value"));
    }

    #[test]
    fn a_uri_alone_spells_the_extension_in_any_case() {
        let path = AttrPath::parse(&ENTERPRISE.to_uppercase()).unwrap();

        assert!(path.spells(ENTERPRISE));
        assert!(!path.spells("urn:ietf:params:scim:schemas:extension:enterprise:2.0:Users"));
        assert!(AttrPath::parse("urn:example:hospital:3.1").unwrap().spells("urn:example:hospital:3.1"));
    }

    #[test]
    fn what_is_no_name_is_no_path() {
        for text in ["", ".", "a.", ".b", "a.b.c", "1a", "a b", "a:b", "näme", "urn:", "urn:x:", "a\"", "$reference"] {
            assert_eq!(AttrPath::parse(text).unwrap_err().scim_type, Some(ScimType::InvalidPath), "{text}");
        }
    }

    #[test]
    fn a_path_with_a_filter_names_the_element_and_the_sub_attribute() {
        let path = PatchPath::parse(r#"addresses[type eq "a]b"].streetAddress"#).unwrap();

        assert_eq!(path.attr, AttrPath::parse("addresses.streetAddress").unwrap());
        assert_eq!(path.filter.unwrap().to_string(), r#"type eq "a]b""#);
    }

    #[test]
    fn a_malformed_path_with_a_filter_is_refused() {
        for text in [
            "emails[",
            "emails]",
            "[value eq 1]",
            "emails[value eq 1]x",
            "emails[value eq 1].a.b",
            "a.b[value eq 1]",
            "emails[]",
        ] {
            assert_eq!(PatchPath::parse(text).unwrap_err().status, 400, "{text}");
        }
    }

    #[test]
    fn a_key_knows_its_parts() {
        let key = AttrKey::new(Some(ENTERPRISE), "manager", Some("value"));

        assert_eq!(key.to_string(), format!("{ENTERPRISE}:manager.value"));
        assert_eq!((key.extension(), key.name(), key.sub()), (Some(ENTERPRISE), "manager", Some("value")));
        let plain = AttrKey::new(None, "userName", None);
        assert_eq!((plain.extension(), plain.name(), plain.sub()), (None, "userName", None));
    }
}
