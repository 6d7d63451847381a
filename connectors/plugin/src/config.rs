//! The settings of a target whose connector is a plugin.

use crate::secrets;
use connector_http::HttpConfig;
use connector_spi::ConfigIssue;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// How a plugin is reached, what it may use, and its own settings. Either `command` (the gateway starts it as a child process)
/// or `socket` (a service manager runs it, as a user of its own) is given.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The program, as an absolute path, and its arguments. No shell reads it.
    #[serde(default)]
    pub command: Vec<String>,
    /// SHA-256 of the program's file, in hexadecimal (`sha256sum FILE`). A file that differs is not started.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Further files that must not differ, by absolute path with their SHA-256: for an interpreter, the script and its modules.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// The program's whole environment. Nothing of the gateway's own is passed on. No secrets.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The Unix socket of a plugin that runs by itself, as an absolute path.
    #[serde(default)]
    pub socket: Option<PathBuf>,
    /// The user id under which the process at the other end of `socket` must run.
    #[serde(default)]
    pub uid: Option<u32>,
    /// The plugin's own settings; `chartgate connector test` tells its schema. Secrets are references, as everywhere.
    #[serde(default)]
    pub config: Map<String, Json>,
    /// Where the plugin may go through the gateway's own door (`host.http`), and with which credentials. Without it, nowhere.
    #[serde(default)]
    pub http: Option<HttpConfig>,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
}

/// What a plugin may use.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Most calls at a time, 1 to 64.
    #[schemars(range(min = 1, max = 64))]
    pub max_concurrent: u32,
    /// Seconds for starting, handshake and opening, 1 to 120.
    #[schemars(range(min = 1, max = 120))]
    pub start: u32,
    /// Most memory of a child process in mebibytes (RLIMIT_DATA: heap, stacks and writable mappings), 16 to 65536.
    #[schemars(range(min = 16, max = 65_536))]
    pub memory: u32,
    /// Most open files of a child process (RLIMIT_NOFILE), 16 to 65536.
    #[schemars(range(min = 16, max = 65_536))]
    pub open_files: u32,
    /// Most processor time of a child process in seconds over its life (RLIMIT_CPU); it is started again after that. Absent: no
    /// limit.
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub cpu: Option<u32>,
    /// Most processes that a child process may become, itself among them, 1 to 4096; counted every second, and beyond it all of
    /// them are ended. `memory`, `open_files` and `cpu` hold for each, so together they use at most so many times as much.
    #[schemars(range(min = 1, max = 4096))]
    pub processes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_concurrent: 16, start: 10, memory: 512, open_files: 256, cpu: None, processes: 16 }
    }
}

/// SHA-256 of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest(pub [u8; 32]);

impl Digest {
    /// Reads 64 hexadecimal digits.
    pub fn read(text: &str) -> Option<Self> {
        let mut octets = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (place, octet) in octets.iter_mut().enumerate() {
            *octet = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
        }
        Some(Self(octets))
    }
}

const DIGEST: &str = "is no SHA-256: 64 hexadecimal digits, as sha256sum prints them";

