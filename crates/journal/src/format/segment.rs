//! The header and the name of a segment.

use super::{VERSION, put, u32_at, u64_at};

pub(crate) const SEGMENT_HEADER_BYTES: usize = 64;

/// Written with the first batch of a segment. It says where the log before it ends: what stands behind that place in the
/// segment before was never acknowledged, or is of an earlier life, and does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) number: u32,
    /// The segment before it in the log; 0 for the first.
    pub(crate) previous: u32,
    /// Where the log ends in it.
    pub(crate) previous_end: u32,
    /// The number of the first batch.
    pub(crate) first_batch: u64,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 12, &VERSION.to_le_bytes());
        put(&mut bytes, 16, &self.number.to_le_bytes());
        put(&mut bytes, 20, &self.previous.to_le_bytes());
        put(&mut bytes, 24, &self.previous_end.to_le_bytes());
        put(&mut bytes, 32, &self.first_batch.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[12..]);
        put(&mut bytes, 8, &crc.to_le_bytes());
        bytes
    }

    /// The version that an intact header tells.
    pub(crate) fn version(bytes: &[u8]) -> Option<u32> {
        let bytes = bytes.get(..SEGMENT_HEADER_BYTES)?;
        let intact = bytes[..8] == MAGIC && u32_at(bytes, 8) == crc32c::crc32c(&bytes[12..]);
        intact.then(|| u32_at(bytes, 12))
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        Self::version(bytes).filter(|version| *version <= VERSION)?;
        Some(Self {
            number: u32_at(bytes, 16),
            previous: u32_at(bytes, 20),
            previous_end: u32_at(bytes, 24),
            first_batch: u64_at(bytes, 32),
        })
    }
}

/// The file of a segment.
pub(crate) fn segment_name(number: u32) -> String {
    format!("{number:016x}.log")
}

/// The segment of a file, if it is one.
pub(crate) fn segment_number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".log")?;
    if digits.len() != 16 || !digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok().filter(|number| *number != 0)
}

const MAGIC: [u8; 8] = *b"Tidegate";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written_and_any_flipped_bit_shows() {
        let header = SegmentHeader { number: 9, previous: 7, previous_end: 4096, first_batch: 1 << 40 };
        assert_eq!(SegmentHeader::decode(&header.encode()), Some(header));
        for bit in 0..SEGMENT_HEADER_BYTES * 8 {
            let mut bytes = header.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&bytes), None, "bit {bit}");
        }
    }

    #[test]
    fn only_our_names_are_segments() {
        assert_eq!(segment_number(&segment_name(0xabc)), Some(0xabc));
        for name in ["0.log", "0000000000000000.log", "000000000000000A.log", "00000000000000a1", "x", ""] {
            assert_eq!(segment_number(name), None, "{name}");
        }
        assert_eq!(segment_number("0000000100000000.log"), None, "beyond what a position can say");
    }
}
