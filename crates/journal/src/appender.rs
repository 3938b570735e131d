//! One owner's hand on the journal.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::inbox::{Owner, Submission};
use crate::log::Log;
use crate::position::{Kind, Offset, Position, Round, Stream, Ticket};
use crate::reader::Request;
use crate::shared::Shared;
use crate::submission::{Contents, Note, PushError};

/// Appends records of one stream, asks for them again, and says when they are no longer needed.
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

    /// Hands over what was pushed, released, asked for and noted since the last call. `None` when no record was pushed: what was
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

    /// The Message record of `length` bytes at `position` is no longer needed. Say so once for each record, however many
    /// had a use for it. Takes effect when the open submission is durable, so write what makes it so before or with it.
    pub fn release(&mut self, position: Position, length: u32) {
        self.open.notes.push(Note::Release { position, length });
    }

    /// Everything that this stream owns has been pushed as images since the round was asked for; takes effect when the
    /// open submission is durable.
    pub fn checkpointed(&mut self, round: Round) {
        self.open.notes.push(Note::Checkpointed(round));
    }

    /// All live records of an offer have been pushed again, in this submission or earlier ones. If a submission with some of
    /// them has failed, do not say so: the offer is made again.
    pub fn surveyed(&mut self, offer: u64) {
        self.open.notes.push(Note::Surveyed(offer));
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

    fn release(&mut self, position: Position, length: u32) {
        Self::release(self, position, length);
    }

    fn checkpointed(&mut self, round: Round) {
        Self::checkpointed(self, round);
    }

    fn surveyed(&mut self, offer: u64) {
        Self::surveyed(self, offer);
    }
}
