//! Variables for the template engine: declared attributes that are absent are null, also below absent objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Value as Jinja, ValueKind};
use serde_json::{Map, Number, Value};

use crate::env::Type;

/// An object with its declared attributes; absent as a whole when it has no members at all.
#[derive(Debug)]
struct Part {
    members: Option<Map<String, Value>>,
    declared: Arc<BTreeMap<String, Type>>,
}

impl Object for Part {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match self.members {
            Some(_) => ObjectRepr::Map,
            None => ObjectRepr::Plain,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        let key = key.as_str()?;
        let member = self.members.as_ref().and_then(|members| members.get(key));
        match (self.declared.get(key), member) {
            (Some(of), member) => Some(value(member, of)),
            (None, Some(member)) => Some(value(Some(member), &Type::Any)),
            (None, None) => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match &self.members {
            Some(members) => Enumerator::Values(members.keys().map(|k| Jinja::from(k.as_str())).collect()),
            None => Enumerator::NonEnumerable,
        }
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.members.as_ref().is_some_and(|members| !members.is_empty())
    }
}

/// A value of a declared type for the engine.
pub(super) fn value(json: Option<&Value>, of: &Type) -> Jinja {
    match (json.unwrap_or(&Value::Null), of) {
        (Value::Null, Type::Object(declared)) => {
            Jinja::from_object(Part { members: None, declared: Arc::clone(declared) })
        }
        (Value::Object(members), of) => {
            let declared = match of {
                Type::Object(declared) => Arc::clone(declared),
                _ => Arc::default(),
            };
            Jinja::from_object(Part { members: Some(members.clone()), declared })
        }
        (Value::Array(items), of) => {
            let of = match of {
                Type::List(of) => of.as_ref(),
                _ => &Type::Any,
            };
            Jinja::from(items.iter().map(|item| value(Some(item), of)).collect::<Vec<_>>())
        }
        (Value::Null, _) => Jinja::from(()),
        (Value::Bool(value), _) => Jinja::from(*value),
        (Value::String(text), _) => Jinja::from(text.as_str()),
        (Value::Number(number), _) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Jinja::from(whole),
            (None, Some(whole)) => Jinja::from(whole),
            (None, None) => Jinja::from(number.as_f64().unwrap_or(f64::NAN)),
        },
    }
}

/// Whether the value is null, or an object that is absent.
pub(super) fn absent(value: &Jinja) -> bool {
    value.is_none() || value.downcast_object_ref::<Part>().is_some_and(|part| part.members.is_none())
}

/// The engine's value as JSON; none for what has no JSON form.
pub(super) fn plain(value: &Jinja) -> Option<Value> {
    if let Some(part) = value.downcast_object_ref::<Part>() {
        return Some(part.members.clone().map_or(Value::Null, Value::Object));
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Some(Value::Null),
        ValueKind::Bool => Some(Value::Bool(value.is_true())),
        ValueKind::String => value.as_str().map(Value::from),
        ValueKind::Number => {
            if let Some(whole) = value.as_i64().filter(|_| value.is_integer()) {
                return Some(whole.into());
            }
            let float = f64::try_from(value.clone()).ok()?;
            Number::from_f64(float).map(Value::Number)
        }
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter().ok()?.map(|item| plain(&item)).collect::<Option<_>>().map(Value::Array)
        }
        ValueKind::Map => {
            let mut members = Map::new();
            for key in value.try_iter().ok()? {
                let member = plain(&value.get_item(&key).ok()?)?;
                members.insert(key.as_str()?.to_owned(), member);
            }
            Some(Value::Object(members))
        }
        _ => None,
    }
}
