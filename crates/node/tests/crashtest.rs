//! The program is killed at random moments, as its users can do it themselves.

use std::path::Path;
use std::process::{Command, Output};

use tidegate_crashtest::{Outcome, Plan, run};

fn crashtest(folder: &Path, kills: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let options = ["--publishers", "6", "--backlog", "500", "--seed", "5", "--kills", kills, "--data"];
    command.arg("crashtest").args(options).arg(folder);
    command.output().expect("the program starts")
}

fn plan(folder: &Path, level: &str) -> Plan {
    Plan {
        program: env!("CARGO_BIN_EXE_tidegate").into(),
        folder: folder.into(),
        kills: 20,
        seed: 5,
        publishers: 12,
        backlog: 3_000,
        level: level.into(),
    }
}

#[test]
fn after_20_kills_nothing_that_was_acknowledged_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let verdict = run(&plan(folder.path(), "fsync"), &mut |_| {}).unwrap();
    assert_eq!(verdict.outcome(), Outcome::Held, "{verdict}");
    assert_eq!(verdict.kills(), 20);
    // Kills of an idle broker show nothing, and neither do kills of one with little to lose.
    assert!(verdict.kills_in_traffic() >= 14 && verdict.acknowledged() > 2_000, "{verdict}");
}

#[test]
fn the_command_says_how_it_ended_and_what_that_does_not_show() {
    let folder = tempfile::tempdir().unwrap();
    let output = crashtest(folder.path(), "2");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("HELD: after 2 kills") && said.contains("nothing about power cuts"), "{said}");
}

#[test]
fn a_broker_that_writes_nothing_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let verdict = run(&plan(folder.path(), "memory"), &mut |_| {}).unwrap();
    assert_eq!(verdict.outcome(), Outcome::Broken);
    assert!(verdict.to_string().contains("session_present is false"), "{verdict}");
}

#[test]
fn a_folder_with_something_else_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("letter.txt"), "dear").unwrap();
    let output = crashtest(folder.path(), "1");
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("no crashtest has made"), "{complaint}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
