//! Which checks a kind of connector must pass.
//!
//! A check that is not applicable passes by being absent, so a connector could pass by declaring nothing. These lists close
//! that door: for each kind of connector they name the checks that must have *passed*.

use crate::report::{Report, Verdict};

/// Whatever the protocol: without these a connector must not be used.
const EVERY: &[&str] = &[
    "config.schema_is_valid_json_schema",
    "config.unknown_key_rejected",
    "config.literal_secret_rejected",
    "config.bad_value_names_pointer",
    "schema.stable_revision",
    "schema.natural_key_present",
    "schema.refs_resolve",
    "check.wrong_secret_is_auth",
    "check.wrong_host_is_config_or_transient",
    "check.finishes_before_deadline",
    "create.roundtrip_all_creatable",
    "create.missing_required_is_invalid_with_attribute",
    "create.unicode_and_4byte",
    "create.injection_strings_are_data",
    "get.absent_is_none",
    "find.by_each_natural_key",
    "find.inactive_is_found",
    "update.clear_vs_empty",
    "state.disable_keeps_entitlements_readable",
    "entitlement.add_twice_ok",
    "entitlement.remove_absent_ok",
    "entitlement.unknown_is_invalid",
    "entitlement.swap_in_one_change",
    "entitlement.foreign_one_survives",
    "create.replay_same_op_id_makes_one_account",
    "create.lost_response_then_retry_makes_one_account",
    "create.concurrent_same_key_one_wins_other_AlreadyExists",
    "update.replay_is_noop",
    "fault.503_is_transient",
    "fault.reset_before_send_is_effect_none",
    "fault.reset_after_send_is_effect_maybe",
    "fault.slow_body_hits_deadline",
    "list.every_record_once",
    "log.no_secret_values",
    "log.no_attribute_values_at_info",
    "error.message_has_no_secret",
    "concurrency.N_parallel_calls",
    "cancel.stops_work",
    "shutdown.within_5s",
    "memory.10k_list_bounded",
    "dry_run.sends_no_write",
];

/// Targets over HTTP.
const HTTP: &[&str] =
    &["fault.429_with_retry_after", "fault.html_instead_of_json_is_unknown", "fault.401_midrun_is_auth"];

/// LDAP: ids are names, attributes have many values, members come and go one by one.
const LDAP: &[&str] = &[
    "update.patch_add_remove_one_call",
    "update.rename_returns_new_id",
    "delete.absent_is_ok",
    "find.case_rule_matches_schema",
    "list.stable_under_inserts",
];

/// Databases: transactions, versions of rows, lengths of columns.
const SQL: &[&str] = &[
    "create.max_length_edge",
    "update.partial_failure_reported_per_part",
    "update.stale_version_detected",
    "entitlement.scope_is_distinct",
    "entitlement.catalogue_has_every_one_seen",
    "find.case_rule_matches_schema",
    "list.stable_under_inserts",
    "list.cursor_survives_restart",
    "sync.sees_create_update_delete",
    "effect.closed_account_cannot_log_in",
    "effect.revoke_without_sessions_is_ok",
];

/// What a file on the same machine has not: a login, and a network that fails.
const NETWORKED: &[&str] = &[
    "config.literal_secret_rejected",
    "check.wrong_secret_is_auth",
    "create.lost_response_then_retry_makes_one_account",
    "fault.503_is_transient",
    "fault.reset_before_send_is_effect_none",
    "fault.reset_after_send_is_effect_maybe",
    "fault.slow_body_hits_deadline",
    "error.message_has_no_secret",
];

/// SOAP and other XML services: kinds that depend on each other, lists that are written whole and in order, an effect that is
/// asked for.
const SOAP: &[&str] = &[
    "check.no_side_effects",
    "create.max_length_edge",
    "update.partial_failure_reported_per_part",
    "update.patch_add_remove_one_call",
    "find.case_rule_matches_schema",
    "entitlement.order_is_kept",
    "entitlement.catalogue_has_every_one_seen",
    "list.stable_under_inserts",
    "list.cursor_survives_restart",
    "effect.closed_account_cannot_log_in",
    "effect.revoke_without_sessions_is_ok",
];

/// SCIM servers: what they can do is asked, so what they cannot must be refused; lists come by index or by cursor.
const SCIM: &[&str] = &[
    "caps.undeclared_op_is_unsupported",
    "delete.absent_is_ok",
    "find.case_rule_matches_schema",
    "update.patch_add_remove_one_call",
    "update.partial_failure_reported_per_part",
    "list.stable_under_inserts",
    "list.cursor_survives_restart",
    "list.truncated_page_is_not_complete",
];

