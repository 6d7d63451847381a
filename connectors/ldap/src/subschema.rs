//! What a server says about itself: its root entry (RFC 4512, section 5.1) and its schema (section 4.2).

use connector_spi::ValueType;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

/// Controls that make the connector better where the server announces them.
pub mod control {
    /// Post-read (RFC 4527).
    pub const POST_READ: &str = "1.3.6.1.1.13.2";
    /// Assertion (RFC 4528).
    pub const ASSERTION: &str = "1.3.6.1.1.12";
    /// Paged results (RFC 2696).
    pub const PAGED: &str = "1.2.840.113556.1.4.319";
    /// Password policy (draft-behera-ldap-password-policy).
    pub const PASSWORD_POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";
    /// Domain scope: no references to the other parts of an Active Directory. Sent uncritical.
    pub const ONE_DOMAIN: &str = "1.2.840.113556.1.4.1339";
    /// Permissive modify: what is so already is success. Known to Active Directory and OpenLDAP; sent uncritical.
    pub const PERMISSIVE: &str = "1.2.840.113556.1.4.1413";
}

/// What a server says about itself.
#[derive(Debug, Default)]
pub struct Facts {
    /// Vendor and version, where it tells.
    pub server: Option<String>,
    /// Controls it announces.
    pub controls: BTreeSet<String>,
    /// Attribute types by each of their names in lower case.
    pub types: BTreeMap<String, AttributeType>,
    /// Object classes by each of their names in lower case.
    pub classes: BTreeMap<String, ObjectClass>,
    // Asked for with each create, and always the same.
    asked: Mutex<HashMap<Vec<String>, Arc<Content>>>,
}

/// What entries of some classes hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Attributes they must have.
    pub must: BTreeSet<String>,
    /// Attributes they may have besides.
    pub may: BTreeSet<String>,
}

/// An attribute type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttributeType {
    /// Its first name.
    pub name: String,
    sup: Option<String>,
    syntax: Option<String>,
    equality: Option<String>,
    /// Holds one value at most.
    pub single: bool,
    /// Only the server writes it.
    pub read_only: bool,
}

/// An object class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectClass {
    sup: Vec<String>,
    must: Vec<String>,
    may: Vec<String>,
}

impl Facts {
    /// Reads schema descriptions; what cannot be read is left out.
    pub fn learn(&mut self, types: impl Iterator<Item = String>, classes: impl Iterator<Item = String>) {
        for description in types {
            let parts = Parts::of(&description);
            let one = AttributeType {
                name: parts.first("NAME").unwrap_or_default(),
                sup: parts.first("SUP"),
                syntax: parts.first("SYNTAX").map(|syntax| syntax.split('{').next().unwrap_or_default().to_owned()),
                equality: parts.first("EQUALITY"),
                single: parts.has("SINGLE-VALUE"),
                read_only: parts.has("NO-USER-MODIFICATION"),
            };
            for name in parts.all("NAME") {
                self.types.insert(name.to_lowercase(), one.clone());
            }
        }
        for description in classes {
            let parts = Parts::of(&description);
            let one = ObjectClass { sup: parts.all("SUP"), must: parts.all("MUST"), may: parts.all("MAY") };
            for name in parts.all("NAME") {
                self.classes.insert(name.to_lowercase(), one.clone());
            }
        }
    }

    /// Whether the server announces a control.
    pub fn has(&self, control: &str) -> bool {
        self.controls.contains(control)
    }

    /// An attribute type by one of its names; options are left aside.
    pub fn attribute(&self, name: &str) -> Option<&AttributeType> {
        self.types.get(&name.split(';').next().unwrap_or(name).to_lowercase())
    }

    /// Whether two names mean the same attribute.
    pub fn same(&self, one: &str, other: &str) -> bool {
        one.eq_ignore_ascii_case(other)
            || matches!((self.attribute(one), self.attribute(other)), (Some(a), Some(b)) if a.name == b.name)
    }

    /// The type of an attribute's values.
    pub fn value_type(&self, name: &str) -> ValueType {
        match self.inherited(name, |one| one.syntax.as_deref()) {
            Some("1.3.6.1.4.1.1466.115.121.1.27") => ValueType::Integer,
            Some("1.3.6.1.4.1.1466.115.121.1.7") => ValueType::Boolean,
            Some("1.3.6.1.4.1.1466.115.121.1.24") => ValueType::Timestamp,
            Some(
                "1.3.6.1.4.1.1466.115.121.1.4"
                | "1.3.6.1.4.1.1466.115.121.1.5"
                | "1.3.6.1.4.1.1466.115.121.1.8"
                | "1.3.6.1.4.1.1466.115.121.1.23"
                | "1.3.6.1.4.1.1466.115.121.1.28"
                | "1.3.6.1.4.1.1466.115.121.1.40",
            ) => ValueType::Bytes,
            _ => ValueType::Text,
        }
    }

    /// Whether letter case counts in an attribute's values.
    pub fn case_exact(&self, name: &str) -> bool {
        self.inherited(name, |one| one.equality.as_deref()).is_some_and(|rule| !rule.starts_with("caseIgnore"))
    }

