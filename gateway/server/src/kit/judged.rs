//! What a report comes to: whether anything failed, and whether what this kind of connector must show was shown.

use connector_testkit::{Report, Verdict, required};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

/// A report with its verdict.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Every check.
    pub report: Report,
    /// Checks that this kind of connector must pass, that did not run or do not apply, and that nobody left out on purpose.
    pub lacking: Vec<&'static str>,
    /// What was left out on purpose, with the reason.
    left_out: BTreeMap<&'static str, String>,
    /// Named as left out on purpose, though it was tried.
    needless: Vec<&'static str>,
}

/// The name under which the demands on a connector are kept: that of its kind, but a database in a file has no login and no
/// network to ask for.
pub(super) fn demands<'k>(kind: &'k str, settings: &Value) -> &'k str {
    let file = settings.pointer("/database/engine").and_then(Value::as_str) == Some("sqlite");
    if kind == "sql" && file { "sql-embedded" } else { kind }
}

impl Judged {
    /// Judges a report by what is demanded of connectors of this name (see `connector_testkit::required`).
    #[must_use]
    pub fn new(report: Report, demands: &str, left_out: &BTreeMap<String, String>) -> Self {
        let unproven = |verdict: &Verdict| matches!(verdict, Verdict::NotApplicable { .. } | Verdict::Untested { .. });
        let mut lacking = required::lacking(demands, &report);
        let mut forgiven = BTreeMap::new();
        let mut needless = Vec::new();
        for row in &report.rows {
            let Some(reason) = left_out.get(row.check) else { continue };
            if unproven(&row.verdict) {
                lacking.retain(|check| *check != row.check);
                forgiven.insert(row.check, reason.clone());
            } else {
                needless.push(row.check);
            }
        }
        Self { report, lacking, left_out: forgiven, needless }
    }

    /// Whether nothing failed and nothing is lacking.
    #[must_use]
    pub fn sound(&self) -> bool {
        self.report.failed().is_empty() && self.lacking.is_empty()
    }

    /// Why a check was left out on purpose, if it was.
    #[must_use]
    pub fn forgiven(&self, check: &str) -> Option<&str> {
        self.left_out.get(check).map(String::as_str)
    }

    fn count(&self, wanted: fn(&Verdict) -> bool) -> usize {
        self.report.rows.iter().filter(|row| wanted(&row.verdict)).count()
    }

    fn counts(&self) -> [usize; 4] {
        [
            self.count(|verdict| matches!(verdict, Verdict::Passed)),
            self.count(|verdict| matches!(verdict, Verdict::Failed { .. })),
            self.count(|verdict| matches!(verdict, Verdict::NotApplicable { .. })),
            self.count(|verdict| matches!(verdict, Verdict::Untested { .. })),
        ]
    }

    /// For programs: the rows, how many of each sort, and what it comes to.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut json = self.report.to_json();
        let [passed, failed, not_applicable, untested] = self.counts();
        let counts =
            json!({ "passed": passed, "failed": failed, "notApplicable": not_applicable, "untested": untested });
        let more = [
            ("ok", json!(self.sound())),
            ("counts", counts),
            ("untested", json!(self.report.untested())),
            ("lacking", json!(self.lacking)),
            ("leftOut", json!(self.left_out)),
        ];
        if let Some(members) = json.as_object_mut() {
            members.extend(more.map(|(name, value)| (name.to_owned(), value)));
        }
        json
    }
}

/// The table, what was left out and what is lacking, and the counts on the last line.
impl Display for Judged {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Report { connector, .. } = &self.report;
        writeln!(f, "{}", self.report)?;
        for (check, reason) in &self.left_out {
            writeln!(f, "{connector}: {check} is left out on purpose: {reason}")?;
        }
        for check in &self.needless {
            writeln!(f, "{connector}: {check} was tried: take it out of [harness] left_out")?;
        }
        for check in &self.lacking {
            writeln!(
                f,
                "{connector}: {check} must be shown by this kind of connector: let it be tried, or name it with a reason in \
                 [harness] left_out"
            )?;
        }
        let [passed, failed, not_applicable, untested] = self.counts();
        write!(
            f,
            "{connector}: {passed} passed, {failed} failed, {not_applicable} not applicable, {untested} untested, {} left out on \
             purpose, {} lacking",
            self.left_out.len(),
            self.lacking.len()
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use connector_testkit::Row;

    const FAULT: &str = "fault.503_is_transient";

    fn judged(verdict: Verdict, left_out: &[&str]) -> Judged {
        let rows = vec![Row { check: FAULT, verdict }];
        let left_out = left_out.iter().map(|check| ((*check).to_owned(), "a file has no network".to_owned())).collect();
        Judged::new(Report { connector: "x".into(), rows }, "rest", &left_out)
    }

    fn untested() -> Verdict {
        Verdict::Untested { because: "nothing stands between".into(), add: "an address".into() }
    }

    #[test]
    fn what_had_to_be_tried_and_was_not_spoils_the_verdict() {
        for verdict in [untested(), Verdict::NotApplicable { because: "not declared".into() }] {
            let judged = judged(verdict, &[]);
            assert!(!judged.sound() && judged.report.failed().is_empty());
            assert_eq!(judged.json()["lacking"], json!([FAULT]));
            assert!(judged.to_string().contains("must be shown"), "{judged}");
        }
    }

    #[test]
    fn what_is_left_out_with_a_reason_does_not_and_the_reason_is_printed() {
        let judged = judged(untested(), &[FAULT]);
        assert!(judged.sound());
        assert_eq!(judged.json()["leftOut"][FAULT], "a file has no network");
        let told = judged.to_string();
        assert!(told.contains("is left out on purpose: a file has no network"), "{told}");
        assert!(told.ends_with("0 not applicable, 1 untested, 1 left out on purpose, 0 lacking"), "{told}");
    }

    #[test]
    fn what_failed_is_not_forgiven_and_what_passed_need_not_be() {
        let failed = judged(Verdict::Failed { reason: "why".into(), exchange: Vec::new() }, &[FAULT]);
        assert!(!failed.sound());
        let passed = judged(Verdict::Passed, &[FAULT]);
        assert!(passed.sound() && passed.to_string().contains("take it out of"), "{passed}");
    }

    #[test]
    fn a_database_in_a_file_is_asked_for_no_login() {
        assert_eq!(demands("sql", &json!({ "database": { "engine": "sqlite" } })), "sql-embedded");
        assert_eq!(demands("sql", &json!({ "database": { "engine": "postgres" } })), "sql");
        assert_eq!(demands("rest", &json!({})), "rest");
    }
}
