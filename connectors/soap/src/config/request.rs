//! One request, and places in its answer.

use super::TakenOn;
use schemars::JsonSchema;
use serde::Deserialize;

/// One request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The service that takes it.
    pub service: String,
    /// The action (`SOAPAction` of SOAP 1.1, the parameter of SOAP 1.2's content type).
    #[serde(default)]
    pub action: Option<String>,
    /// The one element of the body: a template.
    pub body: String,
    /// The name of the answer's element, with its prefix. An answer with another one is not understood.
    pub answer: String,
    /// Where the record stands in the answer.
    #[serde(default)]
    pub record_at: Place,
    /// Error codes that mean success, such as a code for "has it already".
    #[serde(default)]
    pub also_ok_codes: Vec<String>,
    /// The target may take the work on and do it later. What comes after this request waits until it is done.
    #[serde(default)]
    pub taken_on: Option<TakenOn>,
}

/// A place in an answer, as text. See the module's own words.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Place {
    text: String,
    /// Its steps, outermost first.
    steps: Vec<PlaceStep>,
}

/// One step of a place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PlaceStep {
    pub(crate) name: Named,
    pub(crate) attribute: bool,
    pub(crate) only: Option<Test>,
}

/// A name as written; the prefix `*` is any namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Named {
    pub(crate) prefix: Option<String>,
    pub(crate) local: String,
}

/// A condition of a step: a child or attribute with this text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Test {
    pub(crate) name: Named,
    pub(crate) attribute: bool,
    pub(crate) text: String,
}

/// Most steps of a place.
const STEPS: usize = 32;

impl Place {
    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its steps, outermost first.
    pub(crate) fn steps(&self) -> &[PlaceStep] {
        &self.steps
    }

    /// The prefixes that it uses, without the one for any namespace.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.steps
            .iter()
            .flat_map(|step| [Some(&step.name), step.only.as_ref().map(|test| &test.name)])
            .flatten()
            .filter_map(|named| named.prefix.as_deref().filter(|prefix| *prefix != "*"))
    }
}

impl TryFrom<String> for Place {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let steps = split(&text).into_iter().map(step).collect::<Result<Vec<_>, _>>()?;
        if steps.len() > STEPS {
            return Err(format!("is a place of more than {STEPS} steps"));
        }
        if steps.iter().rev().skip(1).any(|step| step.attribute) {
            return Err("goes on below an attribute".to_owned());
        }
        Ok(Self { text, steps })
    }
}

/// The steps' texts; a slash in quotes divides nothing.
fn split(text: &str) -> Vec<&str> {
    if text.is_empty() || text == "." {
        return Vec::new();
    }
    let mut quoted = false;
    text.split(|c| {
        quoted ^= c == '\'';
        c == '/' && !quoted
    })
    .collect()
}

fn step(text: &str) -> Result<PlaceStep, String> {
    let (plain, only) = match text.split_once('[') {
        None => (text, None),
        Some((plain, condition)) => {
            let condition = condition.strip_suffix(']').ok_or("has a condition without its ]")?;
            let (name, quoted) = condition.split_once('=').ok_or("has a condition that is not name='text'")?;
            let text = quoted.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
            let text = text.ok_or("has a condition whose text is not in single quotes")?.to_owned();
            let (name, attribute) = name_of(name)?;
            (plain, Some(Test { name, attribute, text }))
        }
    };
    let (name, attribute) = name_of(plain)?;
    Ok(PlaceStep { name, attribute, only })
}

fn name_of(text: &str) -> Result<(Named, bool), String> {
    let (plain, attribute) = text.strip_prefix('@').map_or((text, false), |plain| (plain, true));
    let (prefix, local) = match plain.split_once(':') {
        Some((prefix, local)) => (Some(prefix.to_owned()), local.to_owned()),
        None => (None, plain.to_owned()),
    };
    let letter = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let fine = |part: &str| !part.is_empty() && part.chars().all(letter) && !part.starts_with(['-', '.']);
    if !fine(&local) || !prefix.as_deref().is_none_or(|prefix| prefix == "*" || fine(prefix)) {
        return Err(format!("has a step that is no name: {text}"));
    }
    Ok((Named { prefix, local }, attribute))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_with_its_conditions() {
        let place = Place::try_from("p:User/p:UserIDs[p:Type='A/B']/p:ID".to_owned()).unwrap();
        assert_eq!(place.steps.len(), 3);
        assert_eq!(place.steps[1].only.as_ref().unwrap().text, "A/B");
        assert_eq!(place.prefixes().collect::<Vec<_>>(), ["p", "p", "p", "p"]);
        assert!(Place::try_from("*:a/@b".to_owned()).is_ok());
        assert!(Place::default().steps.is_empty());
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in ["/a", "a//b", "@a/b", "a[b]", "a[b=c]", "a[b='c'", "a b", "a:b:c", "p:"] {
            assert!(Place::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
