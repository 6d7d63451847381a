//! Distinguished names and filters, built and escaped by type (RFC 4514, RFC 4515).
//!
//! No text of a name or a filter is ever concatenated with a value: a value enters through [`Rdn::new`] or
//! [`Filter`], and every octet that means something there is written in hexadecimal.

use crate::active;
use std::fmt::Write as _;

/// One attribute and value of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rdn(String);

impl Rdn {
    /// `attribute=value` with the value escaped. The attribute must be a checked name.
    pub fn new(attribute: &str, value: &str) -> Self {
        let mut out = String::with_capacity(attribute.len() + value.len() + 8);
        out.push_str(attribute);
        out.push('=');
        let last = value.chars().count().saturating_sub(1);
        for (index, character) in value.chars().enumerate() {
            let special = matches!(character, '"' | '+' | ',' | ';' | '<' | '=' | '>' | '\\' | '\0'..='\x1f' | '\x7f')
                || (index == 0 && matches!(character, ' ' | '#'))
                || (index == last && character == ' ');
            if special {
                let mut octets = [0; 4];
                for octet in character.encode_utf8(&mut octets).bytes() {
                    let _ = write!(out, "\\{octet:02x}");
                }
            } else {
                out.push(character);
            }
        }
        Self(out)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the entry below `parent`.
    pub fn under(&self, parent: &str) -> String {
        if parent.is_empty() { self.0.clone() } else { format!("{},{parent}", self.0) }
    }
}

/// Splits the first part off a name: (`uid=x`, `ou=people,…`).
pub fn split(dn: &str) -> (&str, &str) {
    let mut escaped = false;
    for (index, octet) in dn.bytes().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b',' => return (dn.get(..index).unwrap_or(dn), dn.get(index + 1..).unwrap_or_default().trim_start()),
            _ => {}
        }
    }
    (dn, "")
}

/// Attribute (lower case) and unescaped value of a name's first part; `None` where it is not `attribute=value`, or is made
/// of several (`a=1+b=2`).
pub fn first_part(dn: &str) -> Option<(String, String)> {
    let (attribute, raw) = split(dn).0.split_once('=')?;
    let raw = raw.trim_start();
    let mut value = Vec::with_capacity(raw.len());
    let mut octets = raw.bytes().peekable();
    let mut keep = 0;
    while let Some(octet) = octets.next() {
        match octet {
            b'\\' => {
                let first = octets.next()?;
                let digits = (char::from(first).to_digit(16), octets.peek().and_then(|o| char::from(*o).to_digit(16)));
                if let (Some(high), Some(low)) = digits {
                    octets.next();
                    value.push(u8::try_from(high * 16 + low).ok()?);
                } else {
                    value.push(first);
                }
                keep = value.len();
            }
            b'+' => return None,
            other => value.push(other),
        }
    }
    // A space at the end is part of the value only where it was escaped.
    while value.len() > keep && value.last() == Some(&b' ') {
        value.pop();
    }
    Some((attribute.trim().to_lowercase(), String::from_utf8(value).ok()?))
}

/// A form of the name in which equal names are equal text, as far as that can be told without the schema: lower case, no
/// space around separators, one way of escaping.
pub fn folded(dn: &str) -> String {
    let mut parts = Vec::new();
    let mut rest = dn;
    while !rest.is_empty() {
        let (part, after) = split(rest);
        parts.push(match first_part(part) {
            Some((attribute, value)) => Rdn::new(&attribute, value.to_lowercase().trim()).0,
            None => part.trim().to_lowercase(),
        });
        rest = after;
    }
    parts.join(",")
}

/// Whether `dn` is `base` or below it.
pub fn is_under(dn: &str, base: &str) -> bool {
    let (dn, base) = (folded(dn), folded(base));
    base.is_empty() || dn == base || dn.strip_suffix(&base).is_some_and(|above| above.ends_with(','))
}

/// Whether the text can be a name at all: parts of `attribute=value`, nothing unescaped that must be escaped.
pub fn is_name(dn: &str) -> bool {
    let mut rest = dn;
    while !rest.is_empty() {
        let (part, after) = split(rest);
        let named = part.split_once('=').is_some_and(|(attribute, value)| {
            is_attribute(attribute.trim())
                && !value.is_empty()
                && !value.contains(['"', ';', '<', '>', '\0', '\n', '\r'])
        });
        if !named || (after.is_empty() && part.len() != rest.len()) {
            return false;
        }
        rest = after;
    }
    !dn.is_empty()
}

