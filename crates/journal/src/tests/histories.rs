//! Random histories against a model: owners with state and messages, on a disk that fails in every way it can, through many
//! lives. After each restart an independent checker compares what is replayed with what was promised.
//!
//! A failing history names its seed; `HISTORY=<seed>` runs that one alone (`one_history`).

mod acting;
mod checker;
mod history;
mod met;
mod mutation;
mod owner;
mod references;
mod together;

use std::fmt::Write;

use crate::simulation::Faults;

use history::{History, Plan};
use met::Met;

/// Histories for each test. Tests run beside each other.
const HISTORIES: u64 = 2000;

fn all_hold(plan: Plan, first: u64) -> Met {
    let mut met = Met::default();
    let mut broken = String::new();
    for seed in first..first + HISTORIES {
        match History::run(plan, seed) {
            Ok(more) => met = met + more,
            Err(violation) => writeln!(broken, "seed {seed}: {violation}").unwrap(),
        }
    }
    assert!(broken.is_empty(), "{plan:?}\n{broken}");
    met
}

/// How many of a few histories break a promise.
fn violations(plan: Plan) -> usize {
    (0..100).filter(|seed| History::run(plan, *seed).is_err()).count()
}

const SOUND: Plan = Plan {
    faults: NO_FAULTS,
    power_cuts: true,
    may_die_anywhere: true,
    synced: true,
    flips: false,
    mutations: false,
    forgetful: false,
};

const NO_FAULTS: Faults = Faults {
    write_fails: 0,
    write_is_short: 0,
    sync_fails: 0,
    read_fails: 0,
    folder_fails: 0,
    space: None,
    lies: false,
};

#[test]
fn promises_hold_over_power_cuts() {
    let met = all_hold(SOUND, 0);
    // Otherwise these histories would show nothing.
    let enough = [
        met.committed > 50_000,
        met.checkpoints > 500,
        met.evacuated > 500,
        met.shared > 2000,
        met.torn > 20,
        met.read > 20_000,
        met.freed > 300,
    ];
    assert!(enough.iter().all(|enough| *enough), "{met:?}");
}

#[test]
fn promises_hold_over_power_cuts_too() {
    all_hold(SOUND, 10_000);
}

#[test]
fn promises_hold_over_kills_without_syncs() {
    all_hold(Plan { power_cuts: false, synced: false, ..SOUND }, 20_000);
}

#[test]
fn promises_hold_with_failing_syncs() {
    all_hold(Plan { faults: Faults { sync_fails: 100, ..NO_FAULTS }, ..SOUND }, 30_000);
}

#[test]
fn promises_hold_with_failing_and_short_writes() {
    let faults = Faults { write_fails: 80, write_is_short: 200, ..NO_FAULTS };
    all_hold(Plan { faults, ..SOUND }, 40_000);
}

#[test]
fn promises_hold_with_a_failing_folder() {
    all_hold(Plan { faults: Faults { folder_fails: 150, ..NO_FAULTS }, ..SOUND }, 50_000);
}

#[test]
fn promises_hold_on_a_disk_that_runs_full() {
    all_hold(Plan { faults: Faults { space: Some(40_000), ..NO_FAULTS }, ..SOUND }, 60_000);
}

#[test]
fn promises_hold_when_everything_fails() {
    let faults = Faults {
        write_fails: 40,
        write_is_short: 100,
        sync_fails: 40,
        folder_fails: 40,
        space: Some(120_000),
        ..NO_FAULTS
    };
    let met = all_hold(Plan { faults, ..SOUND }, 70_000);
    let enough = [met.committed > 20_000, met.failed > 5000, met.checkpoints > 200, met.evacuated > 200];
    assert!(enough.iter().all(|enough| *enough), "{met:?}");
}

#[test]
fn flipped_bits_are_never_taken_for_records_and_never_go_unnoticed() {
    let met = all_hold(Plan { flips: true, ..SOUND }, 80_000);
    assert!(met.damages > 300 && met.previous_checkpoints > 20, "{met:?}");
}

#[test]
fn whatever_is_done_to_the_files_the_journal_opens_and_invents_nothing() {
    all_hold(Plan { mutations: true, ..SOUND }, 90_000);
}

#[test]
fn a_disk_that_lies_about_syncs_is_found_out() {
    let found = violations(Plan { faults: Faults { lies: true, ..NO_FAULTS }, ..SOUND });
    assert!(found > 30, "{found} of 100: the checker would not notice a missing sync");
}

#[test]
fn a_journal_that_does_not_sync_is_found_out() {
    let found = violations(Plan { synced: false, ..SOUND });
    assert!(found > 30, "{found} of 100: the checker would not notice a missing sync");
}

#[test]
fn an_owner_that_forgets_to_mark_is_found_out() {
    let found = violations(Plan { forgetful: true, ..SOUND });
    assert!(found > 10, "{found} of 100: the checker would not notice a segment that is freed too early");
}

#[test]
fn one_history() {
    let seed = std::env::var("HISTORY").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    History::run(SOUND, seed).unwrap();
}
