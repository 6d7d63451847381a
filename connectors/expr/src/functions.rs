//! The function library: names, argument types, and what each does. Fixed, and versioned with the crate.
//!
//! A null argument gives null, except where the table in the crate's essay says otherwise. Every function may be written
//! as `f(x, y)` and as `x.f(y)`.

use std::borrow::Cow;

use aws_lc_rs::digest;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::error::EvalError;
use crate::eval::{ELEMENTS, Run, TEXT, unfit};
use crate::text;
use crate::value::{Val, date as civil_date, instant};

/// The type of an argument or a result, as far as the checker cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Any,
    Text,
    Integer,
    Boolean,
    Moment,
    List,
    TextList,
    /// The element type of the list given first; the type all arguments share.
    Element,
    Shared,
}

macro_rules! library {
    ($($variant:ident $name:literal ($($argument:ident)*) $([$($optional:ident)*])? $(+ $rest:ident)? -> $result:ident;)*) => {
        /// A function of the library.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Function { $($variant),* }

        const LIBRARY: &[Entry] = &[$(Entry {
            function: Function::$variant,
            name: $name,
            needs: &[$(Kind::$argument),*],
            takes: &[$($(Kind::$optional),*)?],
            rest: &[$(Kind::$rest)?],
            result: Kind::$result,
        }),*];
    };
}

/// One function's signature: what it needs, what it takes besides, of what it takes any number.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) function: Function,
    pub(crate) name: &'static str,
    pub(crate) needs: &'static [Kind],
    pub(crate) takes: &'static [Kind],
    pub(crate) rest: &'static [Kind],
    pub(crate) result: Kind,
}

library! {
    Lower "lower" (Text) -> Text;
    Upper "upper" (Text) -> Text;
    Trim "trim" (Text) -> Text;
    Left "left" (Text Integer) -> Text;
    Right "right" (Text Integer) -> Text;
    Pad "pad" (Text Integer) [Text] -> Text;
    Replace "replace" (Text Text Text) -> Text;
    Split "split" (Text Text) -> TextList;
    Join "join" (List) [Text] -> Text;
    AsciiFold "ascii_fold" (Text) -> Text;
    Slug "slug" (Text) -> Text;
    Digits "digits" (Text) -> Text;
    E164 "e164" (Text) [Text] -> Text;
    AddDays "add_days" (Moment Integer) -> Moment;
    Coalesce "coalesce" (Any) + Any -> Shared;
    First "first" (List) -> Element;
    Primary "primary" (List) -> Element;
    UniqueSuffix "unique_suffix" (Integer) -> Text;
    Hash8 "hash8" (Text) -> Text;
    StartsWith "startsWith" (Text Text) -> Boolean;
    EndsWith "endsWith" (Text Text) -> Boolean;
    Contains "contains" (Any Any) -> Boolean;
    Size "size" (Any) -> Integer;
    Timestamp "timestamp" (Moment) -> Moment;
    String "string" (Any) -> Text;
    Int "int" (Any) -> Integer;
}

/// Functions that the checker builds itself, because an argument must be known beforehand.
pub(crate) const SPECIAL: [&str; 3] = ["matches", "lookup", "date"];
/// Macros; they take a variable's name and an expression over it.
pub(crate) const MACROS: [&str; 6] = ["all", "exists", "exists_one", "map", "filter", "has"];

pub(crate) fn named(name: &str) -> Option<&'static Entry> {
    LIBRARY.iter().find(|entry| entry.name == name)
}

/// The names of all functions and macros of the library, in its order. Listed in the reference and used for hints.
pub fn names() -> impl Iterator<Item = &'static str> {
    LIBRARY.iter().map(|entry| entry.name).chain(SPECIAL).chain(MACROS)
}

