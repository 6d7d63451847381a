//! Reading a filter: recursive descent, bounded in depth, terms and length, and linear in the length of the text.

use crate::error::{ScimError, bad_filter};
use crate::filter::{Filter, Literal, Op};
use crate::path::AttrPath;

const MAX_DEPTH: u8 = 32;
const MAX_TERMS: u16 = 256;
const MAX_LENGTH: usize = 16 * 1024;

pub(crate) fn parse(text: &str, in_brackets: bool) -> Result<Filter, ScimError> {
    if text.len() > MAX_LENGTH {
        return Err(bad_filter("The filter is longer than 16 KiB."));
    }
    let mut reader = Reader { text, at: 0, depth: 0, terms: 0, in_brackets };
    let filter = reader.either()?;
    reader.space();
    match reader.rest().is_empty() {
        true => Ok(filter),
        false => Err(reader.wrong("expected `and`, `or` or the end")),
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: u8,
    terms: u16,
    in_brackets: bool,
}

impl<'t> Reader<'t> {
    fn either(&mut self) -> Result<Filter, ScimError> {
        let mut terms = vec![self.both()?];
        while self.word("or") {
            terms.push(self.both()?);
        }
        Ok(join(terms, Filter::Or, |term| match term {
            Filter::Or(inner) => Ok(inner),
            other => Err(other),
        }))
    }

    fn both(&mut self) -> Result<Filter, ScimError> {
        let mut terms = vec![self.term()?];
        while self.word("and") {
            terms.push(self.term()?);
        }
        Ok(join(terms, Filter::And, |term| match term {
            Filter::And(inner) => Ok(inner),
            other => Err(other),
        }))
    }

    fn term(&mut self) -> Result<Filter, ScimError> {
        self.space();
        if self.take('(') {
            return self.group(')');
        }
        let start = self.at;
        let token = self.token();
        if token.eq_ignore_ascii_case("not") {
            let after = self.at;
            self.space();
            if self.take('(') {
                return Ok(Filter::Not(Box::new(self.group(')')?)));
            }
            self.at = after;
        }
        let Some(path) = AttrPath::read(token) else {
            self.at = start;
            return Err(self.wrong("expected an attribute"));
        };
        if self.take('[') {
            return self.value_path(path);
        }
        self.comparison(path)
    }

    /// What a parenthesis or bracket holds, and its end.
    fn group(&mut self, end: char) -> Result<Filter, ScimError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong("nested deeper than 32 levels"));
        }
        let inner = self.either()?;
        self.space();
        self.depth -= 1;
        match self.take(end) {
            true => Ok(inner),
            false => Err(self.wrong(if end == ')' { "expected `)`" } else { "expected `]`" })),
        }
    }

    fn value_path(&mut self, path: AttrPath) -> Result<Filter, ScimError> {
        if self.in_brackets {
            return Err(self.wrong("brackets cannot stand inside brackets"));
        }
        self.in_brackets = true;
        let inner = self.group(']')?;
        self.in_brackets = false;
        if path.sub.is_some() {
            return Err(self.wrong("brackets follow an attribute, not a sub-attribute"));
        }
        if !self.take('.') {
            return Ok(Filter::ValuePath { path, inner: Box::new(inner) });
        }
        let token = self.token();
        let Some(sub) = AttrPath::read(token).filter(|sub| sub.urn.is_none() && sub.sub.is_none()) else {
            return Err(self.wrong("expected a sub-attribute"));
        };
        let last = self.comparison(sub)?;
        let mut terms = match inner {
            Filter::And(terms) => terms,
            other => vec![other],
        };
        terms.push(last);
        Ok(Filter::ValuePath { path, inner: Box::new(Filter::And(terms)) })
    }

    fn comparison(&mut self, path: AttrPath) -> Result<Filter, ScimError> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(self.wrong("more than 256 terms"));
        }
        if self.in_brackets && (path.urn.is_some() || path.sub.is_some()) {
            return Err(self.wrong("inside brackets stand sub-attributes alone"));
        }
        if !self.space() {
            return Err(self.wrong("expected a space and an operator"));
        }
        let word = self.token();
        if word.eq_ignore_ascii_case("pr") {
            return Ok(Filter::Present(path));
        }
        let Some(op) = Op::from_word(word) else { return Err(self.wrong("expected an operator")) };
        if !self.space() {
            return Err(self.wrong("expected a space and a value"));
        }
        Ok(Filter::Compare { path, op, value: self.literal()? })
    }

    fn literal(&mut self) -> Result<Literal, ScimError> {
        if self.rest().starts_with('"') {
            return self.quoted();
        }
        let token = self.token();
        for (word, literal) in [("true", Literal::Bool(true)), ("false", Literal::Bool(false)), ("null", Literal::Null)]
        {
            if token.eq_ignore_ascii_case(word) {
                return Ok(literal);
            }
        }
        match token.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            true => serde_json::from_str(token).map(Literal::Number).map_err(|_| self.wrong("expected a number")),
            false => Err(self.wrong("expected a value: a quoted text, a number, true, false or null")),
        }
    }

    fn quoted(&mut self) -> Result<Literal, ScimError> {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.bytes().enumerate().skip(1).find_map(|(n, byte)| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends.then_some(n + 1)
        });
        let Some(quoted) = end.and_then(|end| rest.get(..end)) else {
            return Err(self.wrong("expected the end of a text"));
        };
        let text: String = serde_json::from_str(quoted).map_err(|_| self.wrong("this is no JSON text"))?;
        if text.contains('\0') {
            return Err(self.wrong("a text contains U+0000"));
        }
        self.at += quoted.len();
        Ok(Literal::Text(text))
    }

    /// Takes `and` or `or` where one stands between two terms.
    fn word(&mut self, word: &str) -> bool {
        let start = self.at;
        let apart = self.space() || self.text.get(..start).is_some_and(|before| before.ends_with([')', ']']));
        let found = self.token().eq_ignore_ascii_case(word)
            && (self.rest().starts_with('(') || self.rest().starts_with(|c: char| c.is_ascii_whitespace()));
        if !(apart && found) {
            self.at = start;
        }
        apart && found
    }

    /// A run of anything but spaces, parentheses, brackets and quotes.
    fn token(&mut self) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_ascii_whitespace() || "()[]\"".contains(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn space(&mut self) -> bool {
        let rest = self.rest();
        let gone = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_whitespace()).len();
        self.at += gone;
        gone > 0
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.rest().starts_with(wanted);
        if there {
            self.at += wanted.len_utf8();
        }
        there
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The place, and not the text: a filter may hold a person's name.
    fn wrong(&self, what: &str) -> ScimError {
        bad_filter(format!("The filter is wrong at character {}: {what}.", self.at + 1))
    }
}

/// One term is itself; of several, those of the same kind are taken apart, so that equal filters are equal values.
fn join(
    mut terms: Vec<Filter>,
    make: fn(Vec<Filter>) -> Filter,
    same: fn(Filter) -> Result<Vec<Filter>, Filter>,
) -> Filter {
    if terms.len() == 1
        && let Some(only) = terms.pop()
    {
        return only;
    }
    let mut flat = Vec::with_capacity(terms.len());
    for term in terms {
        match same(term) {
            Ok(inner) => flat.extend(inner),
            Err(other) => flat.push(other),
        }
    }
    make(flat)
}
