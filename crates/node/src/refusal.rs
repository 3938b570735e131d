//! Why the program refuses to start: one stable code, one sentence, one line of help, and the place to look at.
//!
//! Every message an operator can be stopped by is made here, from the catalogue [`Code`]; the modules that find a
//! fault supply the sentence. It knows nothing of configuration keys or sockets.

use std::fmt;
use std::path::PathBuf;

/// The catalogue. A code never changes its meaning, so that a runbook may name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The configuration file cannot be read.
    FileUnreadable,
    /// The configuration file is not UTF-8.
    FileNotUtf8,
    /// The configuration file is larger than a configuration can be.
    FileTooLarge,
    /// The configuration file is not TOML.
    Syntax,
    /// A key or a table stands twice in the configuration file.
    DuplicateKey,
    /// A key that does not exist.
    UnknownKey,
    /// A value of another type than the key's.
    WrongType,
    /// A value of the right type that the key does not accept.
    BadValue,
    /// Two values that cannot hold together.
    Contradiction,
    /// A listener beyond loopback while anybody may connect.
    AnonymousBeyondLoopback,
    /// An environment variable that names no key.
    UnknownVariable,
    /// The address of a listener is taken.
    AddressTaken,
    /// The address of a listener cannot be used for another reason.
    CannotListen,
    /// The data directory cannot be used.
    DataDirectory,
    /// The journal in the data directory cannot be opened.
    Journal,
    /// Something the program needs from the operating system was denied.
    OperatingSystem,
}

impl Code {
    /// Every code, in the order of the catalogue.
    pub const ALL: [Self; 16] = [
        Self::FileUnreadable,
        Self::FileNotUtf8,
        Self::FileTooLarge,
        Self::Syntax,
        Self::DuplicateKey,
        Self::UnknownKey,
        Self::WrongType,
        Self::BadValue,
        Self::Contradiction,
        Self::AnonymousBeyondLoopback,
        Self::UnknownVariable,
        Self::AddressTaken,
        Self::CannotListen,
        Self::DataDirectory,
        Self::Journal,
        Self::OperatingSystem,
    ];

    /// The code as it is printed, and what it stands for.
    pub const fn entry(self) -> (&'static str, &'static str) {
        match self {
            Self::FileUnreadable => ("N0101", "the configuration file cannot be read"),
            Self::FileNotUtf8 => ("N0102", "the configuration file is not UTF-8"),
            Self::FileTooLarge => ("N0103", "the configuration file is too large"),
            Self::Syntax => ("N0104", "the configuration file is not TOML"),
            Self::DuplicateKey => ("N0105", "a key or table stands twice"),
            Self::UnknownKey => ("N0106", "a key that does not exist"),
            Self::WrongType => ("N0107", "a value of another type than the key's"),
            Self::BadValue => ("N0108", "a value that the key does not accept"),
            Self::Contradiction => ("N0109", "two values that cannot hold together"),
            Self::AnonymousBeyondLoopback => {
                ("N0110", "a listener beyond loopback while anybody may connect")
            }
            Self::UnknownVariable => ("N0111", "an environment variable that names no key"),
            Self::AddressTaken => ("N0201", "the address of a listener is taken"),
            Self::CannotListen => ("N0202", "the address of a listener cannot be used"),
            Self::DataDirectory => ("N0203", "the data directory cannot be used"),
            Self::Journal => ("N0204", "the journal cannot be opened"),
            Self::OperatingSystem => ("N0205", "the operating system denied something the program needs"),
        }
    }
}

/// Where the operator should look.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A file as a whole.
    File(PathBuf),
    /// A line of a file, counted from one.
    Line(PathBuf, usize),
    /// An environment variable.
    Variable(String),
    /// Not one place: a default, or the machine itself.
    Nowhere,
}

/// One reason not to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which entry of the catalogue.
    pub code: Code,
    /// Where to look.
    pub place: Place,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What a person should do about it.
    pub help: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File(path) => write!(f, "{}: ", path.display())?,
            Place::Line(path, line) => write!(f, "{}:{line}: ", path.display())?,
            Place::Variable(name) => write!(f, "environment {name}: ")?,
            Place::Nowhere => {}
        }
        write!(f, "{} {}\n  help: {}", self.code.entry().0, self.message, self.help)
    }
}

/// All reasons found in one go, in the order of their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals(Vec<Refusal>);

impl Refusals {
    /// Nothing when there is no reason to refuse.
    pub fn of(mut reasons: Vec<Refusal>) -> Result<(), Self> {
        if reasons.is_empty() {
            return Ok(());
        }
        reasons.sort_by(|a, b| (&a.place, &a.message).cmp(&(&b.place, &b.message)));
        Err(Self(reasons))
    }

    /// The single reasons.
    pub fn iter(&self) -> impl Iterator<Item = &Refusal> {
        self.0.iter()
    }

    /// So that a test can take out what differs from run to run.
    #[cfg(test)]
    pub(crate) fn places_mut(&mut self) -> impl Iterator<Item = &mut Place> {
        self.0.iter_mut().map(|reason| &mut reason.place)
    }
}

impl From<Refusal> for Refusals {
    fn from(reason: Refusal) -> Self {
        Self(vec![reason])
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for reason in self.0.iter().take(SHOWN_MAX) {
            writeln!(f, "{reason}")?;
        }
        if self.0.len() > SHOWN_MAX {
            writeln!(f, "… and {} more", self.0.len() - SHOWN_MAX)?;
        }
        match self.0.len() {
            1 => write!(f, "1 error"),
            n => write!(f, "{n} errors"),
        }
    }
}

impl std::error::Error for Refusals {}

/// More than this is another kind of file, and the first ones say so.
const SHOWN_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_printed_differently() {
        let mut codes: Vec<_> = Code::ALL.iter().map(|code| code.entry().0).collect();
        codes.dedup();
        assert_eq!(codes.len(), Code::ALL.len());
        assert!(codes.is_sorted());
    }

    #[test]
    fn a_refusal_is_a_place_a_code_a_sentence_and_a_line_of_help() {
        let refusal = Refusal {
            code: Code::UnknownKey,
            place: Place::Line("tidegate.toml".into(), 3),
            message: "unknown key `shard`".into(),
            help: "did you mean `shards`?".into(),
        };
        assert_eq!(
            Refusals::from(refusal).to_string(),
            "tidegate.toml:3: N0106 unknown key `shard`\n  help: did you mean `shards`?\n1 error"
        );
    }
}
