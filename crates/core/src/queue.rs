//! Messages that wait for one session: because its client is away, or has as many as it can take.

use std::collections::VecDeque;
use std::sync::Arc;

use tidegate_mqtt::QoS;
use tidegate_observe::DropReason;

use crate::group::GroupKey;
use crate::limits::Limits;
use crate::message::StoredMessage;

/// One waiting message.
#[derive(Clone, Debug)]
pub(crate) struct Queued {
    pub(crate) message: Arc<StoredMessage>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) identifiers: Option<Box<[u32]>>,
    /// The shared subscription that it came through.
    pub(crate) group: Option<GroupKey>,
}

/// In order of arrival; bounded by count and bytes.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    messages: VecDeque<Queued>,
    bytes: usize,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Appends, unless a bound is reached: then the new message is the one that is dropped, so that what was
    /// acknowledged earlier keeps its place.
    pub(crate) fn push(&mut self, queued: Queued, limits: &Limits) -> Result<(), DropReason> {
        if self.messages.len() >= limits.queue_messages_max {
            return Err(DropReason::QueueMessages);
        }
        let bytes = self.bytes + queued.message.size();
        if bytes > limits.queue_bytes_max {
            return Err(DropReason::QueueBytes);
        }
        self.bytes = bytes;
        self.messages.push_back(queued);
        Ok(())
    }

    pub(crate) fn pop(&mut self) -> Option<Queued> {
        let queued = self.messages.pop_front()?;
        self.bytes -= queued.message.size();
        if self.messages.is_empty() {
            self.messages = VecDeque::new();
        }
        Some(queued)
    }
}
