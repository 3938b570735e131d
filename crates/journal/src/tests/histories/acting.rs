//! What owners do during a life, and how they act on what they are told.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::tests::world::Ear;
use crate::*;

use super::checker::{Fate, Submitted, Violation, violation};
use super::history::History;
use super::owner::{MESSAGE_BYTES_MIN, Owned, Place, Saying};

/// One owner during one life.
pub(super) struct Owner {
    pub(super) stream: u16,
    pub(super) appender: Appender,
    pub(super) ear: Arc<Ear>,
    pub(super) owned: Owned,
    /// Messages that were pushed and are not answered: their position is not known.
    pub(super) unanswered: BTreeMap<u64, Unanswered>,
    /// The checkpoint that it is writing.
    pub(super) checkpoint: Option<Checkpoint>,
    /// What it has referred to by position since that was asked for.
    pub(super) marks: Marks,
    /// What was pushed and not submitted.
    pub(super) open: Vec<Saying>,
    pub(super) open_records: Vec<Vec<u8>>,
    pub(super) open_offsets: Vec<Offset>,
}

/// A message on its way: new, or moved from where it still stands.
pub(super) struct Unanswered {
    pub(super) ticket: Ticket,
    pub(super) offset: Offset,
    pub(super) length: u32,
}

/// A checkpoint that an owner is writing.
pub(super) struct Checkpoint {
    round: Round,
    /// The segments that should be emptied.
    evacuate: Arc<[u32]>,
    /// What is still to be written.
    left: Vec<Saying>,
}

impl Owner {
    pub(super) fn new(stream: u16, appender: Appender, ear: Arc<Ear>, owned: Owned) -> Self {
        Self {
            stream,
            appender,
            ear,
            owned,
            unanswered: BTreeMap::new(),
            checkpoint: None,
            marks: Marks::default(),
            open: Vec::new(),
            open_records: Vec::new(),
            open_offsets: Vec::new(),
        }
    }
}

impl History {
    pub(super) fn do_something(&mut self, owner: &mut Owner) {
        for _ in 0..=self.random.below(4) {
            let key = self.random.below(8) as u8;
            let saying = match self.random.below(11) {
                0..2 => Saying::Set { key, value: self.random.below(100) },
                2..4 if owner.owned.counters.contains_key(&key) => Saying::Add { key, more: 1 },
                4 => Saying::Delete { key },
                5..8 => {
                    let giant = self.random.chance(10);
                    let most = if giant { 9000 } else { 500 };
                    let length = MESSAGE_BYTES_MIN + self.random.below(most) as u32;
                    Saying::Message { id: self.next_number, length }
                }
                8 => {
                    let Some((_, place)) = self.any_message(owner) else { continue };
                    self.met.shared += 1;
                    Saying::MessageAt { id: self.next_number, place }
                }
                _ => {
                    let Some((id, place)) = self.any_message(owner) else { continue };
                    owner.appender.forgot(u64::from(place.length));
                    Saying::Done { id }
                }
            };
            self.say(owner, saying);
        }
    }

    /// A message that is committed and stays where it is.
    pub(super) fn any_message(&mut self, owner: &Owner) -> Option<(u64, Place)> {
        let settled = owner.owned.messages.iter().filter(|(id, _)| !owner.unanswered.contains_key(*id));
        let settled: Vec<_> = settled.collect();
        let (id, place) = settled.get(self.random.below(settled.len() as u64) as usize)?;
        Some((**id, **place))
    }

    pub(super) fn say(&mut self, owner: &mut Owner, saying: Saying) {
        let bytes = saying.encode(self.next_number);
        self.next_number += 1;
        let offset = owner.appender.push(saying.kind(), &bytes).unwrap();
        match saying {
            // Where it stands is known when it is committed.
            Saying::Message { .. } => {}
            Saying::MessageAt { place, .. } if !self.forgets_to_mark() => {
                owner.marks.mark(place.position, place.length);
                owner.owned.apply(&saying, Position::ZERO);
            }
            _ => owner.owned.apply(&saying, Position::ZERO),
        }
        owner.open.push(saying);
        owner.open_records.push(bytes);
        owner.open_offsets.push(offset);
    }

    pub(super) fn submit(&mut self, owner: &mut Owner) {
        let Some(ticket) = owner.appender.submit() else { return };
        let sayings = std::mem::take(&mut owner.open);
        for (saying, offset) in sayings.iter().zip(owner.open_offsets.drain(..)) {
            if let Saying::Message { id, length } = *saying {
                owner.unanswered.insert(id, Unanswered { ticket, offset, length });
            }
        }
        let records = std::mem::take(&mut owner.open_records);
        self.log.push(Submitted { stream: owner.stream, ticket, sayings, records, fate: Fate::Pending });
    }

