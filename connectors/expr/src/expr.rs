//! Compiled expressions, and the variables they are evaluated over.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::check::Checker;
use crate::env::{Env, Type};
use crate::error::{EvalError, ExprError};
use crate::eval::{Run, truth};
use crate::functions::plain;
use crate::node::Node;
use crate::shape;
use crate::value::Val;

/// A parser without macros: they stay calls, so that the checker sees what was written.
static GRAMMAR: LazyLock<cel::Env> = LazyLock::new(|| cel::Env::default().with_optional_support(false));

/// An expression that was parsed and checked. Immutable, cheap to share, needs nothing else to be evaluated.
pub struct Expr {
    source: String,
    root: Node,
    of: Type,
    reads: BTreeSet<String>,
    suffixed: bool,
}

impl Expr {
    /// Parses and checks an expression.
    ///
    /// # Errors
    /// The first mistake with its place: syntax, an undeclared variable, attribute, table or zone (with the nearest
    /// declared name as hint), types that cannot fit, a macro inside a macro, or a limit: 8 KiB of source, brackets 9
    /// deep (conditions 18), 1,000 operators, 100 of them in one chain.
    pub fn compile(source: &str, env: &Env) -> Result<Expr, ExprError> {
        shape::check(source)?;
        if source.trim().is_empty() {
            return Err(ExprError::at(source, 0, "the expression is empty"));
        }
        let (tree, places) = GRAMMAR
            .parser()
            .error_recovery_limit(4)
            .parse_with_source_info(source)
            .map_err(|errors| syntax(source, &errors))?;
        let mut checker = Checker { env, source, places, item: None, reads: BTreeSet::new(), suffixed: false };
        let checked = checker.value(&tree)?;
        Ok(Expr {
            source: source.to_owned(),
            root: checked.node,
            of: checked.of,
            reads: checker.reads,
            suffixed: checker.suffixed,
        })
    }

    /// Evaluates over the variables at an instant. The result is a function of both and of nothing else.
    ///
    /// # Errors
    /// A type that an operator does not take, a value that cannot be (division by zero), or a limit: lists of 1,000
    /// elements, texts of 64 KiB, 1 MiB of text and 200,000 steps in all. Absent attributes are null and no error.
    pub fn eval(&self, vars: &Vars, now: Timestamp) -> Result<Value, EvalError> {
        self.run(vars, now)?.json()
    }

    /// Evaluates a condition; null counts as false.
    ///
    /// # Errors
    /// As [`Expr::eval`], and when the value is neither boolean nor null.
    pub fn eval_bool(&self, vars: &Vars, now: Timestamp) -> Result<bool, EvalError> {
        truth(&self.run(vars, now)?, "a condition")
    }

    /// Evaluates to a text, or none for null. Numbers, booleans and instants become the text that spells them.
    ///
    /// # Errors
    /// As [`Expr::eval`], and when the value is a list or an object.
    pub fn eval_text(&self, vars: &Vars, now: Timestamp) -> Result<Option<String>, EvalError> {
        match self.run(vars, now)? {
            Val::Null => Ok(None),
            value => match plain(&value) {
                Some(text) => Ok(Some(text.into_owned())),
                None => Err(EvalError::wrong_type(format!("text is wanted, this is {}", value.kind()))),
            },
        }
    }

    /// Evaluates to the values of a multi-valued attribute: the elements of a list without its nulls, a single value as
    /// a list of one, nothing for null.
    ///
    /// # Errors
    /// As [`Expr::eval`], and when the list has more than 1,000 elements.
    pub fn eval_list(&self, vars: &Vars, now: Timestamp) -> Result<Vec<Value>, EvalError> {
        match self.run(vars, now)? {
            Val::Null => Ok(Vec::new()),
            value => match value.len() {
                None => Ok(vec![value.json()?]),
                Some(length) if length > crate::eval::ELEMENTS => {
                    Err(EvalError::limit("a list has more than 1,000 elements"))
                }
                Some(_) => value.items().filter(|item| !item.is_null()).map(|item| item.json()).collect(),
            },
        }
    }

    /// The declared attributes that the expression reads, as dotted paths; elements of a list go by the list's name:
    /// `user.emails.primary().value` reads `user.emails.value`.
    #[must_use]
    pub fn references(&self) -> &BTreeSet<String> {
        &self.reads
    }

    /// Whether a change of this attribute can change the result: it, a part of it or what it is part of is read.
    #[must_use]
    pub fn reads(&self, path: &str) -> bool {
        let within = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.reads.iter().any(|read| within(read, path) || within(path, read))
    }

    /// Whether the result depends on the candidate's number (`unique_suffix`), so that another can be asked for.
    #[must_use]
    pub fn has_candidates(&self) -> bool {
        self.suffixed
    }

    /// The type of the result, as far as it is known beforehand.
    #[must_use]
    pub fn result(&self) -> &Type {
        &self.of
    }

    /// The source that it was compiled from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    fn run<'a>(&'a self, vars: &'a Vars, now: Timestamp) -> Result<Val<'a>, EvalError> {
        Run::new(&vars.values, now, vars.candidate).eval(&self.root, None)
    }
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expr").field(&self.source).finish()
    }
}

/// The values of the variables: built once, used by any number of expressions and templates.
#[derive(Clone, Default)]
pub struct Vars {
    values: Arc<Map<String, Value>>,
    candidate: u32,
}

impl Vars {
    /// Takes an object with one member per variable, for example `{"user": {…}}`. Anything else has no variables, and
    /// every reference is null.
    #[must_use]
    pub fn new(values: Value) -> Vars {
        match values {
            Value::Object(values) => Vars { values: Arc::new(values), candidate: 0 },
            _ => Vars::default(),
        }
    }

    /// The same variables for another candidate: 0 is the first, without a suffix; see `unique_suffix`.
    #[must_use]
    pub fn candidate(&self, number: u32) -> Vars {
        Vars { values: Arc::clone(&self.values), candidate: number }
    }

    /// The same variables and further ones, which take the place of those of the same name. Nothing is copied when all of them
    /// are there already.
    #[must_use]
    pub fn with(&self, more: impl IntoIterator<Item = (&'static str, Value)>) -> Vars {
        let mut values = Arc::clone(&self.values);
        for (name, value) in more {
            if values.get(name) != Some(&value) {
                Arc::make_mut(&mut values).insert(name.to_owned(), value);
            }
        }
        Vars { values, candidate: self.candidate }
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    pub(crate) fn values(&self) -> &Map<String, Value> {
        &self.values
    }
}

/// Names only: values are personal data.
impl fmt::Debug for Vars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// The parser's first complaint in our form.
fn syntax(source: &str, errors: &cel::ParseErrors) -> ExprError {
    let Some(first) = errors.errors.first() else {
        return ExprError::at(source, 0, "this is no expression");
    };
    let number = |n: isize| u32::try_from(n).unwrap_or(1).max(1);
    let message: String = first.msg.chars().take(200).collect();
    ExprError { line: number(first.pos.0), column: number(first.pos.1), message: message.trim().to_owned(), hint: None }
}
