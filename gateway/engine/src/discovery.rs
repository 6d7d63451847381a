//! Getting to know a target: what it consists of, what that suggests for the configuration, and what it cannot do.

use crate::targets::Target;
use crate::{Engine, Error};
use connector_spi::{Ctx, Health as TargetSays, Kind, KindCaps, KindRole, Record, TargetSchema};
use gateway_domain::Lane;
use gateway_domain::proposal::{Proposal, propose};
use serde::Serialize;
use std::collections::BTreeMap;

/// Records of a kind that are read to judge its keys. They are looked at and forgotten.
const SAMPLE: u32 = 200;

/// The outcome of `chartgate target test`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetTest {
    /// The target's name.
    pub name: String,
    /// The kind of connector.
    pub kind: String,
    /// It answers and lets us in.
    pub ok: bool,
    /// What it said of itself.
    pub says: Option<TargetSays>,
    /// Why not.
    pub error: Option<String>,
    /// Kinds of objects, with their natural keys.
    pub kinds: Vec<String>,
    /// What it can grant, as far as one page tells.
    pub catalogue: Vec<CatalogueSeen>,
    /// Natural keys and mappings that what was found suggests.
    pub proposals: Vec<Proposal>,
    /// Values for settings that the target itself suggests, best first.
    pub settings: BTreeMap<String, Vec<String>>,
    /// What it cannot do, each with the consequence for somebody who leaves.
    pub consequences: Vec<String>,
    /// What could not be looked at, and why.
    pub unread: Vec<String>,
}

/// One type of entitlement of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogueSeen {
    /// The type.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Entries on the first page.
    pub read: usize,
    /// About how many there are, where the target tells or one page holds them all.
    pub total: Option<u64>,
    /// The first of them.
    pub examples: Vec<String>,
}

impl Engine {
    /// Asks a target whether it answers, what it consists of, what that suggests for the configuration and what it cannot do.
    /// Nothing is written there.
    ///
    /// # Errors
    /// [`Error::Unknown`] when there is no such target. That the target does not answer is no error but the result.
    pub async fn test_target(&self, name: &str) -> Result<TargetTest, Error> {
        let target = self.targets().named(name).ok_or_else(|| Error::Unknown(format!("target {name}")))?;
        target.layered().try_again();
        let cx = target.ctx("target-test", 1, Lane::Interactive);
        let mut test = TargetTest {
            name: target.name().to_owned(),
            kind: target.kind().to_owned(),
            ok: false,
            says: None,
            error: None,
            kinds: Vec::new(),
            catalogue: Vec::new(),
            proposals: Vec::new(),
            settings: BTreeMap::new(),
            consequences: Vec::new(),
            unread: Vec::new(),
        };
        match target.connector().check(&cx).await {
            Ok(says) => test.says = Some(says),
            Err(error) => {
                test.error = Some(error.to_string());
                return Ok(test);
            }
        }
        match target.connector().schema(&cx).await {
            Ok(schema) => {
                test.ok = true;
                test.kinds = schema.kinds.iter().map(|(kind, of)| format!("{kind} by {:?}", of.natural_keys)).collect();
                test.consequences = consequences(target.name(), &schema);
                look_around(&mut test, &schema, target).await;
            }
            Err(error) => test.error = Some(error.to_string()),
        }
        target.woken().notify_one();
        Ok(test)
    }
}

/// Reads a page of each kind. A page that cannot be read is told and is no failure: the target answers all the same.
async fn look_around(test: &mut TargetTest, schema: &TargetSchema, target: &Target) {
    for (kind, of) in &schema.kinds {
        let cx = target.ctx("target-test", 1, Lane::Interactive);
        let page = match page(target, &cx, kind, of.caps.list).await {
            Ok(page) => page,
            Err(error) => {
                test.unread.push(format!("{kind}: {error}"));
                Page::default()
            }
        };
        match of.role {
            KindRole::Entitlement => test.catalogue.extend((of.caps.list).then(|| CatalogueSeen {
                kind: kind.clone(),
                read: page.records.len(),
                total: page.total,
                examples: page.records.iter().take(5).map(|record| record.id.to_string()).collect(),
            })),
            KindRole::Account | KindRole::Other if of.caps.create => {
                test.proposals.push(propose(kind, of, &page.records));
            }
            KindRole::Account | KindRole::Other => {}
        }
    }
    if let Some(discoverer) = target.connector().discoverer() {
        match discoverer.discover(&target.ctx("target-test", 1, Lane::Interactive)).await {
            Ok(settings) => test.settings = settings,
            Err(error) => test.unread.push(format!("settings: {error}")),
        }
    }
}

