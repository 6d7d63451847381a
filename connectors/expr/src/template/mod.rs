//! Body templates: minijinja, cut down until a value can no longer change the structure of what it is put into.
//!
//! A value is always written as one whole token: in JSON as one JSON value with its own quotes, in XML as escaped text.
//! Where that would not hold (inside a JSON string, inside a tag) the template is refused when it is compiled; what was
//! rendered is read back before it is given out. There is no way around: `safe`, `raw`, `autoescape`, macros and
//! includes do not exist here.

mod fill;
mod layout;
mod strict;

use std::fmt;
use std::io::{self, Write};

use minijinja::value::Value as Jinja;
use minijinja::{AutoEscape, Environment, ErrorKind, Output, UndefinedBehavior};
use serde_json::Value;

use crate::build::xml_text;
use crate::env::{Env, Type, nearest};
use crate::error::{EvalError, ExprError};
use crate::expr::Vars;

/// The longest template, in bytes.
const SOURCE: usize = 64 * 1024;
/// The longest body, in bytes.
const OUTPUT: usize = 1024 * 1024;
/// How many instructions one rendering may take.
const FUEL: u64 = 100_000;
/// The name that the only template goes by in its environment.
const NAME: &str = "body";

/// What a template makes, and by which rules values are written into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON: `{{ x }}` stands for a whole value and brings its own quotes. Null is `null`.
    Json,
    /// XML: `{{ x }}` stands in an element's content or in a quoted attribute. Null is nothing; lists and objects are
    /// refused.
    Xml,
}

/// A compiled body template.
///
/// Of minijinja it has `{{ … }}`, `if`, `elif`, `else`, `for` and `set`; the filters `default`, `first`, `join`, `json`,
/// `last`, `length`, `lower`, `replace`, `trim`, `upper`; the tests `defined` and `none`.
pub struct Template {
    engine: Environment<'static>,
    format: Format,
    variables: Vec<(String, Type)>,
}

impl Template {
    /// Compiles a template against the declared variables.
    ///
    /// # Errors
    /// Syntax; a tag, filter or variable that does not exist; a value in a place where it could change the structure; a
    /// source over 64 KiB. Unknown filters are found here as well.
    pub fn compile(source: &str, format: Format, env: &Env) -> Result<Template, ExprError> {
        if source.len() > SOURCE {
            return Err(ExprError::at(source, 0, "the template is longer than 64 KiB"));
        }
        layout::check(source, format)?;
        let mut engine = engine(format);
        engine.add_template_owned(NAME, source.to_owned()).map_err(|e| syntax(source, &e))?;
        let used = engine.get_template(NAME).map_err(|error| syntax(source, &error))?.undeclared_variables(true);
        let mut used: Vec<String> = used.into_iter().collect();
        used.sort();
        for path in &used {
            declared(source, path, env)?;
        }
        let roots = |name: &str| used.iter().any(|path| path.split('.').next() == Some(name));
        let variables =
            env.variables().filter(|(name, _)| roots(name)).map(|(name, of)| (name.to_owned(), of.clone())).collect();
        Ok(Template { engine, format, variables })
    }

    /// Renders the body as text.
    ///
    /// # Errors
    /// A value that cannot be written here (a list into XML), something undeclared that was only found now, 100,000
    /// instructions or 1 MiB of output exceeded, or a body that is no JSON or has a key twice. No error shows a value.
    pub fn render(&self, vars: &Vars) -> Result<String, EvalError> {
        let body = self.written(vars)?;
        if self.format == Format::Json {
            strict::parse(&body)?;
        }
        Ok(body)
    }

    /// Renders a JSON body and gives it as a value.
    ///
    /// # Errors
    /// As [`Template::render`], and when the template is not [`Format::Json`].
    pub fn render_json(&self, vars: &Vars) -> Result<Value, EvalError> {
        if self.format != Format::Json {
            return Err(EvalError::wrong_type("the template does not make JSON"));
        }
        strict::parse(&self.written(vars)?)
    }

    fn written(&self, vars: &Vars) -> Result<String, EvalError> {
        let context = Jinja::from_pairs(
            self.variables.iter().map(|(name, of)| (name.as_str(), fill::value(vars.values().get(name), of))),
        );
        let template = self.engine.get_template(NAME).map_err(|e| failure(&e))?;
        let mut body = Bounded(Vec::new());
        let outcome = template.render_captured_to(context, &mut body).map(|_| ());
        match outcome {
            Err(error) if error.kind() == ErrorKind::WriteFailure => {
                Err(EvalError::limit("the body gets longer than 1 MiB"))
            }
            Err(error) => Err(failure(&error)),
            Ok(()) => String::from_utf8(body.0).map_err(|_| EvalError::value("the body is no text")),
        }
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("format", &self.format).finish_non_exhaustive()
    }
}

