//! One request, its body, and pages of answers.

use super::TakenOn;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// One request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path below the base address, with places in braces.
    pub path: String,
    /// Query members by name, each an expression.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Header fields by name, each an expression.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    #[serde(default)]
    pub body: Option<Body>,
    /// Sends the record's version as `If-Match`. Where it is not known, the record is read first.
    #[serde(default)]
    pub if_match: bool,
    /// Statuses besides 2xx that mean success, such as 404 for a removal.
    #[serde(default)]
    pub also_ok: Vec<u16>,
    /// Error codes that mean success, such as a code for "has it already".
    #[serde(default)]
    pub also_ok_codes: Vec<String>,
    /// Where the record stands in the answer.
    #[serde(default)]
    pub record_at: Pointer,
    /// The answer's body is not looked at, whatever it is.
    #[serde(default)]
    pub ignore_body: bool,
    /// The target may take the work on and do it later. What comes after this request waits until it is done.
    #[serde(default)]
    pub taken_on: Option<TakenOn>,
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "named as in RFC 9110 section 9 and RFC 5789")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// As on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

/// The body of a request: either `template`, or made of `base`, `attributes` and `set`, in this order.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// What the body starts from.
    #[serde(default)]
    pub base: Base,
    /// Puts the attributes being sent where their pointers say. An attribute that is cleared becomes null.
    #[serde(default)]
    pub attributes: bool,
    /// Members by pointer, each an expression.
    #[serde(default)]
    pub set: BTreeMap<Pointer, String>,
    /// A template (minijinja) of the whole body; `{{ x }}` stands for a whole JSON value.
    #[serde(default)]
    pub template: Option<String>,
    /// The content type; `application/json` if absent.
    #[serde(default)]
    pub content_type: Option<String>,
}

/// What a body starts from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// An empty object.
    #[default]
    Empty,
    /// The record as the target holds it, read just before: for targets that replace whole records.
    Record,
}

/// How a long answer is cut into pages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum Pages {
    /// All in one answer.
    // With braces, since serde lets unknown members of a bare variant pass.
    One {},
    /// By the number of records to skip.
    Offset {
        /// Query member for the offset.
        offset: String,
        /// Query member for the page's size.
        limit: String,
        /// The first record's number, 0 or 1.
        #[serde(default)]
        first: u64,
    },
    /// By the page's number.
    Page {
        /// Query member for the page's number.
        page: String,
        /// Query member for the page's size.
        limit: String,
        /// The first page's number, 0 or 1.
        #[serde(default)]
        first: u64,
    },
    /// By a mark that the answer gives.
    Cursor {
        /// Query member for the mark.
        cursor: String,
        /// Query member for the page's size.
        limit: String,
        /// Where the next mark stands; absent, null or empty on the last page.
        next_at: Pointer,
    },
    /// By the address in the `Link` header field with `rel="next"` (RFC 8288).
    Link {
        /// Query member for the page's size, on the first page.
        limit: String,
    },
}

impl Default for Pages {
    fn default() -> Self {
        Pages::One {}
    }
}

/// A JSON pointer (RFC 6901).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Pointer {
    text: String,
    /// Without escapes: a listing follows a pointer for each attribute of each record.
    steps: Vec<String>,
}

impl Pointer {
    /// The pointer as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it points to; null counts as absent.
    #[must_use]
    pub fn read<'v>(&self, document: &'v Value) -> Option<&'v Value> {
        let found = self.steps.iter().try_fold(document, |at, step| match at {
            Value::Object(members) => members.get(step),
            Value::Array(items) => items.get(index(step)?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        });
        found.filter(|value| !value.is_null())
    }
}

/// A number as RFC 6901 section 4 writes it: without a sign and without leading zeros.
fn index(step: &str) -> Option<usize> {
    let plain = step.bytes().all(|byte| byte.is_ascii_digit()) && (step == "0" || !step.starts_with('0'));
    plain.then(|| step.parse().ok()).flatten()
}

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if !(text.is_empty() || text.starts_with('/')) {
            return Err("is no JSON pointer: it must be empty or start with /".to_owned());
        }
        let steps: Vec<String> =
            text.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        if steps.len() > 31 || text.replace("~0", "").replace("~1", "").contains('~') {
            return Err("is no JSON pointer of at most 31 steps (~ is written ~0, / is written ~1)".to_owned());
        }
        Ok(Self { text, steps })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pointer_finds_what_the_rfc_says() {
        // given the document of RFC 6901 section 5, and a list
        let document = json!({
            "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8,
            "none": null,
        });
        let read = |text: &str| Pointer::try_from(text.to_owned()).unwrap().read(&document).cloned();
        let found = [("/foo/0", json!("bar")), ("/", json!(0)), ("/a~1b", json!(1)), ("/c%d", json!(2))];
        for (text, wanted) in found {
            assert_eq!(read(text), Some(wanted), "{text}");
        }
        for (text, wanted) in [("/e^f", 3), ("/g|h", 4), ("/i\\j", 5), ("/k\"l", 6), ("/ ", 7), ("/m~0n", 8)] {
            assert_eq!(read(text), Some(json!(wanted)), "{text}");
        }
        assert_eq!(read(""), Some(document.clone()));
        for text in ["/none", "/foo/2", "/foo/01", "/foo/+1", "/foo/-", "/foo/0/x", "/absent"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for text in ["foo", "/a~2b", "/a~", &"/a".repeat(32)] {
            assert!(Pointer::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
