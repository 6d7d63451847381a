//! What the settings mean together: addresses, files they name, ids, kinds, catalogues, and the compiled rules.

use super::load::{Load, Loaded, LoadedTarget};
use super::{CatalogueCsv, Config, Problem, Target, catalogue, files, json_place, nearest, shape};
use crate::{environment, logging};
use connector_spi::Declared;
use gateway_domain::Policy;
use gateway_domain::policy::{CatalogueConfig, Issue, PolicyConfig, SourceConfig, TargetConfig};
use scim::Types;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

impl Load<'_> {
    pub(super) fn resolve(&mut self, config: Config) -> Option<Loaded> {
        let mut config = config;
        self.server(&mut config);
        let types = self.types(&config);
        self.ids(&config);
        let mut targets = Vec::new();
        for (place, target) in config.target.iter().enumerate() {
            targets.push(self.target(place, target));
        }
        let mut compiled = self.policy(&config);
        // Expressions over attributes that could not be read would all be wrong: one problem is enough.
        let types = Arc::new(types?);
        for (place, source) in compiled.sources.iter_mut().enumerate() {
            self.aliases(place, source, &types);
        }
        let policy = match Policy::compile(&compiled, &types) {
            Ok(policy) => policy,
            Err(issues) => {
                for Issue { pointer, message, hint } in issues {
                    if !self.said(&pointer) {
                        self.say(&pointer, message, hint);
                    }
                }
                return None;
            }
        };
        Some(Loaded { config, types, policy, targets, fixed_token: None })
    }

    fn server(&mut self, config: &mut Config) {
        let overrides = [
            ("CHARTGATE_LISTEN", "/server/listen", &mut config.server.listen),
            ("CHARTGATE_STORE", "/store/url", &mut config.store.url),
            ("CHARTGATE_ADMIN_SOCKET", "/server/admin_socket", &mut config.server.admin_socket),
        ];
        for (name, pointer, setting) in overrides {
            let given = environment::variable(name);
            if let Some(given) = &given {
                given.clone_into(setting);
            }
            let wrong = match pointer {
                "/server/listen" if setting.parse::<SocketAddr>().is_err() => {
                    Some(("is no address with a port", "write an IP address and a port, such as 127.0.0.1:8480"))
                }
                "/store/url" => wrong_store(setting).map(|wrong| (wrong, "write sqlite:PATH")),
                "/server/admin_socket" if setting.len() > 90 => {
                    Some(("is too long a path for a socket", "at most 90 octets; choose a shorter one"))
                }
                _ => None,
            };
            match (wrong, given) {
                (None, _) => {}
                (Some((wrong, hint)), None) => {
                    let message = format!("{setting:?} {wrong}");
                    self.say(pointer, message, Some(hint.to_owned()));
                }
                (Some((wrong, hint)), Some(given)) => {
                    let message = format!("the environment variable says {given:?}, which {wrong}");
                    self.problems.push(Problem::of_file(name, 1, message).hint(hint));
                }
            }
        }
        if let Some(url) = environment::variable("CHARTGATE_PUBLIC_URL") {
            config.server.public_url = Some(url);
        }
        if let Some(url) = &config.server.public_url
            && !(url.starts_with("https://") || url.starts_with("http://"))
        {
            let hint = "write the whole address, such as https://scim.hosp.example".to_owned();
            self.say("/server/public_url", format!("{url:?} is no address of a web service"), Some(hint));
        }
        if let Some(tls) = &config.server.tls
            && let Err(error) = fs::File::open(&tls.cert)
        {
            let message = format!("the certificate {} cannot be read: {}", tls.cert, error.kind());
            self.say("/server/tls/cert", message, None);
        }
        let address = config.server.listen.parse::<SocketAddr>();
        if config.server.tls.is_none() && address.is_ok_and(|address| !address.ip().is_loopback()) {
            let message = "plain HTTP on an address that others can reach: tokens and personal data travel unprotected";
            let warning = self.problem("/server/listen", false, message.to_owned());
            self.warnings.push(warning.hint("set [server.tls], or listen on a loopback address behind a proxy"));
        }
        if let Some(level) = &config.log.level
            && let Err(message) = logging::levels(level)
        {
            self.say("/log/level", message, None);
        }
        let limits = &config.server.limits;
        if limits.page > limits.max_page {
            let message = format!("a page of {} is larger than the largest, {}", limits.page, limits.max_page);
            self.say("/server/limits/page", message, None);
        }
    }

    fn types(&mut self, config: &Config) -> Option<Types> {
        let mut texts = Vec::new();
        for (place, of) in config.resource_types.iter().enumerate() {
            match files::text(&of.file) {
                Ok(text) => texts.push(text),
                Err(message) => {
                    self.say(&format!("/resource_types/{place}/file"), format!("{}: {message}", of.file), None)
                }
            }
        }
        if texts.len() < config.resource_types.len() {
            return None;
        }
        let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
        match Types::built_in().with_deployment(&borrowed) {
            Ok(types) => Some(types),
            Err(error) => {
                let file = config.resource_types.get(error.file).map_or("", |of| of.file.as_str());
                let text = texts.get(error.file).map_or("", String::as_str);
                let (line, column) = json_place::line_and_column(text, &error.pointer);
                let problem = Problem::of_file(file, line, format!("{}: {}", error.pointer, error.reason));
                self.problems.push(Problem { column, ..problem });
                None
            }
        }
    }

    /// Our extensions by their short names (`clinical`), as people write them, or by their URNs.
    fn aliases(&mut self, place: usize, source: &mut SourceConfig, types: &Types) {
        let known: BTreeSet<&str> =
            types.all().flat_map(|ty| ty.extensions.iter()).map(|extension| extension.schema.id.as_str()).collect();
        let short = |urn: &str| urn.rsplit(':').nth(2).map(str::to_owned).unwrap_or_default();
        for (foreign, ours) in &mut source.aliases {
            let of_type = foreign.rsplit(':').next().unwrap_or_default();
            let by_name = |urn: &&&str| short(urn).eq_ignore_ascii_case(ours);
            let found = known
                .iter()
                .find(|urn| urn.eq_ignore_ascii_case(ours))
                .or_else(|| known.iter().filter(by_name).find(|urn| urn.rsplit(':').next() == Some(of_type)))
                .or_else(|| known.iter().find(by_name));
            match found {
                Some(urn) => *ours = (*urn).to_owned(),
                None => {
                    let names: BTreeSet<String> = known.iter().map(|urn| short(urn)).collect();
                    let hint = nearest::hint(ours, names.iter().map(String::as_str));
                    let pointer = format!("/source/{place}/aliases/{}", shape::escape(foreign));
                    self.say(&pointer, format!("there is no extension {ours:?}"), hint);
                }
            }
        }
    }

    /// Ids must stay apart as names must: they are what the store knows.
    fn ids(&mut self, config: &Config) {
        let sources = config.source.iter().map(|one| (one.id.as_ref(), &one.name)).collect::<Vec<_>>();
        let targets = config.target.iter().map(|one| (one.id.as_ref(), &one.name)).collect::<Vec<_>>();
        for (section, all) in [("source", sources), ("target", targets)] {
            let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
            for (place, (id, name)) in all.into_iter().enumerate() {
                let is_given = id.is_some();
                let id = id.unwrap_or(name);
                match seen.get(id.as_str()) {
                    Some(other) if *other != name.as_str() => {
                        let field = if is_given { "id" } else { "name" };
                        let message = format!("the id {id:?} is that of {other}");
                        let hint = "an id belongs to one for ever: give this one another".to_owned();
                        self.say(&format!("/{section}/{place}/{field}"), message, Some(hint));
                    }
                    Some(_) => {}
                    None => {
                        seen.insert(id, name);
                    }
                }
            }
        }
    }

    /// Whether a target's settings are those of its kind.
    pub(super) fn settings(&mut self, place: usize, kind: &str, settings: &Value) {
        let at = format!("/target/{place}");
        let kinds = self.kinds;
        match kinds.named(kind) {
            None => {
                let message = match kind {
                    "" => "kind is missing".to_owned(),
                    kind => format!("there is no kind of connector {kind:?}"),
                };
                self.say(&format!("{at}/kind"), message, nearest::hint(kind, kinds.names()));
            }
            Some(_) if self.unread.contains(&place) => {}
            Some(kind) => {
                let at = format!("{at}/settings");
                let found = shape::walk(&kind.config_schema(), settings);
                let sound = found.misfits.is_empty();
                self.misfits(found, &at);
                for issue in sound.then(|| kind.check_json(settings)).into_iter().flatten() {
                    self.issue(&at, issue);
                }
            }
        }
    }

    fn target(&mut self, place: usize, target: &Target) -> LoadedTarget {
        let settings = Value::Object(target.settings.clone());
        self.settings(place, &target.kind, &settings);
        LoadedTarget {
            name: target.name.clone(),
            id: target.id.clone().unwrap_or_else(|| target.name.clone()),
            kind: target.kind.clone(),
            settings,
            layers: target.layers.clone(),
            adopt_entitled: target.adopt_entitled,
        }
    }

    fn policy(&mut self, config: &Config) -> PolicyConfig {
        let targets = config
            .target
            .iter()
            .map(|target| TargetConfig {
                name: target.name.clone(),
                id: target.id.clone(),
                account: target.account.clone(),
                objects: target.object.clone(),
                group: target.group.clone(),
                catalogue: self.catalogue(target),
                catalogue_source: target
                    .catalogue_csv
                    .as_ref()
                    .map_or(String::new(), |csv| format!("csv:{}", catalogue::name(csv))),
                catalogue_date: target.catalogue_csv.as_ref().and_then(catalogue::day),
                declared: self.declared(target),
            })
            .collect();
        PolicyConfig {
            sources: config.source.clone(),
            targets,
            roles: config.role.clone(),
            zones: config.facility.iter().map(|(name, facility)| (name.clone(), facility.zone.clone())).collect(),
            tables: config.lookup.clone(),
        }
    }

    /// What the settings of a target tell of it; nothing where they are not sound, which is told elsewhere.
    fn declared(&self, target: &Target) -> Declared {
        let settings = Value::Object(target.settings.clone());
        self.kinds.named(&target.kind).map(|kind| kind.declared_json(&settings)).unwrap_or_default()
    }

    /// A catalogue that could not be read counts as none: the roles that name its entries are not wrong for that.
    fn catalogue(&mut self, target: &Target) -> Vec<CatalogueConfig> {
        let from_file = |csv: &CatalogueCsv| catalogue::read(csv);
        match target.catalogue_csv.as_ref().map(from_file) {
            None => target.catalogue.clone(),
            Some(Ok(read)) => target.catalogue.iter().cloned().chain(read).collect(),
            Some(Err(problems)) => {
                self.problems.extend(problems);
                Vec::new()
            }
        }
    }
}

/// What is wrong with a store's address.
pub(super) fn wrong_store(url: &str) -> Option<&'static str> {
    match url.strip_prefix("sqlite:") {
        Some(":memory:") => None,
        Some(path) if !path.is_empty() => {
            let folder = Path::new(path.strip_prefix("//").unwrap_or(path)).parent();
            let there = folder.is_none_or(|folder| folder.as_os_str().is_empty() || folder.is_dir());
            (!there).then_some("lies in a folder that is not there")
        }
        Some(_) => Some("names no file"),
        None => Some("is no kind of store that this program has"),
    }
}
