//! The command line: what each command is called, and who carries it out.
//!
//! Commands that report take `--json`. Those that ask a running gateway do so over its administration socket; without a
//! gateway they say so. What is printed for people is plain text in columns, coloured only on a terminal.

mod admin;
mod check;
mod connector;
#[cfg(feature = "demo")]
mod demo;
mod describe;
mod links;
mod paper;
mod place;
mod plan;
mod proposals;
mod retry;
mod serve;
mod status;
mod target;
mod token;

use crate::kinds::Kinds;
use clap::{Args, Parser, Subcommand};
use std::process::ExitCode;

/// SCIM 2.0 provisioning gateway for hospitals.
#[derive(Debug, Parser)]
#[command(name = "chartgate", version, about, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway.
    Serve(serve::Serve),
    /// Show a whole hospital in one process: simulated targets, an invented workforce, and a verdict.
    #[cfg(feature = "demo")]
    Demo(demo::Demo),
    /// Tell what is wrong with a configuration, without opening anything.
    Check(check::Check),
    /// How each target stands.
    Status(status::Status),
    /// Links between users and their accounts in targets.
    Links(links::Links),
    /// Try links again at once.
    Retry(retry::Retry),
    /// What would change for one person; nothing is written.
    Plan(plan::Plan),
    /// Tokens of sources.
    #[command(subcommand)]
    Token(token::Token),
    /// Targets and kinds of connectors.
    #[command(subcommand)]
    Target(target::Target),
    /// For people who connect a target: a beginning, and the contract's checks.
    #[command(subcommand)]
    Connector(connector::Connector),
    /// The reference of the configuration file, in Markdown.
    DescribeConfig(describe::DescribeConfig),
}

/// Where the configuration is.
#[derive(Debug, Clone, Args)]
struct ConfigFile {
    /// The configuration file; `chartgate.toml` where it is not given. Relative paths in it start from its own folder.
    #[arg(long, value_name = "FILE", env = "CHARTGATE_CONFIG")]
    config: Option<String>,
}

/// How a running gateway is reached.
#[derive(Debug, Clone, Args)]
struct Running {
    #[command(flatten)]
    file: ConfigFile,
    /// The running gateway's administration socket, instead of the one that the configuration names.
    #[arg(long, value_name = "PATH", env = "CHARTGATE_ADMIN_SOCKET")]
    socket: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Why a command failed, for standard error.
#[derive(Debug)]
struct Failure(String);

impl<T: std::fmt::Display> From<T> for Failure {
    fn from(error: T) -> Self {
        Self(error.to_string())
    }
}

/// A command's outcome: `false` where it ran and what it reports is bad.
type Outcome = Result<bool, Failure>;

/// Reads the command line and does what it says.
#[must_use]
pub fn run(kinds: &Kinds) -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(command) => command.run(kinds),
        #[cfg(feature = "demo")]
        Command::Demo(command) => command.run(),
        Command::Check(command) => command.run(kinds),
        Command::Status(command) => command.run(),
        Command::Links(command) => command.run(),
        Command::Retry(command) => command.run(),
        Command::Plan(command) => command.run(),
        Command::Token(command) => command.run(kinds),
        Command::Target(command) => command.run(kinds),
        Command::Connector(command) => command.run(kinds),
        Command::DescribeConfig(command) => command.run(),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Failure(text)) => {
            paper::complain(&text);
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
