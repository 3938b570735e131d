//! Connections that have so long and no longer, in the order of their deadlines.

use std::collections::VecDeque;

use tidegate_core::ConnectionId;

/// A list in which everybody gets the same time. Nobody is taken out early: whoever asks for those whose time is over
/// looks whether it still means anything.
pub(crate) struct Deadlines {
    time_ms: u64,
    queue: VecDeque<(u64, ConnectionId)>,
}

impl Deadlines {
    pub(crate) fn new(time_ms: u64) -> Self {
        Self { time_ms, queue: VecDeque::new() }
    }

    pub(crate) fn add(&mut self, id: ConnectionId, now_ms: u64) {
        self.queue.push_back((now_ms + self.time_ms, id));
    }

    /// A connection whose time is over.
    pub(crate) fn expired(&mut self, now_ms: u64) -> Option<ConnectionId> {
        self.queue.pop_front_if(|(deadline, _)| *deadline <= now_ms).map(|(_, id)| id)
    }

    pub(crate) fn next(&self) -> Option<u64> {
        self.queue.front().map(|&(deadline, _)| deadline)
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}
