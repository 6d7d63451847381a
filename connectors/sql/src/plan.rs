//! A target's file, checked and compiled for its engine. Pure.

mod lint;
mod schema;

pub(crate) use lint::same_names;
pub(crate) use schema::fnv1a;

use crate::{
    config::{self, Config, Engine, ErrorRule, Rows, SessionRevocation, Sql, When},
    statement::{Parsed, Statement, Style, Verb, parse},
    value::Zones,
};
use connector_expr::{Env, Expr, Type, build::Path};
use connector_spi::{AccountState, ConfigIssue, Declared, Kind, TargetSchema, ValueType};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that a target's file says, ready to be carried out.
pub(crate) struct Plan {
    pub(crate) engine: Engine,
    pub(crate) zones: Zones,
    pub(crate) errors: Vec<ErrorRule>,
    pub(crate) constants: BTreeMap<String, String>,
    pub(crate) read_only: bool,
    pub(crate) session_revocation: SessionRevocation,
    pub(crate) schema: TargetSchema,
    pub(crate) kinds: BTreeMap<Kind, KindPlan>,
}

/// One kind.
pub(crate) struct KindPlan {
    pub(crate) name: Kind,
    pub(crate) config: config::Kind,
    pub(crate) get: Option<Named>,
    pub(crate) find: Vec<(Vec<String>, Named)>,
    pub(crate) list: Option<Named>,
    pub(crate) changes: Option<Named>,
    pub(crate) insert: Option<Named>,
    pub(crate) then: Vec<StepPlan>,
    pub(crate) taken: Option<Named>,
    pub(crate) name_from: Option<Expr>,
    pub(crate) touch: Option<Named>,
    pub(crate) update: Vec<StepPlan>,
    pub(crate) delete: Vec<StepPlan>,
    pub(crate) states: BTreeMap<AccountState, Vec<StepPlan>>,
    pub(crate) entitlements: BTreeMap<Kind, EntitlementPlan>,
    pub(crate) effective: Option<Named>,
    pub(crate) revoke_sessions: Vec<StepPlan>,
    pub(crate) after: Vec<AfterPlan>,
    /// What became of a request in the queue.
    pub(crate) ticket: Option<Named>,
}

/// A statement and its place in the file.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) label: String,
    pub(crate) statement: Statement,
}

/// One statement of a change.
#[derive(Debug)]
pub(crate) struct StepPlan {
    pub(crate) named: Named,
    pub(crate) rows: Rows,
    pub(crate) or_else: Option<Named>,
}

/// One type of entitlement.
pub(crate) struct EntitlementPlan {
    pub(crate) config: config::Entitlement,
    pub(crate) read: Option<Named>,
    pub(crate) add: Vec<StepPlan>,
    pub(crate) remove: Vec<StepPlan>,
}

/// Something that is done after a commit.
pub(crate) struct AfterPlan {
    pub(crate) name: String,
    pub(crate) on: BTreeSet<When>,
    pub(crate) does: Does,
}

pub(crate) enum Does {
    Step(StepPlan),
    Http { config: config::HttpStep, path: Path },
}

impl Named {
    /// Whether this parameter stands in it.
    pub(crate) fn takes(&self, parameter: &str) -> bool {
        self.statement.parameters.iter().any(|name| name == parameter)
    }
}

impl Plan {
    /// What the file tells before anything is opened.
    pub(crate) fn declared(config: &Config) -> Declared {
        schema::declared(config)
    }

