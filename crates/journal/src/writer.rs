//! Takes what was submitted, writes it as one batch, syncs, and tells. One batch at a time: what comes meanwhile is the
//! next. It looks at no clock and waits for nothing but the disk; whoever drives it waits for submissions.

mod outcomes;
mod segment;

use std::io::{self, IoSlice};
use std::sync::Arc;

use crate::disk::write_full;
use crate::format::{
    FLAG_LAST, FLAG_SEALED, FRAME_HEADER_BYTES, FrameHeader, SEGMENT_HEADER_BYTES, SegmentHeader,
};
use crate::inbox::Submission;
use crate::limits::{PIECES_MAX, PROBE_INTERVAL_MS};
use crate::listener::Failure;
use crate::options::Level;
use crate::position::Position;
use crate::shared::Shared;
use crate::submission::Contents;

use outcomes::Outcomes;
use segment::Open;

pub(crate) struct Writer {
    shared: Arc<Shared>,
    /// The segment that is written to; none at first, and after a failure.
    open: Option<Open>,
    /// Where the log ends: the place that the header of the next segment names.
    end: Position,
    next_batch: u64,
    batch: Vec<Submission>,
    emptied: Vec<Contents>,
    outcomes: Outcomes,
    /// Why the last batch failed, and when the disk may be tried again.
    failing: Option<(Failure, u64)>,
}

impl Writer {
    /// Goes on behind `end`, in a segment of its own: whatever stands behind `end` in its segment is out of the way.
    pub(crate) fn new(shared: Arc<Shared>, end: Position, next_batch: u64) -> Self {
        Self {
            shared,
            open: None,
            end,
            next_batch,
            batch: Vec::new(),
            emptied: Vec::new(),
            outcomes: Outcomes::default(),
            failing: None,
        }
    }

    /// Takes and finishes one batch. `false` when there was nothing.
    pub(crate) fn turn(&mut self, now_ms: u64) -> bool {
        let bytes = self.take();
        if self.batch.is_empty() {
            return false;
        }
        let result = match self.failing {
            Some((failure, until)) if now_ms < until && bytes > 0 => Err(failure),
            _ => self.write(bytes),
        };
        match result {
            Ok(base) => self.succeed(base, bytes),
            Err(failure) => self.fail(failure, now_ms),
        }
        for mut submission in self.batch.drain(..) {
            submission.contents.clear();
            self.emptied.push(submission.contents);
        }
        true
    }

    /// Takes a batch that fits into one segment and says how many bytes it has.
    fn take(&mut self) -> usize {
        let options = &self.shared.options;
        let room = self.open.as_ref().map_or(0, Open::room);
        let fresh = options.segment_bytes as usize - SEGMENT_HEADER_BYTES;
        let (mut total, mut most) = (0, None);
        self.shared.inbox.take(&mut self.batch, &mut self.emptied, |submission| {
            let bytes = submission.contents.frame_bytes();
            if bytes > 0 && most.is_none() {
                // The first decides which segment it will be; a giant gets one of its own size.
                let room = if bytes <= room { room } else { fresh };
                most = Some(options.batch_bytes_max.min(room).max(bytes));
            }
            let fits = most.is_none_or(|most| total + bytes <= most);
            total += if fits { bytes } else { 0 };
            fits
        });
        total
    }

    /// Writes and syncs the batch. Returns where its first frame stands.
    fn write(&mut self, bytes: usize) -> Result<Position, Failure> {
        if bytes == 0 {
            return Ok(self.end);
        }
        if self.open.as_ref().is_none_or(|open| open.room() < bytes) {
            self.open = None;
            self.open = Some(Open::next(&self.shared, bytes).map_err(|error| Failure::of(&error))?);
        }
        // Invariant: it was just made if it was not there.
        let Some(open) = self.open.as_mut() else { return Err(Failure::Io(io::ErrorKind::Other)) };
        let batch = self.next_batch;
        self.next_batch += 1;
        let base = open.end;
        let header = open.fresh.then(|| {
            let previous = (self.end.segment(), self.end.offset());
            let (number, first_batch) = (open.number, batch);
            SegmentHeader { number, previous: previous.0, previous_end: previous.1, first_batch }.encode()
        });
        finish_frames(&mut self.batch, open.number, base, batch);
        let frames = self.batch.iter().map(|submission| submission.contents.frame());
        let written = write_pieces(open, header.as_ref().map(|bytes| &bytes[..]), frames)
            .and_then(|()| open.commit(&self.shared));
        if let Err(error) = written {
            // What the disk made of it is unknown, and a second sync would prove nothing. The next segment will name
            // the end of what is certain.
            if open.fresh {
                self.shared.table().abandoned(open.number, open.length);
            } else if open.file.truncate(u64::from(open.end)).is_ok() {
                // Nobody will look for anything behind the end, and the space may be what is missing.
                self.shared.table().shortened(open.number, u64::from(open.end));
            }
            self.open = None;
            return Err(Failure::of(&error));
        }
        open.end = base + bytes as u32;
        open.fresh = false;
        self.end = Position::new(open.number, open.end);
        Ok(Position::new(open.number, base))
    }

