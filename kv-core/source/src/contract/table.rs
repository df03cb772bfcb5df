//! The checks, by name and clause: one list, from which come the table, the dispatch and the tests.

use super::case::{Case, Held};
use super::subject::Subject;

/// One check of the suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// Its name: a function of one of this module's modules.
    pub name: &'static str,
    /// The clauses that it holds.
    pub clauses: &'static [&'static str],
}

/// Makes a test of each check of the suite, for one [`Subject`](crate::contract::Subject): a failure then names the
/// check, and with it the clause.
///
/// `skips` names the checks that do not apply to this store; a check that is skipped and not named fails, and so does
/// one that is named and held. Without it every skip is taken, and printed.
///
/// The tests are those of this flavour; where they await, their crate needs tokio with its features `macros` and
/// `rt-multi-thread`.
///
/// ```
/// use kv_source::Kv;
/// use kv_source::contract::{Setting, Subject};
/// use kv_source::stores::SimpleStore;
///
/// #[derive(Debug)]
/// struct Simple;
///
/// impl Subject for Simple {
///     fn open(&self, setting: &Setting) -> Kv {
///         Kv::new(setting.apply(SimpleStore::new()))
///     }
/// }
///
/// mod simple {
///     # #[cfg(any())]
///     kv_source::contract_tests!(super::Simple, skips: ["l1_entries_outlive_their_handle"]);
/// }
/// ```
#[macro_export]
macro_rules! contract_tests {
    ($subject:expr $(,)?) => {
        $crate::contract_tests! { @list tests [$subject, ::core::option::Option::None] }
    };
    ($subject:expr, skips: $skips:expr $(,)?) => {
        $crate::contract_tests! { @list tests [$subject, ::core::option::Option::Some(&$skips)] }
    };
    (@tests [$subject:expr, $skips:expr] $($module:ident::$name:ident [$($clause:literal),*])*) => {
        $(
            #[maybe_async::test(
                feature = "is_sync",
                async(not(feature = "is_sync"), tokio::test(flavor = "multi_thread", worker_threads = 2))
            )]
            async fn $name() {
                $crate::contract::test(stringify!($name), &$subject, $skips).await;
            }
        )*
    };
    (@table [] $($module:ident::$name:ident [$($clause:literal),*])*) => {
        /// Every check, in the order of the clauses.
        pub const CHECKS: &[Check] = &[$(Check { name: stringify!($name), clauses: &[$($clause),*] }),*];

        /// Opens the store, runs the check of that name, and removes what it left.
        #[maybe_async::maybe_async]
        pub(super) async fn run(name: &str, subject: &dyn Subject) -> Held {
            let case = Case::open(subject).await;
            let held = match name {
                $(stringify!($name) => super::$module::$name(&case).await,)*
                _ => panic!("{name} is no check of the suite"),
            };
            case.finish().await;
            held
        }
    };
    (@list $mode:ident $with:tt) => {
        $crate::contract_tests! { @$mode $with
            names::n1_bad_names_are_refused_by_every_operation ["N1"]
            names::n1_names_of_the_limit_are_taken ["N1", "N2"]
            names::n2_every_key_works_and_is_its_own ["N2", "N3"]
            names::n2_every_collection_works_and_is_its_own ["N2", "N3", "N5"]
            names::n3_joined_names_do_not_collide ["N3", "N5"]
            names::n4_no_name_leaves_its_space ["N4"]
            names::n5_listings_give_the_true_names ["N5", "N3"]
            names::n6_the_default_collection ["N6"]
            values::v2_json_comes_back_as_it_was ["V2", "V1"]
            values::v2_floats_come_back_bit_by_bit ["V2"]
            values::v2_integers_come_back_exactly ["V2"]
            values::v2_empty_values_are_values ["V2"]
            values::v2_bytes_come_back_as_they_were ["V2", "V1"]
            values::v2_large_values ["V2"]
            values::v2_what_json_cannot_say_is_refused ["V2"]
            values::v3_a_value_read_is_a_copy ["V3"]
            expiry::t1_instants_are_whole_microseconds ["T1"]
            expiry::t1_the_given_clock_judges ["T1", "T2", "T7"]
            expired::t2_before_its_instant_an_entry_is_there ["T2"]
            expired::t2_from_its_instant_an_entry_is_gone ["T2", "O5"]
            expired::t2_from_its_instant_no_condition_meets_an_entry ["T2", "C2"]
            expired::t2_from_its_instant_no_change_meets_an_entry ["T2", "C3"]
            expiry::t3_no_ttl_is_too_short_or_too_long ["T3"]
            expiry::t4_bad_ttls_are_refused ["T4"]
            expiry::t5_put_without_a_ttl_makes_permanent ["T5"]
            expiry::t5_a_new_ttl_takes_the_old_one_s_place ["T5", "T2"]
            expiry::t6_cull_frees_what_has_expired ["T6"]
            expiry::t6_writes_free_what_has_expired ["T6"]
            expiry::t7_created_is_the_given_clock_s_instant ["T7"]
            records::o1_put_replaces_the_whole_record ["O1"]
            records::o1_metadata_is_kept_beside_the_value ["O1"]
            changes::o1_get_and_put_replaces_the_whole_record ["O1"]
            records::o2_batches_are_read_in_order ["O2"]
            batches::o3_put_many_checks_all_before_it_writes_any ["O3"]
            batches::o3_of_double_keys_the_last_wins ["O3"]
            batches::o3_items_may_have_their_own_expiry ["O3", "C1"]
            batches::o3_a_batch_replaces_records_whole ["O3", "O1"]
            batches::o3_atomic_batches_do_not_mix ["O3"]
            records::o4_delete_tells_what_it_removed ["O4"]
            records::o4_delete_many_counts_live_entries_once ["O4"]
            listing::o5_pages_together_have_every_key ["O5"]
            listing::o5_filters_ask_for_keys ["O5"]
            listing::o5_collections_are_listed ["O5"]
            listing::o5_bad_limits_and_cursors_are_refused ["O5"]
            listing::o5_cursors_survive ["O5"]
            listing::o5_no_steady_key_is_lost_while_others_write ["O5"]
            listing::o5_long_listings_are_not_cut_short ["O5"]
            capabilities::order_is_of_bytes ["O5"]
            clearing::o6_clear_leaves_the_neighbours ["O6"]
            clearing::o6_delete_matching_removes_what_matches ["O6"]
            clearing::o6_destroy_leaves_other_spaces ["O6"]
            damage::o7_a_batch_reports_it_at_its_position ["O7"]
            damage::o7_a_listing_shows_its_key ["O7"]
            damage::o7_it_can_be_replaced_and_removed ["O7"]
            damage::o7_clear_removes_it ["O7", "O6"]
            conditions::c1_a_write_answers_the_revision_that_reads_give ["C1"]
            conditions::c1_every_change_gives_a_fresh_revision ["C1"]
            conditions::c1_modify_answers_before_and_after ["C1"]
            conditions::c2_conditions_are_what_they_say ["C2", "C1"]
            conditions::c2_deletes_take_conditions ["C2"]
            conditions::c2_a_conditional_write_replaces_the_whole_record ["C2", "T5"]
            changes::c2_swaps_compare_by_meaning ["C2"]
            changes::c2_update_goes_from_what_is_there ["C2"]
            concurrency::c2_concurrent_increments_all_count ["C2"]
            concurrency::c2_of_concurrent_claims_one_wins ["C2"]
            concurrency::c2_concurrent_swaps_happen_as_often_as_answered ["C2"]
            concurrency::c2_concurrent_updates_all_count ["C2"]
            concurrency::c2_of_concurrent_takers_one_gets_it ["C2"]
            concurrency::c2_concurrent_get_and_put_lose_and_double_nothing ["C2"]
            concurrency::c2_no_record_is_a_mixture ["C2", "L3"]
            changes::c3_increment_is_on_64_bits ["C3"]
            changes::c3_increment_refuses_what_is_no_integer ["C3"]
            changes::c3_changes_keep_what_they_do_not_name ["C3"]
            changes::c3_nothing_re_encodes_a_stored_document ["C3"]
            changes::c3_append_takes_like_after_like ["C3"]
            changes::c3_take_answers_and_removes ["C3"]
            conditions::c4_a_conflict_is_an_answer_and_changes_nothing ["C4"]
            errors::e1_errors_have_their_context ["E1"]
            errors::e1_no_value_is_shown ["E1"]
            errors::e2_an_outage_is_never_a_miss ["E2"]
            damage::e3_what_cannot_be_read_is_corrupted ["E3"]
            life::l1_concurrent_first_uses_work ["L1"]
            life::l1_a_store_can_be_closed_and_used_again ["L1"]
            life::l1_entries_outlive_their_handle ["L1"]
            errors::l1_a_failed_first_use_is_tried_again ["L1", "E2"]
            life::l3_handles_see_each_other_s_writes ["L3"]
            life::l3_handles_go_anywhere ["L3"]
            life::l4_a_dropped_operation_leaves_the_store_usable ["L4"]
            life::l6_seeds_write_only_what_is_absent ["L6"]
            capabilities::what_is_left_out_answers_unsupported []
            capabilities::capabilities_are_consistent []
            model::random_operations_agree_with_the_reference []
        }
    };
}

