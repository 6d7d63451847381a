//! XML character data (XML 1.0, fifth edition).

use super::BuildError;

/// A value as XML text: fit for element content and for quoted attribute values.
///
/// White space survives: tab, line feed and carriage return become character references, since a parser would
/// normalise them (section 2.11 and 3.3.3).
///
/// # Errors
/// A character that XML 1.0 cannot carry, not even as a reference (section 2.2): most control characters, U+FFFE, U+FFFF.
pub fn xml_text(attribute: &str, value: &str) -> Result<String, BuildError> {
    let mut made = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '&' => made.push_str("&amp;"),
            '<' => made.push_str("&lt;"),
            '>' => made.push_str("&gt;"),
            '"' => made.push_str("&quot;"),
            '\'' => made.push_str("&#39;"),
            '\t' => made.push_str("&#9;"),
            '\n' => made.push_str("&#10;"),
            '\r' => made.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                return Err(BuildError::new(attribute, "holds a character that XML cannot carry"));
            }
            c => made.push(c),
        }
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn markup_becomes_text_and_control_characters_are_refused() {
        assert_eq!(xml_text("x", "a<b & 'c'\r\n").unwrap(), "a&lt;b &amp; &#39;c&#39;&#13;&#10;");
        assert_eq!(xml_text("sn", "a\u{1}").unwrap_err().attribute, "sn");
        assert!(xml_text("sn", "\u{ffff}").is_err());
    }

    proptest! {
        #[test]
        fn text_reads_back_and_holds_no_markup(value in "[^\0-\u{8}\u{b}\u{c}\u{e}-\u{1f}\u{fffe}\u{ffff}]{0,20}") {
            let made = xml_text("x", &value).unwrap();
            prop_assert!(!made.contains(['<', '>', '"', '\'', '\r', '\n', '\t']));
            let mut read = String::new();
            let mut rest = made.as_str();
            while let Some((before, after)) = rest.split_once('&') {
                read.push_str(before);
                let (name, tail) = after.split_once(';').unwrap();
                read.push(match name {
                    "amp" => '&', "lt" => '<', "gt" => '>', "quot" => '"',
                    code => char::from_u32(code.strip_prefix('#').unwrap().parse().unwrap()).unwrap(),
                });
                rest = tail;
            }
            read.push_str(rest);
            prop_assert_eq!(read, value);
        }
    }
}
