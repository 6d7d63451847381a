//! Here: what there is in your target, and the refusal of what does not fit.

use connector_spi::{
    AttrSchema, Attrs, Change, ConnError, Delta, Entitlement, Kind, KindCaps, KindRole, KindSchema, Provenance, Result,
    TargetSchema, Value,
};

fn attr() -> AttrSchema {
    AttrSchema { case_exact: true, ..AttrSchema::default() }
}

/// The kinds; a change of them needs another revision.
pub fn schema() -> TargetSchema {
    let account = KindSchema {
        role: KindRole::Account,
        attrs: [
            ("login", AttrSchema { required: true, case_exact: false, max_length: Some(64), ..attr() }),
            ("displayName", AttrSchema { required: true, max_length: Some(80), sensitive: true, ..attr() }),
            ("title", AttrSchema { max_length: Some(120), ..attr() }),
            ("phones", AttrSchema { multi: true, sensitive: true, ..attr() }),
        ]
        .map(|(name, attr)| (name.to_owned(), attr))
        .into(),
        natural_keys: vec![vec!["login".to_owned()]],
        depends_on: Vec::new(),
        caps: KindCaps {
            create: true,
            update: true,
            delete: true,
            disable: true,
            list: true,
            conditional_update: true,
            patch_multi: true,
            effective: true,
            revoke_sessions: true,
            ..KindCaps::default()
        },
        provenance: Provenance::Default,
    };
    let name = AttrSchema { creatable: false, updatable: false, ..attr() };
    let role = KindSchema {
        role: KindRole::Entitlement,
        attrs: [("name".to_owned(), name)].into(),
        natural_keys: vec![vec!["name".to_owned()]],
        depends_on: Vec::new(),
        caps: KindCaps { list: true, ..KindCaps::default() },
        provenance: Provenance::Default,
    };
    let kinds = [(Kind::from("account"), account), (Kind::from("role"), role)].into();
    TargetSchema { revision: "1".to_owned(), kinds }
}

/// Refuses a write of anything but an account.
pub fn writable(kind: &Kind, what: &str) -> Result<()> {
    if kind.as_str() == "account" {
        Ok(())
    } else {
        Err(ConnError::unsupported(format!("{kind} does not declare {what}")))
    }
}

/// Refuses values that do not fit.
pub fn check_create(attrs: &Attrs, entitlements: &[Entitlement]) -> Result<()> {
    let known = account();
    for (name, values) in attrs {
        fits(&known, name, values)?;
    }
    let missing =
        known.attrs.iter().find(|(name, schema)| schema.required && attrs.get(*name).is_none_or(Vec::is_empty));
    if let Some((name, _)) = missing {
        return Err(refused(name, "must have a value"));
    }
    check_types(entitlements)
}

/// Refuses values that do not fit.
pub fn check_update(change: &Change) -> Result<()> {
    let known = account();
    for (name, delta) in &change.attrs {
        let values: &[Value] = match delta {
            Delta::Set(values) => values,
            Delta::Patch { add, .. } => add,
            Delta::Clear => &[],
        };
        fits(&known, name, values)?;
        let empties = !matches!(delta, Delta::Patch { .. }) && values.is_empty();
        if empties && known.attrs.get(name).is_some_and(|schema| schema.required) {
            return Err(refused(name, "must have a value"));
        }
    }
    check_types(&change.entitlements.add)
}

fn account() -> KindSchema {
    let kinds = schema().kinds;
    kinds.into_values().find(|kind| kind.role == KindRole::Account).unwrap_or_else(|| unreachable!("it stands above"))
}

fn refused(name: &str, why: &str) -> ConnError {
    ConnError::invalid(format!("{name} {why}")).attribute(name)
}

fn fits(known: &KindSchema, name: &str, values: &[Value]) -> Result<()> {
    let schema = known.attrs.get(name).ok_or_else(|| refused(name, "is no attribute"))?;
    if values.len() > 1 && !schema.multi {
        return Err(refused(name, "has one value"));
    }
    for value in values {
        let text = value.as_text().ok_or_else(|| refused(name, "is a text"))?;
        let most = schema.max_length.and_then(|most| usize::try_from(most).ok());
        if most.is_some_and(|most| text.chars().count() > most) {
            return Err(refused(name, "is too long"));
        }
    }
    Ok(())
}

fn check_types(entitlements: &[Entitlement]) -> Result<()> {
    match entitlements.iter().find(|one| one.kind.as_str() != "role") {
        Some(one) => Err(refused(&format!("{}:{}", one.kind, one.value), "is of no known type")),
        None => Ok(()),
    }
}
