//! Which attributes reach a target, and which are only kept.

use super::{Policy, TargetPolicy};
use crate::gates::CLINICAL;
use crate::{mapping, roles};
use connector_expr::Expr;
use scim::Object;
use serde_json::Value;

/// What the gates and the roles read of a person without any expression.
const ALWAYS: [&str; 3] = ["active", "entitlements", "roles"];
/// The same of the clinical extension.
const ALWAYS_CLINICAL: [&str; 3] = ["startDate", "endDate", "assignments"];

impl Policy {
    /// The names of a user's attributes on which nothing in any target depends: no mapping, no `when` and no role rule reads
    /// them. An attribute of an extension is named by its URN path; a role or entitlement that no catalogue knows is named by its
    /// value, for it grants nothing. Ordered by name.
    #[must_use]
    pub fn stored_only(&self, attrs: &Object) -> Vec<String> {
        let mut names = Vec::new();
        for (name, value) in attrs {
            let short = mapping::short_name(name);
            match value {
                Value::Object(inner) if name.starts_with("urn:") => {
                    let always = |attribute: &str| name == CLINICAL && ALWAYS_CLINICAL.contains(&attribute);
                    let only = inner.keys().filter(|one| !always(one) && !self.reads(&format!("user.{short}.{one}")));
                    names.extend(only.map(|one| format!("{name}:{one}")));
                }
                _ if ALWAYS.contains(&name.as_str()) || self.reads(&format!("user.{name}")) => {}
                _ => names.push(name.clone()),
            }
        }
        let unknown = roles::unknown(self.catalogue(), attrs);
        names.extend(unknown.into_iter().map(|(list, value)| format!("{list}[value eq {}]", Value::String(value))));
        names.sort_unstable();
        names
    }

    /// As [`Policy::stored_only`], of a group. Who its members are counts as soon as a rule looks at groups or a target holds
    /// them as objects.
    #[must_use]
    pub fn group_stored_only(&self, attrs: &Object) -> Vec<String> {
        let objects = || self.targets.iter().filter_map(|target| target.group.as_ref());
        let mapped =
            |name: &str| objects().any(|group| group.object.exprs().any(|expr| expr.reads(&format!("group.{name}"))));
        let taken = |name: &str| mapped(name) || (name == "displayName" && self.reads("user.groups.display"));
        let mut names: Vec<String> = attrs.keys().filter(|name| !taken(name)).cloned().collect();
        if !self.uses_groups && objects().next().is_none() {
            names.push("members".to_owned());
        }
        names.sort_unstable();
        names
    }

    fn reads(&self, path: &str) -> bool {
        let roles = self.roles.iter().filter_map(|role| role.when.as_ref());
        let objects = self.targets.iter().flat_map(TargetPolicy::objects).flat_map(mapping::AccountMapping::exprs);
        roles.chain(objects).any(|expr: &Expr| expr.reads(path))
    }
}
