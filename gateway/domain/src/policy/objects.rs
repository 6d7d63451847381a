//! Compiling what a person has in a target: the account, further objects, and the edges between them.

use super::{
    AccountConfig, End, Issue, MappingConfig, Mode, ObjectConfig, ObjectEnd, OnLeave, TargetConfig, compile_expr,
};
use crate::mapping::{AccountMapping, Mapped};
use crate::native;
use connector_expr::Env;
use connector_spi::{AccountState, DeclaredKind, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// The account's mapping and those of the further objects.
pub(super) fn compile(
    target: &TargetConfig,
    env: &Env,
    at: &str,
    issues: &mut Vec<Issue>,
) -> (Option<AccountMapping>, Vec<AccountMapping>) {
    let mut account =
        target.account.as_ref().map(|account| compile_account(target, account, env, &format!("{at}/account"), issues));
    let mut others: Vec<AccountMapping> = target
        .objects
        .iter()
        .map(|(kind, object)| compile_object(target, kind, object, env, &format!("{at}/object/{kind}"), issues))
        .collect();
    if account.is_none() && !others.is_empty() {
        issues.push(Issue {
            pointer: format!("{at}/object"),
            message: "a further object belongs to an account, and the target has none".to_owned(),
            hint: Some("add [target.account]".to_owned()),
        });
    }
    let edges: Vec<(Kind, Kind)> = account
        .iter()
        .chain(&others)
        .flat_map(|object| object.depends_on.iter().map(|on| (object.kind.clone(), on.clone())))
        .collect();
    let kinds: BTreeSet<Kind> = account.iter().chain(&others).map(|object| object.kind.clone()).collect();
    check_edges(target, &kinds, &edges, at, issues);
    for object in account.iter_mut().chain(&mut others) {
        object.dependents =
            edges.iter().filter(|(_, on)| *on == object.kind).map(|(dependent, _)| dependent.clone()).collect();
    }
    (account, others)
}

fn compile_account(
    target: &TargetConfig,
    account: &AccountConfig,
    env: &Env,
    at: &str,
    issues: &mut Vec<Issue>,
) -> AccountMapping {
    let declared = target.declared.kinds.get(&Kind::from(account.kind.as_str()));
    check_end(account.on_leave.end, declared, at, issues);
    let attributes = Attributes::compile(&account.attributes, declared, env, at, issues);
    check_key(&account.key, &account.strong, &account.attributes, &PERSON, at, issues);
    AccountMapping {
        kind: Kind::from(account.kind.as_str()),
        when: account.when.as_ref().and_then(|source| compile_expr(source, env, &format!("{at}/when"), issues)),
        key: account.key.clone(),
        strong: account.strong.clone(),
        attributes: attributes.mapped,
        before_start: account.before_start,
        on_leave: account.on_leave,
        keeps: false,
        depends_on: edges(&account.depends_on, &attributes.references),
        references: attributes.references,
        dependents: Vec::new(),
    }
}

fn compile_object(
    target: &TargetConfig,
    kind: &str,
    object: &ObjectConfig,
    env: &Env,
    at: &str,
    issues: &mut Vec<Issue>,
) -> AccountMapping {
    let declared = target.declared.kinds.get(&Kind::from(kind));
    let attributes = Attributes::compile(&object.attributes, declared, env, at, issues);
    check_key(&object.key, &object.strong, &object.attributes, &PERSON, at, issues);
    let end = match object.on_leave {
        ObjectEnd::Disable | ObjectEnd::Keep => End::Disable,
        ObjectEnd::Delete => End::Delete,
    };
    AccountMapping {
        kind: Kind::from(kind),
        when: object.when.as_ref().and_then(|source| compile_expr(source, env, &format!("{at}/when"), issues)),
        key: object.key.clone(),
        strong: object.strong.clone(),
        attributes: attributes.mapped,
        before_start: Default::default(),
        // Sessions and entitlements hang on the account.
        on_leave: OnLeave { end, strip: crate::link::Strip::None, sessions: false },
        keeps: object.on_leave == ObjectEnd::Keep,
        depends_on: edges(&object.depends_on, &attributes.references),
        references: attributes.references,
        dependents: Vec::new(),
    }
}

/// Refuses an end for which the target is known to have no state. That a file says of no state how to come to it is no
/// refusal of the plain `disable`: the target may have nothing but `delete`, or take a closed account only as a new one.
fn check_end(end: End, declared: Option<&DeclaredKind>, at: &str, issues: &mut Vec<Issue>) {
    let state = match end {
        End::Disable | End::Delete => AccountState::Disabled,
        End::Block => AccountState::Blocked,
        End::Expire => AccountState::Expired,
    };
    let Some(closes_to) = declared.and_then(|declared| declared.closes_to.as_ref()) else { return };
    let plain = state == AccountState::Disabled && closes_to.is_empty();
    if end == End::Delete || plain || closes_to.contains(&state) {
        return;
    }
    let known: Vec<&str> =
        [(AccountState::Disabled, "disable"), (AccountState::Blocked, "block"), (AccountState::Expired, "expire")]
            .into_iter()
            .filter_map(|(state, word)| closes_to.contains(&state).then_some(word))
            .collect();
    issues.push(Issue {
        pointer: format!("{at}/on_leave/end"),
        message: format!("the target has no way to bring an account to {}", name(state)),
        hint: (!known.is_empty()).then(|| format!("it takes: {}", known.join(", "))),
    });
}

fn name(state: AccountState) -> &'static str {
    match state {
        AccountState::Enabled => "enabled",
        AccountState::Disabled => "disabled",
        AccountState::Blocked => "blocked",
        AccountState::Expired => "expired",
        AccountState::Unknown => "unknown",
    }
}

