//! Evaluation of a checked expression over variables.
//!
//! Null first: selecting from null is null; arithmetic and functions with a null argument give null; comparison by order
//! with null is false; `null == x` only for null; a null condition counts as false.

use std::cell::Cell;
use std::cmp::Ordering;
use std::rc::Rc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::error::EvalError;
use crate::functions::{self, Function};
use crate::node::{Macro, Node, Order, Sum};
use crate::value::{Val, instant};

/// The longest list that an expression may work on or make.
pub(crate) const ELEMENTS: usize = 1_000;
/// The longest text that an expression may make, in bytes.
pub(crate) const TEXT: usize = 64 * 1024;
/// How many bytes of text one evaluation may make in total.
const BYTES: usize = 1024 * 1024;
/// How many nodes one evaluation may visit.
const STEPS: usize = 200_000;
/// The longest text that a pattern is matched against, in bytes.
pub(crate) const HAYSTACK: usize = 8 * 1024;

/// What one evaluation may see and has left to spend.
pub(crate) struct Run<'a> {
    pub(crate) variables: &'a Map<String, Value>,
    pub(crate) now: Timestamp,
    pub(crate) candidate: u32,
    steps: Cell<usize>,
    bytes: Cell<usize>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(variables: &'a Map<String, Value>, now: Timestamp, candidate: u32) -> Run<'a> {
        Run { variables, now, candidate, steps: Cell::new(STEPS), bytes: Cell::new(BYTES) }
    }

    fn step(&self, cost: usize) -> Result<(), EvalError> {
        match self.steps.get().checked_sub(cost) {
            Some(left) => {
                self.steps.set(left);
                Ok(())
            }
            None => Err(EvalError::limit("the expression takes too many steps")),
        }
    }

    /// Asks for room before a text of this length is made.
    pub(crate) fn room(&self, length: usize) -> Result<(), EvalError> {
        if length > TEXT {
            return Err(EvalError::limit("a text gets longer than 64 KiB"));
        }
        match self.bytes.get().checked_sub(length) {
            Some(left) => {
                self.bytes.set(left);
                Ok(())
            }
            None => Err(EvalError::limit("the expression makes more than 1 MiB of text")),
        }
    }

    /// The length of a list that is going to be walked.
    pub(crate) fn length(&self, list: &Val<'_>) -> Result<Option<usize>, EvalError> {
        let Some(length) = list.len() else { return Ok(None) };
        if length > ELEMENTS {
            return Err(EvalError::limit("a list has more than 1,000 elements"));
        }
        self.step(length)?;
        Ok(Some(length))
    }

    pub(crate) fn eval(&self, node: &'a Node, item: Option<&Val<'a>>) -> Result<Val<'a>, EvalError> {
        self.step(1)?;
        match node {
            Node::Null => Ok(Val::Null),
            Node::Literal(value) => Ok(Val::of(value)),
            Node::Path { variable, fields, time } => self.path(variable, fields, *time),
            Node::Now => Ok(Val::Time(self.now)),
            Node::Item => Ok(item.cloned().unwrap_or(Val::Null)),
            Node::And(left, right) => self.logic(left, right, false, item),
            Node::Or(left, right) => self.logic(left, right, true, item),
            Node::List(_)
            | Node::Object(_)
            | Node::Each { .. }
            | Node::Call(..)
            | Node::Matches(..)
            | Node::Lookup { .. }
            | Node::Date { .. } => self.made(node, item),
            _ => self.operated(node, item),
        }
    }

    // Kept apart from `eval`, so that its stack frame stays small: it is what recurses.
    #[inline(never)]
    fn operated(&self, node: &'a Node, item: Option<&Val<'a>>) -> Result<Val<'a>, EvalError> {
        let eval = |node: &'a Node| self.eval(node, item);
        match node {
            Node::Select { from, field, time } => {
                let value = eval(from)?.select(field)?;
                if *time { as_time(value) } else { Ok(value) }
            }
            Node::Index(from, index) => element(&eval(from)?, &eval(index)?),
            Node::Has(value) => Ok(Val::Bool(match eval(value)? {
                Val::Null => false,
                other => other.len() != Some(0),
            })),
            Node::Not(value) => Ok(Val::Bool(!truth(&eval(value)?, "!")?)),
            Node::Negate(value) => match eval(value)? {
                Val::Null => Ok(Val::Null),
                Val::Int(n) => n.checked_neg().map(Val::Int).ok_or_else(overflow),
                Val::Float(n) => Ok(Val::Float(-n)),
                other => Err(unfit("-", &[&other])),
            },
            Node::If(condition, yes, no) => {
                if truth(&eval(condition)?, "?:")? {
                    eval(yes)
                } else {
                    eval(no)
                }
            }
            Node::Same { left, right, negated } => {
                let (left, right) = (eval(left)?, eval(right)?);
                self.weigh(&left)?;
                self.weigh(&right)?;
                Ok(Val::Bool(left.same(&right) != *negated))
            }
            Node::Compare(order, left, right) => compare(*order, &eval(left)?, &eval(right)?),
            Node::In(needle, hay) => {
                let (needle, hay) = (eval(needle)?, eval(hay)?);
                self.contains(&hay, &needle)
            }
            Node::Sum(sum, left, right) => self.sum(*sum, eval(left)?, eval(right)?),
            // Everything else is done in `eval` or `made`.
            _ => Ok(Val::Null),
        }
    }

    #[inline(never)]
    fn made(&self, node: &'a Node, item: Option<&Val<'a>>) -> Result<Val<'a>, EvalError> {
        let eval = |node: &'a Node| self.eval(node, item);
        match node {
            Node::List(items) => {
                let items = items.iter().map(eval).collect::<Result<Vec<_>, _>>()?;
                Ok(Val::list(items))
            }
            Node::Object(entries) => {
                let mut made: Vec<(String, Val<'a>)> = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    let Val::Text(key) = eval(key)? else {
                        return Err(EvalError::wrong_type("an object's key is not text"));
                    };
                    if made.iter().any(|(name, _)| *name == key) {
                        return Err(EvalError::value("an object has the same key twice"));
                    }
                    made.push((key.into_owned(), eval(value)?));
                }
                Ok(Val::Made(Rc::new(made)))
            }
            Node::Each { over, what, keep, body } => self.each(eval(over)?, *what, keep.as_deref(), body),
            Node::Call(function, arguments) => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    let value = eval(argument)?;
                    if *function == Function::Coalesce && !value.is_null() {
                        return Ok(value);
                    }
                    values.push(value);
                }
                functions::call(self, *function, &values)
            }
            Node::Matches(value, pattern) => match eval(value)? {
                Val::Null => Ok(Val::Bool(false)),
                Val::Text(text) if text.len() <= HAYSTACK => Ok(Val::Bool(pattern.is_match(&text))),
                Val::Text(_) => Err(EvalError::limit("`matches` is given more than 8 KiB of text")),
                other => Err(unfit("matches", &[&other])),
            },
            Node::Lookup { table, key, default } => {
                let found = match eval(key)? {
                    Val::Null => None,
                    Val::Text(key) => table.get(key.as_ref()),
                    Val::Int(key) => table.get(&key.to_string()),
                    other => return Err(unfit("lookup", &[&other])),
                };
                match (found, default) {
                    (Some(value), _) => Ok(Val::of(value)),
                    (None, Some(default)) => eval(default),
                    (None, None) => Ok(Val::Null),
                }
            }
            Node::Date { value, format, zone } => functions::date(self, &eval(value)?, format, zone),
            _ => Ok(Val::Null),
        }
    }

    /// A variable and its attributes, without making anything.
    fn path(&self, variable: &str, fields: &[String], time: bool) -> Result<Val<'a>, EvalError> {
        let Some(mut at) = self.variables.get(variable) else { return Ok(Val::Null) };
        for field in fields {
            match at {
                Value::Object(map) => match map.get(field) {
                    Some(value) => at = value,
                    None => return Ok(Val::Null),
                },
                other => return Val::of(other).select(field),
            }
        }
        if time { as_time(Val::of(at)) } else { Ok(Val::of(at)) }
    }

    /// `&&` and `||` as CEL has them: whichever side decides wins, also over an error on the other side. A used-up budget
    /// is no ordinary error and always wins.
    fn logic(
        &self,
        left: &'a Node,
        right: &'a Node,
        decides: bool,
        item: Option<&Val<'a>>,
    ) -> Result<Val<'a>, EvalError> {
        let name = if decides { "||" } else { "&&" };
        let left = self.eval(left, item).and_then(|v| truth(&v, name));
        match left {
            Ok(value) if value == decides => return Ok(Val::Bool(decides)),
            Err(error) if error.kind == crate::EvalErrorKind::Limit => return Err(error),
            _ => {}
        }
        let right = self.eval(right, item).and_then(|v| truth(&v, name))?;
        if right == decides { Ok(Val::Bool(decides)) } else { left.map(|_| Val::Bool(!decides)) }
    }

    fn sum(&self, sum: Sum, left: Val<'a>, right: Val<'a>) -> Result<Val<'a>, EvalError> {
        #[allow(clippy::cast_precision_loss)]
        let (left, right) = match (left, right) {
            (Val::Null, _) | (_, Val::Null) => return Ok(Val::Null),
            (Val::Int(a), Val::Float(b)) => (Val::Float(a as f64), Val::Float(b)),
            (Val::Float(a), Val::Int(b)) => (Val::Float(a), Val::Float(b as f64)),
            both => both,
        };
        match (sum, &left, &right) {
            (_, Val::Int(a), Val::Int(b)) => {
                if *b == 0 && matches!(sum, Sum::Divide | Sum::Modulo) {
                    return Err(EvalError::value("division by zero"));
                }
                match sum {
                    Sum::Add => a.checked_add(*b),
                    Sum::Subtract => a.checked_sub(*b),
                    Sum::Multiply => a.checked_mul(*b),
                    Sum::Divide => a.checked_div(*b),
                    Sum::Modulo => a.checked_rem(*b),
                }
                .map(Val::Int)
                .ok_or_else(overflow)
            }
            (Sum::Add, Val::Float(a), Val::Float(b)) => Ok(Val::Float(a + b)),
            (Sum::Subtract, Val::Float(a), Val::Float(b)) => Ok(Val::Float(a - b)),
            (Sum::Multiply, Val::Float(a), Val::Float(b)) => Ok(Val::Float(a * b)),
            (Sum::Divide, Val::Float(a), Val::Float(b)) => Ok(Val::Float(a / b)),
            (Sum::Add, Val::Text(a), Val::Text(b)) => {
                self.room(a.len() + b.len())?;
                Ok(Val::text([a.as_ref(), b.as_ref()].concat()))
            }
            (Sum::Add, a, b) => match (self.length(a)?, self.length(b)?) {
                (Some(m), Some(n)) if m + n <= ELEMENTS => Ok(Val::list(a.items().chain(b.items()).collect())),
                (Some(_), Some(_)) => Err(EvalError::limit("a list gets over 1,000 elements")),
                _ => Err(unfit("+", &[a, b])),
            },
            (_, a, b) => Err(unfit(symbol(sum), &[a, b])),
        }
    }

    /// Whether the list has the element, or the object the key. Null has nothing.
    pub(crate) fn contains(&self, hay: &Val<'a>, needle: &Val<'a>) -> Result<Val<'a>, EvalError> {
        if hay.is_null() {
            return Ok(Val::Bool(false));
        }
        if self.length(hay)?.is_some() {
            for item in hay.items() {
                self.weigh(&item)?;
                if item.same(needle) {
                    return Ok(Val::Bool(true));
                }
            }
            return Ok(Val::Bool(false));
        }
        match (hay, needle) {
            (Val::Fields(fields), Val::Text(key)) => Ok(Val::Bool(fields.contains_key(key.as_ref()))),
            (Val::Made(fields), Val::Text(key)) => Ok(Val::Bool(fields.iter().any(|(name, _)| name == key))),
            (Val::Fields(_) | Val::Made(_), _) => Ok(Val::Bool(false)),
            _ => Err(unfit("in", &[hay])),
        }
    }

    /// Charges for walking a value in a comparison: one step per element, and no more than a list may have.
    fn weigh(&self, value: &Val<'_>) -> Result<(), EvalError> {
        if self.length(value)?.is_some() {
            for item in value.items() {
                if item.len().is_some() || item.width().is_some() {
                    self.weigh(&item)?;
                }
            }
        }
        self.step(value.width().unwrap_or(0))
    }

    fn each(&self, over: Val<'a>, what: Macro, keep: Option<&'a Node>, body: &'a Node) -> Result<Val<'a>, EvalError> {
        let over = match (&over, over.width()) {
            (Val::Null, _) => Val::list(Vec::new()),
            (_, Some(_)) => Val::list(over.keys()),
            _ => over,
        };
        let Some(length) = self.length(&over)? else {
            return Err(EvalError::wrong_type(format!("a macro runs over {}", over.kind())));
        };
        let mut found = 0_usize;
        let mut first_error = None;
        let mut made = Vec::new();
        for item in (0..length).filter_map(|index| over.at(index)) {
            if let Some(keep) = keep
                && !truth(&self.eval(keep, Some(&item))?, "map")?
            {
                continue;
            }
            let value = self.eval(body, Some(&item));
            match what {
                Macro::Map => made.push(value?),
                Macro::Filter => {
                    if truth(&value?, "filter")? {
                        made.push(item);
                    }
                }
                Macro::ExistsOne => found += usize::from(truth(&value?, "exists_one")?),
                // As CEL: one deciding element wins over errors of others.
                Macro::All | Macro::Exists => match value.and_then(|v| truth(&v, "exists")) {
                    Ok(value) if value == (what == Macro::Exists) => {
                        return Ok(Val::Bool(value));
                    }
                    Ok(_) => {}
                    Err(error) if error.kind == crate::EvalErrorKind::Limit => {
                        return Err(error);
                    }
                    Err(error) => first_error = first_error.or(Some(error)),
                },
            }
        }
        if let Some(error) = first_error {
            return Err(error);
        }
        Ok(match what {
            Macro::Map | Macro::Filter => Val::list(made),
            Macro::ExistsOne => Val::Bool(found == 1),
            Macro::All => Val::Bool(true),
            Macro::Exists => Val::Bool(false),
        })
    }
}

