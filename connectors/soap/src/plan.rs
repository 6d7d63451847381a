//! A target's file, checked and compiled. Pure.

use crate::{
    config::{self, Config, Errors, Pages, Place, VARIABLES},
    days::Calendar,
    place::Names,
    record::Reader,
    request::Request,
    service::ServicePlan,
};
use connector_declared::{First, Giving, Issues, Moves, Step, steps};
use connector_expr::{Env, Type};
use connector_spi::{AccountState, ConfigIssue, Declared, Kind, KindSchema, TargetSchema, ValueType};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

mod lint;
mod schema;

/// Everything that a target's file says, ready to be carried out.
pub(crate) struct Plan {
    pub(crate) services: BTreeMap<String, ServicePlan>,
    pub(crate) check: Vec<Request>,
    pub(crate) errors: Errors,
    pub(crate) warnings_at: Vec<Place>,
    pub(crate) read_only: bool,
    pub(crate) schema: TargetSchema,
    pub(crate) kinds: BTreeMap<Kind, KindPlan>,
    pub(crate) reader: Reader,
}

/// One kind.
pub(crate) struct KindPlan {
    pub(crate) name: Kind,
    pub(crate) config: config::Kind,
    pub(crate) schema: KindSchema,
    pub(crate) get: Option<Request>,
    pub(crate) find: Vec<Search>,
    pub(crate) create: Option<Request>,
    /// Steps before a create.
    pub(crate) first: Vec<First<Request, Place>>,
    pub(crate) ticket: Option<Request>,
    pub(crate) delete: Option<Request>,
    pub(crate) list: Option<Request>,
    pub(crate) moves: Moves<Request>,
    pub(crate) effective: Option<Request>,
    pub(crate) revoke_sessions: Option<Request>,
    pub(crate) set_password: Option<Request>,
}

/// A look-up by natural key.
pub(crate) struct Search {
    pub(crate) key: Vec<String>,
    pub(crate) request: Request,
    pub(crate) pages: Pages,
    pub(crate) then_get: bool,
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
        if config.spi != "1" {
            issues.say("/spi", "this connector speaks version 1 of the contract", None);
        }
        for issue in config.http.issues() {
            issues.say(format!("/http{}", issue.pointer), issue.message, issue.hint);
        }
        lint::namespaces(config, &mut issues);
        if !issues.0.is_empty() {
            // Every template would fail by it as well.
            return Err(issues.0);
        }
        let names = Names::new(config.namespaces.clone());
        let zone = match config.zone.as_deref().map(TimeZone::get) {
            None => TimeZone::UTC,
            Some(Ok(zone)) => zone,
            Some(Err(_)) => {
                issues.say("/zone", "is no time zone", Some("a name such as America/New_York".to_owned()));
                TimeZone::UTC
            }
        };
        let env = surroundings(config, &zone);
        let services: BTreeMap<String, ServicePlan> = config
            .services
            .iter()
            .map(|(name, service)| {
                let pointer = format!("/services/{}", escaped(name));
                (name.clone(), ServicePlan::compile(service, &config.http, &names, &pointer, &mut issues))
            })
            .collect();
        let of_check = env.clone().variable("op", Type::Text);
        let requests = config.check.iter().enumerate();
        let check: Vec<Request> = requests
            .filter_map(|(at, request)| {
                Request::compile(request, &names, &of_check, &format!("/check/{at}"), &mut issues)
            })
            .collect();
        lint::file(config, &mut issues);
        let mut schema = schema::of(config);
        let mut kinds = BTreeMap::new();
        for (name, kind) in &config.kinds {
            let pointer = format!("/kinds/{}", escaped(name));
            lint::kind(config, kind, &pointer, &mut issues);
            let kind_schema = schema.kinds.get(&Kind::from(name.as_str())).cloned();
            if let Some(kind_schema) = kind_schema {
                let mut compiling = Compiling { names: &names, kind, surroundings: &env, pointer, issues: &mut issues };
                kinds.insert(Kind::from(name.as_str()), compiling.kind(name, kind, kind_schema));
            }
        }
        schema::seal(&mut schema);
        if !issues.0.is_empty() {
            return Err(issues.0);
        }
        Ok(Plan {
            services,
            check,
            errors: config.errors.clone(),
            warnings_at: config.warnings_at.clone(),
            read_only: config.read_only,
            schema,
            kinds,
            reader: Reader { names, calendar: Calendar { zone, end: config.end_date } },
        })
    }
}

