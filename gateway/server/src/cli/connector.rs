//! `chartgate connector`: for people who connect a target.

mod new;
#[cfg(feature = "demo")]
mod test;

use super::Outcome;
use crate::kinds::Kinds;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Connector {
    /// Begin a connector: a project or a description that works, with a README that says where to write.
    New(new::New),
    /// Run the contract's checks over a target's file, a plugin or a SCIM server: a test system, for the checks write.
    #[cfg(feature = "demo")]
    Test(test::Test),
}

impl Connector {
    #[cfg_attr(not(feature = "demo"), allow(unused_variables, reason = "only the checks need the kinds"))]
    pub fn run(self, kinds: &Kinds) -> Outcome {
        match self {
            Connector::New(command) => command.run(),
            #[cfg(feature = "demo")]
            Connector::Test(command) => command.run(kinds),
        }
    }
}
