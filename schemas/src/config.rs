//! ServiceProviderConfig (RFC 7643, section 5; RFC 9865, section 4; draft-ietf-scim-roles-entitlements-01; the interoperability
//! profile, section 4). The names of the two drafts stand in this file only.

use serde_json::{Value, json};

/// The URI of the document.
pub const SERVICE_PROVIDER_CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";

/// What a service says about itself. The defaults are those of Chartgate.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceProviderConfig {
    /// Where the documentation is.
    pub documentation_uri: Option<String>,
    /// The highest number of operations in a Bulk request.
    pub max_operations: u32,
    /// The highest number of bytes in a Bulk request.
    pub max_payload_bytes: u64,
    /// The page size when a request names none.
    pub default_page_size: u32,
    /// The highest page size.
    pub max_page_size: u32,
    /// How a client can authenticate.
    pub authentication: Vec<AuthenticationScheme>,
    /// The catalogue's types, where a catalogue is configured.
    pub catalogue: Option<Catalogue>,
    /// Whether the document says so that the service conforms to the interoperability profile: for a source of that dialect only.
    pub interop: bool,
}

/// A way to authenticate.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthenticationScheme {
    /// `oauthbearertoken`, `httpbasic`, …
    pub ty: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Where it is specified.
    pub spec_uri: Option<String>,
    /// Whether it is the preferred one.
    pub primary: bool,
}

impl AuthenticationScheme {
    /// A bearer token in the Authorization header (RFC 6750).
    pub fn bearer() -> Self {
        AuthenticationScheme {
            ty: "oauthbearertoken".into(),
            name: "OAuth bearer token".into(),
            description: "A bearer token in the Authorization header.".into(),
            spec_uri: Some("https://www.rfc-editor.org/info/rfc6750".into()),
            primary: true,
        }
    }
}

/// The types of the catalogue of roles and entitlements.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Catalogue {
    /// The types of roles.
    pub role_types: Vec<String>,
    /// The types of entitlements.
    pub entitlement_types: Vec<String>,
}

impl Default for ServiceProviderConfig {
    fn default() -> Self {
        ServiceProviderConfig {
            documentation_uri: None,
            max_operations: 1_000,
            max_payload_bytes: 1024 * 1024,
            default_page_size: 100,
            max_page_size: 1_000,
            authentication: vec![AuthenticationScheme::bearer()],
            catalogue: None,
            interop: false,
        }
    }
}

impl ServiceProviderConfig {
    /// The document, with its `meta`. Members of drafts are there only when they are in use: a widely used client refuses
    /// a document with members that it does not know.
    pub fn to_json(&self, location: &str) -> Value {
        let schemes: Vec<Value> = self.authentication.iter().map(AuthenticationScheme::to_json).collect();
        let mut out = json!({
            "schemas": [SERVICE_PROVIDER_CONFIG],
            "patch": { "supported": true },
            "bulk": {
                "supported": true,
                "maxOperations": self.max_operations,
                "maxPayloadSize": self.max_payload_bytes,
            },
            "filter": { "supported": true, "maxResults": self.max_page_size },
            "changePassword": { "supported": false },
            "sort": { "supported": true },
            "etag": { "supported": true },
            "pagination": {
                "cursor": true,
                "index": true,
                "defaultPaginationMethod": "index",
                "defaultPageSize": self.default_page_size,
                "maxPageSize": self.max_page_size,
            },
            "authenticationSchemes": schemes,
            "meta": { "resourceType": "ServiceProviderConfig", "location": location },
        });
        if let Some(out) = out.as_object_mut() {
            out.extend(self.documentation_uri.as_ref().map(|uri| ("documentationUri".to_owned(), uri.as_str().into())));
            out.extend(
                self.catalogue.as_ref().map(|catalogue| ("RolesAndEntitlements".to_owned(), catalogue.to_json())),
            );
            if self.interop {
                out.insert("interopProfileConformant".into(), true.into());
            }
        }
        out
    }
}

impl AuthenticationScheme {
    fn to_json(&self) -> Value {
        let mut out =
            json!({ "type": self.ty, "name": self.name, "description": self.description, "primary": self.primary });
        if let (Some(uri), Some(out)) = (&self.spec_uri, out.as_object_mut()) {
            out.insert("specUri".into(), uri.as_str().into());
        }
        out
    }
}

impl Catalogue {
    fn to_json(&self) -> Value {
        json!({
            "roles": {
                "supported": true,
                "multipleRolesSupported": true,
                "primarySupported": true,
                "typeSupported": true,
                "types": self.role_types,
            },
            "entitlements": {
                "supported": true,
                "multipleEntitlementsSupported": true,
                "primarySupported": false,
                "typeSupported": true,
                "types": self.entitlement_types,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_drafts_are_absent_until_they_are_in_use() {
        let plain = ServiceProviderConfig::default().to_json("https://scim.hosp.example/ServiceProviderConfig");

        for member in ["RolesAndEntitlements", "interopProfileConformant", "securityEvents", "documentationUri"] {
            assert!(plain.get(member).is_none(), "{member}");
        }
        assert_eq!(plain["pagination"]["defaultPaginationMethod"], "index");
        assert!(plain["pagination"].get("cursorTimeout").is_none());
    }

    #[test]
    fn a_catalogue_is_announced_with_a_capital_r() {
        let config = ServiceProviderConfig {
            catalogue: Some(Catalogue { role_types: vec!["clinical".into()], entitlement_types: Vec::new() }),
            interop: true,
            ..ServiceProviderConfig::default()
        };

        let document = config.to_json("x");

        assert_eq!(document["RolesAndEntitlements"]["roles"]["types"], json!(["clinical"]));
        assert_eq!(document["interopProfileConformant"], true);
    }
}
