//! What the service is and knows: ServiceProviderConfig, ResourceTypes, Schemas (RFC 7644, section 4).
//!
//! Extra members are shown only where they are in use: a widely used client library refuses documents that hold members it
//! does not know.

use super::Visit;
use super::catalogue::{self, okta};
use super::query::first;
use crate::answer;
use crate::error::Error;
use crate::options::Limits;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use gateway_domain::Discovery;
use gateway_domain::catalogue::Catalogue;
use scim::{Dialect, ListResponse, Object, ScimError, ServiceProviderConfig, Types};
use serde_json::{Value, json};

/// GET /ServiceProviderConfig.
pub(crate) fn config(visit: &Visit<'_>) -> Result<HttpResponse, Error> {
    refuse_filter(visit)?;
    let policy = visit.house.engine.policy();
    let source = visit.source();
    let document = service(&visit.base(), &visit.house.limits, source.dialect, source.discovery, policy.catalogue());
    Ok(answer::scim(visit.headers(), StatusCode::OK, &document))
}

/// GET /ResourceTypes.
pub(crate) fn resource_types(visit: &Visit<'_>) -> Result<HttpResponse, Error> {
    refuse_filter(visit)?;
    Ok(all(visit, types(visit)))
}

/// GET /ResourceTypes/{name}.
pub(crate) fn resource_type(visit: &Visit<'_>, name: &str) -> Result<HttpResponse, Error> {
    one(visit, types(visit), name, "There is no resource type of this name.")
}

/// GET /Schemas.
pub(crate) fn schemas(visit: &Visit<'_>) -> Result<HttpResponse, Error> {
    refuse_filter(visit)?;
    Ok(all(visit, schema_list(visit)))
}

/// GET /Schemas/{urn}.
pub(crate) fn schema(visit: &Visit<'_>, urn: &str) -> Result<HttpResponse, Error> {
    one(visit, schema_list(visit), urn, "There is no schema of this URI.")
}

/// RFC 7644, section 4: these lists are whole, and a filter on them is forbidden.
fn refuse_filter(visit: &Visit<'_>) -> Result<(), Error> {
    if first(&visit.parameters()?, "filter").is_some() {
        return Err(ScimError::forbidden("This endpoint cannot be filtered. Read all of it.").into());
    }
    Ok(())
}

fn types(visit: &Visit<'_>) -> Vec<Object> {
    let policy = visit.house.engine.policy();
    announced_types(visit.house.engine.types(), policy.catalogue(), visit.source().discovery, &visit.base())
}

fn schema_list(visit: &Visit<'_>) -> Vec<Object> {
    let policy = visit.house.engine.policy();
    announced_schemas(visit.house.engine.types(), policy.catalogue(), visit.source().discovery, &visit.base())
}

fn all(visit: &Visit<'_>, documents: Vec<Object>) -> HttpResponse {
    let count = documents.len();
    let response = ListResponse {
        total_results: count as u64,
        start_index: Some(1),
        items_per_page: u32::try_from(count).ok(),
        resources: documents,
        next_cursor: None,
        previous_cursor: None,
    };
    answer::scim(visit.headers(), StatusCode::OK, &response.to_json())
}

fn one(visit: &Visit<'_>, documents: Vec<Object>, id: &str, missing: &str) -> Result<HttpResponse, Error> {
    let found = documents
        .into_iter()
        .find(|document| document.get("id").and_then(Value::as_str).is_some_and(|known| known.eq_ignore_ascii_case(id)))
        .ok_or_else(|| ScimError::not_found(missing))?;
    Ok(answer::scim(visit.headers(), StatusCode::OK, &found))
}

/// The service as this source sees it.
fn service(base: &str, limits: &Limits, dialect: Dialect, discovery: Discovery, catalogue: &Catalogue) -> Value {
    let announced = discovery == Discovery::Ietf && !catalogue.is_empty();
    ServiceProviderConfig {
        max_operations: u32::try_from(limits.bulk_operations).unwrap_or(u32::MAX),
        max_payload_bytes: limits.bulk_body as u64,
        default_page_size: limits.page,
        max_page_size: limits.max_page,
        catalogue: announced.then(|| catalogue::announcement(catalogue)),
        interop: dialect == Dialect::Interop,
        ..ServiceProviderConfig::default()
    }
    .to_json(&format!("{base}/ServiceProviderConfig"))
}

fn announced_types(types: &Types, catalogue: &Catalogue, discovery: Discovery, base: &str) -> Vec<Object> {
    let ietf = discovery == Discovery::Ietf && !catalogue.is_empty();
    let own = types.all().filter(|ty| !ty.catalogue || ietf).map(|ty| ty.to_json());
    let foreign = if discovery == Discovery::Okta { okta::resource_types(catalogue, types) } else { Vec::new() };
    own.chain(foreign).map(|document| placed(document, "ResourceType", base, "ResourceTypes")).collect()
}

