//! The suite can fail: stores that are wrong in one way each, and the checks that tell.
#![cfg(feature = "contract")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod wrong;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use kv_source::contract::{Deviation, Outcome, Setting, Subject, check, check_all};
use kv_source::stores::SimpleDriver;
use kv_source::{Kv, Managed, Name, PutOptions, ValueRef};

use wrong::Fault::{self, *};
use wrong::{DAMAGED, Wrong};

/// A wrong store under test.
#[derive(Debug)]
struct Mutant {
    fault: Fault,
    drivers: Mutex<HashMap<String, Arc<SimpleDriver>>>,
    cut_off: Mutex<HashMap<String, Arc<AtomicBool>>>,
}

impl Mutant {
    fn new(fault: Fault) -> Self {
        Self { fault, drivers: Mutex::default(), cut_off: Mutex::default() }
    }

    fn flag(&self, setting: &Setting) -> Arc<AtomicBool> {
        Arc::clone(self.cut_off.lock().unwrap().entry(setting.space.clone()).or_default())
    }
}

#[maybe_async::maybe_async]
impl Subject for Mutant {
    fn open(&self, setting: &Setting) -> Kv {
        let space = if self.fault == LeavesItsSpace { &setting.space[..20] } else { setting.space.as_str() };
        let inner = Arc::clone(self.drivers.lock().unwrap().entry(space.to_owned()).or_default());
        let wrong = Wrong { inner, fault: self.fault, cut_off: self.flag(setting) };
        Kv::new(setting.apply(Managed::from_driver(wrong)))
    }

    async fn damage(&self, setting: &Setting, name: Name<'_>) -> bool {
        let damaged = ValueRef::Json(DAMAGED);
        let c = self.open(setting).collection(name.collection);
        c.put_value(name.key, damaged, &PutOptions::default()).await.is_ok()
    }

    async fn cut_off(&self, setting: &Setting, off: bool) -> bool {
        self.flag(setting).store(off, Ordering::SeqCst);
        true
    }
}

/// Every fault, and checks that must tell it.
const TELL: &[(Fault, &[&str])] = &[
    (JoinsNames, &["n3_joined_names_do_not_collide"]),
    (FoldsCase, &["n2_every_key_works_and_is_its_own", "n5_listings_give_the_true_names"]),
    (CutsNames, &["n2_every_key_works_and_is_its_own"]),
    (LeavesItsSpace, &["n4_no_name_leaves_its_space", "o6_destroy_leaves_other_spaces"]),
    (ParsesNumbers, &["v2_json_comes_back_as_it_was", "v2_integers_come_back_exactly", MODEL]),
    (TakesEmptyForAbsent, &["v2_empty_values_are_values", MODEL]),
    (RoundsInstantsDown, &["t1_instants_are_whole_microseconds", "t1_the_given_clock_judges"]),
    (ListsExpired, &["t2_from_its_instant_an_entry_is_gone", "o5_long_listings_are_not_cut_short", MODEL]),
    (DeletesExpired, &["t2_from_its_instant_an_entry_is_gone", "o4_delete_many_counts_live_entries_once", MODEL]),
    (
        MeetsExpired,
        &["t2_from_its_instant_no_condition_meets_an_entry", "t2_from_its_instant_no_change_meets_an_entry"],
    ),
    (KeepsTheOldTtl, &["t5_put_without_a_ttl_makes_permanent", "o1_put_replaces_the_whole_record", MODEL]),
    (FreesNothing, &["t6_cull_frees_what_has_expired"]),
    (LosesMetadataOnTouch, &["c3_changes_keep_what_they_do_not_name", MODEL]),
    (AnswersOutOfOrder, &["o2_batches_are_read_in_order", MODEL]),
    (TheFirstOfDoubleKeysWins, &["o3_of_double_keys_the_last_wins", MODEL]),
    (CountsDoubleDeletes, &["o4_delete_many_counts_live_entries_once", MODEL]),
    (LosesALineOfAPage, &["o5_pages_together_have_every_key", "o5_no_steady_key_is_lost_while_others_write", MODEL]),
    (ListsByOffset, &["o5_cursors_survive"]),
    (ExceedsTheLimit, &["o5_pages_together_have_every_key"]),
    (ClearsNeighbours, &["o6_clear_leaves_the_neighbours"]),
    (HidesABatchBehindOneRecord, &["o7_a_batch_reports_it_at_its_position"]),
    (MissesForOutage, &["e2_an_outage_is_never_a_miss"]),
    (MissesForDamage, &["e3_what_cannot_be_read_is_corrupted", "o7_a_batch_reports_it_at_its_position"]),
    (RepeatsRevisions, &["c1_every_change_gives_a_fresh_revision", "c2_conditions_are_what_they_say"]),
    (IgnoresRevisions, &["c2_conditions_are_what_they_say", "c4_a_conflict_is_an_answer_and_changes_nothing", MODEL]),
    (ModifiesInTwoSteps, &["c2_concurrent_increments_all_count", "c2_concurrent_get_and_put_lose_and_double_nothing"]),
    (WrapsAround, &["c3_increment_is_on_64_bits", MODEL]),
    (ReEncodes, &["c3_nothing_re_encodes_a_stored_document", MODEL]),
    (ForgetsCreated, &["t7_created_is_the_given_clock_s_instant", "c3_changes_keep_what_they_do_not_name", MODEL]),
    (
        ConflictsAreErrors,
        &["c4_a_conflict_is_an_answer_and_changes_nothing", "c2_of_concurrent_claims_one_wins", MODEL],
    ),
    (ShowsValues, &["e1_no_value_is_shown"]),
    (SaysItHasNoConditions, &["what_is_left_out_answers_unsupported"]),
    (DoesNothingSilently, &["what_is_left_out_answers_unsupported"]),
];

