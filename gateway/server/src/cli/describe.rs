//! `chartgate describe-config`.

use super::{Outcome, paper};
use crate::config::{Config, reference, rows};
use clap::Args;

#[derive(Debug, Args)]
pub struct DescribeConfig {
    /// Print JSON: one object for each setting.
    #[arg(long)]
    json: bool,
}

impl DescribeConfig {
    pub fn run(self) -> Outcome {
        if self.json {
            return paper::print_json(&rows(&schemars::schema_for!(Config).to_value()));
        }
        paper::print(&reference());
        Ok(true)
    }
}
