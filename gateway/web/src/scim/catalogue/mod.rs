//! Roles and entitlements that can be granted, read-only (draft-ietf-scim-roles-entitlements-01). The draft may change or die:
//! its names stand in this file, those of the other form of discovery in [`okta`].
//!
//! Where the draft's prose and its samples disagree this follows the prose: `value` and `supported` are always there, counts
//! would be integers, `contains` and `containedBy` hold values in roles and entitlements alike.

mod item;
pub(crate) mod okta;

use super::Visit;
use super::list::Asked;
use crate::answer;
use crate::error::Error;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use gateway_domain::Discovery;
use gateway_domain::catalogue::Catalogue;
use gateway_store::{PageAsk, Position};
use item::{Around, Item, Shown};
use scim::{ListQuery, ListResponse, Object, ResourceType, ScimError, ScimType, SortKey, Types};
use std::sync::Arc;

/// One endpoint of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shelf {
    /// `/Roles` and `/Entitlements` of the draft.
    Roles,
    /// All entitlements.
    Entitlements,
    /// `/Roles` as Okta reads them.
    OktaRoles,
    /// The entitlements of the resource type of this name, as Okta reads them.
    OktaEntitlements(String),
}

impl Shelf {
    /// The shelf at this endpoint, where the source's form of discovery has one.
    pub fn find(endpoint: &str, discovery: Discovery, catalogue: &Catalogue) -> Option<Self> {
        if catalogue.is_empty() {
            return None;
        }
        match (discovery, endpoint) {
            (Discovery::Ietf, "Roles") => Some(Shelf::Roles),
            (Discovery::Ietf, "Entitlements") => Some(Shelf::Entitlements),
            (Discovery::Okta, "Roles") => Some(Shelf::OktaRoles),
            (Discovery::Okta, _) => {
                let name = endpoint.strip_suffix('s')?;
                let known = catalogue.entitlement_types().into_iter().any(|ty| okta::type_name(ty) == name);
                known.then(|| Shelf::OktaEntitlements(name.to_owned()))
            }
            (Discovery::Ietf, _) => None,
        }
    }

    fn endpoint(&self) -> String {
        match self {
            Shelf::Roles | Shelf::OktaRoles => "/Roles".to_owned(),
            Shelf::Entitlements => "/Entitlements".to_owned(),
            Shelf::OktaEntitlements(name) => format!("/{name}s"),
        }
    }

    /// The resource type by whose schema it is filtered and projected, in either form.
    fn schema<'a>(&self, types: &'a Types) -> &'a ResourceType {
        match self {
            Shelf::Roles | Shelf::OktaRoles => types.role(),
            Shelf::Entitlements | Shelf::OktaEntitlements(_) => types.entitlement(),
        }
    }

    /// What stands on it, in order of id.
    fn items<'a>(&self, catalogue: &'a Catalogue) -> Vec<Item<'a>> {
        match self {
            Shelf::Roles | Shelf::OktaRoles => catalogue.roles().map(Item::Role).collect(),
            Shelf::Entitlements => catalogue.entitlements().map(Item::Entitlement).collect(),
            Shelf::OktaEntitlements(name) => catalogue
                .entitlements()
                .filter(|entry| okta::type_name(entry.entitlement.kind.as_str()) == *name)
                .map(Item::Entitlement)
                .collect(),
        }
    }
}

/// GET of a shelf.
pub(crate) async fn list(visit: &Visit<'_>, shelf: &Shelf) -> Result<HttpResponse, Error> {
    let ty = shelf.schema(visit.house.engine.types());
    let query = visit.query(Some(ty))?;
    page(visit, shelf, query).await
}

/// POST to a shelf's `/.search`.
pub(crate) async fn search(visit: &mut Visit<'_>, shelf: &Shelf) -> Result<HttpResponse, Error> {
    let house = visit.house;
    let query = visit.search_request(Some(shelf.schema(house.engine.types()))).await?;
    page(visit, shelf, query).await
}

