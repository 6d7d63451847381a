//! What the connector does with this server: what it offers, less what the configuration takes away. Pure.

use crate::{
    config::{Config, Manage, Memberships, UserList},
    discovery::{Offer, Resource, Seen},
    path::Path,
    search::Search,
};
use connector_spi::{
    AttrSchema, Kind, KindCaps, KindRole, KindSchema, Provenance, ReadAfterWrite, TargetSchema, ValueType,
};
use scim::{Mutability, Returned, Type};
use std::collections::BTreeMap;

/// The kind of accounts.
pub(crate) const ACCOUNT: &str = "account";
/// The kind of groups, and the type of entitlement that they are.
pub(crate) const GROUP: &str = "group";
/// The members of a group kept as an object.
pub(crate) const MEMBERS: &str = "members";

/// What the connector does with this server.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) patch: bool,
    pub(crate) search: Search,
    pub(crate) etag: bool,
    pub(crate) by_cursor: bool,
    pub(crate) page: u32,
    pub(crate) kinds: BTreeMap<Kind, KindPlan>,
    pub(crate) lists: Vec<UserList>,
    pub(crate) memberships: Option<Memberships>,
    pub(crate) excluded: bool,
    /// An account is looked for before it is made, although one of its keys is unique.
    look: bool,
    pub(crate) schema: TargetSchema,
    /// What works less well than it should.
    pub(crate) warnings: Vec<String>,
}

/// What sort of records a kind has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Account,
    /// A group as an object.
    Group,
    /// Groups that are entitlements: read only.
    GroupCatalogue,
    /// Roles or entitlements with an endpoint of their own, keyed by their `value`.
    Catalogue,
}

/// One kind of records.
#[derive(Debug)]
pub(crate) struct KindPlan {
    pub(crate) name: Kind,
    pub(crate) sort: Sort,
    pub(crate) resource: Resource,
    pub(crate) attrs: BTreeMap<String, Attribute>,
    pub(crate) natural_keys: Vec<Vec<String>>,
    /// The keys that are looked at before a record is made, since the server would take a second one.
    pub(crate) look_first: Vec<Vec<String>>,
    pub(crate) caps: KindCaps,
}

/// One attribute of a kind.
#[derive(Debug, Clone)]
pub(crate) struct Attribute {
    pub(crate) path: Path,
    pub(crate) ty: Type,
    pub(crate) schema: AttrSchema,
    pub(crate) unique: bool,
}

impl Plan {
    /// Lays the configuration over what the server offers.
    pub(crate) fn make(config: &Config, offer: Offer) -> Self {
        let patch = offer.patch && !config.without.patch;
        let etag = offer.etag && !config.without.etag;
        // A list by cursor loses nothing when something is deleted meanwhile. A server whose index may not be used is left
        // with the cursor, whether it speaks of one or not.
        let index = offer.index && !config.without.index;
        let by_cursor = !config.without.cursor && (offer.cursor || !index);
        let mut warnings = offer.doubts;
        if !patch && !etag {
            warnings
                .push("without PATCH and entity tags two writers of a resource can overwrite each other".to_owned());
        }
        if !offer.filter && config.search.scan_pages == 0 {
            warnings.push(
                "without filters an account cannot be looked up: a lost answer to a create is not cured".to_owned(),
            );
        }
        let limit = if offer.max_page == 0 { config.page_size } else { config.page_size.min(offer.max_page) };
        let mut plan = Self {
            patch,
            search: Search::new(&config.search, offer.filter),
            etag,
            by_cursor,
            page: limit.max(1),
            kinds: BTreeMap::new(),
            lists: Vec::new(),
            memberships: None,
            excluded: !config.without.excluded_attributes,
            look: config.account.look_first,
            schema: TargetSchema { revision: String::new(), kinds: BTreeMap::new() },
            warnings,
        };
        let provenance = if offer.detected { Provenance::Detected } else { Provenance::Default };
        match offer.types.get("User") {
            Some(user) => plan.account(config, user),
            None => plan.warnings.push("the server has no resource type User".to_owned()),
        }
        match offer.types.get("Group") {
            Some(group) if config.groups.manage != Manage::Nothing => plan.group(config, group),
            _ => {}
        }
        for list in plan.lists.clone() {
            let name = if list == UserList::Roles { "Role" } else { "Entitlement" };
            plan.catalogue(list, offer.types.get(name));
        }
        for (name, kind) in &plan.kinds {
            plan.schema.kinds.insert(name.clone(), kind.schema(provenance));
        }
        let text = serde_json::to_vec(&plan.schema.kinds).unwrap_or_default();
        plan.schema.revision = format!("{:016x}", fnv1a(&text));
        plan
    }

