//! Files that are there as a whole or not at all, whatever crashes meanwhile: written beside, synced, renamed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::trouble::Trouble;

/// Who may read a file that is written.
#[derive(Clone, Copy)]
pub(crate) enum Secrecy {
    /// Its user only: a private key.
    Secret,
    /// Whoever may look into its folder.
    Public,
}

impl Secrecy {
    fn mode(self) -> u32 {
        match self {
            Self::Secret => 0o600,
            Self::Public => 0o644,
        }
    }
}

/// Replaces `file` by `text`.
pub(crate) fn write(file: &Path, text: &str, secrecy: Secrecy) -> Result<(), Trouble> {
    replace(file, text, secrecy).map_err(|error| Trouble::writing(file, &error))
}

fn replace(file: &Path, text: &str, secrecy: Secrecy) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = folder.join(format!(".{name}.new"));
    // One that a crash left behind may have another mode; a new one has ours from its first moment.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut written =
        OpenOptions::new().write(true).create_new(true).mode(secrecy.mode()).open(&unfinished)?;
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    fs::rename(&unfinished, file)?;
    File::open(folder)?.sync_all()
}

/// Writes a file that must not be there yet; what is there stays.
pub(crate) fn write_new(file: &Path, text: &str, secrecy: Secrecy) -> Result<(), Trouble> {
    let made = OpenOptions::new().write(true).create_new(true).mode(secrecy.mode()).open(file);
    let written = made.and_then(|mut made| made.write_all(text.as_bytes()).and_then(|()| made.sync_all()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Trouble::new(
            file,
            "exists already, and is not overwritten",
            "choose another folder with --out, or take the file away",
        ),
        _ => Trouble::writing(file, &error),
    })
}

/// Makes `folder` for its user only, unless it is there.
pub(crate) fn folder(folder: &Path) -> Result<(), Trouble> {
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Trouble::new(folder, "is not a directory", "take the file away, or set another folder")),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(|error| Trouble::writing(folder, &error))
        }
        Err(error) => Err(Trouble::reading(folder, &error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_that_a_crash_left_half_written_is_replaced_with_the_mode_of_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.key");
        let left = folder.path().join(".a.key.new");
        fs::write(&left, "half").unwrap();
        fs::set_permissions(&left, fs::Permissions::from_mode(0o666)).unwrap();
        write(&file, "whole", Secrecy::Secret).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "whole");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!left.exists());
    }

    #[test]
    fn what_is_there_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.pem");
        write_new(&file, "first", Secrecy::Public).unwrap();
        let trouble = write_new(&file, "second", Secrecy::Public).unwrap_err();
        assert!(trouble.to_string().contains("is not overwritten"), "{trouble}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "first");
    }
}
