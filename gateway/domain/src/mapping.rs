//! From a resource to a target's attributes.

use crate::ResourceId;
use crate::gates::Access;
use crate::link::{Closing, Wanted};
use crate::native;
use crate::policy::{BeforeStart, End, Mode, OnLeave};
use crate::resolve::GroupRef;
use connector_expr::{Env, Expr, Type, Vars};
use connector_spi::{AccountState, Attrs, Kind, Value as Native, ValueType};
use jiff::Timestamp;
use jiff::civil::Date;
use scim::{Attribute, Object, Types};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// `[target.account]` or `[target.object.KIND]`, compiled.
#[derive(Debug)]
pub struct AccountMapping {
    /// The target's kind of object.
    pub kind: Kind,
    /// Who has one.
    pub when: Option<Expr>,
    /// Attributes of the natural key.
    pub key: Vec<String>,
    /// Attributes that must agree at an adoption.
    pub strong: Vec<String>,
    /// The target's attributes.
    pub attributes: Vec<Mapped>,
    /// What exists before the start date.
    pub before_start: BeforeStart,
    /// What happens when access ends.
    pub on_leave: OnLeave,
    /// It stays as it is when access ends.
    pub keeps: bool,
    /// Attributes that hold the native id of another object of the person.
    pub references: BTreeMap<String, Kind>,
    /// Kinds that must stand before this one is made.
    pub depends_on: Vec<Kind>,
    /// Kinds that depend on this one: they are closed first.
    pub dependents: Vec<Kind>,
}

/// One attribute of the target and where its values come from.
#[derive(Debug)]
pub struct Mapped {
    /// The target's attribute.
    pub name: String,
    /// Its values.
    pub expr: Expr,
    /// How it is kept.
    pub mode: Mode,
    /// The type that the target reads it in, as far as it is known.
    pub ty: Option<ValueType>,
}

/// Why a mapping made nothing: an expression failed, or a key came out empty. Holds names, never values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmapped {
    /// The target's attribute.
    pub attribute: String,
    /// What went wrong.
    pub message: String,
}

impl AccountMapping {
    /// Every expression of the mapping.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.when.iter().chain(self.attributes.iter().map(|mapped| &mapped.expr))
    }

    /// The account as it should be, without entitlements.
    ///
    /// # Errors
    /// When an expression fails or a natural key is empty: then nothing at all is sent, since half an account is worse than
    /// none.
    pub fn open(&self, vars: &Vars, now: Timestamp, state: AccountState) -> Result<Wanted, Unmapped> {
        let mut attrs = Attrs::new();
        let mut initial = Attrs::new();
        for Mapped { name, expr, mode, ty } in &self.attributes {
            let unmapped = |message: String| Unmapped { attribute: name.clone(), message };
            let value = expr.eval(vars, now).map_err(|error| unmapped(error.to_string()))?;
            let values = native::values(value, *ty).map_err(|why| unmapped(why.to_owned()))?;
            match mode {
                Mode::Follow => attrs.insert(name.clone(), values),
                Mode::Initial => initial.insert(name.clone(), values),
            };
        }
        let pick = |names: &[String]| -> BTreeMap<String, Native> {
            names
                .iter()
                .filter_map(|name| {
                    let values = attrs.get(name).or_else(|| initial.get(name))?;
                    values.first().map(|value| (name.clone(), value.clone()))
                })
                .collect()
        };
        let key = pick(&self.key);
        if let Some(missing) = self.key.iter().find(|name| !key.contains_key(*name)) {
            return Err(Unmapped { attribute: missing.clone(), message: "the natural key is empty".to_owned() });
        }
        let strong = pick(&self.strong);
        Ok(Wanted {
            state,
            attrs,
            initial,
            key,
            strong,
            entitlements: Vec::new(),
            closing: None,
            after: self.depends_on.clone(),
            references: self.references.clone(),
            members: None,
        })
    }

    /// How the account is closed. Uses no expression, so that nothing can hold a closing up. `before` keeps the keys by which
    /// an account whose creation was never confirmed is still found.
    #[must_use]
    pub fn close(&self, before: Option<&Wanted>) -> Wanted {
        let OnLeave { end, strip, sessions } = self.on_leave;
        Wanted {
            state: match end {
                _ if self.keeps => AccountState::Unknown,
                End::Disable | End::Delete => AccountState::Disabled,
                End::Block => AccountState::Blocked,
                End::Expire => AccountState::Expired,
            },
            attrs: Attrs::new(),
            initial: Attrs::new(),
            key: before.map(|wanted| wanted.key.clone()).unwrap_or_default(),
            strong: before.map(|wanted| wanted.strong.clone()).unwrap_or_default(),
            entitlements: Vec::new(),
            closing: Some(Closing { strip, sessions, delete: end == End::Delete, keep: self.keeps }),
            after: self.dependents.clone(),
            references: BTreeMap::new(),
            members: None,
        }
    }
}

