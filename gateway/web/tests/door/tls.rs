use crate::house::{Answer, House, engine, head};
use gateway_web::{Certificate, Options};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

struct Made {
    chain: String,
    key: String,
    der: rustls::pki_types::CertificateDer<'static>,
}

fn made() -> Made {
    let made = rcgen::generate_simple_self_signed(vec!["scim.hosp.example".to_owned()]).unwrap();
    Made { chain: made.cert.pem(), key: made.signing_key.serialize_pem(), der: made.cert.der().clone() }
}

/// The answer to a request by a client that trusts this certificate only.
fn ask(addr: SocketAddr, trusted: &Made) -> std::io::Result<Answer> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("scim.hosp.example").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(addr)?);
    stream.write_all(&head("GET", "/health/live", &[], None))?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(Answer::parse(&bytes))
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_a_restart() {
    let (old, new) = (made(), made());
    let certificate = Certificate::from_pem(old.chain.as_bytes(), old.key.as_bytes()).unwrap();
    let shown = Arc::clone(&certificate);
    let house = House::open_with(engine(false).await, |options: &mut Options| options.tls = Some(shown)).await;
    let addr = house.addr();

    tokio::task::spawn_blocking(move || {
        assert_eq!(ask(addr, &old).unwrap().status, 200);
        assert!(ask(addr, &new).is_err());
        certificate.replace(new.chain.as_bytes(), new.key.as_bytes()).unwrap();
        assert_eq!(ask(addr, &new).unwrap().status, 200);
        assert!(ask(addr, &old).is_err());
    })
    .await
    .unwrap();
}
