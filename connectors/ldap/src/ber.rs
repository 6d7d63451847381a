//! The BER guard: reads what a server sends, strictly, before the LDAP library sees it.
//!
//! ldap3 0.12.1 takes the shape of an answer for granted: it recurses without a limit and `expect`s elements, classes and
//! UTF-8. A reply of 48 kB of nested sequences overflows the stack and ends the process; `30 00` panics its driver. So
//! every message is measured here first ([`frame`]) and then checked against RFC 4511, section 4, element by element
//! ([`inspect`]): what passes cannot reach one of those places.

use std::{collections::BTreeMap, fmt, ops::Range};

/// Deepest nesting of a message. RFC 4511 needs six levels; the rest is room for extensions.
pub const MAX_DEPTH: usize = 32;

/// Why a server's message was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// Longer than the configured limit.
    TooLong,
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// Not BER as RFC 4511, section 5.1 restricts it.
    Encoding,
    /// Not a message of RFC 4511; what was expected.
    Shape(&'static str),
    /// An answer to something that was not asked, or of the wrong sort.
    Unasked,
    /// More entries or octets for one search than the limit.
    Flood,
    /// A message that was begun and not finished in time.
    Trickle,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::TooLong => f.write_str("a message over the size limit"),
            Violation::TooDeep => f.write_str("a message nested too deeply"),
            Violation::Encoding => f.write_str("a message that is not valid BER"),
            Violation::Shape(what) => write!(f, "a message without a proper {what}"),
            Violation::Unasked => f.write_str("an answer that fits no request"),
            Violation::Flood => f.write_str("more entries than were asked for"),
            Violation::Trickle => f.write_str("a message that does not end"),
        }
    }
}

/// The length in octets of the message at the start of `buffer`, header included; `None` while more octets are needed.
pub fn frame(buffer: &[u8], longest: usize) -> Result<Option<usize>, Violation> {
    let Some((&tag, rest)) = buffer.split_first() else { return Ok(None) };
    if tag != 0x30 {
        return Err(Violation::Shape("envelope"));
    }
    let Some((&first, rest)) = rest.split_first() else { return Ok(None) };
    let (octets, length) = match first {
        0..=0x7f => (0, usize::from(first)),
        0x81..=0x84 => {
            let octets = usize::from(first & 0x7f);
            let Some(digits) = rest.get(..octets) else { return Ok(None) };
            (octets, digits.iter().fold(0_usize, |length, &digit| (length << 8) | usize::from(digit)))
        }
        // Indefinite, reserved, or a length that no message of ours can have.
        _ => return Err(Violation::Encoding),
    };
    let total = length.saturating_add(octets).saturating_add(2);
    if total > longest {
        return Err(Violation::TooLong);
    }
    Ok((buffer.len() >= total).then_some(total))
}

/// What [`inspect`] learned of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id; 0 is an unsolicited notification.
    pub id: i32,
    /// Number of its operation's application tag.
    pub operation: u8,
    /// Its result code, where it is a result.
    pub code: Option<u32>,
    /// Places of human-readable text that ldap3 demands to be UTF-8, and that servers do not always send so.
    pub text: Vec<Range<usize>>,
}

/// Checks one whole answer of a server.
pub fn inspect(message: &[u8]) -> Result<Message, Violation> {
    let whole = Reader { data: message, at: 0, end: message.len() };
    nesting(whole, 0)?;
    let (mut top, envelope) = (whole, Violation::Shape("envelope"));
    let envelope = top.next()?.filter(|element| element.tag == 0x30).ok_or(envelope)?;
    let mut parts = top.inside(&envelope);

    let id = parts.expect(INTEGER, "message id")?;
    let id = match top.octets(&id) {
        digits @ [first, ..] if digits.len() <= 4 && *first < 0x80 => {
            digits.iter().fold(0_i32, |id, &digit| (id << 8) | i32::from(digit))
        }
        _ => return Err(Violation::Shape("message id")),
    };
    let operation = parts.next()?.ok_or(Violation::Shape("operation"))?;
    if operation.tag & 0xe0 != 0x60 {
        return Err(Violation::Shape("operation"));
    }
    let number = operation.tag & 0x1f;
    let (mut text, mut code) = (Vec::new(), None);
    if id != 0 {
        let body = parts.inside(&operation);
        match number {
            op::ENTRY => entry(body)?,
            op::REFERENCE => all_text(body, "reference")?,
            1 | op::DONE | 7 | 9 | 11 | 13 | 15 | 24 => code = Some(result(body, &mut text)?),
            _ => return Err(Violation::Shape("operation")),
        }
        if let Some(list) = parts.next()? {
            if list.tag != 0xa0 {
                return Err(Violation::Shape("control list"));
            }
            controls(parts.inside(&list))?;
        }
        parts.done("end")?;
    }
    Ok(Message { id, operation: number, code, text })
}

