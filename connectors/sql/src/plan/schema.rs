//! What a target's file says about its kinds, in the words of the contract.

use super::KindPlan;
use crate::config::{self, Config, SessionRevocation, TakesEffect};
use connector_spi::{
    AccountState, AttrSchema, Declared, DeclaredEntitlement, DeclaredKind, Kind, KindCaps, KindSchema, Provenance,
    ReadAfterWrite, TargetSchema,
};
use std::collections::BTreeMap;

/// The schema, with a revision that changes when anything in it does.
pub(super) fn of(config: &Config, plans: &BTreeMap<Kind, KindPlan>) -> TargetSchema {
    let kinds = plans.iter().map(|(name, plan)| (name.clone(), kind_schema(config, plan))).collect();
    let mut schema = TargetSchema { revision: String::new(), kinds };
    let text = serde_json::to_vec(&schema).unwrap_or_default();
    schema.revision = format!("{:016x}", fnv1a(&text));
    schema
}

/// FNV-1a, 64 bits: the same on every build and machine, which the standard library does not promise of its hasher.
pub(crate) fn fnv1a(octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |hash, octet| (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3))
}

/// What the file tells before anything is opened.
pub(super) fn declared(config: &Config) -> Declared {
    let kinds = config.kinds.iter().map(|(name, kind)| {
        let types = kind.attributes.iter().map(|(name, attribute)| (name.clone(), attribute.ty));
        (name, DeclaredKind::of(types, |state| !config.read_only && closes(kind, state)))
    });
    let entitlements = config.kinds.values().flat_map(|kind| &kind.entitlements).map(|(name, one)| {
        // Whether a statement gives a place is not told by its text.
        (name, DeclaredEntitlement { ordered: false, scoped: !one.scope.is_empty() })
    });
    Declared::of(kinds, entitlements)
}

/// Whether the file says how a record is brought to a closing state.
fn closes(kind: &config::Kind, state: AccountState) -> bool {
    match state {
        AccountState::Disabled => !kind.states.disabled.is_empty(),
        AccountState::Blocked => !kind.states.blocked.is_empty(),
        AccountState::Expired => !kind.states.expired.is_empty(),
        AccountState::Enabled | AccountState::Unknown => false,
    }
}

fn kind_schema(config: &Config, plan: &KindPlan) -> KindSchema {
    let kind = &plan.config;
    KindSchema {
        role: kind.role,
        attrs: kind.attributes.iter().map(|(name, one)| (name.clone(), attribute_schema(plan, one))).collect(),
        natural_keys: kind.natural_keys.clone(),
        depends_on: kind.depends_on.iter().map(|name| Kind::from(name.as_str())).collect(),
        caps: caps(config, plan),
        provenance: Provenance::Declared,
    }
}

fn attribute_schema(plan: &KindPlan, attribute: &config::Attribute) -> AttrSchema {
    AttrSchema {
        ty: attribute.ty,
        required: attribute.required,
        multi: false,
        case_exact: attribute.case_exact,
        creatable: attribute.creatable && plan.insert.is_some(),
        updatable: attribute.updatable && !plan.update.is_empty(),
        readable: attribute.readable,
        returned_by_default: attribute.readable,
        sensitive: attribute.sensitive,
        allowed: attribute.allowed.clone(),
        references: attribute.references.as_deref().map(Kind::from),
        max_length: attribute.max_length,
    }
}

fn caps(config: &Config, plan: &KindPlan) -> KindCaps {
    let writes = !config.read_only;
    let grants = plan.entitlements.values().any(|one| !one.add.is_empty() || !one.remove.is_empty());
    let versioned = plan.touch.iter().chain(plan.update.iter().map(|step| &step.named)).any(|one| one.takes("version"));
    let ends_sessions = config.session_revocation != SessionRevocation::None
        && (!plan.revoke_sessions.is_empty() || plan.after.iter().any(|one| one.on.contains(&config::When::Sessions)));
    KindCaps {
        create: writes && plan.insert.is_some(),
        update: writes && (!plan.update.is_empty() || grants || !plan.states.is_empty()),
        delete: writes && !plan.delete.is_empty(),
        disable: writes && AccountState::CLOSING.into_iter().any(|state| closes(&plan.config, state)),
        list: plan.list.is_some(),
        sync: plan.changes.is_some(),
        find_by: plan.find.iter().map(|(key, _)| key.clone()).collect(),
        conditional_update: writes && versioned,
        idempotency_key: false,
        patch_multi: false,
        replaces_entitlements: false,
        max_batch: 0,
        max_page: plan.config.list.as_ref().map_or(0, |list| list.max_page),
        read_after_write: ReadAfterWrite::Immediate,
        delete_is_soft: plan.config.caps.delete_is_soft,
        set_password: false,
        end_date: plan.config.caps.end_date,
        effective: plan.effective.is_some() && config.takes_effect != TakesEffect::Unknown,
        revoke_sessions: writes && ends_sessions,
        follow_ups: writes && plan.after.iter().any(|one| one.on.iter().any(|when| *when != config::When::Sessions)),
    }
}
