//! Answers: the full document of a resource, and the part of it that a request asked for (RFC 7644, section 3.9).

use crate::Object;
use crate::aliases::Aliases;
use crate::clinical;
use crate::dialect::Dialect;
use crate::error::{ScimError, invalid};
use crate::filter::qualify;
use crate::path::AttrPath;
use crate::resource::Resource;
use crate::schema::{Attribute, Returned, Schema};
use crate::types::{CLINICAL_USER, ResourceType};
use jiff::Timestamp;
use serde_json::{Value, json};

/// What the service knows about a resource (RFC 7643, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Meta<'a> {
    /// When it was created.
    pub created: Timestamp,
    /// When it last changed.
    pub last_modified: Timestamp,
    /// Its URI, as in the Location header.
    pub location: &'a str,
    /// Its version, as in the ETag header: `W/"3"`.
    pub version: &'a str,
}

/// The same, where it goes into an answer.
pub type MetaOut<'a> = Meta<'a>;

/// Which attributes an answer holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Projection {
    mode: Mode,
    paths: Vec<AttrPath>,
    /// Attributes that the client wrote and that are returned on request only.
    pub(crate) written: Vec<AttrPath>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Mode {
    /// Those that are returned always and by default.
    #[default]
    Usual,
    /// Those that are returned always, and the paths.
    Only,
    /// The usual ones but for the paths.
    Except,
}

impl Projection {
    /// Reads the parameters `attributes` and `excludedAttributes`: names or paths with commas between them. What the type
    /// does not have is ignored.
    ///
    /// # Errors
    /// 400 `invalidValue` where both are given: each says what the other cannot.
    pub fn parse(attributes: Option<&str>, excluded: Option<&str>, ty: &ResourceType) -> Result<Self, ScimError> {
        Self::parse_aliased(attributes, excluded, ty, Aliases::NONE)
    }

    /// The same for a source that has its own names for our extensions.
    ///
    /// # Errors
    /// As [`Projection::parse`].
    pub fn parse_aliased(
        attributes: Option<&str>,
        excluded: Option<&str>,
        ty: &ResourceType,
        aliases: &Aliases,
    ) -> Result<Self, ScimError> {
        let split = |list: Option<&str>| list.map(|list| list.split(',').map(str::to_owned).collect::<Vec<_>>());
        Self::of(split(attributes), split(excluded), Some(ty), aliases)
    }

    pub(crate) fn of(
        attributes: Option<Vec<String>>,
        excluded: Option<Vec<String>>,
        ty: Option<&ResourceType>,
        aliases: &Aliases,
    ) -> Result<Self, ScimError> {
        let named = |list: Option<Vec<String>>| {
            let list = list.unwrap_or_default();
            list.into_iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect::<Vec<_>>()
        };
        let (only, except) = (named(attributes), named(excluded));
        let (mode, names) = match (only.is_empty(), except.is_empty()) {
            (true, true) => (Mode::Usual, only),
            (false, true) => (Mode::Only, only),
            (true, false) => (Mode::Except, except),
            (false, false) => return Err(invalid("A request has either `attributes` or `excludedAttributes`.")),
        };
        if names.len() > 256 {
            return Err(invalid("A request cannot name more than 256 attributes."));
        }
        let mut paths: Vec<AttrPath> = Vec::with_capacity(names.len());
        for name in names {
            let name = aliases.ours(&name).map(str::to_owned).unwrap_or(name);
            if let Some(mut path) = AttrPath::read(&name) {
                if let Some(ty) = ty {
                    qualify(&mut path, ty, Dialect::Tolerant, aliases);
                }
                paths.push(path);
            }
        }
        Ok(Projection { mode, paths, written: Vec::new() })
    }

    /// Whether the request asked for attributes by name (a group's PATCH then answers with the group).
    pub fn is_asked(&self) -> bool {
        self.mode == Mode::Only
    }

    /// Whether an answer holds an attribute of the resource itself (`members`), or an extension (by its URI), so that a
    /// caller need not read what it will not return.
    pub fn wants(&self, attr: &str, returned: Returned) -> bool {
        let named = |path: &AttrPath| match attr.contains(':') {
            true => path.spells(attr) || path.urn.as_deref().is_some_and(|urn| urn.eq_ignore_ascii_case(attr)),
            false => path.name.eq_ignore_ascii_case(attr),
        };
        match (returned, self.mode) {
            (Returned::Never, _) => false,
            (Returned::Always, _) => true,
            (_, Mode::Only) => self.paths.iter().any(named),
            (Returned::Request, _) => false,
            (Returned::Default, Mode::Usual) => true,
            (Returned::Default, Mode::Except) => {
                let whole = |path: &&AttrPath| if attr.contains(':') { path.spells(attr) } else { path.sub.is_none() };
                !self.paths.iter().filter(whole).any(named)
            }
        }
    }