/// Plugin processes.
const PLUGIN: &[&str] = &["handshake.version_negotiation", "handshake.unknown_fields_ignored"];

/// The checks that a connector of this kind must pass. An unknown kind is an integrator's own: the general ones. `sql-embedded`
/// is the SQL connector over a file: without those that need a login or a network.
#[must_use]
pub fn required(kind: &str) -> Vec<&'static str> {
    let own: &[&[&str]] = match kind {
        "ldap" => &[LDAP],
        "sql" | "sql-embedded" => &[SQL],
        "rest" => &[HTTP],
        "soap" => &[HTTP, SOAP],
        "scim" => &[HTTP, SCIM],
        "plugin" => &[PLUGIN],
        "memory" => return crate::names(),
        _ => &[],
    };
    let networked = kind != "sql-embedded";
    let all = EVERY.iter().chain(own.iter().copied().flatten()).copied();
    all.filter(|check| networked || !NETWORKED.contains(check)).collect()
}

/// The required checks of a run that were neither passed nor failed, in the order of the contract: a capability that is not
/// declared, or something that the run lacks. A run of some checks only is asked for those only.
#[must_use]
pub fn lacking(kind: &str, report: &Report) -> Vec<&'static str> {
    let required = required(kind);
    let unproven = |verdict: &Verdict| matches!(verdict, Verdict::NotApplicable { .. } | Verdict::Untested { .. });
    let rows = report.rows.iter().filter(|row| unproven(&row.verdict) && required.contains(&row.check));
    rows.map(|row| row.check).collect()
}

/// The required checks that did not pass, each with the reason.
#[must_use]
pub fn missing(kind: &str, report: &Report) -> Vec<String> {
    let told = |check: &str| match report.verdict(check) {
        Some(Verdict::Passed) => None,
        Some(Verdict::Failed { reason, .. }) => Some(format!("{check} failed: {reason}")),
        Some(Verdict::NotApplicable { because }) => Some(format!("{check} is required, but not applicable: {because}")),
        Some(Verdict::Untested { because, add }) => {
            Some(format!("{check} is required, but untested: {because}; add {add}"))
        }
        None => Some(format!("{check} is required, but did not run")),
    };
    required(kind).into_iter().filter_map(told).collect()
}

/// For tests: panics with the table unless every required check passed and no other failed.
///
/// # Panics
/// When a check failed, or a required one was not applicable or untested.
#[track_caller]
#[allow(clippy::panic)] // The assertion of a test.
pub fn assert_required(kind: &str, report: &Report) {
    let missing = missing(kind, report);
    if !missing.is_empty() || report.exit_code() != 0 {
        panic!("{report}\n{}", missing.join("\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Row;

    #[test]
    fn every_required_check_exists() {
        let names = crate::names();
        for kind in ["ldap", "sql", "sql-embedded", "rest", "soap", "scim", "plugin", "memory", "an integrator's own"] {
            for check in required(kind) {
                assert!(names.contains(&check), "{kind}: {check}");
            }
        }
    }

    #[test]
    fn a_capability_switched_off_to_pass_is_a_failure() {
        let mut rows: Vec<Row> =
            crate::names().into_iter().map(|check| Row { check, verdict: Verdict::Passed }).collect();
        let all = Report { connector: "ldap".into(), rows: rows.clone() };
        assert!(missing("ldap", &all).is_empty());

        for row in rows.iter_mut().filter(|row| row.check == "state.disable_keeps_entitlements_readable") {
            row.verdict = Verdict::NotApplicable { because: "account does not declare disable".into() };
        }
        let off = Report { connector: "ldap".into(), rows };
        assert_eq!((off.exit_code(), missing("ldap", &off).len()), (0, 1));
        assert_eq!(lacking("ldap", &off), ["state.disable_keeps_entitlements_readable"]);
    }

    #[test]
    fn a_required_check_that_could_not_be_tried_is_lacking_and_another_is_not() {
        let untested = |check| {
            let verdict = Verdict::Untested { because: "nothing stands between".into(), add: "an address".into() };
            Row { check, verdict }
        };
        // A directory knows no 429, so a directory's connector is not asked for it.
        let rows = vec![untested("fault.429_with_retry_after"), untested("fault.503_is_transient")];
        let report = Report { connector: "x".into(), rows };
        assert_eq!(lacking("ldap", &report), ["fault.503_is_transient"]);
        assert_eq!(lacking("rest", &report), ["fault.429_with_retry_after", "fault.503_is_transient"]);
        assert_eq!(report.untested().len(), 2);
    }
}