/// Whether the text is an attribute description of RFC 4512, section 2.5: a name or an OID, and options.
pub fn is_attribute(name: &str) -> bool {
    let mut parts = name.split(';');
    let base = parts.next().unwrap_or_default();
    let letters = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let keyword = base.starts_with(|c: char| c.is_ascii_alphabetic()) && letters(base);
    let oid = !base.is_empty()
        && base.split('.').all(|arc| !arc.is_empty() && arc.chars().all(|c| c.is_ascii_digit()))
        && base.contains('.');
    name.len() <= 128 && (keyword || oid) && parts.all(|option| !option.is_empty() && letters(option))
}

/// A search filter. Two levels deep at most, by construction: ldap3's own parser recurses without a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Entries with this attribute.
    Present(String),
    /// Entries with this value.
    Equal(String, Vec<u8>),
    /// Entries that fit all of these.
    All(Vec<Test>),
    /// Entries that fit one of these.
    Any(Vec<Test>),
}

/// One test of a [`Filter`].
pub type Test = (String, Vec<u8>);

impl Filter {
    /// The text of RFC 4515.
    pub fn text(&self) -> String {
        let list = |sign: char, tests: &[Test]| {
            let mut out = format!("({sign}");
            for (attribute, value) in tests {
                equal(&mut out, attribute, value);
            }
            out.push(')');
            out
        };
        match self {
            Filter::Present(attribute) => format!("({attribute}=*)"),
            Filter::Equal(attribute, value) => {
                let mut out = String::new();
                equal(&mut out, attribute, value);
                out
            }
            Filter::All(tests) => list('&', tests),
            Filter::Any(tests) => list('|', tests),
        }
    }
}

fn equal(out: &mut String, attribute: &str, value: &[u8]) {
    let _ = write!(out, "({attribute}=");
    // Lasting ids of an Active Directory are text here and octets on the wire.
    let id = std::str::from_utf8(value).ok().filter(|_| attribute.eq_ignore_ascii_case(active::ID));
    let id = id.and_then(active::octets);
    for octet in id.as_ref().map_or(value, |id| id.as_slice()) {
        if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.' | b'@') {
            out.push(char::from(*octet));
        } else {
            let _ = write!(out, "\\{octet:02x}");
        }
    }
    out.push(')');
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_from_a_name_as_they_went_in() {
        for value in ["a", " a ", "#a", "a,b", "a+b=c", "\\", "\"<>;", "ä\u{202e}b", "a  ", "*)(uid=*", "\\2c", "x\0y"]
        {
            let dn = Rdn::new("uid", value).under("ou=people,dc=example");
            assert_eq!(first_part(&dn), Some(("uid".to_owned(), value.to_owned())), "{dn}");
            assert_eq!(split(&dn).1, "ou=people,dc=example", "{dn}");
        }
    }

    #[test]
    fn names_differ_in_case_and_spaces_only_on_paper() {
        assert_eq!(folded("UID=Ab, OU=People,DC=example"), folded("uid=ab,ou=people,dc=EXAMPLE"));
        assert!(is_under("uid=a,ou=People, dc=example", "ou=people,dc=example"));
        assert!(!is_under("uid=a,ou=xpeople,dc=example", "ou=people,dc=example"));
        assert!(!is_under("ou=xpeople,dc=example", "people,dc=example"));
    }

    #[test]
    fn a_name_must_be_made_of_attributes_and_values() {
        assert!(is_name("uid=a,ou=people,dc=example"));
        for text in ["", "people", "ou=", "ou=a,", "ou=a,,dc=b", "o u=a", "ou=a\n,dc=b"] {
            assert!(!is_name(text), "{text}");
        }
    }

    #[test]
    fn attribute_names_follow_the_grammar() {
        for name in ["cn", "userCertificate;binary", "2.5.4.3", "cn;lang-de"] {
            assert!(is_attribute(name), "{name}");
        }
        for name in ["", "c n", "cn)", "cn=", "1", "2..5", "cn;", "ö", "-a"] {
            assert!(!is_attribute(name), "{name}");
        }
    }

    #[test]
    fn a_filter_value_cannot_leave_its_place() {
        let filter = Filter::All(vec![("uid".into(), b"*)(uid=*".to_vec()), ("cn".into(), "ä\\".into())]);
        assert_eq!(filter.text(), "(&(uid=\\2a\\29\\28uid\\3d\\2a)(cn=\\c3\\a4\\5c))");
    }
}
