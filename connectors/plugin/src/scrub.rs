//! What a plugin says, made fit for a log: bounded, on one line, and without the secrets that it was given.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use connector_spi::{ConnError, Secret};
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroizing;

/// Longest text that is passed on, in characters.
const LONGEST: usize = 1_000;
/// Secrets remembered; older ones are forgotten. More than any plugin has.
const REMEMBERED: usize = 64;
/// A shorter secret is part of ordinary words.
const LEAST: usize = 4;

/// The secrets that one plugin was given.
#[derive(Default)]
pub(crate) struct Scrubber(Mutex<Vec<Zeroizing<String>>>);

impl Scrubber {
    /// From now on this one is taken out.
    pub fn remember(&self, secret: &Secret) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = secret.expose();
        if text.len() < LEAST || all.iter().any(|known| known.as_str() == text) {
            return;
        }
        if all.len() == REMEMBERED {
            all.remove(0);
        }
        all.push(Zeroizing::new(text.to_owned()));
    }

    /// The text on one line, bounded, without secrets in any of their usual disguises.
    pub fn clean(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            for form in disguises(secret) {
                if clean.contains(form.as_str()) {
                    clean = clean.replace(form.as_str(), "***");
                }
            }
        }
        clean.chars().map(|one| if one.is_control() { ' ' } else { one }).take(LONGEST).collect()
    }

    /// The error, made fit for a log.
    pub fn error(&self, mut error: ConnError) -> ConnError {
        error.message = self.clean(&error.message);
        error.native_code = error.native_code.map(|code| self.clean(&code));
        error.attribute = error.attribute.map(|name| self.clean(&name));
        error
    }
}

/// As it is, percent-encoded, in hexadecimal, and in base64 at any alignment (inside `Basic`, say).
fn disguises(secret: &str) -> Vec<Zeroizing<String>> {
    let hex: String = secret.bytes().map(|octet| format!("{octet:02x}")).collect();
    let percent: String = secret
        .bytes()
        .map(|octet| match char::from(octet) {
            plain if plain.is_ascii_alphanumeric() => plain.to_string(),
            _ => format!("%{octet:02X}"),
        })
        .collect();
    let mut all = vec![secret.to_owned(), hex.to_uppercase(), hex, percent];
    for before in 0..3_usize {
        let mut octets = vec![0_u8; before];
        octets.extend(secret.bytes());
        let text = STANDARD_NO_PAD.encode(&octets);
        // Characters that also hold bits of what stands before or after differ from case to case.
        let (from, to) = ((before * 8).div_ceil(6), octets.len() * 8 / 6);
        all.extend(text.get(from..to).filter(|middle| middle.len() >= 8).map(str::to_owned));
    }
    all.into_iter().map(Zeroizing::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn a_secret_is_taken_out_in_every_disguise() {
        let scrubber = Scrubber::default();
        scrubber.remember(&Secret::new("s3cret-canary!".to_owned()));
        let basic = STANDARD.encode("user:s3cret-canary!");
        let text = format!("a s3cret-canary! b s3cret%2Dcanary%21 c {basic}");

        let clean = scrubber.clean(&text);

        assert!(!clean.contains("s3cret") && !clean.contains(&basic), "{clean}");
        assert!(clean.starts_with("a *** b *** c "));
    }

    #[test]
    fn a_line_is_one_line_and_bounded() {
        let clean = Scrubber::default().clean(&format!("a\r\nb\u{1b}[31m{}", "x".repeat(5_000)));
        assert!(clean.starts_with("a  b [31m") && clean.chars().count() == LONGEST);
    }
}
