//! A service that takes a certificate of the gateway's own in place of a password, beside one that takes a token.

use super::*;
use connector_spi::{Class, Kind};
use fixtures::servers::Certificate;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::fs;

/// An authority, and a certificate for this name that it signed.
fn signed(name: &str) -> (String, Certificate) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    (authority.pem(), Certificate { certificate: certificate.pem(), key: key.serialize_pem() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_has_a_certificate_of_its_own_and_the_other_one_a_token() {
    // given both services behind TLS, where `core` lets in who shows a certificate of the hospital's authority
    let ehr = EhrSoap::start(Options { rate_limit: None, ..Options::default() }).unwrap();
    let (trusted, own) = signed("localhost");
    let (hospital, gateways) = signed("gateway.hosp.example");
    let front = ehr.behind_tls(&own, &hospital).unwrap();
    let room = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = room.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let ca = file("ca.pem", &trusted);
    let url = ehr
        .base_url()
        .replace(&format!("http://{}", ehr.addr()), &format!("https://localhost:{}", front.addr().port()));
    let config = |tls: Json| {
        let more = json!({"http": {
            "tls": {"ca_file": ca}, "allow_plaintext": false, "allow_networks": ["127.0.0.0/8", "::1/128"],
        }});
        let mut config = profile(&url, more);
        let core = config["services"]["core"].as_object_mut().unwrap();
        core.remove("auth");
        core.insert("tls".to_owned(), tls);
        config
    };
    let secrets = [("EHR", "test-only"), ("CORE_KEY", gateways.key.as_str())];
    let host = TestHost::with(secrets.map(|(name, secret)| (name.to_owned(), secret.to_owned())).into(), None);
    let lists = async |target: &Arc<dyn Connector>| {
        target.lister().unwrap().list(&cx(&host, "l"), &Kind::from("account"), None, 10).await
    };

    // when the service `core` is given the certificate
    let certificate = file("gateway.pem", &gateways.certificate);
    let with = json!({"ca_file": ca, "client_certificate": certificate, "client_key": {"env": "CORE_KEY"}});
    let target = open(config(with), host.clone()).await;
    let made = target.create(&cx(&host, "c"), &account(), &person(1), AccountState::Enabled, &[]).await.unwrap();

    // then both services answer, each to its own proof
    assert!(target.get(&cx(&host, "g"), &account(), &made.id).await.unwrap().is_some());
    let listed = lists(&target).await.unwrap();
    assert_eq!(listed.items.iter().map(|record| &record.id).collect::<Vec<_>>(), [&made.id]);

    // and without it, or with one of another authority, `core` refuses while the other goes on
    let (_, stranger) = signed("gateway.hosp.example");
    let strange = json!({
        "ca_file": ca, "client_certificate": file("stranger.pem", &stranger.certificate), "client_key": {"env": "STRANGE_KEY"},
    });
    let more = [("EHR", "test-only"), ("STRANGE_KEY", stranger.key.as_str())];
    let other = TestHost::with(more.map(|(name, secret)| (name.to_owned(), secret.to_owned())).into(), None);
    for (tls, host) in [(json!({"ca_file": ca}), &host), (strange, &other)] {
        let target = open(config(tls), host.clone()).await;
        let refused =
            target.lister().unwrap().list(&cx(host, "l"), &Kind::from("account"), None, 10).await.unwrap_err();
        assert!(matches!(refused.class, Class::Auth | Class::Config), "{refused}");
        assert!(target.get(&cx(host, "g"), &account(), &made.id).await.unwrap().is_some());
    }
}
