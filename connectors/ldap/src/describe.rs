//! The directory's kinds, attributes and abilities, from its schema and the settings.

use crate::{
    active,
    config::{Config, EntitlementConfig},
    effect::Standing,
    shape::{ACCOUNT, PARENT, Shape},
    subschema::{Facts, control},
    translate,
};
use connector_spi::{
    AttrSchema, Kind, KindCaps, KindRole, KindSchema, Provenance, ReadAfterWrite, TargetSchema, ValueType,
};
use std::collections::BTreeMap;

/// The target's schema.
pub fn target(config: &Config, shapes: &[Shape], facts: &Facts, standing: &Standing) -> TargetSchema {
    let mut kinds: BTreeMap<Kind, KindSchema> =
        shapes.iter().map(|shape| (shape.kind.clone(), objects(config, shape, facts, standing))).collect();
    kinds.extend(config.entitlements.iter().map(|one| (Kind(one.kind.clone()), catalogue(config, one, facts))));
    let text = serde_json::to_string(&kinds).unwrap_or_default();
    TargetSchema { revision: format!("{:016x}", fingerprint(text.as_bytes())), kinds }
}

fn objects(config: &Config, shape: &Shape, facts: &Facts, standing: &Standing) -> KindSchema {
    let content = facts.of_classes(&shape.classes);
    let key_names = shape.keys.iter().flatten().chain(shape.end_date.iter()).chain(std::iter::once(&shape.rdn));
    let mut extra: Vec<String> = key_names.map(|name| facts.canonical(name)).collect();
    if shape.active {
        // Its accounts have auxiliary classes that nobody names.
        extra.push(active::NAME.to_owned());
        extra.extend(shape.attributes.iter().map(|name| facts.canonical(name)));
    }
    let mut attrs: BTreeMap<String, AttrSchema> = BTreeMap::new();
    for name in content.must.iter().chain(&content.may).chain(&extra) {
        if shape.is_own(name) || !shape.offers(facts, name) {
            continue;
        }
        let known = facts.attribute(name);
        let naming = facts.same(name, &shape.rdn);
        let writable = !known.is_some_and(|known| known.read_only);
        let mut one = AttrSchema {
            ty: translate::value_type(shape, facts, name),
            required: naming
                || (content.must.contains(name) && !shape.is_member(name) && !shape.is_filled_in(name))
                || (shape.active && name.eq_ignore_ascii_case(active::NAME)),
            multi: !naming && !known.is_some_and(|known| known.single),
            case_exact: facts.case_exact(name),
            creatable: writable,
            updatable: writable,
            ..AttrSchema::default()
        };
        if shape.is_member(name) {
            one.references = Some(ACCOUNT.into());
            one.ty = ValueType::Text;
        }
        attrs.insert(name.clone(), one);
    }
    attrs.insert(PARENT.to_owned(), AttrSchema::default());
    let caps = KindCaps {
        create: true,
        update: true,
        delete: shape.delete,
        disable: shape.closes(),
        list: true,
        find_by: shape.keys.clone(),
        conditional_update: shape.version.is_some() && facts.has(control::ASSERTION),
        patch_multi: true,
        max_page: config.page_size,
        read_after_write: ReadAfterWrite::Immediate,
        end_date: shape.end_date.is_some() && standing.end_date == Some(true),
        effective: shape.is_account() && (shape.lock.is_some() || shape.has_flags()),
        set_password: shape.has_flags(),
        ..KindCaps::default()
    };
    KindSchema {
        role: if shape.is_account() { KindRole::Account } else { KindRole::Other },
        attrs,
        natural_keys: shape.keys.clone(),
        depends_on: if shape.is_account() { Vec::new() } else { vec![ACCOUNT.into()] },
        caps,
        provenance: if facts.types.is_empty() { Provenance::Declared } else { Provenance::Detected },
    }
}

fn catalogue(config: &Config, one: &EntitlementConfig, facts: &Facts) -> KindSchema {
    let attribute = |name: &str| AttrSchema {
        creatable: false,
        updatable: false,
        multi: !facts.attribute(name).is_some_and(|known| known.single),
        case_exact: facts.case_exact(name),
        ..AttrSchema::default()
    };
    KindSchema {
        role: KindRole::Entitlement,
        attrs: [one.value.as_str(), "description"].map(|name| (facts.canonical(name), attribute(name))).into(),
        natural_keys: vec![vec![one.value.clone()]],
        depends_on: Vec::new(),
        caps: KindCaps {
            list: true,
            find_by: vec![vec![one.value.clone()]],
            max_page: config.page_size,
            ..KindCaps::default()
        },
        provenance: Provenance::Declared,
    }
}

/// FNV-1a: the same text has the same revision on every machine and in every version.
fn fingerprint(octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |hash, octet| (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3))
}