impl Settings {
    /// What is wrong, as far as can be told without a plugin and without a network.
    #[must_use]
    pub fn issues(&self) -> Vec<ConfigIssue> {
        let mut found = Vec::new();
        let mut say = |pointer: String, message: &str, hint: Option<&str>| {
            found.push(ConfigIssue { pointer, message: message.to_owned(), hint: hint.map(str::to_owned) });
        };
        match (self.command.first(), &self.socket) {
            (Some(program), None) => {
                if !Path::new(program).is_absolute() {
                    say("/command/0".into(), "is no absolute path", Some("the search path is not looked at"));
                }
                match &self.sha256 {
                    None => say("/sha256".into(), "is missing", Some("write what sha256sum prints for the program")),
                    Some(text) if Digest::read(text).is_none() => say("/sha256".into(), DIGEST, None),
                    Some(_) => {}
                }
                if self.uid.is_some() {
                    say("/uid".into(), "is for a plugin on a socket", None);
                }
            }
            (None, Some(socket)) => {
                if !socket.is_absolute() {
                    say("/socket".into(), "is no absolute path", None);
                }
                if self.uid.is_none() {
                    let hint = Some("write the id of the user under which the plugin runs");
                    say("/uid".into(), "is missing", hint);
                }
                let of_a_child = [
                    ("/sha256", self.sha256.is_some()),
                    ("/files", !self.files.is_empty()),
                    ("/env", !self.env.is_empty()),
                ];
                for (pointer, _) in of_a_child.into_iter().filter(|(_, given)| *given) {
                    say(pointer.into(), "is for a plugin that the gateway starts (command)", None);
                }
            }
            (None, None) => say(String::new(), "neither command nor socket is given", None),
            (Some(_), Some(_)) => say("/socket".into(), "command and socket exclude each other", None),
        }
        for pointer in secrets::named_like_one(&self.config, "/config") {
            let hint = "write where it is kept, { env = \"NAME\" } or { file = \"/path\" }; the plugin's schema says which settings are";
            say(pointer, "is named like a secret, and a literal secret is refused", Some(hint));
        }
        for (path, digest) in &self.files {
            let pointer = format!("/files/{}", path.replace('~', "~0").replace('/', "~1"));
            if !Path::new(path).is_absolute() {
                say(pointer.clone(), "is no absolute path", None);
            }
            if Digest::read(digest).is_none() {
                say(pointer, DIGEST, None);
            }
        }
        for (name, value) in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                say(format!("/env/{}", name.replace('~', "~0").replace('/', "~1")), "cannot be set", None);
            }
        }
        let limits = &self.limits;
        let ranges = [
            ("/limits/max_concurrent", limits.max_concurrent, 1, 64),
            ("/limits/start", limits.start, 1, 120),
            ("/limits/memory", limits.memory, 16, 65_536),
            ("/limits/open_files", limits.open_files, 16, 65_536),
            ("/limits/cpu", limits.cpu.unwrap_or(1), 1, u32::MAX),
            ("/limits/processes", limits.processes, 1, 4_096),
        ];
        for (pointer, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                say(pointer.into(), &format!("must be from {least} to {most}"), None);
            }
        }
        for issue in self.http.iter().flat_map(HttpConfig::issues) {
            found.push(ConfigIssue { pointer: format!("/http{}", issue.pointer), ..issue });
        }
        found
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pointers(settings: Json) -> Vec<String> {
        let settings: Settings = serde_json::from_value(settings).unwrap();
        settings.issues().into_iter().map(|issue| issue.pointer).collect()
    }

    #[test]
    fn a_program_with_its_digest_and_a_socket_with_its_user_pass() {
        assert_eq!(pointers(json!({"command": ["/opt/pager"], "sha256": "a".repeat(64)})), [""; 0]);
        assert_eq!(pointers(json!({"socket": "/run/pager.sock", "uid": 991})), [""; 0]);
    }

    #[test]
    fn what_is_missing_or_does_not_belong_is_named() {
        assert_eq!(pointers(json!({})), [""]);
        assert_eq!(pointers(json!({"command": ["pager"]})), ["/command/0", "/sha256"]);
        assert_eq!(pointers(json!({"command": ["/p"], "sha256": "é".repeat(32)})), ["/sha256"]);
        assert_eq!(pointers(json!({"socket": "pager.sock", "env": {"A": "b"}})), ["/socket", "/uid", "/env"]);
        assert_eq!(pointers(json!({"command": ["/p"], "socket": "/s"})), ["/socket"]);
        let files = json!({"command": ["/p"], "sha256": "0".repeat(64), "files": {"/a": "0"}, "limits": {"start": 0}});
        assert_eq!(pointers(files), ["/files/~1a", "/limits/start"]);
        let own = json!({
            "token": "hunter2", "db": {"Admin-Password": "hunter2"}, "api_key": {"env": "KEY"}, "token_url": "https://a.example",
        });
        assert_eq!(
            pointers(json!({"socket": "/s", "uid": 0, "config": own})),
            ["/config/db/Admin-Password", "/config/token"]
        );
        let http = json!({"socket": "/s", "uid": 0, "http": {"url": "http://a.example"}});
        assert_eq!(pointers(http), ["/http/url"]);
    }
}
