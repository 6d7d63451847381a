//! What a server says of itself (RFC 7644, section 4; RFC 9865, section 4). Pure.
//!
//! Servers leave these documents out, or half of what should be in them. What is not said is taken from the RFCs; what is
//! said in a form that cannot be read is taken as not said.

use crate::path::{Path, member};
use scim::{Mutability, Returned, Type, Types, Uniqueness};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// Most attributes that are taken from a server's schemas.
const ATTRIBUTES: usize = 5_000;
/// Most schemas and resource types.
const SCHEMAS: usize = 200;

/// An attribute as the server describes it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) multi: bool,
    pub(crate) required: bool,
    pub(crate) case_exact: bool,
    pub(crate) mutability: Mutability,
    pub(crate) returned: Returned,
    pub(crate) unique: bool,
    pub(crate) sub: Vec<Seen>,
}

/// A resource type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Resource {
    /// The segments of its endpoint below the base address.
    pub(crate) endpoint: Vec<String>,
    /// Its schema.
    pub(crate) schema: String,
    /// Its attributes.
    pub(crate) attributes: Vec<Seen>,
    /// Its extensions, by URN.
    pub(crate) extensions: Vec<(String, Vec<Seen>)>,
}

/// What the server offers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Offer {
    /// It described itself, so that what is written here is its own word.
    pub(crate) detected: bool,
    pub(crate) patch: bool,
    pub(crate) filter: bool,
    pub(crate) etag: bool,
    pub(crate) index: bool,
    pub(crate) cursor: bool,
    /// Most resources on a page; 0 where it states no limit.
    pub(crate) max_page: u32,
    /// Resource types by name.
    pub(crate) types: BTreeMap<String, Resource>,
    /// What could not be read, in words.
    pub(crate) doubts: Vec<String>,
}

/// The three documents, where they are served.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    pub(crate) config: Option<Json>,
    pub(crate) schemas: Option<Json>,
    pub(crate) types: Option<Json>,
}

impl Resource {
    /// The attribute at a path, and the sub-attribute where the path names one.
    pub(crate) fn find(&self, path: &Path) -> Option<(&Seen, Option<&Seen>)> {
        let all = match &path.urn {
            None => &self.attributes,
            Some(urn) => &self.extensions.iter().find(|(other, _)| other.eq_ignore_ascii_case(urn))?.1,
        };
        let named = |all: &'_ [Seen], name: &str| all.iter().position(|one| one.name.eq_ignore_ascii_case(name));
        let attribute = all.get(named(all, &path.name)?)?;
        match &path.sub {
            None => Some((attribute, None)),
            Some(sub) => Some((attribute, Some(attribute.sub.get(named(&attribute.sub, sub)?)?))),
        }
    }

    /// An attribute of the resource's own schema.
    pub(crate) fn own(&self, name: &str) -> Option<&Seen> {
        self.attributes.iter().find(|one| one.name.eq_ignore_ascii_case(name))
    }
}

/// Understands the documents; `base` is the path of the base address.
pub(crate) fn understand(documents: &Documents, base: &str) -> Offer {
    let built_in = Types::built_in();
    let mut doubts = Vec::new();
    let config = documents.config.as_ref().and_then(Json::as_object);
    let part = |name: &str| config.and_then(|config| member(config, name)).and_then(Json::as_object);
    let supported = |name: &str| part(name).and_then(|part| member(part, "supported")).and_then(truth);
    let pagination = |name: &str| part("pagination").and_then(|part| member(part, name));
    let number = |value: Option<&Json>| value.and_then(Json::as_u64).and_then(|count| u32::try_from(count).ok());
    let limits =
        [number(part("filter").and_then(|part| member(part, "maxResults"))), number(pagination("maxPageSize"))];
    let schemas = documents.schemas.as_ref().map(schemas);
    if documents.config.is_none() {
        doubts.push("the server does not serve /ServiceProviderConfig: PATCH and filters are assumed".to_owned());
    }
    if schemas.as_ref().is_none_or(BTreeMap::is_empty) {
        doubts.push("the server does not serve /Schemas: those of RFC 7643 are assumed".to_owned());
    }
    let attributes = |urn: &str| -> Option<Vec<Seen>> {
        let served = schemas.as_ref().filter(|all| !all.is_empty());
        match served {
            Some(all) => all.get(&urn.to_ascii_lowercase()).cloned(),
            None => {
                let known = built_in.schemas().into_iter().find(|schema| schema.id.eq_ignore_ascii_case(urn))?;
                Some(known.attributes.iter().map(Seen::from).collect())
            }
        }
    };
    let mut types = BTreeMap::new();
    for (name, endpoint, schema, extensions) in resource_types(documents.types.as_ref(), &built_in) {
        let Some(endpoint) = segments(&endpoint, base) else {
            doubts.push("a resource type has an endpoint that is not below the base address".to_owned());
            continue;
        };
        let Some(mut own) = attributes(&schema) else {
            doubts.push(format!("the server names the schema {} and does not serve it", plain(&schema)));
            continue;
        };
        // Common to all resources, so it stands in no schema (RFC 7643, section 3.1).
        if !own.iter().any(|one| one.name.eq_ignore_ascii_case("externalId")) {
            own.push(external_id());
        }
        let extensions = extensions.into_iter().filter_map(|urn| attributes(&urn).map(|all| (urn, all))).collect();
        types.insert(name, Resource { endpoint, schema, attributes: own, extensions });
    }
    Offer {
        detected: documents.config.is_some() && documents.schemas.is_some(),
        patch: supported("patch").unwrap_or(true),
        filter: supported("filter").unwrap_or(true),
        etag: supported("etag").unwrap_or(false),
        index: pagination("index").and_then(truth).unwrap_or(true),
        cursor: pagination("cursor").and_then(truth).unwrap_or(false),
        max_page: limits.into_iter().flatten().filter(|limit| *limit > 0).min().unwrap_or(0),
        types,
        doubts,
    }
}