    /// Compiles a file.
    ///
    /// # Errors
    /// All that is wrong with it, each with its place.
    pub(crate) fn compile(config: &Config) -> Result<Plan, Vec<ConfigIssue>> {
        let mut issues = Issues::default();
        lint::whole(config, &mut issues);
        let mut kinds = BTreeMap::new();
        for (name, kind) in &config.kinds {
            let pointer = format!("/kinds/{}", escaped(name));
            lint::kind(config, kind, &pointer, &mut issues);
            let mut compiler = Compiler { config, kind, name, pointer: &pointer, issues: &mut issues };
            let plan = compiler.kind();
            lint::compiled(&plan, &pointer, &mut issues);
            kinds.insert(Kind::from(name.as_str()), plan);
        }
        let mut zone = |pointer: &str, name: &str| {
            TimeZone::get(name).unwrap_or_else(|_| {
                issues.say(pointer, "is no time zone", Some("such as America/New_York".to_owned()));
                TimeZone::UTC
            })
        };
        let zones = Zones { days: zone("/zone", &config.zone), naive: zone("/naive_zone", &config.naive_zone) };
        if !issues.0.is_empty() {
            return Err(issues.0);
        }
        Ok(Plan {
            engine: config.database.engine,
            zones,
            errors: config.errors.clone(),
            constants: config.constants.clone(),
            read_only: config.read_only,
            session_revocation: config.session_revocation,
            schema: schema::of(config, &kinds),
            kinds,
        })
    }
}

/// What was found wrong with a file.
#[derive(Default)]
pub(crate) struct Issues(pub(crate) Vec<ConfigIssue>);

impl Issues {
    pub(crate) fn say(&mut self, pointer: impl Into<String>, message: impl Into<String>, hint: Option<String>) {
        self.0.push(ConfigIssue { pointer: pointer.into(), message: message.into(), hint });
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Which parameters a statement may have besides constants and the time, and what it may do.
#[derive(Clone, Copy)]
enum Place<'a> {
    Reads(&'a [&'a str]),
    Finds(&'a [String]),
    /// Attributes, and these.
    Writes(&'a [&'a str]),
    /// These, and an entitlement with this scope.
    Grants(&'a [String]),
}

struct Compiler<'a> {
    config: &'a Config,
    kind: &'a config::Kind,
    name: &'a str,
    pointer: &'a str,
    issues: &'a mut Issues,
}

const RECORD: &[&str] = &["id", "version", "op", "state"];

