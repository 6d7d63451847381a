//! What a target's refusals mean: a table in its file.

use connector_spi::{Class, ConnError, Effect};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};

/// Longest piece of a target's words that is passed on, in characters.
const QUOTED: usize = 200;

/// What one sort of refusal means. All conditions that are given must hold.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// The HTTP status.
    #[serde(default)]
    pub status: Option<u16>,
    /// One of these codes.
    #[serde(default)]
    pub code: Vec<String>,
    /// A piece of the target's words, any case. For targets that tell business errors by text only.
    #[serde(default)]
    pub message: Option<String>,
    /// The class.
    #[serde(deserialize_with = "known_class")]
    pub class: Class,
    /// Whether the target may have changed, where that differs from what is usual for the class.
    #[serde(default, deserialize_with = "known_effect")]
    pub effect: Option<Effect>,
    /// The attribute, where the target does not name it.
    #[serde(default)]
    pub attribute: Option<String>,
    /// What it means for the operator.
    #[serde(default)]
    pub note: Option<Note>,
}

/// What a refusal means for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// Our catalogue or mapping names something that the target does not have.
    Mapping,
    /// Another record must be made first.
    Dependency,
    /// The access is held through a group as well and stays.
    KeptThroughGroup,
    /// The request itself is wrong: a fault of this file or of the connector.
    Bug,
}

impl ErrorRule {
    /// Whether the rule speaks of this refusal.
    #[must_use]
    pub fn fits(&self, status: u16, code: Option<&str>, words: Option<&str>) -> bool {
        let piece = |piece: &String| words.is_some_and(|words| words.to_lowercase().contains(&piece.to_lowercase()));
        self.status.is_none_or(|wanted| wanted == status)
            && (self.code.is_empty() || code.is_some_and(|code| self.code.iter().any(|wanted| wanted == code)))
            && self.message.as_ref().is_none_or(piece)
    }

    /// The error, without what only the answer knows.
    #[must_use]
    pub fn error(&self) -> ConnError {
        let words = match self.note {
            Some(Note::Mapping) => "mapping: the target does not know a value of our catalogue or mapping",
            Some(Note::Dependency) => "dependency: another record must be made first",
            Some(Note::KeptThroughGroup) => "kept through a group: the access is held in another way as well",
            Some(Note::Bug) => "the request itself is wrong: a fault of the target's file or of the connector",
            None => "the target refuses the request",
        };
        let mut error = ConnError::new(self.class, words);
        error.effect = self.effect.unwrap_or(error.effect);
        error.attribute.clone_from(&self.attribute);
        error
    }
}

/// A code or field name from outside, cut to what one can be.
#[must_use]
pub fn short(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "_-./:~[]".contains(*c)).take(60).collect()
}

/// A target's words without the values that were sent, without control characters, and not too long.
#[must_use]
pub fn scrubbed(words: &str, sent: &[String]) -> String {
    let mut clean: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut longest: Vec<&String> = sent.iter().filter(|value| value.chars().count() > 1).collect();
    longest.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for value in longest {
        clean = clean.replace(value.as_str(), "***");
    }
    clean.chars().take(QUOTED).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_fits_when_all_its_conditions_hold() {
        let rule = ErrorRule {
            status: Some(400),
            code: vec!["A".into(), "B".into()],
            message: Some("Taken".into()),
            class: Class::AlreadyExists,
            effect: None,
            attribute: None,
            note: None,
        };
        assert!(rule.fits(400, Some("B"), Some("the name is TAKEN")));
        assert!(!rule.fits(409, Some("B"), Some("taken")));
        assert!(!rule.fits(400, Some("C"), Some("taken")));
        assert!(!rule.fits(400, Some("B"), None));
    }

    #[test]
    fn a_target_s_words_lose_what_was_sent() {
        let sent = ["Testperson".to_owned(), "x".to_owned()];
        assert_eq!(scrubbed("no\nTestperson here", &sent), "no *** here");
    }
}
