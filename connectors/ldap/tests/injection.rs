//! Values that mean something to LDAP stay values: in names, filters and attributes, through create, rename, move and find.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod host;
#[allow(dead_code)]
mod slapd;

use async_trait::async_trait;
use connector_spi::{AccountState, Attrs, Change, Class, Connector, Ctx, Delta, Kind, NativeId, Value};
use connector_testkit::hostile::{Eye, Hostile};
use host::{TestHost, cx, open};
use ldap3::{Ldap, Scope, SearchEntry};
use slapd::{PASSWORD, PEOPLE, Setup};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const WEST: &str = "ou=west,ou=people,dc=hosp,dc=example";

/// Texts with a meaning in names, filters, LDIF, SQL, XML, templates, shells or writing systems.
const PIECES: &[&str] = &[
    ",",
    "+",
    "\"",
    "\\",
    "<",
    ">",
    ";",
    "=",
    "#",
    " ",
    "*",
    "(",
    ")",
    "&",
    "|",
    "!",
    "~",
    "/",
    "'",
    "`",
    "%",
    "$",
    "{",
    "}",
    "[",
    "]",
    ":",
    "?",
    "@",
    "^",
    "-",
    "_",
    ".",
    "  ",
    "\\\\",
    "\\,",
    "\\+",
    "\\20",
    "\\2c",
    "\\00",
    "\\0a",
    "\\zz",
    "%00",
    "*)(uid=*",
    ")(|(objectClass=*",
    "*)(&",
    "(cn=*)",
    "*))%00",
    "admin)(&)",
    ",ou=services,dc=hosp,dc=example",
    "+cn=admin",
    ",dc=example",
    "uid=",
    "#04024869",
    "\\23",
    ":: YWJj",
    ": <file:///x",
    "dn: x",
    "changetype: delete",
    "'; DROP TABLE users;--",
    "\" OR 1=1",
    "<script>",
    "]]>",
    "&amp;",
    "<!DOCTYPE x>",
    "{{7*7}}",
    "${7*7}",
    "$(id)",
    "`id`",
    "../../x",
    "%2e%2e",
    "ä",
    "a\u{308}",
    "ß",
    "İ",
    "ﬁ",
    "Ω",
    "Å",
    "中文",
    "עברית",
    "العربية",
    "नमस्ते",
    "👩‍⚕️",
    "𝔘",
    "\u{a0}",
    "\u{2003}",
    "\u{200d}",
    "\u{feff}",
    "\u{fffd}",
    "\u{e000}",
    "\u{10fffd}",
    "e\u{301}",
    "한글",
    "ﷺ",
    "ⅷ",
    "½",
    "…",
    "–",
    "\u{1f600}",
    "\u{1c4}",
    "\u{17f}",
    "\u{131}",
    "\u{ad}",
    "x=1,y=2",
    "a+b=c",
];

/// Texts that are refused before anything is sent.
const REFUSED: &[&str] = &[
    "a\0b",
    "\0",
    "a\nb",
    "a\r\nb",
    "\n",
    "a\tb",
    "\u{1b}[31m",
    "a\u{7f}",
    "a\u{85}b",
    "a\u{202e}b",
    "\u{202d}x",
    "\u{2066}x\u{2069}",
    "",
];

fn corpus() -> Vec<String> {
    let placed = PIECES.iter().enumerate().flat_map(|(index, piece)| {
        [format!("{piece}v{index}a"), format!("v{index}b{piece}x"), format!("v{index}c{piece}")]
    });
    placed.chain([format!("long{}", "l".repeat(200)), format!("long{}", ",+".repeat(20))]).collect()
}

fn account() -> Kind {
    "account".into()
}

fn attrs(uid: &str, text: &str) -> Attrs {
    let one = |value: &str| vec![Value::from(value)];
    Attrs::from([
        ("uid".to_owned(), one(uid)),
        ("cn".to_owned(), one(text)),
        ("sn".to_owned(), one(text)),
        ("title".to_owned(), one(text)),
    ])
}

