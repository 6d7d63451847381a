//! A target's file, checked and compiled. Pure.

use crate::{
    config::{self, Config, Errors, Pages, Pointer, VARIABLES},
    template::Request,
};
use connector_declared::{First, Giving, Issues, Moves, Step, steps};
use connector_expr::{Env, Type};
use connector_spi::{AccountState, ConfigIssue, Declared, Kind, KindSchema, TargetSchema, ValueType};
use std::collections::BTreeMap;

mod lint;
mod schema;

/// Everything that a target's file says, ready to be carried out.
pub(crate) struct Plan {
    pub(crate) check: Request,
    pub(crate) errors: Errors,
    pub(crate) warnings_at: Vec<Pointer>,
    pub(crate) idempotency_header: Option<String>,
    pub(crate) read_only: bool,
    pub(crate) schema: TargetSchema,
    pub(crate) kinds: BTreeMap<Kind, KindPlan>,
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
    pub(crate) first: Vec<First<Request, Pointer>>,
    pub(crate) ticket: Option<Request>,
    pub(crate) delete: Option<Request>,
    pub(crate) list: Option<Request>,
    pub(crate) moves: Moves<Request>,
    pub(crate) entitlements: BTreeMap<Kind, EntitlementPlan>,
    pub(crate) effective: Option<Request>,
    pub(crate) revoke_sessions: Option<Request>,
}

/// A look-up by natural key.
pub(crate) struct Search {
    pub(crate) key: Vec<String>,
    pub(crate) request: Request,
    pub(crate) items: Option<Pointer>,
    pub(crate) pages: Pages,
    pub(crate) then_get: bool,
}

/// How one type of entitlement is read.
pub(crate) struct EntitlementPlan {
    pub(crate) config: config::Entitlement,
    pub(crate) read: Option<Request>,
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
        if let Some(name) = &config.idempotency_header
            && (name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
        {
            issues.say("/idempotency_header", "is no name of a header field", None);
        }
        let tables = config.tables.iter().fold(Env::new(), |env, (name, rows)| {
            env.table(name, rows.iter().map(|(key, value)| (key.clone(), serde_json::Value::from(value.clone()))))
        });
        let check = Request::compile(&config.check, &tables, "/check", &mut issues);
        let schema = schema::of(config);
        let mut kinds = BTreeMap::new();
        for (name, kind) in &config.kinds {
            let pointer = format!("/kinds/{}", name.replace('~', "~0").replace('/', "~1"));
            lint::kind_issues(config, kind, &pointer, &mut issues);
            let name = Kind::from(name.as_str());
            if let Some(schema) = schema.kinds.get(&name).cloned() {
                kinds.insert(name.clone(), kind_plan(name, kind, schema, &tables, &pointer, &mut issues));
            }
        }
        match check {
            Some(check) if issues.0.is_empty() => Ok(Plan {
                check,
                errors: config.errors.clone(),
                warnings_at: config.warnings_at.clone(),
                idempotency_header: config.idempotency_header.clone(),
                read_only: config.read_only,
                schema,
                kinds,
            }),
            _ => Err(issues.0),
        }
    }
}