/// Tables and the zone: what every expression may use.
fn surroundings(config: &Config, zone: &TimeZone) -> Env {
    let env = config.tables.iter().fold(Env::new(), |env, (name, rows)| {
        env.table(name, rows.iter().map(|(key, value)| (key.clone(), serde_json::Value::from(value.clone()))))
    });
    match &config.zone {
        Some(name) => env.zone(name, zone.clone()),
        None => env,
    }
}

struct Compiling<'c> {
    names: &'c Names,
    kind: &'c config::Kind,
    surroundings: &'c Env,
    pointer: String,
    issues: &'c mut Issues,
}

impl Compiling<'_> {
    /// What expressions at this place may use.
    fn env(&self, at: &str) -> Env {
        variables(self.kind, self.surroundings, at)
    }

    fn one(&mut self, request: Option<&config::Request>, at: &str) -> Option<Request> {
        let env = self.env(at);
        request.and_then(|request| {
            Request::compile(request, self.names, &env, &format!("{}/{at}", self.pointer), self.issues)
        })
    }

    fn kind(&mut self, name: &str, kind: &config::Kind, schema: KindSchema) -> KindPlan {
        let mut find = Vec::new();
        for (index, config) in kind.find.iter().enumerate() {
            let request = self.one(Some(&config.request), &format!("find/{index}/request"));
            find.extend(request.map(|request| Search {
                key: config.key.clone(),
                request,
                pages: config.pages.clone(),
                then_get: config.then_get,
            }));
        }
        KindPlan {
            name: Kind::from(name),
            get: self.one(kind.get.as_ref(), "get"),
            find,
            first: self.first(kind),
            ticket: self.one(kind.ticket.as_ref().map(|ticket| &ticket.request), "ticket/request"),
            create: self.one(kind.create.as_ref().map(|create| &create.request), "create/request"),
            delete: self.one(kind.delete.as_ref(), "delete"),
            list: self.one(kind.list.as_ref().map(|list| &list.request), "list/request"),
            effective: self.one(kind.effective.as_ref().map(|effective| &effective.request), "effective/request"),
            revoke_sessions: self.one(kind.revoke_sessions.as_ref(), "revoke_sessions"),
            set_password: self.one(kind.set_password.as_ref(), "set_password"),
            moves: self.moves(kind),
            config: kind.clone(),
            schema,
        }
    }

    fn first(&mut self, kind: &config::Kind) -> Vec<First<Request, Place>> {
        let mut first = Vec::new();
        for (index, config) in kind.create.iter().flat_map(|create| create.first.iter().enumerate()) {
            let at = |part: &str| format!("create/first/{index}/{part}");
            let look = self.one(config.look.as_ref(), &at("look"));
            let undo = self.one(config.undo.as_ref(), &at("undo"));
            first.extend(self.one(Some(&config.request), &at("request")).map(|request| First {
                name: config.name.clone(),
                look: look.map(|look| (look, config.found.clone())),
                request,
                gives: config.gives.clone(),
                undo,
            }));
        }
        first
    }

    fn moves(&mut self, kind: &config::Kind) -> Moves<Request> {
        let mut moves = Moves {
            updatable: kind.attributes.iter().map(|(name, attribute)| (name.clone(), attribute.updatable)).collect(),
            ..Moves::default()
        };
        for (index, config) in kind.update.iter().enumerate() {
            let at = format!("update/{index}");
            let request = self.one(Some(&config.request), &format!("{at}/request"));
            let clear = self.one(config.clear.as_ref(), &format!("{at}/clear"));
            let env = self.env(&format!("{at}/when"));
            let when = config
                .when
                .as_ref()
                .and_then(|source| self.issues.expression(&format!("{}/{at}/when", self.pointer), source, &env));
            moves.steps.extend(request.map(|request| Step {
                takes: config.for_attributes.clone(),
                when,
                request,
                clear,
            }));
        }
        let states = [
            (AccountState::Enabled, &kind.states.enabled, "enabled"),
            (AccountState::Disabled, &kind.states.disabled, "disabled"),
            (AccountState::Blocked, &kind.states.blocked, "blocked"),
            (AccountState::Expired, &kind.states.expired, "expired"),
        ];
        for (state, requests, name) in states {
            let all = requests.iter().enumerate();
            let all: Vec<Request> =
                all.filter_map(|(at, request)| self.one(Some(request), &format!("states/{name}/{at}"))).collect();
            if !all.is_empty() {
                moves.states.insert(state, all);
            }
        }
        for (name, config) in &kind.entitlements {
            let at = |part: &str| format!("entitlements/{}/{part}", escaped(name));
            let giving = Giving {
                single: config.single,
                add: self.one(config.add.as_ref(), &at("add")),
                remove: self.one(config.remove.as_ref(), &at("remove")),
                replace: self.one(config.replace.as_ref(), &at("replace")),
            };
            moves.entitlements.insert(Kind::from(name.as_str()), giving);
        }
        moves
    }
}

