//! Resource types and their extensions, and finding an attribute by the path that a request wrote.

use crate::load::{Place, TypeError};
use crate::path::{AttrKey, AttrPath};
use crate::schema::{Attribute, Schema, Uniqueness};
use serde_json::{Value, json};
use std::fmt;
use std::sync::{Arc, LazyLock};

/// The URI of the User schema.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The URI of the Group schema.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The URI of the Role schema.
pub const ROLE: &str = "urn:ietf:params:scim:schemas:core:2.0:Role";
/// The URI of the Entitlement schema.
pub const ENTITLEMENT: &str = "urn:ietf:params:scim:schemas:core:2.0:Entitlement";
/// The URI of the enterprise extension of the User.
pub const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// The URI of our clinical extension of the User.
pub const CLINICAL_USER: &str = "urn:chartgate:params:scim:schemas:extension:clinical:1.0:User";
/// The URI of our governance extension of the User: what the rules computed.
pub const GOVERNANCE_USER: &str = "urn:chartgate:params:scim:schemas:extension:governance:1.0:User";
/// The URI of our extension that says how far each target has followed a User.
pub const SYNC_USER: &str = "urn:chartgate:params:scim:schemas:extension:sync:1.0:User";
/// The same for a Group.
pub const SYNC_GROUP: &str = "urn:chartgate:params:scim:schemas:extension:sync:1.0:Group";
/// The URI of our extension of the catalogue's roles.
pub const CATALOG_ROLE: &str = "urn:chartgate:params:scim:schemas:extension:catalog:1.0:Role";
/// The URI of our extension of the catalogue's entitlements.
pub const CATALOG_ENTITLEMENT: &str = "urn:chartgate:params:scim:schemas:extension:catalog:1.0:Entitlement";
/// The URI of a ResourceType resource.
pub const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";

/// A kind of resource: its endpoint, its schema, its extensions (RFC 7643, section 6).
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceType {
    /// The name, which is its id too.
    pub name: String,
    /// The endpoint under the base URL, such as `/Users`.
    pub endpoint: String,
    /// What it is for.
    pub description: String,
    /// The main schema.
    pub schema: Arc<Schema>,
    /// The extensions, in the order in which they are served.
    pub extensions: Vec<Extension>,
    /// Whether it is part of the catalogue of roles and entitlements: read-only, and served only where a catalogue is configured.
    pub catalogue: bool,
    pub(crate) common: Arc<Schema>,
    unique: Vec<AttrKey>,
}

/// An extension of a resource type.
#[derive(Debug, Clone, PartialEq)]
pub struct Extension {
    /// Its schema.
    pub schema: Arc<Schema>,
    /// Whether each resource must have it.
    pub required: bool,
}

/// An attribute that a path named.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found<'a> {
    /// The URI of the extension under which the stored object holds it; `None` when it stands in the object itself.
    pub extension: Option<&'a str>,
    /// The attribute.
    pub attribute: &'a Attribute,
    /// The sub-attribute, where the path named one.
    pub sub: Option<&'a Attribute>,
}

impl<'a> Found<'a> {
    /// The sub-attribute, or else the attribute: what is compared, indexed or returned.
    pub fn leaf(&self) -> &'a Attribute {
        self.sub.unwrap_or(self.attribute)
    }

    /// Its canonical spelling.
    pub fn key(&self) -> AttrKey {
        AttrKey::new(self.extension, &self.attribute.name, self.sub.map(|sub| sub.name.as_str()))
    }
}

/// Which schema of a resource type holds an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    Core,
    Common,
    Extension(usize),
}

impl ResourceType {
    pub(crate) fn new(
        name: String,
        endpoint: String,
        description: String,
        schema: Arc<Schema>,
        extensions: Vec<Extension>,
    ) -> Self {
        let mut made = ResourceType {
            name,
            endpoint,
            description,
            schema,
            extensions,
            catalogue: false,
            common: common(),
            unique: Vec::new(),
        };
        made.unique = made.find_unique();
        made
    }

