//! What the journal tells the owner of a stream, and the values in it.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::position::{Position, Round, Ticket};
use crate::replay::Damage;

/// The ear of an owner. It is called on the journal's threads and must only note and wake: whatever it spends, all
/// streams wait for.
///
/// An owner must act on what it hears in the order of the calls: everything that was committed before a round's start was
/// told before the round is asked for, and a checkpoint that is written without having heeded it would lack it. One queue
/// for everything is the simplest way.
pub trait Listener: Send + Sync {
    /// How submissions ended, in the order of their tickets. Called once for each batch that has some of this stream.
    fn committed(&self, outcomes: &[Outcome]);

    /// What was fetched, in no order. The listener takes the answers out.
    fn fetched(&self, answers: &mut Vec<Answer>);

    /// Write everything that this stream owns as images (what it has submitted and not yet heard of need not be in them: it
    /// is replayed itself), over as many turns as is good, and then call
    /// [`Appender::checkpointed`](crate::Appender::checkpointed) with this round and the marks of all positions to which
    /// anything refers that was pushed since this call. What is written meanwhile goes on as ever. A round that is asked for
    /// ends the one before, with its marks.
    ///
    /// The segments in `evacuate` (in the order of their numbers) would be free if nothing referred to them: where an image
    /// would refer to a Message record in one of them, push that record again instead and, once it is committed, refer to
    /// its new position. Whoever does not only keeps the segment.
    fn checkpoint(&self, round: Round, evacuate: Arc<[u32]>);

    /// Damage was found while the journal runs; every owner hears of it. A copy was put aside.
    fn damaged(&self, damage: &Damage) {
        let _ = damage;
    }

    /// The journal's health has changed.
    fn health(&self, health: Health) {
        let _ = health;
    }
}

/// How one submission ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which one.
    pub ticket: Ticket,
    /// The position of its first record; those of the others follow from what `push` returned, see
    /// [`Position::plus`]. Or why it failed: then it is unknown whether the disk has it. If the process ends before
    /// anything later has succeeded it may be replayed, whole; otherwise it never will be.
    pub result: Result<Position, Failure>,
}

/// Why something is not on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no space.
    Full,
    /// The disk said no when writing or syncing.
    Io(io::ErrorKind),
    /// The journal was closed.
    Closed,
}

impl Failure {
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            kind => Self::Io(kind),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("no space is left on the disk"),
            Self::Io(kind) => write!(f, "the disk failed: {kind}"),
            Self::Closed => f.write_str("the journal is closed"),
        }
    }
}

/// How the journal is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Everything is written.
    #[default]
    Good,
    /// Still written, but no other segment can be made, most likely for lack of space: soon nothing will be written.
    NearlyFull,
    /// The last attempt to write failed. It is tried again with each submission, at most ten times a second.
    Failing(Failure),
}

/// A record that was asked for, or why it cannot be had.
#[derive(Debug)]
pub struct Answer {
    /// What the request carried.
    pub tag: u64,
    /// Where it was looked for.
    pub position: Position,
    /// The bytes of the record.
    pub result: Result<Vec<u8>, Unreadable>,
}

/// Why a record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// No record is there any more: its segment had no marks and was freed. Who has pushed it again since it asked asks
    /// at the new position.
    Gone,
    /// Its checksum does not hold, or another record stands there.
    Damaged,
    /// The disk said no.
    Io(io::ErrorKind),
}
