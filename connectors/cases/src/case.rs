//! What is written in a target's file.

use connector_spi::{
    AccountState, Attrs, Change, Class, Cursor, Effect, Entitlement, Kind, NativeId, SyncToken, Value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// The part of a target's file that tests the rest of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// What every case starts from.
    #[serde(default, skip_serializing_if = "Setup::is_empty")]
    pub test_setup: Setup,
    /// The cases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<Case>,
}

/// What every case starts from.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// Settings of a deployment that the file leaves open and that the cases need, such as a zone. Addresses and credentials
    /// need not be given: they are the runner's own.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Json>,
    /// For kind `sql`: statements of SQLite that make the tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// Exchanges that every case may use, in any order and any number of times: a server's description of itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standing: Vec<Exchange>,
}

impl Setup {
    fn is_empty(&self) -> bool {
        self.settings.is_empty() && self.sql.is_none() && self.standing.is_empty()
    }
}

/// One `[[test]]`: a call, what the target is asked and says, and what comes of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What is to be seen, as a sentence.
    pub name: String,
    /// Settings for this case alone, laid over those of the file.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Json>,
    /// The call.
    pub call: Call,
    /// What comes with the call.
    #[serde(default, skip_serializing_if = "Circumstances::is_usual")]
    pub cx: Circumstances,
    /// For kind `sql`: statements of SQLite that put into the tables what the case needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// What the target is asked and what it says, in order. All of them must be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exchange: Vec<Exchange>,
    /// What must come of the call.
    pub expect: Expect,
    /// For kind `sql`: what must stand in the tables afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Look>,
}

/// A call of the contract, with its arguments in the contract's own form: attributes are lists, an instant is
/// `{ at = "2026-07-01T00:00:00Z" }`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Call {
    /// Asks whether the target is there.
    Check {},
    /// Reads one record by id.
    Get {
        /// The kind of record.
        kind: Kind,
        /// The target's id of it.
        id: NativeId,
    },
    /// Looks records up by a natural key.
    Find {
        /// The kind of record.
        kind: Kind,
        /// The key's attributes, each with one value.
        key: BTreeMap<String, Value>,
    },
    /// Makes a record.
    Create {
        /// The kind of record.
        kind: Kind,
        /// Attributes.
        #[serde(default)]
        attrs: Attrs,
        /// The state it is to have.
        #[serde(default = "enabled")]
        state: AccountState,
        /// What it is to hold.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        entitlements: Vec<Entitlement>,
    },
    /// Changes a record.
    Update {
        /// The kind of record.
        kind: Kind,
        /// The target's id of it.
        id: NativeId,
        /// What is to change.
        change: Box<Change>,
    },
    /// Deletes a record.
    Delete {
        /// The kind of record.
        kind: Kind,
        /// The target's id of it.
        id: NativeId,
    },
    /// Reads one page of all records.
    List {
        /// The kind of record.
        kind: Kind,
        /// Where the page begins; the first without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<Cursor>,
        /// Most records on it.
        size: u32,
    },
    /// Asks for what changed in the target since a mark.
    Changes {
        /// The kind of record.
        kind: Kind,
        /// The mark.
        token: SyncToken,
    },
    /// Asks whether a login would be let in.
    Effective {
        /// The kind of record.
        kind: Kind,
        /// The target's id of it.
        id: NativeId,
    },
    /// Ends open sessions.
    RevokeSessions {
        /// The kind of record.
        kind: Kind,
        /// The target's id of it.
        id: NativeId,
    },
    /// Asks what became of work that the target has taken on.
    Ticket {
        /// The kind of record.
        kind: Kind,
        /// The target's mark of the work.
        ticket: String,
    },
}

/// What comes with a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Circumstances {
    /// The change's own id.
    pub op_id: String,
    /// 1 on the first attempt.
    #[serde(skip_serializing_if = "is_first")]
    pub attempt: u32,
    /// The call closes access.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub leaver: bool,
    /// Nothing may be written.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

impl Default for Circumstances {
    fn default() -> Self {
        Self { op_id: "case".to_owned(), attempt: 1, leaver: false, dry_run: false }
    }
}

impl Circumstances {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// One request over HTTP, and what the target says to it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// The request.
    pub request: Request,
    /// The answer.
    #[serde(default)]
    pub reply: Reply,
}

/// A request. Of its body at most one form is given; without any it must be empty.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The setting whose address is called, where it is another than the target's own (`http`): `services.core`,
    /// `http.refresh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub door: Option<String>,
    /// The method.
    #[serde(default = "get")]
    pub method: String,
    /// The path below the base address, as it is sent, without the query.
    pub path: String,
    /// Members of the query by name, decoded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, QueryValue>,
    /// Header fields that must be there, with these values. Others are not looked at.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body as JSON, compared by value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<JsonText>,
    /// The body as XML, compared by names and places. The prefixes of the file's `namespaces` are known. What stands in an
    /// envelope is compared without it, unless the envelope is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xml: Option<String>,
    /// The body as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A member of a query: one value, or several in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum QueryValue {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// What the target says. Of its body at most one form is given.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Header fields.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<JsonText>,
    /// The body as XML; the prefixes of the file's `namespaces` are known, and `soap` is the envelope's. What is written
    /// without an envelope is put into one of the request's own version, where the request has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xml: Option<String>,
    /// The body as it is: a web page in place of an answer, an answer that is cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The target takes the request and the answer is lost: the connection ends.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}