    fn account(&mut self, config: &Config, user: &Resource) {
        let account = &config.account;
        let mut attrs = self.attributes(ACCOUNT, user, &account.attributes);
        for name in &account.required {
            if let Some(attribute) = attrs.get_mut(name) {
                attribute.schema.required = true;
            }
        }
        for seen in user.attributes.iter().filter(|seen| seen.required && seen.mutability != Mutability::ReadOnly) {
            if !attrs
                .values()
                .any(|attribute| attribute.path.urn.is_none() && attribute.path.name.eq_ignore_ascii_case(&seen.name))
            {
                self.warnings.push(format!("the server demands {}, which is not among account.attributes", seen.name));
            }
        }
        let shown = |seen: &Seen| !matches!(seen.returned, Returned::Never | Returned::Request);
        self.lists = account.entitlements.clone();
        self.lists.dedup();
        self.lists.retain(|list| user.own(list.attribute()).is_some_and(shown));
        if config.groups.manage == Manage::Entitlements {
            let on_user = user.own("groups").is_some_and(shown);
            self.memberships = match account.memberships {
                Some(Memberships::User) if !on_user => {
                    self.warnings.push("the server's User shows no groups: memberships are not read".to_owned());
                    None
                }
                Some(Memberships::Groups) if !self.search.finds_members() => {
                    let why = "the server cannot be searched for the groups of a member: memberships are not read";
                    self.warnings.push(why.to_owned());
                    None
                }
                Some(chosen) => Some(chosen),
                None if on_user => Some(Memberships::User),
                None if self.search.finds_members() => Some(Memberships::Groups),
                None => None,
            };
        }
        let active = user.own("active").is_some_and(|seen| seen.mutability != Mutability::ReadOnly);
        let natural_keys = keys(&account.natural_keys, &attrs);
        if natural_keys.is_empty() {
            self.warnings.push("no natural key is left of those in account.natural_keys".to_owned());
        }
        if config.search.filters.is_some() {
            for key in natural_keys.iter().filter(|key| !self.search.can(&attrs, key)) {
                let key = key.join(", ");
                self.warnings.push(format!("no filter of the server's and no scan_pages for a look-up by {key}"));
            }
        }
        let ends = account.end_date.as_ref().and_then(|name| attrs.get(name));
        let caps = KindCaps {
            end_date: ends
                .is_some_and(|attribute| attribute.schema.updatable && attribute.schema.ty == ValueType::Timestamp),
            disable: active,
            delete: account.allow_delete,
            effective: config.inactive_refuses_login,
            ..self.caps(config, &attrs, &natural_keys)
        };
        self.insert(ACCOUNT.into(), Sort::Account, user.clone(), attrs, natural_keys, caps);
    }

    fn group(&mut self, config: &Config, group: &Resource) {
        let groups = &config.groups;
        let mut attrs = self.attributes(GROUP, group, &groups.attributes);
        let natural_keys = keys(&groups.natural_keys, &attrs);
        if groups.manage == Manage::Entitlements {
            for attribute in attrs.values_mut() {
                attribute.schema =
                    AttrSchema { creatable: false, updatable: false, required: false, ..attribute.schema.clone() };
            }
            let caps = KindCaps { create: false, update: false, ..self.caps(config, &attrs, &natural_keys) };
            return self.insert(GROUP.into(), Sort::GroupCatalogue, group.clone(), attrs, natural_keys, caps);
        }
        let members = Attribute {
            path: Path { urn: None, name: MEMBERS.to_owned(), pick: None, sub: Some("value".to_owned()) },
            ty: Type::String,
            schema: AttrSchema {
                multi: true,
                case_exact: true,
                readable: groups.members_shown,
                returned_by_default: groups.members_shown,
                references: Some(ACCOUNT.into()),
                ..AttrSchema::default()
            },
            unique: false,
        };
        attrs.insert(MEMBERS.to_owned(), members);
        let caps = KindCaps { delete: groups.allow_delete, ..self.caps(config, &attrs, &natural_keys) };
        self.insert(GROUP.into(), Sort::Group, group.clone(), attrs, natural_keys, caps);
    }