fn kind_plan(
    name: Kind,
    kind: &config::Kind,
    schema: KindSchema,
    tables: &Env,
    pointer: &str,
    issues: &mut Issues,
) -> KindPlan {
    let env = |at: &str| variables(kind, tables, at);
    let mut later = false;
    let mut one = |request: Option<&config::Request>, at: &str| {
        let request = request?;
        if request.taken_on.is_some() {
            later = true;
            if !steps::may_be_taken_on(at) {
                let message = "only a request that makes or changes a record may be taken on for later";
                issues.say(format!("{pointer}/{at}/taken_on"), message, None);
            }
        }
        Request::compile(request, &env(at), &format!("{pointer}/{at}"), issues)
    };
    let get = one(kind.get.as_ref(), "get");
    let create = one(kind.create.as_ref().map(|create| &create.request), "create/request");
    let mut first = Vec::new();
    for (index, config) in kind.create.iter().flat_map(|create| create.first.iter().enumerate()) {
        let mut part = |request: Option<&config::Request>, part| one(request, &format!("create/first/{index}/{part}"));
        let (look, undo) = (part(config.look.as_ref(), "look"), part(config.undo.as_ref(), "undo"));
        first.extend(part(Some(&config.request), "request").map(|request| First {
            name: config.name.clone(),
            look: look.map(|look| (look, config.found.clone())),
            request,
            gives: config.gives.clone(),
            undo,
        }));
    }
    let ticket = one(kind.ticket.as_ref().map(|ticket| &ticket.request), "ticket/request");
    let delete = one(kind.delete.as_ref(), "delete");
    let list = one(kind.list.as_ref().map(|list| &list.request), "list/request");
    let effective = one(kind.effective.as_ref().map(|effective| &effective.request), "effective/request");
    let revoke_sessions = one(kind.revoke_sessions.as_ref(), "revoke_sessions");
    let states = [
        (AccountState::Enabled, one(kind.states.enabled.as_ref(), "states/enabled")),
        (AccountState::Disabled, one(kind.states.disabled.as_ref(), "states/disabled")),
        (AccountState::Blocked, one(kind.states.blocked.as_ref(), "states/blocked")),
        (AccountState::Expired, one(kind.states.expired.as_ref(), "states/expired")),
    ];
    let mut entitlements = BTreeMap::new();
    let mut moves = Moves {
        updatable: kind.attributes.iter().map(|(name, attribute)| (name.clone(), attribute.updatable)).collect(),
        states: states.into_iter().filter_map(|(state, request)| Some((state, vec![request?]))).collect(),
        ..Moves::default()
    };
    for (name, config) in &kind.entitlements {
        let at = |part: &str| format!("entitlements/{}/{part}", name.replace('~', "~0").replace('/', "~1"));
        let plan = EntitlementPlan {
            read: one(config.read.as_ref().and_then(|read| read.request.as_ref()), &at("read/request")),
            config: config.clone(),
        };
        let giving = Giving {
            single: config.single,
            add: one(config.add.as_ref(), &at("add")),
            remove: one(config.remove.as_ref(), &at("remove")),
            replace: one(config.replace.as_ref(), &at("replace")),
        };
        moves.entitlements.insert(Kind::from(name.as_str()), giving);
        entitlements.insert(Kind::from(name.as_str()), plan);
    }
    let mut find = Vec::new();
    for (index, config) in kind.find.iter().enumerate() {
        let request = one(Some(&config.request), &format!("find/{index}/request"));
        find.extend(request.map(|request| Search {
            key: config.key.clone(),
            request,
            items: config.items.clone(),
            pages: config.pages.clone(),
            then_get: config.then_get,
        }));
    }
    let mut update = Vec::new();
    for (index, config) in kind.update.iter().enumerate() {
        let request = one(Some(&config.request), &format!("update/{index}/request"));
        let clear = one(config.clear.as_ref(), &format!("update/{index}/clear"));
        update.extend(request.map(|request| (index, config, request, clear)));
    }
    if kind.ticket.is_some() && !later {
        issues.say(format!("{pointer}/ticket"), "no request of this kind is ever taken_on", None);
    }
    moves.steps = update
        .into_iter()
        .map(|(index, config, request, clear)| Step {
            takes: config.for_attributes.clone(),
            when: config.when.as_ref().and_then(|source| {
                let at = format!("update/{index}/when");
                issues.expression(&format!("{pointer}/{at}"), source, &env(&at))
            }),
            request,
            clear,
        })
        .collect();
    KindPlan {
        name,
        config: kind.clone(),
        schema,
        get,
        find,
        create,
        first,
        ticket,
        delete,
        list,
        moves,
        entitlements,
        effective,
        revoke_sessions,
    }
}

/// The variables that a request of a kind may use at a place, where these are known.
fn variables(kind: &config::Kind, tables: &Env, place: &str) -> Env {
    let known = VARIABLES.at(place);
    let entitlement = Type::object([
        ("type", Type::Text),
        ("value", Type::Text),
        ("scope", Type::map(Type::Text)),
        ("order", Type::Integer),
        ("validFrom", Type::Timestamp),
        ("validTo", Type::Timestamp),
        ("lastSecond", Type::Timestamp),
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
    let first = kind.create.iter().flat_map(|create| &create.first).take(steps::before(place));
    let steps = first.map(|first| (first.name.clone(), Type::Text));
    let all = [
        ("steps", Type::object(steps)),
        ("ticket", Type::Text),
        ("id", Type::Text),
        ("op", Type::Text),
        ("state", Type::Text),
        ("version", Type::Text),
        ("key", attrs.clone()),
        ("attrs", attrs),
        ("entitlement", entitlement.clone()),
        ("entitlements", Type::list(entitlement)),
    ];
    let here = all.into_iter().filter(|(name, _)| known.contains(name));
    here.fold(tables.clone(), |env, (name, ty)| env.variable(name, ty))
}

/// Whether two keys consist of the same attributes.
pub(crate) fn same_names(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|name| other.contains(name))
}
