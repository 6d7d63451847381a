//! How many people hold what is given, counted from what is wanted.

use super::ids::count;
use super::names::Sort;
use super::turn::Shared;
use crate::error::{Result, StoreError};
use crate::work::Assignments;
use connector_spi::Entitlement;
use gateway_domain::TargetId;
use rusqlite::Connection;

/// Entitlements of links that are neither closed nor tombstones nor of a target that left; `one` is each.
const HELD: &str = "FROM link JOIN json_each(link.wanted, '$.entitlements') AS one \
    WHERE link.wanted IS NOT NULL AND closing = 0 AND state NOT IN (2, 30)";

/// Counts them.
pub(super) fn assignments(conn: &Connection, shared: &Shared) -> Result<Assignments> {
    let mut all = Assignments::default();
    for scope in ["NULL", "one.value -> '$.entitlement.scope'"] {
        let mut statement = conn.prepare(&format!(
            "SELECT target, one.value ->> '$.entitlement.type', one.value ->> '$.entitlement.value', {scope} AS scope, \
             count(DISTINCT resource) {HELD} GROUP BY 1, 2, 3, 4 HAVING scope IS NOT NULL OR {whole}",
            whole = scope == "NULL"
        ))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (kind, value): (String, String) = (row.get(1)?, row.get(2)?);
            let scope: Option<String> = row.get(3)?;
            let scope = scope.map(|text| serde_json::from_str(&text)).transpose();
            let scope = scope.map_err(|_| StoreError::Corrupt("a scope cannot be read".into()))?.unwrap_or_default();
            let target = TargetId::from(shared.names.text(Sort::Target, row.get(0)?)?.as_ref());
            all.entitlements.push((target, Entitlement { scope, ..Entitlement::new(kind, value) }, count(row, 4)?));
        }
    }
    let mut statement = conn.prepare(&format!(
        "SELECT origin.value ->> '$.role', count(DISTINCT resource) \
         FROM (SELECT link.resource, one.value AS given {HELD}) JOIN json_each(given, '$.origins') AS origin \
         WHERE origin.value ->> '$.role' IS NOT NULL GROUP BY 1"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        all.roles.insert(row.get(0)?, count(row, 1)?);
    }
    Ok(all)
}
