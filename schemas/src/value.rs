//! One value of a request against one attribute of a schema: the place where dialects are read into canonical values.

use crate::Object;
use crate::dialect::{Breach, Dialect, TWO_PRIMARIES, UNDEFINED, WRONG_TYPE};
use crate::error::{ScimError, invalid, syntax};
use crate::matches::instant;
use crate::resource::Member;
use crate::schema::{Attribute, Type};
use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;
use std::collections::HashSet;

/// How many values an attribute may hold. Members are rows, and not counted.
pub(crate) const MAX_VALUES: usize = 2_000;
const MAX_IGNORED: usize = 100;

/// Reads the values of one request, and keeps what was dropped on the way.
pub(crate) struct Intake {
    pub(crate) dialect: Dialect,
    pub(crate) ignored: Vec<String>,
    pub(crate) breaches: Vec<Breach>,
}

impl Intake {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Intake { dialect, ignored: Vec::new(), breaches: Vec::new() }
    }

    /// Each breach once.
    pub(crate) fn breach(&mut self, breach: Breach) {
        if !self.breaches.contains(&breach) {
            self.breaches.push(breach);
        }
    }

    /// An attribute or schema that the service does not define, in a body.
    pub(crate) fn undefined(&mut self, parent: &str, name: &str) -> Result<(), ScimError> {
        self.breach(UNDEFINED);
        match self.dialect {
            Dialect::Interop => Err(syntax(format!("`{}` is not defined here.", shown(parent, name)))),
            Dialect::Rfc => Ok(()),
            Dialect::Tolerant => {
                let name = shown(parent, name);
                if self.ignored.len() < MAX_IGNORED && !self.ignored.contains(&name) {
                    self.ignored.push(name);
                }
                Ok(())
            }
        }
    }

    /// A value of another type that can only mean one thing: taken in `tolerant`, refused elsewhere.
    fn coerced<T>(&mut self, value: T, attribute: &Attribute) -> Result<T, ScimError> {
        self.breach(WRONG_TYPE);
        match self.dialect.is_tolerant() {
            true => Ok(value),
            false => Err(mistyped(attribute)),
        }
    }

    /// All of an attribute. `None` is unassigned: null, an empty list, an object with nothing in it (RFC 7643, section 2.5).
    pub(crate) fn attribute(&mut self, attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
        match (attribute.multi, value) {
            (_, Value::Null) => Ok(None),
            (false, Value::Array(mut values)) => match (values.pop(), values.is_empty()) {
                (None, _) => self.coerced(None, attribute),
                // Entra sends the manager as a list of one.
                (Some(only), true) => {
                    let only = self.coerced(only, attribute)?;
                    self.value(attribute, only)
                }
                _ => Err(mistyped(attribute)),
            },
            (false, value) => self.value(attribute, value),
            (true, value) => {
                let values = self.values(attribute, value)?;
                Ok((!values.is_empty()).then_some(Value::Array(values)))
            }
        }
    }

    /// The values of an attribute that holds several.
    pub(crate) fn values(&mut self, attribute: &Attribute, value: Value) -> Result<Vec<Value>, ScimError> {
        let raw = match value {
            Value::Null => return Ok(Vec::new()),
            Value::Array(raw) => raw,
            one => self.coerced(vec![one], attribute)?,
        };
        if raw.len() > MAX_VALUES {
            return Err(too_many(attribute));
        }
        let mut values = Vec::with_capacity(raw.len());
        for one in raw {
            if let Some(value) = self.value(attribute, one)? {
                values.push(value);
            }
        }
        self.one_primary(attribute, &mut values)?;
        Ok(values)
    }

    /// At most one value is primary (RFC 7643, section 2.4). `tolerant` keeps the first.
    fn one_primary(&mut self, attribute: &Attribute, values: &mut [Value]) -> Result<(), ScimError> {
        let mut primaries = values.iter_mut().filter_map(Value::as_object_mut).filter(|value| is_primary(value));
        primaries.next();
        for value in primaries {
            self.breach(TWO_PRIMARIES);
            if !self.dialect.is_tolerant() {
                return Err(invalid(format!("Only one value of `{}` can be primary.", attribute.name)));
            }
            value.insert("primary".into(), false.into());
        }
        Ok(())
    }

    /// One value of an attribute.
    pub(crate) fn value(&mut self, attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
        match (attribute.ty, value) {
            (_, Value::Null) => Ok(None),
            (Type::Complex, Value::Object(object)) => self.complex(attribute, object),
            (Type::Complex, Value::String(text)) => self.complex_from_text(attribute, text),
            (Type::Complex, _) => Err(mistyped(attribute)),
            (_, Value::Object(mut object)) => {
                // An older flavour of Entra wraps simple values as `{"$ref": null, "value": …}`.
                let inner =
                    object.remove("value").filter(|inner| !inner.is_object()).ok_or_else(|| mistyped(attribute))?;
                let inner = self.coerced(inner, attribute)?;
                self.value(attribute, inner)
            }
            (_, value) => self.simple(attribute, value),
        }
    }

    fn complex(&mut self, attribute: &Attribute, mut object: Object) -> Result<Option<Value>, ScimError> {
        if let Some(text) = object.get("value").and_then(Value::as_str).filter(|text| text.starts_with('{'))
            && self.dialect.is_tolerant()
            && let Some(inner) = json_text(text)
        {
            self.breach(WRONG_TYPE);
            object.remove("value");
            for (name, value) in inner {
                // The JSON text has the application's words: an id that is of no use here, and `displayName` for `display`.
                let name = if name == "displayName" { "display".to_owned() } else { name };
                if attribute.sub(&name).is_some() {
                    object.entry(name).or_insert(value);
                }
            }
        }
        let mut out = Object::new();
        for (name, value) in object {
            let sub = match attribute.sub(&name) {
                Some(sub) => sub,
                // OneLogin's published template has `manager.managerId`.
                None if self.dialect.is_tolerant()
                    && name.eq_ignore_ascii_case("managerId")
                    && attribute.name == "manager" =>
                {
                    self.breach(UNDEFINED);
                    match attribute.default_sub() {
                        Some(sub) => sub,
                        None => continue,
                    }
                }
                None => {
                    self.undefined(&attribute.name, &name)?;
                    continue;
                }
            };
            if !sub.writable() {
                continue;
            }
            if let Some(value) = self.attribute(sub, value)? {
                put(&mut out, &sub.name, name, value)?;
            }
        }
        if self.dialect.is_tolerant()
            && !out.contains_key("value")
            && let (Some(sub), Some(id)) =
                (attribute.default_sub(), out.get("$ref").and_then(Value::as_str).and_then(last_segment))
        {
            out.insert(sub.name.clone(), id.into());
        }
        Ok((!out.is_empty()).then_some(Value::Object(out)))
    }

    /// Entra sends the manager as a bare id, and roles as JSON text.
    fn complex_from_text(&mut self, attribute: &Attribute, text: String) -> Result<Option<Value>, ScimError> {
        let text = self.coerced(text, attribute)?;
        if text.is_empty() {
            return Ok(None);
        }
        let wrapped = Object::from_iter([("value".to_owned(), Value::String(text))]);
        match attribute.default_sub() {
            Some(_) => self.complex(attribute, wrapped),
            None => Err(mistyped(attribute)),
        }
    }

    fn simple(&mut self, attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
        // An empty text unassigns what no empty text can be; but never a Boolean: an absent `active` reads as true.
        let text = attribute.ty == Type::String && !attribute.day;
        let blank = value.as_str() == Some("") && !text && attribute.ty != Type::Boolean;
        if blank && self.dialect.is_tolerant() {
            self.breach(WRONG_TYPE);
            return Ok(None);
        }
        let value = match (attribute.ty, value) {
            (Type::Boolean, Value::Bool(flag)) => Value::Bool(flag),
            (Type::Boolean, Value::String(text)) => {
                let flag = match text.trim() {
                    t if t.eq_ignore_ascii_case("true") => true,
                    t if t.eq_ignore_ascii_case("false") => false,
                    _ => return Err(mistyped(attribute)),
                };
                Value::Bool(self.coerced(flag, attribute)?)
            }
            (Type::Integer, Value::Number(number)) if number.is_i64() || number.is_u64() => Value::Number(number),
            (Type::Decimal, Value::Number(number)) => Value::Number(number),
            (Type::Integer | Type::Decimal, Value::String(text)) => {
                let number =
                    serde_json::from_str::<serde_json::Number>(text.trim()).map_err(|_| mistyped(attribute))?;
                let number = self.coerced(number, attribute)?;
                return self.simple(attribute, Value::Number(number));
            }
            (Type::DateTime, Value::String(text)) if instant(&text).is_some() => Value::String(text),
            (Type::Binary, Value::String(text)) if is_base64(&text) => Value::String(text),
            (Type::Reference, Value::String(text)) => Value::String(text),
            (Type::String, Value::String(text)) => self.text(attribute, text)?,
            (Type::String | Type::Reference, Value::Number(number)) => {
                let text = self.coerced(number.to_string(), attribute)?;
                self.text(attribute, text)?
            }
            (Type::String, Value::Bool(flag)) => {
                let text = self.coerced(flag.to_string(), attribute)?;
                self.text(attribute, text)?
            }
            _ => return Err(mistyped(attribute)),
        };
        Ok(Some(value))
    }

    fn text(&mut self, attribute: &Attribute, text: String) -> Result<Value, ScimError> {
        if attribute.day && !is_day(&text) && instant(&text).is_none() {
            return Err(invalid(format!(
                "`{}` must be a day such as 2026-07-01, or a date-time with an offset.",
                attribute.name
            )));
        }
        if !attribute.closed {
            return Ok(Value::String(text));
        }
        let known =
            |known: &&String| if attribute.case_exact { **known == text } else { known.eq_ignore_ascii_case(&text) };
        match attribute.canonical.iter().find(known) {
            Some(known) => Ok(Value::String(known.clone())),
            None => Err(invalid(format!("`{}` must be one of {}.", attribute.name, attribute.canonical.join(", ")))),
        }
    }

    /// The members of a group, each once, in the order of the request. There may be many: each is read straight from its
    /// JSON.
    pub(crate) fn members(&mut self, attribute: &Attribute, value: Value) -> Result<Vec<Member>, ScimError> {
        let raw = match value {
            Value::Null => return Ok(Vec::new()),
            Value::Array(raw) => raw,
            one => self.coerced(vec![one], attribute)?,
        };
        let mut seen = HashSet::with_capacity(raw.len());
        let mut members = Vec::with_capacity(raw.len());
        for one in raw {
            let member = match one {
                Value::Object(object) => self.member(attribute, object)?,
                Value::String(id) => Member { value: self.coerced(id, attribute)?, ..Member::default() },
                _ => return Err(mistyped(attribute)),
            };
            if member.value.is_empty() {
                return Err(invalid("A member needs a `value`: the id of a user or a group."));
            }
            if seen.insert(member.value.clone()) {
                members.push(member);
            }
        }
        Ok(members)
    }

    fn member(&mut self, attribute: &Attribute, object: Object) -> Result<Member, ScimError> {
        let (mut value, mut display, mut reference, mut ty) = (None, None, None, None);
        for (name, part) in object {
            let Some(sub) = attribute.sub(&name) else {
                self.undefined(&attribute.name, &name)?;
                continue;
            };
            let text = match self.attribute(sub, part)? {
                Some(Value::String(text)) if !text.is_empty() => text,
                _ => continue,
            };
            let place = match sub.name.as_str() {
                "value" => &mut value,
                "display" => &mut display,
                "type" => &mut ty,
                _ => &mut reference,
            };
            if place.replace(text).is_some() {
                return Err(syntax(format!(
                    "`{}` stands there twice; letter case does not tell names apart.",
                    sub.name
                )));
            }
        }
        let kind = kind(ty.as_deref(), reference.as_deref());
        // A reference alone says which member it is, as it does for a manager.
        let tolerated = || reference.as_deref().filter(|_| self.dialect.is_tolerant()).and_then(last_segment);
        Ok(Member { value: value.or_else(tolerated).unwrap_or_default(), display, kind })
    }
}

