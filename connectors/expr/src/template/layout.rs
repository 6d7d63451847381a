//! Where values stand in a template: refused wherever a value could change the structure around it.

use super::Format;
use crate::error::ExprError;

/// The tags that exist here.
const TAGS: [&str; 7] = ["if", "elif", "else", "endif", "for", "endfor", "set"];

/// The filters that exist here.
const FILTERS: [&str; 10] = ["default", "first", "join", "json", "last", "length", "lower", "replace", "trim", "upper"];

/// The tests that exist here.
const TESTS: [&str; 2] = ["defined", "none"];

/// Walks over the template: fixed text is followed by the rules of the format, tags and values are only placed.
pub(super) fn check(source: &str, format: Format) -> Result<(), ExprError> {
    let mut place = Place::Outside;
    let mut rest = 0;
    while let Some((start, opening)) = next(source, rest) {
        place = after(source, rest, start, place, format)?;
        let inside = start + 2;
        let end = match opening {
            b'#' => source.get(inside..).and_then(|tail| tail.find("#}")).map(|at| inside + at),
            closing => block_end(source.as_bytes(), inside, closing),
        }
        .ok_or_else(|| ExprError::at(source, start, "this block does not end"))?;
        if opening != b'#' {
            names(source, inside, end)?;
        }
        if opening == b'%' {
            let words = source.get(inside..end).unwrap_or_default();
            let tag = words.trim_start_matches(['-', '+']).split_whitespace().next().unwrap_or_default();
            let tag = tag.trim_end_matches(['-', '+']);
            if !TAGS.contains(&tag) {
                return Err(ExprError::at(source, start, format!("there is no tag `{tag}` here"))
                    .hint("if, elif, else, for and set"));
            }
            if tag == "set" && !words.contains('=') {
                return Err(ExprError::at(source, start, "`set` needs a value: {% set x = … %}"));
            }
            if place != Place::Outside {
                return Err(ExprError::at(source, start, inside_of(place, "a tag")));
            }
        }
        if opening == b'{' && !matches!(place, Place::Outside | Place::Attribute(_)) {
            let error = ExprError::at(source, start, inside_of(place, "a value"));
            return Err(match format {
                Format::Json => error.hint("leave out the quotes around it: it brings its own"),
                Format::Xml => error.hint("put it into an element's content or a quoted attribute"),
            });
        }
        rest = end + 2;
    }
    match after(source, rest, source.len(), place, format)? {
        Place::Outside => Ok(()),
        place => Err(ExprError::at(source, source.len(), inside_of(place, "the end"))),
    }
}

/// Where the fixed text is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Between tokens (JSON), in an element's content (XML).
    Outside,
    /// In a JSON string.
    Text,
    /// In an XML tag, declaration, comment, CDATA section or instruction.
    Markup(Markup),
    /// In a quoted attribute value of an XML tag.
    Attribute(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Markup {
    Tag,
    Comment,
    Data,
    Instruction,
}

impl Markup {
    fn end(self) -> &'static str {
        match self {
            Markup::Tag => ">",
            Markup::Comment => "-->",
            Markup::Data => "]]>",
            Markup::Instruction => "?>",
        }
    }
}

fn inside_of(place: Place, what: &str) -> String {
    let place = match place {
        Place::Outside => "outside",
        Place::Text => "a JSON string",
        Place::Markup(Markup::Tag) => "a tag",
        Place::Markup(Markup::Comment) => "a comment",
        Place::Markup(Markup::Data) => "a CDATA section",
        Place::Markup(Markup::Instruction) => "an instruction",
        Place::Attribute(_) => "an attribute",
    };
    format!("{what} stands inside of {place}")
}

/// The next opening of a value, tag or comment: its offset and which.
fn next(source: &str, from: usize) -> Option<(usize, u8)> {
    source.as_bytes().windows(2).enumerate().skip(from).find_map(|(at, pair)| match pair {
        [b'{', kind @ (b'{' | b'%' | b'#')] => Some((at, *kind)),
        _ => None,
    })
}

