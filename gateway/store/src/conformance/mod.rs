//! The suite that every store runs: one function for each sentence about its behaviour.
//!
//! A store's tests call [`store_conformance!`](crate::store_conformance) with a function that opens an empty one. The functions
//! panic when a sentence does not hold; nothing here runs in the product.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod claims;
pub mod commits;
pub mod groups;
pub mod lists;
pub mod members;
pub mod operations;

use crate::{AssertionWrite, Change, Committed, Expect, LinkWrite, Needs, Result, Snapshot, Store, View, Write};
use gateway_domain::index::{self, Plan};
use gateway_domain::{Action, AuditEntry, Clock, Lane, LinkKey, ResourceId, SourceId, Wanted};
use jiff::Timestamp;
use scim::{Member, MemberOp, Object, Resource, ResourceType, Types};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A clock that only moves when told to.
#[derive(Debug)]
pub struct TestClock(Mutex<Timestamp>);

impl TestClock {
    /// At noon of a day that means nothing.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Timestamp::from_second(1_800_000_000).unwrap())))
    }

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(by).unwrap();
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// A store with what its tests need beside it.
pub struct World<'s> {
    /// The store.
    pub store: &'s dyn Store,
    /// Its clock.
    pub clock: Arc<TestClock>,
    /// The resource types.
    pub types: Types,
}

impl<'s> World<'s> {
    /// Around an empty store that was opened with this clock.
    #[must_use]
    pub fn new(store: &'s dyn Store, clock: Arc<TestClock>) -> Self {
        Self { store, clock, types: Types::built_in() }
    }

    /// The instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What a request of the source `feed` changes, with everything beside the row left empty.
    #[must_use]
    pub fn change(&self, ty: &str, id: &str, expect: Expect, write: Write) -> Change {
        Change {
            ty: ty.into(),
            id: id.into(),
            expect,
            policy_epoch: 0,
            write,
            source: "feed".into(),
            assertion: None,
            members: Vec::new(),
            sweep_members: false,
            sweep: None,
            links: Vec::new(),
            next_change_at: None,
            audit: self.entry(Action::Update, id),
            now: self.now(),
        }
    }

    /// An audit entry about a resource.
    #[must_use]
    pub fn entry(&self, action: Action, id: &str) -> AuditEntry {
        AuditEntry {
            at: self.now(),
            actor: "source:feed".into(),
            action,
            resource: Some(id.into()),
            subject: "User".into(),
            version: 1,
            detail: String::new(),
        }
    }

    /// A resource type.
    #[must_use]
    pub fn ty(&self, name: &str) -> Arc<ResourceType> {
        self.types.by_name(name).unwrap().clone()
    }

    /// Index entries as the gateway makes them.
    #[must_use]
    pub fn index(&self, ty: &str, attrs: &Object, external: Option<&str>) -> Vec<crate::Index> {
        let external = external.map(|text| (SourceId::from("feed"), text.to_owned())).into_iter().collect();
        Plan::of(&self.ty(ty)).entries(&Resource { attrs: attrs.clone() }, &external)
    }

    /// A create.
    #[must_use]
    pub fn creation(&self, ty: &str, id: &str, attrs: Value) -> Change {
        let attrs = object(attrs);
        let index = self.index(ty, &attrs, None);
        let write = Write::Put { attrs, index, unindex: Vec::new() };
        Change { audit: self.entry(Action::Create, id), ..self.change(ty, id, Expect::Absent, write) }
    }

    /// A create by a source that has its own name for it.
    #[must_use]
    pub fn named_creation(&self, ty: &str, id: &str, attrs: Value, external: &str) -> Change {
        let attrs = object(attrs);
        let index = self.index(ty, &attrs, Some(external));
        let mut change = self.creation(ty, id, Value::Object(attrs.clone()));
        change.assertion = Some(AssertionWrite::Put { attrs: attrs.clone(), external_id: Some(external.into()) });
        change.write = Write::Put { attrs, index, unindex: Vec::new() };
        change
    }

    /// A user is created.
    pub async fn user(&self, id: &str, attrs: Value) -> Committed {
        self.store.commit(self.creation("User", id, attrs)).await.unwrap()
    }

    /// A user of this name is created.
    pub async fn person(&self, id: &str) -> Committed {
        self.user(id, json!({ "userName": id })).await
    }

    /// A group with these members is created.
    pub async fn group(&self, id: &str, members: &[&str]) -> Committed {
        let mut change = self.creation("Group", id, json!({ "displayName": id }));
        change.members = vec![MemberOp::Add(as_members(members))];
        self.store.commit(change).await.unwrap()
    }

    /// A resource gets other attributes.
    pub async fn put(&self, ty: &str, id: &str, attrs: Value) -> Result<Committed> {
        let snapshot = self.snapshot(ty, id).await;
        let old = snapshot.resource.unwrap();
        let attrs = object(attrs);
        let (before, after) = (self.index(ty, &old.attrs, None), self.index(ty, &attrs, None));
        let (index, unindex) = index::difference(&before, &after);
        let expect = Expect::Version { version: old.version, groups: None };
        self.store.commit(self.change(ty, id, expect, Write::Put { attrs, index, unindex })).await
    }

