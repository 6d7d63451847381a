//! The parameters behind the question mark.

use crate::error::Error;
use percent_encoding::percent_decode;
use scim::{ScimError, ScimType};

/// Names and values in the order of the request.
pub(crate) type Pairs = Vec<(String, String)>;

/// The longest query that is read; a filter alone may have 16 KiB, unescaped.
const LONGEST: usize = 64 << 10;

/// Reads a query string as forms write it: `+` is a space, a name without `=` has the empty value.
///
/// # Errors
/// 400 `invalidValue` where an escape is cut short or what it spells is no UTF-8; a lenient reader would look for another value
/// than was meant. 413 for a query beyond 64 KiB.
pub(crate) fn pairs(query: &str) -> Result<Pairs, Error> {
    if query.len() > LONGEST {
        return Err(ScimError::payload_too_large("The query is too long. Send it to .search in a body.").into());
    }
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((text(name)?, text(value)?))
        })
        .collect()
}

/// The first value of a parameter.
pub(crate) fn first<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn text(escaped: &str) -> Result<String, Error> {
    let malformed = || -> Error {
        let detail =
            "A parameter's escapes are not valid. Write each byte of its UTF-8 as % and two hexadecimal digits.";
        ScimError::bad_request(ScimType::InvalidValue, detail).into()
    };
    let mut parts = escaped.split('%');
    parts.next();
    if !parts.all(|part| part.len() >= 2 && part.bytes().take(2).all(|byte| byte.is_ascii_hexdigit())) {
        return Err(malformed());
    }
    let spaced = escaped.replace('+', " ");
    percent_decode(spaced.as_bytes()).decode_utf8().map(|text| text.into_owned()).map_err(|_| malformed())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn spaces_and_quotes_are_read_as_each_client_writes_them() {
        let filter = "userName eq \"testperson.12@hosp.example\"";
        for query in [
            "filter=userName+eq+%22testperson.12%40hosp.example%22",
            "filter=userName%20eq%20%22testperson.12@hosp.example%22",
            "filter=userName%20eq%20\"testperson.12%40hosp.example\"&",
        ] {
            assert_eq!(first(&pairs(query).unwrap(), "filter"), Some(filter), "{query}");
        }
    }

    #[test]
    fn an_escaped_plus_stays_a_plus() {
        assert_eq!(first(&pairs("filter=a%2Bb+c").unwrap(), "filter"), Some("a+b c"));
    }

    #[test]
    fn a_bare_name_has_the_empty_value() {
        assert_eq!(pairs("cursor&count=2").unwrap(), [("cursor".into(), String::new()), ("count".into(), "2".into())]);
        assert_eq!(pairs("").unwrap(), []);
    }

    #[test]
    fn a_broken_escape_is_400_and_never_another_value() {
        for query in ["filter=%", "filter=%2", "filter=%zz", "filter=%ff", "filter=a%C3%28", "%=1"] {
            let error = pairs(query).unwrap_err();
            assert_eq!((error.scim.status, error.scim.scim_type), (400, Some(ScimType::InvalidValue)), "{query}");
        }
    }
}
