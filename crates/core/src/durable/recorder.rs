//! How records leave the core: a turn's records in one buffer, each message's content once.
//!
//! Content is written when something first refers to it, and referred to by number until the journal has said where it
//! stands; from then on by place, for as long as the [marks](super::marks) allow. Whoever reads the log keeps in mind only
//! what was written lately: a reference by number never goes back further than a stretch.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::durable::marks::Marks;
use crate::durable::place::{Place, Reference, Stored};
use crate::durable::record::{Record, SessionKey};
use crate::identifiers::{OrganisationId, SessionId, ShardId, Ticket};
use crate::message::StoredMessage;

/// The records of one turn, in order. The shell hands them to the journal as one unit, which is there after a crash as a
/// whole or not at all, and empties this.
#[derive(Debug, Default)]
pub struct Records {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

/// One of a turn's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordBytes<'r> {
    /// What to write.
    pub bytes: &'r [u8],
    /// Whether it is a message's content. The core is told where each of these stands, in their order: `Input::Placed`.
    pub is_content: bool,
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
    pub fn iter(&self) -> impl Iterator<Item = RecordBytes<'_>> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(from, &to)| {
            let bytes = &self.bytes[from..to];
            RecordBytes { bytes, is_content: Record::is_content(bytes) }
        })
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
    /// How many messages were written.
    contents: u32,
    /// Rises now and then. Content that was written in an earlier one is not referred to by number.
    stretch: u32,
    /// The session whose queue is written in pieces, and where the next piece begins.
    image_of_queue: Option<(SessionKey, u64)>,
    pub(crate) marks: Marks,
    /// In the order of the log: messages whose place is not known yet, and between them the waiting copies that were written
    /// after them.
    pub(crate) on_their_way: VecDeque<OnItsWay>,
}

/// See [`Numbers::on_their_way`].
#[derive(Debug)]
pub(crate) enum OnItsWay {
    Content(Arc<StoredMessage>),
    /// A copy in a queue, by its place there.
    Waiting(OrganisationId, SessionId, u64),
}

impl Numbers {
    pub(crate) fn new(enabled: bool, shard: ShardId) -> Self {
        Self {
            enabled,
            shard: u64::from(shard.0),
            last: 0,
            contents: 0,
            stretch: 1,
            image_of_queue: None,
            marks: Marks::default(),
            on_their_way: VecDeque::new(),
        }
    }

    /// Numbers up to here may be in the log.
    pub(crate) fn begin_after(&mut self, highest: u64) {
        self.last = self.last.max(highest / SHARDS);
    }

    pub(crate) fn set_image_of_queue(&mut self, next: Option<(SessionKey, u64)>) {
        self.image_of_queue = next;
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last * SHARDS + self.shard
    }

    fn is_own(&self, number: u64) -> bool {
        number % SHARDS == self.shard
    }

    /// The place of the oldest content that is on its way: `None` if it did not arrive.
    pub(crate) fn arrived(&mut self, place: Option<Place>) {
        let Some(OnItsWay::Content(message)) = self.on_their_way.pop_front() else {
            debug_assert!(false, "there is no content on its way");
            return;
        };
        message.has_arrived();
        if let Some(place) = place {
            message.set_place(place, self.marks.learnt());
        }
    }

    /// The next copy in a queue whose content has arrived.
    pub(crate) fn next_waiting(&mut self) -> Option<(OrganisationId, SessionId, u64)> {
        match self.on_their_way.front()? {
            OnItsWay::Content(_) => None,
            &OnItsWay::Waiting(organisation, session, arrival) => {
                self.on_their_way.pop_front();
                Some((organisation, session, arrival))
            }
        }
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

    /// How to refer to a message, whose content is written if need be. A message that another shard has numbered is copied:
    /// each shard decides alone what it still needs.
    pub(crate) fn refer_to(&mut self, message: &mut Arc<StoredMessage>) -> Reference {
        let numbers = &mut *self.numbers;
        let mut number = message.number(|| numbers.next());
        if !numbers.is_own(number) {
            *message = StoredMessage::new(&message.as_message());
            number = message.number(|| numbers.next());
        }
        let place = message.place(numbers.marks.epoch());
        if let Some(place) = place.filter(|&place| !numbers.marks.is_evacuated(place)) {
            numbers.marks.mark(place);
            message.keep_place(numbers.marks.epoch() + 1);
            return Reference::Place(message.as_stored(place));
        }
        if message.needs_writing(numbers.stretch) {
            numbers.contents += 1;
            numbers.stretch += u32::from(numbers.contents.is_multiple_of(CONTENTS_PER_STRETCH));
            numbers.on_their_way.push_back(OnItsWay::Content(Arc::clone(message)));
            self.write(&Record::Message { number, message: message.as_message() });
        }
        Reference::Number(number)
    }

    /// How to refer to content that is not in memory. It is not in a segment that is to be emptied, or cannot be read.
    pub(crate) fn refer_to_stored(&mut self, stored: Stored) -> Reference {
        self.numbers.marks.mark(stored.place);
        Reference::Place(stored)
    }

    /// A copy in a queue may leave memory as soon as its content has arrived.
    pub(crate) fn note_waiting(&mut self, organisation: OrganisationId, session: SessionId, arrival: u64) {
        self.numbers.on_their_way.push_back(OnItsWay::Waiting(organisation, session, arrival));
    }

    /// A new place in this shard's order of durable records.
    pub(crate) fn ticket(&mut self) -> Ticket {
        *self.last_ticket = Ticket(self.last_ticket.0 + 1);
        *self.persist = Some(*self.last_ticket);
        *self.last_ticket
    }
}

/// The most shards there can be.
pub(crate) const SHARDS: u64 = ShardId::COUNT_MAX as u64;
/// Content that was written longer ago, counted in contents of the same shard, is not referred to by number: whoever reads the
/// log need not keep in mind all that ever was in it.
pub(crate) const CONTENTS_PER_STRETCH: u32 = 50_000;
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