    /// A group's members change.
    pub async fn members(&self, id: &str, ops: Vec<MemberOp>) -> Result<Committed> {
        let change = self.member_change(id, ops).await;
        self.store.commit(change).await
    }

    /// The same, uncommitted.
    pub async fn member_change(&self, id: &str, ops: Vec<MemberOp>) -> Change {
        let version = self.snapshot("Group", id).await.resource.unwrap().version;
        let expect = Expect::Version { version, groups: None };
        Change { members: ops, ..self.change("Group", id, expect, Write::Members) }
    }

    /// A resource is deleted.
    pub async fn delete(&self, ty: &str, id: &str) -> Committed {
        let version = self.snapshot(ty, id).await.resource.unwrap().version;
        let expect = Expect::Version { version, groups: None };
        self.store.commit(self.change(ty, id, expect, Write::Delete)).await.unwrap()
    }

    /// What a decision about it would see.
    pub async fn snapshot(&self, ty: &str, id: &str) -> Snapshot {
        self.store.snapshot(ty, &id.into()).await.unwrap()
    }

    /// The resource with everything beside it.
    pub async fn view(&self, ty: &str, id: &str) -> Option<View> {
        self.store.view(ty, &id.into(), Needs { members: true, groups: true, links: true }).await.unwrap()
    }

    /// The ids of a group's members.
    pub async fn member_ids(&self, id: &str) -> Vec<String> {
        self.view("Group", id).await.unwrap().members.iter().map(|member| member.id.to_string()).collect()
    }

    /// A new link of a resource, due now.
    #[must_use]
    pub fn link(&self, resource: &str, target: &str, lane: Lane) -> LinkWrite {
        LinkWrite {
            key: key(resource, target),
            expect_generation: 0,
            wanted: Some(wanted(1)),
            state: None,
            lane,
            due_at: Some(self.now()),
            error: None,
            order_key: format!("uid={resource}"),
        }
    }

    /// A user with one link is created; the link's number.
    pub async fn linked(&self, id: &str, target: &str, lane: Lane) -> i64 {
        let mut change = self.creation("User", id, json!({ "userName": id }));
        change.links = vec![self.link(id, target, lane)];
        self.store.commit(change).await.unwrap().links[0]
    }
}

/// A link's key.
#[must_use]
pub fn key(resource: &str, target: &str) -> LinkKey {
    LinkKey { resource: resource.into(), target: target.into(), kind: "account".into(), purpose: String::new() }
}

/// A wanted state, different for each number.
#[must_use]
pub fn wanted(number: u32) -> Wanted {
    serde_json::from_value(json!({ "state": "enabled", "attrs": { "cn": [number.to_string()] } })).unwrap()
}

/// A JSON object.
#[must_use]
pub fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

/// Members by id.
#[must_use]
pub fn as_members(ids: &[&str]) -> Vec<Member> {
    ids.iter().map(|id| Member { value: (*id).to_owned(), display: None, kind: None }).collect()
}

/// Ids as texts.
#[must_use]
pub fn texts(ids: &[ResourceId]) -> Vec<&str> {
    ids.iter().map(ResourceId::as_str).collect()
}

