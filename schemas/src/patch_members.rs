//! The members of a group in a PATCH. They are rows: a change of one costs what it costs in a small group.

use crate::error::{ScimError, immutable, invalid};
use crate::filter::{Filter, Literal, Op};
use crate::patch::MemberOp;
use crate::patch_parse::{Reader, Verb, listed};
use crate::schema::{Attribute, Mutability};
use serde_json::Value;

pub(crate) fn read(
    reader: &mut Reader<'_>,
    verb: Verb,
    attribute: &Attribute,
    sub: Option<&Attribute>,
    filter: Option<Filter>,
    value: Option<Value>,
) -> Result<(), ScimError> {
    if let Some(sub) = sub {
        return match sub.mutability {
            // The display name of a member is the member's own: it is not kept per group.
            Mutability::ReadWrite => reader.intake.undefined(&attribute.name, &sub.name),
            _ => {
                Err(immutable(format!("`members.{}` cannot be changed; remove the member and add another.", sub.name)))
            }
        };
    }
    let operation = match (verb, filter) {
        (Verb::Add, None) => MemberOp::Add(reader.intake.members(attribute, listed(value.unwrap_or_default()))?),
        (Verb::Replace, None) => MemberOp::ReplaceAll(reader.intake.members(attribute, value.unwrap_or_default())?),
        (Verb::Remove, None) => match value {
            None | Some(Value::Null) => MemberOp::RemoveAll,
            Some(value) => {
                reader.intake.breach(crate::dialect::REMOVE_VALUE);
                let members = reader.intake.members(attribute, value)?;
                MemberOp::Remove(members.into_iter().map(|member| member.value).collect())
            }
        },
        (Verb::Remove, Some(filter)) => remove(filter),
        (Verb::Add, Some(filter)) => MemberOp::Add(named(reader, attribute, &filter, value)?),
        (Verb::Replace, Some(filter)) => {
            let with = named(reader, attribute, &filter, value)?;
            reader.members.push(remove(filter));
            MemberOp::Add(with)
        }
    };
    reader.members.push(operation);
    Ok(())
}

fn remove(filter: Filter) -> MemberOp {
    match ids(&filter) {
        Some(ids) => MemberOp::Remove(ids),
        None => MemberOp::RemoveWhere(filter),
    }
}

/// The members that the value names, or else the filter.
fn named(
    reader: &mut Reader<'_>,
    attribute: &Attribute,
    filter: &Filter,
    value: Option<Value>,
) -> Result<Vec<crate::resource::Member>, ScimError> {
    let ids = ids(filter);
    let value = match (value, ids) {
        (None | Some(Value::Null), Some(ids)) => ids.into_iter().map(|id| serde_json::json!({ "value": id })).collect(),
        (Some(Value::Object(mut object)), Some(ids)) if ids.len() == 1 && !object.contains_key("value") => {
            object.insert("value".into(), ids.concat().into());
            Value::Object(object)
        }
        (Some(value), _) => value,
        (None, None) => return Err(invalid("The filter names no member.")),
    };
    reader.intake.members(attribute, listed(value))
}

/// The ids where a filter is nothing but `value eq "…"`, once or joined by `or`.
fn ids(filter: &Filter) -> Option<Vec<String>> {
    match filter {
        Filter::Compare { path, op: Op::Eq, value: Literal::Text(id) } if path.name.eq_ignore_ascii_case("value") => {
            Some(vec![id.clone()])
        }
        Filter::Or(terms) => {
            let ids = terms.iter().map(ids).collect::<Option<Vec<_>>>()?;
            Some(ids.into_iter().flatten().collect())
        }
        _ => None,
    }
}
