//! The segments there are, what is alive in them, and where the log and its replay begin and end.
//!
//! What is alive is what owners have marked in a complete round of checkpoints. What was written since a round began counts
//! as alive until the next one. A damaged checkpoint makes a replay begin at the one before, so two rounds are asked: a
//! segment is dead when neither of the last two has a mark in it. A failure gives up the round under way, so after it
//! nothing becomes dead before a whole new round is complete.

mod worth;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::disk::DiskFile;
use crate::format::{Manifest, SEGMENT_HEADER_BYTES};
use crate::marks::{Mark, Marks};
use crate::position::{Position, Round, Stream};

/// A segment that holds something.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Segment {
    /// Where its durable content ends.
    pub(crate) end: u32,
    /// Whether it does for certain; otherwise something that was given up may stand before `end`.
    pub(crate) end_is_known: bool,
    /// The length of its file.
    pub(crate) length: u64,
    /// Message records that count as alive: marked in the last complete round; or, where that began at or before this
    /// segment, all that were written; or, after a restart, held.
    pub(crate) live: Mark,
    /// The round before the last one had marks in it, or nobody knows.
    pub(crate) was_live: bool,
    /// Owners were asked to empty it in a round that is complete.
    pub(crate) was_evacuated: bool,
}

/// A file that waits to become the next segment.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) number: u32,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) length: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) segments: BTreeMap<u32, Segment>,
    /// In the order of their numbers; all above those of `segments`.
    pub(crate) prepared: VecDeque<Prepared>,
    /// The lowest number that no file has had.
    pub(crate) next_number: u32,
    /// The segment that is written to, or was last.
    pub(crate) current: u32,
    /// Where the durable log ends.
    pub(crate) end: Position,
    /// Everything before this has been told to its owners. A round begins here, and so an owner that is asked for a
    /// checkpoint knows the positions of all that the replay will not tell again.
    pub(crate) told: Position,
    pub(crate) manifest: Manifest,
    /// The highest number that the writer has taken.
    pub(crate) taken: u32,
    /// Bytes written since the last round began, and how many it took that round to complete.
    pub(crate) written: u64,
    pub(crate) last_round_bytes: u64,
    /// Bytes of Message records that died since the last round began, as far as owners have said.
    pub(crate) forgotten: u64,
    /// Somebody wants a round, whatever was written.
    pub(crate) round_is_wanted: bool,
    last_round: Round,
    /// The round of checkpoints that is under way.
    pub(crate) round: Option<RoundUnderWay>,
    /// All owners have said what they hold: from now on dead content is known to be dead.
    pub(crate) restored: bool,
    /// While somebody copies the folder nothing is taken out of it.
    pub(crate) pins: u32,
    /// Something has happened that the steward has not looked at.
    pub(crate) changed: bool,
    pub(crate) closed: bool,
}

/// A round of checkpoints that is not complete.
#[derive(Clone, Debug)]
pub(crate) struct RoundUnderWay {
    pub(crate) round: Round,
    pub(crate) start: Position,
    /// Streams that have not finished.
    waiting: Vec<Stream>,
    /// What those that have finished refer to.
    marks: Marks,
    /// The segments that owners were asked to empty.
    evacuating: Arc<[u32]>,
}

impl Segment {
    fn is_dead(&self) -> bool {
        self.live.is_empty() && !self.was_live
    }
}

impl Table {
    /// Of a log that ends there.
    pub(crate) fn ending_at(end: Position) -> Self {
        let current = end.segment();
        Self { end, told: end, current, taken: current, next_number: current + 1, ..Self::default() }
    }

    /// The next segment that the writer may use, if one is prepared; else a number for a new file.
    pub(crate) fn take(&mut self) -> Result<Prepared, u32> {
        let prepared = self.prepared.pop_front();
        let number = prepared.as_ref().map_or_else(|| self.claim_number(), |prepared| prepared.number);
        self.taken = number;
        prepared.ok_or(number)
    }

    /// Adds a prepared segment, unless the writer is beyond its number by now: then another number is returned for it.
    pub(crate) fn put(&mut self, prepared: Prepared) -> Result<(), (Prepared, u32)> {
        let last = self.prepared.back().map_or(self.taken, |last| last.number);
        if prepared.number <= last {
            let number = self.claim_number();
            return Err((prepared, number));
        }
        self.prepared.push_back(prepared);
        Ok(())
    }

    /// A number for a file that may become a segment.
    pub(crate) fn claim_number(&mut self) -> u32 {
        let number = self.next_number;
        self.next_number += 1;
        number
    }

    /// The batch that ends at `end` in segment `number` is durable.
    pub(crate) fn committed(&mut self, number: u32, end: u32, length: u64, bytes: u64) {
        self.changed |= self.current != number;
        self.written += bytes;
        let segment = self.segments.entry(number).or_default();
        (segment.end, segment.end_is_known, segment.length) = (end, true, length);
        self.current = number;
        self.end = Position::new(number, end);
    }

