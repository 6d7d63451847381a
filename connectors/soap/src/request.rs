//! One compiled request.

use crate::{config, place::Names, template::Template};
use connector_declared::Issues;
use connector_expr::Env;

/// A request whose template is read.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) config: config::Request,
    /// Service and element as in the file: for reports, and free of values.
    pub(crate) label: String,
    pub(crate) template: Template,
    /// Namespace and name of the answer's element.
    pub(crate) answer: (Option<String>, String),
}

impl Request {
    /// Compiles; `None` when something is wrong, which is then among `issues`.
    pub(crate) fn compile(
        config: &config::Request,
        names: &Names,
        env: &Env,
        pointer: &str,
        issues: &mut Issues,
    ) -> Option<Self> {
        let (prefix, local) =
            config.answer.split_once(':').map_or((None, config.answer.as_str()), |(p, l)| (Some(p), l));
        let namespace = prefix.map(|prefix| names.of(prefix).map(str::to_owned));
        if namespace == Some(None) || local.is_empty() {
            let hint = "the name of an element with a prefix of `namespaces`".to_owned();
            issues.say(format!("{pointer}/answer"), "names no element", Some(hint));
        }
        if config.action.as_ref().is_some_and(|action| action.contains(['"', '\\']) || !action.is_ascii()) {
            issues.say(format!("{pointer}/action"), "is no URI", None);
        }
        let template = Template::compile(&config.body, names, env, &format!("{pointer}/body"), issues)?;
        Some(Self {
            label: format!("{} {}", config.service, template.name()),
            config: config.clone(),
            template,
            answer: (namespace.flatten(), local.to_owned()),
        })
    }
}
