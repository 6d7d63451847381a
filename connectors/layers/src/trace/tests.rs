#![allow(clippy::unwrap_used)]
use super::*;
use crate::sample::{Sample, Step, account, layer, within};
use connector_spi::ConnError;
use prometheus_client::encoding::text::encode;

#[tokio::test]
async fn every_call_is_counted_by_its_outcome() {
    let metrics = Metrics::default();
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let sample = Sample::new([Step::Fail(ConnError::transient("busy")), Step::Ok, Step::Ok]);
    let traced = layer(Trace::new(sample, "directory", "ldap", metrics));

    traced.delete(&within(10), &account(), &"1".into()).await.unwrap_err();
    traced.delete(&within(10), &account(), &"1".into()).await.unwrap();
    traced.check(&within(10)).await.unwrap();

    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    let line = |kind, op, class| {
        format!(
            r#"connector_calls_total{{target="directory",connector="ldap",kind="{kind}",op="{op}",class="{class}"}} 1"#
        )
    };
    for expected in [line("account", "delete", "Transient"), line("account", "delete", "ok"), line("", "check", "ok")] {
        assert!(text.contains(&expected), "{expected} in {text}");
    }
    assert!(text.contains(r#"connector_calls_in_flight{target="directory"} 0"#), "{text}");
    assert!(text.contains("connector_call_duration_seconds_count"), "{text}");
}

#[tokio::test]
async fn an_error_says_which_target_and_call_it_was() {
    let sample = Sample::new([Step::Fail(ConnError::invalid("too long").attribute("cn"))]);
    let traced = layer(Trace::new(sample, "directory", "ldap", Metrics::default()));

    let error = traced.delete(&within(10), &account(), &"1".into()).await.unwrap_err();

    assert_eq!(error.message, "directory: delete account: too long");
    assert_eq!((error.class, error.attribute.as_deref()), (Class::Invalid, Some("cn")));
}
