//! Reading what a target can grant, whole or not at all.

use crate::targets::Target;
use crate::{Engine, Error};
use connector_spi::{AccountState, ConnError, KindRole, Record, Value};
use gateway_domain::Lane;
use serde::Serialize;
use std::collections::BTreeMap;

/// Records asked for at a time, where the target takes as many.
const PAGE: u32 = 500;
/// A target that lists more of one type does not come to an end.
const MOST: usize = 500_000;
/// Attributes that name an entry for people, best first, in small letters without signs.
const NAMES: [&str; 6] = ["displayname", "display", "name", "description", "title", "label"];

/// Something that a target can grant, as the target says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Grantable {
    /// Its type.
    #[serde(rename = "type")]
    pub ty: String,
    /// The target's name or id of it.
    pub value: String,
    /// What people call it, where the target has a name besides.
    pub display: Option<String>,
    /// Where it holds, from attributes called `scope.NAME`.
    pub scope: BTreeMap<String, String>,
    /// Who answers for it, from an attribute `owner`.
    pub owner: Option<String>,
    /// Holding it needs care, from an attribute `sensitive`.
    pub sensitive: bool,
    /// The target still knows it and gives it to nobody new: its record is disabled or has ended.
    pub retired: bool,
}

/// A target's catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetCatalogue {
    /// The target's name.
    pub target: String,
    /// Types that the target can list.
    pub types: Vec<String>,
    /// Types that it has and cannot list: those come from a file that was exported there.
    pub unlisted: Vec<String>,
    /// What it can grant.
    pub entries: Vec<Grantable>,
}

impl Engine {
    /// Reads a target's catalogue, page by page. A catalogue with a page that is not complete is no catalogue: what is missing
    /// in it would look as if it had gone.
    ///
    /// # Errors
    /// [`Error::Unknown`] when there is no such target; [`Error::Target`] with what the target answered.
    pub async fn catalogue(&self, name: &str) -> Result<TargetCatalogue, Error> {
        let target = self.targets().named(name).ok_or_else(|| Error::Unknown(format!("target {name}")))?;
        let refused = |error: ConnError| Error::Target(format!("{name}: {error}"));
        let schema = target.connector().schema(&target.ctx("catalogue", 1, Lane::Bulk)).await.map_err(refused)?;
        let mut catalogue = TargetCatalogue {
            target: target.name().to_owned(),
            types: Vec::new(),
            unlisted: Vec::new(),
            entries: Vec::new(),
        };
        for (kind, of) in schema.kinds.iter().filter(|(_, of)| of.role == KindRole::Entitlement) {
            if !of.caps.list {
                catalogue.unlisted.push(kind.to_string());
                continue;
            }
            catalogue.types.push(kind.to_string());
            let size = if of.caps.max_page == 0 { PAGE } else { of.caps.max_page.min(PAGE) };
            read(target, kind, size, &mut catalogue.entries).await.map_err(refused)?;
        }
        Ok(catalogue)
    }
}

async fn read(
    target: &Target,
    kind: &connector_spi::Kind,
    size: u32,
    entries: &mut Vec<Grantable>,
) -> connector_spi::Result<()> {
    let Some(lister) = target.connector().lister() else { return Ok(()) };
    let (mut cursor, began) = (None, entries.len());
    loop {
        let page = lister.list(&target.ctx("catalogue", 1, Lane::Bulk), kind, cursor.as_ref(), size).await?;
        if !page.complete || page.items.iter().any(|record| record.incomplete) {
            return Err(ConnError::unknown(format!("the list of {kind} is not complete")));
        }
        entries.extend(page.items.into_iter().map(grantable));
        if entries.len() - began > MOST {
            return Err(ConnError::permanent(format!("more than {MOST} of {kind}")));
        }
        match page.next {
            None => return Ok(()),
            Some(next) if Some(&next) == cursor.as_ref() => {
                return Err(ConnError::unknown(format!("the list of {kind} does not go on")));
            }
            next => cursor = next,
        }
    }
}

fn grantable(record: Record) -> Grantable {
    let plain = |name: &str| -> String {
        name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
    };
    let text = |values: &Vec<Value>| values.first().and_then(Value::as_text).map(str::to_owned);
    let named = |wanted: &str| record.attrs.iter().find(|(name, _)| plain(name) == wanted).and_then(|(_, v)| text(v));
    let display = NAMES.iter().find_map(|name| named(name)).filter(|display| *display != record.id.0);
    let scope = |(name, values): (&String, &Vec<Value>)| Some((name.strip_prefix("scope.")?.to_owned(), text(values)?));
    let sensitive = record.attrs.iter().find(|(name, _)| plain(name) == "sensitive").and_then(|(_, v)| v.first());
    Grantable {
        display,
        owner: named("owner"),
        sensitive: sensitive == Some(&Value::Bool(true)),
        scope: record.attrs.iter().filter_map(scope).collect(),
        retired: matches!(record.state, AccountState::Disabled | AccountState::Expired),
        ty: record.kind.0,
        value: record.id.0,
    }
}