/// The offset of `}}` or `%}` that ends the block, passing over strings and brackets as the engine does.
fn block_end(bytes: &[u8], from: usize, opening: u8) -> Option<usize> {
    let closing = if opening == b'{' { b'}' } else { b'%' };
    let mut depth = 0_usize;
    let mut at = from;
    while let Some(&byte) = bytes.get(at) {
        if depth == 0 && byte == closing && bytes.get(at + 1) == Some(&b'}') {
            return Some(at);
        }
        match byte {
            b'\'' | b'"' => {
                at = after_quote(bytes, at);
                continue;
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Refuses filters and tests that do not exist: the engine would find them only when it renders.
fn names(source: &str, from: usize, to: usize) -> Result<(), ExprError> {
    let bytes = source.as_bytes();
    let mut at = from;
    let mut last = "";
    while at < to {
        let byte = bytes.get(at).copied().unwrap_or_default();
        if byte == b'\'' || byte == b'"' {
            at = after_quote(bytes, at);
            last = "";
        } else if byte.is_ascii_alphabetic() || byte == b'_' {
            let rest = source.get(at..to).unwrap_or_default();
            let length = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
            let name = rest.get(..length).unwrap_or_default();
            let known: &[&str] = match last {
                "|" => &FILTERS,
                "is" if name != "not" => &TESTS,
                _ => &[],
            };
            if !known.is_empty() && !known.contains(&name) {
                let what = if last == "|" { "filter" } else { "test" };
                return Err(
                    ExprError::at(source, at, format!("there is no {what} `{name}` here")).hint(known.join(", "))
                );
            }
            // `is not none`: the test's name is still to come.
            last = if last == "is" && name == "not" { "is" } else { name };
            at += length;
        } else {
            if !byte.is_ascii_whitespace() {
                last = if byte == b'|' { "|" } else { "" };
            }
            at += 1;
        }
    }
    Ok(())
}

/// The offset after the string that starts at `at`.
fn after_quote(bytes: &[u8], at: usize) -> usize {
    let quote = bytes.get(at).copied();
    let mut at = at + 1;
    while let Some(&inner) = bytes.get(at) {
        if Some(inner) == quote {
            break;
        }
        at += if inner == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// The place after a piece of fixed text.
fn after(source: &str, from: usize, to: usize, place: Place, format: Format) -> Result<Place, ExprError> {
    let piece = source.get(from..to).unwrap_or_default();
    match format {
        Format::Json => Ok(json(piece, place)),
        Format::Xml => xml(source, from, piece, place),
    }
}

fn json(piece: &str, mut place: Place) -> Place {
    let mut escaped = false;
    for byte in piece.bytes() {
        match (place, byte) {
            (Place::Text, _) if escaped => escaped = false,
            (Place::Text, b'\\') => escaped = true,
            (Place::Text, b'"') => place = Place::Outside,
            (Place::Outside, b'"') => place = Place::Text,
            _ => {}
        }
    }
    place
}

fn xml(source: &str, from: usize, piece: &str, mut place: Place) -> Result<Place, ExprError> {
    let mut at = 0;
    while let Some(tail) = piece.get(at..).filter(|tail| !tail.is_empty()) {
        let first = tail.as_bytes().first().copied().unwrap_or_default();
        let (next, step) = match place {
            Place::Outside if tail.starts_with("<!--") => (Place::Markup(Markup::Comment), 4),
            Place::Outside if tail.starts_with("<![CDATA[") => (Place::Markup(Markup::Data), 9),
            Place::Outside if tail.starts_with("<?") => (Place::Markup(Markup::Instruction), 2),
            Place::Outside if tail.starts_with("<!") => {
                return Err(ExprError::at(source, from + at, "a document type cannot stand here"));
            }
            Place::Outside if first == b'<' => (Place::Markup(Markup::Tag), 1),
            Place::Markup(Markup::Tag) if matches!(first, b'"' | b'\'') => (Place::Attribute(first), 1),
            Place::Markup(markup) if tail.starts_with(markup.end()) => (Place::Outside, markup.end().len()),
            Place::Attribute(quote) if first == quote => (Place::Markup(Markup::Tag), 1),
            same => (same, tail.chars().next().map_or(1, char::len_utf8)),
        };
        place = next;
        at += step;
    }
    Ok(place)
}
