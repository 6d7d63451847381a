//! Resource types and extensions that a deployment adds by JSON files.

use crate::load::{self, Place, TypeError};
use crate::names::Names;
use crate::schema::Schema;
use crate::types::{Extension, ResourceType, Types, common};
use serde_json::Value;
use std::sync::Arc;

/// Endpoints that mean something else.
const TAKEN: [&str; 6] = ["/Me", "/Schemas", "/ResourceTypes", "/ServiceProviderConfig", "/Bulk", "/.search"];

pub(crate) fn extend(mut types: Types, files: &[&str]) -> Result<Types, TypeError> {
    let mut schemas: Vec<Arc<Schema>> = types.schemas();
    let values = files.iter().enumerate().map(|(file, json)| read(file, json)).collect::<Result<Vec<Value>, _>>()?;
    let mut all: Vec<Arc<ResourceType>> = types.all().cloned().collect();
    // All schemas first: a type in one file may name a schema in a later one.
    for (file, value) in values.iter().enumerate() {
        let place = Place::of(file, String::new(), value)?;
        place.only(&["schemas", "resourceTypes", "extensions"])?;
        for at in place.places("schemas")? {
            let schema = load::schema(&at, 1)?;
            if schemas.iter().chain(types.service_schemas()).any(|known| known.id.eq_ignore_ascii_case(&schema.id)) {
                return Err(at.error("id", "is the URI of a schema that is there already"));
            }
            schemas.push(Arc::new(schema));
        }
    }
    for (file, value) in values.iter().enumerate() {
        let place = Place::of(file, String::new(), value)?;
        for at in place.places("resourceTypes")? {
            let ty = resource_type(&at, &schemas)?;
            let taken = |known: &ResourceType| {
                known.name.eq_ignore_ascii_case(&ty.name) || known.endpoint.eq_ignore_ascii_case(&ty.endpoint)
            };
            if all.iter().any(|known| taken(known)) {
                return Err(at.error("name", "or its endpoint is that of a resource type that is there already"));
            }
            all.push(Arc::new(ty));
        }
        for at in place.places("extensions")? {
            at.only(&["resourceType", "schema", "required"])?;
            let (name, extension) = (at.text("resourceType")?, extension(&at, &schemas)?);
            let Some(known) = all.iter_mut().find(|ty| ty.name == name) else {
                return Err(at.error("resourceType", "is no resource type"));
            };
            if known.extension(&extension.schema.id).is_some() || known.schema.id == extension.schema.id {
                return Err(at.error("schema", "belongs to the resource type already"));
            }
            let mut extensions = known.extensions.clone();
            extensions.push(extension);
            let mut ty = ResourceType::new(
                known.name.clone(),
                known.endpoint.clone(),
                known.description.clone(),
                known.schema.clone(),
                extensions,
            );
            ty.catalogue = known.catalogue;
            *known = Arc::new(ty);
        }
    }
    types.replace_all(all);
    Ok(types)
}

fn read(file: usize, json: &str) -> Result<Value, TypeError> {
    crate::json::parse_json(json.as_bytes()).map_err(|error| TypeError {
        file,
        pointer: String::new(),
        reason: error.detail,
    })
}

fn resource_type(at: &Place<'_>, schemas: &[Arc<Schema>]) -> Result<ResourceType, TypeError> {
    at.only(&["schemas", "id", "name", "endpoint", "description", "schema", "schemaExtensions", "meta"])?;
    let (name, endpoint) = (at.text("name")?, at.text("endpoint")?);
    if !load::is_name(&name) {
        return Err(at.error("name", "must begin with a letter and hold letters, digits, - and _ only"));
    }
    if at.object.get("id").is_some_and(|id| id.as_str() != Some(&name)) {
        return Err(at.error("id", "must equal the name"));
    }
    if !endpoint.strip_prefix('/').is_some_and(load::is_name) || TAKEN.iter().any(|t| t.eq_ignore_ascii_case(&endpoint))
    {
        return Err(at.error("endpoint", "must be a slash and one name that the protocol does not use itself"));
    }
    let schema = named(at, schemas)?;
    if let Some(attribute) = schema.attributes.iter().find(|a| common().attribute(&a.name).is_some()) {
        return Err(at.error("schema", format!("defines `{}`, which every resource has already", attribute.name)));
    }
    if schemas.iter().take_while(|known| known.id != schema.id).count() < Types::built_in().schemas().len() {
        return Err(at.error("schema", "is the schema of a built-in resource type"));
    }
    let mut extensions: Vec<Extension> = Vec::new();
    for place in at.places("schemaExtensions")? {
        place.only(&["schema", "required"])?;
        extensions.push(extension(&place, schemas)?);
    }
    let uris = std::iter::once(schema.id.as_str()).chain(extensions.iter().map(|e| e.schema.id.as_str()));
    Names::new(uris).map_err(|twice| at.error("schemaExtensions", format!("names `{twice}` twice")))?;
    let description = at.text("description").unwrap_or_default();
    Ok(ResourceType::new(name, endpoint, description, schema, extensions))
}

fn extension(at: &Place<'_>, schemas: &[Arc<Schema>]) -> Result<Extension, TypeError> {
    Ok(Extension { schema: named(at, schemas)?, required: at.flag("required")? })
}

fn named(at: &Place<'_>, schemas: &[Arc<Schema>]) -> Result<Arc<Schema>, TypeError> {
    let uri = at.text("schema")?;
    let found = schemas.iter().find(|schema| schema.id == uri);
    found.cloned().ok_or_else(|| at.error("schema", "is the URI of no schema that is known"))
}
