//! The header of a frame: one submission.

use super::{put, u32_at, u64_at};

pub(crate) const FRAME_HEADER_BYTES: usize = 40;

/// The last frame of its batch.
pub(crate) const FLAG_LAST: u16 = 1;
/// The journal was closed after this frame: nothing follows, and nothing was torn.
pub(crate) const FLAG_SEALED: u16 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// The number of the segment that it was written to.
    pub(crate) segment: u32,
    /// Where it stands in that segment.
    pub(crate) offset: u32,
    pub(crate) stream: u16,
    pub(crate) flags: u16,
    /// What was written and synced together has one number, and the next batch a higher one.
    pub(crate) batch: u64,
    pub(crate) records: u32,
    /// The records, without the padding behind them.
    pub(crate) body_bytes: u32,
    /// Of the record headers, see [`Digest`](super::Digest).
    pub(crate) digest: u32,
}

impl FrameHeader {
    pub(crate) fn encode(&self, bytes: &mut [u8]) {
        put(bytes, 0, &MAGIC);
        put(bytes, 8, &self.segment.to_le_bytes());
        put(bytes, 12, &self.offset.to_le_bytes());
        put(bytes, 16, &self.batch.to_le_bytes());
        put(bytes, 24, &self.stream.to_le_bytes());
        put(bytes, 26, &self.flags.to_le_bytes());
        put(bytes, 28, &self.records.to_le_bytes());
        put(bytes, 32, &self.body_bytes.to_le_bytes());
        put(bytes, 36, &self.digest.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[8..FRAME_HEADER_BYTES]);
        put(bytes, 4, &crc.to_le_bytes());
    }

    /// The header at the beginning of `bytes` if there is an intact one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..FRAME_HEADER_BYTES)?;
        if bytes[..4] != MAGIC || u32_at(bytes, 4) != crc32c::crc32c(&bytes[8..]) {
            return None;
        }
        let word = u32_at(bytes, 24);
        Some(Self {
            segment: u32_at(bytes, 8),
            offset: u32_at(bytes, 12),
            batch: u64_at(bytes, 16),
            stream: word as u16,
            flags: (word >> 16) as u16,
            records: u32_at(bytes, 28),
            body_bytes: u32_at(bytes, 32),
            digest: u32_at(bytes, 36),
        })
    }

    /// Whether `bytes` were probably a header for this place before something happened to them.
    pub(crate) fn resembles(bytes: &[u8], segment: u32, offset: u32) -> bool {
        let Some(bytes) = bytes.get(..FRAME_HEADER_BYTES) else { return false };
        let signs = [bytes[..4] == MAGIC, u32_at(bytes, 8) == segment, u32_at(bytes, 12) == offset];
        signs.into_iter().filter(|sign| *sign).count() >= 2
    }

    pub(crate) fn is_last(&self) -> bool {
        self.flags & FLAG_LAST != 0
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.flags & FLAG_SEALED != 0
    }

    /// The whole frame, with its padding.
    pub(crate) fn frame_bytes(&self) -> u64 {
        FRAME_HEADER_BYTES as u64 + ((u64::from(self.body_bytes) + 7) & !7)
    }

    /// Whether a place in a segment, looked at quickly, may be the beginning of a frame.
    pub(crate) fn may_begin(eight: &[u8]) -> bool {
        eight.starts_with(&MAGIC)
    }
}

const MAGIC: [u8; 4] = *b"TgF\x01";

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> FrameHeader {
        FrameHeader {
            segment: 3,
            offset: 64,
            stream: 9,
            flags: FLAG_LAST,
            batch: 77,
            records: 2,
            body_bytes: 21,
            digest: 0xdead_beef,
        }
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        header().encode(&mut bytes);
        assert_eq!(FrameHeader::decode(&bytes), Some(header()));
        assert_eq!(header().frame_bytes(), 40 + 24);
        assert!(FrameHeader::decode(&bytes[..39]).is_none());
    }

    #[test]
    fn any_flipped_bit_of_a_header_shows_and_it_still_resembles_one() {
        for bit in 0..FRAME_HEADER_BYTES * 8 {
            let mut bytes = [0; FRAME_HEADER_BYTES];
            header().encode(&mut bytes);
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FrameHeader::decode(&bytes), None, "bit {bit}");
            assert!(FrameHeader::resembles(&bytes, 3, 64), "bit {bit}");
        }
        assert!(!FrameHeader::resembles(&[0; FRAME_HEADER_BYTES], 3, 64));
    }
}
