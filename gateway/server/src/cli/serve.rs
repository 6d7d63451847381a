//! `chartgate serve`.

use super::{ConfigFile, Failure, Outcome, paper, place};
use crate::config::{Loaded, plain};
use crate::kinds::Kinds;
use crate::wire::Gateway;
use crate::{environment, logging};
use clap::Args;
use scim::Dialect;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// From the signal until the process ends, whatever is still under way.
const END: Duration = Duration::from_millis(9_300);
/// A socket's whole path may have 107 octets.
const MAX_SOCKET_PATH: usize = 90;

#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    plain: Plain,
}

/// Without a file: a plain SCIM server with one source, whose token is in the environment variable CHARTGATE_TOKEN.
#[derive(Debug, Args)]
struct Plain {
    /// Serve without a configuration file, on this address and port. The token is in CHARTGATE_TOKEN.
    #[arg(long, value_name = "ADDR", conflicts_with = "config")]
    listen: Option<String>,
    /// Without a file: where to store, as sqlite:PATH or sqlite::memory:.
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    store: Option<String>,
    /// Without a file: how requests are read: tolerant, rfc or interop.
    #[arg(long, value_name = "DIALECT", alias = "profile", conflicts_with = "config")]
    dialect: Option<Dialect>,
    /// Without a file: the administration socket. By default it stands beside the store's file.
    #[arg(long, value_name = "PATH", conflicts_with = "config")]
    admin_socket: Option<String>,
}

impl Plain {
    fn is_asked_for(&self) -> bool {
        self.listen.is_some() || self.store.is_some() || self.dialect.is_some() || self.admin_socket.is_some()
    }

    fn load(self) -> Result<Loaded, Failure> {
        let token = environment::variable("CHARTGATE_TOKEN").ok_or_else(|| {
            Failure(
                "without a configuration file the source's token must be in the environment variable CHARTGATE_TOKEN\n  \
                 hint: CHARTGATE_TOKEN=$(head -c 32 /dev/urandom | base64) chartgate serve …"
                    .to_owned(),
            )
        })?;
        let listen = self.listen.unwrap_or_else(|| "127.0.0.1:8480".to_owned());
        let store = self.store.unwrap_or_else(|| "sqlite:chartgate.db".to_owned());
        let beside = store.strip_prefix("sqlite:").filter(|path| *path != ":memory:");
        let socket = self.admin_socket.or_else(|| {
            let path = format!("{}.sock", beside?.trim_start_matches("//"));
            (path.len() <= MAX_SOCKET_PATH).then_some(path)
        });
        let mut loaded = plain(listen, store, self.dialect.unwrap_or_default(), token).map_err(Failure)?;
        loaded.config.server.admin_socket = socket.unwrap_or_default();
        Ok(loaded)
    }
}

impl Serve {
    pub fn run(self, kinds: &Kinds) -> Outcome {
        let loaded = if self.plain.is_asked_for() {
            let loaded = self.plain.load()?;
            logging::start(&loaded.config.log)?;
            loaded
        } else {
            if !self.file.is_there() {
                let hint = "write a chartgate.toml, or serve without one: chartgate serve --listen ADDR --store URL";
                return Err(Failure(format!("there is no configuration\n  hint: {hint}")));
            }
            from_file(&self.file, kinds)?
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let outcome = runtime.block_on(serve(loaded, kinds));
        // Threads that still wait for something of the operating system do not hold up the end.
        runtime.shutdown_timeout(Duration::from_millis(300));
        outcome
    }
}

fn from_file(file: &ConfigFile, kinds: &Kinds) -> Result<Loaded, Failure> {
    let found = file.enter()?;
    let reading = found.load(kinds);
    let Some(loaded) = reading.loaded else {
        let count = reading.problems.len();
        let problems = place::list(&reading.problems);
        return Err(Failure(format!("{} has {count} problem(s):\n{problems}", found.shown())));
    };
    logging::start(&loaded.config.log)?;
    for problem in reading.unreachable.iter().chain(&reading.warnings) {
        tracing::warn!(file = problem.file, line = problem.line, "{}", problem.message);
    }
    Ok(loaded)
}

async fn serve(loaded: Loaded, kinds: &Kinds) -> Outcome {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let gateway = Gateway::start(loaded, kinds).await?;
    paper::print(&format!("ready {}\n", gateway.url()));
    tracing::info!(address = %gateway.addr(), "Ready.");
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => gateway.reload_certificate(),
        }
    }
    tracing::info!("Ending.");
    let again = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    tokio::select! {
        () = gateway.stop() => tracing::info!("Ended in order."),
        () = tokio::time::sleep(END) => tracing::warn!("Something was still under way at the end."),
        () = again => tracing::warn!("Ended at once, as asked for."),
    }
    Ok(true)
}
