//! One session on its way back.

use std::collections::{HashMap, HashSet, VecDeque};

use foldhash::fast::FixedState;

use crate::durable::record::Presence;
use crate::durable::spread::Had;
use crate::identifiers::OrganisationId;
use crate::queue::Queued;

/// See the module.
pub(crate) struct SessionDraft {
    /// Copies of it came, and its image may follow: until then only they count.
    pub(super) is_expected: bool,
    pub(crate) organisation: OrganisationId,
    pub(crate) client_identifier: Box<str>,
    pub(crate) presence: Presence,
    /// Options and Subscription Identifier of each filter.
    pub(crate) subscriptions: HashMap<Box<str>, (u8, u32), FixedState>,
    pub(crate) queue: QueueDraft,
    /// In the order in which they were begun. Without a copy: PUBREC came, only the identifier counts.
    pub(crate) window: Vec<(u16, Option<Queued>)>,
    pub(crate) awaiting_release: HashSet<u16, FixedState>,
    /// Messages of which other shards shall have copies, and perhaps have not.
    pub(crate) half_taken: HashMap<u16, Had, FixedState>,
}

impl SessionDraft {
    pub(super) fn new(organisation: u32, client_identifier: &str, presence: Presence) -> Self {
        Self {
            is_expected: false,
            organisation: OrganisationId(organisation),
            client_identifier: client_identifier.into(),
            presence,
            subscriptions: HashMap::default(),
            queue: QueueDraft::default(),
            window: Vec::new(),
            awaiting_release: HashSet::default(),
            half_taken: HashMap::default(),
        }
    }

    pub(super) fn expected() -> Self {
        let presence = Presence { expiry_secs: 0, left_at_ms: None };
        Self { is_expected: true, ..Self::new(0, "", presence) }
    }

    /// Every copy that it has.
    pub(super) fn copies_mut(&mut self) -> impl Iterator<Item = &mut Queued> {
        let in_flight = self.window.iter_mut().filter_map(|(_, copy)| copy.as_mut());
        in_flight.chain(&mut self.queue.messages)
    }

    /// The copies that are not only in the log while it lives.
    pub(super) fn needed_mut(&mut self) -> impl Iterator<Item = &mut Queued> {
        let in_flight = self.window.iter_mut().filter_map(|(_, copy)| copy.as_mut());
        in_flight.chain(self.queue.messages.iter_mut().filter(|queued| queued.group().is_some()))
    }

    pub(super) fn exchange(&mut self, identifier: u16) -> Option<&mut (u16, Option<Queued>)> {
        self.window.iter_mut().find(|(of, _)| *of == identifier)
    }

    pub(super) fn begin(&mut self, identifier: u16, copy: Option<Queued>) {
        match self.exchange(identifier) {
            Some((_, known)) => *known = copy,
            None => self.window.push((identifier, copy)),
        }
    }

    /// What waited before this copy was dropped: a queue gives its first.
    pub(super) fn begin_queued(&mut self, sequence: u64, identifier: u16) {
        let Some(copy) = self.queue.take_to(sequence) else { return };
        if self.exchange(identifier).is_none() {
            self.window.push((identifier, Some(copy)));
        }
    }

    pub(super) fn finish(&mut self, identifier: u16) {
        if let Some(at) = self.window.iter().position(|(of, _)| *of == identifier) {
            self.window.remove(at);
        }
    }
}

/// A queue, by sequence: an image is written in pieces, between which newer copies arrive. What is missing in the middle stands
/// there as lost.
#[derive(Default)]
pub(crate) struct QueueDraft {
    /// The sequence of the first.
    pub(crate) first: u64,
    pub(crate) messages: VecDeque<Queued>,
}

impl QueueDraft {
    fn end(&self) -> u64 {
        self.first + self.messages.len() as u64
    }

    pub(super) fn put(&mut self, sequence: u64, queued: Queued) {
        if self.messages.is_empty() {
            // Never back: what left keeps its number.
            self.first = self.first.max(sequence);
        }
        // Only a damaged record can say so.
        if sequence.abs_diff(self.first) > SEQUENCES_MAX {
            return;
        }
        while sequence < self.first {
            self.first -= 1;
            self.messages.push_front(Queued::lost());
        }
        while sequence > self.end() {
            self.messages.push_back(Queued::lost());
        }
        let at = (sequence - self.first) as usize;
        match self.messages.get_mut(at) {
            Some(known) => *known = queued,
            None => self.messages.push_back(queued),
        }
    }

    /// Takes the copy of this sequence, and forgets what was before it.
    fn take_to(&mut self, sequence: u64) -> Option<Queued> {
        let mut taken = None;
        while self.first <= sequence {
            let Some(copy) = self.messages.pop_front() else { break };
            taken = (self.first == sequence).then_some(copy);
            self.first += 1;
        }
        taken
    }
}

/// More than any queue has.
const SEQUENCES_MAX: u64 = 1 << 26;
