//! How many links of each lane a target's workers take.

use gateway_store::Slots;

/// The slots to claim for, with `busy` calls under way out of `size`, of which one is the leaver lane's own and one is never
/// bulk's. `ready` bounds what the target takes at the moment.
#[must_use]
pub(crate) fn slots(size: u32, busy: Busy, ready: u32) -> Slots {
    let total = size.saturating_sub(busy.total).min(ready);
    let other = size.saturating_sub(1).max(1).saturating_sub(busy.other);
    let bulk = size.saturating_sub(2).max(1).saturating_sub(busy.bulk);
    Slots { total, other: other.min(total), bulk: bulk.min(other).min(total) }
}

/// Calls under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Busy {
    /// In all lanes.
    pub total: u32,
    /// Not closings.
    pub other: u32,
    /// Of the bulk lane.
    pub bulk: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaver_finds_a_slot_however_busy_the_rest_is() {
        let busy = Busy { total: 7, other: 7, bulk: 6 };
        assert_eq!(slots(8, busy, 8), Slots { total: 1, other: 0, bulk: 0 });
    }

    #[test]
    fn somebody_who_waits_finds_a_slot_beside_bulk_work() {
        let busy = Busy { total: 6, other: 6, bulk: 6 };
        assert_eq!(slots(8, busy, 8), Slots { total: 2, other: 1, bulk: 0 });
    }

    #[test]
    fn one_slot_serves_all_lanes() {
        assert_eq!(slots(1, Busy::default(), 1), Slots { total: 1, other: 1, bulk: 1 });
    }

    #[test]
    fn a_target_that_is_not_ready_is_left_alone() {
        assert_eq!(slots(8, Busy::default(), 0).total, 0);
    }
}
