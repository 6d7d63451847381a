//! `chartgate connector`: for people who connect a target.

mod test;

use super::Outcome;
use crate::kinds::Kinds;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Connector {
    /// Run the contract's checks over a target's file, a plugin or a SCIM server: a test system, for the checks write.
    Test(test::Test),
}

impl Connector {
    pub fn run(self, kinds: &Kinds) -> Outcome {
        match self {
            Connector::Test(command) => command.run(kinds),
        }
    }
}