/// Calls a function with evaluated arguments; their number has been checked.
pub(crate) fn call<'a>(run: &Run<'a>, function: Function, given: &[Val<'a>]) -> Result<Val<'a>, EvalError> {
    if let Some(value) = for_null(function, given) {
        return Ok(value);
    }
    let name = LIBRARY.iter().find(|entry| entry.function == function).map_or("", |entry| entry.name);
    let unfit = || Err(unfit(name, &given.iter().collect::<Vec<_>>()));
    let made = |text: String| -> Result<Val<'a>, EvalError> {
        run.room(text.len())?;
        Ok(Val::text(text))
    };
    match (function, given) {
        (Function::Lower, [Val::Text(t)]) => {
            if t.bytes().any(|b| b.is_ascii_uppercase() || !b.is_ascii()) {
                made(t.to_lowercase())
            } else {
                Ok(Val::Text(t.clone()))
            }
        }
        (Function::Upper, [Val::Text(t)]) => made(t.to_uppercase()),
        (Function::Trim, [Val::Text(Cow::Borrowed(t))]) => Ok(Val::Text(Cow::Borrowed(t.trim()))),
        (Function::Trim, [Val::Text(t)]) => made(t.trim().to_owned()),
        (Function::Left, [Val::Text(t), Val::Int(n)]) => made(text::left(t, *n).to_owned()),
        (Function::Right, [Val::Text(t), Val::Int(n)]) => made(text::right(t, *n).to_owned()),
        (Function::Pad, [Val::Text(t), Val::Int(n)]) => made(text::pad(t, *n, " ")?),
        (Function::Pad, [Val::Text(t), Val::Int(n), Val::Text(fill)]) => made(text::pad(t, *n, fill)?),
        (Function::Replace, [Val::Text(t), Val::Text(from), Val::Text(to)]) => {
            let hits = if from.is_empty() { 0 } else { t.matches(from.as_ref()).count() };
            if t.len().saturating_add(hits.saturating_mul(to.len())) > TEXT * 2 {
                return Err(EvalError::limit("a text gets longer than 64 KiB"));
            }
            made(if hits == 0 { t.to_string() } else { t.replace(from.as_ref(), to) })
        }
        (Function::Split, [Val::Text(t), Val::Text(by)]) => {
            if by.is_empty() {
                return Err(EvalError::value("`split` needs a separator"));
            }
            run.room(t.len())?;
            let parts: Vec<_> = t.split(by.as_ref()).take(ELEMENTS + 1).map(Val::text).collect();
            if parts.len() > ELEMENTS {
                return Err(EvalError::limit("a list gets over 1,000 elements"));
            }
            Ok(Val::list(parts))
        }
        (Function::Join, [list]) => join(run, list, ""),
        (Function::Join, [list, Val::Text(by)]) => join(run, list, by),
        (Function::AsciiFold, [Val::Text(t)]) => made(text::ascii_fold(t)),
        (Function::Slug, [Val::Text(t)]) => made(text::slug(t)),
        (Function::Digits, [Val::Text(t)]) => made(text::digits(t)),
        (Function::E164, [Val::Text(t)]) => Ok(text::e164(t, None).map_or(Val::Null, Val::text)),
        (Function::E164, [Val::Text(t), Val::Text(country)]) => {
            Ok(text::e164(t, Some(country)).map_or(Val::Null, Val::text))
        }
        (Function::AddDays, [from, Val::Int(days)]) => add_days(from, *days),
        (Function::Coalesce, _) => Ok(Val::Null),
        (Function::First, [list]) => match run.length(list)? {
            Some(_) => Ok(list.items().find(|item| !item.is_null()).unwrap_or(Val::Null)),
            None => unfit(),
        },
        (Function::Primary, [list]) => match run.length(list)? {
            Some(_) => Ok(primary(list)),
            None => unfit(),
        },
        (Function::UniqueSuffix, [Val::Int(width)]) => suffix(run.candidate, *width),
        (Function::Hash8, [Val::Text(t)]) => {
            let hash = digest::digest(&digest::SHA256, t.as_bytes());
            made(hash.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect())
        }
        (Function::StartsWith, [Val::Text(t), Val::Text(part)]) => Ok(Val::Bool(t.starts_with(part.as_ref()))),
        (Function::EndsWith, [Val::Text(t), Val::Text(part)]) => Ok(Val::Bool(t.ends_with(part.as_ref()))),
        (Function::Contains, [Val::Text(t), Val::Text(part)]) => Ok(Val::Bool(t.contains(part.as_ref()))),
        (Function::Contains, [list, part]) if list.len().is_some() => run.contains(list, part),
        (Function::Size, [Val::Text(t)]) => Ok(count(t.chars().count())),
        (Function::Size, [value]) => match value.len().or(value.width()) {
            Some(length) => Ok(count(length)),
            None => unfit(),
        },
        (Function::Timestamp, [Val::Time(time)]) => Ok(Val::Time(*time)),
        (Function::Timestamp, [Val::Text(t)]) => instant(t)
            .map(Val::Time)
            .ok_or_else(|| EvalError::value("`timestamp` is given text that is no date or time")),
        (Function::String, [value]) => match plain(value) {
            Some(text) => made(text.into_owned()),
            None => unfit(),
        },
        (Function::Int, [value]) => match value {
            Val::Int(n) => Ok(Val::Int(*n)),
            Val::Text(t) => t
                .trim()
                .parse()
                .map(Val::Int)
                .map_err(|_| EvalError::value("`int` is given text that is no whole number")),
            // Casting saturates; the bounds keep it exact.
            #[allow(clippy::cast_possible_truncation)]
            Val::Float(n) if n.abs() < 9.0e18 => Ok(Val::Int(*n as i64)),
            Val::Float(_) => Err(EvalError::value("a number gets too large")),
            _ => unfit(),
        },
        _ => unfit(),
    }
}

