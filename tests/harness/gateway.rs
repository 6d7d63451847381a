//! The gateway as a process.

use crate::Client;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The longest time from start to `ready`.
const READY: Duration = Duration::from_secs(30);

/// A running gateway. Killed when dropped.
pub struct Gateway {
    child: Child,
    program: PathBuf,
    /// The SCIM root, such as `http://127.0.0.1:1234/scim/v2`.
    pub base: String,
    config: Option<PathBuf>,
    log: PathBuf,
}

/// The binary under test: beside the tests' own, or built now.
#[must_use]
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let own = std::env::current_exe().expect("a test knows its own path");
        // target/PROFILE/deps/TEST, or target/PROFILE/BENCH.
        let folder =
            own.ancestors().skip(1).find(|folder| !folder.ends_with("deps")).expect("target/PROFILE").to_path_buf();
        let binary = folder.join("chartgate");
        if !binary.exists() {
            let mut build = Command::new(env!("CARGO"));
            build.args(["build", "--quiet", "--package", "chartgate"]);
            if folder.ends_with("release") {
                build.arg("--release");
            }
            assert!(build.status().expect("cargo runs").success(), "chartgate is built");
        }
        binary
    })
}

/// Runs a command of the binary to its end.
pub fn command(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).stdin(Stdio::null()).output().expect("chartgate runs")
}

impl Gateway {
    /// Starts `chartgate serve --config` and waits until it is ready.
    #[must_use]
    pub fn serve(config: &Path) -> Gateway {
        Gateway::serve_with(binary(), config)
    }

    /// The same with a program of one's own that has the gateway in it.
    #[must_use]
    pub fn serve_with(program: &Path, config: &Path) -> Gateway {
        let mut command = Command::new(program);
        command.args(["serve", "--config"]).arg(config);
        Gateway::start(command, Some(config.to_path_buf()), config.with_extension("log"))
    }

    /// Starts a plain SCIM server without a file, whose token is `token`.
    #[must_use]
    pub fn plain(store: &str, token: &str, more: &[&str], log: &Path) -> Gateway {
        let mut command = Command::new(binary());
        command.args(["serve", "--listen", "127.0.0.1:0", "--store", store]).args(more).env("CHARTGATE_TOKEN", token);
        Gateway::start(command, None, log.to_path_buf())
    }

    fn start(mut command: Command, config: Option<PathBuf>, log: PathBuf) -> Gateway {
        let errors = std::fs::OpenOptions::new().create(true).append(true).open(&log).expect("a log file");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let program = PathBuf::from(command.get_program());
        let mut child = command.spawn().expect("chartgate starts");
        let (tell, told) = mpsc::channel();
        let out = child.stdout.take().expect("standard output is piped");
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _gone = tell.send(line);
            }
        });
        let began = Instant::now();
        let first = told.recv_timeout(READY);
        let Some(base) = first.ok().and_then(|line| line.strip_prefix("ready ").map(str::to_owned)) else {
            let _ended = child.kill();
            panic!("not ready after {:?}: {}", began.elapsed(), std::fs::read_to_string(&log).unwrap_or_default());
        };
        Gateway { child, program, base, config, log }
    }

    /// A client with this bearer token.
    #[must_use]
    pub fn client(&self, token: &str) -> Client {
        Client::new(&self.base, token)
    }

    /// Makes a token for a source by the command line.
    #[must_use]
    pub fn token(&self, source: &str) -> String {
        let out = self.cli(&["token", "create", source]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        text.split_whitespace().find(|word| word.starts_with("cg_")).expect("the token is shown").to_owned()
    }

    /// Runs a command against this gateway.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        let config = self.config.as_ref().expect("a gateway with a configuration").display().to_string();
        let mut all = arguments.to_vec();
        all.extend(["--config", &config]);
        Command::new(&self.program).args(&all).stdin(Stdio::null()).output().expect("the gateway's program runs")
    }

    /// What `status --json` says.
    #[must_use]
    pub fn status(&self) -> serde_json::Value {
        let out = self.cli(&["status", "--json"]);
        serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&out.stderr)))
    }

    /// What `links --json` says, of every link or of those that match more arguments.
    #[must_use]
    pub fn links(&self, more: &[&str]) -> Vec<serde_json::Value> {
        let out = self.cli(&[&["links", "--json"], more].concat());
        serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&out.stderr)))
    }

    /// How one target stands, from `status --json`.
    #[must_use]
    pub fn target(&self, name: &str) -> serde_json::Value {
        let status = self.status();
        let targets = status.as_array().expect("a list of targets");
        targets.iter().find(|target| target["name"] == name).unwrap_or_else(|| panic!("no {name} in {status}")).clone()
    }

    /// Waits until no link of any target is due.
    pub async fn settled(&self, within: Duration) {
        let began = Instant::now();
        loop {
            let status = self.status();
            if status.as_array().expect("a list of targets").iter().all(|target| target["due"] == 0) {
                return;
            }
            assert!(began.elapsed() < within, "still due after {within:?}: {status:#}\n{}", self.log_end());
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// The end of what it logged.
    #[must_use]
    pub fn log_end(&self) -> String {
        let log = self.log();
        let from = log.len().saturating_sub(4_000);
        log.get(from..).unwrap_or(&log).to_owned()
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it without warning, as a power cut would end the process.
    pub fn kill(mut self) {
        self.child.kill().expect("a running process");
        self.child.wait().expect("an ended process");
    }

    /// Asks it to end and returns how long that took and whether it said success.
    pub fn terminate(mut self) -> (Duration, bool) {
        let began = Instant::now();
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().expect("kill runs");
        assert!(asked.success());
        let status = self.child.wait().expect("an ended process");
        (began.elapsed(), status.success())
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
