//! What a failure means. Pure.
//!
//! The tables say what the engines' codes mean; a file may put rules before them. A database's own words are never passed on:
//! they quote the values that were sent.

use crate::config::{Engine, ErrorRule, On};
use connector_spi::{Class, ConnError, Effect};

/// A failure as an engine tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The database refuses, with its codes, the most exact first.
    Server { codes: Vec<String>, constraint: Option<String>, column: Option<String> },
    /// There is no connection.
    Refused,
    /// The connection broke.
    Lost,
    /// Time ran out.
    Late,
    /// The server is not trusted, or does not trust us.
    Trust,
    /// The settings cannot work; why.
    Setup(String),
    /// The answer cannot be understood; why, without what stood in it.
    Strange(String),
}

/// What was being done, for words and for the rules.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doing<'a> {
    pub(crate) on: On,
    /// The statement's place in the file, or what else was tried.
    pub(crate) label: &'a str,
    /// It was the commit: the change may have happened although its answer is lost.
    pub(crate) commits: bool,
}

/// What an engine's code means.
type Entry = (&'static str, Meaning);

#[derive(Debug, Clone, Copy)]
enum Meaning {
    Of(Class),
    /// A reference that leads nowhere, or that still leads here.
    Reference,
}

use Class::{AlreadyExists, Auth, Config, Conflict, Forbidden, Invalid, Permanent, Throttled, Timeout, Transient};
use Meaning::{Of, Reference};

/// SQLSTATE as PostgreSQL gives it (appendix A of its manual); `*` stands for a whole class.
const POSTGRES: &[Entry] = &[
    ("23505", Of(AlreadyExists)),
    ("23P01", Of(Conflict)),
    ("23503", Reference),
    ("23001", Reference),
    ("23*", Of(Invalid)),
    ("22*", Of(Invalid)),
    ("40*", Of(Transient)),
    ("55P03", Of(Transient)),
    ("55006", Of(Transient)),
    ("57014", Of(Timeout)),
    ("57*", Of(Transient)),
    ("53300", Of(Throttled)),
    ("53*", Of(Transient)),
    ("58*", Of(Transient)),
    ("08*", Of(Transient)),
    ("25006", Of(Transient)),
    ("28*", Of(Auth)),
    ("3D000", Of(Config)),
    ("3F000", Of(Config)),
    ("42501", Of(Forbidden)),
    ("42*", Of(Config)),
    ("0A000", Of(Config)),
    ("26000", Of(Transient)),
];

/// Numbers of MariaDB and MySQL, then their SQLSTATE.
const MYSQL: &[Entry] = &[
    ("1062", Of(AlreadyExists)),
    ("1586", Of(AlreadyExists)),
    ("1216", Reference),
    ("1217", Reference),
    ("1451", Reference),
    ("1452", Reference),
    ("1048", Of(Invalid)),
    ("1364", Of(Invalid)),
    ("1264", Of(Invalid)),
    ("1265", Of(Invalid)),
    ("1292", Of(Invalid)),
    ("1366", Of(Invalid)),
    ("1406", Of(Invalid)),
    ("1411", Of(Invalid)),
    ("3819", Of(Invalid)),
    ("4025", Of(Invalid)),
    ("1205", Of(Transient)),
    ("1213", Of(Transient)),
    ("1020", Of(Transient)),
    ("1040", Of(Throttled)),
    ("1203", Of(Throttled)),
    ("1226", Of(Throttled)),
    ("1053", Of(Transient)),
    ("1927", Of(Transient)),
    ("1290", Of(Transient)),
    ("1836", Of(Transient)),
    ("1317", Of(Timeout)),
    ("1969", Of(Timeout)),
    ("3024", Of(Timeout)),
    ("1045", Of(Auth)),
    ("1698", Of(Auth)),
    ("1820", Of(Auth)),
    ("1862", Of(Auth)),
    ("1044", Of(Config)),
    ("1049", Of(Config)),
    ("1142", Of(Forbidden)),
    ("1143", Of(Forbidden)),
    ("1227", Of(Forbidden)),
    ("1370", Of(Forbidden)),
    ("1054", Of(Config)),
    ("1064", Of(Config)),
    ("1146", Of(Config)),
    ("1305", Of(Config)),
    ("1318", Of(Config)),
    ("28*", Of(Auth)),
    ("08*", Of(Transient)),
    ("40*", Of(Transient)),
    ("22*", Of(Invalid)),
    ("42*", Of(Config)),
];

/// Extended result codes of SQLite, then the primary ones.
const SQLITE: &[Entry] = &[
    ("1555", Of(AlreadyExists)),
    ("2067", Of(AlreadyExists)),
    ("2579", Of(AlreadyExists)),
    ("787", Reference),
    ("1811", Of(Conflict)),
    ("19", Of(Invalid)),
    ("18", Of(Invalid)),
    ("20", Of(Invalid)),
    ("5", Of(Transient)),
    ("6", Of(Transient)),
    ("10", Of(Transient)),
    ("13", Of(Transient)),
    ("9", Of(Timeout)),
    ("3", Of(Forbidden)),
    ("8", Of(Config)),
    ("11", Of(Config)),
    ("14", Of(Config)),
    ("26", Of(Config)),
    ("1", Of(Config)),
];

/// Error numbers of SQL Server.
const MSSQL: &[Entry] = &[
    ("2627", Of(AlreadyExists)),
    ("2601", Of(AlreadyExists)),
    ("547-CHECK", Of(Invalid)),
    ("547", Reference),
    ("515", Of(Invalid)),
    ("220", Of(Invalid)),
    ("241", Of(Invalid)),
    ("242", Of(Invalid)),
    ("245", Of(Invalid)),
    ("2628", Of(Invalid)),
    ("8114", Of(Invalid)),
    ("8115", Of(Invalid)),
    ("8152", Of(Invalid)),
    ("1205", Of(Transient)),
    ("1222", Of(Transient)),
    ("3960", Of(Transient)),
    ("3906", Of(Transient)),
    ("6005", Of(Transient)),
    ("10928", Of(Throttled)),
    ("10929", Of(Throttled)),
    ("40501", Of(Throttled)),
    ("49918", Of(Throttled)),
    ("40197", Of(Transient)),
    ("40613", Of(Transient)),
    ("18401", Of(Transient)),
    ("18452", Of(Auth)),
    ("18456", Of(Auth)),
    ("18486", Of(Auth)),
    ("18487", Of(Auth)),
    ("18488", Of(Auth)),
    ("4060", Of(Config)),
    ("229", Of(Forbidden)),
    ("230", Of(Forbidden)),
    ("262", Of(Forbidden)),
    ("297", Of(Forbidden)),
    ("102", Of(Config)),
    ("156", Of(Config)),
    ("201", Of(Config)),
    ("207", Of(Config)),
    ("208", Of(Config)),
    ("2812", Of(Config)),
    ("8144", Of(Config)),
];

/// The failure as the contract tells it.
pub(crate) fn meaning(engine: Engine, rules: &[ErrorRule], failure: &Failure, doing: Doing<'_>) -> ConnError {
    let Doing { on, label, commits } = doing;
    let broken = if commits { Effect::Maybe } else { Effect::None };
    match failure {
        Failure::Server { codes, constraint, column } => {
            let fits = |rule: &&ErrorRule| {
                (rule.code.is_empty() || rule.code.iter().any(|wanted| codes.iter().any(|code| matches(wanted, code))))
                    && rule.constraint.as_ref().is_none_or(|wanted| constraint.as_ref() == Some(wanted))
                    && (rule.on.is_empty() || rule.on.contains(&on))
            };
            let rule = rules.iter().find(fits);
            let class = rule.map_or_else(|| by_table(engine, codes, on), |rule| rule.class);
            let mut error = ConnError::new(class, format!("{}: {label}", words(class, on)));
            error.native_code = codes.first().cloned();
            // A refused statement is undone with its transaction, also when the server gave up waiting for itself.
            error.effect = rule.and_then(|rule| rule.effect).unwrap_or(Effect::None);
            error.attribute = rule.and_then(|rule| rule.attribute.clone()).or_else(|| column.clone());
            error
        }
        Failure::Refused => ConnError::transient("no connection to the database"),
        Failure::Lost if commits => {
            ConnError::timeout("the connection was lost while the change was being committed").effect(Effect::Maybe)
        }
        Failure::Lost => {
            ConnError::transient(format!("the connection was lost before anything was committed: {label}"))
        }
        Failure::Late => ConnError::timeout(format!("no answer from the database in time: {label}")).effect(broken),
        Failure::Trust => ConnError::config("TLS: the database's certificate is not trusted, or ours is not"),
        Failure::Setup(why) => ConnError::config(why.clone()),
        Failure::Strange(why) => ConnError::unknown(format!("{why}: {label}")).effect(broken),
    }
}

fn by_table(engine: Engine, codes: &[String], on: On) -> Class {
    let table = match engine {
        Engine::Postgres => POSTGRES,
        Engine::Mysql => MYSQL,
        Engine::Sqlite => SQLITE,
        Engine::Mssql => MSSQL,
    };
    let found = codes.iter().find_map(|code| table.iter().find(|(known, _)| matches(known, code)));
    match found {
        Some((_, Of(class))) => *class,
        // What is given does not exist: our catalogue is wrong. Else another record must be made first, or still points here.
        Some((_, Reference)) => {
            if on == On::Give {
                Invalid
            } else {
                Conflict
            }
        }
        None => Permanent,
    }
}

fn matches(wanted: &str, code: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(class) => code.starts_with(class) && code.len() == 5,
        None => wanted == code,
    }
}

