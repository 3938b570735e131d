//! What is wrong with a file of certificates, in the three parts a person needs: which file, what, and what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a file cannot be used. Its text is the same in a refusal to start, in the log and below `$SYS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The file, or the folder.
    pub file: PathBuf,
    /// What is wrong with it, as the end of a sentence that begins with the file.
    pub what: String,
    /// What a person should do.
    pub help: String,
}

impl Trouble {
    pub(crate) fn new(file: &Path, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { file: file.to_owned(), what: what.into(), help: help.into() }
    }

    pub(crate) fn reading(file: &Path, error: &io::Error) -> Self {
        let help = match error.kind() {
            io::ErrorKind::NotFound => "check the path; a symbolic link may point to nothing",
            io::ErrorKind::PermissionDenied => "let the user of the broker read it",
            _ => "see the message of the system",
        };
        Self::new(file, format!("cannot be read: {}", reason(error)), help)
    }

    pub(crate) fn writing(file: &Path, error: &io::Error) -> Self {
        let help = "let the user of the broker write there, and check that the disk is not full";
        Self::new(file, format!("cannot be written: {}", reason(error)), help)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}\n  help: {}", self.file.display(), self.what, self.help)
    }
}

impl std::error::Error for Trouble {}

/// The system's words without the number behind them.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}
