//! A starting file from a target's own description of itself: WSDL 1.1 (W3C note of 2001-03-15) or OpenAPI 3 in JSON or YAML.
//!
//! A description says how messages look and not what they mean: which attribute names a person, what ends access, which of
//! two identifiers is ours. So what can be drawn from it with certainty is written ready for use (services, namespaces, how a
//! record is read, where its attributes stand), and everything else stands beside it as a comment, ready to be taken. What is
//! written passes `chartgate target test` as it is.
//!
//! Nothing that the description points to is fetched. It is read within limits, and a document type is refused.

mod markup;
mod names;
mod openapi;
mod rest_file;
mod soap_file;
mod wsdl;

/// Largest description in octets.
const MAX: usize = 8 << 20;

/// A file that was made.
#[derive(Debug)]
pub struct Imported {
    /// The kind of connector that it is for.
    pub kind: &'static str,
    /// The file.
    pub text: String,
}

/// Makes a starting file.
///
/// # Errors
/// Why this is no description that can be read, in words.
pub fn import(text: &str) -> Result<Imported, String> {
    if text.len() > MAX {
        return Err("the description is larger than 8 MiB".to_owned());
    }
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with('<') {
        let description = wsdl::read(text)?;
        return Ok(Imported { kind: "soap", text: soap_file::written(&description) });
    }
    let description = openapi::read(text)?;
    Ok(Imported { kind: "rest", text: rest_file::written(&description) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