fn announced_schemas(types: &Types, catalogue: &Catalogue, discovery: Discovery, base: &str) -> Vec<Object> {
    let ietf = discovery == Discovery::Ietf && !catalogue.is_empty();
    let hidden: Vec<&str> = types
        .all()
        .filter(|ty| ty.catalogue && !ietf)
        .flat_map(|ty| std::iter::once(&ty.schema).chain(ty.extensions.iter().map(|extension| &extension.schema)))
        .map(|schema| schema.id.as_str())
        .collect();
    let own = types
        .schemas()
        .into_iter()
        .filter(|schema| !hidden.contains(&schema.id.as_str()))
        .chain(types.service_schemas().iter().cloned())
        .map(|schema| schema.to_json());
    let foreign = if discovery == Discovery::Okta && !catalogue.is_empty() { okta::schemas() } else { Vec::new() };
    own.chain(foreign).map(|document| placed(document, "Schema", base, "Schemas")).collect()
}

/// Adds `meta` (erratum 8417 of RFC 7643: schemas have it too).
fn placed(document: Value, ty: &str, base: &str, endpoint: &str) -> Object {
    let Value::Object(mut document) = document else { return Object::new() };
    let id = document.get("id").and_then(Value::as_str).unwrap_or_default();
    let location = format!("{base}/{endpoint}/{id}");
    document.insert("meta".into(), json!({ "resourceType": ty, "location": location }));
    document
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::scim::catalogue::tests::catalogue;

    const BASE: &str = "https://scim.hosp.example/scim/v2";

    fn ids(documents: &[Object]) -> Vec<&str> {
        documents.iter().map(|document| document["id"].as_str().unwrap()).collect()
    }

    #[test]
    fn a_plain_server_shows_no_member_that_is_not_in_use() {
        let document = service(BASE, &Limits::default(), Dialect::Rfc, Discovery::Ietf, &Catalogue::default());

        assert!(document.get("RolesAndEntitlements").is_none());
        assert!(document.get("interopProfileConformant").is_none());
        assert!(document.get("securityEvents").is_none());
        assert_eq!(document["pagination"]["defaultPaginationMethod"], "index");
        assert_eq!(document["filter"]["maxResults"], document["pagination"]["maxPageSize"]);
        assert_eq!(document["bulk"], json!({"supported": true, "maxOperations": 1000, "maxPayloadSize": 1_048_576}));
    }

    #[test]
    fn a_source_on_the_profile_is_told_that_the_service_conforms() {
        let document = service(BASE, &Limits::default(), Dialect::Interop, Discovery::Ietf, &Catalogue::default());

        assert_eq!(document["interopProfileConformant"], true);
    }

    #[test]
    fn the_catalogue_is_announced_in_the_form_that_the_source_discovers() {
        let catalogue = catalogue();
        let types = Types::built_in();

        let ietf = announced_types(&types, &catalogue, Discovery::Ietf, BASE);
        let okta = announced_types(&types, &catalogue, Discovery::Okta, BASE);
        let config = service(BASE, &Limits::default(), Dialect::Tolerant, Discovery::Okta, &catalogue);

        assert_eq!(ids(&ietf), ["User", "Group", "Role", "Entitlement"]);
        assert_eq!(ids(&okta), ["User", "Group", "Role", "GroupEntitlement", "Position"]);
        assert!(config.get("RolesAndEntitlements").is_none());
    }

    #[test]
    fn without_a_catalogue_nothing_of_it_is_announced() {
        let types = Types::built_in();
        let none = Catalogue::default();

        assert_eq!(ids(&announced_types(&types, &none, Discovery::Ietf, BASE)), ["User", "Group"]);
        assert_eq!(ids(&announced_types(&types, &none, Discovery::Okta, BASE)), ["User", "Group"]);
        let schemas = announced_schemas(&types, &none, Discovery::Ietf, BASE);
        assert!(
            !ids(&schemas).iter().any(|id| id.contains("Role") || id.contains("Entitlement")),
            "{:?}",
            ids(&schemas)
        );
    }

    #[test]
    fn every_schema_that_a_resource_type_names_is_served_with_its_place() {
        let catalogue = catalogue();
        for discovery in [Discovery::Ietf, Discovery::Okta] {
            let types = announced_types(&Types::built_in(), &catalogue, discovery, BASE);
            let schemas = announced_schemas(&Types::built_in(), &catalogue, discovery, BASE);
            let served = ids(&schemas);

            for ty in &types {
                assert_eq!(ty["id"], ty["name"]);
                assert!(served.contains(&ty["schema"].as_str().unwrap()), "{}", ty["schema"]);
                for extension in ty.get("schemaExtensions").and_then(Value::as_array).into_iter().flatten() {
                    assert!(served.contains(&extension["schema"].as_str().unwrap()), "{extension}");
                }
            }
            for schema in &schemas {
                assert_eq!(schema["schemas"], json!([scim::SCHEMA]));
                assert_eq!(schema["meta"]["location"], format!("{BASE}/Schemas/{}", schema["id"].as_str().unwrap()));
            }
        }
    }
}
