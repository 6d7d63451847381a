//! One directory: its connections, what is known of it, and how its entries are found and written.

use crate::{
    active,
    config::Config,
    dn::Filter,
    effect::Proofs,
    lister::Walks,
    names::Names,
    pool::{Pool, Session},
    session::{Entry, Query},
    shape::{PASSWORD, Shape},
    subschema::{Facts, control},
};
use connector_spi::{ConnError, Ctx, Host, Kind, Level, NativeId, Result};
use ldap3::{
    LdapResult, Mod, Scope,
    controls::{Assertion, RawControl},
};
use std::sync::{Arc, PoisonError, RwLock};

/// An LDAP directory as a target.
pub struct Directory {
    pub(crate) config: Config,
    pub(crate) pool: Pool,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) names: Names,
    /// Old names of accounts whose memberships have not followed yet, see `moves`.
    pub(crate) moves: Names,
    pub(crate) groups: Names,
    pub(crate) proofs: Proofs,
    pub(crate) walks: Walks,
    facts: RwLock<Option<Arc<Facts>>>,
}

/// A write of one entry that is known by its lasting id.
#[derive(Debug, Clone)]
pub enum Write {
    /// Changes of attributes.
    Modify(Vec<Mod<Vec<u8>>>),
    /// A new name.
    Rename {
        /// The new first part.
        rdn: String,
        /// The new entry above, where that changes.
        parent: Option<String>,
    },
    /// The end of it.
    Delete,
}

/// An entry's lasting id, its name as far as known, and the version that it must still have.
#[derive(Debug)]
pub struct Place<'p> {
    /// Its kind.
    pub shape: &'p Shape,
    /// Its id.
    pub id: &'p NativeId,
    /// Its name.
    pub dn: String,
    /// Taken by the first write.
    pub version: Option<String>,
}

impl Place<'_> {
    /// The name that a write goes to. An Active Directory takes the id itself, so no other entry can be meant; elsewhere the
    /// id goes along as an assertion.
    pub(crate) fn target(&self) -> String {
        let by_id = if self.shape.active { active::by_id(self.id.as_str()) } else { None };
        by_id.unwrap_or_else(|| self.dn.clone())
    }
}

impl Directory {
    /// Prepares; connects nothing.
    pub fn new(config: Config, host: Arc<dyn Host>) -> Result<Self> {
        Ok(Self {
            pool: Pool::new(&config, host)?,
            shapes: Shape::all(&config),
            names: Names::default(),
            moves: Names::default(),
            groups: Names::default(),
            proofs: Proofs::default(),
            walks: Walks::default(),
            facts: RwLock::new(None),
            config,
        })
    }

    /// The kind's shape; entitlement types have none.
    pub(crate) fn shape(&self, kind: &Kind) -> Result<&Shape> {
        self.shapes
            .iter()
            .find(|shape| shape.kind == *kind)
            .ok_or_else(|| ConnError::unsupported(format!("the directory has no kind {kind} that can be written")))
    }

    /// The attribute with the lasting id of accounts.
    pub(crate) fn id_attribute(&self) -> &str {
        self.shapes.first().map_or(self.config.account.id_attribute.as_str(), |shape| shape.id.as_str())
    }

    /// What is known of the server; read once.
    pub(crate) async fn facts(&self, cx: &Ctx) -> Result<Arc<Facts>> {
        if let Some(known) = self.facts.read().unwrap_or_else(PoisonError::into_inner).clone() {
            return Ok(known);
        }
        self.learn(cx).await
    }

    /// Reads what the server says about itself, anew.
    pub(crate) async fn learn(&self, cx: &Ctx) -> Result<Arc<Facts>> {
        let mut session = self.pool.session(cx).await?;
        let wanted: Vec<String> = [
            "vendorName",
            "vendorVersion",
            "objectClass",
            "structuralObjectClass",
            "supportedControl",
            "subschemaSubentry",
        ]
        .map(str::to_owned)
        .into();
        let root = session.entry("", &wanted, "reading the root entry").await?;
        let mut facts = Facts::default();
        if let Some(root) = root {
            let openldap = root.values("objectClass").iter().any(|class| class == b"OpenLDAProotDSE");
            facts.server = match (root.text("vendorName"), root.text("vendorVersion")) {
                (Some(vendor), Some(version)) => Some(format!("{vendor} {version}")),
                (Some(one), None) | (None, Some(one)) => Some(one.to_owned()),
                (None, None) => openldap.then(|| "OpenLDAP".to_owned()),
            };
            let text = |octets: &Vec<u8>| String::from_utf8_lossy(octets).into_owned();
            facts.controls = root.values("supportedControl").iter().map(text).collect();
            if let Some(at) = root.text("subschemaSubentry") {
                let wanted = ["attributeTypes".to_owned(), "objectClasses".to_owned()];
                let filter = Filter::Equal("objectClass".into(), b"subschema".to_vec());
                let query = Query {
                    base: at,
                    scope: Scope::Base,
                    filter: &filter,
                    attributes: &wanted,
                    limit: 0,
                    controls: Vec::new(),
                };
                // A server may keep its schema to itself: then types come from the configuration.
                if let Some(entry) = session.entries(query, "reading the schema").await.unwrap_or_default().first() {
                    facts.learn(
                        entry.values("attributeTypes").iter().map(text),
                        entry.values("objectClasses").iter().map(text),
                    );
                }
            }
        }
        let facts = Arc::new(facts);
        *self.facts.write().unwrap_or_else(PoisonError::into_inner) = Some(facts.clone());
        Ok(facts)
    }

