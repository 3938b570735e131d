//! Messages that wait for one session: because its client is away, or has as many as it can take.
//!
//! A message that waits too long is dropped when its queue is looked at: by the next message that is queued, by the
//! client that takes what waits, or by the [sweep](crate::sweep). In order of arrival, the oldest is the first.
//!
//! The content of what came last leaves memory when the [cache](cache::QueueCache) is full and the log has it, and is read
//! back [ahead](ahead) of its turn.

pub(crate) mod ahead;
pub(crate) mod cache;
pub(crate) mod entry;

use std::collections::VecDeque;
use std::sync::Arc;

use tidegate_mqtt::QoS;
use tidegate_observe::{Counters, DropReason};

use crate::limits::Limits;
use crate::message::StoredMessage;
use crate::time::Now;
use crate::usage::Allowance;

use ahead::Ahead;
use cache::QueueCache;
pub(crate) use entry::{Content, Queued};

/// What the queues of one organisation on one shard are accounted to.
pub(crate) struct Accounts<'a> {
    pub(crate) now: Now,
    pub(crate) limits: &'a Limits,
    /// Of the bytes that all queues of the organisation may take.
    pub(crate) allowance: &'a mut Allowance,
    pub(crate) counters: &'a mut Counters,
    pub(crate) cache: &'a mut QueueCache,
}

/// In order of arrival; bounded by count, bytes and age.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    messages: VecDeque<Queued>,
    bytes: usize,
    /// When the first message was queued; so that looking costs no way to the message itself.
    since_secs: u32,
    /// How many of QoS 1 and 2 have left: these are numbered in the order of all that ever waited, for the log.
    first_sequence: u64,
    /// How many of QoS 1 and 2 wait. Those of QoS 0 wait behind a replay only.
    numbered: usize,
    /// How many of any QoS have left: the arrival of the first.
    first_arrival: u64,
    /// How many are in the log only.
    in_log: usize,
    pub(crate) ahead: Ahead,
}