impl Compiler<'_> {
    fn kind(&mut self) -> KindPlan {
        let kind = self.kind;
        let create = kind.create.as_ref();
        let insert =
            create.and_then(|create| self.one(&create.insert, "create/insert", Place::Writes(&["op", "state"])));
        let naming = create.and_then(|create| create.name.as_ref());
        let mut find = Vec::new();
        for (index, config) in kind.find.iter().enumerate() {
            let named = self.rest(&config.sql, &format!("find/{index}/sql"), Place::Finds(&config.key));
            find.extend(named.map(|named| (config.key.clone(), named)));
        }
        let states = [
            (AccountState::Enabled, &kind.states.enabled, "states/enabled"),
            (AccountState::Disabled, &kind.states.disabled, "states/disabled"),
            (AccountState::Blocked, &kind.states.blocked, "states/blocked"),
            (AccountState::Expired, &kind.states.expired, "states/expired"),
        ];
        let states = states
            .into_iter()
            .map(|(state, steps, at)| (state, self.steps(steps, at, Place::Writes(RECORD))))
            .filter(|(_, steps)| !steps.is_empty())
            .collect();
        let mut entitlements = BTreeMap::new();
        for (name, config) in &kind.entitlements {
            let at = |part: &str| format!("entitlements/{}/{part}", escaped(name));
            let read = config.read.as_ref().map(|read| &read.sql);
            let plan = EntitlementPlan {
                read: read.and_then(|sql| self.one(sql, &at("read/sql"), Place::Reads(&["first", "last"]))),
                add: self.steps(&config.add, &at("add"), Place::Grants(&config.scope)),
                remove: self.steps(&config.remove, &at("remove"), Place::Grants(&config.scope)),
                config: config.clone(),
            };
            entitlements.insert(Kind::from(name.as_str()), plan);
        }
        KindPlan {
            name: Kind::from(self.name),
            get: kind.get.as_ref().and_then(|sql| self.rest(sql, "get", Place::Reads(&["id"]))),
            find,
            list: kind.list.as_ref().and_then(|l| self.rest(&l.sql, "list/sql", Place::Reads(&["after", "size"]))),
            changes: kind.changes.as_ref().and_then(|c| self.rest(&c.sql, "changes/sql", Place::Reads(&["since"]))),
            insert,
            then: create
                .map(|create| self.steps(&create.then, "create/then", Place::Writes(RECORD)))
                .unwrap_or_default(),
            taken: naming.and_then(|name| self.one(&name.taken, "create/name/taken", Place::Reads(&["name"]))),
            name_from: naming.and_then(|name| name.from.as_deref()).and_then(|source| self.expression(source)),
            touch: kind.touch.as_ref().and_then(|sql| self.one(sql, "touch", Place::Writes(RECORD))),
            update: self.steps(&kind.update, "update", Place::Writes(RECORD)),
            delete: self.steps(&kind.delete, "delete", Place::Writes(RECORD)),
            states,
            entitlements,
            effective: kind.effective.as_ref().and_then(|e| self.one(&e.sql, "effective/sql", Place::Reads(&["id"]))),
            revoke_sessions: self.steps(&kind.revoke_sessions, "revoke_sessions", Place::Writes(&["id", "op"])),
            ticket: kind
                .queue
                .as_ref()
                .and_then(|queue| self.one(&queue.ticket, "queue/ticket", Place::Reads(&["ticket"]))),
            after: self.after(),
            config: kind.clone(),
        }
    }

    fn after(&mut self) -> Vec<AfterPlan> {
        let mut all = Vec::new();
        for (index, config) in self.kind.after.iter().enumerate() {
            let at = format!("after/{index}");
            let does = match (&config.step, &config.http) {
                (Some(step), None) => self.step(step, &format!("{at}/step"), Place::Writes(RECORD)).map(Does::Step),
                (None, Some(http)) => self.http(http, &format!("{at}/http")),
                _ => {
                    self.say(&at, "needs either a step or a call over HTTP");
                    None
                }
            };
            let on = config.on.iter().copied().collect();
            all.extend(does.map(|does| AfterPlan { name: config.name.clone(), on, does }));
        }
        all
    }

    fn http(&mut self, config: &config::HttpStep, at: &str) -> Option<Does> {
        if !self.config.http.contains_key(&config.place) {
            self.say(at, &format!("there is no place {} under http", config.place));
        }
        if !matches!(config.method.as_str(), "POST" | "PUT" | "DELETE") {
            self.say(at, "the method is POST, PUT or DELETE");
        }
        let path = match Path::parse(&config.path) {
            Ok(path) => path,
            Err(error) => {
                self.say(&format!("{at}/path"), &error.to_string());
                return None;
            }
        };
        let known = |name: &str| {
            matches!(name, "id" | "op" | "state") || self.kind.attributes.get(name).is_some_and(|one| one.readable)
        };
        let names: Vec<String> = path.names().map(str::to_owned).chain(config.body.values().cloned()).collect();
        for name in names.iter().filter(|name| !known(name)).cloned().collect::<Vec<_>>() {
            self.say(at, &format!("{name} is neither id, op, state nor an attribute that can be read"));
        }
        Some(Does::Http { config: config.clone(), path })
    }

    fn steps(&mut self, steps: &[config::Step], at: &str, place: Place<'_>) -> Vec<StepPlan> {
        let mut all = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            all.extend(self.step(step, &format!("{at}/{index}"), place));
        }
        all
    }

    fn step(&mut self, step: &config::Step, at: &str, place: Place<'_>) -> Option<StepPlan> {
        let named = self.one(&step.sql, &format!("{at}/sql"), place);
        let or_else = step.or_else.as_ref().map(|sql| self.one(sql, &format!("{at}/or_else"), place));
        Some(StepPlan { named: named?, rows: step.rows, or_else: or_else.flatten() })
    }

    /// A statement that begins with the kind's `record`.
    fn rest(&mut self, sql: &Sql, at: &str, place: Place<'_>) -> Option<Named> {
        let engine = self.config.database.engine;
        let Some(record) = self.kind.record.of(engine) else {
            self.say("record", "has no text for this engine");
            return None;
        };
        let Some(rest) = sql.of(engine) else {
            self.say(at, "has no text for this engine");
            return None;
        };
        self.compiled(&format!("{record} {rest}"), at, place)
    }

    fn one(&mut self, sql: &Sql, at: &str, place: Place<'_>) -> Option<Named> {
        let Some(source) = sql.of(self.config.database.engine) else {
            self.say(at, "has no text for this engine");
            return None;
        };
        self.compiled(source, at, place)
    }

    fn compiled(&mut self, source: &str, at: &str, place: Place<'_>) -> Option<Named> {
        let parsed = match parse(source) {
            Ok(parsed) => parsed,
            Err(why) => {
                self.say(at, &format!("the statement {why}"));
                return None;
            }
        };
        let reads = matches!(place, Place::Reads(_) | Place::Finds(_));
        match parsed.verb {
            Verb::Asks if !reads => self.say(at, "changes nothing: SELECT cannot stand here"),
            Verb::Writes if reads => self.say(at, "only reads: INSERT, UPDATE and DELETE cannot stand here"),
            Verb::Asks | Verb::Writes | Verb::Calls => {}
        }
        self.parameters(&parsed, at, place);
        let style = match self.config.database.engine {
            Engine::Postgres => Style::Dollar,
            Engine::Mysql => Style::Question,
            Engine::Sqlite => Style::Numbered,
            Engine::Mssql => Style::At,
        };
        let mut statement = parsed.written(style);
        // A procedure that is read answers with rows.
        statement.returns |= reads;
        Some(Named { label: format!("{}.{}", self.name, at.replace('/', ".")), statement })
    }

    fn parameters(&mut self, parsed: &Parsed, at: &str, place: Place<'_>) {
        let attribute = |name: &str| self.kind.attributes.contains_key(name);
        let grant = |name: &str, scope: &[String]| {
            matches!(name, "value" | "place" | "valid_from" | "valid_to")
                || name.strip_prefix("scope_").is_some_and(|part| scope.iter().any(|known| known == part))
        };
        let known = |name: &str| {
            matches!(name, "today" | "now")
                || self.config.constants.contains_key(name)
                || match place {
                    Place::Reads(names) => names.contains(&name),
                    Place::Finds(key) => key.iter().any(|part| part == name),
                    Place::Writes(names) => names.contains(&name) || attribute(name),
                    Place::Grants(scope) => RECORD.contains(&name) || grant(name, scope),
                }
        };
        let strange: BTreeSet<&str> = parsed.names().filter(|name| !known(name)).collect();
        for name in strange {
            self.say(at, &format!("there is no parameter :{name} here"));
        }
    }

    fn expression(&mut self, source: &str) -> Option<Expr> {
        let of = |ty| match ty {
            ValueType::Text | ValueType::Bytes => Type::Text,
            ValueType::Integer => Type::Integer,
            ValueType::Boolean => Type::Boolean,
            ValueType::Timestamp => Type::Timestamp,
        };
        let attrs = Type::object(self.kind.attributes.iter().map(|(name, one)| (name.clone(), of(one.ty))));
        match Expr::compile(source, &Env::new().variable("attrs", attrs)) {
            Ok(expression) => Some(expression),
            Err(error) => {
                let place = format!("line {}, column {}: {}", error.line, error.column, error.message);
                self.say("create/name/from", &place);
                None
            }
        }
    }

    fn say(&mut self, at: &str, message: &str) {
        self.issues.say(format!("{}/{at}", self.pointer), message, None);
    }
}
