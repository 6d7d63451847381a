//! The report as JUnit's XML, which build servers show.

use connector_testkit::{Report, Verdict};
use quick_xml::Writer;
use quick_xml::events::BytesText;
use std::io;

/// One suite, a case for each check: failures with their exchange, checks that do not apply as skipped with their reason.
///
/// # Errors
/// None that a writer into memory has.
pub fn junit(report: &Report) -> io::Result<String> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    let count =
        |wanted: fn(&Verdict) -> bool| report.rows.iter().filter(|row| wanted(&row.verdict)).count().to_string();
    let failures = count(|verdict| matches!(verdict, Verdict::Failed { .. }));
    let skipped = count(|verdict| matches!(verdict, Verdict::NotApplicable { .. }));
    let tests = report.rows.len().to_string();
    let name = format!("connector {}", report.connector);
    writer
        .create_element("testsuite")
        .with_attributes([
            ("name", name.as_str()),
            ("tests", tests.as_str()),
            ("failures", failures.as_str()),
            ("skipped", skipped.as_str()),
        ])
        .write_inner_content(|suite| {
            for row in &report.rows {
                let (class, check) = row.check.split_once('.').unwrap_or(("check", row.check));
                let case = suite.create_element("testcase").with_attributes([("classname", class), ("name", check)]);
                match &row.verdict {
                    Verdict::Passed => case.write_empty()?,
                    Verdict::NotApplicable { because } => case.write_inner_content(|case| {
                        case.create_element("skipped").with_attribute(("message", because.as_str())).write_empty()?;
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
    use connector_testkit::Row;

    #[test]
    fn every_check_is_a_case_and_hostile_words_stay_words() {
        let failed = Verdict::Failed { reason: "<&\" expected".into(), exchange: vec!["get a -> <b>".into()] };
        let report = Report {
            connector: "x".into(),
            rows: vec![
                Row { check: "get.absent_is_none", verdict: Verdict::Passed },
                Row { check: "create.roundtrip", verdict: failed },
                Row { check: "sync.sees", verdict: Verdict::NotApplicable { because: "no sync".into() } },
            ],
        };

        let xml = junit(&report).unwrap();

        assert!(xml.contains(r#"<testsuite name="connector x" tests="3" failures="1" skipped="1">"#), "{xml}");
        assert!(xml.contains(r#"<testcase classname="get" name="absent_is_none"/>"#), "{xml}");
        assert!(xml.contains("&lt;&amp;&quot; expected") && xml.contains("get a -&gt; &lt;b&gt;"), "{xml}");
    }
}
