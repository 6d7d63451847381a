//! LDAP result codes, as data: what each means for the gateway.
//!
//! Codes are those of RFC 4511, appendix A, RFC 3909 (118), RFC 4528 (122) and RFC 4370 (123). A target's configuration may
//! override single rows (`result_codes`), since servers differ most where the standard says least (53, 80).

use connector_spi::{Class, ConnError, Effect};
use std::collections::BTreeMap;

/// One row: code, name, class. What is not listed is [`Class::Permanent`].
pub const TABLE: &[(u32, &str, Class)] = &[
    (1, "operationsError", Class::Permanent),
    (2, "protocolError", Class::Permanent),
    (3, "timeLimitExceeded", Class::Transient),
    (4, "sizeLimitExceeded", Class::Permanent),
    (7, "authMethodNotSupported", Class::Config),
    (8, "strongerAuthRequired", Class::Config),
    // A referral is never followed: the entry is held elsewhere, or this is a read-only copy.
    (10, "referral", Class::Config),
    (11, "adminLimitExceeded", Class::Transient),
    (12, "unavailableCriticalExtension", Class::Unsupported),
    (13, "confidentialityRequired", Class::Config),
    (14, "saslBindInProgress", Class::Config),
    (16, "noSuchAttribute", Class::Invalid),
    (17, "undefinedAttributeType", Class::Invalid),
    (18, "inappropriateMatching", Class::Invalid),
    (19, "constraintViolation", Class::Invalid),
    (20, "attributeOrValueExists", Class::Conflict),
    (21, "invalidAttributeSyntax", Class::Invalid),
    (32, "noSuchObject", Class::NotFound),
    (33, "aliasProblem", Class::Permanent),
    (34, "invalidDNSyntax", Class::Invalid),
    (36, "aliasDereferencingProblem", Class::Permanent),
    (48, "inappropriateAuthentication", Class::Auth),
    (49, "invalidCredentials", Class::Auth),
    (50, "insufficientAccessRights", Class::Forbidden),
    (51, "busy", Class::Transient),
    (52, "unavailable", Class::Transient),
    // Many things by server: a policy, a read-only attribute, a wrong suffix. Read again once, then a person looks.
    (53, "unwillingToPerform", Class::Conflict),
    (54, "loopDetect", Class::Config),
    (64, "namingViolation", Class::Invalid),
    (65, "objectClassViolation", Class::Invalid),
    (66, "notAllowedOnNonLeaf", Class::Conflict),
    (67, "notAllowedOnRDN", Class::Invalid),
    (68, "entryAlreadyExists", Class::AlreadyExists),
    (69, "objectClassModsProhibited", Class::Invalid),
    (71, "affectsMultipleDSAs", Class::Unsupported),
    // An internal error of the server, a full disk among them: read, then decide.
    (80, "other", Class::Unknown),
    (118, "canceled", Class::Transient),
    (122, "assertionFailed", Class::StaleVersion),
    (123, "authorizationDenied", Class::Forbidden),
];

/// A result code's class and name, with the configuration's overrides applied.
pub fn class(code: u32, overrides: &BTreeMap<u32, Class>) -> (Class, &'static str) {
    let (name, class) = TABLE
        .iter()
        .find(|(listed, ..)| *listed == code)
        .map_or(("unlisted", Class::Permanent), |(_, name, class)| (*name, *class));
    (overrides.get(&code).copied().unwrap_or(class), name)
}

/// The error of a refused operation. The server's own words come along only where they cannot hold a person's data
/// ([`harmless`]); its matched name never does.
pub fn refused(code: u32, words: &str, doing: &str, overrides: &BTreeMap<u32, Class>) -> ConnError {
    let (class, name) = class(code, overrides);
    let mut message = format!("{doing}: {name}");
    if let Some(words) = harmless(words) {
        message.push_str(": ");
        message.push_str(words);
    }
    let error = ConnError::new(class, message).code(code);
    // A bind or search changes nothing; a refused write is atomic (RFC 4511, 4.6 to 4.9) but for an internal error.
    if class.default_effect() == Effect::Maybe && code != 80 { error.effect(Effect::None) } else { error }
}