fn kind(ty: Option<&str>, reference: Option<&str>) -> Option<String> {
    let named = |name: &str| ty.is_some_and(|ty| ty.eq_ignore_ascii_case(name));
    let under = |endpoint: &str| ty.is_none() && reference.is_some_and(|r| r.contains(endpoint));
    if named("User") || under("/Users/") {
        Some("User".into())
    } else if named("Group") || under("/Groups/") {
        Some("Group".into())
    } else {
        None
    }
}

/// Puts a value under its canonical name, keeping the request's text where it is that already.
pub(crate) fn put(object: &mut Object, canonical: &str, written: String, value: Value) -> Result<(), ScimError> {
    let name = if written == canonical { written } else { canonical.to_owned() };
    match object.insert(name, value) {
        None => Ok(()),
        Some(_) => Err(syntax(format!("`{canonical}` stands there twice; letter case does not tell names apart."))),
    }
}

pub(crate) fn is_primary(value: &Object) -> bool {
    value.get("primary") == Some(&Value::Bool(true))
}

pub(crate) fn too_many(attribute: &Attribute) -> ScimError {
    invalid(format!("`{}` cannot hold more than {MAX_VALUES} values.", attribute.name))
}

/// The name of the attribute and its type, never the value.
fn mistyped(attribute: &Attribute) -> ScimError {
    let several = if attribute.multi { "a list of values" } else { "one value" };
    invalid(format!("`{}` must be {several} of type {}.", attribute.name, attribute.ty.as_str()))
}

fn shown(parent: &str, name: &str) -> String {
    let name: String = name.chars().take(200).collect();
    if parent.is_empty() { name } else { format!("{parent}.{name}") }
}

fn json_text(text: &str) -> Option<Object> {
    match crate::json::parse_json(text.as_bytes()) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

fn last_segment(reference: &str) -> Option<String> {
    let (_, id) = reference.rsplit_once('/')?;
    (!id.is_empty()).then(|| id.to_owned())
}

fn is_day(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

/// Base64 in either alphabet, with or without padding (RFC 7643, section 2.3.6).
fn is_base64(text: &str) -> bool {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);
    STANDARD.decode(text).is_ok() || URL_SAFE.decode(text).is_ok()
}