    /// Finds the attribute that a path names, with names and URIs in any letter case. An attribute of an extension needs the
    /// extension's URI (RFC 7644, section 3.10).
    pub fn resolve(&self, path: &AttrPath) -> Option<Found<'_>> {
        let (home, at, sub) = self.locate(path)?;
        self.found(home, at, sub)
    }

    /// The canonical key of an attribute written as a path, such as `emails.value`.
    pub fn key(&self, path: &str) -> Option<AttrKey> {
        self.resolve(&AttrPath::read(path)?).map(|found| found.key())
    }

    /// The extension whose URI this is, in any letter case.
    pub fn extension(&self, uri: &str) -> Option<&Extension> {
        self.extension_at(uri).and_then(|at| self.extensions.get(at))
    }

    /// The attributes and sub-attributes whose values must be unique, but for `id`, which the service mints.
    pub fn unique_attributes(&self) -> Vec<AttrKey> {
        self.unique.clone()
    }

    /// Whether `members` is handled as rows and never part of the stored resource (Group).
    pub fn accepts_members(&self) -> bool {
        self.schema.id == GROUP
    }

    /// The resource type as `/ResourceTypes` serves it, without `meta`, whose location the caller knows.
    pub fn to_json(&self) -> Value {
        let extensions: Vec<Value> =
            self.extensions.iter().map(|e| json!({ "schema": e.schema.id, "required": e.required })).collect();
        let mut out = json!({
            "schemas": [RESOURCE_TYPE],
            "id": self.name,
            "name": self.name,
            "endpoint": self.endpoint,
            "description": self.description,
            "schema": self.schema.id,
        });
        if let (false, Some(out)) = (extensions.is_empty(), out.as_object_mut()) {
            out.insert("schemaExtensions".into(), extensions.into());
        }
        out
    }

    pub(crate) fn extension_at(&self, uri: &str) -> Option<usize> {
        self.extensions.iter().position(|e| e.schema.id.eq_ignore_ascii_case(uri))
    }

    pub(crate) fn schema_of(&self, home: Home) -> Option<&Schema> {
        match home {
            Home::Core => Some(&self.schema),
            Home::Common => Some(&self.common),
            Home::Extension(at) => self.extensions.get(at).map(|e| &*e.schema),
        }
    }

    pub(crate) fn locate(&self, path: &AttrPath) -> Option<(Home, usize, Option<usize>)> {
        let (home, at) = match &path.urn {
            None => self.locate_plain(&path.name)?,
            Some(urn) if urn.eq_ignore_ascii_case(&self.schema.id) => self.locate_plain(&path.name)?,
            Some(urn) => {
                let home = Home::Extension(self.extension_at(urn)?);
                (home, self.schema_of(home)?.position(&path.name)?)
            }
        };
        let attribute = self.schema_of(home)?.attributes.get(at)?;
        match &path.sub {
            None => Some((home, at, None)),
            Some(sub) => Some((home, at, Some(attribute.sub_position(sub)?))),
        }
    }

    fn locate_plain(&self, name: &str) -> Option<(Home, usize)> {
        self.schema
            .position(name)
            .map(|at| (Home::Core, at))
            .or_else(|| self.common.position(name).map(|at| (Home::Common, at)))
    }

    /// The one extension attribute of this name that a client may write: what a client means that leaves the URI out.
    pub(crate) fn unqualified(&self, name: &str) -> Option<(usize, usize)> {
        let mut found = self.extensions.iter().enumerate().filter_map(|(e, extension)| {
            let at = extension.schema.position(name)?;
            extension.schema.attributes.get(at)?.writable().then_some((e, at))
        });
        match (found.next(), found.next()) {
            (Some(one), None) => Some(one),
            _ => None,
        }
    }

    pub(crate) fn found(&self, home: Home, at: usize, sub: Option<usize>) -> Option<Found<'_>> {
        let schema = self.schema_of(home)?;
        let attribute = schema.attributes.get(at)?;
        let sub = match sub {
            None => None,
            Some(at) => Some(attribute.sub.get(at)?),
        };
        let extension = matches!(home, Home::Extension(_)).then_some(schema.id.as_str());
        Some(Found { extension, attribute, sub })
    }

    fn find_unique(&self) -> Vec<AttrKey> {
        let extensions = self.extensions.iter().map(|e| (Some(e.schema.id.as_str()), &*e.schema));
        let mut keys = Vec::new();
        for (urn, schema) in std::iter::once((None, &*self.schema)).chain(extensions) {
            for attribute in &schema.attributes {
                if attribute.uniqueness != Uniqueness::None {
                    keys.push(AttrKey::new(urn, &attribute.name, None));
                }
                let subs = attribute.sub.iter().filter(|sub| sub.uniqueness != Uniqueness::None);
                keys.extend(subs.map(|sub| AttrKey::new(urn, &attribute.name, Some(&sub.name))));
            }
        }
        keys
    }
}

/// All resource types that a deployment knows. Cheap to share by `Arc`.
#[derive(Clone, PartialEq)]
pub struct Types {
    types: Vec<Arc<ResourceType>>,
    user: Arc<ResourceType>,
    group: Arc<ResourceType>,
    role: Arc<ResourceType>,
    entitlement: Arc<ResourceType>,
    service: Vec<Arc<Schema>>,
}

impl Types {
    /// User, Group, Role and Entitlement. The last two are flagged `catalogue`.
    pub fn built_in() -> Types {
        BUILT_IN.clone()
    }

    /// Adds what a deployment's files define: each is `{"schemas": [...], "resourceTypes": [...], "extensions": [...]}`, the
    /// first two as `/Schemas` and `/ResourceTypes` serve them. `extensions` adds a schema to a resource type that is there
    /// already: `{"resourceType": "User", "schema": "urn:…", "required": false}`.
    ///
    /// # Errors
    /// The first thing that is wrong, with the file's index and the place in it.
    pub fn with_deployment(self, json: &[&str]) -> Result<Types, TypeError> {
        crate::deployment::extend(self, json)
    }

    /// Finds a type by its name, in the spelling of the schema.
    pub fn by_name(&self, name: &str) -> Option<&Arc<ResourceType>> {
        self.types.iter().find(|ty| ty.name == name)
    }

