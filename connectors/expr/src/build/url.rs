//! URLs from a base, path segments and query pairs (RFC 3986).

use ::url::Url;
use std::fmt::Write;

use super::BuildError;

/// A URL: `base` with the segments appended to its path, and a query.
///
/// Each segment and pair is `(attribute or key, value)`; a segment's attribute is only for the error. A value is always
/// exactly one segment or one query value: everything but RFC 3986's unreserved characters is percent-encoded.
///
/// # Errors
/// A base that is no `http` or `https` URL or has a query or fragment; a segment that is empty, `.` or `..` (every URL
/// parser resolves those, also when encoded); a control character.
pub fn url(base: &str, segments: &[(&str, &str)], query: &[(&str, &str)]) -> Result<String, BuildError> {
    let parsed = Url::parse(base).map_err(|_| BuildError::new("base", "is no URL"))?;
    let mut made = checked_base(&parsed)?.to_owned();
    for (attribute, value) in segments {
        made.push('/');
        made.push_str(&segment(attribute, value)?);
    }
    for (index, (key, value)) in query.iter().enumerate() {
        made.push(if index == 0 { '?' } else { '&' });
        encode(key, key, &mut made)?;
        made.push('=');
        encode(key, value, &mut made)?;
    }
    Ok(made)
}

/// The base without the slash at its end.
fn checked_base(base: &Url) -> Result<&str, BuildError> {
    if !matches!(base.scheme(), "http" | "https") {
        return Err(BuildError::new("base", "is no http or https URL"));
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(BuildError::new("base", "has a query or fragment"));
    }
    Ok(base.as_str().trim_end_matches('/'))
}

/// A path with places for values, from the configuration: `/v1/personnel/{id}/aliases/{pool}:{type}?limit=50&q={name}`.
///
/// What stands outside of braces is taken as it is. A value fills its place and nothing else: it cannot add a segment, a
/// query pair or a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Fixed(String),
    Value(String),
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// It does not start with `/`, has `//`, a fragment, a character that a URL cannot hold, a `.` or `..` segment,
    /// or braces that do not match.
    pub fn parse(source: &str) -> Result<Path, BuildError> {
        let fail = |message| Err(BuildError::new("path", message));
        if !source.starts_with('/') {
            return fail("does not start with /");
        }
        let mut pieces = Vec::new();
        let mut rest = source;
        while let Some(open) = rest.find('{') {
            let (fixed, tail) = rest.split_at(open);
            let Some((name, after)) = tail.get(1..).and_then(|tail| tail.split_once('}')) else {
                return fail("has a { without }");
            };
            if name.is_empty() || name.contains(['{', '/', '?']) {
                return fail("has no name between { and }");
            }
            pieces.push(Piece::Fixed(fixed.to_owned()));
            pieces.push(Piece::Value(name.to_owned()));
            rest = after;
        }
        pieces.push(Piece::Fixed(rest.to_owned()));
        for piece in &pieces {
            let Piece::Fixed(fixed) = piece else { continue };
            if fixed.contains('}') {
                return fail("has a } without {");
            }
            if fixed.contains(['#', '\\', '"', '<', '>']) || !fixed.bytes().all(|b| b.is_ascii_graphic()) {
                return fail("has a character that a URL cannot hold there");
            }
        }
        let path = source.split('?').next().unwrap_or_default();
        if path.contains("//") || path.split('/').any(dots) {
            return fail("has an empty, . or .. segment");
        }
        Ok(Path { pieces })
    }

    /// The names of the places, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Value(name) => Some(name.as_str()),
            Piece::Fixed(_) => None,
        })
    }

    /// The URL below `base` with every place filled.
    ///
    /// # Errors
    /// As [`url()`]; also a place that has no value, and a segment that its values make `.` or `..`.
    pub fn fill<'v>(&self, base: &Url, value: impl Fn(&str) -> Option<&'v str>) -> Result<Url, BuildError> {
        let base = checked_base(base)?;
        let mut made = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Fixed(fixed) => made.push_str(fixed),
                Piece::Value(name) => {
                    let Some(value) = value(name) else {
                        return Err(BuildError::new(name, "has no value for the path"));
                    };
                    if value.is_empty() && !made.contains('?') {
                        return Err(BuildError::new(name, "is empty and cannot be part of a path"));
                    }
                    encode(name, value, &mut made)?;
                }
            }
        }
        let path = made.split('?').next().unwrap_or_default();
        if path.split('/').any(dots) {
            return Err(BuildError::new("path", "gets a . or .. segment from its values"));
        }
        Url::parse(&format!("{base}{made}")).map_err(|_| BuildError::new("path", "makes no URL of the base"))
    }
}