/// What is declared, and what is referred to: an id can be referred to only once there is one.
fn edges(declared: &[String], references: &BTreeMap<String, Kind>) -> Vec<Kind> {
    let all: BTreeSet<Kind> =
        declared.iter().map(|kind| Kind::from(kind.as_str())).chain(references.values().cloned()).collect();
    all.into_iter().collect()
}

pub(super) struct Attributes {
    pub(super) mapped: Vec<Mapped>,
    references: BTreeMap<String, Kind>,
}

impl Attributes {
    pub(super) fn compile(
        configs: &BTreeMap<String, MappingConfig>,
        declared: Option<&DeclaredKind>,
        env: &Env,
        at: &str,
        issues: &mut Vec<Issue>,
    ) -> Attributes {
        let mut compiled = Attributes { mapped: Vec::new(), references: BTreeMap::new() };
        for (name, mapping) in configs {
            let (source, mode, said, pointer) = match mapping {
                MappingConfig::Expr(source) => (source, Mode::Follow, None, format!("{at}/attributes/{name}")),
                MappingConfig::Table(table) => {
                    (&table.expr, table.mode, table.ty, format!("{at}/attributes/{name}/expr"))
                }
                MappingConfig::Link(link) => {
                    compiled.references.insert(name.clone(), Kind::from(link.link.as_str()));
                    continue;
                }
            };
            let Some(expr) = compile_expr(source, env, &pointer, issues) else { continue };
            let declared = declared.and_then(|declared| declared.types.get(name)).copied();
            let ty = native::type_of(said, declared, &expr);
            if let Some(ty) = ty.filter(|ty| !native::fits(*ty, expr.result())) {
                issues.push(Issue {
                    pointer,
                    message: format!("it gives {}, and {name:?} holds {}", expr.result().name(), native::name(ty)),
                    hint: None,
                });
                continue;
            }
            compiled.mapped.push(Mapped { name: name.clone(), expr, mode, ty });
        }
        compiled
    }
}

/// The words in which keys are spoken of.
pub(super) struct Words {
    /// What the object is.
    pub(super) object: &'static str,
    /// Whose it is.
    pub(super) owner: &'static str,
    /// The variable of the expressions.
    pub(super) variable: &'static str,
    /// An attribute that may be its key.
    pub(super) key: &'static str,
    /// An expression for it.
    pub(super) expr: &'static str,
}

const PERSON: Words =
    Words { object: "an account", owner: "the person", variable: "user", key: "uid", expr: "user.userName" };

pub(super) fn check_key(
    key: &[String],
    strong: &[String],
    attributes: &BTreeMap<String, MappingConfig>,
    words: &Words,
    at: &str,
    issues: &mut Vec<Issue>,
) {
    if key.is_empty() {
        issues.push(Issue {
            pointer: at.to_owned(),
            message: format!("key is missing: without a natural key {} could be made twice", words.object),
            hint: Some(format!(
                "name the attribute by which {} is found, such as key = [{:?}]",
                words.object, words.key
            )),
        });
    }
    for (field, names) in [("key", key), ("strong", strong)] {
        for (index, name) in names.iter().enumerate() {
            let pointer = format!("{at}/{field}/{index}");
            match attributes.get(name) {
                Some(MappingConfig::Expr(_) | MappingConfig::Table(_)) => {}
                Some(MappingConfig::Link(_)) => issues.push(Issue {
                    pointer,
                    message: format!(
                        "{name:?} holds the id of another object, which tells nothing about {}",
                        words.owner
                    ),
                    hint: Some(format!("name an attribute with an expression over {}", words.variable)),
                }),
                None => issues.push(Issue {
                    pointer,
                    message: format!("{name:?} is not among the attributes"),
                    hint: Some(format!("add it to attributes, such as {name} = {:?}", words.expr)),
                }),
            }
        }
    }
}

fn check_edges(
    target: &TargetConfig,
    kinds: &BTreeSet<Kind>,
    edges: &[(Kind, Kind)],
    at: &str,
    issues: &mut Vec<Issue>,
) {
    let place = |kind: &Kind| match &target.account {
        Some(account) if account.kind == kind.as_str() => format!("{at}/account"),
        _ => format!("{at}/object/{kind}"),
    };
    if let Some(account) = &target.account
        && target.objects.contains_key(&account.kind)
    {
        issues.push(Issue {
            pointer: format!("{at}/object/{}", account.kind),
            message: format!("{:?} is the kind of [target.account] already", account.kind),
            hint: None,
        });
    }
    for (kind, on) in edges.iter().filter(|(_, on)| !kinds.contains(on)) {
        let known: Vec<&str> = kinds.iter().filter(|known| *known != kind).map(Kind::as_str).collect();
        issues.push(Issue {
            pointer: place(kind),
            message: format!("it depends on {:?}, which no [target.object] describes", on.as_str()),
            hint: Some(if known.is_empty() {
                format!("add [target.object.{on}]")
            } else {
                format!("known: {}", known.join(", "))
            }),
        });
    }
    if let Some(kind) = kinds.iter().find(|kind| reaches(kind, kind, edges, &mut BTreeSet::new())) {
        issues.push(Issue {
            pointer: place(kind),
            message: format!(
                "{:?} depends on itself by way of others: neither could ever be made first",
                kind.as_str()
            ),
            hint: Some("take one of the edges away".to_owned()),
        });
    }
}

fn reaches<'a>(from: &'a Kind, to: &Kind, edges: &'a [(Kind, Kind)], been: &mut BTreeSet<&'a Kind>) -> bool {
    edges
        .iter()
        .filter(|(kind, _)| kind == from)
        .any(|(_, on)| on == to || (been.insert(on) && reaches(on, to, edges, been)))
}
