//! The checker's part for function calls: how many arguments, of which type, and which must be written out.

use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use regex::RegexBuilder;

use crate::check::{Checked, Checker, shared};
use crate::env::{Type, nearest};
use crate::error::ExprError;
use crate::functions::{self, Entry, Function, Kind};
use crate::node::Node;

/// How large a compiled pattern may get, in bytes: patterns like `(a{99}){99}` are refused.
const PATTERN: usize = 128 * 1024;

impl Checker<'_> {
    /// Checks a call; for `x.f(y)` the receiver is the first of `given`.
    pub(crate) fn function(&mut self, expr: &IdedExpr, name: &str, given: &[&IdedExpr]) -> Result<Checked, ExprError> {
        match name {
            "matches" => return self.matches(expr, given),
            "lookup" => return self.lookup(expr, given),
            "date" => return self.date(expr, given),
            _ => {}
        }
        let Some(entry) = functions::named(name) else {
            let error = self.error(expr, format!("there is no function `{name}`"));
            return Err(match name {
                "now" => error.hint("write now, without brackets"),
                "duration" => error.hint("use add_days(time, days)"),
                _ => error.meant(nearest(name, functions::names())),
            });
        };
        let most = entry.needs.len() + entry.takes.len();
        if given.len() < entry.needs.len() || (given.len() > most && entry.rest.is_empty()) {
            return Err(self.error(expr, counted(name, entry.needs.len(), most, given.len())));
        }
        self.suffixed |= entry.function == Function::UniqueSuffix;
        let mut nodes = Vec::with_capacity(given.len());
        let mut types = None;
        let mut origin = None;
        let mut element = Type::Any;
        let kinds = entry.needs.iter().chain(entry.takes).chain(entry.rest.iter().cycle());
        for (index, (argument, kind)) in given.iter().zip(kinds).enumerate() {
            let picks = entry.result == Kind::Element && index == 0;
            let checked = if picks { self.part(argument)? } else { self.value(argument)? };
            self.argument(argument, &checked.of, *kind, entry)?;
            if let (true, Type::List(of)) = (picks, &checked.of) {
                element = of.as_ref().clone();
                origin = checked.origin.clone();
            }
            let null = types.is_none() && matches!(checked.node, Node::Null);
            types = if null { None } else { Some(shared(types, &checked)) };
            nodes.push(checked.node);
        }
        let of = match entry.result {
            Kind::Any => Type::Any,
            Kind::Text => Type::Text,
            Kind::Integer => Type::Integer,
            Kind::Boolean => Type::Boolean,
            Kind::List => Type::list(Type::Any),
            Kind::TextList => Type::list(Type::Text),
            Kind::Element => element,
            Kind::Shared => types.unwrap_or(Type::Any),
            // Days on a date give a date; `timestamp` always gives an instant.
            Kind::Moment if entry.function == Function::Timestamp => Type::Timestamp,
            Kind::Moment => match types {
                Some(Type::Timestamp) => Type::Timestamp,
                _ => Type::Any,
            },
        };
        Ok(Checked { node: Node::Call(entry.function, nodes), of, origin })
    }

    fn argument(&self, expr: &IdedExpr, found: &Type, kind: Kind, entry: &Entry) -> Result<(), ExprError> {
        let fits = matches!(
            (kind, found),
            (_, Type::Any)
                | (Kind::Any | Kind::Element | Kind::Shared, _)
                | (Kind::Text, Type::Text)
                | (Kind::Integer, Type::Integer)
                | (Kind::Boolean, Type::Boolean)
                | (Kind::Moment, Type::Timestamp | Type::Text)
                | (Kind::List | Kind::TextList, Type::List(_))
        );
        // These three take several types, and not all.
        let never = matches!(
            (entry.function, found),
            (Function::Size, Type::Integer | Type::Decimal | Type::Boolean | Type::Timestamp)
                | (Function::String, Type::List(_) | Type::Object(_) | Type::Map(_))
                | (Function::Int, Type::List(_) | Type::Object(_) | Type::Map(_) | Type::Boolean | Type::Timestamp)
        );
        let fits = fits && !never;
        if fits {
            return Ok(());
        }
        let error = self.error(expr, format!("`{}` does not take {}", entry.name, found.name()));
        Err(match (kind, found) {
            (Kind::Text, Type::List(_)) => error.hint("take one element with primary() or first(), or join() them"),
            (Kind::Text, Type::Timestamp) => error.hint("write it as text with date(format)"),
            (Kind::Text, _) => error.hint("make text of it with string(x)"),
            _ => error,
        })
    }

    fn matches(&mut self, expr: &IdedExpr, given: &[&IdedExpr]) -> Result<Checked, ExprError> {
        let [value, pattern] = given else {
            return Err(self.error(expr, counted("matches", 2, 2, given.len())));
        };
        let checked = self.value(value)?;
        self.fits(value, &checked.of, &Type::Text, "what `matches` looks at")?;
        let text = self.written(pattern, "the pattern of `matches`")?;
        let regex =
            RegexBuilder::new(text).size_limit(PATTERN).dfa_size_limit(PATTERN).nest_limit(24).build().map_err(
                |error| {
                    let reason = match error {
                        regex::Error::CompiledTooBig(_) => "it gets too large".to_owned(),
                        // The last line names the fault; those before only draw it.
                        other => other.to_string().lines().last().unwrap_or_default().to_owned(),
                    };
                    self.error(pattern, format!("the pattern is not valid: {reason}"))
                },
            )?;
        Ok(Checked::new(Node::Matches(Box::new(checked.node), regex), Type::Boolean))
    }

    fn lookup(&mut self, expr: &IdedExpr, given: &[&IdedExpr]) -> Result<Checked, ExprError> {
        let (table, key, default) = match given {
            [table, key] => (table, key, None),
            [table, key, default] => (table, key, Some(default)),
            _ => return Err(self.error(expr, counted("lookup", 2, 3, given.len()))),
        };
        let name = self.written(table, "the table of `lookup`")?;
        let rows = self.env.rows(name).cloned().ok_or_else(|| {
            self.error(table, format!("there is no table `{name}`")).meant(nearest(name, self.env.tables()))
        })?;
        let found = self.value(key)?;
        if !matches!(found.of, Type::Any | Type::Text | Type::Integer) {
            return Err(self.error(key, format!("`lookup` does not take {}", found.of.name())));
        }
        let default = default.map(|default| self.value(default)).transpose()?;
        let node = Node::Lookup {
            table: rows,
            key: Box::new(found.node),
            default: default.map(|checked| Box::new(checked.node)),
        };
        Ok(Checked::new(node, Type::Any))
    }

    fn date(&mut self, expr: &IdedExpr, given: &[&IdedExpr]) -> Result<Checked, ExprError> {
        let (value, format, zone) = match given {
            [value, format] => (value, format, None),
            [value, format, zone] => (value, format, Some(zone)),
            _ => return Err(self.error(expr, counted("date", 2, 3, given.len()))),
        };
        let checked = self.value(value)?;
        if !matches!(checked.of, Type::Any | Type::Text | Type::Timestamp) {
            return Err(self.error(value, format!("`date` does not take {}", checked.of.name())));
        }
        let pattern = self.written(format, "the format of `date`")?;
        let zone = match zone {
            None => TimeZone::UTC,
            Some(zone) => {
                let name = self.written(zone, "the zone of `date`")?;
                self.env.zone_of(name).cloned().ok_or_else(|| {
                    self.error(zone, format!("there is no time zone `{name}`")).meant(nearest(name, self.env.zones()))
                })?
            }
        };
        if functions::formatted(pattern, &Timestamp::UNIX_EPOCH.to_zoned(zone.clone())).is_none() {
            return Err(self
                .error(format, "the format of `date` is not valid")
                .hint("as strftime: %Y-%m-%d, %H:%M:%S, %d.%m.%Y"));
        }
        let node = Node::Date { value: Box::new(checked.node), format: pattern.to_owned(), zone };
        Ok(Checked::new(node, Type::Text))
    }

    /// The text of a literal: what must be known when the configuration loads.
    fn written<'x>(&self, expr: &'x IdedExpr, role: &str) -> Result<&'x str, ExprError> {
        match &expr.expr {
            Expr::Literal(LiteralValue::String(text)) => Ok(text.inner()),
            _ => Err(self.error(expr, format!("{role} must be written out as text"))),
        }
    }
}

fn counted(name: &str, least: usize, most: usize, given: usize) -> String {
    let takes = if least == most { format!("{least}") } else { format!("{least} to {most}") };
    format!("`{name}` takes {takes} arguments, {given} are given")
}
