//! Conditions on versions: `If-Match` and `If-None-Match` (RFC 7644, section 3.14; RFC 9110, section 13).

use actix_web::http::header::{self, HeaderMap, HeaderName};
use gateway_engine::Precondition;

/// Version 3 as an ETag: `W/"3"`.
pub(crate) fn etag(version: u64) -> String {
    format!("W/\"{version}\"")
}

/// What must hold before a write: `If-Match`, else `If-None-Match`, else nothing. A tag that is none of ours is a version that
/// no resource has, so the write fails as it should.
pub(crate) fn before_write(headers: &HeaderMap) -> Precondition {
    match tags(headers, &header::IF_MATCH) {
        Some(Tags::Any) => Precondition::Any,
        Some(Tags::These(versions)) => Precondition::Versions(versions),
        None => match tags(headers, &header::IF_NONE_MATCH) {
            // It must not exist: then no version will do.
            Some(Tags::Any) => Precondition::Versions(Vec::new()),
            Some(Tags::These(_)) | None => Precondition::Any,
        },
    }
}

/// How a read ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Early {
    /// 304: the client has this version already.
    NotModified,
    /// 412: it is not the version that the client asked for.
    Failed,
}

/// Whether a read of this version ends early.
pub(crate) fn before_read(headers: &HeaderMap, version: u64) -> Option<Early> {
    if let Some(Tags::These(wanted)) = tags(headers, &header::IF_MATCH)
        && !wanted.contains(&version)
    {
        return Some(Early::Failed);
    }
    match tags(headers, &header::IF_NONE_MATCH)? {
        Tags::Any => Some(Early::NotModified),
        Tags::These(known) => known.contains(&version).then_some(Early::NotModified),
    }
}

/// The version of a tag in a Bulk operation's `version`, or in a header.
pub(crate) fn version(tag: &str) -> Option<u64> {
    // Some clients leave out the quotes or the W/ of a tag that was given to them as `meta.version`.
    let tag = tag.trim();
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    let digits = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag);
    // `parse` would take a sign.
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

enum Tags {
    Any,
    These(Vec<u64>),
}

fn tags(headers: &HeaderMap, name: &HeaderName) -> Option<Tags> {
    let mut versions = Vec::new();
    let mut given = false;
    for value in headers.get_all(name) {
        given = true;
        let text = value.to_str().unwrap_or_default();
        if text.trim() == "*" {
            return Some(Tags::Any);
        }
        // Our tags hold no commas; another's that does falls into parts that match nothing.
        versions.extend(text.split(',').filter_map(version));
    }
    given.then_some(Tags::These(versions))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn with(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn versions(value: &str) -> Vec<u64> {
        match before_write(&with(&[(header::IF_MATCH, value)])) {
            Precondition::Versions(versions) => versions,
            Precondition::Any => panic!("{value} is a list of versions"),
        }
    }

    #[test]
    fn if_match_names_versions_weak_or_strong_one_or_many() {
        assert_eq!(versions("W/\"3\""), [3]);
        assert_eq!(versions("\"3\""), [3]);
        assert_eq!(versions("W/\"3\", W/\"4\" ,\"5\""), [3, 4, 5]);
    }

    #[test]
    fn a_foreign_tag_matches_no_version() {
        for value in ["\"a330bc54f0671c9\"", "W/\"-1\"", "W/\"+1\"", "W/\"1.0\"", "", "W/\"99999999999999999999999\""] {
            assert_eq!(versions(value), [0_u64; 0], "{value}");
        }
    }

    #[test]
    fn a_star_means_that_it_exists_or_that_it_does_not() {
        assert_eq!(before_write(&with(&[(header::IF_MATCH, "*")])), Precondition::Any);
        assert_eq!(before_write(&with(&[(header::IF_NONE_MATCH, "*")])), Precondition::Versions(Vec::new()));
        assert_eq!(before_write(&with(&[])), Precondition::Any);
    }

    #[test]
    fn a_read_of_a_version_that_is_known_is_not_repeated() {
        let known = with(&[(header::IF_NONE_MATCH, "W/\"2\", W/\"3\"")]);

        assert_eq!(before_read(&known, 3), Some(Early::NotModified));
        assert_eq!(before_read(&known, 4), None);
        assert_eq!(before_read(&with(&[(header::IF_MATCH, "W/\"2\"")]), 3), Some(Early::Failed));
        assert_eq!(before_read(&with(&[]), 3), None);
    }

    #[test]
    fn an_etag_reads_back_as_its_version() {
        assert_eq!(etag(12), "W/\"12\"");
        assert_eq!(version(&etag(12)), Some(12));
        assert_eq!(version("12"), Some(12));
        assert_eq!(version(""), None);
    }
}
