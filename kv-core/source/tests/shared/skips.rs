//! Checks of the suite to which stores of a kind cannot be put.

/// What a store in this process's memory has none of.
pub(crate) const IN_PROCESS: [&str; 9] = [
    "o3_atomic_batches_do_not_mix",
    "o7_a_batch_reports_it_at_its_position",
    "o7_a_listing_shows_its_key",
    "o7_it_can_be_replaced_and_removed",
    "o7_clear_removes_it",
    "e2_an_outage_is_never_a_miss",
    "e3_what_cannot_be_read_is_corrupted",
    "l1_entries_outlive_their_handle",
    "l1_a_failed_first_use_is_tried_again",
];
