//! The target files that come with the gateway: sound, tested by their own cases, and their cases are what the simulators of
//! those systems say today.
//!
//! The cases are recorded here: each scene is a list of calls against a simulator, and those with a name become cases. With
//! `CHARTGATE_RECORD=1` the files are written anew; without it they are compared.

#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "profiles/epic.rs"]
mod epic;
#[path = "profiles/oracle.rs"]
mod oracle;
#[path = "profiles/scene.rs"]
mod scene;
#[path = "profiles/scim.rs"]
mod scim;
#[path = "profiles/ward.rs"]
mod ward;
#[path = "profiles/ward_rest.rs"]
mod ward_rest;

use gateway_server::kinds::Kinds;
use gateway_server::target_file;

#[tokio::test(flavor = "multi_thread")]
async fn every_shipped_file_is_sound_and_passes_its_cases() {
    let kinds = Kinds::built_in();
    let mut count = 0;
    for (name, kind) in kinds.profiles() {
        let text = kinds.profile(name).unwrap().text;
        let reading = target_file::read(name, text.to_owned(), None, &kinds);
        assert_eq!(reading.problems, [], "{name}");
        let file = reading.file.unwrap();
        assert_eq!(file.kind, kind, "{name}");
        for case in &file.suite.test {
            let verdict = file.run(case, &kinds).await;
            assert_eq!(verdict.problems, Vec::<String>::new(), "{name}: {}", case.name);
            count += 1;
        }
        assert!(kind == "ldap" || file.suite.test.len() >= 8, "{name} has {} cases", file.suite.test.len());
    }
    assert!(count >= 40, "{count}");
}