/// Makes one test of each sentence, for a store.
///
/// `$open` is an `async fn(Arc<dyn Clock>) -> (impl Store, impl Sized)`: an empty store and what must outlive it.
#[macro_export]
macro_rules! store_conformance {
    ($open:path) => {
        $crate::store_conformance! { $open; commits:
            what_was_committed_is_read_at_once
            a_create_of_what_exists_is_stale
            a_change_of_an_old_version_is_stale
            a_change_computed_from_other_groups_is_stale
            a_change_under_another_policy_is_stale
            a_unique_value_is_refused_to_a_second_resource
            a_freed_value_may_be_taken_again
            a_resource_may_keep_its_own_unique_value
            a_failed_write_leaves_nothing_behind
            concurrent_callers_fail_each_on_their_own
            audit_rows_have_no_gaps_and_chain
            what_each_source_says_is_kept_apart
            sources_may_use_one_name_for_two_resources
            links_outlive_their_resource
            keeping_the_row_keeps_its_version
            a_resource_to_look_at_again_is_found_when_its_time_has_come
            a_resource_is_only_seen_as_its_own_type
        }
        $crate::store_conformance! { $open; members:
            members_come_in_the_order_they_were_added
            adding_who_is_there_is_no_new_version
            removing_who_is_absent_is_no_new_version
            adding_and_removing_again_is_no_new_version
            an_unknown_member_is_refused_and_nothing_is_written
            a_group_cannot_contain_itself
            a_group_cannot_contain_itself_through_others
            members_are_removed_by_filter
            replacing_members_leaves_the_common_ones_in_place
            removing_all_members_empties_the_group
            operations_are_applied_in_order
            a_deleted_user_is_in_no_group
            groups_through_groups_are_not_direct
            a_change_of_members_moves_no_members_version
            a_sweep_names_only_whom_the_change_touched
            a_sweep_of_many_is_split
            a_deleted_groups_members_are_swept
        }
        $crate::store_conformance! { $open; claims:
            a_due_link_is_claimed_once
            what_is_about_to_be_sent_is_recorded_with_the_claim
            the_most_urgent_lane_comes_first
            no_lane_gets_more_than_its_slots
            links_of_one_natural_key_are_worked_one_at_a_time
            links_without_a_natural_key_do_not_wait
            a_deleted_and_a_new_resource_wait_for_each_other
            a_tombstone_lets_go_of_what_was_taken_over
            a_link_is_not_claimed_before_it_is_due
            a_lease_that_ran_out_is_given_out_again_with_a_higher_fence
            an_old_fence_cannot_settle
            a_settled_link_is_done
            a_link_whose_generation_moved_on_stays_due
            a_deletion_during_a_call_stays_a_tombstone
            what_is_parked_or_disputed_is_not_claimed
            a_failed_attempt_waits_until_it_is_due
            leases_of_an_earlier_process_are_given_back
            a_write_computed_from_an_old_generation_is_stale
            the_next_due_instant_is_told
        }
        $crate::store_conformance! { $open; groups:
            a_new_group_in_a_target_is_given_the_members_who_have_an_account
            many_members_are_handed_out_in_parts
            who_gets_an_account_later_makes_the_group_due
            who_leaves_a_group_is_taken_out
            who_came_and_went_before_anything_was_sent_is_not_spoken_of
            an_addition_whose_outcome_is_not_known_is_taken_back
            a_removal_whose_outcome_is_not_known_is_made_good
            a_failed_call_leaves_the_same_members_to_carry
            members_that_came_while_a_call_ran_make_the_group_due_again
            members_of_groups_inside_are_members
            who_is_in_by_two_ways_stays_until_both_are_gone
            a_deleted_group_takes_its_members_out_of_those_around_it
            a_closed_account_is_in_no_group_until_it_is_opened_again
            a_closed_account_that_loses_nothing_stays_in_its_groups
            a_deleted_users_account_is_taken_out
            an_account_with_another_id_is_put_in_anew
            an_id_that_went_to_another_member_is_not_taken_out
            a_group_that_is_closed_carries_nobody_until_it_is_open_again
            a_group_made_anew_in_its_target_is_given_everybody_again
            a_deleted_group_carries_nobody
            a_change_of_members_is_told_with_the_groups_link
        }
        $crate::store_conformance! { $open; lists:
            pages_by_index_cover_everything_once
            pages_by_cursor_cover_everything_once
            a_page_back_is_the_page_before
            a_deleted_resource_makes_no_other_one_vanish
            an_index_beyond_the_end_is_an_empty_page
            a_count_of_zero_tells_only_the_total
            deleted_resources_do_not_count
            an_equality_finds_any_letter_case_where_the_schema_says_so
            terms_without_an_index_are_judged_too
            alternatives_are_united
            a_prefix_is_found
            an_id_is_found
            an_e_mail_address_is_found_with_its_type
            each_source_finds_by_its_own_name
            groups_are_found_by_member
            users_are_found_by_group
            meta_attributes_filter
            a_sorted_listing_has_missing_values_last
            a_descending_listing_is_the_exact_reverse
            a_sorted_listing_is_paged_without_repeats
            a_sorted_and_filtered_listing_is_paged_without_repeats
            dates_are_sorted_as_moments
            several_types_are_listed_together
            a_query_that_takes_too_long_is_given_up
            only_what_is_needed_is_read
        }
        $crate::store_conformance! { $open; operations:
            another_policy_raises_the_epoch_and_sweeps_everybody
            a_sweep_goes_on_from_its_cursor
            a_sweep_over_a_group_reaches_groups_inside_it
            links_of_a_target_that_left_are_detached_until_it_returns
            a_retried_link_is_due_at_once
            assignments_count_people_once_and_closed_links_not
            an_account_has_a_holder_also_as_a_tombstone
            links_are_found_by_what_is_asked
            a_status_counts_what_stands
            a_closing_is_unverified_until_it_is_proved
            a_token_is_kept_until_it_is_revoked
            the_store_says_that_it_is_well
        }
    };
    ($open:path; $group:ident: $($sentence:ident)*) => {
        mod $group {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $sentence() {
                    let clock = $crate::conformance::TestClock::new();
                    let (store, _kept) = $open(clock.clone()).await;
                    let world = $crate::conformance::World::new(&store, clock);
                    $crate::conformance::$group::$sentence(&world).await;
                }
            )*
        }
    };
}