    /// Attributes that entries of these classes must and may have.
    pub fn of_classes(&self, classes: &[String]) -> Arc<Content> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = asked.get(classes) {
            return known.clone();
        }
        let mut content = Content::default();
        let mut queue: Vec<String> = classes.iter().map(|class| class.to_lowercase()).collect();
        let mut seen = BTreeSet::new();
        while let Some(name) = queue.pop() {
            if let Some(class) = self.classes.get(&name).filter(|_| seen.insert(name.clone())) {
                content.must.extend(class.must.iter().map(|name| self.canonical(name)));
                content.may.extend(class.may.iter().map(|name| self.canonical(name)));
                queue.extend(class.sup.iter().map(|class| class.to_lowercase()));
            }
        }
        content.may.retain(|name| !content.must.contains(name));
        let content = Arc::new(content);
        // One list of classes per kind: a handful.
        asked.insert(classes.to_vec(), content.clone());
        content
    }

    /// An attribute's first name, where it is known.
    pub fn canonical(&self, name: &str) -> String {
        self.attribute(name).filter(|known| !known.name.is_empty()).map_or_else(|| name.to_owned(), |k| k.name.clone())
    }

    fn inherited<'f>(&'f self, name: &str, pick: impl Fn(&'f AttributeType) -> Option<&'f str>) -> Option<&'f str> {
        let mut one = self.attribute(name)?;
        // Eight steps are twice the depth of any published schema, and end a schema that refers to itself.
        for _ in 0..8 {
            if let Some(found) = pick(one) {
                return Some(found);
            }
            one = self.attribute(one.sup.as_deref()?)?;
        }
        None
    }
}

/// A description `( oid KEYWORD value KEYWORD ( value $ value ) … )`, taken apart.
struct Parts(Vec<(String, Vec<String>)>);

impl Parts {
    fn of(description: &str) -> Self {
        let mut parts: Vec<(String, Vec<String>)> = Vec::new();
        for (token, quoted) in tokens(description) {
            let keyword = !quoted && token.starts_with(|c: char| c.is_ascii_uppercase()) && KEYWORDS.contains(&&*token);
            match parts.last_mut() {
                Some((_, values)) if !keyword => values.push(token),
                _ if keyword => parts.push((token, Vec::new())),
                _ => {}
            }
        }
        Self(parts)
    }

    fn all(&self, keyword: &str) -> Vec<String> {
        self.0.iter().find(|(name, _)| name == keyword).map_or_else(Vec::new, |(_, values)| values.clone())
    }

    fn first(&self, keyword: &str) -> Option<String> {
        self.all(keyword).into_iter().next()
    }

    fn has(&self, keyword: &str) -> bool {
        self.0.iter().any(|(name, _)| name == keyword)
    }
}

const KEYWORDS: &[&str] = &[
    "NAME",
    "DESC",
    "OBSOLETE",
    "SUP",
    "EQUALITY",
    "ORDERING",
    "SUBSTR",
    "SYNTAX",
    "SINGLE-VALUE",
    "COLLECTIVE",
    "NO-USER-MODIFICATION",
    "USAGE",
    "ABSTRACT",
    "STRUCTURAL",
    "AUXILIARY",
    "MUST",
    "MAY",
    "X-ORIGIN",
    "X-ORDERED",
    "X-SCHEMA-FILE",
    "X-NOT-HUMAN-READABLE",
];

fn tokens(description: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut rest = description;
    while let Some(start) = rest.find(|c: char| !c.is_whitespace() && !matches!(c, '(' | ')' | '$')) {
        rest = rest.get(start..).unwrap_or_default();
        if let Some(after) = rest.strip_prefix('\'') {
            let end = after.find('\'').unwrap_or(after.len());
            found.push((after.get(..end).unwrap_or_default().to_owned(), true));
            rest = after.get(end + 1..).unwrap_or_default();
        } else {
            let end =
                rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '$' | '\'')).unwrap_or(rest.len());
            found.push((rest.get(..end).unwrap_or_default().to_owned(), false));
            rest = rest.get(end..).unwrap_or_default();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        let mut facts = Facts::default();
        let types = [
            "( 2.5.4.41 NAME 'name' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{32768} )",
            "( 2.5.4.3 NAME ( 'cn' 'commonName' ) DESC 'it''s a NAME' SUP name )",
            "( 1.1.16.4 NAME 'entryUUID' SYNTAX 1.3.6.1.1.16.1 SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )",
            "( 1.2 NAME 'loop' SUP loop )",
            "( 1.3 NAME 'end' SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE )",
        ];
        let classes = [
            "( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( sn $ cn ) MAY ( userPassword $ description ) )",
            "( 2.16 NAME 'inetOrgPerson' SUP person STRUCTURAL MAY ( uid $ commonName ) )",
        ];
        facts.learn(types.into_iter().map(str::to_owned), classes.into_iter().map(str::to_owned));
        facts
    }

    #[test]
    fn types_inherit_from_their_superior() {
        let facts = facts();
        assert_eq!(facts.value_type("commonName"), ValueType::Text);
        assert!(!facts.case_exact("cn"));
        assert_eq!(facts.value_type("end"), ValueType::Timestamp);
        assert_eq!(facts.value_type("loop"), ValueType::Text);
        assert!(facts.attribute("ENTRYuuid").is_some_and(|one| one.read_only && one.single));
        assert!(facts.same("commonname", "CN"));
    }

    #[test]
    fn classes_collect_what_their_superiors_demand() {
        let content = facts().of_classes(&["inetOrgPerson".into()]);
        assert_eq!(content.must.iter().collect::<Vec<_>>(), ["cn", "sn"]);
        assert_eq!(content.may.iter().collect::<Vec<_>>(), ["description", "uid", "userPassword"]);
    }

    #[test]
    fn a_broken_description_is_survived() {
        let mut facts = Facts::default();
        let broken = ["", "(", "'", "( 1 NAME", "NAME NAME ' ( $", "( 1.2 NAME 'ö' SUP"];
        facts.learn(broken.into_iter().map(str::to_owned), broken.into_iter().map(str::to_owned));
        assert!(facts.types.len() <= 1);
    }
}
