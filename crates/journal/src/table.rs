//! The segments there are, what is alive in them, and where the log and its replay begin and end.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::disk::DiskFile;
use crate::format::{Manifest, SEGMENT_HEADER_BYTES};
use crate::position::{Position, Round, Stream};
use crate::submission::{Note, record_bytes};

/// A segment that holds something.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Segment {
    /// Where its durable content ends.
    pub(crate) end: u32,
    /// Whether it does for certain; otherwise something that was given up may stand before `end`.
    pub(crate) end_is_known: bool,
    /// The length of its file.
    pub(crate) length: u64,
    /// Message records that their owners still need, with their headers.
    pub(crate) live_bytes: u64,
    /// How many.
    pub(crate) live_records: u64,
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
    /// Somebody wants a round, whatever was written.
    pub(crate) round_is_wanted: bool,
    last_round: Round,
    /// The round of checkpoints that is under way.
    pub(crate) round: Option<RoundUnderWay>,
    /// The offer of a survey that is not answered by all yet.
    pub(crate) offer: Option<OfferUnderWay>,
    /// Something failed since the last complete round began. Owners have forgotten things that the disk still has, so
    /// what they do not ask for may be needed after a crash.
    pub(crate) owners_are_ahead: bool,
    /// Releases that came with or after submissions that failed. Their owners' state on the disk may still count on the
    /// records until a later checkpoint has replaced it.
    postponed: Vec<(Position, u32)>,
    /// All owners have said what they hold: from now on dead content is known to be dead.
    pub(crate) restored: bool,
    /// While somebody copies the folder nothing is taken out of it.
    pub(crate) pins: u32,
    /// Something has happened that the steward has not looked at.
    pub(crate) changed: bool,
    pub(crate) closed: bool,
}

/// A round of checkpoints that is not complete.
#[derive(Debug)]
pub(crate) struct RoundUnderWay {
    pub(crate) round: Round,
    pub(crate) start: Position,
    /// Streams that have not finished.
    pub(crate) waiting: Vec<Stream>,
    /// Releases that were postponed before it began.
    postponed: Vec<(Position, u32)>,
}

/// An offer whose live records are not all written again.
#[derive(Debug)]
pub(crate) struct OfferUnderWay {
    pub(crate) number: u64,
    /// Streams that have not answered.
    pub(crate) waiting: Vec<Stream>,
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

    /// What came with a submission takes effect: it is durable.
    pub(crate) fn note(&mut self, stream: Stream, note: Note) {
        self.changed |= !matches!(note, Note::Release { .. });
        match note {
            // What makes it unnecessary may have been in a submission that failed.
            Note::Release { position, length } if self.owners_are_ahead => {
                self.postponed.push((position, length));
            }
            Note::Release { position, length } => self.release(position, length),
            Note::Checkpointed(round) => {
                if let Some(under_way) = self.round.as_mut().filter(|under_way| under_way.round == round) {
                    under_way.waiting.retain(|waiting| *waiting != stream);
                }
            }
            Note::Surveyed(number) => {
                if let Some(offer) = self.offer.as_mut().filter(|offer| offer.number == number) {
                    offer.waiting.retain(|waiting| *waiting != stream);
                }
            }
        }
    }

    /// A submission with records has failed: the disk does not have what its owner has. Only a whole new checkpoint
    /// makes that good, so one is wanted, and one that is under way counts for nothing.
    pub(crate) fn failed(&mut self, notes: &[Note]) {
        for note in notes {
            match *note {
                Note::Release { position, length } => self.postponed.push((position, length)),
                Note::Checkpointed(_) | Note::Surveyed(_) => {}
            }
        }
        self.give_up_round();
        self.offer = None;
        (self.owners_are_ahead, self.round_is_wanted, self.changed) = (true, true, true);
    }

    /// There is one owner more: a round that does not ask it, if it has anything, would lose that.
    pub(crate) fn owner_came(&mut self) {
        if self.round.is_some() {
            self.give_up_round();
            (self.round_is_wanted, self.changed) = (true, true);
        }
    }

    fn give_up_round(&mut self) {
        if let Some(round) = self.round.take() {
            self.postponed.extend(round.postponed);
        }
    }

    /// A round begins where the log ends now.
    pub(crate) fn begin_round(&mut self, waiting: Vec<Stream>) -> Round {
        // One that was given up has had a number, too: who still answers it must not be taken for answering this one.
        self.last_round = Round(self.last_round.max(self.manifest.round).0 + 1);
        let round = self.last_round;
        let postponed = std::mem::take(&mut self.postponed);
        self.round = Some(RoundUnderWay { round, start: self.told, waiting, postponed });
        (self.written, self.round_is_wanted) = (0, false);
        round
    }

    /// What the manifest will say when the round that all streams have finished is noted.
    pub(crate) fn completed_round(&self) -> Option<Manifest> {
        let round = self.round.as_ref().filter(|round| round.waiting.is_empty())?;
        Some(Manifest {
            generation: self.manifest.generation + 1,
            round: round.round,
            start: round.start,
            complete: self.end,
            previous: self.manifest.start,
        })
    }

    /// The manifest is durable.
    pub(crate) fn noted(&mut self, manifest: Manifest) {
        self.manifest = manifest;
        self.last_round_bytes = self.written;
        if let Some(round) = self.round.take_if(|round| round.round == manifest.round) {
            // A failure would have ended the round; so all that owners know was written since.
            self.owners_are_ahead = false;
            for (position, length) in round.postponed {
                self.release(position, length);
            }
        }
    }

    /// Message records were added to a segment, or an owner says at a restart that it still has them.
    pub(crate) fn add_live(&mut self, number: u32, bytes: u64, records: u64) -> bool {
        let Some(segment) = self.segments.get_mut(&number) else { return false };
        segment.live_bytes += bytes;
        segment.live_records += records;
        true
    }

    /// An owner no longer needs a Message record. Of a segment that is gone nothing is left to release.
    fn release(&mut self, position: Position, length: u32) {
        let Some(segment) = self.segments.get_mut(&position.segment()) else { return };
        segment.live_bytes = segment.live_bytes.saturating_sub(record_bytes(length));
        segment.live_records = segment.live_records.saturating_sub(1);
        self.changed |= segment.live_records == 0;
    }

    /// Whether a record may stand at `position`, and end there.
    pub(crate) fn holds(&self, position: Position, bytes: u64) -> bool {
        let offset = position.offset();
        self.segments.get(&position.segment()).is_some_and(|segment| {
            offset as usize >= SEGMENT_HEADER_BYTES && u64::from(offset) + bytes <= u64::from(segment.end)
        })
    }
}