    /// Attributes to ask for when reading entries of a kind. Passwords are never among them.
    pub(crate) fn wanted(&self, shape: &Shape, facts: &Facts) -> Vec<String> {
        let content = facts.of_classes(&shape.classes);
        let mut wanted: Vec<String> = if !shape.attributes.is_empty() {
            shape.attributes.iter().chain(&content.must).cloned().collect()
        } else if content.must.is_empty() && content.may.is_empty() {
            vec!["*".to_owned()]
        } else {
            content.must.iter().chain(&content.may).cloned().collect()
        };
        wanted.retain(|name| !name.eq_ignore_ascii_case(PASSWORD));
        let special = [
            Some(&shape.id),
            Some(&shape.rdn),
            shape.version.as_ref(),
            shape.owned_mark.as_ref(),
            shape.end_date.as_ref(),
            shape.member_of.as_ref(),
            shape.lock.as_ref().map(|lock| &lock.attribute),
            shape.status.as_ref().map(|status| &status.attribute),
        ];
        wanted.extend(special.into_iter().flatten().cloned());
        if shape.has_flags() {
            wanted.extend([active::CONTROL, active::PRIMARY, active::SID].map(str::to_owned));
        }
        wanted.extend(shape.keys.iter().flatten().cloned());
        wanted.sort_by_key(|name| name.to_lowercase());
        wanted.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
        wanted
    }

    /// The entry with this lasting id: by its remembered name, else by searching.
    pub(crate) async fn by_id(
        &self,
        session: &mut Session<'_>,
        shape: &Shape,
        id: &NativeId,
        attributes: &[String],
    ) -> Result<Option<Entry>> {
        if let Some(dn) = self.names.of(id.as_str()) {
            let entry = session.entry(&dn, attributes, "reading an entry").await?;
            if let Some(entry) = entry.filter(|entry| entry.text(&shape.id) == Some(id.as_str())) {
                return Ok(Some(entry));
            }
            self.names.forget(id.as_str());
        }
        let filter = Filter::Equal(shape.id.clone(), id.as_str().as_bytes().to_vec());
        let query = Query {
            base: &shape.base,
            scope: Scope::Subtree,
            filter: &filter,
            attributes,
            limit: 2,
            controls: Vec::new(),
        };
        let found = session.entries(query, "looking for an entry").await?.into_iter().next();
        if let Some(entry) = &found {
            self.names.learn(id.as_str(), &entry.dn);
        }
        Ok(found)
    }

    /// Where the entry with this id is. A remembered name is enough only where the server can hold writes against the id.
    pub(crate) async fn place<'p>(
        &self,
        session: &mut Session<'_>,
        facts: &Facts,
        shape: &'p Shape,
        id: &'p NativeId,
    ) -> Result<Option<Place<'p>>> {
        let at = |dn| Place { shape, id, dn, version: None };
        if facts.has(control::ASSERTION)
            && let Some(dn) = self.names.of(id.as_str())
        {
            return Ok(Some(at(dn)));
        }
        let wanted = [shape.id.clone()];
        Ok(self.by_id(session, shape, id, &wanted).await?.map(|entry| at(entry.dn)))
    }

    /// Carries out one write on the entry with this id and no other. A name that is no longer its own is looked up once.
    pub(crate) async fn write(
        &self,
        session: &mut Session<'_>,
        facts: &Facts,
        place: &mut Place<'_>,
        write: &Write,
    ) -> Result<LdapResult> {
        let version = place.version.take();
        let mut first = true;
        loop {
            let mut controls = guard(facts, place, version.as_deref());
            let target = place.target();
            let result = match write {
                Write::Modify(mods) => {
                    controls.push(RawControl { ctype: control::PERMISSIVE.to_owned(), crit: false, val: None });
                    session.modify(&target, mods.clone(), controls).await?
                }
                // The place of an entry that is named by its id alone is not known to every server.
                Write::Rename { rdn, parent } => session.rename(&place.dn, rdn, parent.as_deref(), controls).await?,
                Write::Delete => session.remove(&target, controls).await?,
            };
            if !(first && matches!(result.rc, 32 | 122)) {
                return Ok(result);
            }
            first = false;
            self.names.forget(place.id.as_str());
            let wanted = [place.shape.id.clone()];
            match self.by_id(session, place.shape, place.id, &wanted).await? {
                None => return Err(ConnError::not_found("the entry is gone").code(result.rc)),
                // It is where we thought: what failed is the version, or the new parent.
                Some(entry) if entry.dn == place.dn => return Ok(result),
                Some(entry) => place.dn = entry.dn,
            }
        }
    }

    /// Tells what a dry run would have sent: operations and names of attributes, never values.
    pub(crate) fn would_send(&self, cx: &Ctx, operation: &str, subject: &str, attributes: &[String]) {
        let fields = [("operation", operation), ("subject", subject), ("attributes", &attributes.join(" "))];
        cx.host.event(Level::Info, "Would send.", &fields);
    }
}

fn guard(facts: &Facts, place: &Place<'_>, version: Option<&str>) -> Vec<RawControl> {
    if !facts.has(control::ASSERTION) {
        return Vec::new();
    }
    let mut tests = vec![(place.shape.id.clone(), place.id.as_str().as_bytes().to_vec())];
    if let (Some(attribute), Some(version)) = (&place.shape.version, version) {
        tests.push((attribute.clone(), version.as_bytes().to_vec()));
    }
    let mut control = Assertion::new(Filter::All(tests).text());
    control.crit = true;
    vec![control]
}
