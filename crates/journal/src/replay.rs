//! What opening a journal tells.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::disk::LockError;
use crate::position::{Kind, Position, Stream};

/// Hears everything that was committed since the replay's start, in the order of the log.
pub trait Replay {
    /// A replay begins. When it is called again, damage was found in the last checkpoint and everything is told again from
    /// the checkpoint before: forget what was heard so far.
    fn begin(&mut self);

    /// A record. About a thing that is not known yet (its image comes later, or it has died since) nothing need be
    /// done; an image replaces everything earlier about its thing.
    fn record(&mut self, record: Record<'_>);

    /// Something could not be read. What is around it follows.
    fn damaged(&mut self, damage: &Damage);
}

/// A record in a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where it stands.
    pub position: Position,
    /// Whose it is.
    pub stream: Stream,
    /// How long it lives.
    pub kind: Kind,
    /// What was pushed.
    pub bytes: &'a [u8],
}

/// A place in the log that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub segment: u32,
    /// Where in it.
    pub offset: u32,
    /// How many bytes are concerned, as far as is known.
    pub bytes: u64,
    /// What is wrong.
    pub what: Flaw,
    /// The file in the journal's folder with a copy of the bytes, if one was made.
    pub saved: Option<String>,
}

/// What is wrong at a damaged place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// One record's checksum does not hold; the others of its submission were told.
    Record,
    /// A submission's checksum does not hold.
    Submission,
    /// Something that is not a submission stands between submissions.
    Gap,
    /// The header of a segment; what follows was told.
    SegmentHeader,
    /// A segment of the log is not there.
    SegmentMissing,
    /// A segment ends before it should.
    SegmentShort,
    /// The note of where a replay begins; the whole log was told that still hangs together.
    Manifest,
    /// The note of the folder's format.
    Format,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            Flaw::Record => "a record's checksum does not hold",
            Flaw::Submission => "a submission's checksum does not hold",
            Flaw::Gap => "there is something between submissions",
            Flaw::SegmentHeader => "the header of the segment is damaged",
            Flaw::SegmentMissing => "the segment is missing",
            Flaw::SegmentShort => "the segment ends too early",
            Flaw::Manifest => return f.write_str("the manifest is damaged"),
            Flaw::Format => return f.write_str("the format file is damaged or missing"),
        };
        write!(f, "segment {:016x} at {}: {what} ({} bytes)", self.segment, self.offset, self.bytes)?;
        match &self.saved {
            Some(name) => write!(f, ", a copy is in {name}"),
            None => Ok(()),
        }
    }
}

/// What was found when a journal was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Segments in the folder that hold something.
    pub segments: u64,
    /// Submissions that were told.
    pub submissions: u64,
    /// Records that were told.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of a last batch that was never finished. It was never acknowledged, so nothing is lost.
    pub torn_bytes: u64,
    /// Where they were copied.
    pub torn_saved: Option<String>,
    /// What is damaged; at most a thousand are listed.
    pub damages: Vec<Damage>,
    /// How many there were.
    pub damages_total: u64,
    /// Whether the last checkpoint was damaged and the one before was used.
    pub used_previous_checkpoint: bool,
    /// How long it took.
    pub took: Duration,
}

/// Why a journal cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has it.
    Locked {
        /// The number of that process, if it is known.
        pid: Option<u32>,
    },
    /// A newer program has written the folder. Nothing was changed.
    Newer {
        /// The version of the folder.
        found: u32,
        /// The highest that this program knows.
        known: u32,
    },
    /// The disk failed.
    Io {
        /// What was tried.
        what: &'static str,
        /// What the operating system says.
        error: io::Error,
    },
}

impl OpenError {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { what, error }
    }
}

impl From<LockError> for OpenError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held { pid } => Self::Locked { pid },
            LockError::Io(error) => Self::Io { what: "lock the folder", error },
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { pid: Some(pid) } => write!(f, "the journal is in use by process {pid}"),
            Self::Locked { pid: None } => f.write_str("the journal is in use by another process"),
            Self::Newer { found, known } => {
                write!(f, "the journal has format {found}, and this program knows formats up to {known}")
            }
            Self::Io { what, error } => write!(f, "cannot {what}: {error}"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            Self::Locked { .. } | Self::Newer { .. } => None,
        }
    }
}