    /// Takes out of a full answer what is not to be returned. `schemas` then names what is left.
    pub fn apply(&self, document: Object, ty: &ResourceType) -> Object {
        let mut out = Object::new();
        for (name, value) in document {
            if let Some(extension) = ty.extension(&name) {
                if let Value::Object(object) = value {
                    let left = self.part(object, &extension.schema, Some(&extension.schema.id), &ty.schema.id);
                    if !left.is_empty() {
                        out.insert(name, Value::Object(left));
                    }
                }
                continue;
            }
            let attribute = ty.schema.attribute(&name).or_else(|| ty.common.attribute(&name));
            let value = match attribute {
                Some(attribute) => self.cut(value, attribute, None, &ty.schema.id),
                None => Some(value),
            };
            if let Some(value) = value {
                out.insert(name, value);
            }
        }
        if out.contains_key("schemas") {
            let schemas = schemas(ty, &out);
            out.insert("schemas".to_owned(), schemas);
        }
        out
    }

    fn part(&self, object: Object, schema: &Schema, urn: Option<&str>, core: &str) -> Object {
        let cut = |(name, value): (String, Value)| {
            let attribute = schema.attribute(&name)?;
            Some((name, self.cut(value, attribute, urn, core)?))
        };
        object.into_iter().filter_map(cut).collect()
    }

    /// What is left of one attribute.
    fn cut(&self, value: Value, attribute: &Attribute, urn: Option<&str>, core: &str) -> Option<Value> {
        if attribute.returned == Returned::Never {
            return None;
        }
        let here = |path: &&AttrPath| {
            let same = match (urn, &path.urn) {
                (None, None) => true,
                (None, Some(named)) => named.eq_ignore_ascii_case(core),
                (Some(urn), Some(named)) => named.eq_ignore_ascii_case(urn),
                (Some(_), None) => false,
            };
            same && path.name.eq_ignore_ascii_case(&attribute.name)
        };
        let mut whole = urn.is_some_and(|urn| self.paths.iter().any(|path| path.spells(urn)));
        let mut subs: Vec<&str> = Vec::new();
        for path in self.paths.iter().filter(here) {
            match &path.sub {
                None => whole = true,
                Some(sub) => subs.push(sub),
            }
        }
        let named = |sub: &Attribute| subs.iter().any(|name| sub.name.eq_ignore_ascii_case(name));
        let usual = |sub: &Attribute| matches!(sub.returned, Returned::Always | Returned::Default);
        let always = attribute.returned == Returned::Always;
        match self.mode {
            Mode::Only if whole || (always && subs.is_empty()) => {
                Some(keep(value, attribute, |sub| usual(sub) || named(sub)))
            }
            Mode::Only if !subs.is_empty() => {
                let kept = keep(value, attribute, |sub| sub.returned == Returned::Always || named(sub));
                (!is_empty(&kept)).then_some(kept)
            }
            Mode::Only => None,
            Mode::Except if whole && !always => None,
            _ if attribute.returned == Returned::Request && !self.written.iter().any(|path| here(&path)) => None,
            Mode::Except => {
                Some(keep(value, attribute, |sub| usual(sub) && (sub.returned == Returned::Always || !named(sub))))
            }
            Mode::Usual => Some(keep(value, attribute, usual)),
        }
    }
}

/// The sub-attributes of each value that are returned.
fn keep(value: Value, attribute: &Attribute, wanted: impl Fn(&Attribute) -> bool + Copy) -> Value {
    if attribute.sub.iter().all(wanted) {
        return value;
    }
    match value {
        Value::Array(values) => {
            let kept = values.into_iter().map(|value| keep(value, attribute, wanted)).filter(|value| !is_empty(value));
            Value::Array(kept.collect())
        }
        Value::Object(object) => {
            Value::Object(object.into_iter().filter(|(name, _)| attribute.sub(name).is_none_or(wanted)).collect())
        }
        simple => simple,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.is_empty(),
        Value::Object(object) => object.is_empty(),
        _ => false,
    }
}

/// The main schema, and the extensions that are there.
fn schemas(ty: &ResourceType, document: &Object) -> Value {
    let extensions = ty.extensions.iter().map(|e| e.schema.id.as_str()).filter(|urn| document.contains_key(*urn));
    std::iter::once(ty.schema.id.as_str()).chain(extensions).map(Value::from).collect()
}

/// The full answer of a resource, before any projection: `schemas`, `id`, its attributes, `meta`, and the flat forms of
/// the clinical extension. A group's members, a user's groups, and the extensions that other parts of the service compute,
/// are the caller's to put in; [`Projection::apply`] then takes out what is not to be returned, and must not be left out.
pub fn document(ty: &ResourceType, id: &str, resource: Resource, meta: MetaOut<'_>) -> Object {
    let mut out = resource.attrs;
    if let Some(Value::Object(extension)) = out.get_mut(CLINICAL_USER) {
        clinical::fold(extension);
    }
    let schemas = schemas(ty, &out);
    out.insert("schemas".to_owned(), schemas);
    out.insert("id".to_owned(), id.into());
    let meta = json!({
        "resourceType": ty.name,
        "created": meta.created.to_string(),
        "lastModified": meta.last_modified.to_string(),
        "location": meta.location,
        "version": meta.version,
    });
    out.insert("meta".to_owned(), meta);
    out
}