/// (name, endpoint, schema, extensions) of each resource type.
fn resource_types(document: Option<&Json>, built_in: &Types) -> Vec<(String, String, String, Vec<String>)> {
    let read = |one: &Json| {
        let one = one.as_object()?;
        let text = |name: &str| member(one, name).and_then(Json::as_str).map(str::to_owned);
        let extensions = member(one, "schemaExtensions").and_then(Json::as_array).into_iter().flatten();
        let urn = |one: &Json| one.as_object().and_then(|one| member(one, "schema")?.as_str().map(str::to_owned));
        let name = text("name").or_else(|| text("id"))?;
        Some((name, text("endpoint")?, text("schema")?, extensions.filter_map(urn).collect()))
    };
    let served: Vec<_> = document.map(resources).unwrap_or_default().into_iter().filter_map(read).collect();
    if !served.is_empty() {
        return served;
    }
    [built_in.user(), built_in.group()]
        .into_iter()
        .map(|ty| {
            let extensions = ty.extensions.iter().map(|extension| extension.schema.id.clone()).collect();
            (ty.name.clone(), ty.endpoint.clone(), ty.schema.id.clone(), extensions)
        })
        .collect()
}

/// The resources of a list; some servers answer with the bare list, or with one resource.
fn resources(document: &Json) -> Vec<&Json> {
    let list = match document {
        Json::Array(all) => all.iter().collect(),
        Json::Object(object) => match member(object, "Resources") {
            Some(Json::Array(all)) => all.iter().collect(),
            _ => vec![document],
        },
        _ => Vec::new(),
    };
    list.into_iter().take(SCHEMAS).collect()
}

/// Attributes by the lower-cased URN of their schema.
fn schemas(document: &Json) -> BTreeMap<String, Vec<Seen>> {
    let mut left = ATTRIBUTES;
    let mut found = BTreeMap::new();
    for one in resources(document).into_iter().filter_map(Json::as_object) {
        let Some(id) = member(one, "id").and_then(Json::as_str) else { continue };
        let all = member(one, "attributes").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        let attributes: Vec<Seen> = all.iter().filter_map(|one| seen(one, true, &mut left)).collect();
        if !attributes.is_empty() {
            found.insert(id.to_ascii_lowercase(), attributes);
        }
    }
    found
}

fn seen(attribute: &Json, may_nest: bool, left: &mut usize) -> Option<Seen> {
    *left = left.checked_sub(1)?;
    let attribute = attribute.as_object()?;
    let text = |name: &str| member(attribute, name).and_then(Json::as_str).unwrap_or_default().to_ascii_lowercase();
    let is = |name: &str| member(attribute, name).and_then(truth).unwrap_or(false);
    let sub = member(attribute, "subAttributes").and_then(Json::as_array).filter(|_| may_nest);
    Some(Seen {
        name: member(attribute, "name")?.as_str()?.to_owned(),
        ty: match text("type").as_str() {
            "boolean" => Type::Boolean,
            "decimal" => Type::Decimal,
            "integer" => Type::Integer,
            "datetime" => Type::DateTime,
            "binary" => Type::Binary,
            "reference" => Type::Reference,
            "complex" => Type::Complex,
            _ => Type::String,
        },
        multi: is("multiValued"),
        required: is("required"),
        case_exact: is("caseExact"),
        mutability: match text("mutability").as_str() {
            "readonly" => Mutability::ReadOnly,
            "immutable" => Mutability::Immutable,
            "writeonly" => Mutability::WriteOnly,
            _ => Mutability::ReadWrite,
        },
        returned: match text("returned").as_str() {
            "always" => Returned::Always,
            "never" => Returned::Never,
            "request" => Returned::Request,
            _ => Returned::Default,
        },
        unique: matches!(text("uniqueness").as_str(), "server" | "global"),
        sub: sub.map(|all| all.iter().filter_map(|one| seen(one, false, left)).collect()).unwrap_or_default(),
    })
}

/// The attribute `externalId` (RFC 7643, section 3.1).
fn external_id() -> Seen {
    Seen {
        name: "externalId".to_owned(),
        ty: Type::String,
        multi: false,
        required: false,
        case_exact: true,
        mutability: Mutability::ReadWrite,
        returned: Returned::Default,
        unique: false,
        sub: Vec::new(),
    }
}

