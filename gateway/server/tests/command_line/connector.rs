//! `chartgate connector test`, as somebody who connects a target runs it.

use crate::program::{Ran, program, run};
use fixtures::servers::{Certificate, Samba, Slapd, samba, slapd::Options};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

const ACCESS: &str = "access to * by dn.exact=\"cn=admin,dc=hosp,dc=example\" manage by anonymous auth by * read\n";

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../connectors/profiles/kit").join(name)
}

/// Runs the kit over a target's file and returns its report.
fn report(target: &Path) -> Value {
    let ran = run(Path::new("/"), &["connector", "test", "--json", &target.display().to_string()]);
    let report: Value = serde_json::from_str(&ran.out).unwrap_or_default();
    assert!(ran.code == Some(0) && report["ok"] == true, "{}{}", ran.out, ran.err);
    report
}

fn passed(report: &Value) -> usize {
    report["rows"].as_array().unwrap().iter().filter(|row| row["verdict"] == "passed").count()
}

#[test]
fn every_shipped_profile_keeps_the_contract_through_its_file() {
    for name in
        ["epic-like", "oracle-health-like", "oracle-health-like-spml", "meditech-like", "meditech-like-rest", "scim"]
    {
        let report = report(&shipped(name).join("target.toml"));
        assert!(passed(&report) >= 45, "{name}: {report}");
    }
}

#[test]
fn the_profile_for_openldap_keeps_the_contract_on_a_real_one() {
    let options = Options {
        seed: include_str!("../../../../connectors/ldap/tests/slapd/directory.ldif"),
        schema: include_str!("../../../../connectors/ldap/tests/slapd/directory.schema"),
        more: ACCESS,
        ..Options::default()
    };
    let Some(slapd) = Slapd::start(&options).unwrap() else { return };
    let room = tempfile::tempdir().unwrap();
    let target = fs::read_to_string(shipped("openldap").join("target.toml")).unwrap();
    let here = room.path().join("target.toml");
    fs::write(&here, target.replace("127.0.0.1:389", &slapd.addr.to_string())).unwrap();
    fs::copy(shipped("openldap").join("kit.toml"), room.path().join("kit.toml")).unwrap();

    assert!(passed(&report(&here)) >= 50);
}

#[test]
fn the_profile_for_active_directory_keeps_the_contract_on_a_real_domain() {
    let units = ["OU=people", "OU=entitlements", "OU=inner,OU=entitlements"];
    let groups = [("grp-ed", units[1]), ("grp-inner", units[2])];
    let mut seed = String::new();
    for unit in units {
        seed += &format!("dn: {unit},{}\nobjectClass: organizationalUnit\n\n", samba::SUFFIX);
    }
    for (name, unit) in groups {
        let suffix = samba::SUFFIX;
        seed += &format!("dn: CN={name},{unit},{suffix}\nobjectClass: group\nsAMAccountName: {name}\n\n");
    }
    let Some(domain) = Samba::start(&certificate("directory.example"), &seed).unwrap() else { return };
    let room = tempfile::tempdir().unwrap();
    let target = fs::read_to_string(shipped("active-directory").join("target.toml")).unwrap();
    let here = room.path().join("target.toml");
    fs::write(&here, target.replace("127.0.0.1:636", &domain.tls.to_string())).unwrap();
    fs::copy(domain.folder().join("ca.pem"), room.path().join("ca.pem")).unwrap();
    fs::copy(shipped("active-directory").join("kit.toml"), room.path().join("kit.toml")).unwrap();

    let report = report(&here);

    assert!(passed(&report) >= 40, "{report:#}");
}

/// A certificate for this name, with that of who signed it after it.
fn certificate(name: &str) -> Certificate {
    let mut ca = CertificateParams::new(vec![]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let chain = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap().pem() + &ca_certificate.pem();
    Certificate { certificate: chain, key: key.serialize_pem() }
}

#[test]
fn a_connector_that_breaks_a_promise_is_told_so_with_the_exchange_and_a_status() {
    // given a file that takes the refusal of a name that is taken for a passing fault
    let room = tempfile::tempdir().unwrap();
    let shipped = shipped("oracle-health-like");
    let mut target = fs::read_to_string(shipped.join("target.toml")).unwrap();
    target += "\n[[settings.errors.rules]]\ncode = [\"USERNAME_TAKEN\"]\nclass = \"Transient\"\n";
    fs::write(room.path().join("target.toml"), target).unwrap();
    fs::copy(shipped.join("kit.toml"), room.path().join("kit.toml")).unwrap();

    let ran = run(room.path(), &["connector", "test", "--only", "create.", "--only", "sync.", "--junit", "junit.xml"]);

    assert_eq!(ran.code, Some(1), "{}", ran.out);
    let told = ran.out;
    assert!(told.contains("FAILED") && told.contains(" failed: "), "{told}");
    let junit = fs::read_to_string(room.path().join("junit.xml")).unwrap();
    assert!(junit.contains("<failure message=") && junit.contains("<skipped message="), "{junit}");
}

#[test]
fn a_scim_server_is_tested_by_its_address_alone() {
    let server = fixtures::scim_server::ScimServer::start(fixtures::scim_server::Options::default()).unwrap();
    let mut command = program(Path::new("/"));
    command.args(["connector", "test", "--scim", &server.base_url(), "--json"]).env("SCIM_TOKEN", "test-only-token");
    let ran = Ran::of(command.output().unwrap());
    let report: Value = serde_json::from_str(&ran.out).unwrap_or_default();
    assert!(report["ok"] == true && passed(&report) >= 40, "{}{}", ran.out, ran.err);
}

#[test]
fn what_is_wrong_with_the_files_is_told_with_file_and_line() {
    let room = tempfile::tempdir().unwrap();
    let target = room.path().join("target.toml");
    fs::write(&target, "kind = \"scim\"\nprofile = \"scim\"\n[settings]\nspi = \"1\"\nnonsense = 1\n").unwrap();

    let ran = run(Path::new("/"), &["connector", "test", &target.display().to_string()]);

    let told = ran.err;
    assert!(ran.code == Some(1) && told.contains(&format!("{}:5:1", target.display())), "{told}");
    assert!(told.contains("nonsense"), "{told}");
}
