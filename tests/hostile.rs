//! A hostile LDAP server as a target of a running gateway: the process lives, and the other target's work goes on.

use fixtures::ehr_rest::{EhrRest, Options};
use harness::hospital::Wiring;
use harness::{Gateway, Hospital};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// `levels` sequences inside each other, with correct lengths.
fn nested(levels: usize) -> Vec<u8> {
    let mut out = vec![0x30, 0x00];
    for _ in 0..levels {
        let mut outer = vec![0x30, 0x84];
        outer.extend(u32::try_from(out.len()).unwrap().to_be_bytes());
        outer.extend(&out);
        out = outer;
    }
    out
}

/// The replies that end a process, or its LDAP driver, that has no guard.
fn replies() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("8,000 nested sequences", nested(8_000)),
        ("an empty sequence", vec![0x30, 0x00]),
        ("1,000 nested sequences", nested(1_000)),
        ("a length of 4 GiB", vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x02]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_replies_of_a_directory_leave_the_process_and_the_other_target_alone() {
    for (name, reply) in replies() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        let count = std::sync::Arc::clone(&served);
        let hostile = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (reply, count) = (reply.clone(), std::sync::Arc::clone(&count));
                tokio::spawn(async move {
                    let mut buffer = vec![0; 65_536];
                    while let Ok(1..) = stream.read(&mut buffer).await {
                        count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        let _closed = stream.write_all(&reply).await;
                    }
                });
            }
        });
        let ehr = EhrRest::start(Options { rate_limit: None, maintenance: false, ..Options::default() }).unwrap();
        let wiring = Wiring { directory: Some(format!("ldap://{address}")), ehr: Some(&ehr), ..Wiring::default() };
        let hospital = Hospital::new(&wiring);
        let gateway = Gateway::serve(&hospital.config);
        let client = gateway.client(&gateway.token("entra"));

        for number in 0..20 {
            let body = json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": format!("person{number}"),
            });
            assert_eq!(client.post("/Users", &body).await.status, 201, "{name}");
        }
        for _ in 0..100 {
            if gateway.target("ehr")["linked"] == 20 && served.load(std::sync::atomic::Ordering::SeqCst) >= 5 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }

        assert_eq!(gateway.target("ehr")["linked"], 20, "{name}: the other target's work went on");
        assert!(served.load(std::sync::atomic::Ordering::SeqCst) >= 5, "{name}: the hostile reply was given");
        let directory = gateway.target("directory");
        assert_eq!((&directory["linked"], &directory["due"]), (&json!(0), &json!(20)), "{name}");
        assert!(!gateway.log().contains("panicked"), "{name}: {}", gateway.log_end());
        hostile.abort();
        let (_, success) = gateway.terminate();
        assert!(success, "{name}: the process lived until it was asked to end");
    }
}