/// What expressions see: `user`, with core attributes by name, extensions by short name and `groups`; and `access`, with the
/// instants at which it begins and ends by itself, and the days.
#[must_use]
pub fn environment(types: &Types) -> Env {
    let user = types.user();
    let mut fields: BTreeMap<String, Type> = user.schema.attributes.iter().filter_map(field).collect();
    for extension in &user.extensions {
        let name = short_name(&extension.schema.id);
        fields.insert(name.to_owned(), Type::object(extension.schema.attributes.iter().filter_map(field)));
    }
    fields.insert("id".to_owned(), Type::Text);
    fields.insert("externalId".to_owned(), Type::Text);
    let group = Type::object([("value", Type::Text), ("display", Type::Text), ("direct", Type::Boolean)]);
    fields.insert("groups".to_owned(), Type::list(group));
    let access = Type::object([
        ("begins", Type::Timestamp),
        ("ends", Type::Timestamp),
        ("firstDay", Type::Text),
        ("lastDay", Type::Text),
    ]);
    Env::new().variable("user", Type::object(fields)).variable("access", access)
}

/// What the expressions of `[target.group]` see: `group`, with `id`, `displayName` and `externalId`.
#[must_use]
pub fn group_environment() -> Env {
    let fields = ["id", "displayName", "externalId"].map(|name| (name, Type::Text));
    Env::new().variable("group", Type::object(fields))
}

/// The variables of one group.
#[must_use]
pub fn group_variables(id: &ResourceId, attrs: &Object, external_id: Option<&str>) -> Vars {
    let group = json!({
        "id": id.as_str(),
        "displayName": attrs.get("displayName"),
        "externalId": external_id,
    });
    Vars::new(json!({ "group": group }))
}

fn field(attribute: &Attribute) -> Option<(String, Type)> {
    // `$ref` cannot be written in an expression, and no mapping needs it.
    if attribute.name.starts_with('$') {
        return None;
    }
    let single = match attribute.ty {
        scim::Type::String | scim::Type::Reference | scim::Type::Binary => Type::Text,
        scim::Type::Boolean => Type::Boolean,
        scim::Type::Integer => Type::Integer,
        scim::Type::Decimal => Type::Decimal,
        scim::Type::DateTime => Type::Timestamp,
        scim::Type::Complex => Type::object(attribute.sub.iter().filter_map(field)),
    };
    Some((attribute.name.clone(), if attribute.multi { Type::list(single) } else { single }))
}

/// The name by which an extension is spoken of in expressions and in `owns`: the last word of its URN before the version,
/// `clinician` for ours. A core attribute is its own short name.
#[must_use]
pub fn short_name(attribute: &str) -> &str {
    let Some(rest) = attribute.strip_prefix("urn:") else { return attribute };
    let mut parts = rest.rsplit(':');
    // urn:…:NAME:VERSION:RESOURCE
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(_), Some("clinical")) => "clinician",
        (Some(_), Some(_), Some(name)) => name,
        (last, _, _) => last.unwrap_or(attribute),
    }
}

/// Whether an expression looks at the groups of a user.
#[must_use]
pub fn looks_at_groups(expr: &Expr) -> bool {
    expr.references().iter().any(|path| path == "user" || path == "user.groups" || path.starts_with("user.groups."))
}

/// The variables of one user.
#[must_use]
pub fn variables(
    id: &ResourceId,
    attrs: &Object,
    external_id: Option<&str>,
    groups: &[GroupRef],
    access: Access,
) -> Vars {
    let mut user = Object::new();
    for (name, value) in attrs {
        user.insert(short_name(name).to_owned(), value.clone());
    }
    user.insert("id".to_owned(), json!(id.as_str()));
    if let Some(external_id) = external_id {
        user.insert("externalId".to_owned(), json!(external_id));
    }
    // RFC 7643, 4.1.1: whoever has no `active` is active.
    user.entry("active").or_insert(Value::Bool(true));
    let groups = groups
        .iter()
        .map(|group| json!({ "value": group.id.as_str(), "display": group.display, "direct": group.direct }))
        .collect::<Vec<_>>();
    user.insert("groups".to_owned(), Value::Array(groups));
    let instant = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let day = |day: Option<Date>| day.map(|day| day.to_string());
    let access = json!({
        "begins": instant(access.begins), "ends": instant(access.ends),
        "firstDay": day(access.first_day), "lastDay": day(access.last_day),
    });
    Vars::new(json!({ "user": user, "access": access }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_have_short_names() {
        for (urn, name) in [
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "enterprise"),
            ("urn:chartgate:params:scim:schemas:extension:clinical:1.0:User", "clinician"),
            ("urn:example:extension:parking:1.0:User", "parking"),
            ("userName", "userName"),
        ] {
            assert_eq!(short_name(urn), name);
        }
    }
}
