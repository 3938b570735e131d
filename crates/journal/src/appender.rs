//! One owner's hand on the journal.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::inbox::{Owner, Submission};
use crate::log::Log;
use crate::marks::Marks;
use crate::position::{Kind, Offset, Position, Round, Stream, Ticket};
use crate::reader::Request;
use crate::shared::Shared;
use crate::submission::{Contents, PushError};

/// Appends records of one stream, asks for them again, and says which of them it still refers to.
///
/// What is pushed between two calls of [`submit`](Self::submit) is one submission: after a crash it is there as a whole
/// or not at all. It can move to another thread and is used by one at a time.
pub struct Appender {
    shared: Arc<Shared>,
    owner: Arc<Owner>,
    open: Contents,
    last: Ticket,
    /// Requests that go to the reader with the next `submit`.
    asking: Vec<Request>,
    one_thread: PhantomData<Cell<()>>,
}

impl Appender {
    pub(crate) fn new(shared: Arc<Shared>, owner: Arc<Owner>) -> Self {
        let (open, asking) = (Contents::default(), Vec::new());
        Self { shared, owner, open, last: Ticket(0), asking, one_thread: PhantomData }
    }

    /// Whose records these are.
    #[must_use]
    pub fn stream(&self) -> Stream {
        self.owner.stream
    }

    /// Adds a record that `write` appends to the buffer it is given. It must only append.
    ///
    /// # Errors
    /// When a bound is reached; the submission is as before.
    pub fn record(&mut self, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) -> Result<Offset, PushError> {
        self.open.push(kind, write)
    }

    /// Adds a record.
    ///
    /// # Errors
    /// When a bound is reached; the submission is as before.
    pub fn push(&mut self, kind: Kind, bytes: &[u8]) -> Result<Offset, PushError> {
        self.open.push(kind, |to| to.extend_from_slice(bytes))
    }

    /// Asks for the Message record of `length` bytes at `position`; goes out with the next [`submit`](Self::submit). The
    /// answer comes to the listener, with the tag. `false` when too much was asked for already: try again when answers
    /// have come. A record can be asked for as soon as its submission is told to be committed.
    #[must_use]
    pub fn fetch(&mut self, position: Position, length: u32, tag: u64) -> bool {
        if self.owner.fetching.load(Ordering::Relaxed) >= self.shared.options.fetches_max {
            return false;
        }
        self.owner.fetching.fetch_add(1, Ordering::Relaxed);
        self.asking.push(Request { owner: Arc::clone(&self.owner), position, length, tag });
        true
    }

    /// Hands over what was pushed, asked for and noted since the last call. `None` when no record was pushed: what was
    /// noted takes effect all the same. The outcome comes to the listener, in the order of tickets.
    ///
    /// After the journal was closed, submissions are thrown away and nothing comes.
    pub fn submit(&mut self) -> Option<Ticket> {
        if !self.asking.is_empty() {
            self.shared.requests.put(&mut self.asking);
        }
        if self.open.is_empty() {
            return None;
        }
        let has_records = self.open.has_records();
        if has_records {
            self.last.0 += 1;
        }
        let contents = std::mem::take(&mut self.open);
        let submission = Submission { owner: Arc::clone(&self.owner), ticket: self.last, contents };
        self.open = match self.shared.inbox.put(submission) {
            Ok(emptied) => emptied,
            Err(refused) => refused.contents.reusing(),
        };
        has_records.then_some(self.last)
    }

    /// Whether a record was pushed since the last [`submit`](Self::submit).
    #[must_use]
    pub fn has_open_records(&self) -> bool {
        self.open.has_records()
    }

    /// Bytes that were submitted and are not yet answered.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.owner.pending.load(Ordering::Relaxed)
    }

    /// Whether so much is pending that no more should be taken on: see
    /// [`pending_bytes_max`](crate::Options::pending_bytes_max).
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.pending_bytes() >= self.shared.options.pending_bytes_max
    }

    /// Everything that this stream owns has been pushed as images since the round was asked for; takes effect when the
    /// open submission is durable.
    ///
    /// `marks` has every position to which a record refers that was pushed since the round was asked for, an image or
    /// not. A segment that nobody has marked in the last two complete rounds is freed, so from now until the next round
    /// refer by position only to what was marked in this one, or was committed since it was asked for: content that went
    /// unmarked although it is in memory is pushed again before anything refers to it.
    pub fn checkpointed(&mut self, round: Round, marks: Marks) {
        self.open.checkpointed = Some((round, marks));
    }

    /// About so many bytes of Message records that were marked, or pushed since, are referred to no more. Only a hint: when
    /// much has died, a checkpoint is asked for although little was written. Goes with the next submission.
    pub fn forgot(&mut self, bytes: u64) {
        self.open.forgotten = self.open.forgotten.saturating_add(bytes);
    }
}

impl Log for Appender {
    fn record(&mut self, kind: Kind, write: &mut dyn FnMut(&mut Vec<u8>)) -> Result<Offset, PushError> {
        self.open.push(kind, write)
    }

    fn submit(&mut self) -> Option<Ticket> {
        Self::submit(self)
    }

    fn pending_bytes(&self) -> usize {
        Self::pending_bytes(self)
    }

    fn is_full(&self) -> bool {
        Self::is_full(self)
    }

    fn fetch(&mut self, position: Position, length: u32, tag: u64) -> bool {
        Self::fetch(self, position, length, tag)
    }

    fn checkpointed(&mut self, round: Round, marks: Marks) {
        Self::checkpointed(self, round, marks);
    }

    fn forgot(&mut self, bytes: u64) {
        Self::forgot(self, bytes);
    }
}