/// A condition: null counts as false.
pub(crate) fn truth(value: &Val<'_>, what: &str) -> Result<bool, EvalError> {
    match value {
        Val::Bool(value) => Ok(*value),
        Val::Null => Ok(false),
        other => Err(unfit(what, &[other])),
    }
}

fn compare<'a>(order: Order, left: &Val<'a>, right: &Val<'a>) -> Result<Val<'a>, EvalError> {
    if left.is_null() || right.is_null() {
        return Ok(Val::Bool(false));
    }
    if let (Val::Float(a), _) | (_, Val::Float(a)) = (left, right)
        && a.is_nan()
    {
        return Ok(Val::Bool(false));
    }
    let found = left.order(right).ok_or_else(|| match (left, right) {
        (Val::Time(_), Val::Text(_)) | (Val::Text(_), Val::Time(_)) => {
            EvalError::value("a timestamp is compared with text that spells no date or time")
        }
        _ => unfit(
            match order {
                Order::Less => "<",
                Order::LessOrSame => "<=",
                Order::Greater => ">",
                Order::GreaterOrSame => ">=",
            },
            &[left, right],
        ),
    })?;
    Ok(Val::Bool(match order {
        Order::Less => found == Ordering::Less,
        Order::LessOrSame => found != Ordering::Greater,
        Order::Greater => found == Ordering::Greater,
        Order::GreaterOrSame => found != Ordering::Less,
    }))
}

