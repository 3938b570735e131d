//! The bytes on the disk. All integers are little-endian.
//!
//! ```text
//! folder    format  lock  manifest  %016x.log …  quarantine/
//!
//! segment   ┌────────────┬───────┬───────┬───────┬─ ─ ─ ─ ─ ─ ─ ─ ─ ┐
//!           │ header  64 │ frame │ frame │ frame │ zeros, or the end   of an earlier life
//!           └────────────┴───────┴───────┴───────┴─ ─ ─ ─ ─ ─ ─ ─ ─ ┘
//! frame     ┌───────────┬────────┬────────┬─────┐   one submission; frames begin at multiples of 8
//!           │ header 40 │ record │ record │ pad │
//!           └───────────┴────────┴────────┴─────┘
//! record    ┌──────────────────┬────────┬───────┐
//!           │ kind 2, length 30│ crc 32 │ bytes │
//!           └──────────────────┴────────┴───────┘
//! ```
//!
//! A frame's header names its segment, its own offset and its batch, so bytes of an earlier life of the file, or of
//! another place, are never taken for it. The header's checksum covers a digest of all record headers, and each record
//! header has the checksum of its record: so a frame is known to be whole or not, a single record can be verified when
//! it alone is read, and one flipped bit costs one record.
//!
//! This module knows how things look, not where they come from.

mod frame;
mod manifest;
mod record;
mod segment;

pub(crate) use frame::{FLAG_LAST, FLAG_SEALED, FRAME_HEADER_BYTES, FrameHeader};
pub(crate) use manifest::Manifest;
pub(crate) use record::{Digest, RECORD_HEADER_BYTES, RecordHeader, Records};
pub(crate) use segment::{SEGMENT_HEADER_BYTES, SegmentHeader, segment_name, segment_number};

/// The version of everything above. A folder with a higher one is refused.
pub(crate) const VERSION: u32 = 1;

/// The file that tells the version.
pub(crate) const FORMAT_NAME: &str = "format";

/// What stands in it. The checksum is there because a flipped bit must not look like a newer program's work.
pub(crate) fn format_text(version: u32) -> String {
    let line = format!("tidegate journal {version}");
    format!("{line} {:08x}\n", crc32c::crc32c(line.as_bytes()))
}

/// The version that stands in a format file, if it is one.
pub(crate) fn parse_format(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    let version = text.strip_prefix("tidegate journal ")?.split(' ').next()?.parse().ok()?;
    (text == format_text(version)).then_some(version)
}

/// Up to a multiple of eight.
pub(crate) const fn aligned(bytes: usize) -> usize {
    (bytes + 7) & !7
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_file_says_its_version() {
        assert_eq!(parse_format(format_text(VERSION).as_bytes()), Some(VERSION));
        assert_eq!(parse_format(format_text(12).as_bytes()), Some(12));
        for wrong in [&b""[..], b"tidegate journal", b"tidegate journal 12", b"\xff\xff", b"12"] {
            assert_eq!(parse_format(wrong), None);
        }
        for bit in 0..format_text(VERSION).len() * 8 {
            let mut text = format_text(VERSION).into_bytes();
            text[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse_format(&text), None, "bit {bit}");
        }
    }
}
