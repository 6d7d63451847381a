//! Named statements: from what the file says to what an engine takes. Pure.
//!
//! A statement is read once, when the configuration loads, and only a constant text comes out of it: its parameters stand in
//! it as the engine's own placeholders, and values reach the engine beside it and never inside. So whatever looks as if
//! something were to be pasted into the text is refused here, and a fault of the file is found before anything is opened.

use std::{fmt::Write, sync::Arc};

/// How an engine writes the place of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `$1`, PostgreSQL.
    Dollar,
    /// `?`, MySQL and MariaDB; a parameter that stands twice is sent twice.
    Question,
    /// `?1`, SQLite.
    Numbered,
    /// `@P1`, SQL Server.
    At,
}

/// A statement as an engine takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    /// Constant text with the engine's placeholders.
    pub(crate) text: Arc<str>,
    /// The names of its parameters, one per placeholder that is sent, in order.
    pub(crate) parameters: Vec<String>,
    /// It answers with rows.
    pub(crate) returns: bool,
}

/// What a statement does, by its first word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// `SELECT`, `WITH`, `VALUES`.
    Asks,
    /// `INSERT`, `UPDATE`, `DELETE`.
    Writes,
    /// `CALL`, `EXEC`: a procedure, of which nobody knows what it does.
    Calls,
}

/// A statement that was read and is not yet one engine's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parsed {
    pieces: Vec<Piece>,
    pub(crate) verb: Verb,
    returns: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Parameter(String),
}

impl Parsed {
    /// The names of its parameters, in order, each as often as it stands there.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Parameter(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The statement with an engine's placeholders.
    pub(crate) fn written(&self, style: Style) -> Statement {
        let mut text = String::new();
        let mut parameters: Vec<String> = Vec::new();
        for piece in &self.pieces {
            let name = match piece {
                Piece::Text(piece) => {
                    text.push_str(piece);
                    continue;
                }
                Piece::Parameter(name) => name,
            };
            let known = parameters.iter().position(|other| other == name).filter(|_| style != Style::Question);
            let number = known.unwrap_or_else(|| {
                parameters.push(name.clone());
                parameters.len() - 1
            }) + 1;
            // Writing to a String cannot fail.
            let _: std::fmt::Result = match style {
                Style::Dollar => write!(text, "${number}"),
                Style::Question => write!(text, "?"),
                Style::Numbered => write!(text, "?{number}"),
                Style::At => write!(text, "@P{number}"),
            };
        }
        Statement { text: text.into(), parameters, returns: self.returns }
    }
}

/// Reads a statement.
///
/// # Errors
/// In words, what is wrong with it: more than one statement, a placeholder of an engine, a parameter inside quotes, a comment,
/// a quote without end, or a statement that neither asks nor writes.
pub(crate) fn parse(source: &str) -> Result<Parsed, String> {
    let mut reader = Reader { rest: source.trim(), text: String::new(), bare: String::new(), pieces: Vec::new() };
    reader.through()?;
    let words: Vec<String> = reader.bare.split_ascii_whitespace().map(str::to_ascii_uppercase).collect();
    let verb = match words.first().map(String::as_str) {
        Some("SELECT" | "WITH" | "VALUES") => Verb::Asks,
        Some("INSERT" | "UPDATE" | "DELETE") => Verb::Writes,
        Some("CALL" | "EXEC" | "EXECUTE") => Verb::Calls,
        Some(other) => {
            return Err(format!("{other} is no beginning: SELECT, WITH, INSERT, UPDATE, DELETE, CALL and EXEC are"));
        }
        None => return Err("is empty".to_owned()),
    };
    let answers = |word: &String| matches!(word.as_str(), "RETURNING" | "OUTPUT");
    let returns = verb == Verb::Asks || (verb == Verb::Writes && words.iter().any(answers));
    Ok(Parsed { pieces: reader.pieces, verb, returns })
}

struct Reader<'s> {
    rest: &'s str,
    text: String,
    /// What stands outside of quotes, everything but words as spaces.
    bare: String,
    pieces: Vec<Piece>,
}