#[derive(Default)]
struct Page {
    records: Vec<Record>,
    total: Option<u64>,
}

async fn page(target: &Target, cx: &Ctx, kind: &Kind, lists: bool) -> connector_spi::Result<Page> {
    let Some(lister) = target.connector().lister().filter(|_| lists) else { return Ok(Page::default()) };
    let page = lister.list(cx, kind, None, SAMPLE).await?;
    let whole = (page.next.is_none() && page.complete).then_some(page.items.len() as u64);
    Ok(Page { total: whole.or(page.total_hint), records: page.items })
}

/// What the target cannot do, each in one sentence that says what it means for a leaver.
fn consequences(name: &str, schema: &TargetSchema) -> Vec<String> {
    let mut told = Vec::new();
    for (kind, of) in schema.kinds.iter().filter(|(_, of)| of.role == KindRole::Account) {
        let KindCaps { disable, revoke_sessions, end_date, effective, conditional_update, list, .. } = of.caps;
        let sentences = [
            (
                disable,
                format!(
                    "{name} cannot switch an {kind} off: a leaver's access ends only by taking entitlements or by deleting."
                ),
            ),
            (
                revoke_sessions,
                format!(
                    "{name} cannot end sessions: a leaver who is logged in stays so until the session ends by itself."
                ),
            ),
            (
                effective,
                format!("{name} cannot tell who is let in: the closing of a leaver's {kind} is shown as unverified."),
            ),
            (
                end_date,
                format!(
                    "{name} has no end dates: a leaver's access ends when the gateway acts, and not while it is down."
                ),
            ),
            (
                conditional_update,
                format!(
                    "{name} has no versions: a change made there by hand at the same moment may be overwritten, and what \
                     somebody gives a leaver at the moment of the closing is seen only when the {kind} is read again."
                ),
            ),
            (
                list,
                format!(
                    "{name} cannot list its {kind}s: one that nobody here made stays unseen, also a leaver's second one."
                ),
            ),
        ];
        told.extend(sentences.into_iter().filter(|(can, _)| !can).map(|(_, sentence)| sentence));
    }
    told
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use connector_spi::{KindSchema, Provenance};

    fn schema(role: KindRole, caps: KindCaps) -> TargetSchema {
        let kind = KindSchema {
            role,
            attrs: BTreeMap::new(),
            natural_keys: Vec::new(),
            depends_on: Vec::new(),
            caps,
            provenance: Provenance::Declared,
        };
        TargetSchema { revision: String::new(), kinds: BTreeMap::from([("account".into(), kind)]) }
    }

    fn able() -> KindCaps {
        KindCaps {
            disable: true,
            revoke_sessions: true,
            end_date: true,
            effective: true,
            conditional_update: true,
            list: true,
            ..KindCaps::default()
        }
    }

    #[test]
    fn each_thing_that_a_target_cannot_do_is_told_in_one_sentence_about_a_leaver() {
        let all = [
            (KindCaps { disable: false, ..able() }, "cannot switch an account off"),
            (KindCaps { revoke_sessions: false, ..able() }, "cannot end sessions"),
            (KindCaps { effective: false, ..able() }, "cannot tell who is let in"),
            (KindCaps { end_date: false, ..able() }, "has no end dates"),
            (KindCaps { conditional_update: false, ..able() }, "has no versions"),
            (KindCaps { list: false, ..able() }, "cannot list its accounts"),
        ];
        for (caps, beginning) in all {
            let told = consequences("ehr", &schema(KindRole::Account, caps));
            assert_eq!(told.len(), 1, "{told:?}");
            let sentence = told.first().unwrap();
            assert!(sentence.starts_with(&format!("ehr {beginning}: ")) && sentence.contains("leaver"), "{sentence}");
        }
        assert_eq!(consequences("ehr", &schema(KindRole::Account, KindCaps::default())).len(), 6);
    }

    #[test]
    fn a_target_that_can_do_everything_has_no_consequences_and_nobody_leaves_a_catalogue() {
        assert_eq!(consequences("ehr", &schema(KindRole::Account, able())), [] as [String; 0]);
        assert_eq!(consequences("ehr", &schema(KindRole::Entitlement, KindCaps::default())), [] as [String; 0]);
    }
}
