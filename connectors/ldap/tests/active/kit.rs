//! The conformance kit over the domain.

use super::*;
use connector_spi::Erase;
use connector_testkit::{Subject, run};

/// Checks that need a proxy which does harm. They run over OpenLDAP, whose protocol is the same, and over this domain by
/// `chartgate connector test`, which takes TLS off before its proxy.
const BY_FAULT: [&str; 2] = ["fault.", "create.lost_response"];

pub async fn the_contract_is_kept(domain: &Domain) {
    let settings = |port: u16| {
        let mut settings = config(&domain.samba, port);
        settings["bind_password"] = json!({ "env": "DOMAIN_PASSWORD" });
        settings["account"]["allow_delete"] = json!(true);
        settings["account"]["attributes"] =
            json!(["sAMAccountName", "employeeNumber", "info", "displayName", "department", "otherTelephone"]);
        settings
    };
    let fixture = json!({
        "account": {
            "kind": "account",
            "attrs": {
                "cn": ["Kit {n} Example"], "sAMAccountName": ["kit{n}"], "employeeNumber": ["K{n}"],
                "info": ["gateway-{n}"], "displayName": ["Testperson {n} Example"], "department": ["MED"],
                "otherTelephone": ["1", "2"], "accountExpires": [{ "at": "2031-09-21T04:00:00Z" }], "parent": [PEOPLE],
            },
            "text": "displayName", "multi": ["otherTelephone", ["7", "8", "9"]], "renames": "cn",
            "absent": "00000000-0000-0000-0000-0000{n}",
        },
        "entitlements": [{ "type": "role", "value": "grp-ed" }, { "type": "role", "value": "grp-inner" }],
        "unknown_entitlement": { "type": "role", "value": "no-such-group" },
    });
    let subject = Subject {
        wrong_host: Some(settings(1)),
        secrets: BTreeMap::from([("DOMAIN_PASSWORD".to_owned(), ADMIN_PASSWORD.to_owned())]),
        ..Subject::new(
            Arc::new(Erase::<connector_ldap::Ldap>::new()),
            settings(domain.samba.tls.port()),
            serde_json::from_value(fixture).unwrap(),
        )
    };
    let report = run(&subject).await;
    println!("{report}");
    let missing = connector_testkit::required::missing("ldap", &report);
    let missing: Vec<_> = missing.iter().filter(|line| !BY_FAULT.iter().any(|name| line.starts_with(name))).collect();
    assert!(missing.is_empty() && report.exit_code() == 0, "{missing:?}");
}
