//! What the log refers to by position, as far as a replay from one of the last two checkpoints would come across it: all
//! of it must be on the disk. Looked up in the files, not with the journal's code.

use std::collections::BTreeMap;

use crate::format::segment_name;
use crate::simulation::SimulatedDisk;
use crate::*;

use super::checker::{Submitted, Violation, violation};
use super::owner::{Owned, Place, Saying};

#[derive(Debug, Default)]
pub(super) struct References {
    all: Vec<Reference>,
    /// The number of the first record that an owner wrote when it had heard of a round. What was referred to before, and
    /// is still alive, is referred to again in the round.
    heard: BTreeMap<(Round, u16), u64>,
    /// Where a replay begins, and where it would if that checkpoint were damaged.
    round: Round,
    previous: Round,
}

#[derive(Debug)]
struct Reference {
    stream: u16,
    /// The number of the record that says it.
    number: u64,
    id: u64,
    to: Place,
}

impl References {
    /// A submission is durable.
    pub(super) fn add(&mut self, submitted: &Submitted) {
        for (saying, bytes) in submitted.sayings.iter().zip(&submitted.records) {
            if let (Saying::MessageAt { id, place }, Some(number)) = (saying, Saying::number(bytes)) {
                self.all.push(Reference { stream: submitted.stream, number, id: *id, to: *place });
            }
        }
    }

    /// An owner has heard of a round; this is the number of what it writes next.
    pub(super) fn hear(&mut self, round: Round, stream: u16, number: u64) {
        self.heard.insert((round, stream), number);
    }

    /// Whether another round is complete. What only older ones refer to is needed no more.
    pub(super) fn complete(&mut self, round: Round) -> bool {
        let moved = round != self.round;
        if moved {
            (self.previous, self.round) = (self.round, round);
            let since = |stream: u16| self.heard.get(&(self.previous, stream)).copied().unwrap_or(0);
            self.all.retain(|reference| reference.number >= since(reference.stream));
        }
        moved
    }

    /// After a restart: this is what everything comes to. Whatever else was referred to is dead.
    pub(super) fn come_to(&mut self, owned: &BTreeMap<u16, Owned>) {
        self.all.retain(|reference| {
            let place = owned.get(&reference.stream).and_then(|owned| owned.messages.get(&reference.id));
            place == Some(&reference.to)
        });
    }

    pub(super) fn are_there(&self, disk: &SimulatedDisk) -> Result<(), Violation> {
        let mut files = BTreeMap::new();
        for reference in &self.all {
            let Place { position, length, .. } = reference.to;
            let file = files
                .entry(position.segment())
                .or_insert_with(|| disk.content(&segment_name(position.segment())).unwrap_or_default());
            let begin = position.offset() as usize + RECORD_HEADER_BYTES;
            let bytes = file.get(begin..begin + length as usize);
            if !bytes.is_some_and(|bytes| reference.to.is(bytes)) {
                let (round, previous) = (self.round, self.previous);
                return violation(format!(
                    "{previous:?} and {round:?} need {reference:?}, which is not there"
                ));
            }
        }
        Ok(())
    }
}

/// What stands before each record.
const RECORD_HEADER_BYTES: usize = 8;