/// What a function gives when an argument is null, if that is decided without looking at the others.
fn for_null<'a>(function: Function, given: &[Val<'a>]) -> Option<Val<'a>> {
    let null = if function == Function::Contains {
        given.first().is_some_and(Val::is_null)
    } else {
        given.iter().any(Val::is_null)
    };
    match function {
        _ if !null => None,
        Function::Coalesce => None,
        Function::StartsWith | Function::EndsWith | Function::Contains => Some(Val::Bool(false)),
        Function::Size => Some(Val::Int(0)),
        _ => Some(Val::Null),
    }
}

/// `date(value, format, zone)`: the instant or date as text, by strftime's letters.
pub(crate) fn date<'a>(run: &Run<'a>, value: &Val<'a>, format: &str, zone: &TimeZone) -> Result<Val<'a>, EvalError> {
    let moment = match value {
        Val::Null => return Ok(Val::Null),
        Val::Time(time) => time.to_zoned(zone.clone()),
        // A bare date is that day in the zone asked for, not the evening before.
        Val::Text(text) => match civil_date(text.trim()) {
            Some(day) => day.to_zoned(zone.clone()).ok(),
            None => instant(text).map(|time| time.to_zoned(zone.clone())),
        }
        .ok_or_else(|| EvalError::value("`date` is given text that is no date or time"))?,
        other => return Err(unfit("date", &[other])),
    };
    let text =
        formatted(format, &moment).ok_or_else(|| EvalError::value("`date` cannot write this instant in its format"))?;
    run.room(text.len())?;
    Ok(Val::text(text))
}

/// Formats an instant; none when the format is not valid.
pub(crate) fn formatted(format: &str, moment: &jiff::Zoned) -> Option<String> {
    jiff::fmt::strtime::BrokenDownTime::from(moment).to_string(format).ok()
}

/// Text for a single value; none for lists and objects.
pub(crate) fn plain<'v>(value: &'v Val<'_>) -> Option<Cow<'v, str>> {
    match value {
        Val::Text(text) => Some(Cow::Borrowed(text.as_ref())),
        Val::Bool(value) => Some(value.to_string().into()),
        Val::Int(value) => Some(value.to_string().into()),
        Val::Float(value) => Some(value.to_string().into()),
        Val::Time(value) => Some(value.to_string().into()),
        _ => None,
    }
}

fn count<'a>(length: usize) -> Val<'a> {
    Val::Int(i64::try_from(length).unwrap_or(i64::MAX))
}

fn join<'a>(run: &Run<'a>, list: &Val<'a>, by: &str) -> Result<Val<'a>, EvalError> {
    if run.length(list)?.is_none() {
        return Err(unfit("join", &[list]));
    }
    let mut joined = String::new();
    for (index, item) in list.items().filter(|item| !item.is_null()).enumerate() {
        let part = plain(&item).ok_or_else(|| unfit("join", &[&item]))?;
        if index > 0 {
            joined.push_str(by);
        }
        joined.push_str(&part);
        if joined.len() > TEXT {
            return Err(EvalError::limit("a text gets longer than 64 KiB"));
        }
    }
    run.room(joined.len())?;
    Ok(Val::text(joined))
}

/// The element marked primary (RFC 7643 section 2.4), else the first, else null.
fn primary<'a>(list: &Val<'a>) -> Val<'a> {
    list.items()
        .find(|item| matches!(item.select("primary"), Ok(Val::Bool(true))))
        .or_else(|| list.items().find(|item| !item.is_null()))
        .unwrap_or(Val::Null)
}

/// Days on a date are calendar days and give a date; on an instant they are 24 hours each.
fn add_days<'a>(from: &Val<'a>, days: i64) -> Result<Val<'a>, EvalError> {
    let far = || EvalError::value("`add_days` leaves the calendar");
    let later = |time: Timestamp| -> Result<Val<'a>, EvalError> {
        let hours = days.checked_mul(24).ok_or_else(far)?;
        let span = Span::new().try_hours(hours).map_err(|_| far())?;
        time.checked_add(span).map(Val::Time).map_err(|_| far())
    };
    match from {
        Val::Time(time) => later(*time),
        Val::Text(text) => {
            if let Some(day) = civil_date(text.trim()) {
                let span = Span::new().try_days(days).map_err(|_| far())?;
                let day = day.checked_add(span).map_err(|_| far())?;
                return Ok(Val::text(day.to_string()));
            }
            later(instant(text).ok_or_else(|| EvalError::value("`add_days` is given text that is no date or time"))?)
        }
        other => Err(unfit("add_days", &[other])),
    }
}

/// Nothing for the first candidate, then 2, 3, … with at least `width` digits.
fn suffix<'a>(candidate: u32, width: i64) -> Result<Val<'a>, EvalError> {
    let width = usize::try_from(width)
        .ok()
        .filter(|width| (1..=9).contains(width))
        .ok_or_else(|| EvalError::value("`unique_suffix` takes 1 to 9 digits"))?;
    Ok(match candidate {
        0 => Val::text(""),
        n => Val::text(format!("{:0width$}", u64::from(n) + 1)),
    })
}
