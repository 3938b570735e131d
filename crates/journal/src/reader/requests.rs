//! Where requests wait for the reader.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::inbox::Owner;
use crate::position::Position;

/// Somebody wants the Message record of `length` bytes at `position`.
pub(crate) struct Request {
    pub(crate) owner: Arc<Owner>,
    pub(crate) position: Position,
    pub(crate) length: u32,
    pub(crate) tag: u64,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Request>,
    sleeping: bool,
    closed: bool,
}

/// One queue for all owners. Each bounds its own part of it.
#[derive(Default)]
pub(crate) struct Requests {
    queue: Mutex<Queue>,
    came: Condvar,
}

impl Requests {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Invariant: nothing under this lock leaves the queue half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put(&self, requests: &mut Vec<Request>) {
        let mut queue = self.queue();
        queue.waiting.append(requests);
        let wake = std::mem::take(&mut queue.sleeping);
        drop(queue);
        if wake {
            self.came.notify_one();
        }
    }

    pub(crate) fn take(&self, into: &mut Vec<Request>) {
        into.append(&mut self.queue().waiting);
    }

    /// Waits until something is there. `false` when the journal is closed.
    pub(crate) fn wait(&self) -> bool {
        let mut queue = self.queue();
        while queue.waiting.is_empty() && !queue.closed {
            queue.sleeping = true;
            queue = self.came.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.sleeping = false;
        !queue.closed
    }

    pub(crate) fn close(&self) {
        self.queue().closed = true;
        self.came.notify_one();
    }
}
