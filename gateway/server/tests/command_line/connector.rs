//! `chartgate connector test`, as somebody who connects a target runs it.

use crate::program::{Ran, program, run};
use fixtures::ehr_sql::EhrSql;
use fixtures::scim_server::{Options, ScimServer};
use fixtures::servers::{Certificate, DATABASE, PASSWORD, Postgres, Samba, Slapd, USER, samba, slapd};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

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
fn the_profile_for_a_database_keeps_the_contract_on_a_server_with_the_faults_between() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let tables = EhrSql::load(&server.url(server.addr)).await.unwrap();
        let provider = "INSERT INTO provider_dict (provider_mnemonic, last_name, first_name, provider_type) \
                        VALUES ('KITPROVIDER', 'Example', 'Testperson', 'PHYSICIAN')";
        tables.run(provider).await.unwrap();
    });
    let room = tempfile::tempdir().unwrap();
    let target = fs::read_to_string(shipped("meditech-like").join("target.toml")).unwrap();
    let (before, _) = target.split_once("[settings.database]").unwrap();
    let database = format!(
        "[settings.database]\nengine = \"postgres\"\nhost = \"127.0.0.1\"\nport = {}\nname = \"{DATABASE}\"\nuser = \"{USER}\"\n\
         password = {{ env = \"WARD_PASSWORD\" }}\nallow_plaintext = true\n",
        server.addr.port()
    );
    fs::write(room.path().join("target.toml"), format!("{before}{database}")).unwrap();
    let kit = fs::read_to_string(shipped("meditech-like").join("kit.toml")).unwrap();
    let (values, _) = kit.split_once("[harness]").unwrap();
    let harness = format!("[harness]\naddress = \"/database\"\nsecrets = {{ WARD_PASSWORD = \"{PASSWORD}\" }}\n");
    fs::write(room.path().join("kit.toml"), format!("{values}{harness}")).unwrap();

    let report = report(&room.path().join("target.toml"));

    assert!(passed(&report) >= 50, "{report:#}");
    assert_faults_were_tried(&report);
}

#[test]
fn the_profile_for_openldap_keeps_the_contract_on_a_real_one() {
    let options = slapd::Options {
        seed: include_str!("../../../../connectors/ldap/tests/slapd/directory.ldif"),
        schema: include_str!("../../../../connectors/ldap/tests/slapd/directory.schema"),
        more: ACCESS,
        ..slapd::Options::default()
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
    assert_faults_were_tried(&report);
}

/// The proxy stood between.
fn assert_faults_were_tried(report: &Value) {
    for check in ["503_is_transient", "reset_before_send_is_effect_none", "reset_after_send_is_effect_maybe"] {
        let check = format!("fault.{check}");
        let row = report["rows"].as_array().unwrap().iter().find(|row| row["check"] == check.as_str()).unwrap();
        assert_eq!(row["verdict"], "passed", "{row:#}");
    }
}

#[test]
fn a_target_over_tls_is_tested_with_the_faults_between() {
    // given a SCIM server over TLS with a certificate that a hospital's own authority signed
    let server = ScimServer::start(Options::default()).unwrap();
    let room = tempfile::tempdir().unwrap();
    let here = secured(&certificate("localhost"), server.addr(), room.path());
    let target = fs::read_to_string(shipped("scim").join("target.toml")).unwrap();
    let target = target.replace("http://127.0.0.1:1", &format!("https://localhost:{}", here.port()));
    let target = target.replace("allow_plaintext = true", "tls = { ca_file = \"ca.pem\" }");
    fs::write(room.path().join("target.toml"), target).unwrap();
    let kit = fs::read_to_string(shipped("scim").join("kit.toml")).unwrap();
    fs::write(room.path().join("kit.toml"), kit.replace("simulator = \"scim\"\n", "")).unwrap();

    let report = report(&room.path().join("target.toml"));

    assert!(passed(&report) >= 45, "{report:#}");
    assert_faults_were_tried(&report);
}

/// Puts TLS before a server, for as long as the test runs, and the authority's certificate into the folder.
fn secured(certificate: &Certificate, there: SocketAddr, room: &Path) -> SocketAddr {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(certificate.certificate.as_bytes()).map(Result::unwrap).collect();
    let authority = certificate.certificate.rsplit_once("-----BEGIN").unwrap().1;
    fs::write(room.join("ca.pem"), format!("-----BEGIN{authority}")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (told, here) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            told.send(listener.local_addr().unwrap()).unwrap();
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut secured = acceptor.accept(client).await.ok()?;
                    let mut plain = TcpStream::connect(there).await.ok()?;
                    tokio::io::copy_bidirectional(&mut secured, &mut plain).await.ok()
                });
            }
        });
    });
    here.recv().unwrap()
}

#[test]
fn a_required_check_that_is_not_tried_gives_a_status_unless_it_is_left_out_on_purpose() {
    // given a target without a word about where its address stands
    let server = ScimServer::start(Options::default()).unwrap();
    let room = tempfile::tempdir().unwrap();
    let target = fs::read_to_string(shipped("scim").join("target.toml")).unwrap();
    let target = target.replace("http://127.0.0.1:1/scim/v2", &server.base_url());
    fs::write(room.path().join("target.toml"), target).unwrap();
    let kit = fs::read_to_string(shipped("scim").join("kit.toml")).unwrap();
    let kit = kit.replace("simulator = \"scim\"\n", "").replace("address = \"/http/url\"\n", "");
    let test = |kit: &str, more: &[&str]| {
        fs::write(room.path().join("kit.toml"), kit).unwrap();
        run(room.path(), &[&["connector", "test", "--only", "fault.503", "--junit", "junit.xml"], more].concat())
    };

    let ran = test(&kit, &[]);
    let told = ran.out;
    assert_eq!(ran.code, Some(1), "{told}{}", ran.err);
    assert!(told.contains("fault.503_is_transient is untested") && told.contains("[harness] address"), "{told}");
    assert!(
        told.ends_with("0 passed, 0 failed, 0 not applicable, 1 untested, 0 left out on purpose, 1 lacking\n"),
        "{told}"
    );
    let junit = fs::read_to_string(room.path().join("junit.xml")).unwrap();
    assert!(junit.contains("<error message=\"untested: "), "{junit}");
    let report: Value = serde_json::from_str(&test(&kit, &["--json"]).out).unwrap();
    assert!(report["ok"] == false && report["lacking"][0] == "fault.503_is_transient", "{report}");

    let ran = test(&(kit + "left_out = { \"fault.503_is_transient\" = \"no proxy may stand here\" }\n"), &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("left out on purpose: no proxy may stand here"), "{}", ran.out);
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
    // The call that shows it stands below, with what was asked and what came of it.
    let failed = told.split(" failed: ").nth(1).unwrap();
    let exchange: Vec<&str> = failed.lines().skip(1).take_while(|line| line.starts_with("    ")).collect();
    let shows =
        |line: &&str| line.trim().starts_with("create ") && line.contains(" -> Err(") && line.contains("Transient");
    assert!(exchange.iter().any(shows), "{exchange:#?}");
    let junit = fs::read_to_string(room.path().join("junit.xml")).unwrap();
    assert!(junit.contains("<failure message=") && junit.contains("<skipped message="), "{junit}");
    assert!(junit.contains("create (") && junit.contains("-&gt; Err("), "{junit}");
}

#[test]
fn a_scim_server_is_tested_by_its_address_alone() {
    let server = ScimServer::start(Options::default()).unwrap();
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
