//! The program and its journal: what survives a kill, who may have the folder, what damage does.

mod client;
mod full_disk;
mod long_queue;
mod order_of_sync;
mod serving;
mod trace;

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serving::{Serving, command};

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path());
    serving.client("keeps", false).subscribe("t/#");
    let mut publisher = serving.client("p", true);
    for number in 0..50 {
        publisher.publish("t/1", &number.to_string(), false);
    }
    publisher.publish("state", "on", true);
    serving.kill();

    let serving = Serving::start(folder.path());
    let mut keeps = serving.client("keeps", false);
    assert!(keeps.session_present);
    for number in 0..50 {
        assert_eq!(keeps.payload(), number.to_string());
    }
    keeps.subscribe("state");
    assert_eq!(keeps.payload(), "on");
    keeps.subscribe("$SYS/broker/journal/health");
    assert_eq!(keeps.payload(), "good");
}

#[test]
fn a_second_broker_on_the_same_data_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path());
    let output = command(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).unwrap();
    let pid = serving.pid();
    assert!(complaint.contains("N0204") && complaint.contains(&format!("process {pid}")), "{complaint}");
    assert!(complaint.contains("TIDEGATE_DATA_DIR"), "{complaint}");
    serving.client("c", true).publish("t", "it goes on", false);
}

#[test]
fn the_level_memory_writes_no_journal() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = command(folder.path())
        .env("TIDEGATE_JOURNAL__LEVEL", "memory")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("listening")));
    let written = folder.path().join("journal").exists();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!written);
}

#[test]
fn damage_is_told_and_kept_and_the_rest_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path());
    serving.client("keeps", false).subscribe("t");
    let mut publisher = serving.client("p", true);
    for payload in ["first", "the damaged one", "last"] {
        publisher.publish("t", payload, false);
    }
    serving.kill();
    let segment = segments(folder.path()).remove(0);
    damage(&segment, b"the damaged one");

    let serving = Serving::start(folder.path());
    let mut keeps = serving.client("keeps", false);
    assert_eq!((keeps.payload(), keeps.payload()), ("first".to_owned(), "last".to_owned()));
    keeps.subscribe("$SYS/broker/journal/damaged");
    assert_ne!(keeps.payload(), "0");
    let quarantine = folder.path().join("journal/quarantine");
    assert!(fs::read_dir(quarantine).unwrap().count() > 0, "the evidence is kept");
}

#[test]
fn what_a_newer_program_has_written_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    Serving::start(folder.path()).kill();
    assert_eq!(fs::read_to_string(folder.path().join("version")).unwrap(), "1\n");
    fs::write(folder.path().join("version"), "2\n").unwrap();
    let before = fs::read(segments(folder.path()).remove(0)).unwrap();
    let output = command(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("has version 2") && complaint.contains("newer program"), "{complaint}");
    assert!(fs::read(segments(folder.path()).remove(0)).unwrap() == before);
}

fn segments(data: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(data.join("journal"))
        .expect("the system allows it")
        .map(|entry| entry.expect("the system allows it").path());
    let mut segments: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|it| it == "log")).collect();
    segments.sort();
    segments
}

/// Flips a bit in the first place that holds `what`.
fn damage(file: &Path, what: &[u8]) {
    let mut file = OpenOptions::new().read(true).write(true).open(file).expect("the system allows it");
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).expect("the system allows it");
    let at = bytes.windows(what.len()).position(|window| window == what).expect("it was written");
    file.seek(SeekFrom::Start(at as u64)).expect("the system allows it");
    file.write_all(&[bytes[at] ^ 1]).expect("the system allows it");
}
