//! Bytes to JSON, within limits: the first thing that happens to a body.

use crate::error::{ScimError, syntax};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// The deepest nesting of arrays and objects that is read.
pub const MAX_DEPTH: usize = 64;

/// Reads a body. Numbers, strings and literals are those of RFC 8259.
///
/// # Errors
/// 400 `invalidSyntax` for an empty body, invalid UTF-8, trailing bytes, nesting beyond [`MAX_DEPTH`], an object that
/// names a member twice (serde_json would let the last one win in silence), a number that no double holds, a lone
/// surrogate, and U+0000 in a text (no database of ours can store it).
pub fn parse_json(bytes: &[u8]) -> Result<Value, ScimError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(syntax("The body is empty."));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Bounded { depth: 0 }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    // serde_json's messages name a position and a kind, never the text that it stands on, but for our own two.
    value.map_err(|error| syntax(format!("The body is not valid JSON: {error}.")))
}

#[derive(Clone, Copy)]
struct Bounded {
    depth: usize,
}

impl Bounded {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(Bounded { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Bounded {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is out of range"))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E: serde::de::Error>(self, value: String) -> Result<Value, E> {
        if value.as_bytes().contains(&0) {
            return Err(E::custom("a text contains U+0000"));
        }
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let element = self.deeper()?;
        let mut elements = Vec::new();
        while let Some(value) = access.next_element_seed(element)? {
            elements.push(value);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let member = self.deeper()?;
        let mut members = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            if name.as_bytes().contains(&0) {
                return Err(A::Error::custom("a name contains U+0000"));
            }
            if members.insert(name, access.next_value_seed(member)?).is_some() {
                return Err(A::Error::custom("an object names a member twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ScimType;
    use serde_json::json;

    fn refused(bytes: &[u8]) -> String {
        let error = parse_json(bytes).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidSyntax)));
        error.detail
    }

    #[test]
    fn a_body_becomes_the_value_that_it_spells() {
        let value = parse_json(br#" {"a":[1,-2,2.5,true,null,"\u00e9\ud83d\ude00"],"b":{}} "#).unwrap();

        assert_eq!(value, json!({"a": [1, -2, 2.5, true, null, "é😀"], "b": {}}));
    }

    #[test]
    fn a_member_named_twice_is_refused_at_any_depth() {
        assert!(refused(br#"{"active":true,"active":false}"#).contains("twice"));
        assert!(refused(br#"{"a":[{"b":1,"b":1}]}"#).contains("twice"));
    }

    #[test]
    fn empty_cut_off_and_trailing_bodies_are_refused() {
        for bytes in [&b""[..], b" \n", b"{", b"{}x", b"{} {}", b"[1,]", b"\xff\xfe", b"{\"a\":\"\xc3\x28\"}"] {
            refused(bytes);
        }
    }

    #[test]
    fn numbers_out_of_range_lone_surrogates_and_nul_are_refused() {
        for bytes in [&b"1e999"[..], br#""\ud800""#, br#"{"a":"\u0000"}"#, br#"{"\u0000":1}"#] {
            refused(bytes);
        }
    }

    #[test]
    fn depth_64_is_read_and_depth_65_is_not() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n)).into_bytes();

        assert!(parse_json(&nested(MAX_DEPTH)).is_ok());
        assert!(refused(&nested(MAX_DEPTH + 1)).contains("deeper"));
    }

    #[test]
    fn hostile_depth_ends_on_a_small_stack() {
        let bodies = ["[".repeat(10_000), r#"{"a":"#.repeat(10_000)];

        let thread = std::thread::Builder::new().stack_size(256 * 1024).spawn(move || {
            for body in bodies {
                refused(body.as_bytes());
            }
            let full = format!("{}1{}", r#"{"a":["#.repeat(32), "]}".repeat(32));
            drop(parse_json(full.as_bytes()).unwrap());
        });

        thread.unwrap().join().unwrap();
    }
}