    /// Roles or entitlements: what can be said of them, and whether they can be listed.
    fn catalogue(&mut self, list: UserList, resource: Option<&Resource>) {
        let named: Vec<String> = ["value", "display", "type"].map(str::to_owned).to_vec();
        let fixed = |path: Path| Attribute {
            path,
            ty: Type::String,
            schema: AttrSchema { creatable: false, updatable: false, case_exact: true, ..AttrSchema::default() },
            unique: false,
        };
        let attrs = named.iter().filter_map(|name| Some((name.clone(), fixed(Path::parse(name).ok()?)))).collect();
        let nowhere =
            Resource { endpoint: Vec::new(), schema: String::new(), attributes: Vec::new(), extensions: Vec::new() };
        let caps = KindCaps { list: resource.is_some(), max_page: self.page, ..KindCaps::default() };
        let resource = resource.cloned().unwrap_or(nowhere);
        self.insert(list.kind().into(), Sort::Catalogue, resource, attrs, vec![vec!["value".to_owned()]], caps);
    }

    fn insert(
        &mut self,
        name: Kind,
        sort: Sort,
        resource: Resource,
        attrs: BTreeMap<String, Attribute>,
        natural_keys: Vec<Vec<String>>,
        caps: KindCaps,
    ) {
        let unique =
            |key: &&Vec<String>| key.iter().any(|name| attrs.get(name).is_some_and(|attribute| attribute.unique));
        // One key that the server keeps unique refuses a second record, unless that may have another name.
        let sure = natural_keys.iter().any(|key| unique(&key)) && !(self.look && sort == Sort::Account);
        let unsure = natural_keys.iter().filter(|key| !sure && !unique(key) && self.search.can(&attrs, key));
        let look_first = unsure.cloned().collect();
        self.kinds.insert(name.clone(), KindPlan { name, sort, resource, attrs, natural_keys, look_first, caps });
    }

    fn caps(&self, config: &Config, attrs: &BTreeMap<String, Attribute>, natural_keys: &[Vec<String>]) -> KindCaps {
        let changes = self.patch || !config.without.put;
        KindCaps {
            create: true,
            update: changes,
            list: true,
            find_by: natural_keys.iter().filter(|key| self.search.can(attrs, key)).cloned().collect(),
            conditional_update: self.etag && changes,
            patch_multi: changes,
            max_page: self.page,
            read_after_write: config.read_after_write_ms.map_or(ReadAfterWrite::Immediate, ReadAfterWrite::EventualMs),
            ..KindCaps::default()
        }
    }

    /// The configured attributes that the server has.
    fn attributes(&mut self, table: &str, resource: &Resource, names: &[String]) -> BTreeMap<String, Attribute> {
        let mut found = BTreeMap::new();
        for name in names {
            // The configuration was checked, so every name is a path.
            let Ok(path) = Path::parse(name) else { continue };
            match resource.find(&path).and_then(|(whole, sub)| attribute(path, whole, sub)) {
                Some(attribute) => {
                    found.insert(name.clone(), attribute);
                }
                None => self.warnings.push(format!("the server's schema has no such attribute of a {table}: {name}")),
            }
        }
        found
    }

    /// Where a list of the User stands.
    pub(crate) fn list(&self, kind: &Kind) -> Option<UserList> {
        self.lists.iter().copied().find(|list| list.kind() == kind.as_str())
    }
}

/// The keys of which every attribute is there.
fn keys(configured: &[Vec<String>], attrs: &BTreeMap<String, Attribute>) -> Vec<Vec<String>> {
    configured.iter().filter(|key| key.iter().all(|name| attrs.contains_key(name))).cloned().collect()
}

/// What holds for a path; `None` where no value of it can be spoken of: a complex attribute without a sub-attribute, or an
/// element of something that is no list.
fn attribute(path: Path, whole: &Seen, sub: Option<&Seen>) -> Option<Attribute> {
    let leaf = sub.unwrap_or(whole);
    if leaf.ty == Type::Complex || (path.pick.is_some() && !whole.multi) {
        return None;
    }
    let writes = |seen: &Seen| seen.mutability != Mutability::ReadOnly;
    let changes = |seen: &Seen| matches!(seen.mutability, Mutability::ReadWrite | Mutability::WriteOnly);
    let reads = |seen: &Seen| seen.mutability != Mutability::WriteOnly && seen.returned != Returned::Never;
    // A sub-attribute of a list's element is immutable in the sense that the element is replaced.
    let sub_changes = sub.is_none_or(|sub| changes(sub) || whole.multi);
    let schema = AttrSchema {
        ty: value_type(leaf.ty),
        required: whole.required && leaf.required,
        multi: whole.multi && path.pick.is_none(),
        case_exact: leaf.case_exact,
        creatable: writes(whole) && writes(leaf),
        updatable: changes(whole) && writes(leaf) && sub_changes,
        readable: reads(whole) && reads(leaf),
        returned_by_default: whole.returned != Returned::Request && leaf.returned != Returned::Request,
        ..AttrSchema::default()
    };
    Some(Attribute { path, ty: leaf.ty, schema, unique: whole.unique })
}