    /// A segment was begun in vain. Nothing in it counts.
    pub(crate) fn abandoned(&mut self, number: u32, length: u64) {
        self.segments
            .insert(number, Segment { end: SEGMENT_HEADER_BYTES as u32, length, ..Segment::default() });
    }

    /// What a segment did not use was given back.
    pub(crate) fn shortened(&mut self, number: u32, length: u64) {
        if let Some(segment) = self.segments.get_mut(&number) {
            segment.length = length;
        }
    }

    /// A stream has finished its part of a round.
    pub(crate) fn checkpointed(&mut self, stream: Stream, round: Round, marks: &Marks) {
        if let Some(under_way) = self.round.as_mut().filter(|under_way| under_way.round == round) {
            under_way.waiting.retain(|waiting| *waiting != stream);
            under_way.marks.merge(marks);
            self.changed = true;
        }
    }

    /// Owners say that about so many bytes have died; every `step` of them is worth a look.
    pub(crate) fn forgot(&mut self, bytes: u64, step: u64) {
        let before = self.forgotten;
        self.forgotten = before.saturating_add(bytes);
        self.changed |= self.forgotten / step.max(1) > before / step.max(1);
    }

    /// A submission with records has failed: the disk does not have what its owner has. Only a whole new checkpoint
    /// makes that good, so one is wanted, and one that is under way counts for nothing.
    pub(crate) fn failed(&mut self) {
        self.round = None;
        (self.round_is_wanted, self.changed) = (true, true);
    }

    /// There is one owner more: a round that does not ask it, if it has anything, would lose that.
    pub(crate) fn owner_came(&mut self) {
        if self.round.take().is_some() {
            (self.round_is_wanted, self.changed) = (true, true);
        }
    }

    /// A round begins where the log ends now.
    pub(crate) fn begin_round(&mut self, waiting: Vec<Stream>, evacuating: Arc<[u32]>) -> Round {
        // One that was given up has had a number, too: who still answers it must not be taken for answering this one.
        self.last_round = Round(self.last_round.max(self.manifest.round).0 + 1);
        let (round, start, marks) = (self.last_round, self.told, Marks::default());
        self.round = Some(RoundUnderWay { round, start, waiting, marks, evacuating });
        (self.written, self.forgotten, self.round_is_wanted) = (0, 0, false);
        round
    }

    /// The round that all streams have finished, and what the manifest will say when it is noted.
    pub(crate) fn completed_round(&self) -> Option<(RoundUnderWay, Manifest)> {
        let round = self.round.as_ref().filter(|round| round.waiting.is_empty())?;
        let manifest = Manifest {
            generation: self.manifest.generation + 1,
            round: round.round,
            start: round.start,
            complete: self.end,
            previous: self.manifest.start,
        };
        Some((round.clone(), manifest))
    }

    /// The manifest is durable: from now on a replay begins where this round did. If a failure has come since the round was
    /// complete, it counts all the same; another one is wanted.
    pub(crate) fn noted(&mut self, round: &RoundUnderWay, manifest: Manifest) {
        self.manifest = manifest;
        self.last_round_bytes = self.written;
        for (number, segment) in self.segments.range_mut(..manifest.start.segment()) {
            segment.was_live = !segment.live.is_empty();
            segment.live = round.marks.of(*number);
            segment.was_evacuated |= round.evacuating.binary_search(number).is_ok();
        }
        self.round.take_if(|under_way| under_way.round == round.round);
    }

    /// Message records were added to a segment, or an owner says at a restart that it still has them.
    pub(crate) fn add_live(&mut self, number: u32, more: Mark) -> bool {
        let Some(segment) = self.segments.get_mut(&number) else { return false };
        segment.live.add(more);
        true
    }

    /// What is left of the segment that is written to.
    pub(crate) fn room(&self) -> u64 {
        self.segments.get(&self.current).map_or(0, |s| s.length.saturating_sub(u64::from(s.end)))
    }

    /// A segment that no replay needs, and nobody.
    pub(crate) fn dead_segment(&self) -> Option<u32> {
        let mut old = self.segments.range(..self.needed_from());
        old.find(|(_, segment)| segment.is_dead()).map(|(number, _)| *number)
    }

    /// The first segment that the replay from the older of two checkpoints reads.
    fn needed_from(&self) -> u32 {
        self.manifest.previous.segment().min(self.current)
    }

    /// Whether a record may stand at `position`, and end there.
    pub(crate) fn holds(&self, position: Position, bytes: u64) -> bool {
        let offset = position.offset();
        self.segments.get(&position.segment()).is_some_and(|segment| {
            offset as usize >= SEGMENT_HEADER_BYTES && u64::from(offset) + bytes <= u64::from(segment.end)
        })
    }
}
