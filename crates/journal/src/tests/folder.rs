//! The folder: its lock, its format, its modes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use crate::format::format_text;
use crate::simulation::SimulatedDisk;
use crate::*;

use super::world::{Ear, Heard, small_options};

fn open(disk: Arc<dyn Disk>) -> Result<(Journal, Report, Heard), OpenError> {
    let mut heard = Heard::default();
    Journal::open(disk, small_options(), &mut heard).map(|(journal, report)| (journal, report, heard))
}

fn real(folder: &std::path::Path) -> Arc<dyn Disk> {
    Arc::new(RealDisk::create(folder).unwrap())
}

#[test]
fn files_are_their_owners_only() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data/journal");
    let (journal, ..) = open(real(&folder)).unwrap();
    let ear = Arc::new(Ear::default());
    let mut appender = journal.appender(Stream(1), ear);
    appender.push(Kind::State, b"secret").unwrap();
    appender.submit();
    drop(journal);
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    let mut files = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        files += 1;
    }
    assert!(files >= 4, "format, lock, manifest, a segment");
}

#[test]
fn what_was_submitted_before_the_journal_is_dropped_is_there() {
    let parent = tempfile::tempdir().unwrap();
    let (journal, ..) = open(real(parent.path())).unwrap();
    let mut appender = journal.appender(Stream(1), Arc::new(Ear::default()));
    for number in 0..100 {
        appender.push(Kind::Message, format!("{number}").as_bytes()).unwrap();
        appender.submit();
    }
    drop(journal);
    let (_journal, report, heard) = open(real(parent.path())).unwrap();
    assert_eq!(heard.texts(), (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!((report.torn_bytes, report.damages_total), (0, 0));
}

#[test]
fn a_second_process_is_kept_out_and_told_who_has_it() {
    let parent = tempfile::tempdir().unwrap();
    let (journal, ..) = open(real(parent.path())).unwrap();
    // A lock belongs to an open file, so a second one in this process is refused just as another process is.
    match open(real(parent.path())) {
        Err(OpenError::Locked { pid }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{:?}", other.map(|(_, report, _)| report)),
    }
    drop(journal);
    open(real(parent.path())).unwrap();
}

#[test]
fn a_folder_of_a_newer_program_is_refused_and_stays_as_it_is() {
    let disk = SimulatedDisk::new(1);
    let (journal, ..) = open(Arc::new(disk.clone())).unwrap();
    drop(journal);
    disk.put("format", format_text(2).as_bytes());
    let content = |disk: &SimulatedDisk| -> Vec<_> {
        disk.names().into_iter().map(|name| (disk.content(&name), name)).collect()
    };
    let before = content(&disk);
    match open(Arc::new(disk.clone())) {
        Err(OpenError::Newer { found: 2, known: 1 }) => {}
        other => panic!("{:?}", other.map(|(_, report, _)| report)),
    }
    assert_eq!(content(&disk), before);
}

#[test]
fn a_lost_format_file_is_reported_and_written_anew() {
    let disk = SimulatedDisk::new(1);
    let (journal, ..) = open(Arc::new(disk.clone())).unwrap();
    let mut appender = journal.appender(Stream(1), Arc::new(Ear::default()));
    appender.push(Kind::State, b"x").unwrap();
    appender.submit();
    drop(journal);
    disk.put("format", b"garbage");
    let (journal, report, heard) = open(Arc::new(disk.clone())).unwrap();
    assert_eq!(heard.texts(), ["x"]);
    assert_eq!(report.damages[0].what, Flaw::Format);
    assert!(disk.names().iter().any(|name| name.starts_with("quarantine/format-")));
    drop(journal);
    let (_journal, report, _) = open(Arc::new(disk)).unwrap();
    assert_eq!(report.damages_total, 0);
}