const MODEL: &str = "random_operations_agree_with_the_reference";

#[maybe_async::test(
    feature = "is_sync",
    async(not(feature = "is_sync"), tokio::test(flavor = "multi_thread", worker_threads = 2))
)]
async fn what_is_not_wrong_passes() {
    let report = check_all(&Mutant::new(Nothing)).await;
    report.assert_held();
    assert_eq!(
        report.skipped(),
        ["o3_atomic_batches_do_not_mix", "l1_entries_outlive_their_handle"],
        "a subject that helps has nearly all checked: {report}"
    );
}

#[maybe_async::test(
    feature = "is_sync",
    async(not(feature = "is_sync"), tokio::test(flavor = "multi_thread", worker_threads = 2))
)]
async fn every_fault_is_told_by_the_check_of_its_clause() {
    let mut untold = Vec::new();
    for (fault, checks) in TELL {
        for name in *checks {
            let outcome = check(name, &Mutant::new(*fault)).await;
            if !matches!(outcome, Outcome::Failed(_)) {
                untold.push(format!("{fault:?} is not told by {name}: {outcome:?}"));
            }
        }
    }
    assert!(untold.is_empty(), "{untold:#?}");
}

/// A deviation is skipped, and told in the report.
#[derive(Debug)]
struct Declared(Mutant);

impl Subject for Declared {
    fn open(&self, setting: &Setting) -> Kv {
        self.0.open(setting)
    }

    fn deviations(&self) -> Vec<Deviation> {
        vec![Deviation { check: "t6_cull_frees_what_has_expired", why: "it keeps everything, see its own tests" }]
    }
}

#[maybe_async::test(
    feature = "is_sync",
    async(not(feature = "is_sync"), tokio::test(flavor = "multi_thread", worker_threads = 2))
)]
async fn what_deviates_on_purpose_does_not_fail() {
    let report = check_all(&Declared(Mutant::new(FreesNothing))).await;
    assert_eq!(report.failed(), [""; 0], "{report}");
    let text = report.to_string();
    assert!(text.contains("deviates t6_cull_frees_what_has_expired: it keeps everything"), "{text}");
    assert!(text.contains("Simple: ") && text.contains("skipped  e3_"), "{text}");
    let report = check_all(&Mutant::new(FreesNothing)).await;
    assert_eq!(report.failed(), ["t6_cull_frees_what_has_expired"], "{report}");
}
