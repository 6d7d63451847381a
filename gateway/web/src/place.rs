//! All places that a path can name, on one page.

use crate::scim::catalogue::Shelf;
use gateway_domain::{Policy, ResourceId, Source};
use percent_encoding::percent_decode_str;
use scim::{ResourceType, Types};
use std::borrow::Cow;
use std::sync::Arc;

/// Where SCIM begins.
pub(crate) const SCIM: &str = "/scim/v2";

const READ: &str = "GET, HEAD";

/// One kind of place: what the log, the metrics and `Allow` call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Its path, with names in braces.
    pub pattern: &'static str,
    /// What it takes, as `Allow` says it.
    pub methods: &'static str,
    /// Whether a source's token is needed.
    pub guarded: bool,
}

const fn open(pattern: &'static str, methods: &'static str) -> Route {
    Route { pattern, methods, guarded: false }
}

const fn guarded(pattern: &'static str, methods: &'static str) -> Route {
    Route { pattern, methods, guarded: true }
}

const LIVE: Route = open("/health/live", READ);
const READY: Route = open("/health/ready", READ);
const TARGETS: Route = open("/health/targets", READ);
const METRICS: Route = open("/metrics", READ);
const ROOT: Route = guarded("/scim/v2", READ);
const ROOT_SEARCH: Route = guarded("/scim/v2/.search", "POST");
const CONFIG: Route = guarded("/scim/v2/ServiceProviderConfig", READ);
const RESOURCE_TYPES: Route = guarded("/scim/v2/ResourceTypes", READ);
const RESOURCE_TYPE: Route = guarded("/scim/v2/ResourceTypes/{name}", READ);
const SCHEMAS: Route = guarded("/scim/v2/Schemas", READ);
const SCHEMA: Route = guarded("/scim/v2/Schemas/{urn}", READ);
const ME: Route = guarded("/scim/v2/Me", "GET, HEAD, POST, PUT, PATCH, DELETE");
const BULK: Route = guarded("/scim/v2/Bulk", "POST");
const LIST: Route = guarded("/scim/v2/{type}", "GET, HEAD, POST");
const SEARCH: Route = guarded("/scim/v2/{type}/.search", "POST");
const ONE: Route = guarded("/scim/v2/{type}/{id}", "GET, HEAD, PUT, PATCH, DELETE");
const SHELF: Route = guarded("/scim/v2/{catalogue}", READ);
const SHELF_SEARCH: Route = guarded("/scim/v2/{catalogue}/.search", "POST");
const ITEM: Route = guarded("/scim/v2/{catalogue}/{id}", READ);

/// Every route there is.
pub const ROUTES: [Route; 19] = [
    LIVE,
    READY,
    TARGETS,
    METRICS,
    ROOT,
    ROOT_SEARCH,
    CONFIG,
    RESOURCE_TYPES,
    RESOURCE_TYPE,
    SCHEMAS,
    SCHEMA,
    ME,
    BULK,
    LIST,
    SEARCH,
    ONE,
    SHELF,
    SHELF_SEARCH,
    ITEM,
];

/// A place, with what its path named.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Live,
    Ready,
    Targets,
    Metrics,
    Root,
    RootSearch,
    Config,
    ResourceTypes,
    ResourceType(String),
    Schemas,
    Schema(String),
    Me,
    Bulk,
    List(Arc<ResourceType>),
    Search(Arc<ResourceType>),
    One(Arc<ResourceType>, ResourceId),
    Shelf(Shelf),
    ShelfSearch(Shelf),
    Item(Shelf, String),
}