/// Replaces octets that are not UTF-8 by question marks, in place.
pub fn legible(text: &mut [u8]) {
    let mut from = 0;
    while let Some(rest) = text.get_mut(from..) {
        match std::str::from_utf8(rest) {
            Ok(_) => return,
            Err(error) => {
                let at = error.valid_up_to();
                if let Some(octet) = rest.get_mut(at) {
                    *octet = b'?';
                }
                from += at + 1;
            }
        }
    }
}

/// Application tags of RFC 4511 that the rest of the crate names.
pub mod op {
    /// SearchRequest.
    pub const SEARCH: u8 = 3;
    /// SearchResultEntry.
    pub const ENTRY: u8 = 4;
    /// SearchResultDone.
    pub const DONE: u8 = 5;
    /// SearchResultReference.
    pub const REFERENCE: u8 = 19;

    /// The answer that a request of this sort ends with; `None` where there is none (unbind, abandon).
    pub fn answer(request: u8) -> Option<u8> {
        match request {
            0 => Some(1),
            SEARCH => Some(DONE),
            6 | 8 | 10 | 12 | 14 => Some(request + 1),
            23 => Some(24),
            _ => None,
        }
    }
}

/// Id and operation of a request that ldap3 made.
pub fn request(message: &[u8]) -> Option<(i32, u8)> {
    let mut top = Reader { data: message, at: 0, end: message.len() };
    let envelope = top.next().ok()??;
    let mut parts = top.inside(&envelope);
    let id = parts.next().ok()??;
    let digits = top.octets(&id);
    let id = (id.tag == INTEGER && digits.len() <= 8)
        .then(|| digits.iter().fold(0_i64, |id, &digit| (id << 8) | i64::from(digit)))?;
    let operation = parts.next().ok()??;
    Some((i32::try_from(id).ok()?, operation.tag & 0x1f))
}

/// Size estimate and cookie of a paged-results response control (RFC 2696, section 2).
pub fn paged(value: &[u8]) -> Option<(u64, Vec<u8>)> {
    let mut top = Reader { data: value, at: 0, end: value.len() };
    let sequence = top.next().ok()??;
    let mut parts = top.inside(&sequence);
    let size = parts.expect(INTEGER, "size").ok()?;
    let cookie = parts.expect(OCTETS, "cookie").ok()?;
    let size = top.octets(&size).iter().fold(0_u64, |size, &digit| (size << 8) | u64::from(digit));
    Some((size, top.octets(&cookie).to_vec()))
}

/// The entry in a post-read response control (RFC 4527, section 3.2): its attributes by name in lower case.
pub fn post_read(value: &[u8]) -> Option<BTreeMap<String, Vec<Vec<u8>>>> {
    let whole = Reader { data: value, at: 0, end: value.len() };
    nesting(whole, 0).ok()?;
    let mut top = whole;
    let sequence = top.next().ok()??;
    entry(top.inside(&sequence)).ok()?;
    let mut parts = top.inside(&sequence);
    parts.next().ok()??;
    let attributes = parts.next().ok()??;
    let mut list = parts.inside(&attributes);
    let mut read = BTreeMap::new();
    while let Some(attribute) = list.next().ok()? {
        let mut pair = list.inside(&attribute);
        let (name, set) = (pair.next().ok()??, pair.next().ok()??);
        let mut set = pair.inside(&set);
        let mut values = Vec::new();
        while let Some(value) = set.next().ok()? {
            values.push(set.octets(&value).to_vec());
        }
        read.insert(String::from_utf8_lossy(pair.octets(&name)).to_lowercase(), values);
    }
    Some(read)
}

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

#[derive(Clone, Copy)]
struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    end: usize,
}

struct Element {
    tag: u8,
    start: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<Element>, Violation> {
        if self.at >= self.end {
            return Ok(None);
        }
        let rest = self.data.get(self.at..self.end).unwrap_or_default();
        let [tag, first, digits @ ..] = rest else { return Err(Violation::Encoding) };
        // Tags of several octets: LDAP has none, and the library reads them as something else.
        if tag & 0x1f == 0x1f {
            return Err(Violation::Encoding);
        }
        let (octets, length) = match first {
            0..=0x7f => (0, usize::from(*first)),
            0x81..=0x84 => {
                let octets = usize::from(first & 0x7f);
                let digits = digits.get(..octets).ok_or(Violation::Encoding)?;
                (octets, digits.iter().fold(0_usize, |length, &digit| (length << 8) | usize::from(digit)))
            }
            _ => return Err(Violation::Encoding),
        };
        let start = self.at + 2 + octets;
        let end = start.checked_add(length).filter(|end| *end <= self.end).ok_or(Violation::Encoding)?;
        self.at = end;
        Ok(Some(Element { tag: *tag, start, end }))
    }

