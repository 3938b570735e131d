//! The files of the repository, as the tests of it see them.

use std::fs;
use std::path::{Path, PathBuf};

/// Where they are.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().expect("xtask lies in the root").to_owned()
}

/// All files that people wrote, by their paths from the root.
pub(crate) fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a folder is readable").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = folder.join(&name);
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !MADE.contains(&name.as_str()) => folders.push(path),
                Ok(kind) if kind.is_file() => found.push(path),
                _ => {}
            }
        }
    }
    assert!(found.len() < FILES_MAX, "{} files: what is new that nobody wrote?", found.len());
    found.sort();
    found
}

/// Folders of what programs made.
const MADE: &[&str] = &[
    ".git",
    "target",
    "node_modules",
    "corpus",
    "artifacts",
    "coverage",
    "__pycache__",
    ".venv",
    "tidegate-data",
];
const FILES_MAX: usize = 20_000;
