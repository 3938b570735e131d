//! A queue whose content is in the log only: what is read back before it can be sent, and what leaves memory again.

use std::sync::Arc;

use super::{Accounts, Content, Queue, memory};
use crate::durable::marks::Marks;
use crate::durable::place::Stored;
use crate::message::StoredMessage;

/// How far a queue was looked through for what has to be read.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    /// By arrival: everything before is in memory, or asked for, or not worth it.
    to: u64,
    /// Bytes of what waits before that.
    bytes: usize,
    /// The session stands in the list of those that want to read.
    pub(crate) is_listed: bool,
}

impl Ahead {
    /// The message of this arrival has left the queue.
    pub(super) fn left(&mut self, arrival: u64, size: usize) {
        if arrival < self.to {
            self.bytes = self.bytes.saturating_sub(size);
        }
    }

    fn count(&self, first: u64) -> u64 {
        self.to.saturating_sub(first)
    }
}

impl Queue {
    /// Whether so little is ahead that more should be read.
    pub(crate) fn wants_reading(&self) -> bool {
        let count = self.ahead.count(self.first_arrival);
        self.in_log > 0
            && count < AHEAD_MESSAGES / 2
            && self.ahead.bytes < AHEAD_BYTES / 2
            && count < self.messages.len() as u64
    }

    /// The next that should be read, and its arrival.
    pub(crate) fn next_to_read(&mut self, accounts: &Accounts<'_>) -> Option<(u64, Stored)> {
        if self.ahead.to <= self.first_arrival {
            (self.ahead.to, self.ahead.bytes) = (self.first_arrival, 0);
        }
        while self.ahead.count(self.first_arrival) < AHEAD_MESSAGES && self.ahead.bytes < AHEAD_BYTES {
            let arrival = self.ahead.to;
            let queued = self.messages.get((arrival - self.first_arrival) as usize)?;
            self.ahead.to += 1;
            self.ahead.bytes += queued.size();
            if let Content::Log(stored) = queued.content
                && !queued.is_expired(accounts.now)
            {
                return Some((arrival, stored));
            }
        }
        None
    }

    /// What a message that waits in the log refers to.
    pub(crate) fn in_log_at(&self, arrival: u64) -> Option<Stored> {
        let at = usize::try_from(arrival.checked_sub(self.first_arrival)?).ok()?;
        match self.messages.get(at)?.content {
            Content::Log(stored) => Some(stored),
            _ => None,
        }
    }

    /// The content of a message was read.
    pub(crate) fn put(&mut self, arrival: u64, message: Arc<StoredMessage>, accounts: &mut Accounts<'_>) {
        let Some(at) = arrival.checked_sub(self.first_arrival) else { return };
        let Some(queued) = self.messages.get_mut(at as usize) else { return };
        if matches!(queued.content, Content::Log(_)) {
            accounts.cache.enter(&message);
            accounts.counters.queued_in_log -= 1;
            self.in_log -= 1;
            queued.content = Content::Memory(message);
        }
    }

    /// The content of a message cannot be had any more.
    pub(crate) fn lose(&mut self, arrival: u64, accounts: &mut Accounts<'_>) {
        let Some(at) = arrival.checked_sub(self.first_arrival) else { return };
        let Some(queued) = self.messages.get_mut(at as usize) else { return };
        let Content::Log(stored) = queued.content else { return };
        self.bytes -= stored.size as usize;
        self.in_log -= 1;
        accounts.allowance.give(memory(queued));
        accounts.counters.queued -= 1;
        accounts.counters.queued_in_log -= 1;
        accounts.counters.queued_bytes -= u64::from(stored.size);
        accounts.counters.drop_one(tidegate_observe::DropReason::Unreadable);
        queued.content = Content::Lost;
    }

    /// Lets the content of a message go, if there is too much in memory and the log has it for sure. What is about to be sent
    /// stays.
    pub(crate) fn let_go(&mut self, arrival: u64, marks: &Marks, accounts: &mut Accounts<'_>) {
        if arrival >= self.ahead.to {
            self.let_go_at(arrival, marks, accounts);
        }
    }

    fn let_go_at(&mut self, arrival: u64, marks: &Marks, accounts: &mut Accounts<'_>) {
        let Some(at) = arrival.checked_sub(self.first_arrival) else { return };
        let Some(queued) = self.messages.get_mut(at as usize) else { return };
        let Content::Memory(message) = &queued.content else { return };
        if !queued.may_leave || !accounts.cache.is_over(accounts.limits) {
            return;
        }
        let place = message.place(marks.epoch()).filter(|&place| !marks.is_evacuated(place));
        let Some(place) = place else { return };
        accounts.cache.leave(message);
        accounts.counters.queued_in_log += 1;
        self.in_log += 1;
        queued.content = Content::Log(message.as_stored(place));
    }

    /// The client is gone: what was read for it need not stay.
    pub(crate) fn let_go_ahead(&mut self, marks: &Marks, accounts: &mut Accounts<'_>) {
        let end = self.ahead.to.min(self.first_arrival + self.messages.len() as u64);
        for arrival in self.first_arrival..end.max(self.first_arrival) {
            self.let_go_at(arrival, marks, accounts);
        }
        self.read_again();
    }

    /// What should be read is looked for from the first on.
    pub(crate) fn read_again(&mut self) {
        (self.ahead.to, self.ahead.bytes) = (self.first_arrival, 0);
    }

    /// Whether any content is in the log only.
    pub(crate) fn is_in_log(&self) -> bool {
        self.in_log > 0
    }

    /// The arrival of what came last.
    pub(crate) fn last_arrival(&self) -> u64 {
        (self.first_arrival + self.messages.len() as u64).saturating_sub(1)
    }

    /// What came last may leave memory: it counts for the cache.
    pub(crate) fn last_may_leave(&mut self, accounts: &mut Accounts<'_>) {
        if let Some(queued) = self.messages.back_mut()
            && let Content::Memory(message) = &queued.content
        {
            accounts.cache.enter(message);
            queued.may_leave = true;
        }
    }
}

/// Messages that are read before their turn comes: enough for the largest window of most clients.
const AHEAD_MESSAGES: u64 = 256;
/// And their bytes; one message may exceed them.
const AHEAD_BYTES: usize = 256 * 1024;
