//! Distinguished names (RFC 4514) and filter values (RFC 4515).

use std::fmt::Write;

use super::BuildError;

/// A relative distinguished name from attribute types and values: `uid=t12+employeeNumber=100234`. The order is kept.
///
/// # Errors
/// No part at all, an attribute type that is neither a descriptor nor a dotted OID (RFC 4512 section 1.4), an empty
/// value, or a value with NUL, which directories refuse.
pub fn rdn(parts: &[(&str, &str)]) -> Result<String, BuildError> {
    if parts.is_empty() {
        return Err(BuildError::new("rdn", "needs at least one attribute"));
    }
    let mut made = String::new();
    for (index, (name, value)) in parts.iter().enumerate() {
        if !is_type(name) {
            return Err(BuildError::new(name, "is no attribute type for a name"));
        }
        if value.is_empty() {
            return Err(BuildError::new(name, "is empty and cannot name an entry"));
        }
        if value.contains('\0') {
            return Err(BuildError::new(name, "holds a NUL character, which a name cannot carry"));
        }
        if index > 0 {
            made.push('+');
        }
        made.push_str(name);
        made.push('=');
        escape(value, &mut made);
    }
    Ok(made)
}

/// A distinguished name: the relative one from its parts, below `parent`, which comes from the configuration and is taken
/// as it is. An empty parent gives the relative name alone.
///
/// # Errors
/// As [`rdn`].
pub fn dn(parts: &[(&str, &str)], parent: &str) -> Result<String, BuildError> {
    let mut made = rdn(parts)?;
    if !parent.trim().is_empty() {
        made.push(',');
        made.push_str(parent.trim());
    }
    Ok(made)
}

/// A value for use inside an LDAP filter (RFC 4515 section 3): it can neither end the assertion nor act as a wildcard.
#[must_use]
pub fn ldap_filter_value(value: &str) -> String {
    let mut made = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '*' | '(' | ')' | '\\' => hex(c, &mut made),
            c if c.is_control() => hex(c, &mut made),
            c => made.push(c),
        }
    }
    made
}

/// RFC 4514 section 2.4. `=` may stay; it is escaped for the sake of weak parsers.
fn escape(value: &str, made: &mut String) {
    let last = value.char_indices().next_back().map_or(0, |(at, _)| at);
    for (at, c) in value.char_indices() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => {
                made.push('\\');
                made.push(c);
            }
            ' ' if at == 0 || at == last => made.push_str("\\20"),
            '#' if at == 0 => made.push_str("\\#"),
            c if c.is_control() => hex(c, made),
            c => made.push(c),
        }
    }
}

fn hex(c: char, made: &mut String) {
    let mut bytes = [0; 4];
    for byte in c.encode_utf8(&mut bytes).bytes() {
        // Writing to a String cannot fail.
        let _ = write!(made, "\\{byte:02x}");
    }
}

fn is_type(name: &str) -> bool {
    let descriptor = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let oid =
        name.contains('.') && name.split('.').all(|arc| !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit()));
    descriptor || oid
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_rfc_4514_are_escaped() {
        assert_eq!(rdn(&[("CN", "James \"Jim\" Smith, III")]).unwrap(), r#"CN=James \"Jim\" Smith\, III"#);
        assert_eq!(rdn(&[("CN", "Before\rAfter")]).unwrap(), r"CN=Before\0dAfter");
        assert_eq!(rdn(&[("OU", "Sales"), ("CN", "J.  Smith")]).unwrap(), "OU=Sales+CN=J.  Smith");
        assert_eq!(rdn(&[("CN", " #x ")]).unwrap(), r"CN=\20#x\20");
        assert_eq!(rdn(&[("CN", "#x")]).unwrap(), r"CN=\#x");
        assert_eq!(
            dn(&[("uid", "t12")], "ou=people,dc=hosp,dc=example").unwrap(),
            "uid=t12,ou=people,dc=hosp,dc=example"
        );
    }

    #[test]
    fn what_cannot_name_an_entry_is_refused_by_attribute() {
        assert_eq!(rdn(&[("uid", "")]).unwrap_err().attribute, "uid");
        assert_eq!(rdn(&[("uid", "a\0b")]).unwrap_err().attribute, "uid");
        assert!(rdn(&[("ou=x,cn", "a")]).is_err());
        assert!(rdn(&[]).is_err());
    }

    #[test]
    fn the_example_of_rfc_4515_is_escaped() {
        assert_eq!(
            ldap_filter_value("Parens R Us (for all your parenthetical needs)"),
            r"Parens R Us \28for all your parenthetical needs\29"
        );
        assert_eq!(ldap_filter_value("C:\\MyFile*\0"), r"C:\5cMyFile\2a\00");
    }

    /// Reads a DN by the grammar of RFC 4514 section 3: RDNs of pairs of type and value.
    fn read(dn: &str) -> Vec<Vec<(String, String)>> {
        let mut rdns = vec![vec![]];
        let (mut name, mut value, mut in_value) = (String::new(), Vec::new(), false);
        let bytes = dn.as_bytes();
        let mut at = 0;
        while at <= bytes.len() {
            let byte = bytes.get(at).copied();
            match byte {
                Some(b'\\') => {
                    let pair = std::str::from_utf8(&bytes[at + 1..(at + 3).min(bytes.len())]).ok();
                    if let Some(code) = pair
                        .filter(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()))
                        .and_then(|p| u8::from_str_radix(p, 16).ok())
                    {
                        value.push(code);
                        at += 2;
                    } else {
                        value.push(bytes[at + 1]);
                        at += 1;
                    }
                }
                Some(b'=') if !in_value => in_value = true,
                None | Some(b',' | b'+') => {
                    let pair = (std::mem::take(&mut name), String::from_utf8(std::mem::take(&mut value)).unwrap());
                    rdns.last_mut().unwrap().push(pair);
                    in_value = false;
                    if byte == Some(b',') {
                        rdns.push(vec![]);
                    }
                }
                Some(byte) if in_value => value.push(byte),
                Some(byte) => name.push(byte as char),
            }
            at += 1;
        }
        rdns
    }

    proptest! {
        #[test]
        fn a_name_reads_back_as_its_parts(a in "[^\0]{1,12}", b in "[ #,+=\\\\\"<>;a\n]{1,8}") {
            let made = dn(&[("cn", &a), ("uid", &b)], "dc=example").unwrap();
            let rdns = read(&made);
            prop_assert_eq!(rdns.len(), 2);
            prop_assert_eq!(&rdns[0], &vec![("cn".to_owned(), a), ("uid".to_owned(), b)]);
        }

        #[test]
        fn a_filter_value_reads_back_and_has_no_special_characters(value in any::<String>()) {
            let made = ldap_filter_value(&value);
            prop_assert!(!made.contains(['*', '(', ')', '\0']));
            let mut bytes = Vec::new();
            let mut rest = made.as_bytes();
            while let Some((first, tail)) = rest.split_first() {
                if *first == b'\\' {
                    let code = std::str::from_utf8(&tail[..2]).unwrap();
                    bytes.push(u8::from_str_radix(code, 16).unwrap());
                    rest = &tail[2..];
                } else {
                    bytes.push(*first);
                    rest = tail;
                }
            }
            prop_assert_eq!(String::from_utf8(bytes).unwrap(), value);
        }
    }
}
