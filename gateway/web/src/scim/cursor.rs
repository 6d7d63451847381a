//! Cursors (RFC 9865): a position in an ordered listing, sealed.
//!
//! A cursor holds where a page ended and nothing else, so nothing is kept per cursor and none expires. It is encrypted, not
//! only signed: a position holds a sort value, such as a user name, and cursors stand in URLs, which every proxy logs. What
//! the cursor is good for (endpoint, filter, order, projection, source) is bound to it as associated data: with any of them
//! changed it does not open.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gateway_store::Position;
use scim::{ScimError, ScimType};

/// The form of what is sealed. A cursor of another form is refused like any that is not ours.
const FORM: u8 = 1;

/// Longer texts are no cursors: sort values are bounded far below.
const LONGEST: usize = 16 << 10;

/// Where a page begins or ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The page is read towards the front.
    pub backwards: bool,
    /// How many resources the page before it was to hold.
    pub count: u32,
    /// From here.
    pub position: Position,
}

/// Makes and reads cursors.
pub(crate) struct Seal(RandomizedNonceKey);

impl Seal {
    /// Keys are derived from the server's own, which nothing else uses in this way.
    pub fn new(server_key: &[u8; 32]) -> Result<Self, Unspecified> {
        let server = hmac::Key::new(hmac::HMAC_SHA256, server_key);
        RandomizedNonceKey::new(&AES_256_GCM, hmac::sign(&server, b"chartgate cursor 1").as_ref()).map(Self)
    }

    /// The cursor's text: base64url without padding, so it needs no escapes in a query.
    pub fn seal(&self, mark: &Mark, bound: &Bound) -> Result<String, Unspecified> {
        let mut content = Vec::with_capacity(64);
        content.extend_from_slice(&[FORM, u8::from(mark.backwards)]);
        content.extend_from_slice(&mark.count.to_be_bytes());
        content.extend_from_slice(&mark.position.seq.to_be_bytes());
        if let Some(value) = &mark.position.value {
            content.push(1);
            content.extend_from_slice(value.as_bytes());
        }
        let nonce = self.0.seal_in_place_append_tag(Aad::from(bound.0), &mut content)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut content);
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// What the cursor holds.
    ///
    /// # Errors
    /// 400 `invalidCursor`, in the same words for one that was altered, made by another server, given to another source or
    /// used with other parameters (RFC 9865, section 5.2).
    pub fn open(&self, text: &str, bound: &Bound) -> Result<Mark, ScimError> {
        self.unseal(text, bound).ok_or_else(invalid)
    }

    fn unseal(&self, text: &str, bound: &Bound) -> Option<Mark> {
        if text.len() > LONGEST {
            return None;
        }
        let mut sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, content) = sealed.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let content: &[u8] = self.0.open_in_place(nonce, Aad::from(bound.0), content).ok()?;
        let ([form, backwards], rest) = content.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let (seq, rest) = rest.split_first_chunk()?;
        let value = match rest.split_first() {
            None => None,
            Some((_, value)) => Some(String::from_utf8(value.to_vec()).ok()?),
        };
        let position = Position { value, seq: i64::from_be_bytes(*seq) };
        (*form == FORM).then_some(Mark { backwards: *backwards == 1, count: u32::from_be_bytes(*count), position })
    }
}

fn invalid() -> ScimError {
    ScimError::bad_request(
        ScimType::InvalidCursor,
        "The cursor is not valid for this request. Start again with an empty cursor and keep the other parameters.",
    )
}

/// The same words for a cursor that was refused for its characters or its length.
pub(crate) fn one_voice(error: ScimError) -> ScimError {
    if error.scim_type == Some(ScimType::InvalidCursor) { invalid() } else { error }
}

/// What a cursor is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound([u8; digest::SHA256_OUTPUT_LEN]);

impl Bound {
    /// These parameters, in this order, of any text.
    pub fn to(parameters: &[&str]) -> Self {
        let mut hash = digest::Context::new(&digest::SHA256);
        for parameter in parameters {
            // The length in front keeps two parameters from being taken for one.
            hash.update(&(parameter.len() as u64).to_be_bytes());
            hash.update(parameter.as_bytes());
        }
        let mut bound = [0; digest::SHA256_OUTPUT_LEN];
        bound.copy_from_slice(hash.finish().as_ref());
        Self(bound)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn seal() -> Seal {
        Seal::new(&[7; 32]).unwrap()
    }

    fn mark(value: Option<&str>) -> Mark {
        Mark { backwards: false, count: 50, position: Position { value: value.map(str::to_owned), seq: 4711 } }
    }

    #[test]
    fn a_cursor_reads_back_as_what_was_sealed() {
        let bound = Bound::to(&["/Users", "userName"]);
        for mark in
            [mark(None), mark(Some("")), mark(Some("testperson.12")), Mark { backwards: true, ..mark(Some("ä")) }]
        {
            let text = seal().seal(&mark, &bound).unwrap();

            assert_eq!(seal().open(&text, &bound), Ok(mark));
        }
    }

    #[test]
    fn a_cursor_needs_no_escapes_and_shows_nothing_of_what_it_holds() {
        let text = seal().seal(&mark(Some("testperson.12")), &Bound::to(&[])).unwrap();

        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)), "{text}");
        assert!(!URL_SAFE_NO_PAD.decode(&text).unwrap().windows(10).any(|part| part == b"testperson"));
    }

    #[test]
    fn forged_foreign_and_changed_cursors_are_refused_in_the_same_words() {
        let bound = Bound::to(&["/Users", "source-1"]);
        let good = seal().seal(&mark(None), &bound).unwrap();
        let mut altered = URL_SAFE_NO_PAD.decode(&good).unwrap();
        *altered.last_mut().unwrap() ^= 1;
        let other_key = Seal::new(&[8; 32]).unwrap().seal(&mark(None), &bound).unwrap();
        let other_source = seal().seal(&mark(None), &Bound::to(&["/Users", "source-2"])).unwrap();

        let refused =
            [URL_SAFE_NO_PAD.encode(altered), other_key, other_source, "x".into(), "%%%".into(), "A".repeat(20_000)]
                .map(|text| seal().open(&text, &bound).unwrap_err());

        assert_eq!(refused[0].scim_type, Some(ScimType::InvalidCursor));
        assert!(refused.iter().all(|error| *error == refused[0]));
    }

    #[test]
    fn every_altered_byte_is_found() {
        let bound = Bound::to(&["/Users"]);
        let good = URL_SAFE_NO_PAD.decode(seal().seal(&mark(Some("v")), &bound).unwrap()).unwrap();

        for place in 0..good.len() {
            let mut altered = good.clone();
            altered[place] ^= 0x40;
            assert!(seal().open(&URL_SAFE_NO_PAD.encode(altered), &bound).is_err(), "byte {place}");
        }
    }

    #[test]
    fn what_is_bound_cannot_be_shifted_between_parameters() {
        assert_ne!(Bound::to(&["ab", "c"]), Bound::to(&["a", "bc"]));
        assert_ne!(Bound::to(&["a", ""]), Bound::to(&["a"]));
    }
}
