//! The only place that reads the environment.

/// The variables that mean something to the gateway itself, with what each does. A secret's variable has any name.
pub const VARIABLES: [(&str, &str); 8] = [
    ("CHARTGATE_CONFIG", "the configuration file, as `--config`"),
    ("CHARTGATE_LISTEN", "goes before `server.listen`"),
    ("CHARTGATE_PUBLIC_URL", "goes before `server.public_url`"),
    ("CHARTGATE_ADMIN_SOCKET", "goes before `server.admin_socket`"),
    ("CHARTGATE_STORE", "goes before `store.url`"),
    ("CHARTGATE_LOG", "goes before `log.level`"),
    ("CHARTGATE_LOG_FORMAT", "goes before `log.format`"),
    ("CHARTGATE_TOKEN", "the token of the one source, when `serve` runs without a file"),
];

/// A variable that is set and not empty.
#[must_use]
#[allow(clippy::disallowed_methods)] // this is the place
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
