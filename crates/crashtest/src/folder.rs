//! The folder of a test: the broker's configuration, its data, its log, and a file that says whose folder this is.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::Trouble;

/// A folder that is ours until the test ends.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// Locked.
    mark: File,
}

impl Folder {
    /// Makes the folder, or empties the one of an earlier test that found nothing wrong.
    pub(crate) fn prepare(path: &Path, level: &str) -> Result<Self, Trouble> {
        let shown = path.display();
        fs::create_dir_all(path).map_err(Trouble::of(format!("{shown} cannot be made")))?;
        let path = path.canonicalize().map_err(Trouble::of(format!("{shown} cannot be opened")))?;
        let entries = fs::read_dir(&path).map_err(Trouble::of(format!("{shown} cannot be listed")))?;
        let is_ours = path.join(MARK).is_file();
        if !is_ours && entries.count() > 0 {
            return Err(Trouble(format!(
                "{shown} holds something that no crashtest has made, and would be overwritten. help: give an empty folder, \
                 or one that is not there yet, with --data"
            )));
        }
        let mark =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path.join(MARK));
        let mut mark = mark.map_err(Trouble::of(format!("{shown} cannot be written to")))?;
        match mark.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Trouble(format!(
                    "another crashtest is using {shown}. help: wait, or give another --data"
                )));
            }
            Err(TryLockError::Error(error)) => {
                return Err(Trouble(format!("{shown} cannot be locked: {error}")));
            }
        }
        let mut text = String::new();
        mark.read_to_string(&mut text).map_err(Trouble::of(format!("{shown} cannot be read")))?;
        if text.ends_with(BROKEN) {
            return Err(Trouble(format!(
                "{shown} holds what a crashtest left that found something wrong: the data, and broker.log. help: keep it for \
                 the report and give another --data, or remove it"
            )));
        }
        let mut folder = Self { path, mark };
        folder.write_mark(RUNNING)?;
        folder.fill(level).map_err(Trouble::of(format!("{shown} cannot be written to")))?;
        Ok(folder)
    }

    fn fill(&self, level: &str) -> std::io::Result<()> {
        for made in [DATA, CONFIG, LOG] {
            let path = self.path.join(made);
            let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            match removed {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::write(self.path.join(CONFIG), configuration(level))
    }

    /// Says in the folder how the test ended.
    pub(crate) fn conclude(mut self, good: bool) -> Result<(), Trouble> {
        self.write_mark(if good { HELD } else { BROKEN })
    }

    fn write_mark(&mut self, state: &str) -> Result<(), Trouble> {
        let text = format!("`tidegate crashtest` has made this folder and may empty it.\n{state}");
        let written = self
            .mark
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.mark.set_len(0))
            .and_then(|()| self.mark.write_all(text.as_bytes()));
        written.map_err(Trouble::of(format!("{} cannot be written to", self.path.display())))
    }

    /// The last words of the broker.
    pub(crate) fn end_of_log(&self) -> String {
        let log = fs::read(self.path.join(LOG)).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = text.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

/// The broker runs in the folder, so that nothing in here depends on the folder's name. Bounds that would drop messages are
/// out of the way: the test has a bound of its own for what waits.
fn configuration(level: &str) -> String {
    format!(
        "data_dir = '{DATA}'\n\
         # More than one thread on any machine, so that messages cross.\n\
         shards = 2\n\n\
         [[listener]]\naddress = '127.0.0.1:0'\n\n\
         [log]\nlevel = 'warn'\n\n\
         [journal]\nlevel = '{level}'\n\n\
         [sys]\ninterval_secs = 0\n\n\
         [limits]\nqueue_messages_max = 10000000\nqueue_bytes_max = 17179869184\n\
         queued_bytes_per_organisation_max = 68719476736\n"
    )
}

const MARK: &str = "crashtest.txt";
const DATA: &str = "data";
pub(crate) const CONFIG: &str = "tidegate.toml";
pub(crate) const LOG: &str = "broker.log";
const RUNNING: &str = "The test was begun and has not ended.\n";
const HELD: &str = "The broker kept its word.\n";
const BROKEN: &str = "Something was wrong; this is the evidence.\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_empty_folder_or_one_of_a_good_test_is_taken() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a");
        let folder = Folder::prepare(&path, "fsync").unwrap();
        assert!(Folder::prepare(&path, "fsync").err().unwrap().0.contains("another crashtest"));
        fs::create_dir(path.join(DATA)).unwrap();
        folder.conclude(true).unwrap();

        let folder = Folder::prepare(&path, "fsync").unwrap();
        assert!(!path.join(DATA).exists());
        fs::create_dir(path.join(DATA)).unwrap();
        folder.conclude(false).unwrap();

        assert!(Folder::prepare(&path, "fsync").err().unwrap().0.contains("found something wrong"));
        assert!(path.join(DATA).exists());
    }

    #[test]
    fn a_folder_with_something_else_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("letter.txt"), "dear").unwrap();
        let refused = Folder::prepare(parent.path(), "fsync").err().unwrap();
        assert!(refused.0.contains("no crashtest has made"));
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }
}