/// Whether URL parsers take the segment for a way up or for nothing, also percent-encoded.
fn dots(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".."
}

fn segment(attribute: &str, value: &str) -> Result<String, BuildError> {
    if value.is_empty() {
        return Err(BuildError::new(attribute, "is empty and cannot be part of a path"));
    }
    if dots(value) {
        return Err(BuildError::new(attribute, "is . or .. and cannot be part of a path"));
    }
    let mut made = String::with_capacity(value.len());
    encode(attribute, value, &mut made)?;
    Ok(made)
}

fn encode(attribute: &str, value: &str, made: &mut String) -> Result<(), BuildError> {
    if value.chars().any(char::is_control) {
        return Err(BuildError::new(attribute, "holds a control character, which a URL cannot carry"));
    }
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            made.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(made, "%{byte:02X}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_stay_in_their_place() {
        let made = url("https://ehr.example/api/", &[("v", "v1"), ("id", "a/b?c#d")], &[("alias", "NPI:1 &x=y")]);
        assert_eq!(made.unwrap(), "https://ehr.example/api/v1/a%2Fb%3Fc%23d?alias=NPI%3A1%20%26x%3Dy");
    }

    #[test]
    fn ways_up_empty_segments_and_control_characters_are_refused_by_attribute() {
        for value in ["", ".", "..", "%2e", "%2E.", "a\nb"] {
            let error = url("https://ehr.example", &[("id", value)], &[]).unwrap_err();
            assert_eq!(error.attribute, "id");
        }
        assert!(url("https://ehr.example?x=1", &[], &[]).is_err());
        assert!(url("file:///etc", &[], &[]).is_err());
    }

    #[test]
    fn a_path_is_filled_and_cannot_be_left() {
        let path = Path::parse("/v1/personnel/{id}/aliases/{pool}:{type}?limit=50&q={name}").unwrap();
        assert_eq!(path.names().collect::<Vec<_>>(), ["id", "pool", "type", "name"]);
        let base = Url::parse("https://ehr.example").unwrap();
        let made = path.fill(&base, |name| Some(if name == "id" { "4/11" } else { "a&b" }));
        assert_eq!(
            made.unwrap().as_str(),
            "https://ehr.example/v1/personnel/4%2F11/aliases/a%26b:a%26b?limit=50&q=a%26b"
        );
        assert!(path.fill(&base, |name| (name != "q").then_some("..")).is_err());
        assert_eq!(path.fill(&base, |_| None).unwrap_err().attribute, "id");
        let joined = Path::parse("/a/{x}{y}/b").unwrap();
        assert!(joined.fill(&base, |_| Some(".")).is_err());
    }

    #[test]
    fn a_path_with_faults_is_refused() {
        for source in ["v1", "/a/{id", "/a/}", "/a/{}", "/a/../b", "/a//b", "/a b", "/a#b", "/%2e%2e/x"] {
            assert!(Path::parse(source).is_err(), "{source}");
        }
    }

    proptest! {
        #[test]
        fn a_url_reads_back_as_its_segments_and_pairs(
            a in "[^\\p{Cc}]{1,12}", b in "[./?#%&=+ ü]{1,6}", key in "[^\\p{Cc}]{1,6}", value in "[^\\p{Cc}]{0,12}",
        ) {
            prop_assume!(!dots(&a) && !dots(&b));
            let made = url("https://ehr.example/x", &[("a", &a), ("b", &b)], &[(&key, &value)]).unwrap();
            let read = ::url::Url::parse(&made).unwrap();
            prop_assert_eq!(read.as_str(), &made);
            let decode = |s: &str| ::url::form_urlencoded::parse(format!("k={}", s.replace('+', "%2B")).as_bytes())
                .next().unwrap().1.into_owned();
            let segments: Vec<String> = read.path_segments().unwrap().map(decode).collect();
            prop_assert_eq!(segments, vec!["x".to_owned(), a, b]);
            let pairs: Vec<(String, String)> = read.query_pairs().into_owned().collect();
            prop_assert_eq!(pairs, vec![(key, value)]);
            prop_assert_eq!(read.host_str(), Some("ehr.example"));
        }
    }
}