impl Default for Reply {
    fn default() -> Self {
        Self { status: 200, headers: BTreeMap::new(), json: None, xml: None, text: None, lost: false }
    }
}

/// JSON as a text, so that it can be copied from elsewhere and hold a null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct JsonText {
    text: String,
    value: Json,
}

impl JsonText {
    /// The value.
    #[must_use]
    pub fn value(&self) -> &Json {
        &self.value
    }

    /// A value, written over several lines where it is long.
    #[must_use]
    pub fn of(value: Json) -> Self {
        let short = value.to_string();
        let text = if short.len() > 100 { crate::write::json_text(&value) + "\n" } else { short };
        Self { text, value }
    }
}

impl TryFrom<String> for JsonText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match serde_json::from_str(&text) {
            Ok(value) => Ok(Self { text, value }),
            Err(error) => Err(format!("is no JSON: {error}")),
        }
    }
}

impl From<JsonText> for String {
    fn from(json: JsonText) -> String {
        json.text
    }
}

/// What must come of a call: a result, nothing, or an error.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The result in the contract's own form. What is null, false or empty may be left out, and the `message` of a part that
    /// failed is compared only where it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Json>,
    /// The call succeeds and has nothing to say: no such record for `get`; for `delete` and `revoke_sessions` always.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nothing: bool,
    /// The call fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ExpectedError>,
}

/// An error. What is not written must not be there, but for the effect.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedError {
    /// The class.
    #[serde(deserialize_with = "known_class")]
    pub class: Class,
    /// Whether the target may have changed; what is usual for the class without it.
    #[serde(default, deserialize_with = "known_effect", skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// The attribute or entitlement that is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// The target's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The id of the record that stands in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing: Option<NativeId>,
    /// Milliseconds to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// A look into the tables.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// A query of SQLite.
    pub query: String,
    /// Its rows, in order, by column: texts and numbers; a column that is NULL is left out.
    #[serde(default)]
    pub rows: Vec<BTreeMap<String, Json>>,
}

// On the wire an unknown class or effect has a meaning (a newer plugin); in a file it is a slip of the pen.
fn known_class<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Class, D::Error> {
    let name = String::deserialize(deserializer)?;
    Class::ALL.into_iter().find(|class| class.name() == name).ok_or_else(|| {
        let names: Vec<_> = Class::ALL.into_iter().map(Class::name).collect();
        D::Error::custom(format!("there is no class {name}; one of {}", names.join(", ")))
    })
}

fn known_effect<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Effect>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "none" => Ok(Some(Effect::None)),
        "partial" => Ok(Some(Effect::Partial)),
        "maybe" => Ok(Some(Effect::Maybe)),
        other => Err(D::Error::custom(format!("there is no effect {other}; one of none, partial, maybe"))),
    }
}

fn is_first(attempt: &u32) -> bool {
    *attempt == 1
}
fn get() -> String {
    "GET".to_owned()
}
fn enabled() -> AccountState {
    AccountState::Enabled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_read_and_written_again() {
        let text = r#"
            [[test]]
            name = "a person is made"
            [test.call]
            op = "create"
            kind = "account"
            attrs = { login = ["t1"], since = [{ at = "2026-07-01T00:00:00Z" }] }
            [[test.exchange]]
            request = { method = "POST", path = "/people", json = '{"login": "t1", "end": null}' }
            reply = { status = 201, json = '{"id": 7}' }
            [test.expect]
            result = { id = "7" }
        "#;
        let suite: Suite = toml::from_str(text).unwrap();
        let written = toml::to_string(&suite).unwrap();
        let again: Suite = toml::from_str(&written).unwrap();
        assert_eq!(serde_json::to_value(&suite).unwrap(), serde_json::to_value(&again).unwrap());
        assert_eq!(suite.test[0].exchange[0].request.json.as_ref().unwrap().value()["end"], Json::Null);
    }

    #[test]
    fn a_class_or_a_member_that_there_is_not_is_refused() {
        let read = |expect: &str| {
            toml::from_str::<Suite>(&format!("[[test]]\nname = 'a'\ncall = {{ op = 'check' }}\nexpect = {expect}"))
        };
        assert!(read("{ error = { class = 'Auth' } }").is_ok());
        assert!(read("{ error = { class = 'Auht' } }").is_err());
        assert!(read("{ error = { class = 'Auth', effect = 'perhaps' } }").is_err());
        assert!(read("{ result = { }, nothing = true, x = 1 }").is_err());
    }
}
