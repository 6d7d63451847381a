//! Reading pages of resources.

use crate::change::{GroupRef, Stored};
use gateway_domain::{Link, ResourceId, SourceId};
use scim::{AttrPath, Filter, ResourceType};
use std::{sync::Arc, time::Duration};

/// What an answer needs beside the resource itself; what is not asked for is not read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// A group's members.
    pub members: bool,
    /// A user's groups.
    pub groups: bool,
    /// The links, for the Sync extension.
    pub links: bool,
}

/// A resource with what was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The resource.
    pub resource: Stored,
    /// A group's members in order of being added; empty when not asked for.
    pub members: Vec<MemberRow>,
    /// A user's groups; empty when not asked for.
    pub groups: Vec<GroupRef>,
    /// Its links; empty when not asked for.
    pub links: Vec<Link>,
}

/// One member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    /// The member's id.
    pub id: ResourceId,
    /// Its resource type's name.
    pub ty: String,
    /// Its `displayName`, or `userName` where it has none.
    pub display: Option<String>,
}

/// Which page.
#[derive(Debug, Clone)]
pub struct ListRequest {
    /// Resource types to look in; more than one at the root.
    pub types: Vec<Arc<ResourceType>>,
    /// Only what matches. Attributes that a type does not have do not match.
    pub filter: Option<Filter>,
    /// In this order; else in the order of creation.
    pub sort: Option<Sort>,
    /// Which part of it.
    pub page: PageAsk,
    /// Most resources on the page. With 0 only the total is told.
    pub count: u32,
    /// Whose `externalId` the filter means.
    pub source: SourceId,
    /// What to read beside the resources.
    pub needs: Needs,
    /// Give up after this long.
    pub budget: Duration,
}

/// An order.
#[derive(Debug, Clone, PartialEq)]
pub struct Sort {
    /// By this attribute.
    pub by: AttrPath,
    /// Largest first.
    pub descending: bool,
}

/// Which part of the whole.
#[derive(Debug, Clone, PartialEq)]
pub enum PageAsk {
    /// From this place on, counted from 1 (RFC 7644, section 3.4.2.4).
    Index(u64),
    /// The first page, by position (RFC 9865).
    First,
    /// What comes behind this position.
    After(Position),
    /// What comes before this position, still in ascending order of the listing.
    Before(Position),
}

/// A place in an ordered listing that survives inserts and deletes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The sort value of the resource at that place; `None` where it has none or nothing is sorted by.
    pub value: Option<String>,
    /// Its sequence number.
    pub seq: i64,
}

/// A page.
#[derive(Debug, Clone, PartialEq)]
pub struct ListPage {
    /// What is on it.
    pub items: Vec<View>,
    /// How many match in all.
    pub total: u64,
    /// The position of the last one, when more follow.
    pub next: Option<Position>,
    /// The position of the first one, when some come before.
    pub previous: Option<Position>,
}