/// The variables that a request of a kind may use at a place, where these are known.
fn variables(kind: &config::Kind, surroundings: &Env, place: &str) -> Env {
    let known = VARIABLES.at(place);
    let entitlement = Type::object([
        ("type", Type::Text),
        ("value", Type::Text),
        ("scope", Type::map(Type::Text)),
        ("order", Type::Integer),
        ("validFrom", Type::Timestamp),
        ("validTo", Type::Timestamp),
        ("lastSecond", Type::Timestamp),
        ("firstDay", Type::Text),
        ("lastDay", Type::Text),
        ("endDay", Type::Text),
    ]);
    let attrs = kind.attributes.iter().map(|(name, attribute)| {
        let one = match attribute.ty {
            ValueType::Text | ValueType::Bytes => Type::Text,
            ValueType::Integer => Type::Integer,
            ValueType::Boolean => Type::Boolean,
            ValueType::Timestamp => Type::Timestamp,
        };
        (name.clone(), if attribute.multi { Type::list(one) } else { one })
    });
    let attrs = Type::object(attrs);
    let page = Type::object([("cursor", Type::Text), ("offset", Type::Integer), ("size", Type::Integer)]);
    let first = kind.create.iter().flat_map(|create| &create.first).take(steps::before(place));
    let all = [
        ("steps", Type::object(first.map(|first| (first.name.clone(), Type::Text)))),
        ("ticket", Type::Text),
        ("id", Type::Text),
        ("op", Type::Text),
        ("state", Type::Text),
        ("leaver", Type::Boolean),
        ("cleared", Type::object(kind.attributes.keys().map(|name| (name.clone(), Type::Boolean)))),
        ("key", attrs.clone()),
        ("held", attrs.clone()),
        ("attrs", attrs),
        ("page", page),
        ("entitlement", entitlement.clone()),
        ("entitlements", Type::list(entitlement)),
        ("password", Type::Text),
    ];
    let here = all.into_iter().filter(|(name, _)| known.contains(name));
    here.fold(surroundings.clone(), |env, (name, ty)| env.variable(name, ty))
}

/// A name as a step of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Whether two keys consist of the same attributes.
pub(crate) fn same_names(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|name| other.contains(name))
}
