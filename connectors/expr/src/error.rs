//! What can be wrong with an expression: when it is compiled, and when it is evaluated.

use std::fmt;

/// Why an expression or template was refused when it was compiled. Meant for the author of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprError {
    /// Line in the source, from 1.
    pub line: u32,
    /// Column in the line, in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What was probably meant, or what to write instead.
    pub hint: Option<String>,
}

impl ExprError {
    /// An error at a byte offset of the source.
    pub(crate) fn at(source: &str, offset: usize, message: impl Into<String>) -> ExprError {
        let mut end = offset.min(source.len());
        while !source.is_char_boundary(end) {
            end -= 1;
        }
        let before = source.get(..end).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        ExprError {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> ExprError {
        self.hint = Some(hint.into());
        self
    }

    /// Adds "did you mean" when there is a candidate.
    pub(crate) fn meant(mut self, name: Option<&str>) -> ExprError {
        if let Some(name) = name {
            self.hint = Some(format!("did you mean `{name}`?"));
        }
        self
    }
}

impl fmt::Display for ExprError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ExprError {}

/// Which kind of trouble an evaluation met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvalErrorKind {
    /// An operator or function met a value of a type it does not take, for example text minus a number.
    Type,
    /// The types fit and the value does not: division by zero, overflow, text that is no date.
    Value,
    /// A list over 1,000 elements, a text over 64 KiB, or the evaluation's budget of steps or bytes is used up.
    Limit,
}

/// Why an evaluation failed. The text names operators, functions and types and never a value: it may be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalError {
    /// The kind, to decide by.
    pub kind: EvalErrorKind,
    /// The same for a reader.
    pub message: String,
}

impl EvalError {
    pub(crate) fn wrong_type(message: impl Into<String>) -> EvalError {
        EvalError { kind: EvalErrorKind::Type, message: message.into() }
    }

    pub(crate) fn value(message: impl Into<String>) -> EvalError {
        EvalError { kind: EvalErrorKind::Value, message: message.into() }
    }

    pub(crate) fn limit(message: impl Into<String>) -> EvalError {
        EvalError { kind: EvalErrorKind::Limit, message: message.into() }
    }
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EvalError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_becomes_line_and_column_in_characters() {
        let error = ExprError::at("a &&\nüb.c", 8, "x");
        assert_eq!((error.line, error.column), (2, 3));
        let past = ExprError::at("ü", 99, "x");
        assert_eq!((past.line, past.column), (1, 2));
    }
}