    /// Owners act on what they are told.
    pub(super) fn hear(&mut self, owners: &mut [Owner]) -> Result<(), Violation> {
        for owner in owners {
            // What was told before a round must be acted on before it; so that is taken out first.
            let round = owner.ear.round();
            for outcome in owner.ear.outcomes() {
                self.answered(owner, outcome)?;
            }
            if let Some((round, evacuate)) = round {
                owner.marks = Marks::default();
                self.references.hear(round, owner.stream, self.next_number);
                owner.checkpoint = Some(Checkpoint { round, evacuate, left: images(owner) });
            }
            let damages = std::mem::take(&mut *owner.ear.damages.lock().unwrap());
            if !damages.is_empty() && !self.plan.flips {
                return violation(format!("damage out of nothing while it ran: {damages:?}"));
            }
            self.damage_was_told |= !damages.is_empty();
            self.checkpoint_on(owner);
        }
        Ok(())
    }

    pub(super) fn answered(&mut self, owner: &mut Owner, outcome: Outcome) -> Result<(), Violation> {
        let same = |s: &&mut Submitted| {
            (s.stream, s.ticket, s.fate) == (owner.stream, outcome.ticket, Fate::Pending)
        };
        let Some(submitted) = self.log.iter_mut().find(same) else {
            return violation(format!("an answer to nothing: {outcome:?}"));
        };
        let submitted_before = submitted.ticket;
        match outcome.result {
            Ok(position) => {
                submitted.fate = Fate::Acknowledged(position);
                self.met.committed += 1;
                if let Some(truth) = &mut self.truth {
                    apply_all(truth, submitted, position);
                }
                self.references.add(submitted);
                owner.unanswered.retain(|id, message| {
                    if message.ticket == outcome.ticket {
                        let (position, length) = (position.plus(message.offset), message.length);
                        owner.owned.messages.insert(*id, Place { content: *id, position, length });
                    }
                    message.ticket != outcome.ticket
                });
            }
            Err(_) => {
                submitted.fate = Fate::Failed;
                self.met.failed += 1;
                self.truth = None;
                // What was new is refused to its publisher; what was moved stands where it stood.
                owner.unanswered.retain(|_, message| message.ticket != outcome.ticket);
            }
        }
        let earlier = |s: &Submitted| {
            s.stream == owner.stream && s.fate == Fate::Pending && s.ticket < submitted_before
        };
        if self.log.iter().any(earlier) {
            return violation(format!("answers out of order at {outcome:?}"));
        }
        Ok(())
    }

    /// Writes a piece of the checkpoint that it owes.
    pub(super) fn checkpoint_on(&mut self, owner: &mut Owner) {
        let Some(mut checkpoint) = owner.checkpoint.take() else { return };
        for _ in 0..=self.random.below(6) {
            let Some(image) = checkpoint.left.pop() else { break };
            // It may have changed or died since the list was made.
            let current = match image {
                Saying::Set { key, .. } => {
                    owner.owned.counters.get(&key).map(|value| Saying::Set { key, value: *value })
                }
                Saying::MessageAt { id, .. } if owner.unanswered.contains_key(&id) => None,
                Saying::MessageAt { id, .. } => {
                    owner.owned.messages.get(&id).map(|place| self.image(id, *place, &checkpoint.evacuate))
                }
                _ => None,
            };
            if let Some(image) = current {
                self.say(owner, image);
            }
        }
        if checkpoint.left.is_empty() {
            let marks = std::mem::take(&mut owner.marks);
            owner.appender.checkpointed(checkpoint.round, marks);
        } else {
            owner.checkpoint = Some(checkpoint);
        }
        self.submit(owner);
    }

    /// What a message is written as in a checkpoint: where it stands, or once more if that place should be empty.
    fn image(&mut self, id: u64, place: Place, evacuate: &[u32]) -> Saying {
        // Some cannot be read just then, and stay.
        if evacuate.contains(&place.position.segment()) && self.random.chance(950) {
            self.met.evacuated += 1;
            return Saying::Message { id, length: place.length };
        }
        Saying::MessageAt { id, place }
    }

    /// An owner that is not written well.
    fn forgets_to_mark(&mut self) -> bool {
        self.plan.forgetful && self.random.chance(900)
    }
}

/// Everything that an owner has, to be written as images. What is on its way is replayed itself.
pub(super) fn images(owner: &Owner) -> Vec<Saying> {
    let counters = owner.owned.counters.iter().map(|(key, value)| Saying::Set { key: *key, value: *value });
    let messages =
        owner.owned.messages.iter().map(|(id, place)| Saying::MessageAt { id: *id, place: *place });
    counters.chain(messages).collect()
}

pub(super) fn apply_all(truth: &mut BTreeMap<u16, Owned>, submitted: &Submitted, first: Position) {
    let owned = truth.entry(submitted.stream).or_default();
    let mut offset = 0;
    for (saying, bytes) in submitted.sayings.iter().zip(&submitted.records) {
        owned.apply(saying, Position::from_u64(first.to_u64() + offset));
        offset += 8 + bytes.len() as u64;
    }
}
