//! The tutorials: every file and every command of a page, run as a reader would run it.

mod page;
mod shell;

use fixtures::servers::{self, slapd};
use page::{Block, Page};
use shell::Shell;
use std::path::Path;

/// Goes through a page. `stands_for` are texts of the page and what they are in this test: addresses.
fn follow(page: &Page, stands_for: &[(&str, String)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let here = |text: &str| stands_for.iter().fold(text.to_owned(), |text, (written, real)| text.replace(written, real));
    let mut shell = Shell::begin(folder.path());
    for block in &page.blocks {
        match block {
            Block::File { path, text } => shell.write(path, &here(text)),
            Block::Commands { steps, fails } => {
                for (step, last) in steps.iter().zip((0..steps.len()).map(|at| at + 1 == steps.len())) {
                    shell.run(&here(&step.command), &here(&step.prints), *fails && last);
                }
            }
        }
    }
    folder
}

fn page(name: &str) -> Page {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../connectors/tutorials").join(name);
    Page::read(&std::fs::read_to_string(path).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_directory() {
    // given the directory of the page
    let page = page("first-directory.md");
    let seed = page.file("directory.ldif");
    let options = slapd::Options { seed, linked: false, ..slapd::Options::default() };
    let Some(directory) = servers::Slapd::start(&options).unwrap() else { return };
    let (url, port) = (directory.url(), harness::slapd::free_port());

    // when it is followed
    let stands_for =
        [("ldap://localhost:3890", url.clone()), ("127.0.0.1:8480", format!("127.0.0.1:{port}"))];
    let _folder = follow(&page, &stands_for);

    // then the entry is there, locked, and in no group
    let people = harness::slapd::search(&url, "ou=people,dc=hosp,dc=example", "(uid=testperson1)", &["*", "+"]).await;
    assert_eq!(people.len(), 1);
    assert!(people[0].attrs.contains_key("pwdAccountLockedTime"), "{:?}", people[0].attrs);
    let groups = harness::slapd::search(&url, "ou=groups,dc=hosp,dc=example", "(member=uid=testperson1,*)", &["cn"]).await;
    assert!(groups.is_empty());
    let nursing = harness::slapd::search(&url, "ou=groups,dc=hosp,dc=example", "(cn=nursing)", &["member"]).await;
    assert_eq!(nursing[0].attrs["member"], ["cn=nobody,ou=services,dc=hosp,dc=example"]);
}

#[test]
fn the_first_rest_target() {
    follow(&page("first-rest-target.md"), &[]);
}

#[test]
fn the_first_plugin() {
    if servers::python().is_some() {
        follow(&page("first-plugin.md"), &[]);
    }
}
