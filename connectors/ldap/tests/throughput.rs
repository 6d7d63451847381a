//! How fast the connector creates accounts, beside ldap3 used directly with as many connections.
//!
//! A measurement, so it is not part of the usual run: `cargo test --release -p connector-ldap --test throughput -- --ignored
//! --nocapture`. The directory is durable, as one in use is. The goal is 0.9 of the direct way or more.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod host;
#[allow(dead_code)]
mod slapd;

use connector_spi::{AccountState, Attrs, Value};
use futures_util::{StreamExt, stream};
use host::{TestHost, cx, open};
use ldap3::{Ldap, LdapConnAsync};
use slapd::{PASSWORD, PEOPLE, Setup, Slapd};
use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

const ACCOUNTS: usize = 1_000;
const CONNECTIONS: usize = 4;
const IN_FLIGHT: usize = 16;

fn fields(number: usize) -> [(&'static str, String); 5] {
    [
        ("uid", format!("test{number}")),
        ("cn", format!("Testperson {number} Example")),
        ("sn", "Example".to_owned()),
        ("employeeNumber", format!("E{number}")),
        ("clinGatewayId", format!("gateway-{number}")),
    ]
}

async fn direct(slapd: &Slapd) -> Duration {
    let mut handles: Vec<Ldap> = Vec::new();
    for _ in 0..CONNECTIONS {
        let (connection, mut ldap) = LdapConnAsync::new(&format!("ldap://127.0.0.1:{}", slapd.port)).await.unwrap();
        tokio::spawn(connection.drive());
        let dn = "cn=gateway,ou=services,dc=hosp,dc=example";
        ldap.simple_bind(dn, PASSWORD).await.unwrap().success().unwrap();
        handles.push(ldap);
    }
    let begun = Instant::now();
    stream::iter(0..ACCOUNTS)
        .map(|number| {
            let mut ldap = handles[number % CONNECTIONS].clone();
            tokio::spawn(async move {
                let mut attributes: Vec<(String, HashSet<String>)> =
                    fields(number).into_iter().map(|(name, value)| (name.to_owned(), HashSet::from([value]))).collect();
                attributes.push(("clinAccountStatus".into(), HashSet::from(["active".into()])));
                attributes.push(("objectClass".into(), HashSet::from(["inetOrgPerson".into(), "clinPerson".into()])));
                let added = ldap.add(&format!("uid=test{number},{PEOPLE}"), attributes).await;
                added.unwrap().success().unwrap();
            })
        })
        .buffer_unordered(CONNECTIONS * IN_FLIGHT)
        .for_each(|done| async { done.unwrap() })
        .await;
    begun.elapsed()
}

async fn connector(slapd: &Slapd) -> Duration {
    let host = TestHost::new(&[PASSWORD]);
    let connector = open(slapd.config(), &host).await.unwrap();
    connector.check(&cx(&host)).await.unwrap();
    let begun = Instant::now();
    stream::iter(0..ACCOUNTS)
        .map(|number| {
            let (connector, cx) = (connector.clone(), cx(&host));
            tokio::spawn(async move {
                let attrs: Attrs = fields(number)
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), vec![Value::from(value)]))
                    .collect();
                connector.create(&cx, &"account".into(), &attrs, AccountState::Enabled, &[]).await.unwrap();
            })
        })
        .buffer_unordered(CONNECTIONS * IN_FLIGHT)
        .for_each(|done| async { done.unwrap() })
        .await;
    begun.elapsed()
}

/// Processor time that a process has used, in ticks of 10 ms (Linux); 0 where that cannot be read.
fn ticks(pid: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn creating_through_the_connector_is_nearly_as_fast_as_without() {
    let (mut alone, mut through) = (Duration::ZERO, Duration::ZERO);
    // Processor time of both ways, ours and the server's: on a busy machine it tells more than the clock.
    let (mut ours, mut theirs) = ([0, 0], [0, 0]);
    for _ in 0..3 {
        for (way, time) in [&mut alone, &mut through].into_iter().enumerate() {
            let Some(slapd) = slapd::start_with(Setup { durable: true, ..Setup::default() }) else { return };
            let server = slapd.pid().to_string();
            let before = (ticks("self"), ticks(&server));
            *time += if way == 0 { direct(&slapd).await } else { connector(&slapd).await };
            ours[way] += ticks("self") - before.0;
            theirs[way] += ticks(&server) - before.1;
        }
    }
    let each = |ticks: u64| ticks * 10_000 / (3 * ACCOUNTS as u64);
    println!(
        "processor time per account: direct {} + {} µs, through the connector {} + {} µs (client + server)",
        each(ours[0]),
        each(theirs[0]),
        each(ours[1]),
        each(theirs[1])
    );
    let rate = |time: Duration| 3.0 * f64::from(u32::try_from(ACCOUNTS).unwrap()) / time.as_secs_f64();
    let ratio = rate(through) / rate(alone);
    println!("direct {:.0}/s, through the connector {:.0}/s, ratio {ratio:.2}", rate(alone), rate(through));
    assert!(ratio >= 0.9, "{ratio:.2}");
}
