//! Where a replay begins.

use crate::position::{Position, Round};

use super::{put, u32_at, u64_at};

/// Written whenever a round of checkpoints is complete, into the one of two places that the round before did not use. So a
/// crash leaves the other, and it needs no space on a disk that may be full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// How many were written before it. The higher one counts, and says which of the two places is free.
    pub(crate) generation: u64,
    /// The last complete round.
    pub(crate) round: Round,
    /// Where it began: a replay starts here.
    pub(crate) start: Position,
    /// Where it was complete. Damage between the two makes a replay start from `previous`.
    pub(crate) complete: Position,
    /// Where the round before it began.
    pub(crate) previous: Position,
}

pub(crate) const MANIFEST_BYTES: usize = 56;

/// A place in the file: a block, so that one is never torn by writing the other.
const SLOT_BYTES: usize = 4096;

impl Manifest {
    pub(crate) const NAME: &'static str = "manifest";
    /// The length of the file.
    pub(crate) const FILE_BYTES: usize = 2 * SLOT_BYTES;

    /// Where in the file it is written.
    pub(crate) fn place(&self) -> u64 {
        (self.generation % 2) * SLOT_BYTES as u64
    }

    /// A new file that says this.
    pub(crate) fn new_file(&self) -> Vec<u8> {
        let mut file = vec![0; Self::FILE_BYTES];
        for slot in file.chunks_mut(SLOT_BYTES) {
            put(slot, 0, &self.encode());
        }
        file
    }

    /// What a file says; `None` when neither place holds anything.
    pub(crate) fn of_file(file: &[u8]) -> Option<Self> {
        let slots = [0, SLOT_BYTES].map(|at| Self::decode(file.get(at..at + MANIFEST_BYTES)?));
        match slots {
            [Some(one), Some(other)] => Some(if one.generation > other.generation { one } else { other }),
            // The other may have been the newer one. Then what only this one needs may be gone; what both need is not.
            [Some(one), None] | [None, Some(one)] => Some(Self { previous: one.start, ..one }),
            [None, None] => None,
        }
    }

    pub(crate) fn encode(&self) -> [u8; MANIFEST_BYTES] {
        let mut bytes = [0; MANIFEST_BYTES];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 16, &self.round.0.to_le_bytes());
        put(&mut bytes, 24, &self.start.to_u64().to_le_bytes());
        put(&mut bytes, 32, &self.complete.to_u64().to_le_bytes());
        put(&mut bytes, 40, &self.previous.to_u64().to_le_bytes());
        put(&mut bytes, 48, &self.generation.to_le_bytes());
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
            generation: u64_at(bytes, 48),
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
            generation: 9,
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

    #[test]
    fn a_torn_place_leaves_the_other() {
        let of = |round: u64| Manifest {
            generation: round,
            round: Round(7 * round),
            start: Position::new(round as u32, 64),
            complete: Position::new(round as u32, 640),
            previous: Position::new(round as u32 - 1, 64),
        };
        let mut file = Manifest::default().new_file();
        assert_eq!(Manifest::of_file(&file), Some(Manifest::default()));
        for round in 1..5 {
            put(&mut file, of(round).place() as usize, &of(round).encode());
            assert_eq!(Manifest::of_file(&file), Some(of(round)));
        }
        file[of(4).place() as usize + 20] ^= 1;
        let older = Manifest { previous: of(3).start, ..of(3) };
        assert_eq!(Manifest::of_file(&file), Some(older));
        file[of(3).place() as usize + 20] ^= 1;
        assert_eq!(Manifest::of_file(&file), None);
        assert_eq!(Manifest::of_file(&[]), None);
    }
}
