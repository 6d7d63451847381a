//! All checks by name, in the order of the contract.

mod check;
pub(crate) mod config_schema;
mod contract;
mod crud;
mod effect;
mod entitlements;
mod errors;
mod hygiene;
mod idempotency;
mod listing;

use crate::bench::{Bench, Ending};
use futures_util::future::LocalBoxFuture;

/// One named check.
pub(crate) struct Check {
    pub name: &'static str,
    pub run: for<'b> fn(&'b Bench<'b>) -> LocalBoxFuture<'b, Ending>,
}

macro_rules! checks {
    ($($name:literal => $group:ident :: $function:ident),+ $(,)?) => {
        /// Every check of the contract.
        pub(crate) const ALL: &[Check] = &[
            $(Check { name: $name, run: |bench| Box::pin($group::$function(bench)) }),+
        ];
    };
}

checks! {
    "handshake.version_negotiation" => contract::version_negotiation,
    "handshake.unknown_fields_ignored" => contract::unknown_fields_ignored,
    "config.schema_is_valid_json_schema" => contract::schema_is_valid_json_schema,
    "config.unknown_key_rejected" => contract::unknown_key_rejected,
    "config.literal_secret_rejected" => contract::literal_secret_rejected,
    "config.bad_value_names_pointer" => contract::bad_value_names_pointer,
    "schema.stable_revision" => contract::stable_revision,
    "schema.natural_key_present" => contract::natural_key_present,
    "schema.refs_resolve" => contract::refs_resolve,
    "caps.undeclared_op_is_unsupported" => contract::undeclared_op_is_unsupported,
    "check.no_side_effects" => check::no_side_effects,
    "check.wrong_secret_is_auth" => check::wrong_secret_is_auth,
    "check.wrong_host_is_config_or_transient" => check::wrong_host_is_config_or_transient,
    "check.finishes_before_deadline" => check::finishes_before_deadline,
    "create.roundtrip_all_creatable" => crud::roundtrip_all_creatable,
    "create.missing_required_is_invalid_with_attribute" => crud::missing_required_is_invalid_with_attribute,
    "create.unicode_and_4byte" => crud::unicode_and_4byte,
    "create.max_length_edge" => crud::max_length_edge,
    "create.injection_strings_are_data" => crud::injection_strings_are_data,
    "get.absent_is_none" => crud::absent_is_none,
    "find.by_each_natural_key" => crud::by_each_natural_key,
    "find.case_rule_matches_schema" => crud::case_rule_matches_schema,
    "find.inactive_is_found" => crud::inactive_is_found,
    "update.patch_add_remove_one_call" => crud::patch_add_remove_one_call,
    "update.clear_vs_empty" => crud::clear_vs_empty,
    "update.rename_returns_new_id" => crud::rename_returns_new_id,
    "update.readonly_attr_is_invalid" => crud::readonly_attr_is_invalid,
    "update.partial_failure_reported_per_part" => crud::partial_failure_reported_per_part,
    "update.stale_version_detected" => crud::stale_version_detected,
    "state.disable_keeps_entitlements_readable" => crud::disable_keeps_entitlements_readable,
    "delete.absent_is_ok" => crud::delete_absent_is_ok,
    "entitlement.add_twice_ok" => entitlements::add_twice_ok,
    "entitlement.remove_absent_ok" => entitlements::remove_absent_ok,
    "entitlement.scope_is_distinct" => entitlements::scope_is_distinct,
    "entitlement.unknown_is_invalid" => entitlements::unknown_is_invalid,
    "entitlement.swap_in_one_change" => entitlements::swap_in_one_change,
    "entitlement.catalogue_has_every_one_seen" => entitlements::catalogue_has_every_one_seen,
    "entitlement.order_is_kept" => entitlements::order_is_kept,
    "entitlement.foreign_one_survives" => entitlements::foreign_one_survives,
    "create.replay_same_op_id_makes_one_account" => idempotency::replay_same_op_id_makes_one_account,
    "create.lost_response_then_retry_makes_one_account" => idempotency::lost_response_then_retry_makes_one_account,
    "create.concurrent_same_key_one_wins_other_AlreadyExists" => idempotency::concurrent_same_key_one_wins_other_already_exists,
    "update.replay_is_noop" => idempotency::update_replay_is_noop,
    "batch.same_length_same_order" => idempotency::batch_same_length_same_order,
    "batch.one_bad_item_does_not_fail_others" => idempotency::batch_one_bad_item_does_not_fail_others,
    "fault.429_with_retry_after" => errors::throttled_with_retry_after,
    "fault.503_is_transient" => errors::unavailable_is_transient,
    "fault.reset_before_send_is_effect_none" => errors::reset_before_send_is_effect_none,
    "fault.reset_after_send_is_effect_maybe" => errors::reset_after_send_is_effect_maybe,
    "fault.slow_body_hits_deadline" => errors::slow_body_hits_deadline,
    "fault.html_instead_of_json_is_unknown" => errors::html_instead_of_json_is_unknown,
    "fault.401_midrun_is_auth" => errors::unauthorized_midrun_is_auth,
    "list.every_record_once" => listing::every_record_once,
    "list.stable_under_inserts" => listing::stable_under_inserts,
    "list.truncated_page_is_not_complete" => listing::truncated_page_is_not_complete,
    "list.cursor_survives_restart" => listing::cursor_survives_restart,
    "sync.sees_create_update_delete" => listing::sees_create_update_delete,
    "sync.expired_token_is_resync" => listing::expired_token_is_resync,
    "effect.closed_account_cannot_log_in" => effect::closed_account_cannot_log_in,
    "effect.revoke_without_sessions_is_ok" => effect::revoke_without_sessions_is_ok,
    "log.no_secret_values" => hygiene::no_secret_values,
    "log.no_attribute_values_at_info" => hygiene::no_attribute_values_at_info,
    "error.message_has_no_secret" => hygiene::error_message_has_no_secret,
    "concurrency.N_parallel_calls" => hygiene::n_parallel_calls,
    "cancel.stops_work" => hygiene::cancel_stops_work,
    "shutdown.within_5s" => hygiene::shutdown_within_5s,
    "dry_run.sends_no_write" => hygiene::dry_run_sends_no_write,
    "memory.10k_list_bounded" => hygiene::ten_thousand_list_bounded,
}