impl Reader<'_> {
    fn through(&mut self) -> Result<(), String> {
        while let Some(next) = self.rest.chars().next() {
            match next {
                '\'' | '"' | '`' => self.quoted(next)?,
                ':' if self.rest.starts_with("::") => self.take(2),
                ':' => self.parameter()?,
                ';' => return Err("holds a semicolon: one statement at a time".to_owned()),
                '?' => return Err("holds a question mark: write parameters as :name".to_owned()),
                '$' => return Err("holds a dollar sign: write parameters as :name".to_owned()),
                '{' | '}' => return Err("holds a brace: nothing is filled into a statement but parameters".to_owned()),
                '#' => return Err("holds a #, which begins a comment in some engines".to_owned()),
                '@' if numbered(self.rest) => {
                    return Err("holds @P1 and the like: write parameters as :name".to_owned());
                }
                _ if self.rest.starts_with("--") || self.rest.starts_with("/*") => {
                    return Err("holds a comment: remarks belong into the file".to_owned());
                }
                _ if next.is_control() && !next.is_ascii_whitespace() => {
                    return Err("holds a control character".to_owned());
                }
                _ => {
                    self.bare.push(if next.is_alphanumeric() || next == '_' { next } else { ' ' });
                    self.take(next.len_utf8());
                }
            }
        }
        self.end_text();
        Ok(())
    }

    /// Moves so many octets, which end between two characters, from the rest to the text.
    fn take(&mut self, octets: usize) {
        let (taken, rest) = self.rest.split_at_checked(octets).unwrap_or((self.rest, ""));
        self.text.push_str(taken);
        self.rest = rest;
    }

    fn end_text(&mut self) {
        if !self.text.is_empty() {
            self.pieces.push(Piece::Text(std::mem::take(&mut self.text)));
        }
    }

    fn quoted(&mut self, mark: char) -> Result<(), String> {
        let inside = self.rest.get(1..).unwrap_or_default();
        let Some(length) = inside.find(mark) else { return Err(format!("has a {mark} without its end")) };
        let content = inside.get(..length).unwrap_or_default();
        if content.contains('\\') {
            return Err("has a backslash inside quotes, which engines read differently".to_owned());
        }
        let pasted = content.split(':').skip(1).any(|after| after.starts_with(starts_name));
        if pasted || content.contains("{{") || content.contains("${") {
            return Err("has a parameter inside quotes: a value is bound and never pasted".to_owned());
        }
        // A doubled mark opens the next stretch at once, which is the same text.
        self.take(length + 2);
        self.bare.push(' ');
        Ok(())
    }

    fn parameter(&mut self) -> Result<(), String> {
        let after = self.rest.get(1..).unwrap_or_default();
        let length = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
        let name = after.get(..length).unwrap_or_default();
        if !name.starts_with(starts_name) {
            return Err("has a colon without the name of a parameter".to_owned());
        }
        let name = name.to_owned();
        self.end_text();
        self.pieces.push(Piece::Parameter(name));
        self.rest = after.get(length..).unwrap_or_default();
        self.bare.push(' ');
        Ok(())
    }
}

fn starts_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

/// Whether this begins like `@P1`.
fn numbered(rest: &str) -> bool {
    let mut letters = rest.chars().skip(1);
    letters.next().is_some_and(|c| c.eq_ignore_ascii_case(&'p')) && letters.next().is_some_and(|c| c.is_ascii_digit())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn written(source: &str, style: Style) -> (String, Vec<String>) {
        let statement = parse(source).unwrap().written(style);
        (statement.text.to_string(), statement.parameters)
    }

    #[test]
    fn a_parameter_becomes_the_placeholder_of_each_engine() {
        let source = "UPDATE t SET a = :a, b = :b WHERE c = :a";
        let twice = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(
            written(source, Style::Dollar),
            ("UPDATE t SET a = $1, b = $2 WHERE c = $1".to_owned(), twice.clone())
        );
        assert_eq!(
            written(source, Style::Numbered),
            ("UPDATE t SET a = ?1, b = ?2 WHERE c = ?1".to_owned(), twice.clone())
        );
        assert_eq!(written(source, Style::At), ("UPDATE t SET a = @P1, b = @P2 WHERE c = @P1".to_owned(), twice));
        let thrice = vec!["a".to_owned(), "b".to_owned(), "a".to_owned()];
        assert_eq!(written(source, Style::Question), ("UPDATE t SET a = ?, b = ? WHERE c = ?".to_owned(), thrice));
    }

    #[test]
    fn what_stands_in_quotes_stays_as_it_is() {
        let source = r#"SELECT "user", `group`, 'it''s 10:30', a::text FROM t WHERE x = :x"#;
        let (text, parameters) = written(source, Style::Dollar);
        assert_eq!(text, r#"SELECT "user", `group`, 'it''s 10:30', a::text FROM t WHERE x = $1"#);
        assert_eq!(parameters, ["x"]);
    }

    #[test]
    fn what_would_be_pasted_is_refused() {
        for pasted in [
            "SELECT ':name'",
            "SELECT 'a' FROM t WHERE n LIKE '%:name%'",
            "SELECT \":name\"",
            "SELECT {{ name }}",
            "SELECT '{{name}}'",
            "SELECT '${name}'",
            "SELECT {name}",
            "SELECT ?",
            "SELECT $1",
            "SELECT $$x$$",
            "SELECT @P1",
            "SELECT @p2",
            "SELECT 1; DROP TABLE t",
            "SELECT 1 -- x",
            "SELECT 1 /* x */",
            "SELECT 1 # x",
            "SELECT 'a\\'b'",
            "SELECT 'a",
            "SELECT : x",
            "SELECT :1",
            "SELECT \u{0} 1",
        ] {
            assert!(parse(pasted).is_err(), "{pasted}");
        }
    }

    #[test]
    fn only_statements_that_ask_write_or_call_are_taken() {
        for other in ["DROP TABLE t", "SET x = 1", "COMMIT", "GRANT ALL ON t TO u", "MERGE INTO t", "", "  "] {
            assert!(parse(other).is_err(), "{other}");
        }
        assert_eq!(parse("select 1").unwrap().verb, Verb::Asks);
        assert_eq!(parse("exec dbo.end_sessions @user = :id").unwrap().verb, Verb::Calls);
        assert_eq!(parse("delete from t").unwrap().verb, Verb::Writes);
    }

    #[test]
    fn a_statement_that_answers_with_rows_is_known() {
        assert!(parse("INSERT INTO t (a) VALUES (:a) RETURNING id").unwrap().written(Style::Dollar).returns);
        assert!(parse("INSERT INTO t (a) OUTPUT inserted.id VALUES (:a)").unwrap().written(Style::At).returns);
        assert!(!parse("INSERT INTO t (a) VALUES ('returning')").unwrap().written(Style::At).returns);
        assert!(!parse("UPDATE t SET \"output\" = :a").unwrap().written(Style::At).returns);
    }
}
