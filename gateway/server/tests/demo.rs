//! The demo's verdict is its own: it reads the targets, and a record changed behind the gateway's back spoils it.
#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use gateway_server::demo::{Demo, Options, Verdict, is_right};
use indicatif::ProgressBar;
use ldap3::{LdapConnAsync, Mod};
use std::collections::HashSet;
use std::process::Command;

#[test]
fn the_program_says_that_everybody_is_right_and_ends_with_zero() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_chartgate"));
    let ran = program.args(["demo", "--exit", "--people", "20", "--movements", "5"]).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(ran.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.ends_with("Everybody has exactly the access they should have.\n"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_is_right_and_sees_one_record_that_was_changed_behind_its_back() {
    let _first = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let options = Options { people: 45, movements: 25, listen: "127.0.0.1:0".to_owned(), exit: true };
    let mut demo = Demo::start(&options).await.unwrap();
    let before = demo.read().await.unwrap();
    demo.push_joiners(&ProgressBar::hidden()).await.unwrap();
    demo.settle(&ProgressBar::hidden()).await.unwrap();
    demo.push_movements(&ProgressBar::hidden()).await.unwrap();
    demo.settle(&ProgressBar::hidden()).await.unwrap();

    let right = demo.verdicts(std::slice::from_ref(&before)).await.unwrap();
    assert_eq!(right.len(), 5);
    assert!(is_right(&right));
    for verdict in &right {
        assert!(verdict.differs.is_empty(), "{verdict:?}");
        assert_eq!((verdict.pending, verdict.refused), (0, 0), "{verdict:?}");
        // Registrars have no account in the second EHR.
        assert!(verdict.changes.made >= 35 && verdict.changes.given >= 45, "{verdict:?}");
    }

    let (connection, mut ldap) = LdapConnAsync::new(&demo.scenes()[0].place()).await.unwrap();
    ldap3::drive!(connection);
    ldap.simple_bind("cn=admin,dc=hosp,dc=example", "test-only").await.unwrap().success().unwrap();
    let group = "cn=break-glass-ed,ou=entitlements,dc=hosp,dc=example";
    let filter = "(&(clinGatewayId=*)(clinAccountStatus=active))";
    let people =
        ldap.search("ou=people,dc=hosp,dc=example", ldap3::Scope::OneLevel, filter, vec!["uid"]).await.unwrap();
    let (people, _) = people.success().unwrap();
    let somebody = ldap3::SearchEntry::construct(people.into_iter().next().unwrap()).dn;
    let give = vec![Mod::Add("member", HashSet::from([somebody.as_str()]))];
    ldap.modify(group, give).await.unwrap().success().unwrap();

    let wrong = demo.verdicts(&[before]).await.unwrap();
    let differing: Vec<_> = wrong.iter().filter(|verdict| !verdict.differs.is_empty()).collect();
    assert_eq!(differing.iter().map(|verdict| verdict.target).collect::<Vec<_>>(), ["directory"], "{wrong:?}");
    assert_eq!(differing[0].differs.len(), 1, "{wrong:?}");
    // What the status comes of: one record in one target spoils it, and so do links that wait or were refused.
    assert!(!is_right(&wrong));
    let but = |change: fn(&mut Verdict)| {
        let mut verdicts = right.clone();
        change(&mut verdicts[4]);
        is_right(&verdicts)
    };
    assert!(but(|_| {}) && !but(|one| one.pending = 1) && !but(|one| one.refused = 1) && !is_right(&[]));
    demo.stop().await;
}
