//! The replay: every record of the chain from the last checkpoint on, in the order of the log.

use std::sync::Arc;

use crate::disk::{Access, Disk, DiskFile};
use crate::format::{FRAME_HEADER_BYTES, FrameHeader, Manifest, RECORD_HEADER_BYTES, Records, segment_name};
use crate::position::{Position, Stream};
use crate::quarantine::Quarantine;
use crate::replay::{Damage, Flaw, Record, Replay, Report};
use crate::walk::{Item, Walk};

use super::chain::{Chain, Link};
use super::of_segment;

pub(crate) struct Reading<'a, 'd> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) quarantine: &'a mut Quarantine<'d>,
    pub(crate) replay: &'a mut dyn Replay,
    pub(crate) report: Report,
}

/// Why a replay is given up for one from further back.
struct CheckpointDamaged;

impl Reading<'_, '_> {
    /// Tells everything since the checkpoint that the manifest names, or since the one before if there is damage in
    /// that one. Returns the manifest that holds from now on.
    pub(crate) fn replay(&mut self, chain: &Chain, known: Manifest, end: u32) -> Manifest {
        let reachable = |start: Position| start == Position::ZERO || chain.has(start);
        let fallback = known.previous < known.start && reachable(known.previous);
        if reachable(known.start)
            && self.pass(chain, known.start, end, fallback.then_some(known.complete)).is_ok()
        {
            return known;
        }
        // Further back than the older checkpoint nothing is complete; so that, or all that hangs together.
        let start = if reachable(known.previous) { known.previous } else { Position::ZERO };
        self.report = Report { used_previous_checkpoint: true, ..Report::default() };
        let told = self.pass(chain, start, end, None);
        debug_assert!(told.is_ok(), "without a fallback nothing is given up");
        Manifest { start, previous: start, ..known }
    }

    /// One attempt. With `complete`, damage of state before that place ends it.
    fn pass(
        &mut self,
        chain: &Chain,
        start: Position,
        end: u32,
        complete: Option<Position>,
    ) -> Result<(), CheckpointDamaged> {
        self.replay.begin();
        let newest = chain.links.last().map(|link| link.number);
        for link in chain.links.iter().filter(|link| link.number >= start.segment()) {
            let link = if Some(link.number) == newest { Link { end: Some(end), ..*link } } else { *link };
            let from = if link.number == start.segment() { start.offset() } else { 0 };
            self.segment(link, from, complete)?;
        }
        Ok(())
    }

    fn segment(
        &mut self,
        link: Link,
        from: u32,
        complete: Option<Position>,
    ) -> Result<(), CheckpointDamaged> {
        let file: Arc<dyn DiskFile> = match self.disk.open(&segment_name(link.number), Access::Read) {
            Ok(file) => file,
            Err(_) => return self.damaged(of_segment(link.number, Flaw::SegmentMissing), complete),
        };
        let Ok(mut walk) = Walk::new(&*file, link.number, link.end) else {
            return self.damaged(of_segment(link.number, Flaw::SegmentMissing), complete);
        };
        walk = walk.starting_at(from);
        loop {
            let (offset, bytes, what) = match walk.next() {
                Item::Frame { header, records } => {
                    if let Some(bad) = self.frame(&header, records) {
                        (bad.0, u64::from(bad.1), Flaw::Record)
                    } else {
                        continue;
                    }
                }
                Item::Broken { header } => (header.offset, header.frame_bytes(), Flaw::Submission),
                Item::Gap { offset, end } => (offset, u64::from(end - offset), Flaw::Gap),
                Item::End { offset, .. } => match link.end {
                    Some(end) if offset < end && walk.length() < u64::from(end) => {
                        (offset, u64::from(end - offset), Flaw::SegmentShort)
                    }
                    Some(end) if offset < end => (offset, u64::from(end - offset), Flaw::Gap),
                    _ => return Ok(()),
                },
            };
            let saved = self.quarantine.save(&mut walk, link.number, u64::from(offset), bytes);
            self.damaged(Damage { segment: link.number, offset, bytes, what, saved }, complete)?;
            if matches!(what, Flaw::Gap | Flaw::SegmentShort)
                && link.end.is_some_and(|end| u64::from(offset) + bytes >= u64::from(end))
            {
                return Ok(());
            }
        }
    }

    /// Tells the records of one submission. Returns the place and length of what is damaged in it.
    fn frame(&mut self, header: &FrameHeader, records: Records<'_>) -> Option<(u32, u32)> {
        let base = Position::new(header.segment, header.offset + FRAME_HEADER_BYTES as u32);
        let mut bad: Option<(u32, u32)> = None;
        for record in records {
            let position = Position::from_u64(base.to_u64() + u64::from(record.offset));
            if !record.intact {
                let from = bad.map_or(position.offset(), |(from, _)| from);
                bad = Some((
                    from,
                    position.offset() - from + (RECORD_HEADER_BYTES + record.bytes.len()) as u32,
                ));
                continue;
            }
            self.report.records += 1;
            self.report.bytes += record.bytes.len() as u64;
            let stream = Stream(header.stream);
            self.replay.record(Record { position, stream, kind: record.kind, bytes: record.bytes });
        }
        self.report.submissions += u64::from(header.records > 0);
        bad
    }

    fn damaged(&mut self, damage: Damage, complete: Option<Position>) -> Result<(), CheckpointDamaged> {
        let position = Position::new(damage.segment, damage.offset);
        self.replay.damaged(&damage);
        self.quarantine.note(damage);
        if complete.is_some_and(|complete| position < complete) { Err(CheckpointDamaged) } else { Ok(()) }
    }
}
