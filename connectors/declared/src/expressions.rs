//! Expressions of a target's file: compiled with their place in it, evaluated without a clock.

use connector_expr::{Env, EvalError, Expr, Vars};
use connector_spi::{ConfigIssue, ConnError, Result};
use jiff::Timestamp;

/// Collects what is wrong with a file, each with its place.
#[derive(Debug, Default)]
pub struct Issues(pub Vec<ConfigIssue>);

impl Issues {
    /// Notes one.
    pub fn say(&mut self, pointer: impl Into<String>, message: impl Into<String>, hint: Option<String>) {
        self.0.push(ConfigIssue { pointer: pointer.into(), message: message.into(), hint });
    }

    /// Compiles an expression, or says why it cannot be.
    pub fn expression(&mut self, pointer: &str, source: &str, env: &Env) -> Option<Expr> {
        if tells_time(source) {
            self.say(pointer, "a connector has no clock: `now` cannot stand here", None);
            return None;
        }
        match Expr::compile(source, env) {
            Ok(expression) => Some(expression),
            Err(error) => {
                let place = format!("line {}, column {}: {}", error.line, error.column, error.message);
                self.say(pointer, place, error.hint);
                None
            }
        }
    }
}

/// Whether `now` stands in the source outside of quotes.
#[must_use]
pub fn tells_time(source: &str) -> bool {
    let mut quote = None;
    let plain: String = source
        .chars()
        .map(|c| match quote {
            Some(open) if c == open => {
                quote = None;
                ' '
            }
            Some(_) => ' ',
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                ' '
            }
            None => c,
        })
        .collect();
    plain.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'))).any(|word| word == "now")
}

/// Whether a condition holds.
///
/// # Errors
/// `Invalid` when it cannot be evaluated.
pub fn holds(condition: &Expr, vars: &Vars) -> Result<bool> {
    evaluated(condition.eval_bool(vars, Timestamp::UNIX_EPOCH))
}

/// The text that an expression gives; `None` for null.
///
/// # Errors
/// `Invalid` when it cannot be evaluated.
pub fn text(expression: &Expr, vars: &Vars) -> Result<Option<String>> {
    // The instant is never asked for: `tells_time` refused every expression that would.
    evaluated(expression.eval_text(vars, Timestamp::UNIX_EPOCH))
}

pub(crate) fn evaluated<T>(outcome: std::result::Result<T, EvalError>) -> Result<T> {
    outcome.map_err(|error| ConnError::invalid(format!("an expression of the target's file fails: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_clock() {
        assert!(tells_time("add_days(now, 1)"));
        assert!(!tells_time("'now' + attrs.known"));
    }
}