    /// Finds a type by its endpoint, such as `/Users`, in the spelling of the schema (paths of URLs are exact).
    pub fn by_endpoint(&self, endpoint: &str) -> Option<&Arc<ResourceType>> {
        self.types.iter().find(|ty| ty.endpoint == endpoint)
    }

    /// All types, the built-in ones first, catalogue included.
    pub fn all(&self) -> impl Iterator<Item = &Arc<ResourceType>> {
        self.types.iter()
    }

    /// The schemas that all types name, each once, catalogue included.
    pub fn schemas(&self) -> Vec<Arc<Schema>> {
        Self::schemas_of(self.all())
    }

    /// The schemas that these types name, each once: what `/Schemas` serves of the types that a deployment serves.
    pub fn schemas_of<'a>(types: impl IntoIterator<Item = &'a Arc<ResourceType>>) -> Vec<Arc<Schema>> {
        let mut schemas: Vec<Arc<Schema>> = Vec::new();
        for ty in types {
            for schema in std::iter::once(&ty.schema).chain(ty.extensions.iter().map(|e| &e.schema)) {
                if !schemas.iter().any(|known| known.id == schema.id) {
                    schemas.push(schema.clone());
                }
            }
        }
        schemas
    }

    /// The schemas of the discovery documents themselves: ServiceProviderConfig, ResourceType, Schema (RFC 7643, section 8.7.2).
    pub fn service_schemas(&self) -> &[Arc<Schema>] {
        &self.service
    }

    /// The User.
    pub fn user(&self) -> &Arc<ResourceType> {
        &self.user
    }

    /// The Group.
    pub fn group(&self) -> &Arc<ResourceType> {
        &self.group
    }

    /// The catalogue's Role.
    pub fn role(&self) -> &Arc<ResourceType> {
        &self.role
    }

    /// The catalogue's Entitlement.
    pub fn entitlement(&self) -> &Arc<ResourceType> {
        &self.entitlement
    }

    pub(crate) fn replace_all(&mut self, types: Vec<Arc<ResourceType>>) {
        for ty in &types {
            match ty.schema.id.as_str() {
                USER => self.user = ty.clone(),
                GROUP => self.group = ty.clone(),
                ROLE => self.role = ty.clone(),
                ENTITLEMENT => self.entitlement = ty.clone(),
                _ => {}
            }
        }
        self.types = types;
    }
}

impl fmt::Debug for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.types.iter().map(|ty| &ty.name)).finish()
    }
}

pub(crate) fn common() -> Arc<Schema> {
    COMMON.clone()
}

static COMMON: LazyLock<Arc<Schema>> = LazyLock::new(|| compiled_in(include_str!("../json/core/common.json")));

static BUILT_IN: LazyLock<Types> = LazyLock::new(|| {
    let optional = |json: &str| Extension { schema: compiled_in(json), required: false };
    let user = ResourceType::new(
        "User".into(),
        "/Users".into(),
        "A person's or a service's account".into(),
        compiled_in(include_str!("../json/core/user.json")),
        vec![
            optional(include_str!("../json/core/enterprise-user.json")),
            optional(include_str!("../json/health/clinical.json")),
            optional(include_str!("../json/health/governance.json")),
            optional(include_str!("../json/health/sync-user.json")),
        ],
    );
    let group = ResourceType::new(
        "Group".into(),
        "/Groups".into(),
        "A group of users and groups".into(),
        compiled_in(include_str!("../json/core/group.json")),
        vec![optional(include_str!("../json/health/sync-group.json"))],
    );
    let mut role = ResourceType::new(
        "Role".into(),
        "/Roles".into(),
        "A role of the catalogue".into(),
        compiled_in(include_str!("../json/core/role.json")),
        vec![optional(include_str!("../json/health/catalog-role.json"))],
    );
    role.catalogue = true;
    let mut entitlement = ResourceType::new(
        "Entitlement".into(),
        "/Entitlements".into(),
        "An entitlement of the catalogue".into(),
        compiled_in(include_str!("../json/core/entitlement.json")),
        vec![optional(include_str!("../json/health/catalog-entitlement.json"))],
    );
    entitlement.catalogue = true;
    let [user, group, role, entitlement] = [user, group, role, entitlement].map(Arc::new);
    Types {
        types: vec![user.clone(), group.clone(), role.clone(), entitlement.clone()],
        user,
        group,
        role,
        entitlement,
        service: vec![
            compiled_in(include_str!("../json/core/service-provider-config.json")),
            compiled_in(include_str!("../json/core/resource-type.json")),
            compiled_in(include_str!("../json/core/schema.json")),
        ],
    }
});

#[allow(clippy::expect_used)] // the files are part of the program, and every test reads all of them
pub(crate) fn compiled_in(json: &str) -> Arc<Schema> {
    let value: Value = serde_json::from_str(json).expect("a compiled-in schema file is JSON, see types::tests");
    let place = Place::of(0, String::new(), &value).expect("a compiled-in schema file is an object, see types::tests");
    Arc::new(crate::load::schema(&place, 2).expect("a compiled-in schema file is a schema, see types::tests"))
}
