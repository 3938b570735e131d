//! The surface that owners of records use: append, read, trim. The journal of one machine is one implementation; a
//! replicated log can be another, with the same [`Listener`](crate::Listener) as its ear.

use crate::marks::Marks;
use crate::position::{Kind, Offset, Position, Round, Ticket};
use crate::submission::PushError;

/// A log of opaque records as one owner sees it. See [`Appender`](crate::Appender) for what each means.
pub trait Log: Send {
    /// Adds a record to the open submission.
    ///
    /// # Errors
    /// When a bound is reached; the submission is as before.
    fn record(&mut self, kind: Kind, write: &mut dyn FnMut(&mut Vec<u8>)) -> Result<Offset, PushError>;

    /// Hands the open submission over.
    fn submit(&mut self) -> Option<Ticket>;

    /// Bytes that were submitted and are not yet answered.
    fn pending_bytes(&self) -> usize;

    /// Whether no more should be taken on.
    fn is_full(&self) -> bool;

    /// Asks for a Message record.
    fn fetch(&mut self, position: Position, length: u32, tag: u64) -> bool;

    /// Everything is written since the round began, once the open submission is durable.
    fn checkpointed(&mut self, round: Round, marks: Marks);

    /// About so many bytes of Message records died.
    fn forgot(&mut self, bytes: u64);
}