    fn inside(&self, element: &Element) -> Reader<'a> {
        Reader { data: self.data, at: element.start, end: element.end }
    }

    fn octets(&self, element: &Element) -> &'a [u8] {
        self.data.get(element.start..element.end).unwrap_or_default()
    }

    fn expect(&mut self, tag: u8, what: &'static str) -> Result<Element, Violation> {
        self.next()?.filter(|element| element.tag == tag).ok_or(Violation::Shape(what))
    }

    fn utf8(&mut self, what: &'static str) -> Result<(), Violation> {
        let element = self.expect(OCTETS, what)?;
        std::str::from_utf8(self.octets(&element)).map(|_| ()).map_err(|_| Violation::Shape(what))
    }

    fn done(&mut self, what: &'static str) -> Result<(), Violation> {
        match self.next()? {
            None => Ok(()),
            Some(_) => Err(Violation::Shape(what)),
        }
    }
}

/// Checks that lengths fit into each other, to the bottom, no deeper than [`MAX_DEPTH`].
fn nesting(mut reader: Reader<'_>, depth: usize) -> Result<(), Violation> {
    if depth > MAX_DEPTH {
        return Err(Violation::TooDeep);
    }
    while let Some(element) = reader.next()? {
        if element.tag & 0x20 != 0 {
            nesting(reader.inside(&element), depth + 1)?;
        }
    }
    Ok(())
}

fn entry(mut body: Reader<'_>) -> Result<(), Violation> {
    body.utf8("entry name")?;
    let attributes = body.expect(SEQUENCE, "attribute list")?;
    let mut list = body.inside(&attributes);
    while let Some(attribute) = list.next()? {
        if attribute.tag != SEQUENCE {
            return Err(Violation::Shape("attribute"));
        }
        let mut pair = list.inside(&attribute);
        pair.utf8("attribute name")?;
        let values = pair.expect(0x31, "attribute values")?;
        let mut values = pair.inside(&values);
        while let Some(value) = values.next()? {
            if value.tag != OCTETS {
                return Err(Violation::Shape("attribute value"));
            }
        }
        pair.done("attribute")?;
    }
    body.done("entry")
}

fn result(mut body: Reader<'_>, text: &mut Vec<Range<usize>>) -> Result<u32, Violation> {
    let code = body.expect(0x0a, "result code")?;
    let digits = body.octets(&code);
    if !(1..=4).contains(&digits.len()) {
        return Err(Violation::Shape("result code"));
    }
    let code = digits.iter().fold(0_u32, |code, &digit| (code << 8) | u32::from(digit));
    for what in ["matched name", "diagnostic message"] {
        let element = body.expect(OCTETS, what)?;
        text.push(element.start..element.end);
    }
    while let Some(element) = body.next()? {
        match element.tag {
            0xa3 => all_text(body.inside(&element), "referral")?,
            0x87 | 0x8b => {}
            0x8a => text.push(element.start..element.end),
            // The library looks at the number alone, whatever the class.
            tag if matches!(tag & 0x1f, 3 | 7 | 10 | 11) => return Err(Violation::Shape("result")),
            _ => {}
        }
    }
    Ok(code)
}

fn all_text(mut body: Reader<'_>, what: &'static str) -> Result<(), Violation> {
    while body.at < body.end {
        body.utf8(what)?;
    }
    Ok(())
}

