//! The program is killed at random moments, as its users can do it themselves.

use std::path::Path;
use std::process::{Command, Output};

use tidegate_crashtest::{Plan, run};

fn crashtest(folder: &Path, kills: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["crashtest", "--kills", kills, "--publishers", "12", "--seed", "5", "--data"]).arg(folder);
    command.output().expect("the program starts")
}

#[test]
fn after_20_kills_nothing_that_was_acknowledged_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let output = crashtest(folder.path(), "20");
    let said = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}\n{complaint}");
    assert!(said.contains("HELD: after 20 kills") && said.contains("nothing about power cuts"), "{said}");
}

#[test]
fn a_broker_that_writes_nothing_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        program: env!("CARGO_BIN_EXE_tidegate").into(),
        folder: folder.path().into(),
        kills: 20,
        seed: 1,
        publishers: 4,
        level: "memory".into(),
    };
    let verdict = run(&plan, &mut |_| {}).unwrap();
    assert!(!verdict.is_good());
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
