//! What one owner hands over at the end of a turn: one frame in the making, and what goes with it.
//!
//! All that costs something for each record happens here, on the owner's thread: framing, checksums. The writer only
//! fills in the header. The buffer comes back and is used again.

use std::fmt;

use crate::format::{Digest, FRAME_HEADER_BYTES, FrameHeader, RECORD_HEADER_BYTES, RecordHeader, aligned};
use crate::limits::{RECORD_BYTES_MAX, SUBMISSION_BYTES_MAX};
use crate::marks::{Mark, Marks};
use crate::position::{Kind, Offset, Round};

/// Why a record was not taken. It leaves the submission as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError {
    /// Longer than [`RECORD_BYTES_MAX`](crate::RECORD_BYTES_MAX).
    RecordTooLarge,
    /// The submission would grow beyond [`SUBMISSION_BYTES_MAX`](crate::SUBMISSION_BYTES_MAX): submit it, and push again.
    SubmissionFull,
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RecordTooLarge => "the record is too large",
            Self::SubmissionFull => "the submission is full",
        })
    }
}

impl std::error::Error for PushError {}

#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Room for the header, then the records.
    frame: Vec<u8>,
    records: u32,
    digest: Digest,
    /// The Message records.
    pub(crate) messages: Mark,
    /// Takes effect when the submission is durable: everything that the owner has is written since the round began, and
    /// refers to this.
    pub(crate) checkpointed: Option<(Round, Marks)>,
    /// Bytes of Message records that died.
    pub(crate) forgotten: u64,
}

impl Contents {
    /// A frame in a buffer that was used before.
    pub(crate) fn reusing(mut self) -> Self {
        self.clear();
        self
    }

    pub(crate) fn clear(&mut self) {
        self.frame.clear();
        (self.records, self.digest) = (0, Digest::default());
        (self.messages, self.checkpointed, self.forgotten) = (Mark::default(), None, 0);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0 && self.checkpointed.is_none()
    }

    pub(crate) fn has_records(&self) -> bool {
        self.records != 0
    }

    /// What it takes in memory.
    pub(crate) fn capacity(&self) -> usize {
        self.frame.capacity()
    }

    pub(crate) fn push(&mut self, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) -> Result<Offset, PushError> {
        self.push_within(RECORD_BYTES_MAX, SUBMISSION_BYTES_MAX, kind, write)
    }

    fn push_within(
        &mut self,
        record_max: usize,
        submission_max: usize,
        kind: Kind,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Offset, PushError> {
        if self.frame.is_empty() {
            self.frame.resize(FRAME_HEADER_BYTES, 0);
        }
        let begin = self.frame.len();
        self.frame.extend_from_slice(&[0; RECORD_HEADER_BYTES]);
        write(&mut self.frame);
        let bytes = &self.frame[begin + RECORD_HEADER_BYTES..];
        let length = bytes.len();
        let refused = match (length > record_max, self.frame.len() > submission_max) {
            (true, _) => Some(PushError::RecordTooLarge),
            (_, true) => Some(PushError::SubmissionFull),
            _ => None,
        };
        if let Some(refused) = refused {
            self.frame.truncate(begin);
            return Err(refused);
        }
        let header = RecordHeader::of(kind, bytes).encode();
        self.frame[begin..begin + RECORD_HEADER_BYTES].copy_from_slice(&header);
        self.digest.add(&header);
        self.records += 1;
        if kind == Kind::Message {
            self.messages.add(Mark { records: 1, bytes: record_bytes(length as u32) });
        }
        Ok(Offset((begin - FRAME_HEADER_BYTES) as u32))
    }

    /// The bytes of the frame on the disk, without its padding being there yet.
    pub(crate) fn frame_bytes(&self) -> usize {
        aligned(self.frame.len())
    }

    /// Fills in the header.
    pub(crate) fn finish(&mut self, mut header: FrameHeader) {
        header.records = self.records;
        header.body_bytes = (self.frame.len() - FRAME_HEADER_BYTES) as u32;
        header.digest = self.digest.value();
        self.frame.resize(aligned(self.frame.len()), 0);
        header.encode(&mut self.frame);
    }

    /// The whole frame, once it is finished.
    pub(crate) fn frame(&self) -> &[u8] {
        &self.frame
    }
}

/// What a record of `length` bytes takes in its segment.
pub(crate) fn record_bytes(length: u32) -> u64 {
    RECORD_HEADER_BYTES as u64 + u64::from(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{FLAG_LAST, Records};

    fn header() -> FrameHeader {
        FrameHeader {
            segment: 1,
            offset: 64,
            stream: 2,
            flags: FLAG_LAST,
            batch: 3,
            records: 0,
            body_bytes: 0,
            digest: 0,
        }
    }

    #[test]
    fn a_finished_frame_holds_what_was_pushed_where_push_said() {
        let mut contents = Contents::default();
        let first = contents.push(Kind::State, |to| to.extend_from_slice(b"state")).unwrap();
        let second = contents.push(Kind::Message, |to| to.extend_from_slice(b"message")).unwrap();
        assert_eq!((first.bytes(), second.bytes()), (0, 13));
        assert_eq!(contents.messages, Mark { records: 1, bytes: 15 });
        contents.finish(header());
        let read = FrameHeader::decode(contents.frame()).unwrap();
        assert_eq!((read.records, read.frame_bytes()), (2, contents.frame().len() as u64));
        let body = &contents.frame()[FRAME_HEADER_BYTES..][..read.body_bytes as usize];
        let records: Vec<_> = Records::of(body, read.records, read.digest).unwrap().collect();
        assert_eq!((records[1].offset, records[1].bytes), (second.bytes(), &b"message"[..]));
        assert!(records.iter().all(|record| record.intact));
    }

    #[test]
    fn what_is_beyond_a_bound_is_refused_and_leaves_nothing() {
        let mut contents = Contents::default();
        let mut push = |bytes: usize| {
            let pushed = contents.push_within(100, 300, Kind::Message, |to| to.resize(to.len() + bytes, 0));
            (pushed, contents.frame_bytes(), contents.messages.bytes)
        };
        assert_eq!(push(101), (Err(PushError::RecordTooLarge), 40, 0));
        assert_eq!(push(100), (Ok(Offset(0)), 152, 108));
        assert_eq!(push(100), (Ok(Offset(108)), 256, 216));
        assert_eq!(push(100), (Err(PushError::SubmissionFull), 256, 216));
        assert_eq!(push(36).0, Ok(Offset(216)));
    }
}