fn controls(mut list: Reader<'_>) -> Result<(), Violation> {
    while let Some(control) = list.next()? {
        if control.tag != SEQUENCE {
            return Err(Violation::Shape("control"));
        }
        let mut parts = list.inside(&control);
        parts.utf8("control type")?;
        let mut value = parts.next()?;
        if let Some(critical) = value.as_ref().filter(|part| part.tag == 0x01) {
            if parts.octets(critical).is_empty() {
                return Err(Violation::Shape("control"));
            }
            value = parts.next()?;
        }
        if value.is_some_and(|part| part.tag != OCTETS) {
            return Err(Violation::Shape("control value"));
        }
        parts.done("control")?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn tlv(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![tag, 0x84];
        out.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        out.extend(body);
        out
    }

    fn bind_answer(diagnostic: &[u8]) -> Vec<u8> {
        let result = [tlv(0x0a, &[0]), tlv(OCTETS, b""), tlv(OCTETS, diagnostic)].concat();
        tlv(SEQUENCE, &[tlv(INTEGER, &[1]), tlv(0x61, &result)].concat())
    }

    #[test]
    fn a_frame_is_known_by_its_first_octets() {
        assert_eq!(frame(&[], 100), Ok(None));
        assert_eq!(frame(&[0x30, 0x82, 0x01], 10_000), Ok(None));
        assert_eq!(frame(&[0x30, 0x00], 100), Ok(Some(2)));
        assert_eq!(frame(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], 1 << 24), Err(Violation::TooLong));
        assert_eq!(frame(&[0x30, 0x80], 100), Err(Violation::Encoding));
        assert_eq!(frame(&[0x30, 0x88], 100), Err(Violation::Encoding));
        assert_eq!(frame(b"HTTP/1.1", 100), Err(Violation::Shape("envelope")));
    }

    #[test]
    fn an_honest_answer_passes() {
        let message = inspect(&bind_answer(b"fine")).unwrap();
        assert_eq!((message.id, message.operation), (1, 1));
    }

    #[test]
    fn eight_thousand_levels_are_refused_without_recursion() {
        let mut nested = tlv(SEQUENCE, b"");
        for _ in 0..8_000 {
            nested = tlv(SEQUENCE, &nested);
        }
        assert_eq!(inspect(&nested), Err(Violation::TooDeep));
    }

    #[test]
    fn shapes_that_panic_the_library_are_refused() {
        let id = tlv(INTEGER, &[1]);
        let ok = [tlv(0x0a, &[0]), tlv(OCTETS, b""), tlv(OCTETS, b"")].concat();
        let control_list =
            |control: &[u8]| tlv(SEQUENCE, &[id.clone(), tlv(0x61, &ok), tlv(0xa0, &tlv(SEQUENCE, control))].concat());
        let refused = [
            vec![0x30, 0x00],
            tlv(SEQUENCE, &id),
            tlv(SEQUENCE, &tlv(0xa0, b"")),
            tlv(SEQUENCE, &[tlv(0x61, &ok), tlv(0xa0, b"")].concat()),
            tlv(SEQUENCE, &[id.clone(), tlv(0x61, &ok), tlv(0x8a, b"1.2")].concat()),
            tlv(SEQUENCE, &[tlv(OCTETS, &[1]), tlv(0x61, &ok)].concat()),
            tlv(SEQUENCE, &[id.clone(), tlv(0x61, b"")].concat()),
            tlv(SEQUENCE, &[id.clone(), tlv(0x41, b"")].concat()),
            tlv(SEQUENCE, &[id.clone(), tlv(0x61, &tlv(0x0a, &[0]))].concat()),
            tlv(SEQUENCE, &[id.clone(), tlv(0x61, &[ok.clone(), tlv(0xa3, &tlv(OCTETS, &[0xff]))].concat())].concat()),
            tlv(SEQUENCE, &[id.clone(), tlv(0x61, &[ok.clone(), tlv(0xaa, b"")].concat())].concat()),
            tlv(SEQUENCE, &[id.clone(), tlv(0x61, &[ok.clone(), tlv(0x03, b"x")].concat())].concat()),
            tlv(SEQUENCE, &[id.clone(), tlv(0x64, &tlv(OCTETS, b"cn=x"))].concat()),
            tlv(SEQUENCE, &[id.clone(), tlv(0x64, &[tlv(OCTETS, &[0xff]), tlv(SEQUENCE, b"")].concat())].concat()),
            tlv(SEQUENCE, &[id.clone(), tlv(0x73, &tlv(OCTETS, &[0xff]))].concat()),
            tlv(SEQUENCE, &[id.clone(), tlv(0x79, b"")].concat()),
            control_list(b""),
            control_list(&tlv(OCTETS, &[0xff])),
            control_list(&[tlv(OCTETS, b"1.2"), tlv(0x01, b"")].concat()),
            control_list(&[tlv(OCTETS, b"1.2"), tlv(INTEGER, b"1")].concat()),
            control_list(&[tlv(OCTETS, b"1.2"), tlv(SEQUENCE, b"")].concat()),
        ];
        for message in refused {
            assert!(inspect(&message).is_err(), "{message:02x?}");
        }
    }

    #[test]
    fn text_that_is_no_utf8_is_made_legible() {
        let mut message = bind_answer(b"falsch f\xfcr \xff");
        let found = inspect(&message).unwrap();
        for range in found.text {
            legible(&mut message[range]);
        }
        assert!(message.ends_with(b"falsch f?r ?"));
    }

    #[test]
    fn no_octets_make_the_guard_panic() {
        let honest = bind_answer(b"fine");
        let mut seed = 7_u32;
        for _ in 0..200_000 {
            let mut message = honest.clone();
            for _ in 0..3 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = usize::try_from(seed >> 8).unwrap() % message.len();
                message[at] = u8::try_from(seed & 0xff).unwrap();
            }
            let _ =
                (frame(&message, 1 << 24), inspect(&message), request(&message), paged(&message), post_read(&message));
        }
    }
}