/// GET of one role or entitlement.
pub(crate) async fn read(visit: &Visit<'_>, shelf: &Shelf, id: &str) -> Result<HttpResponse, Error> {
    let ty = shelf.schema(visit.house.engine.types());
    let projection = super::resources::projection(visit, ty)?;
    let policy = visit.house.engine.policy();
    let catalogue = policy.catalogue();
    let item = shelf.items(catalogue).into_iter().find(|item| item.id() == id);
    let item = item.ok_or_else(|| ScimError::not_found("The catalogue has nothing of this id."))?;
    let around = around(visit, catalogue, &[item]).await?;
    let document = Shown { shelf, ty, base: &visit.base(), around: &around }.document(item, &projection);
    Ok(answer::scim(visit.headers(), StatusCode::OK, &document))
}

/// What is shown beside the entries. People are counted only where one of the items is limited.
async fn around<'a>(visit: &Visit<'_>, catalogue: &'a Catalogue, items: &[Item<'_>]) -> Result<Around<'a>, Error> {
    let limited = items.iter().any(|item| item.permitted().is_some());
    let assignments = if limited { visit.house.engine.assignments().await? } else { Arc::default() };
    Ok(Around::of(catalogue, assignments))
}

async fn page(visit: &Visit<'_>, shelf: &Shelf, query: ListQuery) -> Result<HttpResponse, Error> {
    let ty = shelf.schema(visit.house.engine.types());
    let endpoint = shelf.endpoint();
    let asked = Asked::read(visit, &[&endpoint], &query)?;
    let policy = visit.house.engine.policy();
    let catalogue = policy.catalogue();
    let items = shelf.items(catalogue);
    let around = around(visit, catalogue, &items).await?;
    let items = sorted(filtered(items, ty, &around, &query), ty, &around, &query);
    let (from, to) = range(&items, &asked)?;
    let shown = Shown { shelf, ty, base: &visit.base(), around: &around };
    let resources: Vec<Object> =
        items.get(from..to).unwrap_or_default().iter().map(|item| shown.document(*item, &query.projection)).collect();
    let edge = |place: usize| items.get(place).map(|item| Position { value: Some(item.id().to_owned()), seq: 0 });
    let next = if to < items.len() && to > from { edge(to - 1) } else { None };
    let previous = if from > 0 && to > from { edge(from) } else { None };
    let response = ListResponse {
        total_results: items.len() as u64,
        start_index: asked.start(),
        items_per_page: u32::try_from(resources.len()).ok(),
        resources,
        next_cursor: asked.cursor(visit, next, false)?,
        previous_cursor: asked.cursor(visit, previous, true)?,
    };
    Ok(answer::scim(visit.headers(), StatusCode::OK, &response.to_json()))
}

