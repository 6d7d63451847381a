//! Where in a JSON text a pointer points to.

/// Line and column, both from 1, of the value at `pointer`, or of the nearest above it. The text may be broken anywhere.
pub fn line_and_column(text: &str, pointer: &str) -> (usize, usize) {
    let wanted: Vec<String> =
        pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect();
    let mut scan = Scan { text: text.as_bytes(), at: 0, found: 0 };
    scan.value(Some(&wanted), 0);
    let before = text.get(..scan.found).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    found: usize,
}

impl Scan<'_> {
    fn next(&mut self) -> Option<u8> {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    /// Passes one value. `wanted` is what is left of the pointer, where the way leads through this value.
    fn value(&mut self, wanted: Option<&[String]>, depth: usize) {
        let first = self.next();
        if wanted.is_some() {
            self.found = self.at;
        }
        match first {
            Some(b'{' | b'[') if depth < 128 => self.members(first == Some(b'{'), wanted, depth),
            Some(b'"') => drop(self.string()),
            _ => {
                while self.text.get(self.at).is_some_and(|c| !b",]}".contains(c) && !c.is_ascii_whitespace()) {
                    self.at += 1;
                }
            }
        }
    }

    fn members(&mut self, named: bool, wanted: Option<&[String]>, depth: usize) {
        self.at += 1;
        let mut number = 0_usize;
        while !matches!(self.next(), None | Some(b'}' | b']')) {
            let began = self.at;
            let name = if named { self.string() } else { number.to_string() };
            if self.next() == Some(b':') {
                self.at += 1;
            }
            let inside = wanted.and_then(<[String]>::split_first).filter(|(head, _)| **head == name);
            self.value(inside.map(|(_, rest)| rest), depth + 1);
            if self.next() == Some(b',') {
                self.at += 1;
            }
            number += 1;
            if self.at == began {
                return;
            }
        }
        self.at += 1;
    }

    fn string(&mut self) -> String {
        let began = self.at + 1;
        self.at = began;
        while self.text.get(self.at).is_some_and(|c| *c != b'"') {
            self.at += if self.text.get(self.at) == Some(&b'\\') { 2 } else { 1 };
        }
        let text = self.text.get(began..self.at).unwrap_or_default();
        self.at += 1;
        String::from_utf8_lossy(text).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::line_and_column;

    #[test]
    fn a_pointer_finds_its_place() {
        let text = "{\n  \"a\": [1, {\"b\\\"\": true,\n    \"c\": \"x\"}],\n  \"d\": {}\n}";

        assert_eq!(line_and_column(text, "/a/1/c"), (3, 10));
        assert_eq!(line_and_column(text, "/d"), (4, 8));
        assert_eq!(line_and_column(text, "/a/7"), (2, 8));
        assert_eq!(line_and_column(text, ""), (1, 1));
    }

    #[test]
    fn a_broken_text_ends_the_search_and_not_the_program() {
        for text in ["", "{", "[[[", "{\"a\"", "{\"a\":\"\\", "}{", "[1 2", "{,}"] {
            line_and_column(text, "/a/b/0");
        }
    }
}