/// The value is created, found, renamed to and moved, and read back as it is each time.
async fn round_trip(connector: Arc<dyn Connector>, cx: Ctx, index: usize, value: String) {
    let made = connector.create(&cx, &account(), &attrs(&value, &value), AccountState::Enabled, &[]).await;
    let made = made.unwrap_or_else(|error| panic!("{value:?}: {error}")).id;
    let record = connector.get(&cx, &account(), &made).await.unwrap().unwrap();
    for name in ["uid", "cn", "sn", "title"] {
        assert_eq!(record.attrs[name], [Value::from(value.as_str())], "{name}");
    }
    assert_eq!(record.attrs["parent"], [Value::from(PEOPLE)]);
    let key = BTreeMap::from([("uid".to_owned(), Value::from(value.as_str()))]);
    let found = connector.find(&cx, &account(), &key).await.unwrap();
    assert_eq!(found.iter().map(|record| &record.id).collect::<Vec<_>>(), [&made], "{value:?}");

    let plain = format!("plain{index}");
    let other = connector.create(&cx, &account(), &attrs(&plain, "x"), AccountState::Enabled, &[]).await.unwrap().id;
    let set = |text: &str| Delta::Set(vec![text.into()]);
    let renamed = BTreeMap::from([("uid".to_owned(), set(&format!("r{value}"))), ("title".to_owned(), set(&value))]);
    connector.update(&cx, &account(), &other, &Change { attrs: renamed, ..Change::default() }).await.unwrap();
    let moved = BTreeMap::from([("uid".to_owned(), set(&value)), ("parent".to_owned(), set(WEST))]);
    connector.update(&cx, &account(), &other, &Change { attrs: moved, ..Change::default() }).await.unwrap();
    let record = connector.get(&cx, &account(), &other).await.unwrap().unwrap();
    assert_eq!(record.attrs["uid"], [Value::from(value.as_str())]);
    assert_eq!(record.attrs["title"], [Value::from(value.as_str())]);
    assert_eq!(record.attrs["parent"], [Value::from(WEST)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_awkward_values_are_nothing_but_values() {
    let Some(slapd) = slapd::start_with(Setup::default()) else { return };
    let host = TestHost::new(&[PASSWORD]);
    let connector = open(slapd.config(), &host).await.unwrap();
    let corpus = corpus();
    assert!(corpus.len() >= 300, "{}", corpus.len());
    let before = slapd.values("uid=foreign,ou=people,dc=hosp,dc=example", "entryCSN").await;

    for chunk in corpus.iter().enumerate().collect::<Vec<_>>().chunks(32) {
        let calls = chunk
            .iter()
            .map(|(index, value)| tokio::spawn(round_trip(connector.clone(), cx(&host), *index, (*value).clone())));
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap();
        }
    }

    let (mut cursor, mut seen) = (None, BTreeSet::new());
    loop {
        let page = connector.lister().unwrap().list(&cx(&host), &account(), cursor.as_ref(), 500).await.unwrap();
        seen.extend(page.items.into_iter().map(|record| record.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 2 * corpus.len() + 1, "nothing but these and what was there");
    assert_eq!(slapd.values("uid=foreign,ou=people,dc=hosp,dc=example", "entryCSN").await, before);
}

/// The directory as its administrator sees it.
struct Admin(Ldap);

#[async_trait]
impl Eye for Admin {
    async fn stands(&self, ids: &[NativeId], attribute: &str) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        for id in ids {
            let filter = format!("(entryUUID={id})");
            let found = self.0.clone().search(PEOPLE, Scope::Subtree, &filter, vec![attribute]).await.unwrap();
            let entry = SearchEntry::construct(found.0.into_iter().next().unwrap());
            all.push(entry.attrs.into_values().flatten().collect());
        }
        all
    }
}

fn somebody(number: u32) -> Attrs {
    attrs(&format!("h{number}"), "Example")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hostile_values_of_every_language_stand_in_the_directory_as_they_were_given() {
    let Some(slapd) = slapd::start_with(Setup::default()) else { return };
    let host = TestHost::new(&[PASSWORD]);
    let connector = open(slapd.config(), &host).await.unwrap();
    let all: Vec<String> = fixtures::hostile_values::corpus(200).into_iter().map(|one| one.text).collect();
    assert!(all.len() >= 300);
    let eye = Admin(slapd.admin().await);
    for (places, first) in [(&["cn", "sn", "title"][..], 1_000), (&["uid"][..], 2_000)] {
        let suite = Hostile {
            connector: connector.clone(),
            host: host.clone(),
            kind: account(),
            person: &somebody,
            key: "uid",
            places,
            at_once: 16,
            eye: &eye,
        };
        let refused = suite.survive(&all, first).await.unwrap();
        let harmful = |text: &String| {
            text.chars().any(|c| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        };
        // A name may be longer than a directory's index can hold; then it is refused too.
        let others: Vec<&String> = refused.iter().filter(|text| !harmful(text)).collect();
        assert!(others.iter().all(|text| places == ["uid"] && text.len() > 200), "{places:?}: {others:?}");
        assert!(all.iter().filter(|text| harmful(text)).all(|text| refused.contains(text)), "{places:?}");
    }
}

#[tokio::test]
async fn control_characters_and_reversing_marks_are_refused_unsent() {
    let Some(slapd) = slapd::start_with(Setup::default()) else { return };
    let host = TestHost::new(&[PASSWORD]);
    let connector = open(slapd.config(), &host).await.unwrap();
    for value in REFUSED {
        for (attrs, named) in [(attrs(value, "x"), "uid"), (attrs("plain", value), "cn")] {
            let error = connector.create(&cx(&host), &account(), &attrs, AccountState::Enabled, &[]).await.unwrap_err();
            assert_eq!((error.class, error.attribute.as_deref()), (Class::Invalid, Some(named)), "{value:?}");
        }
        let key = BTreeMap::from([("uid".to_owned(), Value::from(*value))]);
        assert_eq!(connector.find(&cx(&host), &account(), &key).await.unwrap(), []);
    }
    let page = connector.lister().unwrap().list(&cx(&host), &account(), None, 10).await.unwrap();
    assert_eq!(page.items.len(), 1);
}

#[tokio::test]
async fn a_value_of_64_kilobytes_is_kept_or_refused_and_never_cut() {
    let Some(slapd) = slapd::start_with(Setup::default()) else { return };
    let host = TestHost::new(&[PASSWORD]);
    let connector = open(slapd.config(), &host).await.unwrap();
    let long = "é,".repeat(22_000);
    let kept =
        connector.create(&cx(&host), &account(), &attrs("plain", &long), AccountState::Enabled, &[]).await.unwrap();
    let record = connector.get(&cx(&host), &account(), &kept.id).await.unwrap().unwrap();
    assert_eq!(record.attrs["cn"], [Value::from(long.as_str())]);

    // As a name it is beyond what directories can hold.
    let refused = connector.create(&cx(&host), &account(), &attrs(&long, "x"), AccountState::Enabled, &[]).await;
    let refused = refused.unwrap_err();
    assert_eq!((refused.class, refused.attribute.as_deref()), (Class::Invalid, Some("uid")));
}
