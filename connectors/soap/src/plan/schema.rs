//! What a target's file says about its kinds, in the words of the contract.

use crate::config::{self, Config, Pages};
use connector_declared::fnv1a;
use connector_spi::{
    AccountState, AttrSchema, Declared, DeclaredEntitlement, DeclaredKind, Kind, KindCaps, KindSchema, Provenance,
    ReadAfterWrite, TargetSchema,
};

/// The schema, as yet without its revision.
pub(super) fn of(config: &Config) -> TargetSchema {
    let kinds = config.kinds.iter().map(|(name, kind)| (Kind::from(name.as_str()), kind_schema(config, kind)));
    TargetSchema { revision: String::new(), kinds: kinds.collect() }
}

/// Gives the schema a revision that changes when anything in it does.
pub(super) fn seal(schema: &mut TargetSchema) {
    schema.revision.clear();
    let text = serde_json::to_vec(&schema).unwrap_or_default();
    schema.revision = format!("{:016x}", fnv1a(&text));
}

/// What the file tells before anything is opened.
pub(super) fn declared(config: &Config) -> Declared {
    let kinds = config.kinds.iter().map(|(name, kind)| {
        let types = kind.attributes.iter().map(|(name, attribute)| (name.clone(), attribute.ty));
        (name, DeclaredKind::of(types, |state| !config.read_only && closes(kind, state)))
    });
    let entitlements = config.kinds.values().flat_map(|kind| &kind.entitlements).map(|(name, one)| {
        let read = one.read.as_ref();
        let told = DeclaredEntitlement {
            ordered: read.is_some_and(|read| read.order.is_some() || read.first_at.is_some()),
            scoped: read.is_some_and(|read| !read.scope.is_empty()),
        };
        (name, told)
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

fn kind_schema(config: &Config, kind: &config::Kind) -> KindSchema {
    let attribute = |(name, attribute): (&String, &config::Attribute)| {
        let schema = AttrSchema {
            ty: attribute.ty,
            required: attribute.required,
            multi: attribute.multi,
            case_exact: attribute.case_exact,
            creatable: attribute.creatable && kind.create.is_some(),
            updatable: attribute.updatable && !kind.update.is_empty(),
            readable: attribute.at.is_some(),
            returned_by_default: attribute.at.is_some(),
            sensitive: attribute.sensitive,
            allowed: attribute.allowed.clone(),
            references: attribute.references.as_deref().map(Kind::from),
            max_length: attribute.max_length,
        };
        (name.clone(), schema)
    };
    KindSchema {
        role: kind.role,
        attrs: kind.attributes.iter().map(attribute).collect(),
        natural_keys: kind.natural_keys.clone(),
        depends_on: kind.depends_on.iter().map(|name| Kind::from(name.as_str())).collect(),
        caps: caps(config, kind),
        provenance: Provenance::Declared,
    }
}

fn caps(config: &Config, kind: &config::Kind) -> KindCaps {
    let writes = !config.read_only;
    let delay = kind.caps.read_after_write_ms;
    KindCaps {
        create: writes && kind.create.is_some(),
        update: writes && (!kind.update.is_empty() || !kind.entitlements.is_empty()),
        delete: writes && kind.delete.is_some(),
        disable: writes && AccountState::CLOSING.into_iter().any(|state| closes(kind, state)),
        list: kind.list.is_some(),
        sync: false,
        find_by: kind.find.iter().map(|find| find.key.clone()).collect(),
        // Compared just before the write, since none of these requests carries a version.
        conditional_update: writes && kind.record.as_ref().is_some_and(|record| record.version.is_some()),
        idempotency_key: false,
        patch_multi: kind.attributes.values().any(|attribute| attribute.multi) && kind.get.is_some(),
        replaces_entitlements: kind.entitlements.values().any(|entitlement| entitlement.replace.is_some()),
        max_batch: 0,
        max_page: kind.list.as_ref().map_or(0, |list| if list.pages == (Pages::One {}) { 0 } else { list.max_page }),
        read_after_write: if delay == 0 { ReadAfterWrite::Immediate } else { ReadAfterWrite::EventualMs(delay) },
        delete_is_soft: kind.caps.delete_is_soft,
        set_password: writes && kind.set_password.is_some(),
        end_date: kind.caps.end_date,
        effective: kind.effective.is_some(),
        revoke_sessions: writes && kind.revoke_sessions.is_some(),
        follow_ups: false,
    }
}
