//! A look at the source before the parser sees it: how deep it nests and how long its chains are.
//!
//! The parser of the `cel` crate recurses over what it reads: once per bracket, and once per link of a chain such as
//! `a.b.c` or `1 + 1 + 1`. It limits only the first. Both are counted here, outside of string literals, so that a hostile
//! expression is a clean error on any stack.

use crate::error::ExprError;

/// The longest source, in bytes.
pub(crate) const SOURCE: usize = 8 * 1024;
/// How deep brackets may nest; a condition (`?:`) counts half. The parser takes some 150 KiB of stack per bracket in a
/// debug build, less than 35 KiB optimised; a thread has 2 MiB.
const NESTING: usize = 9;
/// How many operators and selectors may depend on one another: the depth of the tree, counted from its text.
const DEPTH: usize = 100;
/// How many operators and selectors one expression may have.
const LINKS: usize = 1_000;

/// Refuses sources that are too long, nest too deep or have too many operators.
pub(crate) fn check(source: &str) -> Result<(), ExprError> {
    if source.len() > SOURCE {
        return Err(ExprError::at(source, 0, "the expression is longer than 8 KiB"));
    }
    let bytes = source.as_bytes();
    let mut at = 0;
    let mut links = 0_usize;
    // The length of the chain being read, and of those that it stands in, one per open bracket.
    let mut chain = 0_usize;
    let mut around: Vec<(usize, usize)> = Vec::new();
    // Open conditions: each `?` nests until its bracket closes or a comma ends it.
    let mut conditions = 0_usize;
    while let Some(&byte) = bytes.get(at) {
        let pair = bytes.get(at + 1) == Some(&byte);
        match byte {
            b'\'' | b'"' => {
                at = after_text(bytes, at);
                continue;
            }
            b'/' if pair => {
                while bytes.get(at).is_some_and(|b| *b != b'\n') {
                    at += 1;
                }
                continue;
            }
            b'(' | b'[' | b'{' => {
                around.push((chain, conditions));
                chain += 1;
                links += 1;
            }
            // A call or an index is itself a link of the chain that it stands in.
            b')' | b']' | b'}' => {
                (chain, conditions) = around.pop().map_or((0, 0), |(before, open)| (before + 1, open));
            }
            // The parser balances these: what they join does not nest.
            b'&' | b'|' if pair => {
                chain = around.last().map_or(0, |(before, _)| before + 1);
                links += 1;
                at += 1;
            }
            b',' => {
                (chain, conditions) = around.last().map_or((0, 0), |(before, open)| (before + 1, *open));
            }
            b'?' => {
                conditions += 1;
                chain += 1;
                links += 1;
            }
            b'.' | b'+' | b'-' | b'*' | b'/' | b'%' | b'<' | b'>' | b'=' | b'!' => {
                chain += 1;
                links += 1;
            }
            b'i' if bytes.get(at + 1) == Some(&b'n') => {
                chain += 1;
                links += 1;
            }
            _ => {}
        }
        if around.len() * 2 + conditions > NESTING * 2 {
            return Err(ExprError::at(source, at, format!("brackets and conditions nest deeper than {NESTING}")));
        }
        if chain > DEPTH || links > LINKS {
            let message = if links > LINKS {
                format!("the expression has more than {LINKS} operators, calls and selections")
            } else {
                format!("more than {DEPTH} operators, calls and selections depend on one another")
            };
            return Err(ExprError::at(source, at, message).hint("put long lists of codes into a lookup table"));
        }
        at += 1;
    }
    Ok(())
}

/// The offset after the string literal that starts at `at`; raw and triple-quoted ones included.
fn after_text(bytes: &[u8], at: usize) -> usize {
    let quote = bytes.get(at).copied().unwrap_or(b'\'');
    let raw = at > 0 && matches!(bytes.get(at - 1), Some(b'r' | b'R'));
    let triple = bytes.get(at..at + 3) == Some(&[quote; 3]);
    let mut at = at + if triple { 3 } else { 1 };
    while let Some(&byte) = bytes.get(at) {
        if byte == b'\\' && !raw {
            at += 2;
        } else if byte == quote && !triple {
            return at + 1;
        } else if triple && bytes.get(at..at + 3) == Some(&[quote; 3]) {
            return at + 3;
        } else if byte == b'\n' && !triple {
            return at; // unterminated: the parser will say so, and we go on counting
        } else {
            at += 1;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_dots_inside_text_do_not_count() {
        let source = format!("'{}' + r\"{}\"", "(".repeat(200), ".".repeat(500));
        assert!(check(&source).is_ok());
    }

    #[test]
    fn deep_nesting_is_refused_where_it_gets_too_deep() {
        let error = check(&"(".repeat(100)).unwrap_err();
        assert_eq!(error.column, 10);
    }

    #[test]
    fn long_chains_are_refused() {
        assert!(check(&"a.".repeat(2000)).is_err());
        assert!(check(&"1+".repeat(2000)).is_err());
        assert!(check(&"a in ".repeat(1600)).is_err());
    }

    #[test]
    fn an_escaped_quote_does_not_end_the_text() {
        let source = format!("'\\'{}'", "(".repeat(100));
        assert!(check(&source).is_ok());
    }
}
