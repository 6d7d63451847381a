//! What came out: a table for people, JSON for programs, a code for the shell.

use serde::Serialize;
use std::fmt;

/// The outcome of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "verdict")]
pub enum Verdict {
    /// The connector does as the contract says.
    Passed,
    /// It does not.
    Failed {
        /// What was expected and what happened.
        reason: String,
        /// The calls of the check, in order, without secrets.
        exchange: Vec<String>,
    },
    /// What the connector declares leaves the check nothing to look at.
    NotApplicable {
        /// What is not declared.
        because: String,
    },
    /// It could not be tried: nothing is known of what the connector does.
    Untested {
        /// What the run lacks.
        because: String,
        /// What to give it.
        add: String,
    },
}

impl Verdict {
    /// The word of the table.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed { .. } => "FAILED",
            Verdict::NotApplicable { .. } => "n/a",
            Verdict::Untested { .. } => "untested",
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The check.
    pub check: &'static str,
    /// How it ended.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// All checks over one connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The kind of connector.
    pub connector: String,
    /// In the order of the contract.
    pub rows: Vec<Row>,
}

impl Report {
    /// The verdict of a check, if it ran.
    #[must_use]
    pub fn verdict(&self, check: &str) -> Option<&Verdict> {
        self.rows.iter().find(|row| row.check == check).map(|row| &row.verdict)
    }

    /// Names of the checks that failed.
    #[must_use]
    pub fn failed(&self) -> Vec<&'static str> {
        self.rows.iter().filter(|row| matches!(row.verdict, Verdict::Failed { .. })).map(|row| row.check).collect()
    }

    /// Names of the checks that could not be tried.
    #[must_use]
    pub fn untested(&self) -> Vec<&'static str> {
        self.rows.iter().filter(|row| matches!(row.verdict, Verdict::Untested { .. })).map(|row| row.check).collect()
    }

    /// 0 when nothing failed, else 1. What had to be tried and was not is for [`crate::required::lacking`] to say.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.failed().is_empty())
    }

    /// The report as JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// The table: checks down, the one connector across, reasons below.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&table(std::slice::from_ref(self)))
    }
}

/// A table of checks by connectors, with the reason of every failure below it.
#[must_use]
pub fn table(reports: &[Report]) -> String {
    let checks: Vec<&str> =
        reports.first().map_or_else(Vec::new, |report| report.rows.iter().map(|row| row.check).collect());
    let first = checks.iter().map(|check| check.len()).max().unwrap_or(0);
    let wide = |report: &Report| report.connector.len().max(8);
    let mut text = format!("{:first$}", "check");
    for report in reports {
        text += &format!("  {:width$}", report.connector, width = wide(report));
    }
    text.push('\n');
    for check in checks {
        text += &format!("{check:first$}");
        for report in reports {
            let mark = report.verdict(check).map_or("-", Verdict::word);
            text += &format!("  {mark:width$}", width = wide(report));
        }
        text.push('\n');
    }
    for report in reports {
        for row in &report.rows {
            match &row.verdict {
                Verdict::Passed => {}
                Verdict::NotApplicable { because } => {
                    text += &format!("\n{}: {} is not applicable: {because}", report.connector, row.check);
                }
                Verdict::Untested { because, add } => {
                    text += &format!("\n{}: {} is untested: {because}; add {add}", report.connector, row.check);
                }
                Verdict::Failed { reason, exchange } => {
                    text += &format!("\n{}: {} failed: {reason}", report.connector, row.check);
                    for line in exchange {
                        text += &format!("\n    {line}");
                    }
                }
            }
        }
    }
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