fn element<'a>(from: &Val<'a>, index: &Val<'a>) -> Result<Val<'a>, EvalError> {
    match (from, index) {
        (Val::Null, _) | (_, Val::Null) => Ok(Val::Null),
        (_, Val::Int(index)) if from.len().is_some() => {
            Ok(usize::try_from(*index).ok().and_then(|index| from.at(index)).unwrap_or(Val::Null))
        }
        (_, Val::Text(key)) if from.width().is_some() => from.select(key),
        _ => Err(unfit("[]", &[from, index])),
    }
}

/// Text of an attribute that is declared as a timestamp. The schema has checked it before; if it is none all the same the
/// expression fails, and the change is held.
fn as_time(value: Val<'_>) -> Result<Val<'_>, EvalError> {
    match &value {
        Val::Text(text) => instant(text)
            .map(Val::Time)
            .ok_or_else(|| EvalError::value("a timestamp attribute holds text that is no date or time")),
        _ => Ok(value),
    }
}

pub(crate) fn unfit(what: &str, values: &[&Val<'_>]) -> EvalError {
    let kinds: Vec<_> = values.iter().map(|v| v.kind()).collect();
    EvalError::wrong_type(format!("`{what}` does not take {}", kinds.join(" and ")))
}

fn overflow() -> EvalError {
    EvalError::value("a number gets too large")
}

fn symbol(sum: Sum) -> &'static str {
    match sum {
        Sum::Add => "+",
        Sum::Subtract => "-",
        Sum::Multiply => "*",
        Sum::Divide => "/",
        Sum::Modulo => "%",
    }
}
