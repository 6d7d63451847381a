//! Connectors that are wrong on purpose: one flaw each, one flaw per check.
//!
//! They prove that the kit finds what it looks for. Each is the model with one lie in front of it; for each exactly the check of
//! its name fails, and no other. Where two checks overlapped, the checks were cut apart; no pair needs to fail together.

mod connector;
mod kind;

use crate::{Memory, StateProbe, Subject};
use async_trait::async_trait;
use connector::Faulty;
use kind::{FaultyKind, FaultyWire};
use std::sync::Arc;

macro_rules! flaws {
    ($($name:ident $check:literal: $lie:literal;)+) => {
        /// One way of being wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Flaw {
            $(#[doc = $lie] $name),+
        }

        impl Flaw {
            /// All of them, in the order of the checks.
            pub const ALL: &'static [Flaw] = &[$(Flaw::$name),+];

            /// The check that fails.
            #[must_use]
            pub fn check(self) -> &'static str {
                match self {
                    $(Flaw::$name => $check),+
                }
            }

            /// What is wrong.
            #[must_use]
            pub fn lie(self) -> &'static str {
                match self {
                    $(Flaw::$name => $lie),+
                }
            }
        }
    };
}

flaws! {
    AnyVersion "handshake.version_negotiation": "Accepts a host of any contract.";
    StrictWire "handshake.unknown_fields_ignored": "Refuses messages with fields that it does not know.";
    BadSchema "config.schema_is_valid_json_schema": "Its configuration's schema has a type that does not exist.";
    AnyKey "config.unknown_key_rejected": "Drops settings that it does not know.";
    LiteralSecret "config.literal_secret_rejected": "Takes a secret that is written out.";
    NoPointer "config.bad_value_names_pointer": "Does not say which setting is wrong.";
    Restless "schema.stable_revision": "Has another revision every time.";
    GhostKey "schema.natural_key_present": "Has a natural key of an attribute that does not exist.";
    Dangling "schema.refs_resolve": "Refers to a kind that does not exist.";
    WrongRefusal "caps.undeclared_op_is_unsupported": "Refuses what it does not declare with another class.";
    BusyCheck "check.no_side_effects": "Makes a record on every health check.";
    SoftAuth "check.wrong_secret_is_auth": "Takes a wrong secret for a passing fault.";
    HardHost "check.wrong_host_is_config_or_transient": "Takes a wrong address for a permanent fault.";
    LateCheck "check.finishes_before_deadline": "Answers a health check after its deadline.";
    LosesPhone "create.roundtrip_all_creatable": "Does not write one of the attributes.";
    NamelessRefusal "create.missing_required_is_invalid_with_attribute": "Does not name the attribute that is missing.";
    Narrow "create.unicode_and_4byte": "Replaces characters beyond the Basic Multilingual Plane.";
    Truncates "create.max_length_edge": "Cuts what is too long.";
    Unescapes "create.injection_strings_are_data": "Decodes what looks like an entity.";
    AbsentIsError "get.absent_is_none": "Fails where nothing is found.";
    OneKeyOnly "find.by_each_natural_key": "Finds nothing by its second natural key.";
    ExactCase "find.case_rule_matches_schema": "Minds letter case although its schema says otherwise.";
    HidesInactive "find.inactive_is_found": "Finds only enabled accounts.";
    NeverRemoves "update.patch_add_remove_one_call": "Adds values and forgets to remove the others.";
    EmptyText "update.clear_vs_empty": "Writes an empty text instead of clearing.";
    KeepsId "update.rename_returns_new_id": "Does not tell the new id after a rename.";
    SilentReadOnly "update.readonly_attr_is_invalid": "Drops a change of what cannot be changed, and says nothing.";
    SilentPart "update.partial_failure_reported_per_part": "Does not tell which part failed.";
    LastWriter "update.stale_version_detected": "Ignores the version.";
    ForgetsOnDisable "state.disable_keeps_entitlements_readable": "Reads no entitlements of a disabled account.";
    AbsentDelete "delete.absent_is_ok": "Fails to delete what is not there.";
    AddOnce "entitlement.add_twice_ok": "Fails to give what is held.";
    RemoveOnce "entitlement.remove_absent_ok": "Fails to take what is not held.";
    NoScope "entitlement.scope_is_distinct": "Takes an entitlement in every scope at once.";
    AnyEntitlement "entitlement.unknown_is_invalid": "Pretends to give what does not exist.";
    HalfSwap "entitlement.swap_in_one_change": "Gives the new and keeps the old.";
    ShortCatalogue "entitlement.catalogue_has_every_one_seen": "Leaves one entitlement out of the catalogue.";
    NoOrder "entitlement.order_is_kept": "Forgets the order.";
    Wipes "entitlement.foreign_one_survives": "Replaces the list by what it was told to add.";
    ReplayDoubles "create.replay_same_op_id_makes_one_account": "Makes a second account for a repeated create.";
    RetryDoubles "create.lost_response_then_retry_makes_one_account": "Makes a second account after a lost answer.";
    LoserConflict "create.concurrent_same_key_one_wins_other_AlreadyExists": "Calls a taken key a conflict.";
    ReplayChanges "update.replay_is_noop": "Changes something more when an update is repeated.";
    Disorder "batch.same_length_same_order": "Answers a batch in another order.";
    AllOrNothing "batch.one_bad_item_does_not_fail_others": "Fails a whole batch for one bad item.";
    NoRetryAfter "fault.429_with_retry_after": "Forgets how long the target asked to wait.";
    HardOutage "fault.503_is_transient": "Takes an outage for a permanent fault.";
    FearfulReset "fault.reset_before_send_is_effect_none": "Is unsure whether it sent what it could not send.";
    RecklessReset "fault.reset_after_send_is_effect_maybe": "Is sure that nothing happened when the answer was lost.";
    Endless "fault.slow_body_hits_deadline": "Waits for the rest of the answer past its deadline.";
    HtmlIsNone "fault.html_instead_of_json_is_unknown": "Takes a web page for an absent record.";
    AuthIsForbidden "fault.401_midrun_is_auth": "Takes refused credentials for a missing permission.";
    Repeats "list.every_record_once": "Lists a record on two pages.";
    Skips "list.stable_under_inserts": "Skips records when others are made meanwhile.";
    Boasts "list.truncated_page_is_not_complete": "Calls a page complete that was cut off.";
    Forgets "list.cursor_survives_restart": "Keeps its cursors in memory.";
    MissesDeletes "sync.sees_create_update_delete": "Does not tell that a record is gone.";
    NoResync "sync.expired_token_is_resync": "Fails on an old token.";
    AlwaysOpen "effect.closed_account_cannot_log_in": "Says of every account that it can log in.";
    NoSessions "effect.revoke_without_sessions_is_ok": "Fails to end sessions where none are open.";
    LogsSecret "log.no_secret_values": "Writes a secret to the log, in base64.";
    LogsValue "log.no_attribute_values_at_info": "Tells who was created.";
    TellsSecret "error.message_has_no_secret": "Repeats the wrong secret in its error.";
    FourAtATime "concurrency.N_parallel_calls": "Fails when more than four calls run at a time.";
    GoesOn "cancel.stops_work": "Goes on in secret when a call is given up.";
    HeldOpen "shutdown.within_5s": "Is kept alive by its own background work.";
    WetRun "dry_run.sends_no_write": "Writes in a dry run.";
    OnePage "memory.10k_list_bounded": "Puts everything on one page.";
}

/// A subject with this flaw over a model of its own.
#[must_use]
pub fn subject(flaw: Flaw) -> Subject {
    let memory = Memory::new();
    let honest = memory.subject();
    Subject {
        kind: Arc::new(FaultyKind { flaw, memory: memory.clone(), honest: memory.kind() }),
        // Only the flaw of long listings needs one; for the others the check makes a few records of its own.
        probe: if flaw == Flaw::OnePage { honest.probe.clone() } else { Some(Arc::new(StateOnly(memory))) },
        wire: honest.wire.clone().map(|wire| Arc::new(FaultyWire { flaw, honest: wire }) as Arc<_>),
        ..honest
    }
}

/// A look at the model's state that cannot fill it.
struct StateOnly(Memory);

#[async_trait]
impl StateProbe for StateOnly {
    async fn state(&self) -> String {
        self.0.state().await
    }
}

/// A connector with this flaw over this model; its secrets come from `host`.
pub(crate) fn connector(
    flaw: Flaw,
    memory: &Memory,
    inner: Arc<dyn connector_spi::Connector>,
    host: Arc<dyn connector_spi::Host>,
) -> Arc<dyn connector_spi::Connector> {
    Faulty::over(flaw, memory.clone(), inner, host)
}
