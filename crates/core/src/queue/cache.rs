//! How much content waits in memory on one shard although the log has it, or soon will. A message that waits in many queues
//! counts once.

use crate::limits::Limits;
use crate::message::StoredMessage;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct QueueCache {
    used: u64,
}

impl QueueCache {
    pub(crate) fn enter(&mut self, message: &StoredMessage) {
        if message.begin_waiting() {
            self.used += cost(message);
        }
    }

    pub(crate) fn leave(&mut self, message: &StoredMessage) {
        if message.end_waiting() {
            debug_assert!(self.used >= cost(message), "more leaves than has come");
            self.used = self.used.saturating_sub(cost(message));
        }
    }

    /// Whether more waits in memory than should.
    pub(crate) fn is_over(&self, limits: &Limits) -> bool {
        self.used > limits.queue_cache_bytes as u64
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> u64 {
        self.used
    }
}

fn cost(message: &StoredMessage) -> u64 {
    (message.size() + MESSAGE_BYTES) as u64
}

/// What a message in memory takes besides its own bytes, roughly.
const MESSAGE_BYTES: usize = 112;