    fn succeed(&mut self, base: Position, bytes: usize) {
        let mut table = self.shared.table();
        if let (true, Some(open)) = (bytes > 0, self.open.as_ref()) {
            table.committed(open.number, open.end, open.length, bytes as u64);
        }
        let mut at = base;
        for submission in &self.batch {
            let contents = &submission.contents;
            if !contents.messages.is_empty() {
                table.add_live(base.segment(), contents.messages);
            }
            if let Some((round, marks)) = &contents.checkpointed {
                table.checkpointed(submission.owner.stream, *round, marks);
            }
            if contents.forgotten > 0 {
                table.forgot(contents.forgotten, self.shared.options.checkpoint_bytes);
            }
            if contents.has_records() {
                let first = Position::new(at.segment(), at.offset() + FRAME_HEADER_BYTES as u32);
                self.outcomes.add(submission, Ok(first));
                at = Position::new(at.segment(), at.offset() + contents.frame_bytes() as u32);
            }
        }
        let changed = table.changed;
        drop(table);
        if changed {
            self.shared.changed.notify_one();
        }
        if bytes > 0 && self.failing.take().is_some() {
            self.shared.set_failure(None);
        }
        self.outcomes.tell();
        self.shared.table().told = self.end;
    }

    fn fail(&mut self, failure: Failure, now_ms: u64) {
        if self.failing.is_none_or(|(_, until)| now_ms >= until) {
            self.failing = Some((failure, now_ms.saturating_add(PROBE_INTERVAL_MS)));
            self.shared.set_failure(Some(failure));
        }
        for submission in &self.batch {
            self.shared.table().failed();
            if submission.contents.has_records() {
                self.outcomes.add(submission, Err(failure));
            }
        }
        self.shared.changed.notify_one();
        self.outcomes.tell();
    }

    /// Marks the end of the log, so that nothing behind it is ever taken for a torn batch.
    pub(crate) fn seal(&mut self) {
        let Some(open) = self.open.as_mut().filter(|open| open.room() >= FRAME_HEADER_BYTES) else { return };
        let mut frame = [0; FRAME_HEADER_BYTES];
        let header = FrameHeader {
            segment: open.number,
            offset: open.end,
            stream: 0,
            flags: FLAG_LAST | FLAG_SEALED,
            batch: self.next_batch,
            records: 0,
            body_bytes: 0,
            digest: 0,
        };
        header.encode(&mut frame);
        // If it fails the next start looks for torn bytes, and finds none.
        let _ = write_pieces(open, None, [&frame[..]].into_iter()).and_then(|()| open.commit(&self.shared));
        self.open = None;
    }
}

/// Fills in the headers of a batch that will stand at `base`.
fn finish_frames(batch: &mut [Submission], segment: u32, base: u32, number: u64) {
    let last = batch.iter().rposition(|submission| submission.contents.has_records());
    let mut offset = base;
    for (index, submission) in batch.iter_mut().enumerate() {
        if !submission.contents.has_records() {
            continue;
        }
        let flags = if Some(index) == last { FLAG_LAST } else { 0 };
        submission.contents.finish(FrameHeader {
            segment,
            offset,
            stream: submission.owner.stream.0,
            flags,
            batch: number,
            records: 0,
            body_bytes: 0,
            digest: 0,
        });
        offset += submission.contents.frame_bytes() as u32;
    }
}

/// Writes the header of a fresh segment and the frames from where they lie, with as few calls as the kernel allows.
fn write_pieces<'a>(
    open: &Open,
    header: Option<&'a [u8]>,
    frames: impl Iterator<Item = &'a [u8]>,
) -> io::Result<()> {
    let mut at = if header.is_some() { 0 } else { u64::from(open.end) };
    let mut pieces = header.into_iter().chain(frames).filter(|piece| !piece.is_empty());
    loop {
        let mut slices = [IoSlice::new(&[]); PIECES_MAX];
        let (mut count, mut bytes) = (0, 0);
        for (slot, piece) in slices.iter_mut().zip(pieces.by_ref()) {
            *slot = IoSlice::new(piece);
            count += 1;
            bytes += piece.len() as u64;
        }
        if count == 0 {
            return Ok(());
        }
        write_full(&*open.file, at, &mut slices[..count])?;
        at += bytes;
    }
}

impl Open {
    /// Makes what was written durable, as far as the level asks.
    fn commit(&mut self, shared: &Shared) -> io::Result<()> {
        if shared.options.level == Level::Os {
            return Ok(());
        }
        self.file.sync()?;
        if std::mem::take(&mut self.name_is_volatile) {
            shared.disk.sync_folder("").inspect_err(|_| self.name_is_volatile = true)?;
        }
        Ok(())
    }
}
