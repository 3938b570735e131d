//! Bytes that wait to be written, per connection, and which connections have any.

use super::ConnectionId;

/// The queued bytes of every connection.
#[derive(Debug, Default)]
pub struct Outbox {
    queues: Vec<Queue>,
    dirty: Vec<ConnectionId>,
}

/// The queued bytes of one connection. `written` of them have left.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) bytes: Vec<u8>,
    pub(super) written: usize,
    is_dirty: bool,
}

impl Outbox {
    /// The buffer of `to`; whatever is appended leaves with the next write.
    #[inline]
    pub fn queue(&mut self, to: ConnectionId) -> &mut Vec<u8> {
        let queue = &mut self.queues[to];
        if !queue.is_dirty {
            queue.is_dirty = true;
            self.dirty.push(to);
        }
        &mut queue.bytes
    }

    #[inline]
    pub(super) fn of(&mut self, id: ConnectionId) -> &mut Queue {
        &mut self.queues[id]
    }

    /// Takes a connection off the list of those with something to write.
    #[inline]
    pub(super) fn next_dirty(&mut self) -> Option<ConnectionId> {
        let id = self.dirty.pop()?;
        self.queues[id].is_dirty = false;
        Some(id)
    }

    /// Makes an empty queue for a new or closed connection.
    pub(crate) fn reset(&mut self, id: ConnectionId) {
        if self.queues.len() <= id {
            self.queues.resize_with(id + 1, Queue::default);
        }
        let queue = &mut self.queues[id];
        queue.bytes.clear();
        queue.written = 0;
    }
}
