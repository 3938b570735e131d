//! The durable log: opaque records of many owners, appended by one writer, synced in batches, replayed at a restart.
//!
//! It knows no MQTT and no other crate of ours; nothing else in the workspace touches the disk for what clients are
//! promised. What a record means is its owner's business.
//!
//! ```text
//!   owner (a shard)                    journal                                  disk
//!   Appender ── Submission ──► Inbox ──► Writer: one batch, one sync ─────────► segments
//!      ▲                                   │ Outcome for each submission
//!      └───────────── Listener ◄───────────┤
//!                                        Steward: spare segments, rounds of checkpoints
//! ```
//!
//! * [`Journal::open`] locks the folder and tells a [`Replay`] everything since the last checkpoint. Then owners say what
//!   they still need ([`Journal::hold`]) and that they are done ([`Journal::restored`]).
//! * An [`Appender`] belongs to one [`Stream`]. It collects records; [`Appender::submit`] hands them over as one submission,
//!   which after a crash is there as a whole or not at all. The [`Listener`] hears the [`Outcome`] when it is durable.
//! * A [`Kind::State`] record counts until a later checkpoint; a [`Kind::Message`] record as long as somebody refers to its
//!   position, and in any case until a later checkpoint.
//! * From time to time the journal asks for a checkpoint ([`Listener::checkpoint`]): each owner writes all that it has as
//!   State records which replace everything earlier ("images"), over as many turns as it likes, and then says
//!   [`Appender::checkpointed`]. When all owners have, replays begin where the round began.
//! * With that goes what the owner refers to by position ([`Marks`]), so a round is the marking of what lives. What two
//!   rounds have not marked is freed. Of segments in which little lives owners are asked to write that little again.
//! * Message records are read back by their position ([`Appender::fetch`]), on a thread of its own; what is needed before
//!   anything begins, on the caller's ([`Journal::lookup`]).
//! * [`peek`], [`inspect`] and [`verify`] look through a folder and change nothing; [`Journal::pin`] and [`copy`] make a copy
//!   of one while it is used.

mod appender;
mod backup;
mod clock;
mod disk;
#[cfg(any(test, feature = "simulation"))]
mod driver;
mod format;
mod inbox;
mod inspect;
mod journal;
mod limits;
mod listener;
mod log;
mod marks;
mod options;
mod peek;
mod position;
mod quarantine;
mod reader;
mod recovery;
mod replay;
mod shared;
#[cfg(any(test, feature = "simulation"))]
pub mod simulation;
mod steward;
mod submission;
mod table;
#[cfg(test)]
mod tests;
mod walk;
mod writer;

pub use appender::Appender;
pub use backup::{BackupError, Contents, Pin, copy};
pub use disk::{Access, Disk, DiskFile, Entry, Lock, LockError, RealDisk};
#[cfg(any(test, feature = "simulation"))]
pub use driver::Driver;
pub use inspect::{Holds, Inspected, Inspection, Tally, inspect, verify};
pub use journal::{Journal, Usage};
pub use limits::{RECORD_BYTES_MAX, SUBMISSION_BYTES_MAX};
pub use listener::{Answer, Failure, Health, Listener, Outcome, Unreadable};
pub use log::Log;
pub use marks::Marks;
pub use options::{Level, Options};
pub use peek::{Peek, peek};
pub use position::{Kind, Offset, Position, Round, Stream, Ticket};
pub use reader::Lookup;
pub use replay::{Damage, Flaw, OpenError, Record, Replay, Report};
pub use submission::PushError;