/// A buffer that refuses to grow past the limit.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > OUTPUT {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn engine(format: Format) -> Environment<'static> {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(64);
    // The formatter below does all escaping; the engine's own would treat some strings as safe.
    engine.set_auto_escape_callback(|_| AutoEscape::None);
    engine.set_formatter(move |out, _, value| put(out, value, format));
    engine.add_filter(
        "default",
        |value: Jinja, other: Jinja| {
            if value.is_undefined() || fill::absent(&value) { other } else { value }
        },
    );
    // Every value is written as JSON anyway: the filter says so for the reader.
    engine.add_filter("json", |value: Jinja| value);
    engine.add_filter("first", minijinja::filters::first);
    engine.add_filter("last", minijinja::filters::last);
    engine.add_filter("join", minijinja::filters::join);
    engine.add_filter("length", minijinja::filters::length);
    engine.add_filter("lower", minijinja::filters::lower);
    engine.add_filter("upper", minijinja::filters::upper);
    engine.add_filter("trim", minijinja::filters::trim);
    engine.add_filter("replace", minijinja::filters::replace);
    engine.add_test("defined", |value: Jinja| !value.is_undefined() && !fill::absent(&value));
    engine.add_test("none", |value: Jinja| fill::absent(&value));
    engine
}

/// Writes one value as one token.
fn put(out: &mut Output, value: &Jinja, format: Format) -> Result<(), minijinja::Error> {
    let refuse = |message: &'static str| minijinja::Error::new(ErrorKind::BadSerialization, message);
    let plain = fill::plain(value).ok_or_else(|| refuse("a value cannot be written"))?;
    let text = match (format, plain) {
        // Spaces keep two numbers apart that stand side by side: they must not become one.
        (Format::Json, plain) => format!(" {plain} "),
        (Format::Xml, Value::Null) => return Ok(()),
        (Format::Xml, Value::String(text)) => {
            xml_text("value", &text).map_err(|_| refuse("a value holds a character that XML cannot carry"))?
        }
        (Format::Xml, plain @ (Value::Bool(_) | Value::Number(_))) => plain.to_string(),
        (Format::Xml, Value::Array(_) | Value::Object(_)) => {
            return Err(refuse("a list or object cannot be written into XML"));
        }
    };
    out.write_str(&text).map_err(minijinja::Error::from)
}

/// Checks one path that the template uses against the declared variables.
fn declared(source: &str, path: &str, env: &Env) -> Result<(), ExprError> {
    let place = source.find(path).unwrap_or(0);
    let mut names = path.split('.');
    let root = names.next().unwrap_or_default();
    let Some(mut of) = env.of(root) else {
        return Err(ExprError::at(source, place, format!("there is no variable `{root}`"))
            .meant(nearest(root, env.variables().map(|(name, _)| name))));
    };
    for name in names {
        of = match of {
            Type::Object(fields) => fields.get(name).ok_or_else(|| {
                ExprError::at(source, place, format!("`{path}`: there is no attribute `{name}`"))
                    .meant(nearest(name, fields.keys().map(String::as_str)))
            })?,
            Type::Map(of) => of,
            Type::Any => return Ok(()),
            other => {
                return Err(ExprError::at(
                    source,
                    place,
                    format!("`{path}`: {} has no attribute `{name}`", other.name()),
                ));
            }
        };
    }
    Ok(())
}

fn syntax(source: &str, error: &minijinja::Error) -> ExprError {
    let line = error.line().unwrap_or(1).max(1);
    let start: usize = source.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    ExprError::at(source, start, detail)
}

/// The engine's error by kind and line only: its details may quote values.
fn failure(error: &minijinja::Error) -> EvalError {
    let line = error.line().map_or_else(String::new, |line| format!(" in line {line} of the template"));
    match error.kind() {
        ErrorKind::OutOfFuel => EvalError::limit("the template takes too many steps"),
        ErrorKind::BadSerialization => EvalError::value(format!("a value cannot be written into the body{line}")),
        kind => EvalError::value(format!("{kind}{line}")),
    }
}