impl Queue {
    /// Messages and their bytes.
    #[cfg(test)]
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.messages.len(), self.messages.iter().map(Queued::size).sum())
    }

    /// How many are in the log only, counted anew.
    #[cfg(test)]
    pub(crate) fn counted_in_log(&self) -> u64 {
        self.messages.iter().filter(|queued| matches!(queued.content, Content::Log(_))).count() as u64
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Appends, unless a bound is reached: then the new message is the one that is dropped, and counted, so that what
    /// was acknowledged earlier keeps its place. The number that it has if it waits now and is of QoS 1 or 2.
    pub(crate) fn push(&mut self, queued: Queued, accounts: &mut Accounts<'_>) -> Option<u64> {
        if self.first_is_old(accounts) {
            self.drop_old(DROPS_PER_PUSH, accounts);
        }
        match self.admit(&queued, accounts) {
            Ok(()) => {
                let since_secs = secs(accounts.now);
                if self.messages.is_empty() {
                    self.since_secs = since_secs;
                }
                self.bytes += queued.size();
                accounts.counters.queued += 1;
                accounts.counters.queued_bytes += queued.size() as u64;
                self.numbered += usize::from(queued.qos > QoS::AtMostOnce);
                let mut queued = Queued { since_secs, ..queued };
                self.messages.back().into_iter().for_each(|before| queued.share_extra(before));
                self.messages.push_back(queued);
                Some((self.first_sequence + self.numbered as u64).wrapping_sub(1))
            }
            Err(reason) => {
                accounts.counters.drop_one(reason);
                None
            }
        }
    }

    /// Takes what the message needs of the organisation's allowance, if all bounds allow it.
    fn admit(&self, queued: &Queued, accounts: &mut Accounts<'_>) -> Result<(), DropReason> {
        let limits = accounts.limits;
        if self.messages.len() >= limits.queue_messages_max {
            return Err(DropReason::QueueMessages);
        }
        if self.bytes + queued.size() > limits.queue_bytes_max {
            return Err(DropReason::QueueBytes);
        }
        let max = limits.queued_bytes_per_organisation_max as u64;
        if !accounts.allowance.take(memory(queued), max) {
            return Err(DropReason::OrganisationQueueBytes);
        }
        Ok(())
    }

    /// The next message that may still be delivered, if its content is in memory; those that may not are dropped and
    /// counted.
    pub(crate) fn pop(&mut self, accounts: &mut Accounts<'_>) -> Option<(Arc<StoredMessage>, Queued)> {
        loop {
            if self.first_is_old(accounts) {
                self.drop_old(usize::MAX, accounts);
            }
            let first = self.messages.front()?;
            let message = match &first.content {
                _ if first.is_expired(accounts.now) => None,
                Content::Log(_) => return None,
                Content::Lost => None,
                Content::Memory(message) => Some(Arc::clone(message)),
            };
            let queued = self.take_first(accounts)?;
            match message {
                Some(message) => return Some((message, queued)),
                None => accounts.counters.drop_many(DropReason::Expired, u64::from(!queued.is_lost())),
            }
        }
    }

    /// The message that came last.
    pub(crate) fn last_mut(&mut self) -> Option<&mut Queued> {
        self.messages.back_mut()
    }

    /// The number of the message that left last, if it was of QoS 1 or 2.
    pub(crate) fn last_taken(&self) -> u64 {
        self.first_sequence.wrapping_sub(1)
    }

    /// The messages of QoS 1 and 2 from a number on, each with its number and arrival.
    pub(crate) fn numbered_from(&mut self, from: u64) -> impl Iterator<Item = (u64, u64, &mut Queued)> {
        let from = from.max(self.first_sequence);
        let skip = usize::try_from(from - self.first_sequence).unwrap_or(usize::MAX).min(self.messages.len());
        // Each number has a message, so as many can be passed over at once if no other messages are between them.
        let (skip, before) = if self.numbered == self.messages.len() { (skip, 0) } else { (0, skip) };
        let arrivals = self.first_arrival + skip as u64..;
        let waiting = arrivals.zip(self.messages.range_mut(skip..));
        let numbered = waiting.filter(|(_, queued)| queued.qos > QoS::AtMostOnce);
        (from..).zip(numbered.skip(before)).map(|(number, (arrival, queued))| (number, arrival, queued))
    }

    /// What waited before a restart: numbers begin at `first`. No bound is looked at: what is there was promised.
    pub(crate) fn restore(
        &mut self,
        first: u64,
        mut messages: VecDeque<Queued>,
        accounts: &mut Accounts<'_>,
    ) {
        self.first_sequence = first;
        self.numbered = messages.len();
        let now_secs = accounts.now.unix_ms / 1000;
        for queued in &mut messages {
            let age_secs =
                u32::try_from(now_secs.saturating_sub(queued.restored_since())).unwrap_or(u32::MAX);
            // Monotonic time may have begun after it was queued: then it counts as queued at the beginning.
            queued.since_secs = secs(accounts.now).saturating_sub(age_secs);
            match &queued.content {
                Content::Lost => continue,
                Content::Memory(_) => {}
                Content::Log(_) => {
                    self.in_log += 1;
                    accounts.counters.queued_in_log += 1;
                    queued.may_leave = true;
                }
            }
            self.bytes += queued.size();
            accounts.counters.queued += 1;
            accounts.counters.queued_bytes += queued.size() as u64;
            accounts.allowance.settle(accounts.allowance.used() + memory(queued));
        }
        self.since_secs = messages.front().map_or(0, |first| first.since_secs);
        self.messages = messages;
    }

    /// Everything that waits: for a session that ends.
    pub(crate) fn drain(&mut self, accounts: &mut Accounts<'_>) -> VecDeque<Queued> {
        let memory = self.messages.iter().map(memory).sum();
        accounts.allowance.give(memory);
        accounts.counters.queued -= self.messages.iter().filter(|queued| !queued.is_lost()).count() as u64;
        accounts.counters.queued_bytes -= self.bytes as u64;
        accounts.counters.queued_in_log -= self.in_log as u64;
        self.messages.iter().for_each(|queued| leave_cache(queued, accounts));
        std::mem::take(self).messages
    }

    fn take_first(&mut self, accounts: &mut Accounts<'_>) -> Option<Queued> {
        let queued = self.messages.pop_front()?;
        if queued.qos > QoS::AtMostOnce {
            self.first_sequence += 1;
            self.numbered -= 1;
        }
        self.ahead.left(self.first_arrival, queued.size());
        self.first_arrival += 1;
        self.bytes -= queued.size();
        leave_cache(&queued, accounts);
        accounts.allowance.give(memory(&queued));
        accounts.counters.queued -= u64::from(!queued.is_lost());
        accounts.counters.queued_bytes -= queued.size() as u64;
        if let Content::Log(_) = queued.content {
            self.in_log -= 1;
            accounts.counters.queued_in_log -= 1;
        }
        match self.messages.front() {
            Some(first) => self.since_secs = first.since_secs,
            None => self.messages = VecDeque::new(),
        }
        Some(queued)
    }

    /// Drops up to `count` messages that wait for too long or are expired, from the first; how many it were.
    pub(crate) fn drop_old(&mut self, count: usize, accounts: &mut Accounts<'_>) -> usize {
        let mut dropped = 0;
        while dropped < count
            && let Some(first) = self.messages.front()
        {
            let reason = if first.is_lost() {
                None
            } else if first.is_expired(accounts.now) {
                Some(DropReason::Expired)
            } else if self.first_is_old(accounts) {
                Some(DropReason::QueueAge)
            } else {
                break;
            };
            self.take_first(accounts);
            reason.into_iter().for_each(|reason| accounts.counters.drop_one(reason));
            dropped += 1;
        }
        dropped
    }

    #[inline]
    fn first_is_old(&self, accounts: &Accounts<'_>) -> bool {
        let age_secs = secs(accounts.now).saturating_sub(self.since_secs);
        age_secs > accounts.limits.queued_message_age_max_secs && !self.messages.is_empty()
    }
}

/// What a message in a queue counts for: a small one takes more room in the queue than it has bytes.
fn memory(queued: &Queued) -> u64 {
    if queued.is_lost() { 0 } else { (queued.size() + MESSAGE_BYTES) as u64 }
}

fn leave_cache(queued: &Queued, accounts: &mut Accounts<'_>) {
    if let Content::Memory(message) = &queued.content
        && queued.may_leave
    {
        accounts.cache.leave(message);
    }
}

fn secs(now: Now) -> u32 {
    (now.mono_ms / 1000) as u32
}

/// Old messages that one new message pushes out; more than one, so that old ones become fewer.
const DROPS_PER_PUSH: usize = 64;
/// Memory of one queued message besides its own bytes, roughly.
const MESSAGE_BYTES: usize = 64;
