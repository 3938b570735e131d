//! How records leave the core: a turn's records in one buffer, each message's content once.

use std::sync::Arc;

use crate::durable::record::{MessageNumber, Record, SessionKey};
use crate::identifiers::{ShardId, Ticket};
use crate::message::StoredMessage;

/// The records of one turn, in order. The shell hands them to the journal as one unit, which is there after a crash as a
/// whole or not at all, and empties this.
#[derive(Debug, Default)]
pub struct Records {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Records {
    /// Nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many bytes there are to write.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// One record after the other.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(from, &to)| &self.bytes[from..to])
    }

    /// They are written; a burst gives its memory back.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        if self.bytes.capacity() > KEPT_BYTES_MAX {
            *self = Self::default();
        }
    }

    pub(crate) fn push(&mut self, record: &Record<'_>) {
        record.encode(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }
}

/// The numbers that one shard gives to its sessions, messages and Wills: unique in the log for ever, so that a restart
/// with another number of shards mixes nothing up.
#[derive(Debug)]
pub(crate) struct Numbers {
    /// Whether anything is written down at all.
    enabled: bool,
    shard: u64,
    last: u64,
    /// Rises with each checkpoint, and now and then. What was written in an earlier one may be gone from the log.
    round: u32,
    /// The session whose queue is written in pieces, and where the next piece begins.
    image_of_queue: Option<(SessionKey, u64)>,
}

impl Numbers {
    pub(crate) fn new(enabled: bool, shard: ShardId) -> Self {
        Self { enabled, shard: u64::from(shard.0), last: 0, round: 1, image_of_queue: None }
    }

    /// Numbers up to here may be in the log.
    pub(crate) fn begin_after(&mut self, highest: u64) {
        self.last = self.last.max(highest / SHARDS);
    }

    pub(crate) fn begin_round(&mut self) {
        self.round += 1;
    }

    pub(crate) fn set_image_of_queue(&mut self, next: Option<(SessionKey, u64)>) {
        self.image_of_queue = next;
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.round += u32::from(self.last.is_multiple_of(NUMBERS_PER_ROUND));
        self.last * SHARDS + self.shard
    }

    fn is_own(&self, number: u64) -> bool {
        number % SHARDS == self.shard
    }
}

/// Writes records, while a step has everything else borrowed.
pub(crate) struct Recorder<'a> {
    pub(crate) numbers: &'a mut Numbers,
    pub(crate) records: &'a mut Records,
    pub(crate) last_ticket: &'a mut Ticket,
    pub(crate) persist: &'a mut Option<Ticket>,
}

impl Recorder<'_> {
    /// Whether anything is written down at all.
    pub(crate) fn is_enabled(&self) -> bool {
        self.numbers.enabled
    }

    /// A number that nothing else in the log has; `None` when nothing is written down.
    pub(crate) fn new_number(&mut self) -> Option<u64> {
        self.numbers.enabled.then(|| self.numbers.next())
    }

    /// Whether what the log has of a waiting copy may be only what is older than the checkpoint under way.
    pub(crate) fn may_lack(&self, key: SessionKey, sequence: u64) -> bool {
        self.numbers.image_of_queue.is_some_and(|(of, next)| of == key && sequence >= next)
    }

    pub(crate) fn write(&mut self, record: &Record<'_>) {
        if self.numbers.enabled {
            self.records.push(record);
        }
    }

    /// The number of a message, after its content was written if it was not. A message that another shard has numbered is
    /// copied: each shard decides alone what it still needs.
    pub(crate) fn message(&mut self, stored: &mut Arc<StoredMessage>) -> MessageNumber {
        let numbers = &mut *self.numbers;
        let mut number = stored.number(|| numbers.next());
        if !numbers.is_own(number) {
            *stored = StoredMessage::new(&stored.as_message());
            number = stored.number(|| numbers.next());
        }
        if stored.needs_writing(numbers.round) {
            self.write(&Record::Message { number, message: stored.as_message() });
        }
        number
    }

    /// A new place in this shard's order of durable records.
    pub(crate) fn ticket(&mut self) -> Ticket {
        *self.last_ticket = Ticket(self.last_ticket.0 + 1);
        *self.persist = Some(*self.last_ticket);
        *self.last_ticket
    }
}

/// The most shards there can be.
const SHARDS: u64 = ShardId::COUNT_MAX as u64;
/// A message is referred to without its content only so long after it was written: whoever reads the log need not keep all
/// that ever was in it.
const NUMBERS_PER_ROUND: u64 = 50_000;
/// A turn that wrote more than this gives its memory back.
const KEPT_BYTES_MAX: usize = 1024 * 1024;

/// A [`Recorder`] of a core's own fields, so that its others stay free.
macro_rules! recorder {
    ($core:expr, $effects:expr) => {
        $crate::durable::recorder::Recorder {
            numbers: &mut $core.numbers,
            records: &mut $effects.records,
            last_ticket: &mut $core.last_ticket,
            persist: &mut $effects.persist,
        }
    };
}
pub(crate) use recorder;