crate::contract_tests! { @list table [] }

/// The check of that name.
pub(super) fn find(name: &str) -> Option<&'static Check> {
    CHECKS.iter().find(|check| check.name == name)
}

#[cfg(test)]
mod tests {
    use super::super::{CLAUSES, HELD_ELSEWHERE};
    use super::*;

    #[test]
    fn every_clause_is_held_here_or_elsewhere() {
        for (clause, _) in CLAUSES {
            let here = CHECKS.iter().any(|check| check.clauses.contains(clause));
            let elsewhere = HELD_ELSEWHERE.iter().any(|(number, ..)| number == clause);
            assert!(here || elsewhere, "{clause} is held nowhere");
        }
        assert_eq!(CLAUSES.len(), 39);
    }

    #[test]
    fn checks_name_clauses_that_there_are_and_are_named_once() {
        for (number, check) in CHECKS.iter().enumerate() {
            assert!(CHECKS[..number].iter().all(|other| other.name != check.name), "{} stands twice", check.name);
            for clause in check.clauses {
                assert!(CLAUSES.iter().any(|(number, _)| number == clause), "{}: {clause}", check.name);
            }
            let first = check.clauses.first().map_or(String::new(), |clause| format!("{}_", clause.to_lowercase()));
            let named = check.name.starts_with(&first) || check.name == "order_is_of_bytes";
            assert!(named, "{} begins with its first clause", check.name);
        }
        assert!(HELD_ELSEWHERE.iter().all(|(clause, ..)| CLAUSES.iter().any(|(number, _)| number == clause)));
    }
}