/// Which of the items are on the page. A cursor names the last item of the page before it (or the first of the page behind).
fn range(items: &[Item<'_>], asked: &Asked) -> Result<(usize, usize), Error> {
    let size = asked.count as usize;
    let at = |position: &Position| {
        items.iter().position(|item| position.value.as_deref() == Some(item.id())).ok_or_else(|| {
            let detail = "The catalogue changed since the cursor was given. Start again with an empty cursor.";
            ScimError::bad_request(ScimType::ExpiredCursor, detail)
        })
    };
    let from = match &asked.page {
        PageAsk::Index(start) => usize::try_from(start.saturating_sub(1)).unwrap_or(usize::MAX).min(items.len()),
        PageAsk::First => 0,
        PageAsk::After(position) => at(position)? + 1,
        PageAsk::Before(position) => {
            let end = at(position)?;
            return Ok((end.saturating_sub(size), end));
        }
    };
    Ok((from, from.saturating_add(size).min(items.len())))
}

fn filtered<'a>(items: Vec<Item<'a>>, ty: &ResourceType, around: &Around<'_>, query: &ListQuery) -> Vec<Item<'a>> {
    let Some(filter) = &query.filter else { return items };
    items.into_iter().filter(|item| item.seen(around, |doc| scim::matches(filter, ty, doc))).collect()
}

fn sorted<'a>(mut items: Vec<Item<'a>>, ty: &ResourceType, around: &Around<'_>, query: &ListQuery) -> Vec<Item<'a>> {
    let Some(by) = &query.sort_by else { return items };
    items.sort_by_cached_key(|item| item.seen(around, |doc| SortKey::of(by, ty, doc)));
    if query.descending {
        items.reverse();
    }
    items
}

/// What ServiceProviderConfig says of it.
pub(crate) fn announcement(catalogue: &Catalogue) -> scim::Catalogue {
    let mut role_types: Vec<String> = catalogue.roles().filter_map(|role| role.ty.clone()).collect();
    role_types.sort_unstable();
    role_types.dedup();
    let entitlement_types = catalogue.entitlement_types().into_iter().map(str::to_owned).collect();
    scim::Catalogue { role_types, entitlement_types }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
pub(crate) mod tests {
    use super::*;
    use gateway_domain::catalogue::{EntitlementEntry, RoleEntry, parse_composite};
    use serde_json::json;

    fn entry(id: &str) -> EntitlementEntry {
        let (target, entitlement) = parse_composite(id).unwrap();
        EntitlementEntry {
            id: id.to_owned(),
            target,
            display: format!("The {}", entitlement.value),
            owner: Some("clinical-apps".to_owned()),
            sensitive: false,
            retired: false,
            source: "config".to_owned(),
            ordered: false,
            scoped: !entitlement.scope.is_empty(),
            assignments: None,
            entitlement,
        }
    }

    pub(crate) fn catalogue() -> Catalogue {
        let role = RoleEntry {
            value: "nurse".to_owned(),
            display: "Nurse".to_owned(),
            ty: Some("clinical".to_owned()),
            contains: vec!["ehr:position:RN".to_owned()],
            owner: None,
            time_bound_only: false,
            sensitive: false,
            assignments: None,
        };
        let ids = ["directory:group:nurses", "ehr:position:RN", "ehr:position:RN@facility=EAST"];
        Catalogue::new([role], ids.map(entry))
    }

    #[test]
    fn endpoints_are_those_of_the_sources_form_of_discovery() {
        let catalogue = catalogue();
        let find = |endpoint, discovery| Shelf::find(endpoint, discovery, &catalogue);

        assert_eq!(find("Entitlements", Discovery::Ietf), Some(Shelf::Entitlements));
        assert_eq!(find("Positions", Discovery::Ietf), None);
        assert_eq!(find("Positions", Discovery::Okta), Some(Shelf::OktaEntitlements("Position".into())));
        assert_eq!(find("Entitlements", Discovery::Okta), None);
        assert_eq!(find("Roles", Discovery::Okta), Some(Shelf::OktaRoles));
        assert_eq!(Shelf::find("Roles", Discovery::Ietf, &Catalogue::default()), None);
    }

    #[test]
    fn an_entitlement_names_the_roles_that_give_it_by_value() {
        let catalogue = catalogue();
        let around = Around::of(&catalogue, Arc::default());

        let attrs = Item::Entitlement(catalogue.entitlement("ehr:position:RN").unwrap()).attrs(&around);

        assert_eq!(attrs["containedBy"], json!(["nurse"]));
        assert_eq!(attrs["supported"], true);
        assert_eq!(attrs["value"], "ehr:position:RN");
    }

    #[test]
    fn pages_by_cursor_meet_without_gap_or_overlap_in_both_directions() {
        let catalogue = catalogue();
        let items = Shelf::Entitlements.items(&catalogue);
        let at = |place: usize| Position { value: Some(items[place].id().to_owned()), seq: 0 };
        let asked = |page| Asked::of(page, 2);

        assert_eq!(range(&items, &asked(PageAsk::First)).unwrap(), (0, 2));
        assert_eq!(range(&items, &asked(PageAsk::After(at(1)))).unwrap(), (2, 3));
        assert_eq!(range(&items, &asked(PageAsk::Before(at(2)))).unwrap(), (0, 2));
        assert_eq!(range(&items, &asked(PageAsk::Index(9))).unwrap(), (3, 3));
        assert_eq!(range(&items, &asked(PageAsk::Index(u64::MAX))).unwrap(), (3, 3));
        let gone = Position { value: Some("ehr:position:GONE".into()), seq: 0 };
        let error = range(&items, &asked(PageAsk::After(gone))).unwrap_err();
        assert_eq!(error.scim.scim_type, Some(ScimType::ExpiredCursor));
    }
}
