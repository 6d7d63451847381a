//! The report as JUnit's XML, which build servers show.

use super::Judged;
use connector_testkit::{Row, Verdict};
use quick_xml::Writer;
use quick_xml::events::BytesText;
use std::io;

/// One suite, a case for each check: failures with their exchange, checks that do not apply or could not be tried as skipped with
/// their reason. A check that had to be tried is an error: a build server counts it as one that went wrong.
///
/// # Errors
/// None that a writer into memory has.
pub fn junit(judged: &Judged) -> io::Result<String> {
    let report = &judged.report;
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    let count =
        |wanted: fn(&Verdict) -> bool| report.rows.iter().filter(|row| wanted(&row.verdict)).count().to_string();
    let failures = count(|verdict| matches!(verdict, Verdict::Failed { .. }));
    let errors = judged.lacking.len();
    let unproven = |row: &&Row| matches!(row.verdict, Verdict::NotApplicable { .. } | Verdict::Untested { .. });
    let skipped = (report.rows.iter().filter(unproven).count() - errors).to_string();
    let errors = errors.to_string();
    let tests = report.rows.len().to_string();
    let name = format!("connector {}", report.connector);
    writer
        .create_element("testsuite")
        .with_attributes([
            ("name", name.as_str()),
            ("tests", tests.as_str()),
            ("failures", failures.as_str()),
            ("errors", errors.as_str()),
            ("skipped", skipped.as_str()),
        ])
        .write_inner_content(|suite| {
            for row in &report.rows {
                let (class, check) = row.check.split_once('.').unwrap_or(("check", row.check));
                let case = suite.create_element("testcase").with_attributes([("classname", class), ("name", check)]);
                let lacks = judged.lacking.contains(&row.check);
                let skipped = if lacks { "error" } else { "skipped" };
                let unproven = match &row.verdict {
                    Verdict::NotApplicable { because } => format!("not applicable: {because}"),
                    Verdict::Untested { because, add } => format!("untested: {because}; add {add}"),
                    Verdict::Passed | Verdict::Failed { .. } => String::new(),
                };
                let unproven = match judged.forgiven(row.check) {
                    Some(reason) => format!("left out on purpose: {reason} ({unproven})"),
                    None => unproven,
                };
                match &row.verdict {
                    Verdict::Passed => case.write_empty()?,
                    Verdict::NotApplicable { .. } | Verdict::Untested { .. } => case.write_inner_content(|case| {
                        case.create_element(skipped).with_attribute(("message", unproven.as_str())).write_empty()?;
                        Ok(())
                    })?,
                    Verdict::Failed { reason, exchange } => case.write_inner_content(|case| {
                        case.create_element("failure")
                            .with_attribute(("message", reason.as_str()))
                            .write_text_content(BytesText::new(&exchange.join("\n")))?;
                        Ok(())
                    })?,
                };
            }
            Ok(())
        })?;
    let text = String::from_utf8(writer.into_inner()).map_err(io::Error::other)?;
    Ok(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}\n"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use connector_testkit::Report;
    use std::collections::BTreeMap;

    fn untested(check: &'static str) -> Row {
        Row { check, verdict: Verdict::Untested { because: "nothing".into(), add: "it".into() } }
    }

    #[test]
    fn every_check_is_a_case_and_hostile_words_stay_words() {
        let failed = Verdict::Failed { reason: "<&\" expected".into(), exchange: vec!["get a -> <b>".into()] };
        let report = Report {
            connector: "x".into(),
            rows: vec![
                Row { check: "get.absent_is_none", verdict: Verdict::Passed },
                Row { check: "create.roundtrip", verdict: failed },
                Row { check: "sync.sees", verdict: Verdict::NotApplicable { because: "no sync".into() } },
                untested("fault.503_is_transient"),
                untested("fault.slow_body_hits_deadline"),
            ],
        };
        let left_out = BTreeMap::from([("fault.slow_body_hits_deadline".to_owned(), "it has no network".to_owned())]);

        let xml = junit(&Judged::new(report, "x", &left_out)).unwrap();

        let head = r#"<testsuite name="connector x" tests="5" failures="1" errors="1" skipped="2">"#;
        assert!(xml.contains(head), "{xml}");
        assert!(xml.contains(r#"<error message="untested: nothing; add it"/>"#), "{xml}");
        assert!(xml.contains("left out on purpose: it has no network (untested"), "{xml}");
        assert!(xml.contains(r#"<testcase classname="get" name="absent_is_none"/>"#), "{xml}");
        assert!(xml.contains("&lt;&amp;&quot; expected") && xml.contains("get a -&gt; &lt;b&gt;"), "{xml}");
    }
}
