//! A source's own names for our extensions (decision 22: Entra can only send `urn:ietf:params:scim:schemas:extension:…`).

use crate::Object;
use crate::names::Names;
use serde_json::Value;

/// Foreign URIs for our extensions, of one source. Applied while a body, a path or a filter is parsed, and reversed in
/// answers, so that the source reads back what it sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aliases(Vec<(String, String)>);

impl Aliases {
    /// The aliases of a source that has none.
    pub const NONE: &'static Aliases = &Aliases(Vec::new());

    /// Pairs of (foreign URI, our URI).
    ///
    /// # Errors
    /// A sentence, where a URI stands twice on its side or on both sides: then the way back would be open.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, String> {
        let pairs: Vec<(String, String)> = pairs.into_iter().collect();
        let both = pairs.iter().flat_map(|(foreign, ours)| [foreign.as_str(), ours.as_str()]);
        match Names::new(both) {
            Ok(_) => Ok(Aliases(pairs)),
            Err(twice) => Err(format!("The schema alias names `{twice}` twice.")),
        }
    }

    /// Our URI for a foreign one, in any letter case.
    pub fn ours(&self, foreign: &str) -> Option<&str> {
        self.0.iter().find(|(theirs, _)| theirs.eq_ignore_ascii_case(foreign)).map(|(_, ours)| ours.as_str())
    }

    /// The source's URI for one of ours.
    pub fn theirs(&self, ours: &str) -> Option<&str> {
        self.0.iter().find(|(_, known)| known == ours).map(|(theirs, _)| theirs.as_str())
    }

    /// Names our extensions as the source does, in an answer: as members, and in `schemas`.
    pub fn reverse(&self, mut document: Object) -> Object {
        for (theirs, ours) in &self.0 {
            if let Some(extension) = document.remove(ours) {
                document.insert(theirs.clone(), extension);
            }
        }
        if let (false, Some(Value::Array(uris))) = (self.0.is_empty(), document.get_mut("schemas")) {
            for uri in uris {
                if let Some(theirs) = uri.as_str().and_then(|ours| self.theirs(ours)) {
                    *uri = theirs.into();
                }
            }
        }
        document
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const FOREIGN: &str = "urn:ietf:params:scim:schemas:extension:clinical:2.0:User";

    fn aliases() -> Aliases {
        Aliases::new([(FOREIGN.to_owned(), crate::CLINICAL_USER.to_owned())]).unwrap()
    }

    #[test]
    fn an_answer_names_the_extension_as_the_source_does() {
        let ours = json!({"schemas": [crate::USER, crate::CLINICAL_USER], "userName": "t12", crate::CLINICAL_USER: {"kind": "human"}});

        let theirs = aliases().reverse(ours.as_object().unwrap().clone());

        let expected = json!({"schemas": [crate::USER, FOREIGN], "userName": "t12", FOREIGN: {"kind": "human"}});
        assert_eq!(Value::Object(theirs), expected);
    }

    #[test]
    fn a_uri_that_stands_twice_is_refused() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());

        assert!(Aliases::new([pair("urn:a", "urn:b"), pair("URN:A", "urn:c")]).is_err());
        assert!(Aliases::new([pair("urn:a", "urn:b"), pair("urn:b", "urn:c")]).is_err());
    }
}
