//! The log of the world: turns of records, and contents that are read by their place. It keeps no content longer than it must:
//! when a checkpoint is complete, each that is older and was not marked is destroyed, and so is each that was to move.
//! To see every mistake, each content has a segment of its own.

use std::collections::{BTreeMap, HashSet};

use crate::{Mark, Place, Records};

#[derive(Default)]
pub(super) struct Log {
    turns: Vec<Turn>,
    /// So many of them are durable, and everybody was told.
    pub(super) durable: usize,
    /// What can be read, by segment.
    pub(super) contents: BTreeMap<u32, Vec<u8>>,
    segments: u32,
    pub(super) checkpoint: Option<Checkpoint>,
}

struct Turn {
    shard: usize,
    records: Vec<(u64, Vec<u8>)>,
    /// The segments of contents.
    contents: Vec<(u32, Vec<u8>)>,
}

/// A checkpoint that is not complete.
pub(super) struct Checkpoint {
    /// Where a replay will begin.
    start: usize,
    /// Older contents are alive only if they are marked.
    oldest: u32,
    pub(super) evacuated: Vec<u32>,
    /// Shards that were not told of it yet.
    pub(super) unaware: Vec<usize>,
    /// Shards that have not written everything.
    pub(super) waiting: Vec<usize>,
    marked: HashSet<u32>,
    /// All images are written: it is complete when the log is durable up to here.
    end: Option<usize>,
}

impl Log {
    pub(super) fn len(&self) -> usize {
        self.turns.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.turns.iter().flat_map(|turn| &turn.records).map(|(_, bytes)| bytes.len()).sum()
    }

    /// Every record with its position.
    pub(super) fn records(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.turns.iter().flat_map(|turn| &turn.records).map(|(position, bytes)| (*position, &bytes[..]))
    }

    pub(super) fn push(&mut self, shard: usize, records: &Records) {
        let mut turn = Turn { shard, records: Vec::new(), contents: Vec::new() };
        for record in records.iter() {
            self.segments += u32::from(record.is_content);
            let position = u64::from(self.segments) << 32 | 64;
            turn.records.push((position, record.bytes.to_vec()));
            if record.is_content {
                turn.contents.push((self.segments, record.bytes.to_vec()));
            }
        }
        self.turns.push(turn);
    }

    /// So many turns more are durable: what their shards are told about contents.
    pub(super) fn write(&mut self, turns: usize) -> Vec<(usize, Vec<Option<Place>>)> {
        let end = self.durable.saturating_add(turns).min(self.turns.len());
        let written = self.turns[self.durable..end].iter().map(|turn| {
            let place = |(segment, bytes): &(u32, Vec<u8>)| {
                Place::new(u64::from(*segment) << 32 | 64, bytes.len() as u32)
            };
            (turn.shard, turn.contents.iter().map(|content| Some(place(content))).collect())
        });
        let told = written.collect();
        for turn in &self.turns[self.durable..end] {
            self.contents.extend(turn.contents.iter().cloned());
        }
        self.durable = end;
        told
    }

    /// Nothing more arrives of what is on its way. A checkpoint under way counts for nothing.
    pub(super) fn fail(&mut self) -> Vec<(usize, Vec<Option<Place>>)> {
        self.checkpoint = None;
        let failed = self.turns.drain(self.durable..);
        failed.map(|turn| (turn.shard, vec![None; turn.contents.len()])).collect()
    }

    /// The log has so many turns after a crash.
    pub(super) fn crash(&mut self, turns: usize) {
        assert!(turns >= self.durable, "what is durable stays");
        self.turns.truncate(turns);
        self.write(usize::MAX);
        self.checkpoint = None;
    }

    pub(super) fn read(&self, place: Place) -> Option<Vec<u8>> {
        let content = self.contents.get(&place.segment())?;
        assert_eq!(content.len(), place.length() as usize, "a place has another length than its content");
        Some(content.clone())
    }

    /// Begins a checkpoint; the segments that are to be emptied.
    pub(super) fn begin_checkpoint(
        &mut self,
        shards: usize,
        mut evacuate: impl FnMut(u32) -> bool,
    ) -> Vec<u32> {
        let on_their_way = self.turns[self.durable..].iter().flat_map(|turn| &turn.contents);
        let oldest = on_their_way.map(|(segment, _)| *segment).min().unwrap_or(self.segments + 1);
        let evacuated: Vec<u32> =
            self.contents.keys().copied().filter(|&segment| segment < oldest && evacuate(segment)).collect();
        self.checkpoint = Some(Checkpoint {
            start: self.durable,
            oldest,
            evacuated: evacuated.clone(),
            unaware: (0..shards).collect(),
            waiting: (0..shards).collect(),
            marked: HashSet::new(),
            end: None,
        });
        evacuated
    }

    /// A shard has written everything; whether all have.
    pub(super) fn end_images(&mut self, shard: usize, marks: &[Mark]) -> bool {
        let end = self.turns.len();
        let Some(checkpoint) = &mut self.checkpoint else { return true };
        checkpoint.waiting.retain(|waiting| *waiting != shard);
        checkpoint.marked.extend(marks.iter().map(|mark| mark.segment));
        checkpoint.end = checkpoint.waiting.is_empty().then_some(end);
        checkpoint.end.is_some()
    }

    /// Completes the checkpoint if it is durable; how many turns have left the log.
    pub(super) fn trim(&mut self) -> usize {
        let durable = self.durable;
        let complete = self.checkpoint.take_if(|checkpoint| checkpoint.end.is_some_and(|end| end <= durable));
        let Some(Checkpoint { start, oldest, marked, .. }) = complete else { return 0 };
        self.contents.retain(|segment, _| *segment >= oldest || marked.contains(segment));
        self.turns.drain(..start);
        self.durable -= start;
        start
    }
}
