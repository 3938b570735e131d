//! Whether files have changed, asked from time to time.
//!
//! A path is looked at through its symbolic links, so that Kubernetes' swap of `..data` is a change like any other. Only
//! the contents decide: the system's dates and numbers merely say when it is worth reading them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};

use crate::clock;
use crate::pem_file;

/// Some files that belong together, and what they held when they were last looked at.
#[derive(Debug)]
pub(crate) struct Watched {
    files: Vec<(PathBuf, Seen)>,
}

impl Watched {
    /// As they are now. Look before reading: what changes between is then seen as a change later.
    pub(crate) fn new(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let seen = |file: PathBuf| {
            let seen = Seen::look(&file);
            (file, seen)
        };
        Self { files: files.into_iter().map(seen).collect() }
    }

    /// Whether any of them holds something else than when this was last asked.
    pub(crate) fn changed(&mut self) -> bool {
        let mut changed = false;
        for (file, seen) in &mut self.files {
            let stamp = Stamp::of(file);
            if stamp == seen.stamp && stamp.is_none_or(|stamp| stamp.is_settled()) {
                continue;
            }
            let now = Seen::look(file);
            changed |= now.contents != seen.contents;
            *seen = now;
        }
        changed
    }
}

#[derive(Debug)]
struct Seen {
    stamp: Option<Stamp>,
    /// `None`: not there, or not readable.
    contents: Option<Vec<u8>>,
}

impl Seen {
    fn look(file: &Path) -> Self {
        let stamp = Stamp::of(file);
        let contents = pem_file::read(file).ok().map(|bytes| digest(&SHA256, &bytes).as_ref().to_vec());
        Self { stamp, contents }
    }
}

/// What the system says of a file without reading it. A change of rights is one too: it moves the last number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    changed_secs: i64,
    changed_nanos: i64,
}

impl Stamp {
    fn of(file: &Path) -> Option<Self> {
        let found = fs::metadata(file).ok()?;
        Some(Self {
            device: found.dev(),
            inode: found.ino(),
            bytes: found.len(),
            changed_secs: found.ctime(),
            changed_nanos: found.ctime_nsec(),
        })
    }

    /// A file that was written a moment ago may be written again within the same tick of the file system's clock.
    fn is_settled(self) -> bool {
        clock::now().unix_timestamp().abs_diff(self.changed_secs) > SETTLED_AFTER_SECS
    }
}

/// Far more than a tick of any file system's clock.
const SETTLED_AFTER_SECS: u64 = 5;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_change_is_seen_once_and_touching_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.pem");
        fs::write(&file, "one").unwrap();
        let mut watched = Watched::new([file.clone(), folder.path().join("missing")]);
        assert!(!watched.changed());
        fs::write(&file, "two").unwrap();
        assert!(watched.changed());
        fs::write(&file, "two").unwrap();
        assert!(!watched.changed(), "the same again");
        fs::remove_file(&file).unwrap();
        assert!(watched.changed());
        fs::write(folder.path().join("missing"), "now").unwrap();
        assert!(watched.changed());
    }

    #[test]
    fn a_swapped_symbolic_link_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for (version, text) in [("..v1", "one"), ("..v2", "two")] {
            fs::create_dir(root.join(version)).unwrap();
            fs::write(root.join(version).join("tls.crt"), text).unwrap();
        }
        symlink("..v1", root.join("..data")).unwrap();
        symlink("..data/tls.crt", root.join("tls.crt")).unwrap();
        let mut watched = Watched::new([root.join("tls.crt")]);
        assert!(!watched.changed());
        symlink("..v2", root.join("..data_tmp")).unwrap();
        fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
        assert!(watched.changed());
        assert!(!watched.changed());
    }
}
