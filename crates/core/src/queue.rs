//! Messages that wait for one session: because its client is away, or has as many as it can take.
//!
//! A message that waits too long is dropped when its queue is looked at: by the next message that is queued, by the
//! client that takes what waits, or by the [sweep](crate::sweep). In order of arrival, the oldest is the first.

use std::collections::VecDeque;
use std::sync::Arc;

use tidegate_mqtt::QoS;
use tidegate_observe::{Counters, DropReason};

use crate::group::GroupKey;
use crate::limits::Limits;
use crate::message::StoredMessage;
use crate::time::Now;
use crate::usage::Allowance;

/// One waiting message.
#[derive(Clone, Debug)]
pub(crate) struct Queued {
    pub(crate) message: Arc<StoredMessage>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// When it was queued, in seconds of monotonic time.
    since_secs: u32,
    pub(crate) identifiers: Option<Box<[u32]>>,
    /// The shared subscription that it came through.
    pub(crate) group: Option<GroupKey>,
}

// A hundred thousand of these may wait in one session.
const _: () = assert!(size_of::<Queued>() == 40);

impl Queued {
    pub(crate) fn new(
        message: Arc<StoredMessage>,
        (qos, retain): (QoS, bool),
        identifiers: &[u32],
        group: Option<GroupKey>,
    ) -> Self {
        let identifiers = (!identifiers.is_empty()).then(|| identifiers.into());
        Self { message, qos, retain, since_secs: 0, identifiers, group }
    }

    /// When it was queued, in seconds since 1970.
    pub(crate) fn since_unix_secs(&self, now: Now) -> u64 {
        (now.unix_ms / 1000).saturating_sub(u64::from(secs(now).saturating_sub(self.since_secs)))
    }
}

/// What the queues of one organisation on one shard are accounted to.
pub(crate) struct Accounts<'a> {
    pub(crate) now: Now,
    pub(crate) limits: &'a Limits,
    /// Of the bytes that all queues of the organisation may take.
    pub(crate) allowance: &'a mut Allowance,
    pub(crate) counters: &'a mut Counters,
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
}

impl Queue {
    /// Messages and their bytes.
    #[cfg(test)]
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.messages.len(), self.messages.iter().map(|queued| queued.message.size()).sum())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Appends, unless a bound is reached: then the new message is the one that is dropped, and counted, so that what
    /// was acknowledged earlier keeps its place. The number that it has if it waits now and is of QoS 1 or 2.
    pub(crate) fn push(&mut self, queued: Queued, mut accounts: Accounts<'_>) -> Option<u64> {
        if self.first_is_old(&accounts) {
            self.drop_old(DROPS_PER_PUSH, &mut accounts);
        }
        match self.admit(&queued, &mut accounts) {
            Ok(()) => {
                let since_secs = secs(accounts.now);
                if self.messages.is_empty() {
                    self.since_secs = since_secs;
                }
                self.bytes += queued.message.size();
                accounts.counters.queued += 1;
                accounts.counters.queued_bytes += queued.message.size() as u64;
                self.numbered += usize::from(queued.qos > QoS::AtMostOnce);
                self.messages.push_back(Queued { since_secs, ..queued });
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
        if self.bytes + queued.message.size() > limits.queue_bytes_max {
            return Err(DropReason::QueueBytes);
        }
        let max = limits.queued_bytes_per_organisation_max as u64;
        if !accounts.allowance.take(memory(queued), max) {
            return Err(DropReason::OrganisationQueueBytes);
        }
        Ok(())
    }

    /// The next message that may still be delivered; those that may not are dropped and counted.
    pub(crate) fn pop(&mut self, mut accounts: Accounts<'_>) -> Option<Queued> {
        loop {
            if self.first_is_old(&accounts) {
                self.drop_old(usize::MAX, &mut accounts);
            }
            let queued = self.take_first(&mut accounts)?;
            if !queued.message.as_message().is_expired(accounts.now) {
                return Some(queued);
            }
            accounts.counters.drop_one(DropReason::Expired);
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

    /// The messages of QoS 1 and 2 from a number on, each with its number.
    pub(crate) fn numbered_from(&mut self, from: u64) -> impl Iterator<Item = (u64, &mut Queued)> {
        let from = from.max(self.first_sequence);
        let skip = usize::try_from(from - self.first_sequence).unwrap_or(usize::MAX).min(self.messages.len());
        // Each number has a message, so as many can be passed over at once if no other messages are between them.
        let (skip, before) = if self.numbered == self.messages.len() { (skip, 0) } else { (0, skip) };
        let numbered = self.messages.range_mut(skip..).filter(|queued| queued.qos > QoS::AtMostOnce);
        (from..).zip(numbered.skip(before))
    }

    /// What waited before a restart: numbers begin at `first`, and each message comes with when it was queued, in seconds
    /// since 1970. No bound is looked at: what is there was promised.
    pub(crate) fn restore(
        &mut self,
        first: u64,
        messages: impl Iterator<Item = (u64, Queued)>,
        accounts: Accounts<'_>,
    ) {
        self.first_sequence = first;
        let now_secs = accounts.now.unix_ms / 1000;
        for (since, queued) in messages {
            let age_secs = u32::try_from(now_secs.saturating_sub(since)).unwrap_or(u32::MAX);
            // Monotonic time may have begun after it was queued: then it counts as queued at the beginning.
            let since_secs = secs(accounts.now).saturating_sub(age_secs);
            if self.messages.is_empty() {
                self.since_secs = since_secs;
            }
            self.numbered += 1;
            self.bytes += queued.message.size();
            accounts.counters.queued += 1;
            accounts.counters.queued_bytes += queued.message.size() as u64;
            accounts.allowance.settle(accounts.allowance.used() + memory(&queued));
            self.messages.push_back(Queued { since_secs, ..queued });
        }
    }

    /// Everything that waits: for a session that ends.
    pub(crate) fn drain(&mut self, accounts: Accounts<'_>) -> VecDeque<Queued> {
        let memory = self.messages.iter().map(memory).sum();
        accounts.allowance.give(memory);
        accounts.counters.queued -= self.messages.len() as u64;
        accounts.counters.queued_bytes -= self.bytes as u64;
        std::mem::take(self).messages
    }

    fn take_first(&mut self, accounts: &mut Accounts<'_>) -> Option<Queued> {
        let queued = self.messages.pop_front()?;
        if queued.qos > QoS::AtMostOnce {
            self.first_sequence += 1;
            self.numbered -= 1;
        }
        self.bytes -= queued.message.size();
        accounts.allowance.give(memory(&queued));
        accounts.counters.queued -= 1;
        accounts.counters.queued_bytes -= queued.message.size() as u64;
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
            let reason = if first.message.as_message().is_expired(accounts.now) {
                DropReason::Expired
            } else if self.first_is_old(accounts) {
                DropReason::QueueAge
            } else {
                break;
            };
            self.take_first(accounts);
            accounts.counters.drop_one(reason);
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
    (queued.message.size() + MESSAGE_BYTES) as u64
}

fn secs(now: Now) -> u32 {
    (now.mono_ms / 1000) as u32
}

/// Old messages that one new message pushes out; more than one, so that old ones become fewer.
const DROPS_PER_PUSH: usize = 64;
/// Memory of one queued message besides its own bytes, roughly.
const MESSAGE_BYTES: usize = 64;
