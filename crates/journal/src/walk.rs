//! Walks through a segment, frame by frame, and finds its way again after what is damaged.
//!
//! It only reads and tells what stands where. Whether something bad is a torn tail or damage is for whoever knows what
//! follows.

mod window;

use std::io;

use crate::disk::DiskFile;
use crate::format::{FRAME_HEADER_BYTES, FrameHeader, Records, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::limits::WALK_READ_BYTES;

use window::Window;

/// What the beginning of a segment's file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// It was used under its number.
    Used(SegmentHeader),
    /// It was prepared under its number and not used: zeros, or the header of an earlier life.
    Unused,
    /// Neither.
    Damaged,
}

/// What stands at a place.
#[derive(Debug)]
pub(crate) enum Item<'a> {
    /// A submission; its records may still be damaged one by one.
    Frame { header: FrameHeader, records: Records<'a> },
    /// The header of a submission whose body is not the one that was written.
    Broken { header: FrameHeader },
    /// Bytes that are no submission, up to `end`, where one begins.
    Gap { offset: u32, end: u32 },
    /// No submission begins from here on. `torn` when it looks as if one had.
    End { offset: u32, torn: bool },
}

pub(crate) struct Walk<'a> {
    window: Window<'a>,
    number: u32,
    /// Where to look next.
    offset: u32,
    /// Where the log is known to end in this segment.
    limit: u64,
    /// Batches never go back; a frame that does is from before a crash.
    batch: u64,
    sealed: bool,
}

impl<'a> Walk<'a> {
    /// Of the file of segment `number`, from its first frame to `limit` or the end of the file.
    pub(crate) fn new(file: &'a dyn DiskFile, number: u32, limit: Option<u32>) -> io::Result<Self> {
        let window = Window::new(file)?;
        let limit = limit.map_or(window.length(), |limit| window.length().min(u64::from(limit)));
        let limit = limit.min(u64::from(u32::MAX));
        Ok(Self { window, number, offset: SEGMENT_HEADER_BYTES as u32, limit, batch: 0, sealed: false })
    }

    /// From a place where a frame is known to begin.
    pub(crate) fn starting_at(mut self, offset: u32) -> Self {
        self.offset = offset.max(SEGMENT_HEADER_BYTES as u32);
        self
    }

    pub(crate) fn beginning(&mut self) -> Beginning {
        let number = self.number;
        let Some(bytes) = self.window.get(0, SEGMENT_HEADER_BYTES) else { return Beginning::Damaged };
        match SegmentHeader::decode(bytes) {
            Some(header) if header.number == number => Beginning::Used(header),
            Some(_) => Beginning::Unused,
            None if bytes.iter().all(|byte| *byte == 0) => Beginning::Unused,
            None => Beginning::Damaged,
        }
    }

    /// What comes next; after `End` nothing does.
    pub(crate) fn next(&mut self) -> Item<'_> {
        let offset = self.offset;
        if self.sealed || u64::from(offset) + FRAME_HEADER_BYTES as u64 > self.limit {
            return Item::End { offset, torn: false };
        }
        let Some(header) = self.header_at(offset) else { return self.next_after_gap(offset) };
        self.offset = (u64::from(offset) + header.frame_bytes()).min(self.limit) as u32;
        self.batch = header.batch;
        self.sealed = header.is_sealed();
        let begin = u64::from(offset) + FRAME_HEADER_BYTES as u64;
        let body = self.window.get(begin, header.body_bytes as usize);
        match body.and_then(|body| Records::of(body, header.records, header.digest)) {
            Some(records) => Item::Frame { header, records },
            None => Item::Broken { header },
        }
    }

    /// The intact header of a frame of this segment at this very place.
    fn header_at(&mut self, offset: u32) -> Option<FrameHeader> {
        let (number, batch, limit) = (self.number, self.batch, self.limit);
        let header = FrameHeader::decode(self.window.get(u64::from(offset), FRAME_HEADER_BYTES)?)?;
        let ours = (header.segment, header.offset) == (number, offset) && header.batch >= batch;
        (ours && u64::from(offset) + header.frame_bytes() <= limit).then_some(header)
    }

    fn next_after_gap(&mut self, offset: u32) -> Item<'_> {
        match self.find_frame(offset + 8) {
            Some(end) => {
                self.offset = end;
                Item::Gap { offset, end }
            }
            None => {
                let number = self.number;
                let bytes = self.window.get(u64::from(offset), FRAME_HEADER_BYTES);
                let torn = bytes.is_some_and(|bytes| FrameHeader::resembles(bytes, number, offset));
                self.sealed = true;
                Item::End { offset, torn }
            }
        }
    }

    /// Looks for the next intact header from `offset` on.
    fn find_frame(&mut self, mut offset: u32) -> Option<u32> {
        while u64::from(offset) + FRAME_HEADER_BYTES as u64 <= self.limit {
            let bytes = (self.limit - u64::from(offset)).min(WALK_READ_BYTES as u64) as usize;
            let candidates = self.window.get(u64::from(offset), bytes)?.chunks_exact(8);
            let found = candidates.enumerate().find(|(_, eight)| FrameHeader::may_begin(eight));
            match found.map(|(index, _)| offset + index as u32 * 8) {
                Some(candidate) if self.header_at(candidate).is_some() => return Some(candidate),
                Some(candidate) => offset = candidate + 8,
                None => offset = offset.saturating_add((bytes & !7) as u32),
            }
        }
        None
    }

    /// Bytes of the segment, to be saved.
    pub(crate) fn bytes(&mut self, offset: u64, length: usize) -> Option<&[u8]> {
        self.window.get(offset, length)
    }

    pub(crate) fn length(&self) -> u64 {
        self.window.length()
    }
}