impl From<&scim::Attribute> for Seen {
    fn from(known: &scim::Attribute) -> Self {
        Self {
            name: known.name.clone(),
            ty: known.ty,
            multi: known.multi,
            required: known.required,
            case_exact: known.case_exact,
            mutability: known.mutability,
            returned: known.returned,
            unique: known.uniqueness != Uniqueness::None,
            sub: known.sub.iter().map(Seen::from).collect(),
        }
    }
}

/// A Boolean; some servers write it as text.
fn truth(value: &Json) -> Option<bool> {
    match value {
        Json::Bool(truth) => Some(*truth),
        Json::String(text) => text.to_ascii_lowercase().parse().ok(),
        Json::Null | Json::Number(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

/// The segments of an endpoint below the base address. It is given relative (RFC 7643, section 6), or with the base
/// address's path, or whole; nothing that leads elsewhere is taken.
fn segments(endpoint: &str, base: &str) -> Option<Vec<String>> {
    if endpoint.starts_with("//") {
        return None;
    }
    let path = match endpoint.split_once("://") {
        Some((_, rest)) => rest.get(rest.find('/')?..)?,
        None => endpoint,
    };
    let base = base.trim_end_matches('/');
    let path = path.strip_prefix(base).filter(|_| !base.is_empty()).unwrap_or(path);
    let fine = |part: &&str| {
        part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) && part.chars().any(|c| c != '.')
    };
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    (!parts.is_empty() && parts.iter().all(|part| !part.is_empty() && fine(part)))
        .then(|| parts.into_iter().map(str::to_owned).collect())
}

/// A URN from outside, cut to what one can be.
fn plain(urn: &str) -> String {
    urn.chars().filter(|c| c.is_ascii_alphanumeric() || ":._-".contains(*c)).take(120).collect()
}

/// Takes out what only the server writes: it is not sent back by PUT. The `id` stays, as in the RFC's own example (RFC 7644,
/// section 3.5.1): servers ignore it or compare it.
pub(crate) fn written_by_server(document: &mut Map<String, Json>, resource: &Resource) {
    let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
    document.retain(|name, _| {
        let read_only = resource.own(name).is_some_and(|seen| seen.mutability == Mutability::ReadOnly);
        is(name, "id") || !(read_only || is(name, "meta") || is(name, "groups"))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_server_that_says_nothing_is_taken_for_what_the_rfcs_make_compulsory() {
        let offer = understand(&Documents::default(), "/scim/v2/");
        assert!(offer.patch && offer.filter && offer.index && !offer.etag && !offer.cursor && !offer.detected);
        assert_eq!(offer.types["User"].endpoint, ["Users"]);
        assert!(offer.types["User"].find(&Path::parse("name.familyName").unwrap()).is_some());
        assert_eq!(offer.doubts.len(), 2);
    }

    #[test]
    fn a_servers_own_word_is_taken_also_where_booleans_are_texts() {
        let documents = Documents {
            config: Some(json!({
                "patch": {"supported": "False"}, "etag": {"supported": true}, "filter": {"supported": true, "maxResults": 50},
                "pagination": {"cursor": true, "index": false, "maxPageSize": 20},
            })),
            schemas: Some(json!([{"id": "urn:ietf:params:scim:schemas:core:2.0:User", "attributes": [
                {"name": "userName", "required": "true", "uniqueness": "server"},
                {"name": "name", "type": "complex", "subAttributes": [{"name": "familyName"}]},
            ]}])),
            types: Some(json!({"Resources": [
                {"name": "User", "endpoint": "https://host/scim/v2/People", "schema": "urn:ietf:params:scim:schemas:core:2.0:User"},
            ]})),
        };
        let offer = understand(&documents, "/scim/v2/");
        assert!(!offer.patch && offer.etag && offer.cursor && !offer.index && offer.detected);
        assert_eq!(offer.max_page, 20);
        let user = &offer.types["User"];
        assert_eq!(user.endpoint, ["People"]);
        assert!(user.own("USERNAME").is_some_and(|seen| seen.required && seen.unique));
        assert_eq!(user.find(&Path::parse("title").unwrap()), None);
    }

    #[test]
    fn an_endpoint_cannot_lead_out_of_the_base_address() {
        for bad in ["", "/", "/../admin", "/Users/..", "/a/./b", "//evil", "/Us ers", "/Users?x=1", "/U%2fsers"] {
            assert_eq!(segments(bad, "/scim/v2/"), None, "{bad}");
        }
        assert_eq!(segments("/scim/v2/Users", "/scim/v2/").unwrap(), ["Users"]);
        assert_eq!(segments("Users", "/scim/v2/").unwrap(), ["Users"]);
        assert_eq!(segments("/ext/Users", "/").unwrap(), ["ext", "Users"]);
    }

    #[test]
    fn nonsense_is_not_said() {
        let documents = Documents {
            config: Some(json!([1])),
            schemas: Some(json!("x")),
            types: Some(json!({"Resources": [7, {}]})),
        };
        let offer = understand(&documents, "/");
        assert!(offer.patch && offer.types.contains_key("User"));
    }
}