fn value_type(ty: Type) -> ValueType {
    match ty {
        Type::Boolean => ValueType::Boolean,
        Type::Integer => ValueType::Integer,
        Type::DateTime => ValueType::Timestamp,
        Type::Binary => ValueType::Bytes,
        Type::String | Type::Decimal | Type::Reference | Type::Complex => ValueType::Text,
    }
}

impl KindPlan {
    fn schema(&self, provenance: Provenance) -> KindSchema {
        let role = match self.sort {
            Sort::Account => KindRole::Account,
            Sort::Group => KindRole::Other,
            Sort::GroupCatalogue | Sort::Catalogue => KindRole::Entitlement,
        };
        KindSchema {
            role,
            attrs: self.attrs.iter().map(|(name, attribute)| (name.clone(), attribute.schema.clone())).collect(),
            natural_keys: self.natural_keys.clone(),
            depends_on: if self.sort == Sort::Group { vec![ACCOUNT.into()] } else { Vec::new() },
            caps: self.caps.clone(),
            provenance,
        }
    }

    /// Whether the kind is a resource type with its own name for a key in a catalogue.
    pub(crate) fn is_group(&self) -> bool {
        matches!(self.sort, Sort::Group | Sort::GroupCatalogue)
    }
}

/// FNV-1a, 64 bits: names a revision, and is no protection.
fn fnv1a(octets: &[u8]) -> u64 {
    octets
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, octet| (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::{Documents, understand};
    use serde_json::{Value as Json, json};

    fn plan(more: Json, documents: &Documents) -> Plan {
        let mut config = json!({"http": {"url": "https://scim.example/v2"}});
        if let (Some(config), Json::Object(more)) = (config.as_object_mut(), more) {
            config.extend(more);
        }
        Plan::make(&serde_json::from_value(config).unwrap(), understand(documents, "/v2/"))
    }

    #[test]
    fn configuration_takes_away_and_never_adds() {
        let says = |patch: bool, etag: bool| Documents {
            config: Some(json!({"patch": {"supported": patch}, "etag": {"supported": etag}})),
            ..Documents::default()
        };
        assert!(plan(json!({}), &says(true, true)).patch);
        assert!(!plan(json!({"without": {"patch": true}}), &says(true, true)).patch);
        assert!(!plan(json!({"without": {"patch": false}}), &says(false, true)).patch);
        assert!(!plan(json!({"without": {"etag": true}}), &says(true, true)).etag);
        assert!(!plan(json!({}), &says(false, false)).kinds[&ACCOUNT.into()].caps.conditional_update);
    }

    #[test]
    fn an_attribute_that_the_server_does_not_have_is_left_out_and_told() {
        let attributes =
            json!(["userName", "externalId", "name", "nonsense", "emails[type eq \"work\"].value", "emails.value"]);
        let plan = plan(json!({"account": {"attributes": attributes}}), &Documents::default());
        let account = &plan.kinds[&ACCOUNT.into()];
        let names: Vec<_> = account.attrs.keys().map(String::as_str).collect();
        assert_eq!(names, ["emails.value", "emails[type eq \"work\"].value", "externalId", "userName"]);
        assert!(
            account.attrs["emails.value"].schema.multi && !account.attrs["emails[type eq \"work\"].value"].schema.multi
        );
        assert!(plan.warnings.iter().any(|warning| warning.contains("nonsense")));
        assert_eq!(account.look_first, [[""; 0]; 0], "userName is unique by RFC 7643");
        let more = json!({"account": {"look_first": true}});
        let plan = self::plan(more, &Documents::default());
        assert_eq!(plan.kinds[&ACCOUNT.into()].look_first, [["externalId"]]);
    }

    #[test]
    fn groups_are_objects_or_entitlements_and_never_both() {
        let group = Kind::from(GROUP);
        let as_entitlements = plan(json!({}), &Documents::default());
        assert!(!as_entitlements.kinds[&group].caps.create && as_entitlements.memberships == Some(Memberships::User));
        let objects = plan(json!({"groups": {"manage": "objects"}}), &Documents::default());
        assert!(objects.kinds[&group].caps.create && objects.memberships.is_none());
        assert!(!plan(json!({"groups": {"manage": "nothing"}}), &Documents::default()).kinds.contains_key(&group));
    }
}
