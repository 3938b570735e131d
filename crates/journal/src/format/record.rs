//! Records in a frame, each verifiable by itself.

use crate::position::Kind;

use super::{put, u32_at};

pub(crate) const RECORD_HEADER_BYTES: usize = 8;

const LENGTH_BITS: u32 = 30;
const LENGTH_MASK: u32 = (1 << LENGTH_BITS) - 1;

/// What stands before the bytes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub(crate) kind: Kind,
    pub(crate) length: u32,
    crc: u32,
}

impl RecordHeader {
    pub(crate) fn of(kind: Kind, bytes: &[u8]) -> Self {
        let length = bytes.len() as u32;
        Self { kind, length, crc: checksum(kind, length, bytes) }
    }

    pub(crate) fn encode(&self) -> [u8; RECORD_HEADER_BYTES] {
        let mut bytes = [0; RECORD_HEADER_BYTES];
        put(&mut bytes, 0, &word(self.kind, self.length).to_le_bytes());
        put(&mut bytes, 4, &self.crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..RECORD_HEADER_BYTES)?;
        let word = u32_at(bytes, 0);
        let kind = Kind::from_code(word >> LENGTH_BITS)?;
        Some(Self { kind, length: word & LENGTH_MASK, crc: u32_at(bytes, 4) })
    }

    pub(crate) fn fits(&self, bytes: &[u8]) -> bool {
        bytes.len() == self.length as usize && self.crc == checksum(self.kind, self.length, bytes)
    }
}

fn word(kind: Kind, length: u32) -> u32 {
    kind.code() << LENGTH_BITS | length & LENGTH_MASK
}

fn checksum(kind: Kind, length: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(word(kind, length), bytes)
}

/// A checksum over the record headers of a frame, in their order. With the checksums that stand in them it binds the
/// whole content, and costs eight bytes a record.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Digest(u32);

impl Digest {
    pub(crate) fn add(&mut self, header: &[u8; RECORD_HEADER_BYTES]) {
        self.0 = crc32c::crc32c_append(self.0, header);
    }

    pub(crate) fn value(self) -> u32 {
        self.0
    }
}

/// The records of a frame's body, one after the other.
#[derive(Debug)]
pub(crate) struct Records<'a> {
    body: &'a [u8],
    at: usize,
}

/// One of them; `intact` says whether its bytes have their checksum.
pub(crate) struct RecordInFrame<'a> {
    /// From the beginning of the body.
    pub(crate) offset: u32,
    pub(crate) kind: Kind,
    pub(crate) bytes: &'a [u8],
    pub(crate) intact: bool,
}

impl<'a> Records<'a> {
    /// The records of `body`, unless their headers are not the ones that were written: then nothing in it can be told
    /// apart.
    pub(crate) fn of(body: &'a [u8], records: u32, digest: u32) -> Option<Self> {
        let (mut at, mut count, mut found) = (0, 0, Digest::default());
        while at < body.len() {
            let header = RecordHeader::decode(&body[at..])?;
            found.add(&header.encode());
            at += RECORD_HEADER_BYTES + header.length as usize;
            count += 1;
        }
        (at == body.len() && count == records && found.value() == digest).then_some(Self { body, at: 0 })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = RecordInFrame<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let header = RecordHeader::decode(self.body.get(self.at..)?)?;
        let offset = self.at as u32;
        let begin = self.at + RECORD_HEADER_BYTES;
        let bytes = self.body.get(begin..begin + header.length as usize)?;
        self.at = begin + bytes.len();
        Some(RecordInFrame { offset, kind: header.kind, bytes, intact: header.fits(bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(records: &[(Kind, &[u8])]) -> (Vec<u8>, u32) {
        let (mut body, mut digest) = (Vec::new(), Digest::default());
        for (kind, bytes) in records {
            let header = RecordHeader::of(*kind, bytes).encode();
            digest.add(&header);
            body.extend_from_slice(&header);
            body.extend_from_slice(bytes);
        }
        (body, digest.value())
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        let (body, digest) = body(&[(Kind::State, b"one"), (Kind::Message, b""), (Kind::Message, b"three")]);
        let read: Vec<_> = Records::of(&body, 3, digest).unwrap().collect();
        assert!(read.iter().all(|record| record.intact));
        let read: Vec<_> = read.iter().map(|record| (record.offset, record.kind, record.bytes)).collect();
        let written =
            [(0, Kind::State, &b"one"[..]), (11, Kind::Message, b""), (19, Kind::Message, b"three")];
        assert_eq!(read, written);
        assert!(Records::of(&body, 2, digest).is_none(), "the number of records counts");
    }

    #[test]
    fn a_flipped_bit_costs_one_record_or_shows_in_the_digest() {
        let (whole, digest) = body(&[(Kind::State, b"one"), (Kind::Message, b"two")]);
        for bit in 0..whole.len() * 8 {
            let mut body = whole.clone();
            body[bit / 8] ^= 1 << (bit % 8);
            let Some(records) = Records::of(&body, 2, digest) else { continue };
            assert_eq!(records.filter(|record| record.intact).count(), 1, "bit {bit}");
        }
    }
}
