//! Where a replay begins.

use crate::position::{Position, Round};

use super::{put, u32_at, u64_at};

/// Replaced as a whole whenever a round of checkpoints is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The last complete round.
    pub(crate) round: Round,
    /// Where it began: a replay starts here.
    pub(crate) start: Position,
    /// Where it was complete. Damage between the two makes a replay start from `previous`.
    pub(crate) complete: Position,
    /// Where the round before it began.
    pub(crate) previous: Position,
}

pub(crate) const MANIFEST_BYTES: usize = 48;

impl Manifest {
    pub(crate) const NAME: &'static str = "manifest";
    pub(crate) const TEMPORARY_NAME: &'static str = "manifest.new";

    pub(crate) fn encode(&self) -> [u8; MANIFEST_BYTES] {
        let mut bytes = [0; MANIFEST_BYTES];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 16, &self.round.0.to_le_bytes());
        put(&mut bytes, 24, &self.start.to_u64().to_le_bytes());
        put(&mut bytes, 32, &self.complete.to_u64().to_le_bytes());
        put(&mut bytes, 40, &self.previous.to_u64().to_le_bytes());
        let crc = crc32c::crc32c(&bytes[12..]);
        put(&mut bytes, 8, &crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != MANIFEST_BYTES
            || bytes[..8] != MAGIC
            || u32_at(bytes, 8) != crc32c::crc32c(&bytes[12..])
        {
            return None;
        }
        Some(Self {
            round: Round(u64_at(bytes, 16)),
            start: Position::from_u64(u64_at(bytes, 24)),
            complete: Position::from_u64(u64_at(bytes, 32)),
            previous: Position::from_u64(u64_at(bytes, 40)),
        })
    }
}

const MAGIC: [u8; 8] = *b"TgManif1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_as_it_was_written_and_any_flipped_bit_shows() {
        let manifest = Manifest {
            round: Round(3),
            start: Position::new(4, 64),
            complete: Position::new(5, 640),
            previous: Position::new(2, 64),
        };
        assert_eq!(Manifest::decode(&manifest.encode()), Some(manifest));
        for bit in 0..MANIFEST_BYTES * 8 {
            let mut bytes = manifest.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Manifest::decode(&bytes), None, "bit {bit}");
        }
        assert_eq!(Manifest::decode(&manifest.encode()[1..]), None);
    }
}
