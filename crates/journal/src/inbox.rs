//! Where appenders put submissions and the writer takes them: one queue for all streams, so that the order of the log is
//! the order of submitting. Emptied buffers go back the same way.
//!
//! A sleeping writer is woken; a busy one finds what came while it was syncing, and that is the whole of the group commit.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::limits::{BATCH_SUBMISSIONS_MAX, POOLED_BUFFER_BYTES_MAX, POOLED_BUFFERS_MAX};
use crate::listener::Listener;
use crate::position::{Stream, Ticket};
use crate::submission::Contents;

/// What the journal keeps of one appender.
pub(crate) struct Owner {
    pub(crate) stream: Stream,
    pub(crate) listener: Arc<dyn Listener>,
    /// Bytes submitted and not yet answered.
    pub(crate) pending: AtomicUsize,
    /// Requests to the reader that are not answered.
    pub(crate) fetching: AtomicUsize,
}

impl Owner {
    pub(crate) fn new(stream: Stream, listener: Arc<dyn Listener>) -> Self {
        Self { stream, listener, pending: AtomicUsize::new(0), fetching: AtomicUsize::new(0) }
    }
}

/// Handed over, not yet written.
pub(crate) struct Submission {
    pub(crate) owner: Arc<Owner>,
    pub(crate) ticket: Ticket,
    pub(crate) contents: Contents,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Submission>,
    emptied: Vec<Contents>,
    sleeping: bool,
    closed: bool,
}

#[derive(Default)]
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
    came: Condvar,
}

impl Inbox {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Invariant: nothing under this lock leaves the queue half changed, so a panic elsewhere does not matter.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over a submission and gets an empty buffer. Returns the submission if the journal is closed.
    pub(crate) fn put(&self, submission: Submission) -> Result<Contents, Submission> {
        let mut queue = self.queue();
        if queue.closed {
            return Err(submission);
        }
        submission.owner.pending.fetch_add(submission.contents.frame_bytes(), Ordering::Relaxed);
        queue.waiting.push_back(submission);
        let emptied = queue.emptied.pop().unwrap_or_default();
        // Whoever is woken once need not be woken again: each call would cost one to the kernel.
        let wake = std::mem::take(&mut queue.sleeping);
        drop(queue);
        if wake {
            self.came.notify_one();
        }
        Ok(emptied)
    }

    /// Waits until something is there, or the journal is closed; then there is nothing more to come when it says `false`.
    pub(crate) fn wait(&self) -> bool {
        let mut queue = self.queue();
        while queue.waiting.is_empty() && !queue.closed {
            queue.sleeping = true;
            queue = self.came.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.sleeping = false;
        !queue.waiting.is_empty()
    }

    /// Takes from the front what `fits` takes, and as much as one batch may have; gives buffers back.
    pub(crate) fn take(
        &self,
        into: &mut Vec<Submission>,
        emptied: &mut Vec<Contents>,
        mut fits: impl FnMut(&Submission) -> bool,
    ) {
        let mut queue = self.queue();
        for contents in emptied.drain(..) {
            if queue.emptied.len() < POOLED_BUFFERS_MAX && contents.capacity() <= POOLED_BUFFER_BYTES_MAX {
                queue.emptied.push(contents);
            }
        }
        while into.len() < BATCH_SUBMISSIONS_MAX && queue.waiting.front().is_some_and(&mut fits) {
            into.extend(queue.waiting.pop_front());
        }
    }

    /// Nothing more is taken from appenders.
    pub(crate) fn close(&self) {
        self.queue().closed = true;
        self.came.notify_one();
    }
}
