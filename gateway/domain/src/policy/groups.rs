//! Compiling `[target.group]`, and keeping groups as objects apart from groups as entitlements.

use super::objects::{Attributes, Words, check_key};
use super::{End, GroupConfig, GroupEnd, Issue, MappingConfig, OnLeave, PolicyConfig, TargetConfig, compile_expr};
use crate::catalogue::parse_composite;
use crate::group::GroupMapping;
use crate::link::{Members, Strip};
use crate::mapping::AccountMapping;
use connector_expr::Env;
use connector_spi::Kind;
use std::collections::BTreeMap;

const GROUP: Words =
    Words { object: "a group", owner: "the group", variable: "group", key: "cn", expr: "group.displayName" };

/// The mapping of groups, where the target has one. `env` declares `group`.
pub(super) fn compile(target: &TargetConfig, env: &Env, at: &str, issues: &mut Vec<Issue>) -> Option<GroupMapping> {
    let group = target.group.as_ref()?;
    let at = format!("{at}/group");
    let Some(account) = &target.account else {
        issues.push(Issue {
            pointer: at,
            message: "the members of a group are accounts, and the target has none".to_owned(),
            hint: Some("add [target.account]".to_owned()),
        });
        return None;
    };
    check_kind(target, group, &at, issues);
    check_attributes(group, &at, issues);
    check_key(&group.key, &group.strong, &group.attributes, &GROUP, &at, issues);
    let declared = target.declared.kinds.get(&Kind::from(group.kind.as_str()));
    let object = AccountMapping {
        kind: Kind::from(group.kind.as_str()),
        when: group.when.as_ref().and_then(|source| compile_expr(source, env, &format!("{at}/when"), issues)),
        key: group.key.clone(),
        strong: group.strong.clone(),
        attributes: Attributes::compile(&group.attributes, declared, env, &at, issues).mapped,
        before_start: Default::default(),
        // Nobody logs in to a group, and it holds no entitlements.
        on_leave: OnLeave { end: end(group.on_delete), strip: Strip::None, sessions: false },
        keeps: group.on_delete == GroupEnd::Keep,
        references: BTreeMap::new(),
        depends_on: Vec::new(),
        dependents: Vec::new(),
    };
    let members = Members { attribute: group.members.clone(), of: Kind::from(account.kind.as_str()) };
    Some(GroupMapping { object, members })
}

fn end(on_delete: GroupEnd) -> End {
    match on_delete {
        GroupEnd::Keep => End::Disable,
        GroupEnd::Delete => End::Delete,
    }
}

fn check_kind(target: &TargetConfig, group: &GroupConfig, at: &str, issues: &mut Vec<Issue>) {
    let is_account = target.account.as_ref().is_some_and(|account| account.kind == group.kind);
    if is_account || target.objects.contains_key(&group.kind) {
        let section =
            if is_account { "[target.account]".to_owned() } else { format!("[target.object.{}]", group.kind) };
        issues.push(Issue {
            pointer: format!("{at}/kind"),
            message: format!("{:?} is the kind of {section} already", group.kind),
            hint: Some("name the kind of object that groups are in the target".to_owned()),
        });
    }
}

fn check_attributes(group: &GroupConfig, at: &str, issues: &mut Vec<Issue>) {
    for (name, mapping) in &group.attributes {
        let (message, hint) = if *name == group.members {
            ("the members come from the group itself", "take it out, or name another attribute in members")
        } else if matches!(mapping, MappingConfig::Link(_)) {
            ("a group has no other objects to refer to", "write an expression over group")
        } else {
            continue;
        };
        issues.push(Issue {
            pointer: format!("{at}/attributes/{name}"),
            message: message.to_owned(),
            hint: Some(hint.to_owned()),
        });
    }
    if group.members.is_empty() {
        issues.push(Issue {
            pointer: format!("{at}/members"),
            message: "members is empty".to_owned(),
            hint: Some("name the target's attribute that holds a group's members".to_owned()),
        });
    }
}

/// Refuses a target whose groups would be managed twice, by their own links and by the users' (decision 15).
pub(super) fn check_overlap(config: &PolicyConfig, issues: &mut Vec<Issue>) {
    let hint = || Some("manage a group as object or as entitlement, never both".to_owned());
    for (place, target) in config.targets.iter().enumerate() {
        let Some(group) = &target.group else { continue };
        // One is enough: a catalogue may have thousands, and what is wrong is the type.
        if let Some(index) = target.catalogue.iter().position(|entry| entry.ty == group.kind) {
            issues.push(Issue {
                pointer: format!("/target/{place}/catalogue/{index}/type"),
                message: format!("{:?} is the kind of groups that [target.group] keeps as objects", group.kind),
                hint: hint(),
            });
        }
        for (role_place, role) in config.roles.iter().enumerate() {
            for (index, given) in role.entitlements.iter().enumerate() {
                let Some((of_target, entitlement)) = parse_composite(given.id()) else { continue };
                if of_target == target.name && entitlement.kind.as_str() == group.kind {
                    issues.push(Issue {
                        pointer: format!("/role/{role_place}/entitlements/{index}"),
                        message: format!("[target.group] of {of_target} keeps {:?} as objects", group.kind),
                        hint: hint(),
                    });
                }
            }
        }
    }
}