fn words(class: Class, on: On) -> &'static str {
    match class {
        AlreadyExists => "a unique value is taken",
        Invalid if on == On::Give => "mapping: the database does not know what is to be given",
        Invalid => "the database refuses a value",
        Conflict if on == On::Delete => "other rows still refer to the record",
        Conflict => "dependency: the row that a value refers to is not there",
        Auth => "the database refuses the gateway's login",
        Forbidden => "the gateway's login may not do this",
        Config => "the database does not understand the statement, or lacks what it names",
        Transient => "the database cannot do this now",
        Throttled => "the database takes no more connections",
        Timeout => "the database gave the statement up",
        _ => "the database refuses the statement",
    }
}

/// Whether a failure concerns the whole target or the whole record rather than one part of a change.
pub(crate) fn ends_all(error: &ConnError) -> bool {
    match error.class {
        Class::Transient
        | Class::Throttled
        | Class::Timeout
        | Class::Unknown
        | Class::Auth
        | Class::Config
        | Class::NotFound
        | Class::StaleVersion => true,
        Class::AlreadyExists
        | Class::Conflict
        | Class::Invalid
        | Class::Forbidden
        | Class::Unsupported
        | Class::Permanent => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(engine: Engine, rules: &[ErrorRule], code: &str, on: On) -> ConnError {
        let failure = Failure::Server { codes: vec![code.to_owned()], constraint: None, column: None };
        meaning(engine, rules, &failure, Doing { on, label: "x", commits: false })
    }

    #[test]
    fn one_sort_of_refusal_is_one_class_in_every_engine() {
        for (class, on, codes) in [
            (AlreadyExists, On::Create, ["23505", "1062", "2067", "2627"]),
            (Invalid, On::Give, ["23503", "1452", "787", "547"]),
            (Conflict, On::Delete, ["23503", "1451", "787", "547"]),
            (Invalid, On::Update, ["23514", "4025", "275", "547-CHECK"]),
            (Invalid, On::Update, ["22001", "1406", "18", "2628"]),
            (Invalid, On::Create, ["23502", "1048", "1299", "515"]),
            (Transient, On::Update, ["40P01", "1213", "5", "1205"]),
            (Forbidden, On::Update, ["42501", "1142", "3", "229"]),
            (Config, On::Read, ["42P01", "1146", "1", "208"]),
        ] {
            let engines = [Engine::Postgres, Engine::Mysql, Engine::Sqlite, Engine::Mssql];
            for (engine, code) in engines.into_iter().zip(codes) {
                // SQLite's extended codes come with the primary one.
                let primary = code.parse::<u32>().map_or(String::new(), |number| (number & 0xff).to_string());
                let codes = vec![code.to_owned(), if engine == Engine::Sqlite { primary } else { String::new() }];
                let failure = Failure::Server { codes, constraint: None, column: None };
                let error = meaning(engine, &[], &failure, Doing { on, label: "x", commits: false });
                assert_eq!((error.class, error.effect), (class, Effect::None), "{engine:?} {code}");
            }
        }
        assert_eq!(of(Engine::Postgres, &[], "28P01", On::Read).class, Auth);
        assert_eq!(of(Engine::Mssql, &[], "51000", On::Update).class, Permanent);
    }

    #[test]
    fn a_rule_of_the_file_comes_first() {
        let rule = ErrorRule {
            code: vec!["51*".into(), "51000".into()],
            constraint: None,
            on: vec![On::Update],
            class: Conflict,
            attribute: Some("status".into()),
            effect: Some(Effect::Maybe),
        };
        let rules = [rule];
        let error = of(Engine::Mssql, &rules, "51000", On::Update);
        assert_eq!((error.class, error.attribute.as_deref(), error.effect), (Conflict, Some("status"), Effect::Maybe));
        assert_eq!(of(Engine::Mssql, &rules, "51000", On::Create).class, Permanent);
    }

    #[test]
    fn only_a_commit_leaves_it_open_what_happened() {
        for failure in [Failure::Lost, Failure::Late] {
            let before = meaning(Engine::Postgres, &[], &failure, Doing { on: On::Update, label: "x", commits: false });
            let at = meaning(Engine::Postgres, &[], &failure, Doing { on: On::Update, label: "x", commits: true });
            assert_eq!((before.effect, at.class, at.effect), (Effect::None, Timeout, Effect::Maybe));
        }
    }
}
