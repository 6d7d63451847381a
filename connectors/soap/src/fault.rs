//! What a fault says: SOAP 1.1 section 4.4, SOAP 1.2 part 1 section 5.4, or the places that the file names. Pure.

use crate::{
    config::{Errors, Version},
    document::Element,
    place::Names,
};
use connector_spi::{Class, ConnError};

/// A refusal in the target's own words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) code: Option<String>,
    pub(crate) field: Option<String>,
    pub(crate) words: Option<String>,
    /// The envelope's own code, without its prefix: who is at fault.
    pub(crate) side: Option<String>,
    /// The envelope's finer code.
    pub(crate) sub: Option<String>,
}

/// Reads a refusal: `at` is the fault, or the answer's element where there is no envelope.
pub(crate) fn said(errors: &Errors, names: &Names, version: Version, at: &Element, is_fault: bool) -> Said {
    let names = names.with("soap", version.namespace().unwrap_or_default());
    let first = |places: &[crate::config::Place]| {
        places.iter().find_map(|place| names.texts(place, at).first().map(|text| text.trim().to_owned()))
    };
    let one =
        |place: &Option<crate::config::Place>| place.as_ref().and_then(|place| first(std::slice::from_ref(place)));
    let mut said = Said { field: one(&errors.field_at), words: one(&errors.message_at), ..Said::default() };
    if is_fault {
        let path =
            |steps: &[&str]| inside(version, at, steps).map(|text| text.trim().to_owned()).filter(|t| !t.is_empty());
        let local = |name: String| name.rsplit(':').next().unwrap_or_default().to_owned();
        (said.side, said.sub) = match version {
            Version::Soap11 => {
                // Finer codes follow a dot (section 4.4.1).
                let code = path(&["faultcode"]).map(local).unwrap_or_default();
                let (side, sub) = code.split_once('.').map_or((code.as_str(), None), |(side, sub)| (side, Some(sub)));
                (Some(side.to_owned()), sub.map(str::to_owned))
            }
            Version::Soap12 | Version::Xml => {
                (path(&["Code", "Value"]).map(local), path(&["Code", "Subcode", "Value"]).map(local))
            }
        };
        said.words = said.words.or_else(|| match version {
            Version::Soap11 => path(&["faultstring"]),
            Version::Soap12 | Version::Xml => path(&["Reason", "Text"]),
        });
    }
    said.code = first(&errors.code_at)
        .filter(|code| !code.is_empty())
        .or_else(|| said.sub.clone())
        .or_else(|| said.side.clone());
    said
}

/// The class of a fault that no rule of the file knows.
pub(crate) fn usual(said: &Said) -> ConnError {
    let side = said.side.as_deref().unwrap_or_default();
    // WS-Security SOAP Message Security 1.1, section 12.
    let refused =
        ["FailedAuthentication", "InvalidSecurity", "InvalidSecurityToken", "SecurityTokenUnavailable", "FailedCheck"];
    if said.sub.as_deref().or(said.side.as_deref()).is_some_and(|code| refused.contains(&code)) {
        return ConnError::auth("the target refuses the gateway's credentials");
    }
    let class = match side {
        "Receiver" | "Server" => Class::Unknown,
        "VersionMismatch" | "MustUnderstand" => Class::Config,
        _ => Class::Permanent,
    };
    ConnError::new(class, "the target answers with a fault")
}

/// The text of a child's child; children of a SOAP 1.1 fault have no namespace.
fn inside<'e>(version: Version, at: &'e Element, steps: &[&str]) -> Option<&'e str> {
    let namespace = if version == Version::Soap11 { None } else { version.namespace() };
    let found = steps.iter().try_fold(at, |element, step| {
        element.children.iter().find(|child| child.name == *step && child.namespace.as_deref() == namespace)
    })?;
    Some(&found.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::parse;
    use crate::envelope::{Inside, opened};

    fn fault(version: Version, xml: &str, errors: &Errors) -> Said {
        let names = Names::new([("p".to_owned(), "urn:p".to_owned())].into());
        match opened(version, parse(xml.as_bytes()).unwrap()).unwrap() {
            Inside::Fault(fault) => said(errors, &names, version, &fault, true),
            Inside::Payload(_) => panic!("it is a fault"),
        }
    }

    const OLD: &str = r#"<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:w="urn:w"><e:Body><e:Fault>
        <faultcode>e:Client.Authentication</faultcode><faultstring>no</faultstring></e:Fault></e:Body></e:Envelope>"#;
    const NEW: &str = r#"<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:x="urn:p"><e:Body><e:Fault>
        <e:Code><e:Value>e:Sender</e:Value><e:Subcode><e:Value>x:TAKEN</e:Value></e:Subcode></e:Code>
        <e:Reason><e:Text xml:lang="en">it is taken</e:Text></e:Reason>
        <e:Detail><x:F><x:Code>DEEP</x:Code><x:Field>a/b</x:Field></x:F></e:Detail></e:Fault></e:Body></e:Envelope>"#;

    #[test]
    fn the_codes_of_both_versions_are_read_without_their_prefixes() {
        let said = fault(Version::Soap11, OLD, &Errors::default());
        assert_eq!((said.side.as_deref(), said.code.as_deref()), (Some("Client"), Some("Authentication")));
        assert_eq!(said.words.as_deref(), Some("no"));
        let said = fault(Version::Soap12, NEW, &Errors::default());
        assert_eq!((said.side.as_deref(), said.code.as_deref()), (Some("Sender"), Some("TAKEN")));
    }

    #[test]
    fn the_file_s_places_go_before_the_envelope_s_own() {
        let place = |text: &str| crate::config::Place::try_from(text.to_owned()).unwrap();
        let errors = Errors {
            code_at: vec![place("p:Missing"), place("soap:Detail/p:F/p:Code")],
            field_at: Some(place("soap:Detail/p:F/p:Field")),
            ..Errors::default()
        };
        let said = fault(Version::Soap12, NEW, &errors);
        assert_eq!((said.code.as_deref(), said.field.as_deref()), (Some("DEEP"), Some("a/b")));
    }

    #[test]
    fn a_fault_that_no_rule_knows_has_the_class_of_its_side() {
        let of = |side: &str, sub: Option<&str>| {
            let said = Said { side: Some(side.into()), sub: sub.map(Into::into), ..Said::default() };
            usual(&said).class
        };
        assert_eq!(of("Sender", None), Class::Permanent);
        assert_eq!(of("Receiver", None), Class::Unknown);
        assert_eq!(of("Server", None), Class::Unknown);
        assert_eq!(of("MustUnderstand", None), Class::Config);
        assert_eq!(of("Sender", Some("FailedAuthentication")), Class::Auth);
        assert_eq!(of("FailedAuthentication", None), Class::Auth);
    }
}