impl Place {
    pub fn route(&self) -> &'static Route {
        match self {
            Place::Live => &LIVE,
            Place::Ready => &READY,
            Place::Targets => &TARGETS,
            Place::Metrics => &METRICS,
            Place::Root => &ROOT,
            Place::RootSearch => &ROOT_SEARCH,
            Place::Config => &CONFIG,
            Place::ResourceTypes => &RESOURCE_TYPES,
            Place::ResourceType(_) => &RESOURCE_TYPE,
            Place::Schemas => &SCHEMAS,
            Place::Schema(_) => &SCHEMA,
            Place::Me => &ME,
            Place::Bulk => &BULK,
            Place::List(_) => &LIST,
            Place::Search(_) => &SEARCH,
            Place::One(..) => &ONE,
            Place::Shelf(_) => &SHELF,
            Place::ShelfSearch(_) => &SHELF_SEARCH,
            Place::Item(..) => &ITEM,
        }
    }

    /// The resource type that it is about.
    pub fn resource_type(&self) -> Option<&Arc<ResourceType>> {
        match self {
            Place::List(ty) | Place::Search(ty) | Place::One(ty, _) => Some(ty),
            _ => None,
        }
    }
}

/// A path's segments, unescaped. Empty ones are left out: base addresses are typed with and without a slash at the end.
///
/// `None` for a path that no place has: more than four segments, or bytes that are no UTF-8.
pub(crate) fn segments(path: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut found = Vec::with_capacity(5);
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        if found.len() == 5 {
            return None;
        }
        found.push(percent_decode_str(segment).decode_utf8().ok()?);
    }
    Some(found)
}

/// The place outside SCIM.
pub(crate) fn find_open(path: &[&str]) -> Option<Place> {
    Some(match path {
        ["health", "live"] => Place::Live,
        ["health", "ready"] => Place::Ready,
        ["health", "targets"] => Place::Targets,
        ["metrics"] => Place::Metrics,
        _ => return None,
    })
}

/// The place behind `/scim/v2`, as this source sees it: the catalogue has endpoints of its own in each form of discovery.
pub(crate) fn find(path: &[&str], types: &Types, source: &Source, policy: &Policy) -> Option<Place> {
    Some(match path {
        [] => Place::Root,
        [".search"] => Place::RootSearch,
        ["ServiceProviderConfig"] => Place::Config,
        ["ResourceTypes"] => Place::ResourceTypes,
        ["ResourceTypes", name] => Place::ResourceType((*name).to_owned()),
        ["Schemas"] => Place::Schemas,
        ["Schemas", urn] => Place::Schema((*urn).to_owned()),
        ["Me"] => Place::Me,
        ["Bulk"] => Place::Bulk,
        [endpoint, rest @ ..] => match (stored(types, endpoint), rest) {
            (Some(ty), []) => Place::List(ty),
            (Some(ty), [".search"]) => Place::Search(ty),
            (Some(ty), [id]) => Place::One(ty, ResourceId::from(*id)),
            (Some(_), _) => return None,
            (None, rest) => {
                let shelf = Shelf::find(endpoint, source.discovery, policy.catalogue())?;
                match rest {
                    [] => Place::Shelf(shelf),
                    [".search"] => Place::ShelfSearch(shelf),
                    [id] => Place::Item(shelf, (*id).to_owned()),
                    _ => return None,
                }
            }
        },
    })
}

fn stored(types: &Types, endpoint: &str) -> Option<Arc<ResourceType>> {
    types.all().find(|ty| !ty.catalogue && ty.endpoint.strip_prefix('/') == Some(endpoint)).cloned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_unescaped_one_by_one() {
        assert_eq!(segments("/scim/v2/Users/").unwrap(), ["scim", "v2", "Users"]);
        assert_eq!(segments("//scim//v2/Roles/a%2Fb%20c+d").unwrap(), ["scim", "v2", "Roles", "a/b c+d"]);
        assert_eq!(segments("/").unwrap(), [""; 0]);
    }

    #[test]
    fn a_path_without_end_or_without_sense_is_no_place() {
        assert_eq!(segments("/a/b/c/d/e/f"), None);
        assert_eq!(segments("/%ff"), None);
    }

    #[test]
    fn only_health_and_metrics_are_open() {
        let open: Vec<_> = ROUTES.iter().filter(|route| !route.guarded).map(|route| route.pattern).collect();

        assert_eq!(open, ["/health/live", "/health/ready", "/health/targets", "/metrics"]);
        assert!(ROUTES.iter().all(|route| route.guarded == route.pattern.starts_with(SCIM)));
    }
}
