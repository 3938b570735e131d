//! Choices that a seed decides.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

/// A seed that nobody has chosen.
#[must_use]
pub fn fresh_seed() -> u64 {
    // The standard library seeds its hash maps from the operating system's randomness.
    RandomState::new().hash_one(0) >> 32
}

/// SplitMix64: small, fast, and good enough to choose.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number of the range, which is not empty.
    pub(crate) fn of(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start).max(1)
    }

    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.of(0..times) == 0
    }
}
