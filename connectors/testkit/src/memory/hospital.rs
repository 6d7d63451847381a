//! What the model holds unless told otherwise: a small clinical system with every capability of the contract.

use connector_spi::{
    AttrSchema, Kind, KindCaps, KindRole, KindSchema, NativeId, Provenance, ReadAfterWrite, TargetSchema,
};
use std::collections::{BTreeMap, BTreeSet};

/// The grantable values by type.
pub type Catalogue = BTreeMap<Kind, BTreeSet<NativeId>>;

/// Kinds `account` (ids are given by the target), `group` (ids are names and change with them), and the catalogues
/// `security-class` (scoped) and `template` (ordered).
#[must_use]
pub fn schema() -> TargetSchema {
    TargetSchema {
        revision: "model-1".to_owned(),
        kinds: BTreeMap::from([
            (Kind::from("account"), account()),
            (Kind::from("group"), group()),
            (Kind::from("security-class"), catalogue_kind()),
            (Kind::from("template"), catalogue_kind()),
        ]),
    }
}

/// The values that can be granted at the start.
#[must_use]
pub fn catalogue() -> Catalogue {
    let values = |names: &[&str]| names.iter().map(|name| NativeId::from(*name)).collect::<BTreeSet<_>>();
    BTreeMap::from([
        (Kind::from("security-class"), values(&["ED", "MD", "PHARM", "RN"])),
        (Kind::from("template"), values(&["T1", "T2", "T3", "T4"])),
    ])
}

fn account() -> KindSchema {
    let text = AttrSchema::default;
    KindSchema {
        role: KindRole::Account,
        attrs: BTreeMap::from([
            ("login".into(), AttrSchema { required: true, max_length: Some(48), ..text() }),
            ("employeeNumber".into(), AttrSchema { required: true, case_exact: true, updatable: false, ..text() }),
            ("displayName".into(), AttrSchema { sensitive: true, max_length: Some(120), ..text() }),
            ("title".into(), text()),
            ("phone".into(), AttrSchema { sensitive: true, ..text() }),
            ("mail".into(), AttrSchema { multi: true, sensitive: true, ..text() }),
        ]),
        natural_keys: vec![vec!["login".into()], vec!["employeeNumber".into()]],
        depends_on: Vec::new(),
        caps: KindCaps {
            find_by: vec![vec!["login".into()], vec!["employeeNumber".into()]],
            disable: true,
            set_password: true,
            end_date: true,
            effective: true,
            revoke_sessions: true,
            ..writable()
        },
        provenance: Provenance::Declared,
    }
}

fn group() -> KindSchema {
    KindSchema {
        role: KindRole::Other,
        attrs: BTreeMap::from([
            ("name".into(), AttrSchema { required: true, max_length: Some(64), ..AttrSchema::default() }),
            ("description".into(), AttrSchema::default()),
            (
                "members".into(),
                AttrSchema { multi: true, references: Some(Kind::from("account")), ..AttrSchema::default() },
            ),
        ]),
        natural_keys: vec![vec!["name".into()]],
        depends_on: Vec::new(),
        caps: KindCaps { find_by: vec![vec!["name".into()]], ..writable() },
        provenance: Provenance::Declared,
    }
}

fn writable() -> KindCaps {
    KindCaps {
        create: true,
        update: true,
        delete: true,
        list: true,
        sync: true,
        conditional_update: true,
        idempotency_key: true,
        patch_multi: true,
        max_batch: 50,
        max_page: 500,
        read_after_write: ReadAfterWrite::Immediate,
        ..KindCaps::default()
    }
}

fn catalogue_kind() -> KindSchema {
    KindSchema {
        role: KindRole::Entitlement,
        attrs: BTreeMap::from([(
            "name".into(),
            AttrSchema { creatable: false, updatable: false, ..AttrSchema::default() },
        )]),
        natural_keys: Vec::new(),
        depends_on: Vec::new(),
        caps: KindCaps { list: true, max_page: 500, ..KindCaps::default() },
        provenance: Provenance::Declared,
    }
}
