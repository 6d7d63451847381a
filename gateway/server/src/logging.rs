//! The log: lines with fields, on standard error.
//!
//! What other people's crates say below `warn` never gets in, whatever is asked for: a directory client's or a web client's
//! debug lines hold names and values of persons. Our own lines hold ids.

use crate::config::{Log, LogFormat};
use crate::environment;
use crate::lines::Lines;
use std::io::IsTerminal;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Parts of the program whose level may be set.
const OURS: [&str; 18] = [
    "chartgate",
    "gateway_server",
    "gateway_web",
    "gateway_engine",
    "gateway_store",
    "gateway_domain",
    "scim",
    "connector_spi",
    "connector_expr",
    "connector_layers",
    "connector_http",
    "connector_ldap",
    "connector_declared",
    "connector_rest",
    "connector_scim",
    "connector_soap",
    "connector_sql",
    "fixtures",
];

/// Reads `info,connector_ldap=debug`.
///
/// # Errors
/// A text that says which part is not understood.
pub fn levels(text: &str) -> Result<Targets, String> {
    let mut general = LevelFilter::INFO;
    let mut single = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let level = |name: &str| match name {
            "off" => Ok(LevelFilter::OFF),
            "error" => Ok(LevelFilter::ERROR),
            "warn" => Ok(LevelFilter::WARN),
            "info" => Ok(LevelFilter::INFO),
            "debug" => Ok(LevelFilter::DEBUG),
            "trace" => Ok(LevelFilter::TRACE),
            _ => Err(format!("{name:?} is no level: off, error, warn, info, debug or trace")),
        };
        match part.split_once('=') {
            None => general = level(part)?,
            Some((target, name)) => {
                let ours = OURS.iter().any(|ours| {
                    target.strip_prefix(ours).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
                });
                if !ours {
                    return Err(format!("{target:?} is no part of this program: {}", OURS.join(", ")));
                }
                single.push((target.to_owned(), level(name)?));
            }
        }
    }
    let targets = Targets::new().with_default(general.min(LevelFilter::WARN));
    Ok(targets.with_targets(OURS.map(|ours| (ours, general))).with_targets(single))
}

/// Starts the log, and sends the place of every panic there without its words, which may hold a person's data.
///
/// # Errors
/// When the environment asks for a level or a form that there is not.
pub fn start(log: &Log) -> Result<(), String> {
    let asked = environment::variable("CHARTGATE_LOG").or_else(|| log.level.clone()).unwrap_or_default();
    let levels = levels(&asked).map_err(|wrong| format!("CHARTGATE_LOG: {wrong}"))?;
    let format = match environment::variable("CHARTGATE_LOG_FORMAT").as_deref() {
        Some("text") => Some(LogFormat::Text),
        Some("json") => Some(LogFormat::Json),
        Some(other) => return Err(format!("CHARTGATE_LOG_FORMAT: {other:?} is neither text nor json")),
        None => log.format,
    };
    let terminal = std::io::stderr().is_terminal();
    let registry = tracing_subscriber::registry().with(levels);
    let started = match format {
        Some(LogFormat::Json) => registry.with(json()).try_init(),
        None if !terminal => registry.with(json()).try_init(),
        Some(LogFormat::Text) | None => {
            registry.with(fmt::layer().with_ansi(terminal).with_writer(std::io::stderr)).try_init()
        }
    };
    started.map_err(|_| "the log was started before".to_owned())?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "A part of the program gave up.");
    }));
    Ok(())
}

fn json<S>() -> impl tracing_subscriber::Layer<S>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    fmt::layer().json().flatten_event(true).with_writer(Lines::start())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn other_peoples_crates_stay_quiet_whatever_is_asked_for() {
        let targets = levels("debug").unwrap();

        assert!(targets.would_enable("connector_ldap::pool", &Level::DEBUG));
        assert!(targets.would_enable("ldap3", &Level::WARN));
        assert!(!targets.would_enable("ldap3", &Level::INFO));
        assert!(levels("ldap3=debug").is_err());
    }

    #[test]
    fn a_part_may_have_its_own_level() {
        let targets = levels("warn,connector_rest=debug").unwrap();

        assert!(targets.would_enable("connector_rest", &Level::DEBUG));
        assert!(!targets.would_enable("gateway_engine", &Level::INFO));
        assert!(levels("loud").unwrap_err().contains("loud"));
    }
}
