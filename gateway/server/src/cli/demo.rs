//! `chartgate demo`.

use super::Outcome;
use crate::demo;
use clap::Args;

#[derive(Debug, Args)]
pub struct Demo {
    /// People at the start, 20 to 100,000.
    #[arg(long, value_name = "COUNT", default_value_t = 150, value_parser = clap::value_parser!(u32).range(20..=100_000))]
    people: u32,
    /// Joiners, movers and leavers afterwards.
    #[arg(long, value_name = "COUNT", default_value_t = 60, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    movements: u32,
    /// Where the gateway listens; port 0 takes any free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: String,
    /// End with the verdict, and with a status other than zero if a target differs from what was wanted.
    #[arg(long)]
    exit: bool,
}

impl Demo {
    pub fn run(self) -> Outcome {
        let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        let options = demo::Options {
            people: count(self.people),
            movements: count(self.movements),
            listen: self.listen,
            exit: self.exit,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let outcome = runtime.block_on(demo::run(options));
        runtime.shutdown_timeout(std::time::Duration::from_millis(300));
        Ok(outcome?)
    }
}