/// A server's diagnostic message, where it is short, plain and holds neither a name nor an address nor a number that could
/// be a person's.
pub fn harmless(words: &str) -> Option<&str> {
    let words = words.trim_end_matches('\0').trim();
    let digits = words.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    let plain = words.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    (!words.is_empty() && words.len() <= 160 && plain && digits < 5 && !words.contains(['=', '@', '"']))
        .then_some(words)
}

/// The attribute that a diagnostic message speaks of, chosen from `candidates`: nothing else is taken from the server.
///
/// The first that is named counts. A word before an equals sign is part of an entry's name, where the naming attribute stands
/// whatever is the matter; it counts only where nothing else does.
pub fn named<'a>(words: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let candidates: Vec<&str> = candidates.collect();
    // Samba begins with the name of its module, objectclass_attrs.
    let in_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let (mut rest, mut of_a_name) = (words, None);
    while let Some(begin) = rest.find(in_word) {
        let tail = rest.get(begin..)?;
        let (word, after) = tail.split_at(tail.find(|c| !in_word(c)).unwrap_or(tail.len()));
        let found = candidates.iter().find(|candidate| candidate.eq_ignore_ascii_case(word)).copied();
        match found {
            Some(found) if !after.starts_with('=') => return Some(found),
            found => of_a_name = of_a_name.or(found),
        }
        rest = after;
    }
    of_a_name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_that_matter_have_their_class() {
        let none = BTreeMap::new();
        for (code, expected) in [
            (68, Class::AlreadyExists),
            (32, Class::NotFound),
            (49, Class::Auth),
            (50, Class::Forbidden),
            (51, Class::Transient),
            (52, Class::Transient),
            (19, Class::Invalid),
            (21, Class::Invalid),
            (65, Class::Invalid),
            (122, Class::StaleVersion),
            (4711, Class::Permanent),
        ] {
            assert_eq!(class(code, &none).0, expected, "{code}");
        }
    }

    #[test]
    fn a_row_can_be_overridden() {
        assert_eq!(class(53, &BTreeMap::from([(53, Class::Forbidden)])).0, Class::Forbidden);
    }

    #[test]
    fn no_code_stands_twice() {
        for (index, (code, ..)) in TABLE.iter().enumerate() {
            assert!(TABLE.iter().skip(index + 1).all(|(other, ..)| other != code), "{code}");
        }
    }

    #[test]
    fn a_refused_write_changed_nothing_unless_the_server_broke() {
        assert_eq!(refused(19, "", "modify", &BTreeMap::new()).effect, Effect::None);
        assert_eq!(refused(80, "", "modify", &BTreeMap::new()).effect, Effect::Maybe);
    }

    #[test]
    fn words_that_could_name_a_person_are_left_out() {
        assert_eq!(harmless("sn: value #0 invalid per syntax"), Some("sn: value #0 invalid per syntax"));
        for words in ["uid=test12,ou=people", "mail a@b.example", "employee 900001", "", "Jörg"] {
            assert_eq!(harmless(words), None, "{words}");
        }
    }

    #[test]
    fn the_attribute_is_found_among_ours_and_not_in_the_name_of_the_entry() {
        let samba =
            "objectclass_attrs: attribute 'displayName' on entry 'CN=Somebody,OU=people' contains an invalid value!";
        assert_eq!(named(samba, ["cn", "displayName", "objectClass"].into_iter()), Some("displayName"));
        assert_eq!(named("naming violation: CN=x", ["sn", "cn"].into_iter()), Some("cn"));
        let words = "object class 'inetOrgPerson' requires attribute 'sn'";
        assert_eq!(named(words, ["cn", "sn"].into_iter()), Some("sn"));
        assert_eq!(named(words, ["mail"].into_iter()), None);
    }
}
