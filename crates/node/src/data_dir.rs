//! The data directory: there, a directory, ours to write, and closed to others when we made it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::config::load::reason;
use crate::refusal::{Code, Place, Refusal};

/// What was found or made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataDirectory {
    /// It was not there before.
    pub created: bool,
    /// Other users may look into it. It was there before, and its mode is its owner's decision.
    pub open_to_others: bool,
}

/// Makes sure that the broker can keep its data at `path`.
///
/// # Errors
/// When something else stands there, or when it cannot be written to.
pub fn prepare(path: &Path) -> Result<DataDirectory, Refusal> {
    let created = match fs::metadata(path) {
        Ok(found) if !found.is_dir() => return Err(refusal(path, "is not a directory")),
        Ok(_) => false,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let made = DirBuilder::new().recursive(true).mode(MODE).create(path);
            made.map_err(|error| refusal(path, &format!("cannot be created: {}", reason(&error))))?;
            true
        }
        Err(error) => return Err(refusal(path, &format!("cannot be looked at: {}", reason(&error)))),
    };
    writable(path)?;
    let mode = fs::metadata(path).map(|found| found.permissions().mode()).unwrap_or(MODE);
    Ok(DataDirectory { created, open_to_others: mode & !MODE & 0o777 != 0 })
}

/// What is in the directory has a version: the forms of the records, and what else is kept. A newer program's is left alone.
///
/// # Errors
/// When a newer program has written it, or when it cannot be read or written.
pub fn check_version(path: &Path) -> Result<(), Refusal> {
    let file = path.join(VERSION_FILE);
    match fs::read_to_string(&file) {
        Ok(text) => match text.trim().parse::<u32>() {
            Ok(version) if version <= VERSION => Ok(()),
            Ok(version) => Err(Refusal {
                help: "start the newer program, or set another `data_dir`; nothing was changed".into(),
                ..refusal(path, &format!("has version {version}, and this program knows {VERSION}"))
            }),
            Err(_) => Err(refusal(path, &format!("has a {VERSION_FILE} file that holds no number"))),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => write_new(&file, &format!("{VERSION}\n"))
            .map_err(|error| refusal(path, &format!("cannot be written to: {}", reason(&error)))),
        Err(error) => Err(refusal(path, &format!("cannot be read: {}", reason(&error)))),
    }
}

/// The number that makes hashes unpredictable for peers. It belongs to the data: what is written down refers to hashes
/// under it.
///
/// # Errors
/// When it cannot be read or written.
pub fn seed(path: &Path) -> Result<u64, Refusal> {
    let file = path.join(SEED_FILE);
    match fs::read_to_string(&file) {
        Ok(text) => u64::from_str_radix(text.trim(), 16)
            .map_err(|_| refusal(path, &format!("has a {SEED_FILE} file that holds no hexadecimal number"))),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // The standard library seeds its hash maps from the operating system's randomness.
            let seed = RandomState::new().hash_one(std::process::id());
            let made = write_new(&file, &format!("{seed:016x}\n"));
            made.map_err(|error| refusal(path, &format!("cannot be written to: {}", reason(&error))))?;
            Ok(seed)
        }
        Err(error) => Err(refusal(path, &format!("cannot be read: {}", reason(&error)))),
    }
}

/// Whole or not at all, whatever happens meanwhile.
fn write_new(file: &Path, text: &str) -> io::Result<()> {
    let unfinished = file.with_extension("new");
    let mut written =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    fs::rename(&unfinished, file)?;
    fs::File::open(file.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// Rights alone do not tell: the file system may be read-only, or full. So a file is made and taken away again.
fn writable(path: &Path) -> Result<(), Refusal> {
    let probe = path.join(format!(".writable-{}", std::process::id()));
    let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&probe);
    let taken_away = written.and_then(|_| fs::remove_file(&probe));
    taken_away.map_err(|error| refusal(path, &format!("cannot be written to: {}", reason(&error))))
}

fn refusal(path: &Path, what: &str) -> Refusal {
    Refusal {
        code: Code::DataDirectory,
        place: Place::Nowhere,
        message: format!("the data directory {} {what}", path.display()),
        help: "set `data_dir` in the file, or TIDEGATE_DATA_DIR, to a directory that this user may write to"
            .into(),
    }
}

/// In the data directory.
const SEED_FILE: &str = "seed";
/// In the data directory.
const VERSION_FILE: &str = "version";
/// Raised whenever an older program would misread what this one writes.
const VERSION: u32 = 1;
/// Its user only.
const MODE: u32 = 0o700;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_directory_is_made_for_its_user_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let made = prepare(&path).unwrap();
        assert_eq!(made, DataDirectory { created: true, open_to_others: false });
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0, "the probe is taken away");
        assert!(!prepare(&path).unwrap().created);
    }

    #[test]
    fn a_directory_that_is_open_to_others_is_used_and_noticed() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(prepare(folder.path()).unwrap(), DataDirectory { created: false, open_to_others: true });
        assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn a_file_in_its_place_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(
            prepare(file.path()).unwrap_err().to_string(),
            format!(
                "N0203 the data directory {} is not a directory\n  help: set `data_dir` in the file, or \
                 TIDEGATE_DATA_DIR, to a directory that this user may write to",
                file.path().display()
            )
        );
    }

    #[test]
    fn a_directory_that_cannot_be_made_or_written_is_refused() {
        // Nobody, not even root, can make files in these.
        for path in ["/proc/tidegate", "/proc"] {
            assert_eq!(prepare(Path::new(path)).unwrap_err().code, Code::DataDirectory, "{path}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(prepare(&file.path().join("below")).is_err());
    }
}
